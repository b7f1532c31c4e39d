"""Networks as programs of other worlds: ONNX graphs, C, whole numbers of eight bits.

``Network.export`` and ``Network.quantize`` lead here; docs/guide/out_of_python.md shows how.
"""

from ._int8 import QuantizedNetwork

__all__ = ["QuantizedNetwork"]


def __dir__() -> list[str]:
    return __all__
