"""Laws of sums over the rows of a tall batch: cut into parts, the same bits however computed."""

import functools
import math

import numpy as np
import pytest

from bpcore import Network, _core
from tests.bits import needs_fused, on_every_isa, same_bits
from tests.core_network import Net
from tests.execution_modes import descend, entries_of, learn, linear, thinned
from tests.numpy_oracle import (
    PART_ROWS,
    RUN_ROWS,
    bias_sums,
    linear_descent,
    sum_over_rows,
    weight_sums,
)
from tests.test_backprop import recursion
from tests.test_backward import gradient_outside

# About the ends of one, two and three runs.
ROWS = [RUN_ROWS - 1, RUN_ROWS, RUN_ROWS + 1, 2 * RUN_ROWS, 2 * RUN_ROWS + 1, 1400]

# Blocks within a run, at its end, beyond it, and of several runs.
BLOCKS = [0, 1, 84, 100, 511, 512, 513, 1100, 2000]

# Wide and narrow layers, and one that is narrower than half a vector, either way round.
SHAPES = [(9, 7), (1, 1), (150, 2), (2, 70), (40, 12)]


pytestmark = pytest.mark.usefixtures("calls_are_shared")


# ---- The written order ---------------------------------------------------------------------------


@functools.cache
def written_gradient(shape, dtype, rows):
    """A layer, data and the oracle; no instruction set has anything to do with them."""
    net = linear(*shape, dtype, seed=1)
    X, Y = net.data(rows)
    return net, X, Y, recursion(net, X, Y)


@needs_fused
@pytest.mark.parametrize("shape", SHAPES)
def test_a_tall_gradient_is_the_written_sums(isa, dtype, shape):
    for rows in ROWS:
        net, X, Y, (expected, expected_loss) = written_gradient(shape, dtype, rows)
        assert net.gradient(X, Y)[1] == expected_loss
        for how in ({}, {"threads": 3}, {"block_rows": 100, "threads": 2}):
            assert same_bits(net.gradient(X, Y, **how)[0], expected), (rows, how)


@functools.cache
def very_tall(dtype, rows):
    """A layer, data, and the written sums of its gradient."""
    net = linear(1, 2, dtype, seed=1)
    X, Y = net.data(rows)
    delta = net.forward(X) - Y
    return net, X, Y, np.concatenate([weight_sums(X, delta).ravel(), bias_sums(delta)])


@needs_fused
@pytest.mark.parametrize(
    "rows",
    [
        PART_ROWS + 1,
        *(pytest.param(n, marks=pytest.mark.long) for n in (PART_ROWS, 2 * PART_ROWS + 700)),
    ],
)
def test_the_parts_of_a_very_tall_gradient_keep_what_rounding_takes_away(isa, dtype, rows):
    """Two parts and some rows: the last run, the last part and the carries all matter."""
    net, X, Y, expected = very_tall(dtype, rows)
    for how in ({}, {"threads": 2, "block_rows": 4096}, {"block_rows": 40_000}):
        gradient, _ = net.gradient(X, Y, **how)
        assert same_bits(gradient, expected / dtype.type(rows)), how


def test_the_oracle_of_parts_is_told_from_other_orders():
    """One chain, one part, and parts without carry differ from it in the last bits."""
    rows = 3 * PART_ROWS
    delta = np.random.default_rng(3).standard_cauchy((rows, 50)).astype(np.float32)
    chain = np.add.accumulate
    whole = sum_over_rows(lambda run: chain(delta[run])[-1], rows)
    parts = [bias_sums(delta[i : i + PART_ROWS]) for i in range(0, rows, PART_ROWS)]
    runs = [chain(delta[i : i + RUN_ROWS])[-1] for i in range(0, rows, RUN_ROWS)]
    assert same_bits(whole, bias_sums(delta))
    for other in (chain(delta)[-1], chain(runs)[-1], chain(parts)[-1]):
        assert not same_bits(whole, other)


@needs_fused
@pytest.mark.parametrize("rows", ROWS)
def test_a_single_layer_backward_has_the_written_sums(dtype, rows):
    rng = np.random.default_rng(rows)
    for inputs, outputs in SHAPES:
        X, delta = (rng.standard_normal((rows, n)).astype(dtype) for n in (inputs, outputs))
        W = rng.standard_normal((inputs, outputs)).astype(dtype)

        def backward(X=X, W=W, delta=delta):
            dW, db = np.full_like(W, np.nan), np.full(len(delta[0]), np.nan, dtype)
            _core.dense_backward(X, W, delta, dW, db, None)
            return dW, db

        weights, biases = weight_sums(X, delta), bias_sums(delta)
        for dW, db in on_every_isa(backward).values():
            assert same_bits(dW, weights) and same_bits(db, biases)


# ---- The same bits -------------------------------------------------------------------------------


def assert_alike(results):
    """All bundles of arrays are alike, of which there are several."""
    results = list(results.items())
    assert len(results) > 1
    for name, arrays in results[1:]:
        for one, other in zip(results[0][1], arrays, strict=True):
            assert np.array_equal(one, other), (results[0][0], name)


@pytest.mark.parametrize("rows", ROWS)
def test_no_way_of_computing_changes_a_bit_of_a_tall_gradient(dtype, rows):
    net = Net([70, 40, 5], "tanh", "softmax", "cross_entropy", dtype, seed=4)
    X, Y = net.data(rows)
    X, results = thinned(X, 0.2), {}
    outside = gradient_outside(net, rows)
    for name, given in {"dense": X, "sparse": entries_of(X)}.items():
        for threads in (1, 3):
            for block_rows in BLOCKS if rows > 2 * RUN_ROWS else BLOCKS[2:]:
                if threads > 1 and block_rows == 1:
                    continue  # Thousands of blocks of nothing to share.
                how = {"threads": threads, "block_rows": block_rows}
                gradient, loss = net.gradient(given, Y, **how)
                others = net.backward(given, outside, **how)
                results[name, threads, block_rows] = gradient, np.float64(loss), *others
    assert_alike(results)


@pytest.mark.parametrize("rows", [1024, 1400])
@pytest.mark.parametrize("batch_rows", [511, 512, 600, 1024, 1400])
def test_no_way_of_training_on_tall_batches_changes_a_bit(dtype, rows, batch_rows):
    net = Net([70, 40, 3], "sigmoid", "sigmoid", "bce", dtype, seed=4)
    X, Y = net.data(rows)
    X, results = thinned(X, 0.2), {}
    order = np.random.default_rng(1).permutation(rows).astype(np.uintp)
    for name, given in {"dense": X, "sparse": entries_of(X)}.items():
        for packed in (0, 1):
            for budget in (None, 90):
                for block_rows in BLOCKS[2:]:
                    how = {"threads": 1 + packed, "block_rows": block_rows, "budget": budget}
                    how |= {"packed": packed, "epochs": 2, "rate": 0.5}
                    results[name, *how.values()] = descend(net, given, Y, batch_rows, **how)
    assert_alike(results)
    ordered = {
        name: descend(net, given, Y, batch_rows, order=order, epochs=2, block_rows=block_rows)
        for name, given in {"dense": X, "sparse": entries_of(X)}.items()
        for block_rows in BLOCKS
    }
    assert_alike(ordered)


@functools.cache
def written_descent(shape, dtype, batch_rows):
    net = linear(*shape, dtype, seed=2)
    X, Y = net.data(1400)
    return net, X, Y, linear_descent(net, X, Y, batch_rows)


@needs_fused
@pytest.mark.parametrize("shape", SHAPES)
def test_descent_on_tall_batches_follows_the_written_sums(isa, dtype, shape):
    for batch_rows in (511, 512, 600, 1024, 1400):
        net, X, Y, (expected, expected_losses) = written_descent(shape, dtype, batch_rows)
        parameters, losses = descend(net, X, Y, batch_rows, threads=2)
        assert same_bits(parameters, expected)
        assert list(losses) == expected_losses


def test_rows_without_weight_at_the_start_of_a_run_leave_it_empty(dtype):
    """What the workspace held before, NaN here, is no part of a sum."""
    net = linear(9, 7, dtype)
    X, Y = net.data(1100)
    weights = np.ones(1100, dtype)
    weights[:100] = weights[512:700] = 0
    few = {
        block_rows: (learn(net, X, Y, 1100, weights=weights, block_rows=block_rows).parameters,)
        for block_rows in BLOCKS
    }
    assert_alike(few)
    assert np.isfinite(few[0][0]).all()


@pytest.mark.parametrize("rows", [40_000, pytest.param(10_000_000, marks=pytest.mark.long)])
def test_tall_batches_are_alike_and_are_the_written_sums(dtype, rows):
    """Several parts. A layer that is 0 adds -Y alone: NumPy needs no fma for the written sums."""
    net = Net([6, 5, 2], "tanh", "identity", "mse", dtype)
    X, Y = net.data(rows)
    X, results = thinned(X, 0.4), {}

    def computed(data, **how):
        return *net.gradient(data, Y, **how), *descend(net, data, Y, rows, rate=0.1, **how)

    for name, given in {"dense": X, "sparse": entries_of(X)}.items():
        for threads in (1, 2):
            for block_rows in (0, 100, 512, 4096):
                how = {"threads": threads, "block_rows": block_rows}
                results[name, threads, block_rows] = computed(given, **how)
    for given in (X, entries_of(X)):
        results |= on_every_isa(lambda given=given: computed(given, threads=2))
        assert_alike(results)
    zero = linear(1, 2, dtype)
    zero.parameters[:] = 0
    gradient, _ = zero.gradient(np.ones((rows, 1), dtype), Y)
    assert same_bits(gradient, np.tile(bias_sums(-Y) / dtype.type(rows), 2))


def test_another_bit_of_a_tall_batch_would_be_seen(dtype):
    x = np.ones(3, dtype)
    with pytest.raises(AssertionError):
        assert_alike({"one": (x,), "other": (np.nextafter(x, dtype.type(2)),)})


# ---- Nothing is lost -----------------------------------------------------------------------------

# Of 8 million constants, which is each mantissa of a float about once, this one loses most: 7.7e-6.
WORST = np.float32(1.992218)


def constant_residual(rows, value, dtype):
    """dW and db of a network that is 0, whose inputs are 1 and whose residuals are all alike."""
    net = Network([1, 1], output="identity", seed=0, dtype=dtype)
    net.parameters[...] = 0
    X, y = np.ones((rows, 1), dtype), np.full(rows, -value, dtype)
    [dW], [db] = net.gradients(X, y)
    return dW[0, 0], db[0]


CONSTANTS = [0.1, 1 / 3, WORST, 1e-30, 1e30, *np.random.RandomState(0).uniform(1, 2, 5)]


@pytest.mark.parametrize("value", CONSTANTS)
@pytest.mark.parametrize(
    "rows", [10**4, 10**6, pytest.param(10**7, marks=pytest.mark.long)], ids="{:.0e}".format
)
def test_a_tall_batch_of_constant_residuals_has_their_mean(rows, value):
    """Half an ulp at most is lost with each term: 1e-5 for float32 (see BP_RUN_ROWS)."""
    for mean in constant_residual(rows, value, np.float32):
        assert abs(float(mean) / float(np.float32(value)) - 1) <= 1e-5


def test_a_tall_batch_of_float64_loses_no_more_than_one_part_does():
    """n equal terms lose n / 4 ulp and a little: those of a run, and the runs of a part."""
    for mean in constant_residual(10**6, 0.1, np.float64):
        assert abs(mean / 0.1 - 1) <= (RUN_ROWS + 64) / 3 * np.finfo(np.float64).eps


def test_one_running_sum_would_be_a_per_cent_off():
    """What the bounds above are for."""
    total = np.add.accumulate(np.full(10**6, 0.1, np.float32))[-1]
    assert abs(total / 10**5 - 1) > 0.009


def test_no_way_of_descent_loses_the_sum_of_a_tall_batch(sparse, dtype):
    """A step of rate 1 from 0 is minus the gradient, with and without a rule, dense and CSR."""
    rows, y = 10**6, np.full(10**6, 0.1, dtype)
    X = np.ones((rows, 1), dtype)
    for data in (X, sparse.csr_matrix(X)):
        for optimizer in ("sgd", "momentum"):
            net = Network([1, 1], output="identity", seed=0, dtype=dtype)
            net.parameters[...] = 0
            net.fit(data, y, epochs=1, learning_rate=1.0, optimizer=optimizer)
            assert np.allclose(net.parameters, 0.1, rtol=1e-5, atol=0)


def test_weights_into_a_unit_are_no_longer_than_max_norm():
    """The norms of tall columns, 200,000 inputs of one size, are cut into parts as well."""
    net = Network([200_000, 2], output="identity", seed=0)
    net.weights[0][...] = 0.1
    net.fit(np.zeros((1, 200_000)), np.zeros((1, 2)), epochs=1, learning_rate=0.1, max_norm=1)
    lengths = [math.sqrt(math.fsum(row.astype(np.float64) ** 2)) for row in net.weights[0]]
    assert np.allclose(lengths, 1, rtol=1e-5, atol=0)


# ---- What overflows ------------------------------------------------------------------------------


def overflowing():
    """Finite X with zeros, a finite loss, and a delta of 10 * 1e38 that float32 cannot hold."""
    X = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]], np.float32)
    Y = np.array([[1e38, 0], [0, 0], [0, 0]], np.float32)
    return X, Y, np.array([10, 1, 1], np.float32)


@pytest.mark.parametrize("rows", [3, 1400])
def test_a_delta_that_overflows_is_the_same_for_dense_and_sparse_data(sparse, rows):
    """The unit that it belongs to has no gradient, NaN; the other unit has the right one."""
    X, Y, weights = (np.resize(a, (rows, *a.shape[1:])) for a in overflowing())
    results = []
    for data in (X, sparse.csr_matrix(X)):
        net = Network([3, 2], output="identity", seed=0)
        net.parameters[...] = 0
        assert np.isfinite(net.loss(data, Y, sample_weight=weights))
        [dW], [db] = net.gradients(data, Y, sample_weight=weights)
        assert np.isnan(dW[0]).all() and not np.isfinite(db[0])
        assert (dW[1] == 0).all() and db[1] == 0
        results.append((dW, db))
    for a, b in zip(*results, strict=True):
        assert np.array_equal(a, b, equal_nan=True)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
def test_descent_on_a_delta_that_overflows_ends_alike_for_dense_and_sparse_data(sparse, optimizer):
    X, Y, weights = overflowing()
    left = []
    for data in (X, sparse.csr_matrix(X)):
        net = Network([3, 2], output="identity", seed=0)
        with pytest.raises(FloatingPointError, match="overflowed in"):
            how = {"optimizer": optimizer, "learning_rate": 0.1, "epochs": 1}
            net.fit(data, Y, sample_weight=weights, **how)
        left.append(net.parameters.copy())
    assert np.array_equal(*left, equal_nan=True)


def test_a_step_that_is_not_stored_ends_as_one_that_is_where_it_overflows(dtype):
    """Finite sums, and a rate that carries the biases away: weights stay numbers."""
    net = linear(3, 2, dtype)
    X, _ = net.data(100)
    X *= np.finfo(dtype).tiny ** 0.25
    Y, rate = np.full((100, 2), -1e3, dtype), float(np.finfo(dtype).max) / 200
    results = {
        block_rows: (descend(net, X, Y, 100, rate=rate, block_rows=block_rows)[0],)
        for block_rows in (0, 10, 99)
    }
    assert_alike(results)
    W, b = net.layers(results[0][0])[0]
    assert np.isfinite(W).all() and not np.isfinite(b).any()


def test_a_sum_that_overflows_in_one_part_is_infinite(dtype):
    top = np.finfo(dtype).max
    for rows in (3, 600):
        X, delta = np.ones((rows, 1), dtype), np.full((rows, 1), top, dtype)
        dW, db = np.zeros((1, 1), dtype), np.zeros(1, dtype)
        _core.dense_backward(X, dW, delta, dW, db, None)
        assert dW == np.inf and db == np.inf


def test_weights_whose_squares_overflow_are_limited(dtype):
    """A norm that is infinite leaves 0, in columns of one run and of several."""
    large = np.sqrt(np.finfo(dtype).max)
    for inputs in (2, 600):
        net = Network([inputs, 2], output="identity", dtype=dtype.name, seed=0)
        net.weights[0][...] = large
        net.fit(np.zeros((1, inputs)), np.zeros((1, 2)), epochs=1, learning_rate=0.1, max_norm=1)
        assert (net.weights[0] == 0).all()
