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
