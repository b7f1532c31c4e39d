"""``Network.fit`` on an iterable of batches: data that is larger than memory, or that is made."""

import time

import numpy as np

from .._inputs import check, frames
from .._inputs.sample_weights import sample_weights
from .._model.architecture import expect_reachable, pair
from ..callbacks import Callbacks
from .descent import Trainer
from .hyperparameters import Method
from .loop import Watched, figures
from .progress import Reporter

# Dropout counts epochs: each batch of an iterable has a number of its own below this.
MOST_BATCHES = 1 << 32


def is_iterable_of_batches(X, y):
    """Are the targets inside of X?"""
    array = hasattr(X, "__array__") or hasattr(X, "tocsr") or isinstance(X, (list, tuple))
    return y is None and (not array or _holds_pairs(X)) and hasattr(X, "__iter__")


def _holds_pairs(X):
    return isinstance(X, (list, tuple)) and bool(X) and isinstance(X[0], tuple) and len(X[0]) > 1


def fit(
    net, batches, *, epochs, batch_size, class_weight, eval_set, early_stopping, callbacks,
    progress, **method,
):  # fmt: skip
    """Each item (X, y) or (X, y, sample_weight) is a step, or steps of ``batch_size`` rows."""
    epochs = check.whole_number("epochs", epochs, 0)
    if batch_size is not None:
        batch_size = check.whole_number("batch_size", batch_size, 1)
    if epochs > 1 and iter(batches) is batches:
        raise ValueError(
            f"epochs is {epochs}, but X is an iterator, which can be visited once: give an object "
            "whose __iter__ begins anew, such as a list or a class of your own"
        )
    method = Method(net, **method)
    if method.optimizer.full_batch:
        raise ValueError(
            f"optimizer {method.optimizer.name!r} takes all rows at each step, but X is an "
            "iterable of batches: give X and y as arrays"
        )
    callbacks = Callbacks(callbacks, early_stopping, figures(net, eval_set))
    if isinstance(eval_set, (float, np.floating)):
        raise ValueError("eval_set is a share, but rows of an iterable cannot be held out")
    if net.standardize and net.scaling is None:
        raise ValueError(
            "standardize=True needs the whole of X once: call fit on an array first, or set "
            "net.scaling = bpcore.Standardizer(mean, 1 / deviation)"
        )
    door = _Door(net, class_weight, None if eval_set is None else pair(eval_set)[0])
    if eval_set is not None:
        eval_set = net._data(*eval_set, name="eval_set's X", y_name="eval_set's y")
    watched = Watched(net, callbacks, eval_set, method.threads)
    with Reporter(progress, epochs) as report:
        method.resume(net)
        try:
            callbacks.begin(net, watched.history)
            for _ in range(epochs):
                _epoch(net, batches, door, batch_size, method, watched.history)
                if watched.after(report):
                    break
        finally:
            callbacks.end(net, watched.history)
    return watched.history


def _epoch(net, batches, door, batch_size, method, history):
    epoch = net.epochs
    loss = penalty = batches_seen = updates = 0
    rate, started = method.rate(epoch), time.perf_counter()
    for number, item in enumerate(batches):
        look = net.scaling is not None  # What is read as it is, the trainer looks at.
        X, Y, weights, names = door.checked(item, number, look)
        size = min(batch_size or len(X), len(X))
        trainer = Trainer(
            net,
            X,
            Y,
            rule=method.rule,
            weights=weights,
            batch_size=size,
            ordered=True,  # Nothing is arranged for one visit.
            dropout=method.dropout,
            n_threads=method.threads,
            moments=method.moments,
            step=method.step,
            warmup_steps=method.schedule.warmup_steps,
            first_batch=batches_seen,
            first_epoch=(epoch * MOST_BATCHES + number) % 2**64,
            unseen=None if look else f"X of batch {number}",
        )
        net._feature_names = names
        before = method.step
        try:
            losses, penalties = trainer.run(rate)
        finally:
            net.epochs = epoch
            method.keep(net, trainer.step)
        count = method.step - before  # Batches without weight are none.
        loss, penalty = loss + losses[0] * count, penalty + penalties[0] * count
        updates += count
        batches_seen += -(-len(X) // size)
    if not batches_seen:
        raise ValueError("X is an iterable without batches, but at least one is needed")
    if not updates:
        raise ValueError("the weights of all batches are zero: nothing would be learnt")
    net.epochs = epoch + 1
    history.extend([loss / updates], [penalty / updates], rate, time.perf_counter() - started)
    method.schedule.observe(history.loss[-1], method.memory)


class _Door:
    """What each batch has to pass before its step.

    Parameters
    ----------
    net : Network
    class_weight
        As for ``Network.fit``.
    evaluated : array-like or None
        X of eval_set as it was given: which columns it has to have may be known no sooner than
        with a batch.
    """

    def __init__(self, net, class_weight, evaluated):
        self.net, self.class_weight, self.evaluated = net, class_weight, evaluated
        self.reachable = True  # Are all targets so far? One warning a fit says that they are not.

    def checked(self, item, number, look):
        """(X, Y, weights, names of the features or None) of a batch."""
        if not isinstance(item, (tuple, list)) or len(item) not in (2, 3):
            raise TypeError(f"batch {number} is no pair (X, y), nor (X, y, sample_weight)")
        net, name, y_name = self.net, f"X of batch {number}", f"y of batch {number}"
        X, Y = net._data(item[0], item[1], name=name, y_name=y_name, look=look)
        names = net.feature_names or frames.names(item[0])
        if net.feature_names is None:
            frames.agree("eval_set's X", self.evaluated, names, fitted=False)
        if self.reachable:
            self.reachable = expect_reachable(net, Y, y_name)
        weight, name = item[2] if len(item) == 3 else None, f"sample_weight of batch {number}"
        weights = sample_weights(weight, self.class_weight, Y, net, name, may_be_zero=True)
        return X, Y, weights, names
