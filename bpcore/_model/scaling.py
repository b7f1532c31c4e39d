"""Input standardisation that belongs to a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import _core
from .._inputs import check

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from .._types import FloatArray


class Standardizer:
    """x := (x - shift) * scale, for each feature; ``net.scaling`` of a network that standardises.

    Parameters
    ----------
    shift, scale : ndarray (inputs,) of float64
        What is subtracted, and by what the rest is multiplied: mean and 1 / deviation.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0, 10.0], [3.0, 10.0]])
    >>> Standardizer.of(X).apply(X)
    array([[-1.,  0.],
           [ 1.,  0.]])
    """

    def __init__(self, shift: ArrayLike, scale: ArrayLike) -> None:
        # Copies: what becomes of the caller's arrays later does not change the network.
        self.shift: NDArray[np.float64] = np.array(check.numbers("shift", shift, "float64"))
        self.scale: NDArray[np.float64] = np.array(check.numbers("scale", scale, "float64"))
        if self.shift.ndim != 1 or self.shift.shape != self.scale.shape:
            raise ValueError(
                f"shift has shape {self.shift.shape} and scale {self.scale.shape}, but one number "
                "for each feature is expected"
            )

    @classmethod
    def of(cls, X: FloatArray) -> Self:
        """Mean 0 and variance 1 for the columns of dense X; what never varies keeps its scale."""
        if isinstance(X, _core.Sparse):
            raise TypeError(
                "standardize=True needs dense X: centred data is not sparse any more. Scale X "
                "before, or use X.toarray()"
            )
        # A column of equal numbers has a rounded mean, so that its deviation need not be 0.
        varies = X.max(axis=0) > X.min(axis=0)
        with np.errstate(over="ignore", invalid="ignore"):
            shift = np.where(varies, X.mean(axis=0, dtype=np.float64), X[0])
            deviation = np.where(varies, X.std(axis=0, dtype=np.float64), 1.0)
            scale = 1 / np.where(deviation > 0, deviation, 1.0)
        for name, figures in (("mean", shift), ("deviation", deviation), ("1 / deviation", scale)):
            check.numbers(f"standardize=True: {name} of X", figures, "float64")
        return cls(shift, scale)

    def apply(self, X: FloatArray) -> FloatArray:
        """X standardised, in its dtype, in an array of its own."""
        if isinstance(X, _core.Sparse):
            raise TypeError(
                "X is sparse, but the network standardises dense X; use X.toarray() or a network "
                "with standardize=False"
            )
        if X.shape[1] != len(self.shift):
            raise ValueError(f"X has {X.shape[1]} features, but scaling has {len(self.shift)}")
        with np.errstate(over="ignore"):  # becomes infinite, refused here
            return check.numbers("standardised X", (X - self.shift) * self.scale, X.dtype)
