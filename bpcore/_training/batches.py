"""Descent on an iterable of batches: data that is larger than memory, or that is made."""

import time

from .._inputs import frames
from .._inputs.sample_weights import sample_weights
from .._model.architecture import expect_reachable
from .descent import Trainer, packed
from .loop import Epochs, Stepper

# Dropout counts epochs: each batch of an iterable has a number of its own below this.
MAX_BATCHES = 1 << 32


def is_iterable_of_batches(X, y):
    """Are the targets inside of X?"""
    array = hasattr(X, "__array__") or hasattr(X, "tocsr") or isinstance(X, (list, tuple))
    return y is None and (not array or _holds_pairs(X)) and hasattr(X, "__iter__")


def _holds_pairs(X):
    return isinstance(X, (list, tuple)) and bool(X) and isinstance(X[0], tuple) and len(X[0]) > 1


class BatchDescent(Stepper):
    """Epochs over an iterable of (X, y) or (X, y, sample_weight).

    Each is a step, or steps of ``batch_size`` rows, once it has passed the ``check``.
    """

    def __init__(self, net, batches, epochs, batch_size, hyper, state, check):
        self.net, self.batches, self.epochs, self.batch_size = net, batches, epochs, batch_size
        self.hyper, self.state, self.check = hyper, state, check

    def __iter__(self):
        for _ in range(self.epochs):
            yield self._epoch()

    def _epoch(self):
        net, state, epoch = self.net, self.state, self.net.epochs
        loss = penalty = batches_seen = updates = 0
        rate, started = self.hyper.rate(epoch, state), time.perf_counter()
        for number, item in enumerate(self.batches):
            trainer, names = self._trainer(item, number, batches_seen)
            net._feature_names, before = names, state.step
            losses, penalties = trainer.run(rate)
            count = state.step - before  # Batches without weight are none.
            loss, penalty = loss + losses[0] * count, penalty + penalties[0] * count
            updates += count
            batches_seen += -(-len(trainer.data.Y) // trainer.data.batch_rows)
        if not batches_seen:
            raise ValueError("X is an iterable without batches, but at least one is needed")
        if not updates:
            raise ValueError("the weights of all batches are zero: nothing would be learnt")
        net.epochs = epoch + 1
        seconds = time.perf_counter() - started
        return Epochs([loss / updates], [penalty / updates], rate, seconds)

    def _trainer(self, item, number, batches_seen):
        """A Trainer for one item, and the names of its features."""
        net, hyper = self.net, self.hyper
        check_finite = net.scaling is not None  # What is read as it is, PackedData checks.
        X, Y, weights, names = self.check(item, number, check_finite)
        size = min(self.batch_size or len(X), len(X))
        unchecked = None if check_finite else f"X of batch {number}"
        # For one visit nothing is packed in order.
        given = {"batch_rows": size, "ordered": True, "unchecked_name": unchecked}
        data = packed(net, hyper, X, Y, weights, **given)
        part = batches_seen, (net.epochs * MAX_BATCHES + number) % 2**64
        return Trainer(net, data, hyper, self.state, part=part), names


class BatchCheck:
    """What each batch has to pass before its step.

    ``evaluated`` is X of eval_set as it was given, or None: which columns it has to have may be
    known no sooner than with a batch.
    """

    def __init__(self, net, class_weight, evaluated):
        self.net, self.class_weight, self.evaluated = net, class_weight, evaluated
        self.reachable = True  # Are all targets so far? One warning a fit says that they are not.

    def __call__(self, item, number, check_finite):
        """(X, Y, weights, names of the features or None) of a batch."""
        if not isinstance(item, (tuple, list)) or len(item) not in (2, 3):
            raise TypeError(f"batch {number} is no pair (X, y), nor (X, y, sample_weight)")
        net, name, y_name = self.net, f"X of batch {number}", f"y of batch {number}"
        X, Y = net._data(*item[:2], name=name, y_name=y_name, check_finite=check_finite)
        names = net.feature_names or frames.names(item[0])
        if net.feature_names is None:
            frames.agree("eval_set's X", self.evaluated, names, fitted=False)
        if self.reachable:
            self.reachable = expect_reachable(net, Y, y_name)
        weight, name = item[2] if len(item) == 3 else None, f"sample_weight of batch {number}"
        weights = sample_weights(weight, self.class_weight, Y, net, name, may_be_zero=True)
        return X, Y, weights, names
