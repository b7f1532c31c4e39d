"""scikit-learn's perceptrons and bpcore's own, by their attributes."""

import numpy as np

from .._inputs import frames
from .chain import Chain

# scikit-learn's names of activations and losses, and those of the core.
ACTIVATIONS = {"logistic": "sigmoid"}
LOSSES = {
    "squared_error": "mse",
    "poisson": "poisson",
    "absolute_error": "mae",
    "huber": "huber",
    "quantile": "quantile",
}
# Losses with a parameter, and the attribute that has it.
PARAMETERS = {"huber": "huber_delta", "quantile": "quantile"}
# What a fitted perceptron has.
FITTED = ("coefs_", "intercepts_", "out_activation_")


def network(cls, model):
    """The network of a fitted perceptron; see ``Network.from_sklearn``."""
    kind = type(model).__name__
    if not hasattr(model, "activation") or not hasattr(model, "hidden_layer_sizes"):
        raise TypeError(
            f"model is {_article(kind)}, but an MLPClassifier or MLPRegressor is expected"
        )
    if not all(hasattr(model, name) for name in FITTED):
        raise ValueError(f"the {kind} is not fitted yet: call its fit first")
    coefs, intercepts = _arrays(model.coefs_), _arrays(model.intercepts_)
    if len(coefs) != len(intercepts):
        raise ValueError(
            f"coefs_ has {len(coefs)} arrays, but intercepts_ has {len(intercepts)}: one for each "
            "layer is expected in both"
        )
    chain = Chain(f"the {kind}")
    names = [*_hidden(model.activation, len(coefs) - 1), model.out_activation_]
    for layer, arrays in enumerate(zip(coefs, intercepts, names, strict=True)):
        coef, intercept, activation = arrays
        name = f"layer {layer + 1}"
        chain.dense(name, coef.T, intercept)
        chain.activate(name, ACTIVATIONS.get(activation, activation))
    net = chain.network(cls, loss=_loss(model))
    names = getattr(model, "feature_names_in_", None)
    net._feature_names = frames.restored(None if names is None else [*names], net.sizes[0])
    return net


def _article(kind):
    return f"{'an' if kind[:1] in 'AEIOUaeiou' else 'a'} {kind}"


def _arrays(given):
    """Arrays in a dtype of networks: float32 stays, all else is double, as for the estimators."""
    arrays = [np.asarray(array) for array in given]
    return [a if a.dtype in (np.float32, np.float64) else a.astype(np.float64) for a in arrays]


def _hidden(activation, layers):
    """A name for each hidden layer; bpcore's estimators take a list, too."""
    names = [activation] * layers if isinstance(activation, str) else [*activation]
    if len(names) != layers:
        raise ValueError(f"activation names {len(names)} activations for {layers} hidden layers")
    return names


def _loss(model):
    """The loss as Network takes it; None, the output's partner, is a classifier's."""
    name = getattr(model, "loss", "log_loss")
    if name == "log_loss":
        return None
    loss = LOSSES.get(name, name)
    return (loss, getattr(model, PARAMETERS[name])) if name in PARAMETERS else loss
