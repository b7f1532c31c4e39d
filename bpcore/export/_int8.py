"""Networks in whole numbers of eight bits, for processors without floating point.

A real number stands for (q - zero point) times a scale. All arithmetic is exact but where it is
said to be rounded:

    q_i   = zero point + rounded((x_i - shift_i) factor_i)          the input; float32, then int8
    sum_j = b_j + sum_i W_ji q_i                                    int8 times int8, in int32
    z_j   = offset + rounded(sum_j multiplier_j / 2^shift_j)        in int64, halves upwards
    a_j   = z_j, or table[z_j]                                      int8, what the next layer reads

q and z are clamped to -128 ... 127, z of a ReLU from its zero on. Weights have a scale for each
output and no zero point (Jacob et al. 2018, sections 2 and 3); b holds the bias and what the zero
point of the layer's input adds. Any other activation is a table of its 256 values. z of the last
layer stays a whole number of 32 bits: the highest is the class, and where someone wants activations
they are computed from it in float32.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import _core
from .._inputs import check, frames

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from .._types import Activation, FloatArray, IntArray, MatrixLike, StrPath
    from ..network import Network

LOWEST, HIGHEST = -128, 127
# Activations that clamp their input.
CLAMPS = ("identity", "relu")
# Steps of the last layer's z from 0 to the largest of the calibration: finer than any table.
LAST_STEPS = 2.0**15
# All whole numbers up to here are numbers of float32.
LAST_LIMIT = 2**24
# What is beyond this many steps is beyond int8, whatever the zero point.
INPUT_LIMIT = 512
# Rows that are computed at once: 4096 of 784 inputs are 26 MB in double.
ROWS = 4096
# Limits that are tried, as shares of the largest activation: to 1/64 in steps of 1/sqrt(2).
RANGES = [2.0 ** (-k / 2) for k in range(13)]
# Rows that decide between them.
SAMPLE = 256
# Points at which the range of a table is looked for: 16 for each of its steps.
POINTS = 4096


@dataclass(frozen=True)
class Layer:
    """One layer, by the formulas above: outputs O, inputs I.

    Attributes
    ----------
    weights : ndarray (O, I) of int8
    biases, multipliers : ndarray (O,) of int32
    shifts : ndarray (O,) of uint8
    offset, lowest : int
        Zero point of z, and its least value.
    table : ndarray (256,) of int8, or None
    """

    weights: NDArray[np.int8]
    biases: NDArray[np.int32]
    multipliers: NDArray[np.int32]
    shifts: NDArray[np.uint8]
    offset: int
    lowest: int
    table: NDArray[np.int8] | None

    def scaled(self, q: NDArray[np.int8]) -> NDArray[np.int64]:
        """z (n, O) for rows q (n, I), before it is clamped."""
        sums = np.zeros((len(q), len(self.biases)))
        # The core multiplies doubles, which hold these sums exactly.
        _core.matmul(q.astype(np.float64), self.weights.T.astype(np.float64), sums)
        products = (sums.astype(np.int64) + self.biases) * self.multipliers
        half = np.int64(1) << (self.shifts.astype(np.int64) - 1)
        return self.offset + ((products + half) >> self.shifts)

    def outputs(self, q: NDArray[np.int8]) -> NDArray[np.int8]:
        """a (n, O) for rows q (n, I)."""
        z = np.clip(self.scaled(q), self.lowest, HIGHEST).astype(np.int8)
        return z if self.table is None else self.table[z.astype(np.int64) - LOWEST]


class QuantizedNetwork:
    """A network whose weights and activations are int8; ``Network.quantize`` makes it.

    What it computes here is, bit for bit, what the C file computes that ``export`` writes.

    Attributes
    ----------
    sizes, hidden, output
        As those of the network.
    layers : tuple
        Weights, biases and what scales their sums, of each layer.
    shift, factor : ndarray of float32, (inputs,) or of one number
        ``q = zero_point + rounded((x - shift) * factor)``.
    zero_point : int
        The q of an input that is 0, or of the mean where the network standardises.
    last_scale : float
        What a step of the last layer's z stands for.
    fingerprint : str
        Of the network that was quantised.
    feature_names : tuple of str or None
        As the network's.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore import Network
    >>> X = np.random.RandomState(0).uniform(-1, 1, (200, 2))
    >>> y = (X[:, 0] > X[:, 1]).astype(int)
    >>> net = Network([2, 8, 1], hidden="tanh", seed=1)
    >>> history = net.fit(X, y, epochs=100, learning_rate=1.0)
    >>> small = net.quantize(X)
    >>> small.nbytes < net.parameters.nbytes + 600  # Three tables of 256 bytes would be too many.
    True
    >>> small.compare(net, X)["agreement"] > 0.97
    True
    """

    sizes: tuple[int, ...]
    hidden: tuple[Activation, ...]
    output: Activation
    layers: tuple[Layer, ...]
    shift: NDArray[np.float32]
    factor: NDArray[np.float32]
    zero_point: int
    last_scale: float
    fingerprint: str
    feature_names: tuple[str, ...] | None

    def __init__(
        self,
        net: Network,
        layers: tuple[Layer, ...],
        shift: ArrayLike,
        factor: ArrayLike,
        zero_point: int,
        last_scale: float,
    ) -> None:
        self.sizes, self.hidden, self.output = net.sizes, net.hidden, net.output
        self.layers, self.zero_point = layers, zero_point
        self.shift, self.factor = np.float32(shift), np.float32(factor)
        self.last_scale = float(np.float32(last_scale))
        self.fingerprint, self.feature_names = net.fingerprint(), net.feature_names

    def __repr__(self) -> str:
        return f"QuantizedNetwork({list(self.sizes)}, {self.nbytes} bytes)"

    @property
    def nbytes(self) -> int:
        """Bytes of all constants."""
        arrays = [self.shift, self.factor] if self.shift.ndim else []
        for layer in self.layers:
            arrays += [layer.weights, layer.biases, layer.multipliers, layer.shifts]
            arrays += [] if layer.table is None else [layer.table]
        return sum(array.nbytes for array in arrays)

    def quantized(self, X: MatrixLike) -> NDArray[np.int8]:
        """The rows of X (n, inputs) as int8, as the first layer reads them."""
        frames.agree("X", X, self.feature_names)
        X = np.float32(dense_rows("X", X, self.sizes[0]))
        steps = np.clip((X - self.shift) * self.factor, -INPUT_LIMIT, INPUT_LIMIT)
        whole = np.trunc(steps + np.copysign(np.float32(0.5), steps)).astype(np.int64)
        return np.clip(whole + self.zero_point, LOWEST, HIGHEST).astype(np.int8)

    def logits(self, X: MatrixLike) -> NDArray[np.int32]:
        """z of the last layer, (n, outputs), in steps of ``last_scale``."""
        q = self.quantized(X)
        parts = [self._logits(q[first : first + ROWS]) for first in range(0, len(q), ROWS)]
        return np.concatenate(parts) if parts else np.zeros((0, self.sizes[-1]), np.int32)

    def _logits(self, q):
        for layer in self.layers[:-1]:
            q = layer.outputs(q)
        z = self.layers[-1].scaled(q)
        return np.clip(z, -LAST_LIMIT, LAST_LIMIT).astype(np.int32)

    def forward(self, X: MatrixLike) -> FloatArray:
        """Activations of the last layer, (n, outputs) of float32, for X (n, inputs)."""
        A = self.logits(X).astype(np.float32) * np.float32(self.last_scale)
        _core.activate(self.output, A)
        return A

    def predict(self, X: MatrixLike) -> FloatArray | IntArray:
        """Labels of the rows of X, or values, as ``Network.predict``.

        The class is told by whole numbers: z above 0, or the first of the highest.
        """
        if self.output not in ("sigmoid", "softmax"):
            A = self.forward(X)
            return A[:, 0] if A.shape[1] == 1 else A
        z = self.logits(X)
        return np.int64(z[:, 0] > 0) if z.shape[1] == 1 else z.argmax(axis=1)

    def _checked(self, rows):
        """Rows of a certificate, as float32."""
        frames.agree("check", rows, self.feature_names)
        rows = np.float32(dense_rows("check", rows, self.sizes[0]))
        if len(rows) == 0:
            raise ValueError("check has no rows, but at least one is needed")
        return rows

    def compare(self, net: Network, X: MatrixLike, y: ArrayLike | None = None) -> dict[str, float]:
        """What the eight bits cost, on rows X (n, inputs).

        Parameters
        ----------
        net : Network
            What was quantised.
        X : array-like (n, inputs)
        y : array-like (n,), optional
            The right labels.

        Returns
        -------
        dict
            ``largest_difference`` of an activation; for classes ``agreement``, the share of rows
            with the same label, and with y ``accuracy`` and ``accuracy_before``.
        """
        if len(check.rectangle("X", X)) == 0:
            raise ValueError("X has no rows, but at least one is needed")
        figures = {"largest_difference": float(np.abs(self.forward(X) - net.forward(X)).max())}
        if self.output in ("sigmoid", "softmax"):
            mine, before = self.predict(X), net.predict(X)
            figures["agreement"] = float((mine == before).mean())
            if y is not None:
                y = check.rectangle("y", y)
                if y.shape != mine.shape:
                    raise ValueError(f"y has shape {y.shape}, but {mine.shape} is expected")
                figures["accuracy"] = float((mine == y).mean())
                figures["accuracy_before"] = float((before == y).mean())
        return figures

    def export(
        self,
        path: StrPath,
        *,
        name: str | None = None,
        check: MatrixLike | None = None,
        placement: str | None = None,
    ) -> None:
        """Write ``path``, which ends in .c, and its header; arguments as for ``Network.export``.

        The file has no floating point but in the functions that take or give it.
        """
        from . import _c99_int8

        if not os.fsdecode(path).lower().endswith(".c"):
            raise ValueError(f"path is {os.fsdecode(path)!r}, but it must end in .c")
        rows = None if check is None else self._checked(check)
        _c99_int8.write(self, path, name=name, rows=rows, placement=placement)


def dense_rows(name, X, inputs):
    """X (n, inputs) as an array of float32 or, where X is not of it, float64."""
    dtype = "float32" if getattr(X, "dtype", None) == np.float32 else "float64"
    X = check.rows(X, inputs, dtype, name=name, allow_empty=True)
    if isinstance(X, _core.Sparse):
        raise TypeError(f"{name} is sparse, but dense rows are expected: {name}.toarray()")
    return X


# ---- From a network and rows that are typical ----------------------------------------------------


def quantize(net, X):
    """The QuantizedNetwork of a network; see ``Network.quantize``."""
    frames.agree("X", X, net.feature_names)
    return net._training_lock.snapshot(lambda: _quantized(net, X))


def _quantized(net, X):
    with np.errstate(all="ignore"):  # What is not finite then is refused at the end.
        return _in_steps(net, X)


def _in_steps(net, X):
    check.numbers("parameters", net.parameters, net.dtype)
    A = np.ascontiguousarray(dense_rows("X", X, net.sizes[0]), net.dtype)
    if len(A) == 0:
        raise ValueError("X has no rows, but the ranges of all layers are those of some rows")
    if net.scaling is not None:
        A = net.scaling.apply(A)
    steps, reached = [], []
    for layer in range(len(net.weights)):
        steps.append(_steps(net, layer, A))
        Z, A = _outputs(net, layer, A)
        check.finite(f"activations of layer {layer + 1}", A)
        reached.append((float(Z.min()), float(Z.max())))
    z = Steps(max(map(abs, reached[-1])) / LAST_STEPS or 1.0, 0)
    layers = []
    for layer, kind in enumerate(net.hidden):
        clamped = (_clamp if kind in CLAMPS else _table)(kind, reached[layer], steps[layer + 1])
        layers.append(_layer(net, layer, steps[layer], *clamped))
    layers.append(_layer(net, len(layers), steps[-1], z, -LAST_LIMIT, None))
    shift, factor = _input_scaling(net.scaling, steps[0].scale)
    _expect_floats(np.ravel(shift), np.ravel(factor), z.scale)
    return QuantizedNetwork(net, tuple(layers), shift, factor, steps[0].zero, z.scale)


def _expect_floats(shift, factor, last_scale):
    """Refuse what float32, with which a device scales inputs and outputs, cannot hold."""
    with np.errstate(over="ignore", under="ignore"):
        factors, shifts = np.float32([*factor, last_scale]), np.float32(shift)
    if not (np.isfinite(factors) & (factors > 0)).all() or not np.isfinite(shifts).all():
        raise ValueError(
            "the network cannot be int8: its inputs or outputs are so large or so small that "
            "float32 has no steps for them; scale X or the targets before"
        )
    coarse = np.spacing(np.abs(shifts)) * factors[:-1] > 1
    if coarse.any():
        feature = int(np.argmax(coarse))
        raise ValueError(
            f"the network cannot be int8: feature {feature} is about {shift[feature]:.6g}, beside "
            "which float32 does not see its steps; subtract that from X before"
        )


class Steps(NamedTuple):
    """A real number is (q - zero) times scale."""

    scale: float
    zero: int

    def whole(self, x):
        """The nearest q of int8 for real x."""
        return np.clip(np.rint(x / self.scale) + self.zero, LOWEST, HIGHEST).astype(np.int8)

    def real(self, q):
        return (q.astype(np.float64) - self.zero) * self.scale


def _steps(net, layer, A):
    """255 steps, of which 0 is one, over the range of A or the part of it that serves best.

    Few values far out may be better cut off than have all others rounded to coarse steps: of
    RANGES that is taken with which the network's outputs change least, in squares, all else exact.
    ``layer`` is the first that comes after A.
    """
    sample = np.ascontiguousarray(A[:: -(-len(A) // SAMPLE)])
    lowest, highest = min(float(A.min()), 0.0), max(float(A.max()), 0.0)
    limits = [share * max(-lowest, highest) for share in RANGES]
    candidates = [_between(max(lowest, -limit), min(highest, limit)) for limit in limits]
    exact = _rest(net, layer, sample)

    def change(steps):
        rounded = steps.real(steps.whole(sample)).astype(A.dtype)
        return np.square(_rest(net, layer, rounded) - exact).sum()

    return candidates[int(np.argmin([change(steps) for steps in candidates]))]


def _rest(net, layer, A):
    """What the network makes of A, from a layer on."""
    for number in range(layer, len(net.weights)):
        A = _outputs(net, number, A)[1]
    return A


def _between(lowest, highest):
    scale = (highest - lowest) / (HIGHEST - LOWEST) or 1.0
    return Steps(scale, round(LOWEST - lowest / scale))


def _input_scaling(scaling, scale):
    """(shift, factor) of the input, for each feature or, without standardisation, for all."""
    if scaling is None:
        return 0.0, 1 / scale
    return scaling.shift, scaling.scale / scale


def _outputs(net, layer, A):
    """(Z, g(Z)) of a layer, as the core computes them."""
    W, b = net.weights[layer], net.biases[layer]
    Z = np.empty((len(A), len(b)), A.dtype)
    _core.dense_forward("identity", A, np.ascontiguousarray(W.T), b, Z, np.empty_like(Z))
    A = Z.copy()
    _core.activate(net.activation_names[layer], A)
    return Z, A


def _clamp(kind, reached, a):
    """(steps of z, its least value, no table) where z in the steps of a is a, once clamped."""
    return a, a.zero if kind == "relu" else LOWEST, None


def _table(kind, reached, a):
    """(steps of z, its least value, its table), for the part of Z's range in which a changes."""
    z = np.linspace(*reached, POINTS)
    level = a.whole(_activated(kind, z)).astype(int)
    changes = np.flatnonzero(level[1:] != level[:-1])
    if len(changes):
        z = z[changes[0] : changes[-1] + 2]
    steps = _between(z[0], z[-1])
    return steps, LOWEST, a.whole(_activated(kind, steps.real(np.arange(LOWEST, HIGHEST + 1.0))))


def _activated(kind, z):
    """g(z) of double z (n,), as the core computes it."""
    A = z.reshape(1, -1).copy()
    _core.activate(kind, A)
    return A[0]


def _layer(net, layer, x, z, lowest, table):
    """The Layer that reads steps x and makes steps z."""
    W, b = np.float64(net.weights[layer]), np.float64(net.biases[layer])
    scales = np.abs(W).max(axis=1) / HIGHEST
    scales[scales == 0] = 1.0
    whole = np.rint(W / scales[:, None]).astype(np.int64)
    biases = np.rint(b / (x.scale * scales)) - x.zero * whole.sum(axis=1)
    largest = np.abs(biases) - LOWEST * np.abs(whole).sum(axis=1)
    if largest.max() > np.iinfo(np.int32).max:
        raise ValueError(
            f"layer {layer + 1} cannot be int8: a sum of unit {largest.argmax()} may reach "
            f"{largest.max():.3g}, more than 32 bits hold; its bias or its inputs are too many or "
            "too large beside its weights"
        )
    multipliers, shifts = _multipliers(layer, x.scale * scales / z.scale)
    return Layer(
        whole.astype(np.int8), biases.astype(np.int32), multipliers, shifts, z.zero, lowest, table
    )


def _multipliers(layer, ratios):
    """(multiplier, shift) with 31 bits of each ratio: multiplier / 2^shift."""
    fractions, exponents = np.frexp(ratios)
    multipliers, shifts = np.rint(np.ldexp(fractions, 31)), 31 - exponents
    too_large = multipliers == 2**31  # It was rounded up to the next power of two.
    multipliers, shifts = multipliers / (1 + too_large), shifts - too_large
    if shifts.min() < 1:
        raise ValueError(
            f"layer {layer + 1} cannot be int8: a step of its sums is {ratios.max():.3g} steps of "
            "its outputs, which hardly differ on the rows of X: more typical rows may help"
        )
    multipliers[shifts > 62] = 0  # Whatever the sum, it is no step.
    return multipliers.astype(np.int32), np.minimum(shifts, 62).astype(np.uint8)
