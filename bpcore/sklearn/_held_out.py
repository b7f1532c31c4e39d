"""Validation data: what can be held out, and how it is measured after each epoch."""

import numpy as np

from . import _network


class HeldOut:
    """Rows that are not trained on: X (n, inputs), dense or sparse, Y (n, outputs), weights (n,).

    ``score`` is ``accuracy``, ``exact_match`` or ``r2``. ``curve`` is a list that takes the losses,
    where users have asked for them.
    """

    def __init__(self, net, X, Y, weights, score, n_threads, curve=None):
        self.net, self.X, self.Y, self.weights, self.n_threads = net, X, Y, weights, n_threads
        self.rows, self.A = _network.rows(X, net), np.empty(Y.shape, net.dtype)
        self.score_of, self.curve = score, curve

    def measure(self, scale):
        """Evaluate the network; its loss, times ``scale``, goes to the curve."""
        loss = self.evaluate()
        if self.curve is not None:
            self.curve.append(loss * scale)

    def evaluate(self):
        """The loss of the network, whose outputs ``score`` will read."""
        return self.net._mean_loss(self.rows, self.Y, self.n_threads, self.A, self.weights)

    def score(self):
        """The score of the outputs of ``evaluate``; NaN where one is not finite."""
        if not np.isfinite(self.A).all():
            return np.nan
        return self.score_of(self.A, self.Y, self.weights)


def check_strata(labels):
    """Refuse a class that cannot be on both sides of a split."""
    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() < 2:
        raise ValueError(
            f"early_stopping holds rows of each class out, but class {classes[counts.argmin()]} "
            "has a single one: two are needed. More rows of it, eval_set= or early_stopping=False "
            "would help"
        )


def lacks_class(Y, *parts):
    """Does one of the parts (n, classes) of Y lack a class that each of them could have?"""
    counts = Y.sum(axis=0)
    classes = np.count_nonzero(counts)
    possible = counts[counts > 0].min() > 1 and min(map(len, parts)) >= classes
    return possible and any(np.count_nonzero(part.any(axis=0)) < classes for part in parts)


def accuracy(A, Y, weights):
    """Share of the rows whose largest output is that of the class."""
    return float(np.average(A.argmax(axis=1) == Y.argmax(axis=1), weights=weights))


def exact_match(A, Y, weights):
    """Share of the rows whose labels, one or several, are all right."""
    return float(np.average(((A > 0.5) == (Y > 0.5)).all(axis=1), weights=weights))


def r2(A, Y, weights):
    """Coefficient of determination, the mean over outputs; a constant output counts 1 or 0."""
    A, Y = A.astype(np.float64), Y.astype(np.float64)
    mean = np.average(Y, axis=0, weights=weights)
    rows = np.ones((len(Y), 1)) if weights is None else weights.astype(np.float64)[:, None]
    with np.errstate(over="ignore"):  # The score of a training that diverges is -inf.
        residual = (rows * (Y - A) ** 2).sum(axis=0)
    total = (rows * (Y - mean) ** 2).sum(axis=0)
    constant = total == 0
    scores = 1 - residual / np.where(constant, 1, total)
    scores[constant] = residual[constant] == 0
    return float(scores.mean())
