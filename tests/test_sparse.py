"""Laws of a sparse first layer: what is computed with the entries alone is what all elements give.

Compared with np.array_equal and not as bits: a sum that is zero may have another sign.
"""

from functools import cache

import numpy as np
import pytest

from bpcore import _core
from tests.bits import needs_fused
from tests.core_network import FEW_PAIRS, Net
from tests.execution_modes import descend, entries_of, linear, pack, thinned, thread_work
from tests.numpy_oracle import chain, linear_descent, linear_gradient

DENSITIES = [0, 0.01, 0.2, 0.5, 1]

# Features and outputs: rows of one to four vectors, which are scattered, and wider ones; one strip
# of 64 features, and several strips where the weights are more than 128 KiB.
LAYERS = [(1, 1), (3, 4), (65, 30), (130, 64), (9, 300), (200, 190)]
LAYERS += [pytest.param(wide, marks=pytest.mark.long) for wide in [(129, 260), (700, 50)]]

BATCHES = [(10, 0.01), (33, 0.5)]
BATCHES += [pytest.param(*one, marks=pytest.mark.long) for one in [(1, 0), (32, 0.2), (64, 1)]]

# A few rows are not cut; 32 are; 64 and more may be several strips of the transpose; 512 and more
# collect the gradient in another layout, and float32's 512 are the last that are one scaled block.
ROWS = [1, 2, 10, 31, 32, 33, 64, 128]
LARGE = [(5, 9, 512), (5, 9, 513), (65, 30, 513), (3, 280, 512)]


def problem(net, rows, density, seed=0):
    """Dense X, the same as entries, and targets."""
    X, Y = net.data(rows, seed)
    X = thinned(X, density, seed)
    return X, entries_of(X), Y


@cache
def written_activations(layer, dtype, rows, density):
    net = linear(*layer, dtype)
    [(W, b)] = net.layers(net.parameters)
    X, _, Y = problem(net, rows, density)
    return chain(np.broadcast_to(b, Y.shape), X, W)


@cache
def written_steps(layer, dtype, rows, density, batch_rows, order=None):
    """The oracle's parameters and losses; no instruction set has anything to do with them."""
    net = linear(*layer, dtype)
    X, _, Y = problem(net, rows, density)
    order = None if order is None else np.array(order)
    return linear_descent(net, X, Y, batch_rows, order=order)


def assert_equal(found, expected, *context):
    assert np.array_equal(found[0], expected[0]), context
    assert found[1] == expected[1], context


# ---- Against the written sums --------------------------------------------------------------------


@needs_fused
@pytest.mark.parametrize("layer", LAYERS)
def test_sums_of_entries_are_the_sums_of_all_elements(isa, dtype, layer):
    net = linear(*layer, dtype)
    for rows, density in zip(ROWS, DENSITIES * 2, strict=False):
        X, entries, Y = problem(net, rows, density)
        Z = written_activations(layer, dtype, rows, density)
        assert np.array_equal(net.forward(entries), Z), (rows, density)
        assert np.array_equal(net.forward(X), Z), (rows, density)
        wide = (Z - Y).astype(np.float64).ravel()
        loss = np.add.accumulate(0.5 * wide * wide)[-1] / rows
        assert net.mean_loss(entries, Y) == net.mean_loss(X, Y) == loss


@needs_fused
@pytest.mark.parametrize("layer", LAYERS)
def test_a_step_with_entries_is_the_written_step(isa, dtype, layer):
    """One block and several, packed and gathered, with few threads and with many."""
    net = linear(*layer, dtype)
    for rows, density in zip([1, 33, 70], [0.5, 0.2, 0.01], strict=True):
        _, entries, Y = problem(net, rows, density)
        expected = written_steps(layer, dtype, rows, density, rows)
        for how in ({}, {"packed": 1}, {"block_rows": 32, "packed": 1}, {"block_rows": 32}):
            assert_equal(descend(net, entries, Y, rows, **how), expected, rows, how)
        with thread_work(1):  # Nothing is scattered then.
            assert_equal(descend(net, entries, Y, rows, threads=2), expected, rows)


@needs_fused
@pytest.mark.parametrize("shape", LARGE)
def test_a_step_of_many_rows_is_the_written_step(isa, dtype, shape):
    inputs, outputs, rows = shape
    net = linear(inputs, outputs, dtype)
    X, entries, Y = problem(net, rows, 0.2)
    expected = written_steps((inputs, outputs), dtype, rows, 0.2, rows)
    for how in ({}, {"packed": 1}, {"block_rows": 100, "packed": 1}):
        assert_equal(descend(net, entries, Y, rows, **how), expected, how)
    [(W, b)] = net.layers(net.parameters)
    dW, db, _ = linear_gradient(W, b, X, Y)
    mean = np.concatenate([dW.ravel(), db]) / dtype.type(rows)
    assert np.array_equal(net.gradient(entries, Y)[0], mean)


@needs_fused
@pytest.mark.parametrize("batch_rows, density", BATCHES)
def test_batches_of_entries_follow_their_order(isa, dtype, batch_rows, density):
    """The last batch is smaller; rows may come again or never; a block may end within a batch."""
    rng = np.random.default_rng(batch_rows)
    for layer in [(65, 30), (3, 4)] if batch_rows < 32 else [(65, 30), (180, 200)]:
        net = linear(*layer, dtype)
        _, entries, Y = problem(net, 75, density)
        for order in (None, rng.permutation(75), rng.integers(75, size=75) // 2):
            rows = None if order is None else tuple(order.tolist())
            expected = written_steps(layer, dtype, 75, density, batch_rows, rows)
            order = None if order is None else order.astype(np.uintp)
            for how in ({}, {"block_rows": 20}, {"block_rows": 20, "budget": 21}):
                found = descend(net, entries, Y, batch_rows, order=order, **how)
                assert_equal(found, expected, layer, how)


# ---- Against all elements ------------------------------------------------------------------------


@pytest.mark.parametrize("output, loss", FEW_PAIRS)
def test_behind_the_first_layer_nothing_changes(isa, dtype, output, loss):
    for sizes, hidden in [([40, 30, 5], "tanh"), ([150, 256, 3], "relu"), ([7, 300, 2], "sigmoid")]:
        net = Net(sizes, hidden, output, loss, dtype, seed=1)
        for rows, density in [(3, 0.5), (41, 0.2), (130, 0.02)]:
            X, entries, Y = problem(net, rows, density)
            assert np.array_equal(net.forward(entries), net.forward(X))
            assert net.mean_loss(entries, Y) == net.mean_loss(X, Y)
            assert_equal(net.gradient(entries, Y), net.gradient(X, Y), sizes, rows)
            for batch_rows in (rows, 20):
                expected = net.train(X, Y, batch_rows, epochs=2)
                for how in ({}, {"packed": batch_rows == rows, "block_rows": 50}):
                    found = descend(net, entries, Y, batch_rows, epochs=2, **how)
                    assert_equal(found, expected, sizes, rows)


@pytest.mark.parametrize("layer", [(9, 5), (65, 30), (300, 150)])
def test_packed_data_serves_every_epoch_and_leaves_no_trace(isa, dtype, layer):
    """It is read only: afterwards it holds what it held before."""
    net = linear(*layer, dtype)
    X, entries, Y = problem(net, 150, 0.1)
    expected = net.train(X, Y, 150, epochs=3)
    for block_rows in (0, 1, 64, 65, 149, 1000):
        out = pack(net, entries, block_rows)
        before, parameters = out.copy(), net.parameters.copy()
        training = _core.Training(150, 0.02, 3)
        how = {"block_rows": block_rows}
        work = net.workspace(150, **how, row_nonzeros=entries.row_nonzeros)
        while training.epoch < 3:
            data = net.core, parameters, None, Y, None, 70, work
            training.run(*data, **how, sparse=entries, packed=out)
        assert_equal((parameters, training.losses), expected, block_rows)
        assert np.array_equal(out, before)


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 16, 40, 300])
def test_dense_rows_are_predicted_alike_whatever_share_of_them_is_zero(isa, dtype, rows):
    """Mostly zero rows pass as entries; whether they do is decided by the first ones."""
    net = Net([150, 230, 3], "tanh", "softmax", "cross_entropy", dtype)
    X, Y = net.data(rows)
    full = np.concatenate([X, X + 1])
    for first, second in [(0, 1), (1, 0), (0.4, 0.6)]:
        mixed = np.concatenate([thinned(X, first), thinned(X + 1, second)])
        alone = [net.forward(mixed[i : i + 1]) for i in range(len(mixed))]
        assert np.array_equal(net.forward(mixed), np.concatenate(alone))
        assert np.array_equal(net.forward(mixed), net.forward(entries_of(mixed)))
        assert not np.array_equal(net.forward(mixed), net.forward(full))
        losses = [net.mean_loss(mixed, np.concatenate([Y, Y]), block_rows=n) for n in (0, 1, 7)]
        assert len(set(losses)) == 1


# ---- Finding the entries -------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [1, 3, 7, 8, 9, 15, 16, 17, 33, 63, 64, 65, 100])
def test_compressed_rows_are_the_elements_that_are_not_zero(isa, dtype, columns):
    info = np.finfo(dtype)
    odd = [-0.0, info.smallest_subnormal, -info.max, info.tiny]
    for density in DENSITIES:
        X = thinned(np.random.default_rng(0).standard_normal((23, columns)).astype(dtype), density)
        X.flat[: len(odd)] = odd[: X.size]
        row, column = np.nonzero(X)
        row_offsets = np.full(24, 99, np.uintp)
        _core.count_nonzero(X, row_offsets)
        assert np.array_equal(row_offsets, np.searchsorted(row, np.arange(24)))
        values = np.full(len(row) + 1, np.nan, dtype)
        indices = np.full(len(row) + 1, 2**32 - 1, np.uint32)
        room = slice(max(len(row), 1))
        sparse = _core.compress(X, row_offsets, values[room], indices[room])
        assert np.array_equal(values[: len(row)], X[row, column])
        assert np.array_equal(indices[: len(row)], column)
        assert np.isnan(values[-1]) and indices[-1] == 2**32 - 1  # Behind the room that there is.
        assert sparse.nonzeros == len(row)
        assert sparse.row_nonzeros == max(np.bincount(row, minlength=1).max(), 1)


def test_an_entry_more_or_less_is_seen(dtype):
    net = linear(65, 30, dtype)
    X, entries, Y = problem(net, 40, 0.2)
    row, column = np.argwhere(X)[7]
    other = X.copy()
    other[row, column] = 0
    expected = linear_descent(net, X, Y, 40)
    assert not np.array_equal(linear_descent(net, other, Y, 40)[0], expected[0])
    assert not np.array_equal(descend(net, entries_of(other), Y, 40)[0], expected[0])
    with pytest.raises(AssertionError):
        assert_equal(descend(net, entries_of(other), Y, 40), expected)
