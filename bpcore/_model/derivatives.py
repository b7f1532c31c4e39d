"""Derivatives: the gradient of the loss, and what goes beyond it."""

import numpy as np

from .. import _core
from .._core.slices import unmeasured_rows
from .._inputs import check, csr, thread_count
from .._inputs.sample_weights import sample_weights


class Derivatives:
    """Derivatives of the loss and of the outputs, for Network."""

    def gradients(self, X, y, *, sample_weight=None, n_threads=None):
        """Gradients of the mean loss: ``([dW_1, ...], [db_1, ...])``, shaped as weights and biases.

        A pure function: the network stays as it is. Penalties and dropout are settings of ``fit``
        and have no part in it.
        """
        X, Y = self._data(X, y)
        weights = sample_weights(sample_weight, None, Y, self)
        threads, flat = thread_count.count(n_threads), np.empty_like(self.parameters)
        dense, sparse = csr.split(X)
        row_entries = 0 if sparse is None else sparse.row_entries
        workspace = self._workspace(len(X), threads, row_entries)
        data = self.parameters, dense, Y, flat, workspace
        how = {"threads": threads, "slice_rows": unmeasured_rows(len(flat))}
        _core.gradient(self._core, *data, **how, sparse=sparse, weights=weights)
        return tuple(map(list, self._views(flat)))

    def check_gradients(self, X, y, *, epsilon=1e-5, entries=200):
        """Compare the backward recursion with central differences, in float64.

        Parameters
        ----------
        X, y
            Data, as for ``fit``; a few rows are enough.
        epsilon : float
            Step of the differences.
        entries : int or None
            Most parameters to try in a layer, chosen evenly; None: all.

        Returns
        -------
        list of float
            For each layer |g - n| / (|g| + |n|), with g the recursion's gradient and n the
            differences. 1e-7 and below is agreement; 1e-3 is a mistake.

        Raises
        ------
        ValueError
            Where a layer's gradient is zero: nothing would be compared.
        """
        from .gradient_check import distances

        return distances(self, X, y, check.finite_number("epsilon", epsilon), entries)

    def backward(self, X, dL_dout, *, n_threads=None):
        """Gradients of any function of the outputs, from its gradient there.

        Parameters
        ----------
        X : array-like or SciPy sparse matrix (n, inputs)
        dL_dout : array-like (n, outputs)
            dL/dA of the last layer's activations, as ``forward`` returns them; (n,) for one output.
        n_threads : int, optional
            Most threads to use, as for ``fit``.

        Returns
        -------
        (list of ndarray, list of ndarray, ndarray)
            dL/dW and dL/db of each layer, shaped as ``net.weights`` and ``net.biases``, sums over
            the rows (not means: a mean is in dL_dout), and dL/dX (n, inputs).

        Examples
        --------
        L = sum of the outputs' squares, which is no loss that the network knows:

        >>> import numpy as np, bpcore
        >>> net = bpcore.Network([3, 4, 2], output="tanh", loss="mse", dtype="float64", seed=1)
        >>> X = np.array([[0.1, 0.2, 0.3], [-1.0, 0.5, 2.0]])
        >>> A = net.forward(X)
        >>> dW, db, dX = net.backward(X, 2 * A)
        >>> [W.shape for W in dW], [b.shape for b in db], dX.shape
        ([(4, 3), (2, 4)], [(4,), (2,)], (2, 3))
        >>> np.allclose(db[1], (2 * A * (1 - A**2)).sum(axis=0))
        True
        """
        X = self._rows(X)
        dA = check.numbers("dL_dout", dL_dout, self.dtype)
        if dA.ndim == 1 and self.sizes[-1] == 1:
            dA = dA.reshape(-1, 1)
        if dA.shape != (len(X), self.sizes[-1]):
            raise ValueError(
                f"dL_dout has shape {dA.shape}, but {(len(X), self.sizes[-1])} is expected"
            )
        flat = np.zeros_like(self.parameters)
        dX = np.empty((len(X), self.sizes[0]), self.dtype)
        if len(X):
            _Pass(self, X, n_threads).backward(dA, flat, dX)
        return (*map(list, self._views(flat)), self._unscaled(dX))

    def jacobian(self, X, *, n_threads=None):
        """Derivatives of every output by every input, (n, outputs, inputs), for X (n, inputs).

        ``net.jacobian(X)[i, o, j]`` is d out_o / d x_j at row i. X and n_threads as for
        ``backward``.

        Examples
        --------
        A network of one layer without a function is its own derivative:

        >>> import numpy as np, bpcore
        >>> net = bpcore.Network([3, 2], output="identity", dtype="float64", seed=1)
        >>> J = net.jacobian(np.ones((5, 3)))
        >>> J.shape
        (5, 2, 3)
        >>> np.array_equal(J[4], net.weights[0])
        True
        """
        X = self._rows(X)
        n, inputs, outputs = len(X), self.sizes[0], self.sizes[-1]
        J = np.empty((n, outputs, inputs), self.dtype)
        if n:
            rows, dX = _Pass(self, X, n_threads), np.empty((n, inputs), self.dtype)
            for o in range(outputs):
                dA = np.zeros((n, outputs), self.dtype)
                dA[:, o] = 1
                rows.backward(dA, None, dX)
                J[:, o] = self._unscaled(dX)
        return J

    def activations(self, X, *, n_threads=None):
        """``[X, A_1, ..., A_L]``: the input and the activations of every layer, each (n, units).

        X as for ``backward``; a sparse one is given back as it came.

        Examples
        --------
        >>> import numpy as np, bpcore
        >>> net = bpcore.Network([3, 4, 2], output="softmax", seed=1)
        >>> X = np.ones((5, 3))
        >>> [A.shape for A in net.activations(X)]
        [(5, 3), (5, 4), (5, 2)]
        >>> np.array_equal(net.activations(X)[-1], net.forward(X))
        True
        """
        rows = self._rows(X)
        A = np.empty(len(rows) * sum(self.sizes[1:]), self.dtype)
        if len(rows):
            _Pass(self, rows, n_threads).trace(None, A, None)
        return [X if isinstance(rows, _core.Sparse) else rows, *_layers(self, A, len(rows))]

    def deltas(self, X, y, *, n_threads=None):
        """``[delta_1, ..., delta_L]``: dC/dZ of every layer and row, each (n, units).

        C is the loss of the row itself, not the mean: the gradient of the mean loss is
        ``dW_l = delta_l.T @ A_(l-1) / n``. X as for ``backward``, y as for ``fit``.

        Examples
        --------
        >>> import numpy as np, bpcore
        >>> net = bpcore.Network([3, 4, 1], dtype="float64", seed=1)  # sigmoid and bce
        >>> X, y = np.eye(3), np.array([0, 1, 1])
        >>> delta = net.deltas(X, y)
        >>> [d.shape for d in delta]
        [(3, 4), (3, 1)]
        >>> np.allclose(delta[1][:, 0], net.forward(X)[:, 0] - y)
        True
        """
        X, Y = self._data(X, y)
        flat = np.empty(len(X) * sum(self.sizes[1:]), self.dtype)
        _Pass(self, X, n_threads).trace(Y, None, flat)
        return _layers(self, flat, len(X))

    def _rows(self, X):
        """X as C wants it, standardised where the network does that."""
        X = self._table(X, allow_empty=True)
        return X if self.scaling is None else self.scaling.apply(X)

    def _unscaled(self, dX):
        """Derivatives by the standardised inputs, as those by the inputs themselves."""
        if self.scaling is not None:
            dX *= self.scaling.scale
        return dX


def _layers(net, flat, n):
    """Views of a flat array, (n, units) for each layer after the inputs."""
    ends = n * np.cumsum(net.sizes[1:])
    return [
        part.reshape(n, -1 if n else units)
        for part, units in zip(np.split(flat, ends[:-1]), net.sizes[1:], strict=True)
    ]


class _Pass:
    """Checked rows of a network on their way forward and back."""

    def __init__(self, net, X, n_threads):
        self.net, self.threads = net, thread_count.count(n_threads)
        self.dense, self.sparse = csr.split(X)
        entries = 0 if self.sparse is None else self.sparse.row_entries
        self.workspace = net._workspace(len(X), self.threads, entries)

    def backward(self, dA, gradient, dX):
        data = self.dense, dA, gradient, dX, self.workspace
        how = {"threads": self.threads, "sparse": self.sparse}
        _core.backward(self.net._core, self.net.parameters, *data, **how)

    def trace(self, Y, A, deltas):
        data = self.dense, Y, A, deltas, self.workspace
        how = {"threads": self.threads, "sparse": self.sparse}
        _core.layer_outputs(self.net._core, self.net.parameters, *data, **how)
