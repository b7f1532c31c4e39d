"""ONNX files compute what networks and estimators compute, in every runtime at hand."""

import copy
import sys

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed: pip install onnx")

import onnx
from onnx.reference import ReferenceEvaluator

from bpcore import Network, Standardizer, _core
from bpcore.export import _graph, _onnx
from tests import real_data

RANDOM = np.random.RandomState(0)
X = RANDOM.uniform(-2, 2, (50, 3))

# The largest slope of an activation, where that is not 1. That of exp is exp.
SLOPES = {"selu": 1.76, "silu": 1.1, "gelu": 1.13}
# The outputs that losses of their own go with, and one that goes with any loss.
OUTPUTS = ["sigmoid", "softmax", "exp", "identity"]


def in_onnx_runtime(content):
    reason = "onnxruntime is not installed: pip install onnxruntime"
    runtime = pytest.importorskip("onnxruntime", reason=reason)
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda X: session.run(None, {"X": X})


def in_reference(content):
    """onnx's own operators in NumPy, where an exp beside the branch that counts may overflow."""
    session = ReferenceEvaluator(onnx.load_from_string(content))

    def run(X):
        with np.errstate(over="ignore", invalid="ignore"):
            return session.run(None, {"X": X})

    return run


RUNTIMES = [in_onnx_runtime, in_reference]


def make(hidden, output, dtype, *, standardize=False):
    """A network of three units a layer, with weights and biases of all kinds."""
    how = {"standardize": standardize, "init": ("normal", 0.5, "biases"), "dtype": dtype, "seed": 3}
    net = Network([3, 3, 3], hidden=hidden, output=output, **how)
    if standardize:
        net.scaling = Standardizer(X.mean(axis=0), 1 / X.std(axis=0))
    return net


def scale(name, z, a):
    """What the error of an activation is measured by: its output a, or 1, which ends a sigmoid.

    silu is z times a sigmoid, whose error near 0 is one of 1 in ONNX Runtime.
    """
    return np.maximum(1, np.abs(z if name == "silu" else a))


def tolerance(net, X):
    """How far apart two computations of the same graph may end, for each output.

    A layer of n inputs adds n products to a bias, in an order of its own: n + 1 roundings of half
    an ulp at most, and those of two computations are n + 1 ulp of sum |w x| + |b|: 4 for n = 3. To
    that comes what the inputs differ by, through |w| and the slope of the activation, and 4 ulp of
    ``scale`` for functions that come from different programs.
    """
    ulp = float(np.finfo(net.dtype).eps)
    x, *outputs = net.activations(X)
    apart = np.zeros_like(x)  # Standardised rows have the same bits.
    layers = zip(net.weights, net.biases, net.activation_names, outputs, strict=True)
    for W, b, name, a in layers:
        size, terms = np.abs(W).T, W.shape[1] + 1
        apart = apart @ size + terms * ulp * (np.abs(x) @ size + np.abs(b))
        if name == "softmax":  # |da| <= max |dz| / 2, which the largest of a row is for all.
            apart = np.broadcast_to(apart.max(axis=1, keepdims=True), apart.shape)
        slope = a * np.exp(apart) if name == "exp" else SLOPES.get(name, 1.0)
        apart = slope * apart + 4 * ulp * scale(name, x @ W.T + b, a)
        x = a
    return apart


def agree(net, A, X):
    """Are outputs A those of ``net``, but for rounding?"""
    return A.dtype == net.dtype and bool((np.abs(A - net.forward(X)) <= tolerance(net, X)).all())


# ---- Numbers -------------------------------------------------------------------------------------


def test_there_is_a_graph_of_every_activation():
    assert set(_graph.ACTIVATIONS) == set(_core.ACTIVATIONS)


@pytest.mark.parametrize("run", RUNTIMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", _core.ACTIVATIONS)
def test_every_activation_output_and_scaling_agrees_in_two_runtimes(activation, dtype, run):
    hidden = "tanh" if activation == "softmax" else activation
    rows = X.astype(dtype)
    for output in {*OUTPUTS, activation}:
        for standardize in (False, True):
            net = make(hidden, output, dtype, standardize=standardize)
            (A,) = run(_onnx.model_bytes(net, "net"))(rows)
            assert agree(net, A, rows), (output, standardize)


@pytest.mark.parametrize("run", RUNTIMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", _core.ACTIVATIONS)
def test_an_activation_agrees_over_its_whole_range(activation, dtype, run):
    net = Network([2, 2], output=activation, loss="mse", init=("normal", 0.0), dtype=dtype)
    net.weights[0][...] = np.eye(2)  # z is x, exactly.
    z = np.concatenate([np.linspace(-80, 80, 20001), np.geomspace(1e-30, 1, 500)])
    z = np.stack([z, -z], axis=1).astype(dtype)
    (A,) = run(_onnx.model_bytes(net, "net"))(z)
    ours = net.forward(z)
    worst = (np.abs(A - ours) / scale(activation, z, ours)).max()
    assert worst <= 4 * np.finfo(dtype).eps


@pytest.mark.parametrize("activation", ["elu", "selu", "softplus"])
def test_what_is_composed_in_float64_keeps_its_digits_near_zero(activation):
    net = Network([1, 1], output=activation, loss="mse", init=("normal", 0.0), dtype="float64")
    net.weights[0][...] = 1
    z = -np.geomspace(1e-20, 35, 1000)[:, None]
    (A,) = in_reference(_onnx.model_bytes(net, "net"))(z)
    # Some five roundings and two functions of at most 2 ulp, of numbers that do not cancel.
    np.testing.assert_allclose(A, net.forward(z), rtol=8 * np.finfo(float).eps)


def test_a_changed_weight_is_found():
    rows = X.astype(np.float32)
    for layer in (0, 1):
        net = make("tanh", "identity", "float32")
        wrong = copy.deepcopy(net)
        wrong.weights[layer][1, 2] *= np.float32(1 + 1e-5)
        (A,) = in_reference(_onnx.model_bytes(wrong, "net"))(rows)
        assert agree(wrong, A, rows)
        assert not agree(net, A, rows)


def test_standardised_rows_have_the_same_bits():
    net = Network([3, 3], output="identity", init=("normal", 0.0), standardize=True)
    net.scaling = Standardizer(X.mean(axis=0), 1 / X.std(axis=0))
    net.weights[0][...] = np.eye(3)
    rows = X.astype(np.float32)
    (A,) = in_reference(_onnx.model_bytes(net, "net"))(rows)
    assert np.array_equal(A, net.scaling.apply(rows))


@pytest.mark.parametrize("run", RUNTIMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_batch_may_have_any_number_of_rows(dtype, run):
    net = make("relu", "softmax", dtype, standardize=True)
    compute = run(_onnx.model_bytes(net, "net"))
    for n in (0, 1, 7):
        (A,) = compute(X[:n].astype(dtype))
        assert A.shape == (n, 3)
        assert agree(net, A, X[:n].astype(dtype))


def test_fives_and_eights_have_the_same_labels(tmp_path):
    (X_train, y_train), (X_test, _) = real_data.mnist58()
    net = Network([784, 196, 1], seed=1)
    net.fit(X_train, y_train, epochs=20, learning_rate=1.0)
    net.export(tmp_path / "mnist58.onnx")
    (A,) = in_onnx_runtime((tmp_path / "mnist58.onnx").read_bytes())(X_test)
    assert len(A) == 1866
    assert np.array_equal((A[:, 0] > 0.5).astype(int), net.predict(X_test))
    assert agree(net, A, X_test)


# ---- Files ---------------------------------------------------------------------------------------


def test_a_file_says_what_it_is(tmp_path):
    net = make("gelu", "softmax", "float64")
    net.export(tmp_path / "gate.onnx")
    model = onnx.load(tmp_path / "gate.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 13)]
    assert (model.ir_version, model.producer_name) == (7, "bpcore")
    assert model.graph.name == "gate"
    assert model.graph.doc_string == f"{net!r}, fingerprint {net.fingerprint()}"
    assert [value.name for value in (*model.graph.input, *model.graph.output)] == ["X", "A"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    names = [tensor.name for tensor in model.graph.initializer if "layers" in tensor.name]
    assert names[:2] == ["layers.0.weight", "layers.0.bias"]
    net.export(tmp_path / "gate.onnx", name="other")
    assert onnx.load(tmp_path / "gate.onnx").graph.name == "other"


def break_weights(net, monkeypatch):
    net.weights[1][0, 1] = np.nan
    return ValueError, r"weights\[1\]\[0, 1\] is nan"


def forget_activation(net, monkeypatch):
    monkeypatch.delitem(_graph.ACTIVATIONS, "tanh")
    return ValueError, "activation 1 of an ONNX graph is 'tanh'"


def allow_little(net, monkeypatch):
    monkeypatch.setattr(_onnx, "LIMIT", net.parameters.nbytes - 1)
    return ValueError, "less than 2 GiB"


def lose_package(net, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx.checker", None)
    return ImportError, "pip install onnx"


@pytest.mark.parametrize("spoil", [break_weights, forget_activation, allow_little, lose_package])
def test_what_is_refused_leaves_the_old_file(spoil, tmp_path, monkeypatch):
    net, path = make("tanh", "softmax", "float32"), tmp_path / "net.onnx"
    path.write_bytes(b"old")
    kind, words = spoil(net, monkeypatch)
    with pytest.raises(kind, match=words):
        net.export(path)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["net.onnx"]


@pytest.mark.parametrize("name", ["", 3])
def test_a_name_that_is_no_name_is_refused(name, tmp_path):
    with pytest.raises(TypeError, match="name is"):
        make("tanh", "softmax", "float32").export(tmp_path / "net.onnx", name=name)
    assert list(tmp_path.iterdir()) == []


# ---- Estimators ----------------------------------------------------------------------------------

LABELS = {
    "two numbers": np.arange(50) % 2 * 7 - 3,
    "two words": np.array(["no", "yes"])[np.arange(50) % 2],
    "three numbers": np.arange(50) % 3,
    "three words": np.array(["è", "b", ""])[np.arange(50) % 3],
    "truth": np.arange(50) % 2 == 0,
    "whole floats": np.arange(50) % 3 * 1.0,
    "one class": np.full(50, 4),
    "many at once": (X > [0.0, 1.0, -1.0]).astype(int),
}


def fitted(kind, y, dtype, **settings):
    estimators = pytest.importorskip(
        "bpcore.sklearn", reason="scikit-learn is not installed: pip install scikit-learn"
    )
    model = getattr(estimators, kind)(hidden_layer_sizes=(4,), random_state=1, **settings)
    return model.set_params(solver="lbfgs", alpha=1e-3).fit(X.astype(dtype), y)


@pytest.mark.parametrize("run", RUNTIMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_classifier_says_its_labels_and_probabilities(labels, dtype, run, tmp_path):
    model = fitted("MLPClassifier", LABELS[labels], dtype, activation="tanh")
    model.export(tmp_path / "model.onnx")
    rows = RANDOM.uniform(-3, 3, (200, 3)).astype(dtype)
    content = (tmp_path / "model.onnx").read_bytes()
    assert [o.name for o in onnx.load_from_string(content).graph.output] == [
        "label",
        "probabilities",
    ]
    found, probabilities = run(content)(rows)
    assert np.array_equal(found, model.predict(rows))
    expected = model.predict_proba(rows)
    assert probabilities.shape == expected.shape
    # 1 - a is exact, or rounded once.
    limit = tolerance(model._coupled().net, rows).max() + np.finfo(dtype).eps
    np.testing.assert_allclose(probabilities, expected, rtol=0, atol=limit)


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_regressor_says_its_values(outputs, tmp_path):
    y = X[:, 0] ** 2 if outputs == 1 else X[:, :2] ** 2
    model = fitted("MLPRegressor", y, "float64", activation=["softplus"])
    model.export(tmp_path / "model.onnx")
    (A,) = in_reference((tmp_path / "model.onnx").read_bytes())(X)
    assert A.shape == (50, outputs)
    assert (
        np.abs(A - model.predict(X).reshape(A.shape)) <= tolerance(model._coupled().net, X)
    ).all()


def test_an_estimator_that_is_not_fitted_is_refused(tmp_path):
    estimators = pytest.importorskip("bpcore.sklearn", reason="scikit-learn is not installed")
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        estimators.MLPClassifier().export(tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_labels_that_onnx_does_not_have_are_refused(tmp_path):
    model = fitted("MLPClassifier", LABELS["two numbers"], "float64")
    model.classes_ = np.array([b"no", b"yes"])
    with pytest.raises(TypeError, match="whole numbers of 64 bits and strings"):
        model.export(tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []
