"""Classes of the estimators: their weights, batches that lack some, and a single one."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

from sklearn.model_selection import cross_val_predict

from bpcore.sklearn import MLPClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
NAMES = np.array(["benign", "malignant", "unclear"])
LABELS = RNG.integers(3, size=60)
DTYPES = [np.float32, np.float64]


def same(a, b):
    return all(map(np.array_equal, a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "names", [np.arange(3), NAMES, NAMES.astype(object), np.array([0.0, 2, 5])]
)
def test_a_batch_may_lack_classes_that_have_weights(dtype, names):
    table = np.array([0.5, 4.0, 1.0])
    given = {names[1]: 4.0, names[0]: 0.5}
    one = MLPClassifier(class_weight=given, random_state=1)
    other = MLPClassifier(random_state=1)
    for kept in ([0, 1, 2], [0], [2], [1, 2]):
        rows = np.isin(LABELS, kept)
        data = X[rows].astype(dtype), names[LABELS[rows]]
        one.partial_fit(*data, classes=names)
        other.partial_fit(*data, table[LABELS[rows]], classes=names)
        assert same(one, other)


def test_partial_fit_with_warm_start_takes_a_part_of_the_classes():
    warm, cold = (MLPClassifier(warm_start=flag, random_state=1) for flag in (True, False))
    for model in (warm, cold):
        model.partial_fit(X, LABELS, classes=[0, 1, 2])
        model.partial_fit(X[LABELS == 1], LABELS[LABELS == 1])
    assert same(warm, cold)
    with pytest.raises(ValueError, match=r"\[7\] are not in \[0 1 2\]"):
        warm.partial_fit(X, np.full(60, 7))
    with pytest.raises(ValueError, match=r"Previously got \[0 1 2\], `y` has \[1\]"):
        warm.fit(X, np.ones(60, int))


WRONG = {
    "negative": ({"malignant": -1, "benign": 2}, r"class_weight\['malignant'\] is -1, .* least 0"),
    "nan": ({"unclear": np.nan}, r"class_weight\['unclear'\] is nan"),
    "infinite": ({"benign": np.inf}, r"class_weight\['benign'\] is inf"),
    "no number": ({"benign": "much"}, r"class_weight\['benign'\] is 'much', but a number"),
    "all zero": (dict.fromkeys(NAMES, 0), "0 for every class in y, .*benign.*malignant.*unclear"),
    "NumPy's name": ({NAMES[0]: -0.5}, r"class_weight\['benign'\] is -0.5"),
}


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", WRONG)
def test_weights_of_classes_that_mean_nothing_are_refused_by_name(solver, dtype, case):
    given, words = WRONG[case]
    model = MLPClassifier(class_weight=given, solver=solver)
    with pytest.raises((ValueError, TypeError), match=words):
        model.fit(X.astype(dtype), NAMES[LABELS])
    assert not hasattr(model, "coefs_")


def test_weights_that_leave_no_row_are_refused():
    for train in ("fit", "partial_fit"):
        model = MLPClassifier(class_weight={0: 0.0}).partial_fit(X, LABELS, classes=[0, 1, 2])
        with pytest.raises(ValueError, match=r"0 for every class in y, \[0\]"):
            model.partial_fit(X[LABELS == 0], LABELS[LABELS == 0])
        with pytest.raises(ValueError, match="times class_weight is zero for every row"):
            getattr(model, train)(X, LABELS, sample_weight=(LABELS == 0).astype(float))


def test_weights_of_several_labels_a_row_are_checked_too():
    Y = np.column_stack([LABELS == 0, LABELS > 0]).astype(int)
    with pytest.raises(ValueError, match=r"class_weight\[1\] is -2"):
        MLPClassifier(class_weight=[{0: 1, 1: 1}, {0: 1, 1: -2}]).fit(X, Y)


# ---- One class -----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["fit", "partial_fit", "early_stopping"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_single_class_has_one_column_and_is_certain(way, dtype):
    """Columns are those of classes_, as in scikit-learn's other classifiers, and add up to 1."""
    model, y = MLPClassifier(max_iter=2, early_stopping=way == "early_stopping"), NAMES[[1] * 60]
    if way == "partial_fit":
        model.partial_fit(X.astype(dtype), y, classes=NAMES[1:2])
    else:
        model.fit(X.astype(dtype), y)
    assert list(model.classes_) == ["malignant"]
    assert (model.predict(X) == "malignant").all() and model.score(X, y) == 1
    probabilities = model.predict_proba(X)
    assert np.array_equal(probabilities, np.ones((60, 1))) and probabilities.dtype == dtype
    assert np.array_equal(model.predict_log_proba(X), np.zeros((60, 1)))


def test_probabilities_of_folds_with_a_single_class_stand_in_their_columns():
    y = np.repeat([0, 1], 30)  # Two folds in this order: each trains on one class.
    folds = [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # Of the classes that folds lack.
        P = cross_val_predict(MLPClassifier(max_iter=2), X, y, cv=folds, method="predict_proba")
    assert np.array_equal(P, np.eye(2)[1 - y])


# ---- Kinds of targets ----------------------------------------------------------------------------


def test_many_classes_are_taken_without_a_word_as_in_scikit_learn():
    model = MLPClassifier(max_iter=1)
    assert len(model.partial_fit(X[:30], np.arange(30), classes=np.arange(30)).classes_) == 30
    assert len(model.fit(X[:30], np.arange(30)).classes_) == 30


def test_values_are_no_labels():
    with pytest.raises(ValueError, match="Unknown label type: continuous.*MLPRegressor"):
        MLPClassifier().fit(X, X[:, 0])
