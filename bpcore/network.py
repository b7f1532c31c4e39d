"""Network: a fully connected network and its training."""

import time

import numpy as np

from . import _core
from ._core.slices import AdaptiveSlice, unmeasured_rows
from ._inputs import check, csr, frames, thread_count
from ._inputs.sample_weights import sample_weights
from ._model import architecture, initializers
from ._model.derivatives import Derivatives
from ._model.parameters import Parameters
from ._training.learning import Learning


class Network(Parameters, Learning, Derivatives):
    """A fully connected network.

    Parameters
    ----------
    sizes : sequence of int
        Units of each layer, the inputs first: ``[784, 196, 1]``. Two sizes make a network without
        hidden layers: linear or logistic regression.
    hidden : str or sequence of str, default "sigmoid"
        Activation of the hidden layers, or one for each: "sigmoid", "tanh", "relu", "leaky_relu",
        "elu", "selu", "softplus", "silu", "gelu", "exp", "identity".
    output : str, default "sigmoid"
        Activation of the last layer: the same, or "softmax".
    loss : str or tuple, optional
        "bce" (with sigmoid), "cross_entropy" (with softmax), "poisson" (with exp); with any output
        "mse" (Nielsen's C = 1/2 |a - y|^2), "mae" (|a - y|), "huber" or ``("huber", delta)``,
        ``("quantile", q)``. Losses of a row are summed over its outputs. Default: the output's
        natural partner, with which delta = A - Y.
    init : str or tuple, optional
        "lecun_normal" (randn / sqrt(inputs)), "he_normal", "xavier_uniform",
        ``("normal", scale)`` or ``("normal", scale, "biases")``. Default: he_normal for relu,
        leaky_relu, elu, silu and gelu layers, lecun_normal for others. Biases start at zero except
        in the last form.
    dtype : {"float32", "float64"}
        Precision of parameters and arithmetic.
    seed : int, optional
        Of the start weights and of the order of mini-batches, 0 ... 2**32 - 1. Default: from the
        operating system; ``net.seed`` tells which.
    standardize : bool, default False
        Give each feature mean 0 and variance 1 before the first layer, by the mean and deviation of
        the rows of the first ``fit``. They belong to the network and to its file.

    Attributes
    ----------
    weights, biases : tuple of ndarray
        Writable views, in the tutorials' notation: ``weights[l]`` is (outputs, inputs),
        ``biases[l]`` is (outputs,). ``net.weights[0][...] = W`` gives start weights of your own;
        ``net.weights = [W_1, W_2]`` copies, too.
    parameters : ndarray
        The flat array behind them: for each layer the transposed weights, then the biases. Of a
        network that was unpickled into memory that is read-only, the three are, until it trains.
    epochs : int
        Epochs of training that the network has seen.
    sizes, hidden, output, dtype, seed, standardize
        As given; hidden is a tuple of names.
    scaling : Scaling or None
        How inputs are standardised, from the first ``fit`` on.
    feature_names : tuple of str or None
        The columns of the first frame that ``fit`` was given, if they have names. Later frames need
        the same ones in the same order; arrays are taken as they are.

    Raises
    ------
    ValueError, TypeError
        For sizes, names or a pair of output and loss that make no network.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> net = Network([2, 4, 1], hidden="tanh", seed=1)
    >>> history = net.fit(X, [0, 1, 1, 0], epochs=1000, learning_rate=1.0)
    >>> net.predict(X)
    array([0, 1, 1, 0])

    The equations and their names are those of M. Nielsen, *Neural Networks and Deep Learning*,
    chapter 2; ``bpcore.reference`` holds them in NumPy.
    """

    _feature_names = None

    def __init__(
        self,
        sizes,
        *,
        hidden="sigmoid",
        output="sigmoid",
        loss=None,
        init=None,
        dtype="float32",
        seed=None,
        standardize=False,
    ):
        self._settle(sizes, hidden, output, loss, init, dtype, seed, standardize)
        random = np.random.RandomState(self.seed)
        initializers.draw(random, self.init, self.activation_names, self.weights, self.biases)

    def _settle(self, sizes, hidden, output, loss, init, dtype, seed, standardize):
        """Take the settings, or refuse them; weights and biases are zero."""
        self.sizes = architecture.sizes(sizes)
        self.hidden = architecture.hidden(hidden, len(self.sizes) - 2)
        self.output = architecture.output(output, self.sizes[-1])
        self.dtype = architecture.dtype(dtype)
        self.loss_name, self.loss_parameter = architecture.loss(loss, self.output, self.dtype)
        self.init = initializers.check(init, self.dtype)
        self.seed = architecture.seed(seed)
        self.standardize = check.flag("standardize", standardize)
        self.scaling = None
        self.epochs = 0
        self._state = None
        self._connect(None)

    def _connect(self, parameters):
        """Build what follows from the settings: C's view of the network and the parameter views."""
        self._core, self._training_lock = self._architecture(None), _core.TrainingLock()
        self._few_rows = thread_count.few_rows(self._core.parameter_count)
        if parameters is None:
            parameters = initializers.aligned_zeros(self._core.parameter_count, self.dtype)
        self._place(parameters)

    def _architecture(self, dropout):
        """C's view of the network; dropout, a share for each hidden layer, is for training."""
        loss = self.loss_name, self.loss_parameter
        return _core.Architecture(self.sizes, self.activation_names, *loss, dropout)

    @property
    def activation_names(self):
        """Names of the activations, one for each layer after the inputs."""
        return (*self.hidden, self.output)

    @property
    def feature_names(self):
        return self._feature_names

    def __getstate__(self):
        return self._training_lock.snapshot(self._copied)

    def _copied(self):
        """All that is not derived; what training changes in place is copied."""
        derived = ("_core", "_few_rows", "_forward", "_training_lock")
        derived += ("_parameters", "_weights", "_biases")
        state = {name: value for name, value in vars(self).items() if name not in derived}
        state["parameters"] = self.parameters.copy()
        if self._state is not None:
            state["_state"] = {**self._state, "memory": dict(self._state["memory"])}
            if self._state["moments"] is not None:
                state["_state"]["moments"] = self._state["moments"].copy()
        return state

    def __setstate__(self, state):
        state = dict(state)
        parameters = np.require(state.pop("parameters"), None, "A")
        vars(self).update(state)
        if self._state is not None and self._state["moments"] is not None:
            moments = np.require(self._state["moments"], None, "A")
            self._state = {**self._state, "moments": moments}
        self._connect(parameters)

    def __repr__(self):
        return (
            f"Network({list(self.sizes)}, hidden={list(self.hidden)}, output={self.output!r}, "
            f"loss={architecture.loss_as_given(self)!r}, dtype={self.dtype.name!r}, "
            f"seed={self.seed}{', standardize=True' if self.standardize else ''})"
        )

    # ---- Using a network -------------------------------------------------------------------------

    def forward(self, X, *, out=None, n_threads=None):
        """Activations of the last layer, (n, outputs), for X (n, inputs).

        A row's result does not depend on the rows beside it, while weights are finite. Threads may
        call this at once; a C-contiguous X of the network's dtype is read where it lies.

        Parameters
        ----------
        X : array-like or SciPy sparse matrix (n, inputs)
        out : ndarray (n, outputs), optional
            Takes the result: C-contiguous, aligned, of the network's dtype, in no memory of X.
        n_threads : int, optional
            Most threads to use, as for ``fit``.

        Raises
        ------
        ValueError, TypeError
            Where X is not a finite array of that shape, or out is not such an array.
        """
        if self.scaling is not None:
            X = self.scaling.apply(self._table(X, allow_empty=True))
        try:  # What the core takes needs no other check than the core's own.
            if type(X) is not np.ndarray or X.dtype is not self.dtype:
                X = check.plain(X, self.dtype)
            n = len(X)
            A = (
                np.empty((n, self.sizes[-1]), self.dtype)
                if out is None
                else check.apart(out, X, self.parameters)
            )
            counted = n_threads is None or (type(n_threads) is int and n_threads > 0)
            if n <= self._few_rows and counted:
                self._forward(X, A, n_threads or 1)
            else:
                self._sliced_forward(X, A, thread_count.count(n_threads))
            return A
        except (AttributeError, BufferError, OverflowError, TypeError, ValueError):
            return self._checked_forward(X, out, n_threads)

    def _sliced_forward(self, X, A, threads):
        """``_forward`` of many rows, in slices of some hundredths of a second: Ctrl-C is heard."""
        n, rows = len(X), unmeasured_rows(len(self.parameters))
        if n <= rows:
            self._forward(X, A, threads)
            return
        pace, row = AdaptiveSlice(rows), 0
        while row < n:
            rows, started = min(pace.rows, n - row), time.perf_counter()
            self._forward(X[row : row + rows], A[row : row + rows], threads)
            row += rows
            pace.adapt(rows, time.perf_counter() - started)

    def _checked_forward(self, X, out, n_threads):
        """``forward`` for all that can be converted; says what is wrong with the rest."""
        X = self._table(X, allow_empty=True)
        few = n_threads is None and len(X) <= self._few_rows
        threads = 1 if few else thread_count.count(n_threads)
        shape = (len(X), self.sizes[-1])
        if out is None:
            out = np.empty(shape, self.dtype)
        else:
            check.result("out", out, shape, self.dtype)
            check.apart(out, X, self.parameters)
        if isinstance(X, np.ndarray):
            self._sliced_forward(X, out, threads)
        elif len(X):
            size = _core.forward_size(self._core, len(X), self.dtype.itemsize, 0, threads)
            data = self.parameters, None, out, np.empty(size, np.uint8)
            rows = unmeasured_rows(len(self.parameters))
            _core.forward(self._core, *data, threads=threads, sparse=X, slice_rows=rows)
        return out

    def predict(self, X, *, n_threads=None):
        """Labels for outputs that are classes, values otherwise.

        One sigmoid output: 0 or 1, where the activation exceeds 1/2. Several sigmoid or softmax
        outputs: the index of the largest. Else the outputs themselves, (n,) for a single one. X
        and n_threads as for ``forward``.
        """
        A = self.forward(X, n_threads=n_threads)
        if self._has_classes():
            return _labels(A)
        return A[:, 0] if self.sizes[-1] == 1 else A

    def loss(self, X, y, *, sample_weight=None, n_threads=None):
        """Mean loss of X (n, inputs) against y, now, without penalties.

        X, y, sample_weight and n_threads as for ``fit``, errors likewise.
        """
        X, Y = self._data(X, y)
        weights = sample_weights(sample_weight, None, Y, self)
        return self._mean_loss(X, Y, thread_count.count(n_threads), None, weights)

    def evaluate(self, X, y, *, sample_weight=None, n_threads=None):
        """``{"loss": ..., "accuracy": ...}``; accuracy only where the outputs are classes.

        The loss is that of ``loss``; the accuracy is the share of rows, by weight, whose label
        ``predict`` tells. Arguments as for ``loss``.
        """
        X, Y = self._data(X, y)
        weights = sample_weights(sample_weight, None, Y, self)
        return self._evaluate(X, Y, thread_count.count(n_threads), weights)

    # ---- Files -----------------------------------------------------------------------------------

    def save(self, path):
        """Write the network to ``path`` as safetensors.

        The file is replaced as a whole or not at all, and keeps its owner and permissions where
        the system lets it. It holds weights and biases by name, the settings, and what the
        optimiser keeps, so that training goes on bit for bit after ``Network.load``. A link is
        followed. Raises OSError, also for a pipe or a device, and ValueError for what ``load``
        would refuse, such as an infinite weight; the old file stays. Warns where the optimiser's
        moments have overflowed: they alone are left out.
        """
        from ._io.safetensors import save

        save(self, path)

    @classmethod
    def load(cls, path):
        """The network that ``save`` wrote.

        The file is data, never code. Raises ValueError, saying what is wrong, where it is not such
        a file, and OSError where it cannot be read.
        """
        from ._io.safetensors import load

        return load(cls, path)

    # ---- Inside ----------------------------------------------------------------------------------

    def _has_classes(self):
        return self.output in ("sigmoid", "softmax")

    def _table(self, X, *, name="X", **how):
        """X (n, inputs) as C wants it; the names of a frame are those that the network knows."""
        frames.agree(name, X, self._feature_names)
        return check.rows(X, self.sizes[0], self.dtype, name=name, **how)

    def _data(self, X, y, *, name="X", y_name="y", scaled=True, look=True):
        """X and y as C wants them; X standardised where the network does that.

        ``look=False`` leaves it to the caller to see that dense X is finite.
        """
        X = self._table(X, name=name, look=look)
        Y = check.targets(
            y,
            len(X),
            self.sizes[-1],
            self.output,
            self.loss_name,
            self.dtype,
            name=y_name,
            X_name=name,
        )
        X, Y = check.steady(X, self.parameters), check.steady(Y, self.parameters)
        return (self.scaling.apply(X) if scaled and self.scaling is not None else X), Y

    def _workspace(self, rows, threads=1, row_entries=0):
        size = _core.workspace_size(self._core, rows, self.dtype.itemsize, 0, threads, row_entries)
        return np.empty(size, np.uint8)

    def _mean_loss(self, X, Y, threads, out, weights=None, interrupt=None):
        """The mean loss; out (n, outputs), or None, takes the activations."""
        size = _core.mean_loss_size(self._core, len(X), self.dtype.itemsize, 0, threads)
        dense, sparse = csr.split(X)
        data = self.parameters, dense, Y, np.empty(size, np.uint8)
        how = {"threads": threads, "slice_rows": unmeasured_rows(len(self.parameters))}
        how |= {"sparse": sparse, "weights": weights, "interrupt": interrupt}
        return _core.mean_loss(self._core, *data, out=out, **how)

    def _evaluate(self, X, Y, threads, weights=None, interrupt=None):
        A = np.empty(Y.shape, self.dtype) if self._has_classes() else None
        figures = {"loss": self._mean_loss(X, Y, threads, A, weights, interrupt)}
        if A is not None:
            figures["accuracy"] = float(np.average(_labels(A) == _labels(Y), weights=weights))
        return figures


# Where Python itself refuses arguments, it names the class that users know.
for _part in (Parameters, Learning, Derivatives):
    for _function in filter(callable, vars(_part).values()):
        _function.__module__ = __name__
        _function.__qualname__ = f"Network.{_function.__name__}"


def _labels(A):
    """Classes of activations or targets (n, outputs)."""
    return (A[:, 0] > 0.5).astype(np.int64) if A.shape[1] == 1 else A.argmax(axis=1)
