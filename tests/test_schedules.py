"""Schedules: each by its formula, and what fit makes of it."""

import math

import numpy as np
import pytest

import bpcore
from bpcore import schedules

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 3)), RNG.integers(2, size=20)


def rates(schedule, epochs):
    return [schedule.rate(epoch, schedule.start()) for epoch in range(epochs)]


# Rates of two operations or three: each rounds by 1.1e-16, twice that is allowed for each.
CLOSE = dict(rel=1e-15)

BY_HAND = [
    (schedules.Constant(0.3), [0.3, 0.3, 0.3]),
    (schedules.Step(0.8, every=2, factor=0.5), [0.8, 0.8, 0.4, 0.4, 0.2, 0.2, 0.1]),
    (schedules.Step(0.8, every=1, factor=2.0), [0.8, 1.6, 3.2]),
    (schedules.Exponential(2.0, factor=0.5), [2.0, 1.0, 0.5, 0.25]),
    (schedules.Exponential(1.0, factor=0.9), [1.0, 0.9, 0.81, 0.729]),
    (schedules.InverseScaling(6.0, power=1.0), [6.0, 3.0, 2.0, 1.5]),
    (schedules.InverseScaling(6.0), [6.0, 6 / math.sqrt(2), 6 / math.sqrt(3), 3.0]),
    (schedules.InverseScaling(6.0, power=0.0), [6.0, 6.0]),
    # cos of 0, 60, 120 and 180 degrees: 1, 1/2, -1/2, -1.
    (schedules.Cosine(1.0, epochs=3), [1.0, 0.75, 0.25, 0.0, 0.0, 0.0]),
    (schedules.Cosine(1.0, epochs=3, lowest=0.2), [1.0, 0.8, 0.4, 0.2, 0.2]),
    (schedules.Adaptive(0.1), [0.1, 0.1]),
    (schedules.WarmUp(schedules.Exponential(2.0, factor=0.5), steps=7), [2.0, 1.0, 0.5]),
]


@pytest.mark.parametrize(("schedule", "expected"), BY_HAND)
def test_a_schedule_is_its_formula_and_history_tells_it(schedule, expected):
    # Near 0 a cosine is known to 1.1e-16 of the amplitude, not of itself.
    assert rates(schedule, len(expected)) == pytest.approx(expected, abs=2.3e-16, **CLOSE)
    net = bpcore.Network([3, 1], seed=0)
    history = net.fit(X, Y, epochs=len(expected), learning_rate=schedule)
    assert history.learning_rate == rates(schedule, len(expected))


@pytest.mark.parametrize("schedule", [one for one, _ in BY_HAND])
def test_a_schedule_is_made_again_from_its_settings(schedule):
    again = schedules.named(schedule.settings())
    assert again == schedule and repr(again) == repr(schedule) and hash(again) == hash(schedule)
    assert schedules.named(schedule) is schedule


def test_a_number_is_a_constant_schedule():
    nets = [bpcore.Network([3, 4, 1], seed=0) for _ in range(2)]
    for net, rate in zip(nets, (0.1, schedules.Constant(0.1)), strict=True):
        net.fit(X, Y, epochs=3, learning_rate=rate)
    assert np.array_equal(nets[0].parameters, nets[1].parameters)


def test_epochs_are_counted_over_all_fits():
    net, schedule = bpcore.Network([3, 1], seed=0), schedules.Exponential(1.0, factor=0.5)
    net.fit(X, Y, epochs=3, learning_rate=0.1)
    assert net.fit(X, Y, epochs=2, learning_rate=schedule).learning_rate == [0.125, 0.0625]


def test_the_rate_of_an_epoch_is_the_rate_of_its_steps():
    """Plain fits with the same numbers, one after the other, give the same bits."""
    schedule = schedules.Cosine(0.5, epochs=4, lowest=0.01)
    one, other = (bpcore.Network([3, 4, 1], seed=0) for _ in range(2))
    one.fit(X, Y, epochs=5, batch_size=6, learning_rate=schedule)
    for rate in rates(schedule, 5):
        other.fit(X, Y, epochs=1, batch_size=6, learning_rate=rate)
    assert np.array_equal(one.parameters, other.parameters)


def test_rprop_s_steps_begin_at_the_rate_of_their_first_epoch(dtype):
    """Its first update moves every parameter by just that, whatever the gradient's size."""
    net, schedule = bpcore.Network([3, 1], dtype=dtype, seed=0), schedules.Step(0.25, every=1)
    net.fit(X, Y, epochs=2, learning_rate=0.1)
    before, (dW, db) = net.parameters.copy(), net.gradients(X, Y)
    net.fit(X, Y, epochs=1, optimizer="rprop", learning_rate=schedule)
    signs = np.sign([*dW[0][0], db[0][0]]).astype(dtype)
    assert np.array_equal(net.parameters, before - dtype.type(0.0625) * signs)


# ---- Adaptive ------------------------------------------------------------------------------------


def told(schedule, losses):
    memory, rates = schedule.start(), []
    for loss in losses:
        rates.append(schedule.rate(0, memory))
        schedule.observe(loss, memory)
    return [*rates, schedule.rate(0, memory)]


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([9, 8, 7, 6], [8] * 5),  # falls: nothing happens
        ([9, 9, 9], [8, 8, 8, 4]),  # two epochs without a fall
        ([9, 9, 8, 8, 8], [8, 8, 8, 8, 8, 4]),  # in a row
        ([9, 9, 9, 9, 9], [8, 8, 8, 4, 4, 2]),  # counted anew after a change
        ([9, 10, 9.2, 8], [8, 8, 8, 4, 4]),  # 9.2 is far below 10, but not below the best
        ([9, 8.6, 8.2], [8, 8, 8, 4]),  # falls by less than the tolerance
        ([9, 8.5, 8.0], [8, 8, 8, 4]),  # or by just as much
        ([9] * 9, [8, 8, 8, 4, 4, 2, 2, 1, 1, 1]),  # not below the lowest
    ],
)
def test_adaptive_follows_the_losses(losses, expected):
    schedule = schedules.Adaptive(8.0, divisor=2.0, patience=2, tolerance=0.5, lowest=1.0)
    assert told(schedule, losses) == expected


def test_adaptive_in_fit_follows_the_losses_of_the_history():
    schedule = schedules.Adaptive(0.5, divisor=2.0, patience=3, tolerance=0.02, lowest=1e-3)
    net = bpcore.Network([3, 4, 1], seed=0)
    history = net.fit(X, Y, epochs=40, batch_size=6, learning_rate=schedule)
    assert history.learning_rate == told(schedule, history.loss)[:-1]
    assert len(set(history.learning_rate)) > 3


# ---- Warm-up -------------------------------------------------------------------------------------


def one_weight(steps_of_rates, batches):
    """w after each step on x = 1, y = 0: the gradient is w itself, so w := w - r w."""
    w, path = 1.0, []
    for rate in steps_of_rates:
        w -= rate * w
        path.append(w)
    return path[batches - 1 :: batches]


@pytest.mark.parametrize("batches", [1, 4])
@pytest.mark.parametrize("inner", [0.5, schedules.Step(0.5, every=1, factor=0.5)])
def test_warm_up_lets_the_rate_grow_evenly_over_steps(batches, inner):
    """From r / 6 in the first step to r in the sixth; the bias is held at 0 by a second row."""
    steps, epochs = 6, 12
    net = bpcore.Network([1, 1], output="identity", dtype="float64", seed=0)
    net.parameters[...] = [1.0, 0.0]
    X = np.tile([[1.0], [-1.0]], (batches, 1))  # Rows 1 and -1: w^2 / 2 is their mean loss.
    path = []
    net.fit(
        X,
        np.zeros(len(X)),
        epochs=epochs,
        batch_size=2,
        shuffle=False,
        learning_rate=schedules.WarmUp(inner, steps=steps),
        callbacks=lambda net, history: path.append(net.parameters[0]),
    )
    outer = schedules.named(inner)
    grown = [min(1.0, t / steps) for t in range(1, epochs * batches + 1)]
    expected = [outer.rate(t // batches) * share for t, share in enumerate(grown)]
    # w shrinks by factors 1 - r, each computed with about four roundings, over epochs * batches
    # steps: below 48 * 4 * 1.1e-16 of itself, unless it was cancelled, which r <= 1/2 excludes.
    assert path == pytest.approx(one_weight(expected, batches), rel=48 * 4 * 1.2e-16)
    assert net.parameters[1] == 0
    wrong = one_weight([outer.rate(t // batches) for t in range(epochs * batches)], batches)
    assert path[0] != pytest.approx(wrong[0], rel=1e-3)


# ---- Refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: schedules.Constant("a"), TypeError, "learning_rate is 'a'"),
        (lambda: schedules.Constant(math.nan), ValueError, "learning_rate is nan"),
        (lambda: schedules.Constant(-0.1), ValueError, "rate is -0.1, but it must be at least 0"),
        (lambda: schedules.Step(-1.0), ValueError, "learning_rate is -1"),
        (lambda: schedules.WarmUp(-0.1), ValueError, "learning_rate is -0.1"),
        (lambda: schedules.Cosine(0.1, 100, -0.2), ValueError, "lowest is -0.2, but it must be at"),
        (lambda: schedules.Step(0.1, every=0), ValueError, "every is 0"),
        (lambda: schedules.Step(0.1, every=1.5), TypeError, "every is 1.5"),
        (lambda: schedules.Step(0.1, factor=0), ValueError, "factor is 0"),
        (lambda: schedules.Exponential(0.1, factor=-1), ValueError, "factor is -1"),
        (lambda: schedules.Exponential(0.1, factor=math.inf), ValueError, "factor is inf"),
        (lambda: schedules.Cosine(0.1, epochs=0), ValueError, "epochs is 0"),
        (lambda: schedules.Cosine(0.1, lowest=None), TypeError, "lowest is None"),
        (lambda: schedules.InverseScaling(0.1, power="x"), TypeError, "power is 'x'"),
        (lambda: schedules.Adaptive(0.1, divisor=0), ValueError, "divisor is 0"),
        (lambda: schedules.Adaptive(0.1, patience=0), ValueError, "patience is 0"),
        (lambda: schedules.WarmUp(0.1, steps=0), ValueError, "steps is 0"),
        (lambda: schedules.WarmUp("a"), TypeError, "learning_rate is 'a'"),
        (lambda: schedules.WarmUp(schedules.WarmUp(0.1)), ValueError, "holds a WarmUp"),
        (lambda: schedules.named({"name": "Step"}), TypeError, "learning_rate"),
    ],
)
def test_a_schedule_refuses_numbers_that_make_none(make, error, says):
    with pytest.raises(error, match=says):
        make()
