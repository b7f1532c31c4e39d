"""Laws of losses and of the backward recursion."""

import math

import numpy as np
import pytest

from bpcore import _core
from tests.conftest import (
    PAIRS,
    Net,
    bias_sums,
    chain,
    mean_loss,
    needs_fused,
    ordered_sum,
    same_bits,
    weight_sums,
)

HIDDEN = ["identity", "sigmoid", "tanh", "relu"]
DEPTHS = {"no hidden layer": [4, 3], "one": [5, 6, 3], "three": [4, 7, 6, 5, 3]}


# ---- Gradients equal central differences -------------------------------------------------------


def central_differences(net, X, Y, h=6e-6):
    """(J(w + h) - J(w - h)) / 2h for each parameter; h = eps^(1/3) balances h^2 and eps / h.

    Truncation is h^2 J'''/6, about 1e-11 for losses and third derivatives of size 1; rounding is
    a few ulp of J over 2h, about 1e-10. Against gradients of size 0.1 the distance stays below
    1e-8; 1e-7 is the law.
    """
    slopes = np.empty(net.core.parameter_count)
    for i in range(len(slopes)):
        above, below = net.parameters.copy(), net.parameters.copy()
        above[i] += h
        below[i] -= h
        difference = net.mean_loss(X, Y, above) - net.mean_loss(X, Y, below)
        slopes[i] = difference / (above[i] - below[i])
    return slopes


def distances(net, gradient, slopes):
    """|g - n| / (|g| + |n|) for each W and b; zero gradients are no evidence, and refused."""
    result = []
    for pair in zip(net.layers(gradient), net.layers(slopes), strict=True):
        for g, n in zip(*pair, strict=True):
            size = np.linalg.norm(g) + np.linalg.norm(n)
            assert np.linalg.norm(g) > 1e-6 and np.linalg.norm(n) > 1e-6, "a gradient of zero"
            result.append(np.linalg.norm(g - n) / size)
    return result


def net_for_differences(sizes, hidden, output, loss):
    """Some rows whose sums lie away from the kink of relu, where no difference is a derivative."""
    net = Net(sizes, hidden, output, loss, np.float64, seed=4)
    X, Y = net.data(40)
    keep = np.ones(len(X), bool)
    A = X
    for (W, b), name in zip(net.layers(net.parameters), net.activations, strict=True):
        Z = A @ W + b
        if name == "relu":
            keep &= (np.abs(Z) > 1e-3).all(axis=1)
        A = Z.copy()
        _core.activate(name, A)
    assert keep.sum() >= 20
    return net, np.ascontiguousarray(X[keep]), np.ascontiguousarray(Y[keep])


@pytest.mark.parametrize("output, loss", PAIRS)
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("depth", DEPTHS)
def test_gradient_equals_central_difference(isa, depth, hidden, output, loss):
    net, X, Y = net_for_differences(DEPTHS[depth], hidden, output, loss)
    gradient, _ = net.gradient(X, Y)
    assert max(distances(net, gradient, central_differences(net, X, Y))) < 1e-7


@pytest.mark.parametrize("output, loss", PAIRS)
def test_the_gradient_check_refuses_wrong_gradients(output, loss):
    """One parameter off by 1e-4 of it, a layer's sign, a sum for a mean, and no gradient at all."""
    net, X, Y = net_for_differences([5, 6, 3], "tanh", output, loss)
    gradient, _ = net.gradient(X, Y)
    slopes = central_differences(net, X, Y)
    largest = int(np.abs(gradient).argmax())
    slightly, flipped = gradient.copy(), gradient.copy()
    slightly[largest] *= 1 + 1e-4
    flipped[-3:] *= -1
    for wrong in (slightly, flipped, len(X) * gradient):
        assert max(distances(net, wrong, slopes)) > 1e-7
    for nothing in (np.zeros_like(gradient), np.where(np.arange(len(gradient)) < 30, 0, gradient)):
        with pytest.raises(AssertionError, match="a gradient of zero"):
            distances(net, nothing, slopes)


# ---- The written recursion, bit for bit ----------------------------------------------------------


def recursion(net, X, Y):
    """The gradient by the written sums: the contract's chains, with the core's own functions of one
    value, which have tests of their own. For the quadratic loss."""
    kept = [X]
    for (W, b), name in zip(net.layers(net.parameters), net.activations, strict=True):
        A = chain(np.broadcast_to(b, (len(X), len(b))), kept[-1], W)
        _core.activate(name, A)
        kept.append(A)
    delta = kept[-1] - Y
    wide = delta.astype(np.float64)
    loss = float(ordered_sum((0.5 * wide * wide).ravel(), 0.0)) / len(X)
    _core.activation_backward(net.activations[-1], kept[-1], delta)
    gradient = np.zeros_like(net.parameters)
    views = net.layers(gradient)
    for i in reversed(range(len(views))):
        views[i][0][...] = weight_sums(kept[i], delta)
        views[i][1][...] = bias_sums(delta)
        if i:
            delta = chain(np.zeros_like(kept[i]), delta, net.layers(net.parameters)[i][0].T)
            _core.activation_backward(net.activations[i - 1], kept[i], delta)
    return gradient / net.dtype.type(len(X)), loss


@needs_fused
@pytest.mark.parametrize("output", ["identity", "sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("sizes", [[1, 1], [9, 7], [37, 19, 1], [5, 33, 17, 6], [300, 2, 300]])
def test_gradient_and_loss_are_the_written_sums(isa, dtype, sizes, output):
    net = Net(sizes, "relu", output, "mse", dtype, seed=2)
    for rows in (1, 16, 53, 530):  # Batches of 512 rows and more collect their sums transposed.
        X, Y = net.data(rows)
        gradient, loss = net.gradient(X, Y)
        expected, expected_loss = recursion(net, X, Y)
        assert same_bits(gradient, expected)
        assert loss == net.mean_loss(X, Y) == expected_loss


def test_gradient_of_a_batch_is_the_mean_of_its_rows_gradients(isa, dtype):
    """Deltas of a row are the same bits in any batch, so the terms t_i of a sum are too. The batch
    rounds a term at most n times in its chain and once in the division, a row alone rounds it once:
    |difference| <= (n + 2) u mean |t_i|, and a little."""
    for output, loss in PAIRS:
        net = Net([6, 9, 3], "sigmoid", output, loss, dtype, seed=1)
        X, Y = net.data(31)
        rows = np.array(
            [net.gradient(X[i : i + 1], Y[i : i + 1])[0] for i in range(31)], np.float64
        )
        means = np.array([math.fsum(column) for column in rows.T]) / 31
        bound = 33 * np.finfo(dtype).eps / 2 * np.abs(rows).mean(axis=0)
        gradient = net.gradient(X, Y)[0]
        assert (np.abs(gradient - means) <= 1.01 * bound).all()
        assert not (np.abs(gradient * 31 / 30 - means) <= 1.01 * bound).all()


# ---- Losses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("output, loss", PAIRS)
def test_a_loss_is_its_textbook_formula(isa, dtype, output, loss):
    """A layer rounds its sums of up to 20 terms, each function a few times, the loss each row:
    three layers stay within 160 u of numbers of size 1. That is 1e-5 in float32; in float64 it is
    2e-14, and as much again for the oracle."""
    for sizes in ([4, 3], [5, 20, 1], [3, 6, 7, 5]):
        net = Net(sizes, "tanh", output, loss, dtype, seed=3)
        X, Y = net.data(50)
        computed, textbook = net.mean_loss(X, Y), mean_loss(net, net.parameters, X, Y)
        tolerance = {4: 1e-5, 8: 4e-14}[dtype.itemsize]
        assert math.isclose(computed, textbook, rel_tol=tolerance, abs_tol=tolerance)
        assert computed == net.gradient(X, Y)[1]


def test_the_loss_is_summed_in_double_in_ascending_order(isa, dtype):
    """One output: the rows' losses, each in double, added one by one."""
    for output, loss in [("sigmoid", "bce"), ("identity", "mse")]:
        net = Net([4, 1], "tanh", output, loss, dtype)
        X, Y = net.data(1000)
        single = [net.mean_loss(X[i : i + 1], Y[i : i + 1]) for i in range(1000)]
        total = 0.0
        for value in single:
            total += value
        assert net.mean_loss(X, Y) == total / 1000
        assert net.mean_loss(X, Y) != float(np.float32(total)) / 1000


def logits_net(output, loss, outputs, dtype):
    """A network that computes its logits as they are given: W = 1, b = 0."""
    net = Net([outputs, outputs], None, output, loss, dtype)
    ((W, b),) = net.layers(net.parameters)
    W[...], b[...] = np.eye(outputs), 0
    return net


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_bce_is_finite_and_right_at_large_logits(isa, kind):
    """-y log a - (1-y) log(1-a) is |z| on the wrong side and e^-|z| on the right one."""
    z = {"float32": 100, "float64": 800}[kind]
    net = logits_net("sigmoid", "bce", 1, kind)
    for logit, target, loss, delta in [(z, 1, 0, 0), (-z, 0, 0, 0), (z, 0, z, 1), (-z, 1, z, -1)]:
        X, Y = np.array([[logit]], kind), np.array([[target]], kind)
        gradient, computed = net.gradient(X, Y)
        assert computed == loss == net.mean_loss(X, Y)
        assert gradient.tolist() == [logit * delta, delta]
    for logit in (20.0, 36.0, 60.0):  # Not 0: 1 + e^-z rounds to 1, log(1 + e^-z) does not vanish.
        loss = net.mean_loss(np.array([[logit]], kind), np.ones((1, 1), kind))
        assert math.isclose(
            loss, math.exp(-logit), rel_tol=4 * np.finfo(kind).eps + math.exp(-logit)
        )


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_cross_entropy_is_finite_and_right_at_large_logits(isa, kind):
    z = {"float32": 100, "float64": 800}[kind]
    net = logits_net("softmax", "cross_entropy", 3, kind)
    X = np.array([[z, -z, 0]], kind)
    for target, loss in [(0, 0), (1, 2 * z), (2, z)]:
        Y = np.eye(3, dtype=kind)[target : target + 1]
        gradient, computed = net.gradient(X, Y)
        assert computed == loss == net.mean_loss(X, Y)
        assert gradient[9:].tolist() == (np.array([1, 0, 0]) - Y[0]).tolist()


def test_soft_targets_need_not_sum_to_one(isa):
    """-sum_j y_j log a_j, and its derivative a_k sum_j y_j - y_k, to some tens of roundings."""
    net = logits_net("softmax", "cross_entropy", 4, np.float64)
    X = np.array([[0.3, -1.2, 2.0, 0.7]])
    E = np.exp(X[0])
    for y in ([0.1, 0.2, 0.3, 0.4], [0.5, 0, 0, 0.2], [2.0, 1.0, 0.0, 0.5], [0, 0, 0, 0]):
        gradient, loss = net.gradient(X, np.array([y], np.float64))
        assert math.isclose(loss, -np.dot(y, np.log(E / E.sum())), abs_tol=1e-14)
        assert np.abs(gradient[16:] - (E / E.sum() * np.sum(y) - y)).max() < 1e-14


def test_soft_targets_of_bce_follow_the_formula(isa):
    net = logits_net("sigmoid", "bce", 1, np.float64)
    for z in (-3.0, 0.0, 1.5):
        for y in (0.0, 0.25, 0.9):
            a = 1 / (1 + math.exp(-z))
            gradient, loss = net.gradient(np.array([[z]]), np.array([[y]]))
            formula = -y * math.log(a) - (1 - y) * math.log(1 - a)
            assert math.isclose(loss, formula, abs_tol=1e-14) and abs(gradient[1] - (a - y)) < 1e-15


def test_no_rows_have_no_loss_and_no_gradient(isa, dtype):
    net = Net([3, 2], None, "identity", "mse", dtype)
    X, Y = net.data(0)
    gradient, loss = net.gradient(X, Y)
    assert loss == 0 == net.mean_loss(X, Y) and not gradient.any() and len(net.forward(X)) == 0
