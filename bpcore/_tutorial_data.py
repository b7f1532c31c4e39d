"""What the commands of the tutorials train on, and in which order."""

import random

import numpy as np

from . import datasets


def mnist58(*, dtype, folder=None):
    """(X, y) of training and of test: fives and eights."""
    return datasets.load_mnist58(dtype=dtype, folder=folder)


def mnist10(*, dtype, folder=None):
    """(X, y) of training and of test: all digits, the tutorial's validation images left out."""
    (X, y), test = datasets.load_mnist(dtype=dtype, scale=256, folder=folder)
    return (X[:50000], y[:50000]), test


def cats(*, dtype, folder=None):
    """(X, y) of training and of test: photographs with a cat or without."""
    return datasets.load_catvnoncat(folder, dtype=dtype)


LOADERS = {"mnist58": mnist58, "mnist10": mnist10, "cats": cats}


def tutorial_order(seed, n, epochs):
    """Row indices (epochs, n) as ``random.shuffle`` gives them to the third tutorial's SGD."""
    generator, rows = random.Random(seed), list(range(n))
    order = np.empty((epochs, n), np.uintp)
    for epoch in order:
        generator.shuffle(rows)
        epoch[:] = rows
    return order
