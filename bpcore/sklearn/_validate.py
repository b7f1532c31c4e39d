"""scikit-learn's look at data, and what is wrong with a frame."""

import re

import numpy as np
from sklearn.utils.validation import validate_data

from .._inputs import check, frames
from .._inputs.thread_count import FEW_ROWS


def validated(estimator, X, *y, **how):
    """``validate_data``, whose errors name the column of a frame that is at fault; no masks."""
    for name, given in zip(("X", "y"), (X, *y), strict=False):  # y may be missing.
        check.unmasked(name, given)
    cause = None
    try:
        checked = validate_data(estimator, X, *y, **how)
        if not _passed_over(checked, **how):
            return checked
    except (OverflowError, TypeError, ValueError) as error:
        cause = error
    fault = frames.fault("X", X)
    if fault is None and how.get("y_numeric"):
        fault = frames.fault("y", *y)
    if fault is not None:
        raise ValueError(str(fault)) from cause
    if cause is not None:
        raise cause
    return checked


def _passed_over(checked, y_numeric=False, **how):
    """Is there something left that makes no numbers, of which scikit-learn has said nothing?

    Those are categories where no dtype is asked, and None in y.
    """
    if isinstance(checked, tuple):
        return y_numeric and not np.isfinite(checked[1]).all()
    return checked.dtype.kind == "O"


def of_eval_set(message):
    """An error about X or y that says whose they are."""
    return f"eval_set's {message}" if re.match(r"[Xy]\b", message) else f"eval_set: {message}"


def validated_rows(estimator, X):
    """What scikit-learn's validation makes of X to be predicted, or its refusal."""
    few = None if hasattr(estimator, "feature_names_in_") else _few_numbers(X)
    if few is not None and few.shape[1] == getattr(estimator, "n_features_in_", None):
        return few
    return validated(estimator, X, accept_sparse=["csr", "csc"], order="C", reset=False)


def _few_numbers(X):
    """X as a C-contiguous array, where that is all that validation makes of it; else None.

    scikit-learn looks at one row for longer than the network takes to answer it.
    """
    if type(X) is list and len(X) < FEW_ROWS:
        check.unmasked("X", X)
        X = np.asarray(X)
    if type(X) is not np.ndarray or X.ndim != 2 or not 0 < len(X) < FEW_ROWS:
        return None
    return np.ascontiguousarray(X) if X.dtype.kind in "fiub" and np.isfinite(X).all() else None
