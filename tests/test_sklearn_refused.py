"""A fit that is refused changes nothing, whatever it is refused for."""

import copy
import re
import warnings

import joblib
import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

from sklearn.exceptions import DataConversionWarning

from bpcore.sklearn import MLPClassifier, MLPRegressor
from tests.estimators import Recorder

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
LABELS, VALUES = (X[:, 0] > 0) + (X[:, 1] > 0).astype(int), X @ [1.0, 2.0, 3.0, 4.0]
TWO = (X[:, 0] > 0).astype(int) + 7
HOLED = np.where(np.arange(4) == 2, np.nan, X)
ALONE = np.where(np.arange(60) == 0, 8, 7)


def state(model):
    """A digest of all that a pickle holds, but for the parameters."""
    given = model.get_params()
    return joblib.hash({k: v for k, v in model.__getstate__().items() if k not in given})


def refused(model, *data, method="fit", **how):
    """The error; what the model holds, predicts and has drawn is what it was."""
    before, held, net = state(model), set(vars(model)), vars(model).get("_network")
    with pytest.raises((TypeError, ValueError)) as caught:
        getattr(model, method)(*data, **how)
    assert state(model) == before
    assert set(vars(model)) == held
    assert vars(model).get("_network") is net
    return str(caught.value)


SETTINGS = [
    {"solver": "newton"},
    {"hidden_layer_sizes": (10, 0)},
    {"alpha": -1},
    {"batch_size": 0},
    {"momentum": 1.0},
    {"early_stopping": 1},
    {"max_iter": 0},
    {"dropout": 1.0},
    {"clip_norm": 0},
    {"l1": np.nan},
    {"n_threads": 0},
    {"callbacks": 3},
    {"dropout": [0.1, 0.2]},
    {"solver": "rprop", "dropout": [1.5]},
    {"beta_2": 1.5},
    {"epsilon": -1.0},
    {"alpha": 1e400},
    {"learning_rate_init": float("nan")},
    {"activation": ["relu", "relu"]},
    {"random_state": "seven"},
    {"early_stopping": True, "validation_fraction": 0.999},
    {"early_stopping": True, "validation_fraction": 0.001},
]


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("wrong", SETTINGS, ids=str)
def test_a_refused_setting_is_named_and_changes_nothing(kind, wrong, warm):
    y = LABELS if kind is MLPClassifier else VALUES
    model = kind(max_iter=3, random_state=0, warm_start=warm).fit(X, y)
    expected, right = model.predict(X), model.get_params()
    error = refused(model.set_params(**wrong), X, y)
    (name, *more) = wrong
    if not more and name != "random_state":  # Scikit-learn has its own words for it.
        assert error.startswith(name)
    model.set_params(**right)
    np.testing.assert_array_equal(model.predict(X), expected)


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss": "quantile", "quantile": 1.5},
        {"loss": "huber", "huber_delta": -1.0},
        {"loss": "huber", "huber_delta": 1e-400},
        {"solver": "lm", "hidden_layer_sizes": (400,)},
        {"loss": "poisson"},
    ],
    ids=str,
)
def test_a_refused_loss_changes_nothing(wrong):
    model = MLPRegressor(max_iter=3, random_state=0).fit(X, VALUES)
    refused(model.set_params(**wrong), X, VALUES)


# What is wrong with the data, for a classifier fitted with X and LABELS.
DATA = {
    "weights": ((X, TWO, -np.ones(60)), {}),
    "weights of other rows": ((X, TWO, np.ones(59)), {}),
    "one row of a class": ((X, ALONE), {}),
    "NaN": ((HOLED, TWO), {}),
    "values": ((X[:, :3], VALUES), {}),
    "rows": ((X[:, :3], TWO[:50]), {}),
    "eval_set's labels": ((X[:, :3], TWO), {"eval_set": (X[:, :3], TWO + 1)}),
    "eval_set's NaN": ((X, TWO), {"eval_set": (HOLED, TWO)}),
    "eval_set's features": ((X, TWO), {"eval_set": (X[:, :2], TWO)}),
}


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("wrong", DATA)
def test_refused_data_change_nothing(wrong, warm):
    model = MLPClassifier(max_iter=3, random_state=0, warm_start=warm).fit(X, LABELS)
    expected = model.predict(X)
    data, how = DATA[wrong]
    refused(model.set_params(early_stopping=True), *data, **how)
    np.testing.assert_array_equal(model.predict(X), expected)
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    assert model.n_features_in_ == 4


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("wrong", ["X", "early_stopping", "classes", "class_weight"])
def test_a_refused_epoch_changes_nothing(wrong, fitted):
    model = MLPClassifier(random_state=0)
    if fitted:
        model.partial_fit(X, LABELS, classes=[0, 1, 2])
    model.set_params(early_stopping=wrong == "early_stopping")
    model.set_params(class_weight="balanced" if wrong == "class_weight" else None)
    X_, y = HOLED if wrong == "X" else X, TWO if wrong == "classes" else LABELS
    refused(model, X_, y, method="partial_fit", classes=[0, 1, 2])


def test_a_fit_that_cannot_begin_changes_nothing():
    """L-BFGS looks at the start before it goes anywhere."""
    model = MLPRegressor(solver="lbfgs", max_iter=5, random_state=0).fit(X, VALUES)
    refused(model, X * 1e200, VALUES * 1e200)


def test_a_refused_fit_draws_no_number():
    """The next one has the bits that it would have had."""
    models = [MLPClassifier(max_iter=2, random_state=np.random.RandomState(3)) for _ in range(2)]
    refused(models[0].set_params(early_stopping=True), X, ALONE)
    first, second = (model.set_params(early_stopping=False).fit(X, LABELS) for model in models)
    np.testing.assert_array_equal(first.coefs_[0], second.coefs_[0])


def test_what_a_callback_stops_by_an_error_stays():
    """Training has begun: its weights and counts belong together."""

    def stop(model):
        if model.n_iter_ == 2:
            raise RuntimeError("enough")

    model = MLPClassifier(max_iter=5, random_state=0, callbacks=[stop])
    with pytest.raises(RuntimeError, match="enough"):
        model.fit(X, LABELS)
    other = MLPClassifier(max_iter=2, random_state=0).fit(X, LABELS)
    np.testing.assert_array_equal(model.coefs_[0], other.coefs_[0])
    assert model.loss_curve_ == other.loss_curve_
    assert not hasattr(model, "_before")


def test_a_refused_fit_tears_callbacks_down():
    """scikit-learn's own: what was set up for a fit ends with it."""
    pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")
    recorder = Recorder()
    model = MLPClassifier(max_iter=3, random_state=0, early_stopping=True).fit(X, LABELS)
    held, weights = set(vars(model.set_callbacks(recorder))), model.coefs_[0].copy()
    with pytest.raises(ValueError, match="class 8 has a single one"):
        model.fit(X, ALONE)
    assert recorder.told == ["setup", "begin", "teardown"]
    assert set(vars(model)) == held
    np.testing.assert_array_equal(model.coefs_[0], weights)


# ---- eval_set ------------------------------------------------------------------------------------

TWO_VALUES = np.stack([VALUES, -VALUES], axis=1)
SEVERAL = np.stack([LABELS > 0, LABELS > 1], axis=1).astype(int)
EVAL_SETS = [
    (MLPRegressor, VALUES, (X, TWO_VALUES), "^eval_set's y has 2 columns, but y has 1$"),
    (MLPRegressor, TWO_VALUES, (X, VALUES), "^eval_set's y has 1 columns, but y has 2$"),
    (MLPClassifier, SEVERAL, (X, SEVERAL[:, :1]), "^eval_set"),
    (MLPRegressor, VALUES, (X[:, :2], VALUES), "^eval_set's X has 2 features, .* 4 features"),
    (MLPClassifier, LABELS, (X[:, :2], LABELS), "^eval_set's X has 2 features, .* 4 features"),
    (MLPClassifier, LABELS, (X, LABELS + 1), "^eval_set's y has the labels .3."),
    (MLPRegressor, VALUES, (HOLED, VALUES), "^eval_set: Input X contains NaN"),
    (MLPRegressor, VALUES, (X, VALUES[:50]), "^eval_set: .*inconsistent numbers of samples"),
]


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize(("kind", "y", "eval_set", "words"), EVAL_SETS)
def test_an_eval_set_that_does_not_fit_is_named_and_changes_nothing(
    kind, y, eval_set, words, solver
):
    model = kind(max_iter=3, random_state=0, solver=solver, warm_start=True).fit(X, y)
    error = refused(model, X, y, eval_set=eval_set)
    assert re.search(words, error)


# ---- What is said --------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [3, "foo", True, (1, 2), np.ones(3)], ids=str)
def test_a_class_weight_that_is_none_is_refused_first(given):
    """Before the data are looked at."""
    model = MLPClassifier(class_weight=given)
    error = refused(model, HOLED, LABELS)
    assert error.startswith(f"class_weight of MLPClassifier is {given!r}, but None, 'balanced'")


@pytest.mark.parametrize("columns", [["height"], ["width", "height"]])
@pytest.mark.parametrize("place", ["y", "eval_set's y"])
def test_an_error_about_a_frame_of_targets_names_its_column(columns, place):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed: pip install pandas")
    right = pandas.DataFrame(dict.fromkeys(columns, VALUES))
    frame = right.astype(object)
    frame.loc[5, "height"] = None
    data = (X, frame) if place == "y" else (X, right)
    how = {} if place == "y" else {"eval_set": (X, frame)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataConversionWarning)  # A column where a row would do.
        error = refused(MLPRegressor(), *data, **how)
    assert error.startswith(f"{place}'s column 'height' is missing in row 5")


def test_a_column_of_targets_that_is_missing_is_named():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed: pip install pandas")
    frame = pandas.DataFrame({"height": [None] * 60})
    assert refused(MLPRegressor(), X, frame).startswith("y's column 'height' is missing in row 0")


def test_a_copy_that_is_made_while_data_are_checked_is_whole():
    """It knows nothing of the fit around it, and a refused fit of its own changes nothing."""
    copies = []

    class Copying(MLPClassifier):
        def _validate_input(self, X, y, incremental, reset):
            copies.append(copy.deepcopy(self))
            return super()._validate_input(X, y, incremental, reset)

    model = Copying(max_iter=3, random_state=0).fit(X, LABELS)
    model.fit(X, TWO)
    copied = copies[-1]
    refused(copied.set_params(early_stopping=True), X, ALONE)
    np.testing.assert_array_equal(copied.classes_, [0, 1, 2])
