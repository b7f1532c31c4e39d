"""Data as a fit meets it: put into the order and the form that every epoch will read."""

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
        entries = self.sparse.entries if self.sparse else 0
        row_entries = self.sparse.row_entries if self.sparse else 0
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
