"""What the estimators do beyond scikit-learn's, and how they live: files, copies, processes."""

import copy
import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

import joblib
import sklearn
from scipy import sparse
from sklearn import datasets
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale
from sklearn.utils.class_weight import compute_sample_weight

from bpcore.sklearn import MLPClassifier, MLPRegressor
from bpcore.sklearn._parameters import HIDDEN

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

VERSION = tuple(map(int, sklearn.__version__.split(".")[:2]))


@pytest.fixture(scope="module")
def flowers():
    X, y = datasets.load_iris(return_X_y=True)
    return scale(X), y


@pytest.fixture(scope="module")
def patients():
    X, y = datasets.load_diabetes(return_X_y=True)
    return scale(X), scale(y)


def same(a, b):
    return all(
        np.array_equal(x, y)
        for x, y in zip(a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_, strict=True)
    )


# ---- Weights are the estimator -------------------------------------------------------------------


def test_prediction_uses_the_weights_that_are_there(flowers):
    X, y = flowers
    model = MLPClassifier(max_iter=5, random_state=1).fit(X, y)
    before = model.predict_proba(X)
    first = model.coefs_[0].copy()
    model.coefs_[0][...] = 0
    assert not np.allclose(model.predict_proba(X), before)
    model.coefs_[0] = first
    assert np.array_equal(model.predict_proba(X), before)
    model.coefs_ = tuple(coef.copy() for coef in model.coefs_)
    model.intercepts_[1] = model.intercepts_[1] + [100, 0, 0]
    assert (model.predict(X) == 0).all()


def test_weights_that_do_not_fit_together_are_refused(flowers):
    model = MLPClassifier(max_iter=5, random_state=1).fit(*flowers)
    model.coefs_[0] = model.coefs_[0].T
    with pytest.raises(ValueError, match=r"coefs_\[1\] has shape|intercepts_"):
        model.predict(flowers[0])


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


def test_class_weights_are_row_weights(flowers):
    X, y = flowers
    for weighting in ("balanced", {0: 1.0, 1: 5.0, 2: 0.5}):
        rows = slice(0, 120)  # Fewer of the last class.
        weighted = MLPClassifier(max_iter=5, random_state=1, class_weight=weighting)
        plain = MLPClassifier(max_iter=5, random_state=1)
        weights = compute_sample_weight(weighting, y[rows])
        assert same(weighted.fit(X[rows], y[rows]), plain.fit(X[rows], y[rows], weights))


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
    X, y = flowers
    told = []

    class Recorder:
        def setup(self, estimator, context):
            told.append("setup")

        def teardown(self, estimator, context):
            told.append("teardown")

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
            told.append((context.task_name, context.task_id, fitted_estimator.score(X, y)))
            return context.task_name == "epoch" and context.task_id == 2

    model = MLPClassifier(random_state=1).set_callbacks(Recorder()).fit(X, y)
    assert model.n_iter_ == 3
    assert told[0] == "setup" and told[-1] == "teardown"
    assert [(name, number) for name, number, _ in told[1:-2]] == [("epoch", i) for i in range(3)]
    assert told[-2][::2] == ("fit", model.score(X, y))


# ---- What is refused, or told --------------------------------------------------------------------

WRONG = {
    "solver": "newton",
    "activation": ["relu", "relu"],
    "hidden_layer_sizes": (10, 0),
    "alpha": -1,
    "batch_size": 0,
    "momentum": 1.0,
    "early_stopping": 1,
    "max_iter": 0,
    "dropout": 1.0,
    "clip_norm": 0,
    "l1": np.nan,
    "n_threads": 0,
    "callbacks": 3,
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_parameters_are_named(flowers, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        MLPClassifier(**{name: WRONG[name]}).fit(*flowers)


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
    for form in (sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array):
        model = MLPClassifier(max_iter=2, random_state=1).fit(form(X), y)
        assert same(dense, model)
        assert np.array_equal(model.predict_proba(form(X)), dense.predict_proba(X))
