"""The cats: photographs that show a cat or do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _fetch
from ._images import float_type, folder_of, scaled

if TYPE_CHECKING:
    from .._types import DType, FloatArray, Split, StrPath


def load_catvnoncat(
    folder: StrPath | None = None, *, dtype: DType = "float32"
) -> Split[FloatArray]:
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
    dtype = float_type(dtype)
    folder = folder_of(folder) or _fetch.data_folder()
    if not folder:
        raise FileNotFoundError(
            "the cats are train_catvnoncat.h5 and test_catvnoncat.h5: give the folder of the two, "
            "or name it in BPCORE_DATA, which is not set"
        )

    def prepare(part, n):
        images, labels = _read_cats(folder, part, n)
        return scaled(images.reshape(n, -1), 255, dtype), labels.astype(dtype)

    return prepare("train", 209), prepare("test", 50)


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
