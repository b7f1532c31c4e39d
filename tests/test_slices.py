"""What many rows take comes in slices: the bits are those of one piece, and signals are heard."""

import signal
import sys
import time

import numpy as np
import pytest

import bpcore
from bpcore import _core
from bpcore._core import slices
from tests.bits import same_bits
from tests.core_network import Net
from tests.execution_modes import descend, entries_of, thinned

ROWS = 45


class Alarm(Exception):
    pass


@pytest.mark.parametrize("form", ["dense", "sparse"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("slice_rows", [1, 7, 16, 44, 45, 46, 2**63])
def test_slices_leave_no_trace(dtype, form, weighted, slice_rows):
    net = Net([9, 7, 3], "tanh", "softmax", "cross_entropy", dtype)
    X, Y = net.data(ROWS)
    X, A = thinned(X, 0.3), np.full_like(Y, np.nan)
    given = entries_of(X) if form == "sparse" else X
    weights = np.linspace(0, 2, ROWS).astype(dtype) if weighted else None
    how = {"slice_rows": slice_rows, "block_rows": 8}
    cut, loss = net.gradient(given, Y, weights=weights, **how)
    whole, expected = net.gradient(X, Y, weights=weights, block_rows=8)
    assert np.array_equal(cut, whole) and loss == expected and np.isfinite(loss)
    assert loss == net.mean_loss(given, Y, weights=weights, **how, out=A)
    assert loss == net.mean_loss(given, Y, weights=weights, **how)
    assert same_bits(A, np.concatenate([net.forward(X[i : i + 1]) for i in range(ROWS)]))
    assert same_bits(A, net.forward(given, **how))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no alarm")
@pytest.mark.parametrize("slice_rows, finishes", [(1000, False), (0, True)])
def test_a_signal_is_heard_after_a_slice(slice_rows, finishes):
    """The gradient is written at the end alone: one piece, the planted fault, has it by then."""
    net = bpcore.Network([200, 100, 3], output="softmax", seed=0)
    X = np.ones((60_000, 200), "f4")
    Y = np.eye(3, dtype="f4")[np.arange(len(X)) % 3]
    work = np.empty(_core.workspace_size(net._core, len(X), 4), np.uint8)
    out = np.full(len(net.parameters), np.nan, "f4")

    def ring(number, frame):
        raise Alarm

    before = signal.signal(signal.SIGALRM, ring)
    try:
        with pytest.raises(Alarm):
            signal.setitimer(signal.ITIMER_REAL, 0.002)
            _core.gradient(net._core, net.parameters, X, Y, out, work, slice_rows=slice_rows)
            time.sleep(10)  # Where the call ends within 2 ms, which it cannot.
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert np.isfinite(out).all() == finishes


def test_lbfgs_and_gradients_are_cut_by_work(monkeypatch):
    seen = []

    def gradient(*arguments, slice_rows=0, **how):
        seen.append(slice_rows)
        return real(*arguments, slice_rows=slice_rows, **how)

    real = _core.gradient
    monkeypatch.setattr(_core, "gradient", gradient)
    net = bpcore.Network([5, 4, 3], output="softmax", seed=0)
    X, y = np.random.default_rng(0).standard_normal((30, 5)), np.arange(30) % 3
    net.gradients(X, y)
    net.fit(X, y, epochs=2, optimizer="lbfgs")
    assert len(seen) > 2
    assert set(seen) == {slices.SLICE_WORK // len(net.parameters)}


# ---- Wide networks -------------------------------------------------------------------------------

# Multiply-adds of a block's forward pass in float32, twice those in float64: what signals wait for.
BLOCK_WORK = 2**30
LEAST_ROWS = 28

WIDE = [[4000, 4000, 10], [8000, 8000, 1], [500, 7000, 7000, 3], [20_000, 300, 1], [900, 80, 1]]


def default_block(architecture, rows, itemsize, row_nonzeros):
    """How many rows pass through the network together: as many as need the same workspace."""

    def size(block_rows):
        how = {"block_rows": block_rows, "row_nonzeros": row_nonzeros}
        return _core.workspace_size(architecture, rows, itemsize, **how)

    return next(block for block in range(1, rows + 1) if size(block) == size(0))


@pytest.mark.parametrize("itemsize", [4, 8])
@pytest.mark.parametrize("row_nonzeros", [0, 40])
@pytest.mark.parametrize("sizes", WIDE)
def test_a_block_that_is_learnt_is_work_of_some_hundredths_of_a_second(
    sizes, row_nonzeros, itemsize
):
    """Or so few rows that fewer would take as long; batches of less than two blocks are one."""
    architecture = _core.Architecture(sizes, ["relu"] * (len(sizes) - 1), "mse")
    work = architecture.parameter_count - (sizes[0] * sizes[1] if row_nonzeros else 0)
    for rows in (20, 55, 90, 700):
        block = default_block(architecture, rows, itemsize, row_nonzeros)
        taken, twice = block * work * itemsize / 4, rows < 2 * block
        assert 2 * block > min(rows, LEAST_ROWS)
        assert taken <= (1 + twice) * BLOCK_WORK or block < (1 + twice) * (LEAST_ROWS + 1)


@pytest.mark.parametrize("form", ["dense", pytest.param("sparse", marks=pytest.mark.long)])
@pytest.mark.parametrize(
    "batch_rows", [33, *(pytest.param(rows, marks=pytest.mark.long) for rows in (60, 120))]
)
def test_blocks_of_a_wide_network_leave_no_trace(form, batch_rows):
    """The rows of a batch in the network's own blocks, and all at once."""
    sizes = [3600, 3600, 1] if form == "dense" else [40, 3700, 3700, 1]
    net = Net(sizes, "relu", "sigmoid", "bce", np.float32)
    X, Y = net.data(120)
    X = entries_of(thinned(X, 0.3)) if form == "sparse" else X
    assert default_block(net.core, 120, 4, 0 if form == "dense" else X.row_nonzeros) < 84
    own, losses = descend(net, X, Y, batch_rows, packed=batch_rows == 120)
    whole, expected = descend(net, X, Y, batch_rows, packed=batch_rows == 120, block_rows=120)
    assert losses == expected and np.isfinite(losses).all()
    assert same_bits(own, whole) and not same_bits(own, net.parameters)


# ---- Very wide rows ------------------------------------------------------------------------------

MEGABYTES = 100 << 20  # 64 MiB of gathered rows and a few of everything else


def wide(inputs):
    return bpcore.Network([inputs, 5, 3], output="softmax", seed=1)


@pytest.mark.parametrize("size", [_core.workspace_size, _core.forward_size, _core.mean_loss_size])
@pytest.mark.parametrize("itemsize", [4, 8])
def test_workspaces_do_not_grow_with_the_width_of_rows(size, itemsize):
    sizes = [size(wide(inputs)._core, 1000, itemsize) for inputs in (20_000, 100_000)]
    assert max(sizes) < MEGABYTES
    assert 1000 * 100_000 * itemsize > 3 * MEGABYTES  # What all rows at once would take.


@pytest.mark.parametrize("inputs, rows", [(5_000, 300), (30_000, 100)])
def test_blocks_of_wide_rows_leave_no_trace(inputs, rows):
    random = np.random.default_rng(0)
    X = random.normal(size=(rows, inputs)).astype("f4")
    X[random.random((rows, inputs)) < 0.7] = 0
    y, net = random.integers(3, size=rows), wide(inputs)
    A = net.forward(X)
    for row in range(0, rows, 17):
        np.testing.assert_array_equal(A[row], net.forward(X[row : row + 1])[0])
    twins = [wide(inputs) for _ in range(2)]
    twins[0].fit(X, y, epochs=1, learning_rate=0.01, n_threads=1)
    twins[1].fit(X, y, epochs=1, learning_rate=0.01, batch_size=rows, n_threads=2)
    np.testing.assert_array_equal(twins[0].parameters, twins[1].parameters)
    parts = [net.loss(X[i : i + 10], y[i : i + 10]) for i in range(0, rows, 10)]
    assert np.isclose(np.mean(parts), net.loss(X, y), rtol=1e-12)
