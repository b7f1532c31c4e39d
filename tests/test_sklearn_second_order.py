"""Iterations of "lbfgs" and "lm": how they are counted, and what remains of them."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

from sklearn.exceptions import ConvergenceWarning

from bpcore.sklearn import MLPRegressor

RNG = np.random.default_rng(3)
X = RNG.normal(size=(30, 4)).astype("f4")
Y = (X @ [1.0, 2.0, 3.0, 4.0] + RNG.normal(size=30)).astype("f4")


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
        model.fit(X, Y, eval_set=(X, Y))
    assert seen == list(range(1, model.n_iter_ + 1))
    assert len(model.eval_loss_curve_) == model.n_iter_
    residuals = model.predict(X).astype(np.float64) - Y
    # Outputs are rounded to float32 a few times, residuals are about as large as Y.
    assert model.eval_loss_curve_[-1] == pytest.approx(np.mean(residuals**2) / 2, rel=1e-5)


def warm(solver, **settings):
    how = {"hidden_layer_sizes": (200,), "random_state": 0, "warm_start": True, **settings}
    return MLPRegressor(solver=solver, max_iter=12, tol=0, **how).fit(X, Y)


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
    model.set_params(max_iter=1, **other).fit(X, Y)
    assert not hasattr(model, "_going_on")
    fresh = MLPRegressor(**model.get_params()).fit(X, Y)
    assert len(pickle.dumps(model)) < len(pickle.dumps(fresh)) + weights


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_new_start_drops_what_was_remembered_at_once():
    """Callbacks of the first iteration already see none of the fit before."""
    seen = []
    model = warm("lbfgs")
    kept = model._going_on[1]
    look = {"callbacks": [lambda model: seen.append(getattr(model, "_going_on", None))]}
    model.set_params(warm_start=False, max_iter=2, **look).fit(X, Y)
    assert kept.size
    assert seen == [None, None]
