"""A network as a graph of ONNX operators, without the package onnx.

``_onnx`` makes a file of it, and ``bpcore.sklearn`` a part of a pipeline. Operators have the
attributes that opset 13 gives them and later ones have kept.

ONNX Runtime computes LeakyRelu, Elu, Selu, Softplus and Erf in float32 alone; in float64 they are
composed of operators that it has in both. Either way a unit adds less than 4 ulp of error, of the
largest of 1, its output and, for silu, its input.
"""

from typing import NamedTuple

import numpy as np

from .._inputs import check

# What Cast's attribute calls a dtype: onnx.TensorProto's numbers.
CODES = {np.dtype("float32"): 1, np.dtype("int64"): 7, np.dtype("float64"): 11}

# Constants of csrc/kernels/activations_template.h.
LEAK = 0.01
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772

# The coefficients of float64 in csrc/kernels/elementary_template.h, and what they approximate.
ERFC_SERIES = (
    *(1.23751263083782753, -0.140240598585545256, 0.00358541548547902529, 0.0822767384899950633),
    *(-0.108803930142444598, 0.092304321164281238, -0.0586933985766495624, 0.0283622773721112242),
    *(-0.00974657968326347981, 0.00175562616519680642, 0.000293714378036788496),
    *(-0.000290155352460701586, 0.0000516465297648175121, 0.0000223875657165208763),
    *(-0.0000114380480745269187, -9.79262575300189008e-7, 1.74198220521813191e-6),
    *(-5.08446480515935885e-8, -2.48571294706858381e-7, 1.87908196934940268e-8),
    *(3.19792790928573254e-8, -1.95513502166031096e-9, -2.6231093583730162e-9),
)
ROOT_HALF = 0.7071067811865476


class Node(NamedTuple):
    """An operator and the names of what it reads and writes."""

    operator: str
    inputs: tuple
    output: str
    attributes: dict


class Graph:
    """Nodes in the order of the computation, the constants that they read, and what comes out.

    ``outputs`` has the ``Value`` of each output's name, and its columns.
    """

    def __init__(self, dtype):
        self.nodes, self.constants, self.outputs = [], {}, {}
        self.input = Value(self, "X", dtype)

    def constant(self, array, name=None):
        name = name or f"constant_{len(self.constants)}"
        self.constants[name] = array
        return Value(self, name, array.dtype)

    def add(self, operator, operands, dtype, attributes):
        output = f"{operator}_{len(self.nodes)}"
        inputs = tuple(operand.name for operand in operands)
        self.nodes.append(Node(operator, inputs, output, attributes))
        return Value(self, output, dtype)

    def rename(self, value, name):
        """Let ``value``, the result of the last node, have this name."""
        self.nodes[-1] = self.nodes[-1]._replace(output=name)
        value.name = name


class Value:
    """A result in a graph; arithmetic with it adds nodes there, and numbers become constants."""

    def __init__(self, graph, name, dtype):
        self.graph, self.name, self.dtype = graph, name, np.dtype(dtype)

    def then(self, operator, *others, dtype=None, **attributes):
        """``operator`` of this and of others; ``dtype`` where the result has another one."""
        operands = [other if isinstance(other, Value) else self._number(other) for other in others]
        return self.graph.add(operator, [self, *operands], dtype or self.dtype, attributes)

    def cast(self, dtype):
        return self if dtype == self.dtype else self.then("Cast", dtype=dtype, to=CODES[dtype])

    def _number(self, number):
        return self.graph.constant(np.asarray(number, self.dtype))

    def __add__(self, other):
        return self.then("Add", other)

    def __sub__(self, other):
        return self.then("Sub", other)

    def __rsub__(self, number):
        return self._number(number) - self

    def __mul__(self, other):
        return self.then("Mul", other)

    __rmul__ = __mul__

    def __truediv__(self, other):
        return self.then("Div", other)

    def __neg__(self):
        return self.then("Neg")

    def __abs__(self):
        return self.then("Abs")


# ---- Activations ---------------------------------------------------------------------------------


def _operator(name, *, float64=None, **attributes):
    """An activation that is an operator; in that dtype the function ``float64``, if given."""

    def activation(z):
        if float64 is not None and z.dtype == np.float64:
            return float64(z)
        return z.then(name, **attributes)

    return activation


def _leaky_relu(z):
    return z.then("Max", LEAK * z)


def _expm1_negative(z):
    """e^z - 1 for z <= 0: 2t / (1 - t) with t = tanh(z/2), which keeps its accuracy near 0."""
    t = (0.5 * z).then("Tanh")
    return (t + t) / (1.0 - t)


def _elu(z):
    return z.then("Max", 0) + _expm1_negative(z.then("Min", 0))


def _selu(z):
    return SELU_SCALE * (z.then("Max", 0) + SELU_ALPHA * _expm1_negative(z.then("Min", 0)))


def _softplus(z):
    """max(z, 0) + log(1 + t) with t = e^-|z|, where log u - (u - 1 - t) / u heals u = 1 + t."""
    t = (-abs(z)).then("Exp")
    u = t + 1.0
    return z.then("Max", 0) + (u.then("Log") - ((u - 1.0) - t) / u)


def _silu(z):
    return z * z.then("Sigmoid")


def _gelu(z):
    if z.dtype == np.float64:
        return z.then("Max", 0) - abs(z) * _normal_tail(abs(z))
    return (0.5 * z) * ((ROOT_HALF * z).then("Erf") + 1.0)


def _normal_tail(z):
    """The share of a normal distribution above z >= 0: erfc(x) / 2 for x = z / sqrt(2)."""
    x = ROOT_HALF * z
    t = (x - 3.75) / (x + 3.75)
    series = t * ERFC_SERIES[-1] + ERFC_SERIES[-2]
    for coefficient in ERFC_SERIES[-3::-1]:
        series = series * t + coefficient
    bell = (-0.5 * (z * z)).then("Exp")
    return (0.5 * bell) * series / (2.0 * x + 1.0)


ACTIVATIONS = {
    "identity": lambda z: z,
    "sigmoid": _operator("Sigmoid"),
    "tanh": _operator("Tanh"),
    "relu": _operator("Relu"),
    "leaky_relu": _operator("LeakyRelu", float64=_leaky_relu, alpha=LEAK),
    "elu": _operator("Elu", float64=_elu, alpha=1.0),
    "selu": _operator("Selu", float64=_selu, alpha=SELU_ALPHA, gamma=SELU_SCALE),
    "softplus": _operator("Softplus", float64=_softplus),
    "silu": _silu,
    "gelu": _gelu,
    "exp": _operator("Exp"),
    "softmax": _operator("Softmax", axis=1),
}


# ---- Networks ------------------------------------------------------------------------------------


def graph_of(net, labels=None, dtype=None):
    """``net`` as a Graph from X, of its dtype or of ``dtype``, to A, or to label and probabilities.

    ``labels`` are those of ``export``.
    """
    graph, outputs = Graph(net.dtype if dtype is None else dtype), net.sizes[-1]
    A = _forward(graph, net, graph.input.cast(net.dtype))
    if labels is None:
        graph.rename(A, "A")
        graph.outputs = {"A": (A, (outputs,))}
    elif isinstance(labels, str):
        _label_of_each_output(graph, A, outputs)
    else:
        _label_of_each_row(graph, A, outputs, _classes(labels))
    return graph


def _forward(graph, net, x):
    """Activations of the last layer."""
    if net.scaling is not None:
        wide = x.cast(net.scaling.shift.dtype)
        x = ((wide - net.scaling.shift) * net.scaling.scale).cast(net.dtype)
    layers = zip(net.weights, net.biases, net.activation_names, strict=True)
    for layer, (W, b, name) in enumerate(layers):
        check.choice(f"activation {layer + 1} of an ONNX graph", name, ACTIVATIONS)
        check.finite(f"weights[{layer}]", W)
        check.finite(f"biases[{layer}]", b)
        W = graph.constant(np.ascontiguousarray(W), f"layers.{layer}.weight")
        b = graph.constant(b, f"layers.{layer}.bias")
        x = ACTIVATIONS[name](x.then("Gemm", W, b, transB=1))
    return x


def _label_of_each_output(graph, A, outputs):
    """0 or 1 for each output, which is its probability."""
    graph.rename(A, "probabilities")
    label = A.then("Greater", 0.5, dtype=bool).cast(np.dtype("int64"))
    graph.rename(label, "label")
    graph.outputs = {"label": (label, (outputs,)), "probabilities": (A, (outputs,))}


def _label_of_each_row(graph, A, outputs, classes):
    """The most probable class. One output is the probability of the second of two classes."""
    P = A
    if len(classes) == 1:  # It is certain, whatever the network says: softmax of a column is 1.
        P = A.then("Softmax", axis=1)
    elif outputs == 1:
        P = (1.0 - A).then("Concat", A, axis=1)
    graph.rename(P, "probabilities")
    position = P.then("ArgMax", dtype=np.int64, axis=1, keepdims=0)
    label = graph.constant(classes, "classes").then("Gather", position, axis=0)
    graph.rename(label, "label")
    graph.outputs = {"label": (label, ()), "probabilities": (P, (len(classes),))}


def _classes(labels):
    """An estimator's classes as ONNX has them: int64, or Python's strings."""
    classes = np.asarray(labels)
    if classes.dtype.kind in "biuf":
        whole = classes.astype(np.int64)
        if np.array_equal(whole, classes):
            return whole
    if all(isinstance(label, str) for label in classes.tolist()):
        return classes.astype(object)
    raise TypeError(
        f"the classes are {check.shown(classes.tolist())}, but ONNX has whole numbers of 64 bits "
        "and strings alone"
    )
