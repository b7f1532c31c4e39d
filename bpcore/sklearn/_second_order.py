"""Solvers that see all rows at once and choose their own steps: L-BFGS, Levenberg-Marquardt."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .. import _lbfgs, _levenberg_marquardt
from .._objective import Objective

# An iteration that lowers the loss by a smaller share of it is the last one: what SciPy's L-BFGS-B
# has for a default, and scikit-learn with it.
LEAST_GAIN = 2.2e-9

# Reasons to end that are not a minimum.
UNFINISHED = ("iterations", "evaluations")


class AllRows:
    """A fit with a solver that sees all rows at once.

    Parameters
    ----------
    estimator
        Takes ``n_iter_`` and ``loss_``.
    net : Network
    data : tuple
        X, Y and weights or None, as the core reads them.
    scale : float
        Of the core's loss, to make it scikit-learn's.
    n_threads : int
    held_out : HeldOut, optional
    watch : Watch
    """

    def __init__(self, estimator, net, data, scale, n_threads, held_out, watch):
        self.estimator, self.net, self.scale = estimator, net, scale
        self.held_out, self.watch = held_out, watch
        X, Y, weights = data
        total = len(Y) if weights is None else float(weights.sum(dtype=np.float64))
        self.l2 = estimator.alpha / total  # alpha belongs to the sum of the losses.
        how = {"weights": weights, "l2": self.l2, "threads": n_threads}
        ends = {"gradient_tolerance": estimator.tol}
        if estimator.solver == "lm":
            _levenberg_marquardt.check(net)
            objective = _levenberg_marquardt.LeastSquares(net, X, Y, **how)
            self.steps = _levenberg_marquardt.fit(net, objective, estimator.max_iter, **ends)
        else:
            ends["relative_tolerance"] = max(LEAST_GAIN, 64 * float(np.finfo(net.dtype).eps))
            ends["most_evaluations"] = estimator.max_fun
            objective = Objective(net, X, Y, **how)
            self.steps = _lbfgs.fit(net, objective, estimator.max_iter, **ends)

    def run(self):
        """Iterate until a minimum, a limit or a callback ends it."""
        estimator, step = self.estimator, None
        self.watch.begin()
        try:
            for step in self.steps:
                self._keep(step)
                if self.watch.end() or step.reason:
                    break
                self.watch.begin()
        except FloatingPointError as error:
            raise ValueError(
                f"Solver produced non-finite parameter weights or losses: {error}. Large values in "
                "the data may be the cause: scale them, for instance with StandardScaler"
            ) from error
        if step.reason in UNFINISHED:
            warnings.warn(
                f"{estimator.solver}: {estimator.n_iter_} iterations are done (max_iter is "
                f"{estimator.max_iter}, max_fun {estimator.max_fun}) and the training has not "
                "converged yet; more of them, a larger tol or scaled data may help",
                ConvergenceWarning,
                stacklevel=5,
            )

    def _keep(self, step):
        estimator = self.estimator
        penalty = self.l2 / 2 * sum(float(np.vdot(W, W)) for W in self.net.weights)
        estimator.loss_ = (step.value - penalty) * self.scale + penalty
        # A start that cannot be improved took one look, and scikit-learn wants one at least.
        estimator.n_iter_ = max(step.iteration, 1)
        if self.held_out is not None:
            self.held_out.measure(self.scale)
        if estimator.verbose:
            print(f"Iteration {step.iteration}, loss = {estimator.loss_:.8f}")
