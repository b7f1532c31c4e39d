"""The data sets: their content, and where they are looked for."""

import gzip
import os
import sys
from itertools import product

import numpy as np
import pytest

from bpcore import datasets
from bpcore.datasets import _fetch
from tests.data.stand_in import (
    COUNTS,
    NAMES,
    assert_is,
    load,
    put,
    python,
    tree,
)

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = NAMES


def test_mnist_has_its_published_shapes_and_counts(mnist):
    (X, y), (Xt, yt) = mnist
    assert (X.shape, Xt.shape) == ((60000, 784), (10000, 784))
    assert (X.dtype, y.dtype) == (np.float32, np.int64) and X.flags.c_contiguous
    assert [np.bincount(part).tolist() for part in (y, yt)] == COUNTS
    assert y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert X.mean(dtype=np.float64) == pytest.approx(0.1306604762738429 * 255, rel=1e-12)


def test_chosen_digits_stay_in_file_order(mnist):
    (_, (X, y)), (_, (X58, y58)) = mnist, datasets.load_mnist((8, 5), scale=1)
    keep = [i for i, label in enumerate(y) if label in (5, 8)]
    assert np.array_equal(X58, X[keep]) and np.array_equal(y58, y[keep])


@pytest.mark.parametrize("scale", [255, 256])
def test_pixels_are_the_exact_quotients_rounded_once(mnist, scale):
    double = datasets.load_mnist([7], dtype="float64", scale=scale)[1][0]
    single = datasets.load_mnist([7], scale=scale)[1][0]
    (_, (X, y)) = mnist
    assert np.array_equal(double, X[y == 7].astype(np.float64) / scale)
    assert single.dtype == np.float32 and np.array_equal(single, double.astype(np.float32))


def test_mnist58_is_what_the_tutorials_code_gives(mnist):
    (X, y), (Xt, yt) = mnist
    state = np.random.get_state()
    loaded = datasets.load_mnist58(dtype="float64")
    assert str(np.random.get_state()) == str(state)
    try:
        np.random.seed(1)
        for (X58, y58), (pixels, labels) in zip(loaded, ((X, y), (Xt, yt)), strict=True):
            index_5, index_8 = np.where(labels == 5), np.where(labels == 8)
            index = np.concatenate([index_5[0], index_8[0]])
            np.random.shuffle(index)
            expected = labels[index]
            expected[np.where(expected == 5)] = 0
            expected[np.where(expected == 8)] = 1
            assert np.array_equal(y58, expected) and y58.dtype == np.float64
            assert np.array_equal(X58, pixels[index].astype(np.float64) / 255.0)
    finally:
        np.random.set_state(state)
    assert [len(y58) for _, y58 in loaded] == [11272, 1866]


OUT_OF_RANGE = [
    {"digits": []}, {"digits": [10]}, {"digits": ["5"]}, {"digits": [[1]]}, {"digits": [True]},
    {"digits": [5, [8]]}, {"digits": [None]}, {"digits": [5.5]}, {"digits": "58"},
    {"digits": [[1], [2, 3]]}, {"digits": [-1]}, {"digits": [np.array([5, 8])]},
    {"digits": np.array([[5, 8]])}, {"digits": {5: "five", "8": "eight"}},
    {"scale": 0}, {"scale": float("nan")}, {"scale": -1}, {"scale": 1e-45}, {"scale": 1e300},
    {"scale": float("inf")}, {"dtype": "int32"}, {"dtype": "float16"}, {"dtype": "single8"},
    {"dtype": None},
]  # fmt: skip
OF_ANOTHER_KIND = [
    {"digits": 5}, {"digits": object}, {"scale": "large"}, {"scale": [255]}, {"scale": None},
    {"folder": 5}, {"folder": ["here"]}, {"download": "no"},
]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "arguments"),
    [*product([ValueError], OUT_OF_RANGE), *product([TypeError], OF_ANOTHER_KIND)],
    ids=str,
)
def test_wrong_arguments_are_refused_with_their_value(tiny, error, arguments):
    ((name, value),) = arguments.items()
    with pytest.raises(error, match=f"^{name} is ") as caught:
        datasets.load_mnist(**arguments)
    assert str(value) in str(caught.value) or repr(value) in str(caught.value)


@pytest.mark.parametrize("digits", [(5, 8), {5, 8}, np.array([5, 8]), [5.0, 8.0], iter([8, 5, 5])])
def test_digits_come_in_any_sequence(tiny, tmp_path, digits):
    X, y = load(digits=digits, folder=put(tmp_path, tiny), download=False)[0]
    assert y.tolist() == [5] and len(X) == 1  # The stand-in has the labels 0 to 7 for training.


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_least_scale_gives_finite_pixels_and_the_next_one_is_refused(tiny, tmp_path, dtype):
    folder, kind = put(tmp_path, tiny), np.dtype(dtype).type
    least = kind(255) / np.finfo(dtype).max
    with np.errstate(over="ignore"):
        while not np.isfinite(kind(255) / least):
            least = np.nextafter(least, kind(1))
        while np.isfinite(kind(255) / np.nextafter(least, kind(0))):
            least = np.nextafter(least, kind(0))
    (X, _), _ = datasets.load_mnist(scale=least, dtype=dtype, folder=folder)
    assert np.isfinite(X).all()
    with pytest.raises(ValueError, match="255 / scale must be finite"):
        datasets.load_mnist(scale=np.nextafter(least, kind(0)), dtype=dtype, folder=folder)


def test_the_other_loaders_refuse_alike(tiny, tmp_path):
    for call, name in [
        (lambda: datasets.load_mnist58(dtype=None), "dtype is None"),
        (lambda: datasets.load_mnist58(download=1), "download is 1"),
        (lambda: datasets.load_mnist58(folder=[]), r"folder is \[\]"),
        (lambda: datasets.load_catvnoncat(3.5), "folder is 3.5"),
        (lambda: datasets.load_catvnoncat(tmp_path, dtype="int"), "dtype is 'int'"),
        (lambda: datasets.read_idx(0), "not int"),
    ]:
        with pytest.raises((ValueError, TypeError), match=name):
            call()


@pytest.mark.parametrize("folder", [os.fspath, os.fsencode])
def test_a_folder_is_named_by_text_or_bytes(tiny, tmp_path, folder):
    assert_is(tiny, load(folder=folder(put(tmp_path, tiny)), download=False))


# Folders.


@pytest.mark.parametrize("pack, ending", [(bytes, ""), (gzip.compress, ".gz")])
@pytest.mark.parametrize("subfolder", [".", "mnist"])
@pytest.mark.parametrize("way", ["folder", "BPCORE_DATA", "cache"])
def test_files_are_found_in_each_folder(tiny, tmp_path, monkeypatch, way, subfolder, pack, ending):
    folder = tmp_path / ("cache" if way == "cache" else "mine")
    put(folder / subfolder, tiny, pack, ending)
    if way == "BPCORE_DATA":
        monkeypatch.setenv("BPCORE_DATA", str(folder))
    assert_is(tiny, load(folder=folder if way == "folder" else None, download=False))


def test_folder_comes_before_bpcore_data_and_that_before_the_cache(tiny, tmp_path, monkeypatch):
    damaged = {name: b"damaged " + name.encode() for name in tiny}
    put(tmp_path / "cache", damaged)
    monkeypatch.setenv("BPCORE_DATA", str(put(tmp_path / "mine", tiny)))
    assert_is(tiny, load(download=False))
    put(tmp_path / "mine", damaged)
    assert_is(tiny, load(folder=put(tmp_path / "first", tiny), download=False))


@pytest.mark.parametrize("way", ["folder", "BPCORE_DATA"])
@pytest.mark.parametrize("damage", [lambda content: content[:-1] + b"?", lambda content: b"?"])
def test_wrong_file_of_the_user_is_an_error_and_is_left_alone(
    tiny, tmp_path, monkeypatch, mirror, way, damage
):
    folder = put(tmp_path / "mine", {**tiny, TEST_LABELS: damage(tiny[TEST_LABELS])})
    before = tree(folder)
    if way == "BPCORE_DATA":
        monkeypatch.setenv("BPCORE_DATA", str(folder))
    with pytest.raises(ValueError, match=f"{TEST_LABELS}.*Replace it"):
        load(folder=folder if way == "folder" else None)
    assert tree(folder) == before and not mirror.asked


def test_wrong_file_in_the_cache_is_fetched_again_with_a_warning(tiny, tmp_path, mirror):
    put(tmp_path / "cache" / "mnist", {**tiny, TEST_LABELS: tiny[TEST_LABELS][:-1] + b"?"})
    with pytest.warns(UserWarning, match=f"{TEST_LABELS}.*not used") as told:
        assert_is(tiny, datasets.load_mnist(scale=1))
    assert told[0].filename == __file__
    assert mirror.asked == [TEST_LABELS]
    assert tree(tmp_path / "cache") == {f"mnist/{name}": tiny[name] for name in NAMES}


def test_download_false_never_touches_the_network(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(_fetch, "fetch", lambda missing: pytest.fail("a download begins"))
    put(tmp_path / "cache", {TRAIN_LABELS: tiny[TRAIN_LABELS]})
    with pytest.raises(FileNotFoundError, match="download=False") as caught:
        load(download=False)
    missing = str(caught.value).splitlines()[0]
    assert TRAIN_IMAGES in missing and TEST_IMAGES in missing and TRAIN_LABELS not in missing
    assert capsys.readouterr().err == ""


def test_cache_folder_follows_the_platform(monkeypatch):
    home = os.path.expanduser("~")
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert _fetch.cache_folder() == os.path.join(home + "/.cache", "bpcore")
    monkeypatch.setenv("XDG_CACHE_HOME", "xdg")
    assert _fetch.cache_folder() == os.path.join("xdg", "bpcore")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert _fetch.cache_folder() == home + "/Library/Caches/bpcore"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "local")
    assert _fetch.cache_folder() == os.path.join("local", "bpcore", "Cache")


def test_import_touches_neither_network_nor_disk():
    process = python("""if 1:
        import bpcore, numpy, sys
        for name in [name for name in sys.modules if name.startswith("bpcore.datasets")]:
            del sys.modules[name]
        before = set(sys.modules)

        def watch(event, arguments):
            reads_code = event == "open" and str(arguments[0]).endswith((".py", ".pyc"))
            watched = ("open", "socket.", "subprocess.", "tempfile.", "os.mkdir", "os.scandir")
            if event.startswith(watched) and not reads_code:
                raise SystemExit(f"{event} {arguments}")

        sys.addaudithook(watch)
        import bpcore.datasets
        heavy = {"hashlib", "urllib.request", "ssl", "subprocess", "h5py", "zipfile", "tempfile"}
        assert not heavy & (set(sys.modules) - before), heavy & set(sys.modules)
    """)
    assert process.communicate() == ("", "")
