"""Columns of X as ranks send them to each other: an array, or a csr_matrix's three arrays."""

import numpy as np

from .. import _core


def columns_of(sparse, first, end):
    """(values, columns, row_offsets) of columns first ... end - 1, counted from the first on."""
    columns = np.asarray(sparse.columns)[: sparse.nonzeros]  # There may be room for more.
    inside = (columns >= first) & (columns < end)
    before = np.zeros(len(columns) + 1, np.uintp)
    np.cumsum(inside, out=before[1:])
    offsets = before[np.asarray(sparse.row_offsets)]
    return (
        np.asarray(sparse.values)[: sparse.nonzeros][inside],
        columns[inside] - np.uint32(first),
        offsets,
    )


def stacked(pieces, columns):
    """The _core.Sparse whose rows are those of each (values, columns, row_offsets) in turn."""
    values, indices, offsets = zip(*pieces, strict=True)
    starts = np.concatenate([[0], np.cumsum([part[-1] for part in offsets])]).astype(np.uintp)
    moved = [part[:-1] + start for part, start in zip(offsets, starts, strict=False)]
    arrays = np.concatenate(values), np.concatenate(indices), np.concatenate([*moved, starts[-1:]])
    return _core.Sparse(*arrays, columns)


def to_dense(piece, columns):
    """An array (n, columns) of itself, or of (values, columns, row_offsets)."""
    if isinstance(piece, np.ndarray):
        return piece
    values, indices, offsets = piece
    dense = np.zeros((len(offsets) - 1, columns), values.dtype)
    dense[np.repeat(np.arange(len(dense)), np.diff(offsets).astype(np.intp)), indices] = values
    return dense
