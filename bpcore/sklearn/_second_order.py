"""Solvers that see all rows at once and choose their own steps: L-BFGS, Levenberg-Marquardt."""

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._solvers import lbfgs, levenberg_marquardt
from .._solvers.objective import Objective, moved
from ._refused import training_begins
from ._warn import warn

# An iteration that lowers the loss by a smaller share of it is the last one: what SciPy's L-BFGS-B
# has for a default, and scikit-learn with it. Float32 can tell so small a share, too, as losses are
# summed in double, and 64 times its precision was found to end trainings at many times the loss.
LEAST_GAIN = 2.2e-9


class AllRows:
    """A fit with a solver that sees all rows at once.

    Parameters
    ----------
    estimator
        Takes ``n_iter_`` and ``loss_``; with ``warm_start`` also ``_going_on``, for the next fit:
        solver and dtype, the weights that they have reached, and what is remembered of the way.
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
        ends = {"gradient_tolerance": estimator.tol, "state": self._state()}
        if estimator.solver == "lm":
            levenberg_marquardt.check(net)
            objective = levenberg_marquardt.LeastSquares(net, X, Y, **how)
            self.steps = levenberg_marquardt.fit(net, objective, estimator.max_iter, **ends)
        else:
            ends |= {"relative_tolerance": LEAST_GAIN, "most_evaluations": estimator.max_fun}
            objective = Objective(net, X, Y, **how)
            self.steps = lbfgs.fit(net, objective, estimator.max_iter, **ends)

    def run(self):
        """Iterate until a minimum, a limit or a callback ends it."""
        step = None
        self.watch.begin()
        try:
            for step in self.steps:
                training_begins(self.estimator)
                if not step.moved and step.iteration:  # It repeats one that is counted already.
                    break
                self._keep(step)
                if self.watch.end() or self._is_last(step):
                    break
                self.watch.begin()
        except FloatingPointError as error:
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                f"values and need to be preprocessed, for instance by StandardScaler: {error}"
            ) from error
        if step.reason and step.reason not in lbfgs.CONVERGED:
            warn(self._why(step), ConvergenceWarning)

    def _is_last(self, step):
        """Is no other to come? A callback may have moved the weights away from a minimum."""
        stays = not step.moved or step.reason in lbfgs.LIMITS
        return step.reason and (stays or moved(self.net, step.x) is None)

    def _why(self, step):
        """What to say of a training that has not converged."""
        solver, how = self.estimator.solver, self.estimator
        if step.reason in lbfgs.LIMITS:
            return (
                f"{solver} failed to converge after {how.n_iter_} iterations (max_iter is "
                f"{how.max_iter}, max_fun {how.max_fun}): more of them, a larger tol or scaled "
                "data may help"
            )
        return (
            f"{solver} failed to converge: {lbfgs.REASONS[step.reason]}, but the largest element "
            f"of the gradient is {step.gradient_norm:.3g} (tol is {how.tol:g}): scaled data, "
            "float64 or a larger tol may help"
        )

    def _state(self):
        """What the fit before remembers, if it was by this solver and left these weights."""
        how, x, state = getattr(self.estimator, "_going_on", (None, None, None))
        same = self.estimator.warm_start and how == (self.estimator.solver, self.net.dtype)
        return state if same and np.array_equal(x, self.net.parameters) else None

    def _keep(self, step):
        estimator = self.estimator
        if not estimator.warm_start:
            vars(estimator).pop("_going_on", None)
        elif step.moved:
            estimator._going_on = (estimator.solver, self.net.dtype), step.x, step.state
        penalty = self.l2 / 2 * sum(float(np.vdot(W, W)) for W in self.net.weights)
        estimator.loss_ = (step.value - penalty) * self.scale + penalty
        # A start that cannot be improved took one look, and scikit-learn wants one at least.
        estimator.n_iter_ = max(step.iteration, 1)
        if self.held_out is not None:
            self.held_out.measure(self.scale)
        if estimator.verbose:
            print(f"Iteration {step.iteration}, loss = {estimator.loss_:.8f}")
