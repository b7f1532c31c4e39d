"""What the three classes share: the C core, called in the tutorials' orientation.

The tutorials write W (O, I) and let columns be samples; the core has rows as samples and W (I, O).
Shapes: n samples, I inputs of a layer, O outputs.
"""

import numpy as np

from .. import _core
from .._core.slices import unmeasured_rows
from .._inputs import check, thread_count
from .._model.layout import layer_views
from .._training.packed_data import PackedData

# Multiply-adds from which a product asks how many threads there may be: below, one core is done
# in less than a millisecond, and the core would not share the work.
THREADED_WORK = 10_000_000


def keeps(instance, original, *names):
    """Tell whether the instance has these methods as its class was written, not replaced.

    original : dict
        The names of the class as they were when its module was imported. What a subclass defines,
        or what is put on the class or on the instance, differs from it.
    """
    return all(getattr(instance, name) == original[name].__get__(instance) for name in names)


def product(A, B):
    """Return A B for A (m, k) and B (k, n)."""
    return _sum_of_products(_matrix(A), _matrix(B), 0)


def weighted_input(W, A, b):
    """Return Z (O, n) = W A + b for W (O, I), A (I, n) and b (O, 1).

    As in NumPy, W may be (I,) where O is 1, and b may be a number for all units.
    """
    W, A = _matrix(W if np.ndim(W) == 2 else np.atleast_2d(W)), _matrix(A)
    if A.shape[0] != W.shape[1]:
        raise ValueError(f"the input has {A.shape[0]} features, but the layer expects {W.shape[1]}")
    return _sum_of_products(W, A, b)


def _sum_of_products(A, B, start):
    """Return C (m, n) = start + A B; as everywhere in the core, a sum begins with its start."""
    transposed = B.shape[1] > 1 and B.strides[0] < B.strides[1]
    C = np.empty((len(A), B.shape[1]), order="F" if transposed else "C")
    C[:] = start
    threads = thread_count.count() if C.size * len(B) >= THREADED_WORK else 1
    if transposed:  # The core reads rows of its second matrix: C' = start' + B' A' has them.
        _core.matmul(B.T, A.T, C.T, threads)
    else:
        _core.matmul(A, B, C, threads)
    return C


def activation(name, Z):
    """Return g(Z) for an array of any shape, or for a number."""
    A = np.array(Z, dtype=np.float64)
    _core.activate(name, A.ravel(order="K")[None])  # A view: a copy of an array has no gaps.
    return A[()]  # An array of no dimension becomes a number, as in NumPy's own functions.


def cross_entropy(Y, A):
    """Return the sum of -Y log A - (1 - Y) log(1 - A), where 0 log 0 is 0."""
    log_A = np.log(np.where(Y == 0, 1, A))
    log_not_A = np.log(np.where(Y == 1, 1, 1 - A))
    return -float(np.sum(Y * log_A + (1 - Y) * log_not_A))


def _matrix(A):
    """A as a matrix that C can read; a single number is one of one element."""
    if not (isinstance(A, np.ndarray) and A.dtype == np.float64 and A.flags.aligned):
        A = np.require(A, np.float64, "A")
    if A.ndim < 2 and A.size == 1:
        A = A.reshape(1, 1)
    if A.ndim != 2:
        raise ValueError(f"a matrix is expected, but the shape is {A.shape}")
    return A


def layer_sizes(weights):
    """Units of each layer, the input first, as the weights [(O, I), ...] have them."""
    shapes = [np.shape(np.atleast_2d(W)) for W in weights]
    if not shapes:
        raise ValueError("there are no layers to train")
    return [shapes[0][1], *(shape[0] for shape in shapes)]


def _copy(name, value, own, other_shapes):
    """Fill `own` with a value of its shape, or of one of those that NumPy extends to it."""
    if np.shape(value) != own.shape and np.shape(value) not in other_shapes:
        raise ValueError(
            f"{name} of a layer has shape {np.shape(value)}, but the sizes of the layers "
            f"give {own.shape}"
        )
    own[:] = value


class Descent:
    """Gradient descent in the C core, with weights and biases in the tutorials' shapes.

    ``sizes`` are the units of each layer, the input first, ``activations`` names for those after
    it. Rows of X (n, inputs) and Y (n, outputs) are samples; errors call the two by ``names``. A
    step takes ``batch_rows``, by default all.
    """

    def __init__(self, sizes, activations, loss, X, Y, *, batch_rows=None, names=("X", "Y")):
        self._architecture = _core.Architecture(sizes, activations, loss)
        self._X = check.rows(X, sizes[0], "float64", name=names[0])
        n, ends = len(self._X), (sizes[-1], activations[-1], loss)
        self._Y = check.targets(Y, n, *ends, "float64", name=names[1], X_name=names[0])
        self._parameters = np.zeros(self._architecture.parameter_count)
        self._data = PackedData(
            self._architecture,
            self._parameters,
            self._X,
            self._Y,
            batch_rows=min(batch_rows or n, n),
            ordered=batch_rows is not None,
            threads=thread_count.count(),
        )
        weights, biases = layer_views(sizes, self._parameters)  # W (O, I), b (O, 1).
        self._layers = [(W, b[:, None]) for W, b in zip(weights, biases, strict=True)]

    def take(self, weights, biases):
        """Go on from copies of the weights [(O, I), ...] and biases [(O, 1), ...].

        As in NumPy, W may be (I,) where O is 1, and b may be a number for all units.
        """
        for (own_W, own_b), W, b in zip(self._layers, weights, biases, strict=True):
            _copy("W", W, own_W, [own_W.shape[1:]] if len(own_W) == 1 else [])
            _copy("b", b, own_b, [(1, 1), (1,), ()])

    def layers(self):
        """Return copies of the present weights [(O, I), ...] and biases [(O, 1), ...]."""
        return tuple(
            [np.array(part, order="C") for part in parts]
            for parts in zip(*self._layers, strict=True)
        )

    def epoch(self, learning_rate, order=None):
        """Use every row once, in the order given.

        Returns the mean over the batches of their mean losses, each taken before its update.
        """
        if np.size(learning_rate) == 1:  # As in NumPy, an array of one number is that number.
            learning_rate = np.asarray(learning_rate).item()
        learning_rate = check.finite_number("the learning rate", learning_rate)
        training = _core.Training(self._data.batch_rows, learning_rate)
        if order is not None:
            order = np.array(order, dtype=np.uintp)
        while training.epoch < 1:
            self._data.run(training, self._parameters, order)
        return training.loss

    def loss(self):
        """Return the mean loss of all rows."""
        data = self._architecture, self._parameters, self._X, self._Y
        size = _core.mean_loss_size(self._architecture, len(self._X), 8, 0, self._data.threads)
        how = {"threads": self._data.threads, "slice_rows": unmeasured_rows(len(self._parameters))}
        return _core.mean_loss(*data, bytearray(size), **how)
