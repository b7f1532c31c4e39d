"""Memory stays where it is, cycle after cycle; tools/leaks.py does at length what is done here.

The limits are those of the law, 1 MB in 10,000 cycles: 105 bytes a cycle and less than one block.
"""

import ctypes
import mmap
import sys

import numpy as np
import pytest

from tests.programs import ROOT

sys.path.append(str(ROOT / "tools"))
import leaks

MEASURED = leaks.resident() is not None or leaks.given_out() is not None
pytestmark = pytest.mark.skipif(not MEASURED, reason="this system does not tell its memory in use")
CYCLES = 200


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """A cycle whose caches are full."""
    cycle = leaks.Cycle(tmp_path_factory.mktemp("leaks"))
    for _ in range(leaks.WARM_UP):
        cycle()
    return cycle


@pytest.fixture(autouse=True)
def no_more_warm_up(monkeypatch, warm):
    monkeypatch.setattr(leaks, "WARM_UP", 5)


def test_two_hundred_cycles_need_no_memory(warm):
    found = leaks.grown(warm, CYCLES)
    assert leaks.complaints(found) == []


def test_a_lost_object_is_seen(warm, monkeypatch):
    kept = []
    monkeypatch.setattr(warm, "also", lambda net: kept.extend([object(), object()]))
    wrong = leaks.complaints(leaks.grown(warm, 50))
    assert any("blocks of Python" in complaint for complaint in wrong)


@pytest.mark.skipif(
    leaks.given_out() is None, reason="the C library does not tell what it gave out"
)
def test_a_lost_block_of_the_c_library_is_seen(warm, monkeypatch):
    malloc = ctypes.CDLL(None).malloc
    malloc.restype, malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    monkeypatch.setattr(warm, "also", lambda net: malloc(2000) and None)
    wrong = leaks.complaints(leaks.grown(warm, 50))
    assert any("C library" in complaint for complaint in wrong)


@pytest.mark.skipif(leaks.resident() is None, reason="this system does not tell resident memory")
def test_lost_arrays_are_seen(warm, monkeypatch):
    kept = []

    def lose(net):
        """Pages of their own: the C library may have some at hand that other tests gave back."""
        kept.append(np.frombuffer(mmap.mmap(-1, 1 << 21), np.float64))
        kept[-1][...] = 1

    monkeypatch.setattr(warm, "also", lose)
    wrong = leaks.complaints(leaks.grown(warm, 50))
    assert any("resident" in complaint for complaint in wrong)
