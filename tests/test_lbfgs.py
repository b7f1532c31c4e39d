"""Laws of L-BFGS, of its line search, and of the scalar product that both are made of.

It trains alike in all units of X and y, and where numbers nearly vanish.
"""

import warnings

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
    (step,) = steps_of(rosenbrock, [1.0, 1.0])  # A start at the minimum.
    assert (step.iteration, step.reason, step.evaluations) == (0, "gradient", 1)


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


# ---- Units of y: least squares, SciPy's L-BFGS-B and scikit-learn's perceptron are the oracles ---

RNG = np.random.default_rng(0)
X = RNG.standard_normal((200, 3))
Y = X @ [1, 2, 3] + 5 + RNG.standard_normal(200)
DESIGN = np.column_stack([X, np.ones(200)])
BEST = 0.5 * np.mean((DESIGN @ np.linalg.lstsq(DESIGN, Y, rcond=None)[0] - Y) ** 2)


def quietly(train, *given, **how):
    """What ``train`` returns; whether it has converged is not the question here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return train(*given, **how)


@pytest.mark.parametrize("unit", [1.0, 1e4, 1e8, 1e10, 1e12, 1e20, 1e30])
def test_a_linear_network_finds_least_squares_in_every_unit_of_y(dtype, unit):
    net = bpcore.Network([3, 1], output="identity", dtype=dtype, seed=1)
    quietly(net.fit, X, unit * Y, epochs=50, optimizer="lbfgs")
    # An iteration that gains less than 64 times the precision is the last one.
    assert net.loss(X, unit * Y) / unit**2 <= BEST * (1 + 64 * np.finfo(dtype).eps)


def scipys_loss(net, y, iterations):
    """Half of the mean squared error that SciPy reaches in double, as ``net.loss`` counts it."""
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy is not installed")
    twin = bpcore.Network(net.sizes, hidden=net.hidden, output=net.output, dtype="float64", seed=0)

    def function(x):
        twin.parameters[...] = x
        W, b = twin.gradients(X, y)
        pairs = zip(W, b, strict=True)
        return twin.loss(X, y), np.concatenate([part.T.ravel() for pair in pairs for part in pair])

    start = net.parameters.astype(np.float64)
    options = {"maxiter": iterations, "ftol": 0, "gtol": 0}
    return optimize.minimize(function, start, jac=True, method="L-BFGS-B", options=options).fun


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("unit", [1e8, 1e10, 1e12, 1e18])
def test_a_hidden_layer_comes_as_far_as_scipys_in_every_unit_of_y(dtype, unit, seed):
    """SciPy computes in double and is not let to end early; a hundredth is for another way."""
    net = bpcore.Network([3, 20, 1], hidden="relu", output="identity", dtype=dtype, seed=seed)
    untrained, theirs = net.loss(X, unit * Y), scipys_loss(net, unit * Y, 60)
    quietly(net.fit, X, unit * Y, epochs=60, optimizer="lbfgs")
    assert untrained - net.loss(X, unit * Y) >= 0.99 * (untrained - theirs)


# ---- Features of all sizes -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "scales", "seed"),
    [
        ("float32", [1, 1e2, 1e4, 1, 1], 0),
        ("float64", [1, 1e4, 1e8, 1, 1], 0),
        ("float64", [1, 1e4, 1e8, 1, 1], 2),  # A search shrinks to nothing on the way.
    ],
)
def test_features_of_very_different_sizes_are_learnt_as_scikit_learn_does(dtype, scales, seed):
    """R^2 to a hundredth, where steepest descent would use up all iterations in vain."""
    theirs = pytest.importorskip("sklearn.neural_network", reason="scikit-learn is not installed")
    from bpcore.sklearn import MLPRegressor

    random = np.random.RandomState(0)
    inputs = random.randn(500, 5)
    y = inputs @ [1, 2, 3, 0, 0] + np.sin(3 * inputs[:, 1])
    inputs, y = (inputs * scales).astype(dtype), (y - y.mean()) / y.std()
    ours, other = (
        quietly(kind(solver="lbfgs", random_state=seed, max_iter=500).fit, inputs, y)
        for kind in (MLPRegressor, theirs.MLPRegressor)
    )
    assert ours.score(inputs, y) >= other.score(inputs, y) - 0.01
    assert ours.n_iter_ < 500


@pytest.mark.parametrize("scales", [[1, 1e2, 1e4], [1, 1e4, 1e8], [1e-4, 1, 1e4]])
def test_a_linear_network_finds_least_squares_in_all_units_of_x(scales):
    net = bpcore.Network([3, 1], output="identity", dtype="float64", seed=1)
    quietly(net.fit, X * scales, Y, epochs=300, optimizer="lbfgs")
    # The least squares themselves have a condition of 1e8: half of the digits are left.
    assert net.loss(X * scales, Y) <= BEST * (1 + 1e-8)


@pytest.mark.parametrize("unit", [2.0**-300, 1.0, 2.0**300], ids=["2^-300", "1", "2^300"])
@pytest.mark.parametrize("scale", [2.0**-100, 1.0, 2.0**100], ids=["2^-100", "1", "2^100"])
def test_a_step_is_remembered_or_not_whatever_the_units(unit, scale):
    """For f(x) = unit c(scale x) slopes grow by unit scale, and steps by 1 / scale."""
    x, g = np.array([1.0, -2.0]), np.array([3.0, 1.0])

    def remembered(bend):
        """Is a step along -g remembered, of which the slope's change is ``bend`` times itself?"""
        points = [lbfgs.Point(0, 1.0, 0, x / scale, unit * scale * g)]
        points.append(lbfgs.Point(1, 0.5, 0, (x - g) / scale, unit * scale * (g - bend * g)))
        pairs = []
        lbfgs._remember(pairs, *points, memory=5)
        return len(pairs) == 1

    assert remembered(0.5) and remembered(1e-15) and not remembered(-0.5)
    assert not remembered(1.2e-16)  # The slope differs in its last bit, by rounding.


# ---- Where numbers nearly vanish -----------------------------------------------------------------


@pytest.mark.parametrize("loss", ["bce", "mse"])
def test_a_gradient_tolerance_of_0_never_ends_it(loss):
    """Two rows apart: the loss falls for ever, until squares of the gradient are no numbers."""
    net, optimizer = bpcore.Network([1, 1], loss=loss, dtype="float64", seed=1), LBFGS(0)
    history = quietly(net.fit, [[-1.0], [1.0]], [0, 1], epochs=1000, optimizer=optimizer)
    assert history.loss[-1] < 1e-40 and not history.converged
    assert all(b < a for a, b in zip(history.loss[:-1], history.loss[1:], strict=True))


def test_a_gradient_of_0_ends_it_even_so():
    net = bpcore.Network([1, 1], output="identity", dtype="float64", seed=1)
    net.parameters[...] = [2.0, 1.0]
    history = net.fit([[0.0], [1.0]], [1, 3], epochs=9, optimizer=LBFGS(gradient_tolerance=0))
    assert history.loss == [] and history.converged


@pytest.mark.parametrize("fill", [0.0, 1e-200, 1e200, -1.0], ids="{:g}".format)
def test_steps_without_curvature_in_a_file_are_left_out(tmp_path, fill):
    """Zeros, what underflows or overflows in s'y, and a curvature that is negative."""
    net, path = bpcore.Network([3, 1], output="identity", dtype="float64", seed=1), tmp_path / "n"
    net.fit(X, Y, epochs=2, optimizer="lbfgs")
    net._state.moments[::2] = abs(fill)
    net._state.moments[1::2] = fill
    net.save(path)
    loaded, fresh = bpcore.Network.load(path), bpcore.Network.load(path)
    fresh._state = None
    for each in (loaded, fresh):
        each.fit(X, Y, epochs=3, optimizer="lbfgs")
    np.testing.assert_array_equal(loaded.parameters, fresh.parameters)


def test_where_a_direction_overflows_the_gradient_is_followed():
    """A curvature of next to nothing asks for a step of 1e44, which is none in float32."""
    s, y = np.ones(2, np.float32), np.full(2, 1e-44, np.float32)
    start = np.full(2, 100, np.float32)
    *_, last = lbfgs.iterate(lambda x: (0.5 * float(x @ x), x.copy()), start, 20, state=[(s, y)])
    assert last.reason == "gradient" and np.abs(last.x).max() <= 1e-5
