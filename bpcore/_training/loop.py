"""The body of ``Network.fit``: data and settings are checked, then epochs run."""

import contextlib
import time

import numpy as np

from .. import _core
from .._inputs import check, frames
from .._inputs.sample_weights import sample_weights
from .._model import architecture
from .._model.scaling import Standardizer
from ..callbacks import Callbacks
from ..history import History
from ..schedules import Constant
from .descent import Trainer
from .hyperparameters import Method
from .progress import Reporter

# Epochs whose losses C writes without coming back: 80 kB of them.
MOST_EPOCHS = 10_000


# What ``Network.fit`` takes where nothing is said, for those who come here past it.
DEFAULTS = {
    "learning_rate": None,
    "optimizer": "sgd",
    "batch_size": None,
    "shuffle": True,
    "order": None,
    "sample_weight": None,
    "class_weight": None,
    "l2": 0.0,
    "l1": 0.0,
    "dropout": 0.0,
    "clip_norm": None,
    "max_norm": None,
    "eval_set": None,
    "early_stopping": None,
    "callbacks": (),
    "progress": False,
}


class Watched:
    """What happens between epochs: evaluation, callbacks, progress."""

    def __init__(self, net, callbacks, eval_set, threads, interrupt=None):
        self.net, self.callbacks, self.eval_set = net, callbacks, eval_set
        self.threads, self.interrupt, self.history = threads, interrupt, History()

    def after(self, report):
        """Evaluate, tell, and ask whether to stop."""
        history = self.history
        if self.eval_set is not None:
            figures = self.net._evaluate(*self.eval_set, self.threads, interrupt=self.interrupt)
            history.eval_loss.append(figures["loss"])
            if "accuracy" in figures:
                history.eval_accuracy.append(figures["accuracy"])
        report(history)
        return self.callbacks.epoch(self.net, history)


def fit(
    net, X, y, *, epochs, batch_size, shuffle, order, sample_weight, class_weight, eval_set,
    early_stopping, callbacks, progress, interrupt=None, **method,
):  # fmt: skip
    """See ``Network.fit``. interrupt: an event that ends the training like Ctrl-C, or None."""
    epochs = check.whole_number("epochs", epochs, 0)
    shuffle = check.flag("shuffle", shuffle)
    method = Method(net, **method)
    callbacks = Callbacks(callbacks, early_stopping, figures(net, eval_set))
    names = frames.names(X)
    if isinstance(eval_set, (float, np.floating)):
        X, y, sample_weight, eval_set = _split(net, X, y, sample_weight, eval_set)
    # What the epochs read as it is, they look at: see Prepared.
    look = method.optimizer.full_batch or net.standardize or net.scaling is not None
    X, Y = net._data(X, y, scaled=False, look=look)
    architecture.expect_reachable(net, Y)
    scaling = Standardizer.of(X) if net.standardize and net.scaling is None else net.scaling
    if scaling is not None:
        X = scaling.apply(X)
    weights = sample_weights(sample_weight, class_weight, Y, net)
    n = len(X)
    batch = n if batch_size is None else check.whole_number("batch_size", batch_size, 1)
    batch = min(batch, n)
    if order is not None:
        order = check.row_order(order, n, epochs)
    if eval_set is not None:
        eval_set = _evaluated(net, eval_set, scaling, names)
    if method.optimizer.full_batch and (batch < n or order is not None):
        raise ValueError(
            f"optimizer {method.optimizer.name!r} takes all rows at each step, in any order: leave "
            "batch_size and order out"
        )
    method.resume(net)
    watched = Watched(net, callbacks, eval_set, method.threads, interrupt)
    if method.optimizer.full_batch:
        with Reporter(progress, epochs) as report:
            return _fit_second_order(
                net, X, Y, weights, method, watched, epochs, report, interrupt, scaling, names
            )
    started = time.perf_counter()
    own_order = np.empty(n, np.uintp) if order is None and shuffle and batch < n else None
    trainer = Trainer(
        net,
        X,
        Y,
        rule=method.rule,
        weights=weights,
        batch_size=batch,
        ordered=order is not None or own_order is not None,
        dropout=method.dropout,
        n_threads=method.threads,
        moments=method.moments,
        step=method.step,
        warmup_steps=method.schedule.warmup_steps,
        interrupt=interrupt,
        unseen=None if look else "X",
    )
    watched.history.seconds = time.perf_counter() - started
    with Reporter(progress, epochs) as report, _described(net, scaling, names, method):
        return _run(net, trainer, method, watched, epochs, order, own_order, report, progress)


def _evaluated(net, eval_set, scaling, names):
    """The pair that is evaluated, as C wants it; a frame has the columns of the one of X."""
    X, y = architecture.pair(eval_set)
    if net.feature_names is None:
        frames.agree("eval_set's X", X, names, fitted=False)
    X, Y = net._data(X, y, name="eval_set's X", y_name="eval_set's y", scaled=False)
    return (X if scaling is None else scaling.apply(X)), Y


def _fit_second_order(
    net, X, Y, weights, method, watched, epochs, report, interrupt, scaling, names
):  # fmt: skip
    from . import second_order

    run = second_order.Run(net, X, Y, weights, method, interrupt)
    with _described(net, scaling, names, method):
        return second_order.fit(run, watched, epochs, report)


@contextlib.contextmanager
def _described(net, scaling, names, method):
    """Give the network its scaling and its features' names, unless no update comes of the fit."""
    before, step = (net.scaling, net._feature_names), method.step
    net.scaling, net._feature_names = scaling, net.feature_names or names
    try:
        yield
    except BaseException:
        if method.step == step:
            net.scaling, net._feature_names = before
        raise


def figures(net, eval_set):
    """Names of the figures that the history of a fit with this ``eval_set`` will have."""
    if eval_set is None:
        return ("loss",)
    return ("loss", "eval_loss", "eval_accuracy") if net._has_classes() else ("loss", "eval_loss")


def _run(net, trainer, method, watched, epochs, order, own_order, report, progress):
    history = watched.history
    # Epochs that nothing comes between are one piece of work, of a size that has an end.
    alone = (
        order is not None
        or own_order is not None
        or watched.eval_set is not None
        or watched.callbacks.given
        or progress
        or type(method.schedule) is not Constant
    )
    together = 1 if alone else max(1, min(epochs, MOST_EPOCHS))
    try:
        watched.callbacks.begin(net, history)
        for epoch in range(0, epochs, together):
            rows = own_order
            if own_order is not None:
                _core.shuffle(own_order, net.seed, net.epochs)
            elif order is not None:
                rows = order[epoch % len(order)]
            rate, count = method.rate(net.epochs), min(together, epochs - epoch)
            started = time.perf_counter()
            try:
                losses, penalties = trainer.run(rate, count, rows)
            finally:
                method.keep(net, trainer.step)
            history.extend(losses, penalties, rate, time.perf_counter() - started)
            for loss in history.loss[-count:]:
                method.schedule.observe(loss, method.memory)
            if watched.after(report):
                break
    finally:
        watched.callbacks.end(net, history)
    return history


def _split(net, X, y, sample_weight, share):
    """(X, y, weights) for training, and the pair that is held out: rows drawn by the seed."""
    if not 0 < share < 1:
        raise ValueError(f"eval_set is {share:g}, but a share is above 0 and below 1")
    frames.agree("X", X, net.feature_names)  # What is cut into rows has no names.
    X = X.tocsr() if hasattr(X, "tocsr") else check.rectangle("X", X)
    if not (hasattr(X, "ndim") and hasattr(X, "__getitem__")):
        raise TypeError(f"X.tocsr() is {type(X).__name__}, of which no rows can be held out")
    y, n = check.rectangle("y", y), X.shape[0] if X.ndim else 0
    if not X.ndim or not y.ndim or len(y) != n:
        net._data(X, y)  # says what is wrong
    held = max(1, round(share * n))
    if held >= n:
        raise ValueError(f"eval_set={share:g} of {n} rows leaves none to learn from")
    order = np.empty(n, np.uintp)
    _core.shuffle(order, net.seed, HELD_OUT)
    out, kept = np.sort(order[:held]), np.sort(order[held:])
    if sample_weight is not None:
        sample_weight = check.rectangle("sample_weight", sample_weight)
        if sample_weight.shape != (n,):
            raise ValueError(f"sample_weight has shape {sample_weight.shape}, not ({n},)")
        sample_weight = sample_weight[kept]
    return X[kept], y[kept], sample_weight, (X[out], y[out])


# The shuffle that holds rows out is none of an epoch's: epochs are counted from 0.
HELD_OUT = 2**64 - 1
