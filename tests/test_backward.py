"""Laws of gradients that come from outside, of traces and of Jacobians."""

import numpy as np
import pytest

import bpcore
from bpcore import _core
from tests.bits import needs_fused, on_every_isa, same_bits
from tests.core_network import Net, given, row_nonzeros, sparse
from tests.execution_modes import entries_of, thinned, thread_work

ELEMENTWISE = [name for name in _core.ACTIVATIONS if name != "softmax"]
OUTPUTS = list(_core.ACTIVATIONS)
DEPTHS = {"no hidden layer": [4, 3], "one": [5, 6, 3], "three": [4, 7, 6, 5, 2]}
THREADS = [1, 2, 3, 7]


def backward(net, X, dA, wants="gradient dX", **how):
    """(gradient, dX), filled with NaN before; one that is not wanted is None."""
    gradient = np.full(net.core.parameter_count, np.nan, net.dtype) if "grad" in wants else None
    dX = np.full((len(X), net.sizes[0]), np.nan, net.dtype) if "dX" in wants else None
    work = net.workspace(len(X), **how, **row_nonzeros(X))
    data = net.parameters, *given(X), dA, gradient, dX, work
    _core.backward(net.core, *data, **how, **sparse(X))
    return gradient, dX


def trace(net, X, Y, **how):
    """(A, deltas), flat."""
    A, deltas = np.full((2, len(X) * sum(net.sizes[1:])), np.nan, net.dtype)
    work = net.workspace(len(X), **how, **row_nonzeros(X))
    _core.layer_outputs(net.core, net.parameters, *given(X), Y, A, deltas, work, **how, **sparse(X))
    return A, deltas


def parameter_jacobian(net, X, row=0, rows=None, **how):
    """(outputs, J)."""
    rows = len(X) - row if rows is None else rows
    A = np.full((rows, net.sizes[-1]), np.nan, net.dtype)
    J = np.full((A.size, net.core.parameter_count), np.nan, net.dtype)
    work = net.workspace(rows, **how, **row_nonzeros(X))
    data = net.parameters, *given(X), row, rows, A, J, work
    _core.parameter_jacobian(net.core, *data, **how, **sparse(X))
    return A, J


def gradient_outside(net, rows, seed=3):
    shape = rows, net.sizes[-1]
    return np.random.default_rng([seed, rows]).standard_normal(shape).astype(net.dtype)


def central_differences(f, x, h=6e-6):
    """(f(x + h e) - f(x - h e)) / 2h for each element of x, which is changed and put back."""
    flat, slopes = x.reshape(-1), []
    for i, kept in enumerate(flat.copy()):
        flat[i] = kept + h
        above = f()
        flat[i] = kept - h
        slopes.append((above - f()) / (2 * h))
        flat[i] = kept
    return np.array(slopes)


def distance(a, b):
    size = np.linalg.norm(a) + np.linalg.norm(b)
    assert size > 1e-6, "two zeros are no evidence"
    return np.linalg.norm(np.ravel(a) - np.ravel(b)) / size


def smooth_rows(net, rows=12):
    """Rows whose sums lie away from kinks, where a difference is no derivative."""
    X, _ = net.data(4 * rows)
    keep, A = np.ones(len(X), bool), X
    for (W, b), name in zip(net.layers(net.parameters), net.activations, strict=True):
        A = np.ascontiguousarray(A @ W + b)
        if name in ("relu", "leaky_relu", "elu", "selu"):
            keep &= (np.abs(A) > 1e-3).all(axis=1)
        _core.activate(name, A)
    assert keep.sum() >= rows
    return np.ascontiguousarray(X[keep][:rows])


# ---- Against central differences -----------------------------------------------------------------


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("hidden", ["tanh", "relu", "silu"])
@pytest.mark.parametrize("depth", DEPTHS)
def test_backward_equals_central_differences(depth, hidden, output):
    net = Net(DEPTHS[depth], hidden, output, "mse", np.float64, seed=4)
    X = smooth_rows(net)
    dA = gradient_outside(net, len(X))
    gradient, dX = backward(net, X, dA)

    def L():
        return float((dA * net.forward(X)).sum())

    assert distance(gradient, central_differences(L, net.parameters)) < 1e-7
    assert distance(dX, central_differences(L, X)) < 1e-7


@pytest.mark.parametrize("hidden", ELEMENTWISE)
def test_backward_passes_through_every_activation(hidden):
    net = Net([4, 5, 4, 2], hidden, "softmax", "mse", np.float64, seed=2)
    X = smooth_rows(net)
    dA = gradient_outside(net, len(X))
    gradient, _ = backward(net, X, dA)
    slopes = central_differences(lambda: float((dA * net.forward(X)).sum()), net.parameters)
    assert distance(gradient, slopes) < 1e-7


def test_the_comparison_finds_a_wrong_gradient():
    net = Net([4, 5, 2], "tanh", "softmax", "mse", np.float64)
    X = smooth_rows(net)
    gradient, dX = backward(net, X, gradient_outside(net, len(X)))
    wrong = gradient.copy()
    wrong[int(np.abs(wrong).argmax())] *= 1.0001
    assert distance(gradient, wrong) > 1e-7
    assert distance(dX, dX[::-1]) > 1e-7


# ---- Against the gradient of the loss ------------------------------------------------------------


@pytest.mark.parametrize("output", OUTPUTS)
def test_backward_of_the_squares_slope_is_the_gradient(dtype, output):
    """mse: dC/dA = A - Y. Its delta is made of the same product, so that the bits are the same."""
    net = Net([5, 6, 3], "gelu", output, "mse", dtype)
    X, Y = net.data(32)  # 32: the mean is exact.
    gradient, _ = net.gradient(X, Y)
    A = net.forward(X)
    assert np.array_equal(backward(net, X, A - Y)[0] / 32, gradient)


def test_dropout_has_no_part_in_it():
    net = Net([5, 6, 3], "tanh", "identity", "mse", np.float64)
    X, _ = net.data(20)
    dA = gradient_outside(net, 20)
    before = backward(net, X, dA)
    net.core = _core.Architecture(net.sizes, net.activations, "mse", 0, [0.5])
    for a, b in zip(before, backward(net, X, dA), strict=True):
        assert np.allclose(a, b, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("wants", ["gradient", "dX"])
def test_what_is_not_wanted_leaves_the_other_as_it_is(wants):
    net = Net([5, 6, 3], "tanh", "sigmoid", "mse", np.float64)
    X, _ = net.data(20)
    dA = gradient_outside(net, 20)
    for both, one in zip(backward(net, X, dA), backward(net, X, dA, wants), strict=True):
        assert one is None or same_bits(both, one)


# ---- Bits ----------------------------------------------------------------------------------------


def all_results(net, X, Y, **how):
    rows = min(len(X), 20)
    results = *backward(net, X, Y - 0.5, **how), *trace(net, X, Y, **how)
    return np.concatenate(
        [np.ravel(part) for part in (*results, *parameter_jacobian(net, X, 2, rows - 2, **how))]
    )


@needs_fused
@pytest.mark.parametrize("rows", [33, 600])  # 600: the gradient is collected as its transpose.
@pytest.mark.parametrize("hidden, output", [("tanh", "sigmoid"), ("silu", "softmax")])
def test_bits_depend_on_no_thread_block_or_instruction_set(dtype, rows, hidden, output):
    net = Net([9, 20, 17, 3], hidden, output, "mse", dtype)
    X, Y = net.data(rows)
    expected = all_results(net, X, Y)
    assert np.isfinite(expected).all()
    for got in on_every_isa(lambda: all_results(net, X, Y)).values():
        assert same_bits(got, expected)
    with thread_work(1):
        for threads in THREADS:
            for block_rows in (0, 1, 7) if rows == 33 else (0, 100, 251):
                how = {"threads": threads, "block_rows": block_rows}
                assert same_bits(all_results(net, X, Y, **how), expected)


@pytest.mark.parametrize("block_rows", [0, 40])
def test_sparse_input_gives_the_dense_numbers(dtype, isa, block_rows):
    net = Net([30, 12, 3], "gelu", "softmax", "mse", dtype)
    X, Y = net.data(90)
    X = thinned(X, 0.2)
    how = {"block_rows": block_rows}
    dense, few = all_results(net, X, Y, **how), all_results(net, entries_of(X), Y, **how)
    assert np.array_equal(dense, few)


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
    A, J = parameter_jacobian(net, X, 1, 4)
    assert same_bits(A, net.forward(X)[1:5])
    units = np.eye(net.sizes[-1], dtype=dtype)
    for i in range(4):
        for o, unit in enumerate(units):
            gradient, _ = backward(net, X[1 + i : 2 + i], unit[None])
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
            slopes = central_differences(lambda row=row, o=o: net.forward(row)[0, o], row)
            assert distance(J[i, o], slopes) < 1e-7


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
        parameter_jacobian(net, X, 4, 2)
    with pytest.raises(ValueError, match="Y is missing"):
        trace(net, X, None)
