"""A training that is cut goes on as if it had not been: fit(k), fit(m) do what fit(k + m) does."""

import copy
import json
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import bpcore
from bpcore import optimizers, schedules
from tests.bits import same_bits

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(23, 4)), RNG.integers(3, size=23)

OPTIMIZERS = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "rprop")
# Two epochs into each of them the rate is none that a new schedule begins with.
SCHEDULES = {
    "constant": 0.02,
    "step": schedules.Step(0.02, every=2),
    "exponential": schedules.Exponential(0.02, factor=0.8),
    "cosine": schedules.Cosine(0.02, epochs=4, lowest=0.001),
    "inverse": schedules.InverseScaling(0.02),
    "adaptive": schedules.Adaptive(0.02, patience=2, tolerance=9.0),
    "warm-up": schedules.WarmUp(0.02, steps=9),
    "warm adaptive": schedules.WarmUp(schedules.Adaptive(0.02, patience=2, tolerance=9.0), steps=9),
}


def network(dtype="float32", **settings):
    return bpcore.Network(
        [4, 6, 5, 3], hidden="tanh", output="softmax", dtype=dtype, seed=3, **settings
    )


def method(optimizer="adam", schedule="cosine", dropout=0.3, batch_size=8):
    return dict(
        optimizer=optimizer,
        learning_rate=SCHEDULES[schedule],
        dropout=dropout,
        batch_size=batch_size,
        l2=0.01,
    )


def once(dtype, how, epochs=5):
    net = network(dtype)
    return net, net.fit(X, Y, epochs=epochs, **how)


@pytest.mark.parametrize(
    ("dropout", "batch_size"),
    [
        ((0.3, 0.0), 8),
        *(
            pytest.param(*how, marks=pytest.mark.long)
            for how in [(0.0, None), (0.0, 8), (0.3, None)]
        ),
    ],
)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_two_fits_are_one(dtype, optimizer, schedule, dropout, batch_size):
    how = method(optimizer, schedule, dropout, batch_size)
    whole, history = once(dtype, how)
    net = network(dtype)
    first = net.fit(X, Y, epochs=2, **how)
    second = copy.deepcopy(pickle.loads(pickle.dumps(net))).fit(X, Y, epochs=3, **how)
    third = net.fit(X, Y, epochs=3, **how)
    assert same_bits(net.parameters, whole.parameters) and net.epochs == whole.epochs == 5
    for name in ("loss", "penalty", "learning_rate"):
        parts = getattr(first, name) + getattr(third, name)
        assert parts == getattr(history, name)
        assert getattr(second, name) == getattr(third, name)


def test_a_copy_shares_nothing_with_its_network(dtype):
    how = method()
    net = network(dtype)
    net.fit(X, Y, epochs=2, **how)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        kept = net._state.moments.copy()
        twin.fit(X, Y, epochs=1, **how)
        assert same_bits(net._state.moments, kept)
        assert not same_bits(twin._state.moments, kept)


GO_ON = """
import json, sys, numpy as np, bpcore
from bpcore import schedules
folder, cases = sys.argv[1], json.loads(sys.argv[2])
data = np.load(folder + "/data.npz")
for name, optimizer, dropout, batch_size in cases:
    net = bpcore.Network.load(f"{folder}/{name}")
    net.fit(data["X"], data["Y"], epochs=3, optimizer=optimizer, dropout=dropout, l2=0.01,
            batch_size=batch_size, learning_rate=net._state.schedule)
    net.save(f"{folder}/{name}.after")
"""


def test_a_file_goes_on_in_another_process(tmp_path):
    """All cases in one new process, which starts in half a second."""
    np.savez(tmp_path / "data.npz", X=X, Y=Y)
    cases, expected = [], []
    for dtype in ("float32", "float64"):
        for i, optimizer in enumerate(OPTIMIZERS):
            for j, schedule in enumerate(SCHEDULES):
                dropout, batch_size = (0.0, 0.3)[i + j & 1], (None, 8)[i + j >> 1 & 1]
                how = method(optimizer, schedule, dropout, batch_size)
                net, name = network(dtype), f"{dtype}-{optimizer}-{schedule}"
                net.fit(X, Y, epochs=2, **how)
                net.save(tmp_path / name)
                cases.append((name, optimizer, dropout, batch_size))
                expected.append(once(dtype, how)[0])
    command = [sys.executable, "-c", GO_ON, str(tmp_path), json.dumps(cases)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    for (name, *_), whole in zip(cases, expected, strict=True):
        after = bpcore.Network.load(tmp_path / f"{name}.after")
        assert same_bits(after.parameters, whole.parameters), name
        assert after.epochs == 5 and after._state.step == whole._state.step
        assert after._state.schedule_state == whole._state.schedule_state


# ---- What begins anew ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "then", ["momentum", "nesterov", "rmsprop", "rprop", optimizers.Adam(beta1=0.8), "adamw"]
)
def test_another_optimizer_begins_anew(dtype, then):
    """As on a network that has the same weights and has never learnt."""
    net, other = network(dtype), network(dtype)
    net.fit(X, Y, epochs=2, optimizer="adam")
    other.parameters[...] = net.parameters
    for each in (net, other):
        each.fit(X, Y, epochs=3, optimizer=then, learning_rate=0.01)
    assert same_bits(net.parameters, other.parameters)
    assert net._state.step == other._state.step == 3


def test_the_same_optimizer_goes_on_though_it_is_given_otherwise(dtype):
    net, other = network(dtype), network(dtype)
    for given, each in [("adam", net), (optimizers.Adam(beta1=0.9), other)]:
        each.fit(X, Y, epochs=2, optimizer="adam")
        each.fit(X, Y, epochs=2, optimizer=given)
    assert same_bits(net.parameters, other.parameters)


def test_another_schedule_begins_anew_and_leaves_the_moments(dtype):
    net, shrinking = network(dtype), schedules.Adaptive(0.02, patience=1, tolerance=9.0)
    assert (
        net.fit(X, Y, epochs=3, optimizer="adam", learning_rate=shrinking).learning_rate[2] < 0.02
    )
    other = schedules.Adaptive(0.02, patience=2, tolerance=9.0)
    history = net.fit(X, Y, epochs=2, optimizer="adam", learning_rate=other)
    assert history.learning_rate == [0.02, 0.02]
    assert net._state.step == 5


def test_an_error_before_training_keeps_what_the_optimizer_kept():
    net = network()
    net.fit(X, Y, epochs=2, **method())
    state, moments = replace(net._state), net._state.moments.copy()
    with pytest.raises(ValueError, match="y has the label 9"):
        net.fit(X, np.full(23, 9), epochs=1, optimizer="momentum", learning_rate=0.1)
    assert net._state == state and same_bits(net._state.moments, moments)


def test_this_comparison_can_fail(dtype):
    """Without the moments, the step or the epoch, the bits are others."""
    how = method()
    whole, _ = once(dtype, how)
    for forget in (
        lambda net: net._state.moments.fill(0),
        lambda net: setattr(net._state, "step", 0),
        lambda net: setattr(net, "epochs", 0),
    ):
        net = network(dtype)
        net.fit(X, Y, epochs=2, **how)
        forget(net)
        net.fit(X, Y, epochs=3, **how)
        assert not same_bits(net.parameters, whole.parameters)
