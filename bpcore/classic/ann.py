"""The class of the first tutorial, which tells MNIST's fives from its eights.

"Understand and Implement the Backpropagation Algorithm From Scratch In Python", A Developer Diary.
Shapes: n samples, I inputs of a layer, O outputs; X (n, features) has rows as samples, and inside
the network columns are samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._shared import Descent, activation, cross_entropy, keeps, layer_sizes, product, weighted_input

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._types import FloatArray

__all__ = ["ANN"]


class ANN:
    """Network with sigmoid units in all layers and the binary cross-entropy as its cost.

    Parameters
    ----------
    layers_size : list of int
        Units of each layer after the input; the last one is 1 in the tutorial. `fit` inserts the
        number of features into this list, as there: give each network a list of its own.

    Attributes
    ----------
    parameters : dict
        "W1" (O, I), "b1" (O, 1), "W2", ...
    costs : list of float
        The mean cost of every hundredth iteration of `fit`, before its update. With several
        outputs it is an array of the costs of each, as in the tutorial.
    layers_size, L, n
        The list, the number of layers after the input, the number of samples that `fit` saw.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.classic import ANN
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> Y = np.array([0, 1, 1, 1])
    >>> ann = ANN([3, 1])
    >>> ann.fit(X, Y, learning_rate=2, n_iterations=200)  # doctest: +ELLIPSIS
    0.57...
    0.02...
    >>> ann.predict(X, Y)
    Accuracy: 1.0
    """

    def __init__(self, layers_size: list[int]) -> None:
        self.layers_size: list[int] = layers_size
        self.parameters: dict[str, FloatArray] = {}
        self.L: int = len(self.layers_size)
        self.n: int = 0
        self.costs: list[Any] = []

    def sigmoid(self, Z: ArrayLike) -> Any:
        """Return 1 / (1 + exp(-Z)), in the shape of Z."""
        return activation("sigmoid", Z)

    def sigmoid_derivative(self, Z: ArrayLike) -> Any:
        """Return the derivative of 1 / (1 + exp(-Z)), in the shape of Z.

        As in the tutorial, a subclass that overrides `sigmoid` leaves this as it is.
        """
        s = activation("sigmoid", Z)
        s *= 1 - s
        return s

    def initialize_parameters(self) -> None:
        """Draw the weights from N(0, 1/I) after `np.random.seed(1)`; biases are 0."""
        np.random.seed(1)
        for layer in range(1, len(self.layers_size)):
            inputs, outputs = self.layers_size[layer - 1], self.layers_size[layer]
            self.parameters[f"W{layer}"] = np.random.randn(outputs, inputs) / np.sqrt(inputs)
            self.parameters[f"b{layer}"] = np.zeros((outputs, 1))

    def forward(self, X: ArrayLike) -> tuple[FloatArray, dict[str, FloatArray]]:
        """Compute the activations of all layers.

        Parameters
        ----------
        X : ndarray (n, features)

        Returns
        -------
        A : ndarray (1, n)
            The activation of the last layer: the probability of a 1.
        store : dict
            "Z1" (O, n), "A1" (O, n), "W1" (O, I), "Z2", ...: what `backward` needs.
        """
        store = {}
        A = np.transpose(X)
        for layer in range(1, self.L + 1):
            W = self.parameters[f"W{layer}"]
            Z = weighted_input(W, A, self.parameters[f"b{layer}"])
            A = self.sigmoid(Z)
            store[f"A{layer}"], store[f"W{layer}"], store[f"Z{layer}"] = A, W, Z
        return A, store

    def backward(
        self, X: ArrayLike, Y: ArrayLike, store: dict[str, FloatArray]
    ) -> dict[str, FloatArray]:
        """Compute the gradient of the mean cost.

        Parameters
        ----------
        X : ndarray (n, features)
        Y : ndarray (n,) or (outputs, n), 0 or 1
        store : dict
            From `forward`; "A0" is added to it.

        Returns
        -------
        derivatives : dict
            "dW1" (O, I), "db1" (O, 1), "dW2", ...
        """
        derivatives = {}
        n = self.n or len(X)  # Before any fit, n is 0.
        store["A0"] = np.transpose(X)
        dZ = _last_dZ(self, Y, store)
        for layer in range(self.L, 0, -1):
            derivatives[f"dW{layer}"] = product(dZ, store[f"A{layer - 1}"].T) / n
            derivatives[f"db{layer}"] = np.sum(dZ, axis=1, keepdims=True) / n
            if layer > 1:
                dZ = product(store[f"W{layer}"].T, dZ)
                dZ *= self.sigmoid_derivative(store[f"Z{layer - 1}"])
        return derivatives

    def fit(
        self, X: ArrayLike, Y: ArrayLike, learning_rate: float = 0.01, n_iterations: int = 2500
    ) -> None:
        """Train on all samples at once; print and keep the cost of every hundredth iteration.

        Parameters
        ----------
        X : ndarray (n, features)
        Y : ndarray (n,), 0 or 1
            Or (outputs, n). With several outputs, each learns its row of Y, or Y if it has one.
        learning_rate : float, default 0.01
        n_iterations : int, default 2500

        Raises
        ------
        ValueError
            If the shapes make no sense together.
        FloatingPointError
            If the cost is not finite. The parameters are those before that iteration.
        """
        X, Y = _checked(self, X, Y)
        np.random.seed(1)
        self.n = len(X)
        if len(self.layers_size) > self.L:  # An earlier fit has inserted its number of features.
            del self.layers_size[0]
            self.costs = []
        self.layers_size.insert(0, X.shape[1])
        self.initialize_parameters()
        descent = _descent(self, X, Y)
        try:
            for loop in range(n_iterations):
                step = descent.epoch(learning_rate) if descent else _step(self, X, Y, learning_rate)
                if loop % 100 == 0:
                    cost = step if descent else _cost(Y, step) / self.n
                    print(cost)
                    self.costs.append(cost)
        finally:
            if descent:
                for layer, (W, b) in enumerate(zip(*descent.layers(), strict=True), 1):
                    self.parameters[f"W{layer}"], self.parameters[f"b{layer}"] = W, b

    def predict(self, X: ArrayLike, Y: ArrayLike) -> None:
        """Print the share of right predictions for X (n, features) and Y (n,), 0 or 1.

        One label may stand for all samples. Of several outputs, the first one is compared with Y.
        """
        X, Y = _checked(self, X, Y, one_for_all=True)
        A, _ = self.forward(X)
        p = np.where(A[:1] > 0.5, 1.0, 0.0)
        print("Accuracy: " + str(np.sum((p == Y) / len(X))))

    def plot_cost(self) -> None:
        """Plot the kept costs with Matplotlib (`pip install matplotlib`) and show the figure."""
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError("plot_cost needs Matplotlib: pip install matplotlib") from error
        plt.figure()
        plt.plot(np.arange(len(self.costs)), self.costs)
        plt.xlabel("epochs")
        plt.ylabel("cost")
        plt.show()


# The class as it was written: what differs from it later is an override.
_ORIGINAL = dict(vars(ANN))


# What follows is no method: a subclass may use any name of its own.


def _checked(network, X, Y, *, one_for_all=False):
    """X and Y as arrays, if Y has a label for each sample or, `one_for_all`, one for all."""
    X, Y = np.asarray(X), np.asarray(Y)
    if X.ndim != 2:
        raise ValueError(f"X must be (n, features), but has shape {X.shape}")
    n = len(X)
    lengths = [(n,), (), (1,)] if one_for_all or n == 1 else [(n,)]
    heights = [(), (1,), tuple(network.layers_size[-1:])]
    if Y.shape[-1:] not in lengths or Y.shape[:-1] not in heights:
        raise ValueError(f"Y must be (n,) with n = {n} as in X, but has shape {Y.shape}")
    return X, Y


def _last_dZ(network, Y, store):
    """dJ/dZ (outputs, n) of the last layer, before the division by n."""
    A, Z = store[f"A{network.L}"], store[f"Z{network.L}"]
    Y = np.reshape(Y, (1, -1)) if len(A) == 1 else np.asarray(Y)
    is_sigmoid = np.array_equal(A, activation("sigmoid", Z))
    if is_sigmoid and keeps(network, _ORIGINAL, "sigmoid_derivative"):
        return A - Y  # The line below with A (1 - A) cancelled: right also where A rounds to 1.
    return (-np.divide(Y, A) + np.divide(1 - Y, 1 - A)) * network.sigmoid_derivative(Z)


def _descent(network, X, Y):
    """All steps of the training in C, or None where they have to be the network's methods."""
    if not keeps(network, _ORIGINAL, "forward", "backward", "sigmoid", "sigmoid_derivative"):
        return None
    layers = range(1, network.L + 1)
    weights, biases = ([network.parameters[f"{name}{i}"] for i in layers] for name in "Wb")
    sizes = layer_sizes(weights)
    if sizes[-1] != 1:  # The tutorial has a cost for each output; the core adds them.
        return None
    descent = Descent(sizes, ["sigmoid"] * network.L, "bce", X, Y.reshape(-1, 1))
    descent.take(weights, biases)
    return descent


def _step(network, X, Y, learning_rate):
    """One iteration, method by method; returns the outputs before the update."""
    A, store = network.forward(X)
    derivatives = network.backward(X, Y, store)
    for layer in range(1, network.L + 1):
        for name in (f"W{layer}", f"b{layer}"):
            change = learning_rate * derivatives["d" + name]
            network.parameters[name] = network.parameters[name] - change
    return A


def _cost(Y, A):
    """The cross-entropy of each row of Y with each output A (outputs, n): one number for one."""
    costs = np.squeeze([[cross_entropy(y, a) for a in np.atleast_2d(A)] for y in np.atleast_2d(Y)])
    return costs if costs.ndim else costs.item()
