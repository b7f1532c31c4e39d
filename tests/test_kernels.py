"""Laws of the numerical contract: how a result is computed never changes a bit of it."""

import numpy as np
import pytest

from bpcore import _core
from tests.bits import ISAS, needs_fused, on_every_isa, same_bits
from tests.core_network import FEW_PAIRS, HIDDEN, Net

# Awkward shapes: one feature, one output, fewer outputs than any vector has lanes, prime sizes,
# more than one tile, no hidden layer and three of them.
SHAPES = [[1, 1], [5, 1], [1, 7], [37, 19, 1], [9, 35, 7], [3, 13, 29, 6, 5], [70, 130, 3]]
ROWS = [1, 2, 13, 101]


def nets(dtype):
    """Every shape with every output and loss; hidden activations take turns."""
    for i, sizes in enumerate(SHAPES):
        for j, (output, loss) in enumerate(FEW_PAIRS):
            net = Net(sizes, HIDDEN[(i + j) % len(HIDDEN)], output, loss, dtype, seed=10 * i + j)
            net.parameters *= dtype.type(0.3)  # exp of exp stays moderate.
            yield net


def assert_all_alike(results, *context):
    first, *others = results
    for other in others:
        assert len(first) == len(other)
        for a, b in zip(first, other, strict=True):
            assert same_bits(a, b), context


def numbers(dtype, rows, columns, seed=0):
    rng = np.random.default_rng([seed, rows, columns])
    return (4 * rng.standard_normal((rows, columns))).astype(dtype)


# ---- The checkers can fail ---------------------------------------------------------------------


def test_same_bits_sees_one_ulp_a_sign_of_zero_and_a_type(dtype):
    x = np.array([1.0, 0.0, np.nan], dtype)
    assert same_bits(x, x.copy())
    assert not same_bits(x, np.array([np.nextafter(x[0], dtype.type(2)), 0, np.nan], dtype))
    assert not same_bits(x, np.array([1, -0.0, np.nan], dtype))
    assert not same_bits(np.float32(1), np.float64(1)) and not same_bits(x, x[:2])


def test_every_instruction_set_really_takes_its_turn():
    assert list(on_every_isa(_core.isa).items()) == [(name, name) for name in ISAS]
    with pytest.raises(AssertionError):
        assert_all_alike([np.float64(len(name))] for name in ("avx2", "generic"))


# ---- Every instruction set gives the same bits --------------------------------------------------


@needs_fused
def test_every_instruction_set_passes_rows_alike(dtype):
    for net in nets(dtype):
        for rows in ROWS:
            X, Y = net.data(rows)

            results = on_every_isa(lambda net=net, X=X, Y=Y: net.passes(X, Y))
            assert_all_alike(results.values(), net.sizes, net.loss, rows)


@needs_fused
@pytest.mark.parametrize("batch_rows", [1, 10, 47])
def test_every_instruction_set_trains_alike_for_twenty_steps(dtype, batch_rows):
    """Full batch (47 rows) or mini-batches of one row and of ten, the last one smaller."""
    epochs = -(-20 // -(-47 // batch_rows))
    for net in nets(dtype):
        X, Y = net.data(47)

        def compute(net=net, X=X, Y=Y):
            parameters, losses = net.train(X, Y, batch_rows, rate=0.001, epochs=epochs)
            return [parameters, np.array(losses)]

        results = on_every_isa(compute)
        assert_all_alike(results.values(), net.sizes, net.loss)
        constant = net.activations[-1] == "softmax" and net.sizes[-1] == 1
        assert constant == np.array_equal(results[ISAS[0]][0], net.parameters)


# ---- Blocks, batches and slices leave no trace ---------------------------------------------------


def test_the_block_size_changes_no_bit(isa, dtype):
    blocks = [0, 1, 3, 64]
    for net in nets(dtype):
        X, Y = net.data(67)
        assert_all_alike([net.passes(X, Y, block_rows=rows) for rows in blocks], net.sizes)
        trained = [net.train(X, Y, 30, epochs=2, block_rows=rows) for rows in blocks]
        assert_all_alike(trained, net.sizes)


def test_blocks_chosen_by_the_library_change_no_bit(isa, dtype):
    """So many rows that the default cuts them: the one block of all rows is the other way."""
    net = Net([3, 600, 2], "tanh", "softmax", "cross_entropy", dtype)
    X, Y = net.data(900)
    assert _core.workspace_size(net.core, 900, dtype.itemsize) < _core.workspace_size(
        net.core, 900, dtype.itemsize, 900
    )
    assert_all_alike([net.passes(X, Y, block_rows=900), net.passes(X, Y)])


def test_a_row_alone_is_predicted_like_a_row_among_others(isa, dtype):
    for net in nets(dtype):
        X, _ = net.data(41)
        X[:7], X[8:20] = 1e3, -1e3  # Neighbours of the seventh row: they do not change it.
        together = net.forward(X)
        for cut in (1, 2, 5, 16, 40):
            parts = [net.forward(X[i : i + cut]) for i in range(0, len(X), cut)]
            assert same_bits(np.concatenate(parts), together), (net.sizes, cut)


def test_repeating_a_computation_repeats_its_bits(isa, dtype):
    """Another workspace, another address, other bytes in it before."""
    net = Net([9, 35, 7], "relu", "sigmoid", "bce", dtype)
    X, Y = net.data(53)
    out, losses = [], []
    for shift, fill in [(0, 0), (1, 255), (33, 127)]:
        size = _core.workspace_size(net.core, 53, dtype.itemsize)
        work = np.full(size + shift, fill, np.uint8)[shift:]
        out.append(np.empty(net.core.parameter_count, dtype))
        losses.append(_core.gradient(net.core, net.parameters, X, Y, out[-1], work))
    assert same_bits(out[0], out[1]) and same_bits(out[0], out[2]) and len(set(losses)) == 1
