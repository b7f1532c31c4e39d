"""Files that two machines exchange: `exchange.py make FOLDER` or `exchange.py copy FROM TO`.

Equal machines make equal files, and from each other's files equal copies. Whatever is written is
written in bytes, so that `cmp` compares; tools/big_endian.py does. Inputs are eighths, whose sums
and products are exact: NumPy may add them in any order.
"""

import gzip
import struct
import sys
from pathlib import Path

import numpy as np

import bpcore
from bpcore.datasets import read_idx
from bpcore.datasets._idx import dump

X = (np.arange(92).reshape(23, 4) * 37 % 64 - 32) / 8
Y = np.arange(23) * 5 % 3
HOW = {"optimizer": "adam", "learning_rate": 0.02, "batch_size": 8}
IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
DTYPES = ("float32", "float64")
IDX = {  # Type code: how struct says it, and numbers whose bytes differ from each other.
    "08": ("B", (1, 2, 250)),
    "09": ("b", (1, -2, 100)),
    "0B": (">h", (1, -2, 0x1234)),
    "0C": (">i", (1, -2, 0x12345678)),
    "0D": (">f", (0.1, -1e30, float("inf"))),
    "0E": (">d", (0.1, -1e300, float("inf"))),
}


def keep(net, path):
    """The model, and what it makes of X: the lowest byte of each number first."""
    net.save(path)
    out = net.forward(X)
    path.with_suffix(".out").write_bytes(out.astype(out.dtype.newbyteorder("<")).tobytes())


def make(folder):
    for dtype in DTYPES:
        net = bpcore.Network([4, 5, 3], output="softmax", seed=3, standardize=True, dtype=dtype)
        net.fit(X, Y, epochs=2, record=folder / f"{dtype}.json", **HOW)
        keep(net, folder / f"{dtype}.safetensors")
    for code, (kind, numbers) in IDX.items():
        head = bytes([0, 0, int(code, 16), 1]) + struct.pack(">I", len(numbers))
        body = b"".join(struct.pack(kind, number) for number in numbers)
        (folder / f"{code}-idx").write_bytes(head + body)
    (folder / "images-idx.gz").write_bytes(gzip.compress(dump(IMAGES), mtime=0))


def copy(source, target):
    for dtype in DTYPES:
        found = bpcore.verify(source / f"{dtype}.json", data={"X": X, "y": Y})
        assert found.reproduced, found.message
        (target / f"{dtype}-fingerprint").write_text(found.fingerprint)
        net = bpcore.Network.load(source / f"{dtype}.safetensors")
        keep(net, target / f"{dtype}.safetensors")
        net.fit(X, Y, epochs=3, **HOW)
        keep(net, target / f"{dtype}-later.safetensors")
    for code, (kind, numbers) in IDX.items():
        array = read_idx(source / f"{code}-idx")
        expected = tuple(struct.unpack(kind, struct.pack(kind, x))[0] for x in numbers)
        assert array.dtype.isnative and tuple(array.tolist()) == expected, (code, array)
        (target / f"{code}-values").write_text(repr(array.tolist()))
    images = read_idx(source / "images-idx.gz")
    assert images.tolist() == IMAGES.tolist()
    (target / "images-idx").write_bytes(dump(images))


if __name__ == "__main__":
    work, *folders = sys.argv[1:]
    {"make": make, "copy": copy}[work](*map(Path, folders))
    print(sys.byteorder, bpcore._core.isa())
