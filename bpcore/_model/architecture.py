"""What a network is told at its making, and ``fit`` about its evaluation: checked, or refused."""

import numpy as np

from .. import _core
from .._inputs import check
from .._inputs.user_warnings import warn

# The loss of an output that has one of its own, whose delta is A - Y.
PARTNERS = {output: loss for loss, output in _core.LOSS_OUTPUTS.items()}
# The parameter of a loss, where it need not be given.
LOSS_PARAMETERS = {"huber": 1.0}
# The number of elements that an array of bytes can have.
LARGEST = np.iinfo(np.intp).max

# Outputs that are bounded on both sides. What is below 0 is often noise where an output ends there.
RANGES = {"sigmoid": (0, 1), "softmax": (0, 1), "tanh": (-1, 1)}


def sizes(given):
    """Layer sizes as a tuple of ints, two at least."""
    try:
        given = tuple(given)
    except TypeError:
        raise TypeError(
            f"sizes is {check.shown(given)}, but a sequence is expected: [784, 196, 1]"
        ) from None
    if len(given) < 2:
        raise ValueError(
            f"sizes is {check.shown(list(given))}, but inputs and outputs are needed: [2, 1]"
        )
    return tuple(check.whole_number(f"sizes[{i}]", n, 1, LARGEST) for i, n in enumerate(given))


def hidden(given, layers):
    """A name for each of the hidden layers."""
    allowed = tuple(name for name in _core.ACTIVATIONS if name != "softmax")
    if isinstance(given, str):
        return (check.choice("hidden", given, allowed),) * layers
    try:
        names = tuple(given)
    except TypeError:
        raise TypeError(
            f"hidden is {check.shown(given)}, but a name or a sequence is expected"
        ) from None
    if len(names) != layers:
        raise ValueError(f"hidden names {len(names)} activations for {layers} hidden layers")
    return tuple(check.choice(f"hidden[{i}]", name, allowed) for i, name in enumerate(names))


def output(given, units):
    """The name of the last layer's activation."""
    name = check.choice("output", given, tuple(_core.ACTIVATIONS))
    if name == "softmax" and units == 1:
        raise ValueError("softmax over 1 output is always 1; use sigmoid, or 2 outputs")
    return name


def loss(given, output, dtype):
    """The name of a loss that goes with the output, and its parameter, or 0."""
    if given is None:
        return PARTNERS.get(output, "mse"), 0.0
    name, *rest = given if isinstance(given, (tuple, list)) and given else (given,)
    check.choice("loss", name, tuple(_core.LOSSES))
    needed = _core.LOSS_OUTPUTS.get(name, output)
    if output != needed:
        what = "a rate" if needed == "exp" else "probabilities"
        raise ValueError(f"loss {name!r} needs {what}: use output={needed!r}, not {output!r}")
    return name, _loss_parameter(name, rest, dtype)


def _loss_parameter(name, given, dtype):
    if name not in _core.LOSS_LIMITS:
        if given:
            raise ValueError(
                f"loss {name!r} has no parameter, but {check.shown(given[0])} is given"
            )
        return 0.0
    value = given[0] if len(given) == 1 else LOSS_PARAMETERS.get(name)
    if value is None or len(given) > 1:
        raise ValueError(f'loss {name!r} needs one parameter: loss=("{name}", 0.5)')
    number = check.finite_number(f"loss {name!r}'s parameter", value)
    if number <= 1:  # What is too large for the dtype is as good as infinite.
        check.normal_number(f"loss {name!r}'s parameter", value, dtype)
    limit = _core.LOSS_LIMITS[name]
    if not 0 < number or (limit == 1 and not dtype.type(number) < 1):
        where = f"between 0 and 1 as {dtype}" if limit == 1 else "positive"
        raise ValueError(f"loss {name!r}'s parameter is {number!r}, but it must be {where}")
    return number


def loss_as_given(net):
    """The loss as Network takes it: a name, or a name and its parameter."""
    has_parameter = net.loss_name in _core.LOSS_LIMITS
    return (net.loss_name, net.loss_parameter) if has_parameter else net.loss_name


def dtype(given):
    """float32 or float64 as a NumPy dtype."""
    try:
        name = given if isinstance(given, str) else np.dtype(given).name
    except TypeError:
        name = given
    if given is None:
        name = None
    return np.dtype(check.choice("dtype", name, check.DTYPES))


def seed(given):
    """A seed for NumPy's legacy generator; one from the operating system for None."""
    if given is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    return check.whole_number("seed", given, 0, 2**32 - 1)


def expect_reachable(net, Y, name="y"):
    """Can outputs come near targets Y (n, outputs)? Warn where no training gets them there."""
    if net.output not in RANGES or net.loss_name in _core.LOSS_OUTPUTS:
        return True  # Targets that such a loss cannot take are refused: see check.targets.
    (least, most), lowest, highest = RANGES[net.output], Y.min(), Y.max()
    if lowest >= least and highest <= most:
        return True
    wrong = lowest if lowest < least else highest
    warn(
        f"{name} has the value {wrong:g}, but outputs of {net.output!r} are between {least} "
        f'and {most}: scale {name}, or use output="identity"'
    )
    return False


def pair(eval_set):
    """``eval_set`` if it is a pair (X, y)."""
    if not isinstance(eval_set, (tuple, list)) or len(eval_set) != 2:
        raise TypeError("eval_set is a pair: eval_set=(X, y), or a share of the rows, such as 0.1")
    return eval_set


def labels(A):
    """Classes of activations or targets (n, outputs)."""
    return (A[:, 0] > 0.5).astype(np.int64) if A.shape[1] == 1 else A.argmax(axis=1)
