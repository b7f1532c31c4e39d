"""Errors say what was given, what was expected, and change nothing."""

import numpy as np
import pytest

import bpcore
from tests.compressed import Rows

X = np.random.default_rng(0).normal(size=(8, 3))
LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1])


def with_value(value):
    changed = X.copy()
    changed[4, 1] = value
    return changed


def assert_refused(net, calls, error, says):
    """Each call is, and none changes the network."""
    before = net.parameters.copy()
    for call in calls:
        with pytest.raises(error, match=says):
            call()
    np.testing.assert_array_equal(net.parameters, before)
    assert net.epochs == 0


NETWORKS = [
    (dict(sizes=[3]), ValueError, "inputs and outputs are needed"),
    (dict(sizes=3), TypeError, "a sequence is expected"),
    (dict(sizes=[3, 0]), ValueError, r"sizes\[1\] is 0, but it must be at least 1"),
    (dict(sizes=[3, 2.5]), TypeError, r"sizes\[1\] is 2.5, but a whole number"),
    (dict(sizes=[3, -1]), ValueError, "at least 1"),
    (dict(sizes=[2**64, 1]), ValueError, "at most"),
    (dict(sizes=[2**40, 2**40]), MemoryError, "more bytes than can be addressed"),
    (dict(sizes=[3, 4, 1], hidden="step"), ValueError, "hidden is 'step', but it can be one of"),
    (dict(sizes=[3, 4, 1], hidden=5), TypeError, "hidden is 5, but a name"),
    (dict(sizes=[3, 4, 1], hidden="softmax"), ValueError, "hidden is 'softmax'"),
    (dict(sizes=[3, 4, 1], hidden=["relu", "relu"]), ValueError, "2 activations for 1 hidden"),
    (dict(sizes=[3, 1], output="step"), ValueError, "output is 'step'"),
    (dict(sizes=[3, 1], output="softmax"), ValueError, "softmax over 1 output"),
    (dict(sizes=[3, 1], output="tanh", loss="bce"), ValueError, "use output='sigmoid', not 'tanh'"),
    (dict(sizes=[3, 2], loss="cross_entropy"), ValueError, "use output='softmax'"),
    (dict(sizes=[3, 1], loss="hinge"), ValueError, "loss is 'hinge'"),
    (dict(sizes=[3, 1], dtype="float16"), ValueError, "dtype is 'float16'"),
    (dict(sizes=[3, 1], dtype="real"), ValueError, "dtype is 'real'"),
    (dict(sizes=[3, 1], dtype=None), ValueError, "dtype is None"),
    (dict(sizes=[3, 1], init=("normal", 1e300)), ValueError, "finite as float32"),
    (dict(sizes=[3, 1], init="zeros"), ValueError, "init is 'zeros', but it can be"),
    (dict(sizes=[3, 1], init=("normal", np.inf)), ValueError, "must be finite"),
    (dict(sizes=[3, 1], seed=-1), ValueError, "seed is -1"),
    (dict(sizes=[3, 1], seed=2**32), ValueError, "at most 4294967295"),
    (dict(sizes=[3, 1], seed=1.5), TypeError, "seed is 1.5"),
]


@pytest.mark.parametrize(("settings", "error", "says"), NETWORKS)
def test_a_network_that_cannot_be_is_refused(settings, error, says):
    with pytest.raises(error, match=says):
        bpcore.Network(**settings)


INPUTS = [
    (X[:, :2], ValueError, "X has 2 features, but the network expects 3"),
    (X[0], ValueError, r"X has shape \(3,\).*reshape\(1, -1\)"),
    (X[None], ValueError, r"X has shape \(1, 8, 3\)"),
    (with_value(np.nan), ValueError, r"X\[4, 1\] is nan"),
    (with_value(-np.inf), ValueError, r"X\[4, 1\] is -inf"),
    (with_value(1e300), ValueError, r"X\[4, 1\] is inf as float32"),
    (with_value(1e300).astype(object), ValueError, r"X\[4, 1\] is inf as float32"),
    (X.astype(complex), TypeError, "complex128, but real numbers"),
    (X.astype(str), TypeError, "real numbers are expected"),
    ([list("123")], TypeError, "X has dtype <U1, but real numbers are expected"),
    ([[1, 2, 3], [4, 5]], ValueError, "not a rectangular array"),
    ([[None, 1, 2]] * 8, ValueError, r"X\[0, 0\] is nan"),
    ([[{}, 1, 2]], TypeError, "not numbers"),
    (np.zeros((0, 4)), ValueError, "X has 4 features"),
    (np.float32(3), ValueError, "X has shape"),
    (3, ValueError, "X has shape"),
    (None, (TypeError, ValueError), "X"),
    ("text", (TypeError, ValueError), "X has dtype"),
    (b"bytes!", (TypeError, ValueError), "X has dtype"),
    ({"a": 1}, TypeError, "X holds Python objects"),
]


@pytest.mark.parametrize(("given", "error", "says"), INPUTS)
def test_input_that_does_not_fit_is_refused_by_name(dtype, given, error, says):
    """As an array, and as a list."""
    net = bpcore.Network([3, 4, 3], output="softmax", dtype=dtype, seed=0)
    if "float32" in says and dtype == "float64":
        assert np.isfinite(net.forward(given)).all()
        return
    forms = [given, given.tolist()] if isinstance(given, np.ndarray) and given.size else [given]
    for X in forms:
        calls = [
            lambda X=X: net.forward(X),
            lambda X=X: net.predict(X),
            lambda X=X: net.predict(X, n_threads=2),
            lambda X=X: net.fit(X, LABELS, epochs=1, learning_rate=0.1),
        ]
        assert_refused(net, calls, error, says)


def test_sparse_is_refused_with_the_way_out_where_it_is_not_X():
    net, how = bpcore.Network([3, 3], output="softmax", seed=0), {"epochs": 1, "learning_rate": 0.1}
    for name, call in [
        ("y", lambda: net.fit(X, Rows(X), **how)),
        ("y", lambda: net.evaluate(X, Rows(X))),
        ("y", lambda: net.gradients(X, Rows(X))),
        ("order", lambda: net.fit(X, LABELS, order=Rows(X), **how)),
        ("eval_set's y", lambda: net.fit(X, LABELS, eval_set=(X, Rows(X)), **how)),
    ]:
        way = rf"{name}\.toarray\(\)" if name.isidentifier() else r"toarray\(\) of it"
        assert_refused(net, [call], TypeError, f"^{name} is a sparse matrix.*: {way}$")


TARGETS = [
    (LABELS[:5], ValueError, "X has 8 rows, but y has 5"),
    (LABELS + 1, ValueError, "y has the label 3, but labels are 0 ... 2"),
    (LABELS - 1, ValueError, "y has the label -1"),
    (LABELS + 0.5, ValueError, "y holds fractions"),
    (np.eye(2)[LABELS % 2], ValueError, "y has 2 columns, but the network has 3 outputs"),
    (np.full((8, 3), 1.5), ValueError, "needs probabilities between 0 and 1"),
    (np.full((8, 3), np.nan), ValueError, r"y\[0, 0\] is nan"),
    (np.zeros((8, 3, 1)), ValueError, r"y has shape \(8, 3, 1\)"),
    (3, ValueError, r"y has shape \(\)"),
    ([[0, 1], [2]], ValueError, "y is not a rectangular array"),
    ([10**400] * 8, ValueError, "y holds a number that is too large for float32"),
]


@pytest.mark.parametrize(("given", "error", "says"), TARGETS)
def test_targets_that_do_not_fit_are_refused_by_name(given, error, says):
    net = bpcore.Network([3, 4, 3], output="softmax", seed=0)
    calls = [
        lambda: net.fit(X, given, epochs=1, learning_rate=0.1),
        lambda: net.evaluate(X, given),
        lambda: net.gradients(X, given),
    ]
    assert_refused(net, calls, error, says)


def test_a_vector_of_targets_needs_classes_or_one_output():
    net = bpcore.Network([3, 2], output="identity")
    with pytest.raises(ValueError, match=r"y has shape \(8,\), but \(8, 2\) is expected"):
        net.fit(X, LABELS, epochs=1, learning_rate=0.1)


def test_empty_data_cannot_be_learned():
    with pytest.raises(ValueError, match="X has no rows"):
        bpcore.Network([3, 3]).fit(np.empty((0, 3)), [], epochs=1, learning_rate=0.1)


def test_an_update_that_overflows_is_reported_though_the_loss_is_finite():
    net = bpcore.Network([2, 1], output="identity", seed=1)
    with pytest.raises(FloatingPointError, match="an update overflowed in epoch 0"):
        net.fit(np.full((4, 2), 1e25), np.ones(4), epochs=1, learning_rate=1.0)


def test_fit_takes_only_keywords_after_the_data():
    with pytest.raises(TypeError):
        bpcore.Network([3, 3], output="softmax").fit(X, LABELS, 1, 0.1)


def test_an_error_shows_the_beginning_of_what_is_long_or_deep():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    for call in (
        lambda: bpcore.Network([3, 1], output=deep),
        lambda: bpcore.Network(deep + [1.5, 2]),
        lambda: bpcore.Network([3, 1], init=[0] * 10**6),
        lambda: bpcore.Network([3, 1]).fit(X, LABELS, epochs=deep),
        lambda: bpcore.Network([3, 1]).fit(X, LABELS, epochs=1, optimizer=deep),
        lambda: bpcore.Network([3, 1]).fit(X, LABELS, epochs=1, learning_rate=deep),
    ):
        with pytest.raises((ValueError, TypeError)) as caught:
            call()
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", ["optimizer", "callbacks", "learning_rate"])
def test_a_number_too_long_to_print_is_refused_by_name(name):
    net, how = bpcore.Network([3, 1], seed=0), {"learning_rate": 0.1, name: -(10**5000)}
    with pytest.raises((TypeError, ValueError), match=name):
        net.fit([[0, 0, 0]], [0], epochs=1, **how)


def test_a_matrix_without_rows_to_take_is_refused_where_a_share_is_held_out():
    class Matrix:
        shape, tocsr = (8, 3), lambda self: self

    net = bpcore.Network([3, 1], seed=0)
    with pytest.raises(
        TypeError, match="X.tocsr\\(\\) is Matrix, of which no rows can be held out"
    ):
        net.fit(Matrix(), [0] * 8, epochs=1, learning_rate=0.1, eval_set=0.5)


def test_a_sample_alone_is_no_table_whatever_it_is_called():
    net, how = bpcore.Network([3, 1], seed=0), {"epochs": 1, "learning_rate": 0.1}
    with pytest.raises(ValueError, match=r"^X has .* one sample is X\.reshape\(1, -1\)$"):
        net.fit(X[0], [1], **how)
    with pytest.raises(ValueError, match=r"^eval_set's X .* is reshape\(1, -1\) of it$"):
        net.fit(X[:1], [1], eval_set=(X[0], [1]), **how)
