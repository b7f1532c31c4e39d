"""Laws of dropout: whose numbers the masks are, what they do, and what they leave alone.

A network reads its own mask. Its hidden layers are the identity, its last weights are 0, and row i
of the targets is -1 in column i: the first gradient of these weights is the hidden activations.
"""

import numpy as np
import pytest

from bpcore import _core
from tests import numpy_oracle
from tests.bits import same_bits
from tests.core_network import HIDDEN, Net
from tests.execution_modes import entries_of, learn, thread_work

ROWS, WIDTH = 64, 37  # A power of 2, so that means are exact; a width that fills no vector.


def mirror(dtype, dropout):
    hidden = [WIDTH] * (len(dropout) + 1)
    net = Net([*hidden, ROWS], "identity", "identity", "mse", dtype, dropout=dropout)
    net.parameters[:] = 0
    for W, _ in net.layers(net.parameters)[:-1]:
        np.fill_diagonal(W, 1)
    return net


def masks(
    dtype, dropout, batch_rows=ROWS, epochs=1, order=None, sparse=False, settings=None, **how
):
    """[epochs, ROWS, WIDTH]: what the last hidden layer's outputs are multiplied by."""
    net, settings = mirror(dtype, dropout), settings or {}
    X, Y = np.ones((ROWS, WIDTH), dtype), -np.eye(ROWS, dtype=dtype)
    training = _core.Training(batch_rows, -batch_rows, epochs, **settings)
    row_nonzeros = {"row_nonzeros": WIDTH} if sparse else {}
    given = (None, {"sparse": entries_of(X)}) if sparse else (X, {})
    work, found = net.workspace(batch_rows, **how, **row_nonzeros), []
    # Row `order[i]` of the targets is read at position i of the epoch.
    targets = Y if order is None else Y[np.argsort(order)]
    for _ in range(epochs * ROWS // batch_rows):  # A batch a call, from the same parameters.
        parameters = net.parameters.copy()
        data = given[0], targets, order, batch_rows, work
        training.run(net.core, parameters, *data, **how, **given[1])
        found.append(net.layers(parameters)[-1][0].T)
    shape = epochs, ROWS // batch_rows, batch_rows, ROWS, WIDTH
    by_batch = np.reshape(np.repeat(found, batch_rows, axis=0), shape)
    places = np.arange(ROWS).reshape(shape[1:3])
    batch, row = np.indices(places.shape)
    return by_batch[:, batch, row, places].reshape(epochs, ROWS, WIDTH)


def by_oracle(dtype, share, seed=0, epoch=0, layer=0):
    return numpy_oracle.dropout_mask(share, seed, epoch, layer, 0, ROWS, WIDTH).astype(dtype)


# ---- Whose numbers they are ----------------------------------------------------------------------


def test_the_oracles_generators_give_the_published_numbers():
    """Random123's test vectors for Philox4x32-10; the first outputs of SplitMix64 from 0."""
    assert numpy_oracle.philox(0, 0, 0) == 0xE169C58D6627E8D5
    assert numpy_oracle.philox(2**64 - 1, 2**64 - 1, 2**64 - 1) == 0x41C83B0E408F276D
    pi = 0x299F31D0A4093822, 0x0370734413198A2E, 0x85A308D3243F6A88
    assert numpy_oracle.philox(*pi) == 0x94FDCCEBD16CFE09
    first = [numpy_oracle.split_mix(0, i) for i in range(3)]
    assert first == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9, 1e-9, 1 - 1e-12])
def test_the_mask_is_the_oracles_element_by_element(isa, dtype, share):
    for seed, epoch in [(0, 0), (7, 3), (2**64 - 1, 2**40)]:
        settings = dict(seed=seed, first_epoch=epoch)
        [found] = masks(dtype, [share], settings=settings)
        assert same_bits(found, by_oracle(dtype, share, seed, epoch))
        if 1e-6 < share < 1 - 1e-6:  # Else another seed gives the same.
            assert not same_bits(found, by_oracle(dtype, share, seed ^ 1, epoch))


def test_each_layer_has_its_own_mask(isa, dtype):
    [found] = masks(dtype, [0, 0.5, 0])
    assert same_bits(found, by_oracle(dtype, 0.5, layer=1))
    [found] = masks(dtype, [0.5, 0.75, 0.5])
    factors = [by_oracle(dtype, share, layer=i) for i, share in enumerate([0.5, 0.75, 0.5])]
    assert same_bits(found, factors[0] * factors[1] * factors[2])
    assert not same_bits(factors[0], factors[2])


def test_each_epoch_and_each_seed_has_its_own_mask(isa, dtype):
    found = masks(dtype, [0.5], epochs=3, settings=dict(first_epoch=4))
    for epoch in range(3):
        assert same_bits(found[epoch], by_oracle(dtype, 0.5, epoch=4 + epoch))
    distinct = {mask.tobytes() for mask in found}
    distinct |= {masks(dtype, [0.5], settings=dict(seed=s)).tobytes() for s in (1, 2, 2**63)}
    assert len(distinct) == 6


@pytest.mark.parametrize("batch_rows", [1, 8, ROWS])
def test_batches_blocks_threads_orders_and_sparse_rows_have_the_same_mask(isa, dtype, batch_rows):
    """A mask belongs to a position in the epoch, whichever row comes there."""
    expected = by_oracle(dtype, 0.5, seed=9)
    order = np.random.default_rng(1).permutation(ROWS).astype(np.uintp)
    ways = [{}, {"block_rows": 5}, {"threads": 3}, {"threads": 2, "block_rows": 30}]
    with thread_work(1):
        for how in [*ways, {"order": order}, {"sparse": True}]:
            [found] = masks(dtype, [0.5], batch_rows, settings=dict(seed=9), **how)
            assert same_bits(found, expected), how


# ---- Its law -------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.8, 0.97])
def test_the_share_of_zeros_is_that_of_a_binomial(share):
    """Within 4 sigma, of 6 epochs together; neighbours along rows and columns are independent."""
    found = masks(np.float64, [share], epochs=6, settings=dict(seed=11)) == 0
    n = found.size
    assert abs(found.sum() - n * share) <= 4 * np.sqrt(n * share * (1 - share))
    square = share**2
    for axis in range(3):
        one, next_one = np.moveaxis(found, axis, 0)[:-1], np.moveaxis(found, axis, 0)[1:]
        both, pairs = (one & next_one).sum(), one.size
        # A zero shares in two pairs: at most 2 pairs (q + q^1.5 - 2 q^2) for the variance.
        sigma = np.sqrt(pairs * (square + 2 * share**3 - 3 * square**2))
        assert abs(both - pairs * square) <= 4 * sigma
    assert abs(found.sum() - n * share * 1.3) > 4 * np.sqrt(n * share * (1 - share))


# ---- What it does --------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", HIDDEN)
def test_fifty_steps_with_dropout_follow_the_oracle(isa, hidden):
    """Forward and backward, for every hidden activation. Measured: at most 2e-16."""
    net = Net([6, 9, 5, 3], hidden, "identity", "mse", np.float64, dropout=[0.3, 0.5])
    net.parameters *= 0.3  # exp of exp stays moderate.
    X, Y = net.data(23)
    rule, how = dict(optimizer="momentum", momentum=0.5), dict(rate=0.01, epochs=10)
    settings = dict(seed=3, first_epoch=2)
    core = learn(net, X, Y, 5, rule, settings=settings, **how)
    parameters, _, losses, _ = numpy_oracle.train(net, X, Y, 5, rule, **settings, **how)
    error = max(
        np.abs(core.parameters - parameters).max(), np.abs(np.subtract(core.losses, losses)).max()
    )
    print(f"{hidden}: {error:.1e}")
    assert error < 1e-14
    other = numpy_oracle.train(net, X, Y, 5, rule, **settings | dict(seed=4), **how)[0]
    assert np.abs(core.parameters - other).max() > 1e-4


@pytest.mark.parametrize("hidden", ["sigmoid", "relu", "elu", "gelu"])
def test_a_share_of_zero_changes_no_bit(isa, dtype, hidden):
    plain, zero, mixed = (
        Net([6, 9, 5, 3], hidden, "softmax", "cross_entropy", dtype, dropout=dropout)
        for dropout in (None, [0, 0], [0, 0.5])
    )
    X, Y = plain.data(40)
    for batch_rows in (7, 40):
        expected = learn(plain, X, Y, batch_rows, epochs=2)
        found = learn(zero, X, Y, batch_rows, epochs=2)
        assert same_bits(expected.parameters, found.parameters)
        assert expected.losses == found.losses
        assert expected.losses != learn(mixed, X, Y, batch_rows, epochs=2).losses


@pytest.mark.parametrize("hidden", HIDDEN)
def test_nothing_but_training_drops_anything(isa, dtype, hidden):
    plain, dropping = (
        Net([6, 9, 5, 3], hidden, "sigmoid", "bce", dtype, dropout=dropout)
        for dropout in (None, [0.5, 0.5])
    )
    X, Y = plain.data(40)
    for how in ({}, {"block_rows": 7}):
        for a, b in zip(plain.passes(X, Y, **how), dropping.passes(X, Y, **how), strict=True):
            assert np.array_equal(a, b)  # A zero may have another sign.


def test_dropped_units_learn_nothing(isa, dtype):
    """With one row, the weights into and out of a dropped unit stay as they are."""
    net = Net([4, 30, 2], "tanh", "identity", "mse", dtype, dropout=[0.5])
    X, Y = net.data(1)
    after = learn(net, X, Y, 1, settings=dict(seed=2)).parameters
    dropped = numpy_oracle.dropout_mask(0.5, 2, 0, 0, 0, 1, 30)[0] == 0
    (W, b), (V, _) = net.layers(net.parameters)
    (W_after, b_after), (V_after, _) = net.layers(after)
    assert ((W == W_after).all(axis=0) == dropped).all() and ((b == b_after) == dropped).all()
    assert ((V == V_after).all(axis=1) == dropped).all() and 5 < dropped.sum() < 25


# ---- What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [[-0.1, 0], [0, 1], [np.nan, 0], [0, np.inf], [0.5], [0.1] * 3])
def test_shares_without_meaning_are_refused(bad):
    with pytest.raises(ValueError):
        _core.Architecture([3, 4, 5, 2], ["tanh", "tanh", "identity"], "mse", 0, bad)
