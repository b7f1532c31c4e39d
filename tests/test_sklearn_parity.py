"""With the same random_state, the estimators go scikit-learn's way, weight by weight."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

import sklearn
from sklearn import datasets, neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

import bpcore.sklearn

VERSION = tuple(map(int, sklearn.__version__.split(".")[:2]))
weights_since_1_7 = pytest.mark.skipif(
    VERSION < (1, 7), reason="scikit-learn's perceptrons take sample_weight from 1.7 on"
)
poisson_since_1_7 = pytest.mark.skipif(
    VERSION < (1, 7), reason="scikit-learn's perceptrons know loss='poisson' from 1.7 on"
)

ONCE, LATER = 1e-9, 1e-6
CURVES = ("loss_curve_", "validation_scores_")
FIGURES = ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_")
BEST = ("loss_", "best_loss_", "best_validation_score_")


def iris():
    X, y = datasets.load_iris(return_X_y=True)
    return "MLPClassifier", scale(X), y


def digits():
    X, y = datasets.load_digits(return_X_y=True)
    return "MLPClassifier", X / 16, y


def two_digits():
    _, X, y = digits()
    return "MLPClassifier", X[y < 2], y[y < 2]


def diabetes():
    X, y = datasets.load_diabetes(return_X_y=True)
    return "MLPRegressor", scale(X), scale(y)


def two_values():
    _, X, y = diabetes()
    return "MLPRegressor", X, np.column_stack([y, y**2])


def multilabel():
    X, Y = datasets.make_multilabel_classification(n_samples=300, random_state=1)
    return "MLPClassifier", scale(X), Y


def pair(kind, **settings):
    """scikit-learn's estimator, and the one to compare."""
    return [getattr(module, kind)(**settings) for module in (neural_network, bpcore.sklearn)]


def quiet(method, *data, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", DeprecationWarning)  # Of SciPy, about scikit-learn 1.6.
        return method(*data, **more)


def assert_alike(theirs, ours, X, tolerance):
    """Everything that a fit leaves."""
    for name in FIGURES:
        assert getattr(theirs, name) == getattr(ours, name), name
    for name in ("coefs_", "intercepts_"):
        for a, b in zip(getattr(theirs, name), getattr(ours, name), strict=True):
            assert a.shape == b.shape and a.dtype == b.dtype
            np.testing.assert_allclose(b, a, rtol=0, atol=tolerance, err_msg=name)
    for name in (*CURVES, *BEST):
        a, b = getattr(theirs, name), getattr(ours, name)
        assert (a is None) == (b is None), name
        if a is not None:
            np.testing.assert_allclose(b, a, rtol=tolerance, atol=tolerance, err_msg=name)
    np.testing.assert_allclose(_outputs(ours, X), _outputs(theirs, X), atol=100 * tolerance)


def _outputs(estimator, X):
    return getattr(estimator, "predict_proba", estimator.predict)(X)


def at_length(data):
    return pytest.param(data, marks=pytest.mark.long)


SGD = {"solver": "sgd", "learning_rate_init": 0.02}
SOLVERS = {
    "adam": {"solver": "adam"},
    **{
        f"sgd-{name}-{schedule}": {**SGD, **momentum, "learning_rate": schedule}
        for name, momentum in {
            "plain": {"momentum": 0},
            "momentum": {"nesterovs_momentum": False},
            "nesterov": {},
        }.items()
        for schedule in ("constant", "invscaling", "adaptive")
    },
}


@pytest.mark.parametrize("data", [iris, at_length(digits), diabetes])
@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("solver", SOLVERS)
def test_weights_are_those_of_scikit_learn(data, early, solver):
    kind, X, y = data()
    # A large tol and little patience, so that schedules and early stopping have work to do.
    settings = {**SOLVERS[solver], "early_stopping": early, "tol": 0.02, "n_iter_no_change": 2}
    for epochs, tolerance in ((1, ONCE), (20, LATER)):
        theirs, ours = pair(kind, **settings, max_iter=epochs, random_state=3)
        quiet(theirs.fit, X, y)
        quiet(ours.fit, X, y)
        assert_alike(theirs, ours, X, tolerance)


OTHERS = {
    "tanh": {"activation": "tanh"},
    "logistic": {"activation": "logistic", "hidden_layer_sizes": (20, 10)},
    "identity": {"activation": "identity"},
    "deep": {"hidden_layer_sizes": [30, 20, 10], "alpha": 0.5},
    "number": {"hidden_layer_sizes": 7, "alpha": 0},
    "none": {"hidden_layer_sizes": ()},
    "in order": {"shuffle": False},
    "batches": {"batch_size": 32, "learning_rate_init": 0.01, "epsilon": 1e-4},
    "betas": {"beta_1": 0.5, "beta_2": 0.9},
    "all rows": {"batch_size": 1000, "tol": 0.0},
}


@pytest.mark.parametrize(
    "data", [iris, two_digits, at_length(diabetes), two_values, at_length(multilabel)]
)
@pytest.mark.parametrize("case", OTHERS)
@pytest.mark.filterwarnings("ignore:.*batch_size:UserWarning")
def test_settings_mean_what_they_mean_in_scikit_learn(data, case):
    kind, X, y = data()
    theirs, ours = pair(kind, **OTHERS[case], max_iter=5, random_state=3)
    assert_alike(quiet(theirs.fit, X, y), quiet(ours.fit, X, y), X, ONCE)


@pytest.mark.parametrize("data", [two_digits, multilabel])
@pytest.mark.parametrize("early", [False, True])
def test_labels_of_one_output_and_of_many_are_held_out_alike(data, early):
    kind, X, y = data()
    theirs, ours = pair(kind, early_stopping=early, max_iter=15, random_state=3)
    assert_alike(quiet(theirs.fit, X, y), quiet(ours.fit, X, y), X, LATER)
    np.testing.assert_array_equal(theirs.predict(X), ours.predict(X))
    assert theirs.score(X, y) == ours.score(X, y)


@weights_since_1_7
@pytest.mark.parametrize("data", [iris, two_digits, diabetes, two_values, multilabel])
@pytest.mark.parametrize("early", [False, True])
def test_sample_weights_count_alike(data, early):
    kind, X, y = data()
    weights = np.random.RandomState(0).randint(0, 4, len(X)).astype(float)
    settings = {"early_stopping": early, "batch_size": 32, "max_iter": 5, "random_state": 3}
    theirs, ours = pair(kind, **settings)
    for estimator in (theirs, ours):
        quiet(estimator.fit, X, y, sample_weight=weights)
    assert_alike(theirs, ours, X, ONCE)


@poisson_since_1_7
@pytest.mark.parametrize("early", [False, True])
def test_counts_are_fitted_alike(early):
    kind, X, _ = diabetes()
    y = np.random.RandomState(0).poisson(np.exp(0.5 * X[:, :2]))
    settings = {"loss": "poisson", "early_stopping": early, "max_iter": 10, "random_state": 3}
    theirs, ours = pair(kind, **settings)
    assert_alike(quiet(theirs.fit, X, y), quiet(ours.fit, X, y), X, LATER)


@pytest.mark.parametrize("data", [iris, diabetes, at_length(multilabel)])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("schedule", ["constant", "invscaling", "adaptive"])
def test_partial_fit_goes_on_alike(data, solver, schedule):
    kind, X, y = data()
    settings = {"solver": solver, "learning_rate": schedule, "random_state": 3, "tol": 0.01}
    theirs, ours = pair(kind, **settings)
    labels = np.unique(y) if y.ndim == 1 else np.arange(y.shape[1])
    first = {"classes": labels} if kind == "MLPClassifier" else {}
    for step in range(12):
        rows = slice(step % 3 * 30, step % 3 * 30 + 80)
        for estimator in (theirs, ours):
            estimator.partial_fit(X[rows], y[rows], **(first if step == 0 else {}))
    assert_alike(theirs, ours, X, LATER)


def test_partial_fit_goes_on_after_fit():
    kind, X, y = iris()
    theirs, ours = pair(kind, max_iter=3, random_state=3)
    for estimator in (theirs, ours):
        quiet(estimator.fit, X, y)
        estimator.partial_fit(X, y)
        estimator.partial_fit(X, y)
    assert_alike(theirs, ours, X, ONCE)


@pytest.mark.parametrize("data", [iris, diabetes])
@pytest.mark.parametrize("early", [False, True])
def test_a_warm_start_goes_on_alike(data, early):
    kind, X, y = data()
    settings = {"warm_start": True, "early_stopping": early, "max_iter": 4, "random_state": 3}
    theirs, ours = pair(kind, **settings, learning_rate_init=0.01)
    for _ in range(3):
        assert_alike(quiet(theirs.fit, X, y), quiet(ours.fit, X, y), X, LATER)


def test_a_generator_is_drawn_from_alike():
    kind, X, y = iris()
    generators = np.random.RandomState(5), np.random.RandomState(5)
    for estimator, generator in zip(pair(kind, max_iter=2), generators, strict=True):
        estimator.set_params(random_state=generator, early_stopping=True)
        quiet(estimator.fit, X, y)
    assert generators[0].randint(2**31) == generators[1].randint(2**31)


def test_a_float32_fit_is_as_near_as_float32_allows():
    kind, X, y = digits()
    # Adam divides gradients by their size, and so enlarges roundings; plain descent does not.
    theirs, ours = pair(kind, **SGD, max_iter=5, random_state=3)
    X = X.astype(np.float32)
    assert_alike(quiet(theirs.fit, X, y), quiet(ours.fit, X, y), X, 1e-5)
    assert ours.coefs_[0].dtype == np.float32 == ours.predict_proba(X).dtype


@pytest.mark.parametrize("data", [iris, at_length(two_digits), at_length(diabetes)])
def test_lbfgs_finds_a_minimum_as_good(data):
    kind, X, y = data()
    settings = {"solver": "lbfgs", "alpha": 1.0, "hidden_layer_sizes": 5, "max_iter": 2000}
    theirs, ours = pair(kind, **settings, random_state=3, tol=1e-6)
    quiet(theirs.fit, X, y)
    quiet(ours.fit, X, y)
    assert ours.loss_ <= theirs.loss_ * 1.05
    assert not hasattr(ours, "loss_curve_")
