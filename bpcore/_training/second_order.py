"""``fit`` with L-BFGS or Levenberg-Marquardt: iterations over all rows, one an epoch."""

import time

import numpy as np

from .. import _core
from .._inputs import user_warnings
from .._solvers import lbfgs, levenberg_marquardt
from .._solvers.objective import Objective, moved, penalty_of
from ..optimizers import LBFGS


class Run:
    """The iterations of one fit.

    Parameters
    ----------
    net : Network
    X, Y, weights
        Checked.
    method : Method
        Its moments are the steps that L-BFGS remembers, (2 k, P): s and y of each; its memory holds
        Levenberg-Marquardt's damping.
    interrupt : threading.Event, optional
        Ends the run like Ctrl-C.
    """

    def __init__(self, net, X, Y, weights, method, interrupt):
        self.net, self.method, self.interrupt = net, method, interrupt
        self.l2 = method.penalties["l2"]
        self.penalty = penalty_of(net, self.l2, net.dtype)
        optimizer = method.optimizer
        self.settings = optimizer.tolerances()
        data = {"weights": weights, "l2": self.l2, "threads": method.threads}
        data["interrupt"] = interrupt
        if isinstance(optimizer, LBFGS):
            self.iterate, self.precision = lbfgs.iterate, net.dtype
            self.objective = Objective(net, X, Y, **data)
            self.settings["memory"], self.remembered = optimizer.memory, self._pairs
        else:
            levenberg_marquardt.check(net)  # before its large arrays are made
            self.iterate, self.precision = levenberg_marquardt.iterate, np.float64
            self.objective = levenberg_marquardt.LeastSquares(net, X, Y, **data)
            self.remembered = self._damping
        # The weights that the optimiser's state belongs to, and others that it has to go on from.
        self.x, self.place, self.last = net.parameters.astype(self.precision), None, None

    def _pairs(self):
        moments = self.method.moments
        return [] if moments is None else list(zip(moments[::2], moments[1::2], strict=True))

    def _damping(self):
        damping = self.method.memory["damping"]
        return damping if damping is not None and damping > 0 else None

    def steps(self, epochs, history):
        """A generator that does an iteration and tells the history each time."""
        before, started = self._penalty(), time.perf_counter()
        settings = {"state": self.remembered(), "elsewhere": lambda x: self.place, **self.settings}
        history.converged = False
        for step in self.iterate(self.objective, self.x, epochs, **settings):
            self.last, history.stopped = step, lbfgs.REASONS.get(step.reason)
            history.converged = step.reason in lbfgs.CONVERGED
            if not step.moved:
                return
            self._keep(step)
            seconds = time.perf_counter() - started
            history.extend([step.before - before], [before], None, seconds)
            before = self._penalty()
            yield step
            started = time.perf_counter()

    def _penalty(self):
        x = self.net.parameters
        return 0.0 if self.penalty is None else 0.5 * _core.dot(self.penalty * x, x)

    def _keep(self, step):
        """Move the network on, with all that belongs to the step.

        Everything is made before anything changes, and nothing is called while it changes: neither
        a failing allocation nor Ctrl-C can come between the weights and their counts.
        """
        net, method = self.net, self.method
        if isinstance(method.optimizer, LBFGS):
            pairs = [array for s, y, *_ in step.state for array in (s, y)]
            method.moments = np.array(pairs) if pairs else None
        else:
            method.memory = {"damping": step.state}
        method.step += 1
        x, epochs, state = step.x.astype(net.dtype), net.epochs + 1, method.state()
        net.parameters[...] = x
        net.epochs, net._state, self.x = epochs, state, step.x

    def follow(self, history):
        """Notice where callbacks have moved the network: what L-BFGS remembers belongs elsewhere.

        Levenberg-Marquardt's damping is a number that any place may begin with.
        """
        self.place = moved(self.net, self.x)
        if self.place is not None:
            self.x, history.converged = self.place, False
            if self.method.moments is not None:
                self.method.moments = None
                self.net._state = self.method.state()

    def warn(self):
        """Say so where the method has given up."""
        step, name = self.last, self.method.optimizer.name
        if step is not None and step.reason in lbfgs.GIVEN_UP:
            user_warnings.warn(
                f"{name!r} has not converged: {lbfgs.REASONS[step.reason]}, but the largest "
                f"element of the gradient is {step.gradient_norm:.3g} (gradient_tolerance is "
                f"{self.settings['gradient_tolerance']:g}). Scaled data, dtype='float64' or larger "
                "tolerances may help",
                RuntimeWarning,
            )


def fit(run, watched, epochs, report):
    """Iterate until the method, a callback or the number of epochs ends it."""
    net, interrupt, history = run.net, run.interrupt, watched.history
    try:
        watched.callbacks.begin(net, history)
        run.follow(history)
        for _ in run.steps(epochs, history):
            stop = watched.after(report)
            run.follow(history)
            if stop or (interrupt is not None and interrupt.is_set()):
                break
    finally:
        watched.callbacks.end(net, history)
    if interrupt is not None and interrupt.is_set():
        raise KeyboardInterrupt
    run.warn()
    return history
