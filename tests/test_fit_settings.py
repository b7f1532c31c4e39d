"""Settings of fit: defaults, figures, and what changes no bit. test_refused.py has the others."""

import numpy as np
import pytest

import bpcore
from bpcore import optimizers, schedules
from tests.bits import same_bits

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 3)), RNG.integers(2, size=20)


def network(**settings):
    return bpcore.Network([3, 4, 1], hidden="tanh", seed=0, **settings)


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
    """Equal weights, which scale by powers of two, callbacks and schedules take other paths."""
    plain = network(dtype=dtype)
    losses = plain.fit(X, Y, epochs=6, batch_size=7, learning_rate=0.1).loss
    for how in (
        *(dict(sample_weight=[weight] * 20) for weight in (0.25, 1, 2.0, 1024)),
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
