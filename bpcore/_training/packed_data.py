"""Data as a fit meets it: put into the order and the form that every epoch will read."""

import time

import numpy as np

from .. import _core
from .._core.slices import AdaptiveSlice
from .._inputs import check, csr
from .tuning import Tuner, is_on, ways_of


class PackedData:
    """Rows for many epochs, and the workspace of their steps.

    Parameters
    ----------
    architecture : _core.Architecture
    parameters : ndarray
        What the epochs will change; its dtype is that of X.
    X : ndarray (n, inputs), or _core.Sparse
        Checked. Dense X with few elements that are not zero is compressed, once, unless it is
        mapped from a file: that may be larger than memory.
    Y : ndarray (n, outputs)
    weights : ndarray (n,), optional
        Of the rows' losses.
    batch_rows : int
        Rows of a step.
    ordered : bool
        Whether each epoch will name an order of its own.
    threads : int
    unchecked_name : str, optional
        What errors call X, if it is dense and nobody has looked yet whether it is finite. The
        entries of compressed X are all there is to look at.
    """

    def __init__(
        self, architecture, parameters, X, Y, weights=None, *,
        batch_rows, ordered, threads, unchecked_name=None,
    ):  # fmt: skip
        n, itemsize = len(X), parameters.itemsize
        self.architecture, self.Y, self.weights = architecture, Y, weights
        self.batch_rows, self.threads, self.slice = batch_rows, threads, AdaptiveSlice()
        tunes = is_on()  # An error where the variable says something else.
        mapped, self.packed = is_mapped(X), None
        X = X if mapped else csr.to_csr_if_faster(architecture, X, unchecked_name, threads)
        self.X, self.sparse = csr.split(X)
        if unchecked_name is not None and self.X is not None:
            check.finite(unchecked_name, self.X)
        row_nonzeros = 0 if self.sparse is None else self.sparse.row_nonzeros
        if batch_rows >= n and not ordered and not mapped:
            self.packed = packed(architecture, parameters, self.X, self.sparse, threads)
        size = _core.workspace_size(architecture, batch_rows, itemsize, 0, threads, row_nonzeros)
        self.workspace = np.empty(size, np.uint8)
        nonzeros = 0 if self.sparse is None else max(self.sparse.nonzeros, 1)
        work = architecture.step_work(n, nonzeros, min(batch_rows, n))
        self.tuner = Tuner(*ways_of(threads, work)) if tunes else Tuner([threads])
        self.step_work = 1 if tunes else 0  # Whoever is asked for threads shares every step.

    def run(self, training, parameters, order=None, moments=None):
        """Go on with ``training`` for a slice, after which Python hears Ctrl-C."""
        n, before = len(self.Y), _rows_done(training, len(self.Y))
        threads, trial = self.tuner.way()
        budget = self.slice.rows if trial is None else self.slice.rows_in(trial)
        started = time.perf_counter()
        training.run(
            self.architecture,
            parameters,
            self.X,
            self.Y,
            order,
            budget,
            self.workspace,
            threads=threads,
            step_work=self.step_work,
            sparse=self.sparse,
            packed=self.packed,
            weights=self.weights,
            moments=moments,
        )
        seconds, rows = time.perf_counter() - started, _rows_done(training, n) - before
        self.tuner.took(threads, rows, seconds)
        if trial is None:
            self.slice.adapt(rows, seconds)


def _rows_done(training, n):
    """Rows that were used in all epochs; after the last one ``row`` is n, and counted in it."""
    return training.epoch * n + training.row % n


def is_mapped(X):
    """Does this array lie in a file?"""
    while isinstance(X, np.ndarray):
        if isinstance(X, np.memmap):
            return True
        X = X.base
    return False


def packed(architecture, parameters, X, sparse, threads):
    """X (n, inputs), or a _core.Sparse, in the order of a full batch; None: nothing to pack."""
    n, nonzeros = (len(X), 0) if sparse is None else (len(sparse), max(sparse.nonzeros, 1))
    size = _core.packed_size(architecture, n, parameters.itemsize, nonzeros)
    if not size:
        return None
    out = np.empty(size, np.uint8)
    _core.pack(architecture, parameters, X, out, threads=threads, sparse=sparse)
    return out
