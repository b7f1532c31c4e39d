"""``fit`` with L-BFGS or Levenberg-Marquardt: iterations over all rows, one an epoch."""

import time

import numpy as np

from . import _core, _lbfgs, _levenberg_marquardt
from ._objective import Objective, penalty_of
from .optimizers import LBFGS


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
            self.iterate, self.precision = _lbfgs.iterate, net.dtype
            self.objective = Objective(net, X, Y, **data)
            self.settings |= {"memory": optimizer.memory, "state": self._pairs()}
        else:
            _levenberg_marquardt.check(net)  # before its large arrays are made
            self.iterate, self.precision = _levenberg_marquardt.iterate, np.float64
            self.objective = _levenberg_marquardt.LeastSquares(net, X, Y, **data)
            damping = method.memory["damping"]
            self.settings |= {"state": damping if damping is not None and damping > 0 else None}

    def _pairs(self):
        moments = self.method.moments
        return [] if moments is None else list(zip(moments[::2], moments[1::2], strict=True))

    def steps(self, epochs, history):
        """A generator that does an iteration and tells the history each time."""
        net, before, started = self.net, self._penalty(), time.perf_counter()
        x = net.parameters.astype(self.precision)
        for step in self.iterate(self.objective, x, epochs, **self.settings):
            if step.reason is not None:
                history.stopped = _lbfgs.REASONS[step.reason]
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
        net.epochs, net._state = epochs, state


def fit(run, watched, epochs, report):
    """Iterate until the method, a callback or the number of epochs ends it."""
    net, interrupt, history = run.net, run.interrupt, watched.history
    try:
        watched.callbacks.begin(net, history)
        for _ in run.steps(epochs, history):
            if watched.after(report) or (interrupt is not None and interrupt.is_set()):
                break
    finally:
        watched.callbacks.end(net, history)
    if interrupt is not None and interrupt.is_set():
        raise KeyboardInterrupt
    return history
