"""``coefs_`` and ``intercepts_`` of the user's own: to start from, and to predict with."""

import copy
import math
import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

from sklearn import datasets, neural_network
from sklearn.preprocessing import scale

from bpcore.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# What scikit-learn wants beside the weights. Here each can be left out.
COMPLETE = {
    "n_layers_": 2,
    "n_outputs_": 1,
    "t_": 0,
    "loss_curve_": [],
    "best_loss_": np.inf,
    "_no_improvement_count": 0,
    "validation_scores_": None,
    "best_validation_score_": None,
}
ONE_STEP = {"hidden_layer_sizes": (), "solver": "sgd", "momentum": 0, "max_iter": 1}
X, Y = np.array([[0.0], [1.0]]), [0, 1]


def started(kind, complete=True, **settings):
    model = kind(**ONE_STEP, **settings)
    model.coefs_, model.intercepts_ = [np.array([[0.5]])], [np.zeros(1)]
    if complete:
        out = "logistic" if "Classifier" in kind.__name__ else "identity"
        vars(model).update(copy.deepcopy(COMPLETE), out_activation_=out)
    return model


def step(model):
    if model.warm_start:
        return model.fit(X, Y)
    classes = {"classes": [0, 1]} if hasattr(model, "predict_proba") else {}
    return model.partial_fit(X, Y, **classes)


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


# The step by hand: rate 0.001, alpha 0.0001, both divided by the two rows.
BY_HAND = {
    MLPClassifier: 0.5 - 0.001 * (sigmoid(0.5) - 1 + 0.0001 * 0.5) / 2,
    MLPRegressor: 0.5 - 0.001 * (0.5 - 1 + 0.0001 * 0.5) / 2,
}


@pytest.mark.parametrize("settings", [{}, {"warm_start": True}], ids=["partial", "warm"])
@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("kind", BY_HAND)
def test_a_first_fit_goes_on_from_given_weights(kind, complete, settings):
    theirs = step(started(getattr(neural_network, kind.__name__), **settings))
    own = step(started(kind, complete, **settings))
    right = BY_HAND[kind]
    # Both of them round a handful of times, at 1.1e-16 each.
    assert theirs.coefs_[0][0, 0] == pytest.approx(right, abs=1e-15)
    assert own.coefs_[0][0, 0] == pytest.approx(right, abs=1e-15)
    if kind is MLPClassifier:
        assert right == pytest.approx(0.500188745, abs=5e-10)
    np.testing.assert_allclose(own.intercepts_[0], theirs.intercepts_[0], atol=1e-15)
    for name in COMPLETE.keys() | {"out_activation_"}:
        assert getattr(own, name) == pytest.approx(getattr(theirs, name), abs=1e-15), name


@pytest.mark.parametrize("settings", [{"early_stopping": True}, {"solver": "lbfgs"}])
def test_every_way_to_fit_goes_on_from_given_weights(settings):
    model = started(MLPClassifier, False, warm_start=True)
    model.set_params(**settings).fit(np.repeat(X, 20, axis=0), np.repeat(Y, 20))
    assert model.n_iter_ == 1
    assert model.coefs_[0].shape == (1, 1)


def test_dropout_starts_from_given_weights_with_a_seed():
    X, y = datasets.load_iris(return_X_y=True)
    drawn = MLPClassifier((9,), max_iter=1, random_state=3).fit(X, y)
    models = [MLPClassifier((9,), warm_start=True, dropout=0.5, random_state=s) for s in (1, 1, 2)]
    for model in models:
        model.coefs_ = [coef.copy() for coef in drawn.coefs_]
        model.intercepts_ = [intercept.copy() for intercept in drawn.intercepts_]
        model.set_params(max_iter=1, shuffle=False).fit(X, y)
    first, again, other = (model.coefs_[0] for model in models)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_given_weights_and_rows_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"X has 3 features, but coefs_\[0\] has 1 rows"):
        started(MLPRegressor, False).partial_fit(np.ones((2, 3)), Y)
    with pytest.raises(ValueError, match="y has 2 columns"):
        started(MLPRegressor, False).partial_fit(X, np.ones((2, 2)))


# ---- Prediction reads the lists, and never changes them ------------------------------------------


@pytest.fixture
def fitted():
    X, y = datasets.load_iris(return_X_y=True)
    X = scale(X)
    return MLPClassifier((4, 4), "tanh", max_iter=5, random_state=1).fit(X, y), X


def by_hand(coefs, intercepts, X):
    A = X
    for layer, (W, b) in enumerate(zip(coefs, intercepts, strict=True)):
        Z = A @ np.asarray(W, np.float64) + np.asarray(b, np.float64)
        A = np.tanh(Z) if layer < len(coefs) - 1 else np.exp(Z)
    return A / A.sum(axis=1, keepdims=True)


def assert_predicts_its_lists(model, X):
    right = by_hand(model.coefs_, model.intercepts_, X)
    np.testing.assert_allclose(model.predict_proba(X), right, atol=1e-13)


def test_prediction_leaves_the_users_arrays_in_their_place(fitted):
    model, X = fitted
    mine = [coef.astype(np.float16) for coef in model.coefs_]
    lists = model.coefs_, model.intercepts_ = list(mine), [b.tolist() for b in model.intercepts_]
    model.predict(X)
    assert model.coefs_ is lists[0] and model.intercepts_ is lists[1]
    assert all(a is b for a, b in zip(model.coefs_, mine, strict=True))
    assert all(type(b) is list for b in model.intercepts_)
    assert {coef.dtype.name for coef in mine} == {"float16"}
    assert_predicts_its_lists(model, X)
    model.coefs_ = tuple(mine)
    model.predict(X)
    assert type(model.coefs_) is tuple


def test_a_later_change_of_the_users_array_counts(fitted):
    model, X = fitted
    W, b = np.ones((4, 4)), np.zeros(3)
    model.coefs_[1], model.intercepts_[2] = W, b
    for value in (0.5, -1.0):
        W[0], b[1] = value, value
        assert_predicts_its_lists(model, X)
        assert model.coefs_[1] is W and model.intercepts_[2] is b


def test_layers_may_change_places(fitted):
    model, X = fitted
    first, second = model.coefs_[0], model.coefs_[1]
    kept = first.copy(), second.copy()
    model.coefs_[0], model.coefs_[1] = second, first
    for _ in range(2):
        assert_predicts_its_lists(model, X)
        assert np.array_equal(first, kept[0]) and np.array_equal(second, kept[1])
    model.coefs_[0], model.coefs_[1] = first[::-1], second.T
    for _ in range(2):
        assert_predicts_its_lists(model, X)
        assert np.array_equal(first, kept[0]) and np.array_equal(second, kept[1])


def test_estimators_may_share_their_lists(fitted):
    model, X = fitted
    other = copy.deepcopy(model)
    other.coefs_, other.intercepts_ = model.coefs_, model.intercepts_
    arrays = list(model.coefs_)
    assert np.array_equal(other.predict_proba(X), model.predict_proba(X))
    assert all(a is b for a, b in zip(model.coefs_, arrays, strict=True))
    model.coefs_[0][...] = 0
    assert_predicts_its_lists(model, X)
    assert_predicts_its_lists(other, X)


def test_a_new_fit_leaves_the_arrays_of_the_last_one(fitted):
    model, X = fitted
    arrays = model.coefs_
    before = [coef.copy() for coef in arrays]
    model.set_params(random_state=2).fit(X, np.arange(len(X)) % 3)
    assert all(np.array_equal(a, b) for a, b in zip(arrays, before, strict=True))


def test_arrays_of_an_unpickled_estimator_stay_in_their_place(fitted):
    model, X = fitted
    other = pickle.loads(pickle.dumps(model))
    arrays = list(other.coefs_)
    other.predict(X)
    assert all(a is b for a, b in zip(other.coefs_, arrays, strict=True))
    arrays[0][...] = 0
    assert_predicts_its_lists(other, X)


def test_weights_that_make_no_network_can_be_pickled(fitted):
    model, X = fitted
    model.coefs_ = [np.ones((4, 2)), np.ones(3)]
    other = pickle.loads(pickle.dumps(model))
    with pytest.raises(ValueError):
        other.predict(X)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("warm", [False, True])
def test_a_fit_from_own_weights_knows_its_features(kind, warm):
    """Their number and names, as after any first fit, and prediction refuses others."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed: pip install pandas")
    frame = pandas.DataFrame(X, columns=["width"])
    model = started(kind, warm_start=warm)
    classes = {"classes": [0, 1]} if kind is MLPClassifier and not warm else {}
    (model.fit if warm else model.partial_fit)(frame, Y, **classes)
    assert model.n_features_in_ == 1
    assert list(model.feature_names_in_) == ["width"]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"width": "height"}))


UNFIT = [
    ([], [], "^coefs_ has 0 arrays and intercepts_ has 0"),
    ([np.ones((1, 1))], None, "^coefs_ has 1 arrays and intercepts_ has 0"),
    ([np.ones((1, 1))], [np.zeros(1)] * 2, "^coefs_ has 1 arrays and intercepts_ has 2"),
    ([np.ones((1, 2)), np.ones((1, 1))], [np.zeros(2), np.zeros(1)], r"^coefs_\[1\] has shape"),
    ([2.0], [np.zeros(1)], "^coefs_ or intercepts_ holds 2.0, but an array"),
    ([np.ones((1, 1))], [3.0], "^coefs_ or intercepts_ holds 3.0, but an array"),
]


@pytest.mark.parametrize("use", ["fit", "predict"])
@pytest.mark.parametrize(("coefs", "intercepts", "words"), UNFIT)
def test_weights_that_make_no_layers_are_refused_by_name(coefs, intercepts, words, use):
    model = MLPRegressor(**ONE_STEP, warm_start=True)
    model.coefs_ = coefs
    if intercepts is not None:
        model.intercepts_ = intercepts
    if use == "predict":
        model.out_activation_ = "identity"
    with pytest.raises(ValueError, match=words):
        model.fit(X, Y) if use == "fit" else model.predict(X)
    assert model.coefs_ is coefs
