"""ONNX files that are damaged, or made to do harm, end in ValueError at once.

The laws of time, memory and words are those of tests/hostile.py.
"""

import functools
import os

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed: pip install onnx")
pytest.importorskip("hypothesis", reason="hypothesis is not installed: pip install hypothesis")

import onnx
from hypothesis import HealthCheck, given, settings
from onnx import TensorProto, helper

import bpcore
from bpcore._arrivals.from_onnx import MOST_NODES
from tests import hostile
from tests.arrivals import arrays, numbers
from tests.onnx_files import Graph

LAYERS = arrays([4, 5, 3])
(W, B), (V, C) = LAYERS


def run(data, folder):
    net = hostile.read(folder / "model.onnx", data, bpcore.Network.from_onnx)
    assert np.isfinite(net.parameters).all()
    net.forward(np.zeros((1, net.sizes[0])))
    return net.parameters.nbytes


def whole():
    return Graph().layers(LAYERS, "Relu", "Softmax").model()


def content(change):
    """The bytes of a model after ``change``."""
    model = whole()
    change(model.graph)
    return model.SerializeToString()


def weight(**fields):
    """A model whose first weight has these fields."""

    def change(graph):
        graph.initializer[0].CopyFrom(TensorProto(name="c0", data_type=1, **fields))

    return content(change)


def nested(depth):
    """Graphs in the attributes of nodes, each in another: bytes by hand, since no tool makes it."""
    inner = b""
    for _ in range(depth):
        for field in (b"\x32", b"\x2a", b"\x0a"):  # AttributeProto.g, NodeProto.attribute, .node.
            inner = field + _varint(len(inner)) + inner
    return b"\x3a" + _varint(len(inner)) + inner  # ModelProto.graph


def _varint(number):
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def cycle(graph):
    graph.node[0].input[0] = graph.node[-1].output[0]


def itself(graph):
    graph.node[1].input[0] = graph.node[1].output[0]


def twice(graph):
    graph.node[1].output[0] = graph.node[0].output[0]


def two_of_a_name(graph):
    graph.initializer.append(graph.initializer[0])


def missing(graph):
    del graph.initializer[0]


def many_nodes(graph):
    graph.node.extend([graph.node[1]] * 100_000)


def deep():
    """About as many nodes as are read, each a function of the one before."""
    graph = Graph().layers(LAYERS[:1], None)
    for _ in range(MOST_NODES - 10):
        graph.then("Tanh")
    return graph.layers(LAYERS[1:], None).model().SerializeToString()


def weight_bomb():
    """One weight of a megabyte for thousands of layers would be gigabytes."""
    graph = Graph(shape=("n", 512))
    square = graph.constant(numbers(512, 512))
    for _ in range(MOST_NODES - 10):
        graph.then("MatMul", square)
    return graph.model().SerializeToString()


def bias_bomb():
    graph = Graph().then("MatMul", W.T)
    large, product = graph.constant(np.zeros(1 << 18, "f4")), graph.last
    for _ in range(MOST_NODES - 10):
        graph.last = product
        graph.then("Add", large)
    return graph.model().SerializeToString()


def scaling_bomb():
    graph = Graph()
    large = graph.constant(np.zeros(1 << 18, "f4"))
    for _ in range(MOST_NODES - 10):
        graph.last = "x"
        graph.then("Sub", large)
    return graph.layers(LAYERS, None, None).model().SerializeToString()


def external(graph):
    first = graph.initializer[0]
    first.ClearField("raw_data")
    first.data_location = TensorProto.EXTERNAL
    first.external_data.add(key="location", value="../../../../../../etc/passwd")


def strings(graph):
    graph.initializer[0].CopyFrom(helper.make_tensor("c0", TensorProto.STRING, [5, 4], [b"a"] * 20))


def long_name(graph):
    graph.node[1].op_type = "A" * (1 << 20)


def with_attribute(**attributes):
    def change(graph):
        graph.node[0].attribute.extend([helper.make_attribute(*a) for a in attributes.items()])

    return content(change)


def arithmetic_with_truth(graph):
    nodes = [helper.make_node("Greater", ["gemm_0", "relu_1"], ["t"])]
    nodes += [helper.make_node("Neg", ["t"], ["u"])]
    graph.node.extend(nodes)


BIG = 2**62
HOSTILE = {
    "nothing": b"",
    "words": b"this is no network",
    "half": whole().SerializeToString()[:100],
    "zeros": bytes(1000),
    "no graph": onnx.ModelProto(ir_version=8).SerializeToString(),
    "deep graphs": nested(20),
    "deeper graphs": nested(3000),
    "huge sizes": weight(dims=[2**40, 2**20], raw_data=bytes(8)),
    "sizes that overflow": weight(dims=[2**32, 2**32], raw_data=b""),
    "sizes whose product is 0": weight(dims=[0, BIG], raw_data=b""),
    "sizes without end": weight(dims=[BIG] * 100_000, raw_data=b""),
    "negative sizes": weight(dims=[-5, -4], raw_data=bytes(80)),
    "too few bytes": weight(dims=[5, 4], raw_data=bytes(79)),
    "too many bytes": weight(dims=[5, 4], raw_data=bytes(84)),
    "too few numbers": weight(dims=[5, 4], float_data=[1.0]),
    "no data": weight(dims=[5, 4]),
    "a kind of data that is none": weight(dims=[5, 4], raw_data=bytes(80)).replace(
        b"\x10\x01\x42\x02c0", b"\x10\x63\x42\x02c0"
    ),
    "not finite": weight(dims=[5, 4], raw_data=b"\xff" * 80),
    "another file": content(external),
    "strings": content(strings),
    "a cycle": content(cycle),
    "a node of itself": content(itself),
    "two nodes of a name": content(twice),
    "two constants of a name": content(two_of_a_name),
    "a missing constant": content(missing),
    "many nodes": functools.partial(content, many_nodes),
    "a chain of functions": deep,
    "a weight for all layers": weight_bomb,
    "a large bias for all nodes": bias_bomb,
    "a large shift for all nodes": scaling_bomb,
    "a long name": content(long_name),
    "an attribute of another type": with_attribute(alpha="a"),
    "a graph for an attribute": with_attribute(alpha=whole().graph),
    "an infinite factor": with_attribute(alpha=float("inf")),
    "numbers for an axis": with_attribute(transB=[1, 2]),
    "arithmetic with truth values": content(arithmetic_with_truth),
    "no outputs": content(lambda graph: graph.ClearField("output")),
    "no operands": content(lambda graph: graph.node[0].ClearField("input")),
    "a node without a result": content(lambda graph: graph.node[0].ClearField("output")),
    "no input": content(lambda graph: graph.ClearField("input")),
    "a constant for an output": content(lambda graph: setattr(graph.output[0], "name", "c0")),
}


def target():
    small = [name for name, data in HOSTILE.items() if not callable(data)]
    inputs = {name: HOSTILE[name] for name in small}
    inputs["whole"] = whole().SerializeToString()
    inputs["labels"] = labels().SerializeToString()

    def changes(inputs):
        return inputs.flatmap(functools.partial(hostile.changed_bytes, others=inputs))

    return hostile.Target(run, inputs, changes)


def labels():
    graph = Graph().then("Sub", 0.5).layers(LAYERS, "Gelu", "Sigmoid")
    label = graph.add("Cast", graph.add("Greater", graph.last, 0.5), to=TensorProto.INT64)
    graph.outputs = [label, graph.last]
    return graph.model()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_ends_in_a_refusal_at_once(name, tmp_path):
    data = (
        HOSTILE[name]() if callable(HOSTILE[name]) else HOSTILE[name]
    )  # Large ones are made late.
    assert hostile.broken(target(), data, tmp_path) is None
    with pytest.raises(ValueError) as caught:
        bpcore.Network.from_onnx(tmp_path / "model.onnx")
    assert len(str(caught.value)) < 600


def test_the_files_that_are_changed_are_good_ones_before():
    assert len(HOSTILE) >= 10
    for model in (whole(), labels()):
        onnx.checker.check_model(model)


def test_no_other_file_is_opened(tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_bytes(HOSTILE["another file"])
    opened = []
    monkeypatch.setattr(os, "open", lambda *given, **how: opened.append(given))
    with pytest.raises(ValueError, match="constant 'c0' is in another file"):
        bpcore.Network.from_onnx(path)
    assert opened == []


def attempts(folder, count):
    inputs = target()

    @settings(max_examples=count, deadline=None, database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(inputs.changes(hostile.small(inputs.corpus)))
    def attempt(data):
        law = hostile.broken(inputs, data, folder)
        assert law is None, law

    attempt()


def test_changed_files_end_in_a_network_or_a_refusal(tmp_path):
    attempts(tmp_path, 60)


@pytest.mark.long
def test_many_changed_files_end_in_a_network_or_a_refusal(tmp_path):
    attempts(tmp_path, 5000)


def test_the_laws_see_another_error_than_a_refusal(tmp_path):
    def fails(data, folder):
        raise KeyError("c0")

    assert hostile.broken(hostile.Target(fails, {}, None), b"", tmp_path).startswith("KeyError")
