"""Network: a fully connected network and its training."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from ._core.slices import AdaptiveSlice, unmeasured_rows
from ._inputs import check, csr, frames, thread_count
from ._inputs.keywords import refuse_unknown
from ._inputs.sample_weights import sample_weights
from ._inputs.thread_count import MAX_THREADS
from ._model import architecture, derivatives, initializers, layout
from ._model.scaling import Standardizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Never, Self

    from numpy.typing import ArrayLike, NDArray

    from ._explanation.sample import Explanation
    from ._model.training_state import TrainingState
    from ._types import (
        Activation,
        Batches,
        Callbacks,
        ClassWeight,
        Communicator,
        DType,
        FloatArray,
        HiddenActivation,
        Init,
        KerasModel,
        Layers,
        LearningRate,
        Loss,
        LossName,
        MatrixLike,
        OptimizerLike,
        Pair,
        Progress,
        SklearnPerceptron,
        StrPath,
        TorchModule,
    )
    from .callbacks import EarlyStopping
    from .export import QuantizedNetwork
    from .history import History

__all__ = ["Network"]

# What C and the parameters are laid out for, and whether the weights are for standardised X.
SETTLED = ("sizes", "hidden", "output", "loss_name", "loss_parameter", "dtype", "standardize")
# What follows from the rest, or is copied apart.
DERIVED = ("_core", "_few_rows", "_forward", "_training_lock", "_trained", "_writes_files")
DERIVED += ("_parameters", "_weights", "_biases")


class Network:
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
        "mse" (Nielsen's ``C = 1/2 |a - y|^2``), "mae" (``|a - y|``), "huber" or
        ``("huber", delta)``, ``("quantile", q)``. Losses of a row are summed over its outputs.
        Default: the output's natural partner, with which delta = A - Y.
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
    scaling : Standardizer or None
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

    sizes: tuple[int, ...]
    hidden: tuple[HiddenActivation, ...]
    output: Activation
    loss_name: LossName
    loss_parameter: float
    init: Init | None
    dtype: np.dtype[Any]
    seed: int
    standardize: bool
    scaling: Standardizer | None
    _feature_names = None
    _writes_files = True  # Not on all ranks of a fit that has many.

    def __init__(
        self,
        sizes: Iterable[int],
        *,
        hidden: HiddenActivation | Iterable[HiddenActivation] = "sigmoid",
        output: Activation = "sigmoid",
        loss: Loss | None = None,
        init: Init | None = None,
        dtype: DType = "float32",
        seed: int | None = None,
        standardize: bool = False,
    ) -> None:
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
        self._trained = _Trained(0, None)
        self._connect(None)

    def _connect(self, parameters):
        """Build what follows from the settings: C's view of the network and the parameter views."""
        self._core, self._training_lock = self._architecture(None), _core.TrainingLock()
        self._few_rows = thread_count.few_rows(self._core.parameter_count)
        if parameters is None:
            parameters = initializers.aligned_zeros(self._core.parameter_count, self.dtype)
        self._place(parameters)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in SETTLED and hasattr(self, name):
            raise AttributeError(f"{name} cannot be set after a network is made: make another one")
        if name == "scaling" and not (value is None or isinstance(value, Standardizer)):
            raise TypeError(
                f"scaling is {check.shown(value)}, but a bpcore.Standardizer or None is expected"
            )
        object.__setattr__(self, name, value)

    def _architecture(self, dropout):
        """C's view of the network; dropout, a share for each hidden layer, is for training."""
        loss = self.loss_name, self.loss_parameter
        return _core.Architecture(self.sizes, self.activation_names, *loss, dropout)

    @property
    def activation_names(self) -> tuple[Activation, ...]:
        """Names of the activations, one for each layer after the inputs."""
        return (*self.hidden, self.output)

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        return self._feature_names

    def __getstate__(self) -> dict[str, Any]:
        return self._training_lock.snapshot(self._copied)

    def _copied(self):
        """All that is not derived; what training changes in place is copied."""
        state = self._settings()
        state["parameters"] = self.parameters.copy()
        state["epochs"] = self.epochs
        state["_state"] = None if self._state is None else self._state.copy()
        return state

    def _settings(self):
        return {name: value for name, value in vars(self).items() if name not in DERIVED}

    def _become(self, trained):
        """Take over what training has made of a copy, which is not used any more."""
        self._make_writable()
        mine, epochs, state = self._trained, trained._trained.epochs, trained._trained.state
        vars(self).update(trained._settings())
        self._parameters[...] = trained._parameters  # From here on Ctrl-C is not heard: no calls.
        mine.epochs, mine.state = epochs, state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        parameters = np.require(state.pop("parameters"), None, "A")
        self._trained = _Trained(state.pop("epochs"), state.pop("_state"))
        vars(self).update(state)
        if self._state is not None:
            from ._model import training_state

            self._state = training_state.unpickled(self._state)
        self._connect(parameters)

    def __repr__(self) -> str:
        return (
            f"Network({list(self.sizes)}, hidden={list(self.hidden)}, output={self.output!r}, "
            f"loss={architecture.loss_as_given(self)!r}, dtype={self.dtype.name!r}, "
            f"seed={self.seed}{', standardize=True' if self.standardize else ''})"
        )

    @property
    def epochs(self) -> int:
        return self._trained.epochs

    @epochs.setter
    def epochs(self, given: int) -> None:
        self._trained.epochs = given

    @property
    def _state(self) -> TrainingState | None:
        return self._trained.state

    @_state.setter
    def _state(self, given: TrainingState | None) -> None:
        self._trained.state = given

    # ---- Its numbers -----------------------------------------------------------------------------

    @property
    def parameters(self) -> FloatArray:
        return self._parameters

    @parameters.setter
    def parameters(self, given: ArrayLike) -> None:
        # To set is to copy into the array that C and all views know.
        if given is not self._parameters:  # As it is after ``net.parameters *= 2``.
            shape = self._parameters.shape
            array = layout.checked_array("parameters", given, shape, self._parameters)
            self._make_writable()
            self._parameters[...] = array

    @property
    def weights(self) -> tuple[FloatArray, ...]:
        return self._weights

    @weights.setter
    def weights(self, given: Iterable[ArrayLike]) -> None:
        self._fill("weights", given)

    @property
    def biases(self) -> tuple[FloatArray, ...]:
        return self._biases

    @biases.setter
    def biases(self, given: Iterable[ArrayLike]) -> None:
        self._fill("biases", given)

    def _fill(self, name, given):
        """Copy an array into each view of ``weights`` or ``biases``, all of them or none."""
        arrays = layout.checked_layers(name, given, getattr(self, name), self._parameters)
        self._make_writable()
        for view, array in zip(getattr(self, name), arrays, strict=True):
            view[...] = array

    def _make_writable(self):
        """Move into memory of its own a network that came read-only: mapped, or from a buffer."""
        if not self._parameters.flags.writeable:
            flat = initializers.aligned_zeros(len(self._parameters), self.dtype)
            flat[...] = self._parameters
            self._place(flat)

    def _place(self, flat):
        """Let ``flat`` be the parameters."""
        self._parameters = flat
        self._forward = _core.Forward(self._core, flat)
        self._weights, self._biases = self._views(flat)

    def _views(self, flat):
        """``flat`` as ((W_1, ...), (b_1, ...)), W_l of shape (outputs, inputs)."""
        return layout.layer_views(self.sizes, flat)

    # ---- Using a network -------------------------------------------------------------------------

    def forward(
        self, X: MatrixLike, *, out: FloatArray | None = None, n_threads: int | None = None
    ) -> FloatArray:
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
        rows = X
        if type(X) is not np.ndarray or X.dtype is not self.dtype:
            rows = check.plain(X, self.dtype)
        try:
            n = len(rows)
        except TypeError:  # It is None, or an array that has no rows.
            return self._checked_forward(X, out, n_threads)
        counted = n_threads is None or (type(n_threads) is int and 0 < n_threads <= MAX_THREADS)
        try:  # What the core takes needs no other check than the core's own.
            if out is None:
                A = np.empty((n, self.sizes[-1]), self.dtype)
            elif isinstance(out, np.ndarray):
                A = check.no_overlap(out, rows, self.parameters)
            else:
                return self._checked_forward(X, out, n_threads)
            if n <= self._few_rows and counted:
                self._forward(rows, A, n_threads or 1)
            else:
                self._sliced_forward(rows, A, thread_count.count(n_threads))
            return A
        except ValueError:  # A refusal, whose reason is told in the user's words.
            return self._checked_forward(X, out, n_threads)

    def _sliced_forward(self, X, A, threads):
        """``_forward`` of many rows, in slices of some hundredths of a second: Ctrl-C is heard."""
        n, rows = len(X), unmeasured_rows(len(self.parameters))
        if n <= rows:
            self._forward(X, A, threads)
            return
        adaptive, row = AdaptiveSlice(rows), 0
        while row < n:
            rows, started = min(adaptive.rows, n - row), time.perf_counter()
            self._forward(X[row : row + rows], A[row : row + rows], threads)
            row += rows
            adaptive.adapt(rows, time.perf_counter() - started)

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
            check.no_overlap(out, X, self.parameters)
        if isinstance(X, np.ndarray):
            self._sliced_forward(X, out, threads)
        elif len(X):
            size = _core.forward_size(self._core, len(X), self.dtype.itemsize, 0, threads)
            data = self.parameters, None, out, np.empty(size, np.uint8)
            rows = unmeasured_rows(len(self.parameters))
            _core.forward(self._core, *data, threads=threads, sparse=X, slice_rows=rows)
        return out

    def predict(self, X: MatrixLike, *, n_threads: int | None = None) -> NDArray[Any]:
        """Labels for outputs that are classes, values otherwise.

        One sigmoid output: 0 or 1, where the activation exceeds 1/2. Several sigmoid or softmax
        outputs: the index of the largest. Else the outputs themselves, (n,) for a single one. X
        and n_threads as for ``forward``.
        """
        A = self.forward(X, n_threads=n_threads)
        if self._has_classes():
            return architecture.labels(A)
        return A[:, 0] if self.sizes[-1] == 1 else A

    def loss(
        self,
        X: MatrixLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        n_threads: int | None = None,
    ) -> float:
        """Mean loss of X (n, inputs) against y, now, without penalties.

        X, y, sample_weight and n_threads as for ``fit``, errors likewise.
        """
        X, Y = self._data(X, y)
        weights = sample_weights(sample_weight, None, Y, self)
        return self._mean_loss(X, Y, thread_count.count(n_threads), None, weights)

    def evaluate(
        self,
        X: MatrixLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        n_threads: int | None = None,
    ) -> dict[str, float]:
        """``{"loss": ..., "accuracy": ...}``; accuracy only where the outputs are classes.

        The loss is that of ``loss``; the accuracy is the share of rows, by weight, whose label
        ``predict`` tells. Arguments as for ``loss``.
        """
        X, Y = self._data(X, y)
        weights = sample_weights(sample_weight, None, Y, self)
        return self._evaluate(X, Y, thread_count.count(n_threads), weights)

    # ---- Training --------------------------------------------------------------------------------

    def fit(
        self,
        X: MatrixLike | Batches,
        y: ArrayLike | None = None,
        *,
        epochs: int,
        learning_rate: LearningRate | None = None,
        optimizer: OptimizerLike = "sgd",
        batch_size: int | None = None,
        shuffle: bool = True,
        order: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
        l2: float = 0.0,
        l1: float = 0.0,
        dropout: float | Sequence[float] = 0.0,
        clip_norm: float | None = None,
        max_norm: float | None = None,
        eval_set: Pair | float | None = None,
        early_stopping: EarlyStopping | int | None = None,
        callbacks: Callbacks = (),
        n_threads: int | None = None,
        progress: Progress | bool | None = False,
        comm: Communicator | None = None,
        fingerprints: bool = False,
        record: StrPath | None = None,
        **others: Never,
    ) -> History:
        """Train; further calls go on where the last one ended.

        Parameters
        ----------
        X : array-like or SciPy sparse matrix (n, inputs), or iterable of batches
            Samples in rows. A C-contiguous array of the network's dtype is not copied, and may be
            mapped from a file that is larger than memory, unless it is standardised or rows of it
            are held out: both copy. Where at most half of the elements are not zero, the first
            layer computes with those alone; sparse X is never made dense. The bits are the same. An
            iterable gives (X, y) or (X, y, sample_weight), each one a step, or steps of
            ``batch_size`` rows; y is None then. Masked elements are refused.
        y : array-like
            (n,) or (n, outputs); integer labels (n,) where several outputs are classes. Numbers
            beyond the range of "sigmoid", "tanh" or "softmax" are warned of, or refused.
        epochs : int
            Passes over the data; iterations for "lbfgs" and "levenberg_marquardt".
        learning_rate : float or Schedule, optional
            A number of at least 0, or one of ``bpcore.schedules``, which tells it for each epoch.
            Default: the optimiser's; "sgd" and its momentum forms have none, and it has to be
            given.
        optimizer : str or Optimizer, default "sgd"
            One of ``bpcore.optimizers``: "sgd" (W := W - learning_rate * mean gradient),
            "momentum", "nesterov", "rmsprop", "adam", "adamw", "rprop", "lbfgs",
            "levenberg_marquardt". Its state is kept: fit(3) and fit(4) do what fit(7) does.
        batch_size : int, optional
            Rows of a step, the last may have fewer; default: all of them, one step an epoch.
        shuffle : bool, default True
            Visit the rows in a new order each epoch, one that follows from seed and epoch alone.
            Without effect on a full batch.
        order : array-like of int, optional
            Row indices (n,) or (epochs, n), in place of shuffling.
        sample_weight : array-like (n,), optional
            How much each row counts, at least 0. A mean is then sum(w * loss) / sum(w), in each
            batch: a weight of 2 is a row that stands there twice. Batches without weight are no
            steps.
        class_weight : dict or "balanced", optional
            {label: weight}, or weights that give all classes the same sum. Multiplies
            ``sample_weight``.
        l2, l1 : float, default 0
            Penalties: ``l2 / 2 sum W^2 + l1 sum |W|`` joins the mean loss, without biases.
        dropout : float or sequence of float, default 0
            Share of each hidden layer's outputs that an update ignores; the others grow by
            1 / (1 - share), so that prediction needs no change. The masks follow from seed, epoch
            and place alone.
        clip_norm : float, optional
            A gradient of all parameters together that is longer is shortened to this length,
            penalties included.
        max_norm : float, optional
            Longest vector of weights into one unit, of all layers, after each update.
        eval_set : pair (X, y) or float, optional
            Evaluated after each epoch. A share of the rows, such as 0.1, is drawn by the seed and
            held out.
        early_stopping : int or EarlyStopping, optional
            Epochs to wait for a better figure of ``eval_set``, or of the loss without one; the
            best weights are kept. See ``bpcore.callbacks.EarlyStopping``.
        callbacks : callable, object or sequence of them
            Called between epochs; one that returns True stops. See ``bpcore.callbacks``.
        n_threads : int, optional
            Most threads to use. Results never depend on it; short work stays on one, and a long
            training uses fewer where a trial shows that they are faster, as beside a busy program.
            Default: the environment variable BPCORE_NUM_THREADS, or the CPUs that this process may
            use.
        progress : bool or callable
            True: a tqdm bar, or a plain line where tqdm is missing. A callable is given the history
            after each epoch.
        comm : mpi4py.MPI.Comm, optional
            Ranks to train on together. Each gives rows of its own, or none; the data is the rows of
            all ranks in their order, ``batch_size`` and ``order`` count them all, and the rows of a
            batch are added in ascending order. The bits are those of one process. An error or
            Ctrl-C on one rank ends the fit on all. Callbacks run on each; ``save`` writes on the
            first.
        fingerprints : bool, default False
            Keep ``fingerprint()`` of each epoch in ``history.fingerprints``.
        record : path, optional
            Write a recipe after the training, from which ``bpcore.verify`` and ``bpcore verify``
            repeat it: settings, SHA-256 of the data, fingerprints of the start, of epochs and of
            the result; implies ``fingerprints``. What it cannot hold is refused before the
            training: batches, ``order``, ``callbacks``, ``comm``, a schedule of one's own. An
            error or Ctrl-C leaves no recipe.

        Returns
        -------
        History

        Raises
        ------
        ValueError, TypeError
            For data or settings that do not fit, or do not exist, before anything changes; for a
            batch of an iterable, before its own step.
        FloatingPointError
            When a batch's loss is not finite, naming epoch and batch: the weights are those from
            before that batch. Or when an update overflowed while the loss was finite.
        RuntimeError
            While another ``fit`` of this network runs: it goes on undisturbed.

        Notes
        -----
        Ctrl-C raises KeyboardInterrupt within a few hundredths of a second, or, where a network has
        tens of millions of weights, after the update at hand or a few dozen rows; the network then
        has the weights of the last whole step. Where memory runs out, MemoryError leaves it alike.

        While a fit runs in one thread, others may use the network: ``predict`` and its like read
        the weights as they stand, during an update perhaps some from before it and some from after
        it. Saving, pickling and copying, which need all weights of one step, raise RuntimeError
        in other threads, and work in callbacks.

        Examples
        --------
        >>> import numpy as np
        >>> from bpcore import Network
        >>> X = np.linspace(-1, 1, 50).reshape(-1, 1)
        >>> net = Network([1, 10, 1], hidden="tanh", output="identity", seed=0)
        >>> history = net.fit(X, X**2, epochs=400, optimizer="adam", learning_rate=0.02)
        >>> history.loss[-1] < 1e-3
        True
        """
        settings = dict(locals())  # The signature is the one list of what ``fit`` takes.
        for name in ("self", "X", "y", "others"):
            del settings[name]
        refuse_unknown("Network.fit", others, settings)
        if settings.pop("record") is not None:
            from ._io.recording import Recording

            recording = Recording(self, X, y, settings, path=record)
            history = Network.fit(self, X, y, **settings | {"fingerprints": True})
            recording.write(self, history)
            return history
        if settings.pop("comm") is not None:
            from ._training.fit_on_ranks import fit_on_ranks

            return fit_on_ranks(self, X, y, comm, **settings)
        from ._training.fit import fit

        return fit(self, X, y, **settings)

    def partial_fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        *,
        epochs: int = 1,
        shuffle: bool = False,
        **settings: Any,
    ) -> History:
        """``fit`` for data that comes in pieces: by default one step on these rows.

        Settings are those of ``fit``. What the optimiser keeps goes on from call to call.

        Examples
        --------
        >>> from bpcore import Network
        >>> net = Network([2, 1], seed=0)
        >>> for _ in range(3):
        ...     history = net.partial_fit([[0, 1], [1, 0]], [0, 1], learning_rate=0.5)
        >>> net.epochs
        3
        """
        return self.fit(X, y, epochs=epochs, shuffle=shuffle, **settings)

    # ---- Derivatives -----------------------------------------------------------------------------

    def gradients(
        self,
        X: MatrixLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        n_threads: int | None = None,
    ) -> tuple[Layers, Layers]:
        """Gradients of the mean loss: ``([dW_1, ...], [db_1, ...])``, shaped as weights and biases.

        A pure function: the network stays as it is. Penalties and dropout are settings of ``fit``
        and have no part in it.
        """
        X, Y = self._data(X, y)
        weights = sample_weights(sample_weight, None, Y, self)
        return derivatives.gradients(self, X, Y, weights, thread_count.count(n_threads))

    def check_gradients(
        self, X: MatrixLike, y: ArrayLike, *, epsilon: float = 1e-5, entries: int | None = 200
    ) -> list[float]:
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
            For each layer ``|g - n| / (|g| + |n|)``, with g the recursion's gradient and n the
            differences. 1e-7 and below is agreement; 1e-3 is a mistake.

        Raises
        ------
        ValueError
            Where a layer's gradient is zero: nothing would be compared.
        """
        from ._model.gradient_check import distances

        return distances(self, X, y, check.finite_number("epsilon", epsilon), entries)

    def backward(
        self, X: MatrixLike, dL_dout: ArrayLike, *, n_threads: int | None = None
    ) -> tuple[Layers, Layers, FloatArray]:
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
        return derivatives.backward(self, X, dA, thread_count.count(n_threads))

    def jacobian(self, X: MatrixLike, *, n_threads: int | None = None) -> FloatArray:
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
        return derivatives.jacobian(self, self._rows(X), thread_count.count(n_threads))

    def activations(self, X: MatrixLike, *, n_threads: int | None = None) -> list[Any]:
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
        A = derivatives.activations(self, rows, thread_count.count(n_threads))
        return [X if isinstance(rows, _core.Sparse) else rows, *A]

    def deltas(self, X: MatrixLike, y: ArrayLike, *, n_threads: int | None = None) -> Layers:
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
        return derivatives.deltas(self, X, Y, thread_count.count(n_threads))

    def explain(self, x: MatrixLike, y: ArrayLike) -> Explanation:
        """One sample forward and back, step by step: each number beside its equation.

        Parameters
        ----------
        x : array-like (inputs,) or (1, inputs)
            The sample.
        y : number or array-like
            Its target or label, as ``fit`` takes it for one row; (outputs,) too.

        Returns
        -------
        Explanation
            ``print`` shows it as text, a notebook as tables. Its attributes have all numbers:
            ``cost``, and for each of ``layers`` z, a, delta, dW, db and what is between them.

        Raises
        ------
        ValueError, TypeError
            Where x is not one finite sample, y does not fit, or a weight is not finite.

        Examples
        --------
        The one of ``docs/course/by_hand.md``; ``python -m bpcore.reference`` computes it, too:

        >>> from bpcore import Network
        >>> net = Network([2, 2, 1])
        >>> net.weights = [[[3, -1], [-2, 1]], [[2, -1]]]
        >>> net.biases = [[1, -1], [-1]]
        >>> print(net.explain([1, 2], 1))
        One sample through a 2-2-1 network and back
        <BLANKLINE>
        the sample
          x                                          1        2
          y                                          1
        <BLANKLINE>
        forward, layer 1: sigmoid
          W1                                         3       -1
                                                    -2        1
          b1                                         1       -1
          z1 = W1 x + b1                             2       -1
          a1 = sigmoid(z1)                      0.8808   0.2689
        <BLANKLINE>
        forward, layer 2: sigmoid
          W2                                         2       -1
          b2                                        -1
          z2 = W2 a1 + b2                       0.4927
          a2 = sigmoid(z2)                      0.6207
        <BLANKLINE>
        cost: bce
          C = -y log a2 - (1 - y) log(1 - a2)   0.4769
        <BLANKLINE>
        backward, layer 2: sigmoid
          delta2 = a2 - y                      -0.3793
          dW2 = delta2 a1^T                    -0.3341  -0.1020
          db2 = delta2                         -0.3793
        <BLANKLINE>
        backward, layer 1: sigmoid
          W2^T delta2                          -0.7585   0.3793
          g'(z1) = a1 (1 - a1)                  0.1050   0.1966
          delta1 = (W2^T delta2) * g'(z1)      -0.0796   0.0746
          dW1 = delta1 x^T                     -0.0796  -0.1593
                                                0.0746   0.1491
          db1 = delta1                         -0.0796   0.0746
        """
        from ._explanation import sample

        x, y = sample.one_row(x, y, self.sizes[0], self.sizes[-1])
        x, Y = self._data(x, y, name="x", scaled=False)
        return self._training_lock.snapshot(lambda: sample.explain(Network, self, x, Y))

    # ---- Files -----------------------------------------------------------------------------------

    def save(self, path: StrPath) -> None:
        """Write the network to ``path`` as safetensors.

        The file is replaced as a whole or not at all, and keeps its owner and permissions where
        the system lets it. It holds weights and biases by name, the settings, and what the
        optimiser keeps, so that training goes on bit for bit after ``Network.load``. A link is
        followed. Raises OSError, also for a pipe or a device, and ValueError for what ``load``
        would refuse, such as an infinite weight; the old file stays. Warns where the optimiser's
        moments have overflowed: they alone are left out.
        """
        from ._io.safetensors import save

        if self._writes_files:
            save(self, path)

    @classmethod
    def load(cls, path: StrPath) -> Self:
        """The network that ``save`` wrote.

        The file is data, never code. Raises ValueError, saying what is wrong, where it is not such
        a file, and OSError where it cannot be read.
        """
        from ._io.safetensors import load

        return load(cls, path)

    def fingerprint(self) -> str:
        """SHA-256 of what the network computes: 64 hexadecimal digits.

        Two networks that compute the same have the same fingerprint, on every machine, whatever
        they were trained on and whatever comes next: seed, epochs and optimiser have no part in it.
        Hashed are, one after another,

        1. ``bpcore network 1`` and a line feed;
        2. a line of JSON with ``dtype``, ``hidden``, ``loss`` (its name alone), ``output``,
           ``scaled`` (is there ``scaling``?) and ``sizes``, in this order, without spaces:
           ``{"dtype":"float32","hidden":["tanh"],"loss":"bce",...}``, and a line feed;
        3. ``parameters`` in the dtype: for each layer the weights that leave its first input, its
           second one, ..., then the biases;
        4. the loss's parameter, 0 where it has none, in double;
        5. ``scaling.shift`` and ``scaling.scale`` in double, where there is scaling.

        Numbers are little-endian, and a zero is +0. Raises RuntimeError while another thread trains
        the network.

        Examples
        --------
        >>> from bpcore import Network
        >>> net = Network([2, 1], seed=0)
        >>> net.parameters = [0.5, -0.25, 0.0]
        >>> net.fingerprint()[:16]
        'a3673cd0c73ae2d2'
        """
        from ._io.fingerprint import of_network

        return of_network(self)

    def export(
        self,
        path: StrPath,
        *,
        name: str | None = None,
        check: MatrixLike | None = None,
        batch: bool | None = None,
        placement: str | None = None,
    ) -> None:
        """Write the network as a program that needs no Python; the suffix says which.

        Parameters
        ----------
        path : path
            ``.onnx``: a graph of opset 13 for ONNX Runtime and others, from X (n, inputs) of the
            network's dtype to A (n, outputs), which is ``forward(X)`` but for rounding; needs the
            package onnx (``pip install onnx``). ``.c``: one file of C99, its header beside it,
            which needs nothing and computes the bits of ``forward``.
        name : str, optional
            Of the graph, or the beginning of all names in C. Default: from the file's name.
        check : array-like (n, inputs), optional
            Of C alone: rows that the file holds with the words that ``forward`` computes for them,
            and a function that counts those that come out otherwise: the certificate.
        batch : bool, optional
            Of C alone: write a function for many rows, too.
        placement : str, optional
            Of C alone: what follows the names of the arrays of weights, biases, scaling and checked
            rows, such as ``__attribute__((section(".flash")))``.

        Raises
        ------
        ValueError, TypeError
            For another suffix, an option that the format does not have, or weights that are not
            finite.
        ImportError
            For ``.onnx`` without the package onnx.
        OSError
            Where the file cannot be written; the old one stays.

        Examples
        --------
        >>> import os, tempfile
        >>> import numpy as np
        >>> from bpcore import Network
        >>> net = Network([2, 4, 1], hidden="tanh", seed=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     net.export(f"{folder}/gate.c", check=np.eye(2))
        ...     sorted(os.listdir(folder))
        ['gate.c', 'gate.h']
        """
        from .export._by_suffix import export

        options = {"name": name, "check": check, "batch": batch, "placement": placement}
        export(self, path, **options)

    def quantize(self, X: MatrixLike) -> QuantizedNetwork:
        """The network in whole numbers of eight bits, for microcontrollers.

        Parameters
        ----------
        X : array-like (n, inputs)
            Typical rows, some hundred of the training data: the ranges of inputs and activations
            are those that they reach, and what is beyond is cut off.

        Returns
        -------
        QuantizedNetwork
            It predicts here with the bits of the C that it exports, so that its accuracy is known
            before it is flashed.

        Raises
        ------
        ValueError, TypeError
            For rows that do not fit or are none, weights that are not finite, and a layer whose
            sums need more than 32 bits.

        Examples
        --------
        >>> import numpy as np
        >>> from bpcore import Network
        >>> X = np.random.RandomState(0).uniform(-1, 1, (200, 2))
        >>> net = Network([2, 16, 3], hidden="relu", output="softmax", seed=1)
        >>> small = net.quantize(X)
        >>> float((small.predict(X) == net.predict(X)).mean()) > 0.95
        True
        """
        from .export._int8 import quantize

        return quantize(self, X)

    # ---- From elsewhere --------------------------------------------------------------------------

    @classmethod
    def from_sklearn(cls, model: SklearnPerceptron) -> Self:
        """The network of a fitted MLPClassifier or MLPRegressor, scikit-learn's or bpcore's.

        float32 weights stay float32, all others are float64. The loss is the model's; training
        goes on from these weights, with an optimiser that begins anew. scikit-learn is not
        imported.

        Raises ValueError for a model that is not fitted or has what no Network has, and TypeError
        for one that is no perceptron.

        Examples
        --------
        Whatever has the attributes of such a model will do:

        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> from bpcore import Network
        >>> model = SimpleNamespace(hidden_layer_sizes=(), activation="relu", loss="squared_error")
        >>> model.coefs_, model.intercepts_ = [np.array([[2.0], [3.0]])], [np.array([1.0])]
        >>> model.out_activation_ = "identity"
        >>> Network.from_sklearn(model).predict([[10, 1]])
        array([24.])
        """
        from ._arrivals.from_sklearn import network

        return network(cls, model)

    @classmethod
    def from_torch(
        cls,
        model: TorchModule | Mapping[str, Any],
        *,
        hidden: HiddenActivation | Iterable[HiddenActivation] | None = None,
        output: Activation | None = None,
    ) -> Self:
        """The network of a PyTorch module, as it evaluates, or of a state_dict.

        Parameters
        ----------
        model : torch.nn.Module or mapping
            ``nn.Sequential``, also in another one, of ``nn.Linear``, Sigmoid, Tanh, ReLU,
            LeakyReLU, ELU, SELU, Softplus, SiLU, GELU, Softmax, Identity, Dropout and Flatten; or
            the ``state_dict()`` of any module that has its linear layers in their order. What a
            ``forward`` of your own does cannot be seen.
        hidden : str or sequence of str, optional
            Of a state_dict, which needs it: activations of the hidden layers.
        output : str, optional
            Activation of the last layer, where the model ends with it: "softmax" or "sigmoid" for
            one that gives logits. A state_dict needs it.

        Raises
        ------
        ValueError
            For what is not a plain fully connected network, naming the layer, and for weights that
            are not float32 or float64.
        TypeError
            Where a state_dict comes without hidden and output, or a module with hidden.

        Notes
        -----
        PyTorch is not imported. Its softplus is the identity from 20 on, less than 3e-9 away.

        Examples
        --------
        >>> import numpy as np
        >>> from bpcore import Network
        >>> state = {"0.weight": np.ones((1, 2)), "0.bias": np.zeros(1)}
        >>> Network.from_torch(state, hidden=(), output="sigmoid").forward([[1, -1]])
        array([[0.5]])
        """
        from ._arrivals.from_torch import network

        return network(cls, model, hidden, output)

    @classmethod
    def from_keras(cls, model: KerasModel, *, output: Activation | None = None) -> Self:
        """The network of a Keras model, as it predicts.

        Parameters
        ----------
        model : keras.Sequential or functional keras.Model
            One row of Dense layers and activations, with Dropout, Flatten and their like; a
            Normalization or Rescaling that comes first becomes ``net.scaling``.
        output : str, optional
            Activation of the last layer, where the model ends with logits.

        Raises
        ------
        ValueError
            For what is not a plain fully connected network, naming the layer; for a slope of
            leaky_relu other than 0.01; for a model that has no weights yet.

        Notes
        -----
        Keras is not imported, and its backend does not matter.
        """
        from ._arrivals.from_keras import network

        return network(cls, model, output)

    @classmethod
    def from_onnx(cls, path: StrPath, *, output: Activation | None = None) -> Self:
        """The network in an ONNX file, such as PyTorch, tf2onnx, skl2onnx and ``export`` write.

        Parameters
        ----------
        path : path
            A graph of one input: products with constant matrices, biases and activations, each an
            operator or composed of others; before them a shift and a scale of the inputs, which
            become ``net.scaling``; after them what makes labels of probabilities, which is left
            out.
        output : str, optional
            Activation of the last layer, where the graph ends with logits.

        Raises
        ------
        ValueError
            For what is not a plain fully connected network, naming the node, and for files that
            are damaged or made to do harm: a file is data, and no other is opened.
        ImportError
            Without the package onnx.
        OSError
            Where the file cannot be read.

        Notes
        -----
        A composed activation is taken for the one whose values it has, within the rounding of
        float32.
        """
        from ._arrivals.from_onnx import network

        return network(cls, path, output)

    # ---- Inside ----------------------------------------------------------------------------------

    def _has_classes(self):
        return self.output in ("sigmoid", "softmax")

    def _table(self, X, *, name="X", **how):
        """X (n, inputs) as C wants it; the names of a frame are those that the network knows."""
        frames.agree(name, X, self._feature_names)
        return check.rows(X, self.sizes[0], self.dtype, name=name, **how)

    def _rows(self, X):
        """X as C wants it, standardised where the network does that."""
        X = self._table(X, allow_empty=True)
        return X if self.scaling is None else self.scaling.apply(X)

    def _data(self, X, y, *, name="X", y_name="y", scaled=True, check_finite=True):
        """X and y as C wants them; X standardised where the network does that.

        ``check_finite=False`` leaves it to the caller to see that dense X is finite.
        """
        X = self._table(X, name=name, check_finite=check_finite)
        shape, names = (len(X), self.sizes[-1]), {"name": y_name, "X_name": name}
        Y = check.targets(y, *shape, self.output, self.loss_name, self.dtype, **names)
        X = check.copy_if_aliased(X, self.parameters)
        Y = check.copy_if_aliased(Y, self.parameters)
        return (self.scaling.apply(X) if scaled and self.scaling is not None else X), Y

    def _workspace(self, rows, threads=1, row_nonzeros=0):
        size = _core.workspace_size(self._core, rows, self.dtype.itemsize, 0, threads, row_nonzeros)
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
            figures["accuracy"] = float(
                np.average(architecture.labels(A) == architecture.labels(Y), weights=weights)
            )
        return figures


class _Trained:
    """How far a network has come, in an object apart, whose attributes are set without a call.

    Python hears Ctrl-C in calls, and setting an attribute of a Network is one: between the weights
    of a step and what belongs to them there must be none.
    """

    __slots__ = ("epochs", "state")

    def __init__(self, epochs, state):
        self.epochs, self.state = epochs, state
