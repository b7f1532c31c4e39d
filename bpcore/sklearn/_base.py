"""What the classifier and the regressor share: from checked data to a trained network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.validation import check_array, check_is_fitted

from .._inputs import check
from .._training.descent import Trainer, packed
from ..network import Network
from . import _epochs, _network, _overrides, _parameters, _refused, _threads
from ._bases import BaseEstimator, CallbackSupportMixin
from ._callbacks import Watch, with_callbacks
from ._held_out import HeldOut, check_strata, lacks_class
from ._second_order import AllRows
from ._validate import of_eval_set, validated, validated_rows
from ._warn import warn

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sklearn.utils import Tags

    from .._types import Layers, MatrixLike, StrPath

# Rows of a batch where nobody says, as scikit-learn's.
BATCH = 200


class BasePerceptron(CallbackSupportMixin, BaseEstimator, ABC):
    """Fitting and using a network under scikit-learn's names.

    A class below says how targets become numbers (``_encoded``), which loss is meant (``_loss``),
    which activation the outputs have (``_output``) and what scores validation data (``_score_of``).
    """

    coefs_: Layers
    intercepts_: Layers
    loss_: float
    loss_curve_: list[float]
    best_loss_: float | None
    validation_scores_: list[float] | None
    best_validation_score_: float | None
    eval_loss_curve_: list[float]
    n_iter_: int
    t_: int
    n_layers_: int
    n_outputs_: int
    out_activation_: str
    n_features_in_: int
    feature_names_in_: NDArray[Any]
    _numeric = False  # Whether y is numbers, not labels.

    def __init_subclass__(cls, **how: Any) -> None:
        super().__init_subclass__(**how)
        _overrides.refuse_unheard(cls)

    def _validate_input(self, X, y, incremental, reset):
        """Checked X, C-contiguous or sparse, and y as ``_encoded`` gives it."""
        return self._checked(X, y, reset)

    def _encoded(self, y):
        """Checked y as numbers or truth values, a row or a number for each sample."""
        return y

    def _decoded(self, Y):
        """What users call the targets Y (n, outputs)."""
        return Y

    def _targets(self, y, dtype):
        """Encoded y as (n, outputs)."""
        return np.require(y, dtype, "CA").reshape(len(y), -1)

    @abstractmethod
    def _output(self):
        """scikit-learn's name of the last layer's activation."""

    @abstractmethod
    def _loss(self, outputs):
        """The core's loss as (name, parameter), and the factor that makes it scikit-learn's."""

    @abstractmethod
    def _score_of(self):
        """The function that scores validation data."""

    def _checked(self, X, y, first):
        """X as the core reads it and y, one-dimensional where it is a column.

        Training that goes on has the dtype that its weights have, as in scikit-learn.
        """
        either = np.float64, np.float32
        X, y = validated(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            dtype=either if first else _network.dtype_of(*self._arrays()),
            order="C",
            reset=first or not hasattr(self, "n_features_in_"),  # As with the user's own weights.
            y_numeric=self._numeric,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            warn(
                "A column-vector y was passed when a 1d array was expected. Please change the "
                "shape of y to (n_samples, ), for example using ravel().",
                DataConversionWarning,
            )
            y = column_or_1d(y)
        return X, y

    def _class_weights(self, Y, sample_weight, incremental, dtype):
        """Weights of the rows' losses."""
        return sample_weight

    def _labels(self, Y):
        """The class of each row of Y as users name it, or None where rows have no single one."""
        return None

    # ---- Fitting ---------------------------------------------------------------------------------

    def _check_solver(self):
        """Tell ``available_if`` whether the solver can do a single epoch."""
        if self.solver in _parameters.SECOND_ORDER:
            raise AttributeError(
                f"partial_fit needs a solver that can do a single epoch, but solver is "
                f"{self.solver!r}; use one of: {', '.join(_parameters.STOCHASTIC)}"
            )
        return True

    def _fit_once(self, X, y, sample_weight, eval_set):
        """``_fit`` with what scikit-learn gives it; an override need not know ``eval_set``."""
        also = {} if eval_set is None else {"eval_set": eval_set}
        return self._fit(X, y, sample_weight=sample_weight, incremental=False, **also)

    @_refused.changes_nothing  # After the teardown of callbacks.
    @with_callbacks
    def _fit(self, X, y, sample_weight=None, incremental=False, eval_set=None):
        _overrides.refuse_unheard(self)
        _parameters.check(self)
        if incremental and self.early_stopping:
            raise ValueError(
                "partial_fit does not support early_stopping=True: one epoch cannot tell when to "
                "stop. Use early_stopping=False, or fit"
            )
        sizes = _parameters.hidden_sizes(self)
        data = {"X": X, "y": y, "metadata": None}
        if sample_weight is not None:
            data["metadata"] = {"sample_weight": sample_weight}
        first = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        check.unmasked("sample_weight", sample_weight)
        X, y = self._validate_input(X, y, incremental, reset=first)
        check_consistent_length(X, y)  # An override may have changed both.
        dtype = X.dtype if first else _network.dtype_of(*self._arrays())
        X = X.astype(dtype if dtype in (np.float32, np.float64) else np.float64, copy=False)
        _parameters.check_in(self, X.dtype)
        Y = self._targets(y, X.dtype)
        if sample_weight is not None:
            sample_weight = _row_weights(sample_weight, X)
        weights = self._class_weights(Y, sample_weight, incremental, X.dtype)
        if eval_set is not None:
            eval_set = self._check_eval_set(eval_set, X.dtype, Y.shape[1])
            self.eval_loss_curve_ = getattr(self, "eval_loss_curve_", [])
        self._random_state = random = check_random_state(self.random_state)
        if first:
            self._start([X.shape[1], *sizes, Y.shape[1]], Y, random, eval_set)
        elif not hasattr(self, "_epochs_before"):
            self._start_from_given(random)
        coupled = self._coupled()
        net = coupled.net
        if net.sizes[-1] != Y.shape[1]:
            raise ValueError(
                f"y has {Y.shape[1]} columns, but the fit before had {net.sizes[-1]}; "
                "warm_start=False begins anew"
            )
        if net.sizes[0] != X.shape[1]:
            raise ValueError(f"X has {X.shape[1]} features, but coefs_[0] has {net.sizes[0]} rows")
        self.n_outputs_ = Y.shape[1]
        self._couple(coupled)
        watch = Watch(self, data, 1 if incremental else self.max_iter, not incremental)
        self.n_iter_ = 0
        parts = X, Y, weights, sample_weight
        if self.solver in _parameters.SECOND_ORDER:
            self._fit_at_once(net, parts, eval_set, watch)
        else:
            self._fit_in_epochs(net, parts, random, incremental, eval_set, watch)
        watch.finish()
        return self

    def _start(self, sizes, Y, random, eval_set):
        """Draw weights and begin all curves."""
        _parameters.hidden_activations(self, len(sizes) - 2)
        # A network of its own: arrays of an earlier fit, which users may hold, stay as they are.
        for name in (*_epochs.CURVES, "eval_loss_curve_", "_network", "_going_on"):
            self.__dict__.pop(name, None)
        self._initialize(Y, sizes, Y.dtype)
        self._begin(random)
        arrays = self._arrays()
        settings = self._settings(_network.sizes_of(*arrays))
        coupled = _network.create(settings, Y.dtype, self._seed)
        coupled.read(*arrays)
        self._couple(coupled)
        if eval_set is not None:
            self.eval_loss_curve_ = []

    def _start_from_given(self, random):
        """Begin with ``coefs_`` and ``intercepts_`` of the user's own, and what else they set."""
        given = {"t_": 0, "n_layers_": len(self.coefs_) + 1, "out_activation_": self._output()}
        vars(self).update(given | vars(self))
        self._begin(random)

    def _begin(self, random):
        """Nothing is trained yet."""
        drops = _parameters.dropout(self, len(self.coefs_) - 1)
        self._seed, self._epochs_before = random.randint(2**31) if drops else 0, 0
        self._optimizer = None

    def _fit_at_once(self, net, parts, eval_set, watch):
        X, Y, weights, _ = parts
        threads, held_out = _threads.count(self.n_threads), None
        if eval_set is not None:
            how = self._score_of(), threads, self.eval_loss_curve_
            held_out = HeldOut(net, *eval_set, None, *how)
        data, scale = (_network.rows(X, net), Y, weights), self._loss(Y.shape[1])[1]
        fit = AllRows(self, net, data, scale, threads, held_out, watch)
        _epochs.leave(self)
        fit.run()

    def _fit_in_epochs(self, net, parts, random, incremental, eval_set, watch):
        threads = _threads.count(self.n_threads)
        (X, Y, weights), held_out = self._held_out(net, parts, random, eval_set, threads)
        hyper = _parameters.hyperparameters(self, net, threads)
        kept = getattr(self, "_optimizer", None)
        state = _epochs.first_state(self, hyper.rule, net)
        if incremental and kept is not None:
            _epochs.resume(state, self, kept)
        given = {"batch_rows": self._batch_size(len(Y)), "ordered": self.shuffle}
        data = packed(net, hyper, _network.rows(X, net), Y, weights, **given)
        net.epochs = self._epochs_before
        trainer = Trainer(net, data, hyper, state, rows_count=True)
        self._optimizer, scale = state, self._loss(net.sizes[-1])[1]
        _epochs.go_on(self)
        epochs = _epochs.EpochHooks(self, net, state, len(Y), scale, held_out, watch, random)
        try:
            epochs.run(trainer, incremental)
        finally:
            self._epochs_before += self.n_iter_

    def _batch_size(self, rows):
        if self.batch_size == "auto":
            return rows if self.solver == "rprop" else min(BATCH, rows)
        if self.batch_size > rows:
            warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be "
                f"clipped: batch_size is {self.batch_size}, but there are {rows} rows"
            )
        return min(int(self.batch_size), rows)

    def _held_out(self, net, parts, random, eval_set, threads):
        """The rows to train on, (X, Y, weights), and those to validate with, or None."""
        X, Y, weights, sample_weight = parts
        how = self._score_of(), threads
        if eval_set is not None:
            return (X, Y, weights), HeldOut(net, *eval_set, None, *how, self.eval_loss_curve_)
        if not self.early_stopping:
            return (X, Y, weights), None
        X, X_out, Y, Y_out, *others = self._split(X, Y, weights, sample_weight, random=random)
        if len(Y_out) < 2:
            raise ValueError(
                f"The validation set is too small: validation_fraction={self.validation_fraction} "
                f"of {len(Y) + len(Y_out)} rows is {len(Y_out)}. A larger 'validation_fraction', "
                "more rows or eval_set= would help"
            )
        weights = None if weights is None else np.require(others[0], None, "CA")
        weights_out = None if sample_weight is None else np.require(others[-1], None, "CA")
        Y, Y_out = np.require(Y, None, "CA"), np.require(Y_out, None, "CA")
        return (X, Y, weights), HeldOut(net, X_out, Y_out, weights_out, *how)

    def _split(self, X, Y, *weights, random):
        """``train_test_split`` of these arrays, those that are None left out.

        The rows are those that scikit-learn holds out, which stratifies two classes but not several
        and does not look at weights, unless a part lacks a class or has no weight at all. Then they
        are drawn again: by class, from the rows that have a weight.
        """
        arrays = [X, Y, *(given for given in weights if given is not None)]
        how = {"random_state": random, "test_size": self.validation_fraction}
        labels, two = self._labels(Y), Y.shape[1] == 1
        if two and labels is not None:
            check_strata(labels)
        parts = train_test_split(*arrays, stratify=labels if two else None, **how)
        if labels is not None and not two and lacks_class(Y, *parts[2:4]):
            parts = train_test_split(*arrays, stratify=labels, **how)
        if all(part.any() for part in parts[4:]):
            return parts
        weighted = np.flatnonzero(arrays[2])
        return self._split(*(array[weighted] for array in arrays), random=random)

    def _check_eval_set(self, eval_set, dtype, outputs):
        if not isinstance(eval_set, (tuple, list)) or len(eval_set) != 2:
            raise TypeError("eval_set is a pair: eval_set=(X, y)")
        how = {"accept_sparse": ["csr", "csc"], "multi_output": True, "y_numeric": self._numeric}
        try:
            X, y = validated(self, *eval_set, dtype=dtype, order="C", reset=False, **how)
            self._check_labels(y)
            Y = self._targets(self._encoded(y), dtype)
        except ValueError as error:
            raise ValueError(of_eval_set(str(error))) from error
        if Y.shape[1] != outputs:
            raise ValueError(f"eval_set's y has {Y.shape[1]} columns, but y has {outputs}")
        return X, Y

    def _check_labels(self, y):
        """Refuse labels that training does not know."""

    # ---- What subclasses of scikit-learn's perceptrons may override ------------------------------

    def _initialize(self, y, layer_units, dtype):
        """Draw start weights for layers of these sizes, and begin all curves."""
        self.n_iter_, self.t_, self.n_outputs_ = 0, 0, y.shape[1]
        self.n_layers_, self.out_activation_ = len(layer_units), self._output()
        self.coefs_, self.intercepts_ = [], []
        for sizes in zip(layer_units[:-1], layer_units[1:], strict=True):
            coef, intercept = self._init_coef(*sizes, dtype)
            self.coefs_.append(coef)
            self.intercepts_.append(intercept)
        if self.solver not in _parameters.SECOND_ORDER:
            _epochs.begin_curves(self)

    def _init_coef(self, fan_in, fan_out, dtype):
        """Start weights of one layer, drawn as scikit-learn draws them (Glorot and Bengio 2010).

        scikit-learn has one activation and lets it choose the last layer's bound, too; of a list,
        the last name does.
        """
        given = self.activation
        names = [given] if isinstance(given, str) else [*given] or ["identity"]
        name = names[min(len(getattr(self, "coefs_", ())), len(names) - 1)]
        bound = np.sqrt((2.0 if name in ("logistic", "sigmoid") else 6.0) / (fan_in + fan_out))
        coef = self._random_state.uniform(-bound, bound, (fan_in, fan_out))
        intercept = self._random_state.uniform(-bound, bound, fan_out)
        return coef.astype(dtype, copy=False), intercept.astype(dtype, copy=False)

    @_overrides.own
    def _update_no_improvement_count(self, early_stopping, X, y, sample_weight=None):
        """Count the epochs without an improvement; X and y are the rows that are held out."""
        self._epochs.count(
            self._score(X, y, sample_weight=sample_weight) if early_stopping else None
        )

    def _score_with_function(self, X, y, sample_weight, score_function):
        """The score of predictions of checked X; NaN where one is not finite."""
        predicted = self._predict(X, check_input=False)
        if predicted.dtype.kind == "f" and not np.isfinite(predicted).all():
            return np.nan
        return score_function(y, predicted, sample_weight=sample_weight)

    # ---- Using a fitted estimator ----------------------------------------------------------------

    def to_network(self) -> Network:
        """A ``bpcore.Network`` of its own with these weights: ``forward`` gives the same bits.

        One logistic output is the probability of the second class.
        """
        check_is_fitted(self)
        return Network.from_sklearn(self)

    def _settings(self, sizes):
        output = _parameters.ACTIVATIONS.get(self.out_activation_, self.out_activation_)
        hidden = _parameters.hidden_activations(self, len(sizes) - 2)
        return sizes, hidden, output, self._loss(sizes[-1])[0]

    def _couple(self, coupled):
        self._network = coupled
        self.coefs_, self.intercepts_ = list(coupled.coefs), list(coupled.intercepts)

    def _arrays(self):
        """What is in ``coefs_`` and in ``intercepts_``: arrays, or what can be made one."""
        return _network.arrays(self.coefs_, getattr(self, "intercepts_", ()))

    def _coupled(self):
        """The network that has the weights in ``coefs_`` and ``intercepts_``, which stay as is."""
        coefs, intercepts = self._arrays()
        sizes = _network.sizes_of(coefs, intercepts)
        dtype = _network.dtype_of(coefs, intercepts)
        coupled, settings = getattr(self, "_network", None), self._settings(sizes)
        fits = coupled is not None and coupled.fits(settings, dtype)
        if not fits or coupled.overlaps(coefs, intercepts):
            coupled = _network.create(settings, dtype, getattr(self, "_seed", 0))
        coupled.read(coefs, intercepts)
        self._network = coupled
        return coupled

    @_overrides.own
    def _forward_pass_fast(self, X, check_input=True):
        """Outputs (n, outputs) for X as users give it."""
        if check_input:
            X = validated_rows(self, X)
        net = self._coupled().net
        few = X.shape[0] <= net._few_rows
        threads = self.n_threads if few else _threads.count(self.n_threads)
        return net.forward(X, n_threads=threads)

    def export(
        self,
        path: StrPath,
        *,
        name: str | None = None,
        check: MatrixLike | None = None,
        batch: bool | None = None,
        placement: str | None = None,
    ) -> None:
        """Write the fitted estimator as a program that needs no Python; the suffix says which.

        Of a classifier an ``.onnx`` file computes "label" and "probabilities", which are those of
        ``predict`` and ``predict_proba``; of a regressor "A", always (n, outputs). X has the dtype
        of ``coefs_``.

        Parameters
        ----------
        path : path
            As for ``Network.export``, and so are the others.
        name : str, optional
        check : array-like (n, features), optional
        batch : bool, optional
        placement : str, optional

        Raises
        ------
        ValueError, TypeError, ImportError, OSError
            As ``Network.export``, and for labels other than strings and whole numbers.
        """
        check_is_fitted(self)
        from ..export._by_suffix import export

        options = {"name": name, "check": check, "batch": batch, "placement": placement}
        export(self._coupled().net, path, labels=self._exported_labels(), **options)

    def _exported_labels(self):
        """What ``export`` calls the outputs: None, the classes in their order, or "multilabel"."""
        return None

    def __getstate__(self) -> dict[str, Any]:
        """All but the network, which follows from the weights, and what a fit has meanwhile."""
        state = dict(super().__getstate__())
        for name in ("_network", "_epochs", "_before"):
            state.pop(name, None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Weights that come from a file are nobody else's: they become views at once.

        Where they make no network, the error is that of their use.
        """
        super().__setstate__(state)
        if hasattr(self, "coefs_"):
            with suppress(AttributeError, IndexError, TypeError, ValueError):
                self._couple(self._coupled())

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


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
