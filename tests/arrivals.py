"""What tests of arrivals share: a bound of rounding, and layers that look like other libraries'."""

import numpy as np

import bpcore
from bpcore import reference

# The steepest slope of an activation that has a steepest one: that of selu below 0.
SLOPE = reference.SELU * reference.SELU_ALPHA


def rounding(net, X, dtype=None):
    """How far two computations of ``net`` for X may lie apart, (n, outputs).

    A sum of n products and a bias errs by at most n + 2 units of the sum of its terms' sizes, and
    carries the errors of what it adds; an activation multiplies an error by its slope at most and
    errs by a few units, and so does a softmax, whose slopes have a sum of at most 2. Both
    computations may do so, in the dtype of the network or in ``dtype``.
    """
    unit, A = np.finfo(dtype or net.dtype).eps, np.asarray(X, np.float64)
    error = unit * np.abs(A)
    if net.scaling is not None:
        shift, scale = net.scaling.shift, net.scaling.scale
        error = 4 * unit * (np.abs(A) + np.abs(shift)) * np.abs(scale)
        A = (A - shift) * scale
    for W, b, name in zip(net.weights, net.biases, net.activation_names, strict=True):
        sizes = np.abs(A) @ np.abs(W.T) + np.abs(b)
        error = error @ np.abs(W.T) + (len(W.T) + 2) * unit * sizes
        A = reference.ACTIVATIONS[name][0](A @ W.T.astype(np.float64) + b)
        slope = np.maximum(SLOPE, A) if name == "exp" else SLOPE
        if name == "softmax":
            error = 2 * error.max(axis=1, keepdims=True)
        error = slope * error + 8 * unit * np.maximum(1, np.abs(A))
    return 2 * error


def agrees(net, X, expected, dtype=None):
    """Are the outputs of ``net`` these, to the rounding of two computations?"""
    expected = np.asarray(expected).reshape(len(X), -1)
    return bool((np.abs(net.forward(X) - expected) <= rounding(net, X, dtype)).all())


def numbers(*shape, seed=0, dtype="float32"):
    return np.random.RandomState(seed).uniform(-1, 1, shape).astype(dtype)


def arrays(sizes, dtype="float32"):
    """A weight (outputs, inputs) and a bias for each layer."""
    pairs = zip(sizes[:-1], sizes[1:], strict=True)
    return [
        (numbers(n, m, seed=i, dtype=dtype), numbers(n, seed=9 + i, dtype=dtype))
        for i, (m, n) in enumerate(pairs)
    ]


def network(layers, activations):
    """The network that these layers make, filled in by hand."""
    sizes = [len(layers[0][0].T), *(len(b) for _, b in layers)]
    how = {"hidden": activations[:-1], "output": activations[-1], "dtype": layers[0][0].dtype}
    net = bpcore.Network(sizes, **how, seed=0)
    net.weights, net.biases = [W for W, _ in layers], [b for _, b in layers]
    return net


def look_alike(module, kind, /, **attributes):
    """An object of a class of this name in this module, which need not be there."""
    return type(kind, (), {"__module__": module, **attributes})()
