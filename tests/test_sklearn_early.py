"""Early stopping in the estimators: which rows are held out, what is best, and what is kept."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

from sklearn import model_selection
from sklearn.ensemble import BaggingClassifier, BaggingRegressor

from bpcore.sklearn import MLPClassifier, MLPRegressor, _base

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3))
LABELS, VALUES = (X[:, 0] > 0).astype(int), X @ [1.0, 2.0, 3.0]
HELD = RNG.normal(size=(80, 3))
HELD_LABELS, HELD_VALUES = (HELD[:, 0] > 0).astype(int), HELD @ [1.0, 2.0, 3.0]
SETTINGS = {"random_state": 1, "solver": "sgd", "learning_rate_init": 0.05, "warm_start": True}
# Scores are sums of 80 terms of about 1 in float64, added in another order than scikit-learn's.
ROUNDED = 1e-12


# ---- What is best in a warm start ----------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.05, 30.0, 1e200])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_the_best_score_on_own_rows_is_that_of_the_weights(kind, rate):
    """Also where a warm start spoils them, or where they diverge; on the same rows or others."""
    classes = kind is MLPClassifier
    y, held = (LABELS, HELD_LABELS) if classes else (VALUES, HELD_VALUES)
    model = kind(early_stopping=True, max_iter=20, n_iter_no_change=5, **SETTINGS)
    model.fit(X, y, eval_set=(HELD, held))
    first = model.best_validation_score_
    assert first == pytest.approx(model.score(HELD, held), abs=ROUNDED)
    model.set_params(learning_rate_init=rate)
    for rows in (slice(None), slice(0, 40), slice(40, 80)):
        model.fit(X, y, eval_set=(HELD[rows], held[rows]))
        score = model.score(HELD[rows], held[rows])
        assert model.best_validation_score_ == pytest.approx(score, abs=ROUNDED)
        if rows == slice(None):
            assert model.best_validation_score_ >= first


def test_a_warm_start_after_lbfgs_can_go_back_to_its_weights():
    model = MLPRegressor(early_stopping=True, **{**SETTINGS, "solver": "lbfgs"}).fit(X, VALUES)
    for _ in range(2):
        score, before = model.score(HELD, HELD_VALUES), [array.copy() for array in model.coefs_]
        model.set_params(solver="sgd", learning_rate_init=30.0, max_iter=3)
        model.fit(X, VALUES, eval_set=(HELD, HELD_VALUES))
        assert model.best_validation_score_ == pytest.approx(score, abs=ROUNDED)
        assert all(map(np.array_equal, before, model.coefs_))
        model.set_params(solver="lbfgs", max_iter=5).fit(X, VALUES)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("eval_set", [False, True])
@pytest.mark.parametrize("first", [False, True])
def test_early_stopping_may_come_and_go_between_warm_fits(kind, eval_set, first):
    """The attributes are those that scikit-learn documents for the last fit."""
    classes = kind is MLPClassifier
    y, held = (LABELS, HELD_LABELS) if classes else (VALUES, HELD_VALUES)
    given = {"eval_set": (HELD, held)} if eval_set else {}
    model = kind(max_iter=4, **SETTINGS)
    for fits, early in enumerate([first, not first, first], 1):
        model.set_params(early_stopping=early).fit(X, y, **given)
        assert len(model.loss_curve_) == 4 * fits
        if early:
            assert len(model.validation_scores_) == 4 and model.best_loss_ is None
            assert model.best_validation_score_ >= max(model.validation_scores_)
        else:
            assert model.validation_scores_ is None and model.best_validation_score_ is None
            assert model.best_loss_ == min(model.loss_curve_)
    model.set_params(early_stopping=False).partial_fit(X, y)
    assert model.best_loss_ == min(model.loss_curve_)


def test_early_stopping_that_comes_later_can_go_back_to_the_weights_before_it():
    model = MLPRegressor(max_iter=50, **SETTINGS).fit(X, VALUES)
    before = [array.copy() for array in model.coefs_]
    model.set_params(early_stopping=True, learning_rate_init=1e-300, max_iter=2).fit(X, VALUES)
    best = model.best_validation_score_
    assert all(map(np.array_equal, before, model.coefs_)) and np.isfinite(best)
    assert model.validation_scores_ == [best, best]


@pytest.mark.parametrize("size", [1e307, 1e200])
def test_a_score_that_is_no_number_is_no_improvement(size):
    """Outputs that overflow have the score NaN, and squares that overflow have -inf."""
    model = MLPRegressor(early_stopping=True, n_iter_no_change=3, tol=0.0, max_iter=50)
    model.set_params(activation="identity", solver="sgd", learning_rate_init=1e-3, random_state=1)
    model.fit(X, VALUES, eval_set=(HELD * size, HELD_VALUES))
    assert not np.isfinite(model.validation_scores_).any()
    assert model.n_iter_ == 4  # One more than may pass.


# ---- Which rows are held out ---------------------------------------------------------------------


@pytest.fixture
def splits(monkeypatch):
    """What each call of train_test_split has given: (X, X held out, Y, Y held out, weights ...)."""
    seen = []

    def split(*arrays, **settings):
        seen.append(model_selection.train_test_split(*arrays, **settings))
        return seen[-1]

    monkeypatch.setattr(_base, "train_test_split", split)
    return seen


RARE = np.r_[np.zeros(160, int), np.ones(30, int), np.full(10, 2)]


@pytest.mark.parametrize("names", [np.arange(3), np.array(["a", "b", "c"])])
def test_each_of_several_classes_is_on_both_sides_of_the_split(splits, names):
    again = 0
    for seed in range(30):
        splits.clear()
        MLPClassifier(early_stopping=True, max_iter=1, random_state=seed).fit(X, names[RARE])
        _, _, Y, held = splits[-1]
        assert (Y.sum(axis=0) > 0).all() and (held.sum(axis=0) > 0).all()
        assert np.array_equal(Y.sum(axis=0) + held.sum(axis=0), [160, 30, 10])
        if len(splits) == 2:  # As validation_fraction says.
            assert list(held.sum(axis=0)) == [16, 3, 1]
            again += 1
    assert 0 < again < 30  # Where scikit-learn's split has all classes, it is taken.


def test_a_class_that_cannot_be_on_both_sides_is_held_out_as_it_comes(splits):
    y = RARE.copy()
    y[-1] = 3
    MLPClassifier(early_stopping=True, max_iter=1, random_state=0).fit(X, y)
    MLPClassifier(early_stopping=True, max_iter=1, random_state=0).fit(X, np.arange(200) % 100)
    assert len(splits) == 2


@pytest.mark.parametrize("names", [np.array([0, 1]), np.array([7, -3]), np.array(["malig", "ben"])])
def test_a_class_that_is_too_small_to_be_held_out_is_named(names):
    y = names[[1] * 199 + [0]]
    with pytest.raises(ValueError, match=f"class {names[0]} has a single one: two are needed"):
        MLPClassifier(early_stopping=True).fit(X, y)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("share", [0.1, 0.9])
def test_both_sides_of_the_split_have_rows_that_weigh_something(splits, kind, share):
    """Few rows have a weight: all may be trained on, or all held out, unless it is seen to."""
    y, again = LABELS if kind is MLPClassifier else VALUES, 0
    weights = np.zeros(200)
    weights[::10] = 2.0
    settings = {"early_stopping": True, "validation_fraction": share, "max_iter": 1}
    for seed in range(30):
        splits.clear()
        model = kind(random_state=seed, **settings).fit(X, y, weights)
        assert splits[-1][4].any() and splits[-1][5].any()
        assert np.isfinite(model.validation_scores_).all() and model.loss_ > 0
        if len(splits) == 2:  # The rows that have a weight, and no others.
            assert [len(part) for part in splits[-1][:2]] == [20 - round(share * 20), share * 20]
            again += 1
    assert 0 < again < 30


@pytest.mark.parametrize("seeds", [1, pytest.param(10, marks=pytest.mark.long)])
def test_ensembles_of_samples_with_replacement_may_stop_early(seeds):
    how = {"early_stopping": True, "max_iter": 5, "random_state": 0}
    for seed in range(seeds):
        bag = BaggingRegressor(MLPRegressor(**how), 10, random_state=seed)
        assert np.isfinite(bag.fit(X[:25], VALUES[:25]).predict(HELD)).all()
        bag = BaggingClassifier(MLPClassifier(**how), 10, random_state=seed)
        assert set(bag.fit(X[:60], LABELS[:60]).predict(HELD)) <= {0, 1}
