"""Input standardisation that belongs to a network."""

import numpy as np

from . import _core


class Scaling:
    """x := (x - shift) * scale, for each feature; float64 arrays (inputs,)."""

    def __init__(self, shift, scale):
        self.shift, self.scale = shift, scale

    @classmethod
    def of(cls, X):
        """Mean 0 and variance 1 for the columns of X; what never varies keeps its scale."""
        if isinstance(X, _core.Sparse):
            raise TypeError(
                "standardize=True needs dense X: centred data is not sparse any more. Scale X "
                "before, or use X.toarray()"
            )
        shift = X.mean(axis=0, dtype=np.float64)
        deviation = X.std(axis=0, dtype=np.float64)
        return cls(shift, 1 / np.where(deviation > 0, deviation, 1.0))

    def apply(self, X):
        """X standardised, in its dtype, in an array of its own."""
        if isinstance(X, _core.Sparse):
            raise TypeError(
                "X is sparse, but the network standardises dense X; use X.toarray() or a network "
                "with standardize=False"
            )
        return np.ascontiguousarray((X - self.shift) * self.scale, X.dtype)
