"""A few random images in place of the three data sets, for laws of the command's behaviour."""

import numpy as np

from bpcore import datasets


def images(n, features, classes, dtype):
    random = np.random.default_rng(n)
    return random.random((n, features)).astype(dtype), np.arange(n) % classes


def replace_data(monkeypatch):
    """Make the loaders return random images."""

    def loader(features, classes):
        def load(folder=None, *, dtype, scale=255):
            return images(40, features, classes, dtype), images(20, features, classes, dtype)

        return load

    monkeypatch.setattr(datasets, "load_mnist58", loader(784, 2))
    monkeypatch.setattr(datasets, "load_mnist", loader(784, 10))
    monkeypatch.setattr(datasets, "load_catvnoncat", loader(12288, 2))
