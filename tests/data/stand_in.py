"""What the tests of the data sets share: a stand-in for MNIST, a mirror on this machine."""

import os
import socketserver
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np

from bpcore import datasets
from bpcore.datasets import _fetch

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = NAMES = list(_fetch.SHA256)
REAL_PIP_DOWNLOAD = _fetch._pip_download
COUNTS = [  # As published.
    [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
]


def no_pip(requirement, folder):
    raise OSError("no pip in this test")


def put(folder, files, pack=bytes, ending=""):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / (name + ending)).write_bytes(pack(content))
    return folder


def tree(folder):
    """Return {relative path: content} of everything below a folder, hidden files too."""
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def assert_is(files, loaded):
    """The loaded arrays are those of the stand-in."""
    parts = (TRAIN_IMAGES, TRAIN_LABELS), (TEST_IMAGES, TEST_LABELS)
    for (X, y), (images, labels) in zip(loaded, parts, strict=True):
        assert X.astype(np.uint8).tobytes() == files[images][16:]
        assert y.astype(np.uint8).tobytes() == files[labels][8:]


def load(**arguments):
    return datasets.load_mnist(scale=1, **arguments)


PAUSE = 0.02  # seconds between two bytes: each comes well within the patience for one of them
OK = b"HTTP/1.1 200 OK\r\n"


def header(content):
    return b"Content-Length: %d\r\n\r\n" % len(content)


class Mirror(socketserver.ThreadingTCPServer):
    """A web server on this machine. `answer(name)` gives bytes, an HTTP status, or three pieces of
    an answer: what comes at once, byte by byte while the test lasts, and at once."""

    daemon_threads = True

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), None)
        self.answer, self.asked, self.ended = answer, [], threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/mnist/"
        self.gone = threading.Semaphore(0)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def finish_request(self, request, address):
        with request.makefile("rb") as lines:
            name = lines.readline().split()[1].decode().rsplit("/", 1)[1].removesuffix(".gz")
            while lines.readline().strip():
                pass
        self.asked.append(name)
        answer = self.answer(name)
        if isinstance(answer, int):
            answer = b"HTTP/1.1 %d Refused\r\n" % answer + header(b""), b"", b""
        elif isinstance(answer, bytes):
            answer = OK + header(answer) + answer, b"", b""
        start, slowly, end = answer
        try:
            request.sendall(start)
            for byte in slowly:
                if self.ended.wait(PAUSE):
                    return
                request.sendall(bytes([byte]))
            request.sendall(end)
        except OSError:
            self.gone.release()


def python2_array(array):
    """Pickle an array as Python 2 did: strings where Python 3 has bytes, flags as numbers."""
    kind = {"float32": b"f4", "int64": b"i8"}[array.dtype.name]
    shape = b"(" + b"".join(b"J" + struct.pack("<i", n) for n in array.shape) + b"t"
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01" + shape
        + b"cnumpy\ndtype\nU\x02" + kind + b"K\x00K\x01\x87R(K\x03U\x01<NNN"
        + b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + struct.pack("<i", array.nbytes) + array.tobytes() + b"tb"
    )  # fmt: skip


def python2_pickle(files):
    """Pickle the stand-in as the wheel holds MNIST: 6 + 2 + 4 pairs of float32 rows and labels."""
    rows = files[TRAIN_IMAGES][16:] + files[TEST_IMAGES][16:]
    X = (np.frombuffer(rows, np.uint8).reshape(12, 784) / 256).astype(np.float32)
    y = np.frombuffer(files[TRAIN_LABELS][8:] + files[TEST_LABELS][8:], np.uint8).astype(np.int64)
    parts = (slice(0, 6), slice(6, 8), slice(8, 12))
    pairs = [python2_array(X[part]) + python2_array(y[part]) + b"\x86" for part in parts]
    return b"\x80\x02" + b"".join(pairs) + b"\x87."


def python(code):
    """Start a new Python which finds the package where this one does."""
    home = str(Path(datasets.__file__).resolve().parents[2])
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    environment = {**os.environ, "PYTHONPATH": home, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, text=True, **pipes)
