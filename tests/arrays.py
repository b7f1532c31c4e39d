"""Strategies of hypothesis: arrays that lie in memory in every way an array can."""

import numpy as np
from hypothesis import strategies as st

# Tiles have 4, 6, 12 or 14 rows and 2 to 32 columns, blocks 256: one less, equal, one more.
EDGES = [0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15, 16, 17, 31, 32, 33, 63, 64, 65]
SIZES = st.one_of(st.sampled_from(EDGES), st.integers(0, 70))
DTYPES = st.sampled_from(["float32", "float64"])
LAYOUTS = ["plain", "columns first", "upside down", "mirrored", "every second", "odd address"]
LAYOUTS += ["read-only", "repeated row"]


def laid(values, layout):
    """``values`` (rows, columns) in new memory, laid as ``layout`` says."""
    values = np.array(values, order="C")
    if layout == "columns first":
        return np.asfortranarray(values)
    if layout == "upside down":
        return np.array(values[::-1])[::-1]
    if layout == "mirrored":
        return np.array(values[..., ::-1])[..., ::-1]
    if layout == "every second":
        wide = np.zeros([2 * n for n in values.shape], values.dtype)
        places = (slice(None, None, 2),) * values.ndim
        wide[places] = values
        return wide[places]
    if (
        layout == "odd address" and values.dtype != object
    ):  # One byte into a buffer: not even an element is aligned.
        memory = np.zeros(values.nbytes + 1, np.uint8)[1:].view(values.dtype)
        memory[...] = values.reshape(-1)
        return memory.reshape(values.shape)
    if layout == "repeated row" and len(values):
        return np.broadcast_to(values[:1], values.shape)
    if layout == "read-only":
        values.flags.writeable = False
    return values


def normal(seed, shape, dtype, spread=0):
    """Normal numbers, with exponents that differ by up to 2 * spread."""
    rng = np.random.default_rng(seed)
    scale = np.exp2(rng.integers(-spread, spread + 1, shape))
    return (rng.standard_normal(shape) * scale).astype(dtype)


def whole(seed, shape, dtype, most=4):
    """Whole numbers from -most to most, whose sums are exact."""
    return np.random.default_rng(seed).integers(-most, most + 1, shape).astype(dtype)
