"""MLPClassifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.multiclass import is_multilabel, type_of_target, unique_labels
from sklearn.utils.validation import check_is_fitted

from . import _class_weight, _exchange, _held_out, _overrides, _refused
from ._base import BasePerceptron
from ._bases import ClassifierMixin, available_if

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from numpy.typing import ArrayLike, NDArray
    from sklearn.utils import Tags

    from .._types import FloatArray, MatrixLike, Pair, SklearnActivation, SklearnSolver
    from ..network import Network

# Outputs and losses of a classifier's networks.
OUTPUTS = (("sigmoid", "bce"), ("softmax", "cross_entropy"))


class MLPClassifier(ClassifierMixin, BasePerceptron):
    """A classifier: a fully connected network with the log loss.

    The parameters of ``sklearn.neural_network.MLPClassifier`` have its meanings and defaults, and
    with the same ``random_state`` the same start weights and batches. These are new, and change
    nothing unless they are given:

    Parameters
    ----------
    activation : str or list of str
        A list has one name for each hidden layer. Beside scikit-learn's names, those of the hidden
        layers of ``bpcore.Network``; its "sigmoid" is "logistic".
    solver : str
        Beside "lbfgs", "sgd" and "adam": "rmsprop"; "adamw", with ``alpha`` as its decay, no
        penalty; "rprop", which takes all rows a step.
    class_weight : dict or "balanced", optional
        Weights of the classes, multiplied with ``sample_weight``.
    dropout : float or list of float, optional
        Share of each hidden layer's outputs that training leaves out.
    clip_norm : float, optional
        Longest gradient of a batch.
    l1 : float, default 0
        Penalty ``l1 * sum |W|`` beside ``alpha``, divided likewise by the sample size.
    max_norm : float, optional
        Longest vector of weights into a unit.
    n_threads : int, optional
        Most threads to use; results never depend on it. Default: BPCORE_NUM_THREADS, or the CPUs
        of the process within OMP_NUM_THREADS, which joblib sets in its worker processes.
    callbacks : list of callable, optional
        Each is given the estimator after each epoch, and stops the training by returning True.

    Attributes
    ----------
    eval_loss_curve_ : list of float
        Loss on ``eval_set`` after each epoch, without penalties, where ``fit`` was given one.

    Notes
    -----
    The other attributes are scikit-learn's: ``classes_``, ``coefs_``, ``intercepts_``, ``loss_``,
    ``loss_curve_``, ``best_loss_``, ``validation_scores_``, ``best_validation_score_``,
    ``n_iter_``, ``t_``, ``n_layers_``, ``n_outputs_``, ``out_activation_``, ``n_features_in_``,
    ``feature_names_in_``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from bpcore.sklearn import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(max_iter=1000, random_state=1).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    """

    classes_: NDArray[Any]

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: SklearnActivation | Sequence[SklearnActivation] = "relu",
        *,
        solver: SklearnSolver = "adam",
        alpha: float = 0.0001,
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: Literal["constant", "invscaling", "adaptive"] = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        class_weight: dict[Any, float] | list[dict[Any, float]] | Literal["balanced"] | None = None,
        dropout: float | Sequence[float] | None = None,
        clip_norm: float | None = None,
        l1: float = 0.0,
        max_norm: float | None = None,
        n_threads: int | None = None,
        callbacks: Sequence[Callable[[Self], object]] | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.class_weight = class_weight
        self.dropout = dropout
        self.clip_norm = clip_norm
        self.l1 = l1
        self.max_norm = max_norm
        self.n_threads = n_threads
        self.callbacks = callbacks

    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        eval_set: Pair | None = None,
    ) -> Self:
        """Train on X (n, features) and the labels y.

        Parameters
        ----------
        X : array-like or sparse matrix (n, features)
            float32 is trained in float32, everything else in float64.
        y : array-like
            Labels (n,), or a matrix (n, labels) of zeros and ones.
        sample_weight : array-like (n,), optional
        eval_set : pair (X, y), optional
            Measured after each epoch: ``eval_loss_curve_``. With ``early_stopping`` it takes the
            place of a part of X.

        Returns
        -------
        MLPClassifier
            Itself.

        Raises
        ------
        ValueError, TypeError
            For data or parameters that do not fit, or where the training diverges.
        """
        return self._fit_once(X, y, sample_weight, eval_set)

    @available_if(lambda estimator: estimator._check_solver())
    @_refused.changes_nothing
    def partial_fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch, going on from where the estimator is.

        Parameters
        ----------
        X, y, sample_weight
            As for ``fit``.
        classes : array-like
            All labels that will ever come; needed at the first call.

        Returns
        -------
        MLPClassifier
            Itself.
        """
        if not hasattr(self, "classes_"):
            if classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
            multilabel = is_multilabel(y)
            self._label_binarizer = LabelBinarizer().fit(y if multilabel else classes)
            self.classes_ = self._label_binarizer.classes_ if multilabel else unique_labels(classes)
        elif classes is not None and not np.array_equal(self.classes_, unique_labels(classes)):
            raise ValueError(
                f"classes is {classes!r}, but the first call to partial_fit or fit had "
                f"{self.classes_!r}"
            )
        return self._fit(X, y, sample_weight=sample_weight, incremental=True)

    def predict(self, X: MatrixLike) -> NDArray[Any]:
        """Labels of the rows of X: (n,), or (n, labels) of zeros and ones."""
        check_is_fitted(self)
        return self._predict(X)

    @_overrides.own
    def _predict(self, X, check_input=True):
        A = self._forward_pass_fast(X, check_input=check_input)
        return self._label_binarizer.inverse_transform(A.ravel() if self.n_outputs_ == 1 else A)

    def predict_proba(self, X: MatrixLike) -> FloatArray:
        """Probabilities (n, classes), in the order of ``classes_``."""
        check_is_fitted(self)
        A = self._forward_pass_fast(X)
        if self.n_outputs_ > 1:
            return A
        A = A.reshape(-1, 1)
        if len(self.classes_) == 1:  # It is certain, whatever the network says of another one.
            return np.ones_like(A)
        return np.hstack([1 - A, A])

    def predict_log_proba(self, X: MatrixLike) -> FloatArray:
        """The logarithm of ``predict_proba(X)``."""
        probabilities = self.predict_proba(X)
        return np.log(probabilities, out=probabilities)

    @classmethod
    def from_network(
        cls, net: Network, classes: ArrayLike | None = None, **parameters: Any
    ) -> Self:
        """A fitted classifier with the weights of ``net``, copied.

        It predicts, goes on with ``partial_fit`` or ``warm_start``, and is pickled and cloned like
        any other. It has no ``loss_`` and no curves before it trains.

        Parameters
        ----------
        net : bpcore.Network
            With softmax and "cross_entropy" over three outputs or more, or sigmoid and "bce".
        classes : array-like, optional
            Labels in ascending order, one for each output of a softmax, two for one sigmoid.
            Default: 0, 1, ... Several sigmoid outputs have none: each is a label, 0 or 1.
        **parameters
            Others than hidden_layer_sizes and activation, which the network tells.

        Raises
        ------
        ValueError, TypeError
            For a network that standardises its inputs, or has another output or loss.

        Examples
        --------
        >>> from bpcore import Network
        >>> from bpcore.sklearn import MLPClassifier
        >>> net = Network([2, 4, 1], hidden="tanh", seed=1)
        >>> model = MLPClassifier.from_network(net, classes=["no", "yes"])
        >>> bool(model.predict_proba([[1.0, 2.0]])[0, 1] == net.forward([[1.0, 2.0]])[0, 0])
        True
        """
        _exchange.expect_network(cls, net, OUTPUTS)
        binarizer = _exchange.binarizer(net, classes)
        model = _exchange.made(cls, net, parameters)
        model._label_binarizer, model.classes_ = binarizer, binarizer.classes_
        return _exchange.take(model, net)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    # ---- What the base asks ----------------------------------------------------------------------

    def _validate_input(self, X, y, incremental, reset):
        X, y = self._checked(X, y, reset)
        kind = type_of_target(y, input_name="y")
        if kind.startswith(("continuous", "unknown")):
            raise ValueError(
                f"Unknown label type: {kind}. y has values where labels of discrete classes are "
                "expected; MLPRegressor learns values"
            )
        if not hasattr(self, "classes_") or (not self.warm_start and not incremental):
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
        else:
            self._check_classes(y, incremental)
        return X, self._encoded(y)

    def _check_classes(self, y, incremental):
        """Training that goes on has the classes that it began with; an epoch may lack some."""
        classes = unique_labels(y)
        unknown = np.setdiff1d(classes, self.classes_)
        if not incremental and (len(unknown) or len(classes) != len(self.classes_)):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {classes}. Use partial_fit "
                "for parts of them, or warm_start=False"
            )
        if len(unknown):
            raise ValueError(
                f"`y` has classes not in `self.classes_`: {unknown} are not in {self.classes_}"
            )

    def _check_labels(self, y):
        unknown = np.setdiff1d(unique_labels(y), self.classes_)
        if len(unknown):
            raise ValueError(f"y has the labels {unknown}, which are not in {self.classes_}")

    def _encoded(self, y):
        return self._label_binarizer.transform(y).astype(bool)

    def _decoded(self, Y):
        return self._label_binarizer.inverse_transform(Y)

    def _class_weights(self, Y, sample_weight, incremental, dtype):
        if self.class_weight is None:
            return sample_weight
        if incremental and isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight={self.class_weight!r} needs all rows at once, which partial_fit "
                "does not have; give a dict: compute_class_weight('balanced', classes=..., y=...)"
            )
        given = self.class_weight, self._decoded(Y), self.classes_
        return _class_weight.of_rows(*given, sample_weight, dtype)

    def _output(self):
        return "softmax" if self._label_binarizer.y_type_ == "multiclass" else "logistic"

    def _loss(self, outputs):
        name = "cross_entropy" if self.out_activation_ == "softmax" else "bce"
        return (name, 0.0), 1.0

    def _score_of(self):
        softmax = self.out_activation_ == "softmax"
        return _held_out.accuracy if softmax else _held_out.exact_match

    def _is_multilabel(self):
        return self._label_binarizer.y_type_.startswith("multilabel")

    def _labels(self, Y):
        return None if self._is_multilabel() else self._decoded(Y)

    def _exported_labels(self):
        return "multilabel" if self._is_multilabel() else self.classes_

    @_overrides.own
    def _score(self, X, y, sample_weight=None):
        return super()._score_with_function(X, y, sample_weight, score_function=accuracy_score)
