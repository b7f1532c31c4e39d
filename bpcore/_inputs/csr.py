"""Sparse X: compressed sparse rows, as SciPy has them, in the form that the C core reads.

Dense X becomes sparse here, too, where training is faster so.

SciPy is never imported: its matrices are recognised by their attributes.
"""

import operator

import numpy as np

from .. import _core


def is_sparse(X):
    """Tell whether X is a sparse matrix or array of SciPy's kind."""
    return hasattr(X, "tocsr")


def split(X):
    """(dense, sparse), one of which is None."""
    return (None, X) if isinstance(X, _core.Sparse) else (X, None)


def rows(name, X, features, dtype):
    """X as a _core.Sparse. Entries out of order are sorted, duplicates added, in a copy."""
    shape, indptr, indices, data = _parts(name, X.tocsr())
    if len(shape) != 2 or shape[1] != features:
        have = f"{shape[1]} features" if len(shape) == 2 else f"shape {shape}"
        raise ValueError(f"{name} has {have}, but the network expects {features}")
    if data.dtype.kind not in "fiub":
        raise TypeError(f"{name} has dtype {data.dtype}, but real numbers are expected")
    _check_shape(name, shape[0], indptr, indices, data)
    nonzeros = int(indptr[-1])
    values, columns = data[:nonzeros], indices[:nonzeros]
    if nonzeros and not 0 <= int(columns.min()) <= int(columns.max()) < features:
        wrong = int(columns.min()) if columns.min() < 0 else int(columns.max())
        raise ValueError(f"{name} has an entry in column {wrong}, but it has {features} columns")
    row_offsets = indptr.astype(np.uintp)
    if not _ascends(columns, indptr):
        values, columns, row_offsets = _canonical(values, columns, indptr)
    with np.errstate(over="ignore"):  # too large for dtype: becomes infinite, refused below
        values = np.require(values, dtype, "CA")
    _check_finite(name, values, columns, row_offsets)
    # A copy, which C checks: SciPy's own columns could change later, and lead it elsewhere.
    columns = np.array(columns, np.uint32)
    return _core.Sparse(_some(values), _some(columns), row_offsets, features)


def counted(X, threads=1):
    """How many elements of X (n, features) before each row are not zero, (n + 1,)."""
    row_offsets = np.empty(len(X) + 1, np.uintp)
    _core.count_nonzero(X, row_offsets, threads)
    return row_offsets


def compressed(X, row_offsets, unchecked_name=None, threads=1):
    """Dense X (n, features) as a _core.Sparse of its entries, the elements that are not zero.

    They are as many as were ``counted``. They are checked, those that are NaN, too, where
    ``unchecked_name`` says what errors call X.
    """
    nonzeros = int(row_offsets[-1])
    values, columns = np.empty(max(nonzeros, 1), X.dtype), np.empty(max(nonzeros, 1), np.uint32)
    sparse = _core.compress(X, row_offsets, values, columns, threads)
    if unchecked_name is not None:
        _check_finite(unchecked_name, values[:nonzeros], columns, row_offsets)
    return sparse


def to_csr_if_faster(architecture, X, unchecked_name=None, threads=1):
    """X compressed, where it is dense and the network is faster with its entries; else X itself.

    Only what is compressed is checked; see ``compressed``.
    """
    if isinstance(X, _core.Sparse):
        return X
    row_offsets = counted(X, threads)
    pays = architecture.sparse_pays(int(row_offsets[-1]), len(X))
    return compressed(X, row_offsets, unchecked_name, threads) if pays else X


def _parts(name, X):
    """Shape and arrays of what says that it is a CSR matrix."""
    try:
        shape = tuple(map(operator.index, X.shape))
        arrays = [np.asarray(part) for part in (X.indptr, X.indices, X.data)]
    except (AttributeError, TypeError, ValueError, OverflowError):
        raise TypeError(
            f"{name}.tocsr() has not the shape, indptr, indices and data of a CSR matrix"
        ) from None
    return shape, *arrays


def _check_shape(name, rows, row_offsets, columns, values):
    """The three arrays are those of a matrix with so many rows."""
    whole = columns.dtype.kind in "iu" and row_offsets.dtype.kind in "iu"
    if (
        not whole
        or rows < 0
        or row_offsets.shape != (rows + 1,)
        or columns.ndim != 1
        or values.ndim != 1
        or row_offsets[0] != 0
        or np.any(row_offsets[1:] < row_offsets[:-1])
        or int(row_offsets[-1]) > min(len(columns), len(values))
    ):
        raise ValueError(f"{name} is not a valid CSR matrix: indptr, indices and data disagree")


def _ascends(columns, row_offsets):
    """Do the columns of each row ascend, without repetition?"""
    steps = columns[1:] > columns[:-1]
    firsts = np.asarray(row_offsets[1:-1], np.intp)  # Where a row begins, a column may be smaller.
    steps[firsts[(firsts > 0) & (firsts < len(columns))] - 1] = True
    return bool(steps.all())


def _canonical(values, columns, row_offsets):
    """The entries in order; duplicates are added in the order in which they came."""
    counts = np.diff(row_offsets).astype(np.intp)
    row = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((columns, row))
    row, columns, values = row[order], columns[order], values[order]
    first = np.ones(len(row), bool)
    first[1:] = (row[1:] != row[:-1]) | (columns[1:] != columns[:-1])
    total = np.zeros(int(first.sum()), values.dtype)
    with np.errstate(over="ignore"):  # refused with its position, where that is known
        np.add.at(total, np.cumsum(first) - 1, values)
    counts = np.bincount(row[first], minlength=len(counts))
    row_offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.uintp)
    return total, columns[first], row_offsets


def _check_finite(name, values, columns, row_offsets):
    entry = _core.first_nonfinite(values) if len(values) else -1
    if entry >= 0:
        row = int(np.searchsorted(row_offsets, entry, side="right")) - 1
        raise ValueError(
            f"{name}[{row}, {columns[entry]}] is {values[entry]} as {values.dtype}, "
            "but it must be finite"
        )


def _some(array):
    """An array with an element to point to."""
    return array if len(array) else np.zeros(1, array.dtype)
