"""reference.py is the oracle of other tests: here it is held against differences and textbooks."""

import subprocess
import sys

import numpy as np
import pytest

import bpcore
from bpcore import _core, reference
from tests.core_network import FEW_PAIRS, HIDDEN, LOSS_PARAMETERS, PAIRS

CASES = [("tanh", *pair) for pair in PAIRS]
CASES += [(hidden, *pair) for hidden in HIDDEN for pair in FEW_PAIRS if hidden != "tanh"]


def problem(sizes, loss="mse", seed=0):
    random = np.random.default_rng(seed)
    X, Y = random.normal(size=(9, sizes[0])), random.uniform(size=(9, sizes[-1]))
    if loss == "poisson":
        Y = np.floor(3 * Y)
    shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
    weights = [random.normal(size=shape) / (2 * np.sqrt(shape[1])) for shape in shapes]
    return X, Y, weights, [random.normal(size=shape[0]) / 5 for shape in shapes]


def assert_gradients(f, analytic, parameters):
    for gradient, parameter in zip(analytic, parameters, strict=True):
        numeric = reference.numerical_gradient(f, parameter)
        size = np.linalg.norm(gradient) + np.linalg.norm(numeric)
        assert size > 1e-6 and np.linalg.norm(gradient - numeric) / size < 1e-7


@pytest.mark.parametrize("table", ["ACTIVATIONS", "LOSSES", "OPTIMIZERS"])
def test_what_the_core_has_stands_in_the_tables(table):
    assert set(getattr(reference, table)) == set(getattr(_core, table))


@pytest.mark.parametrize("hidden, output, loss", CASES)
def test_gradient_equals_central_difference(hidden, output, loss):
    """Through two hidden layers with dropout, of samples with weights."""
    X, Y, weights, biases = problem([3, 4, 5, 2], loss)
    random = np.random.default_rng(1)
    masks = [(random.random((9, n)) < 0.7) / 0.7 for n in (4, 5)]
    names, sample_weight = (hidden, hidden, output), random.uniform(size=9)
    for one in [(loss, number) for number in LOSS_PARAMETERS.get(loss, ())] or [loss]:
        how = X, Y, weights, biases, names, one, sample_weight, masks
        _, dW, db = reference.gradients(*how)
        parameters = [*weights, *biases]
        assert_gradients(lambda how=how: reference.gradients(*how)[0], [*dW, *db], parameters)


def test_penalties_have_their_gradients_and_differences_see_a_wrong_one():
    _, _, weights, _ = problem([4, 5, 3])
    slopes = reference.penalty(weights, 0.3, 0.2)[1]
    assert_gradients(lambda: reference.penalty(weights, 0.3, 0.2)[0], slopes, weights)
    with pytest.raises(AssertionError):
        assert_gradients(lambda: reference.penalty(weights, 0.3, 0.201)[0], slopes, weights)


def test_costs_equal_their_textbook_formulas():
    random = np.random.default_rng(1)
    z, y = random.normal(size=(6, 3)), random.uniform(size=(6, 3))
    a, p, rate = reference.sigmoid(z), reference.softmax(z), np.exp(z)
    textbook = {
        "bce": -(y * np.log(a) + (1 - y) * np.log(1 - a)),
        "cross_entropy": -y * np.log(p),
        "poisson": rate - y + y * np.log(y / rate),
    }
    for loss, expected in textbook.items():
        found, _ = reference.cost_and_delta(z, y, loss, reference.OUTPUTS[loss])
        np.testing.assert_allclose(found, expected.sum(axis=1), rtol=1e-13)


def test_costs_stay_finite_where_the_textbook_takes_log_of_zero():
    z = np.array([[-800.0], [800.0]])
    y = np.array([[1.0], [0.0]])
    np.testing.assert_array_equal(reference.bce(z, y), [[800.0], [800.0]])
    np.testing.assert_array_equal(reference.poisson(z[:1], 0 * y[:1]), [[0.0]])


@pytest.mark.parametrize("optimizer", reference.OPTIMIZERS)
def test_descent_lowers_the_cost(optimizer):
    X, Y, weights, biases = problem([4, 5, 3])
    how = X, Y / Y.sum(axis=1, keepdims=True), weights, biases, ("tanh", "softmax"), "cross_entropy"
    states = [{} for _ in (*weights, *biases)]
    costs = []
    for _ in range(20):
        J, dW, db = reference.gradients(*how)
        reference.update(weights, biases, dW, db, states, 0.01, optimizer)
        costs.append(J)
    assert all(later < earlier for earlier, later in zip(costs[:-1], costs[1:], strict=True))


def test_a_plain_update_is_descent():
    X, Y, weights, biases = problem([4, 5, 3])
    layers = [[array.copy() for array in part] for part in (weights, biases)]
    how = ("relu", "identity"), "mae"
    J, dW, db = reference.gradients(X, Y, *layers, *how)
    reference.update(*layers, dW, db, [{}] * 4, 0.1)
    assert reference.descend(X, Y, weights, biases, *how, 0.1) == J
    for one, other in zip([*weights, *biases], [*layers[0], *layers[1]], strict=True):
        np.testing.assert_array_equal(one, other)


def test_norms_are_shortened_to_their_limit_and_no_further():
    long, short = np.array([[3.0, 4.0]]), np.array([[0.3, 0.4]])
    np.testing.assert_allclose(reference.clip([long, 0 * short], 2.5)[0], [[1.5, 2.0]])
    np.testing.assert_array_equal(reference.clip([short], 2.5)[0], short)
    weights = [np.vstack([long, short])]
    reference.limit_norms(weights, 2.5)
    np.testing.assert_allclose(weights[0], [[1.5, 2.0], [0.3, 0.4]])


@pytest.mark.parametrize(
    "hidden, output, loss, optimizer",
    [
        ("swish", "identity", "mse", "sgd"),
        ("tanh", "swish", "mse", "sgd"),
        ("tanh", "identity", "hinge", "sgd"),
        ("tanh", "softmax", "bce", "sgd"),
        ("tanh", "identity", "mse", "lion"),
    ],
)
def test_an_unknown_name_is_refused(hidden, output, loss, optimizer):
    X, Y, weights, biases = problem([4, 5, 3])
    with pytest.raises(ValueError):
        _, dW, db = reference.gradients(X, Y, weights, biases, (hidden, output), loss)
        reference.update(weights, biases, dW, db, [{}] * 4, 0.1, optimizer)


def test_the_example_by_hand_is_printed_step_by_step():
    """Against figures of a pocket calculator; the step and the check are those of its gradients."""
    command = [sys.executable, "-W", "error", "-m", "bpcore.reference"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for line in (
        "z1 = W1 x + b1                          2.0000  -1.0000",
        "a1 = g(z1) = 1 / (1 + exp(-z1))         0.8808   0.2689",
        "C = -y log a2 - (1 - y) log(1 - a2)     0.4769",
        "delta2 = dC/da2 g'(z2) = a2 - y        -0.3793",
        "dW2 = delta2 a1^T                      -0.3341  -0.1020",
        "delta1 = (W2^T delta2) * g'(z1)        -0.0796   0.0746",
        "by differences                         -0.0796  -0.1593",
        "W1                                      3.0398  -0.9204",
        "b2                                     -0.8104",
        "C, forward again                        0.3319",
    ):
        assert f"  {line}" in printed.splitlines()


def test_the_example_by_hand_is_that_of_explain():
    X, Y, weights, biases, activations, loss = reference.example()
    net = bpcore.Network([2, 2, 1], dtype="float64")
    net.weights, net.biases = weights, biases
    assert net.activation_names == activations and net.loss_name == loss
    J, dW, db = reference.gradients(X, Y, weights, biases, activations, loss)
    explained = net.explain(X, Y)
    for found, wanted in zip(explained.layers, zip(dW, db, strict=True), strict=True):
        np.testing.assert_allclose(found.dW, wanted[0], rtol=1e-14)
        np.testing.assert_allclose(found.db, wanted[1], rtol=1e-14)
    assert explained.cost == pytest.approx(J, rel=1e-14)
