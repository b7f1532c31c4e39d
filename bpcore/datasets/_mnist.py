"""MNIST, and its digits 5 and 8."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from .._inputs import check
from .._inputs.user_warnings import warn
from . import _fetch, _idx
from ._images import float_type, folder_of, scaled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._types import DType, FloatArray, IntArray, Split, StrPath


def load_mnist(
    digits: Iterable[int] | None = None,
    *,
    dtype: DType = "float32",
    scale: float = 255,
    folder: StrPath | None = None,
    download: bool = True,
) -> Split[IntArray]:
    """Load MNIST: 60,000 training and 10,000 test images of 28 x 28 pixels, in file order.

    Parameters
    ----------
    digits : sequence of int, optional
        Keep only the samples of these digits, still in file order. Default: all ten.
    dtype : {"float32", "float64"}, default "float32"
        The type of the pixels.
    scale : float, default 255
        Pixels, 0 to 255 in the files, are divided by this number: 255 in the first tutorial, 256 in
        Nielsen's.
    folder : str or path-like, optional
        A folder to look in first, for the four files by their usual names, gzipped or not, in the
        folder itself or in its subfolder `mnist`.
    download : bool, default True
        Whether files that are in no folder are fetched into the cache. False never touches the
        network.

    Returns
    -------
    (X_train, y_train), (X_test, y_test)
        X: ndarray (n, 784) of `dtype`, pixels row by row. y: ndarray (n,) of int64, the digits.

    Raises
    ------
    ValueError
        If an argument is out of its range, or a file in `folder` or `BPCORE_DATA` has not the
        SHA-256 of MNIST's. It is left as it is. (A wrong file in the cache is fetched again, with a
        warning, and so is one that cannot be read.)
    FileNotFoundError
        If files are missing and no way leads to them. The message says what became of each way: of
        two mirrors and of pip, each given up after five minutes.

    Examples
    --------
    >>> from bpcore.datasets import load_mnist
    >>> (X_train, y_train), (X_test, y_test) = load_mnist(digits=(5, 8))
    >>> X_train.shape, y_train[:4]
    ((11272, 784), array([5, 5, 8, 8]))
    """
    dtype = float_type(dtype)
    scale = _divisor(scale, dtype)
    if digits is not None:
        digits = _digits(digits)

    def prepare(pixels, labels):
        if digits is not None:
            chosen = np.isin(labels, digits)
            pixels, labels = pixels[chosen], labels[chosen]
        return scaled(pixels, scale, dtype), labels.astype(np.int64)

    train, test = _mnist_bytes(folder, download)
    return prepare(*train), prepare(*test)


def load_mnist58(
    *, dtype: DType = "float32", folder: StrPath | None = None, download: bool = True
) -> Split[FloatArray]:
    """Load the data set of the first tutorial: MNIST's fives (as 0) and eights (as 1), shuffled.

    The order is the tutorial's own, to the last sample: first all fives, then all eights, the
    training indices and then the test indices shuffled after `np.random.seed(1)`. NumPy's global
    generator is not touched. Pixels are divided by 255.

    Parameters
    ----------
    dtype : {"float32", "float64"}, default "float32"
        The type of X and y.
    folder, download
        As in `load_mnist`.

    Returns
    -------
    (X_train, y_train), (X_test, y_test)
        X: ndarray (11272, 784) and (1866, 784). y: ndarray (11272,) and (1866,), 0 for a five and 1
        for an eight. Both of `dtype`.

    Raises
    ------
    ValueError, FileNotFoundError
        As in `load_mnist`.

    Examples
    --------
    >>> from bpcore.datasets import load_mnist58
    >>> (X_train, y_train), (X_test, y_test) = load_mnist58()
    >>> X_train.shape, X_test.shape, y_train[:4]
    ((11272, 784), (1866, 784), array([1., 1., 0., 0.], dtype=float32))
    """
    dtype = float_type(dtype)
    # One stream for both shuffles, the same as that of np.random.seed(1) and np.random.shuffle.
    stream = np.random.RandomState(1)

    def prepare(pixels, labels):
        index = np.concatenate([np.where(labels == 5)[0], np.where(labels == 8)[0]])
        stream.shuffle(index)
        return scaled(pixels[index], 255, dtype), (labels[index] == 8).astype(dtype)

    train, test = _mnist_bytes(folder, download)
    return prepare(*train), prepare(*test)


def _digits(given):
    """``given`` as a list of digits, one at least."""
    try:
        digits = list(given)
    except TypeError:
        raise TypeError(
            f"digits is {check.shown(given)}, but a sequence is expected: (5, 8)"
        ) from None
    if not digits or not all(map(_is_digit, digits)):
        raise ValueError(
            f"digits is {check.shown(given)}, but it must be one or more of the integers 0 to 9"
        )
    return digits


def _is_digit(value):
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    return is_number and value in range(10)


def _divisor(scale, dtype):
    """``scale`` as a positive number by which every pixel can be divided in ``dtype``."""
    number = check.finite_number("scale", scale, dtype)
    if number <= 0:
        raise ValueError(f"scale is {number:g}, but it must be a positive number")
    with np.errstate(over="ignore", divide="ignore"):
        brightest = dtype.type(255) / dtype.type(number)
    if not np.isfinite(brightest):
        raise ValueError(f"scale is {number:g}, but 255 / scale must be finite as {dtype}")
    return number


def _mnist_bytes(folder, download):
    """Return (pixels, labels) for training and for test: (n, 784) and (n,), both uint8."""
    files = _mnist_files(folder_of(folder), check.flag("download", download))
    X_train, y_train, X_test, y_test = (_idx.parse(files[name], name) for name in _fetch.SHA256)
    return (X_train.reshape(-1, 784), y_train), (X_test.reshape(-1, 784), y_test)


def _mnist_files(folder, download):
    """Return {name: content} of the four files, each with its right SHA-256."""
    files = {name: _from_disk(name, folder) for name in _fetch.SHA256}
    missing = [name for name in files if files[name] is None]
    reasons = ["download: switched off by download=False"]
    if missing and download:
        found, reasons = _fetch.fetch(missing)
        files.update(found)
        missing = [name for name in missing if name not in found]
    if missing:
        user, cache = _fetch.data_folder(), _fetch.cache_folder()
        places = [f"folder: {folder or 'not given'}", f"BPCORE_DATA: {user or 'not set'}"]
        places.append(f"cache: {cache or 'none, since this user has no home folder'}")
        raise FileNotFoundError(
            f"MNIST is not complete, these files are missing: {', '.join(missing)}.\n"
            "Put them, gzipped or not, into "
            + (f"{os.path.join(cache, 'mnist')}\nor into " if cache else "")
            + "a folder of your own, and name it in BPCORE_DATA. Looked for in:\n  "
            + "\n  ".join([*places, *reasons])
        )
    return files


def _from_disk(name, folder):
    """Return the verified content of one file of MNIST, or None if no folder has it."""
    cache = _fetch.cache_folder()
    for place in (folder, _fetch.data_folder(), cache):
        path = place and _fetch.find(place, "mnist", name, name + ".gz")
        if not path:
            continue
        try:
            return _fetch.verified(name, _idx.read_content(path), path)
        except (ValueError, OSError) as error:
            if place == cache:
                warn(f"{error}. This cached file is not used")
            elif isinstance(error, OSError):
                raise  # It names the file and says what is in the way.
            else:
                raise ValueError(f"{error}. Replace it or remove it: bpcore does not") from None
    return None
