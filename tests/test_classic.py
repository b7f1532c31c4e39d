"""Laws that bpcore.classic's three classes share: the C core, interrupts, types, errors."""

import builtins
import random

import numpy as np
import pytest

from bpcore import _core, classic
from bpcore._inputs import thread_count
from bpcore.classic import ANN, Network, NeuralNetwork, _shared
from tests import tutorials


def data(n=60, features=7):
    rng = np.random.default_rng(0)
    X = rng.random((n, features)).round(2)
    return X, (X[:, 0] + X[:, 1] * X[:, 2] + 0.3 * rng.random(n) > 0.9).astype(float)


def ann(X, Y, iterations=201, layers=(5, 1), rate=0.1):
    network = ANN(list(layers))
    return network, lambda: network.fit(X, Y, rate, iterations)


def neural_network(X, Y, iterations=501, layers=(5, 1), rate=0.1):
    network = NeuralNetwork(np.transpose(X), np.reshape(Y, (1, -1)))
    np.random.seed(0)
    return network, lambda: network.NN(list(layers), iterations, rate)


def network(X, Y, iterations=3, layers=(5, 1), rate=0.1):
    columns = [(np.reshape(x, (-1, 1)), np.reshape(y, (1, 1))) for x, y in zip(X, Y, strict=True)]
    np.random.seed(0)
    random.seed(0)
    network = Network([7, *layers])
    return network, lambda: network.SGD(columns, iterations, 10, rate)


def arrays(network):
    """Weights, then biases."""
    if isinstance(network, ANN):
        return [network.parameters[name] for name in sorted(network.parameters)]
    if isinstance(network, NeuralNetwork):
        return [*network.W.values(), *network.b.values()]
    return network.weights + network.biases


def trained(make, *arguments, **options):
    network, train = make(*arguments, **options)
    train()
    return arrays(network)


def assert_same(ours, theirs, rtol=0):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol)


each = pytest.mark.parametrize("make", [ann, neural_network, network])


@pytest.fixture
def products(monkeypatch):
    """A list that gets an element for each product that is asked of the core from Python."""
    calls, matmul = [], _core.matmul
    monkeypatch.setattr(_core, "matmul", lambda *arrays: calls.append(matmul(*arrays)))
    return calls


@pytest.mark.parametrize("make", [ann, network])
def test_training_runs_in_c(products, make):
    trained(make, *data())
    assert products == []


def test_nn_runs_in_c_but_for_the_last_iteration(products):
    trained(neural_network, *data())
    assert len(products) == 5  # Two Z, two dW and one that takes Delta to the layer before.


@each
@pytest.mark.parametrize("lines", [1, 2, 3])
def test_an_interrupt_leaves_what_was_reached(monkeypatch, make, lines):
    """The interrupt comes while the last of these lines is printed."""
    reached = {ann: 100 * lines - 99, neural_network: 500 * lines - 499, network: lines}[make]
    expected = trained(make, *data(), reached)
    interrupted, train = make(*data(), 10**9)
    printed = []

    def interrupt(*line):
        printed.append(line)
        if len(printed) == lines:
            raise KeyboardInterrupt

    monkeypatch.setattr(builtins, "print", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train()
    assert_same(arrays(interrupted), expected, rtol=1e-12)


@each
def test_layout_and_type_of_the_data_do_not_matter(make):
    X, Y = data()
    X = (X * 64).astype(np.uint8)
    wide = np.zeros((60, 21), np.float32)
    wide[:, ::3] = X
    frozen = X.astype(np.float64)
    frozen.flags.writeable = False
    expected = trained(make, X.astype(np.float64), Y)
    for other in (X, X.astype(np.float32), np.asfortranarray(X), wide[:, ::3], frozen, X.tolist()):
        assert_same(trained(make, other, Y.astype(int)), expected)
    assert_same(trained(make, X, Y.astype(bool).tolist()), expected)


def test_ann_takes_labels_as_a_row():
    X, Y = data()
    assert_same(trained(ann, X, Y[None]), trained(ann, X, Y))


@pytest.mark.parametrize("make", [ann, neural_network])
def test_outputs_that_round_to_0_and_1_do_no_harm(capsys, make):
    X, Y = data()
    saturated, train = make(1000 * X, Y, 501, layers=(1,), rate=30)
    train()
    with np.errstate(all="raise"):
        if make is ann:
            A, store = saturated.forward(1000 * X)
            slopes = saturated.backward(1000 * X, Y, store)
        else:
            saturated.forward_prop()
            saturated.back_prop()
            A, slopes = saturated.A[1], saturated.dW
    assert (A == 1).any()
    for value in (*arrays(saturated), *slopes.values()):
        assert np.isfinite(value).all()
    costs = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    assert len(costs) > 1 and np.isfinite(costs).all()


def test_the_cost_of_sure_and_right_outputs_is_0():
    X, Y = data()
    sure = neural_network(X, Y)[0]
    assert sure.cost(sure.Y) == 0


DEFAULTS = {
    ANN.fit: "(self, X, Y, learning_rate=0.01, n_iterations=2500)",
    NeuralNetwork.NN: "(self, layers, num_iter, alpha=0.01, check_layer=None)",
    Network.SGD: "(self, training_data, epochs, mini_batch_size, eta, test_data=None)",
}


def test_defaults_are_the_tutorials_and_test_data_has_one():
    for method, expected in DEFAULTS.items():
        assert tutorials.signature(method) == expected


@each
def test_sigmoid_and_its_derivative_keep_shapes(make):
    first = make(*data())[0]
    sigmoid = classic.sigmoid if make is network else first.sigmoid
    names = {ann: "sigmoid_derivative", neural_network: "derivsigmoid", network: "sigmoid_prime"}
    derivative = getattr(classic if make is network else first, names[make])
    Z = np.linspace(-40, 40, 24).reshape(2, 3, 4)[:, ::-1]
    np.testing.assert_allclose(sigmoid(Z), 1 / (1 + np.exp(-Z)), rtol=1e-14)
    s = 1 / (1 + np.exp(-Z))
    np.testing.assert_allclose(derivative(Z), s * (1 - s), rtol=1e-13, atol=1e-16)
    assert sigmoid(0) == 0.5 and np.shape(sigmoid(0)) == () and derivative(0.0) == 0.25
    assert sigmoid(np.zeros((0, 3))).shape == (0, 3)


@each
def test_values_that_are_not_finite_are_refused(make):
    X, Y = data()
    X[3, 4] = np.nan
    place = {ann: r"X\[3, 4\]", neural_network: r"X\.T\[3, 4\]", network: r"x\[3, 4\]"}[make]
    with pytest.raises(ValueError, match=place + " is nan"):
        trained(make, X, Y)


@pytest.mark.parametrize("make", [ann, neural_network])
def test_a_cost_beyond_all_numbers_is_refused(make):
    X, Y = data()
    with pytest.raises(FloatingPointError):
        trained(make, 1e308 * X, Y, rate=1e308)


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (lambda X, Y: trained(ann, X, Y[1:]), r"Y must be \(n,\) with n = 60 .* \(59,\)"),
        (lambda X, Y: trained(ann, X[0], Y), r"X must be \(n, features\), .* shape \(7,\)"),
        (lambda X, Y: trained(ann, X, [Y, Y]), r"Y must be \(n,\) .* \(2, 60\)"),
        (lambda X, Y: trained(ann, X, Y[:1]), r"Y must be \(n,\) .* \(1,\)"),
        (lambda X, Y: ann(X, Y)[0].predict(X, Y[:2]), r"Y must be \(n,\) .* \(2,\)"),
        (lambda X, Y: trained(ann, X, Y, layers=()), "no layers to train"),
        (lambda X, Y: trained(ann, X[:0], Y[:0]), "X has no rows"),
        (lambda X, Y: trained(ann, X, Y * 8), "Y has the value 8"),
        (lambda X, Y: NeuralNetwork(X, Y[None]), r"columns as samples, .*\(60, 7\) and \(1, 60\)"),
        (lambda X, Y: NeuralNetwork(X.T, Y), r"\(7, 60\) and \(60,\)"),
        (
            lambda X, Y: trained(neural_network, X, Y, layers=(5, 2)),
            r"\[5, 2\], but its last must be 1",
        ),
        (lambda X, Y: trained(neural_network, X, Y, layers=()), r"\[\], but its last must be 1"),
        (lambda X, Y: NeuralNetwork(X.T, Y[None]).NN([5, 1], 9, 1, 3), "check_layer is 3"),
        (lambda X, Y: trained(network, X[:, 1:], Y), r"x of sample 0 .* \(6, 1\), .* \(7, 1\)"),
        (lambda X, Y: trained(network, X[:, :1], Y), r"x of sample 0 .* \(1, 1\), .* \(7, 1\)"),
        (
            lambda X, Y: network(X, Y)[0].SGD([(X[:1].T, Y[:2])], 1, 1, 1.0),
            r"y .* \(2,\), .* \(1, 1",
        ),
        (lambda X, Y: trained(network, [], []), "0 samples"),
        (lambda X, Y: network(X, Y)[0].SGD([(X[:1].T, Y[:1])], 1, 0, 1.0), "batches of 0"),
        (lambda X, Y: network(X, Y)[0].feedforward(X[0]), r"matrix is expected, .* \(7,\)"),
        (lambda X, Y: network(X, Y)[0].feedforward(X), "60 features, but the layer expects 7"),
    ],
)
def test_what_makes_no_sense_is_refused(refused, message):
    with pytest.raises(ValueError, match=message):
        refused(*data())


def test_other_features_after_the_fit_are_refused():
    X, Y = data()
    for make, predict in ((ann, lambda net: net.predict(X[:, 1:], Y)),
                          (neural_network, lambda net: net.predict(X.T[1:], Y[None]))):  # fmt: skip
        fitted, train = make(X, Y)
        train()
        with pytest.raises(ValueError, match="6 features, but the layer expects 7"):
            predict(fitted)


def test_weights_and_biases_that_do_not_fit_together_are_refused():
    for part, change, message in [
        ("weights", lambda W: W.T, r"W of a layer has shape \(5, 1\), .* \(5, 5\)"),
        ("biases", lambda b: np.zeros(2), r"b of a layer has shape \(2,\), .* \(1, 1\)"),
    ]:
        other, train = network(*data())
        getattr(other, part)[-1] = change(getattr(other, part)[-1])
        with pytest.raises(ValueError, match=message):
            train()


@pytest.fixture
def asked(monkeypatch):
    """A list that gets (m, k, n, threads) of each product that the core is asked for."""
    calls, matmul = [], _core.matmul

    def noted(A, B, C, threads=1):
        calls.append((*A.shape, B.shape[1], threads))
        matmul(A, B, C, threads)

    monkeypatch.setattr(_core, "matmul", noted)
    return calls


class Own(ANN):
    """The tutorial's own sigmoid: an override that changes nothing but who does the steps."""

    def sigmoid(self, Z):
        return 1 / (1 + np.exp(-Z))


def test_large_products_of_an_override_use_the_threads_of_the_process(monkeypatch, asked):
    monkeypatch.setenv(thread_count.VARIABLE, "3")
    X, Y = np.random.default_rng(0).random((4000, 100)), np.arange(4000) % 2
    Own([30, 1]).fit(X, Y, 0.1, 1)
    by_work = {m * k * n: threads for m, k, n, threads in asked}
    assert by_work == {4000 * 100 * 30: 3, 4000 * 30: 1}


def test_small_products_do_not_ask_for_the_threads(monkeypatch):
    asked = []
    monkeypatch.setattr(thread_count, "count", lambda: asked.append("the limits were read") or 1)
    Own([30, 1]).fit(np.ones((40, 100)), np.arange(40) % 2, 0.1, 1)
    assert asked == []


def test_a_cost_of_its_own_takes_five_products_a_mini_batch(asked):
    """As many as one sample: the other steps see all samples of a mini-batch at once."""

    class Doubled(Network):
        def cost_derivative(self, output_activations, y):
            return 2 * (output_activations - y)

    pairs = [(np.ones((6, 1)), np.ones((2, 1)))] * 21
    Doubled([6, 4, 2]).SGD(pairs, 1, 7, 0.1)
    assert len(asked) == 3 * 5  # Two Z, two dW and one that takes delta to the layer before.


@pytest.mark.parametrize("n", [1, 7])
@pytest.mark.parametrize("orders", ["CFC", "CCF", "FCC", "FFF"])
def test_products_are_the_same_bits_in_any_layout(n, orders):
    """A product whose second matrix lies by columns is turned; its sums stay as they are."""
    rng = np.random.default_rng(0)
    parts = rng.standard_normal((5, 30)), rng.standard_normal((30, n)), rng.standard_normal((5, 1))
    W, A, b = parts
    expected = _shared.weighted_input(W, A, b)
    # A sum of 31 terms errs by at most 31 eps times the sum of their sizes, in either order.
    bound = 2 * 31 * np.finfo(float).eps * (abs(W) @ abs(A) + abs(b))
    assert np.all(abs(expected - (W @ A + b)) <= bound)
    laid_out = (np.asarray(part, order=order) for part, order in zip(parts, orders, strict=True))
    np.testing.assert_array_equal(_shared.weighted_input(*laid_out), expected)


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (5,), ()])
def test_an_activation_is_the_same_bits_in_any_layout_and_leaves_its_input_alone(shape):
    Z = np.random.default_rng(0).standard_normal(shape)
    before, expected = Z.copy(), _shared.activation("sigmoid", Z)
    for laid_out in (np.asarray(Z, order="F"), np.repeat(Z[..., None], 2, axis=-1)[..., 0]):
        np.testing.assert_array_equal(_shared.activation("sigmoid", laid_out), expected)
    np.testing.assert_array_equal(Z, before)
