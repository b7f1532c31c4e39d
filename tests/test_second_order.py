"""fit with L-BFGS and Levenberg-Marquardt: an iteration an epoch, how it ends, what callbacks move.

What the two methods share; what is their own is in test_lbfgs.py and test_levenberg_marquardt.py.
"""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

import bpcore
from bpcore import optimizers
from bpcore._solvers import lbfgs
from bpcore._solvers.levenberg_marquardt import LeastSquares
from bpcore._solvers.objective import Objective
from bpcore.optimizers import LBFGS, LevenbergMarquardt
from tests.bits import needs_fused, on_every_isa, same_bits
from tests.data_sets import DATA_SETS, adam, iterations, sine, table, two_outputs
from tests.execution_modes import thread_work

X = np.linspace(-1, 1, 60).reshape(-1, 1)
Y = np.sin(3 * X[:, 0])
WEIGHTS = np.random.default_rng(0).random(60)
METHODS = {
    "lbfgs": (LBFGS(gradient_tolerance=1e-5), Objective),
    "levenberg_marquardt": (LevenbergMarquardt(), LeastSquares),
}
NAMES = list(METHODS)


def network(dtype="float64", hidden=(6,), **settings):
    sizes = [1, *hidden, 1]
    how = dict(hidden="tanh", output="identity", dtype=dtype, seed=1)
    return bpcore.Network(sizes, **how, **settings)


def heard(train):
    """(what ``train`` returns, the warnings that it gave)."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        return train(), given


# ---- Steps ---------------------------------------------------------------------------------------


def steps(name, net, X, Y, epochs, block=None, **how):
    """The Steps of a fit; block: rows of a Jacobian."""
    optimizer, kind = METHODS[name]
    objective = kind(net, X, Y, **how)
    objective.block = block or getattr(objective, "block", None)
    return iterations(net, optimizer, objective, epochs)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("problem", DATA_SETS)
@pytest.mark.parametrize("name", NAMES)
def test_it_reaches_adams_loss_in_a_tenth_of_the_iterations(name, problem, seed):
    net, X, Y = DATA_SETS[problem]("float64", seed)
    target = min(adam(net, X, Y, 2000, 1e-3))
    *_, last = steps(name, net, X, Y, 200)
    assert last.value <= target
    assert np.isclose(net.loss(X, Y), last.value, rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_values_only_fall_and_the_network_follows(name, dtype):
    net, X, Y = table(dtype.name)
    taken = []
    for step in steps(name, net, X, Y, 15):
        assert np.array_equal(net.parameters, step.x.astype(dtype))
        taken.append(step)
    assert all(step.value < step.before for step in taken)
    assert [step.before for step in taken[1:]] == [step.value for step in taken[:-1]]
    assert taken[-1].reason == "iterations" and len(taken) == 15
    assert np.isclose(net.loss(X, Y), taken[-1].value, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_start_at_the_minimum_is_one_step_of_no_iteration(name):
    net, X, _ = sine()
    before = net.parameters.copy()
    (step,) = steps(name, net, X, net.forward(X), 5)
    assert (step.iteration, step.reason, step.evaluations) == (0, "gradient", 1)
    assert np.array_equal(net.parameters, before)


@needs_fused
@pytest.mark.parametrize("name", NAMES)
def test_bits_depend_on_no_thread_block_or_instruction_set(name, dtype):
    def parameters(threads=1, block=None):
        net, X, Y, weights = two_outputs(dtype.name, 20)
        how = dict(weights=weights, l2=1e-3, threads=threads, block=block)
        assert list(steps(name, net, X, Y, 4 if name != "lbfgs" else 25, **how))
        return net.parameters

    expected = parameters()
    with thread_work(1):
        for threads in (1, 2, 3, 7):
            for block in (None, 1, 7) if name != "lbfgs" else (None,):
                assert same_bits(parameters(threads, block), expected)
    assert all(same_bits(result, expected) for result in on_every_isa(parameters).values())


# ---- Fits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_two_fits_are_one_fit_bit_for_bit_also_through_a_file(name, dtype, tmp_path):
    settings = {"optimizer": name, "l2": 1e-4, "sample_weight": WEIGHTS}
    once, twice, saved = network(dtype), network(dtype), tmp_path / "m.safetensors"
    once.fit(X, Y, epochs=11, **settings)
    twice.fit(X, Y, epochs=4, **settings)
    twice.save(saved)
    twice.fit(X, Y, epochs=7, **settings)
    np.testing.assert_array_equal(once.parameters, twice.parameters)
    assert once.epochs == twice.epochs == 11
    np.savez(tmp_path / "data.npz", X=X, Y=Y, w=WEIGHTS)
    code = (
        "import numpy as np, bpcore, sys; d = np.load(sys.argv[2])\n"
        "net = bpcore.Network.load(sys.argv[1])\n"
        f"net.fit(d['X'], d['Y'], epochs=7, optimizer={name!r}, l2=1e-4, sample_weight=d['w'])\n"
        "net.save(sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", code, saved, tmp_path / "data.npz"], check=True)
    loaded = bpcore.Network.load(saved)
    np.testing.assert_array_equal(once.parameters, loaded.parameters)


@pytest.mark.parametrize("name", NAMES)
def test_forgotten_steps_would_be_seen(name):
    once, twice = network(), network()
    once.fit(X, Y, epochs=8, optimizer=name)
    twice.fit(X, Y, epochs=4, optimizer=name)
    twice._state = None
    twice.fit(X, Y, epochs=4, optimizer=name)
    assert not np.array_equal(once.parameters, twice.parameters)


@pytest.mark.parametrize("name", NAMES)
def test_the_history_is_the_objective_before_each_iteration(name):
    seen, net = [], network()

    def note(net, history):
        squares = sum(float((W**2).sum()) for W in net.weights)
        seen.append(net.loss(X, Y) + 0.005 * squares)

    history = net.fit(X, Y, epochs=6, optimizer=name, l2=0.01, callbacks=note)
    assert len(history.loss) == len(history.penalty) == len(seen) == net.epochs == 6
    # A sum of 19 squares and one of 60 losses, in another order: a few ulp.
    np.testing.assert_allclose(history.loss[1:], seen[:-1], rtol=1e-13)
    assert all(p > 0 for p in history.penalty)
    assert history.stopped == "all iterations were made" and history.converged is False


@pytest.mark.parametrize("name", NAMES)
def test_it_ends_where_nothing_is_gained_and_says_why(name):
    net = bpcore.Network([1, 1], output="identity", dtype="float64", seed=1)
    history = net.fit(X, 2 * X[:, 0] + 1, epochs=200, optimizer=name)
    assert len(history.loss) < 50 and "gradient" in history.stopped
    np.testing.assert_allclose(net.predict(X), 2 * X[:, 0] + 1, atol=1e-6)
    assert net.fit(X, 2 * X[:, 0] + 1, epochs=5, optimizer=name).loss == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": 0.1},
        {"dropout": 0.1},
        {"l1": 0.1},
        {"clip_norm": 1.0},
        {"max_norm": 1.0},
        {"batch_size": 10},
        {"order": np.arange(60)},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_has_no_meaning_for_it_is_refused_by_name(name, wrong):
    net = network(standardize=True)
    before = net.parameters.copy()
    with pytest.raises(ValueError, match=f"(?s){next(iter(wrong))}"):
        net.fit(X, Y, epochs=3, optimizer=name, **wrong)
    np.testing.assert_array_equal(net.parameters, before)
    assert (net.epochs, net.scaling, net._state) == (0, None, None)


@pytest.mark.parametrize("name", NAMES)
def test_networks_train_together_as_alone(name):
    together, alone = [network() for _ in range(3)], network()
    bpcore.fit_many(together, X, Y, epochs=5, optimizer=name)
    alone.fit(X, Y, epochs=5, optimizer=name)
    for net in together:
        np.testing.assert_array_equal(net.parameters, alone.parameters)


def test_settings_are_checked_and_compare():
    assert optimizers.LBFGS() == optimizers.LBFGS(memory=10) != optimizers.LBFGS(memory=5)
    for wrong in ({"memory": 0}, {"gradient_tolerance": -1.0}, {"relative_tolerance": -1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            optimizers.LBFGS(**wrong)


# ---- What callbacks change in the weights counts, too --------------------------------------------

DTYPES = ["float32", "float64"]


class Mover:
    """Sets the weights to ``place`` after so many epochs; the step with ``stop`` is the last."""

    def __init__(self, place, epochs, stop=False):
        self.place, self.epochs, self.stop = place, epochs, stop

    def epoch(self, net, history):
        if len(history.loss) == self.epochs:
            net.parameters[...] = self.place
            return self.stop


def place(dtype="float64"):
    return np.random.default_rng(3).uniform(-1, 1, 19).astype(dtype)


def written_loss(parameters):
    """The mean of 1/2 (a - y)^2 in NumPy: parameters are W1, b1, W2, b2 of a 1-6-1 network."""
    W1, b1, W2, b2 = np.split(parameters, [6, 12, 18])
    return 0.5 * np.mean((np.tanh(X * W1 + b1) @ W2 + b2 - Y) ** 2)


@pytest.mark.parametrize("name", NAMES)
def test_the_iteration_after_it_begins_where_a_callback_has_moved_the_network(name):
    history = network().fit(X, Y, epochs=5, optimizer=name, callbacks=Mover(place(), 3))
    # A mean of 60 rows, in another order: a few ulp.
    assert np.isclose(history.loss[3], written_loss(place()), rtol=1e-13)
    assert history.loss[4] < history.loss[3]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_moved_weights_are_a_new_start_with_the_damping_so_far(name, dtype):
    moved, twin = network(dtype), network(dtype)
    moved.fit(X, Y, epochs=9, optimizer=name, callbacks=Mover(place(dtype), 4))
    twin.fit(X, Y, epochs=4, optimizer=name)
    twin.parameters[...] = place(dtype)
    twin._state.moments = None
    twin.fit(X, Y, epochs=5, optimizer=name)
    np.testing.assert_array_equal(moved.parameters, twin.parameters)
    assert moved._state.schedule_state == twin._state.schedule_state


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stop", [False, True], ids=["last", "stopped"])
def test_two_fits_are_one_fit_also_where_a_callback_moves_the_network_between_them(name, stop):
    once, twice = network(), network()
    once.fit(X, Y, epochs=9, optimizer=name, callbacks=Mover(place(), 4))
    twice.fit(X, Y, epochs=9 if stop else 4, optimizer=name, callbacks=Mover(place(), 4, stop))
    np.testing.assert_array_equal(twice.parameters, place())
    twice.fit(X, Y, epochs=5, optimizer=name)
    np.testing.assert_array_equal(once.parameters, twice.parameters)


@pytest.mark.parametrize("name", NAMES)
def test_weights_that_begin_changes_are_the_start(name):
    class Begin:
        def begin(self, net, history):
            net.parameters[...] = place()

    moved, twin = network(), network()
    moved.fit(X, Y, epochs=4, optimizer=name)
    history = moved.fit(X, Y, epochs=3, optimizer=name, callbacks=Begin())
    assert np.isclose(history.loss[0], written_loss(place()), rtol=1e-13)
    if name == "lbfgs":  # Nothing of the other place is left.
        twin.parameters[...] = place()
        twin.fit(X, Y, epochs=3, optimizer=name)
        np.testing.assert_array_equal(moved.parameters, twin.parameters)


@pytest.mark.parametrize("name", NAMES)
def test_a_callback_that_changes_nothing_leaves_every_bit(name):
    watched, alone = network(), network()
    watched.fit(X, Y, epochs=9, optimizer=name, callbacks=Mover(watched.parameters, 4))
    alone.fit(X, Y, epochs=9, optimizer=name)
    np.testing.assert_array_equal(watched.parameters, alone.parameters)


@pytest.mark.parametrize("name", NAMES)
def test_a_weight_that_is_held_stays_and_the_others_find_the_minimum_beside_it(name):
    """A line whose slope is held at 0: the best one is the mean of y, by calculus."""

    def hold(net, history):
        net.weights[0][...] = 0

    net = bpcore.Network([1, 1], output="identity", dtype="float64", seed=1)
    history = net.fit(X, Y + 2, epochs=60, optimizer=name, callbacks=hold)
    assert net.weights[0][0, 0] == 0 and not history.converged
    assert np.isclose(net.biases[0][0], np.mean(Y + 2), rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_minimum_that_a_callback_leaves_is_not_the_end(name):
    """The 1-1 network is done in few iterations; moved away, it comes back."""
    net = bpcore.Network([1, 1], output="identity", dtype="float64", seed=1)
    reached = len(net.fit(X, 2 * X[:, 0] + 1, epochs=50, optimizer=name).loss)
    net = bpcore.Network([1, 1], output="identity", dtype="float64", seed=1)
    mover = Mover([9.0, 9.0], reached)
    history = net.fit(X, 2 * X[:, 0] + 1, epochs=50, optimizer=name, callbacks=mover)
    assert len(history.loss) > reached and history.converged
    np.testing.assert_allclose(net.parameters, [2, 1], atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_early_stopping_goes_back_to_the_best_weights_among_moved_ones(name):
    kept, net = [], network()

    def move(net, history):
        if len(history.loss) == 3:
            net.parameters[...] = place()

    def keep(net, history):
        kept.append(net.parameters.copy())

    how = {"optimizer": name, "eval_set": 0.3, "early_stopping": 4, "callbacks": [move, keep]}
    history = net.fit(X, Y, epochs=40, **how)
    assert history.eval_loss[history.best_epoch] == min(history.eval_loss)
    np.testing.assert_array_equal(net.parameters, kept[history.best_epoch])


# ---- Ends: once, and in words --------------------------------------------------------------------


@pytest.mark.parametrize(("output", "loss"), [("sigmoid", "bce"), ("softmax", "cross_entropy")])
def test_levenberg_marquardt_refuses_other_losses_before_anything_changes(output, loss):
    net = bpcore.Network([1, 3, 2], output=output, standardize=True, seed=1)
    with pytest.raises(ValueError, match=f"'mse', but the loss is '{loss}'; 'lbfgs'"):
        net.fit(X, Y > 0, epochs=3, optimizer="levenberg_marquardt")
    assert (net.epochs, net.scaling, net._state) == (0, None, None)


@pytest.mark.parametrize("name", NAMES)
def test_weights_that_are_no_numbers_are_an_error_before_the_next_iteration(name):
    with pytest.raises(FloatingPointError, match="not finite where the weights were moved to"):
        network().fit(X, Y, epochs=5, optimizer=name, callbacks=Mover(np.nan, 2))
    for start in (np.nan, 1e200):  # The square of the latter is infinite.
        net = network()
        net.parameters[...] = start
        with pytest.raises(FloatingPointError, match="not finite at the start"):
            net.fit(X, Y, epochs=5, optimizer=name)


@pytest.mark.parametrize("tolerance", [{"gradient_tolerance": 1e-2}, {"relative_tolerance": 0.01}])
def test_a_tolerance_that_was_asked_for_is_a_minimum(tolerance):
    history = network().fit(X, Y, epochs=50, optimizer=LBFGS(**tolerance))
    assert history.converged and next(iter(tolerance)) in history.stopped


def test_the_end_of_the_precision_is_said_once(dtype):
    """A line that is fitted to a sine: the minimum is that of least squares."""
    net, optimizer = network(dtype, ()), LBFGS(gradient_tolerance=1e-30)
    history, given = heard(lambda: net.fit(X, Y, epochs=50, optimizer=optimizer))
    assert history.converged is False
    assert [each.category for each in given] == [RuntimeWarning]
    assert history.stopped in str(given[0].message) and "'lbfgs'" in str(given[0].message)
    assert history.stopped in {lbfgs.REASONS[name] for name in ("precision", "search")}
    assert given[0].filename == __file__


def test_a_line_search_that_finds_nothing_is_said_once(monkeypatch):
    """A gradient of the wrong sign: no step along it can lower the loss."""
    evaluate = bpcore._solvers.objective.Objective.__call__

    def wrong(self, x):
        value, gradient = evaluate(self, x)
        return value, -gradient

    monkeypatch.setattr(bpcore._solvers.objective.Objective, "__call__", wrong)
    history, given = heard(lambda: network().fit(X, Y, epochs=9, optimizer="lbfgs"))
    assert history.loss == [] and history.converged is False
    assert history.stopped == "no lower loss was found in the direction of the gradient"
    assert len(given) == 1 and history.stopped in str(given[0].message)


def test_a_damping_that_helps_nothing_is_said_once():
    """Noise that no line can learn: in double the gradient's rounding is above 1e-30."""
    noise, net = np.random.default_rng(0).standard_normal(60), network(hidden=())
    optimizer = LevenbergMarquardt(gradient_tolerance=1e-30)
    history, given = heard(lambda: net.fit(X, noise, epochs=50, optimizer=optimizer))
    assert len(history.loss) < 50 and history.converged is False
    assert len(given) == 1 and history.stopped in str(given[0].message)


@pytest.mark.parametrize("name", NAMES)
def test_a_callback_that_stops_is_not_a_minimum_and_no_warning(name):
    history = network().fit(X, Y, epochs=9, optimizer=name, callbacks=lambda *_: True)
    assert len(history.loss) == 1 and history.converged is False and history.stopped is None


def test_other_optimisers_do_not_say():
    history = network().fit(X, Y, epochs=2, learning_rate=0.1)
    assert history.converged is None and history.stopped is None


def test_a_search_that_has_shrunk_to_nothing_is_no_small_decrease():
    """|x| + x^2 / 100 has its minimum at a bend: no slope is 0 there, and decreases shrink."""

    def function(x):
        return float(np.abs(x).sum() + 0.01 * (x @ x)), np.where(x < 0, -1.0, 1.0) + 0.02 * x

    *_, last = lbfgs.iterate(function, np.array([3.0]), 500)
    assert last.reason == "search" and last.value < 1e-6


# ---- Estimators ----------------------------------------------------------------------------------


@pytest.fixture
def regressor():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from bpcore.sklearn import MLPRegressor

    return lambda **how: MLPRegressor(random_state=0, hidden_layer_sizes=(6,), **how)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"solver": "lbfgs", "max_iter": 3}, "max_iter is 3"),
        ({"solver": "lm", "max_iter": 3}, "max_iter is 3"),
        ({"solver": "lbfgs", "max_fun": 4}, "max_fun 4"),
    ],
)
def test_an_estimator_says_once_that_a_limit_was_reached(regressor, how, said):
    model, given = heard(lambda: regressor(tol=1e-12, **how).fit(X, Y))
    assert [each.category.__name__ for each in given] == ["ConvergenceWarning"]
    assert said in str(given[0].message)


def test_an_estimator_says_once_that_the_precision_has_ended(regressor):
    model = regressor(solver="lm", tol=1e-30, max_iter=5000, alpha=1.0)
    _, given = heard(lambda: model.fit(X, Y))
    assert [each.category.__name__ for each in given] == ["ConvergenceWarning"]
    assert "failed to converge" in str(given[0].message) and "tol is 1e-30" in str(given[0].message)
    assert model.n_iter_ < 5000


def test_an_estimator_that_scikit_learn_calls_converged_says_nothing(regressor):
    """A gradient within tol, and a decrease of 2.2e-9 of the loss."""
    for tol in (1e-4, 1e-30):
        how = {"solver": "lbfgs", "activation": "tanh", "max_iter": 5000, "alpha": 1.0}
        model, given = heard(lambda tol=tol, how=how: regressor(tol=tol, **how).fit(X, Y))
        assert model.n_iter_ < 5000 and not given


def test_the_untrained_float32_case_does_not_pass_in_silence(regressor):
    """Features of 1, 1e3 and 1e6 in float32 are beyond what it can tell apart."""
    random = np.random.RandomState(0)
    inputs = random.randn(500, 5)
    y = inputs @ [1, 2, 3, 0, 0] + np.sin(3 * inputs[:, 1])
    inputs = (inputs * [1, 1e3, 1e6, 1, 1]).astype("f4")
    model = regressor(solver="lbfgs", max_iter=500).set_params(hidden_layer_sizes=(100,))
    _, given = heard(lambda: model.fit(inputs, (y - y.mean()) / y.std()))
    assert model.score(inputs, (y - y.mean()) / y.std()) < 0.5
    assert [each.category.__name__ for each in given] == ["ConvergenceWarning"]


@pytest.mark.filterwarnings("ignore:.*failed to converge")
@pytest.mark.parametrize("solver", ["lbfgs", "lm"])
def test_what_an_estimators_callback_changes_counts(regressor, solver):
    seen = []

    def hold(model):
        model.coefs_[0][...] = 0
        seen.append(model.coefs_[0].copy())

    model = regressor(solver=solver, callbacks=[hold], alpha=0, max_iter=60)
    model.set_params(hidden_layer_sizes=())
    model.fit(X, Y + 2)
    assert len(seen) == model.n_iter_ == 60 and not model.coefs_[0].any()
    assert np.isclose(model.intercepts_[0][0], np.mean(Y + 2), rtol=1e-6)


# ---- Warm starts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["lbfgs", "lm"])
def test_warm_fits_of_one_iteration_are_one_fit_bit_for_bit(regressor, solver, dtype):
    how = {"solver": solver, "tol": 1e-12, "activation": "logistic"}
    inputs, y = X.astype(dtype), Y.astype(dtype)
    once, warm = regressor(max_iter=60, **how), regressor(max_iter=1, warm_start=True, **how)
    heard(lambda: once.fit(inputs, y))
    heard(lambda: [warm.fit(inputs, y) for _ in range(60)])
    assert once.n_iter_ == 60 and once.loss_ == warm.loss_
    for name in ("coefs_", "intercepts_"):
        for ours, theirs in zip(getattr(once, name), getattr(warm, name), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_a_pickled_estimator_goes_on_as_it_would_have(regressor):
    model = regressor(solver="lbfgs", max_iter=5, warm_start=True)
    heard(lambda: model.fit(X, Y))
    copy = pickle.loads(pickle.dumps(model))
    heard(lambda: [each.fit(X, Y) for each in (model, copy)])
    np.testing.assert_array_equal(model.coefs_[0], copy.coefs_[0])


@pytest.mark.parametrize("change", ["weights", "solver", "dtype"])
def test_what_is_remembered_of_other_weights_is_not_used(regressor, change):
    """As is what another solver left, and steps in another precision."""
    model = regressor(solver="lbfgs", max_iter=5, warm_start=True)
    heard(lambda: model.fit(X, Y))
    if change == "weights":
        model.coefs_[0][...] = 0.5
    elif change == "dtype":
        model = regressor(solver="lbfgs", max_iter=5, warm_start=True)
        heard(lambda: model.fit(X.astype("f4"), Y.astype("f4")))
        model.coefs_ = [W.astype("f8") for W in model.coefs_]
        model.intercepts_ = [b.astype("f8") for b in model.intercepts_]
    else:
        model.set_params(solver="lm")
    fresh = regressor(solver=model.solver, max_iter=5, warm_start=True)
    heard(lambda: fresh.fit(X, Y))
    del fresh._going_on
    fresh.coefs_ = [W.copy() for W in model.coefs_]
    fresh.intercepts_ = [b.copy() for b in model.intercepts_]
    heard(lambda: [each.fit(X, Y) for each in (model, fresh)])
    np.testing.assert_array_equal(model.coefs_[0], fresh.coefs_[0])


def test_an_estimator_that_begins_anew_keeps_no_steps(regressor):
    model = regressor(solver="lbfgs", max_iter=5, warm_start=True)
    heard(lambda: model.fit(X, Y))
    heard(lambda: model.set_params(warm_start=False).fit(X, Y))
    assert not hasattr(model, "_going_on")
