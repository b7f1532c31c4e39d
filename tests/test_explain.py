"""Laws of Network.explain: its numbers, by hand and by the reference, and the forms they take."""

import re
from html.parser import HTMLParser
from math import exp, log

import numpy as np
import pytest

import bpcore
from bpcore import reference
from bpcore._explanation import shown
from tests.core_network import HIDDEN, LOSS_PARAMETERS, PAIRS


def by_hand(dtype="float64"):
    """The network of docs/course/by_hand.md, 2-2-1."""
    net = bpcore.Network([2, 2, 1], dtype=dtype)
    net.weights = [[[3, -1], [-2, 1]], [[2, -1]]]
    net.biases = [[1, -1], [-1]]
    return net


def test_the_example_is_what_a_hand_computes():
    first, last = (explained := by_hand().explain([1, 2], 1)).layers
    z1 = [3 * 1 - 1 * 2 + 1, -2 * 1 + 1 * 2 - 1]
    a1 = [1 / (1 + exp(-2)), 1 / (1 + exp(1))]
    z2 = 2 * a1[0] - 1 * a1[1] - 1
    a2 = 1 / (1 + exp(-z2))
    delta2 = a2 - 1
    back = [2 * delta2, -1 * delta2]
    slope = [a1[0] * (1 - a1[0]), a1[1] * (1 - a1[1])]
    delta1 = [back[0] * slope[0], back[1] * slope[1]]
    for found, wanted in (
        (first.z, z1),
        (first.a, a1),
        (last.z, [z2]),
        (last.a, [a2]),
        (explained.cost, -log(a2)),
        (last.delta, [delta2]),
        (last.dW, [[delta2 * a1[0], delta2 * a1[1]]]),
        (last.db, [delta2]),
        (first.dC_da, back),
        (first.slope, slope),
        (first.delta, delta1),
        (first.dW, [[delta1[0] * 1, delta1[0] * 2], [delta1[1] * 1, delta1[1] * 2]]),
        (first.db, delta1),
    ):
        # A handful of operations on numbers around 1, each rounded to 1.1e-16.
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-15)
    assert last.dC_da is None and last.slope is None  # bce and sigmoid: delta is a - y at once.


def test_the_example_in_the_digits_of_a_pocket_calculator():
    """From a calculator with four decimals, not from a program."""
    text = str(by_hand("float32").explain([1, 2], 1))
    for line in (
        "z1 = W1 x + b1                             2       -1",
        "a1 = sigmoid(z1)                      0.8808   0.2689",
        "z2 = W2 a1 + b2                       0.4927",
        "a2 = sigmoid(z2)                      0.6207",
        "C = -y log a2 - (1 - y) log(1 - a2)   0.4769",
        "delta2 = a2 - y                      -0.3793",
        "dW2 = delta2 a1^T                    -0.3341  -0.1020",
        "db2 = delta2                         -0.3793",
        "W2^T delta2                          -0.7585   0.3793",
        "g'(z1) = a1 (1 - a1)                  0.1050   0.1966",
        "delta1 = (W2^T delta2) * g'(z1)      -0.0796   0.0746",
    ):
        assert f"  {line}" in text.splitlines()


def assert_as_in_the_reference(explained, activations):
    """All numbers of an explanation in float64, computed once more in NumPy."""
    layers, loss = explained.layers, explained.loss
    x = explained.x if explained.standardized is None else explained.standardized
    X, Y = x[None], explained.y[None]
    weights, biases = [layer.W for layer in layers], [layer.b for layer in layers]
    A, Z = reference.forward(X, weights, biases, activations)
    J, dW, db = reference.gradients(X, Y, weights, biases, activations, loss)
    _, delta = reference.cost_and_delta(Z[-1], Y, loss, activations[-1])
    # The numbers are of size 1, and the sums have at most five terms.
    close = dict(rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(explained.cost, J, **close)
    for i in reversed(range(len(layers))):
        found = layers[i]
        for name, wanted in (("z", Z[i][0]), ("a", A[i + 1][0]), ("dW", dW[i]), ("db", db[i])):
            np.testing.assert_allclose(getattr(found, name), wanted, **close)
        np.testing.assert_allclose(found.delta, delta[0], **close)
        _, backward = reference.ACTIVATIONS[activations[i]]
        if found.slope is not None:
            slope = backward(np.ones_like(Z[i]), Z[i], A[i + 1])
            np.testing.assert_allclose(found.slope, slope[0], **close)
            np.testing.assert_allclose(found.dC_da * found.slope, found.delta, **close)
        if i:
            d = delta @ weights[i]
            np.testing.assert_allclose(layers[i - 1].dC_da, d[0], **close)
            _, backward = reference.ACTIVATIONS[activations[i - 1]]
            delta = backward(d, Z[i - 1], A[i])


@pytest.mark.parametrize("output, loss", PAIRS)
def test_every_loss_is_explained_as_the_reference_computes_it(output, loss):
    for one in [(loss, number) for number in LOSS_PARAMETERS.get(loss, ())] or [loss]:
        net = bpcore.Network(
            [4, 5, 3], hidden="tanh", output=output, loss=one, dtype="float64", seed=1
        )
        x, y = np.array([0.5, -1.0, 2.0, 0.1]), np.array([1.0, 0.0, 0.0])
        explained = net.explain(x, y)
        assert_as_in_the_reference(explained, ("tanh", output))
        has_slope = loss not in reference.OUTPUTS and output != "softmax"
        assert (explained.layers[-1].slope is not None) == has_slope
        assert f"cost: {loss}" in str(explained)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_every_activation_is_explained_as_the_reference_computes_it(hidden):
    net = bpcore.Network([4, 5, 4, 2], hidden=hidden, dtype="float64", seed=2)
    explained = net.explain([0.5, -1.0, 2.0, 0.1], [1, 0])
    assert_as_in_the_reference(explained, (hidden, hidden, "sigmoid"))
    assert f"a2 = {hidden}(z2)" in str(explained)


def test_the_comparison_with_the_reference_sees_a_wrong_number():
    explained = by_hand().explain([1, 2], 1)
    explained.layers[0].delta[1] *= 1 + 1e-9
    with pytest.raises(AssertionError):
        assert_as_in_the_reference(explained, ("sigmoid", "sigmoid"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_are_the_bits_of_the_network(dtype):
    net = bpcore.Network([20, 30, 10, 3], output="softmax", hidden="silu", dtype=dtype, seed=1)
    X = np.random.RandomState(0).uniform(-1, 1, (1, 20))
    explained = net.explain(X, 2)
    dW, db = net.gradients(X, [2])
    unit = bpcore.Network([1, 1], output="silu", loss="mse", dtype=dtype)
    unit.weights, unit.biases = [[[1]]], [[0]]
    for i, layer in enumerate(explained.layers):
        assert layer.a.dtype == layer.z.dtype == dtype
        np.testing.assert_array_equal(layer.a, net.activations(X)[i + 1][0])
        np.testing.assert_array_equal(layer.delta, net.deltas(X, [2])[i][0])
        np.testing.assert_array_equal(layer.dW, dW[i])
        np.testing.assert_array_equal(layer.db, db[i])
        if layer.activation == "silu":  # That of z is a: so z has its bits, too.
            np.testing.assert_array_equal(unit.forward(layer.z[:, None])[:, 0], layer.a)
    assert explained.cost == net.loss(X, [2])


def test_an_explanation_stays_when_the_network_learns():
    net = by_hand()
    x = np.array([1.0, 2.0])
    before = net.parameters.copy()
    explained = net.explain(x, 1)
    np.testing.assert_array_equal(net.parameters, before)
    text = str(explained)
    net.fit([[1, 2]], [1], epochs=1, learning_rate=0.5)
    x[:] = 0
    assert str(explained) == text
    assert net.explain([1, 2], 1).cost == pytest.approx(0.3319, abs=5e-5)  # As by hand.


def test_standardisation_is_the_first_step():
    X = np.array([[1.0, 10.0], [3.0, 30.0]])
    net = bpcore.Network([2, 2, 1], standardize=True, dtype="float64", seed=1)
    net.fit(X, [0, 1], epochs=1, learning_rate=0.1)
    explained = net.explain(X[1], 1)
    np.testing.assert_array_equal(explained.x, [3, 30])
    np.testing.assert_allclose(explained.standardized, [1, 1])
    assert_as_in_the_reference(explained, ("sigmoid", "sigmoid"))
    lines = str(explained).splitlines()
    assert [line.split()[0] for line in lines[3:8]] == ["given", "shift", "scale", "x", "y"]
    assert "x = (given - shift) * scale" in lines[6]


def test_one_sample_may_come_in_any_shape_that_says_so():
    softmax = bpcore.Network([2, 3], output="softmax", seed=1)
    one = softmax.explain([1, 2], 1)
    for x, y in (([[1, 2]], [1]), ([1, 2], [0, 1, 0]), (np.array([1, 2]), [[0, 1, 0]])):
        np.testing.assert_array_equal(softmax.explain(x, y).layers[0].dW, one.layers[0].dW)
    np.testing.assert_array_equal(one.y, [0, 1, 0])
    for y in (1, [1], [[1]], np.float32(1)):
        assert by_hand().explain([1, 2], y).cost == by_hand().explain([[1, 2]], 1).cost


def test_a_sparse_row_is_a_sample():
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed: pip install scipy")
    x = sparse.csr_matrix([[1.0, 2.0]])
    assert str(by_hand().explain(x, 1)) == str(by_hand().explain([1, 2], 1))


@pytest.mark.parametrize(
    "x, y, says",
    [
        ([[1, 2], [3, 4]], [0, 1], r"x has shape \(2, 2\), but one sample .* \(2,\) is expected"),
        (3.0, 1, r"x has shape \(\), but one sample is explained"),
        ([1, 2, 3], 1, "x has 3 features, but the network expects 2"),
        ([1, np.nan], 1, r"x\[0, 1\] is nan"),
        ([1, 2], [0, 1], "x has 1 rows, but y has 2"),
        ([1, 2], [[0, 1]], "y has 2 columns, but the network has 1 outputs"),
        ([1, 2], 2, "y has the value 2, but loss 'bce' needs probabilities"),
        ([[1], [1, 2]], 1, "x is not a rectangular array"),
    ],
)
def test_what_is_no_sample_is_refused(x, y, says):
    with pytest.raises(ValueError, match=says):
        by_hand().explain(x, y)


def test_a_network_whose_weights_are_not_finite_is_refused():
    net = by_hand()
    net.weights[1][0, 0] = np.inf
    with pytest.raises(ValueError, match="must be finite"):
        net.explain([1, 2], 1)


# ---- As text and as HTML -------------------------------------------------------------------------


def wide():
    net = bpcore.Network([784, 196, 10], output="softmax", seed=1)
    return net.explain(np.linspace(0, 1, 784), 3)


def test_long_rows_are_cut_in_the_middle_and_say_how_much():
    lines = str(wide()).splitlines()
    x = lines[3].split()
    assert x == ["x", "0.0000", "0.0013", "...", "780", "more", "0.9987", "1.0000"]
    assert sum("... 192 more rows" in line for line in lines) == 2  # W1 and dW1.
    assert max(map(len, lines)) <= 100


def test_text_is_plain_ascii_that_every_terminal_and_file_takes():
    for explained in (wide(), by_hand().explain([1, 2], 1)):
        assert str(explained).isascii() and not repr(explained).count("\n")
    assert repr(by_hand().explain([1, 2], 1)) == "Explanation(2-2-1, cost 0.476857)"


@pytest.mark.parametrize(
    "numbers, cells",
    [
        ([3.0, -1.0], ["3", "-1"]),
        ([0.5, -1.0], ["0.5000", "-1.0000"]),
        ([1.5e-7, -3e-9], ["1.50e-07", "-3.00e-09"]),  # Vanishing deltas keep their digits.
        ([12345.6], ["1.23e+04"]),
        ([0.0, 0.0], ["0", "0"]),
        ([1, 2, 3, 4, 5, 6], ["1", "2", "... 2 more", "5", "6"]),
    ],
)
def test_numbers_have_few_digits_and_no_lost_ones(numbers, cells):
    assert shown._cells(np.array(numbers)) == [cells]


class Page(HTMLParser):
    """Captions and cells of numbers, in their order; checks that tags are closed in theirs."""

    def __init__(self, text):
        super().__init__()
        self.open, self.captions, self.cells = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        kept = {"td": self.cells, "caption": self.captions}
        if self.open and self.open[-1] in kept:
            kept[self.open[-1]].append(data)


@pytest.mark.parametrize("explained", [by_hand().explain([1, 2], 1), wide()], ids=repr)
def test_html_has_the_steps_and_numbers_of_the_text(explained):
    page, text = Page(explained._repr_html_()), str(explained)
    assert "\n\n".join(page.captions) == "\n\n".join(re.findall(r"(?<=\n\n).*", text))
    cells = [cell.replace("\N{MINUS SIGN}", "-") for cell in page.cells]
    lines = [line for line in text.splitlines() if line.startswith("  ")]
    after_equations = (re.split(r"  +", line[2:])[1:] for line in lines)
    assert cells == [number for numbers in after_equations for number in numbers]


def test_html_writes_equations_with_superscripts():
    explained = by_hand().explain([1, 2], 1)._repr_html_()
    delta = "<i>\N{GREEK SMALL LETTER DELTA}</i>"
    assert (
        f"{delta}<sup>1</sup> = (<i>W</i><sup>2T</sup> {delta}<sup>2</sup>) "
        "\N{CIRCLED DOT OPERATOR} <i>g</i>\N{PRIME}(<i>z</i><sup>1</sup>)"
    ) in explained
    assert "delta" not in explained and "script" not in explained
    huber = bpcore.Network([2, 1], output="identity", loss=("huber", 0.5), seed=1)
    assert "&lt; 0.5" in huber.explain([1, 2], 1)._repr_html_()
