"""Networks in int8: the formulas of ``bpcore/export/_int8.py`` in Python's own numbers are the
oracle of the simulation, and the simulation is that of the C that is exported.
"""

import ctypes
import math
import shutil
import threading
from fractions import Fraction

import numpy as np
import pytest

from bpcore import Network, Standardizer, _core
from tests import real_data
from tests.bits import needs_fused
from tests.programs import c_compiler
from tests.test_export_c import library, network, rows

needs_compiler = pytest.mark.skipif(
    shutil.which(c_compiler()[0]) is None, reason="there is no C compiler here"
)


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def logits_in_c(function, Q, outputs):
    """What a function of one row q gives for each."""
    z = np.empty((len(Q), outputs), np.int32)
    for q, row in zip(Q, z, strict=True):
        function(pointer(q), pointer(row))
    return z


def by_hand(small, x):
    """z of the last layer for one row, by the formulas, in whole numbers and fractions."""
    shift, factor = np.broadcast_to(small.shift, x.shape), np.broadcast_to(small.factor, x.shape)
    q = []
    for number, s, f in zip(x, shift, factor, strict=True):
        steps = float(np.float32(np.float32(number - s) * f))  # Each rounded to float32.
        whole = math.floor(abs(Fraction(steps)) + Fraction(1, 2)) * (1 if steps > 0 else -1)
        q.append(min(max(whole + small.zero_point, -128), 127))
    for layer in small.layers:
        z = []
        for W, b, multiplier, shift in zip(
            layer.weights.tolist(), layer.biases.tolist(), layer.multipliers.tolist(),
            layer.shifts.tolist(), strict=True,
        ):  # fmt: skip
            total = b + sum(w * a for w, a in zip(W, q, strict=True))
            assert -(2**31) <= total < 2**31
            z.append(
                layer.offset + math.floor(Fraction(total * multiplier, 2**shift) + Fraction(1, 2))
            )
        if layer is not small.layers[-1]:
            z = [min(max(number, layer.lowest), 127) for number in z]
            q = z if layer.table is None else [int(layer.table[number + 128]) for number in z]
    return [min(max(number, -(2**24)), 2**24) for number in z]


@pytest.mark.parametrize("activation", _core.ACTIVATIONS)
@pytest.mark.parametrize("standardize", [False, True])
def test_the_simulation_follows_the_formulas(activation, standardize):
    net, X = network(activation, "float32", standardize), rows("float32", 60)
    small = net.quantize(X[:40])
    X[50:] *= 100  # Far beyond the calibration.
    assert small.logits(X).tolist() == [by_hand(small, x) for x in X]


@needs_compiler
@pytest.mark.parametrize("activation", _core.ACTIVATIONS)
def test_the_c_has_the_numbers_of_the_simulation(tmp_path, activation):
    net, X = network(activation, "float32", activation < "m"), rows("float32", 300)
    small = net.quantize(X)
    X[200:] *= 100
    small.export(tmp_path / "net.c", check=X[:50])
    net_library = library(tmp_path / "net.c")
    Q = np.empty(X.shape, np.int8)
    for x, q in zip(X, Q, strict=True):
        net_library.net_quantize(pointer(x), pointer(q))
    assert np.array_equal(Q, small.quantized(X))
    assert np.array_equal(logits_in_c(net_library.net_logits, Q, 3), small.logits(X))
    Y = np.empty((len(X), 3), np.float32)
    for x, y in zip(X, Y, strict=True):
        net_library.net_forward(pointer(x), pointer(y))
    if len(_core.available_isas()) > 1:  # Where the library fuses, as the file does.
        assert np.array_equal(Y, small.forward(X))
        assert net_library.net_certificate() == 0
    if activation in ("sigmoid", "softmax"):
        classes = [net_library.net_class(pointer(q)) for q in Q]
        assert np.array_equal(classes, small.predict(X))


@needs_compiler
@needs_fused
def test_a_certificate_counts_what_one_wrong_weight_changes(tmp_path):
    net, X = network("identity", "float32"), rows("float32", 100)
    small = net.quantize(X)
    small.export(tmp_path / "net.c", check=X)
    text = (tmp_path / "net.c").read_text()
    b = small.layers[2].biases
    right = f"net_b3[3] = {{\n    {b[0]}, {b[1]}, {b[2]},"
    assert right in text
    wrong = right.replace(f" {b[1]},", f" {b[1] + 100},")
    (tmp_path / "net.c").write_text(text.replace(right, wrong))
    assert library(tmp_path / "net.c").net_certificate() == 2 * len(X)  # Its z, and its activation.


@needs_compiler
def test_ten_thousand_digits_are_the_same_in_c(tmp_path):
    (X, y), (X_test, y_test) = real_data.mnist()
    net = Network([784, 30, 10], output="softmax", seed=1)
    net.fit(X[:10000], y[:10000], epochs=3, batch_size=50, learning_rate=0.5)
    small = net.quantize(X[:500])
    small.export(tmp_path / "digits.c")
    Q = small.quantized(X_test)
    z = logits_in_c(library(tmp_path / "digits.c").digits_logits, Q, 10)
    assert np.array_equal(z, small.logits(X_test))
    figures = small.compare(net, X_test, y_test)
    assert figures["accuracy"] > figures["accuracy_before"] - 0.003


@pytest.mark.parametrize("hidden", ["sigmoid", "relu", "gelu"])
@pytest.mark.parametrize("standardize", [False, True])
def test_fives_and_eights_lose_at_most_three_in_a_thousand(hidden, standardize):
    (X, y), (X_test, y_test) = real_data.mnist58()
    net = Network([784, 64, 1], hidden=hidden, seed=1, standardize=standardize)
    net.fit(X, y, epochs=5, batch_size=50, learning_rate=0.1)
    figures = net.quantize(X[:500]).compare(net, X_test, y_test)
    assert figures["accuracy_before"] > 0.94
    assert figures["accuracy"] >= figures["accuracy_before"] - 0.003


def test_a_network_of_double_is_quantised_alike():
    net, X = network("tanh", "float32"), rows("float32", 100)
    double = Network(net.sizes, hidden="tanh", output="tanh", loss="mse", dtype="float64")
    double.parameters = net.parameters
    small, other = net.quantize(X), double.quantize(X)
    for layer, same in zip(small.layers, other.layers, strict=True):
        assert np.array_equal(layer.weights, same.weights)
    assert np.array_equal(small.quantized(X), other.quantized(X))


def test_regression_gives_values():
    net = Network([3, 5, 1], output="identity", seed=1)
    X = np.random.RandomState(0).uniform(-1, 1, (50, 3))
    small = net.quantize(X)
    assert small.predict(X).shape == (50,)
    assert set(small.compare(net, X)) == {"largest_difference"}
    assert small.logits(np.zeros((0, 3))).shape == (0, 1)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.zeros((0, 2)), ValueError, "X has no rows, but the ranges of all layers"),
        (np.zeros((5, 3)), ValueError, "X has 3 features, but the network expects 2"),
        ([[0, np.inf]], ValueError, r"X\[0, 1\] is inf"),
    ],
)
def test_rows_that_do_not_fit_are_refused(X, error, message):
    with pytest.raises(error, match=message):
        Network([2, 3, 1], seed=1).quantize(X)


def test_sparse_rows_are_refused():
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    with pytest.raises(TypeError, match=r"X is sparse, but dense rows are expected: X.toarray\(\)"):
        Network([2, 3, 1], seed=1).quantize(sparse.csr_array(np.eye(2)))


def test_sums_beyond_32_bits_are_refused():
    net = Network([2, 3, 1], hidden="relu", seed=1)
    net.biases[0][1] = 1e30
    net.weights[1][...] *= 1e-30
    with pytest.raises(ValueError, match="layer 1 cannot be int8: a sum of unit 1 may reach"):
        net.quantize(np.eye(2))


def test_activations_that_overflow_are_refused():
    net = Network([2, 3, 1], hidden="exp", seed=1)
    net.biases[0][1] = 1e3
    with pytest.raises(ValueError, match=r"activations of layer 1\[0, 1\] is inf"):
        net.quantize(np.eye(2))


def test_a_network_that_never_changes_is_quantised():
    net = Network([2, 3, 1], hidden="tanh", seed=1)
    net.parameters[...] = 0
    assert net.quantize(np.zeros((4, 2))).forward(np.eye(2)).tolist() == [[0.5], [0.5]]


def test_weights_of_any_sign_and_scale_keep_their_sign():
    """Each output has its own scale: one that is a thousandth of its neighbour is no worse."""
    net = Network([20, 2], output="identity", seed=1)
    net.weights[0][1] = 1e-3 * net.weights[0][0]
    X = rows("float32", 200)
    A = net.quantize(X).forward(X)
    spread = np.ptp(net.forward(X), axis=0)
    # 20 weights and 20 inputs, each rounded by at most half of a 127th or 255th of its range.
    assert np.all(np.abs(A - net.forward(X)).max(axis=0) < 20 * 0.5 / 127 * spread)


def test_scaling_is_part_of_the_first_step():
    net, X = Network([2, 1], seed=1), np.array([[1000.0, -3.0], [1002.0, -1.0], [1001.0, 0.0]])
    net.scaling = Standardizer(X.mean(axis=0), 1 / X.std(axis=0))
    small = net.quantize(X)
    assert small.shift.shape == (2,)
    assert np.abs(small.forward(X) - net.forward(X)).max() < 0.01


@pytest.mark.parametrize(
    ("scale", "settings"),
    [(1e-42, {}), (1e300, {"dtype": "float64"}), (1e-300, {"dtype": "float64"})],
)
def test_what_float32_cannot_scale_is_refused(scale, settings):
    net = Network([2, 1], output="identity", seed=1, **settings)
    with pytest.raises(ValueError, match="so large or so small that float32 has no steps"):
        net.quantize(np.eye(2) * scale)


def test_a_feature_whose_mean_hides_its_steps_is_refused():
    X = 1.7e9 + np.arange(200.0)[:, None]  # Seconds of some hours, in float32 128 apart.
    net = Network([1, 1], standardize=True, dtype="float64", seed=1)
    net.fit(X, np.arange(200) > 100, epochs=1, learning_rate=0.1)
    with pytest.raises(ValueError, match="feature 0 is about 1.7e\\+09, beside which float32"):
        net.quantize(X)


def test_columns_of_a_frame_have_their_names():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame(np.eye(3), columns=list("abc"))
    net = Network([3, 1], seed=1)
    net.fit(frame, [0, 1, 0], epochs=1, learning_rate=0.1)
    small = net.quantize(frame)
    assert small.feature_names == ("a", "b", "c")
    for use in (net.quantize, small.predict, small.forward):
        with pytest.raises(ValueError, match="X has its columns in another order"):
            use(frame[["b", "a", "c"]])


def test_no_rows_are_refused_where_some_are_needed(tmp_path):
    net = Network([2, 1], seed=1)
    small = net.quantize(np.eye(2))
    with pytest.raises(ValueError, match="X has no rows"):
        small.compare(net, np.zeros((0, 2)))
    with pytest.raises(ValueError, match="check has no rows"):
        small.export(tmp_path / "net.c", check=np.zeros((0, 2)))
    for name in ("net.h", "net.onnx", "net"):
        with pytest.raises(ValueError, match="but it must end in .c"):
            small.export(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("use", ["quantize", "explain"])
def test_a_network_that_trains_in_another_thread_is_not_used(use):
    net = Network([2, 1], seed=1)
    X = np.eye(2)
    errors = []

    def other_thread():
        with pytest.raises(RuntimeError) as error:
            net.quantize(X) if use == "quantize" else net.explain(X[0], 1)
        errors.append(error)

    def callback(net, history):
        thread = threading.Thread(target=other_thread)
        thread.start()
        thread.join()

    net.fit(X, [0, 1], epochs=1, learning_rate=0.1, callbacks=callback)
    assert len(errors) == 1
