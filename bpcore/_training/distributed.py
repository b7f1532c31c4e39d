"""Gradient descent on rows that lie on several ranks, to the bit as on one.

Each rank makes the deltas of its rows of a batch, all have the sums over its rows, in either way of
``sums_over_ranks``, and all do the same update.
"""

import time
from functools import partial
from typing import NamedTuple

import numpy as np

from .. import _core
from .._inputs import check, csr
from . import columns
from .ascending import ascending_sum
from .descent import expect_finite_update, not_finite
from .loop import Epochs, Stepper
from .packed_data import is_mapped, packed
from .sums_over_ranks import sums_over_ranks

# Rows of eval_set that are evaluated together.
EVALUATED_ROWS = 4096


class Plan:
    """Which rows of which rank each batch of an epoch has, in ascending order of the whole.

    Parameters
    ----------
    counts : sequence of int
        Rows of each rank.
    rank : int
    batch_rows : int
    """

    def __init__(self, counts, rank, batch_rows):
        self.ends = np.cumsum(counts)
        self.rows, self.batch_rows = int(self.ends[-1]), batch_rows
        self.first, self.rank = int(self.ends[rank]) - counts[rank], rank
        self.batch_starts = np.arange(0, self.rows, batch_rows)
        self.order = self.sorted = None
        self._count(np.arange(self.rows) if batch_rows < self.rows else None)

    def reorder(self, order):
        """The next epoch visits these rows of the whole, each batch in ascending order."""
        whole = self.rows // self.batch_rows * self.batch_rows
        batches = np.sort(order[:whole].reshape(-1, self.batch_rows), axis=1).reshape(-1)
        self.sorted = np.concatenate([batches, np.sort(order[whole:])])
        mine = (self.sorted >= self.first) & (self.sorted < self.ends[self.rank])
        self.order = np.subtract(self.sorted[mine], self.first, dtype=np.uintp, casting="unsafe")
        self._count(self.sorted)

    def _count(self, rows):
        """offsets (batches, ranks + 1): where in a batch the rows of each rank begin, and end."""
        if rows is None:
            self.offsets = np.concatenate([[0], self.ends])[None]
        else:
            owners = np.searchsorted(self.ends, rows, side="right")
            batch = np.arange(self.rows) // self.batch_rows
            ranks = len(self.ends)
            counts = np.bincount(batch * ranks + owners, minlength=len(self.batch_starts) * ranks)
            counts = counts.reshape(-1, ranks)
            self.offsets = np.pad(np.cumsum(counts, axis=1), ((0, 0), (1, 0)))
        lengths = self.offsets[:, self.rank + 1] - self.offsets[:, self.rank]
        self.local_starts = np.concatenate([[0], np.cumsum(lengths)])
        self.most_rows = min(self.batch_rows, int(self.ends[self.rank]) - self.first)

    def batches(self):
        """The batches of an epoch, one after another."""
        for number in range(len(self.batch_starts)):
            yield Batch.of(self, number)


class Batch(NamedTuple):
    """A batch of ``rows`` rows, of which this rank has ``count``, from number ``at`` on.

    ``row`` is where they begin in the rank's order, ``epoch_row`` in the epoch's. ``before`` and
    ``after`` are the next ranks that have rows of the batch, or None; ``last`` has the last ones.
    """

    number: int
    rows: int
    row: int
    count: int
    at: int
    epoch_row: int
    before: int | None
    after: int | None
    last: int

    @classmethod
    def of(cls, plan, number):
        offsets, rank = plan.offsets[number], plan.rank
        holders = np.flatnonzero(np.diff(offsets))
        before, after = holders[holders < rank], holders[holders > rank]
        at, count = int(offsets[rank]), int(offsets[rank + 1] - offsets[rank])
        return cls(
            number=number,
            rows=int(offsets[-1]),
            row=int(plan.local_starts[number]),
            count=count,
            at=at,
            epoch_row=number * plan.batch_rows + at,
            before=int(before[-1]) if count and len(before) else None,
            after=int(after[0]) if count and len(after) else None,
            last=int(holders[-1]),
        )


class Part:
    """This rank's rows as they pass through the network, and the memory for that.

    Parameters
    ----------
    architecture : _core.Architecture
    sizes : tuple of int
    parameters : ndarray
        Its dtype is that of X.
    X : ndarray (n, inputs), or _core.Sparse
        Checked, as Y (n, outputs) and weights (n,) or None are.
    count : int
        The most rows of a batch.
    ordered : bool
        Whether batches have an order of their own.
    threads : int
    """

    def __init__(
        self, architecture, sizes, parameters, X, Y, weights, *, count, ordered, threads,
        unchecked_name,
    ):  # fmt: skip
        self.architecture, self.parameters, self.threads = architecture, parameters, threads
        self.Y, self.weights, self.ordered = Y, weights, ordered
        self.mapped, self.packed = is_mapped(X), None
        X = X if self.mapped else csr.to_csr_if_faster(architecture, X, unchecked_name, threads)
        self.X, self.sparse = csr.split(X)
        if unchecked_name is not None and self.X is not None:
            check.finite(unchecked_name, self.X)
        dtype, row_nonzeros, self.sizes = parameters.dtype, 0, sizes
        self.deltas = np.empty(count * sum(sizes[1:]), dtype)
        self.A = np.empty(count * sum(sizes[1:-1]), dtype)
        self.losses = np.zeros(count * sizes[-1] + 1)
        if self.sparse is not None:
            row_nonzeros = self.sparse.row_nonzeros
        self.count, self.inputs, self.transposed, self.nonzeros = count, None, None, 0
        self.made_of = None  # Which rows are transposed.
        if count == len(Y) > 0 and not ordered and not self.mapped:
            self.packed = packed(architecture, parameters, self.X, self.sparse, threads)
        size = _core.workspace_size(architecture, count, dtype.itemsize, 0, threads, row_nonzeros)
        self.workspace = np.empty(size, np.uint8)
        size = _core.add_rows_size(architecture, dtype.itemsize, threads)
        self.sums_workspace = np.empty(size, np.uint8)

    def forward_and_back(self, training, batch, order):
        """Make deltas and losses of the rank's rows of a batch."""
        if not batch.count:
            return
        X, Y, weights, row = self.X, self.Y, self.weights, batch.row
        packed = self.packed if batch.count == len(Y) else None  # It is of all rows together.
        if X is not None:  # Dense rows are gathered here, since the gradient reads them, too.
            here = slice(row, row + batch.count)
            if order is not None:
                here = order[here]
            X, Y = X[here], Y[here]
            weights = weights if weights is None else weights[here]
            order, row = None, 0
            self.inputs = X.reshape(-1)
        _core.part_deltas(
            self.architecture, training, self.parameters, X, Y, order, row, batch.count,
            batch.epoch_row, self.A, self.deltas, self.losses[1:], self.workspace,
            threads=self.threads, sparse=self.sparse, packed=packed, weights=weights,
        )  # fmt: skip

    def transpose(self, batch, order):
        """Make of the rank's sparse rows of a batch what ``add_rows`` reads."""
        if self.sparse is None or not batch.count:
            return
        if self.transposed is None:
            of_batches = self.count * self.sparse.row_nonzeros
            self.nonzeros = of_batches if self.ordered else self.sparse.nonzeros
            itemsize = self.parameters.itemsize
            size = _core.transposed_size(self.architecture, self.count, self.nonzeros, itemsize)
            self.transposed = np.empty(size, np.uint8)
        rows = batch.row, batch.at
        if order is None and self.made_of == rows:
            return
        _core.transpose(
            self.architecture, self.parameters, self.sparse, order, batch.row, batch.count,
            batch.at, self.nonzeros, self.transposed,
        )  # fmt: skip
        self.made_of = rows

    def columns(self, first, end):
        """Columns first ... end - 1 of the rank's rows."""
        if self.X is not None:
            return np.ascontiguousarray(self.X[:, first:end])
        return columns.columns_of(self.sparse, first, end)

    def add_losses(self, before, batch):
        """The sum of the batch's losses so far, by those of this rank."""
        losses = self.losses[: batch.count * self.sizes[-1] + 1]
        losses[0] = before
        return ascending_sum(losses)

    def layer_arrays(self, layer, batch):
        """What the rank's rows of a batch put into a layer, or None: transposed; their delta."""
        count, sizes = batch.count, self.sizes
        start = count * sum(sizes[1:layer])
        inputs = self.inputs if layer == 0 else self.A[start : start + count * sizes[layer]]
        start = count * sum(sizes[1 : layer + 1])
        return inputs, self.deltas[start : start + count * sizes[layer + 1]]

    def add_rows(self, piece, batch, sums):
        """Go on with the sums of a slice by this rank's rows."""
        inputs, deltas = self.layer_arrays(piece.layer, batch)
        _core.add_rows(
            self.architecture, piece.layer, piece.first, piece.end, deltas, inputs,
            self.transposed if piece.layer == 0 else None, self.nonzeros, batch.count, batch.at,
            batch.rows, sums, self.sums_workspace, threads=self.threads,
        )  # fmt: skip


class DistributedDescent(Stepper):
    """Epochs of descent over the rows of all ranks.

    ``order_of`` is a function of an epoch's number in this training: the order of the rows of the
    whole; or None. ``weights`` are those of all rows of the whole, or None.
    """

    def __init__(self, net, ranks, part, plan, epochs, order_of, hyper, state, weights):
        self.net, self.ranks, self.part, self.plan = net, ranks, part, plan
        self.epochs, self.order_of, self.hyper, self.state = epochs, order_of, hyper, state
        self.weights = weights
        self.sums = sums_over_ranks(net, ranks, part, plan)
        size = _core.workspace_size(part.architecture, 0, net.dtype.itemsize, 0, part.threads, 0)
        self.workspace = np.empty(size, np.uint8)

    def __iter__(self):
        for epoch in range(self.epochs):
            yield self._epoch(epoch)

    def _epoch(self, epoch):
        net, state, trained = self.net, self.state, self.net._trained
        started = time.perf_counter()
        # Where rows are ordered anew, memory can run out on one rank.
        begin = self._begin if self.order_of is None else partial(self.ranks.agree, self._begin)
        training = begin(epoch)
        for batch in self.plan.batches():
            self._step(training, batch)
            state.step = training.step
            trained.state = state
        trained.epochs += 1
        rate = training.learning_rate
        expect_finite_update(net, state.moments, rate, net.epochs - 1)
        return Epochs(training.losses, training.penalties, rate, time.perf_counter() - started)

    def _begin(self, epoch):
        """The order of an epoch's rows, and what counts its batches."""
        net, hyper, state = self.net, self.hyper, self.state
        if self.order_of is not None:
            self.plan.reorder(self.order_of(epoch))
        return _core.Training(
            self.plan.batch_rows, hyper.rate(net.epochs, state), 1, hyper.rule, step=state.step,
            warmup_steps=hyper.schedule.warmup_steps, seed=net.seed, first_epoch=net.epochs,
        )  # fmt: skip

    def _step(self, training, batch):
        ranks, part, sums = self.ranks, self.part, self.sums
        ranks.attempt(part.forward_and_back, training, batch, self.plan.order)
        requests = sums.start(batch)
        weight = ranks.attempt(self._weight, batch)
        ranks.start_vote()
        for request in requests:
            request.Wait()
        ranks.end_vote()
        try:
            training.end_batch(
                part.architecture, self.net.parameters, sums.gradient, batch.rows, sums.loss(),
                weight, self.plan.rows, self.workspace, threads=part.threads,
                moments=self.state.moments,
            )  # fmt: skip
        except FloatingPointError:
            rate, epoch, number = training.learning_rate, self.net.epochs, batch.number
            expect_finite_update(self.net, self.state.moments, rate, epoch - (number == 0))
            raise not_finite(rate, epoch, number) from None

    def _weight(self, batch):
        """The sum of the weights of a batch's rows, one after another."""
        if self.weights is None:
            return float(batch.rows)
        rows = slice(batch.number * self.plan.batch_rows, None)
        rows = slice(rows.start, rows.start + batch.rows)
        weights = self.weights[rows if self.plan.sorted is None else self.plan.sorted[rows]]
        return ascending_sum(weights)


def element_losses(net, X, Y, threads):
    """The loss of each element of Y (n, outputs), in double and in order."""
    n, outputs = len(Y), net.sizes[-1]
    losses = np.empty(n * outputs)
    if n:
        part = Part(
            net._core, net.sizes, net.parameters, X, Y, None, count=min(n, EVALUATED_ROWS),
            ordered=False, threads=threads, unchecked_name=None,
        )  # fmt: skip
        training = _core.Training(n, 0.0)
        for row in range(0, n, EVALUATED_ROWS):
            count = min(EVALUATED_ROWS, n - row)
            batch = Batch(0, n, row, count, row, row, None, None, 0)
            part.forward_and_back(training, batch, None)
            losses[row * outputs : (row + count) * outputs] = part.losses[1 : 1 + count * outputs]
    return losses
