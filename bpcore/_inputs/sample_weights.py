"""How much each sample counts: sample_weight and class_weight become one array."""

import numpy as np

from . import check


def sample_weights(
    sample_weight, class_weight, Y, net, name="sample_weight", *, may_be_zero=False, whole=None
):
    """Weights (n,) of the rows of Y (n, outputs), or None where all count alike.

    ``may_be_zero``: Y is one part of the data, which counts for nothing if none of its rows does.
    ``whole`` makes of an array of each row here the array of all rows that there are elsewhere.
    """
    weights = None
    if sample_weight is not None:
        weights = check.numbers(name, sample_weight, net.dtype)
        weights = check.copy_if_aliased(weights, net.parameters)
        if weights.shape != (len(Y),):
            raise ValueError(f"{name} has shape {weights.shape}, but ({len(Y)},) is expected")
        if (weights < 0).any():
            row = int(np.argmax(weights < 0))
            raise ValueError(f"{name}[{row}] is {weights[row]:g}, but it must be at least 0")
    if class_weight is not None:
        of_class = _class_weights(class_weight, Y, net, weights, whole or _alone)
        with np.errstate(over="ignore"):  # becomes infinite, refused below
            product = of_class if weights is None else weights * of_class
        weights = check.numbers("sample_weight times class_weight", product, net.dtype)
    if not may_be_zero:
        expect_some(weights, name)
    return weights


def expect_some(weights, name="sample_weight"):
    """ValueError where there are weights, and all of them are zero."""
    if weights is not None and not float(weights.sum(dtype=np.float64)) > 0:
        raise ValueError(f"{name} is zero for every sample: nothing would be learnt")


def _alone(array):
    """The rows here are all there are."""
    return array


def _class_weights(class_weight, Y, net, weights, whole):
    labels, classes = _labels(Y, net)
    if isinstance(class_weight, str):
        check.choice("class_weight", class_weight, ("balanced",))
        everyone = weights if weights is None else whole(weights)
        counts = np.bincount(whole(labels), everyone, minlength=classes).astype(np.float64)
        total, present = counts.sum(), np.count_nonzero(counts)
        table = np.divide(total, present * counts, out=np.zeros(classes), where=counts > 0)
    elif isinstance(class_weight, dict):
        table = np.ones(classes)
        for label, weight in class_weight.items():
            place = check.whole_number("class_weight's label", label, 0, classes - 1)
            table[place] = check.normal_number(f"class_weight[{label}]", weight, net.dtype)
            if table[place] < 0:
                raise ValueError(f"class_weight[{label}] is {weight}, but it must be at least 0")
    else:
        raise TypeError(
            f'class_weight is {check.shown(class_weight)}, but "balanced" or a dict is expected'
        )
    with np.errstate(over="ignore"):  # too large for the dtype: refused by the caller
        return table[labels].astype(net.dtype)


def _labels(Y, net):
    """The class of each row, and how many classes there are."""
    if net.output not in ("sigmoid", "softmax"):
        raise ValueError(f"class_weight needs outputs that are classes, not {net.output!r}")
    if Y.shape[1] == 1:
        return (Y[:, 0] > 0.5).astype(np.intp), 2
    if not np.all((Y == 0) | (Y == 1)) or not np.all(Y.sum(axis=1) == 1):
        raise ValueError("class_weight needs one class for each row of y; use sample_weight")
    return Y.argmax(axis=1), Y.shape[1]
