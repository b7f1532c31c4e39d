"""The class of the second tutorial, which tells pictures of cats from other pictures.

The notebook that derives the formulas of backpropagation with L layers, errors Delta and the
numerical check of the gradient. Columns are samples. Shapes: m samples, I inputs of a layer, O
outputs; X (features, m), Y (1, m).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._shared import Descent, activation, cross_entropy, keeps, layer_sizes, product, weighted_input

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from .._types import FloatArray

__all__ = ["NeuralNetwork"]

STEPS: tuple[str, ...] = (
    "forward_prop",
    "cost",
    "back_prop",
    "update_params",
    "relu",
    "derivrelu",
    "sigmoid",
    "derivsigmoid",
)


class NeuralNetwork:
    """Network with ReLU units, one sigmoid unit at the end and the cross-entropy as its cost.

    Parameters
    ----------
    X : ndarray (features, m)
    Y : ndarray (1, m), 0 or 1

    Attributes
    ----------
    W, b : dict
        W[l] (O, I) and b[l] (O, 1) of the layers l = 1 ... L.
    A, Z, Delta, dW, db : dict
        What `forward_prop` and `back_prop` leave for the layers, in the shapes (O, m), (O, m),
        (O, m), (O, I) and (O, 1). A[0] is X. `update_params` empties all but Delta.
    check_W, check_b, check_A, check_Z : dict
        Copies for `check_grad`, which alters them.
    m, layers, L, alpha, num_iter
        The number of samples, and what `NN` got.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.classic import NeuralNetwork
    >>> X = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
    >>> Y = np.array([[0, 1, 1, 1]])
    >>> np.random.seed(0)
    >>> x = NeuralNetwork(X, Y)
    >>> x.NN([3, 1], 1001, alpha=1)  # doctest: +ELLIPSIS
    cost after iteration 0: 0.69...
    cost after iteration 500: 0.00...
    cost after iteration 1000: 0.00...
    >>> x.predict(X, Y)
    1.0
    """

    X: NDArray[Any]
    Y: NDArray[Any]
    layers: list[int]
    L: int
    alpha: float
    num_iter: int
    Delta: dict[int, FloatArray]
    check_W: dict[int, FloatArray]
    check_b: dict[int, FloatArray]
    check_A: dict[int, FloatArray]
    check_Z: dict[int, FloatArray]

    def __init__(self, X: ArrayLike, Y: ArrayLike) -> None:
        self.X, self.Y = _checked(X, Y)
        self.m: int = self.Y.shape[1]
        self.A: dict[int, FloatArray] = {0: self.X}
        self.Z: dict[int, FloatArray] = {}
        self.db: dict[int, FloatArray] = {}
        self.dW: dict[int, FloatArray] = {}
        self.W: dict[int, FloatArray] = {}
        self.b: dict[int, FloatArray] = {}

    def relu(self, Z: ArrayLike) -> Any:
        """Return max(Z, 0), in the shape of Z."""
        return activation("relu", Z)

    def derivrelu(self, Z: NDArray[Any]) -> NDArray[Any]:
        """Return the derivative of relu at Z: 1 where Z > 0, else 0."""
        return np.array((Z > 0).astype(int))

    def sigmoid(self, Z: ArrayLike) -> Any:
        """Return 1 / (1 + exp(-Z)), in the shape of Z."""
        return activation("sigmoid", Z)

    def derivsigmoid(self, Z: ArrayLike) -> Any:
        """Return the derivative of the sigmoid at Z, in the shape of Z."""
        return self.sigmoid(Z) * (1 - self.sigmoid(Z))

    def initialize(self) -> None:
        """Draw all weights from N(0, 0.01^2), layer by layer; biases are 0."""
        for layer in range(1, self.L + 1):
            self.W[layer] = np.random.randn(self.layers[layer], self.layers[layer - 1]) * 0.01
            self.b[layer] = np.zeros((self.layers[layer], 1))

    def forward_prop(self) -> None:
        """Compute Z[l] and A[l] for l = 1 ... L."""
        for layer in range(1, self.L + 1):
            self.Z[layer] = weighted_input(self.W[layer], self.A[layer - 1], self.b[layer])
            self.A[layer] = _activate(self, layer, self.Z[layer])

    def cost(self, A_L: FloatArray) -> float:
        """Return the mean cross-entropy of the outputs A_L (1, m) against Y."""
        return cross_entropy(self.Y, A_L) / self.m

    def back_prop(self) -> None:
        """Compute Delta[l] = dJ/dZ[l], times m, and the gradients dW[l] and db[l], l = L ... 1."""
        for layer in range(self.L, 0, -1):
            if layer == self.L:
                self.Delta = {layer: _last_delta(self)}
            else:
                self.Delta[layer] = product(self.W[layer + 1].T, self.Delta[layer + 1])
                self.Delta[layer] *= self.derivrelu(self.Z[layer])
            self.db[layer] = np.sum(self.Delta[layer], axis=1, keepdims=True) / self.m
            self.dW[layer] = product(self.Delta[layer], self.A[layer - 1].T) / self.m

    def update_params(self) -> None:
        """Take one step of gradient descent, and empty A, Z, dW and db."""
        for layer in range(1, self.L + 1):
            self.W[layer] = self.W[layer] - self.alpha * self.dW[layer]
            self.b[layer] = self.b[layer] - self.alpha * self.db[layer]
        self.A = {0: self.X}
        self.Z = {}
        self.db = {}
        self.dW = {}

    def num_J(self, eps: FloatArray, l: int) -> float:  # noqa: E741, the tutorial's name
        """Return the cost with the weights eps (O, I) in layer l, computed from that layer on.

        It works on the copies check_W, check_b, check_A and check_Z, and leaves its values there.
        """
        self.check_W[l] = eps
        for i in range(l, self.L + 1):
            Z = weighted_input(self.check_W[i], self.check_A[i - 1], self.check_b[i])
            self.check_Z[i], self.check_A[i] = Z, _activate(self, i, Z)
        return self.cost(self.check_A[self.L])

    def check_grad(self, l: int) -> FloatArray:  # noqa: E741, the tutorial's name
        """Return the gradient of the cost for W[l] (O, I) by central differences.

        It takes two forward passes a weight, on the copies that `NN` makes for its check_layer.
        """
        epsilon = 1e-7
        W = self.check_W[l].copy()
        gradient = np.zeros(W.shape)
        for place in np.ndindex(*W.shape):
            eps = np.zeros(W.shape)
            eps[place] = epsilon
            gradient[place] = (self.num_J(W + eps, l) - self.num_J(W - eps, l)) / (2 * epsilon)
        return gradient

    def NN(
        self, layers: list[int], num_iter: int, alpha: float = 0.01, check_layer: int | None = None
    ) -> None:
        """Train on all samples at once; print the cost of every 500th iteration.

        Parameters
        ----------
        layers : list of int
            Units of each layer after the input, the last one 1.
        num_iter : int
        alpha : float, default 0.01
            Learning rate.
        check_layer : int, optional
            Layer whose gradient is compared with the numerical one in the last iteration. The
            relative distance of the two is printed.

        Raises
        ------
        ValueError
            If the last layer does not fit Y, or no layer has the number check_layer.
        FloatingPointError
            If the cost is not finite. W and b are those before that iteration.
        """
        if list(layers[-1:]) != [self.Y.shape[0]]:
            last = self.Y.shape[0]
            raise ValueError(f"layers is {layers}, but its last must be {last}, the rows of Y")
        if check_layer and not 1 <= check_layer <= len(layers):
            raise ValueError(f"check_layer is {check_layer}, but is one of 1 ... {len(layers)}")
        self.layers = [self.X.shape[0], *layers]
        self.L = len(self.layers) - 1
        self.alpha = alpha
        self.num_iter = num_iter
        self.initialize()
        descent = _descend(self) if _runs_in_c(self) and num_iter > 0 else None
        # What C has not done: all iterations of a subclass with a step of its own, else the last
        # one, which leaves Delta and the copies for the check.
        for i in range(num_iter - 1 if descent else 0, num_iter):
            self.forward_prop()
            _report(i, descent.loss() if descent else self.cost(self.A[self.L]))
            self.back_prop()
            if i == num_iter - 1 and check_layer:
                _print_check(self, check_layer)
            self.update_params()

    def predict(self, X: ArrayLike, Y: ArrayLike) -> float:
        """Return the share of right predictions for X (features, m) and Y (1, m), 0 or 1."""
        A, Y = _checked(X, Y)
        for layer in range(1, self.L + 1):
            A = _activate(self, layer, weighted_input(self.W[layer], A, self.b[layer]))
        result = (A > 0.5).astype(int)
        return float(np.sum(result * Y + (1 - result) * (1 - Y)) / Y.shape[1])


# The class as it was written: what differs from it later is an override.
_ORIGINAL = dict(vars(NeuralNetwork))


# What follows is no method: a subclass may use any name of its own.


def _checked(X, Y):
    X, Y = np.asarray(X), np.asarray(Y)
    if X.ndim != 2 or Y.ndim != 2 or X.shape[1] != Y.shape[1]:
        raise ValueError(
            "X must be (features, m) and Y (1, m) with columns as samples, but "
            f"their shapes are {X.shape} and {Y.shape}"
        )
    return X, Y


def _activate(network, layer, Z):
    """A (O, m) of layer l."""
    return network.sigmoid(Z) if layer == network.L else network.relu(Z)


def _last_delta(network):
    """Delta (1, m) of the last layer."""
    A, Z, Y = network.A[network.L], network.Z[network.L], network.Y
    is_sigmoid = np.array_equal(A, activation("sigmoid", Z))
    if is_sigmoid and keeps(network, _ORIGINAL, "sigmoid", "derivsigmoid"):
        return A - Y  # The product below, reduced: right also where A rounds to 1.
    return (-(Y / A) + (1 - Y) / (1 - A)) * network.derivsigmoid(Z)


def _runs_in_c(network):
    """Are all steps as they were written, and X and m those of the first iteration as well?"""
    unchanged = network.A[0] is network.X and network.m == network.Y.shape[1]
    return unchanged and keeps(network, _ORIGINAL, *STEPS)


def _descend(network):
    """All iterations but the last one, in C."""
    layers = range(1, network.L + 1)
    weights, biases = ([part[layer] for layer in layers] for part in (network.W, network.b))
    activations = ["relu"] * (network.L - 1) + ["sigmoid"]
    data = network.X.T, network.Y.T
    descent = Descent(layer_sizes(weights), activations, "bce", *data, names=("X.T", "Y.T"))
    descent.take(weights, biases)
    try:
        for i in range(network.num_iter - 1):
            _report(i, descent.epoch(network.alpha))
    finally:
        weights, biases = descent.layers()
        network.W.update(zip(layers, weights, strict=True))
        network.b.update(zip(layers, biases, strict=True))
    return descent


def _report(i, cost):
    if i % 500 == 0:
        print(f"cost after iteration {i}: {cost}")


def _print_check(network, layer):
    network.check_W, network.check_A = network.W.copy(), network.A.copy()
    network.check_b, network.check_Z = network.b.copy(), network.Z.copy()
    x = network.dW[layer]
    x_check = network.check_grad(layer)
    dist = np.linalg.norm(x - x_check) / (np.linalg.norm(x) + np.linalg.norm(x_check))
    print("\n", "Measure of diff. between vectors is", dist)
