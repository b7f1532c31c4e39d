"""What an optimiser keeps between calls, and when it begins afresh: moments, and iterations.

The oracle of moments is one step of each solver on a linear regression, written out in NumPy.
"""

import itertools
import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from bpcore.sklearn import MLPRegressor

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 3)), RNG.normal(size=40)
RATE = 0.01
# Both sides round a handful of operations in float64, on weights of about 1.
ROUNDED = 1e-13


def gradient(w):
    """Of the squared error's half, for w = (weights, bias)."""
    A = np.column_stack([X, np.ones(len(X))])
    return A.T @ (A @ w - Y) / len(X)


def adam(g, kept, rate):
    m, s, t = kept or (0, 0, 0)
    m, s, t = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g**2, t + 1
    rate = rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    return -rate * m / (np.sqrt(s) + 1e-8), (m, s, t)


def rmsprop(g, kept, rate):
    s = 0.999 * (0 if kept is None else kept) + 0.001 * g**2
    return -rate * g / (np.sqrt(s) + 1e-8), s


def momentum(g, kept, rate):
    v = 0.9 * (0 if kept is None else kept) - rate * g
    return v, v


def nesterov(g, kept, rate):
    v = 0.9 * (0 if kept is None else kept) - rate * g
    return 0.9 * v - rate * g, v


def plain(g, kept, rate):
    return -rate * g, None


def rprop_first(g, kept, rate):
    assert kept is None, "only its first step is written here"
    return -rate * np.sign(g), None


SOLVERS = {
    "adam": (adam, {"solver": "adam"}),
    "adamw": (adam, {"solver": "adamw"}),
    "rmsprop": (rmsprop, {"solver": "rmsprop"}),
    "rprop": (rprop_first, {"solver": "rprop"}),
    "plain": (plain, {"solver": "sgd", "momentum": 0.0}),
    "momentum": (momentum, {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": False}),
    "nesterov": (nesterov, {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": True}),
}


def linear(**settings):
    how = {"hidden_layer_sizes": (), "alpha": 0.0, "learning_rate_init": RATE, "random_state": 1}
    return MLPRegressor(**{**how, "batch_size": len(X), **settings})


def weights(model):
    return np.append(model.coefs_[0][:, 0], model.intercepts_[0])


def assert_stepped(model, before, step):
    np.testing.assert_allclose(weights(model) - before, step, rtol=0, atol=ROUNDED)


def assert_begins_afresh(model, solver="adam"):
    """The next step is the solver's first."""
    before = weights(model)
    step = SOLVERS[solver][0](gradient(before), None, RATE)[0]
    assert_stepped(model.partial_fit(X, Y), before, step)


@pytest.mark.parametrize(("first", "then"), list(itertools.permutations(SOLVERS, 2)))
def test_another_solver_begins_afresh(first, then):
    model = linear(**SOLVERS[first][1])
    for _ in range(5):
        model.partial_fit(X, Y)
    assert_begins_afresh(model.set_params(**SOLVERS[then][1]), then)


def test_another_number_of_the_solver_begins_afresh():
    model = linear(beta_2=0.5).partial_fit(X, Y).partial_fit(X, Y)
    assert_begins_afresh(model.set_params(beta_2=0.999))


@pytest.mark.parametrize("solver", ["adam", "adamw", "rmsprop", "plain", "momentum", "nesterov"])
@pytest.mark.parametrize("how", ["constant", "adaptive"])
def test_a_changed_learning_rate_counts_and_moments_go_on(solver, how):
    step, settings = SOLVERS[solver]
    model, kept = linear(**settings, learning_rate=how), None
    for call, rate in enumerate([RATE, RATE, RATE / 50, RATE / 50, 3 * RATE]):
        w = weights(model) if call else None
        model.set_params(learning_rate_init=rate).partial_fit(X, Y)
        if call == 0:
            w = first_weights(model, step)
        moved, kept = step(gradient(w), kept, rate)
        assert_stepped(model, w, moved)


def first_weights(model, step):
    """The weights that a model of one epoch began with: drawn in scikit-learn's order."""
    random, bound = np.random.RandomState(model.random_state), np.sqrt(6 / 4)
    return np.append(random.uniform(-bound, bound, (3, 1)), random.uniform(-bound, bound, 1))


def test_the_steps_of_rprop_begin_anew_with_a_changed_learning_rate():
    model = linear(solver="rprop")
    for _ in range(4):
        model.partial_fit(X, Y)
    before = weights(model)
    model.set_params(learning_rate_init=RATE / 7).partial_fit(X, Y)
    assert_stepped(model, before, -RATE / 7 * np.sign(gradient(before)))


def test_a_changed_rate_of_inverse_scaling_counts_from_the_samples_so_far():
    model = linear(**SOLVERS["plain"][1], learning_rate="invscaling", power_t=0.5)
    for _ in range(3):
        model.partial_fit(X, Y)
    for changed in ({"learning_rate_init": 5 * RATE}, {"power_t": 0.25}):
        before, samples = weights(model), model.t_
        model.set_params(**changed).partial_fit(X, Y)
        rate = 5 * RATE / (samples + 1) ** model.power_t
        assert_stepped(model, before, -rate * gradient(before))


def test_an_adaptive_rate_that_fell_begins_anew_where_it_is_changed():
    model = linear(**SOLVERS["plain"][1], learning_rate="adaptive", tol=10.0, n_iter_no_change=1)
    for _ in range(4):  # No epoch is better by 10: the second and the fourth are one too many.
        model.partial_fit(X, Y)
    for rate in (RATE, 2 * RATE):
        before = weights(model)
        model.set_params(learning_rate_init=rate).partial_fit(X, Y)
        fallen = RATE / 5 if rate == RATE else rate
        assert_stepped(model, before, -fallen * gradient(before))


def test_weights_of_another_size_begin_afresh():
    model = linear(hidden_layer_sizes=(4,), activation="identity").partial_fit(X, Y)
    other = linear().partial_fit(X, Y)
    model.coefs_, model.intercepts_ = list(other.coefs_), list(other.intercepts_)
    assert_begins_afresh(model.set_params(hidden_layer_sizes=()))


def test_weights_that_a_solver_of_all_rows_has_moved_begin_afresh():
    model = linear(warm_start=True, max_iter=1).partial_fit(X, Y)
    with pytest.warns(ConvergenceWarning):
        model.set_params(solver="lbfgs").fit(X, Y)
    assert_begins_afresh(model.set_params(solver="adam"))


def test_moments_follow_weights_of_another_dtype():
    model = linear(**SOLVERS["momentum"][1]).partial_fit(X, Y)
    w = first_weights(model, momentum)
    _, kept = momentum(gradient(w), None, RATE)
    model.coefs_ = [coef.astype(np.float32) for coef in model.coefs_]
    model.intercepts_ = [intercept.astype(np.float32) for intercept in model.intercepts_]
    before = weights(model).astype(np.float64)
    model.partial_fit(X, Y)
    assert model.coefs_[0].dtype == np.float32
    # Sums of 40 products of about 1 in float32, whose rounding is 6e-8, times the rate, added to
    # weights of about 1.
    step = momentum(gradient(before), kept, RATE)[0]
    np.testing.assert_allclose(weights(model) - before, step, rtol=0, atol=1e-6)


def test_what_says_nothing_of_the_steps_changes_nothing_that_is_kept():
    model, other = (linear(hidden_layer_sizes=(5,)).partial_fit(X, Y) for _ in range(2))
    for changed in ({"tol": 0.5}, {"momentum": 0.1}, {"power_t": 0.1}, {"max_iter": 3}):
        model.set_params(**changed).partial_fit(X, Y)
        other.partial_fit(X, Y)
        assert np.array_equal(model.coefs_[0], other.coefs_[0])
    assert not np.array_equal(clone(model).partial_fit(X, Y).coefs_[0], model.coefs_[0])


# ---- Iterations of "lbfgs" and "lm" --------------------------------------------------------------

RANDOM = np.random.default_rng(3)
FEW = RANDOM.normal(size=(30, 4)).astype("f4")
NOISY = (FEW @ [1.0, 2.0, 3.0, 4.0] + RANDOM.normal(size=30)).astype("f4")


@pytest.mark.parametrize("solver", ["lbfgs", "lm"])
def test_a_search_in_vain_is_no_iteration(solver):
    """Callbacks and curves hear of each iteration once, whatever ends the last one."""
    seen = []
    model = MLPRegressor(
        hidden_layer_sizes=(3,),
        activation="tanh",
        solver=solver,
        tol=0,
        max_iter=3000,
        random_state=0,
        callbacks=[lambda model: seen.append(model.n_iter_)],
    )
    with pytest.warns(ConvergenceWarning, match="no lower loss was found"):
        model.fit(FEW, NOISY, eval_set=(FEW, NOISY))
    assert seen == list(range(1, model.n_iter_ + 1))
    assert len(model.eval_loss_curve_) == model.n_iter_
    residuals = model.predict(FEW).astype(np.float64) - NOISY
    # Outputs are rounded to float32 a few times, residuals are about as large as NOISY.
    assert model.eval_loss_curve_[-1] == pytest.approx(np.mean(residuals**2) / 2, rel=1e-5)


def warm(solver, **settings):
    how = {"hidden_layer_sizes": (200,), "random_state": 0, "warm_start": True, **settings}
    return MLPRegressor(solver=solver, max_iter=12, tol=0, **how).fit(FEW, NOISY)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("change", ["solver", "warm_start"])
@pytest.mark.parametrize(("solver", "sizes"), [("lbfgs", 21), ("lm", 2)])
def test_another_way_to_train_drops_what_was_remembered(solver, sizes, change):
    """L-BFGS has the weights and ten pairs of such arrays, "lm" the weights in double."""
    model = warm(solver)
    weights = sum(array.nbytes for array in [*model.coefs_, *model.intercepts_])
    without = pickle.loads(pickle.dumps(model))
    del without._going_on
    grown = len(pickle.dumps(model)) - len(pickle.dumps(without))
    assert sizes * weights < grown < (sizes + 1) * weights
    other = {"solver": "sgd"} if change == "solver" else {"solver": "sgd", "warm_start": False}
    model.set_params(max_iter=1, **other).fit(FEW, NOISY)
    assert not hasattr(model, "_going_on")
    fresh = MLPRegressor(**model.get_params()).fit(FEW, NOISY)
    assert len(pickle.dumps(model)) < len(pickle.dumps(fresh)) + weights


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_new_start_drops_what_was_remembered_at_once():
    """Callbacks of the first iteration already see none of the fit before."""
    seen = []
    model = warm("lbfgs")
    kept = model._going_on[1]
    look = {"callbacks": [lambda model: seen.append(getattr(model, "_going_on", None))]}
    model.set_params(warm_start=False, max_iter=2, **look).fit(FEW, NOISY)
    assert kept.size
    assert seen == [None, None]
