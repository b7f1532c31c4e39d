"""The estimators in float32, where the dtype changes, and numbers that it turns into others."""

from itertools import product

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

from scipy import sparse
from sklearn import neural_network

import bpcore.sklearn
from bpcore.sklearn import MLPClassifier, MLPRegressor
from tests.estimators import LABELS, RNG, VALUES, X, same

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

KINDS = {"MLPClassifier": LABELS, "MLPRegressor": VALUES}
ORDERS = [(np.float32, np.float64), (np.float64, np.float32)]
FORMS = {"dense": np.asarray, "csr": sparse.csr_matrix, "csc": sparse.csc_array}


def partial_fit(model, X, y):
    first = {} if hasattr(model, "classes_") or isinstance(y[0], float) else {"classes": [0, 1]}
    return model.partial_fit(X, y, **first)


def warm_fit(model, X, y):
    return model.set_params(warm_start=True, max_iter=3).fit(X, y)


@pytest.mark.parametrize("way", [partial_fit, warm_fit])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("first", "then"), ORDERS)
@pytest.mark.parametrize("form", FORMS)
def test_training_goes_on_in_the_dtype_of_its_weights(way, kind, first, then, form):
    """As scikit-learn's does. The bits are those of X that users have cast themselves."""
    y, form = KINDS[kind], FORMS[form]
    one, other = (getattr(bpcore.sklearn, kind)(random_state=1) for _ in range(2))
    theirs = getattr(neural_network, kind)(random_state=1)
    for dtype in (first, then, first):
        way(one, form(X.astype(dtype)), y)
        way(other, form(X.astype(dtype).astype(first)), y)
        way(theirs, form(X.astype(dtype)), y)
        assert same(one, other)
        for ours in (one, theirs):
            assert {array.dtype for array in ours.coefs_ + ours.intercepts_} == {np.dtype(first)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("first", "then"), ORDERS)
def test_validation_data_has_the_dtype_of_the_weights(kind, first, then):
    y, model = KINDS[kind], getattr(bpcore.sklearn, kind)(random_state=1, early_stopping=True)
    warm_fit(model, X.astype(first), y)
    warm_fit(model, X.astype(then), y)
    model.fit(X.astype(then), y, eval_set=(X.astype(then), y))
    A = model.predict(X.astype(first))
    score = np.mean(A == y) if kind == "MLPClassifier" else 1 - np.var(y - A) / np.var(y)
    # The coefficient of determination counts a mean residual, which the variance does not.
    bias = 0 if kind == "MLPClassifier" else np.mean(y - A) ** 2 / np.var(y)
    assert model.coefs_[0].dtype == first
    assert model.best_validation_score_ == pytest.approx(score - bias, rel=1e-6)


def test_fit_without_a_warm_start_begins_in_the_new_dtype():
    model = MLPClassifier(max_iter=2, random_state=1).fit(X.astype(np.float32), LABELS)
    model.fit(X, LABELS)
    assert model.coefs_[0].dtype == np.float64
    assert same(model, MLPClassifier(max_iter=2, random_state=1).fit(X, LABELS))


@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop", "adamw", "rprop", "lbfgs"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_class_weights_are_row_weights_in_either_precision(solver, form, dtype):
    rows = FORMS[form](X.astype(dtype))
    settings = {"solver": solver, "max_iter": 5, "random_state": 1}
    counts = np.bincount(LABELS)
    tables = {"balanced": 60 / (2 * counts), "dict": np.array([0.3, 5.0])}
    for name, table in tables.items():
        given = name if name == "balanced" else {0: 0.3, 1: 5.0}
        model = MLPClassifier(class_weight=given, **settings).fit(rows, LABELS)
        plain = MLPClassifier(**settings).fit(rows, LABELS, table[LABELS])
        assert model.coefs_[0].dtype == dtype and same(model, plain)


def test_class_weights_multiply_sample_weights_in_float32():
    rows, own = X.astype(np.float32), RNG.integers(0, 4, 60).astype(np.float64)
    settings = {"max_iter": 5, "random_state": 1, "early_stopping": True}
    model = MLPClassifier(class_weight={0: 0.5, 1: 4.0}, **settings).fit(rows, LABELS, own)
    weights = own * np.array([0.5, 4.0])[LABELS]
    plain = MLPClassifier(**settings).fit(rows, LABELS, weights)
    assert model.loss_curve_ == plain.loss_curve_


def test_what_float32_cannot_hold_is_refused_before_anything_changes():
    rows = X.astype(np.float32)
    model = MLPRegressor(max_iter=2, warm_start=True, random_state=1).fit(rows, VALUES)
    before = [array.copy() for array in model.coefs_]
    for y, words in ((VALUES * 1e39, "inf as float32"), (np.full(60, -1e300), "-inf as float32")):
        for train in (model.fit, model.partial_fit):
            with pytest.raises(ValueError, match=words):
                train(rows, y)
    with pytest.raises(ValueError, match=r"class_weight\[1\] is 1e\+39, .* finite as float32"):
        MLPClassifier(class_weight={1: 1e39}).fit(rows, LABELS)
    weights = np.full(60, 1e30)
    with pytest.raises(ValueError, match=r"sample_weight times class_weight\[\d+\] is inf"):
        MLPClassifier(class_weight={1: 1e30}).fit(rows, LABELS, weights)
    assert all(map(np.array_equal, before, model.coefs_))


# ---- Numbers that the precision of the weights turns into others are refused by their names ------

FOUR = RNG.normal(size=(60, 4))
SIGNS, SUMS = (FOUR[:, 0] > 0).astype(int), FOUR @ [1.0, 2.0, 3.0, 4.0]

# What float32 makes 0, 1, infinite or a subnormal number, and float64 holds.
NOT_SINGLE = [
    {"max_norm": 1e-50},
    {"clip_norm": 1e-50},
    {"learning_rate_init": 1e-50},
    {"learning_rate_init": 1e50},
    {"learning_rate_init": 1e-40},
    {"alpha": 1e-46},
    {"alpha": 1e50},
    {"alpha": 1e-46, "solver": "lbfgs"},
    {"alpha": 1e-46, "solver": "adamw"},
    {"l1": 1e-46},
    {"beta_1": 1 - 1e-9},
    {"beta_2": 1 - 1e-9},
    {"beta_2": 1 - 1e-9, "solver": "rmsprop"},
    {"epsilon": 1e-60},
    {"momentum": 1 - 1e-9, "solver": "sgd"},
]


OF_LOSSES = [  # MLPRegressor's alone
    {"huber_delta": 1e-60, "loss": "huber"},
    {"huber_delta": 1e60, "loss": "huber"},
    {"quantile": 1 - 1e-9, "loss": "quantile"},
    {"quantile": 1e-60, "loss": "quantile"},
]


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [*product([MLPClassifier, MLPRegressor], NOT_SINGLE), *product([MLPRegressor], OF_LOSSES)],
    ids=str,
)
def test_numbers_that_float32_changes_are_refused_by_name(kind, wrong):
    y, name = SIGNS if kind is MLPClassifier else SUMS, next(iter(wrong))
    model = kind(max_iter=2, random_state=0).fit(FOUR.astype("f4"), y)
    weights = model.coefs_[0].copy()
    with pytest.raises(ValueError, match=f"^{name} .*float32"):
        model.set_params(**wrong).fit(FOUR.astype("f4"), y)
    np.testing.assert_array_equal(model.coefs_[0], weights)


# No training survives the others.
SMALL = [wrong for wrong in NOT_SINGLE if 1e50 not in wrong.values()]


@pytest.mark.parametrize("wrong", SMALL + OF_LOSSES, ids=str)
def test_float64_holds_them(wrong):
    model = MLPRegressor(max_iter=2, random_state=0, **wrong).fit(FOUR, SUMS)
    assert np.isfinite(model.coefs_[0]).all()
    assert model.coefs_[0].any()


@pytest.mark.parametrize(
    ("solver", "unused"),
    [
        ("adam", {"momentum": 1 - 1e-9, "huber_delta": 1e-60}),
        ("sgd", {"beta_2": 1 - 1e-9, "epsilon": 1e-60}),
        ("rprop", {"beta_1": 1 - 1e-9, "momentum": 1 - 1e-9}),
        ("lbfgs", {"learning_rate_init": 1e-50, "epsilon": 1e-60}),
    ],
)
def test_a_number_without_a_part_is_not_looked_at(solver, unused):
    given = {"solver": solver, "max_iter": 2, "random_state": 0}
    x = FOUR.astype("f4")
    model, other = MLPRegressor(**given, **unused).fit(x, SUMS), MLPRegressor(**given)
    np.testing.assert_array_equal(model.coefs_[0], other.fit(x, SUMS).coefs_[0])


def test_levenberg_marquardt_computes_in_double():
    """A penalty of 1e-46 is one in float64, which it computes in."""
    given = {"solver": "lm", "hidden_layer_sizes": (2,), "max_iter": 2, "random_state": 0}
    model = MLPRegressor(alpha=1e-46, **given).fit(FOUR.astype("f4"), SUMS)
    assert model.coefs_[0].dtype == np.float32
    assert model.n_iter_ == 2


def test_a_warm_start_has_the_precision_of_its_weights():
    model = MLPRegressor(max_iter=2, random_state=0, warm_start=True).fit(FOUR.astype("f4"), SUMS)
    with pytest.raises(ValueError, match=r"^epsilon .*float32"):
        model.set_params(epsilon=1e-60).fit(FOUR, SUMS)
