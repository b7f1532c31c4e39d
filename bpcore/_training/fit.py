"""The body of ``Network.fit``: data and settings are checked, and a stepper made of them runs."""

import contextlib
import time

import numpy as np

from .. import _core
from .._inputs import check, frames
from .._inputs.sample_weights import sample_weights
from .._model import architecture
from .._model.scaling import Standardizer
from ..callbacks import Callbacks
from ..schedules import Constant
from .batches import BatchCheck, BatchDescent, is_iterable_of_batches
from .descent import Descent, Trainer, packed
from .hyperparameters import Hyperparameters
from .loop import EpochMonitor, train
from .progress import Reporter
from .second_order import SecondOrderFit, objective_of

# Epochs whose losses C writes without coming back: 80 kB of them.
MAX_EPOCHS_TOGETHER = 10_000

# The shuffle that holds rows out is none of an epoch's: epochs are counted from 0.
HELD_OUT = 2**64 - 1


def fit(net, X, y, **settings):
    """See ``Network.fit``."""
    batches = is_iterable_of_batches(X, y)
    if y is None and not batches:
        raise TypeError("y is missing: fit(X, y, ...), or fit(batches, ...) of pairs (X, y)")
    with net._training_lock:
        return _fit_batches(net, X, **settings) if batches else fit_rows(net, X, y, **settings)


def fit_rows(
    net, X, y, *, epochs, batch_size, shuffle, order, sample_weight, class_weight, eval_set,
    early_stopping, callbacks, progress, fingerprints, interrupt=None, **how,
):  # fmt: skip
    """``fit`` on arrays. interrupt: an event that ends the training like Ctrl-C, or None."""
    epochs, shuffle = check.whole_number("epochs", epochs, 0), check.flag("shuffle", shuffle)
    fingerprints = check.flag("fingerprints", fingerprints)
    hyper = Hyperparameters.checked(net, **how)
    callbacks = Callbacks(callbacks, early_stopping, figures(net, eval_set))
    names = frames.names(X)
    if isinstance(eval_set, (float, np.floating)):
        X, y, sample_weight, eval_set = split(net, X, y, sample_weight, eval_set)
    full_batch = hyper.optimizer.full_batch
    # What the epochs read as it is, PackedData checks.
    check_finite = full_batch or net.standardize or net.scaling is not None
    X, Y = net._data(X, y, scaled=False, check_finite=check_finite)
    architecture.expect_reachable(net, Y)
    scaling = Standardizer.of(X) if net.standardize and net.scaling is None else net.scaling
    if scaling is not None:
        X = scaling.apply(X)
    weights, n = sample_weights(sample_weight, class_weight, Y, net), len(X)
    batch = n if batch_size is None else min(check.whole_number("batch_size", batch_size, 1), n)
    if order is not None:
        order = check.row_order(order, n, epochs)
    if eval_set is not None:
        eval_set = evaluated_pair(net, eval_set, scaling, names)
    if full_batch and (batch < n or order is not None):
        raise ValueError(
            f"optimizer {hyper.optimizer.name!r} takes all rows at each step, in any order: leave "
            "batch_size and order out"
        )
    state, started, execution = hyper.resume(net), time.perf_counter(), {}
    if full_batch:
        given = {"weights": weights, "threads": hyper.threads, "interrupt": interrupt}
        objective = objective_of(hyper.optimizer, net, X, Y, l2=hyper.l2, **given)
        stepper = SecondOrderFit(net, hyper.optimizer, objective, epochs, l2=hyper.l2, state=state)
    else:
        plan = _Plan(net, hyper, state, order, n if shuffle and batch < n else 0)
        data = packed(
            net, hyper, X, Y, weights, batch_rows=batch, ordered=plan.ordered,
            unchecked_name=None if check_finite else "X",
        )  # fmt: skip
        execution["threads"] = data.tuner.seconds
        trainer = Trainer(net, data, hyper, state, interrupt=interrupt)
        watched = eval_set is not None or callbacks.given or progress or fingerprints
        stepper = Descent(trainer, epochs, plan, 1 if watched else plan.together(epochs))
    monitor = EpochMonitor(net, stepper, hyper, callbacks, eval_set, fingerprints, interrupt)
    monitor.history.seconds = time.perf_counter() - started
    monitor.history.execution = execution
    with Reporter(progress, epochs) as monitor.report, described(net, scaling, names, stepper):
        train(stepper, monitor)
    if full_batch:
        stepper.warn()
    return monitor.history


class _Plan:
    """The rate and the order of each epoch: a row of ``order`` (1 or epochs, n), where it is given.

    ``shuffled`` is the number of rows to shuffle without one, or 0.
    """

    def __init__(self, net, hyper, state, order, shuffled):
        self.net, self.hyper, self.state, self.order = net, hyper, state, order
        self.own = np.empty(shuffled, np.uintp) if shuffled and order is None else None
        self.ordered = order is not None or self.own is not None

    def together(self, epochs):
        """How many epochs are one piece of work, as none of them needs a plan of its own."""
        alone = self.ordered or type(self.hyper.schedule) is not Constant
        return 1 if alone else max(1, min(epochs, MAX_EPOCHS_TOGETHER))

    def __call__(self, epoch):
        rows = self.own
        if self.own is not None:
            _core.shuffle(self.own, self.net.seed, self.net.epochs)
        elif self.order is not None:
            rows = self.order[epoch % len(self.order)]
        return self.hyper.rate(self.net.epochs, self.state), rows


def _fit_batches(
    net, batches, *, epochs, batch_size, shuffle, order, sample_weight, class_weight, eval_set,
    early_stopping, callbacks, progress, fingerprints, **how,
):  # fmt: skip
    """``fit`` on an iterable of batches."""
    if order is not None or sample_weight is not None:
        raise TypeError("order and sample_weight are of an array's rows, not of batches")
    check.flag("shuffle", shuffle)
    fingerprints = check.flag("fingerprints", fingerprints)
    epochs = check.whole_number("epochs", epochs, 0)
    if batch_size is not None:
        batch_size = check.whole_number("batch_size", batch_size, 1)
    if epochs > 1 and iter(batches) is batches:
        raise ValueError(
            f"epochs is {epochs}, but X is an iterator, which can be visited once: give an object "
            "whose __iter__ begins anew, such as a list or a class of your own"
        )
    hyper = Hyperparameters.checked(net, **how)
    if hyper.optimizer.full_batch:
        raise ValueError(
            f"optimizer {hyper.optimizer.name!r} takes all rows at each step, but X is an "
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
    evaluated = None if eval_set is None else architecture.pair(eval_set)[0]
    checked = BatchCheck(net, class_weight, evaluated)
    if eval_set is not None:
        eval_set = net._data(*eval_set, name="eval_set's X", y_name="eval_set's y")
    stepper = BatchDescent(net, batches, epochs, batch_size, hyper, hyper.resume(net), checked)
    monitor = EpochMonitor(net, stepper, hyper, callbacks, eval_set, fingerprints)
    with Reporter(progress, epochs) as monitor.report:
        train(stepper, monitor)
    return monitor.history


def figures(net, eval_set):
    """Names of the figures that the history of a fit with this ``eval_set`` will have."""
    if eval_set is None:
        return ("loss",)
    return ("loss", "eval_loss", "eval_accuracy") if net._has_classes() else ("loss", "eval_loss")


def evaluated_pair(net, eval_set, scaling, names):
    """The pair that is evaluated, as C wants it; a frame has the columns of the one of X."""
    X, y = architecture.pair(eval_set)
    if net.feature_names is None:
        frames.agree("eval_set's X", X, names, fitted=False)
    X, Y = net._data(X, y, name="eval_set's X", y_name="eval_set's y", scaled=False)
    return (X if scaling is None else scaling.apply(X)), Y


@contextlib.contextmanager
def described(net, scaling, names, stepper):
    """Give the network its scaling and its features' names, unless no update comes of the fit."""
    before, step = (net.scaling, net._feature_names), stepper.state.step
    net.scaling, net._feature_names = scaling, net.feature_names or names
    try:
        yield
    except BaseException:
        if stepper.state.step == step:
            net.scaling, net._feature_names = before
        raise


def split(net, X, y, sample_weight, share, place=None):
    """(X, y, weights) for training, and the pair that is held out: rows drawn by the seed.

    ``place``: X is a part of so many rows, the first of which has this number among them.
    """
    frames.agree("X", X, net.feature_names)  # What is cut into rows has no names.
    X = X.tocsr() if hasattr(X, "tocsr") else check.rectangle("X", X)
    if not (hasattr(X, "ndim") and hasattr(X, "__getitem__")):
        raise TypeError(f"X.tocsr() is {type(X).__name__}, of which no rows can be held out")
    y, n = check.rectangle("y", y), X.shape[0] if X.ndim else 0
    if not X.ndim or not y.ndim or len(y) != n:
        net._data(X, y)  # says what is wrong
    if sample_weight is not None:
        sample_weight = check.rectangle("sample_weight", sample_weight)
        if sample_weight.shape != (n,):
            raise ValueError(f"sample_weight has shape {sample_weight.shape}, not ({n},)")
    rows, first = (n, 0) if place is None else place
    out, kept = (_between(part, first, first + n) for part in held_out(net, rows, share))
    if sample_weight is not None:
        sample_weight = sample_weight[kept]
    return X[kept], y[kept], sample_weight, (X[out], y[out])


def held_out(net, n, share):
    """The rows of n that the seed holds out, such a share of them, and those that are kept."""
    if not 0 < share < 1:
        raise ValueError(f"eval_set is {share:g}, but a share is above 0 and below 1")
    held = max(1, round(share * n))
    if held >= n:
        raise ValueError(f"eval_set={share:g} of {n} rows leaves none to learn from")
    order = np.empty(n, np.uintp)
    _core.shuffle(order, net.seed, HELD_OUT)
    return np.sort(order[:held]), np.sort(order[held:])


def _between(rows, first, end):
    """Those of ascending rows, counted from ``first`` on."""
    return rows[np.searchsorted(rows, first) : np.searchsorted(rows, end)] - np.uintp(first)
