"""ONNX files: one pass over the nodes, and from the outputs back to the input.

A file is taken for hostile. Its nodes are looked at once, each reading what those before it have
made; numbers are read at the end, where a layer needs them, each weight for one layer. So time and
memory are those of the file's size, and no other file is opened.
"""

import os

import numpy as np

from . import elementwise
from .chain import Chain
from .onnx_nodes import STANDARD, Labels, Linear, Node, Signal, Values

# A layer has two nodes and an activation of one or, composed, of up to some seventy: networks of
# more than a hundred such layers are not made. So many nodes take half a second.
MOST_NODES = 10_000


def network(cls, path, output):
    """The network in a file; see ``Network.from_onnx``."""
    path = os.fsdecode(path)
    try:
        with open(path, "rb") as file:
            model = _parsed(file.read())
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
    values = Values(graph)
    for node in graph.node:
        Node(node, opset, values).run()
    final = _final([values.read("the graph", output.name) for output in graph.output])
    return _layers(final)


# ---- From the outputs back to the input ----------------------------------------------------------


def _final(outputs):
    """The one signal that the outputs are, or that their labels come from."""
    signals = [value for value in outputs if isinstance(value, Signal)]
    stems = [value.probabilities for value in outputs if isinstance(value, Labels)]
    if len(signals) + len(stems) < len(outputs) or not outputs:
        raise ValueError("the graph has an output that does not follow from the input")
    probabilities = [stem for stem in stems if not stem.is_truth()]
    final = next(iter([*signals, *probabilities, *stems]))
    same = all(_same(final, other) for other in [*signals, *probabilities])
    if not same or any(stem.base is not final.base for stem in stems):
        raise ValueError("the graph has several outputs, but those of one layer are expected")
    return final


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
        raise ValueError(
            f"{layer.name} has weights of shape {weight.shape}, but a matrix is expected"
        )
    bias = None
    if layer.bias is not None:
        bias = _times(layer.bias.features(len(weight)), layer.beta)
    chain.dense(layer.name, _times(weight, layer.alpha), bias)
    activation = "softmax"
    if signal.function is not None:
        activation = elementwise.activation_of(signal.function)
    if activation is None:
        raise ValueError(
            f"{signal.name} and what leads to it from {layer.name} are no activation of a Network"
        )
    chain.activate(signal.name, activation)


def _times(array, factor):
    with np.errstate(all="ignore"):  # What is not finite then is refused.
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
