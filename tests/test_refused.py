"""A fit that is refused, or ends before its first update, leaves the network as it was."""

from dataclasses import fields, replace

import numpy as np
import pytest

import bpcore
from bpcore import optimizers, schedules
from tests.bits import same_bits

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 3)) + 5, RNG.integers(2, size=20)


def network(dtype="float32", **settings):
    settings = {"hidden": "tanh", "standardize": True, **settings}
    return bpcore.Network([3, 4, 1], dtype=dtype, seed=0, **settings)


def trained(dtype="float32"):
    net = network(dtype)
    net.fit(X, Y, epochs=3, optimizer="adam")
    return net


def snapshot(net):
    """All that training changes, in bytes."""
    state, moments = net._state, None
    if state is not None:
        moments, state = state.moments, replace(state, moments=None)
    scaling = net.scaling and (net.scaling.shift.tobytes(), net.scaling.scale.tobytes())
    kept = None if moments is None else moments.tobytes()
    return net.parameters.tobytes(), net.epochs, repr(state), kept, scaling


# ---- The four ways into training -----------------------------------------------------------------


def fit(net, **settings):
    return net.fit(X, Y, epochs=2, **settings)


def fit_batches(net, **settings):
    return net.fit([(X, Y), (X, Y)], epochs=2, **settings)


def partial_fit(net, **settings):
    return net.partial_fit(X, Y, **settings)


def fit_many(net, **settings):
    return bpcore.fit_many([net], X, Y, epochs=2, **settings)


WAYS = pytest.mark.parametrize("way", [fit, fit_batches, partial_fit, fit_many])

NEAR_ONE = 1 - 1e-8  # 1 as float32
REFUSED = {
    "beta1": dict(optimizer=optimizers.Adam(beta1=NEAR_ONE)),
    "beta2": dict(optimizer=optimizers.Adam(beta2=NEAR_ONE)),
    "epsilon": dict(optimizer=optimizers.Adam(epsilon=1e-40)),
    "momentum": dict(optimizer=optimizers.Momentum(NEAR_ONE), learning_rate=0.1),
    "decay": dict(optimizer=optimizers.RMSprop(NEAR_ONE)),
    "shrink": dict(optimizer=optimizers.Rprop(shrink=NEAR_ONE)),
    "grow": dict(optimizer=optimizers.Rprop(grow=1 + 1e-8)),
    "step_min": dict(optimizer=optimizers.Rprop(step_min=1e-45)),
    "weight_decay": dict(optimizer=optimizers.AdamW(weight_decay=1e39)),
    "max_norm": dict(learning_rate=0.1, max_norm=1e-50),
    "clip_norm": dict(learning_rate=0.1, clip_norm=1e-40),
    "l2": dict(learning_rate=0.1, l2=1e-45),
    "l1": dict(learning_rate=0.1, l1=1e-45),
    "learning_rate": dict(learning_rate=-0.1),
    "learning_rate ": dict(learning_rate=1e-45),
    "shuffle": dict(learning_rate=0.1, shuffle="no"),
    "progress": dict(learning_rate=0.1, progress=1),
    "class_weight": dict(learning_rate=0.1, class_weight={0: 1e-45}),
    "dropout": dict(learning_rate=0.1, dropout=[[0.1], [0.1, 0.2]]),
}


@WAYS
@pytest.mark.parametrize("make", [network, trained])
@pytest.mark.parametrize(("name", "settings"), REFUSED.items(), ids=REFUSED)
def test_a_refused_fit_changes_nothing(name, settings, make, way):
    net, twin = make(), make()
    if way is fit_batches:
        net.scaling = twin.scaling = net.scaling or bpcore.Standardizer([0, 0, 0], [1, 1, 1])
    before = snapshot(net)
    with pytest.raises((ValueError, TypeError), match=rf"\b{name.strip()}\b"):
        way(net, **settings)
    assert snapshot(net) == before
    for one in (net, twin):
        one.fit(X, Y, epochs=2, optimizer="adam")
    assert snapshot(net) == snapshot(twin)


KINDS = [kind for kind in optimizers._NAMES if fields(kind)]
EXTREMES = [5e-324, 1e-310, 1e-45, 1e-39, 1e-38, NEAR_ONE, 1 - 2.0**-53, 1 + 1e-8, 1e38, 1e39]


def outcome(net, call):
    """What became of a fit: "taken", "overflowed", or words of a refusal that changed nothing."""
    before = snapshot(net)
    try:
        call()
    except FloatingPointError:
        return "overflowed"  # In an update, with what was taken.
    except ValueError as error:
        assert snapshot(net) == before
        return str(error)
    return "taken"


@pytest.mark.parametrize("name", ["l2", "l1", "clip_norm", "max_norm", "learning_rate", "dropout"])
@pytest.mark.parametrize("value", EXTREMES)
def test_a_number_is_taken_or_refused_by_its_name(dtype, name, value):
    """No words of the core: it knows no arguments of Python's."""
    net = trained(dtype)
    settings = {"learning_rate": 0.1, name: value}
    said = outcome(net, lambda: net.fit(X, Y, epochs=1, **settings))
    assert said in ("taken", "overflowed") or said.startswith(f"{name} is ")


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, field.name) for kind in KINDS for field in fields(kind) if field.type is float],
)
@pytest.mark.parametrize("value", EXTREMES)
def test_an_optimizers_number_is_taken_or_refused_by_its_name(dtype, kind, name, value):
    net = trained(dtype)
    if kind is optimizers.LevenbergMarquardt:
        net = network(dtype, output="identity", loss="mse")
    rate = {"learning_rate": 0.1} if kind.default_rate is None else {}

    def fitted():
        net.fit(X, Y, epochs=1, optimizer=kind(**{name: value}), **rate)

    said = outcome(net, fitted)
    assert said in ("taken", "overflowed") or name in said


# ---- What cannot begin ---------------------------------------------------------------------------


@WAYS
def test_a_rate_that_cannot_be_computed_is_refused_before_the_first_update(way):
    """2 ** 5000 is no double: after one epoch there is no rate."""
    net = trained()
    before = snapshot(net)
    rate = schedules.InverseScaling(0.1, power=-5000)
    with pytest.raises(FloatingPointError, match="InverseScaling.*has no rate for epoch 3"):
        way(net, learning_rate=rate)
    assert snapshot(net) == before


def test_a_rate_that_is_none_later_ends_the_fit_at_that_epoch():
    net, twin = network(), network()
    rate = schedules.InverseScaling(0.1, power=-5000)
    with pytest.raises(FloatingPointError, match="has no rate for epoch 1"):
        net.fit(X, Y, epochs=9, learning_rate=rate)
    twin.fit(X, Y, epochs=1, learning_rate=rate)
    assert snapshot(net) == snapshot(twin)


class Falling(schedules.Schedule):
    """A user's own: 0.1, 0, -0.1."""

    def rate(self, epoch, memory=None):
        return 0.1 - 0.1 * epoch


def test_a_schedule_that_becomes_negative_ends_the_fit_at_that_epoch():
    net = network()
    with pytest.raises(FloatingPointError, match="learning_rate of epoch 2 is -0.1, but it must"):
        net.fit(X, Y, epochs=9, learning_rate=Falling(0.1))
    assert net.epochs == 2


class Failing:
    def begin(self, net, history):
        raise OSError("no room for a log")


@pytest.mark.parametrize("optimizer", ["sgd", "rprop", "lbfgs"])
@pytest.mark.parametrize("make", [network, trained])
def test_an_error_before_the_first_update_leaves_scaling_and_state(make, optimizer):
    net = make()
    before = snapshot(net)
    rate = {"learning_rate": 0.1} if optimizer == "sgd" else {}
    with pytest.raises(OSError, match="no room"):
        net.fit(X, Y, epochs=2, optimizer=optimizer, callbacks=Failing(), **rate)
    assert snapshot(net) == before


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rprop"])
def test_a_first_loss_that_is_not_finite_leaves_scaling_and_state(optimizer):
    """Squares of 1e200 are beyond double: there is a loss, but no number for it."""
    net = network("float64", output="identity")
    net.fit(X, Y, epochs=2, optimizer="adam")
    before = snapshot(net)
    with pytest.raises(FloatingPointError, match="epoch 2, batch 0"):
        net.fit(X, Y * 1e200, epochs=2, optimizer=optimizer, learning_rate=0.1)
    assert snapshot(net) == before
    fresh = network("float64", output="identity")
    before = snapshot(fresh)
    with pytest.raises(FloatingPointError, match="epoch 0, batch 0"):
        fresh.fit(X, Y * 1e200, epochs=2, optimizer=optimizer, learning_rate=0.1)
    assert snapshot(fresh) == before and fresh.scaling is None


@pytest.mark.parametrize("optimizer", ["lbfgs", "levenberg_marquardt"])
def test_batches_are_refused_by_what_takes_all_rows_at_each_step(optimizer):
    net = network(standardize=False)
    before = snapshot(net)
    with pytest.raises(ValueError, match=f"'{optimizer}' takes all rows.*give X and y as arrays"):
        net.fit([(X, Y)], epochs=2, optimizer=optimizer)
    assert snapshot(net) == before


# ---- Numbers that a network cannot hold ----------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (dict(init=("normal", 1e-45)), "init's scale is 1e-45, which float32 cannot hold"),
        (dict(init=("normal", 1e-39, "biases")), "init's scale is 1e-39"),
        (dict(init=("normal", 1e-310), dtype="float64"), "init's scale.*float64 cannot hold"),
        (dict(loss=("huber", 1e-50), output="identity"), "'huber''s parameter is 1e-50"),
        (dict(loss=("quantile", 1e-50), output="identity"), "'quantile''s parameter is 1e-50"),
        (dict(loss=("quantile", NEAR_ONE), output="identity"), "between 0 and 1 as float32"),
    ],
)
def test_a_network_refuses_numbers_that_its_precision_turns_into_others(settings, says):
    with pytest.raises(ValueError, match=says):
        bpcore.Network([3, 1], **settings)


def test_zero_and_numbers_in_full_precision_are_taken():
    least = float(np.finfo("float32").tiny)
    zero = bpcore.Network([3, 4, 1], init=("normal", 0.0), seed=0)
    assert not zero.parameters.any()
    net = bpcore.Network([3, 4, 1], init=("normal", least), seed=0)
    expected = np.random.RandomState(0).standard_normal((4, 3)) * least
    assert same_bits(net.weights[0], expected.astype("f4"))
    for name in ("l1", "l2", "clip_norm", "max_norm", "learning_rate"):
        net.fit(X, Y, epochs=1, **{"learning_rate": 0.0, name: least})
