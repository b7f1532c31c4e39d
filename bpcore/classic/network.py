"""The class of the third tutorial, which reads all ten digits of MNIST.

The network.py of M. Nielsen, "Neural Networks and Deep Learning", with stochastic gradient descent
on mini-batches. A sample is a pair (x, y) of column vectors x (inputs, 1) and y (outputs, 1).
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np

from ._shared import Descent, activation, keeps, layer_sizes, product, weighted_input

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike

    from .._types import FloatArray

__all__ = ["Network", "sigmoid", "sigmoid_prime"]


class Network:
    """Network with sigmoid units in all layers and the cost ``1/2 |a - y|^2``.

    Parameters
    ----------
    sizes : list of int
        Units of each layer, the input first.

    Attributes
    ----------
    weights, biases : lists of ndarray
        W (O, I) and b (O, 1) of each layer after the input, from N(0, 1). All biases are drawn
        before the weights.
    sizes, num_layers
        The list and its length.

    Notes
    -----
    The printed counts are the tutorial's until rounding flips a prediction. How soon that happens
    depends on the learning rate. On MNIST with mini-batches of 10, the first epochs agree for
    eta = 1. For eta = 3, a rounding error grows by more than 10^9 within one epoch: there the
    tutorial's own code prints other counts on another kind of CPU, and this class the same on all.

    Examples
    --------
    >>> import random
    >>> import numpy as np
    >>> from bpcore.classic import Network
    >>> corners = [np.array([[a], [b]]) for a in (0.0, 1.0) for b in (0.0, 1.0)]
    >>> training_data = [(x, np.array([[float(x.any())]])) for x in corners]
    >>> np.random.seed(0)
    >>> random.seed(0)
    >>> net = Network([2, 3, 1])
    >>> net.SGD(training_data, epochs=300, mini_batch_size=2, eta=3.0)  # doctest: +ELLIPSIS
    Epoch 0 complete
    ...
    >>> [round(net.feedforward(x).item()) for x in corners]
    [0, 1, 1, 1]
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self.num_layers: int = len(sizes)
        self.sizes: Sequence[int] = sizes
        self.biases: list[FloatArray] = [np.random.randn(y, 1) for y in sizes[1:]]
        self.weights: list[FloatArray] = [
            np.random.randn(y, x) for x, y in zip(sizes[:-1], sizes[1:], strict=True)
        ]

    def feedforward(self, a: Any) -> Any:
        """Return the output (outputs, 1) for the input a (inputs, 1), or (outputs, n) for n."""
        for b, w in zip(self.biases, self.weights, strict=True):
            a = sigmoid(weighted_input(w, a, b))
        return a

    def SGD(
        self,
        training_data: Iterable[tuple[ArrayLike, ArrayLike]],
        epochs: int,
        mini_batch_size: int,
        eta: float,
        test_data: Iterable[tuple[ArrayLike, Any]] | None = None,
    ) -> None:
        """Train in mini-batches, shuffled by `random` each epoch; print a line after each epoch.

        Parameters
        ----------
        training_data : iterable of (x (inputs, 1), y (outputs, 1))
            As in NumPy, y may be a number for all outputs, and x a number where it is the input.
        epochs : int
        mini_batch_size : int
        eta : float
            Learning rate.
        test_data : iterable of (x (inputs, 1), label), optional
            How many of these are recognized is printed.

        Raises
        ------
        ValueError
            If the shapes make no sense together.
        FloatingPointError
            If the cost is not finite. Weights and biases are those before that mini-batch.
        """
        training_data = list(training_data)
        if not training_data or mini_batch_size < 1:
            raise ValueError(
                f"{len(training_data)} samples in batches of {mini_batch_size}: "
                "both must be at least 1"
            )
        if test_data:
            test_data = list(test_data)
            n_test = len(test_data)
        train = _trainer(self, training_data, mini_batch_size, eta)
        order = list(range(len(training_data)))
        for j in range(epochs):
            random.shuffle(order)  # It depends on the length alone: the order that the data gets.
            train(order)
            if test_data:
                print(f"Epoch {j} : {self.evaluate(test_data)} / {n_test}")
            else:
                print(f"Epoch {j} complete")

    def update_mini_batch(
        self, mini_batch: Sequence[tuple[ArrayLike, ArrayLike]], eta: float
    ) -> None:
        """Take one step of gradient descent on a list of pairs (x, y)."""
        rate = eta / len(mini_batch)
        if _keeps(self, "backprop"):
            nabla_b, nabla_w = _batch_gradient(self, mini_batch)
        else:
            sizes = layer_sizes(self.weights)
            nabla_b = [np.zeros((outputs, 1)) for outputs in sizes[1:]]
            nabla_w = [np.zeros(shape) for shape in zip(sizes[1:], sizes[:-1], strict=True)]
            for x, y in mini_batch:
                delta_nabla_b, delta_nabla_w = self.backprop(x, y)
                parts = [*delta_nabla_b, *delta_nabla_w]
                for total, part in zip(nabla_b + nabla_w, parts, strict=True):
                    total += part
        self.weights = [w - rate * nw for w, nw in zip(self.weights, nabla_w, strict=True)]
        self.biases = [b - rate * nb for b, nb in zip(self.biases, nabla_b, strict=True)]

    def backprop(self, x: ArrayLike, y: ArrayLike) -> tuple[list[FloatArray], list[FloatArray]]:
        """Return the gradient (nabla_b, nabla_w) of the cost of one sample.

        Parameters
        ----------
        x : ndarray (inputs, 1)
        y : ndarray (outputs, 1)

        Returns
        -------
        nabla_b, nabla_w : lists of ndarray
            In the shapes of `biases` and `weights`.
        """
        return _backward(self, x, lambda a: self.cost_derivative(a, y))

    def evaluate(self, test_data: Iterable[tuple[ArrayLike, Any]]) -> int:
        """Return how many pairs (x, label) have the label as the index of the largest output."""
        test_data = list(test_data)
        if not test_data:
            return 0
        if len(self.weights) and _keeps(self, "feedforward"):  # All columns at once.
            X = _rows([x for x, _ in test_data], layer_sizes(self.weights)[0], "x")
            guesses = np.argmax(self.feedforward(X.T), axis=0)
        else:
            guesses = [np.argmax(self.feedforward(x)) for x, _ in test_data]
        return sum(int(guess == y) for guess, (_, y) in zip(guesses, test_data, strict=True))

    def cost_derivative(self, output_activations: Any, y: Any) -> Any:
        """Return dC/da of the outputs a, in their shape."""
        return output_activations - y


def sigmoid(z: ArrayLike) -> Any:
    """Return 1 / (1 + exp(-z)), in the shape of z."""
    return activation("sigmoid", z)


def sigmoid_prime(z: ArrayLike) -> Any:
    """Return the derivative of the sigmoid at z, in the shape of z."""
    return sigmoid(z) * (1 - sigmoid(z))


# The class and the functions as they were written: what differs from them later is an override.
_ORIGINAL = dict(vars(Network))
_FUNCTIONS = sigmoid, sigmoid_prime


# What follows is no method: a subclass may use any name of its own.


def _keeps(network, *methods):
    """Tell whether the network has these methods, and the module its functions, as written."""
    return (sigmoid, sigmoid_prime) == _FUNCTIONS and keeps(network, _ORIGINAL, *methods)


def _backward(network, x, cost_slope):
    """Return delta (O, n) and its products with the activations (O, I), for each layer.

    x (inputs, n) are columns; cost_slope returns dC/da (outputs, n) of their outputs a.
    """
    activations, zs = [x], []
    for b, w in zip(network.biases, network.weights, strict=True):
        zs.append(weighted_input(w, activations[-1], b))
        activations.append(sigmoid(zs[-1]))
    deltas, nabla_w = [None] * len(zs), [None] * len(zs)
    delta = cost_slope(activations[-1]) * sigmoid_prime(zs[-1])
    for back in range(1, network.num_layers):
        if back > 1:
            delta = product(network.weights[-back + 1].T, delta)
            delta *= sigmoid_prime(zs[-back])
        deltas[-back] = delta
        nabla_w[-back] = product(delta, np.transpose(activations[-back - 1]))
    return deltas, nabla_w


def _batch_gradient(network, mini_batch):
    """Return the sums of what `backprop` returns for each pair, from products of all columns.

    Only `cost_derivative` sees one sample after the other: it may be the caller's own.
    """
    X = _rows([x for x, _ in mini_batch], layer_sizes(network.weights)[0], "x").T

    def cost_slope(outputs):
        slope = np.empty(outputs.shape)
        for i, (_, y) in enumerate(mini_batch):
            column = slice(i, i + 1)
            slope[:, column] = network.cost_derivative(outputs[:, column], y)
        return slope

    deltas, nabla_w = _backward(network, X, cost_slope)
    return [np.sum(delta, axis=1, keepdims=True) for delta in deltas], nabla_w


def _trainer(network, training_data, mini_batch_size, eta):
    """Return the function that does one epoch in a given order: in C, or method by method."""
    in_core = _keeps(network, "update_mini_batch", "backprop", "cost_derivative")
    if not in_core or network.num_layers != len(network.weights) + 1:

        def method_by_method(order):
            for k in range(0, len(order), mini_batch_size):
                batch = [training_data[i] for i in order[k : k + mini_batch_size]]
                network.update_mini_batch(batch, eta)

        return method_by_method

    sizes = layer_sizes(network.weights)
    X = _rows([x for x, _ in training_data], sizes[0], "x")
    Y = _rows([y for _, y in training_data], sizes[-1], "y", one_for_all=True)
    layers = sizes, ["sigmoid"] * (len(sizes) - 1), "mse"
    descent = Descent(*layers, X, Y, batch_rows=mini_batch_size, names=("x", "y"))

    def in_c(order):
        descent.take(network.weights, network.biases)
        try:
            descent.epoch(eta, order)
        finally:
            network.weights, network.biases = descent.layers()

    return in_c


def _rows(columns, size, name, *, one_for_all=False):
    """Return n column vectors (size, 1) as the rows of a matrix (n, size).

    As in NumPy, a number, or an array of one, is a column of one element, or, `one_for_all`, of
    any.
    """
    short = [(), (1,), (1, 1)] if one_for_all or size == 1 else []
    for i, column in enumerate(columns):
        if np.shape(column) == (size, 1):
            continue
        if np.shape(column) not in short:
            raise ValueError(
                f"{name} of sample {i} has shape {np.shape(column)}, "
                f"but the network expects {(size, 1)}"
            )
        columns[i] = np.full((size, 1), column, dtype=np.float64)
    return np.concatenate(columns, dtype=np.float64).reshape(len(columns), size)
