"""fit with L-BFGS and Levenberg-Marquardt: an iteration an epoch, and what else fit promises."""

import subprocess
import sys

import numpy as np
import pytest

import bpcore
from bpcore import optimizers

X = np.linspace(-1, 1, 60).reshape(-1, 1)
Y = np.sin(3 * X[:, 0])
WEIGHTS = np.random.default_rng(0).random(60)
NAMES = ["lbfgs", "levenberg_marquardt"]


def network(dtype="float64", **settings):
    return bpcore.Network(
        [1, 6, 1], hidden="tanh", output="identity", dtype=dtype, seed=1, **settings
    )


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
    assert all(p > 0 for p in history.penalty) and history.stopped == "all iterations were made"


@pytest.mark.parametrize("name", NAMES)
def test_it_ends_where_nothing_is_gained_and_says_why(name):
    net = bpcore.Network([1, 1], output="identity", dtype="float64", seed=1)
    history = net.fit(X, 2 * X[:, 0] + 1, epochs=200, optimizer=name)
    assert len(history.loss) < 50 and "gradient" in history.stopped
    np.testing.assert_allclose(net.predict(X), 2 * X[:, 0] + 1, atol=1e-6)
    assert net.fit(X, 2 * X[:, 0] + 1, epochs=5, optimizer=name).loss == []


@pytest.mark.parametrize("name", NAMES)
def test_a_callback_stops_it_and_early_stopping_goes_back(name):
    net = network()
    assert len(net.fit(X, Y, epochs=50, optimizer=name, callbacks=lambda *_: True).loss) == 1
    evaluated = network()
    history = evaluated.fit(X, Y, epochs=30, optimizer=name, eval_set=0.3, early_stopping=3)
    assert min(history.eval_loss) == history.eval_loss[history.best_epoch]


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


def test_levenberg_marquardt_refuses_other_losses_before_anything_changes():
    net = bpcore.Network([1, 3, 1], standardize=True, seed=1)
    with pytest.raises(ValueError, match="mse"):
        net.fit(X, Y > 0, epochs=3, optimizer="levenberg_marquardt")
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
def test_weights_that_are_no_numbers_are_an_error_before_the_next_iteration(name):
    with pytest.raises(FloatingPointError, match="not finite where the weights were moved to"):
        network().fit(X, Y, epochs=5, optimizer=name, callbacks=Mover(np.nan, 2))
    net = network()
    net.parameters[...] = np.nan
    with pytest.raises(FloatingPointError, match="not finite at the start"):
        net.fit(X, Y, epochs=5, optimizer=name)


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


@pytest.mark.filterwarnings("ignore:.*failed to converge")
@pytest.mark.parametrize("solver", ["lbfgs", "lm"])
def test_what_an_estimators_callback_changes_counts(solver):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from bpcore.sklearn import MLPRegressor

    seen = []

    def hold(model):
        model.coefs_[0][...] = 0
        seen.append(model.coefs_[0].copy())

    how = {"hidden_layer_sizes": (), "alpha": 0, "max_iter": 60, "random_state": 0}
    model = MLPRegressor(solver=solver, callbacks=[hold], **how)
    model.fit(X, Y + 2)
    assert len(seen) == model.n_iter_ == 60 and not model.coefs_[0].any()
    assert np.isclose(model.intercepts_[0][0], np.mean(Y + 2), rtol=1e-6)
