"""Laws of the losses: values and deltas, weights of rows, and what is refused."""

import numpy as np
import pytest

from bpcore import _core, reference
from tests import numpy_oracle
from tests.bits import same_bits
from tests.core_network import HIDDEN, LOSS_PARAMETERS, PAIRS, Net
from tests.execution_modes import learn

CASES = [(*pair, number) for pair in PAIRS for number in LOSS_PARAMETERS.get(pair[1], (0.5,))]


def layer(output, loss, parameter, dtype, width=5):
    """One layer whose logits are its inputs."""
    net = Net([width, width], None, output, loss, dtype, loss_parameter=parameter)
    [(W, b)] = net.layers(net.parameters)
    W[:], b[:] = np.eye(width), 0
    return net


def targets(loss, Z, rng):
    if loss == "poisson":
        return rng.poisson(1.5, Z.shape).astype(Z.dtype)  # Zeros among them.
    if loss == "bce":  # Soft, too.
        return rng.random(Z.shape).astype(Z.dtype)
    if loss == "cross_entropy":  # Classes, soft targets that do not sum to 1, and none at all.
        Y = np.eye(Z.shape[1], dtype=Z.dtype)[rng.integers(Z.shape[1], size=len(Z))]
        Y[::2] = rng.random(Y[::2].shape)
        Y[4] = 0
        return Y
    return (2 * rng.standard_normal(Z.shape)).astype(Z.dtype)


def example(output, loss, parameter, dtype, rows=40):
    rng = np.random.default_rng(len(output) + 10 * len(loss))
    net = layer(output, loss, parameter, dtype)
    Z = (1.5 * rng.standard_normal((rows, 5))).astype(dtype)
    return net, Z, targets(loss, Z, rng)


def deltas(net, Z, Y):
    """delta of each row: the gradient of the biases for this row alone."""
    return np.array([net.gradient(Z[i : i + 1], Y[i : i + 1])[0][-5:] for i in range(len(Z))])


def formulas(net, Z, Y):
    """Costs (n,), deltas, outputs a and, where C is taken from a, dC/da, in float64."""
    Z, Y, [output] = Z.astype(float), Y.astype(float), net.activations
    costs, delta = reference.cost_and_delta(Z, Y, numpy_oracle.loss_of(net), output)
    a = reference.ACTIVATIONS[output][0](Z)
    if net.loss in reference.OUTPUTS:
        return costs, delta, a, np.ones_like(a)
    parameter = [net.loss_parameter] * numpy_oracle.takes_parameter(net.loss)
    return costs, delta, a, reference.LOSSES[net.loss][1](a, Y, *parameter)


# ---- Values and deltas ---------------------------------------------------------------------------


def sizes(Z, Y, a, d):
    """What the roundings of a value and of a delta count in: the sizes of what is added up, times
    the slope that carries on the error of a. From logits, that slope is about 1."""
    slope = np.abs(d)
    logits = np.abs(Z.astype(float)).max(axis=1)[:, None]
    value = (slope + 1) * (1 + logits * (1 + np.abs(Y)) + np.abs(a) + np.abs(Y))
    return value, (slope.max(axis=1)[:, None] + 1 + np.abs(Y)) * (1 + np.abs(a))


@pytest.mark.parametrize("output, loss, parameter", CASES)
def test_values_are_those_of_the_formulas(isa, dtype, output, loss, parameter):
    """Measured over all cases: within 0.25 eps of this size."""
    net, Z, Y = example(output, loss, parameter, dtype)
    costs, _, a, d = formulas(net, Z, Y)
    size = sizes(Z, Y, a, d)[0].sum(axis=1)
    found = np.array([net.mean_loss(Z[i : i + 1], Y[i : i + 1]) for i in range(len(Z))])
    error = np.abs(found - costs) / np.finfo(dtype).eps / size
    print(f"value {output} {loss} {dtype}: {error.max():.2f}")
    assert error.max() <= 0.5
    assert (np.abs(found * 1.001 - costs) / 1e-6 / size).max() > 10
    whole = net.mean_loss(Z, Y)
    assert abs(whole - costs.sum() / len(Z)) <= np.finfo(dtype).eps * size.mean()
    assert whole == net.gradient(Z, Y)[1]


@pytest.mark.parametrize("output, loss, parameter", CASES)
def test_deltas_are_those_of_the_formulas(isa, dtype, output, loss, parameter):
    """Measured over all cases: within 1.2 eps of this size."""
    net, Z, Y = example(output, loss, parameter, dtype)
    _, expected, a, d = formulas(net, Z, Y)
    found, size = deltas(net, Z, Y), sizes(Z, Y, a, d)[1]
    kinks = np.zeros(found.shape, bool)  # A rounding may change the side of a kink.
    if loss in ("mae", "quantile"):
        kinks = np.abs(a - Y) < 1e-5
    error = np.where(kinks, 0, np.abs(found - expected) / np.finfo(dtype).eps / size)
    print(f"delta {output} {loss} {dtype}: {error.max():.2f}")
    assert error.max() <= 2 and kinks.mean() < 0.05
    assert (np.abs(found * 1.001 - expected) / 1e-6 / size).max() > 10


def test_bce_is_finite_and_right_at_large_logits(isa, dtype):
    """-y log a - (1-y) log(1-a) is |z| on the wrong side and e^-|z| on the right one."""
    z, net = {4: 100, 8: 800}[dtype.itemsize], layer("sigmoid", "bce", 0, dtype, width=1)
    for logit, target, loss, delta in [(z, 1, 0, 0), (-z, 0, 0, 0), (z, 0, z, 1), (-z, 1, z, -1)]:
        X, Y = np.array([[logit]], dtype), np.array([[target]], dtype)
        gradient, computed = net.gradient(X, Y)
        assert computed == loss == net.mean_loss(X, Y)
        assert gradient.tolist() == [logit * delta, delta]
    for logit in (20.0, 36.0, 60.0):  # Not 0: 1 + e^-z rounds to 1, log(1 + e^-z) does not vanish.
        loss, tiny = (
            net.mean_loss(np.array([[logit]], dtype), np.ones((1, 1), dtype)),
            np.exp(-logit),
        )
        assert abs(loss / tiny - 1) <= 4 * np.finfo(dtype).eps + tiny


def test_cross_entropy_is_finite_and_right_at_large_logits(isa, dtype):
    z, net = {4: 100, 8: 800}[dtype.itemsize], layer("softmax", "cross_entropy", 0, dtype, width=3)
    X = np.array([[z, -z, 0]], dtype)
    for target, loss in [(0, 0), (1, 2 * z), (2, z)]:
        Y = np.eye(3, dtype=dtype)[target : target + 1]
        gradient, computed = net.gradient(X, Y)
        assert computed == loss == net.mean_loss(X, Y)
        assert gradient[9:].tolist() == (np.array([1, 0, 0]) - Y[0]).tolist()


def test_a_count_of_zero_costs_its_rate(isa, dtype):
    net = layer("exp", "poisson", 0, dtype)
    Z, zeros = np.array([[-500, -3, 0, 1, 3]], dtype), np.zeros((1, 5), dtype)
    rate = np.exp(Z.astype(float))
    assert abs(net.mean_loss(Z, zeros) - rate.sum()) < 8 * np.finfo(dtype).eps * rate.sum()
    assert np.allclose(deltas(net, Z, zeros), rate, rtol=8 * np.finfo(dtype).eps, atol=1e-30)
    tiny = np.full((1, 5), np.finfo(dtype).smallest_subnormal, dtype)  # As good as 0.
    assert net.mean_loss(Z, tiny) == net.mean_loss(Z, zeros)


def test_a_tiny_count_keeps_its_logarithm(isa, dtype):
    """The roundings of log y, z, their difference and the sums: each a unit of its size."""
    net, kind = layer("exp", "poisson", 0, dtype), np.finfo(dtype)
    Y = (np.ldexp(kind.tiny, 20) * np.arange(1, 6)[None]).astype(dtype)
    Z = (np.log(Y) - 10).astype(dtype)
    y, z = Y.astype(np.longdouble), Z.astype(np.longdouble)
    expected = (np.exp(z) + y * (np.log(y) - z) - y).sum()
    bound = 4 * kind.eps * (y * (2 + np.abs(np.log(y)) + np.abs(z))).sum()
    assert abs(net.mean_loss(Z, Y) - expected) < bound < expected / 10


def test_poisson_is_zero_where_the_rate_is_the_count_and_never_meets_log_of_zero(isa, dtype):
    net, counts = layer("exp", "poisson", 0, dtype), np.array([[1, 2, 3, 100, 1000]], dtype)
    assert abs(net.mean_loss(np.log(counts), counts)) < 8 * np.finfo(dtype).eps * 1106 * 7
    far = np.full((1, 5), -1000, dtype)  # exp(z) is 0, but not its logarithm.
    expected = (1000 * counts + counts * np.log(counts) - counts).astype(float).sum()
    assert abs(net.mean_loss(far, counts) / expected - 1) < 8 * np.finfo(dtype).eps


def test_a_quantile_costs_q_below_and_the_rest_above(isa, dtype):
    for q in (0.1, 0.5, 0.9):
        net = layer("identity", "quantile", q, dtype, width=1)
        zero, near = np.zeros((1, 1), dtype), 2 * np.finfo(dtype).eps
        for distance, expected, slope in [(4, q * 4, -q), (-4, (1 - q) * 4, 1 - q), (0, 0, 0)]:
            Y = np.array([[distance]], dtype)
            gradient, loss = net.gradient(zero, Y)
            assert abs(loss - expected) <= near * 4 and abs(gradient[-1] - slope) <= near
    least = Net([1, 1], None, "identity", "quantile", dtype, loss_parameter=0.75)
    least.parameters[:] = 0
    Y = np.arange(1, 101).astype(dtype)[:, None]
    found = learn(least, 0 * Y, Y, 100, rate=1.0, epochs=1000).parameters[1]
    assert 75 <= found <= 76  # Three quarters of the targets are below.


def test_huber_is_mse_near_and_mae_far(isa, dtype):
    net = layer("identity", "huber", 0.5, dtype, width=1)
    for e, loss, slope in [(0.25, 0.03125, 0.25), (0.5, 0.125, 0.5), (3, 1.375, 0.5)]:
        for sign in (1, -1):
            Z = np.array([[sign * e]], dtype)
            gradient, found = net.gradient(Z, 0 * Z)
            assert found == loss and gradient[-1] == sign * slope


def test_mae_has_no_slope_where_it_is_zero(isa, dtype):
    net = layer("identity", "mae", 0, dtype)
    Z = np.array([[1, -2, 0, 5, -6]], dtype)
    assert (deltas(net, Z, Z) == 0).all() and net.mean_loss(Z, Z) == 0
    assert (deltas(net, Z, Z - 1) == 1).all() and (deltas(net, Z, Z + 1) == -1).all()


# ---- Weights of rows -----------------------------------------------------------------------------


def weighted(output, loss, parameter, dtype, rows=30):
    net = Net([4, 6, 3], "tanh", output, loss, dtype, loss_parameter=parameter)
    X, Y = net.data(rows)
    return net, X, Y, np.random.default_rng(3).integers(0, 4, rows)


KINDS = [("identity", "mse", 0), ("softmax", "huber", 0.2), ("gelu", "quantile", 0.3)]
KINDS += [("sigmoid", "mae", 0), *((output, loss, 0) for loss, output in reference.OUTPUTS.items())]


@pytest.mark.parametrize("output, loss, parameter", KINDS)
def test_a_weight_of_n_is_a_row_n_times(isa, dtype, output, loss, parameter):
    """A product instead of n additions: sums of 45 terms, each with its own roundings, 2 eps."""
    net, X, Y, counts = weighted(output, loss, parameter, dtype)
    again = np.repeat(np.arange(30), counts)
    one, many = net.gradient(X, Y, weights=counts.astype(dtype)), net.gradient(X[again], Y[again])
    eps = np.finfo(dtype).eps
    assert abs(one[1] - many[1]) <= 4 * eps * max(many[1], 1)
    assert np.abs(one[0] - many[0]).max() <= 45 * 2 * eps * np.abs(many[0]).max()
    assert np.abs(net.gradient(X, Y)[0] - many[0]).max() > 1e-3
    assert net.mean_loss(X, Y, weights=counts.astype(dtype)) == one[1]
    expected = numpy_oracle.gradient(net, X, Y, counts)[0]
    assert np.abs(one[0] - expected).max() <= 90 * eps * (np.abs(expected).max() + 1)


@pytest.mark.parametrize("output, loss, parameter", KINDS)
def test_a_weight_of_zero_is_no_row(isa, dtype, output, loss, parameter):
    """Bit for bit, but for signs of zeros."""
    net, X, Y, counts = weighted(output, loss, parameter, dtype)
    kept, weights = counts > 0, counts.astype(dtype)
    one = net.gradient(X, Y, weights=weights)
    without = net.gradient(X[kept], Y[kept], weights=weights[kept])
    assert np.array_equal(one[0], without[0]) and one[1] == without[1] and not kept.all()
    rows = kept.sum()
    one = learn(net, X, Y, 30, weights=weights, epochs=3)
    without = learn(net, X[kept], Y[kept], rows, weights=weights[kept], epochs=3)
    assert np.array_equal(one.parameters, without.parameters) and one.losses == without.losses


@pytest.mark.parametrize("output, loss, parameter", KINDS)
def test_weights_that_are_one_power_of_two_change_no_bit(isa, dtype, output, loss, parameter):
    net, X, Y, _ = weighted(output, loss, parameter, dtype)
    plain, trained = net.gradient(X, Y), learn(net, X, Y, 7, epochs=2)
    for weight in (1, 4, 0.5):
        weights = np.full(30, weight, dtype)
        one = net.gradient(X, Y, weights=weights)
        assert same_bits(one[0], plain[0]) and one[1] == plain[1]
        again = learn(net, X, Y, 7, epochs=2, weights=weights)
        assert same_bits(again.parameters, trained.parameters) and again.losses == trained.losses


def test_no_weight_at_all_is_a_gradient_and_a_loss_of_zero(isa, dtype):
    net, X, Y, counts = weighted("sigmoid", "bce", 0, dtype)
    nothing = np.zeros(30, dtype)
    gradient, loss = net.gradient(X, Y, weights=nothing)
    assert (gradient == 0).all() and loss == 0 == net.mean_loss(X, Y, weights=nothing)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_a_hidden_nan_reaches_the_loss(isa, dtype, hidden):
    """Not elu(nan) = 0: what is wrong is seen. (relu keeps nan, too.)"""
    net = Net([4, 5, 1], hidden, "identity", "mse", dtype)
    X, Y = net.data(6)
    X[2, 1] = np.nan
    with pytest.raises(FloatingPointError):
        learn(net, X, Y, 6)


# ---- What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["huber", "quantile"])
@pytest.mark.parametrize("bad", [0, -1, np.nan, np.inf, -np.inf])
def test_parameters_out_of_their_range_are_refused(loss, bad):
    with pytest.raises(ValueError):
        _core.Architecture([3, 2], ["identity"], loss, bad)
    with pytest.raises(ValueError):
        _core.Architecture([3, 2], ["identity"], "quantile", 1)
    _core.Architecture([3, 2], ["identity"], loss, 0.9)
    _core.Architecture([3, 2], ["identity"], "mse", bad)  # It has none.


def test_losses_of_probabilities_and_rates_refuse_other_outputs():
    for loss in _core.LOSSES:
        own = reference.OUTPUTS.get(loss)
        outputs = {output for output, other in PAIRS if other == loss}
        assert outputs == ({own} if own else set(_core.ACTIVATIONS))
