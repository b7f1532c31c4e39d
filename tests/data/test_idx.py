"""Laws of the IDX reader. The files are built here by hand, with struct."""

import gzip
import math
import os
import re
import struct
import sys
import tracemalloc
import types
import zlib

import numpy as np
import pytest

from bpcore.datasets import _idx, read_idx

KINDS = {  # Type code: the letter of struct, the NumPy type, three values which use every byte.
    0x08: ("B", np.uint8, (0, 5, 255)),
    0x09: ("b", np.int8, (-128, -1, 127)),
    0x0B: ("h", np.int16, (-32768, 258, 32767)),
    0x0C: ("i", np.int32, (-(2**31), 16909060, 2**31 - 1)),
    0x0D: ("f", np.float32, (-1.5, 0.0, 3.4028234663852886e38)),
    0x0E: ("d", np.float64, (0.1, -1e300, float("inf"))),
}
SMALL = b"\0\0\x08\x02" + struct.pack(">II", 2, 3) + bytes([1, 2, 3, 4, 5, 6])


@pytest.fixture
def write(tmp_path):
    def write(content, name="file-idx"):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


def refusal(path):
    """Return the message of the ValueError, which names the file."""
    with pytest.raises(ValueError) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def peak_memory_of_refusal(path):
    tracemalloc.start()
    try:
        refusal(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("code", KINDS, ids=hex)
def test_every_type_is_read_in_native_byte_order(write, code, pack):
    letter, dtype, values = KINDS[code]
    content = struct.pack(f">HBB2I3{letter}", 0, code, 2, 3, 1, *values)
    array = read_idx(write(pack(content)))
    assert array.dtype == dtype and array.dtype.isnative
    assert array.tolist() == [[dtype(value)] for value in values]


def test_last_index_runs_fastest_and_the_array_is_the_callers_own(write):
    array = read_idx(write(SMALL))
    assert array.tolist() == [[1, 2, 3], [4, 5, 6]]
    array[0, 0] = 9
    assert array.flags.writeable and array.flags.c_contiguous and array[0, 0] == 9


def test_content_decides_on_gzip_not_the_name(write):
    plain_named_gz = write(SMALL, "plain-idx.gz")
    gzip_named_plain = write(gzip.compress(SMALL), "packed-idx")
    assert np.array_equal(read_idx(plain_named_gz), read_idx(gzip_named_plain))


@pytest.mark.parametrize("shape", [(0,), (0, 5), (3, 0)])
def test_empty_array_keeps_its_shape(write, shape):
    header = struct.pack(f">HBB{len(shape)}I", 0, 0x0D, len(shape), *shape)
    assert read_idx(write(header)).shape == shape


PACKED = gzip.compress(SMALL)
CUTS = {
    "plain": [SMALL[:length] for length in range(len(SMALL))],
    "inside gzip": [gzip.compress(SMALL[:length]) for length in range(len(SMALL))],
    "gzip": [PACKED[:length] for length in range(len(PACKED))],
}


@pytest.mark.parametrize("contents", CUTS.values(), ids=CUTS)
def test_every_truncation_is_refused(write, contents):
    for content in contents:
        assert refusal(write(content))


@pytest.mark.parametrize(
    "content",
    [
        SMALL + b"\0",
        gzip.compress(SMALL + b"\0"),
        gzip.compress(SMALL) + b"\0",
        gzip.compress(SMALL) + gzip.compress(b""),
    ],
    ids=["plain", "inside gzip", "after gzip", "second gzip stream"],
)
def test_trailing_bytes_are_refused(write, content):
    assert "follow" in refusal(write(content))


@pytest.mark.parametrize(
    "magic", ["01000801", "00010801", "00000a01", "00000f01", "00000800", "00000821", "504b0304"]
)
def test_wrong_magic_is_refused_and_shown(write, magic):
    given = bytes.fromhex(magic)
    message = refusal(write(given + struct.pack(">I", 1) * 40))
    assert given.hex(" ") in message and "08 09 0b 0c 0d 0e" in message


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    "shape", [(2**32 - 1,), (2**32 - 1,) * 2, (2**32 - 1,) * 4], ids=["4 GB", "16 EB", "3e38 B"]
)
def test_declared_size_is_checked_before_memory_is_taken(write, shape, pack):
    header = struct.pack(f">HBB{len(shape)}I", 0, 0x08, len(shape), *shape)
    assert peak_memory_of_refusal(write(pack(header + bytes(100)))) < 500_000


@pytest.mark.skipif(sys.maxsize != 2**63 - 1, reason="the sizes are those of 64 bits")
def test_the_largest_size_that_memory_can_have_is_named_and_the_next_is_not(write):
    shape = (14374259, 4837853, 132633)  # With its header 2**63 - 1 bytes, a factorisation of it.
    assert 16 + math.prod(shape) == sys.maxsize
    for last, reason in [(132632, "cut short"), (132633, "no memory holds")]:
        header = struct.pack(">HBB3I", 0, 0x08, 3, *shape[:2], last)
        assert reason in refusal(write(header))


REASONS = {
    "two bytes are missing": (SMALL[:-2], "cut short.*18 bytes.*holds 16"),
    "a bit of the checksum": (PACKED[:-8] + bytes([PACKED[-8] ^ 1]) + PACKED[-7:], "damaged"),
    "an overflow behind a zero": (
        struct.pack(">HBB4I", 0, 0x08, 4, 0, *[2**32 - 1] * 3),
        "no memory",
    ),
    "dimensions of one": (struct.pack(">HBB32I", 0, 0x0E, 32, 2**32 - 1, *[1] * 31), "cut short"),
    "no dimensions": (SMALL[:3], "magic number alone"),
    "half of a header": (SMALL[:4], "the header of 2 dimensions has 12 bytes"),
}


@pytest.mark.parametrize(("content", "reason"), REASONS.values(), ids=REASONS)
def test_what_is_wrong_is_said(write, content, reason):
    assert re.search(reason, refusal(write(content)), re.DOTALL)


def test_a_file_that_shrinks_while_it_is_read_is_cut_short(write, monkeypatch):
    path = write(SMALL[:-2])
    size = types.SimpleNamespace(st_size=len(SMALL))
    monkeypatch.setattr(os, "fstat", lambda descriptor: size)
    assert "cut short" in refusal(path)


def test_only_a_gzip_stream_is_unpacked(write):
    assert _idx.gunzip(gzip.compress(SMALL), "here") == SMALL
    with pytest.raises(ValueError, match="here: the gzip stream is damaged"):
        _idx.gunzip(zlib.compress(SMALL), "here")


def test_gzip_bomb_is_stopped_at_the_declared_size(write):
    bomb = write(gzip.compress(SMALL + bytes(1 << 26)))
    assert peak_memory_of_refusal(bomb) < 500_000
    assert "at least 19" in refusal(bomb)


def test_wrong_huge_file_is_refused_without_being_read(tmp_path):
    with open(tmp_path / "sparse", "wb") as file:
        file.write(SMALL)
        file.truncate(1 << 30)
    assert peak_memory_of_refusal(tmp_path / "sparse") < 500_000


def test_missing_file_is_the_usual_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "nothing")


def test_dump_writes_the_bytes_of_the_format():
    assert _idx.dump(np.array([[1, 2, 3], [4, 5, 6]], np.uint8)) == SMALL
    with pytest.raises(TypeError):
        _idx.dump(np.array([1.5]))


def test_damaged_gzip_of_many_bytes_keeps_none_of_them(write):
    size = 80 << 20
    whole = gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", size) + bytes(size), 1)
    for damaged in (whole[:-9], whole[:-8] + bytes(8)):
        assert peak_memory_of_refusal(write(damaged)) < 4 << 20


def test_gzip_of_many_bytes_is_read_whole(write):
    size = (48 << 20) + 5
    packed = gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", size) + bytes(size - 1) + b"\7", 1)
    array = read_idx(write(packed))
    assert array.shape == (size,) and array[-1] == 7 and not array[:-1].any()


def test_more_than_a_gzip_stream_can_hold_is_refused(write):
    packed = gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 1 << 31) + bytes(1 << 20))
    message = refusal(write(packed))
    assert "cut short" in message and f"holds {1032 * len(packed)}" in message
