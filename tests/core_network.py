"""The binding's functions on a network that is a bundle of arrays, and lists of what it can be."""

import itertools

import numpy as np

from bpcore import _core


def _is_pair(output, loss):
    try:
        _core.Architecture([2, 2], [output], loss, 0.5)
    except ValueError:
        return False
    return True


# Of losses that take one, parameters to try.
LOSS_PARAMETERS = {"huber": (0.3, 2.0), "quantile": (0.1, 0.5, 0.9)}
HIDDEN = [name for name in _core.ACTIVATIONS if name != "softmax"]
# Every pair of output activation and loss that the core takes.
PAIRS = [pair for pair in itertools.product(_core.ACTIVATIONS, _core.LOSSES) if _is_pair(*pair)]
# A pair for each output and, between them, for each loss: where every pair would take too long.
_ANY = [loss for loss in _core.LOSSES if ("identity", loss) in PAIRS]
_OWN = {output: loss for output, loss in PAIRS if loss not in _ANY}
FEW_PAIRS = [
    (name, _OWN.get(name, _ANY[i % len(_ANY)])) for i, name in enumerate(_core.ACTIVATIONS)
]


class Net:
    """An architecture with seeded parameters; its methods allocate and call, and add no arithmetic.

    Workspaces are as small as allowed, begin at an odd address and are full of NaN: who reads what
    it did not write, or writes beyond the end of an array, is seen.
    """

    def __init__(
        self, sizes, hidden, output, loss, dtype, seed=0, *, loss_parameter=0.3, dropout=None
    ):
        self.sizes, self.loss, self.dtype = list(sizes), loss, np.dtype(dtype)
        self.loss_parameter, self.dropout = loss_parameter, dropout
        self.activations = [hidden] * (len(sizes) - 2) + [output]
        self.core = _core.Architecture(self.sizes, self.activations, loss, loss_parameter, dropout)
        rng = np.random.default_rng(seed)
        self.parameters = rng.standard_normal(self.core.parameter_count).astype(self.dtype)
        for W, b in self.layers(
            self.parameters
        ):  # Sums of moderate size, so that training settles.
            W /= np.sqrt(len(W))
            b /= 5

    def layers(self, parameters):
        """[(W, b), ...], views of the flat array."""
        views, at = [], 0
        for inputs, outputs in zip(self.sizes[:-1], self.sizes[1:], strict=True):
            W = parameters[at : at + inputs * outputs].reshape(inputs, outputs)
            at += inputs * outputs + outputs
            views.append((W, parameters[at - outputs : at]))
        assert at == len(parameters)
        return views

    def data(self, rows, seed=0):
        """Inputs, and targets that make sense for the loss."""
        rng = np.random.default_rng([seed, rows])
        X = rng.standard_normal((rows, self.sizes[0])).astype(self.dtype)
        Y = rng.random((rows, self.sizes[-1]))
        if self.loss == "bce":
            Y = np.round(Y)
        if self.loss == "poisson":
            Y = np.floor(4 * Y)  # Counts, 0 among them.
        if self.loss == "cross_entropy":
            Y = np.eye(self.sizes[-1])[rng.integers(self.sizes[-1], size=rows)]
        return X, Y.astype(self.dtype)

    def memory(self, size, rows, how):
        """A workspace whose size `size` tells."""
        how = {name: how[name] for name in ("block_rows", "threads", "row_nonzeros") if name in how}
        return np.full(size(self.core, rows, self.dtype.itemsize, **how) + 1, 255, np.uint8)[1:]

    def workspace(self, rows, **how):
        return self.memory(_core.workspace_size, rows, how)

    def forward(self, X, **how):
        """how: block_rows, threads. X may be a _core.Sparse."""
        out = np.full((len(X), self.sizes[-1]), np.nan, self.dtype)
        work = self.memory(_core.forward_size, len(X), how)
        _core.forward(self.core, self.parameters, *given(X), out, work, **how, **sparse(X))
        return out

    def mean_loss(self, X, Y, parameters=None, **how):
        parameters = self.parameters if parameters is None else parameters
        work = self.memory(_core.mean_loss_size, len(X), how)
        return _core.mean_loss(self.core, parameters, *given(X), Y, work, **how, **sparse(X))

    def gradient(self, X, Y, **how):
        """The gradient and the loss."""
        out = np.full(self.core.parameter_count, np.nan, self.dtype)
        work = self.workspace(len(X), **how, **row_nonzeros(X))
        loss = _core.gradient(
            self.core, self.parameters, *given(X), Y, out, work, **how, **sparse(X)
        )
        return out, loss

    def backward(self, X, dA, wants="gradient dX", **how):
        """(gradient, dX) for a gradient of the outputs; one that is not wanted is None."""
        gradient = np.full(self.core.parameter_count, np.nan, self.dtype)
        gradient = gradient if "grad" in wants else None
        dX = np.full((len(X), self.sizes[0]), np.nan, self.dtype) if "dX" in wants else None
        work = self.workspace(len(X), **how, **row_nonzeros(X))
        data = self.parameters, *given(X), dA, gradient, dX, work
        _core.backward(self.core, *data, **how, **sparse(X))
        return gradient, dX

    def layer_outputs(self, X, Y, **how):
        """(A, deltas), flat."""
        A, deltas = np.full((2, len(X) * sum(self.sizes[1:])), np.nan, self.dtype)
        work = self.workspace(len(X), **how, **row_nonzeros(X))
        data = self.parameters, *given(X), Y, A, deltas, work
        _core.layer_outputs(self.core, *data, **how, **sparse(X))
        return A, deltas

    def parameter_jacobian(self, X, row=0, rows=None, **how):
        """(outputs, J) of these rows."""
        rows = len(X) - row if rows is None else rows
        A = np.full((rows, self.sizes[-1]), np.nan, self.dtype)
        J = np.full((A.size, self.core.parameter_count), np.nan, self.dtype)
        work = self.workspace(rows, **how, **row_nonzeros(X))
        data = self.parameters, *given(X), row, rows, A, J, work
        _core.parameter_jacobian(self.core, *data, **how, **sparse(X))
        return A, J

    def passes(self, X, Y, **how):
        """All that is computed of the rows without training."""
        row = len(X) // 2
        results = [self.forward(X, **how), self.mean_loss(X, Y, **how), *self.gradient(X, Y, **how)]
        results += [*self.backward(X, Y - 1, **how), *self.layer_outputs(X, Y, **how)]
        return [*results, *self.parameter_jacobian(X, row, min(len(X) - row, 7), **how)]

    def train(self, X, Y, batch_rows, rate=0.02, epochs=1, order=None, budget=None, **how):
        """New parameters and each epoch's loss; the net's own parameters stay as they are."""
        parameters, losses = self.parameters.copy(), []
        work = self.workspace(min(batch_rows, len(X)), **how, **row_nonzeros(X))
        for _ in range(epochs):
            epoch = _core.Training(batch_rows, rate)
            while epoch.row < len(X):
                rows = len(X) if budget is None else budget
                data = *given(X), Y, order, rows, work
                epoch.run(self.core, parameters, *data, **how, **sparse(X))
            losses.append(epoch.loss)
        return parameters, losses


def given(X):
    """The dense argument of the functions that take X dense or sparse."""
    return (None if isinstance(X, _core.Sparse) else X,)


def sparse(X):
    return {"sparse": X} if isinstance(X, _core.Sparse) else {}


def row_nonzeros(X):
    return {"row_nonzeros": X.row_nonzeros} if isinstance(X, _core.Sparse) else {}
