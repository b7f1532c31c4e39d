"""The private methods of scikit-learn's perceptrons that people override.

Those that have a place here are called where scikit-learn calls them, with its arguments. The
others belong to a computation that the core does in one piece: overriding one of them would change
nothing, so it is refused.
"""

import inspect

# Methods that would never be called, and what to use in their place.
_TRAINS = (
    "the parameters class_weight, dropout, clip_norm, l1, max_norm, loss and callbacks change how "
    "it trains, and bpcore.Network.backward gives the gradient of any loss for a loop of your own"
)
_STEPS = "the parameters solver and callbacks, and _update_no_improvement_count after each epoch"
UNHEARD = {
    "_backprop": _TRAINS,
    "_compute_loss_grad": _TRAINS,
    "_loss_grad_lbfgs": _TRAINS,
    "_forward_pass": "activation takes a name for each layer, and _forward_pass_fast is what "
    "predicts",
    "_fit_stochastic": _STEPS,
    "_fit_lbfgs": _STEPS,
    "_unpack": "coefs_ and intercepts_ may be changed in place, also by callbacks",
}

# What decides the score of the rows that are held out, and with what is made of it.
SCORES = "_score", "_predict", "_forward_pass_fast"
AFTER_EPOCHS = "_update_no_improvement_count", *SCORES

_OWN = set()


def own(method):
    """Mark a method as bpcore's, so that another one in its place is seen."""
    _OWN.add(method)
    return method


def are_own(estimator, names):
    """Is each of these methods bpcore's, on the object and on its class?"""
    return all(getattr(getattr(estimator, name), "__func__", None) in _OWN for name in names)


def refuse_unheard(place):
    """Refuse a class, or an estimator, with a method that would never be called."""
    for name, instead in UNHEARD.items():
        method = inspect.getattr_static(place, name, None)
        if method is not None and not getattr(method, "__module__", "").startswith("sklearn."):
            kind = place if isinstance(place, type) else type(place)
            raise TypeError(
                f"{kind.__name__} overrides {name}, which bpcore.sklearn never calls: its core "
                f"computes that. In its place: {instead}. "
                "A class of sklearn.neural_network takes the method as it is"
            )
