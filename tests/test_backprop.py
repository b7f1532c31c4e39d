"""Laws of losses and of the backward recursion."""

import math

import numpy as np
import pytest

from bpcore import _core
from tests import numpy_oracle
from tests.bits import needs_fused, on_every_isa, same_bits
from tests.core_network import FEW_PAIRS, HIDDEN, PAIRS, Net
from tests.numpy_oracle import bias_sums, chain, ordered_sum, weight_sums

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
def test_gradient_and_loss_are_the_written_sums(dtype, sizes, output):
    net = Net(sizes, "relu", output, "mse", dtype, seed=2)
    for rows in (1, 16, 53, 530):  # Batches of 512 rows and more collect their sums transposed.
        X, Y = net.data(rows)
        expected, expected_loss = recursion(net, X, Y)
        found = on_every_isa(lambda X=X, Y=Y: (*net.gradient(X, Y), net.mean_loss(X, Y)))
        for gradient, loss, mean_loss in found.values():
            assert same_bits(gradient, expected)
            assert loss == mean_loss == expected_loss


def test_gradient_of_a_batch_is_the_mean_of_its_rows_gradients(isa, dtype):
    """Deltas of a row are the same bits in any batch, so the terms t_i of a sum are too. The batch
    rounds a term at most n times in its chain and once in the division, a row alone rounds it once:
    |difference| <= (n + 2) u mean |t_i|, and a little."""
    for output, loss in FEW_PAIRS:
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


@pytest.mark.parametrize("hidden", HIDDEN)
def test_gradient_and_loss_are_those_of_the_reference(isa, dtype, hidden):
    """A layer rounds its sums of up to 20 terms, each function a few times: measured over all
    pairs of output and loss, within 53 u of the largest number of the gradient."""
    u, worst = np.finfo(dtype).eps / 2, 0
    for i, (output, loss) in enumerate(PAIRS):
        sizes = ([4, 3], [5, 20, 2], [3, 6, 7, 5])[i % 3]
        net = Net(sizes, hidden, output, loss, dtype, seed=3)
        net.parameters *= dtype.type(0.5)  # exp of exp stays moderate.
        X, Y = net.data(50)
        found, mean = net.gradient(X, Y)
        expected, expected_mean = numpy_oracle.gradient(net, X, Y)
        size = max(1, np.abs(expected).max())
        worst = max(worst, np.abs(found - expected).max() / size, abs(mean / expected_mean - 1))
        assert mean == net.mean_loss(X, Y)
        assert np.abs(found * 1.001 - expected).max() > 100 * u * size
    print(f"{hidden} {dtype}: {worst / u:.1f} u")
    assert worst < 100 * u


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


def test_no_rows_have_no_loss_and_no_gradient(isa, dtype):
    net = Net([3, 2], None, "identity", "mse", dtype)
    X, Y = net.data(0)
    gradient, loss = net.gradient(X, Y)
    assert loss == 0 == net.mean_loss(X, Y) and not gradient.any() and len(net.forward(X)) == 0
