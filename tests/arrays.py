"""Strategies of hypothesis: arrays that lie in memory in every way an array can."""

import numpy as np
from hypothesis import strategies as st

from tests.layouts import LAYOUTS as LAYOUTS
from tests.layouts import laid as laid

# Tiles have 4, 6, 12 or 14 rows and 2 to 32 columns, blocks 256: one less, equal, one more.
EDGES = [0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15, 16, 17, 31, 32, 33, 63, 64, 65]
SIZES = st.one_of(st.sampled_from(EDGES), st.integers(0, 70))
DTYPES = st.sampled_from(["float32", "float64"])


def normal(seed, shape, dtype, spread=0):
    """Normal numbers, with exponents that differ by up to 2 * spread."""
    rng = np.random.default_rng(seed)
    scale = np.exp2(rng.integers(-spread, spread + 1, shape))
    return (rng.standard_normal(shape) * scale).astype(dtype)


def whole(seed, shape, dtype, most=4):
    """Whole numbers from -most to most, whose sums are exact."""
    return np.random.default_rng(seed).integers(-most, most + 1, shape).astype(dtype)
