"""scikit-learn's own checks of an estimator, all of them, for both classes and several solvers."""

import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install bpcore[sklearn]")

from sklearn.utils.estimator_checks import parametrize_with_checks

from bpcore.sklearn import MLPClassifier, MLPRegressor

BATCHES = (
    "a row that is repeated, or left out, changes which rows share a batch, so that mini-batches "
    "cannot give the same weights; solver='lbfgs', which sees all rows at once, passes"
)
WEIGHTS = ("dense_data", "sparse_data")


def expected_failures(estimator):
    """Names of checks that cannot pass, with the reason."""
    if estimator.solver in ("adam", "sgd"):
        return {f"check_sample_weight_equivalence_on_{data}": BATCHES for data in WEIGHTS}
    return {}


ESTIMATORS = [
    MLPClassifier(max_iter=100),
    MLPRegressor(max_iter=100),
    MLPClassifier(solver="lbfgs", random_state=1),
    MLPRegressor(solver="lbfgs", random_state=1),
]


# Some checks have a purpose that a warning belongs to, such as few iterations.
@pytest.mark.filterwarnings("default")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
