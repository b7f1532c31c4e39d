"""What an estimator was told at its making: checked at fit, or refused.

scikit-learn wants ``__init__`` to keep its arguments untouched, so that ``clone`` and
``set_params`` work. Everything here is read from the estimator when it is fitted or used.
"""

from collections.abc import Iterable
from numbers import Integral, Real

import numpy as np

from .. import _core
from .._arrivals.from_sklearn import ACTIVATIONS, LOSSES
from .._inputs import check as _check
from .._training.hyperparameters import Hyperparameters
from ..optimizers import SGD, Adam, AdamW, Momentum, Nesterov, RMSprop, Rprop
from ..schedules import Constant

STOCHASTIC = ("sgd", "adam", "rmsprop", "adamw", "rprop")
SECOND_ORDER = ("lbfgs", "lm")
# Solvers with a schedule. Adam has none, because scikit-learn's has none.
SCHEDULED = ("sgd", "rmsprop", "adamw")
SCHEDULES = ("constant", "invscaling", "adaptive")

HIDDEN = ("logistic", *(name for name in _core.ACTIVATIONS if name != "softmax"))


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_))


def _is_whole(value):
    return isinstance(value, Integral) and not isinstance(value, (bool, np.bool_))


def _is_share(value):
    return _is_number(value) and _check.is_share(value)


def _is_amount(value):
    return _is_number(value) and 0 <= value < np.inf


def _is_positive(value):
    return _is_number(value) and 0 < value < np.inf


def _is_count(value):
    return _is_whole(value) and value >= 1


def _one_of(*names):
    return lambda value: isinstance(value, str) and value in names, " or ".join(map(repr, names))


SHARE = _is_share, "a number from 0 up to, not including, 1"
AMOUNT = _is_amount, "a finite number of at least 0"
POSITIVE = _is_positive, "a finite number above 0"
COUNT = _is_count, "a whole number of at least 1"
FLAG = _check.is_flag, "True or False"

EXPECTED = {
    "solver": _one_of(*STOCHASTIC, *SECOND_ORDER),
    "alpha": AMOUNT,
    "batch_size": (lambda value: value == "auto" if isinstance(value, str) else _is_count(value),
                   "'auto' or a whole number of at least 1"),
    "learning_rate": _one_of(*SCHEDULES),
    "learning_rate_init": POSITIVE,
    "power_t": AMOUNT,
    "max_iter": COUNT,
    "shuffle": FLAG,
    "tol": AMOUNT,
    "verbose": (lambda value: _check.is_flag(value) or (_is_whole(value) and value >= 0),
                "True, False or a whole number of at least 0"),
    "warm_start": FLAG,
    "momentum": SHARE,
    "nesterovs_momentum": FLAG,
    "early_stopping": FLAG,
    "validation_fraction": SHARE,
    "beta_1": SHARE,
    "beta_2": SHARE,
    "epsilon": POSITIVE,
    "n_iter_no_change": (lambda value: _is_count(value) or (_is_number(value) and value == np.inf),
                         "a whole number of at least 1, or infinity"),
    "max_fun": COUNT,
    "class_weight": (lambda value: value is None or isinstance(value, (dict, list))
                     or (isinstance(value, str) and value == "balanced"),
                     "None, 'balanced', a dict with a weight for each label, or, where rows have "
                     "several labels, a list of a dict for each column"),
    "clip_norm": (lambda value: value is None or _is_positive(value),
                  "None or a finite number above 0"),
    "l1": AMOUNT,
    "max_norm": (lambda value: value is None or _is_positive(value),
                 "None or a finite number above 0"),
    "n_threads": (lambda value: value is None or _is_count(value),
                  "None or a whole number of at least 1"),
    "callbacks": (lambda value: value is None or (isinstance(value, (list, tuple))
                                                  and all(map(callable, value))),
                  "None or a list of callables"),
    "loss": _one_of(*LOSSES),
    "quantile": (lambda value: _is_number(value) and 0 < value < 1, "a number between 0 and 1"),
    "huber_delta": POSITIVE,
}  # fmt: skip


def check(estimator):
    """Refuse a parameter that training could not use, with what is expected in its place."""
    for name, value in estimator.get_params(deep=False).items():
        accepts, expected = EXPECTED.get(name, (None, None))
        if accepts is not None and not accepts(value):
            raise ValueError(
                f"{name} of {type(estimator).__name__} is {value!r}, but {expected} is expected"
            )

    _check_second_order(estimator)


def check_in(estimator, dtype):
    """Refuse a number that ``dtype`` cannot hold, or rounds to one that is refused."""
    if estimator.solver == "lm":  # It computes in float64, whatever the weights are.
        dtype = np.dtype(np.float64)
    for name in _used(estimator):
        given = getattr(estimator, name)
        if given is None:
            continue
        rounded = float(dtype.type(_check.normal_number(name, given, dtype)))
        accepts, expected = EXPECTED[name]
        if not accepts(rounded):
            raise ValueError(
                f"{name} is {given!r}, as {dtype} {rounded:g}, but {expected} is expected"
            )


def _used(estimator):
    """The parameters that are numbers and have a part in this training."""
    solver, loss = estimator.solver, getattr(estimator, "loss", None)
    names = {"huber": ["huber_delta"], "quantile": ["quantile"]}.get(loss, [])
    if solver in SECOND_ORDER:
        return [*names, "alpha"]
    moments = {
        "sgd": ["momentum"],
        "adam": ["beta_1", "beta_2", "epsilon"],
        "adamw": ["beta_1", "beta_2", "epsilon"],
        "rmsprop": ["beta_2", "epsilon"],
    }
    common = ["learning_rate_init", "alpha", "l1", "clip_norm", "max_norm"]
    return [*names, *common, *moments.get(solver, [])]


def _check_second_order(estimator):
    """What works on batches means nothing to a solver that sees all rows at once."""
    solver = estimator.solver
    if solver not in SECOND_ORDER:
        return
    given = [
        name for name in ("dropout", "clip_norm", "l1", "max_norm") if getattr(estimator, name)
    ]
    if given:
        raise ValueError(
            f"{given[0]} is for the solvers {', '.join(STOCHASTIC)}, but solver is {solver!r}"
        )
    loss = getattr(estimator, "loss", "log_loss")
    if solver == "lm" and loss != "squared_error":
        raise ValueError(
            f"solver='lm' is for MLPRegressor with loss='squared_error', but the loss is {loss!r}; "
            "'lbfgs' takes any"
        )


def hidden_sizes(estimator):
    """``hidden_layer_sizes`` as a list of ints; one number is one layer."""
    given = estimator.hidden_layer_sizes
    sizes = list(given) if isinstance(given, Iterable) else [given]
    if not all(map(_is_count, sizes)):
        raise ValueError(
            f"hidden_layer_sizes must be > 0 and whole, one size for each hidden layer, but is "
            f"{given!r}"
        )
    return [int(size) for size in sizes]


def hidden_activations(estimator, layers):
    """The core's name of each hidden layer's activation; one name is for all."""
    given = estimator.activation
    names = [given] * layers if isinstance(given, str) else given
    if not isinstance(names, (list, tuple)) or len(names) != layers:
        raise ValueError(
            f"activation is {given!r}, but a name, or a list with one for each of the {layers} "
            "hidden layers, is expected"
        )
    for name in [given] if isinstance(given, str) else names:
        if not isinstance(name, str) or name not in HIDDEN:
            raise ValueError(f"activation has {name!r}, but it can be one of: {', '.join(HIDDEN)}")
    return [ACTIVATIONS.get(name, name) for name in names]


def dropout(estimator, layers):
    """A share for each hidden layer, or None where nothing is dropped."""
    given = estimator.dropout
    if given is None or layers == 0:
        return None
    shares = list(given) if isinstance(given, Iterable) else [given] * layers
    if len(shares) != layers or not all(map(_is_share, shares)):
        raise ValueError(
            f"dropout is {given!r}, but None, a number from 0 up to, not including, 1, or a list "
            f"with one for each of the {layers} hidden layers is expected"
        )
    return [float(share) for share in shares] if any(shares) else None


def optimizer(estimator):
    """What the solver does with a gradient: moments belong to one optimiser and to its equals."""
    solver = estimator.solver
    if solver in ("adam", "adamw"):
        kind = Adam if solver == "adam" else AdamW
        return kind(estimator.beta_1, estimator.beta_2, estimator.epsilon, epsilon_inside=True)
    if solver == "rmsprop":
        return RMSprop(estimator.beta_2, estimator.epsilon)
    if solver == "rprop":
        return Rprop()
    if estimator.momentum == 0:
        return SGD()
    return (Nesterov if estimator.nesterovs_momentum else Momentum)(estimator.momentum)


def schedule(estimator):
    """What the learning rate follows: its name, where it begins, and the power that it needs."""
    name = estimator.learning_rate if estimator.solver in SCHEDULED else "constant"
    power = estimator.power_t if name == "invscaling" else None
    return name, float(estimator.learning_rate_init), power


def hyperparameters(estimator, net, threads):
    """How a stochastic solver learns.

    scikit-learn adds ``alpha / 2 |W|^2`` to the sum of a batch's losses, so penalties belong to
    the sum; AdamW takes the same parameter as its decay, which is no penalty.
    """
    penalties = {
        "l1": estimator.l1,
        "penalty_of_sum": True,
        "clip_norm": estimator.clip_norm or 0.0,
        "max_norm": estimator.max_norm or 0.0,
    }
    penalties["weight_decay" if estimator.solver == "adamw" else "l2"] = estimator.alpha
    kind, rate = optimizer(estimator), Constant(float(estimator.learning_rate_init))
    rule = _core.Rule(**{**kind.rule(), **penalties})
    drops = dropout(estimator, len(net.sizes) - 2)
    return Hyperparameters(kind, rate, rule, threads, net.dtype, dropout=drops)
