"""Laws of single layers: products, sums, activations, derivatives, softmax."""

import numpy as np
import pytest

from bpcore import _core, reference
from tests.bits import needs_fused, same_bits
from tests.numpy_oracle import bias_sums, chain, weight_sums

ELEMENTWISE = ["identity", "sigmoid", "tanh", "relu"]
SHAPES = [(1, 1, 1), (1, 5, 7), (7, 1, 3), (13, 33, 1), (14, 17, 35), (29, 3, 16), (40, 70, 9)]


def layer(dtype, rows, inputs, outputs):
    rng = np.random.default_rng([rows, inputs, outputs])
    shapes = [(rows, inputs), (inputs, outputs), (outputs,), (rows, outputs)]
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def forward(name, X, W, b):
    Z = np.full((len(X), len(b)), np.nan, X.dtype)
    A = np.full_like(Z, np.nan)
    _core.dense_forward(name, X, W, b, Z, A)
    return Z, A


def backward(X, W, delta, wants_dX=True):
    dW, db = np.full_like(W, np.nan), np.full(W.shape[1], np.nan, W.dtype)
    dX = np.full_like(X, np.nan) if wants_dX else None
    _core.dense_backward(X, W, delta, dW, db, dX)
    return dW, db, dX


def logits(dtype, rows, columns, scale=3):
    rng = np.random.default_rng([rows, columns])
    return (scale * rng.standard_normal((rows, columns))).astype(dtype)


def activate(name, Z):
    A = Z.copy()
    _core.activate(name, A)
    return A


def derive(name, A, D):
    dZ = D.copy()
    _core.activation_backward(name, A, dZ)
    return dZ


# ---- Sums --------------------------------------------------------------------------------------


@needs_fused
@pytest.mark.parametrize("shape", SHAPES)
def test_a_layers_sum_begins_with_the_bias_and_takes_its_inputs_in_order(isa, dtype, shape):
    X, W, b, _ = layer(dtype, *shape)
    Z, A = forward("identity", X, W, b)
    assert same_bits(Z, chain(np.broadcast_to(b, Z.shape), X, W))
    assert same_bits(A, Z)


@pytest.mark.parametrize("name", _core.ACTIVATIONS)
def test_a_layers_activation_is_the_activation_of_its_sum(isa, dtype, name):
    for shape in SHAPES:
        X, W, b, _ = layer(dtype, *shape)
        Z, A = forward(name, X, W, b)
        assert same_bits(Z, forward("identity", X, W, b)[0])
        assert same_bits(A, activate(name, Z))


def test_sum_and_activation_may_share_an_array(isa, dtype):
    X, W, b, _ = layer(dtype, 13, 6, 5)
    both = np.empty((13, 5), dtype)
    _core.dense_forward("tanh", X, W, b, both, both)
    assert same_bits(both, forward("tanh", X, W, b)[1])


@needs_fused
@pytest.mark.parametrize("shape", SHAPES)
def test_a_layers_gradients_are_sums_in_ascending_order(isa, dtype, shape):
    """dW over samples, db over samples, dX over outputs; each begins with zero."""
    X, W, b, delta = layer(dtype, *shape)
    dW, db, dX = backward(X, W, delta)
    assert same_bits(dW, weight_sums(X, delta))
    assert same_bits(db, bias_sums(delta))
    assert same_bits(dX, chain(np.zeros_like(X), delta, W.T))


def test_an_unwanted_dX_changes_nothing_else(isa, dtype):
    X, W, _, delta = layer(dtype, 14, 9, 5)
    wanted, unwanted = backward(X, W, delta), backward(X, W, delta, wants_dX=False)
    assert same_bits(wanted[0], unwanted[0]) and same_bits(wanted[1], unwanted[1])


def test_no_rows_give_zero_gradients(isa, dtype):
    W = np.ones((3, 2), dtype)
    nothing = np.empty((0, 3), dtype)
    dW, db, _ = backward(nothing, W, np.empty((0, 2), dtype))
    assert not dW.any() and not db.any()
    assert forward("tanh", nothing, W, np.ones(2, dtype))[1].shape == (0, 2)


# ---- Derivatives ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["identity", "sigmoid", "tanh", "relu"])
def test_a_derivative_is_taken_from_the_output(isa, dtype, name):
    """Against the formula in long double, for the same output a and the same d.

    sigmoid: d (a (1 - a)) is three roundings, each within u = eps / 2: 3 u |exact| and a little.
    tanh: d (1 - a^2) rounds the square, an error of u a^2 <= u, then twice the result: the square's
    error counts whole where 1 - a^2 is small, |error| <= u |d| + 2 u |exact|. The rest is exact.
    """
    A = activate(name, logits(dtype, 40, 37))
    D = logits(dtype, 37, 40).reshape(40, 37)
    a, d = A.astype(np.longdouble), D.astype(np.longdouble)
    slope = {
        "identity": 1 + 0 * a,
        "sigmoid": a * (1 - a),
        "tanh": (1 - a) * (1 + a),
        "relu": a > 0,
    }
    exact = d * slope[name]
    u = np.finfo(dtype).eps / 2
    bound = {"sigmoid": 3 * u * np.abs(exact), "tanh": u * np.abs(d) + 2 * u * np.abs(exact)}
    error = np.abs(derive(name, A, D) - exact)
    assert (error <= 1.001 * bound.get(name, 0 * exact)).all()


def test_the_slope_of_relu_at_zero_is_zero(isa, dtype):
    A = np.array([[0.0, -0.0, 1e-30, 5]], dtype)
    assert derive("relu", A, np.full((1, 4), 7, dtype)).tolist() == [[0, 0, 7, 7]]


# ---- Softmax -------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows, columns", [(1, 1), (5, 2), (7, 10), (3, 33), (2, 300)])
def test_softmax_is_near_its_definition(isa, dtype, rows, columns):
    """Relative to a_j: z - max rounds by u |z - max|, which e^x makes a relative error; exp adds
    1.1 ulp, the sum of O terms O u and 1.1 ulp, the division u. Each ulp is at most 2 u."""
    Z = logits(dtype, rows, columns)
    A = activate("softmax", Z)
    exact = reference.softmax(Z.astype(np.longdouble))
    u = np.finfo(dtype).eps / 2
    spread = (Z.max(axis=1, keepdims=True) - Z).astype(np.longdouble)
    assert (np.abs(A - exact) <= (spread + columns + 6) * u * exact).all()
    sums = A.astype(np.longdouble).sum(axis=1)
    assert (np.abs(sums - 1) <= (columns + 2) * u).all()  # The errors of exp cancel in the ratio.
    assert (A.argmax(axis=1) == Z.argmax(axis=1)).all()


def test_softmax_of_one_output_is_one(isa, dtype):
    assert (activate("softmax", logits(dtype, 9, 1, scale=1000)) == 1).all()


def test_softmax_knows_differences_only(isa, dtype):
    """A shift that every number can bear without rounding changes no bit."""
    Z = np.round(logits(dtype, 6, 9))
    assert same_bits(activate("softmax", Z), activate("softmax", Z + dtype.type(1024)))


def test_softmax_of_huge_logits_is_finite(isa, dtype):
    top = np.finfo(dtype).max / 4
    Z = np.array([[top, 0, -top], [-top, -top, -top], [0, 0, top]], dtype)
    third = dtype.type(1) / dtype.type(3)
    assert same_bits(activate("softmax", Z), np.array([[1, 0, 0], [third] * 3, [0, 0, 1]], dtype))


def test_a_softmax_row_does_not_see_other_rows(isa, dtype):
    Z = logits(dtype, 8, 7)
    together = activate("softmax", Z)
    for i in range(8):
        assert same_bits(activate("softmax", Z[i : i + 1]), together[i : i + 1])
    Z[3, 2] = np.nan
    spoilt = activate("softmax", Z)
    assert np.isnan(spoilt[3]).all()
    assert same_bits(np.delete(spoilt, 3, 0), np.delete(together, 3, 0))


def test_softmax_passes_a_gradient_through_its_jacobian(isa, dtype):
    """dz_j = a_j (d_j - sum_k a_k d_k); the sum's O products and additions round within (O + 1) u,
    the difference and the last product twice more, relative to a_j (|d_j| + sum |a_k d_k|)."""
    A, D = activate("softmax", logits(dtype, 9, 11)), logits(dtype, 9, 11, scale=2)
    a, d = A.astype(np.longdouble), D.astype(np.longdouble)
    exact = a * (d - (a * d).sum(axis=1, keepdims=True))
    size = a * (np.abs(d) + np.abs(a * d).sum(axis=1, keepdims=True))
    u = np.finfo(dtype).eps / 2
    result = derive("softmax", A, D)
    assert (np.abs(result - exact) <= (11 + 3) * u * size).all()
    assert not (np.abs(D * A * (1 - A) - exact) <= (11 + 3) * u * size).all()  # A diagonal only.


# ---- Nothing, and what is no number --------------------------------------------------------------


def test_empty_arrays_are_no_error(isa, dtype):
    for shape in [(0, 3), (3, 0), (0, 0)]:
        for name in ("tanh", "softmax"):
            _core.activate(name, np.empty(shape, dtype))
            _core.activation_backward(name, np.empty(shape, dtype), np.empty(shape, dtype))
    for function in (_core.exp, _core.log, _core.log1p_exp):
        function(np.empty(0, dtype))
    assert _core.first_nonfinite(np.empty(0, dtype)) == -1
    _core.shuffle(np.empty(0, np.uintp), 1, 1)
    with pytest.raises(ValueError):  # A layer without inputs is no layer.
        empty = np.empty((2, 0), dtype)
        _core.dense_forward(
            "tanh", empty, empty.T.copy(), np.ones(2, dtype), C := np.ones((2, 2), dtype), C
        )


def test_the_first_number_that_is_not_finite_is_found_wherever_it_is(isa, dtype):
    """The core looks at 2,048 at a time."""
    edges = [0, 1, 2046, 2047, 2048, 2049, 4095, 4096, 4097, 4098]
    for length in (1, 7, 64, 65, 200, 2047, 2048, 2049, 4097, 4099):
        x = np.full(length, np.finfo(dtype).max, dtype)
        assert _core.first_nonfinite(x) == -1
        for bad in (np.nan, np.inf, -np.inf):
            for place in range(length) if length <= 200 else filter(lambda n: n < length, edges):
                x[place:] = bad
                assert _core.first_nonfinite(x) == place
                x[place:] = -np.finfo(dtype).max
                x[place] = bad
                assert _core.first_nonfinite(x) == place
                x[place] = 0
