"""The analytic gradient is the central difference, in float64, for every activation, loss, penalty
and weighting: the penalised gradient is read from one step of gradient descent.

The data keep away from kinks; a gradient of zero proves nothing and is refused.
"""

import itertools

import numpy as np
import pytest

from bpcore import reference
from tests import numpy_oracle
from tests.core_network import HIDDEN, PAIRS, Net
from tests.execution_modes import learn

STEP = 1e-5  # The third derivative is multiplied by 1e-10, the values' roundings by 1e5.
# Hidden activation, output activation, loss: each activation in both places.
CASES = [("tanh" if output == "softmax" else output, output, loss) for output, loss in PAIRS]
CASES += [(name, output, loss) for name in HIDDEN for loss, output in reference.OUTPUTS.items()]
PENALTIES = [{}, dict(l2=0.3), dict(l1=0.2), dict(l2=0.3, l1=0.2)]
BENT = ("relu", "leaky_relu", "elu", "selu")


def margin(net, X, Y):
    """The smallest distance from a kink: of a function, of the loss, and of l1."""
    distances, A = [1.0], X
    for (W, b), name in zip(net.layers(net.parameters), net.activations, strict=True):
        Z = A @ W + b
        A = reference.ACTIVATIONS[name][0](Z)
        distances += [np.abs(W).min()] + [np.abs(Z).min()] * (name in BENT)
    error = np.abs(A - Y)
    if net.loss in ("mae", "quantile"):
        distances.append(error.min())
    if net.loss == "huber":
        distances.append(np.abs(error - net.loss_parameter).min())
    return min(distances)


def example(hidden, output, loss, rows=5):
    """The first seed whose data are away from kinks, with a gradient in every layer."""
    for seed in range(500):
        net = Net([3, 4, 2], hidden, output, loss, np.float64, seed)
        net.parameters *= 0.7
        X, Y = net.data(rows, seed)
        gradient = net.gradient(X, Y)[0]
        moving = all(min(np.abs(W).max(), np.abs(b).max()) > 1e-3 for W, b in net.layers(gradient))
        if margin(net, X, Y) > 0.01 and moving:
            return net, X, Y
    raise AssertionError("no seed keeps away from kinks")


def central_differences(net, X, Y, rule, weights):
    def objective():
        penalty, _ = numpy_oracle.penalty(net, rule, w)
        return net.mean_loss(X, Y, w, weights=weights) + penalty

    w = net.parameters.copy()
    return reference.numerical_gradient(objective, w, STEP)


def distances(net, analytic, numeric):
    """Of each array of parameters, relative to both norms, which are not zero."""
    pairs = zip(net.layers(analytic), net.layers(numeric), strict=True)
    for a, b in itertools.chain.from_iterable(zip(*pair, strict=True) for pair in pairs):
        sizes = np.linalg.norm(a), np.linalg.norm(b)
        assert min(sizes) > 1e-6
        yield np.linalg.norm(a - b) / sum(sizes)


@pytest.mark.parametrize("hidden, output, loss", dict.fromkeys(CASES))
def test_the_gradient_is_the_central_difference(hidden, output, loss):
    """Measured over all cases: within 3e-9."""
    net, X, Y = example(hidden, output, loss)
    random = np.random.default_rng(7).uniform(0.1, 3, len(X))
    worst = 0
    for rule, weights in itertools.product(PENALTIES, (None, random)):
        stepped = learn(net, X, Y, len(X), {"optimizer": "sgd", **rule}, rate=1, weights=weights)
        analytic = net.parameters - stepped.parameters
        numeric = central_differences(net, X, Y, rule, weights)
        worst = max(worst, *distances(net, analytic, numeric))
        if not rule:
            assert max(distances(net, net.gradient(X, Y, weights=weights)[0], numeric)) < 1e-6
    print(f"{hidden} {output} {loss}: {worst:.1e}")
    assert worst < 1e-6


@pytest.mark.parametrize("hidden", HIDDEN)
def test_a_wrong_gradient_is_seen(hidden):
    """A slope of another activation, a penalty of biases, forgotten weights, a part in 10^4."""
    net, X, Y = example(hidden, "identity", "mse")
    rule, weights = dict(l2=0.3), np.random.default_rng(7).uniform(0.1, 3, len(X))
    numeric = central_differences(net, X, Y, rule, weights)
    analytic, _ = net.gradient(X, Y, weights=weights)
    slopes = numpy_oracle.penalty(net, rule)[1]
    right = analytic + slopes
    assert max(distances(net, right, numeric)) < 1e-6
    for wrong in (
        analytic,
        analytic + 0.3 * net.parameters,
        net.gradient(X, Y)[0] + slopes,
        right * (1 + 1e-4 * (slopes != 0)),
    ):
        assert max(distances(net, wrong, numeric)) > 1e-5


def test_a_gradient_of_zero_is_refused():
    net, X, Y = example("tanh", "identity", "mse")
    with pytest.raises(AssertionError):
        list(distances(net, 0 * net.parameters, net.parameters))
