"""Reads one pickle as data: three pairs of arrays, as Python 2 wrote those of MNIST.

Nothing is unpickled. Of the operations that a pickle can hold, those are admitted which put
numbers, strings, tuples and arrays on a stack. Names are compared with the three that an array has,
and none is looked up or called. An array lies where its bytes lie: nothing is copied.
"""

import struct

import numpy as np

from .._inputs import check

MOST_OPERATIONS = 1000  # The pickle of MNIST has 138.

RECONSTRUCT, ARRAY, DTYPE = "numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype"
DTYPES = {b"f4": "<f4", b"i8": "<i8"}


def load(content):
    """((X, y), (X, y), (X, y)) in the bytes ``content``; ValueError for all else."""
    try:
        found = _Stack(memoryview(content)).run()
    except (IndexError, KeyError, TypeError, struct.error) as error:
        raise ValueError(f"the pickle is damaged: {type(error).__name__}: {error}") from None
    is_tuple = isinstance(found, tuple) and len(found) == 3
    if not is_tuple or not all(isinstance(pair, tuple) and len(pair) == 2 for pair in found):
        raise ValueError("the pickle does not hold three pairs")
    if not all(isinstance(one, _Array) and one.value is not None for pair in found for one in pair):
        raise ValueError("the pickle's pairs do not hold arrays")
    return tuple((X.value, y.value) for X, y in found)


class _Dtype:
    """What the call of ``dtype`` makes; its byte order comes later."""

    def __init__(self, name):
        if not isinstance(name, memoryview):
            raise ValueError("the pickle's dtype has no name")
        self.name = DTYPES[bytes(name)]

    def build(self, state):
        if state[:2] != (3, b"<"):
            raise ValueError("the pickle's dtype is not little-endian")


class _Array:
    """What the call of ``_reconstruct`` makes; its shape and its elements come later."""

    value = None

    def build(self, state):
        version, shape, dtype, is_fortran, raw = state
        if (version, is_fortran) != (1, False) or not isinstance(dtype, _Dtype):
            raise ValueError("the pickle's array is not one in C's order")
        if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError("the pickle's array has a shape that is none")
        self.value = np.frombuffer(raw, dtype.name).reshape(shape)


class _Stack:
    """The machine that a pickle is written for, with the operations that an array needs."""

    def __init__(self, content):
        self.content, self.at = content, 0
        self.values, self.marks, self.memory = [], [], {}

    def run(self):
        for _ in range(MOST_OPERATIONS):
            code = bytes(self.take(1))
            if code == b".":
                return self.values[-1]
            if code not in OPERATIONS:
                raise ValueError(
                    f"the pickle's operation {code!r} is not part of an array: refused"
                )
            OPERATIONS[code](self)
        raise ValueError(f"the pickle has more than {MOST_OPERATIONS} operations")

    def take(self, count):
        """The next ``count`` bytes."""
        if not 0 <= count <= len(self.content) - self.at:
            raise ValueError(f"the pickle ends within {count} bytes that it promises")
        self.at += count
        return self.content[self.at - count : self.at]

    def number(self, kind):
        (number,) = struct.unpack(kind, self.take(struct.calcsize(kind)))
        return number

    def pop(self, count):
        """The last ``count`` values, as a tuple."""
        if not 0 <= count <= len(self.values):
            raise ValueError("the pickle takes values that it does not have")
        start = len(self.values) - count
        values = tuple(self.values[start:])
        del self.values[start:]
        return values

    def name(self):
        parts = bytes(self.content[self.at : self.at + 100]).split(b"\n", 2)[:2]
        self.take(sum(map(len, parts)) + len(parts))
        name = b" ".join(parts).decode("ascii", "replace")
        if name not in (RECONSTRUCT, ARRAY, DTYPE):
            raise ValueError(f"{name.replace(' ', '.')} is not part of an array: refused")
        self.values.append(name)

    def call(self):
        function, arguments = self.pop(2)
        if function == RECONSTRUCT and arguments == (ARRAY, (0,), b"b"):
            self.values.append(_Array())
        elif function == DTYPE and arguments[1:] == (0, 1):
            self.values.append(_Dtype(arguments[0]))
        else:
            raise ValueError(f"a call of {check.shown(function)} is not part of an array: refused")

    def build(self):
        (state,) = self.pop(1)
        if not isinstance(self.values[-1], (_Dtype, _Array)) or not isinstance(state, tuple):
            raise ValueError("the pickle sets what is no array: refused")
        self.values[-1].build(state)

    def push(self, value):
        self.values.append(value)


OPERATIONS = {
    b"\x80": lambda stack: stack.take(1),  # the protocol
    b"c": _Stack.name,
    b"R": _Stack.call,
    b"b": _Stack.build,
    b"(": lambda stack: stack.marks.append(len(stack.values)),
    b"t": lambda stack: stack.push(stack.pop(len(stack.values) - stack.marks.pop())),
    b"\x85": lambda stack: stack.push(stack.pop(1)),
    b"\x86": lambda stack: stack.push(stack.pop(2)),
    b"\x87": lambda stack: stack.push(stack.pop(3)),
    b"q": lambda stack: stack.memory.update({stack.number("<B"): stack.values[-1]}),
    b"h": lambda stack: stack.push(stack.memory[stack.number("<B")]),
    b"K": lambda stack: stack.push(stack.number("<B")),
    b"M": lambda stack: stack.push(stack.number("<H")),
    b"J": lambda stack: stack.push(stack.number("<i")),
    b"U": lambda stack: stack.push(stack.take(stack.number("<B"))),
    b"T": lambda stack: stack.push(stack.take(stack.number("<i"))),
    b"N": lambda stack: stack.push(None),
    b"\x89": lambda stack: stack.push(False),
}
