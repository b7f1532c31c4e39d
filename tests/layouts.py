"""Arrays that lie in memory in every way an array can."""

import numpy as np

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
        between = np.nan if values.dtype.kind == "f" else 0
        wide = np.full([2 * n for n in values.shape], between, values.dtype)
        places = (slice(None, None, 2),) * values.ndim
        wide[places] = values
        return wide[places]
    if layout in ("odd address", "odd offset") and values.dtype != object:
        # So many bytes into a buffer: of one byte not even an element is aligned, of one element
        # no vector.
        bytes_off = 1 if layout == "odd address" else values.itemsize
        memory = np.full(values.nbytes + bytes_off, 255, np.uint8)[bytes_off:].view(values.dtype)
        memory[...] = values.reshape(-1)
        return memory.reshape(values.shape)
    if layout == "repeated row" and len(values):
        return np.broadcast_to(values[:1], values.shape)
    if layout == "read-only":
        values.flags.writeable = False
    return values
