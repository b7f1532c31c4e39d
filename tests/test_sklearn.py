"""What the estimators do beyond scikit-learn's, and how they live: classes, copies, processes."""

import copy
import doctest
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

import joblib
import sklearn
from scipy import sparse
from sklearn import datasets
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.preprocessing import scale

from bpcore.sklearn import MLPClassifier, MLPRegressor
from bpcore.sklearn._parameters import HIDDEN
from bpcore.sklearn._threads import count
from tests import estimators
from tests.estimators import Recorder, same

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

VERSION = tuple(map(int, sklearn.__version__.split(".")[:2]))


@pytest.fixture(scope="module")
def flowers():
    return estimators.flowers()


@pytest.fixture(scope="module")
def patients():
    X, y = datasets.load_diabetes(return_X_y=True)
    return scale(X), scale(y)


# ---- Weights are the estimator -------------------------------------------------------------------


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickled_estimator_goes_on_where_it_was(flowers, protocol):
    X, y = flowers
    model = MLPClassifier(max_iter=5, random_state=1, dropout=0.2).fit(X, y)
    other = pickle.loads(pickle.dumps(model, protocol))
    assert np.array_equal(model.predict_proba(X), other.predict_proba(X))
    for estimator in (model, other):
        for _ in range(3):
            estimator.partial_fit(X, y)
    assert same(model, other)


def test_weights_may_lie_in_a_file_that_is_read_only(flowers, tmp_path):
    X, y = flowers
    model = MLPClassifier(max_iter=5, random_state=1).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert np.array_equal(model.predict_proba(X), mapped.predict_proba(X))
    assert same(model.partial_fit(X, y), mapped.partial_fit(X, y))


def test_a_copy_is_independent_and_a_clone_is_unfitted(flowers):
    X, y = flowers
    model = MLPClassifier(max_iter=5, random_state=1).fit(X, y)
    deep = copy.deepcopy(model)
    before = deep.predict_proba(X)
    model.partial_fit(X, y)
    assert np.array_equal(deep.predict_proba(X), before)
    assert not hasattr(clone(model), "coefs_")


# ---- New parameters ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HIDDEN)
def test_every_activation_learns(flowers, name):
    X, y = flowers
    model = MLPClassifier((10,), name, learning_rate_init=0.02, random_state=1).fit(X, y)
    assert model.score(X, y) > 0.9


def test_each_layer_may_have_its_activation(flowers):
    X, y = flowers
    sizes = (8, 6)
    listed = MLPClassifier(sizes, ["tanh", "tanh"], max_iter=5, random_state=1).fit(X, y)
    assert same(listed, MLPClassifier(sizes, "tanh", max_iter=5, random_state=1).fit(X, y))
    mixed = MLPClassifier(sizes, ["tanh", "gelu"], max_iter=5, random_state=1).fit(X, y)
    assert not same(listed, mixed)


def test_sigmoid_is_another_name_for_logistic(flowers):
    names = "sigmoid", "logistic"
    a, b = (MLPClassifier((8,), name, max_iter=5, random_state=1).fit(*flowers) for name in names)
    assert same(a, b)


@pytest.mark.parametrize("solver", ["rmsprop", "adamw", "rprop", "lbfgs"])
def test_every_solver_learns(flowers, patients, solver):
    X, y = flowers
    settings = {"solver": solver, "learning_rate_init": 0.01, "random_state": 1}
    assert MLPClassifier((10,), **settings).fit(X, y).score(X, y) > 0.95
    X, y = patients
    model = MLPRegressor(hidden_layer_sizes=(10,), **settings).fit(X, y)
    assert model.score(X, y) > 0.5


def test_levenberg_marquardt_needs_few_steps():
    X = np.linspace(-3, 3, 80)[:, None]
    model = MLPRegressor(
        hidden_layer_sizes=(6,), activation="tanh", solver="lm", alpha=0, tol=1e-7, random_state=1
    ).fit(X, np.sin(X[:, 0]))
    assert model.loss_ < 1e-5
    assert model.n_iter_ <= 200


def test_no_hidden_layer_is_linear_regression(patients):
    X, y = patients
    model = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", alpha=0, tol=1e-9).fit(X, y)
    A = np.column_stack([X, np.ones(len(X))])
    np.testing.assert_allclose(
        model.predict(X), A @ np.linalg.lstsq(A, y, rcond=None)[0], atol=1e-3
    )


@pytest.mark.parametrize("level", [0.1, 0.5, 0.8])
def test_a_quantile_leaves_its_share_below(patients, level):
    X, y = patients
    settings = {"hidden_layer_sizes": (), "loss": "quantile", "quantile": level, "max_iter": 500}
    model = MLPRegressor(**settings, learning_rate_init=0.01, random_state=1).fit(X, y)
    assert np.mean(y < model.predict(X)) == pytest.approx(level, abs=0.04)


@pytest.mark.parametrize("loss", ["absolute_error", "huber"])
def test_robust_losses_care_less_for_outliers(patients, loss):
    X, y = patients
    wrong = y.copy()
    wrong[::20] += 50
    settings = {"hidden_layer_sizes": (), "max_iter": 500, "learning_rate_init": 0.01}
    errors = {}
    for name in ("squared_error", loss):
        model = MLPRegressor(loss=name, **settings, random_state=1).fit(X, wrong)
        errors[name] = np.abs(model.predict(X) - y).mean()
    assert errors[loss] < 0.7 * errors["squared_error"]


def test_dropout_and_limits_do_what_they_say(flowers):
    X, y = flowers
    plain = MLPClassifier(max_iter=30, random_state=1).fit(X, y)
    dropped = MLPClassifier(max_iter=30, random_state=1, dropout=[0.5]).fit(X, y)
    assert not same(plain, dropped)
    assert same(dropped, MLPClassifier(max_iter=30, random_state=1, dropout=0.5).fit(X, y))
    assert same(plain, MLPClassifier(max_iter=30, random_state=1, dropout=0.0).fit(X, y))
    limited = MLPClassifier(max_iter=30, random_state=1, max_norm=0.5).fit(X, y)
    assert all(np.linalg.norm(W, axis=0).max() <= 0.5 * (1 + 1e-12) for W in limited.coefs_)
    lean = MLPClassifier(max_iter=30, random_state=1, l1=5.0).fit(X, y)
    assert sum(abs(W).sum() for W in lean.coefs_) < 0.9 * sum(abs(W).sum() for W in plain.coefs_)
    held = MLPClassifier(solver="sgd", max_iter=2, random_state=1, clip_norm=1e-9).fit(X, y)
    start = MLPClassifier(solver="sgd", max_iter=1, random_state=1, clip_norm=1e-9).fit(X, y)
    assert np.allclose(held.coefs_[0], start.coefs_[0], rtol=0, atol=1e-9)


def test_no_result_depends_on_threads(flowers):
    a, b = (MLPClassifier(max_iter=5, random_state=1, n_threads=n).fit(*flowers) for n in (1, 2))
    assert same(a, b)


def test_own_validation_data(flowers):
    X, y = flowers
    rows, others = slice(0, None, 2), slice(1, None, 2)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    settings = {"max_iter": 300, "random_state": 1, "learning_rate_init": 0.01}
    model = MLPClassifier(early_stopping=True, **settings)
    model.fit(X[rows], names[rows], eval_set=(X[others], names[others]))
    assert len(model.eval_loss_curve_) == len(model.validation_scores_) == model.n_iter_
    assert model.best_validation_score_ == model.score(X[others], names[others])
    watched = MLPClassifier(**settings).fit(X[rows], y[rows], eval_set=(X[others], y[others]))
    assert same(watched, MLPClassifier(**settings).fit(X[rows], y[rows]))
    assert watched.validation_scores_ is None
    p = watched.predict_proba(X[others])[np.arange(75), y[others]]
    assert watched.eval_loss_curve_[-1] == pytest.approx(-np.log(p).mean())
    with pytest.raises(ValueError, match="setosa"):
        watched.fit(X, y, eval_set=(X, names))
    watched.fit(X, y)
    assert not hasattr(watched, "eval_loss_curve_")


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_callbacks_see_each_epoch_and_can_stop(flowers, solver):
    X, y = flowers
    seen = []

    def watch(estimator):
        seen.append((estimator.n_iter_, estimator.loss_, estimator.score(X, y)))
        return estimator.n_iter_ == 4

    model = MLPClassifier(solver=solver, random_state=1, callbacks=[watch]).fit(X, y)
    assert [epoch for epoch, _, _ in seen] == [1, 2, 3, 4]
    assert model.n_iter_ == 4
    assert seen[-1][1:] == (model.loss_, model.score(X, y))


@pytest.mark.skipif(VERSION < (1, 9), reason="scikit-learn has callbacks from 1.9 on")
def test_the_callbacks_of_scikit_learn_see_each_epoch(flowers):
    recorder = Recorder()
    model = MLPClassifier(random_state=1).set_callbacks(recorder).fit(*flowers)
    assert model.n_iter_ == 3
    assert recorder.told[0] == "setup" and recorder.told[-1] == "teardown"
    *epochs, fit = (told for told in recorder.told if isinstance(told, tuple))
    assert [(name, number) for name, number, _ in epochs] == [("epoch", i) for i in range(3)]
    assert fit[::2] == ("fit", model.score(*flowers))


# ---- What is refused, or told --------------------------------------------------------------------


def test_what_batches_are_for_is_refused_without_them(flowers, patients):
    with pytest.raises(ValueError, match="dropout is for the solvers sgd, adam"):
        MLPClassifier(solver="lbfgs", dropout=0.5).fit(*flowers)
    with pytest.raises(ValueError, match="'lm' is for MLPRegressor"):
        MLPClassifier(solver="lm").fit(*flowers)
    with pytest.raises(ValueError, match="'lm' is for MLPRegressor"):
        MLPRegressor(solver="lm", loss="huber").fit(*patients)
    assert not hasattr(MLPClassifier(solver="lbfgs"), "partial_fit")
    with pytest.raises(ValueError, match="does not support early_stopping"):
        MLPRegressor(early_stopping=True).partial_fit(*patients)


def test_weights_that_mean_nothing_are_refused(flowers):
    X, y = flowers
    for weights, words in ((np.zeros(150), "zero for every row"), (np.full(150, -1), "at least 0")):
        with pytest.raises(ValueError, match=words):
            MLPClassifier().fit(X, y, weights)
    with pytest.raises(ValueError, match="balanced.*all rows"):
        MLPClassifier(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="at least 0"):
        MLPRegressor(loss="poisson").fit(X, y - 1.0)


def test_an_unfinished_training_warns(flowers):
    for solver in ("adam", "lbfgs"):
        with pytest.warns(ConvergenceWarning, match="max_iter"):
            MLPClassifier(solver=solver, max_iter=2).fit(*flowers)
    with pytest.warns(UserWarning, match="batch_size is 1000, but there are 150 rows"):
        MLPClassifier(batch_size=1000, max_iter=2).fit(*flowers)


def test_a_training_that_diverges_says_so_or_goes_back(patients):
    X, y = patients
    settings = {"solver": "sgd", "activation": "identity", "learning_rate_init": 1e3}
    with pytest.raises(ValueError, match="StandardScaler"):
        MLPRegressor(**settings, random_state=1).fit(X, y)
    model = MLPRegressor(**settings, random_state=1, early_stopping=True)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        model.fit(X, y)
    assert np.isfinite(model.predict(X)).all()
    assert np.isnan(model.validation_scores_[-1])


def test_ctrl_c_keeps_what_was_reached(flowers):
    X, y = flowers

    def interrupt(estimator):
        if estimator.n_iter_ == 3:
            raise KeyboardInterrupt

    model = MLPClassifier(random_state=1, callbacks=[interrupt])
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(X, y)
    assert same(model, MLPClassifier(random_state=1, max_iter=3).fit(X, y))


# ---- Sparse rows ---------------------------------------------------------------------------------


def test_sparse_rows_predict_the_bits_of_dense_ones():
    X, y = datasets.load_digits(return_X_y=True)
    dense = MLPClassifier(max_iter=2, random_state=1).fit(X, y)
    forms = sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array
    for form in forms:
        model = MLPClassifier(max_iter=2, random_state=1).fit(form(X), y)
        assert same(dense, model)
        assert np.array_equal(model.predict_proba(form(X)), dense.predict_proba(X))


# ---- Classes and their weights -------------------------------------------------------------------

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(60, 3))
NAMES = np.array(["benign", "malignant", "unclear"])
LABELS = RNG.integers(3, size=60)
DTYPES = [np.float32, np.float64]


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
        data = ROWS[rows].astype(dtype), names[LABELS[rows]]
        one.partial_fit(*data, classes=names)
        other.partial_fit(*data, table[LABELS[rows]], classes=names)
        assert same(one, other)


def test_partial_fit_with_warm_start_takes_a_part_of_the_classes():
    warm, cold = (MLPClassifier(warm_start=flag, random_state=1) for flag in (True, False))
    for model in (warm, cold):
        model.partial_fit(ROWS, LABELS, classes=[0, 1, 2])
        model.partial_fit(ROWS[LABELS == 1], LABELS[LABELS == 1])
    assert same(warm, cold)
    with pytest.raises(ValueError, match=r"\[7\] are not in \[0 1 2\]"):
        warm.partial_fit(ROWS, np.full(60, 7))
    with pytest.raises(ValueError, match=r"Previously got \[0 1 2\], `y` has \[1\]"):
        warm.fit(ROWS, np.ones(60, int))


WRONG_WEIGHTS = {
    "negative": ({"malignant": -1, "benign": 2}, r"class_weight\['malignant'\] is -1, .* least 0"),
    "nan": ({"unclear": np.nan}, r"class_weight\['unclear'\] is nan"),
    "infinite": ({"benign": np.inf}, r"class_weight\['benign'\] is inf"),
    "no number": ({"benign": "much"}, r"class_weight\['benign'\] is 'much', but a number"),
    "all zero": (dict.fromkeys(NAMES, 0), "0 for every class in y, .*benign.*malignant.*unclear"),
    "NumPy's name": ({NAMES[0]: -0.5}, r"class_weight\['benign'\] is -0.5"),
}


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", WRONG_WEIGHTS)
def test_weights_of_classes_that_mean_nothing_are_refused_by_name(solver, dtype, case):
    given, words = WRONG_WEIGHTS[case]
    model = MLPClassifier(class_weight=given, solver=solver)
    with pytest.raises((ValueError, TypeError), match=words):
        model.fit(ROWS.astype(dtype), NAMES[LABELS])
    assert not hasattr(model, "coefs_")


def test_weights_that_leave_no_row_are_refused():
    for train in ("fit", "partial_fit"):
        model = MLPClassifier(class_weight={0: 0.0}).partial_fit(ROWS, LABELS, classes=[0, 1, 2])
        with pytest.raises(ValueError, match=r"0 for every class in y, \[0\]"):
            model.partial_fit(ROWS[LABELS == 0], LABELS[LABELS == 0])
        with pytest.raises(ValueError, match="times class_weight is zero for every row"):
            getattr(model, train)(ROWS, LABELS, sample_weight=(LABELS == 0).astype(float))


def test_weights_of_several_labels_a_row_are_checked_too():
    GROUPS = np.column_stack([LABELS == 0, LABELS > 0]).astype(int)
    with pytest.raises(ValueError, match=r"class_weight\[1\] is -2"):
        MLPClassifier(class_weight=[{0: 1, 1: 1}, {0: 1, 1: -2}]).fit(ROWS, GROUPS)


# ---- One class -----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["fit", "partial_fit", "early_stopping"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_single_class_has_one_column_and_is_certain(way, dtype):
    """Columns are those of classes_, as in scikit-learn's other classifiers, and add up to 1."""
    model, y = MLPClassifier(max_iter=2, early_stopping=way == "early_stopping"), NAMES[[1] * 60]
    if way == "partial_fit":
        model.partial_fit(ROWS.astype(dtype), y, classes=NAMES[1:2])
    else:
        model.fit(ROWS.astype(dtype), y)
    assert list(model.classes_) == ["malignant"]
    assert (model.predict(ROWS) == "malignant").all() and model.score(ROWS, y) == 1
    probabilities = model.predict_proba(ROWS)
    assert np.array_equal(probabilities, np.ones((60, 1))) and probabilities.dtype == dtype
    assert np.array_equal(model.predict_log_proba(ROWS), np.zeros((60, 1)))


def test_probabilities_of_folds_with_a_single_class_stand_in_their_columns():
    y = np.repeat([0, 1], 30)  # Two folds in this order: each trains on one class.
    folds = [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # Of the classes that folds lack.
        P = cross_val_predict(MLPClassifier(max_iter=2), ROWS, y, cv=folds, method="predict_proba")
    assert np.array_equal(P, np.eye(2)[1 - y])


# ---- Kinds of targets ----------------------------------------------------------------------------


def test_many_classes_are_taken_without_a_word_as_in_scikit_learn():
    model = MLPClassifier(max_iter=1)
    assert len(model.partial_fit(ROWS[:30], np.arange(30), classes=np.arange(30)).classes_) == 30
    assert len(model.fit(ROWS[:30], np.arange(30)).classes_) == 30


def test_values_are_no_labels():
    with pytest.raises(ValueError, match="Unknown label type: continuous.*MLPRegressor"):
        MLPClassifier().fit(ROWS, ROWS[:, 0])


# ---- Processes -----------------------------------------------------------------------------------


def test_workers_share_the_cpus(monkeypatch):
    monkeypatch.delenv("BPCORE_NUM_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    def threads_of_a_fit(_):  # Inside, so that it is sent to the workers, which know no tests.
        return count(None), os.environ.get("OMP_NUM_THREADS")

    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
        found = joblib.Parallel()(joblib.delayed(threads_of_a_fit)(i) for i in range(2))
    assert found == [(1, "1"), (1, "1")]
    with joblib.parallel_config("threading", n_jobs=2):
        found = joblib.Parallel()(joblib.delayed(threads_of_a_fit)(i) for i in range(2))
    assert [threads for threads, _ in found] == [1, 1]


def test_the_number_of_threads_has_an_order(monkeypatch):
    monkeypatch.delenv("BPCORE_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert count(None) == 1
    monkeypatch.setenv("BPCORE_NUM_THREADS", "3")
    assert count(None) == 3
    assert count(2) == 2


@pytest.mark.long
def test_searches_work_in_several_processes(flowers):
    X, y = flowers
    model = MLPClassifier(max_iter=20, random_state=1, learning_rate_init=0.01)
    grid = {"hidden_layer_sizes": [(5,), (10, 5)], "solver": ["adam", "rmsprop"]}
    search = GridSearchCV(model, grid, cv=3, n_jobs=2).fit(X, y)
    assert search.best_score_ > 0.8
    alone = cross_val_score(model, X, y, cv=3)
    assert np.array_equal(cross_val_score(model, X, y, cv=3, n_jobs=2), alone)


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.parametrize("module", ["sklearn", "sklearn.utils.validation"])
def test_a_missing_scikit_learn_is_named(module):
    done = run(f"import sys; sys.modules[{module!r}] = None; import bpcore.sklearn")
    assert "pip install -U scikit-learn" in done.stderr


# ---- Documentation -------------------------------------------------------------------------------


def test_the_examples_of_the_page_run():
    page = Path(__file__).resolve().parents[1] / "docs" / "sklearn.md"
    result = doctest.testfile(str(page), module_relative=False)
    assert result.failed == 0 and result.attempted > 20
