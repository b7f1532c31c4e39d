"""Laws of an epoch's order: Fisher-Yates on Philox4x32-10, a function of seed, epoch and size."""

import itertools

import numpy as np
import pytest

from bpcore import _core
from tests import numpy_oracle


def shuffle(rows, seed, epoch):
    order = np.full(rows, 2**60, np.uintp)
    _core.shuffle(order, seed, epoch)
    return order.tolist()


# ---- The documented algorithm, in Python's integers ----------------------------------------------


def below(bound, seed, epoch, index):
    """An integer below bound; of the 2^64 values, the 2^64 mod bound lowest are drawn again."""
    for attempt in itertools.count():
        bits = numpy_oracle.philox(seed, epoch, index + (attempt << 48))
        if bits >= 2**64 % bound:
            return bits % bound


def inside_out(rows, seed, epoch):
    order = []
    for i in range(rows):
        j = below(i + 1, seed, epoch, i)
        order.append(i)
        order[i], order[j] = order[j], i
    return order


SEEDS = [(0, 0), (1, 0), (0, 1), (2**32 + 5, 7), (2**64 - 1, 2**64 - 1), (123, 2**33)]


@pytest.mark.parametrize("seed, epoch", SEEDS)
def test_the_order_is_the_documented_one(seed, epoch):
    for rows in (0, 1, 2, 3, 10, 301):
        assert shuffle(rows, seed, epoch) == inside_out(rows, seed, epoch)


# ---- Laws ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 1000, 100_000])
def test_the_order_is_a_permutation(rows):
    assert sorted(shuffle(rows, 3, 4)) == list(range(rows))


def test_seeds_and_epochs_give_different_orders():
    orders = {tuple(shuffle(50, seed, epoch)) for seed in range(20) for epoch in range(20)}
    assert len(orders) == 400
    assert shuffle(50, 1, 2) != shuffle(50, 2, 1)


def chi_square(counts):
    expected = sum(counts) / len(counts)
    return sum((count - expected) ** 2 for count in counts) / expected


# 23 degrees of freedom: mean 23, and 1 of 1000 fair samples is above 49.7 (tables of chi-square).
CRITICAL_23 = 49.7


def permutation_counts(orders):
    index = {order: i for i, order in enumerate(itertools.permutations(range(4)))}
    counts = [0] * 24
    for order in orders:
        counts[index[tuple(order)]] += 1
    return counts


@pytest.mark.parametrize("varied", ["seed", "epoch"])
def test_all_orders_of_four_are_equally_likely(varied):
    orders = (shuffle(4, i, 11) if varied == "seed" else shuffle(4, 11, i) for i in range(12_000))
    assert chi_square(permutation_counts(orders)) < CRITICAL_23


def test_chi_square_sees_the_common_mistake():
    """Swapping every element with any other: 4^4 paths do not spread evenly over 24 orders."""
    rng, orders = np.random.default_rng(0), []
    for _ in range(12_000):
        order = list(range(4))
        for i, j in enumerate(rng.integers(4, size=4)):
            order[i], order[j] = order[j], order[i]
        orders.append(order)
    assert chi_square(permutation_counts(orders)) > CRITICAL_23


def test_every_position_is_equally_likely_for_every_row():
    """24 rows, position of row 0 and row found at position 0, over 12,000 epochs."""
    orders = [shuffle(24, 5, epoch) for epoch in range(12_000)]
    for row in (0, 11, 23):
        counts = np.bincount([order.index(row) for order in orders], minlength=24)
        assert chi_square(counts.tolist()) < CRITICAL_23
        counts = np.bincount([order[row] for order in orders], minlength=24)
        assert chi_square(counts.tolist()) < CRITICAL_23
