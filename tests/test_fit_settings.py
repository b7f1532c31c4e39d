"""Settings of fit: defaults, figures, and refusals by name before anything changes."""

import numpy as np
import pytest

import bpcore
from bpcore import optimizers, schedules
from tests.bits import same_bits

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 3)), RNG.integers(2, size=20)


def network(**settings):
    return bpcore.Network([3, 4, 1], hidden="tanh", seed=0, **settings)


NOTHING = object()

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
]


@pytest.mark.parametrize("before", ["fresh", "trained"])
@pytest.mark.parametrize(("settings", "error", "says"), REFUSED)
def test_a_bad_setting_is_refused_by_name_before_anything_changes(settings, error, says, before):
    net = network(standardize=True)
    if before == "trained":
        net.fit(X, Y, epochs=2, optimizer="adam")
    state, scaling, epochs = net._state, net.scaling, net.epochs
    parameters, moments = net.parameters.copy(), state and state.moments.copy()
    given = {"epochs": 1, "learning_rate": 0.1, **settings}
    given = {name: value for name, value in given.items() if value is not NOTHING}
    with pytest.raises(error, match=says):
        net.fit(X, Y, **given)
    assert same_bits(net.parameters, parameters) and net.epochs == epochs
    assert net._state is state and net.scaling is scaling
    assert state is None or same_bits(state.moments, moments)


BATCHES = [
    (dict(order=np.arange(20)), TypeError, "order and sample_weight"),
    (dict(sample_weight=np.ones(20)), TypeError, "order and sample_weight"),
    (dict(eval_set=0.1), ValueError, "eval_set is a share"),
]


# What belongs to rows of an array, or to a batch.
ROWS = {"order", "sample_weight", "class_weight", "eval_set"}


@pytest.mark.parametrize(
    ("settings", "error", "says"), BATCHES + [one for one in REFUSED if not ROWS & set(one[0])]
)
def test_batches_are_refused_the_same(settings, error, says):
    net = network()
    parameters = net.parameters.copy()
    given = {"epochs": 1, "learning_rate": 0.1, **settings}
    given = {name: value for name, value in given.items() if value is not NOTHING}
    with pytest.raises(error, match=says):
        net.fit([(X, Y)], **given)
    assert same_bits(net.parameters, parameters) and net.epochs == 0 and net._state is None


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


# ---- What is taken -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "rate"),
    [
        ("rmsprop", optimizers.RMSprop, 0.001),
        ("adam", optimizers.Adam, 0.001),
        ("adamw", optimizers.AdamW, 0.001),
        ("rprop", optimizers.Rprop, 0.01),
    ],
)
def test_a_name_is_the_optimizer_with_its_defaults(dtype, name, kind, rate):
    nets = [network(dtype=dtype) for _ in range(4)]
    for net, how in zip(
        nets,
        [
            dict(optimizer=name),
            dict(optimizer=kind()),
            dict(optimizer=name, learning_rate=rate),
            dict(optimizer=kind().settings(), learning_rate=schedules.Constant(rate)),
        ],
        strict=True,
    ):
        assert net.fit(X, Y, epochs=3, **how).learning_rate == [rate] * 3
        assert same_bits(net.parameters, nets[0].parameters)
    assert repr(optimizers.named(name)) == repr(kind())


def test_the_loss_in_the_history_has_the_penalties_and_the_penalty_stands_beside_it():
    """Full batch, float64: an epoch's loss is net.loss before it, plus the formula."""
    l2, l1 = 0.3, 0.05
    net, history = network(dtype="float64"), None
    for _ in range(4):
        # Sums of 16 squares and magnitudes: 20 roundings of 1.1e-16, with a factor of 4 to spare.
        weights = np.concatenate([W.ravel() for W in net.weights])
        penalty = l2 / 2 * np.sum(weights**2) + l1 * np.sum(np.abs(weights))
        loss = net.loss(X, Y)
        history = net.fit(X, Y, epochs=1, learning_rate=0.2, l2=l2, l1=l1)
        assert history.penalty[0] == pytest.approx(penalty, rel=1e-14)
        assert history.loss[0] == loss + history.penalty[0]
    assert history.penalty[0] > 0
    assert network().fit(X, Y, epochs=1, learning_rate=0.1).penalty == [0]


def test_without_hidden_layers_a_dropout_has_no_effect():
    nets = [bpcore.Network([3, 1], seed=0) for _ in range(2)]
    for net, dropout in zip(nets, (0.5, 0.0), strict=True):
        net.fit(X, Y, epochs=3, learning_rate=0.1, dropout=dropout)
    assert same_bits(nets[0].parameters, nets[1].parameters)
    with pytest.raises(ValueError, match="dropout is 5"):
        nets[0].fit(X, Y, epochs=1, learning_rate=0.1, dropout=5)


def test_settings_that_change_nothing_change_no_bits(dtype):
    """Weights of 1, callbacks and schedules take other paths to the same bits."""
    plain = network(dtype=dtype)
    losses = plain.fit(X, Y, epochs=6, batch_size=7, learning_rate=0.1).loss
    for how in (
        dict(sample_weight=np.ones(20)),
        dict(class_weight={0: 1.0}),
        dict(dropout=0.0, l1=0.0, l2=0.0),
        dict(dropout=[0.0]),
        dict(callbacks=lambda net, history: None),
        dict(eval_set=(X, Y)),
        dict(learning_rate=schedules.Step(0.1, every=100)),
        dict(callbacks=bpcore.EarlyStopping(patience=9, restore_best=False)),
    ):
        net = network(dtype=dtype)
        given = {"epochs": 6, "batch_size": 7, "learning_rate": 0.1, **how}
        assert net.fit(X, Y, **given).loss == losses, how
        assert same_bits(net.parameters, plain.parameters), how


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop"])
def test_moments_that_overflow_alone_are_reported(optimizer):
    """(1e20)^2 is beyond float32: the weights would stay where they are, without a word."""
    net = bpcore.Network([3, 1], output="identity", seed=0)
    with pytest.raises(FloatingPointError, match="before epoch 2: the optimizer's moments"):
        net.fit(X * 1e10, Y * 1e10, epochs=3, optimizer=optimizer)
    assert np.isfinite(net.parameters).all() and net.epochs == 3


def test_a_rate_that_overflows_later_ends_the_fit_at_that_epoch():
    """1e-30 doubles until it is beyond float32 in epoch 228, as log2(3.4e38 / 1e-30) says."""
    net = network()
    tiny, largest = schedules.Exponential(1e-30, factor=2.0), float(np.finfo("f4").max)
    assert tiny.rate(227) <= largest < tiny.rate(228)
    with pytest.raises(FloatingPointError, match="epoch 228.*finite as float32"):
        net.fit(X, Y, epochs=1000, learning_rate=tiny, max_norm=1e-3, clip_norm=1e-30)
    assert net.epochs == 228 and np.isfinite(net.parameters).all()
