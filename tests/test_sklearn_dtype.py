"""The estimators in float32, and where the dtype of X changes between calls."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

from scipy import sparse
from sklearn import neural_network

import bpcore.sklearn
from bpcore.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
LABELS, VALUES = (X[:, 0] > 0).astype(int), X @ [1.0, 2.0, 3.0]
KINDS = {"MLPClassifier": LABELS, "MLPRegressor": VALUES}
ORDERS = [(np.float32, np.float64), (np.float64, np.float32)]
FORMS = {"dense": np.asarray, "csr": sparse.csr_matrix, "csc": sparse.csc_array}


def same(a, b):
    return all(map(np.array_equal, a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_))


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
    """The bits are those of X that users have cast themselves."""
    y, form = KINDS[kind], FORMS[form]
    one, other = (getattr(bpcore.sklearn, kind)(random_state=1) for _ in range(2))
    for dtype in (first, then, first):
        way(one, form(X.astype(dtype)), y)
        way(other, form(X.astype(dtype).astype(first)), y)
        assert one.coefs_[0].dtype == first and same(one, other)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("first", "then"), ORDERS)
def test_the_dtype_of_the_weights_is_that_of_scikit_learn(kind, first, then):
    models = [getattr(place, kind)(random_state=1) for place in (neural_network, bpcore.sklearn)]
    for model in models:
        for dtype in (first, then):
            partial_fit(model, X.astype(dtype), KINDS[kind])
    theirs, ours = models
    for a, b in zip(
        theirs.coefs_ + theirs.intercepts_, ours.coefs_ + ours.intercepts_, strict=True
    ):
        assert a.dtype == b.dtype == first


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
