"""MNIST and the cats for tests, from where users keep them; nothing is fetched.

A test whose data is not there is skipped with the reason, each data set by itself: the user's cache
may hold MNIST and never the cats.
"""

import warnings

import pytest

from bpcore import datasets

NO_MNIST = "MNIST is neither in BPCORE_DATA nor in the cache, and tests download nothing"
NO_CATS = "the cats are not in BPCORE_DATA"


def mnist(**settings):
    return _loaded(datasets.load_mnist, NO_MNIST, download=False, **settings)


def mnist58(**settings):
    return _loaded(datasets.load_mnist58, NO_MNIST, download=False, **settings)


def cats(**settings):
    pytest.importorskip("h5py", reason="the cats are HDF5 files: pip install h5py")
    return _loaded(datasets.load_catvnoncat, NO_CATS, **settings)


def _loaded(load, reason, **settings):
    with warnings.catch_warnings():
        # A damaged file in the cache is one that is not there; fetching would replace it.
        warnings.filterwarnings("ignore", message=".*This cached file is not used")
        try:
            return load(**settings)
        except FileNotFoundError:
            pytest.skip(reason)
