"""Constants of an ONNX file: numbers are believed once their sizes fit the bytes that are there."""

import math

import numpy as np

from .._inputs.check import shown

# onnx.TensorProto's numbers of data types: the dtype of raw_data, and the field of single numbers.
KINDS = {
    1: (np.dtype("<f4"), "float_data"),
    6: (np.dtype("<i4"), "int32_data"),
    7: (np.dtype("<i8"), "int64_data"),
    11: (np.dtype("<f8"), "double_data"),
}
EXTERNAL = 1  # TensorProto.EXTERNAL: the numbers are in another file.
MOST_DIMENSIONS = 4  # Of images; their product is then quickly made, too.


class Constant:
    """An array of the file, read when it is needed: labels, which no layer asks for, never are.

    ``tensor`` is what it is read from, so that two layers with the same one are seen.
    """

    def __init__(self, name, tensor, array=None, transposed=False):
        self.name, self.tensor, self.transposed = name, tensor, transposed
        self._array = array

    @property
    def T(self):
        return Constant(self.name, self.tensor, self._array, not self.transposed)

    def array(self):
        if self._array is None:
            self._array = _array(self.tensor, f"the constant {shown(self.name)}")
        return self._array.T if self.transposed else self._array

    def numbers(self):
        """The array, if it is of floating-point numbers."""
        array = self.array()
        if array.dtype.kind != "f":
            raise ValueError(
                f"the constant {shown(self.name)} has dtype {array.dtype}, but float32 or float64 "
                "is expected"
            )
        return array

    def features(self, count):
        """A number for each of ``count`` features, or one for all, as (count,)."""
        array = self.numbers()
        if array.size not in (1, count) or array.shape[-1:] not in ((), (array.size,)):
            raise ValueError(
                f"the constant {shown(self.name)} has shape {array.shape}, but a number for each "
                f"of {count} features is expected"
            )
        return np.broadcast_to(array.reshape(-1), (count,))


def _array(tensor, name):
    if tensor.data_location == EXTERNAL or tensor.external_data:
        raise ValueError(f"{name} is in another file, but a model in one file is expected")
    if tensor.data_type not in KINDS:
        raise ValueError(
            f"{name} has ONNX's data type {tensor.data_type}, but float32 or float64 is expected"
        )
    dtype, field = KINDS[tensor.data_type]
    shape = tuple(tensor.dims[: MOST_DIMENSIONS + 1])
    if len(shape) > MOST_DIMENSIONS or min(shape, default=0) < 0:
        raise ValueError(f"{name} has {len(tensor.dims)} dimensions that begin with {shape}")
    count = math.prod(shape)
    if tensor.HasField("raw_data"):
        there, needed, unit = len(tensor.raw_data), count * dtype.itemsize, "bytes"
    else:
        there, needed, unit = len(getattr(tensor, field)), count, "numbers"
    if there != needed:
        raise ValueError(f"{name} has {there} {unit}, but its shape {shape} needs {needed}")
    if unit == "bytes":
        array = np.frombuffer(tensor.raw_data, dtype).astype(dtype.newbyteorder("="), copy=False)
    else:
        array = np.array(getattr(tensor, field), dtype.newbyteorder("="))
    return array.reshape(shape)
