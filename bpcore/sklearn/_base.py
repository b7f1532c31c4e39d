"""What the classifier and the regressor share: from checked data to a trained network."""

import warnings
from abc import ABC, abstractmethod
from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, validate_data

from .. import _sparse
from .._threads import FEW_ROWS
from .._trainer import Trainer, first_moments
from . import _epochs, _network, _parameters, _threads
from ._callbacks import CallbackSupportMixin, Watch, with_callbacks
from ._held_out import HeldOut

# Rows of a batch where nobody says, as scikit-learn's.
BATCH = 200


def is_stochastic(estimator):
    """Tell ``available_if`` whether the solver can do a single epoch."""
    if estimator.solver in _parameters.SECOND_ORDER:
        raise AttributeError(
            f"partial_fit needs a solver that can do a single epoch, but solver is "
            f"{estimator.solver!r}; use one of: {', '.join(_parameters.STOCHASTIC)}"
        )
    return True


class BasePerceptron(CallbackSupportMixin, BaseEstimator, ABC):
    """Fitting and using a network under scikit-learn's names.

    A class below says how targets become numbers (``_targets``), which loss is meant (``_loss``),
    which activation the outputs have (``_output``) and what scores validation data (``_score_of``).
    """

    @abstractmethod
    def _check_data(self, X, y, incremental, first):
        """Checked X, C-contiguous or sparse, and y."""

    @abstractmethod
    def _targets(self, y, dtype):
        """y as (n, outputs)."""

    @abstractmethod
    def _output(self):
        """scikit-learn's name of the last layer's activation."""

    @abstractmethod
    def _loss(self, outputs):
        """The core's loss as (name, parameter), and the factor that makes it scikit-learn's."""

    @abstractmethod
    def _score_of(self):
        """The function that scores validation data."""

    def _class_weights(self, y, sample_weight, incremental):
        """Weights of the rows' losses."""
        return sample_weight

    # ---- Fitting ---------------------------------------------------------------------------------

    @with_callbacks
    def _fit(self, X, y, sample_weight=None, incremental=False, eval_set=None):
        _parameters.check(self)
        sizes = _parameters.hidden_sizes(self)
        data = {"X": X, "y": y, "metadata": None}
        if sample_weight is not None:
            data["metadata"] = {"sample_weight": sample_weight}
        first = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        X, y = self._check_data(X, y, incremental, first)
        Y = self._targets(y, X.dtype)
        if sample_weight is not None:
            sample_weight = _row_weights(sample_weight, X)
        weights = self._class_weights(y, sample_weight, incremental)
        if eval_set is not None:
            eval_set = self._check_eval_set(eval_set, X.dtype)
            self.eval_loss_curve_ = getattr(self, "eval_loss_curve_", [])
        self.n_outputs_ = Y.shape[1]
        random = check_random_state(self.random_state)
        if first:
            self._start([X.shape[1], *sizes, Y.shape[1]], X.dtype, random, eval_set)
        net = self._coupled().net
        if net.sizes[-1] != Y.shape[1]:
            raise ValueError(
                f"y has {Y.shape[1]} columns, but the fit before had {net.sizes[-1]}; "
                "warm_start=False begins anew"
            )
        watch = Watch(self, data, 1 if incremental else self.max_iter, not incremental)
        self.n_iter_ = 0
        parts = X, Y, weights, sample_weight
        if self.solver in _parameters.SECOND_ORDER:
            self._fit_at_once(net, parts, eval_set, watch)
        else:
            self._fit_stochastic(net, parts, random, incremental, eval_set, watch)
        watch.finish()
        return self

    def _start(self, sizes, dtype, random, eval_set):
        """Draw weights and begin all curves."""
        self.t_, self.n_layers_, self.out_activation_ = 0, len(sizes), self._output()
        layers = len(sizes) - 2
        hidden = _parameters.hidden_activations(self, layers)
        coupled = _network.create(self._settings(sizes), dtype)
        # One name chooses every bound, the last layer's too; of a list, the last name does.
        one = [self.activation] if isinstance(self.activation, str) else hidden[-1:]
        one = [_parameters.ACTIVATIONS.get(name, name) for name in one] or ["identity"]
        _network.draw(coupled, [*hidden, *one], random)
        if _parameters.dropout(self, layers):
            coupled.net.seed = random.randint(2**31)
        self._seed, self._epochs_before = coupled.net.seed, 0
        self._couple(coupled)
        self._optimizer = None
        for name in (*_epochs.CURVES, "eval_loss_curve_"):
            self.__dict__.pop(name, None)
        if eval_set is not None:
            self.eval_loss_curve_ = []
        if self.solver not in _parameters.SECOND_ORDER:
            _epochs.begin_curves(self)

    def _fit_at_once(self, net, parts, eval_set, watch):
        from ._second_order import AllRows

        X, Y, weights, _ = parts
        threads, held_out = _threads.count(self.n_threads), None
        if eval_set is not None:
            X_out, Y_out = eval_set
            how = self._score_of(), threads, self.eval_loss_curve_
            held_out = HeldOut(net, _rows(X_out, net), Y_out, None, *how)
        data, scale = (_rows(X, net), Y, weights), self._loss(Y.shape[1])[1]
        AllRows(self, net, data, scale, threads, held_out, watch).run()

    def _fit_stochastic(self, net, parts, random, incremental, eval_set, watch):
        if incremental and self.early_stopping:
            raise ValueError(
                "partial_fit does not support early_stopping=True: one epoch cannot tell when to "
                "stop. Use early_stopping=False, or fit"
            )
        if not hasattr(self, "loss_curve_"):  # A warm start after a solver that has no curves.
            _epochs.begin_curves(self)
        threads = _threads.count(self.n_threads)
        (X, Y, weights), held_out = self._held_out(net, parts, random, eval_set, threads)
        rule = _parameters.rule(self)
        if not incremental or getattr(self, "_optimizer", None) is None:
            self._optimizer = _epochs.Optimizer(self.learning_rate_init)
            self._optimizer.moments = first_moments(rule, net, self.learning_rate_init)
        optimizer = self._optimizer
        trainer = Trainer(
            net,
            _rows(X, net),
            Y,
            rule=rule,
            weights=weights,
            batch_size=self._batch_size(len(Y)),
            ordered=self.shuffle,
            dropout=_parameters.dropout(self, len(net.sizes) - 2),
            n_threads=threads,
            moments=_writeable(optimizer.moments),
            step=optimizer.step,
            rows_count=True,
            first_epoch=self._epochs_before,
        )
        scale = self._loss(net.sizes[-1])[1]
        epochs = _epochs.Epochs(self, trainer, len(Y), scale, held_out, watch)
        try:
            epochs.run(random, incremental)
        finally:
            optimizer.moments, optimizer.step = trainer.moments, trainer.step
            self._epochs_before += self.n_iter_

    def _batch_size(self, rows):
        if self.batch_size == "auto":
            return rows if self.solver == "rprop" else min(BATCH, rows)
        if self.batch_size > rows:
            warnings.warn(
                f"batch_size is {self.batch_size}, but there are {rows} rows: a batch takes all",
                stacklevel=5,
            )
        return min(int(self.batch_size), rows)

    def _held_out(self, net, parts, random, eval_set, threads):
        """The rows to train on, (X, Y, weights), and those to validate with, or None."""
        X, Y, weights, sample_weight = parts
        how = self._score_of(), threads
        if eval_set is not None:
            X_out, Y_out = eval_set
            held_out = HeldOut(net, _rows(X_out, net), Y_out, None, *how, self.eval_loss_curve_)
            return (X, Y, weights), held_out
        if not self.early_stopping:
            return (X, Y, weights), None
        given = [array for array in (weights, sample_weight) if array is not None]
        pairs = train_test_split(
            X,
            Y,
            *given,
            random_state=random,
            test_size=self.validation_fraction,
            stratify=Y[:, 0] if self._stratifies() else None,
        )
        X, X_out, Y, Y_out, *others = pairs
        if len(Y_out) < 2:
            raise ValueError(
                f"The validation set is too small: validation_fraction={self.validation_fraction} "
                f"of {len(Y) + len(Y_out)} rows is {len(Y_out)}. A larger 'validation_fraction', "
                "more rows or eval_set= would help"
            )
        weights = None if weights is None else np.require(others[0], None, "CA")
        weights_out = None if sample_weight is None else np.require(others[-1], None, "CA")
        Y, Y_out = np.require(Y, None, "CA"), np.require(Y_out, None, "CA")
        return (X, Y, weights), HeldOut(net, _rows(X_out, net), Y_out, weights_out, *how)

    def _stratifies(self):
        return False

    def _check_eval_set(self, eval_set, dtype):
        if not isinstance(eval_set, (tuple, list)) or len(eval_set) != 2:
            raise TypeError("eval_set is a pair: eval_set=(X, y)")
        X, y = validate_data(
            self,
            *eval_set,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            dtype=dtype,
            order="C",
            reset=False,
        )
        self._check_labels(y)
        return X, self._targets(y, dtype)

    def _check_labels(self, y):
        """Refuse labels that training does not know."""

    # ---- Using a fitted estimator ----------------------------------------------------------------

    def _settings(self, sizes):
        output = _parameters.ACTIVATIONS.get(self.out_activation_, self.out_activation_)
        hidden = _parameters.hidden_activations(self, len(sizes) - 2)
        return sizes, hidden, output, self._loss(sizes[-1])[0]

    def _couple(self, coupled):
        self._network = coupled
        self.coefs_, self.intercepts_ = list(coupled.coefs), list(coupled.intercepts)

    def _coupled(self):
        """The network that has the weights in ``coefs_`` and ``intercepts_``."""
        if not (isinstance(self.coefs_, list) and isinstance(self.intercepts_, list)):
            self.coefs_, self.intercepts_ = list(self.coefs_), list(self.intercepts_)
        sizes = _network.sizes_of(self.coefs_, self.intercepts_)
        dtype = np.result_type(*self.coefs_, *self.intercepts_)
        dtype = dtype if dtype in (np.float32, np.float64) else np.dtype(np.float64)
        coupled, settings = getattr(self, "_network", None), self._settings(sizes)
        if coupled is None or not coupled.fits(settings, dtype):
            coupled = _network.create(settings, dtype, getattr(self, "_seed", 0))
        coupled.adopt(self.coefs_, self.intercepts_)
        self._network = coupled
        return coupled

    def _forward(self, X):
        """Outputs (n, outputs) for X as users give it."""
        X = self._validated(X)
        net = self._coupled().net
        few = X.shape[0] <= net._few_rows
        threads = self.n_threads if few else _threads.count(self.n_threads)
        return net.forward(X, n_threads=threads)

    def _validated(self, X):
        """What scikit-learn's validation makes of X, or its refusal."""
        few = None if hasattr(self, "feature_names_in_") else _few_numbers(X)
        if few is not None and few.shape[1] == getattr(self, "n_features_in_", None):
            return few
        return validate_data(self, X, accept_sparse=["csr", "csc"], order="C", reset=False)

    def __getstate__(self):
        """All but the network, which follows from the weights."""
        state = dict(super().__getstate__())
        state.pop("_network", None)
        return state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _rows(X, net):
    """X as the core reads it."""
    if _sparse.is_sparse(X):
        return _sparse.rows("X", X, net.sizes[0], net.dtype)
    return np.require(X, net.dtype, "CA")


def _few_numbers(X):
    """X as a C-contiguous array, where that is all that validation makes of it; else None.

    scikit-learn looks at one row for longer than the network takes to answer it.
    """
    if type(X) is list and len(X) < FEW_ROWS:
        X = np.asarray(X)
    if type(X) is not np.ndarray or X.ndim != 2 or not 0 < len(X) < FEW_ROWS:
        return None
    return np.ascontiguousarray(X) if X.dtype.kind in "fiub" and np.isfinite(X).all() else None


def _writeable(moments):
    """Moments that C can change: those of a file that is mapped read-only, or askew, are copied."""
    return None if moments is None else np.require(moments, None, "AW")


def _row_weights(given, X):
    """``sample_weight`` as an array (n,), of which one at least is not zero."""
    n = X.shape[0]
    if isinstance(given, Real):
        given = np.full(n, given)
    weights = check_array(given, ensure_2d=False, dtype=X.dtype, input_name="sample_weight")
    weights = np.require(weights, None, "CA")
    if weights.shape != (n,):
        raise ValueError(f"sample_weight has shape {weights.shape}, but ({n},) is expected")
    if weights.min() < 0:
        raise ValueError(f"sample_weight has {weights.min():g}, but weights are at least 0")
    if not weights.any():
        raise ValueError("sample_weight is zero for every row; one weight must be positive")
    return weights
