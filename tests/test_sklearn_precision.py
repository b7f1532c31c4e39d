"""Numbers that the precision of the weights turns into others are refused by their own names."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

from bpcore.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
LABELS, VALUES = (X[:, 0] > 0).astype(int), X @ [1.0, 2.0, 3.0, 4.0]

# What float32 makes 0, 1, infinite or a subnormal number, and float64 holds.
NOT_SINGLE = [
    {"max_norm": 1e-50},
    {"clip_norm": 1e-50},
    {"learning_rate_init": 1e-50},
    {"learning_rate_init": 1e50},
    {"learning_rate_init": 1e-40},
    {"alpha": 1e-46},
    {"alpha": 1e50},
    {"alpha": 1e-46, "solver": "lbfgs"},
    {"alpha": 1e-46, "solver": "adamw"},
    {"l1": 1e-46},
    {"beta_1": 1 - 1e-9},
    {"beta_2": 1 - 1e-9},
    {"beta_2": 1 - 1e-9, "solver": "rmsprop"},
    {"epsilon": 1e-60},
    {"momentum": 1 - 1e-9, "solver": "sgd"},
]


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("wrong", NOT_SINGLE, ids=str)
def test_numbers_that_float32_changes_are_refused_by_name(kind, wrong):
    y, name = LABELS if kind is MLPClassifier else VALUES, next(iter(wrong))
    model = kind(max_iter=2, random_state=0).fit(X.astype("f4"), y)
    weights = model.coefs_[0].copy()
    with pytest.raises(ValueError, match=f"^{name} .*float32"):
        model.set_params(**wrong).fit(X.astype("f4"), y)
    np.testing.assert_array_equal(model.coefs_[0], weights)


# No training survives the others.
SMALL = [wrong for wrong in NOT_SINGLE if 1e50 not in wrong.values()]


@pytest.mark.parametrize("wrong", SMALL, ids=str)
def test_float64_holds_them(wrong):
    model = MLPRegressor(max_iter=2, random_state=0, **wrong).fit(X, VALUES)
    assert np.isfinite(model.coefs_[0]).all()
    assert model.coefs_[0].any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss": "huber", "huber_delta": 1e-60},
        {"loss": "huber", "huber_delta": 1e60},
        {"loss": "quantile", "quantile": 1 - 1e-9},
        {"loss": "quantile", "quantile": 1e-60},
    ],
    ids=str,
)
def test_the_numbers_of_losses_are_refused_by_name(wrong):
    name = list(wrong)[1]
    with pytest.raises(ValueError, match=f"^{name} .*float32"):
        MLPRegressor(max_iter=2, random_state=0, **wrong).fit(X.astype("f4"), VALUES)
    MLPRegressor(max_iter=2, random_state=0, **wrong).fit(X, VALUES)


@pytest.mark.parametrize(
    ("solver", "unused"),
    [
        ("adam", {"momentum": 1 - 1e-9, "huber_delta": 1e-60}),
        ("sgd", {"beta_2": 1 - 1e-9, "epsilon": 1e-60}),
        ("rprop", {"beta_1": 1 - 1e-9, "momentum": 1 - 1e-9}),
        ("lbfgs", {"learning_rate_init": 1e-50, "epsilon": 1e-60}),
    ],
)
def test_a_number_without_a_part_is_not_looked_at(solver, unused):
    given = {"solver": solver, "max_iter": 2, "random_state": 0}
    x = X.astype("f4")
    model, other = MLPRegressor(**given, **unused).fit(x, VALUES), MLPRegressor(**given)
    np.testing.assert_array_equal(model.coefs_[0], other.fit(x, VALUES).coefs_[0])


def test_levenberg_marquardt_computes_in_double():
    """A penalty of 1e-46 is one in float64, which it computes in."""
    given = {"solver": "lm", "hidden_layer_sizes": (2,), "max_iter": 2, "random_state": 0}
    model = MLPRegressor(alpha=1e-46, **given).fit(X.astype("f4"), VALUES)
    assert model.coefs_[0].dtype == np.float32
    assert model.n_iter_ == 2


def test_a_warm_start_has_the_precision_of_its_weights():
    model = MLPRegressor(max_iter=2, random_state=0, warm_start=True).fit(X.astype("f4"), VALUES)
    with pytest.raises(ValueError, match=r"^epsilon .*float32"):
        model.set_params(epsilon=1e-60).fit(X, VALUES)
