"""Laws of Levenberg-Marquardt and of the linear system that it solves."""

import numpy as np
import pytest

import bpcore
from bpcore import _core
from bpcore._solvers import levenberg_marquardt
from bpcore._solvers.levenberg_marquardt import LeastSquares
from bpcore._solvers.objective import Objective
from bpcore.optimizers import LevenbergMarquardt
from tests.bits import needs_fused, same_bits
from tests.data_sets import iterations, sine, two_outputs
from tests.execution_modes import entries_of, thinned, thread_work
from tests.numpy_oracle import fma


def train(net, X, Y, epochs, **how):
    return list(iterations(net, LevenbergMarquardt(), LeastSquares(net, X, Y, **how), epochs))


# ---- Training ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_noiseless_sine_is_learnt_to_four_digits(seed):
    """That is where first-order methods stop being an alternative."""
    net, X, Y = sine(seed=seed)
    train(net, X, Y, 100)
    assert np.abs(net.forward(X) - Y).max() < 5e-3
    assert net.loss(X, Y) < 1e-6


def test_a_linear_network_is_solved_like_least_squares():
    rng = np.random.default_rng(3)
    X, Y = rng.standard_normal((60, 4)), rng.standard_normal((60, 2))
    net = bpcore.Network([4, 2], output="identity", dtype="float64", seed=1)
    steps = train(net, X, Y, 30)
    oracle, *_ = np.linalg.lstsq(np.column_stack([X, np.ones(60)]), Y, rcond=None)
    assert steps[-1].reason == "gradient" and steps[-1].iteration < 12
    assert np.allclose(np.vstack([net.weights[0].T, net.biases[0]]), oracle, atol=1e-7)


def test_a_wrong_system_leaves_the_start_as_it_is():
    net, X, Y = sine()
    objective = LeastSquares(net, X, Y)
    right = objective.system

    def wrong(x):
        gradient, hessian = right(x)
        return -gradient, hessian

    objective.system = wrong
    (step,) = levenberg_marquardt.iterate(objective, net.parameters, 5)
    assert step.reason == "search" and np.array_equal(step.x, net.parameters)


# ---- The system ----------------------------------------------------------------------------------


@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_system_is_gradient_and_gauss_newton_hessian(l2, weighted):
    net, X, Y, weights = two_outputs()
    weights = weights if weighted else None
    objective, x = LeastSquares(net, X, Y, weights=weights, l2=l2), net.parameters.copy()
    gradient, hessian = objective.system(x)
    value, expected = Objective(net, X, Y, weights=weights, l2=l2)(x)
    assert np.isclose(objective.value(x), value, rtol=1e-14)
    assert np.allclose(gradient, expected, rtol=1e-12, atol=1e-14)

    def outputs(i, h):
        moved = x.copy()
        moved[i] += h
        net.parameters[...] = moved
        A = net.forward(X)
        net.parameters[...] = x
        return A.ravel()

    J = np.column_stack([(outputs(i, 6e-6) - outputs(i, -6e-6)) / 1.2e-5 for i in range(len(x))])
    w = np.repeat(np.ones(len(X)) if weights is None else weights, 2)
    penalty = np.concatenate([[l2] * 15, [0] * 5, [l2] * 10, [0] * 2])
    oracle = (J.T * w) @ J / (w.sum() / 2) + np.diag(penalty)
    assert np.allclose(hessian, oracle, rtol=1e-6, atol=1e-8)


def test_a_rows_weight_is_how_often_it_is_there():
    net, X, Y, weights = two_outputs()
    often = np.repeat(np.arange(len(X)), weights.astype(int))
    weighted = LeastSquares(net, X, Y, weights=weights)
    repeated = LeastSquares(net, X[often], Y[often])
    for a, b in zip(weighted.system(net.parameters), repeated.system(net.parameters), strict=True):
        assert np.allclose(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_sparse_input_gives_the_dense_numbers(name):
    net, X, Y, _ = two_outputs(name)
    X = thinned(X, 0.9)  # Too dense to be compressed.
    systems = [
        LeastSquares(net, given, Y).system(net.parameters.astype(np.float64))
        for given in (X, entries_of(X))
    ]
    for dense, sparse in zip(*systems, strict=True):
        assert np.array_equal(dense, sparse)


# ---- The door ------------------------------------------------------------------------------------


def test_too_many_parameters_are_refused_with_the_number_and_a_way_out():
    X, Y = np.zeros((3, 100), np.float32), np.zeros((3, 1), np.float32)
    net = bpcore.Network([100, 20, 1], output="identity")
    assert len(net.parameters) == 2041
    with pytest.raises(ValueError, match=r"2,041 parameters.* at most 2,000.*'lbfgs'"):
        levenberg_marquardt.check(net)
    net = bpcore.Network([100, 19, 1], output="identity")
    assert len(net.parameters) == 1939
    levenberg_marquardt.check(net)
    assert len(train(net, X, Y + 1, 1)) == 1


# ---- The linear system ---------------------------------------------------------------------------


def positive(n, dtype):
    rng = np.random.default_rng(n)
    B = rng.standard_normal((n + 5, n)).astype(dtype)
    return (
        (B.T @ B).astype(dtype),
        rng.random(n).astype(dtype),
        rng.standard_normal(n).astype(dtype),
    )


def solve(A, damping, diagonal, b, threads=1):
    x = b.copy()
    assert _core.cholesky_solve(A.copy(), damping, diagonal, x, threads)
    return x


def written(A, damping, diagonal, b):
    """The factor and both substitutions, term by term, as bpcore.h says."""
    A, x, n = A.copy(), b.copy(), len(b)
    A.reshape(-1)[:: n + 1] += A.dtype.type(damping) * diagonal
    for k in range(n):
        A[k, k:] /= np.sqrt(A[k, k])
        rest = slice(k + 1, n)
        A[rest, rest] = fma(-A[k, rest, None], A[None, k, rest], A[rest, rest])
    for k in range(n):
        x[k] /= A[k, k]
        x[k + 1 :] = fma(-x[k], A[k, k + 1 :], x[k + 1 :])
    for k in reversed(range(n)):
        for j in range(k + 1, n):
            x[k] = fma(A[k, j], -x[j], x[k])
        x[k] /= A[k, k]
    return x


@needs_fused
@pytest.mark.parametrize("n", [1, 2, 17, 70])  # 70: more than a block of rows.
def test_the_solution_is_the_written_one(dtype, isa, n):
    A, diagonal, b = positive(n, dtype)
    assert same_bits(solve(A, 0.25, diagonal, b), written(A, 0.25, diagonal, b))


@pytest.mark.parametrize("n", [3, 64, 65, 200])
def test_the_solution_solves(n):
    A, diagonal, b = positive(n, np.float64)
    x = solve(A, 0.5, diagonal, b)
    assert np.allclose((A + 0.5 * np.diag(diagonal)) @ x, b, rtol=0, atol=1e-10)
    x = solve(A, 0.5, None, b)
    assert np.allclose(A @ x + 0.5 * x, b, rtol=0, atol=1e-10)


@needs_fused
def test_the_solution_depends_on_no_thread(dtype):
    A, diagonal, b = positive(150, dtype)
    expected = solve(A, 0.5, diagonal, b)
    with thread_work(1):
        for threads in (2, 3, 7):
            assert same_bits(solve(A, 0.5, diagonal, b, threads), expected)


@pytest.mark.parametrize("n", [1, 5, 100])
def test_a_matrix_that_is_not_positive_definite_has_no_solution(dtype, n):
    A, _, b = positive(n, dtype)
    A[-1, -1] = -1
    assert not _core.cholesky_solve(A.copy(), 0.0, None, b.copy())
    assert not _core.cholesky_solve(np.full_like(A, np.nan), 0.0, None, b.copy())
    assert not _core.cholesky_solve(np.zeros_like(A), 0.0, None, b.copy())
