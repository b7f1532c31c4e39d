"""Laws of bpcore.classic: what the tutorials' code takes and trains on, it takes alike.

Numbers for columns of one element, one bias or label for all, labels of any type, data that is
replaced after the network was made: the tutorials' code is the oracle. Where that would give the
parameters other shapes, by NumPy's rules of broadcasting, an error says so.
"""

import contextlib
import io
import random

import numpy as np
import pytest

from bpcore import classic
from tests import tutorials

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.standard_normal((8, 3)), np.array([0.0, 1, 1, 0, 1, 1, 1, 0])


def assert_alike(train, theirs):
    tutorials.assert_same_outcome(*(tutorials.outcome(one, train) for one in (classic, theirs)))


def everything(network):
    return [*network.weights, *network.biases]


class Plain:
    """A mixin that leaves the loop to C."""


class WithBackprop:
    """A mixin whose override leaves the numbers alone, and the loop to the methods."""

    def backprop(self, x, y):
        return super().backprop(x, y)


class WithCost:
    """Likewise, but for the slope of the cost alone."""

    def cost_derivative(self, output_activations, y):
        return super().cost_derivative(output_activations, np.asarray(y))


# ---- Network: forms of x and y -------------------------------------------------------------------

FORMS = {
    "float": float,
    "int": round,
    "numpy float": np.float64,
    "numpy int": lambda v: np.int64(round(v)),
    "no dimension": np.array,
    "(1,)": lambda v: np.array([v]),
    "(1, 1)": lambda v: np.array([[v]]),
    "bool": lambda v: np.array([[v > 0.5]]),
    "uint8": lambda v: np.array([[round(v)]], np.uint8),
    "float32": lambda v: np.array([[v]], np.float32),
}


@pytest.mark.parametrize("place", tutorials.PLACES)
@pytest.mark.parametrize("mixin", [Plain, WithBackprop, WithCost])
@pytest.mark.parametrize("sizes", [[3, 1], [3, 4, 1], [3, 4, 2]])
@pytest.mark.parametrize("form", FORMS)
def test_a_target_may_be_a_number_for_all_outputs(place, mixin, sizes, form):
    pairs = [(x.reshape(3, 1), FORMS[form](y)) for x, y in zip(X, Y, strict=True)]

    def train(module):
        network = type("N", (mixin, module.Network), {})(sizes)
        network.SGD(pairs, 2, 3, 0.7, None)
        return everything(network)

    assert_alike(train, tutorials.find(place, "Network"))


@pytest.mark.parametrize("place", tutorials.PLACES)
@pytest.mark.parametrize("mixin", [Plain, WithBackprop, WithCost])
@pytest.mark.parametrize("form", ["numpy float", "numpy int", "no dimension", "(1, 1)", "uint8"])
def test_an_only_input_may_be_a_number(place, mixin, form):
    pairs = [(FORMS[form](x), y) for x, y in zip(abs(X[:, 0]), Y, strict=True)]

    def train(module):
        network = type("N", (mixin, module.Network), {})([1, 4, 1])
        network.SGD(pairs, 2, 3, 0.7, pairs)
        return [*everything(network), network.feedforward(pairs[0][0])]

    assert_alike(train, tutorials.find(place, "Network"))


def test_numbers_for_one_output_give_what_the_tutorials_code_gives():
    np.random.seed(0)
    random.seed(0)
    network = classic.Network([1, 1])
    with contextlib.redirect_stdout(io.StringIO()):
        network.SGD([([[0.0]], 0), ([[1.0]], 1)], 1, 2, 1.0)
    np.testing.assert_allclose(network.weights[0], [[0.404916]], atol=5e-7)


def test_rows_of_one_array_may_be_the_pairs():
    pairs = RANDOM.random((9, 2))

    def train(module):
        network = module.Network([1, 3, 1])
        network.SGD(pairs, 2, 4, 0.7, None)
        return everything(network)

    assert_alike(train, tutorials)


# ---- Network: parameters that the user sets ------------------------------------------------------


def biases_of(form):
    def change(network):
        network.biases = [form(0.5) for _ in network.biases]

    return change


def other_layers(network):
    """As a reader may load them; `sizes` is what the network was made with."""
    network.weights = [0.1 * np.arange(12).reshape(4, 3), np.full((2, 4), 0.3)]
    network.biases = [np.zeros((4, 1)), np.ones((2, 1))]


CHANGES = {
    "number": biases_of(np.float64),
    "no dimension": biases_of(np.array),
    "(1,)": biases_of(lambda v: np.array([v])),
    "(1, 1)": biases_of(lambda v: np.array([[v]])),
    "other layers": other_layers,
    "no sizes": lambda network: vars(network).pop("sizes"),
}


@pytest.mark.parametrize("place", tutorials.PLACES)
@pytest.mark.parametrize("mixin", [Plain, WithBackprop, WithCost])
@pytest.mark.parametrize("change", CHANGES)
def test_a_network_goes_on_from_what_its_lists_hold(place, mixin, change):
    pairs = [(x.reshape(3, 1), np.array([[y], [1 - y]])) for x, y in zip(X, Y, strict=True)]
    labels = [(x, 0) for x, _ in pairs]

    def train(module):
        network = type("N", (mixin, module.Network), {})([3, 5, 2])
        CHANGES[change](network)
        print(network.evaluate(labels))
        network.SGD(pairs, 2, 3, 0.7, labels)
        return everything(network)

    assert_alike(train, tutorials.find(place, "Network"))


def test_the_weights_of_one_unit_may_be_a_row():
    pairs = [(x.reshape(3, 1), y) for x, y in zip(X, Y, strict=True)]

    def train(module):
        network = module.Network([3, 1])
        network.weights = [network.weights[0][0]]
        network.SGD(pairs, 2, 3, 0.7, None)
        return everything(network)

    assert_alike(train, tutorials)


# ---- ANN -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [Y, Y[None], np.array([Y, 1 - Y]), Y.astype(np.uint8), Y > 0])
@pytest.mark.parametrize("layers", [[2], [4, 2]])
def test_ann_trains_several_outputs(layers, labels):
    def train(module):
        network = module.ANN(list(layers))
        network.fit(X, labels, 0.5, 201)
        network.predict(X, labels)
        return [network.parameters[name] for name in sorted(network.parameters)] + network.costs

    assert_alike(train, tutorials)


@pytest.mark.parametrize(
    ("rows", "labels"),
    [(X[1:2], Y[1]), (X[1:2], Y[1:2]), (X, 1), (X, Y[1]), (X, Y[:1]), (X, Y > 0), (X, Y[None])],
)
def test_predict_takes_a_label_for_all(rows, labels):
    def train(module):
        network = module.ANN([4, 1])
        network.fit(X, Y, 0.5, 3)
        network.predict(rows, labels)
        return []

    assert_alike(train, tutorials)


def test_one_sample_has_one_label():
    def train(module):
        network = module.ANN([4, 1])
        network.fit(X[1:2], np.ones(1) if module is tutorials else 1, 0.5, 3)
        return [network.parameters["W1"]]

    assert_alike(train, tutorials)


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("bias", [0.5, np.float64(0.5), np.array([0.5]), np.array([[0.5]])])
def test_a_bias_may_be_a_number_for_all_units(bias, slow):
    """`slow` leaves the loop to the methods."""

    def train(module):
        class First(module.ANN):
            def initialize_parameters(self):
                super().initialize_parameters()
                self.parameters["b1"] = bias

        class Second(module.NeuralNetwork):
            def initialize(self):
                super().initialize()
                self.b[1] = bias

        first, second = First([4, 1]), Second(X.T, Y[None])
        if slow:
            first.sigmoid = lambda Z: 1 / (1 + np.exp(-Z))
            second.sigmoid = lambda Z: 1 / (1 + np.exp(-Z))
        first.fit(X, Y, 0.5, 3)
        second.NN([4, 1], 3, 0.5)
        return [first.parameters["W1"], first.parameters["b1"], second.W[1], second.b[1]]

    assert_alike(train, tutorials)


# ---- All three -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [np.array(0.5), np.array([0.5]), np.array([[0.5]])])
def test_a_learning_rate_may_be_an_array_of_one(rate):
    pairs = [(x.reshape(3, 1), y) for x, y in zip(X, Y, strict=True)]

    def train(module):
        first, second, third = module.ANN([2, 1]), module.NeuralNetwork(X.T, Y[None]), None
        first.fit(X, Y, rate, 3)
        second.NN([2, 1], 3, rate)
        third = module.Network([3, 1])
        third.SGD(pairs, 2, 3, rate, None)
        return [first.parameters["W1"], second.W[1], *everything(third)]

    assert_alike(train, tutorials)


def new_data(network):
    network.X, network.Y = 0.3 * network.X, 1 - network.Y


def other_activations(network):
    network.A[0] = 2 * network.X


def other_mean(network):
    network.m = 4


@pytest.mark.parametrize("place", tutorials.PLACES)
@pytest.mark.parametrize("change", [new_data, other_activations, other_mean])
def test_neural_network_begins_with_the_activations_that_it_was_made_with(place, change):
    """In the tutorial A[0] becomes X at the end of an iteration; m is what it was."""

    def train(module):
        network = module.NeuralNetwork(X.T, Y[None])
        change(network)
        network.NN([4, 1], 5, 0.5)
        return [*network.W.values(), *network.b.values(), *network.Delta.values()]

    assert_alike(train, tutorials.find(place, "NeuralNetwork"))
