"""Steps whose rows lie in many processes, played in one: any split gives the bits of bp_train."""

import numpy as np
import pytest

from bpcore import _core
from tests.core_network import Net
from tests.execution_modes import thread_work

SIZES, WHERE = [11, 6, 3], {0: "first", 1: "second"}
RUN, PART = _core.RUN_ROWS, _core.PART_ROWS


def sparse(X):
    rows, columns = np.nonzero(X)
    offsets = np.searchsorted(rows, np.arange(len(X) + 1)).astype(np.uintp)
    return _core.Sparse(X[rows, columns], columns.astype(np.uint32), offsets, X.shape[1])


class Process:
    """One of the processes: its rows, and what it goes on with."""

    def __init__(self, net, X, Y, at, is_sparse, batch_rows):
        self.net, self.Y, self.at, self.batch_rows = net, Y, at, batch_rows
        self.count, self.core, self.dtype = len(Y), net.core, net.dtype
        self.X, self.rows = (None, sparse(X)) if is_sparse else (np.ascontiguousarray(X), None)

    def deltas(self, training):
        n, core, width = self.count, self.core, sum(SIZES[1:])
        self.A = np.full(n * SIZES[1], np.nan, self.dtype)
        self.delta = np.full(n * width, np.nan, self.dtype)
        self.losses = np.full(n * SIZES[-1], np.nan)
        size = _core.workspace_size(core, n, self.dtype.itemsize, 0, 1, 11 if self.rows else 0)
        _core.part_deltas(
            core, training, self.net.parameters, self.X, self.Y, None, 0, n, self.at, self.A,
            self.delta, self.losses, np.empty(size, np.uint8), sparse=self.rows,
        )  # fmt: skip

    def transposed(self):
        nonzeros = self.rows.nonzeros
        size = _core.transposed_size(self.core, self.count, nonzeros, self.dtype.itemsize)
        out = np.empty(size, np.uint8)
        _core.transpose(
            self.core, self.net.parameters, self.rows, None, 0, self.count, self.at, nonzeros, out
        )
        return out, nonzeros

    def add(self, layer, first, end, sums, threads):
        n = self.count
        inputs = self.A if layer else self.X if self.X is None else self.X.reshape(-1)
        begin = n * SIZES[1] if layer else 0
        delta = self.delta[begin : begin + n * SIZES[layer + 1]]
        transposed, nonzeros = (None, 0) if inputs is not None else self.transposed()
        size = _core.add_rows_size(self.core, self.dtype.itemsize, threads)
        _core.add_rows(
            self.core, layer, first, end, delta, inputs, transposed, nonzeros, n, self.at,
            self.batch_rows, sums, np.empty(size, np.uint8), threads=threads,
        )  # fmt: skip


def step(net, X, Y, cuts, is_sparse, threads=1):
    """A full batch whose rows are cut so, in slices of four rows of parameters."""
    n, training = len(X), _core.Training(len(X), 0.25)
    ends = zip(cuts, cuts[1:], strict=False)
    processes = [Process(net, X[a:b], Y[a:b], a, is_sparse, n) for a, b in ends if b > a]
    for process in processes:
        process.deltas(training)
    k = 1 if n <= RUN else 2 if n <= PART else 4
    gradient, at = np.empty_like(net.parameters), 0
    for layer in WHERE:
        rows, outputs = SIZES[layer] + 1, SIZES[layer + 1]
        for first in range(0, rows, 4):
            end = min(first + 4, rows)
            count = (end - first) * outputs
            sums = np.full(k * count, np.nan, net.dtype)  # Nothing is read that was not written.
            for process in processes:
                process.add(layer, first, end, sums, threads)
            gradient[at : at + count] = sums[:count]
            at += count
    loss = np.add.accumulate(np.concatenate([process.losses for process in processes]))[-1]
    size = _core.workspace_size(net.core, 0, net.dtype.itemsize)
    training.end_batch(
        net.core, net.parameters, gradient, n, loss, float(n), n, np.empty(size, np.uint8)
    )
    return training.losses


def trained(net, X, Y):
    training = _core.Training(len(X), 0.25)
    training.run(net.core, net.parameters, X, Y, None, len(X), net.workspace(len(X)))
    return training.losses


CASES = [
    (1, [0, 1]),
    (2, [0, 1, 2]),
    (300, [0, 0, 1, 299, 300]),
    (RUN, [0, RUN - 1, RUN]),
    (RUN + 1, [0, RUN, RUN + 1]),
    (3 * RUN + 7, [0, RUN - 1, RUN + 1, 2 * RUN, 3 * RUN + 7]),
    (3 * RUN + 7, [0, 3, 3 * RUN + 6, 3 * RUN + 7]),
    (PART, [0, PART - 1, PART]),
    (PART + 1, [0, 100, PART, PART + 1]),
    (2 * PART + RUN + 1, [0, PART - 5, PART + RUN + 9, 2 * PART + RUN + 1]),
]


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("n, cuts", CASES)
def test_any_split_of_a_batch_gives_the_bits_of_one_process(dtype, n, cuts, is_sparse):
    alone, split = (Net(SIZES, "tanh", "sigmoid", "bce", dtype, seed=3) for _ in range(2))
    X, Y = alone.data(n)
    X[np.random.RandomState(1).random_sample(X.shape) < 0.5] = 0
    assert step(split, X, Y, cuts, is_sparse) == trained(alone, X, Y)
    assert np.array_equal(split.parameters, alone.parameters)


@pytest.mark.parametrize("is_sparse", [False, True])
def test_threads_of_a_process_change_no_bit(dtype, is_sparse):
    alone, split = (Net(SIZES, "tanh", "sigmoid", "bce", dtype, seed=3) for _ in range(2))
    X, Y = alone.data(1300)
    with thread_work(1):
        losses = step(split, X, Y, [0, 700, 1300], is_sparse, threads=3)
    assert losses == trained(alone, X, Y)
    assert np.array_equal(split.parameters, alone.parameters)


def test_a_loss_that_is_not_finite_changes_nothing(dtype):
    net = Net(SIZES, "tanh", "sigmoid", "bce", dtype)
    before, training = net.parameters.copy(), _core.Training(5, 0.1)
    size = _core.workspace_size(net.core, 0, net.dtype.itemsize)
    work, gradient = np.empty(size, np.uint8), np.ones_like(before)
    for loss in (np.nan, np.inf):
        with pytest.raises(FloatingPointError):
            training.end_batch(net.core, net.parameters, gradient, 5, loss, 5.0, 5, work)
    training.end_batch(net.core, net.parameters, gradient, 5, np.nan, 0.0, 5, work)  # No weight.
    assert np.array_equal(net.parameters, before) and training.step == 0
