"""Networks arrive from ONNX files, as exporters write them, or are refused by the node's name.

The oracles are the evaluator of the package onnx, and the libraries that wrote the file.
"""

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed: pip install onnx")

from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import bpcore
from bpcore._arrivals import elementwise
from bpcore._core import ACTIVATIONS
from tests.arrivals import agrees, arrays, network, numbers
from tests.bits import same_bits
from tests.onnx_files import ML, Graph

X = numbers(50, 4, seed=7)
LAYERS = arrays([4, 5, 3])
(W, B), (V, C) = LAYERS
OPERATORS = {
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "relu": "Relu",
    "leaky_relu": "LeakyRelu",
    "elu": "Elu",
    "selu": "Selu",
    "softplus": "Softplus",
    "gelu": "Gelu",
    "exp": "Exp",
}


def arrives(graph, folder, dtype="float32"):
    """The network of a graph, after a look at its outputs.

    Attributes such as a slope are float32 in any file, and so is the evaluator's erf.
    """
    rows = X.astype(dtype)
    net = bpcore.Network.from_onnx(graph.save(folder))
    assert net.dtype == dtype
    assert agrees(net, rows, graph.outputs_for(rows)[0], "float32")
    return net


def same(a, b):
    return repr(a) == repr(b) and same_bits(a.parameters, b.parameters)


# ---- Activations ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_that_is_an_activation_arrives(name, dtype, tmp_path):
    layers = arrays([4, 5, 3], dtype)
    graph = Graph(dtype).layers(layers, OPERATORS[name], "Softmax")
    assert same(arrives(graph, tmp_path, dtype), network(layers, [name, "softmax"]))


def silu(g, z):
    return g.add("Mul", z, g.add("Sigmoid", z))


def silu_of_a_fraction(g, z):
    return g.add("Div", z, g.add("Add", g.add("Exp", g.add("Neg", z)), 1.0))


def gelu(g, z):
    """As PyTorch writes it: z / sqrt(2), erf, + 1, times z, times 1/2."""
    erf = g.add("Erf", g.add("Div", z, 2**0.5))
    return g.add("Mul", g.add("Mul", z, g.add("Add", erf, 1.0)), 0.5)


def gelu_halved_first(g, z):
    erf = g.add("Erf", g.add("Mul", z, 0.5**0.5))
    return g.add("Mul", g.add("Mul", 0.5, z), g.add("Add", 1.0, erf))


def softplus(g, z):
    return g.add("Log", g.add("Add", g.add("Exp", z), 1.0))


def softplus_with_a_threshold(g, z):
    return g.add("Where", g.add("Greater", z, 20.0), z, g.add("Softplus", z))


def stable_softplus(g, z):
    tail = g.add("Log", g.add("Add", g.add("Exp", g.add("Neg", g.add("Abs", z))), 1.0))
    return g.add("Add", g.add("Max", z, 0.0), tail)


def leaky_relu(g, z):
    return g.add("Max", z, g.add("Mul", 0.01, z))


def elu(g, z):
    below = g.add("Sub", g.add("Exp", g.add("Min", z, 0.0)), 1.0)
    return g.add("Where", g.add("Less", z, 0.0), below, z)


def sigmoid(g, z):
    return g.add("Reciprocal", g.add("Add", 1.0, g.add("Exp", g.add("Neg", z))))


def tanh(g, z):
    return g.add("Sub", g.add("Mul", 2.0, g.add("Sigmoid", g.add("Mul", z, 2.0))), 1.0)


COMPOSED = {
    "silu": (silu, silu_of_a_fraction),
    "gelu": (gelu, gelu_halved_first),
    "softplus": (softplus, softplus_with_a_threshold, stable_softplus),
    "leaky_relu": (leaky_relu,),
    "elu": (elu,),
    "sigmoid": (sigmoid,),
    "tanh": (tanh,),
}


@pytest.mark.parametrize(
    ("name", "compose"),
    [(name, compose) for name, composes in COMPOSED.items() for compose in composes],
    ids=lambda given: getattr(given, "__name__", given),
)
def test_what_is_composed_is_the_activation_whose_values_it_has(name, compose, dtype, tmp_path):
    layers = arrays([4, 5, 3], dtype)
    graph = Graph(dtype).layers(layers[:1], None)
    graph.last = compose(graph, graph.last)
    graph.layers(layers[1:], None)
    assert same(arrives(graph, tmp_path, dtype), network(layers, [name, "identity"]))


def gelu_by_tanh(g, z):
    return g.add("Gelu", z, approximate="tanh")


def relu6(g, z):
    return g.add("Min", g.add("Relu", z), 6.0)


def steeper_elu(g, z):
    return g.add("Elu", z, alpha=1.001)


def another_slope(g, z):
    return g.add("LeakyRelu", z, alpha=0.011)


def hard_swish(g, z):
    return g.add("Mul", z, g.add("Min", g.add("Relu", g.add("Mul", z, 1 / 6)), 1.0))


def truth(g, z):
    return g.add("Greater", z, 0.0)


@pytest.mark.parametrize(
    "compose", [gelu_by_tanh, relu6, steeper_elu, another_slope, hard_swish, truth]
)
def test_what_is_nearly_an_activation_is_refused_by_its_last_node(compose, tmp_path):
    graph = Graph().layers(LAYERS[:1], None)
    graph.last = last = compose(graph, graph.last)
    graph.layers(LAYERS[1:], None)
    with pytest.raises(ValueError, match=f"node '{last}' .* no activation of a Network"):
        bpcore.Network.from_onnx(graph.save(tmp_path))


def test_activations_differ_where_they_are_compared():
    """No two have values at the points that the comparison could take for each other's."""
    own = elementwise._own()
    assert own.keys() == ACTIVATIONS.keys() - {"softmax"}
    assert all(elementwise.activation_of(+values) == name for name, values in own.items())
    for name, values in own.items():
        # An error of 16 units at one of the points where a function is not tiny is found.
        for place in np.flatnonzero(np.isfinite(values) & (abs(values) > 1 / 256)):
            wrong = values.copy()
            wrong[place] *= 1 + 16 * elementwise.UNIT
            assert elementwise.activation_of(wrong) is None, name


# ---- Layers --------------------------------------------------------------------------------------


def test_products_arrive_however_they_are_written(tmp_path):
    graph = Graph()
    graph.then("MatMul", W.T)
    graph.last = graph.add("Add", B, graph.last)  # Either order.
    graph.then("Tanh").then("Gemm", V.T, C[None], alpha=2.0, beta=0.5)
    expected = network([(W, B), (2 * V, C / 2)], ["tanh", "identity"])
    assert same(arrives(graph, tmp_path), expected)


def test_products_without_a_bias_and_of_transposed_constants_arrive(tmp_path):
    graph = Graph()
    transposed = graph.add("Transpose", W, perm=[1, 0])
    graph.then("MatMul", transposed).then("Identity").then("Gemm", graph.add("Transpose", V))
    layers = [(W, np.zeros(5, "f4")), (V, np.zeros(3, "f4"))]
    assert same(arrives(graph, tmp_path), network(layers, ["identity", "identity"]))


def test_constants_arrive_from_nodes_and_from_fields_of_numbers(tmp_path):
    graph = Graph()
    typed = helper.make_tensor("w", TensorProto.FLOAT, W.shape, W.ravel().tolist())
    graph.constants.append(typed)
    for name, value in (("b", B), ("v", V)):
        node = helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))
        graph.nodes.append(node)
    graph.nodes.append(helper.make_node("Constant", [], ["c"], value_floats=C.tolist()))
    graph.then("Gemm", "w", "b", transB=1).then("Relu").then("Gemm", "v", "c", transB=1)
    assert same(arrives(graph, tmp_path), network(LAYERS, ["relu", "identity"]))


def test_what_changes_no_number_is_passed(tmp_path):
    graph = Graph(shape=("n", 2, 2)).then("Flatten").then("Cast", to=TensorProto.FLOAT)
    graph.then("Dropout").layers(LAYERS[:1], "Relu").then("Identity")
    graph.then("Reshape", np.array([-1, 5])).layers(LAYERS[1:], None).then("Flatten", axis=1)
    net = bpcore.Network.from_onnx(graph.save(tmp_path))
    assert same(net, network(LAYERS, ["relu", "identity"]))
    assert agrees(net, X, graph.outputs_for(X.reshape(-1, 2, 2))[0])


@pytest.mark.parametrize("shape", [(-1, 4), (0, -1), (50, -1)])
def test_rows_may_be_made_by_a_reshape(shape, tmp_path):
    graph = Graph(shape=(50, 1, 4)).then("Reshape", np.array(shape)).layers(LAYERS, "Relu", None)
    net = bpcore.Network.from_onnx(graph.save(tmp_path))
    assert agrees(net, X, graph.outputs_for(X.reshape(-1, 1, 4))[0])


def test_one_output_may_be_made_flat(tmp_path):
    layers = arrays([4, 5, 1])
    graph = Graph(shape=None).layers(layers, "Tanh", None)
    sizes = helper.make_node("Constant", [], ["sizes"], value_ints=[-1])
    graph.nodes.append(sizes)
    assert same(arrives(graph.then("Reshape", "sizes"), tmp_path),
                network(layers, ["tanh", "identity"]))  # fmt: skip


@pytest.mark.parametrize("opset", [11, 13])
def test_softmax_is_over_the_outputs_by_default(opset, tmp_path):
    graph = Graph(opset=opset).layers(LAYERS, "Relu", "Softmax")
    assert same(arrives(graph, tmp_path), network(LAYERS, ["relu", "softmax"]))


def test_output_tells_what_logits_are_for(tmp_path):
    path = Graph().layers(LAYERS, "Relu", None).save(tmp_path)
    net = bpcore.Network.from_onnx(path, output="softmax")
    assert same(net, network(LAYERS, ["relu", "softmax"]))


SHIFT, SCALE = numbers(4, seed=3) * 9, np.abs(numbers(4, seed=4)) + 1
FIRST_STEPS = {
    "Sub, Mul": (("Sub", SHIFT), ("Mul", SCALE)),
    "Sub, Div": (("Sub", SHIFT[None]), ("Div", SCALE[None])),
    "Mul, Add": (("Mul", SCALE), ("Add", SHIFT)),
    "Add": (("Add", SHIFT),),
    "a number": (("Div", 255.0), ("Sub", 0.5)),
}


@pytest.mark.parametrize("steps", FIRST_STEPS.values(), ids=FIRST_STEPS)
def test_what_scales_the_inputs_becomes_scaling(steps, tmp_path):
    graph = Graph()
    for operator, number in steps:
        graph.then(operator, number)
    net = arrives(graph.layers(LAYERS, "Tanh", None), tmp_path)
    assert net.scaling is not None
    assert not net.standardize


def test_a_scaler_becomes_scaling(tmp_path):
    how = {"offset": SHIFT.tolist(), "scale": SCALE.tolist(), "domain": ML}
    net = arrives(Graph().then("Scaler", **how).layers(LAYERS, "Tanh", None), tmp_path)
    assert np.array_equal(net.scaling.shift, SHIFT)
    assert np.array_equal(net.scaling.scale, SCALE)


# ---- Labels --------------------------------------------------------------------------------------


def test_labels_that_follow_from_probabilities_are_left_out(tmp_path):
    graph = Graph().layers(LAYERS, "Relu", "Softmax")
    position = graph.add("ArgMax", graph.last, axis=1, keepdims=0)
    label = graph.add("Gather", np.array([b"a", b"b", b"c"], object), position)
    for outputs in ([label, graph.last], [graph.last, label], [label]):
        graph.outputs = outputs
        net = bpcore.Network.from_onnx(graph.save(tmp_path))
        assert same(net, network(LAYERS, ["relu", "softmax"]))


def test_probabilities_of_two_classes_are_those_of_one_sigmoid(tmp_path):
    layers = arrays([4, 5, 1])
    graph = Graph().layers(layers, "Relu", "Sigmoid")
    both = both_of(graph).last
    graph.outputs = [graph.add("ArgMax", both, axis=1), both]
    net = bpcore.Network.from_onnx(graph.save(tmp_path))
    assert same(net, network(layers, ["relu", "sigmoid"]))


def test_a_label_for_each_output_is_left_out(tmp_path):
    graph = Graph().layers(LAYERS, "Relu", "Sigmoid")
    label = graph.add("Cast", graph.add("Greater", graph.last, 0.5), to=TensorProto.INT64)
    graph.outputs = [label, graph.last]
    net = bpcore.Network.from_onnx(graph.save(tmp_path))
    assert same(net, network(LAYERS, ["relu", "sigmoid"]))


# ---- Refusals ------------------------------------------------------------------------------------


def started():
    return Graph().layers(LAYERS[:1], "Relu")


def skip():
    graph = started()
    before = graph.last
    graph.layers([(numbers(5, 5), B)], None)
    return graph.then("Add", before)


def two_outputs():
    graph = started()
    hidden = graph.last
    graph.layers(LAYERS[1:], None)
    graph.outputs = [hidden, graph.last]
    return graph


def two_inputs():
    graph = Graph().layers(LAYERS, None, None)
    graph.then("Add", "other")
    return graph


def tied():
    graph = Graph(shape=("n", 5))
    square = graph.constant(numbers(5, 5))
    return graph.then("MatMul", square).then("Relu").then("MatMul", square)


def both_of(graph):
    """Probabilities and those of the opposites."""
    opposite = graph.add("Sub", 1.0, graph.last)
    graph.last = graph.add("Concat", opposite, graph.last, axis=1)
    return graph


def permuted():
    graph = Graph()
    return graph.then("MatMul", graph.add("Transpose", W, perm=[0, 1]))


def of_constants(operator, **attributes):
    graph = started()
    graph.last = graph.add(operator, *([] if attributes else [B]), **attributes)
    return graph


class Sparse(Graph):
    def model(self):
        model = super().model()
        model.graph.sparse_initializer.add()
        return model


def sparse():
    return Sparse().layers(LAYERS, None, None)


def labels_computed_with():
    graph = Graph().layers(LAYERS, None, "Softmax").then("ArgMax", axis=1)
    return graph.then("Add", 1.0)


def of_the_input():
    return Graph().then("Relu").layers(LAYERS, None, None)


def constants_alone():
    graph = started()
    return graph.then("Add", graph.add("Exp", B))


REFUSALS = {
    "a convolution": (lambda: started().then("Conv", W), r"node 'conv_2' \(Conv\) is no part"),
    "a loop": (lambda: started().then("If"), r"\(If\) is no part"),
    "a domain": (lambda: started().then("Gemm", V, domain="mine"), r"\(mine\.Gemm\) is no part"),
    "a skip": (skip, r"node 'add_3' \(Add\) joins two layers"),
    "two outputs": (two_outputs, "several outputs"),
    "a missing name": (two_inputs, r"node 'add_2' \(Add\) reads 'other', which nothing"),
    "a tied weight": (tied, r"node 'matmul_0' \(MatMul\) has the weights of another layer"),
    "labels": (labels_computed_with, r"\(Add\) computes with labels"),
    "an activation of the input": (of_the_input, r"node 'relu_0' \(Relu\) is no part"),
    "constants": (constants_alone, r"\(Exp\) is no part"),
    "columns": (lambda: Graph().then("Gemm", W, transA=1), "'gemm_0'.*columns for samples"),
    "images": (lambda: Graph(shape=(1, 3, 4)).then("MatMul", W.T), "something else than rows"),
    "softmax of samples": (lambda: started().then("Softmax", axis=0), "'softmax_2'.*no softmax"),
    "a hidden softmax": (
        lambda: Graph().layers(LAYERS, "Softmax", None),
        r"node 'gemm_2' \(Gemm\) follows a softmax",
    ),
    "LogSoftmax": (lambda: started().then("LogSoftmax"), "'logsoftmax_2'.*logarithms"),
    "sizes": (
        lambda: Graph().layers([(W, B), (W, B)], "Relu", None),
        r"node 'gemm_2' \(Gemm\) has 4 inputs, but node 'gemm_0' \(Gemm\) before it has 5",
    ),
    "a vector": (lambda: started().then("Mul", B), "'mul_2'.*for each feature"),
    "half": (lambda: Graph().then("MatMul", W.T.astype("f2")), "constant 'c0' has ONNX's data"),
    "a cast": (lambda: started().then("Cast", to=TensorProto.FLOAT16), "'cast_2'.*casts to"),
    "three steps": (
        lambda: Graph().then("Sub", 1.0).then("Div", 2.0).then("Mul", 3.0),
        "'mul_2'.*one more step",
    ),
    "no scale": (
        lambda: Graph().then("Div", 0.0).layers(LAYERS, None, None),
        r"scale\[0\] is inf",
    ),
    "training": (lambda: started().then("Dropout", 0.5, True), "drops in training"),
    "rows of others": (lambda: started().then("Reshape", np.array([5, -1])), "reshapes to"),
    "rows of several": (
        lambda: Graph(shape=("n", 8)).then("Reshape", np.array([-1, 4])),
        "'reshape_0'.*rows of 4 elements, but they have 8",
    ),
    "other features": (
        lambda: Graph(shape=("n", 8)).layers(LAYERS, None, None),
        r"node 'gemm_0' \(Gemm\) has 4 inputs, but rows have 8",
    ),
    "rounded outputs": (
        lambda: started().then("Cast", to=TensorProto.INT64),
        "'cast_2'.*casts to",
    ),
    "both of several": (
        lambda: both_of(Graph().layers(LAYERS, None, "Sigmoid")),
        r"'concat_\d'.*no part",
    ),
    "columns of rows": (lambda: Graph().then("Transpose"), "'transpose_0'.*transposes rows"),
    "another permutation": (permuted, r"'transpose_0'.*permutation \[0, 1\]"),
    "a flat batch": (lambda: Graph().then("Flatten", axis=0), "'flatten_0'.*something else"),
    "sizes computed": (lambda: started().then("Reshape", C), "'reshape_2'.*constant sizes"),
    "rows of a layer": (
        lambda: started().then("Reshape", np.array([-1, 3])),
        "'reshape_2'.*rows of 3 elements, but they have 5",
    ),
    "a scaler of a layer": (
        lambda: started().then("Scaler", offset=[0.0], scale=[1.0], domain=ML),
        "'scaler_2'.*something else than the input",
    ),
    "labels of nothing": (lambda: of_constants("ArgMax"), "first operand that does not follow"),
    "a constant of words": (lambda: of_constants("Constant", value_string=b"a"), "no tensor and"),
    "whole numbers": (lambda: Graph().then("MatMul", np.eye(4, dtype=int)), "has dtype int64"),
    "a weight of images": (
        lambda: Graph().then("MatMul", numbers(4, 4, 2)),
        r"shape \(2, 4, 4\), but a matrix is expected",
    ),
    "a bias for each sample": (
        lambda: Graph().then("Gemm", W.T, B[:, None]),
        r"constant 'c1' has shape \(5, 1\), but a number for each of 5 features",
    ),
    "sparse constants": (sparse, "sparse constants"),
    "nothing dense": (lambda: Graph().then("Identity"), "no dense layer"),
    "an attribute": (lambda: started().then("Elu", alpha=1), "attribute alpha of another type"),
}


@pytest.mark.parametrize(("made", "words"), REFUSALS.values(), ids=REFUSALS)
def test_what_is_no_network_is_refused_by_the_name_of_the_node(made, words, tmp_path):
    path = made().save(tmp_path)
    with pytest.raises(ValueError, match=words) as caught:
        bpcore.Network.from_onnx(path)
    assert str(caught.value).startswith(str(path))


def test_a_file_that_is_not_there_is_an_oserror(tmp_path):
    with pytest.raises(FileNotFoundError):
        bpcore.Network.from_onnx(tmp_path / "nothing.onnx")


def test_onnx_is_named_where_it_is_missing(tmp_path, monkeypatch):
    path = Graph().layers(LAYERS, None, None).save(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ImportError, match="pip install onnx"):
        bpcore.Network.from_onnx(path)


# ---- Files of exporters --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_network_that_was_exported_comes_back_bit_for_bit(name, dtype, tmp_path):
    for scaled in (False, True):
        hidden = "tanh" if name == "softmax" else name
        net = bpcore.Network([4, 5, 3], hidden=hidden, output=name, dtype=dtype, seed=0)
        if scaled:
            net.scaling = bpcore.Standardizer(SHIFT, SCALE)
        net.export(tmp_path / "net.onnx")
        back = bpcore.Network.from_onnx(tmp_path / "net.onnx")
        assert same(back, net)
        assert same_bits(back.forward(X), net.forward(X))


def test_files_of_skl2onnx_arrive(tmp_path):
    skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is missing: pip install skl2onnx")
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def there_and_here(model, y, **options):
        with pytest.warns(UserWarning, match="Maximum iterations"):
            model.fit(X, y)
        content = skl2onnx.to_onnx(model, X[:1], **options).SerializeToString()
        (tmp_path / "model.onnx").write_bytes(content)
        return bpcore.Network.from_onnx(tmp_path / "model.onnx")

    how = {"max_iter": 2, "random_state": 1}
    words = np.array(list("abc"))[np.arange(50) % 3]
    for y in (np.arange(50) % 2, words, (X[:, :3] > 0).astype(int)):
        for options in ({}, {"options": {"zipmap": False}}):
            model = make_pipeline(StandardScaler(), MLPClassifier((5,), "tanh", **how))
            net = there_and_here(model, y, **options)
            P = model.predict_proba(X)
            assert net.scaling is not None
            assert agrees(net, X, P[:, 1] if P.shape[1] == 2 else P)
    model = MLPRegressor(hidden_layer_sizes=(5,), **how)
    net = there_and_here(model, X[:, 0])
    assert agrees(net, X, model.predict(X))


def torch_model():
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
    from torch import nn

    torch.manual_seed(1)
    names = ("GELU", "SiLU", "ELU", "SELU", "Softplus", "LeakyReLU", "Tanh")
    hidden = [part for name in names for part in (nn.Linear(4, 4), getattr(nn, name)())]
    last = nn.Linear(4, 3, bias=False), nn.Softmax(dim=1)
    return torch, nn.Sequential(nn.Flatten(), *hidden, nn.Dropout(0.5), *last).eval()


@pytest.mark.filterwarnings("default")  # Other libraries warn as they please.
@pytest.mark.parametrize("dynamo", [False, pytest.param(True, marks=pytest.mark.long)])
def test_files_of_pytorch_arrive(dynamo, tmp_path):
    torch, model = torch_model()
    path, rows = tmp_path / "model.onnx", torch.tensor(X)
    how = {"dynamic_axes": {"x": {0: "n"}}, "opset_version": 13}
    if dynamo:
        pytest.importorskip("onnxscript", reason="onnxscript is missing: pip install onnxscript")
        how = {"dynamic_shapes": ({0: torch.export.Dim("n")},), "external_data": False}
    torch.onnx.export(model, (rows,), path, dynamo=dynamo, input_names=["x"], **how)
    net = bpcore.Network.from_onnx(path)
    assert same(net, bpcore.Network.from_torch(model))
    assert agrees(net, X, model(rows).detach().numpy())


def test_a_module_of_pytorch_leaves_again_as_onnx(tmp_path):
    torch, model = torch_model()
    net = bpcore.Network.from_torch(model)
    net.export(tmp_path / "net.onnx")
    (outputs,) = ReferenceEvaluator(str(tmp_path / "net.onnx")).run(None, {"X": X})
    assert agrees(net, X, outputs)
    assert agrees(net, X, model(torch.tensor(X)).detach().numpy())
    assert same(bpcore.Network.from_onnx(tmp_path / "net.onnx"), net)


def test_the_checker_finds_a_weight_that_arrives_transposed(tmp_path):
    layers = [(numbers(4, 4), numbers(4, seed=1))]
    graph = Graph().layers(layers, None)
    graph.nodes[0].attribute[0].i = 0  # transB
    assert not agrees(network(layers, ["identity"]), X, graph.outputs_for(X)[0])
    assert agrees(bpcore.Network.from_onnx(graph.save(tmp_path)), X, graph.outputs_for(X)[0])
