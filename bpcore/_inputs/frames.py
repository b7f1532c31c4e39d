"""Frames: tables whose columns have names, such as those of pandas and polars.

Their libraries are never imported; a frame is known by its ``columns``, a column by its ``name``.
"""

import reprlib

import numpy as np


def stored(names, limit):
    """The entry of a file that holds ``names``, JSON within JSON; none where that is too long."""
    import json  # Who writes a file has it already; others import bpcore sooner without.

    fits = names is not None and len(json.dumps(json.dumps(names))) <= limit
    return {"feature_names": list(names)} if fits else {}


def restored(given, features):
    """Names that a file holds, or None; ValueError where they are not names of the features."""
    if given is None:
        return None
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise ValueError(f"feature_names is {reprlib.repr(given)}, but names are expected")
    if len(given) != features:
        raise ValueError(f"feature_names has {len(given)} names for {features} inputs")
    return tuple(given)


def _columns(table):
    """(label, values) of each column; a column alone has the label None."""
    if not hasattr(table, "columns"):
        return [(None, table)]
    at = table.iloc if hasattr(table, "iloc") else table  # Labels of pandas may stand there twice.
    return [(label, at[:, place]) for place, label in enumerate(table.columns)]


def has_labels(value):
    """Is this a frame, or a column of one?"""
    if isinstance(value, np.ndarray) or not hasattr(value, "to_numpy"):
        return False
    return hasattr(value, "columns") or (hasattr(value, "name") and len(value.shape) == 1)


def names(X):
    """The names of the columns, where X is a frame and each of them is a string, or None."""
    labels = tuple(X.columns) if has_labels(X) and hasattr(X, "columns") else ()
    return labels if labels and all(isinstance(label, str) for label in labels) else None


def agree(name, X, known, *, fitted=True):
    """Refuse other names than ``known``, or another order, where there are both.

    ``fitted`` says that the network has these names already, not only the X that it is to learn.
    """
    given = names(X)
    if given is None or known is None or given == known:
        return
    frame = f"the frame that the network {'was' if fitted else 'is to be'} fitted with"
    lacks = [label for label in known if label not in given]
    extra = [label for label in given if label not in known]
    if lacks or extra:
        has = f"lacks {reprlib.repr(lacks)}" if lacks else f"has also {reprlib.repr(extra)}"
        has += f" and has {reprlib.repr(extra)}" if lacks and extra else ""
        told = "net.feature_names tells the names; an" if fitted else "An"
        raise ValueError(
            f"{name} has other columns than {frame}: it {has}. {told} array is taken without any"
        )
    raise ValueError(
        f"{name} has its columns in another order than {frame}: index it with "
        f"{'list(net.feature_names)' if fitted else 'the list of the columns of that frame'}"
    )


def fault(name, value):
    """The error about the first column of a frame that has not finite numbers alone, or None."""
    for label, values in _columns(value) if has_labels(value) else ():
        found = _first_fault(np.asarray(values))
        if found is not None:
            return _error(name, label, *found)
    return None


def _error(name, label, row, kind, item):
    where = f"{name}[{row}]" if label is None else f"{name}'s column {label!r}"
    row = "" if label is None else f" in row {row}"
    if kind == "missing":
        return ValueError(
            f"{where} is missing{row}: fill it, for instance with the median, or leave it out"
        )
    if kind == "infinite":
        return ValueError(f"{where} is infinite{row}, but it must be finite")
    how = "turn it into numbers"
    if isinstance(item, str):
        how = "encode it, for instance "
        how += "as 0, 1, ..." if label is None else "with one column for each of its values"
    return TypeError(f"{where} is {_shown(item)}{row}, but numbers are expected: {how}")


def _shown(item):
    text = repr(item) if isinstance(item, str) else str(item)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _first_fault(values):
    """(row, kind, item) of the first element that is no finite number, or None."""
    rows = range(len(values))
    if values.dtype.kind in "fiub":
        rows = np.flatnonzero(~np.isfinite(values))
    return next(((row, kind, values[row]) for row in rows if (kind := _kind(values[row]))), None)


def _kind(item):
    """What is wrong with an element, or None."""
    try:
        if item is None or item != item:
            return "missing"
    except TypeError:  # pandas.NA is neither itself nor another.
        return "missing"
    except ValueError:  # An array.
        return "other"
    if isinstance(item, (np.datetime64, np.timedelta64, complex, np.complexfloating)):
        return "other"  # Some of them are numbers to NumPy.
    try:
        return None if np.isfinite(float(item)) else "infinite"
    except (TypeError, ValueError):
        return "other"
    except OverflowError:  # An int beyond all doubles.
        return "infinite"


def check(name, value, array):
    """Refuse a frame, or a column, whose ``array`` is not one of finite numbers."""
    if array.dtype.kind in "iub" or (array.dtype.kind == "f" and np.isfinite(array).all()):
        return
    found = fault(name, value)
    if found is not None:
        raise found
