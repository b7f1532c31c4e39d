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
