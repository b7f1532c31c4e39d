"""Laws of L-BFGS, of its line search, and of the scalar product that both are made of."""

import numpy as np
import pytest

import bpcore
from bpcore import _core
from bpcore._solvers import lbfgs
from bpcore._solvers.objective import Objective
from bpcore.optimizers import LBFGS
from tests.data_sets import iterations, sine, table
from tests.execution_modes import thinned

TOLERANT = LBFGS(gradient_tolerance=1e-5)


def rosenbrock(x):
    a, b = float(x[0]), float(x[1])
    value = 100 * (b - a * a) ** 2 + (1 - a) ** 2
    return value, np.array([-400 * a * (b - a * a) - 2 * (1 - a), 200 * (b - a * a)], x.dtype)


def beale(x):
    a, b = map(float, x)
    terms = [(1.5, 1), (2.25, 2), (2.625, 3)]
    errors = [c - a * (1 - b**p) for c, p in terms]
    slopes = [(-(1 - b**p), a * p * b ** (p - 1)) for _, p in terms]
    return sum(e * e for e in errors), 2 * np.array(errors) @ np.array(slopes)


def steps_of(function, start, iterations=300, **settings):
    start = np.asarray(start)
    kept = start.copy()
    steps = list(lbfgs.iterate(function, start, iterations, **settings))
    assert np.array_equal(start, kept), "the start was changed"
    return steps


# ---- Functions whose minimum is known ------------------------------------------------------------


@pytest.mark.parametrize("start", [[-1.2, 1.0], [3.0, -4.0], [1e3, 1e3], [-50.0, 0.0]])
def test_it_finds_the_end_of_rosenbrocks_valley(start):
    steps = steps_of(rosenbrock, start)
    assert steps[-1].reason == "gradient"
    assert np.allclose(steps[-1].x, 1, rtol=0, atol=1e-4)


def test_the_classical_start_takes_few_evaluations():
    """SciPy's L-BFGS-B takes 36 iterations and 45 evaluations to the same gradient."""
    last = steps_of(rosenbrock, [-1.2, 1.0])[-1]
    assert last.iteration <= 40 and last.evaluations <= 50


def test_it_finds_beales_minimum_in_single_precision_too(dtype):
    def function(x):
        value, gradient = beale(x)
        return value, gradient.astype(dtype)

    last = steps_of(function, np.array([1.0, 1.0], dtype))[-1]
    assert last.x.dtype == dtype
    assert np.allclose(last.x, [3, 0.5], rtol=0, atol=1e-2 if dtype == "float32" else 1e-4)


def test_squares_of_few_dimensions_take_few_steps():
    """A condition of 1,000: gradient descent's best rate gains 0.2 % a step, and takes 7,000."""
    scales = np.array([1.0, 10.0, 100.0, 1000.0])
    last = steps_of(lambda x: (0.5 * float(scales @ x**2), scales * x), np.ones(4))[-1]
    assert last.reason == "gradient" and last.iteration <= 30


# ---- The line search -----------------------------------------------------------------------------


def wolfe(function, before, after):
    """Do the strong Wolfe conditions hold for a step?"""
    (low, slope), (value, gradient) = function(before), function(after)
    move = after - before
    return value <= low + 1e-4 * (slope @ move) * (1 - 1e-9) and abs(gradient @ move) <= 0.9 * abs(
        slope @ move
    ) * (1 + 1e-9)


@pytest.mark.parametrize("function, start", [(rosenbrock, [-1.2, 1.0]), (beale, [1.0, 1.0])])
def test_every_step_fulfils_the_strong_wolfe_conditions(function, start):
    path = [np.array(start), *(step.x for step in steps_of(function, start))]
    assert len(path) > 8
    assert all(wolfe(function, *pair) for pair in zip(path[:-1], path[1:], strict=True))


def test_the_conditions_refuse_steps_too_long_and_too_short():
    x = np.array([-1.2, 1.0])
    direction = -rosenbrock(x)[1]
    assert not wolfe(rosenbrock, x, x + direction)
    assert not wolfe(rosenbrock, x, x + 1e-9 * direction)


def test_steps_into_the_undefined_are_shortened():
    """x - log x is not defined where the first step, of length 1, and later ones could lead."""

    def function(x):
        a = float(x[0])
        if a <= 0:
            return float("nan"), np.full(1, np.nan)
        return a - np.log(a), np.array([1 - 1 / a])

    for start in (1e-3, 0.5, 1.9, 40.0):
        last = steps_of(function, np.array([start]))[-1]
        assert abs(last.x[0] - 1) < 1e-4


def test_steps_that_overflow_are_shortened():
    """In float32, x^4 overflows beyond 4e9, and steps of length 1 are lost at 1e9."""

    def function(x):
        with np.errstate(over="ignore"):
            return float(np.sum(x**4)), 4 * x**3

    last = steps_of(function, np.array([1e9, -3.0], np.float32), 500)[-1]
    assert last.value < 1e-3


# ---- Ends ----------------------------------------------------------------------------------------


def test_each_reason_ends_it():
    def raised(x):  # In float32 the last iterations gain less than 64 times the precision of 1.
        value, gradient = rosenbrock(x)
        return value + 1, gradient

    single = np.array([-1.2, 1.0], np.float32)
    ends = {
        "gradient": steps_of(rosenbrock, [-1.2, 1.0]),
        "decrease": steps_of(rosenbrock, [-1.2, 1.0], relative_tolerance=0.5),
        "precision": steps_of(raised, single, gradient_tolerance=0),
        "evaluations": steps_of(rosenbrock, [-1.2, 1.0], max_evaluations=10),
        "iterations": steps_of(rosenbrock, [-1.2, 1.0], 5),
        "search": steps_of(lambda x: (float(x @ x), -2 * x), np.ones(3)),  # A wrong gradient.
    }
    assert set(ends) == set(lbfgs.REASONS)
    for reason, steps in ends.items():
        assert [step.reason for step in steps] == [None] * (len(steps) - 1) + [reason]
    assert len(ends["iterations"]) == 5
    (step,) = ends["search"]  # The start stays as it is.
    assert step.iteration == 0 and np.array_equal(step.x, np.ones(3))
    assert 10 <= ends["evaluations"][-1].evaluations < 10 + 40


# ---- Networks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("output, loss", [("sigmoid", "bce"), ("softmax", "cross_entropy")])
def test_it_trains_classifiers_in_single_precision(output, loss):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 4)).astype(np.float32)
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    sizes = [4, 12, 2 if output == "softmax" else 1]
    net = bpcore.Network(sizes, hidden="tanh", output=output, loss=loss, seed=1)
    for _ in iterations(net, TOLERANT, Objective(net, *net._data(X, y), l2=1e-4), 150):
        pass
    assert net.evaluate(X, y)["accuracy"] > 0.97


def test_an_interrupted_evaluation_leaves_the_iteration_before_it():
    net, X, Y = sine()
    objective, calls = Objective(net, X, Y), []

    def interrupted(x):
        calls.append(x)
        if len(calls) == 15:
            raise KeyboardInterrupt
        return objective(x)

    with pytest.raises(KeyboardInterrupt):
        for step in iterations(net, TOLERANT, interrupted, 100):
            last = step
    assert last.iteration > 3 and np.array_equal(net.parameters, last.x)


# ---- The objective -------------------------------------------------------------------------------


def test_the_objectives_gradient_is_its_slope():
    net, X, Y = table(rows=30)
    weights = np.random.default_rng(1).random(30)
    objective, x = Objective(net, X, Y, weights=weights, l2=0.3), net.parameters.copy()
    value, gradient = objective(x)
    squares = sum(float((W**2).sum()) for W in net.weights)
    errors = 0.5 * (net.forward(X) - Y)[:, 0] ** 2
    assert np.isclose(value, errors @ weights / weights.sum() + 0.15 * squares, rtol=1e-12)
    for i in range(0, len(x), 7):
        h = np.zeros_like(x)
        h[i] = 6e-6
        slope = (objective(x + h)[0] - objective(x - h)[0]) / 1.2e-5
        assert abs(slope - gradient[i]) < 1e-8


def test_the_objective_of_few_entries_is_that_of_all_elements():
    net, X, Y = table()
    X = thinned(X, 0.3)
    sparse = Objective(net, X, Y)
    assert sparse.dense is None  # It was compressed.
    gradient, work = np.empty_like(net.parameters), net._workspace(len(X))
    value = _core.gradient(net._core, net.parameters, X, Y, gradient, work)
    assert sparse(net.parameters)[0] == value
    assert np.array_equal(sparse(net.parameters)[1], gradient)


# ---- The scalar product --------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 1000, 4099])
def test_a_scalar_product_has_one_written_order(dtype, count):
    rng = np.random.default_rng(count)
    x, y = rng.standard_normal((2, count)).astype(dtype)
    products = np.zeros(-(-count // 16) * 16)
    products[:count] = x.astype(np.float64) * y.astype(np.float64)
    sums = np.zeros(16)
    for row in products.reshape(-1, 16):
        sums = sums + row
    assert _core.dot(x, y) == np.add.accumulate(sums)[-1]
