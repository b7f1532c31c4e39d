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
    return net.fit(X, Y, **settings)


def fit_batches(net, **settings):
    return net.fit([(X, Y), (X, Y)], **settings)


def partial_fit(net, **settings):
    return net.partial_fit(X, Y, **settings)


def fit_many(net, **settings):
    return bpcore.fit_many([net], X, Y, **settings)


WAYS = [fit, fit_batches, partial_fit, fit_many]

NEAR_ONE = 1 - 1e-8  # 1 as float32
NOTHING = object()  # No learning_rate at all.

REFUSED = [
    (dict(learning_rate=NOTHING), TypeError, "learning_rate is missing: optimizer 'sgd'"),
    (dict(learning_rate=NOTHING, optimizer="momentum"), TypeError, "learning_rate.*'momentum'"),
    (dict(learning_rate=NOTHING, optimizer="nesterov"), TypeError, "learning_rate.*'nesterov'"),
    (dict(learning_rate=10**400), ValueError, "learning_rate is inf"),
    (dict(learning_rate=[0.1]), TypeError, r"learning_rate is \[0.1\]"),
    (dict(learning_rate=schedules.Constant(1e300)), ValueError, "learning_rate.*finite as float32"),
    (dict(learning_rate={"name": "Never"}), ValueError, "schedule is 'Never'"),
    (dict(learning_rate=schedules.Step), TypeError, "learning_rate is <class"),
    (dict(optimizer="adadelta"), ValueError, "optimizer is 'adadelta', but it can be one of: sgd"),
    (dict(optimizer=None), ValueError, "optimizer is None"),
    (dict(optimizer=optimizers.Adam), ValueError, "optimizer is <class"),
    (dict(optimizer=optimizers.Optimizer()), ValueError, "optimizer is Optimizer"),
    (dict(optimizer=optimizers.Adam(epsilon=1e-60)), ValueError, "epsilon is 1e-60.*float32"),
    (dict(optimizer=optimizers.Rprop(step_max=1e60)), ValueError, r"step_max is 1e\+60.*float32"),
    (dict(l2=-0.1), ValueError, "l2 is -0.1, but it must be at least 0"),
    (dict(l2="much"), TypeError, "l2 is 'much'"),
    (dict(l2=None), TypeError, "l2 is None"),
    (dict(l1=-0.1), ValueError, "l1 is -0.1"),
    (dict(l1=np.nan), ValueError, "l1 is nan"),
    (dict(l1=1e39), ValueError, "l1 is 1e[+]39.*float32"),
    (dict(dropout=1.0), ValueError, "dropout is 1, but it must be at least 0 and below 1"),
    (dict(dropout=-0.1), ValueError, "dropout is -0.1"),
    (dict(dropout=np.nan), ValueError, "dropout is nan"),
    (dict(dropout=[0.1, 0.2]), ValueError, "dropout has 2 shares for 1 hidden layers"),
    (dict(dropout=[]), ValueError, "dropout has 0 shares"),
    (dict(dropout=[1.5]), ValueError, r"dropout\[0\] is 1.5"),
    (dict(dropout=["a"]), TypeError, r"dropout\[0\] is 'a'"),
    (dict(dropout=None), TypeError, "dropout is None"),
    (dict(clip_norm=0), ValueError, "clip_norm is 0, but it must be positive, or None"),
    (dict(clip_norm=-1), ValueError, "clip_norm is -1"),
    (dict(clip_norm=np.inf), ValueError, "clip_norm is inf"),
    (dict(clip_norm="long"), TypeError, "clip_norm is 'long'"),
    (dict(max_norm=0.0), ValueError, "max_norm is 0"),
    (dict(max_norm=np.nan), ValueError, "max_norm is nan"),
    (dict(sample_weight=np.ones(19)), ValueError, r"sample_weight has shape \(19,\), but \(20,\)"),
    (dict(sample_weight=np.ones((20, 1))), ValueError, r"sample_weight has shape \(20, 1\)"),
    (dict(sample_weight=-np.ones(20)), ValueError, r"sample_weight\[0\] is -1"),
    (dict(sample_weight=np.zeros(20)), ValueError, "sample_weight is zero for every sample"),
    (dict(sample_weight=[np.nan] * 20), ValueError, r"sample_weight\[0\] is nan"),
    (dict(sample_weight=["a"] * 20), TypeError, "sample_weight has dtype"),
    (dict(sample_weight=3), ValueError, r"sample_weight has shape .* expected"),
    (dict(class_weight="equal"), ValueError, "class_weight is 'equal'.*balanced"),
    (dict(class_weight=[1, 2]), TypeError, r"class_weight is \[1, 2\]"),
    (dict(class_weight={2: 1.0}), ValueError, "class_weight's label is 2.*at most 1"),
    (dict(class_weight={"a": 1.0}), TypeError, "class_weight's label is 'a'"),
    (dict(class_weight={0: -1.0}), ValueError, r"class_weight\[0\] is -1.0"),
    (dict(class_weight={0: "-1"}), ValueError, r"class_weight\[0\] is -1"),
    (dict(class_weight={0: np.inf}), ValueError, r"class_weight\[0\] is inf"),
    (dict(class_weight={0: 0, 1: 0}), ValueError, "sample_weight is zero for every sample"),
    (
        dict(sample_weight=[1e30] * 20, class_weight={0: 1e30}),
        ValueError,
        r"sample_weight times class_weight\[\d+\] is inf",
    ),
    (dict(eval_set=0.0), ValueError, "eval_set is 0, but a share is above 0 and below 1"),
    (dict(eval_set=1.0), ValueError, "eval_set is 1"),
    (dict(eval_set=np.nan), ValueError, "eval_set is nan"),
    (dict(eval_set=0.99), ValueError, "eval_set=0.99 of 20 rows leaves none"),
    (dict(eval_set=1), TypeError, "eval_set is a pair.*or a share"),
    (dict(eval_set=(X,)), TypeError, "eval_set is a pair"),
    (dict(eval_set=(X, Y + 0.5)), ValueError, "eval_set's y has the value 1.5"),
    (dict(eval_set=0.5, sample_weight=np.ones(5)), ValueError, r"sample_weight has shape \(5,\)"),
    (dict(early_stopping=0), ValueError, "early_stopping is 0, but it must be at least 1"),
    (dict(early_stopping=2.5), TypeError, "early_stopping is 2.5"),
    (dict(early_stopping="soon"), TypeError, "early_stopping is 'soon'"),
    (
        dict(early_stopping=bpcore.EarlyStopping(monitor="eval_loss")),
        ValueError,
        "monitor is 'eval_loss', but this fit will have only: loss",
    ),
    (
        dict(callbacks=bpcore.EarlyStopping(monitor="eval_accuracy")),
        ValueError,
        "monitor is 'eval_accuracy'",
    ),
    (dict(callbacks=3), TypeError, "callbacks is 3, but a function"),
    (dict(callbacks=[print, 3]), TypeError, "callbacks has 3, but a function"),
    (dict(callbacks="log"), TypeError, "callbacks has 'l'"),
    (dict(progress=3), TypeError, "progress is 3"),
    (dict(epochs=-1), ValueError, "epochs is -1"),
    (dict(epochs=1.5), TypeError, "epochs is 1.5"),
    (dict(epochs=True), TypeError, "epochs is True"),
    (dict(epochs=10**5000), ValueError, "epochs is a number of 16610 bits, but it must be at most"),
    (dict(learning_rate="fast"), TypeError, "learning_rate is 'fast'"),
    (dict(learning_rate=np.nan), ValueError, "learning_rate is nan"),
    (dict(batch_size=2.0), TypeError, "batch_size is 2.0"),
    (dict(batch_size=0), ValueError, "batch_size is 0"),
    (dict(order=[0, 1]), ValueError, r"order has dtype int64 and shape \(2,\)"),
    (dict(order=np.arange(20) + 1), ValueError, "order names row 20, but rows are 0 ... 19"),
    (dict(order=np.arange(20.0)), ValueError, "order has dtype float64"),
    (dict(eval_set=X), TypeError, "eval_set is a pair"),
    (dict(eval_set=(X[:, :2], Y)), ValueError, "eval_set's X has 2 features"),
    (dict(eval_set=(X, Y[:2])), ValueError, "eval_set's X has 20 rows, but eval_set's y has 2"),
    (dict(n_threads=0), ValueError, "n_threads is 0"),
    (dict(optimizer=optimizers.Adam(beta1=NEAR_ONE)), ValueError, "beta1"),
    (dict(optimizer=optimizers.Adam(beta2=NEAR_ONE)), ValueError, "beta2"),
    (dict(optimizer=optimizers.Adam(epsilon=1e-40)), ValueError, "epsilon"),
    (dict(optimizer=optimizers.Momentum(NEAR_ONE)), ValueError, "momentum"),
    (dict(optimizer=optimizers.RMSprop(NEAR_ONE)), ValueError, "decay"),
    (dict(optimizer=optimizers.Rprop(shrink=NEAR_ONE)), ValueError, "shrink"),
    (dict(optimizer=optimizers.Rprop(grow=1 + 1e-8)), ValueError, "grow"),
    (dict(optimizer=optimizers.Rprop(step_min=1e-45)), ValueError, "step_min"),
    (dict(optimizer=optimizers.AdamW(weight_decay=1e39)), ValueError, "weight_decay"),
    (dict(max_norm=1e-50), ValueError, "max_norm"),
    (dict(clip_norm=1e-40), ValueError, "clip_norm"),
    (dict(l2=1e-45), ValueError, "l2"),
    (dict(l1=1e-45), ValueError, "l1"),
    (dict(learning_rate=-0.1), ValueError, "learning_rate"),
    (dict(learning_rate=1e-45), ValueError, "learning_rate"),
    (dict(shuffle="no"), TypeError, "shuffle"),
    (dict(progress=1), TypeError, "progress"),
    (dict(class_weight={0: 1e-45}), ValueError, "class_weight"),
    (dict(dropout=[[0.1], [0.1, 0.2]]), ValueError, "dropout"),
]


# What belongs to rows of an array, or to a batch.
ROWS = {"order", "sample_weight", "class_weight", "eval_set"}
CASES = [
    (way, *one)
    for way in WAYS
    for one in REFUSED
    if way is not fit_batches or not ROWS & set(one[0])
]
CASES += [
    (fit_batches, dict(order=np.arange(20)), TypeError, "order and sample_weight"),
    (fit_batches, dict(sample_weight=np.ones(20)), TypeError, "order and sample_weight"),
    (fit_batches, dict(eval_set=0.1), ValueError, "eval_set is a share"),
]


@pytest.mark.parametrize("make", [network, trained])
@pytest.mark.parametrize(("way", "settings", "error", "says"), CASES)
def test_a_bad_setting_is_refused_by_name_and_changes_nothing(way, settings, error, says, make):
    net, twin = make(), make()
    if way is fit_batches:
        net.scaling = twin.scaling = net.scaling or bpcore.Standardizer([0, 0, 0], [1, 1, 1])
    before, given = snapshot(net), {"epochs": 2, "learning_rate": 0.1, **settings}
    with pytest.raises(error, match=says):
        way(net, **{name: value for name, value in given.items() if value is not NOTHING})
    assert snapshot(net) == before
    for one in (net, twin):
        one.fit(X, Y, epochs=2, optimizer="adam")
    assert snapshot(net) == snapshot(twin)


NUMBERS = [
    (optimizers.Momentum, dict(momentum=1.0), ValueError, "momentum is 1,"),
    (optimizers.Nesterov, dict(momentum=-0.1), ValueError, "momentum is -0.1"),
    (optimizers.RMSprop, dict(decay=1.0), ValueError, "decay is 1,"),
    (optimizers.RMSprop, dict(epsilon=0), ValueError, "epsilon is 0"),
    (optimizers.Adam, dict(beta1=1), ValueError, "beta1 is 1,"),
    (optimizers.Adam, dict(beta2=np.nan), ValueError, "beta2 is nan"),
    (optimizers.Adam, dict(epsilon=-1e-8), ValueError, "epsilon is -1e-08"),
    (optimizers.Adam, dict(epsilon_inside=1), TypeError, "epsilon_inside is 1"),
    (optimizers.Adam, dict(beta1=None), TypeError, "beta1 is None"),
    (optimizers.AdamW, dict(weight_decay=-1), ValueError, "weight_decay is -1"),
    (optimizers.AdamW, dict(beta2=2), ValueError, "beta2 is 2"),
    (optimizers.Rprop, dict(shrink=1), ValueError, "shrink is 1"),
    (optimizers.Rprop, dict(shrink=0), ValueError, "shrink is 0"),
    (optimizers.Rprop, dict(grow=1), ValueError, "grow is 1"),
    (optimizers.Rprop, dict(step_min=0), ValueError, "step_min is 0"),
    (optimizers.Rprop, dict(step_min=60), ValueError, "step_min is 60, above step_max, 50"),
]


@pytest.mark.parametrize(("kind", "numbers", "error", "says"), NUMBERS)
def test_an_optimizer_refuses_numbers_that_make_none(kind, numbers, error, says):
    with pytest.raises(error, match=says):
        kind(**numbers)


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
    [(kind, field.name) for kind in KINDS for field in fields(kind) if field.type == "float"],
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


@pytest.mark.parametrize("way", WAYS)
def test_a_rate_that_cannot_be_computed_is_refused_before_the_first_update(way):
    """2 ** 5000 is no double: after one epoch there is no rate."""
    net = trained()
    before = snapshot(net)
    rate = schedules.InverseScaling(0.1, power=-5000)
    with pytest.raises(FloatingPointError, match="InverseScaling.*has no rate for epoch 3"):
        way(net, epochs=2, learning_rate=rate)
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
