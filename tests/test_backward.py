"""Laws of gradients that come from outside, of traces and of Jacobians."""

import numpy as np
import pytest

import bpcore
from bpcore import _core, reference
from tests.bits import needs_fused, same_bits
from tests.core_network import HIDDEN, Net
from tests.numpy_oracle import chain

OUTPUTS = list(_core.ACTIVATIONS)
DEPTHS = {"no hidden layer": [4, 3], "one": [5, 6, 3], "three": [4, 7, 6, 5, 2]}


def gradient_outside(net, rows, seed=3):
    shape = rows, net.sizes[-1]
    return np.random.default_rng([seed, rows]).standard_normal(shape).astype(net.dtype)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("depth", DEPTHS)
def test_backward_of_the_squares_slope_is_the_gradient(dtype, depth, output):
    """mse: dC/dA = A - Y, which can be any dA. Its delta is made of the same product, so that the
    bits are the same as of the gradient, which test_gradient_grid holds against differences."""
    for hidden in HIDDEN if depth == "one" else ["gelu"]:
        net = Net(DEPTHS[depth], hidden, output, "mse", dtype)
        X, Y = net.data(32)  # 32: the mean is exact.
        gradient, _ = net.gradient(X, Y)
        assert np.array_equal(net.backward(X, net.forward(X) - Y)[0] / 32, gradient)


@needs_fused
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("depth", DEPTHS)
def test_the_gradient_of_a_row_is_what_comes_back_to_the_first_layer(isa, dtype, depth, output):
    """Of one row, db of the first layer is its delta: dX = delta W', in the written order."""
    net = Net(DEPTHS[depth], "silu", output, "mse", dtype, seed=4)
    X, _ = net.data(12)
    dA, [(W, _), *_] = gradient_outside(net, 12), net.layers(net.parameters)
    for i in range(12):
        alone, dX = net.backward(X[i : i + 1], dA[i : i + 1])
        delta = net.layers(alone)[0][1][None]
        assert np.array_equal(dX, chain(np.zeros_like(dX), delta, W.T)) and dX.any()
        assert same_bits(dX, net.backward(X, dA)[1][i : i + 1])


@pytest.mark.parametrize("wants", ["gradient", "dX"])
def test_what_is_not_wanted_leaves_the_other_as_it_is(wants):
    net = Net([5, 6, 3], "tanh", "sigmoid", "mse", np.float64)
    X, _ = net.data(20)
    dA = gradient_outside(net, 20)
    for both, one in zip(net.backward(X, dA), net.backward(X, dA, wants), strict=True):
        assert one is None or same_bits(both, one)


# ---- Traces --------------------------------------------------------------------------------------


def test_activations_end_with_the_forward_pass(dtype):
    net = bpcore.Network([5, 7, 4, 3], hidden=["tanh", "relu"], output="softmax", dtype=dtype.name)
    X = np.random.default_rng(0).standard_normal((50, 5)).astype(dtype)
    first, *layers = net.activations(X)
    assert np.array_equal(first, X)
    assert same_bits(layers[-1], net.forward(X))
    for layer, A in enumerate(layers):  # Each is the last one of a network that ends there.
        Z = X if layer == 0 else layers[layer - 1]
        Z = Z.astype(np.float64) @ net.weights[layer].T + net.biases[layer]
        oracle = np.ascontiguousarray(Z, np.float64)
        _core.activate(net.activation_names[layer], oracle)
        assert np.allclose(A, oracle, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("output, loss", [("sigmoid", "bce"), ("tanh", "mae"), ("softmax", None)])
def test_deltas_and_activations_make_the_gradient(output, loss):
    settings = {"hidden": "silu", "output": output, "loss": loss, "dtype": "float64", "seed": 1}
    net = bpcore.Network([5, 7, 4, 3], **settings)
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((40, 5)), rng.integers(0, 3, 40)
    y = np.eye(3)[y]
    dW, db = net.gradients(X, y)
    A, delta = net.activations(X), net.deltas(X, y)
    for layer in range(3):
        assert delta[layer].shape == A[layer + 1].shape
        assert np.allclose(delta[layer].T @ A[layer] / 40, dW[layer], rtol=1e-12, atol=1e-15)
        assert np.allclose(delta[layer].mean(axis=0), db[layer], rtol=1e-12, atol=1e-15)


# ---- Jacobians -----------------------------------------------------------------------------------


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("depth", DEPTHS)
def test_a_row_of_the_parameter_jacobian_is_one_outputs_gradient(dtype, depth, output):
    net = Net(DEPTHS[depth], "gelu", output, "mse", dtype)
    X, _ = net.data(6)
    A, J = net.parameter_jacobian(X, 1, 4)
    assert same_bits(A, net.forward(X)[1:5])
    units = np.eye(net.sizes[-1], dtype=dtype)
    for i in range(4):
        for o, unit in enumerate(units):
            gradient, _ = net.backward(X[1 + i : 2 + i], unit[None])
            assert np.array_equal(J[i * len(units) + o], gradient)


@pytest.mark.parametrize("outputs", [1, 3])
def test_jacobian_equals_central_differences(outputs):
    net = bpcore.Network([4, 6, outputs], hidden="gelu", output="tanh", loss="mse", dtype="float64")
    X = np.random.default_rng(2).standard_normal((5, 4))
    J = net.jacobian(X)
    assert J.shape == (5, outputs, 4)
    for i in range(5):
        for o in range(outputs):
            row = X[i : i + 1].copy()
            slopes = reference.numerical_gradient(lambda row=row, o=o: net.forward(row)[0, o], row)
            size = np.linalg.norm(slopes)
            assert size > 1e-3 and np.linalg.norm(J[i, o] - slopes) < 1e-7 * size


# ---- The door ------------------------------------------------------------------------------------


def network():
    return bpcore.Network([4, 3, 1], dtype="float64", seed=1)


def test_one_output_takes_a_flat_gradient():
    X, dA = np.ones((5, 4)), np.arange(5.0)
    flat = network().backward(X, dA)
    matrix = network().backward(X, dA[:, None])
    assert np.array_equal(flat[0][0], matrix[0][0]) and np.array_equal(flat[2], matrix[2])


def test_no_rows_give_no_gradient():
    dW, db, dX = network().backward(np.empty((0, 4)), np.empty((0, 1)))
    assert not any(part.any() for part in (*dW, *db)) and dX.shape == (0, 4)
    assert network().jacobian(np.empty((0, 4))).shape == (0, 1, 4)
    shapes = [A.shape for A in network().activations(np.empty((0, 4)))]
    assert shapes == [(0, 4), (0, 3), (0, 1)]


@pytest.mark.parametrize("dA", [np.ones((5, 2)), np.ones(4), np.ones((1, 5))])
def test_a_gradient_of_another_shape_is_refused(dA):
    with pytest.raises(ValueError, match=r"dL_dout has shape .* but \(5, 1\) is expected"):
        network().backward(np.ones((5, 4)), dA)


def test_rows_that_there_are_not_and_deltas_without_targets_are_refused():
    net = Net([4, 3, 2], "tanh", "identity", "mse", np.float64)
    X, _ = net.data(5)
    with pytest.raises(ValueError, match="no such rows"):
        net.parameter_jacobian(X, 4, 2)
    with pytest.raises(ValueError, match="Y is missing"):
        net.layer_outputs(X, None)
