"""MLPRegressor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from .._arrivals.from_sklearn import PARAMETERS
from .._inputs import check
from . import _exchange, _held_out, _overrides, _parameters
from ._base import BasePerceptron
from ._bases import RegressorMixin, available_if

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    import numpy as np
    from numpy.typing import ArrayLike
    from sklearn.utils import Tags

    from .._types import FloatArray, MatrixLike, Pair, SklearnActivation, SklearnSolver
    from ..network import Network

# scikit-learn's names of the core's losses, and the outputs that a regressor has with them.
NAMES = {core: name for name, core in _parameters.LOSSES.items()}
OUTPUTS = tuple(("exp" if loss == "poisson" else "identity", loss) for loss in NAMES)


class MLPRegressor(RegressorMixin, BasePerceptron):
    """A regressor: a fully connected network with one of several losses.

    The parameters of ``sklearn.neural_network.MLPRegressor`` have its meanings and defaults, and
    with the same ``random_state`` the same start weights and batches. These are new, and change
    nothing unless they are given:

    Parameters
    ----------
    loss : str
        Beside "squared_error" and "poisson": "absolute_error", for the median; "huber", squared
        up to ``huber_delta`` and straight beyond; "quantile", for the quantile ``quantile``.
    solver : str
        Beside "lbfgs", "sgd" and "adam": "rmsprop"; "adamw", with ``alpha`` as its decay, no
        penalty; "rprop", which takes all rows a step; "lm" (Levenberg-Marquardt), for small
        networks with the squared error.
    activation, dropout, clip_norm, l1, max_norm, n_threads, callbacks
        As for ``MLPClassifier``.
    quantile : float, default 0.5
        Between 0 and 1.
    huber_delta : float, default 1.0
        In the units of y.

    Attributes
    ----------
    eval_loss_curve_ : list of float
        Loss on ``eval_set`` after each epoch, without penalties, where ``fit`` was given one.

    Notes
    -----
    The other attributes are scikit-learn's, as for ``MLPClassifier``, without ``classes_``.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.sklearn import MLPRegressor
    >>> X = np.linspace(0, 1, 50)[:, None]
    >>> model = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", alpha=0.0)
    >>> model.fit(X, 2 * X[:, 0] + 1).predict([[0.5]]).round(3)
    array([2.])
    """

    def __init__(
        self,
        loss: Literal[
            "squared_error", "poisson", "absolute_error", "huber", "quantile"
        ] = "squared_error",
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: SklearnActivation | Sequence[SklearnActivation] = "relu",
        *,
        solver: SklearnSolver | Literal["lm"] = "adam",
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
        dropout: float | Sequence[float] | None = None,
        clip_norm: float | None = None,
        l1: float = 0.0,
        max_norm: float | None = None,
        n_threads: int | None = None,
        callbacks: Sequence[Callable[[Self], object]] | None = None,
        quantile: float = 0.5,
        huber_delta: float = 1.0,
    ) -> None:
        self.loss = loss
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
        self.dropout = dropout
        self.clip_norm = clip_norm
        self.l1 = l1
        self.max_norm = max_norm
        self.n_threads = n_threads
        self.callbacks = callbacks
        self.quantile = quantile
        self.huber_delta = huber_delta

    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        eval_set: Pair | None = None,
    ) -> Self:
        """Train on X (n, features) and the values y.

        Parameters
        ----------
        X : array-like or sparse matrix (n, features)
            float32 is trained in float32, everything else in float64.
        y : array-like (n,) or (n, outputs)
        sample_weight : array-like (n,), optional
        eval_set : pair (X, y), optional
            Measured after each epoch: ``eval_loss_curve_``. With ``early_stopping`` it takes the
            place of a part of X.

        Returns
        -------
        MLPRegressor
            Itself.

        Raises
        ------
        ValueError, TypeError
            For data or parameters that do not fit, or where the training diverges.
        """
        return self._fit_once(X, y, sample_weight, eval_set)

    @available_if(lambda estimator: estimator._check_solver())
    def partial_fit(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train for one epoch, going on from where the estimator is.

        Parameters are those of ``fit``. Returns itself.
        """
        return self._fit(X, y, sample_weight=sample_weight, incremental=True)

    def predict(self, X: MatrixLike) -> FloatArray:
        """Values for the rows of X: (n,), or (n, outputs)."""
        check_is_fitted(self)
        return self._predict(X)

    @_overrides.own
    def _predict(self, X, check_input=True):
        A = self._forward_pass_fast(X, check_input=check_input)
        return A.ravel() if A.shape[1] == 1 else A

    @classmethod
    def from_network(cls, net: Network, **parameters: Any) -> Self:
        """A fitted regressor with the weights of ``net``, copied.

        As ``MLPClassifier.from_network``, for a network with the output "exp" and the loss
        "poisson", or "identity" and "mse", "mae", "huber" or "quantile". ``parameters`` are others
        than hidden_layer_sizes, activation, loss and the loss's own, which the network tells.

        Examples
        --------
        >>> from bpcore import Network
        >>> from bpcore.sklearn import MLPRegressor
        >>> net = Network([2, 4, 1], hidden="tanh", output="identity", loss=("huber", 2.0), seed=1)
        >>> model = MLPRegressor.from_network(net, solver="adam")
        >>> model.loss, model.huber_delta
        ('huber', 2.0)
        >>> bool(model.predict([[1.0, 2.0]]) == net.predict([[1.0, 2.0]]))
        True
        """
        _exchange.expect_network(cls, net, OUTPUTS)
        own = {"loss": NAMES[net.loss_name]}
        if net.loss_name in PARAMETERS:
            own[PARAMETERS[net.loss_name]] = net.loss_parameter
        return _exchange.take(_exchange.made(cls, net, parameters, **own), net)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    # ---- What the base asks ----------------------------------------------------------------------

    _numeric = True

    def _targets(self, y, dtype):
        Y = check.numbers("y", y, dtype).reshape(len(y), -1)
        if self.loss == "poisson" and Y.min() < 0:
            raise ValueError(f"y has {Y.min():g}, but loss='poisson' needs values of at least 0")
        return Y

    def _output(self):
        return "exp" if self.loss == "poisson" else "identity"

    def _loss(self, outputs):
        parameter = {"huber": self.huber_delta, "quantile": self.quantile}.get(self.loss, 0.0)
        # scikit-learn reports the mean over outputs, but for "poisson", and descends on the sum.
        scale = 1.0 if self.loss == "poisson" else 1.0 / outputs
        return (_parameters.LOSSES[self.loss], float(parameter)), scale

    def _score_of(self):
        return _held_out.r2

    @_overrides.own
    def _score(self, X, y, sample_weight=None):
        return super()._score_with_function(X, y, sample_weight, score_function=r2_score)
