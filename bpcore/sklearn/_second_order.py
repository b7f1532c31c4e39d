"""Solvers that see all rows at once and choose their own steps: L-BFGS, Levenberg-Marquardt."""

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._solvers import lbfgs
from .._solvers.objective import moved
from .._training.loop import Hooks, train
from .._training.second_order import SecondOrderFit, objective_of
from ..optimizers import LBFGS, LevenbergMarquardt
from ._refused import training_begins
from ._warn import warn

# An iteration that lowers the loss by a smaller share of it is the last one: what SciPy's L-BFGS-B
# has for a default, and scikit-learn with it. Float32 can tell so small a share, too, as losses are
# summed in double, and 64 times its precision was found to end trainings at many times the loss.
MIN_GAIN = 2.2e-9


class AllRows(Hooks):
    """The hooks of a fit with a solver that sees all rows at once.

    ``data`` is X, Y and weights or None, as the core reads them; ``scale`` makes the core's loss
    scikit-learn's; ``held_out`` may be None. The estimator takes ``n_iter_`` and ``loss_``; with
    ``warm_start`` also ``_going_on``, for the next fit: solver and dtype, the weights that they
    have reached, and what is remembered of the way.
    """

    def __init__(self, estimator, net, data, scale, n_threads, held_out, watch):
        self.estimator, self.net, self.scale = estimator, net, scale
        self.held_out, self.watch = held_out, watch
        X, Y, weights = data
        total = len(Y) if weights is None else float(weights.sum(dtype=np.float64))
        self.l2 = estimator.alpha / total  # alpha belongs to the sum of the losses.
        if estimator.solver == "lm":
            optimizer, limit = LevenbergMarquardt(estimator.tol), None
        else:
            optimizer, limit = LBFGS(estimator.tol, MIN_GAIN), estimator.max_fun
        how = {"weights": weights, "l2": self.l2, "threads": n_threads}
        objective = objective_of(optimizer, net, X, Y, **how)
        how = {"remembered": self._remembered(), "max_evaluations": limit}
        self.stepper = SecondOrderFit(net, optimizer, objective, estimator.max_iter, **how)

    def run(self):
        """Iterate until a minimum, a limit or a callback ends it."""
        try:
            train(self.stepper, self)
        except FloatingPointError as error:
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                f"values and need to be preprocessed, for instance by StandardScaler: {error}"
            ) from error
        step = self.stepper.last
        if step.iteration == 0:  # A start that cannot be improved is an epoch nevertheless.
            self.after(None)
        if step.reason and step.reason not in lbfgs.CONVERGED:
            warn(self._why(step), ConvergenceWarning)

    def begin(self):
        self.watch.begin()

    def after(self, epochs):
        """Note an iteration, and tell whether it is the last one."""
        training_begins(self.estimator)
        step = self.stepper.last
        self._keep(step)
        stop = self.watch.end() or self._is_last(step)
        if not stop:
            self.watch.begin()
        return stop

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

    def _remembered(self):
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
