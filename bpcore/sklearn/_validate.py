"""scikit-learn's look at data, and what is wrong with a frame."""

from sklearn.utils.validation import validate_data

from .. import _check, _frames


def validated(estimator, X, *y, **how):
    """``validate_data``, whose errors name the column of a frame that is at fault; no masks."""
    for name, given in zip(("X", "y"), (X, *y), strict=False):  # y may be missing.
        _check.unmasked(name, given)
    cause = None
    try:
        checked = validate_data(estimator, X, *y, **how)
        if y or checked.dtype.kind != "O":  # Categories are passed over where no dtype is asked.
            return checked
    except (OverflowError, TypeError, ValueError) as error:
        cause = error
    fault = _frames.fault("X", X)
    if fault is None and how.get("y_numeric"):
        fault = _frames.fault("y", *y)
    if fault is not None:
        raise ValueError(str(fault)) from cause
    if cause is not None:
        raise cause
    return checked
