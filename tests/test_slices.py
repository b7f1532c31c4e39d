"""What many rows take comes in slices: the bits are those of one piece, and signals are heard."""

import signal
import sys
import time

import numpy as np
import pytest

import bpcore
from bpcore import _core, _pace
from tests.conftest import Net, row_entries, same_bits, sparse
from tests.ways import entries_of, thinned

ROWS = 45


class Alarm(Exception):
    pass


@pytest.mark.parametrize("form", ["dense", "sparse"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("slice_rows", [1, 7, 16, 44, 45, 46, 2**63])
def test_slices_leave_no_trace(dtype, form, weighted, slice_rows):
    net = Net([9, 7, 3], "tanh", "softmax", "cross_entropy", dtype)
    X, Y = net.data(ROWS)
    X = thinned(X, 0.3)
    given = entries_of(X) if form == "sparse" else X
    weights = np.linspace(0, 2, ROWS).astype(dtype) if weighted else None

    def gradient(slice_rows):
        out = np.full(net.core.parameter_count, np.nan, dtype)
        work = net.workspace(ROWS, block_rows=8, **row_entries(given))
        data = net.core, net.parameters, None if form == "sparse" else X, Y, out, work, 8
        loss = _core.gradient(*data, weights=weights, slice_rows=slice_rows, **sparse(given))
        return loss, out

    loss, whole = gradient(0)
    cut_loss, cut = gradient(slice_rows)
    assert loss == cut_loss and np.isfinite(loss)
    assert same_bits(whole, cut)


@pytest.mark.parametrize("form", ["dense", "sparse"])
@pytest.mark.parametrize("slice_rows", [1, 7, 16, 44, 45, 46, 2**63])
def test_slices_of_predictions_and_losses_leave_no_trace(dtype, form, slice_rows):
    net = Net([9, 7, 3], "tanh", "softmax", "cross_entropy", dtype)
    X, Y = net.data(ROWS)
    X = thinned(X, 0.3)
    given = entries_of(X) if form == "sparse" else X
    weights, A = np.linspace(0, 2, ROWS).astype(dtype), np.full_like(Y, np.nan)
    cut = net.forward(given, slice_rows=slice_rows, block_rows=8)
    assert same_bits(cut, np.concatenate([net.forward(X[i : i + 1]) for i in range(ROWS)]))
    how = {"slice_rows": slice_rows, "block_rows": 8, "weights": weights}
    loss = net.mean_loss(given, Y, **how, out=A)
    assert loss == net.mean_loss(given, Y, **how) == net.mean_loss(X, Y, weights=weights)
    assert same_bits(A, cut) and np.isfinite(loss)


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
        signal.setitimer(signal.ITIMER_REAL, 0.002)
        with pytest.raises(Alarm):
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
    assert set(seen) == {_pace.SLICE_WORK // len(net.parameters)}
