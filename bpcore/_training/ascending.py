"""Sums in double whose terms are added one after another, as the core adds losses and weights."""

import numpy as np


def ascending_sum(numbers):
    """Their sum in double, one after another; NumPy's own is by pairs."""
    return float(np.add.accumulate(numbers, dtype=np.float64)[-1])
