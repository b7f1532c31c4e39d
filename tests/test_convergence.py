"""L-BFGS and Levenberg-Marquardt say once, and in words, how they have ended."""

import warnings

import numpy as np
import pytest

import bpcore
from bpcore._solvers import lbfgs
from bpcore.optimizers import LBFGS, LevenbergMarquardt

X = np.linspace(-1, 1, 60).reshape(-1, 1)
Y = np.sin(3 * X[:, 0])


def network(dtype="float64", hidden=(6,)):
    sizes = [1, *hidden, 1]
    return bpcore.Network(sizes, hidden="tanh", output="identity", dtype=dtype, seed=1)


def heard(train):
    """(what ``train`` returns, the warnings that it gave)."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        return train(), given


def line(dtype="float64", **tolerances):
    """A line that is fitted to a sine: the minimum is that of least squares."""
    net = network(dtype, ())
    optimizer = LBFGS(**tolerances)
    return heard(lambda: net.fit(X, Y, epochs=50, optimizer=optimizer))


# ---- Network -------------------------------------------------------------------------------------


def test_a_tolerance_that_was_asked_for_is_a_minimum():
    for tolerances in ({"gradient_tolerance": 1e-2}, {"relative_tolerance": 0.01}):
        optimizer = LBFGS(**tolerances)
        history, given = heard(lambda how=optimizer: network().fit(X, Y, epochs=50, optimizer=how))
        assert history.converged and not given and next(iter(tolerances)) in history.stopped


def test_all_iterations_are_no_minimum_and_what_was_asked_for():
    for optimizer in ("lbfgs", "levenberg_marquardt"):
        history, given = heard(lambda name=optimizer: network().fit(X, Y, epochs=3, optimizer=name))
        assert history.converged is False and not given
        assert history.stopped == "all iterations were made"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_end_of_the_precision_is_said_once(dtype):
    history, given = line(dtype, gradient_tolerance=1e-30)
    assert history.converged is False
    assert [each.category for each in given] == [RuntimeWarning]
    assert history.stopped in str(given[0].message) and "'lbfgs'" in str(given[0].message)
    assert history.stopped in {lbfgs.REASONS[name] for name in ("precision", "search")}
    assert given[0].filename == __file__


def test_a_line_search_that_finds_nothing_is_said_once(monkeypatch):
    """A gradient of the wrong sign: no step along it can lower the loss."""
    evaluate = bpcore._solvers.objective.Objective.__call__

    def wrong(self, x):
        value, gradient = evaluate(self, x)
        return value, -gradient

    monkeypatch.setattr(bpcore._solvers.objective.Objective, "__call__", wrong)
    history, given = heard(lambda: network().fit(X, Y, epochs=9, optimizer="lbfgs"))
    assert history.loss == [] and history.converged is False
    assert history.stopped == "no lower loss was found in the direction of the gradient"
    assert len(given) == 1 and history.stopped in str(given[0].message)


def test_a_damping_that_helps_nothing_is_said_once():
    """Noise that no line can learn: in double the gradient's rounding is above 1e-30."""
    noise, net = np.random.default_rng(0).standard_normal(60), network(hidden=())
    optimizer = LevenbergMarquardt(gradient_tolerance=1e-30)
    history, given = heard(lambda: net.fit(X, noise, epochs=50, optimizer=optimizer))
    assert len(history.loss) < 50 and history.converged is False
    assert len(given) == 1 and history.stopped in str(given[0].message)


def test_a_callback_that_stops_is_not_a_minimum_and_no_warning():
    history, given = heard(
        lambda: network().fit(X, Y, epochs=9, optimizer="lbfgs", callbacks=lambda *_: True)
    )
    assert history.converged is False and history.stopped is None and not given


def test_other_optimisers_do_not_say():
    history = network().fit(X, Y, epochs=2, learning_rate=0.1)
    assert history.converged is None and history.stopped is None


def test_a_search_that_has_shrunk_to_nothing_is_no_small_decrease():
    """|x| + x^2 / 100 has its minimum at a bend: no slope is 0 there, and decreases shrink."""

    def function(x):
        return float(np.abs(x).sum() + 0.01 * (x @ x)), np.where(x < 0, -1.0, 1.0) + 0.02 * x

    *_, last = lbfgs.iterate(function, np.array([3.0]), 500)
    assert last.reason == "search" and last.value < 1e-6


# ---- Estimators ----------------------------------------------------------------------------------


@pytest.fixture
def regressor():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from bpcore.sklearn import MLPRegressor

    return lambda **how: MLPRegressor(random_state=0, hidden_layer_sizes=(6,), **how)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"solver": "lbfgs", "max_iter": 3}, "max_iter is 3"),
        ({"solver": "lm", "max_iter": 3}, "max_iter is 3"),
        ({"solver": "lbfgs", "max_fun": 4}, "max_fun 4"),
    ],
)
def test_an_estimator_says_once_that_a_limit_was_reached(regressor, how, said):
    model, given = heard(lambda: regressor(tol=1e-12, **how).fit(X, Y))
    assert [each.category.__name__ for each in given] == ["ConvergenceWarning"]
    assert said in str(given[0].message)


def test_an_estimator_says_once_that_the_precision_has_ended(regressor):
    model = regressor(solver="lm", tol=1e-30, max_iter=5000, alpha=1.0)
    _, given = heard(lambda: model.fit(X, Y))
    assert [each.category.__name__ for each in given] == ["ConvergenceWarning"]
    assert "failed to converge" in str(given[0].message) and "tol is 1e-30" in str(given[0].message)
    assert model.n_iter_ < 5000


def test_an_estimator_that_scikit_learn_calls_converged_says_nothing(regressor):
    """A gradient within tol, and a decrease of 2.2e-9 of the loss."""
    for tol in (1e-4, 1e-30):
        how = {"solver": "lbfgs", "activation": "tanh", "max_iter": 5000, "alpha": 1.0}
        model, given = heard(lambda tol=tol, how=how: regressor(tol=tol, **how).fit(X, Y))
        assert model.n_iter_ < 5000 and not given


def test_the_untrained_float32_case_does_not_pass_in_silence(regressor):
    """Features of 1, 1e3 and 1e6 in float32 are beyond what it can tell apart."""
    random = np.random.RandomState(0)
    inputs = random.randn(500, 5)
    y = inputs @ [1, 2, 3, 0, 0] + np.sin(3 * inputs[:, 1])
    inputs = (inputs * [1, 1e3, 1e6, 1, 1]).astype("f4")
    model = regressor(solver="lbfgs", max_iter=500).set_params(hidden_layer_sizes=(100,))
    _, given = heard(lambda: model.fit(inputs, (y - y.mean()) / y.std()))
    assert model.score(inputs, (y - y.mean()) / y.std()) < 0.5
    assert [each.category.__name__ for each in given] == ["ConvergenceWarning"]


# ---- Warm starts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("solver", ["lbfgs", "lm"])
def test_warm_fits_of_one_iteration_are_one_fit_bit_for_bit(regressor, solver, dtype):
    how = {"solver": solver, "tol": 1e-12, "activation": "logistic"}
    inputs, y = X.astype(dtype), Y.astype(dtype)
    once, warm = regressor(max_iter=60, **how), regressor(max_iter=1, warm_start=True, **how)
    heard(lambda: once.fit(inputs, y))
    heard(lambda: [warm.fit(inputs, y) for _ in range(60)])
    assert once.n_iter_ == 60 and once.loss_ == warm.loss_
    for name in ("coefs_", "intercepts_"):
        for ours, theirs in zip(getattr(once, name), getattr(warm, name), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_a_pickled_estimator_goes_on_as_it_would_have(regressor):
    import pickle

    model = regressor(solver="lbfgs", max_iter=5, warm_start=True)
    heard(lambda: model.fit(X, Y))
    copy = pickle.loads(pickle.dumps(model))
    heard(lambda: [each.fit(X, Y) for each in (model, copy)])
    np.testing.assert_array_equal(model.coefs_[0], copy.coefs_[0])


@pytest.mark.parametrize("change", ["weights", "solver", "dtype"])
def test_what_is_remembered_of_other_weights_is_not_used(regressor, change):
    """As is what another solver left, and steps in another precision."""
    model = regressor(solver="lbfgs", max_iter=5, warm_start=True)
    heard(lambda: model.fit(X, Y))
    if change == "weights":
        model.coefs_[0][...] = 0.5
    elif change == "dtype":
        model = regressor(solver="lbfgs", max_iter=5, warm_start=True)
        heard(lambda: model.fit(X.astype("f4"), Y.astype("f4")))
        model.coefs_ = [W.astype("f8") for W in model.coefs_]
        model.intercepts_ = [b.astype("f8") for b in model.intercepts_]
    else:
        model.set_params(solver="lm")
    fresh = regressor(solver=model.solver, max_iter=5, warm_start=True)
    heard(lambda: fresh.fit(X, Y))
    del fresh._going_on
    fresh.coefs_ = [W.copy() for W in model.coefs_]
    fresh.intercepts_ = [b.copy() for b in model.intercepts_]
    heard(lambda: [each.fit(X, Y) for each in (model, fresh)])
    np.testing.assert_array_equal(model.coefs_[0], fresh.coefs_[0])


def test_an_estimator_that_begins_anew_keeps_no_steps(regressor):
    model = regressor(solver="lbfgs", max_iter=5, warm_start=True)
    heard(lambda: model.fit(X, Y))
    heard(lambda: model.set_params(warm_start=False).fit(X, Y))
    assert not hasattr(model, "_going_on")
