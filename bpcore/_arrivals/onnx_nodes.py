"""What the nodes of an ONNX graph make of its input, one by one, in the order in which they stand.

A value is a constant; a signal, which is a function of each output of a layer, or of the input; or
labels. Nothing is computed here but functions at sample points: numbers of constants are read when
a layer needs them.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from .._inputs.check import shown
from . import elementwise
from .elementwise import POINTS
from .onnx_constants import MOST_DIMENSIONS, Constant

# What scales the inputs: at most a difference and a product.
STEPS, MOST_STEPS = ("Add", "Sub", "Mul", "Div"), 2
# onnx.AttributeProto's numbers of types, and the fields that hold them.
FIELDS = {1: "f", 2: "i", 3: "s"}
# onnx.TensorProto's numbers of types: float32 and float64; int32, int64, strings and truth values.
FLOATS, DISCRETE = (1, 11), (6, 7, 8, 9)
STANDARD = ("", "ai.onnx")
# What makes labels of probabilities, and what is then done with labels.
TO_LABELS = ("ArgMax", "ai.onnx.ml.ZipMap", "ai.onnx.ml.Binarizer")
WITH_LABELS = (
    *(*TO_LABELS, "Cast", "Gather", "Identity", "Reshape"),
    *("ai.onnx.ml.ArrayFeatureExtractor", "ai.onnx.ml.LabelEncoder"),
)


@dataclass(eq=False)
class Source:
    """The input, and what scales it: (operator, Constant).

    It has so many ``dimensions``, or None, the first of size ``batch``, or None; a row has
    ``columns`` elements, or -1: nobody says how many.
    """

    dimensions: int | None
    batch: int | None
    columns: int
    steps: tuple = ()


@dataclass(eq=False)
class Linear:
    """A product of ``before`` and a weight (outputs, inputs), and a bias, each with a factor."""

    name: str
    before: "Signal"
    weight: Constant
    alpha: float = 1.0
    bias: Constant | None = None
    beta: float = 1.0

    def units(self):
        return len(self.weight.array())


@dataclass(eq=False)
class Signal:
    """An elementwise ``function`` of what ``base`` gives, as its values at POINTS; None: softmax.

    ``name`` is that of the last node.
    """

    base: Source | Linear
    function: np.ndarray | None
    name: str

    def is_plain(self):
        """Is it what the base gives?"""
        return self.function is POINTS

    def is_truth(self):
        """Is it a comparison, as of a probability with 1/2?"""
        return self.function is not None and self.function.dtype == bool


@dataclass(eq=False)
class Labels:
    """What follows from the ``probabilities``, and is not computed here."""

    probabilities: Signal


class Values:
    """What the names in a graph stand for, so far."""

    def __init__(self, graph):
        self._named = {}
        for tensor in graph.initializer:
            self.make("the graph", tensor.name, Constant(tensor.name, tensor))
        inputs = [given for given in graph.input if given.name not in self._named]
        if len(inputs) != 1:
            names = ", ".join(shown(given.name) for given in inputs[:4])
            raise ValueError(f"the graph has {len(inputs)} inputs ({names}), but one is expected")
        (given,) = inputs
        source = Signal(_source(given.type.tensor_type), POINTS, f"input {shown(given.name)}")
        self.make("the graph", given.name, source)

    def make(self, who, name, value):
        if name in self._named:
            raise ValueError(f"{who} makes {shown(name)}, which is there already")
        self._named[name] = value

    def read(self, who, name):
        """What a name stands for; an operand that is left out has none."""
        if not name:
            return None
        if name not in self._named:
            raise ValueError(f"{who} reads {shown(name)}, which nothing before it makes")
        return self._named[name]


def _source(declared):
    """The input, of the shape that is declared; sizes below 1 are ways to say that it is free."""
    if not declared.HasField("shape"):
        return Source(None, None, -1)
    sizes = [size.dim_value for size in declared.shape.dim[: MOST_DIMENSIONS + 1]]
    known = 1 < len(sizes) <= MOST_DIMENSIONS and min(sizes[1:]) > 0
    batch = sizes[0] if sizes and sizes[0] > 0 else None
    return Source(len(sizes), batch, math.prod(sizes[1:]) if known else -1)


class Node:
    """One node: its operands, and what it makes of them."""

    def __init__(self, node, opset, values):
        self.node, self.opset, self.values = node, opset, values
        self.operator = node.op_type
        if node.domain not in STANDARD:
            self.operator = f"{node.domain}.{node.op_type}"
        title = node.name or (node.output[0] if node.output else "")
        self.name = f"node {shown(title)} ({_short(self.operator)})"
        self.operands = [values.read(self.name, name) for name in node.input]

    def run(self):
        """Name what it makes; other outputs than the first, such as a mask, do not count."""
        if not self.node.output:
            raise self.error("has no output")
        self.values.make(self.name, self.node.output[0], self._result())

    def error(self, what):
        return ValueError(f"{self.name} {what}")

    def _result(self):
        labels = next((value for value in self.operands if isinstance(value, Labels)), None)
        if labels is not None:
            if self.operator not in WITH_LABELS:
                raise self.error("computes with labels, which no Network does")
            return labels
        if self.operator in TO_LABELS:
            return Labels(self._signal())
        if self.operator in HANDLERS:
            return HANDLERS[self.operator](self)
        return self._elementwise()

    def _attributes(self, **usual):
        """The values of these attributes, which have the type of what they usually are."""
        found = {
            attribute.name: getattr(attribute, FIELDS.get(attribute.type, "t"))
            for attribute in self.node.attribute
            if attribute.name in usual
        }
        for name, value in found.items():
            if type(value) is not type(usual[name]):
                raise self.error(f"has an attribute {name} of another type than ONNX's")
        return usual | found

    def _signal(self):
        """Its first operand, which has to follow from the input."""
        first = self.operands[0] if self.operands else None
        if not isinstance(first, Signal):
            raise self.error("has a first operand that does not follow from the input")
        return first

    # ---- Layers ----------------------------------------------------------------------------------

    def _matmul(self):
        return self._product(self._constant(1, 2).T)

    def _gemm(self):
        how = self._attributes(transA=0, transB=0, alpha=1.0, beta=1.0)
        if how["transA"]:
            raise self.error("has columns for samples, but rows are expected")
        weight = self._constant(1, 2, 3)
        bias = self._constant(2, 3) if len(self.operands) > 2 and self.operands[2] else None
        weight = weight if how["transB"] else weight.T
        return self._product(weight, how["alpha"], bias, how["beta"])

    def _product(self, weight, alpha=1.0, bias=None, beta=1.0):
        before = self._signal()
        if isinstance(before.base, Source) and before.base.dimensions not in (2, None):
            raise self.error("multiplies something else than rows (n, features)")
        return Signal(Linear(self.name, before, weight, alpha, bias, beta), POINTS, self.name)

    def _constant(self, place, *counts):
        """The operand in this place, of so many in all, which has to be a constant."""
        if len(self.operands) not in counts or not isinstance(self.operands[place], Constant):
            raise self.error(
                "is no product of rows with a constant matrix: a fully connected network has "
                "nothing else"
            )
        return self.operands[place]

    def _softmax(self):
        signal = self._signal()
        axis = self._attributes(axis=1 if self.opset < 13 else -1)["axis"]
        if axis not in (1, -1) or not signal.is_plain() or isinstance(signal.base, Source):
            raise self.error("is no softmax over the outputs of a dense layer")
        return Signal(signal.base, None, self.name)

    def _log_softmax(self):
        raise self.error(
            "gives logarithms of probabilities, which no Network does: export the model without "
            'it, and give output="softmax"'
        )

    # ---- What changes no number ------------------------------------------------------------------

    def _constant_node(self):
        name = self.node.output[0]
        for attribute in self.node.attribute:
            if attribute.name == "value" and attribute.type == 4:
                return Constant(name, attribute.t)
            if attribute.name in ("value_float", "value_floats"):
                given = attribute.f if attribute.name == "value_float" else attribute.floats
                return Constant(name, self.node, np.array(given, np.float32))
            if attribute.name in ("value_int", "value_ints"):
                given = attribute.i if attribute.name == "value_int" else attribute.ints
                return Constant(name, self.node, np.array(given, np.int64))
        raise self.error("holds no tensor and no numbers")

    def _identity(self):
        return self.operands[0] if len(self.operands) == 1 else self._signal()

    def _dropout(self):
        if len(self.operands) > 2 and self.operands[2] is not None:
            raise self.error("drops in training: export the model for inference")
        return self._signal()

    def _transpose(self):
        if len(self.operands) != 1 or not isinstance(self.operands[0], Constant):
            raise self.error("transposes rows, but constants alone can be")
        perm = list(self._permutation())
        if perm not in ([], [1, 0]):
            raise self.error(f"has the permutation {shown(perm)}, but [1, 0] is expected")
        return self.operands[0].T

    def _permutation(self):
        return next((a.ints for a in self.node.attribute if a.name == "perm"), ())

    def _cast(self):
        signal, to = self._signal(), self._attributes(to=0)["to"]
        if to in FLOATS:
            if not signal.is_truth():
                return signal
            return Signal(signal.base, signal.function.astype(np.float64), self.name)
        if to in DISCRETE and signal.is_truth():
            return Labels(signal)
        raise self.error(f"casts to ONNX's data type {to}, but float32 or float64 is expected")

    def _flatten(self):
        signal = self._signal()
        if self._attributes(axis=1)["axis"] != 1:
            raise self.error("flattens something else than all features of a row")
        return self._as_rows(signal, -1)

    def _reshape(self):
        signal, shape = self._signal(), self._shape_operand()
        base = signal.base
        batch = base.batch if isinstance(base, Source) else None
        if shape == [-1] and isinstance(base, Linear) and base.units() == 1:
            return signal
        if len(shape) != 2 or shape[0] not in (-1, 0, batch) or shape[1] == 0:
            raise self.error(f"reshapes to {shown(shape)}, but (-1, features) is expected")
        return self._as_rows(signal, shape[1])

    def _shape_operand(self):
        given = self.operands[1] if len(self.operands) == 2 else None
        array = given.array() if isinstance(given, Constant) else None
        if array is None or array.dtype != np.int64 or array.ndim != 1:
            raise self.error("reshapes to something else than constant sizes")
        return array[:5].tolist()

    def _as_rows(self, signal, columns):
        """``signal`` as (n, columns), where its rows have so many elements; -1: as many."""
        base = signal.base
        there = base.columns if isinstance(base, Source) else base.units()
        if -1 not in (columns, there) and columns != there:
            raise self.error(f"makes rows of {columns} elements, but they have {there}")
        if isinstance(base, Linear):
            return signal
        rows = replace(base, dimensions=2, batch=None, columns=max(columns, there))
        return Signal(rows, signal.function, self.name)

    # ---- Functions of each element ---------------------------------------------------------------

    def _elementwise(self):
        signals = [value for value in self.operands if isinstance(value, Signal)]
        known = elementwise.knows(self.operator, len(self.operands)) and None not in self.operands
        if not known or not signals:
            raise self._no_part()
        signal = signals[0]
        if any(other.base is not signal.base for other in signals):
            raise self.error("joins two layers, but in a fully connected network each has one way")
        affine = self._affine(signal)
        if affine is not None:
            return affine
        if isinstance(signal.base, Source) or any(given.function is None for given in signals):
            raise self._no_part()
        operands = [
            value.function if isinstance(value, Signal) else self._number(value)
            for value in self.operands
        ]
        attributes = self._attributes(**elementwise.ATTRIBUTES.get(self.operator, {}))
        function = elementwise.values(self.operator, operands, attributes)
        if function is None:
            raise self._no_part()
        return Signal(signal.base, function, self.name)

    def _no_part(self):
        return self.error("is no part of a fully connected network")

    def _number(self, constant):
        array = constant.numbers()
        if array.size != 1:
            raise self.error("has a constant for each feature where no Network has one")
        return float(array.reshape(-1)[0])

    def _affine(self, signal):
        """The input scaled by one step more, or the layer with a bias; None for what is neither."""
        first, *others = self.operands
        constant = next((value for value in self.operands if isinstance(value, Constant)), None)
        if len(others) != 1 or constant is None or not signal.is_plain():
            return None
        if isinstance(signal.base, Source):
            is_step = self.operator in (("Add", "Mul") if first is constant else STEPS)
            return self._scaled(signal.base, (self.operator, constant)) if is_step else None
        if self.operator != "Add" or signal.base.bias is not None:
            return None
        return Signal(replace(signal.base, bias=constant), POINTS, self.name)

    def _scaled(self, source, *steps):
        if len(source.steps) + len(steps) > MOST_STEPS:
            raise self.error("is one more step of scaling than a difference and a product")
        return Signal(replace(source, steps=(*source.steps, *steps)), POINTS, self.name)

    def _scaler(self):
        """scikit-learn's StandardScaler, as skl2onnx writes it."""
        signal = self._signal()
        if not isinstance(signal.base, Source):
            raise self.error("scales something else than the input")
        named = {attribute.name: attribute.floats for attribute in self.node.attribute}
        steps = []
        for operator, name in (("Sub", "offset"), ("Mul", "scale")):
            array = np.array(named.get(name, ()), np.float32)
            steps.append((operator, Constant(f"{name} of {self.name}", self.node, array)))
        return self._scaled(signal.base, *steps)

    def _both_classes(self):
        """The probabilities of two classes, 1 - p and p."""
        signals = [value for value in self.operands if isinstance(value, Signal)]
        functions = [signal.function for signal in signals]
        if len(self.operands) != 2 or len(signals) != 2 or any(f is None for f in functions):
            raise self._no_part()
        (first, second), base = functions, signals[1].base
        one = isinstance(base, Linear) and signals[0].base is base and base.units() == 1
        if not one or not np.array_equal(first, elementwise.values("Sub", [1.0, second], {})):
            raise self._no_part()
        return Labels(signals[1])


HANDLERS = {
    "Cast": Node._cast,
    "Concat": Node._both_classes,
    "Constant": Node._constant_node,
    "Dropout": Node._dropout,
    "Flatten": Node._flatten,
    "Gemm": Node._gemm,
    "Identity": Node._identity,
    "LogSoftmax": Node._log_softmax,
    "MatMul": Node._matmul,
    "Reshape": Node._reshape,
    "Softmax": Node._softmax,
    "Transpose": Node._transpose,
    "ai.onnx.ml.Scaler": Node._scaler,
}


def _short(text):
    return text if len(text) <= 80 else f"{text[:77]}..."
