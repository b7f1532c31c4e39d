"""scikit-learn's own checks of an estimator, all of them, for both classes and several solvers."""

import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

from sklearn.utils.estimator_checks import parametrize_with_checks

from bpcore.sklearn import MLPClassifier, MLPRegressor

BATCHES = (
    "a row that is repeated, or left out, changes which rows share a mini-batch; a fit whose "
    "batches hold all rows passes"
)

ESTIMATORS = [
    MLPClassifier(max_iter=100),
    MLPRegressor(max_iter=100),
    # alpha keeps probabilities from becoming exactly 1, which a check does not want.
    MLPClassifier(5, solver="lbfgs", alpha=0.1, random_state=1),
    MLPRegressor(hidden_layer_sizes=10, solver="lbfgs", random_state=1),
    MLPRegressor(hidden_layer_sizes=10, batch_size=4, max_iter=100, random_state=1),
]


def expected_failures(estimator):
    """Names of checks that cannot pass, with the reason; without mini-batches there are none."""
    if estimator.batch_size == "auto":
        return {}
    names = [f"check_sample_weight_equivalence_on_{data}_data" for data in ("dense", "sparse")]
    return dict.fromkeys(names, BATCHES)


def as_list(mark):
    """The same parameters in a list: pytest 9 warns of scikit-learn's generators before 1.9."""
    names, values = mark.args
    return pytest.mark.parametrize(names, list(values), **mark.kwargs)


# Some checks have a purpose that a warning belongs to, such as few iterations.
@pytest.mark.filterwarnings("default")
@as_list(parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures))
def test_scikit_learn_checks(estimator, check):
    check(estimator)
