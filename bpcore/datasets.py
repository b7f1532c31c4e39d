"""The data of the three tutorials: MNIST, MNIST's digits 5 and 8, and the cats.

Files are looked for in the folder given, in the folder that the environment variable `BPCORE_DATA`
names (there or in its subfolders `mnist` and `catvnoncat`), and in the cache folder of the user.
What of MNIST is in none of them is fetched once, into the cache. Importing this module touches
neither the disk nor the network. Rows are samples everywhere, n is their number.
"""

import os

import numpy as np

from . import _check, _fetch, _idx
from ._idx import read_idx
from ._warnings import warn

__all__ = ["load_catvnoncat", "load_mnist", "load_mnist58", "read_idx"]


def load_mnist(digits=None, *, dtype="float32", scale=255, folder=None, download=True):
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
    dtype = _float_type(dtype)
    scale = _divisor(scale, dtype)
    if digits is not None:
        digits = _digits(digits)

    def prepare(pixels, labels):
        if digits is not None:
            chosen = np.isin(labels, digits)
            pixels, labels = pixels[chosen], labels[chosen]
        return _scaled(pixels, scale, dtype), labels.astype(np.int64)

    train, test = _mnist_bytes(folder, download)
    return prepare(*train), prepare(*test)


def load_mnist58(*, dtype="float32", folder=None, download=True):
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
    dtype = _float_type(dtype)
    # One stream for both shuffles, the same as that of np.random.seed(1) and np.random.shuffle.
    stream = np.random.RandomState(1)

    def prepare(pixels, labels):
        index = np.concatenate([np.where(labels == 5)[0], np.where(labels == 8)[0]])
        stream.shuffle(index)
        return _scaled(pixels[index], 255, dtype), (labels[index] == 8).astype(dtype)

    train, test = _mnist_bytes(folder, download)
    return prepare(*train), prepare(*test)


def load_catvnoncat(folder=None, *, dtype="float32"):
    """Load the data set of the second tutorial: 209 + 50 photographs, with a cat or without.

    It is read with h5py (`pip install h5py`) from `train_catvnoncat.h5` and
    `test_catvnoncat.h5`, and it is never downloaded. HDF5 files can harm the reader of a hostile
    one: open only files whose origin is known.

    Parameters
    ----------
    folder : str or path-like, optional
        The folder of the two files. Default: `BPCORE_DATA`, or its subfolder `catvnoncat`.
    dtype : {"float32", "float64"}, default "float32"
        The type of X and y. The tutorial computes in float64.

    Returns
    -------
    (X_train, y_train), (X_test, y_test)
        X: ndarray (209, 12288) and (50, 12288), pixels / 255 in the order row, column, colour. The
        tutorial's matrices, with columns as samples, are the transposed ones. y: ndarray (209,) and
        (50,), 1 for a cat. Both of `dtype`.

    Raises
    ------
    ImportError
        If h5py is not installed.
    FileNotFoundError, ValueError
        If a file is missing, or its arrays have not the expected names, shapes and types.

    Examples
    --------
    >>> from bpcore.datasets import load_catvnoncat
    >>> (X_train, y_train), (X_test, y_test) = load_catvnoncat()
    >>> X_train.shape, X_test.shape, int(y_train.sum()), int(y_test.sum())
    ((209, 12288), (50, 12288), 72, 33)
    """
    dtype = _float_type(dtype)
    folder = _folder(folder) or _fetch.data_folder()
    if not folder:
        raise FileNotFoundError(
            "the cats are train_catvnoncat.h5 and test_catvnoncat.h5: give the folder of the two, "
            "or name it in BPCORE_DATA, which is not set"
        )

    def prepare(part, n):
        images, labels = _read_cats(folder, part, n)
        return _scaled(images.reshape(n, -1), 255, dtype), labels.astype(dtype)

    return prepare("train", 209), prepare("test", 50)


def _float_type(given):
    try:
        dtype = None if given is None else np.dtype(given)
    except TypeError:
        dtype = None
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"dtype is {_check.shown(given)}, but it must be 'float32' or 'float64'")
    return dtype


def _digits(given):
    """``given`` as a list of digits, one at least."""
    try:
        digits = list(given)
    except TypeError:
        raise TypeError(
            f"digits is {_check.shown(given)}, but a sequence is expected: (5, 8)"
        ) from None
    if not digits or not all(map(_is_digit, digits)):
        raise ValueError(
            f"digits is {_check.shown(given)}, but it must be one or more of the integers 0 to 9"
        )
    return digits


def _is_digit(value):
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    return is_number and value in range(10)


def _divisor(scale, dtype):
    """``scale`` as a positive number by which every pixel can be divided in ``dtype``."""
    number = _check.finite_number("scale", scale, dtype)
    if number <= 0:
        raise ValueError(f"scale is {number:g}, but it must be a positive number")
    with np.errstate(over="ignore", divide="ignore"):
        brightest = dtype.type(255) / dtype.type(number)
    if not np.isfinite(brightest):
        raise ValueError(f"scale is {number:g}, but 255 / scale must be finite as {dtype}")
    return number


def _folder(given):
    """``given`` as a str; None where none is given."""
    try:
        return None if given is None else os.fsdecode(given)
    except TypeError:
        raise TypeError(f"folder is {_check.shown(given)}, but a path is expected") from None


def _scaled(pixels, scale, dtype):
    """Return pixels / scale: one rounding each, since whole pixels are exact in either type."""
    X = pixels.astype(dtype)
    X /= dtype.type(scale)
    return X


def _mnist_bytes(folder, download):
    """Return (pixels, labels) for training and for test: (n, 784) and (n,), both uint8."""
    files = _mnist_files(_folder(folder), _check.flag("download", download))
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


def _read_cats(folder, part, n):
    """Return images (n, 64, 64, 3) and labels (n,) from one of the two HDF5 files."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError("the cats are HDF5 files, which h5py reads: pip install h5py") from error
    name = f"{part}_catvnoncat.h5"
    path = _fetch.find(folder, "catvnoncat", name)
    if not path:
        raise FileNotFoundError(f"{name} is neither in {folder} nor in its subfolder catvnoncat")
    expected = [((n, 64, 64, 3), "uint8"), ((n,), "int64")]
    try:
        with h5py.File(path, "r") as file:
            images, labels = file[f"{part}_set_x"], file[f"{part}_set_y"]
            found = [(data.shape, data.dtype.name) for data in (images, labels)]
            if found == expected:  # Seen before anything is read: a wrong file may be a huge one.
                return images[:], labels[:]
    except (OSError, KeyError, AttributeError) as error:
        raise ValueError(f"{path}: this is not the HDF5 file of the cats: {error}") from error
    raise ValueError(f"{path}: {part}_set_x and _y have {found}, expected are {expected}")
