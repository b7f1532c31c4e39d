"""Small regression problems, and how far Adam comes with them: what faster methods are held to."""

import numpy as np
import pytest

import bpcore
from bpcore import _core
from bpcore._training.second_order import SecondOrderFit


def sine(dtype="float64", seed=1):
    """A noiseless sine and a 1-10-1 network: (net, X, Y)."""
    x = np.linspace(-1, 1, 41).reshape(-1, 1)
    net = bpcore.Network([1, 10, 1], hidden="tanh", output="identity", dtype=dtype, seed=seed)
    return net, x.astype(dtype), np.sin(np.pi * x).astype(dtype)


def exclusive_or(dtype="float64", seed=3):
    """XOR as a regression, by a 2-4-1 network."""
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype)
    net = bpcore.Network([2, 4, 1], hidden="tanh", output="identity", dtype=dtype, seed=seed)
    return net, X, (X[:, :1] != X[:, 1:]).astype(dtype)


def table(dtype="float64", seed=1, rows=200):
    """Ten features of which a few matter, bent and with noise, as in data on patients."""
    rng = np.random.default_rng(7)
    X = rng.standard_normal((rows, 10))
    y = X @ rng.standard_normal(10) + np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2]
    y = (y - y.mean()) / y.std() + 0.3 * rng.standard_normal(rows)
    net = bpcore.Network([10, 6, 1], hidden="tanh", output="identity", dtype=dtype, seed=seed)
    return net, X.astype(dtype), y.reshape(-1, 1).astype(dtype)


def two_outputs(dtype="float64", rows=50):
    """A network of two outputs, with weights of the rows."""
    rng = np.random.default_rng(5)
    net = bpcore.Network([3, 5, 2], hidden="silu", output="tanh", loss="mse", dtype=dtype, seed=1)
    X, Y = rng.standard_normal((rows, 3)), rng.uniform(-1, 1, (rows, 2))
    return net, X.astype(dtype), Y.astype(dtype), rng.integers(1, 4, rows).astype(dtype)


def diabetes(dtype="float64", seed=1):
    """The 442 patients of Efron et al. 2004, standardised, and a 10-6-1 network."""
    X, y = pytest.importorskip("sklearn.datasets", reason="its data").load_diabetes(return_X_y=True)
    X, y = (X - X.mean(0)) / X.std(0), (y - y.mean()) / y.std()
    net = bpcore.Network([10, 6, 1], hidden="tanh", output="identity", dtype=dtype, seed=seed)
    return net, X.astype(dtype), y.reshape(-1, 1).astype(dtype)


DATA_SETS = {"sine": sine, "xor": exclusive_or, "table": table, "diabetes": diabetes}


def adam(net, X, Y, epochs, learning_rate=1e-2):
    """The losses of so many full-batch epochs, each before its update; ``net`` is left alone."""
    rule = _core.Rule("adam", momentum=0.9, decay=0.999, epsilon=1e-8)
    training = _core.Training(len(X), learning_rate, epochs, rule)
    parameters = net.parameters.copy()
    moments = np.zeros((2, len(parameters)), net.dtype)
    work = net._workspace(len(X))
    data = parameters, X, Y, None, epochs * len(X), work
    training.run(net._core, *data, moments=moments)
    return training.losses


def iterations(net, optimizer, objective, epochs):
    """The Steps of a fit with a second-order method, the last one also where it moves nothing."""
    fit = SecondOrderFit(net, optimizer, objective, epochs)
    for _ in fit:
        yield fit.last
    if not fit.last.moved:
        yield fit.last
