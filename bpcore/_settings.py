"""What a network is told at its making, and ``fit`` about its evaluation: checked, or refused."""

import numpy as np

from . import _check, _core

# The loss whose delta is A - Y for this output, or the usual one.
PARTNERS = {
    "sigmoid": "bce",
    "softmax": "cross_entropy",
    "identity": "mse",
    "tanh": "mse",
    "relu": "mse",
}
# The number of elements that an array of bytes can have.
LARGEST = np.iinfo(np.intp).max

NEEDS = {"bce": "sigmoid", "cross_entropy": "softmax"}


def sizes(given):
    """Layer sizes as a tuple of ints, two at least."""
    try:
        given = tuple(given)
    except TypeError:
        raise TypeError(f"sizes is {given!r}, but a sequence is expected: [784, 196, 1]") from None
    if len(given) < 2:
        raise ValueError(f"sizes is {list(given)}, but inputs and outputs are needed: [2, 1]")
    return tuple(_check.whole_number(f"sizes[{i}]", n, 1, LARGEST) for i, n in enumerate(given))


def hidden(given, layers):
    """A name for each of the hidden layers."""
    allowed = tuple(name for name in _core.ACTIVATIONS if name != "softmax")
    if isinstance(given, str):
        return (_check.choice("hidden", given, allowed),) * layers
    try:
        names = tuple(given)
    except TypeError:
        raise TypeError(f"hidden is {given!r}, but a name or a sequence is expected") from None
    if len(names) != layers:
        raise ValueError(f"hidden names {len(names)} activations for {layers} hidden layers")
    return tuple(_check.choice(f"hidden[{i}]", name, allowed) for i, name in enumerate(names))


def output(given, units):
    """The name of the last layer's activation."""
    name = _check.choice("output", given, tuple(_core.ACTIVATIONS))
    if name == "softmax" and units == 1:
        raise ValueError("softmax over 1 output is always 1; use sigmoid, or 2 outputs")
    return name


def loss(given, output):
    """The name of a loss that goes with the output."""
    if given is None:
        return PARTNERS[output]
    _check.choice("loss", given, tuple(_core.LOSSES))
    if given in NEEDS and output != NEEDS[given]:
        raise ValueError(
            f"loss {given!r} needs probabilities: use output={NEEDS[given]!r}, not {output!r}"
        )
    return given


def dtype(given):
    """float32 or float64 as a NumPy dtype."""
    try:
        name = given if isinstance(given, str) else np.dtype(given).name
    except TypeError:
        name = given
    if given is None:
        name = None
    return np.dtype(_check.choice("dtype", name, _check.DTYPES))


def seed(given):
    """A seed for NumPy's legacy generator; one from the operating system for None."""
    if given is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    return _check.whole_number("seed", given, 0, 2**32 - 1)


def pair(eval_set):
    """``eval_set`` if it is a pair (X, y)."""
    if not isinstance(eval_set, (tuple, list)) or len(eval_set) != 2:
        raise TypeError("eval_set is a pair: eval_set=(X, y)")
    return eval_set
