"""What tests of the estimators share; they are skipped where scikit-learn is not installed."""

import numpy as np
from sklearn import datasets
from sklearn.preprocessing import scale

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
LABELS, VALUES = (X[:, 0] > 0).astype(int), X @ [1.0, 2.0, 3.0]


def flowers():
    X, y = datasets.load_iris(return_X_y=True)
    return scale(X), y


def same(a, b):
    return all(map(np.array_equal, a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_))


class Recorder:
    """A callback of scikit-learn's, which has them from 1.9 on, that stops after three epochs."""

    def __init__(self):
        self.told = []

    def setup(self, estimator, context):
        self.told.append("setup")

    def teardown(self, estimator, context):
        self.told.append("teardown")

    def on_fit_task_begin(self, estimator, context, **data):
        self.told.append("begin")

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        self.told.append((context.task_name, context.task_id, fitted_estimator.score(X, y)))
        return context.task_name == "epoch" and context.task_id == 2
