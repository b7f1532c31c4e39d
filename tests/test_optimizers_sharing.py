"""Laws of bits of training, by every rule with penalties, dropout and weights of rows, and without
one: neither threads, instruction sets, blocks, slices, packing nor zeros leave a trace.
"""

import numpy as np
import pytest

from bpcore import _core
from tests.bits import ISAS, needs_fused, on_every_isa, same_bits
from tests.core_network import Net
from tests.execution_modes import entries_of, learn, thinned
from tests.test_optimizers import EXTRAS, RULES, first_moments

SETTINGS = dict(seed=5, first_epoch=3, warmup_steps=7, rows_count=True)
ALL_RULES = {"none": None, **RULES}
# Networks with a number of rows, and how many of them are a batch: a last batch that is smaller,
# full batches that are packed, and from 512 rows on a gradient that is collected in another layout.
NETS = {
    "small": (dict(sizes=[1, 1], hidden=None, output="sigmoid", loss="bce"), 53, (10, 53)),
    "deep": (
        dict(sizes=[37, 19, 11, 4], hidden="gelu", output="softmax", loss="cross_entropy")
        | dict(dropout=[0.3, 0.5]),
        53,
        (10, 53),
    ),
    "wide": (dict(sizes=[200, 190, 4], hidden="relu", output="identity", loss="mae"), 53, (32, 53)),
    "in panels": (
        dict(sizes=[90, 3, 2], hidden="silu", output="identity", loss="huber", dropout=[0.4]),
        300,
        (300,),
    ),
    "tall": (
        dict(sizes=[40, 17, 2], hidden="tanh", output="exp", loss="poisson", dropout=[0.2]),
        600,
        (513,),
    ),
}
WAYS = [{"threads": 3}, {"threads": 16}, {"block_rows": 1}, {"block_rows": 4, "budget": 1}]
WAYS += [{"budget": 17, "threads": 2}, {"block_rows": 20, "threads": 7}]
PACKED = [{"packed": 1}, {"packed": 1, "block_rows": 20}, {"packed": 1, "threads": 3}]


pytestmark = pytest.mark.usefixtures("calls_are_shared")


def example(dtype, name="deep"):
    how, rows, batches = NETS[name]
    net = Net(dtype=dtype, **how)
    X, Y = net.data(rows)
    weights = np.random.default_rng(4).integers(0, 4, rows).astype(dtype)
    return net, thinned(X / 4 if net.loss == "poisson" else X, 0.3), Y, weights


def run(net, X, Y, weights, rule, batch_rows, **how):
    """All that a training by the rule, with everything else switched on, leaves."""
    given = dict(epochs=2, weights=weights, settings=SETTINGS)
    if rule:
        rule, given["first_moments"] = rule | EXTRAS["all"], first_moments(rule)
    done = learn(net, X, Y, batch_rows, rule, **given, **how)
    return done.parameters, done.moments, np.array([done.losses, done.penalties])


def assert_same(one, other, *context):
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a, b), context  # A zero may have another sign.


# Without a rule, whose update is part of the products, on every instruction set; with each on one:
# what rules do on the others is compared with that below.
EVERY = [(isa, rule) for isa in ISAS for rule in ALL_RULES]
SHORT = {(isa, rule) for isa, rule in EVERY if isa == ISAS[0] or rule == "none"}


@pytest.mark.parametrize(
    ("isa", "rule"),
    [pytest.param(*pair, marks=[pytest.mark.long] * (pair not in SHORT)) for pair in EVERY],
    indirect=["isa"],
)
@pytest.mark.parametrize("name", NETS)
def test_no_way_of_training_changes_a_bit(isa, dtype, name, rule):
    (net, X, Y, weights), rule = example(dtype, name), ALL_RULES[rule]
    for batch_rows in NETS[name][2]:
        one = run(net, X, Y, weights, rule, batch_rows)
        for data in (X, entries_of(X)):
            for how in WAYS + PACKED * (batch_rows == len(X)):
                assert_same(one, run(net, data, Y, weights, rule, batch_rows, **how), how)


@pytest.mark.parametrize("rule", ALL_RULES)
def test_an_order_is_training_on_rows_laid_out_in_that_order(isa, dtype, rule):
    (net, X, Y, weights), rule = example(dtype), ALL_RULES[rule]
    rng = np.random.default_rng(3)
    for order in (rng.permutation(53), rng.integers(53, size=53)):  # Rows may come again or never.
        order = order.astype(np.uintp)
        for batch_rows in (10, 53):
            laid_out = X[order], Y[order], weights[order]
            one = run(net, *laid_out, rule, batch_rows)
            for data in (X, entries_of(X)):
                for how in ({}, {"budget": 35, "threads": 2}):
                    how |= {"order": order}
                    assert_same(one, run(net, data, Y, weights, rule, batch_rows, **how), how)


@needs_fused
@pytest.mark.parametrize("rule", ALL_RULES)
@pytest.mark.parametrize("name", NETS)
def test_instruction_sets_change_no_bit(dtype, name, rule):
    (net, X, Y, weights), rule = example(dtype, name), ALL_RULES[rule]
    for data in (X, entries_of(X)):
        for batch_rows in NETS[name][2]:
            first, *others = on_every_isa(
                lambda data=data, rows=batch_rows: run(net, data, Y, weights, rule, rows, threads=2)
            ).values()
            for other in others:
                assert all(map(same_bits, first, other))


@pytest.mark.parametrize("name", RULES)
def test_a_training_may_end_and_another_one_go_on_with_its_moments(isa, dtype, name):
    """Two trainings of one epoch, the second one from the first one's step and epoch."""
    net, X, Y, weights = example(dtype)
    rule = _core.Rule(**RULES[name] | EXTRAS["all"])
    parameters = net.parameters.copy()
    moments = np.zeros((rule.moments, len(parameters)), dtype)
    moments += np.reshape(first_moments(RULES[name])[: rule.moments], (rule.moments, 1))
    losses, done = [], 0
    for epoch in (3, 4):
        given = SETTINGS | dict(step=done, first_epoch=epoch)
        training = _core.Training(10, 0.02, 1, rule, **given)
        data = net.core, parameters, X, Y, None, 53, net.workspace(10)
        training.run(*data, weights=weights, moments=moments if rule.moments else None)
        losses, done = losses + training.losses, training.step
    one = run(net, X, Y, weights, RULES[name], 10)
    assert same_bits(one[0], parameters) and same_bits(one[1], moments)
    assert one[2][0].tolist() == losses


def test_another_weight_another_seed_and_another_element_would_be_seen(dtype):
    net, X, Y, weights = example(dtype)
    for name in RULES:
        one = run(net, X, Y, weights, RULES[name], 10)
        other_weights, other_X = weights.copy(), X.copy()
        other_weights[50] += 1
        other_X[50, 30] += 1
        for found in (
            run(net, X, Y, other_weights, RULES[name], 10),
            run(net, other_X, Y, weights, RULES[name], 10),
        ):
            with pytest.raises(AssertionError):
                assert_same(one, found)
