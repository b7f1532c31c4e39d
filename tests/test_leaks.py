"""Using networks for a long time needs no more memory than using them for a short one.

A cycle makes, trains, uses, saves, loads and copies networks, dense and sparse, in every way of
training, and meets errors: bad input, a training that is interrupted, a loss that is not finite.
Law: after a warm-up, resident memory grows by less than 1 MB in 10,000 cycles, and in proportion in
fewer; so do the bytes that the C library has given out (with glibc); and the interpreter's blocks
grow by less than one a cycle, which is what the smallest object takes.
"""

import contextlib
import ctypes
import gc
import itertools
import mmap
import os
import pickle
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import bpcore
from tests.compressed import Rows

ALLOWED = (1 << 20) / 10_000  # bytes a cycle
WARM_UP = 100  # Cycles until caches are full: then blocks are those of the measurements alone.
QUARTERS = 4
# Resident memory is counted in pages, and the C library asks for 128 kB or more at once: what two
# such steps may hide is no growth yet.
GRAIN = 2 * 128 * 1024

X = np.random.default_rng(0).standard_normal((60, 6)).astype("f4")
Y = np.arange(60) % 3
THIN = np.where(np.abs(X) > 1.2, X, 0).astype("f4")
SETTINGS = [
    dict(learning_rate=0.1),
    dict(learning_rate=0.1, batch_size=16),
    dict(optimizer="adam", batch_size=16, dropout=0.2, l2=1e-4),
    dict(optimizer="rprop", eval_set=(X, Y), early_stopping=1),
    dict(optimizer="lbfgs"),
]


class Cycle:
    """One cycle after the other; ``also`` is called in each, with its network."""

    def __init__(self, folder, also=None):
        self.path, self.also, self.count = Path(folder) / "model", also, 0
        self.sparse = Rows(THIN)

    def __call__(self):
        how = SETTINGS[self.count % len(SETTINGS)]
        self.count += 1
        net = bpcore.Network([6, 5, 3], hidden="tanh", output="softmax", seed=1)
        for data in (X, THIN, self.sparse, X.astype("f8")):
            net.fit(data, Y, epochs=2, **how)
        self.use(net)
        self.fail(net, how)
        squares = bpcore.Network([6, 2, 1], hidden="tanh", output="identity", seed=1)
        squares.fit(X, Y, epochs=1, optimizer="levenberg_marquardt")
        bpcore.fit_many([net, squares], X, bpcore.per_network([Y, Y]), epochs=1, optimizer="adam")
        if self.also is not None:
            self.also(net)

    def use(self, net):
        net.predict(X)
        net.evaluate(self.sparse, Y)
        net.gradients(X, Y)
        net.backward(X, np.ones((60, 3)))
        net.jacobian(X[:3])
        net.save(self.path)
        bpcore.Network.load(self.path)
        pickle.loads(pickle.dumps(net))

    def fail(self, net, how):
        """Each error, and that it was one."""

        def interrupt(net, history):
            raise KeyboardInterrupt

        wide, wrong = np.ones((60, 7)), np.where(X == X[0, 0], np.nan, X)
        broken = pickle.loads(pickle.dumps(net))
        broken.weights[0][...] = np.inf
        for error, call in [
            (ValueError, lambda: net.fit(wide, Y, epochs=1, **how)),
            (ValueError, lambda: net.predict(wrong)),
            (KeyboardInterrupt, lambda: net.fit(X, Y, epochs=1, callbacks=interrupt, **how)),
            (FloatingPointError, lambda: broken.fit(X, Y, epochs=1, **how)),
            (FileNotFoundError, lambda: bpcore.Network.load(self.path / "missing")),
        ]:
            try:
                call()
            except (error, NotADirectoryError):
                continue
            raise AssertionError(f"{error.__name__} was not raised")


def resident():
    """Bytes of this process in memory; None where the system does not tell."""
    with contextlib.suppress(OSError):
        pages = Path("/proc/self/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


class _Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "a b c d hblkhd f g uordblks i j".split()]


def given_out():
    """Bytes that the C library has given out; None where it does not tell."""
    try:
        ask = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError, TypeError):
        return None
    ask.restype = _Mallinfo
    told = ask()
    return told.uordblks + told.hblkhd


measured = pytest.mark.skipif(
    resident() is None and given_out() is None, reason="this system does not tell its memory in use"
)
MEASURES = {  # name: (how much, allowed a cycle, allowed beyond)
    "resident bytes": (resident, ALLOWED, GRAIN),
    "bytes of the C library": (given_out, ALLOWED, 0),
    "blocks of Python": (sys.getallocatedblocks, 1, 0),
}


def forget_attributes():
    """Empty CPython's cache of attributes that were looked up.

    Each of its 4,096 places keeps a string, and files bring equal strings at other addresses: it
    fills for a thousand cycles and more.
    """
    for name in ("_clear_internal_caches", "_clear_type_cache"):  # Since 3.13, and before.
        if hasattr(sys, name):
            getattr(sys, name)()
            return


def grown(cycle, count):
    """{name: (growth, allowed)} over so many cycles after a warm-up, of what can be measured.

    What is lost is lost all the time, and caches fill now and then: growth is four times that of
    the quarter that grew least, except for resident memory, which grows in large steps.
    """

    def measured():
        forget_attributes()
        gc.collect()
        return {name: measure() for name, (measure, *_) in MEASURES.items()}

    for _ in range(max(5, count // 20)):
        cycle()
    seen = [measured()]
    for _ in range(QUARTERS):
        for _ in range(count // QUARTERS):
            cycle()
        seen.append(measured())
    found = {}
    for name, (_, each, beyond) in MEASURES.items():
        if seen[0][name] is None:
            continue
        quarters = [after[name] - before[name] for before, after in itertools.pairwise(seen)]
        growth = sum(quarters) if beyond else QUARTERS * min(quarters)
        found[name] = growth, each * count + (beyond if count < 10_000 else 0)
    return found


def complaints(found):
    return [
        f"{name} grew by {growth}, but {allowed:.0f} are allowed"
        for name, (growth, allowed) in found.items()
        if growth >= allowed
    ]


@pytest.fixture(scope="module")
def warm():
    """A cycle whose caches are full; a disk's flushes would take most of its time."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        cycle = Cycle(folder)
        for _ in range(WARM_UP):
            cycle()
        yield cycle


@measured
@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=pytest.mark.long)])
def test_cycles_need_no_memory(warm, count):
    found = grown(warm, count)
    print(f"{count} cycles: " + ", ".join(f"{name} {n:+d}" for name, (n, _) in found.items()))
    assert complaints(found) == []


def lose_objects():
    kept = []
    return lambda net: kept.extend([object(), object()])


def lose_blocks():
    malloc = ctypes.CDLL(None).malloc
    malloc.restype, malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    return lambda net: malloc(2000) and None


def lose_arrays():
    """Pages of their own: the C library may have some at hand that other tests gave back."""
    kept = []

    def lose(net):
        kept.append(np.frombuffer(mmap.mmap(-1, 1 << 21), np.float64))
        kept[-1][...] = 1

    return lose


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "lose"),
    [
        ("blocks of Python", lose_objects),
        ("bytes of the C library", lose_blocks),
        ("resident bytes", lose_arrays),
    ],
)
def test_what_is_lost_in_each_cycle_is_seen(warm, monkeypatch, name, lose):
    if MEASURES[name][0]() is None:
        pytest.skip(f"this system does not tell its {name}")
    monkeypatch.setattr(warm, "also", lose())
    assert any(complaint.startswith(name) for complaint in complaints(grown(warm, 50)))
