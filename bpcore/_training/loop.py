"""The one loop over epochs, what drives it, and what happens around it."""

from collections.abc import Iterator
from typing import NamedTuple

from .._model.training_state import TrainingState
from ..history import History


class Epochs(NamedTuple):
    """An epoch that is finished, or several that were done together.

    ``losses`` are without ``penalties``; ``learning_rate`` is None where there is none.
    """

    losses: list[float]
    penalties: list[float]
    learning_rate: float | None
    seconds: float


class Stepper:
    """What trains a network: iterated, it does an epoch, or several, for each ``Epochs``.

    At every item, and whenever an error or Ctrl-C ends the iteration, the network has the weights
    of the last whole step, and with them their count of epochs and the state of the optimiser.

    Attributes
    ----------
    state : TrainingState
        What the optimiser keeps; its ``step`` counts the updates.
    stopped, converged
        As in ``History``.
    """

    state: TrainingState | None = None
    stopped: str | None = None
    converged: bool | None = None

    def __iter__(self) -> Iterator[Epochs]:
        raise NotImplementedError

    def follow(self) -> None:
        """Hooks have run: the network may be elsewhere."""


class Hooks:
    """What happens around the epochs of a training: nothing, but in classes below."""

    def begin(self) -> None:
        """Before the first epoch."""

    def after(self, epochs: Epochs) -> bool:
        """After each item of the stepper; True ends the training."""
        return False

    def end(self) -> None:
        """After the last epoch, also where an error or Ctrl-C was the end of it."""


def train(stepper: Stepper, hooks: Hooks) -> None:
    """Train until the stepper or its hooks end it."""
    try:
        hooks.begin()
        for epochs in stepper:
            stop = hooks.after(epochs)
            stepper.follow()
            if stop:
                break
    finally:
        hooks.end()


class EpochMonitor(Hooks):
    """The hooks of ``Network.fit``: history, schedule, evaluation, progress and callbacks.

    ``eval_set`` is a checked pair (X, Y), or None; ``fingerprints`` tells whether the history keeps
    those of the network; ``interrupt`` is an event that ends an evaluation like Ctrl-C, or None.
    """

    def __init__(self, net, stepper, hyper, callbacks, eval_set, fingerprints, interrupt=None):
        self.net, self.stepper, self.hyper = net, stepper, hyper
        self.callbacks, self.eval_set, self.interrupt = callbacks, eval_set, interrupt
        self.fingerprints = fingerprints
        self.history = History()
        self.report = None  # A function of the history, by the time of the first epoch.

    def begin(self):
        self.callbacks.begin(self.net, self.history)

    def after(self, epochs):
        self.record(epochs)
        if self.eval_set is not None:
            how = {"threads": self.hyper.threads, "interrupt": self.interrupt}
            self.evaluated(self.net._evaluate(*self.eval_set, **how))
        return self.tell()

    def record(self, epochs):
        """Epochs are finished."""
        self.history.extend(*epochs)
        for loss in self.history.loss[-len(epochs.losses) :]:
            self.hyper.schedule.observe(loss, self.stepper.state.schedule_state)
        if self.fingerprints:
            self.history.fingerprints.append(self.net.fingerprint())
        self._tell_of_convergence()

    def evaluated(self, figures):
        """These are the figures of the eval_set."""
        self.history.eval_loss.append(figures["loss"])
        if "accuracy" in figures:
            self.history.eval_accuracy.append(figures["accuracy"])

    def tell(self):
        """Progress and callbacks; True ends the training."""
        self.report(self.history)
        return self.callbacks.epoch(self.net, self.history)

    def end(self):
        self._tell_of_convergence()
        self.callbacks.end(self.net, self.history)

    def _tell_of_convergence(self):
        self.history.stopped = self.stepper.stopped
        self.history.converged = self.stepper.converged
