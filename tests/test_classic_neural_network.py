"""Laws of bpcore.classic.NeuralNetwork: it does and prints what the second tutorial's class does.

The oracle is that class in our own words, in NumPy alone; and the tutorial's own code, where its
text lies in the folder `shared/seeds` beside the repository.
"""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from bpcore.classic import NeuralNetwork
from tests import real_data

NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]\d+)?")
SEEDS = Path(__file__).resolve().parents[2] / "shared" / "seeds"
DISTANCE = "\n Measure of diff. between vectors is "


class OwnOracle:
    """The tutorial's equations."""

    def __init__(self, X, Y):
        self.X, self.Y, self.m = X, Y, Y.shape[1]
        self.W, self.b = {}, {}
        self.clear()

    def clear(self):
        self.A, self.Z, self.dW, self.db = {0: self.X}, {}, {}, {}

    def relu(self, Z):
        return np.maximum(Z, 0)

    def derivrelu(self, Z):
        return (Z > 0).astype(int)

    def sigmoid(self, Z):
        return 1 / (1 + np.exp(-Z))

    def derivsigmoid(self, Z):
        return self.sigmoid(Z) * (1 - self.sigmoid(Z))

    def initialize(self):
        for i in range(1, self.L + 1):
            self.W[i] = np.random.randn(self.layers[i], self.layers[i - 1]) * 0.01
            self.b[i] = np.zeros((self.layers[i], 1))

    def run(self, W, b, A, Z, first):
        for i in range(first, self.L + 1):
            Z[i] = W[i] @ A[i - 1] + b[i]
            A[i] = (self.sigmoid if i == self.L else self.relu)(Z[i])

    def forward_prop(self):
        self.run(self.W, self.b, self.A, self.Z, 1)

    def cost(self, A):
        return np.sum(-self.Y * np.log(A) - (1 - self.Y) * np.log(1 - A)) / self.m

    def back_prop(self):
        A = self.A[self.L]
        delta = (-self.Y / A + (1 - self.Y) / (1 - A)) * self.derivsigmoid(self.Z[self.L])
        self.Delta = {self.L: delta}
        for i in range(self.L, 0, -1):
            self.db[i] = np.sum(self.Delta[i], axis=1, keepdims=True) / self.m
            self.dW[i] = self.Delta[i] @ self.A[i - 1].T / self.m
            if i > 1:
                self.Delta[i - 1] = self.derivrelu(self.Z[i - 1]) * (self.W[i].T @ self.Delta[i])

    def update_params(self):
        for i in range(1, self.L + 1):
            self.W[i] = self.W[i] - self.alpha * self.dW[i]
            self.b[i] = self.b[i] - self.alpha * self.db[i]
        self.clear()

    def num_J(self, eps, l):  # noqa: E741, the tutorial's name
        self.check_W[l] = eps
        self.run(self.check_W, self.check_b, self.check_A, self.check_Z, l)
        return self.cost(self.check_A[self.L])

    def check_grad(self, l):  # noqa: E741, the tutorial's name
        W = self.check_W[l].copy()
        gradient = np.zeros(W.shape)
        for i in range(W.size):
            eps = 1e-7 * np.eye(1, W.size, i).reshape(W.shape)
            gradient.flat[i] = (self.num_J(W + eps, l) - self.num_J(W - eps, l)) / 2e-7
        return gradient

    def NN(self, layers, num_iter, alpha=0.01, check_layer=None):
        self.layers, self.L = [self.X.shape[0], *layers], len(layers)
        self.alpha, self.num_iter = alpha, num_iter
        self.initialize()
        for i in range(num_iter):
            self.forward_prop()
            if i % 500 == 0:
                print(f"cost after iteration {i}: {self.cost(self.A[self.L])}")
            self.back_prop()
            if i == num_iter - 1 and check_layer:
                for name in "WbAZ":
                    setattr(self, "check_" + name, getattr(self, name).copy())
                a, n = self.dW[check_layer], self.check_grad(check_layer)
                norm = np.linalg.norm
                print(DISTANCE + str(norm(a - n) / (norm(a) + norm(n))))
            self.update_params()

    def predict(self, X, Y):
        A = {0: X}
        self.run(self.W, self.b, A, {}, 1)
        return float(np.mean((A[self.L] > 0.5) == Y))


@pytest.fixture(params=["own", "tutorial"])
def oracle(request):
    """The class to compare with: our own words, then the tutorial's own code."""
    if request.param == "own":
        return OwnOracle
    for path in sorted(SEEDS.glob("*.txt")):
        text = path.read_text("utf-8")
        if "class NeuralNetwork:" in text:
            code = text[text.index("class NeuralNetwork:") :].split("\n&emsp;")[0]
            # Its float() of a matrix of one element is refused by recent versions of NumPy.
            names = {"np": np, "float": lambda x: np.asarray(x).item()}
            exec(code, names)
            return names["NeuralNetwork"]
    pytest.skip("the tutorial's text is not in shared/seeds beside the repository")


def data(m=40, features=12):
    rng = np.random.default_rng(0)
    X = 3 * rng.standard_normal((features, m))
    return X, (X[:1] + X[1:2] * X[2:3] > 0).astype(int)


def trained(capsys, make, *arguments, **options):
    """The trained network, and what it printed; its last line is what predict returns."""
    np.random.seed(0)
    network = make(*data())
    network.NN(*arguments, **options)
    print(network.predict(*data()))
    return network, capsys.readouterr().out


def assert_same_print(ours, theirs):
    """Same text, same numbers to 12 digits; the distance of the gradients is rounding alone."""
    assert NUMBER.sub("#", ours) == NUMBER.sub("#", theirs)
    distances = re.findall(DISTANCE + "(.*)", ours)
    assert all(float(distance) < 1e-6 for distance in distances)
    ours, theirs = (re.sub(DISTANCE + ".*", "", text) for text in (ours, theirs))
    numbers = [[float(x) for x in NUMBER.findall(text)] for text in (ours, theirs)]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-12, abs=0)


def assert_same_attributes(ours, theirs):
    ours, theirs = vars(ours), vars(theirs)
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        if not isinstance(value, dict):
            np.testing.assert_array_equal(ours[name], value)
            continue
        assert ours[name].keys() == value.keys(), name
        for i in value:
            label = f"{name}[{i}]"
            np.testing.assert_allclose(ours[name][i], value[i], 1e-8, 1e-12, err_msg=label)
            assert ours[name][i].shape == value[i].shape, label


@pytest.mark.parametrize(
    "arguments",
    [
        ([5, 1], 1001, 0.05, 2),
        ([5, 1], 501, 0.05, 1),
        ([4, 3, 1], 1001, 0.3, 2),
        ([5, 1], 750),
        ([5, 1], 1, 0.5, 1),
        ([5, 1], 0),
    ],
)
def test_nn_prints_and_leaves_what_the_tutorial_does(capsys, oracle, arguments):
    ours, our_print = trained(capsys, NeuralNetwork, *arguments)
    our_random = np.random.rand()
    theirs, their_print = trained(capsys, oracle, *arguments)
    assert our_random == np.random.rand()
    assert_same_print(our_print, their_print)
    assert_same_attributes(ours, theirs)


def test_defaults_are_the_tutorials():
    expected = "(self, layers, num_iter, alpha=0.01, check_layer=None)"
    assert str(inspect.signature(NeuralNetwork.NN)) == expected


def test_steps_by_hand_are_the_oracles_and_agree_with_nn(capsys, oracle):
    ours, theirs, whole = NeuralNetwork(*data()), oracle(*data()), NeuralNetwork(*data())
    for network in (ours, theirs):
        network.layers, network.L, network.alpha, network.num_iter = [12, 5, 1], 2, 0.05, 7
        np.random.seed(0)
        network.initialize()
    for _ in range(7):
        for network in (ours, theirs):
            network.forward_prop()
        assert ours.cost(ours.A[2]) == pytest.approx(theirs.cost(theirs.A[2]), rel=1e-13)
        for network in (ours, theirs):
            network.back_prop()
        assert_same_attributes(ours, theirs)
        for network in (ours, theirs):
            network.update_params()
    np.random.seed(0)
    whole.NN([5, 1], 7, 0.05)
    assert_same_attributes(ours, whole)


def leaky(base):
    """A subclass with another activation, as a reader may write it."""

    class Leaky(base):
        def relu(self, Z):
            return np.where(Z > 0, Z, 0.1 * Z)

        def derivrelu(self, Z):
            return np.where(Z > 0, 1, 0.1)

    return Leaky


def decaying(base):
    """A subclass with another update."""

    class Decaying(base):
        def update_params(self):
            super().update_params()
            self.W = {i: 0.99 * W for i, W in self.W.items()}

    return Decaying


def scaled(base):
    """A subclass with another output unit."""

    class Scaled(base):
        def sigmoid(self, Z):
            return 1 / (1 + np.exp(-2 * Z))

        def derivsigmoid(self, Z):
            return 2 * self.sigmoid(Z) * (1 - self.sigmoid(Z))

    return Scaled


def larger(base):
    """A subclass with larger start weights: no step of the training, which stays in C."""

    class Larger(base):
        def initialize(self):
            super().initialize()
            self.W = {i: 20 * W for i, W in self.W.items()}

    return Larger


@pytest.mark.parametrize("change", [leaky, decaying, scaled, larger])
def test_an_override_takes_effect(capsys, oracle, change):
    arguments = [5, 1], 601, 0.01, 2
    ours, our_print = trained(capsys, change(NeuralNetwork), *arguments)
    theirs, their_print = trained(capsys, change(oracle), *arguments)
    assert_same_print(our_print, their_print)
    assert_same_attributes(ours, theirs)
    assert our_print != trained(capsys, NeuralNetwork, *arguments)[1]


def test_cats_give_the_tutorials_costs(capsys):
    (X, y), (X_test, y_test) = real_data.cats(dtype="float64")
    network = NeuralNetwork(X.T, y[None])
    np.random.seed(0)
    network.NN([7, 1], 501, alpha=0.0077, check_layer=2)
    first, second, _, distance = capsys.readouterr().out.splitlines()
    assert first.startswith("cost after iteration 0: 0.69194616462")
    assert second.startswith("cost after iteration 500: 0.49593344652")
    assert float(distance.removeprefix(DISTANCE[1:])) < 1e-8
    assert 0.3 < network.predict(X_test.T, y_test[None]) < 0.9
