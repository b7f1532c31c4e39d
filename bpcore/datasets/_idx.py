"""Reads IDX files, the format of MNIST: a short header, then one array.

The header is big-endian: two zero bytes, a byte for the type of the elements, a byte for the number
of dimensions, then each dimension in four bytes. The elements follow, the last index runs fastest,
and nothing comes after them. A file may be gzipped as a whole.
"""

from __future__ import annotations

import math
import os
import struct
import sys
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._types import StrPath

DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_DIMENSIONS = 32  # What NumPy 1 can hold. The format could name 255.
MAX_HEADER = 4 + 4 * MAX_DIMENSIONS
GZIP_MAGIC = b"\x1f\x8b"
DEFLATE_LIMIT = 1032  # Bytes that a byte of a gzip stream can stand for: 258 for two bits.
PIECE = 1 << 18  # Bytes that are inflated at once.
KEPT = 48 << 20  # What may be kept before the stream is known to be whole. MNIST has 47 MB.


def read_idx(path: StrPath) -> NDArray[Any]:
    r"""Read one array from an IDX file, gzipped or not.

    The first bytes decide whether the file is gzipped, its name does not. The header is checked
    against the length of the file before anything is allocated, and a gzipped file is never
    decompressed further than one byte past the length that its header declares.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    ndarray
        A new array of the declared shape, in native byte order: uint8, int8, int16, int32,
        float32 or float64, as the file says.

    Raises
    ------
    ValueError
        If the file is not a whole IDX file: a wrong magic number, type or dimension, a damaged gzip
        stream, fewer bytes than declared, or more. The message names the file, what it holds and
        what is expected.
    OSError
        If the file cannot be opened or read.

    Examples
    --------
    >>> import os, tempfile
    >>> from bpcore.datasets import read_idx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "two-labels")
    ...     with open(path, "wb") as file:
    ...         _ = file.write(b"\0\0\x08\x01" + b"\0\0\0\x02" + b"\x05\x08")
    ...     read_idx(path)
    array([5, 8], dtype=uint8)
    """
    path = os.fspath(path)  # A number would be an open file's.
    return parse(read_content(path), path)


def read_content(path):
    """Return the uncompressed bytes of an IDX file, exactly as many as its header declares."""
    with open(path, "rb") as file:
        head = file.read(MAX_HEADER)
        if head.startswith(GZIP_MAGIC):
            return gunzip(head + file.read(), path)
        _, shape, size = _layout(head, path)
        # The length on disk comes first: a wrong file is refused without being read.
        _check_length(os.fstat(file.fileno()).st_size, shape, size, path)
        content = head + file.read(size - len(head))
    _check_length(len(content), shape, size, path)
    return content


def gunzip(data, source):
    """Return the content of a gzipped IDX file, given its bytes; `source` names it in errors."""
    head, content = bytearray(), bytearray()
    _inflate(data, MAX_HEADER, source, head.extend)
    _, shape, size = _layout(head, source)
    if size > KEPT:  # No memory for what is not there: count it first.
        most = min(size + 1, DEFLATE_LIMIT * len(data))
        if most > size:
            most, _ = _inflate(data, size + 1, source, lambda piece: None)
        _check_length(most, shape, size, source)
    length, is_whole = _inflate(data, size + 1, source, content.extend)
    _check_length(length, shape, size, source)
    if not is_whole:
        raise ValueError(
            f"{source}: the gzip stream holds the {size} bytes expected, but its end is cut off, "
            "or other bytes follow it"
        )
    return content


def parse(content, source):
    """Return the array in the content of an IDX file, of which the length is known to be right."""
    dtype, shape, _ = _layout(content[:MAX_HEADER], source)
    array = np.ndarray(shape, dtype, buffer=content, offset=4 + 4 * len(shape))
    return array.astype(dtype.newbyteorder("="))


def dump(array):
    """Return the IDX file of a uint8 array as bytes."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 0x08, array.ndim, *array.shape)
    return header + array.astype(np.uint8, casting="safe").tobytes()


def _layout(head, source):
    """Return dtype, shape and length of the whole file in bytes, as the header declares them."""
    if len(head) < 4:
        raise ValueError(
            f"{source}: this is not an IDX file: it holds {len(head)} bytes, "
            "and the magic number alone has 4"
        )
    zeros, code, dimensions = struct.unpack_from(">HBB", head)
    if zeros != 0 or code not in DTYPES or not 1 <= dimensions <= MAX_DIMENSIONS:
        raise ValueError(
            f"{source}: this is not an IDX file: it begins with {head[:4].hex(' ')}, expected are "
            f"00 00, a type among {' '.join(f'{known:02x}' for known in DTYPES)}, "
            f"and a number of dimensions from 01 to {MAX_DIMENSIONS:02x}"
        )
    header = 4 + 4 * dimensions
    if len(head) < header:
        raise ValueError(
            f"{source}: the header of {dimensions} dimensions has {header} bytes, "
            f"but the file ends after {len(head)}"
        )
    dtype = np.dtype(DTYPES[code])
    shape = struct.unpack_from(f">{dimensions}I", head, 4)
    # A dimension of zero does not excuse the others: NumPy multiplies the rest all the same.
    if header + dtype.itemsize * math.prod(max(d, 1) for d in shape) >= sys.maxsize:
        raise ValueError(f"{source}: no memory holds the declared shape {shape} of {dtype.name}")
    return dtype, shape, header + dtype.itemsize * math.prod(shape)


def _check_length(found, shape, expected, source):
    if found < expected:
        raise ValueError(
            f"{source}: the file is cut short: shape {shape} needs {expected} bytes with the "
            f"header, but the file holds {found}"
        )
    if found > expected:
        raise ValueError(
            f"{source}: bytes follow the array: shape {shape} needs {expected} bytes with the "
            f"header, but the file holds at least {found}"
        )


def _inflate(data, at_most, source, keep):
    """Hand up to `at_most` bytes of a gzip stream to `keep`, in pieces.

    Returns how many they are, and whether `data` ends where the stream ends. The memory used
    follows what is kept, not `at_most`.
    """
    stream, length, end = zlib.decompressobj(wbits=31), 0, 0
    try:
        while end < len(data) and not stream.eof and length < at_most:
            packed, end = data[end : end + PIECE], end + PIECE
            while length < at_most:
                piece = stream.decompress(packed, min(PIECE, at_most - length))
                keep(piece)
                length, packed = length + len(piece), stream.unconsumed_tail
                if not packed and not piece:
                    break
    except zlib.error as error:
        raise ValueError(f"{source}: the gzip stream is damaged: {error}") from None
    return length, stream.eof and not stream.unused_data and end >= len(data)
