"""ONNX files: what one pass over the nodes makes of the input.

A file is taken for hostile. Its nodes are looked at once, in the order in which they stand, each
reading what those before it have made; numbers are read at the end, where a layer needs them, each
weight for one layer. So time and memory are those of the file's size, and no other file is opened.
"""

from dataclasses import dataclass

import numpy as np

from .._inputs.check import shown
from . import elementwise
from .chain import Chain
from .elementwise import POINTS
from .onnx_constants import Constant

# A layer has two nodes and an activation of one or, composed, of up to some seventy: networks of
# more than a hundred such layers are not made. So many nodes take half a second.
MOST_NODES = 10_000
# What scales the inputs is a subtraction and a product.
MOST_STEPS = 2
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
    """The input of declared ``shape``, or None, and what scales it: (operator, Constant)."""

    shape: tuple | None
    steps: tuple = ()
    columns: int = -1  # As a Reshape says.


@dataclass(eq=False)
class Linear:
    """A product of ``before`` and a weight (outputs, inputs), and a bias or None, both times a
    factor."""

    name: str
    before: "Signal"
    weight: Constant
    alpha: float = 1.0
    bias: Constant | None = None
    beta: float = 1.0


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


@dataclass(eq=False)
class Labels:
    """What follows from the ``probabilities``, and is not computed here."""

    probabilities: Signal


def network(cls, path, output):
    """The network in a file; see ``Network.from_onnx``."""
    with open(path, "rb") as file:
        content = file.read()
    try:
        model = _parsed(content)
        return _chain(model.graph, _opset(model)).network(cls, output=output)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _parsed(content):
    try:
        from google.protobuf.message import DecodeError
        from onnx import ModelProto
    except ImportError as error:
        raise ImportError(
            f"an .onnx file needs the package onnx: pip install onnx ({error})"
        ) from None
    try:
        return ModelProto.FromString(content)
    except DecodeError as error:
        raise ValueError(f"this is no ONNX file: {error}") from None


def _opset(model):
    return next((o.version for o in model.opset_import if o.domain in STANDARD), 1)


def _chain(graph, opset):
    """The layers of a graph."""
    if not graph.node:
        raise ValueError("this is no ONNX file of a network: it has no nodes")
    if len(graph.node) > MOST_NODES:
        raise ValueError(f"the graph has {len(graph.node)} nodes; at most {MOST_NODES} are read")
    if graph.sparse_initializer:
        raise ValueError("the graph has sparse constants, but dense ones are expected")
    values = _Values(graph)
    for node in graph.node:
        _Node(node, opset, values).run()
    final = _final([values.read("the graph", output.name) for output in graph.output])
    return _layers(final)


class _Values:
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
        source = Source(_shape(given.type.tensor_type))
        self.make("the graph", given.name, Signal(source, POINTS, f"input {shown(given.name)}"))

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


def _shape(declared):
    """Sizes of the input's dimensions, None where they are free, or None."""
    if not declared.HasField("shape"):
        return None
    return tuple(d.dim_value if d.HasField("dim_value") else None for d in declared.shape.dim[:5])


class _Node:
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
        shape = before.base.shape if isinstance(before.base, Source) else None
        if shape is not None and len(shape) != 2:
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
            if signal.function is None or signal.function.dtype == np.float64:
                return signal
            return Signal(signal.base, signal.function.astype(np.float64), self.name)
        if to in DISCRETE and not isinstance(signal.base, Source):
            return Labels(signal)
        raise self.error(f"casts to ONNX's data type {to}, but float32 or float64 is expected")

    def _flatten(self):
        signal = self._signal()
        if self._attributes(axis=1)["axis"] != 1:
            raise self.error("flattens something else than all features of a row")
        return self._as_rows(signal, -1)

    def _reshape(self):
        signal, shape = self._signal(), self._shape_operand()
        source = signal.base if isinstance(signal.base, Source) else None
        batch = source.shape[0] if source is not None and source.shape else None
        if len(shape) == 1 and source is None and shape[0] == -1 and _units(signal.base) == 1:
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
        if isinstance(base, Source):
            return Signal(Source((None, None), base.steps, columns), signal.function, self.name)
        if columns not in (-1, _units(base)):
            raise self.error(f"makes rows of {columns} elements, but they have {_units(base)}")
        return signal

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
        constants = [value for value in self.operands if isinstance(value, Constant)]
        if len(self.operands) != 2 or len(constants) != 1 or not signal.is_plain():
            return None
        base, (constant,), commutes = signal.base, constants, self.operator in ("Add", "Mul")
        if isinstance(base, Source):
            if not commutes and (self.operator not in ("Sub", "Div") or self.operands[1] is signal):
                return None
            if len(base.steps) == MOST_STEPS:
                raise self.error("is one more step of scaling than a difference and a product")
            steps = *base.steps, (self.operator, constant)
            return Signal(Source(base.shape, steps, base.columns), POINTS, self.name)
        if self.operator == "Add" and base.bias is None:
            linear = Linear(base.name, base.before, base.weight, base.alpha, constant)
            return Signal(linear, POINTS, self.name)
        return None

    def _scaler(self):
        """scikit-learn's StandardScaler, as skl2onnx writes it."""
        signal = self._signal()
        if not isinstance(signal.base, Source) or signal.base.steps:
            raise self.error("scales something else than the input")
        steps = []
        for operator, name in (("Sub", "offset"), ("Mul", "scale")):
            given = next((a.floats for a in self.node.attribute if a.name == name), ())
            array = np.array(given, np.float32)
            steps.append((operator, Constant(f"{name} of {self.name}", self.node, array)))
        source = Source(signal.base.shape, tuple(steps), signal.base.columns)
        return Signal(source, POINTS, self.name)

    def _both_classes(self):
        """The probabilities of two classes, 1 - p and p."""
        are_two = len(self.operands) == 2 and all(isinstance(p, Signal) for p in self.operands)
        first, second = self.operands if are_two else (None, None)
        if (
            not are_two
            or first.base is not second.base
            or first.function is None
            or second.function is None
            or not np.array_equal(first.function, 1 - second.function)
        ):
            raise self._no_part()
        return Labels(second)


HANDLERS = {
    "Cast": _Node._cast,
    "Concat": _Node._both_classes,
    "Constant": _Node._constant_node,
    "Dropout": _Node._dropout,
    "Flatten": _Node._flatten,
    "Gemm": _Node._gemm,
    "Identity": _Node._identity,
    "LogSoftmax": _Node._log_softmax,
    "MatMul": _Node._matmul,
    "Reshape": _Node._reshape,
    "Softmax": _Node._softmax,
    "Transpose": _Node._transpose,
    "ai.onnx.ml.Scaler": _Node._scaler,
}


def _short(text):
    return text if len(text) <= 80 else f"{text[:77]}..."


def _units(base):
    return base.weight.array().shape[0]


# ---- From the outputs back to the input ----------------------------------------------------------


def _final(outputs):
    """The one signal that the outputs are, or that their labels come from."""
    signals = [value for value in outputs if isinstance(value, Signal)]
    stems = [value.probabilities for value in outputs if isinstance(value, Labels)]
    if len(signals) + len(stems) < len(outputs) or not outputs:
        raise ValueError("the graph has an output that does not follow from the input")
    probabilities = [stem for stem in stems if not _is_truth(stem)]
    final = next(iter([*signals, *probabilities, *stems]))
    same = all(_same(final, other) for other in [*signals, *probabilities])
    if not same or any(stem.base is not final.base for stem in stems):
        raise ValueError("the graph has several outputs, but those of one layer are expected")
    return final


def _is_truth(signal):
    """Is it a comparison of a probability?"""
    return signal.function is not None and signal.function.dtype == bool


def _same(one, other):
    if one.base is not other.base:
        return False
    softmax = one.function is None, other.function is None
    return all(softmax) or (not any(softmax) and np.array_equal(one.function, other.function))


def _layers(final):
    """The layers from the input to ``final``."""
    signals, weights = [], set()
    signal = final
    while isinstance(signal.base, Linear):
        tensor = id(signal.base.weight.tensor)
        if tensor in weights:
            raise ValueError(f"{signal.base.name} has the weights of another layer, too")
        weights.add(tensor)
        signals.append(signal)
        signal = signal.base.before
    chain = Chain("the graph")
    for layer in reversed(signals):
        _add(chain, layer)
    if signals:
        _scale(chain, signal.base)
    return chain


def _add(chain, signal):
    """The layer that a signal comes from, and the activation that it is."""
    layer = signal.base
    weight = layer.weight.numbers()
    if weight.ndim != 2:
        raise ValueError(f"{layer.name} has weights of shape {weight.shape}, but two are expected")
    bias = None
    if layer.bias is not None:
        bias = _times(layer.bias.features(len(weight)), layer.beta)
    chain.dense(layer.name, _times(weight, layer.alpha), bias)
    activation = "softmax"
    if signal.function is not None:
        activation = elementwise.activation_of(signal.function)
    if activation is None:
        raise ValueError(
            f"{signal.name} ends a function of {layer.name} that is no activation of a Network"
        )
    chain.activate(signal.name, activation)


def _times(array, factor):
    return array if factor == 1 else array * array.dtype.type(factor)


def _scale(chain, source):
    """What scales the input, as (x - shift) * scale in double."""
    inputs = chain.layers[0].weight.shape[1]
    if source.columns not in (-1, inputs):
        raise ValueError(
            f"{chain.layers[0].name} has {inputs} inputs, but rows have {source.columns}"
        )
    shift, scale = np.zeros(inputs), np.ones(inputs)
    with np.errstate(all="ignore"):  # What is not finite then is refused.
        for operator, constant in source.steps:
            number = constant.features(inputs).astype(np.float64)
            if operator in ("Mul", "Div"):
                scale = scale * number if operator == "Mul" else scale / number
            else:
                shift = shift + (number if operator == "Sub" else -number) / scale
    if source.steps:
        chain.scaling = shift, scale
