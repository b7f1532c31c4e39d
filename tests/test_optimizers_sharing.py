"""Laws of bits for every optimiser with penalties, dropout and weights of rows: neither threads,
instruction sets, blocks, slices, packing nor zeros leave a trace.
"""

import numpy as np
import pytest

from bpcore import _core
from tests.bits import needs_fused, on_every_isa, same_bits
from tests.core_network import Net
from tests.execution_modes import THREADS, entries_of, learn, thinned, thread_work
from tests.test_optimizers import EXTRAS, RULES, first_moments

SETTINGS = dict(seed=5, first_epoch=3, warmup_steps=7, rows_count=True)
ROWS = 53


@pytest.fixture(autouse=True)
def calls_are_shared():
    """The tiniest call uses all its threads."""
    with thread_work(1):
        yield


def example(dtype, loss="cross_entropy", output="softmax"):
    net = Net([37, 19, 11, 4], "gelu", output, loss, dtype, dropout=[0.3, 0.5])
    X, Y = net.data(ROWS)
    weights = np.random.default_rng(4).integers(0, 4, ROWS).astype(dtype)
    return net, thinned(X, 0.3), Y, weights


def run(net, X, Y, weights, rule, batch_rows=ROWS, **how):
    """All that a training by the rule, with everything else switched on, leaves."""
    rule = rule | EXTRAS["all"]
    given = dict(epochs=2, weights=weights, first_moments=first_moments(rule), settings=SETTINGS)
    done = learn(net, X, Y, batch_rows, rule, **given, **how)
    return done.parameters, done.moments, np.array([done.losses, done.penalties])


def assert_same(one, other, *context):
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a, b), context  # A zero may have another sign.


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("threads", THREADS)
def test_threads_change_no_bit(dtype, threads, name):
    net, X, Y, weights = example(dtype)
    for batch_rows, data, how in [(27, X, {"block_rows": 20}), (ROWS, entries_of(X), {})]:
        one = run(net, X, Y, weights, RULES[name], batch_rows)
        many = run(net, data, Y, weights, RULES[name], batch_rows, threads=threads, **how)
        assert_same(one, many, batch_rows, how)


@needs_fused
@pytest.mark.parametrize("name", RULES)
def test_instruction_sets_change_no_bit(dtype, name):
    net, X, Y, weights = example(dtype)
    for batch_rows in (27, ROWS):
        for threads in (1, 2):
            first, *others = on_every_isa(
                lambda rows=batch_rows, threads=threads: run(
                    net, X, Y, weights, RULES[name], rows, threads=threads
                )
            ).values()
            for other in others:
                assert all(map(same_bits, first, other))


@pytest.mark.parametrize("name", RULES)
def test_blocks_slices_orders_and_sparse_rows_change_no_bit(isa, dtype, name):
    net, X, Y, weights = example(dtype)
    order = np.random.default_rng(3).permutation(ROWS).astype(np.uintp)
    for batch_rows in (10, ROWS):
        one = run(net, X, Y, weights, RULES[name], batch_rows)
        for how in ({"block_rows": 1}, {"block_rows": 4, "budget": 1}, {"budget": 17}):
            assert_same(one, run(net, X, Y, weights, RULES[name], batch_rows, **how), how)
            found = run(net, entries_of(X), Y, weights, RULES[name], batch_rows, **how)
            assert_same(one, found, how)
        ordered = run(net, X, Y, weights, RULES[name], batch_rows, order=order)
        laid_out = X[order], Y[order], weights[order]
        assert_same(ordered, run(net, *laid_out, RULES[name], batch_rows))
        found = run(net, entries_of(X), Y, weights, RULES[name], batch_rows, order=order)
        assert_same(ordered, found)
    for data in (X, entries_of(X)):
        assert_same(one, run(net, data, Y, weights, RULES[name], packed=1, block_rows=20))


@pytest.mark.parametrize("name", RULES)
def test_packing_in_panels_changes_no_bit(isa, dtype, name):
    """Narrow first layers of dense full batches are packed; the dropout finds its rows there."""
    net = Net([90, 3, 2], "silu", "identity", "huber", dtype, loss_parameter=0.7, dropout=[0.4])
    X, Y = net.data(300)
    weights = np.random.default_rng(4).integers(0, 4, 300).astype(dtype)
    one = run(net, X, Y, weights, RULES[name], 300)
    for threads in (1, 3):
        assert_same(one, run(net, X, Y, weights, RULES[name], 300, packed=1, threads=threads))


@pytest.mark.parametrize("name", RULES)
def test_large_batches_that_turn_their_gradient_change_no_bit(dtype, name):
    """From 512 rows on, a batch collects its gradient in another layout."""
    net = Net([40, 17, 2], "tanh", "exp", "poisson", dtype, dropout=[0.2])
    X, Y = net.data(600)
    X, weights = thinned(X / 4, 0.3), np.random.default_rng(4).random(600).astype(dtype)
    one = run(net, X, Y, weights, RULES[name], 513)
    for data in (X, entries_of(X)):
        for how in ({"threads": 3}, {"budget": 1}, {"block_rows": 100, "threads": 2}):
            assert_same(one, run(net, data, Y, weights, RULES[name], 513, **how), how)


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
        data = net.core, parameters, X, Y, None, ROWS, net.workspace(10)
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
