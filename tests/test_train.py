"""Laws of training: the step, the batches, the order, the slices, and what a bad row may not do."""

import itertools

import numpy as np
import pytest

from bpcore import _core
from tests.bits import same_bits
from tests.core_network import FEW_PAIRS, Net


def run(net, training, parameters, X, Y, order=None, budget=10**9, block_rows=0, work=None):
    if work is None:
        work = net.workspace(len(X), block_rows=block_rows)
    training.run(net.core, parameters, X, Y, order, budget, work, block_rows)


# ---- The step ----------------------------------------------------------------------------------


def test_one_step_worked_by_hand(isa, dtype):
    """A 2-2-1 network of sigmoids with the BCE loss; x = (1, 2), y = 1, learning rate 0.5.

    Z1 = (0.1 + 2 * 0.3 + 0.1, -0.2 + 2 * 0.4 - 0.1) = (0.8, 0.5)
    A1 = 1 / (1 + e^-Z1)                             = (0.689974, 0.622459)
    z2 = 0.5 * 0.689974 - 0.6 * 0.622459 + 0.2       =  0.171512
    a2 = 1 / (1 + e^-0.171512)                       =  0.542773;   loss = -log a2 = 0.611064
    delta2 = a2 - y                                  = -0.457227
    dW2 = delta2 A1                                  = (-0.315475, -0.284605),  db2 = delta2
    slope1 = A1 (1 - A1)                             = (0.213910, 0.235004)
    delta1 = delta2 (0.5, -0.6) slope1               = (-0.048903, 0.064470)
    dW1 = x delta1   = ((-0.048903, 0.064470), (-0.097806, 0.128940)),  db1 = delta1
    """
    net = Net([2, 2, 1], "sigmoid", "sigmoid", "bce", dtype)
    net.parameters[:] = [0.1, -0.2, 0.3, 0.4, 0.1, -0.1, 0.5, -0.6, 0.2]
    X, Y = np.array([[1, 2]], dtype), np.ones((1, 1), dtype)
    by_hand = [-0.048903, 0.064470, -0.097806, 0.128940, -0.048903, 0.064470]
    by_hand += [-0.315475, -0.284605, -0.457227]
    gradient, loss = net.gradient(X, Y)
    # Half a unit of the sixth digit, twice that where it was doubled, and float32's own 1e-7.
    assert np.abs(gradient - by_hand).max() < 1.1e-6 and abs(loss - 0.611064) < 1.1e-6
    stepped, losses = net.train(X, Y, 1, rate=0.5)
    new = [0.124452, -0.232235, 0.348903, 0.335530, 0.124452, -0.132235]
    new += [0.657738, -0.457697, 0.428614]
    assert np.abs(stepped - new).max() < 1.1e-6 and losses == [loss]


@pytest.mark.parametrize("output, loss", FEW_PAIRS)
def test_a_step_subtracts_the_rate_times_the_mean_gradient(isa, dtype, output, loss):
    """u a rounding: the mean gradient 1, rate / n 1, the update 1 of the result; the oracle's own
    are in long double or count once more: |error| <= u |W'| + 4 u |rate g|."""
    net = Net([5, 8, 3], "tanh", output, loss, dtype)
    X, Y = net.data(29)
    gradient, mean = net.gradient(X, Y)
    for rate in (0.1, 1e-3, -0.1):
        stepped, losses = net.train(X, Y, 29, rate=rate)
        change = np.longdouble(rate) * gradient.astype(np.longdouble)
        u = np.finfo(dtype).eps / 2
        bound = u * np.abs(stepped) + 4 * u * np.abs(change)
        exact = net.parameters - change
        assert (np.abs(stepped - exact) <= bound).all() and losses == [mean]
        assert not (np.abs(stepped - exact + 0.001 * change) <= bound).all()


@pytest.mark.parametrize("batch_rows", [1, 10])
def test_units_without_a_slope_keep_their_zeros(isa, dtype, batch_rows):
    """A sum of zeros is 0, and 0 is what it adds: the least number would be seen beside zeros."""
    net = Net([5, 8, 3], "relu", "identity", "mse", dtype)
    X, Y = net.data(10)
    (W, b), _ = net.layers(net.parameters)
    W[:], b[:] = -np.abs(W), 0
    stepped, _ = net.train(np.abs(X), Y, batch_rows, epochs=2)
    (stepped_W, stepped_b), (_, last_b) = net.layers(stepped)
    assert same_bits(stepped_W, W) and same_bits(stepped_b, b)
    assert (last_b != net.layers(net.parameters)[1][1]).all()


def test_a_rate_of_zero_changes_nothing(isa, dtype):
    net = Net([5, 8, 3], "tanh", "softmax", "cross_entropy", dtype)
    assert same_bits(net.train(*net.data(10), 3, rate=0.0)[0], net.parameters)


# ---- Batches and order ---------------------------------------------------------------------------


@pytest.mark.parametrize("batch_rows", [1, 7, 10, 30, 31, 1000])
def test_an_epoch_is_one_step_for_each_batch(isa, dtype, batch_rows):
    """The last batch is smaller; the epoch's loss is the mean of the batches' losses before."""
    net = Net([4, 6, 2], "relu", "softmax", "cross_entropy", dtype)
    X, Y = net.data(31)
    epoch_parameters, epoch_losses = net.train(X, Y, batch_rows, epochs=2)
    stepwise = Net([4, 6, 2], "relu", "softmax", "cross_entropy", dtype)
    for epoch in range(2):
        total, batches = 0.0, 0
        for i in range(0, 31, batch_rows):
            rows = slice(i, i + batch_rows)
            stepwise.parameters, [loss] = stepwise.train(X[rows], Y[rows], len(X[rows]))
            total, batches = total + loss, batches + 1
        assert epoch_losses[epoch] == total / batches
    assert same_bits(epoch_parameters, stepwise.parameters)


@pytest.mark.parametrize("bad", [31, 32, 2**31, 2**63, 2**64 - 1])
@pytest.mark.parametrize("place", [0, 17, 30])
def test_an_order_that_names_no_row_is_refused_before_anything_changes(isa, dtype, bad, place):
    net = Net([4, 2], None, "identity", "mse", dtype)
    X, Y = net.data(31)
    order, parameters = np.arange(31, dtype=np.uintp), net.parameters.copy()
    order[place] = bad
    training = _core.Training(5, 0.1)
    with pytest.raises(ValueError, match="order"):
        run(net, training, parameters, X, Y, order)
    assert same_bits(parameters, net.parameters) and training.row == training.batches == 0


# ---- Slices ------------------------------------------------------------------------------------


def test_parameters_are_those_of_the_finished_batches_between_slices(isa, dtype):
    net = Net([4, 6, 3], "tanh", "softmax", "cross_entropy", dtype)
    X, Y = net.data(53)
    after = [net.parameters]  # After 0, 1, 2, ... batches of ten rows.
    for i in range(0, 53, 10):
        step = Net([4, 6, 3], "tanh", "softmax", "cross_entropy", dtype)
        step.parameters = after[-1]
        after.append(step.train(X[i : i + 10], Y[i : i + 10], len(X[i : i + 10]))[0])
    training, parameters, work = (
        _core.Training(10, 0.02),
        net.parameters.copy(),
        net.workspace(10, block_rows=3),
    )
    rows = []
    while training.row < 53:
        run(net, training, parameters, X, Y, budget=1, block_rows=3, work=work)
        rows.append(training.row)
        assert same_bits(parameters, after[training.batches])
    assert rows[:5] == [3, 6, 9, 10, 13] and rows[-1] == 53 and training.batches == 6
    run(net, training, parameters, X, Y, block_rows=3, work=work)  # The epoch is over: no effect.
    assert same_bits(parameters, after[6]) and training.batches == 6


# ---- What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("output, loss", FEW_PAIRS)
def test_a_loss_that_is_not_finite_stops_before_its_batch_changes_anything(
    isa, dtype, output, loss, bad
):
    """Row 14 is bad: the batch of rows 0 to 9 counts, the batch of rows 10 to 19 does not."""
    net = Net([4, 3], None, output, loss, dtype)
    good = net.data(25)
    expected, losses = net.train(good[0][:10], good[1][:10], 10)
    for block_rows, spoilt in itertools.product((0, 3), (0, 1)):
        X, Y = (part.copy() for part in good)
        (X, Y)[spoilt][14, 1] = np.nan if spoilt == 0 else bad
        training, parameters = _core.Training(10, 0.02), net.parameters.copy()
        with pytest.raises(FloatingPointError):
            run(net, training, parameters, X, Y, block_rows=block_rows)
        assert same_bits(parameters, expected)
        assert training.batches == 1 and [training.loss] == losses
        with pytest.raises(FloatingPointError):  # Going on does not go over it.
            run(net, training, parameters, X, Y, block_rows=block_rows)
        assert same_bits(parameters, expected)


def test_a_loss_that_overflows_is_not_finite(isa, dtype):
    """Though every row is finite: 100 x, or its square, is not."""
    net = Net([1, 1], None, "identity", "mse", dtype)
    X, Y = np.full((2, 1), 1e300 if dtype == np.float64 else 3e38, dtype), np.zeros((2, 1), dtype)
    net.parameters[:] = [100, 0]
    with pytest.raises(FloatingPointError):
        net.train(X, Y, 2)


def test_an_order_that_changes_between_slices_cannot_reach_other_memory(dtype):
    net = Net([3, 1], None, "identity", "mse", dtype)
    X, Y = net.data(40)
    order, work, training = np.arange(20, dtype=np.uintp), net.workspace(5), _core.Training(5, 0.1)
    training.run(net.core, net.parameters, X[:20], Y[:20], order, 1, work)
    order[:] = 30  # Behind the 20 rows, where this test has memory of its own.
    with pytest.raises(ValueError):
        training.run(net.core, net.parameters, X[:20], Y[:20], order, 99, work)


@pytest.mark.parametrize("batch_rows, rate", [(0, 0.1), (5, np.nan), (5, np.inf), (5, -np.inf)])
def test_settings_without_meaning_are_refused(isa, dtype, batch_rows, rate):
    net = Net([4, 2], None, "identity", "mse", dtype)
    X, Y = net.data(9)
    parameters = net.parameters.copy()
    with pytest.raises(ValueError):
        run(net, _core.Training(batch_rows, rate), parameters, X, Y)
    assert same_bits(parameters, net.parameters)


def test_a_training_that_has_used_more_rows_than_there_are_is_refused(isa, dtype):
    net = Net([4, 2], None, "identity", "mse", dtype)
    X, Y = net.data(9)
    training, parameters = _core.Training(3, 0.1), net.parameters.copy()
    run(net, training, parameters, X, Y)
    with pytest.raises(ValueError):
        run(net, training, parameters, X[:5], Y[:5])
