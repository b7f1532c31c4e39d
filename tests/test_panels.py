"""Laws of full batches of dense rows with few outputs, which are packed in panels."""

import functools

import numpy as np
import pytest

from bpcore import _core
from tests.bits import ISAS, needs_fused, same_bits
from tests.core_network import FEW_PAIRS, Net
from tests.execution_modes import THREADS, descend, linear, pack, thread_work
from tests.numpy_oracle import linear_descent

# Panels are as wide as a vector of 4, 8 or 16 rows and a tile of 8, 16 or 32 columns: one less, as
# many, one more; 256 rows of float64 and 512 of float32 are the most.
ROWS = [1, 3, 4, 7, 8, 9, 15, 16, 17, 33, 100]
FEATURES = [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 70]
OUTPUTS = [1, 2, 3, 4, 7, 8, 9, 15, 16]


@functools.cache
def written(inputs, outputs, dtype, rows):
    """A layer, data, and the oracle's two steps, which no instruction set has a part in."""
    net = linear(inputs, outputs, dtype)
    X, Y = net.data(rows)
    return net, X, Y, linear_descent(net, X, Y, rows, epochs=2)


def assert_steps(net, X, Y, expected, *context, **how):
    found = descend(net, X, Y, len(X), epochs=2, packed=1, **how)
    assert same_bits(found[0], expected[0]) and found[1] == expected[1], context


@needs_fused
@pytest.mark.parametrize("outputs", OUTPUTS)
def test_steps_from_panels_are_the_written_steps(isa, dtype, outputs):
    for i, rows in enumerate(ROWS):
        for inputs in (FEATURES[i], FEATURES[-1 - i]):
            assert_steps(*written(inputs, outputs, dtype, rows), rows, inputs)


@needs_fused
@pytest.mark.parametrize("rows", [255, 256, 257, 511, 512, 513])
def test_the_most_rows_of_panels_and_one_more_follow_the_written_steps(isa, dtype, rows):
    for inputs, outputs in [(9, 1), (33, 3)]:
        case = written(inputs, outputs, dtype, rows)
        assert_steps(*case, inputs, outputs)
        with thread_work(1):
            assert_steps(*case, inputs, outputs, threads=3)


@pytest.mark.parametrize("threads", [1, *THREADS])
def test_arranged_and_not_is_one(isa, dtype, threads):
    """With every output and loss, with layers behind, on one thread and on many."""
    sizes = [[20, 1], [33, 2], [70, 4, 3], [9, 3, 17, 2]]
    with thread_work(1):
        for i, (output, loss) in enumerate(FEW_PAIRS):
            net = Net(sizes[i % 4], "sigmoid", output, loss, dtype, seed=i)
            X, Y = net.data(60 + i)
            expected = net.train(X, Y, len(X), epochs=2)
            assert_steps(net, X, Y, expected, i, threads=threads)


def test_thin_layers_are_arranged_and_others_are_not():
    """What the tests above think that they test; a panel has a lane for each row."""
    sizes = {}
    before = _core.isa()
    for name in ISAS:
        _core.use_isa(name)
        net = linear(10, 2, np.float32)
        sizes[name] = _core.packed_size(net.core, 100, 4)
        assert _core.packed_size(linear(10, 16, np.float32).core, 100, 4) == 0
        assert _core.packed_size(net.core, 3, 4) == 0
        assert _core.packed_size(net.core, 513, 4) == 0
        assert _core.packed_size(net.core, 257, 8) == 0
        assert _core.packed_size(net.core, 100, 4, 0, 99) == 0  # More than one block.
        assert (pack(net, net.data(100)[0]) is None) == (sizes[name] == 0)
    _core.use_isa(before)
    # 100 rows in panels of up to 16 and 10 columns in one of up to 32, in two copies of X.
    for name, size in sizes.items():
        assert size == 0 if name == "generic" else 2 * 100 * 10 * 4 <= size < 8 * 100 * 10 * 4


def test_packed_data_that_is_not_needed_changes_nothing(isa, dtype):
    """Smaller batches and an order gather their rows from X."""
    net = linear(10, 2, dtype)
    X, Y = net.data(50)
    out, order = pack(net, X), np.arange(50, dtype=np.uintp)[::-1].copy()
    for batch_rows, rows in [(20, None), (50, order)]:
        expected = net.train(X, Y, batch_rows, order=rows)
        parameters, training = net.parameters.copy(), _core.Training(batch_rows, 0.02)
        work = net.workspace(batch_rows)
        training.run(net.core, parameters, X, Y, rows, 50, work, packed=out)
        assert same_bits(parameters, expected[0]) and [training.loss] == expected[1]


@pytest.mark.parametrize("outputs", [2, 20])
def test_packed_data_of_nothing_is_none(isa, dtype, outputs):
    """bp_pack had nothing to do; who gives its empty result to the training is served."""
    net = linear(3, outputs, dtype)
    X, Y = net.data(600)
    assert _core.packed_size(net.core, 600, dtype.itemsize) == 0
    out = np.full(9, 255, np.uint8)
    _core.pack(net.core, net.parameters, X, out)
    assert (out == 255).all()
    parameters, training = net.parameters.copy(), _core.Training(600, 0.02)
    training.run(net.core, parameters, X, Y, None, 600, net.workspace(600), packed=out)
    assert same_bits(parameters, net.train(X, Y, 600)[0])


def test_another_row_in_a_panel_is_seen(dtype):
    net = linear(9, 2, dtype)
    X, Y = net.data(40)
    expected = linear_descent(net, X, Y, 40, epochs=2)
    X = X.copy()
    X[39, 8] += 1
    with pytest.raises(AssertionError):
        assert_steps(net, X, Y, expected)
