"""The numbers of Network.explain.

None is computed here: the core computes them all. What stands between activations and errors comes
from networks of one layer, or of one unit, which are parts of the network that is explained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import _core
from .._inputs import check, csr
from .._model import architecture, derivatives

if TYPE_CHECKING:
    from .._types import FloatArray

__all__ = ["ExplainedLayer", "Explanation"]


@dataclass(frozen=True, eq=False, repr=False)
class ExplainedLayer:
    """What one layer has computed, and what has come back to it.

    Attributes
    ----------
    activation : str
        The layer's function g.
    W, b : ndarray
        Copies of its weights (outputs, inputs) and biases (outputs,).
    z, a : ndarray (outputs,)
        z = W a_below + b and a = g(z).
    dC_da : ndarray (outputs,) or None
        How the cost C depends on a: W' delta of the layer above, with its W and delta; in the last
        layer it follows from the loss.
    slope : ndarray (outputs,) or None
        g'(z).
    delta : ndarray (outputs,)
        dC/dz = dC_da * slope. The last layer has a - y at once where its loss is the natural
        partner of its activation; dC_da and slope are None there. A softmax has no slope either:
        each of its outputs depends on all z.
    dW, db : ndarray
        dC/dW = delta a_below' and dC/db = delta, shaped as W and b.
    """

    activation: str
    W: FloatArray
    b: FloatArray
    z: FloatArray
    a: FloatArray
    dC_da: FloatArray | None
    slope: FloatArray | None
    delta: FloatArray
    dW: FloatArray
    db: FloatArray


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """One sample through a network and back: what ``Network.explain`` returns.

    ``print`` shows it as text, each number beside its equation; a notebook as tables. Long rows are
    cut in the middle there, but not in the attributes.

    Attributes
    ----------
    x : ndarray (inputs,)
        The sample, as it was given.
    standardized : ndarray (inputs,) or None
        The sample as the first layer sees it, where the network standardises.
    shift, scale : ndarray (inputs,) or None
        With which it does: standardized = (x - shift) * scale.
    y : ndarray (outputs,)
        The target; a label has become a unit vector.
    layers : tuple of ExplainedLayer
        The first one after the inputs first.
    cost : float
        C of this sample.
    loss : str or tuple
        Its name, with its parameter where it has one.
    """

    x: FloatArray
    standardized: FloatArray | None
    shift: FloatArray | None
    scale: FloatArray | None
    y: FloatArray
    layers: tuple[ExplainedLayer, ...]
    cost: float
    loss: str | tuple[str, float]

    def __repr__(self) -> str:
        sizes = [len(self.x), *(len(layer.b) for layer in self.layers)]
        return f"Explanation({'-'.join(map(str, sizes))}, cost {self.cost:.6g})"

    def __str__(self) -> str:
        from . import shown

        return shown.as_text(self)

    def _repr_html_(self) -> str:
        from . import shown

        return shown.as_html(self)


# ---- The numbers ---------------------------------------------------------------------------------


def one_row(x, y, inputs, outputs):
    """x (inputs,) and its y as a row of data and the row's target, as ``fit`` takes them."""
    if csr.is_sparse(x):
        x = x.toarray()
    shape = check.rectangle("x", x).shape
    if len(shape) == 1:
        x = np.reshape(x, (1, -1))
    elif len(shape) != 2 or shape[0] != 1:
        raise ValueError(
            f"x has shape {shape}, but one sample is explained: ({inputs},) is expected, as X[0] is"
        )
    shape = check.rectangle("y", y).shape
    if shape == () or (shape == (outputs,) and outputs > 1):
        y = np.reshape(y, (1, *shape))
    return x, y


def explain(cls, net, x, Y):
    """The Explanation of a checked row x (1, inputs) and its target. cls makes networks."""
    scaling = net.scaling
    X = x if scaling is None else scaling.apply(x)
    A = [X, *derivatives.activations(net, X, 1)]
    for i, a in enumerate(A[1:], start=1):
        check.finite(f"activations of layer {i}", a)
    deltas = derivatives.deltas(net, X, Y, 1)
    dW, db = derivatives.gradients(net, X, Y, None, 1)
    layers = []
    for i, g in enumerate(net.activation_names):
        W, b = net.weights[i].copy(), net.biases[i].copy()
        z = _layer(cls, net, W, b, "identity").forward(A[i])
        dC_da, slope = _slope_of_cost(cls, net, A[-1], Y), _slope(cls, net, g, z)
        if i + 1 < len(deltas):
            dC_da = _through(cls, net, net.weights[i + 1], deltas[i + 1])
        elif dC_da is None:
            slope = None
        rows = (None if row is None else row.ravel() for row in (z, A[i + 1], dC_da, slope))
        layers.append(ExplainedLayer(g, W, b, *rows, deltas[i][0], dW[i], db[i]))
    return Explanation(
        x=x[0].copy(),
        standardized=None if scaling is None else X[0],
        shift=None if scaling is None else scaling.shift.copy(),
        scale=None if scaling is None else scaling.scale.copy(),
        y=Y[0].copy(),
        layers=tuple(layers),
        cost=net._mean_loss(X, Y, 1, None),
        loss=architecture.loss_as_given(net),
    )


def _layer(cls, net, W, b, activation, loss="mse"):
    """A network that is one layer, in the precision of ``net``."""
    layer = cls(W.shape[::-1], output=activation, loss=loss, dtype=net.dtype, seed=0)
    layer.weights, layer.biases = [W], [b]
    return layer


def _unit(cls, net, activation, loss="mse"):
    """A network that is the one unit g(z): a layer without weights, if each z is a row of it."""
    return _layer(cls, net, np.ones((1, 1)), np.zeros(1), activation, loss)


def _slope(cls, net, activation, z):
    """g'(z) of each unit, or None where g takes all z together."""
    if activation == "softmax":
        return None
    return _unit(cls, net, activation).jacobian(z.reshape(-1, 1))


def _slope_of_cost(cls, net, a, Y):
    """dC/da of the outputs, or None for a loss that goes with one output: delta is a - y there."""
    if net.loss_name in _core.LOSS_OUTPUTS:
        return None
    unit = _unit(cls, net, "identity", architecture.loss_as_given(net))
    return derivatives.deltas(unit, a.reshape(-1, 1), Y.reshape(-1, 1), 1)[0]


def _through(cls, net, W, delta):
    """W' delta: what a layer's error is, seen from its inputs."""
    layer = _layer(cls, net, W, np.zeros(len(W)), "identity")
    return layer.backward(np.zeros((1, W.shape[1])), delta)[2]
