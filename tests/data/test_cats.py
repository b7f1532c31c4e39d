"""The second tutorial's cat images."""

import sys

import numpy as np
import pytest

from bpcore import datasets
from tests import real_data


def write_cats(folder, part, n, shape=(64, 64, 3), dtype="uint8"):
    h5py = pytest.importorskip("h5py")
    images = np.arange(n * np.prod(shape)).reshape(n, *shape).astype(dtype)
    with h5py.File(folder / f"{part}_catvnoncat.h5", "w") as file:
        file[f"{part}_set_x"] = images
        file[f"{part}_set_y"] = np.arange(n) % 2
    return images


@pytest.mark.parametrize("way", ["folder", "BPCORE_DATA"])
def test_cats_are_rows_of_pixels_by_255(tmp_path, monkeypatch, way):
    (tmp_path / "catvnoncat").mkdir()
    images = [write_cats(tmp_path / "catvnoncat", *part) for part in (("train", 209), ("test", 50))]
    monkeypatch.setenv("BPCORE_DATA", str(tmp_path))
    folder = tmp_path / "catvnoncat" if way == "folder" else None
    for (X, y), pixels in zip(
        datasets.load_catvnoncat(folder, dtype="float64"), images, strict=True
    ):
        n = len(pixels)
        assert np.array_equal(X, pixels.reshape(n, -1) / 255) and X.shape == (n, 12288)
        assert np.array_equal(y, np.arange(n) % 2) and y.dtype == X.dtype == np.float64


def test_real_cats_have_their_known_counts():
    (X, y), (Xt, yt) = real_data.cats()
    assert (X.shape, Xt.shape, X.dtype) == ((209, 12288), (50, 12288), np.float32)
    assert (y.sum(), yt.sum(), X.min(), X.max()) == (72, 33, 0, 1)


def test_missing_cats_are_named(tmp_path, monkeypatch):
    pytest.importorskip("h5py")
    monkeypatch.delenv("BPCORE_DATA", raising=False)
    with pytest.raises(
        FileNotFoundError, match="give the folder of the two, or name it in BPCORE_DATA"
    ):
        datasets.load_catvnoncat()
    with pytest.raises(FileNotFoundError, match="train_catvnoncat.h5"):
        datasets.load_catvnoncat(tmp_path)
    write_cats(tmp_path, "train", 209)
    with pytest.raises(FileNotFoundError, match="test_catvnoncat.h5"):
        datasets.load_catvnoncat(tmp_path)


@pytest.mark.parametrize(
    "wrong", [(208,), (209, (32, 32, 3)), (209, (64, 64, 3), "float32")], ids=["n", "shape", "type"]
)
def test_other_arrays_than_the_cats_are_refused_with_both_shapes(tmp_path, wrong):
    write_cats(tmp_path, "train", *wrong)
    with pytest.raises(ValueError, match=r"train_catvnoncat.h5.*expected.*\(209, 64, 64, 3\)"):
        datasets.load_catvnoncat(tmp_path)


def test_other_files_than_the_cats_are_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "train_catvnoncat.h5"
    path.write_bytes(b"not HDF5")
    with pytest.raises(ValueError, match="not the HDF5 file of the cats"):
        datasets.load_catvnoncat(tmp_path)
    h5py.File(path, "w").close()
    with pytest.raises(ValueError, match="train_set_x"):
        datasets.load_catvnoncat(tmp_path)


def test_cats_without_h5py_say_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"pip install h5py"):
        datasets.load_catvnoncat(tmp_path)
