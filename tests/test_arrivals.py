"""Networks of scikit-learn, PyTorch and Keras arrive as they are, or are refused by name.

The laws hold for objects that look like those of PyTorch and Keras, and where these are installed,
for theirs.
"""

import os
from types import SimpleNamespace

import numpy as np
import pytest

import bpcore
from tests.arrivals import agrees, arrays, look_alike, network, numbers
from tests.bits import same_bits

X = numbers(50, 4, seed=7)
HIDDEN = ("relu", "leaky_relu", "elu", "selu", "softplus", "silu", "gelu", "sigmoid", "tanh")


def same(a, b):
    return repr(a) == repr(b) and same_bits(a.parameters, b.parameters)


# ---- The checker ---------------------------------------------------------------------------------


def test_a_weight_that_arrives_transposed_is_found():
    layers = arrays([4, 4, 2])
    net = network(layers, ["tanh", "sigmoid"])
    expected = net.forward(X)
    assert agrees(net, X, expected)
    net.weights[0][...] = layers[0][0].T
    assert not agrees(net, X, expected)


def test_an_activation_of_another_slope_is_found():
    layers = arrays([4, 8, 2])
    expected = network(layers, ["elu", "identity"]).forward(X)
    assert not agrees(network(layers, ["selu", "identity"]), X, expected)


# ---- PyTorch -------------------------------------------------------------------------------------

TORCH_SETTINGS = {
    "LeakyReLU": {"negative_slope": 0.01},
    "ELU": {"alpha": 1.0},
    "Softplus": {"beta": 1.0, "threshold": 20.0},
    "GELU": {"approximate": "none"},
    "Softmax": {"dim": 1},
    "Flatten": {"start_dim": 1, "end_dim": -1},
    "Conv2d": {},
}
TORCH_NAMES = {
    "relu": "ReLU",
    "leaky_relu": "LeakyReLU",
    "elu": "ELU",
    "selu": "SELU",
    "softplus": "Softplus",
    "silu": "SiLU",
    "gelu": "GELU",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "softmax": "Softmax",
}


def torch_layer(name, **settings):
    return look_alike("torch.nn.modules", name, **TORCH_SETTINGS.get(name, {}) | settings)


def linear(W, b=None):
    return torch_layer("Linear", weight=W, bias=b)


def sequential(*layers):
    return torch_layer("Sequential", _modules={str(i): layer for i, layer in enumerate(layers)})


@pytest.mark.parametrize("name", HIDDEN)
def test_a_sequential_module_arrives_with_each_activation(name, dtype):
    layers = arrays([4, 5, 3], dtype)
    inner = sequential(torch_layer("Flatten"), linear(*layers[0]), torch_layer(TORCH_NAMES[name]))
    model = sequential(inner, torch_layer("Dropout"), linear(*layers[1]), torch_layer("Softmax"))
    assert same(bpcore.Network.from_torch(model), network(layers, [name, "softmax"]))


def test_a_single_linear_layer_arrives():
    layers = arrays([4, 2])
    assert same(bpcore.Network.from_torch(linear(*layers[0])), network(layers, ["identity"]))


def test_linear_layers_in_a_row_and_without_a_bias_arrive():
    (W, b), (V, c) = arrays([4, 5, 3])
    net = bpcore.Network.from_torch(sequential(linear(W), linear(V, c)))
    assert same(net, network([(W, np.zeros_like(b)), (V, c)], ["identity", "identity"]))


def test_output_tells_what_logits_are_for():
    layers = arrays([4, 3])
    net = bpcore.Network.from_torch(linear(*layers[0]), output="softmax")
    assert same(net, network(layers, ["softmax"]))
    assert net.loss_name == "cross_entropy"


def test_a_state_dict_arrives():
    layers = arrays([4, 5, 3])
    state = {}
    for path, (W, b) in zip(("encoder.0", "head"), layers, strict=True):
        state |= {f"{path}.weight": W, f"{path}.bias": b}
    net = bpcore.Network.from_torch(state, hidden="gelu", output="softmax")
    assert same(net, network(layers, ["gelu", "softmax"]))


def conv():
    return torch_layer("Conv2d")


(W, B), (V, C) = arrays([4, 5, 3])
ONE = linear(W, B)
TORCH_REFUSALS = {
    "a layer": (sequential(ONE, conv()), r"layer '1' \(Conv2d\) is no part of a fully connected"),
    "a nested layer": (sequential(sequential(conv())), r"layer '0\.0' \(Conv2d\)"),
    "a module of the user's": (look_alike("mine", "Linear"), r"mine\.Linear is no part"),
    "a quantised one": (look_alike("torch.ao.nn.qat", "Linear"), r"torch\.ao\.nn\.qat\.Linear"),
    "a slope": (
        sequential(ONE, torch_layer("LeakyReLU", negative_slope=0.2)),
        r"layer '1' \(LeakyReLU\) has negative_slope=0\.2, but a Network has 0\.01",
    ),
    "a fit of gelu": (sequential(ONE, torch_layer("GELU", approximate="tanh")), "approximate="),
    "a softmax of samples": (sequential(ONE, torch_layer("Softmax", dim=0)), "dim=0"),
    "a hidden softmax": (sequential(ONE, torch_layer("Softmax"), linear(V, C)), "layer '2'.*soft"),
    "LogSoftmax": (sequential(ONE, torch_layer("LogSoftmax")), "layer '1'.*logarithms"),
    "two activations": (
        sequential(ONE, torch_layer("ReLU"), torch_layer("Tanh")),
        r"layer '2' \(Tanh\) follows another activation, relu",
    ),
    "an activation at the start": (
        sequential(torch_layer("Tanh"), ONE),
        r"layer '0' \(Tanh\) stands before the first dense layer",
    ),
    "nothing": (sequential(), "the Sequential has no dense layer"),
    "sizes": (sequential(ONE, linear(W, B)), r"layer '1' \(Linear\) has 4 inputs, but layer '0'"),
    "biases": (sequential(linear(W, C)), r"layer '0' \(Linear\) has 5 outputs, but 3 biases"),
    "half": (sequential(linear(W.astype("f2"))), r"weight of layer '0'.*float16.*model\.float"),
    "hooks": (sequential(linear(W), torch_layer("ReLU", _forward_hooks={0: print})), "hooks"),
    "not finite": (sequential(linear(W * np.float32("nan"), B)), r"weights\[0\]\[0, 0\] is nan"),
    "dimensions": (sequential(linear(B, B)), r"weight of layer '0'.*2 dimensions"),
}


@pytest.mark.parametrize(("model", "words"), TORCH_REFUSALS.values(), ids=TORCH_REFUSALS)
def test_what_is_no_network_of_pytorch_is_refused_by_its_name(model, words):
    with pytest.raises(ValueError, match=words):
        bpcore.Network.from_torch(model)


STATE = {"0.weight": W, "0.bias": B}
STATE_REFUSALS = {
    "a statistic": (STATE | {"1.running_mean": B}, r"'1\.running_mean' of shape \(5,\)"),
    "a kernel": ({"conv.weight": numbers(2, 2, 3, 3)}, r"'conv\.weight' of shape \(2, 2, 3, 3\)"),
    "a vector": (STATE | {"1.weight": B}, r"'1\.weight'"),
    "a bias alone": ({"0.bias": B}, r"'0\.bias'"),
    "bfloat16": ({"0.weight": SimpleNamespace(dtype="torch.bfloat16")}, "bfloat16, but float32"),
}


@pytest.mark.parametrize(("state", "words"), STATE_REFUSALS.values(), ids=STATE_REFUSALS)
def test_what_is_no_network_of_a_state_dict_is_refused_by_its_name(state, words):
    with pytest.raises(ValueError, match=words):
        bpcore.Network.from_torch(state, hidden="relu", output="identity")


def test_activations_are_told_where_the_model_has_none_and_nowhere_else():
    with pytest.raises(TypeError, match="give hidden= and output="):
        bpcore.Network.from_torch(STATE, hidden="relu")
    with pytest.raises(TypeError, match="a module has its own activations"):
        bpcore.Network.from_torch(ONE, hidden="relu")
    with pytest.raises(ValueError, match="ends with relu already"):
        bpcore.Network.from_torch(sequential(ONE, torch_layer("ReLU")), output="softmax")


@pytest.mark.filterwarnings("default")
def test_modules_of_pytorch_compute_the_same():
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
    from torch import nn

    torch.manual_seed(1)
    for name in HIDDEN:
        activation = getattr(nn, TORCH_NAMES[name])()
        model = nn.Sequential(
            *(nn.Flatten(), nn.Linear(4, 6), activation, nn.Dropout(0.5)),
            *(nn.Sequential(nn.Linear(6, 5, bias=False), nn.Tanh()), nn.Linear(5, 3)),
        )
        for given in (model, model.double(), nn.Sequential(model, nn.Softmax(dim=-1))):
            net, given = bpcore.Network.from_torch(given), given.eval()
            rows = torch.tensor(X, dtype=next(given.parameters()).dtype)
            assert agrees(net, rows.numpy(), given(rows).detach().numpy())
        net = bpcore.Network.from_torch(model.state_dict() | {}, hidden=[name, "tanh"],
                                        output="identity")  # fmt: skip
        assert agrees(net, X.astype("f8"), model(torch.tensor(X).double()).detach().numpy())
    for part, words in ((nn.Conv1d(4, 4, 1), "Conv1d"), (nn.BatchNorm1d(4), "BatchNorm1d")):
        with pytest.raises(ValueError, match=rf"layer '0' \({words}\)"):
            bpcore.Network.from_torch(nn.Sequential(part))
    with pytest.raises(ValueError, match="bfloat16"):
        bpcore.Network.from_torch(model.bfloat16())
    with pytest.raises(ValueError, match="cannot be read as an array"):
        bpcore.Network.from_torch(nn.Linear(2, 2, device="meta"))
    with pytest.raises(ValueError, match="hooks|Parametrized"):
        bpcore.Network.from_torch(nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)))


# ---- Keras ---------------------------------------------------------------------------------------


def keras_layer(kind, name=None, **attributes):
    name = name or kind.lower()
    return look_alike("keras.src.layers", kind, name=name, **attributes)


def function(name, module="keras.src.activations"):
    return look_alike(module, "function", __name__=name)


def dense(W, b, activation="linear", **attributes):
    weights = [W.T] if b is None else [W.T, b]
    how = {"get_weights": lambda self: weights, "use_bias": b is not None}
    if isinstance(activation, str):
        activation = function(activation)
    return keras_layer("Dense", **how, activation=activation, **attributes)


def keras_model(*layers, output_shape=(None, 1)):
    return look_alike(
        "keras.src.models", "Sequential", name="model", layers=layers, output_shape=output_shape
    )


KERAS_NAMES = {name: name for name in HIDDEN if name != "leaky_relu"} | {"exp": "exponential"}


@pytest.mark.parametrize("name", KERAS_NAMES)
def test_a_sequential_model_arrives_with_each_activation(name, dtype):
    layers = arrays([4, 5, 3], dtype)
    model = keras_model(
        keras_layer("InputLayer"),
        dense(*layers[0], KERAS_NAMES[name]),
        keras_layer("Dropout"),
        keras_model(dense(*layers[1])),
        keras_layer("Softmax", axis=-1),
    )
    assert same(bpcore.Network.from_keras(model), network(layers, [name, "softmax"]))


@pytest.mark.parametrize("slope", ["negative_slope", "alpha"])  # Of Keras 3 and 2.
def test_layers_that_are_activations_arrive(slope):
    layers = arrays([4, 5, 3, 2])
    model = keras_model(
        *(dense(*layers[0]), keras_layer("LeakyReLU", **{slope: np.float32(0.01)})),
        dense(*layers[1]),
        keras_layer("ReLU", max_value=None, threshold=0.0, negative_slope=0.0),
        *(dense(*layers[2]), keras_layer("Activation", activation=function("silu"))),
    )
    expected = network(layers, ["leaky_relu", "relu", "silu"])
    assert same(bpcore.Network.from_keras(model), expected)


def test_normalization_becomes_scaling():
    mean, variance = numbers(1, 4) * 9, numbers(1, 4, seed=1) ** 2
    layer = keras_layer("Normalization", mean=mean, variance=variance, invert=False)
    net = bpcore.Network.from_keras(keras_model(layer, dense(W, B)))
    assert np.array_equal(net.scaling.shift, mean[0].astype("f8"))
    assert np.array_equal(net.scaling.scale, 1 / np.sqrt(variance[0].astype("f8")))
    assert agrees(net, X, ((X - mean) / np.sqrt(variance)) @ W.T + B)


def test_rescaling_becomes_scaling():
    layer = keras_layer("Rescaling", scale=1 / 127.5, offset=-1.0)
    net = bpcore.Network.from_keras(keras_model(layer, dense(W, B)))
    assert agrees(net, 255 * X, (255 * X / 127.5 - 1) @ W.T + B)


FIRST = dense(W, B)
KERAS_REFUSALS = {
    "a layer": (keras_model(keras_layer("Conv2D", "c")), r"layer 'c' \(Conv2D\) is no part"),
    "a function": (keras_model(dense(W, B, "hard_sigmoid")), "'dense'.*'hard_sigmoid', which no"),
    "one of the user's": (keras_model(dense(W, B, function("relu", "mine"))), "'dense'.*'relu'"),
    "a slope": (keras_model(dense(W, B, "leaky_relu")), r"slope 0\.2, bpcore's 0\.01"),
    "another slope": (
        keras_model(FIRST, keras_layer("LeakyReLU", negative_slope=0.3)),
        r"'leakyrelu' \(LeakyReLU\) has negative_slope=0\.3",
    ),
    "a limit": (
        keras_model(FIRST, keras_layer("ReLU", max_value=6, threshold=0, negative_slope=0)),
        "max_value=6",
    ),
    "unbuilt": (
        keras_model(keras_layer("Dense", get_weights=lambda self: [])),
        r"'dense' \(Dense\) has no weights yet",
    ),
    "more arrays": (
        keras_model(keras_layer("Dense", get_weights=lambda self: [W.T, B, W], use_bias=True)),
        "has 3 arrays",
    ),
    "scaling between": (keras_model(FIRST, keras_layer("Rescaling")), "before all other layers"),
    "not adapted": (keras_model(keras_layer("Normalization", mean=None)), "call its adapt first"),
    "more features": (
        keras_model(keras_layer("Rescaling", scale=np.ones(3), offset=0.0), FIRST),
        "scales 3 features, but its first dense layer has 4 inputs",
    ),
    "sequences": (keras_model(FIRST, output_shape=(None, 7, 5)), "rows are expected"),
    "code": (look_alike("mine", "Model"), "the model is mine.Model"),
}


@pytest.mark.parametrize(("model", "words"), KERAS_REFUSALS.values(), ids=KERAS_REFUSALS)
def test_what_is_no_network_of_keras_is_refused_by_its_name(model, words):
    with pytest.raises(ValueError, match=words):
        bpcore.Network.from_keras(model)


def functional(layers, inputs, outputs):
    how = {"name": "model", "layers": layers, "inputs": inputs, "outputs": outputs}
    return look_alike("keras.src.models", "Functional", **how, output_shape=(None, 3))


def test_a_functional_model_arrives_where_its_layers_are_in_one_row():
    x, y, z = object(), object(), object()
    layers = arrays([4, 5, 3])
    start = keras_layer("InputLayer", output=x)
    first = dense(*layers[0], "tanh", input=x, output=y)
    second = dense(*layers[1], input=y, output=z)
    net = bpcore.Network.from_keras(functional([start, first, second], [x], [z]))
    assert same(net, network(layers, ["tanh", "identity"]))
    skipping = dense(*layers[1], input=x, output=z)
    with pytest.raises(ValueError, match="'dense' does not read the output of the layer before"):
        bpcore.Network.from_keras(functional([start, first, skipping], [x], [z]))
    with pytest.raises(ValueError, match="other inputs and outputs"):
        bpcore.Network.from_keras(functional([start, first, second], [x], [y, z]))


@pytest.mark.filterwarnings("default")  # Other libraries warn as they please.
def test_models_of_keras_compute_the_same(monkeypatch):
    if "KERAS_BACKEND" not in os.environ:
        pytest.importorskip("torch", reason="no backend of keras is installed: pip install torch")
        monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="keras is not installed: pip install keras")
    make, rows = keras.layers, 5 * X
    keras.utils.set_random_seed(1)
    scaled = make.Normalization()
    scaled.adapt(rows)
    slope = make.LeakyReLU(negative_slope=0.01)
    for name in ("gelu", "silu", "elu", "selu", "softplus", "exponential", "sigmoid", "relu"):
        model = keras.Sequential(
            [
                *(keras.Input((4,)), scaled, make.Dense(6, name), make.Dense(5), slope),
                *(make.Dropout(0.5), make.Dense(3, "softmax", bias_initializer="uniform")),
            ]
        )
        assert agrees(bpcore.Network.from_keras(model), rows, model.predict(rows, verbose=0))
    x = keras.Input((4,))
    y = make.Dense(5, "tanh", name="first")(x)
    model = keras.Model(x, make.Dense(2)(y))
    assert agrees(bpcore.Network.from_keras(model), rows, model.predict(rows, verbose=0))
    twice = make.Dense(4, "tanh")
    for other in (keras.Model(x, make.Dense(5)(x) + y), keras.Model(x, twice(twice(x)))):
        with pytest.raises(ValueError, match="layer"):
            bpcore.Network.from_keras(other)


# ---- scikit-learn's shape, without scikit-learn --------------------------------------------------


def perceptron(**changed):
    usual = {
        "hidden_layer_sizes": (5,),
        "activation": "logistic",
        "coefs_": [W.T, V.T],
        "intercepts_": [B, C],
        "out_activation_": "softmax",
    }
    return SimpleNamespace(**usual | changed)


def test_a_perceptron_arrives():
    net = bpcore.Network.from_sklearn(perceptron())
    assert same(net, network([(W, B), (V, C)], ["sigmoid", "softmax"]))


def test_weights_of_other_dtypes_become_double():
    model = perceptron(coefs_=[W.T, V.T.astype("f2")], out_activation_="identity",
                       loss="squared_error")  # fmt: skip
    net = bpcore.Network.from_sklearn(model)
    assert net.dtype == np.float64
    assert np.array_equal(net.weights[0], W)


SKLEARN_REFUSALS = {
    "a tree": (SimpleNamespace(), TypeError, "model is a SimpleNamespace, but an MLPClassifier"),
    "unfitted": (
        SimpleNamespace(activation="relu", hidden_layer_sizes=(5,)),
        ValueError,
        "is not fitted yet",
    ),
    "intercepts": (perceptron(intercepts_=[B]), ValueError, "coefs_ has 2 arrays"),
    "sizes": (perceptron(coefs_=[W.T, W.T]), ValueError, "layer 2 has 5 outputs, but 3 biases"),
    "an activation": (perceptron(activation="sine"), ValueError, "sine"),
    "a loss": (perceptron(loss="hinge"), ValueError, "hinge"),
    "activations": (perceptron(activation=["relu", "relu"]), ValueError, "names 2 act"),
}


@pytest.mark.parametrize(
    ("model", "error", "words"), SKLEARN_REFUSALS.values(), ids=SKLEARN_REFUSALS
)
def test_what_is_no_fitted_perceptron_is_refused(model, error, words):
    with pytest.raises(error, match=words):
        bpcore.Network.from_sklearn(model)


def test_an_arrival_trains_like_the_network_that_it_is():
    arrived = bpcore.Network.from_torch(sequential(linear(W, B), torch_layer("Tanh"), linear(V, C)))
    made = network([(W, B), (V, C)], ["tanh", "identity"])
    for net in (arrived, made):
        net.fit(X, X[:, :3], epochs=3, batch_size=7, optimizer="adam", learning_rate=0.01)
    assert same_bits(arrived.parameters, made.parameters)
