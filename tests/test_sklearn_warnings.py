"""Warnings of the estimators: they name the user's line, and obey filters for scikit-learn's."""

import inspect
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

from sklearn import neural_network
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import bpcore.sklearn
from bpcore.sklearn import MLPClassifier, MLPRegressor
from bpcore.sklearn._warn import warn
from tests.estimators import LABELS, VALUES, X


def interrupt(model):
    raise KeyboardInterrupt


def unfinished(place):
    place.MLPClassifier(max_iter=1).fit(X, LABELS)


def unfinished_by_lbfgs(place):
    place.MLPClassifier(solver="lbfgs", max_iter=3).fit(X, LABELS)


def clipped(place):
    place.MLPClassifier(batch_size=1000).partial_fit(X, LABELS, classes=[0, 1])


def column(place):
    place.MLPRegressor().partial_fit(X, VALUES[:, None])


def column_of_labels(place):
    place.MLPClassifier().partial_fit(X, LABELS[:, None], classes=[0, 1])


def diverged(place):
    settings = {"solver": "sgd", "learning_rate_init": 1e200, "early_stopping": True}
    place.MLPRegressor(max_iter=50, activation="identity", **settings).fit(X, VALUES)


def interrupted(place):
    place.MLPClassifier(callbacks=[interrupt]).fit(X, LABELS)


WARNINGS = {
    unfinished: (ConvergenceWarning, "Stochastic Optimizer: Maximum iterations"),
    unfinished_by_lbfgs: (ConvergenceWarning, "lbfgs failed to converge"),
    clipped: (UserWarning, "Got `batch_size` less than 1 or larger than sample size"),
    column: (DataConversionWarning, "A column-vector y was passed when a 1d array was expected"),
    column_of_labels: (DataConversionWarning, "A column-vector y was passed"),
    diverged: (ConvergenceWarning, "Training diverged"),
    interrupted: (UserWarning, "Training interrupted by user"),
}
# What scikit-learn has, too.
THEIRS = [unfinished, unfinished_by_lbfgs, clipped, column, column_of_labels]


def line_of(function):
    """The number of its last line, which is the call."""
    lines, first = inspect.getsourcelines(function)
    return first + len(lines) - 1


@pytest.mark.parametrize("cause", WARNINGS)
def test_a_warning_names_the_line_of_the_user(cause):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cause(bpcore.sklearn)
    (told,) = caught
    assert told.category is WARNINGS[cause][0] and str(told.message).startswith(WARNINGS[cause][1])
    assert (told.filename, told.lineno) == (__file__, line_of(cause))


def all_are_errors():
    """But for what scikit-learn before 1.7 gives to a SciPy that is younger."""
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", "scipy.optimize: The `disp`", DeprecationWarning)


MODEL = MLPClassifier(max_iter=1, random_state=1)
AROUND = {
    "pipeline": make_pipeline(StandardScaler(), MODEL),
    "search": GridSearchCV(MODEL, {"alpha": [0.1, 1.0]}, cv=2),
    "ensemble": BaggingClassifier(MODEL, 2, n_jobs=1),
    "one for each output": MultiOutputRegressor(MLPRegressor(max_iter=1)),
}


@pytest.mark.parametrize("name", AROUND)
def test_a_warning_names_the_line_that_called_what_fits_for_others(name):
    y = np.column_stack([VALUES, VALUES]) if name.startswith("one") else LABELS
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        line = inspect.currentframe().f_lineno + 1
        AROUND[name].fit(X, y)
    assert caught and {(told.filename, told.lineno) for told in caught} == {(__file__, line)}


MODULES = ["sklearn", r"sklearn\.", "sklearn.neural_network", "sklearn.*_multilayer_perceptron$"]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("cause", WARNINGS)
def test_a_filter_for_the_modules_of_scikit_learn_silences_ours(cause, module):
    with warnings.catch_warnings():
        all_are_errors()
        with pytest.raises(WARNINGS[cause][0]):
            cause(bpcore.sklearn)
        warnings.filterwarnings("ignore", category=WARNINGS[cause][0], module=module)
        if cause in THEIRS:
            cause(neural_network)
        cause(bpcore.sklearn)


@pytest.mark.parametrize("cause", THEIRS)
def test_a_filter_for_the_words_of_scikit_learn_silences_ours(cause):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", "scipy.optimize: The `disp`", DeprecationWarning)
        for place in (neural_network, bpcore.sklearn):
            cause(place)
        told = [warning.category for warning in caught]
        warnings.filterwarnings("ignore", WARNINGS[cause][1])
        for place in (neural_network, bpcore.sklearn):
            cause(place)
    assert told == [WARNINGS[cause][0]] * 2 and len(caught) == 2


def test_a_warning_is_told_once_a_line_by_default():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            warn("one")
        warn("one")
    assert len(caught) == 2


def test_an_overflow_is_told_in_the_words_of_scikit_learn():
    """The first sentences are those that scikit-learn's own test of it looks for."""
    words = "Solver produced non-finite parameter weights. The input data may contain large values"
    for solver in ("adam", "lbfgs"):
        with pytest.raises(ValueError, match=words):
            MLPRegressor(solver=solver).fit(np.full((10, 2), 1e308), np.arange(10.0))
    with pytest.raises(ValueError, match=words), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        neural_network.MLPRegressor().fit(np.full((10, 2), 1e308), np.arange(10.0))
