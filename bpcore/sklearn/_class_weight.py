"""The parameter ``class_weight``: one weight for each row, checked by the name of its class."""

import numpy as np
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

from .._inputs import check
from .._training.hyperparameters import amount


def of_rows(class_weight, y, classes, sample_weight, dtype):
    """Weights (n,) of ``dtype``: that of a row's class, times its ``sample_weight`` or None.

    A dict speaks of ``classes``, all that are known: ``y`` need not have each of them.
    """
    several = isinstance(class_weight, list)  # One for each column of a multilabel y.
    for given in class_weight if several else [class_weight]:
        if isinstance(given, dict):
            _check_weights(given, dtype)
    if isinstance(class_weight, dict) and y.ndim == 1:
        table = compute_class_weight(class_weight, classes=classes, y=classes)
        weights = table[np.searchsorted(classes, y)]
    else:
        weights = compute_sample_weight(class_weight, y)
    if not weights.any():
        raise ValueError(
            f"class_weight is 0 for every class in y, {np.unique(y)}; one weight must be positive"
        )
    if sample_weight is not None:
        weights = weights * sample_weight
    weights = check.numbers("sample_weight times class_weight", weights, dtype)
    if not weights.any():
        raise ValueError(
            "sample_weight times class_weight is zero for every row; one must be positive"
        )
    return weights


def _check_weights(class_weight, dtype):
    for label, weight in class_weight.items():
        label = label.item() if isinstance(label, np.generic) else label
        amount(f"class_weight[{label!r}]", weight, dtype)
