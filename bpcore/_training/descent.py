"""Gradient descent on one network and one set of rows, in slices that let Python see signals."""

import time

from .. import _core
from .loop import Epochs, Stepper
from .packed_data import PackedData


class Trainer:
    """Epochs of gradient descent on a network, with the count of its epochs and its state.

    Parameters
    ----------
    net : Network
    data : PackedData
    hyper : Hyperparameters
    state : TrainingState
        What the optimiser begins with, and keeps: the network's from the first update on.
    rows_count : bool
        Whether a batch counts as often as it has rows in an epoch's loss.
    interrupt : threading.Event, optional
        Ends the run like Ctrl-C, which only the main thread hears.
    part : (int, int), optional
        Where the rows are one item of an iterable, no epoch ends with them: the number of its first
        batch in the epoch, for errors, and a number like an epoch's for its dropout.
    """

    def __init__(self, net, data, hyper, state, *, rows_count=False, interrupt=None, part=None):
        self.net, self.data, self.hyper, self.state = net, data, hyper, state
        self.rows_count, self.interrupt, self.part = rows_count, interrupt, part

    def run(self, learning_rate, epochs=1, order=None):
        """Do so many epochs; returns their losses and their penalties.

        Raises FloatingPointError where a loss or an update is not finite.
        """
        net, state, before = self.net, self.state, self.net.epochs
        training, trained = self._training(learning_rate, epochs), net._trained
        while training.epoch < epochs:
            if self.interrupt is not None and self.interrupt.is_set():
                raise KeyboardInterrupt
            try:
                self.data.run(training, net.parameters, order, state.moments)
            except FloatingPointError:
                raise self._not_finite(training, learning_rate, before) from None
            finally:
                # Nothing is called here: whatever ends the slice, Ctrl-C or memory that runs out,
                # the counts are those that belong to the weights.
                if self.part is None:
                    trained.epochs = before + training.epoch
                if training.step != state.step:
                    state.step = training.step
                    trained.state = state
        self._expect_finite(learning_rate, before + epochs - 1)
        return training.losses, training.penalties

    def _training(self, learning_rate, epochs):
        return _core.Training(
            self.data.batch_rows,
            learning_rate,
            epochs,
            self.hyper.rule,
            step=self.state.step,
            warmup_steps=self.hyper.schedule.warmup_steps,
            rows_count=self.rows_count,
            seed=self.net.seed,
            first_epoch=self.net.epochs if self.part is None else self.part[1],
        )

    def _not_finite(self, training, learning_rate, before):
        epoch, batch = before + training.epoch, training.row // self.data.batch_rows
        if self.part is not None:
            batch += self.part[0]
        # A batch can only be the first to notice what the epoch before has done.
        self._expect_finite(learning_rate, epoch - (batch == 0))
        return not_finite(learning_rate, epoch, batch)

    def _expect_finite(self, learning_rate, epoch):
        expect_finite_update(self.net, self.state.moments, learning_rate, epoch)


def expect_finite_update(net, moments, learning_rate, epoch):
    """FloatingPointError where updates up to this epoch have overflowed.

    The loss is summed in double: it can be finite where an update is not. Moments can overflow
    alone: an infinite mean of g^2 keeps its weight where it is for good.
    """
    when = None
    if moments is not None and _core.first_nonfinite(moments.reshape(-1)) >= 0:
        when, what = "in or before", "the optimizer's moments"
    if _core.first_nonfinite(net.parameters) >= 0:
        when, what = "in", "weights"
    if when is not None:
        raise FloatingPointError(
            f"an update overflowed {when} epoch {max(epoch, 0)}: {what} are not finite any "
            f"more. A smaller learning_rate than {learning_rate:g} or smaller inputs may help"
        )


def not_finite(learning_rate, epoch, batch):
    """The error of a batch whose loss is not finite."""
    return FloatingPointError(
        f"the loss is not finite in epoch {epoch}, batch {batch}; the weights are those from "
        f"before it. A smaller learning_rate than {learning_rate:g} may help"
    )


class Descent(Stepper):
    """Epochs of descent over the same rows, ``together`` in one go where nothing comes between.

    ``plan`` is a function of an epoch's number in this training, asked before it: its learning
    rate, and the order of its rows or None.
    """

    def __init__(self, trainer, epochs, plan, together=1):
        self.trainer, self.epochs, self.plan, self.together = trainer, epochs, plan, together
        self.state = trainer.state

    def __iter__(self):
        for epoch in range(0, self.epochs, self.together):
            rate, order = self.plan(epoch)
            started = time.perf_counter()
            count = min(self.together, self.epochs - epoch)
            losses, penalties = self.trainer.run(rate, count, order)
            yield Epochs(losses, penalties, rate, time.perf_counter() - started)


def packed(net, hyper, X, Y, weights, *, batch_rows, ordered, unchecked_name=None):
    """Checked rows for a descent of ``net`` with these Hyperparameters."""
    return PackedData(
        hyper.architecture(net), net.parameters, X, Y, weights, batch_rows=batch_rows,
        ordered=ordered, threads=hyper.threads, unchecked_name=unchecked_name,
    )  # fmt: skip
