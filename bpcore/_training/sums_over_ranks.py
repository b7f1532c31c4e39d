"""Sums over the rows of a batch that lie on several ranks, in the contract's order: two ways.

Where a batch has many rows, *sums* travel: each rank goes on with the sums of the one before, a
slice of the parameters at a time, so that while one slice travels the next is computed. Where it
has few, *rows* travel: every rank gets the activations and deltas of all, and makes the sums of its
share of the parameters over all rows. Either way no term and no order differs.
"""

from typing import NamedTuple

import numpy as np

from .. import _core
from . import columns
from .ascending import ascending_sum

# Slices of the parameters for each rank: with S slices on R ranks, the sums take 1 + (R - 1) / S
# times as long as without waiting. But each slice reads all deltas again: those of 784-196-1 and
# 5,636 rows take 11, 13, 16 and 19 ms with 4, 8, 16 and 32 a rank.
SLICES_PER_RANK = 4

# Parameters of a slice at least, 64 kB of float32: 100 kB take 8 us between ranks of a machine, and
# an empty message 2.4.
SLICE_PARAMETERS = 16_384


def sums_over_ranks(net, ranks, part, plan, way=None):
    """The ``way`` that sends less, unless it is told: HandedOn, or Exchanged."""
    units = sum(net.sizes[1:-1]) + sum(net.sizes[1:])
    few = ranks.size > 1 and plan.batch_rows * units < len(net.parameters)
    # X that is mapped from a file may be larger than memory: columns of it are not sent.
    few = few and not any(ranks.comm.allgather(part.mapped))
    sums = ranks.agree(way or (Exchanged if few else HandedOn), net, ranks, part, plan)
    sums.begin()
    return sums


class Slice(NamedTuple):
    """Rows ``first`` ... ``end`` - 1 of a layer's parameters, which are ``place`` of all."""

    layer: int
    first: int
    end: int
    place: slice


def slices_of(sizes, ranks):
    """The pieces in which sums travel: weights and biases of each layer, in even slices."""
    layers = [(inputs + 1, outputs) for inputs, outputs in zip(sizes, sizes[1:], strict=False)]
    count = sum(rows * outputs for rows, outputs in layers)
    wanted = max(count / max(SLICES_PER_RANK * ranks, 1), SLICE_PARAMETERS)
    made, start = [], 0
    for layer, (rows, outputs) in enumerate(layers):
        pieces = min(max(round(rows * outputs / wanted), 1), rows) if ranks > 1 else 1
        cuts = [rows * piece // pieces for piece in range(pieces + 1)]
        for first, end in zip(cuts, cuts[1:], strict=False):
            place = slice(start + first * outputs, start + end * outputs)
            made.append(Slice(layer, first, end, place))
        start += rows * outputs
    return made


def arrays_of_sums(batch_rows):
    """How many arrays the sums over a batch are kept in; see bp_add_rows."""
    return 1 if batch_rows <= _core.RUN_ROWS else 2 if batch_rows <= _core.PART_ROWS else 4


class HandedOn:
    """Sums that go from rank to rank.

    Attributes
    ----------
    gradient : ndarray (parameters,)
        The sums over a batch, when the requests of ``start`` are fulfilled.
    """

    def __init__(self, net, ranks, part, plan):
        self.ranks, self.part, self.plan = ranks, part, plan
        self.slices = slices_of(net.sizes, ranks.size)
        k, dtype = arrays_of_sums(plan.batch_rows), net.dtype
        self.gradient = np.zeros(len(net.parameters), dtype)
        self.sums = [
            np.zeros(k * (piece.place.stop - piece.place.start), dtype) for piece in self.slices
        ]
        self.whole, self.before, self.after = np.zeros(1), np.zeros(1), np.zeros(1)

    def begin(self):
        """What the ranks send each other before the first batch: nothing."""

    def loss(self):
        """The sum of the losses of the batch."""
        return self.whole[0]

    def start(self, batch):
        """Start what gives sums and loss of the batch to every rank; returns what to wait for.

        All ranks start the same collective operations in the same order: the loss, then the slices.
        """
        comm, last = self.ranks.comm, batch.last
        waiting = [] if self.ranks.rank == last else self._expect_results(last)
        if not batch.count:
            return waiting
        self.ranks.attempt(self.part.transpose, batch, self.plan.order)
        coming = []
        if batch.before is not None:
            for tag, sums in enumerate([self.before, *self.sums]):
                coming.append(comm.Irecv(sums, batch.before, tag))
            coming[0].Wait()
        before = self.before[0] if coming else 0.0
        loss = self.ranks.attempt(self.part.add_losses, before, batch)
        self.after[0] = 0.0 if loss is None else loss
        waiting += self._hand_on(self.after, self.whole, 0, batch)
        for tag, (piece, sums) in enumerate(zip(self.slices, self.sums, strict=True), 1):
            if coming:
                coming[tag].Wait()
            self.ranks.attempt(self.part.add_rows, piece, batch, sums)
            waiting += self._hand_on(sums, self.gradient[piece.place], tag, batch)
        return waiting

    def _expect_results(self, last):
        """Requests for the whole sums, on a rank that does not have them first."""
        results = [self.whole, *(self.gradient[piece.place] for piece in self.slices)]
        return [self.ranks.comm.Ibcast(result, last) for result in results]

    def _hand_on(self, sums, result, tag, batch):
        """Send sums to the next rank or, where they are whole, to all; returns the request."""
        comm = self.ranks.comm
        if batch.after is not None:
            return [comm.Isend(sums, batch.after, tag)]
        result[...] = sums[: len(result)]
        return [comm.Ibcast(result, batch.last)]


class Exchanged:
    """Sums that each rank makes for its share of the parameters, of the rows of all.

    The columns of X that a rank's share of the first layer reads are sent to it once.
    """

    def __init__(self, net, ranks, part, plan):
        self.ranks, self.part, self.plan, self.sizes = ranks, part, plan, net.sizes
        dtype, rows = net.dtype, plan.batch_rows
        self.gradient = np.zeros(len(net.parameters), dtype)
        self.layers, start = [], 0
        for layer, (inputs, outputs) in enumerate(zip(net.sizes, net.sizes[1:], strict=False)):
            cuts = [inputs * rank // ranks.size for rank in range(ranks.size)]
            cuts.append(inputs + 1)  # The biases are the last rank's.
            place = slice(start, start + (inputs + 1) * outputs)
            self.layers.append(_SharedLayer(layer, inputs, outputs, cuts, place))
            start = place.stop
        self.A = [np.empty((rows, units), dtype) for units in net.sizes[1:-1]]
        self.deltas = [np.empty((rows, units), dtype) for units in net.sizes[1:]]
        self.losses = np.zeros(rows * net.sizes[-1] + 1)
        k = arrays_of_sums(rows)
        mine = [layer.parameters(ranks.rank) for layer in self.layers]
        self.sums = [np.zeros(max(k * count, 1), dtype) for count in mine]
        self.sent = [part.columns(*ends) for ends in self.layers[0].weights()]

    def begin(self):
        """Send the columns of X that the shares of the first layer read."""
        ranks, part = self.ranks, self.part
        pieces, self.sent = ranks.comm.alltoall(self.sent), None
        given = self.layers[0], ranks.rank, self.plan.batch_rows, part.ordered
        self.columns = ranks.agree(_Columns, pieces, *given, self.gradient.dtype)

    def loss(self):
        """The sum of the losses of the batch."""
        return ascending_sum(self.losses[: self.count + 1])

    def start(self, batch):
        """Start what gives sums and loss of the batch to every rank; returns what to wait for."""
        rank = self.ranks.rank
        counts = np.diff(self.plan.offsets[batch.number])
        requests = self._exchange(batch, counts)
        prepared = self.ranks.attempt(self.columns.prepare, self.plan, batch)
        for request in requests:
            request.Wait()
        results = []
        for layer, sums in zip(self.layers, self.sums, strict=True):
            self.ranks.attempt(self._add_rows, layer, batch, sums, prepared)
            whole = [layer.parameters(each) for each in range(self.ranks.size)]
            mine, all_of_layer = sums[: whole[rank]], self.gradient[layer.place]
            results += self.ranks.gather(mine, all_of_layer, whole)
        return results

    def _exchange(self, batch, counts):
        """Requests for the activations, deltas and losses of all rows of a batch, in order."""
        gather, part, requests = self.ranks.gather, self.part, []
        for layer, deltas in enumerate(self.deltas):
            inputs, mine = part.layer_arrays(layer, batch)
            if layer:
                A = self.A[layer - 1]
                requests += gather(inputs, A.reshape(-1), counts * A.shape[1])
            requests += gather(mine, deltas.reshape(-1), counts * deltas.shape[1])
        outputs = self.sizes[-1]
        self.count = batch.rows * outputs
        losses = part.losses[1 : 1 + batch.count * outputs]
        return requests + gather(losses, self.losses[1:], counts * outputs)

    def _add_rows(self, layer, batch, sums, prepared):
        """The sums of this rank's share of a layer's parameters over all rows of a batch."""
        first, end = layer.cuts[self.ranks.rank], layer.cuts[self.ranks.rank + 1]
        if first == end:
            return
        part, mine = self.part, self.columns
        if layer.number == 0:
            architecture, (inputs, transposed) = mine.architecture, prepared
            first, end = 0, end - first
        else:
            architecture, transposed = part.architecture, None
            inputs = self.A[layer.number - 1].reshape(-1)
        _core.add_rows(
            architecture, layer.number, first, end, self.deltas[layer.number].reshape(-1), inputs,
            transposed, mine.nonzeros, batch.rows, 0, batch.rows, sums, part.sums_workspace,
            threads=part.threads,
        )  # fmt: skip


class _SharedLayer(NamedTuple):
    """A layer whose parameters, rows of [inputs + 1, outputs], are cut into a share a rank."""

    number: int
    inputs: int
    outputs: int
    cuts: list[int]
    place: slice

    def parameters(self, rank):
        """How many of them are this rank's share."""
        return (self.cuts[rank + 1] - self.cuts[rank]) * self.outputs

    def weights(self):
        """Where the rows of weights of each rank's share begin and end."""
        ends = [min(cut, self.inputs) for cut in self.cuts]
        return list(zip(ends, ends[1:], strict=False))


class _Columns:
    """The columns of X that this rank's share of the first layer reads, of the rows of all ranks.

    ``pieces`` are what each rank has sent of its rows: an array (n, columns), or a csr_matrix's
    three arrays.
    """

    def __init__(self, pieces, layer, rank, batch_rows, ordered, dtype):
        first, end = layer.weights()[rank]
        self.width, self.transposed, self.nonzeros = end - first, None, 0
        self.dense = self.sparse = None
        if not self.width:
            return
        sizes = self.width, layer.outputs
        self.architecture = _core.Architecture(sizes, ("identity",), "mse")
        self.parameters = np.zeros(self.architecture.parameter_count, dtype)
        if any(isinstance(piece, np.ndarray) for piece in pieces):
            self.dense = np.concatenate([columns.to_dense(piece, self.width) for piece in pieces])
            return
        self.sparse = columns.stacked(pieces, self.width)
        most = self.sparse.nonzeros if not ordered else batch_rows * self.sparse.row_nonzeros
        self.nonzeros = most
        size = _core.transposed_size(self.architecture, batch_rows, most, np.dtype(dtype).itemsize)
        self.transposed, self.prepared = np.empty(size, np.uint8), None

    def prepare(self, plan, batch):
        """(inputs, transposed): the rows of a batch as the gradient reads them."""
        start = batch.number * plan.batch_rows
        rows = slice(start, start + batch.rows)
        if self.dense is not None:
            return self.dense[rows if plan.sorted is None else plan.sorted[rows]].reshape(-1), None
        if self.sparse is not None and (plan.sorted is not None or self.prepared != start):
            _core.transpose(
                self.architecture, self.parameters, self.sparse, plan.sorted, start, batch.rows, 0,
                self.nonzeros, self.transposed,
            )  # fmt: skip
            self.prepared = start
        return None, self.transposed
