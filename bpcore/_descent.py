"""Data as a fit meets it: put into the order and the form that every epoch will read."""

import time

import numpy as np

from . import _core, _sparse


class Prepared:
    """X for many epochs, and the workspace of their steps.

    Parameters
    ----------
    architecture : _core.Architecture
    parameters : ndarray
        What the epochs will change; its dtype is that of X.
    X : ndarray (n, inputs), or _core.Sparse
        Checked. Dense X with few elements that are not zero is compressed, once.
    batch_rows : int
        Rows of a step.
    ordered : bool
        Whether each epoch will name an order of its own.
    threads : int
    """

    def __init__(self, architecture, parameters, X, *, batch_rows, ordered, threads):
        n, itemsize = len(X), parameters.itemsize
        self.architecture, self.threads = architecture, threads
        self.X, self.sparse, self.arrangement = X, None, None
        if isinstance(X, _core.Sparse):
            self.X, self.sparse = None, X
        elif architecture.sparse_pays(_core.count_nonzero(X), n):
            self.X, self.sparse = None, _sparse.compressed(X)
        entries = row_entries = 0
        if self.sparse is not None:
            entries, row_entries = max(self.sparse.entries, 1), self.sparse.row_entries
        if batch_rows >= n and not ordered:
            size = _core.arrangement_size(architecture, n, itemsize, entries)
            self.arrangement = np.empty(size, np.uint8) if size else None
        if self.arrangement is not None:
            data = parameters, self.X, self.arrangement
            _core.arrange(architecture, *data, sparse=self.sparse)
        size = _core.workspace_size(architecture, batch_rows, itemsize, 0, threads, row_entries)
        self.workspace = np.empty(size, np.uint8)

    def run(self, training, parameters, Y, order, row_budget):
        """Go on with ``training`` until so many rows are used."""
        training.run(
            self.architecture,
            parameters,
            self.X,
            Y,
            order,
            row_budget,
            self.workspace,
            threads=self.threads,
            sparse=self.sparse,
            arrangement=self.arrangement,
        )

    def descend(self, net, training, epochs, Y, order, pace):
        """So many epochs on ``net``, in slices that let Python see signals.

        Raises FloatingPointError where a loss or an update is not finite.
        """
        before, n, rate = net.epochs, len(Y), training.learning_rate
        while training.epoch < epochs:
            used, started = training.epoch * n + training.row, time.perf_counter()
            try:
                self.run(training, net.parameters, Y, order, pace.rows)
            except FloatingPointError:
                epoch = before + training.epoch
                # A batch can only be the first to notice what the epoch before has done.
                _check_weights(net, rate, epoch - (training.batches == 0))
                raise FloatingPointError(
                    f"the loss is not finite in epoch {epoch}, batch {training.batches}; "
                    f"the weights are those from before it. A smaller learning_rate than "
                    f"{rate:g} may help"
                ) from None
            finally:  # Ctrl-C, too, leaves the count that belongs to the weights.
                net.epochs = before + training.epoch
            now = training.epoch * n + (training.row if training.epoch < epochs else 0)
            pace.adapt(now - used, time.perf_counter() - started)
        _check_weights(net, rate, net.epochs - 1)


def _check_weights(net, learning_rate, epoch):
    """The loss is summed in double: it can be finite where an update is not."""
    if _core.first_nonfinite(net.parameters) >= 0:
        raise FloatingPointError(
            f"an update overflowed in epoch {max(epoch, 0)}: weights are not finite any more. "
            f"A smaller learning_rate than {learning_rate:g} or smaller inputs may help"
        )
