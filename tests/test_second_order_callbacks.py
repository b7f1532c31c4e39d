"""What callbacks change in the weights counts for L-BFGS and Levenberg-Marquardt, too."""

import numpy as np
import pytest

import bpcore

X = np.linspace(-1, 1, 60).reshape(-1, 1)
Y = np.sin(3 * X[:, 0])
NAMES = ["lbfgs", "levenberg_marquardt"]
DTYPES = ["float32", "float64"]


def network(dtype="float64"):
    return bpcore.Network([1, 6, 1], hidden="tanh", output="identity", dtype=dtype, seed=1)


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
