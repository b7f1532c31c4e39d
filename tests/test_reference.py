"""reference.py is the oracle of other tests: here it is held against differences and textbooks."""

import numpy as np
import pytest

from bpcore import reference

PAIRS = [("sigmoid", "bce"), ("softmax", "cross_entropy")] + [
    (output, "mse") for output in reference.ACTIVATIONS
]


def problem(sizes, output, seed=0):
    random = np.random.default_rng(seed)
    X = random.normal(size=(9, sizes[0]))
    Y = np.eye(sizes[-1])[random.integers(sizes[-1], size=9)]
    weights = [random.normal(size=(o, i)) for i, o in zip(sizes[:-1], sizes[1:], strict=True)]
    biases = [random.normal(size=o) for o in sizes[1:]]
    return X, Y, weights, biases


@pytest.mark.parametrize("hidden", ["identity", "sigmoid", "tanh", "relu"])
@pytest.mark.parametrize(("output", "loss"), PAIRS)
def test_gradient_equals_central_difference(hidden, output, loss):
    X, Y, weights, biases = problem([4, 5, 3], output)
    names = (hidden, output)
    _, dW, db = reference.gradients(X, Y, weights, biases, names, loss)

    def cost():
        return reference.gradients(X, Y, weights, biases, names, loss)[0]

    for analytic, parameter in zip([*dW, *db], [*weights, *biases], strict=True):
        numeric = reference.numerical_gradient(cost, parameter)
        size = np.linalg.norm(analytic) + np.linalg.norm(numeric)
        assert size > 0
        assert np.linalg.norm(analytic - numeric) / size < 1e-7


def test_costs_equal_their_textbook_formulas():
    random = np.random.default_rng(1)
    z, y = random.normal(size=(6, 3)), random.uniform(size=(6, 3))
    a = 1 / (1 + np.exp(-z))
    textbook = -(y * np.log(a) + (1 - y) * np.log(1 - a)).sum(axis=1)
    np.testing.assert_allclose(reference.bce(z, y)[0], textbook, rtol=1e-13)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        reference.cross_entropy(z, y)[0], -(y * np.log(p)).sum(axis=1), rtol=1e-13
    )


def test_costs_stay_finite_where_the_textbook_takes_log_of_zero():
    z = np.array([[-800.0], [800.0]])
    y = np.array([[1.0], [0.0]])
    np.testing.assert_array_equal(reference.bce(z, y)[0], [800.0, 800.0])


def test_descent_lowers_the_cost():
    X, Y, weights, biases = problem([4, 5, 3], "softmax")
    costs = [
        reference.descend(X, Y, weights, biases, ("tanh", "softmax"), "cross_entropy", 0.1)
        for _ in range(20)
    ]
    assert all(later < earlier for earlier, later in zip(costs[:-1], costs[1:], strict=True))
