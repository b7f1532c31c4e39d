"""Functions of one number, as values at sample points, and the activation that they are.

Exporters compose softplus, SiLU or GELU of other operators, each in a way of its own. What counts
is the function: its values are computed here and compared with those of bpcore's activations.
"""

import functools
import math

import numpy as np

from .. import reference

# Where functions are compared: 0, small and large numbers of both signs, and densely where
# activations bend.
_SIZES = np.concatenate([np.logspace(-6, -1, 11), np.arange(1, 41) / 8, np.logspace(1, 6, 26)])
POINTS = np.concatenate([-_SIZES[::-1], [0.0], _SIZES])
POINTS.flags.writeable = False
# Up to here a formula has to be finite; beyond it one that overflows, in float32 already, is not
# looked at: exp(88) is about float32's limit.
FINITE_UP_TO = 88
# Constants of formulas are rounded to float32, as attributes always are, and some are squared or in
# an exponent; what is below 1/64 of a unit beside 1 is nothing.
UNIT = float(np.finfo(np.float32).eps)
RELATIVE, ABSOLUTE = 8 * UNIT, UNIT / 64


def _elu(x, alpha):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _gelu(x, approximate):
    if approximate == b"none":
        return x * reference.normal(x)
    return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


# Operators by the number of their operands, each a number or values at the points.
OPERATORS = {
    1: {
        "Abs": np.abs,
        "Elu": _elu,
        "Erf": lambda x: 2 * reference.normal(math.sqrt(2) * x) - 1,
        "Exp": np.exp,
        "Gelu": _gelu,
        "LeakyRelu": lambda x, alpha: np.where(x > 0, x, alpha * x),
        "Log": np.log,
        "Neg": np.negative,
        "Reciprocal": np.reciprocal,
        "Relu": lambda x: np.maximum(x, 0),
        "Selu": lambda x, alpha, gamma: gamma * _elu(x, alpha),
        "Sigmoid": reference.sigmoid,
        "Softplus": lambda x: np.logaddexp(0, x),
        "Sqrt": np.sqrt,
        "Swish": lambda x, alpha: x * reference.sigmoid(alpha * x),
        "Tanh": np.tanh,
    },
    2: {
        "Add": np.add,
        "Div": np.divide,
        "Greater": np.greater,
        "GreaterOrEqual": np.greater_equal,
        "Less": np.less,
        "LessOrEqual": np.less_equal,
        "Max": np.maximum,
        "Min": np.minimum,
        "Mul": np.multiply,
        "Pow": np.power,
        "Sub": np.subtract,
    },
    3: {"Where": np.where},
}
# Their attributes, with the values that ONNX gives them where a node does not.
ATTRIBUTES = {
    "LeakyRelu": {"alpha": 0.01},
    "Elu": {"alpha": 1.0},
    "Selu": {"alpha": reference.SELU_ALPHA, "gamma": reference.SELU},
    "Gelu": {"approximate": b"none"},
    "Swish": {"alpha": 1.0},
}


def knows(operator, operands):
    """Is there such an operator of so many operands?"""
    return operator in OPERATORS.get(operands, {})


def values(operator, operands, attributes):
    """What an operator makes of its operands; None for arithmetic with truth values."""
    try:
        with np.errstate(all="ignore"):
            return np.asarray(OPERATORS[len(operands)][operator](*operands, **attributes))
    except TypeError:
        return None


def activation_of(function):
    """bpcore's name of the activation that has these values at the points, or None."""
    if function is POINTS:
        return "identity"
    if function.dtype != np.float64 or function.shape != POINTS.shape:
        return None
    return next((name for name, own in _own().items() if _agree(function, own)), None)


@functools.cache
def _own():
    """{name: values at the points} of bpcore's activations."""
    with np.errstate(over="ignore"):
        return {
            name: forward(POINTS)
            for name, (forward, _) in reference.ACTIVATIONS.items()
            if name != "softmax"
        }


def _agree(function, own):
    """Are these values those of one function, within float32's rounding?"""
    with np.errstate(invalid="ignore"):  # Infinity less infinity.
        apart = np.abs(function - own) > ABSOLUTE + RELATIVE * np.abs(own)
    finite = np.isfinite(function)
    near = np.abs(POINTS) <= FINITE_UP_TO
    return bool(not apart[finite].any() and finite[near & np.isfinite(own)].all())
