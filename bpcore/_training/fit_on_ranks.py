"""The body of ``Network.fit(comm=...)``: what ``fit`` does with rows of one process, on ranks.

What a rank does alone, it does in ``ranks.agree``, so that its error is an error on all.
"""

import contextlib
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _core
from .._inputs import check, frames, thread_count
from .._inputs.sample_weights import expect_some, sample_weights
from .._model import architecture
from .._model.architecture import labels
from ..callbacks import Callbacks
from .batches import is_iterable_of_batches
from .distributed import DistributedDescent, Part, Plan, element_losses
from .fit import described, figures, split
from .hyperparameters import Hyperparameters
from .loop import EpochMonitor, train
from .progress import Reporter
from .ranks import Ranks


def fit_on_ranks(net, X, y, comm, **settings):
    """See ``Network.fit``."""
    with net._training_lock:
        ranks = Ranks(comm)
        with ranks.interrupts_kept(), _files_of_rank_0(net, ranks.rank):
            ranks.join()
            try:
                return _fit(net, ranks, X, y, **settings)
            finally:
                ranks.close()


def _fit(
    net, ranks, X, y, *, epochs, batch_size, shuffle, order, sample_weight, class_weight, eval_set,
    early_stopping, callbacks, progress, **how,
):  # fmt: skip
    given = ranks.agree(
        _Given.checked, net, X, y, ranks.beside, epochs=epochs, batch_size=batch_size,
        shuffle=shuffle, eval_set=eval_set, class_weight=class_weight,
        callbacks=(callbacks, early_stopping), **how,
    )  # fmt: skip
    ranks.expect_same(
        ranks.agree(given.settings, net) | {
            "whether there is sample_weight": sample_weight is not None,
            "whether there is order": order is not None,
        }
    )  # fmt: skip
    hyper, names, eval_set = given.hyper, given.names, given.eval_set
    counts = _counts(ranks, given.rows)
    if given.share is not None:
        first = sum(counts[: ranks.rank])
        X, y, sample_weight, eval_set = ranks.agree(
            split, net, X, y, sample_weight, given.share, (sum(counts), first)
        )
    X, Y = ranks.agree(_rows, net, X, y, names, "X", "y", "whole")
    counts = _counts(ranks, len(Y))
    weights, all_weights = _weights(ranks, sample_weight, class_weight, Y, net)
    if eval_set is not None:
        eval_set = ranks.agree(_rows, net, *eval_set, names, "eval_set's X", "eval_set's y", None)
        _counts(ranks, len(eval_set[1]), "eval_set")
    batch_rows = min(given.batch_size or sum(counts), sum(counts))
    plan = ranks.agree(Plan, counts, ranks.rank, batch_rows)
    order_of = _order(ranks, net, plan, order, given)
    state = ranks.agree(hyper.resume, net)
    ranks.expect_same(
        {"the network": fingerprint(net), "the state of its schedule": repr(state.schedule_state)}
    )
    part = ranks.agree(
        Part, hyper.architecture(net), net.sizes, net.parameters, X, Y, weights,
        count=plan.most_rows, ordered=order_of is not None, threads=hyper.threads,
        unchecked_name=None if net.scaling is not None else "X",
    )  # fmt: skip
    stepper = DistributedDescent(
        net, ranks, part, plan, epochs, order_of, hyper, state, all_weights
    )
    monitor = DistributedMonitor(
        net, stepper, hyper, given.callbacks, eval_set, given.fingerprints, ranks
    )
    reporter = ranks.agree(Reporter, progress if ranks.rank == 0 else False, epochs)
    with reporter as monitor.report, described(net, net.scaling, names, stepper):
        train(stepper, monitor)
        monitor.expect_alike()
    return monitor.history


@dataclass
class _Given:
    """What a rank was given beside its rows, checked."""

    epochs: int
    batch_size: int | None
    shuffle: bool
    share: float | None
    eval_set: Any
    class_weight: Any
    hyper: Hyperparameters
    callbacks: Callbacks
    fingerprints: bool
    names: Any
    rows: int

    @classmethod
    def checked(
        cls, net, X, y, beside, *, epochs, batch_size, shuffle, eval_set, class_weight, callbacks,
        fingerprints, **how,
    ):  # fmt: skip
        if y is None or is_iterable_of_batches(X, y):
            raise TypeError("comm shares out the rows of arrays: give X and y, no iterable")
        how["n_threads"] = thread_count.count(how["n_threads"], beside)
        hyper = Hyperparameters.checked(net, **how)
        if hyper.optimizer.full_batch:
            raise ValueError(
                f"optimizer {hyper.optimizer.name!r} does not run on ranks; use one of gradient "
                "descent, or leave comm out"
            )
        if net.standardize and net.scaling is None:
            raise ValueError(
                "standardize=True needs the whole of X once, but comm shares it out: set "
                "net.scaling = bpcore.Standardizer(mean, 1 / deviation)"
            )
        share = float(eval_set) if isinstance(eval_set, (float, np.floating)) else None
        if eval_set is not None and share is None:
            eval_set = tuple(architecture.pair(eval_set))
        if class_weight is not None and not isinstance(class_weight, (str, dict)):
            raise TypeError(
                f'class_weight is {check.shown(class_weight)}, but "balanced" or a dict is expected'
            )
        return cls(
            epochs=check.whole_number("epochs", epochs, 0),
            batch_size=(
                None if batch_size is None else check.whole_number("batch_size", batch_size, 1)
            ),
            shuffle=check.flag("shuffle", shuffle),
            share=share,
            eval_set=eval_set,
            class_weight=class_weight,
            hyper=hyper,
            callbacks=Callbacks(*callbacks, figures(net, eval_set)),
            fingerprints=check.flag("fingerprints", fingerprints),
            names=frames.names(X),
            rows=X.shape[0] if hasattr(X, "shape") and X.shape else len(X),
        )

    def settings(self, net):
        """What has to be the same on all ranks."""
        hyper = self.hyper
        return {
            "the network": repr(net),
            "its epochs": net.epochs,
            "its weights": fingerprint(net),
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "the held-out share": self.share,
            "whether there is eval_set": self.eval_set is not None,
            "class_weight": repr(self.class_weight),
            "its scaling": _mark_of(net.scaling),
            "its features' names": net.feature_names,
            "optimizer": repr(hyper.optimizer),
            "learning_rate": repr(hyper.schedule),
            "penalties": hyper.penalties,
            "dropout": hyper.dropout,
            "the features' names": self.names,
        }


def fingerprint(net):
    """A number that differs where parameters, moments or their count do; near enough surely."""
    state = net._state
    number = zlib.crc32(net.parameters)
    if state is not None and state.moments is not None:
        number = zlib.crc32(np.ascontiguousarray(state.moments), number)
    return number, net.epochs, None if state is None else state.step


def _mark_of(scaling):
    """A number that tells two scalings apart, or None."""
    return None if scaling is None else zlib.crc32(scaling.scale, zlib.crc32(scaling.shift))


def _counts(ranks, rows, name="X"):
    counts = ranks.comm.allgather(rows)
    if sum(counts) == 0:
        raise ValueError(f"{name} has no rows on any rank, but at least one is needed")
    return counts


def _rows(net, X, y, names, name, y_name, whole):
    """X and y as C wants them; a rank may have no rows."""
    if net.feature_names is None:
        frames.agree(name, X, names, fitted=False)
    X = net._table(
        X, name=name, allow_empty=True, check_finite=net.scaling is not None or not whole
    )
    if len(X) == 0:
        Y = np.empty((0, net.sizes[-1]), net.dtype)
        if len(check.rectangle(y_name, y)):
            raise ValueError(f"{name} has 0 rows, but {y_name} has {len(y)}")
    else:
        Y = check.targets(
            y, len(X), net.sizes[-1], net.output, net.loss_name, net.dtype, name=y_name, X_name=name
        )
        architecture.expect_reachable(net, Y, y_name)
    X, Y = (check.copy_if_aliased(array, net.parameters) for array in (X, Y))
    return (X if net.scaling is None else net.scaling.apply(X)), Y


def _weights(ranks, sample_weight, class_weight, Y, net):
    """Weights of this rank's rows, and of all rows; None and None where all count alike."""
    given = sample_weight, class_weight, Y, net
    # Each alone is checked first: what all rows make of both needs messages, so nothing may fail.
    ranks.agree(lambda: sample_weights(sample_weight, None, Y, net, may_be_zero=True))
    ranks.agree(lambda: sample_weights(None, class_weight, Y, net, may_be_zero=True))

    def whole(array):
        return np.concatenate(ranks.comm.allgather(array))

    weights = ranks.agree(lambda: sample_weights(*given, may_be_zero=True, whole=whole))
    everyone = None if weights is None else whole(weights)
    expect_some(everyone)
    return weights, everyone


def _permutations(order, n, epochs):
    order = check.row_order(order, n, epochs)
    for rows in order:
        missing = np.flatnonzero(np.bincount(rows.astype(np.intp), minlength=n) == 0)
        if len(missing):
            raise ValueError(
                f"order leaves row {missing[0]} out, but on ranks each epoch visits every row once"
            )
    return order


def _order(ranks, net, plan, order, given):
    """A function of an epoch's number: the order of all rows in it. None: they come as they are."""
    n = plan.rows
    if order is not None:
        order = ranks.agree(_permutations, order, n, given.epochs)
        ranks.expect_same({"order": zlib.crc32(order)})
        return lambda epoch: order[epoch % len(order)]
    if not given.shuffle or plan.batch_rows >= n:
        return None

    def shuffled(epoch):
        own = np.empty(n, np.uintp)
        _core.shuffle(own, net.seed, net.epochs)
        return own

    return shuffled


class DistributedMonitor(EpochMonitor):
    """The hooks of a fit on ranks: each rank's own, with figures of the rows of all.

    An error of one rank's hooks is an error on all, and one that ends the training ends it on all.
    """

    def __init__(self, net, stepper, hyper, callbacks, eval_set, fingerprints, ranks):
        super().__init__(net, stepper, hyper, callbacks, eval_set, fingerprints)
        self.ranks = ranks
        # Some ranks may have none; they learn what those of others have done.
        self.is_watched = any(ranks.comm.allgather(bool(callbacks.given)))

    def begin(self):
        self.ranks.agree(super().begin)
        self.expect_alike()

    def expect_alike(self):
        """Callbacks of one rank alone may not have changed its network."""
        if self.is_watched:
            self.ranks.expect_same({"the network after callbacks": fingerprint(self.net)})

    def after(self, epochs):
        self.record(epochs)
        if self.eval_set is not None:
            self.evaluated(self._evaluate())
        if not self.is_watched:  # An error of progress waits for the next vote: it costs no time.
            self.ranks.attempt(self.tell)
            return False
        stop = self.ranks.agree(self.tell)
        self.expect_alike()
        return any(self.ranks.comm.allgather(bool(stop)))

    def end(self):
        self.ranks.agree(super().end)

    def _evaluate(self):
        """The figures of all ranks' rows, whose losses are added as those of one process are."""
        here = self.ranks.agree(self._evaluate_here)
        losses, hits = zip(*self.ranks.comm.allgather(here), strict=True)
        total = np.add.accumulate(np.concatenate([[0.0], *losses]))[-1]
        rows = sum(map(len, losses)) // self.net.sizes[-1]
        figures = {"loss": float(total / rows)}
        if self.net._has_classes():
            figures["accuracy"] = sum(hits) / rows
        return figures

    def _evaluate_here(self):
        X, Y = self.eval_set
        net, threads = self.net, self.hyper.threads
        A = np.empty(Y.shape, net.dtype)
        hits = 0
        if len(X) and net._has_classes():
            net._mean_loss(X, Y, threads, A)
            hits = int(np.count_nonzero(labels(A) == labels(Y)))
        return element_losses(net, X, Y, threads), hits


@contextlib.contextmanager
def _files_of_rank_0(net, rank):
    """Within, ``net.save`` writes on rank 0 alone."""
    net._writes_files = rank == 0
    try:
        yield
    finally:
        net._writes_files = True
