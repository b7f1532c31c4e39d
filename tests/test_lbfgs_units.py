"""L-BFGS trains alike in all units of X and y, and where numbers nearly vanish.

The oracles are least squares, SciPy's L-BFGS-B and scikit-learn's perceptron.
"""

import warnings

import numpy as np
import pytest

import bpcore
from bpcore._solvers import lbfgs
from bpcore.optimizers import LBFGS

rng = np.random.default_rng(0)
X = rng.standard_normal((200, 3))
Y = X @ [1, 2, 3] + 5 + rng.standard_normal(200)
DESIGN = np.column_stack([X, np.ones(200)])
BEST = 0.5 * np.mean((DESIGN @ np.linalg.lstsq(DESIGN, Y, rcond=None)[0] - Y) ** 2)


def quietly(train, *given, **how):
    """What ``train`` returns; whether it has converged is not the question here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return train(*given, **how)


# ---- Large y -------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [1.0, 1e4, 1e8, 1e10, 1e12, 1e20, 1e30])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
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
@pytest.mark.parametrize("dtype", ["float32", "float64"])
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
