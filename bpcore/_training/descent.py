"""Epochs of descent on one network and one set of data, in slices that let Python see signals."""

import time

import numpy as np

from .. import _core
from .._core.slices import AdaptiveSlice
from .packed_data import Prepared


def first_moments(rule, net, learning_rate):
    """What an optimiser begins with: zeros, and steps where it keeps some; None for nothing."""
    if rule is None or not rule.moments:
        return None
    moments = np.zeros((rule.moments, len(net.parameters)), net.dtype)
    if rule.keeps_steps:
        moments[-1] = learning_rate
    return moments


class Trainer:
    """Epochs of gradient descent.

    Parameters
    ----------
    net : Network
        Its parameters change, and its count of epochs.
    X : ndarray (n, inputs) or _core.Sparse
    Y : ndarray (n, outputs)
        Both checked, of the network's dtype.
    rule : _core.Rule, optional
        None: plain gradient descent.
    weights : ndarray (n,), optional
        Of the rows' losses.
    batch_size : int
    ordered : bool
        Whether each run names an order.
    dropout : sequence of float, optional
        A share for each hidden layer.
    n_threads : int
    moments : ndarray (rule.moments, parameters), optional
        The optimiser's: ``first_moments``, or those of an earlier run.
    step : int
        Updates that were done before.
    warmup_steps : int
    rows_count : bool
        Whether a batch counts as often as it has rows in an epoch's loss.
    first_batch : int
        Number of the first batch, for errors.
    first_epoch : int, optional
        Number of the first epoch, for dropout; default: ``net.epochs``.
    interrupt : threading.Event, optional
        Ends the run like Ctrl-C, which only the main thread hears.
    unseen : str, optional
        See ``Prepared``.
    """

    def __init__(
        self,
        net,
        X,
        Y,
        *,
        rule=None,
        weights=None,
        batch_size,
        ordered,
        dropout=None,
        n_threads,
        moments=None,
        step=0,
        warmup_steps=0,
        rows_count=False,
        first_batch=0,
        first_epoch=None,
        interrupt=None,
        unseen=None,
    ):
        self.net, self.Y, self.rule, self.weights = net, Y, rule, weights
        self.batch_size, self.rows_count, self.step = batch_size, rows_count, step
        self.warmup_steps, self.first_batch, self.interrupt = warmup_steps, first_batch, interrupt
        self.offset = 0 if first_epoch is None else first_epoch - net.epochs
        architecture = net._core if not dropout else net._architecture(dropout)
        how = {"batch_rows": batch_size, "ordered": ordered, "threads": n_threads}
        self.data = Prepared(architecture, net.parameters, X, **how, unseen=unseen)
        self.moments, self.pace = moments, AdaptiveSlice()

    def run(self, learning_rate, epochs=1, order=None):
        """Do so many epochs; returns their losses and their penalties.

        Raises FloatingPointError where a loss or an update is not finite.
        """
        net, n, before = self.net, len(self.Y), self.net.epochs
        training = _core.Training(
            self.batch_size,
            learning_rate,
            epochs,
            self.rule,
            step=self.step,
            warmup_steps=self.warmup_steps,
            rows_count=self.rows_count,
            seed=net.seed,
            first_epoch=before + self.offset,
        )
        while training.epoch < epochs:
            if self.interrupt is not None and self.interrupt.is_set():
                raise KeyboardInterrupt
            used, started = training.epoch * n + training.row, time.perf_counter()
            try:
                rows = self.pace.rows
                data = net.parameters, self.Y, order, rows, self.weights, self.moments
                self.data.run(training, *data)
            except FloatingPointError:
                epoch = before + training.epoch
                batch = self.first_batch + training.row // self.batch_size
                # A batch can only be the first to notice what the epoch before has done.
                self._check_update(learning_rate, epoch - (batch == 0))
                raise FloatingPointError(
                    f"the loss is not finite in epoch {epoch}, batch {batch}; "
                    f"the weights are those from before it. A smaller learning_rate than "
                    f"{learning_rate:g} may help"
                ) from None
            finally:  # Ctrl-C, too, leaves the counts that belong to the weights.
                net.epochs, self.step = before + training.epoch, training.step
            now = training.epoch * n + (training.row if training.epoch < epochs else 0)
            self.pace.adapt(now - used, time.perf_counter() - started)
        self._check_update(learning_rate, net.epochs - 1)
        return training.losses, training.penalties

    def _check_update(self, learning_rate, epoch):
        """The loss is summed in double: it can be finite where an update is not.

        Moments can overflow alone: an infinite mean of g^2 keeps its weight where it is for good.
        """
        when = None
        if self.moments is not None and _core.first_nonfinite(self.moments.reshape(-1)) >= 0:
            when, what = "in or before", "the optimizer's moments"
        if _core.first_nonfinite(self.net.parameters) >= 0:
            when, what = "in", "weights"
        if when is not None:
            raise FloatingPointError(
                f"an update overflowed {when} epoch {max(epoch, 0)}: {what} are not finite any "
                f"more. A smaller learning_rate than {learning_rate:g} or smaller inputs may help"
            )
