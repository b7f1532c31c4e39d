"""Derivatives of the loss and of the outputs, for checked data: what Network's methods compute."""

import numpy as np

from .. import _core
from .._core.slices import unmeasured_rows
from .._inputs import csr


def gradients(net, X, Y, weights, threads):
    """Gradients of the mean loss, ([dW_1, ...], [db_1, ...])."""
    flat, rows = np.empty_like(net.parameters), _Rows(net, X, threads)
    data = net.parameters, rows.dense, Y, flat, rows.workspace
    _core.gradient(
        net._core, *data, **rows.how, weights=weights, slice_rows=unmeasured_rows(len(flat))
    )
    return tuple(map(list, net._views(flat)))


def backward(net, X, dA, threads):
    """([dW_1, ...], [db_1, ...], dX) from dL/dA of the outputs."""
    flat = np.zeros_like(net.parameters)
    dX = np.empty((len(X), net.sizes[0]), net.dtype)
    if len(X):
        _Rows(net, X, threads).backward(dA, flat, dX)
    return (*map(list, net._views(flat)), _unscaled(net, dX))


def jacobian(net, X, threads):
    """d out / d x, (n, outputs, inputs)."""
    n, inputs, outputs = len(X), net.sizes[0], net.sizes[-1]
    J = np.empty((n, outputs, inputs), net.dtype)
    if n:
        rows, dX = _Rows(net, X, threads), np.empty((n, inputs), net.dtype)
        for o in range(outputs):
            dA = np.zeros((n, outputs), net.dtype)
            dA[:, o] = 1
            rows.backward(dA, None, dX)
            J[:, o] = _unscaled(net, dX)
    return J


def activations(net, X, threads):
    """[A_1, ..., A_L]."""
    A = np.empty(len(X) * sum(net.sizes[1:]), net.dtype)
    if len(X):
        _Rows(net, X, threads).layer_outputs(None, A, None)
    return _layers(net, A, len(X))


def deltas(net, X, Y, threads):
    """[delta_1, ..., delta_L]: dC/dZ for the loss C of each row."""
    flat = np.empty(len(X) * sum(net.sizes[1:]), net.dtype)
    _Rows(net, X, threads).layer_outputs(Y, None, flat)
    return _layers(net, flat, len(X))


def _unscaled(net, dX):
    """Derivatives by the standardised inputs, as those by the inputs themselves."""
    if net.scaling is not None:
        dX *= net.scaling.scale
    return dX


def _layers(net, flat, n):
    """Views of a flat array, (n, units) for each layer after the inputs."""
    ends = n * np.cumsum(net.sizes[1:])
    return [
        part.reshape(n, -1 if n else units)
        for part, units in zip(np.split(flat, ends[:-1]), net.sizes[1:], strict=True)
    ]


class _Rows:
    """Checked rows of a network on their way forward and back."""

    def __init__(self, net, X, threads):
        self.net, (self.dense, sparse) = net, csr.split(X)
        self.how = {"threads": threads, "sparse": sparse}
        row_nonzeros = 0 if sparse is None else sparse.row_nonzeros
        self.workspace = net._workspace(len(X), threads, row_nonzeros)

    def backward(self, dA, gradient, dX):
        data = self.dense, dA, gradient, dX, self.workspace
        _core.backward(self.net._core, self.net.parameters, *data, **self.how)

    def layer_outputs(self, Y, A, deltas):
        data = self.dense, Y, A, deltas, self.workspace
        _core.layer_outputs(self.net._core, self.net.parameters, *data, **self.how)
