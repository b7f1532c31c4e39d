"""Solvers that see all rows at once and choose their own steps."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .. import _core, _sparse


class Objective:
    """Mean loss with the penalty ``alpha / 2 |W|^2``, divided by the sum of the row weights.

    Parameters
    ----------
    net : Network
    X : ndarray (n, inputs) or _core.Sparse
    Y : ndarray (n, outputs)
    weights : ndarray (n,), optional
    alpha : float
    n_threads : int
    """

    def __init__(self, net, X, Y, weights, alpha, n_threads):
        self.net, self.Y, self.weights, self.n_threads = net, Y, weights, n_threads
        if isinstance(X, np.ndarray) and net._core.sparse_pays(_core.count_nonzero(X), len(X)):
            X = _sparse.compressed(X)
        self.dense, self.sparse = _sparse.split(X)
        total = len(Y) if weights is None else float(weights.sum(dtype=np.float64))
        self.strength = alpha / total
        row_entries = 0 if self.sparse is None else self.sparse.row_entries
        self.workspace = net._workspace(len(Y), n_threads, row_entries)
        self.is_weight = np.zeros(len(net.parameters), bool)
        for W in net._views(self.is_weight)[0]:
            W[...] = True

    def __call__(self, parameters):
        """(value, gradient) at ``parameters``, a flat array."""
        gradient = np.empty_like(self.net.parameters)
        loss = _core.gradient(
            self.net._core,
            parameters,
            self.dense,
            self.Y,
            gradient,
            self.workspace,
            threads=self.n_threads,
            sparse=self.sparse,
            weights=self.weights,
        )
        W = np.where(self.is_weight, parameters, 0)
        gradient += self.strength * W
        return loss + self._penalty(W), gradient

    def _penalty(self, W):
        return self.strength / 2 * float(W @ W)

    def split(self, value, parameters):
        """A value as (loss, penalty)."""
        penalty = self._penalty(parameters[self.is_weight])
        return value - penalty, penalty


def minimize(estimator, net, X, Y, weights, n_threads, watch):
    """Train ``net`` by the estimator's solver; returns loss and penalty in the end."""
    objective = Objective(net, X, Y, weights, estimator.alpha, n_threads)
    value, converged = _iterate(estimator, net, objective, watch)
    if not converged:
        warnings.warn(
            f"{estimator.solver}: {estimator.n_iter_} iterations are done (max_iter is "
            f"{estimator.max_iter}, max_fun {estimator.max_fun}) and the training has not "
            "converged yet; more iterations, a larger tol or scaled data may help",
            ConvergenceWarning,
            stacklevel=4,
        )
    return objective.split(value, net.parameters)


def _iterate(estimator, net, objective, watch):
    """STAND-IN: SciPy's L-BFGS-B until bpcore._lbfgs is there."""
    from scipy import optimize

    result = optimize.minimize(
        lambda p: objective(p.astype(net.dtype)),
        net.parameters.copy(),
        method="L-BFGS-B",
        jac=True,
        options={
            "maxfun": estimator.max_fun,
            "maxiter": estimator.max_iter,
            "gtol": estimator.tol,
        },
    )
    net.parameters[...] = result.x
    estimator.n_iter_ = min(result.nit, estimator.max_iter)
    return float(result.fun), result.status == 0
