"""Data as a fit meets it: put into the order and the form that every epoch will read."""

import numpy as np

from .. import _core
from .._inputs import check, csr


class Prepared:
    """X for many epochs, and the workspace of their steps.

    Parameters
    ----------
    architecture : _core.Architecture
    parameters : ndarray
        What the epochs will change; its dtype is that of X.
    X : ndarray (n, inputs), or _core.Sparse
        Checked. Dense X with few elements that are not zero is compressed, once, unless it is
        mapped from a file: that may be larger than memory.
    batch_rows : int
        Rows of a step.
    ordered : bool
        Whether each epoch will name an order of its own.
    threads : int
    unseen : str, optional
        What errors call X, if it is dense and nobody has looked yet whether it is finite. The
        entries of compressed X are all there is to look at.
    """

    def __init__(
        self, architecture, parameters, X, *, batch_rows, ordered, threads, unseen=None
    ):  # fmt: skip
        n, itemsize = len(X), parameters.itemsize
        self.architecture, self.threads = architecture, threads
        mapped, self.arrangement = _is_mapped(X), None
        X = X if mapped else csr.lighter(architecture, X, unseen)
        self.X, self.sparse = csr.split(X)
        if unseen is not None and self.X is not None:
            check.finite(unseen, self.X)
        entries = row_entries = 0
        if self.sparse is not None:
            entries, row_entries = max(self.sparse.entries, 1), self.sparse.row_entries
        if batch_rows >= n and not ordered and not mapped:
            size = _core.arrangement_size(architecture, n, itemsize, entries)
            self.arrangement = np.empty(size, np.uint8) if size else None
        if self.arrangement is not None:
            data = parameters, self.X, self.arrangement
            _core.arrange(architecture, *data, sparse=self.sparse)
        size = _core.workspace_size(architecture, batch_rows, itemsize, 0, threads, row_entries)
        self.workspace = np.empty(size, np.uint8)

    def run(self, training, parameters, Y, order, row_budget, weights=None, moments=None):
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
            weights=weights,
            moments=moments,
        )


def _is_mapped(X):
    """Does this array lie in a file?"""
    while isinstance(X, np.ndarray):
        if isinstance(X, np.memmap):
            return True
        X = X.base
    return False
