"""Laws of bpcore.classic.ANN: it does and prints what the first tutorial's class does."""

import re

import numpy as np
import pytest

from bpcore.classic import ANN
from tests import real_data, tutorials
from tests.tutorials import ANN as Oracle

NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]\d+)?")


def data(n=60, features=7):
    rng = np.random.default_rng(0)
    X = rng.random((n, features))
    return X, (X[:, 0] + X[:, 1] * X[:, 2] + 0.3 * rng.random(n) > 0.9).astype(float)


def printed(capsys, make, X, Y, **options):
    """The fitted network, and what fit and predict print."""
    network = make([5, 3, 1])
    network.fit(X, Y, **options)
    network.predict(X, Y)
    return network, capsys.readouterr().out


def assert_same_print(ours, theirs):
    """Same text, same numbers to 12 significant digits."""
    assert NUMBER.sub("#", ours) == NUMBER.sub("#", theirs)
    numbers = [[float(x) for x in NUMBER.findall(text)] for text in (ours, theirs)]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-12, abs=0)


def assert_same_arrays(ours, theirs, rtol=1e-9):
    assert ours.keys() == theirs.keys()
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], rtol, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("options", [{}, {"learning_rate": 0.5, "n_iterations": 401}])
def test_fit_and_predict_print_and_leave_what_the_tutorial_does(capsys, options):
    ours, our_print = printed(capsys, ANN, *data(), **options)
    our_random = np.random.rand()
    theirs, their_print = printed(capsys, Oracle, *data(), **options)
    assert our_random == np.random.rand()
    assert len(ours.costs) == (5 if options else 25)
    assert_same_print(our_print, their_print)
    assert_same_arrays(ours.parameters, theirs.parameters)
    assert vars(ours).keys() == vars(theirs).keys()
    assert (ours.layers_size, ours.L, ours.n) == ([7, 5, 3, 1], 3, 60)
    np.testing.assert_allclose(ours.costs, theirs.costs, rtol=1e-12)


def test_defaults_are_the_tutorials():
    assert tutorials.signature(ANN.fit) == "(self, X, Y, learning_rate=0.01, n_iterations=2500)"


def test_steps_by_hand_are_the_oracles_and_agree_with_fit():
    X, Y = data()
    ours, theirs, fitted = ANN([5, 3, 1]), Oracle([5, 3, 1]), ANN([5, 3, 1])
    for network in (ours, theirs):
        network.layers_size.insert(0, 7)
        network.initialize_parameters()
        network.n = 60
    for _ in range(5):
        (A, store), (_, their_store) = ours.forward(X), theirs.forward(X)
        assert A.shape == (1, 60)
        assert_same_arrays(store, their_store)
        derivatives = ours.backward(X, Y, store)
        assert_same_arrays(derivatives, theirs.backward(X, Y, their_store))
        assert store.keys() == their_store.keys()
        for name in ours.parameters:
            ours.parameters[name] = ours.parameters[name] - 0.5 * derivatives["d" + name]
        theirs.parameters = ours.parameters
    fitted.fit(X, Y, learning_rate=0.5, n_iterations=5)
    assert_same_arrays(ours.parameters, fitted.parameters, rtol=1e-12)


def test_backward_before_any_fit_is_the_mean_over_the_samples():
    X, Y = data()
    network = ANN([3, 1])
    network.layers_size.insert(0, 7)
    network.initialize_parameters()
    once = network.backward(X, Y, network.forward(X)[1])
    network.n = 60
    assert_same_arrays(once, network.backward(X, Y, network.forward(X)[1]))


def steeper(base):
    """A subclass with another activation, as a reader may write it."""

    class Steeper(base):
        def sigmoid(self, Z):
            return 1 / (1 + np.exp(-2 * Z))

        def sigmoid_derivative(self, Z):
            return 2 * self.sigmoid(Z) * (1 - self.sigmoid(Z))

    return Steeper


def slower(base):
    """A subclass that halves the gradient."""

    class Slower(base):
        def backward(self, X, Y, store):
            derivatives = super().backward(X, Y, store)
            return {name: value / 2 for name, value in derivatives.items()}

    return Slower


def from_zero(base):
    """A subclass with other start weights."""

    class FromZero(base):
        def initialize_parameters(self):
            super().initialize_parameters()
            self.parameters["W2"] = 0 * self.parameters["W2"]

    return FromZero


@pytest.mark.parametrize("change", [steeper, slower, from_zero])
def test_an_override_takes_effect(capsys, change):
    (X, Y), options = data(), {"learning_rate": 0.1, "n_iterations": 201}
    ours, our_print = printed(capsys, change(ANN), X, Y, **options)
    theirs, their_print = printed(capsys, change(Oracle), X, Y, **options)
    assert_same_print(our_print, their_print)
    assert_same_arrays(ours.parameters, theirs.parameters)
    assert our_print != printed(capsys, ANN, X, Y, **options)[1]


def test_a_method_put_on_the_instance_takes_effect(capsys):
    X, Y = data()
    network = ANN([3, 1])
    network.sigmoid = lambda Z: np.full(np.shape(Z), 0.5)
    network.fit(X, Y, n_iterations=1)
    assert float(capsys.readouterr().out) == pytest.approx(np.log(2))


def test_another_fit_begins_anew(capsys):
    X, Y = data()
    network, once = ANN([5, 1]), ANN([5, 1])
    network.fit(X[:, :4], Y, n_iterations=150)
    network.fit(X, Y, n_iterations=10)
    once.fit(X, Y, n_iterations=10)
    assert_same_arrays(network.parameters, once.parameters, rtol=0)
    assert (network.costs, network.layers_size) == (once.costs, [7, 5, 1])


def test_plot_cost_shows_the_costs(monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.gca()))
    network = ANN([5, 1])
    network.fit(*data(), n_iterations=301)
    network.plot_cost()
    (axes,) = shown
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epochs", "cost")
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), network.costs)
    plt.close("all")


@pytest.fixture(scope="module")
def mnist58():
    return real_data.mnist58(dtype="float64")


def test_mnist_begins_as_in_the_tutorial(capsys, mnist58):
    (X, Y), _ = mnist58
    ANN([196, 1]).fit(X, Y, learning_rate=0.1, n_iterations=1)
    assert capsys.readouterr().out.startswith("0.70437772941")


def test_part_of_mnist_gives_the_tutorials_costs(capsys, mnist58):
    (X, Y), (X_test, Y_test) = mnist58
    prints = []
    for make in (ANN, Oracle):
        network = make([30, 1])
        network.fit(X[:100], Y[:100], learning_rate=0.1, n_iterations=101)
        network.predict(X_test[:300], Y_test[:300])
        prints.append(capsys.readouterr().out)
    assert_same_print(*prints)
