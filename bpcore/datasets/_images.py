"""What the loaders of images share: their arguments, and pixels as numbers."""

import os

import numpy as np

from .._inputs import check


def float_type(given):
    try:
        dtype = None if given is None else np.dtype(given)
    except TypeError:
        dtype = None
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"dtype is {check.shown(given)}, but it must be 'float32' or 'float64'")
    return dtype


def folder_of(given):
    """``given`` as a str; None where none is given."""
    try:
        return None if given is None else os.fsdecode(given)
    except TypeError:
        raise TypeError(f"folder is {check.shown(given)}, but a path is expected") from None


def scaled(pixels, scale, dtype):
    """Return pixels / scale: one rounding each, since whole pixels are exact in either type."""
    X = pixels.astype(dtype)
    X /= dtype.type(scale)
    return X
