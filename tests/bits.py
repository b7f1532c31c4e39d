"""Equality of bits, and the instruction sets that have to agree in them."""

import numpy as np
import pytest

from bpcore import _core

ISAS = _core.available_isas()

# Bits are promised where products are fused. A CPU whose only table is the generic one has no such
# instruction; there the tests of bits have nothing to compare.
FUSED = len(ISAS) > 1
needs_fused = pytest.mark.skipif(not FUSED, reason="this CPU has no fused multiply-add")


def on_every_isa(compute):
    """compute()'s result on every instruction set, by name."""
    before, results = _core.isa(), {}
    try:
        for name in ISAS:
            _core.use_isa(name)
            results[name] = compute()
    finally:
        _core.use_isa(before)
    return results


def same_bits(a, b):
    """Equality of arrays or numbers as bits: -0 differs from 0, NaN equals the same NaN."""
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
