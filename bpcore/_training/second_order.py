"""L-BFGS and Levenberg-Marquardt as steppers: iterations over all rows, one an epoch."""

import time
from dataclasses import replace

import numpy as np

from .. import _core
from .._inputs import user_warnings
from .._solvers import lbfgs, levenberg_marquardt
from .._solvers.objective import Objective, moved, penalty_of
from ..optimizers import LBFGS
from .loop import Epochs, Stepper


def objective_of(optimizer, net, X, Y, **how):
    """What ``optimizer`` minimises; ValueError where it cannot train ``net``."""
    if isinstance(optimizer, LBFGS):
        return Objective(net, X, Y, **how)
    levenberg_marquardt.check(net)  # before its large arrays are made
    return levenberg_marquardt.LeastSquares(net, X, Y, **how)


class SecondOrderFit(Stepper):
    """The iterations of one fit, at most ``epochs``.

    Parameters
    ----------
    optimizer : LBFGS or LevenbergMarquardt
    objective : Objective or LeastSquares
    l2 : float
        Of the objective's penalty.
    state : TrainingState, optional
        Kept in the network: moments are the steps that L-BFGS remembers, (2 k, P): s and y of each;
        Levenberg-Marquardt's damping is in ``schedule_state``.
    remembered : optional
        Without a state, that of the last Step of an earlier fit.
    max_evaluations : int, optional
        See ``lbfgs.iterate``.

    Attributes
    ----------
    last : Step or None
        The last one, also where it moved nothing and was no epoch.
    """

    def __init__(
        self, net, optimizer, objective, epochs, *,
        l2=0.0, state=None, remembered=None, max_evaluations=None,
    ):  # fmt: skip
        self.net, self.optimizer, self.objective, self.epochs = net, optimizer, objective, epochs
        self.state, self.remembered = state, remembered
        self.penalty = penalty_of(net, l2, net.dtype)
        self.settings = optimizer.tolerances()
        if isinstance(optimizer, LBFGS):
            self.iterate, precision = lbfgs.iterate, net.dtype
            self.settings |= {"memory": optimizer.memory, "max_evaluations": max_evaluations}
        else:
            self.iterate, precision = levenberg_marquardt.iterate, np.float64
        # The weights that the optimiser's state belongs to, and others that it has to go on from.
        self.x, self.place = net.parameters.astype(precision), None
        self.last, self.converged = None, False

    def __iter__(self):
        self.follow()
        before, started = self._penalty(), time.perf_counter()
        how = {"state": self._remembered(), "elsewhere": lambda x: self.place, **self.settings}
        for step in self.iterate(self.objective, self.x, self.epochs, **how):
            self.last, self.stopped = step, lbfgs.REASONS.get(step.reason)
            self.converged = step.reason in lbfgs.CONVERGED
            if not step.moved:
                return
            self._keep(step)
            seconds = time.perf_counter() - started
            epochs = Epochs([step.before - before], [before], None, seconds)
            before = self._penalty()
            yield epochs
            started = time.perf_counter()

    def _penalty(self):
        x = self.net.parameters
        return 0.0 if self.penalty is None else 0.5 * _core.dot(self.penalty * x, x)

    def _remembered(self):
        state = self.state
        if state is None:
            return self.remembered
        if isinstance(self.optimizer, LBFGS):
            moments = [] if state.moments is None else state.moments
            return list(zip(moments[::2], moments[1::2], strict=True))
        damping = state.schedule_state["damping"]
        return damping if damping is not None and damping > 0 else None

    def _keep(self, step):
        """Move the network on, with all that belongs to the step.

        Everything is made before anything changes, and nothing is called while it changes: neither
        a failing allocation nor Ctrl-C can come between the weights and their counts.
        """
        net, trained, state = self.net, self.net._trained, self.state
        parameters, x, epochs = net.parameters, step.x.astype(net.dtype), trained.epochs + 1
        if state is not None and isinstance(self.optimizer, LBFGS):
            pairs = [array for s, y, *_ in step.state for array in (s, y)]
            moments = np.array(pairs) if pairs else None
            state = replace(state, step=state.step + 1, moments=moments)
        elif state is not None:
            state = replace(state, step=state.step + 1, schedule_state={"damping": step.state})
        parameters[...] = x
        trained.epochs, trained.state = epochs, state
        self.state, self.x = state, step.x

    def follow(self):
        """Notice where hooks have moved the network: what L-BFGS remembers belongs elsewhere.

        Levenberg-Marquardt's damping is a number that any place may begin with.
        """
        self.place = moved(self.net, self.x)
        if self.place is not None:
            self.x, self.converged = self.place, False
            if self.state is not None and self.state.moments is not None:
                self.state = self.net._state = replace(self.state, moments=None)

    def warn(self):
        """Say so where the method has given up."""
        step, name = self.last, self.optimizer.name
        if step is not None and step.reason in lbfgs.GIVEN_UP:
            user_warnings.warn(
                f"{name!r} has not converged: {lbfgs.REASONS[step.reason]}, but the largest "
                f"element of the gradient is {step.gradient_norm:.3g} (gradient_tolerance is "
                f"{self.settings['gradient_tolerance']:g}). Scaled data, dtype='float64' or larger "
                "tolerances may help",
                RuntimeWarning,
            )
