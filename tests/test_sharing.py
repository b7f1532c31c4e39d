"""Laws of shared work: however many threads a call uses, every result has the same bits."""

import numpy as np
import pytest

from bpcore import _core
from tests.bits import ISAS, same_bits
from tests.core_network import FEW_PAIRS, HIDDEN, Net
from tests.execution_modes import THREADS, descend, entries_of, linear, pack, thinned
from tests.numpy_oracle import linear_descent

pytestmark = pytest.mark.usefixtures("calls_are_shared")


# Tiles have 1 to 14 rows and 2 to 32 columns: one less and one more than one and several of them;
# fewer rows or columns than threads; rows, columns or terms alone; sums of several blocks of terms.
PRODUCTS = [(1, 1, 1), (1, 65, 3), (65, 1, 3), (3, 2, 1), (5, 7, 9), (13, 31, 5), (14, 32, 5)]
PRODUCTS += [(15, 33, 5), (29, 63, 2), (43, 65, 8), (100, 3, 40), (100, 8, 40), (3, 100, 40)]
PRODUCTS += [(257, 5, 3), (5, 259, 3), (40, 300, 17), (300, 40, 17), (30, 35, 530), (20, 40, 1030)]

SIZES = [[1, 1], [9, 35, 7], [200, 190, 4], [31, 33, 17, 5]]


def numbers(dtype, *shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def assert_alike(one, many, *context):
    for a, b in zip(one, many, strict=True):
        assert same_bits(a, b), context


def networks(dtype):
    for i, sizes in enumerate(SIZES):
        yield Net(sizes, HIDDEN[i % len(HIDDEN)], *FEW_PAIRS[-1 - i], dtype, seed=i)


def inputs(net, rows):
    """Dense and sparse data: (X, Y, the same X for the threads)."""
    X, Y = net.data(rows)
    thin = thinned(X, 0.2)
    return [(X, Y, X), (thin, Y, thin), (thin, Y, entries_of(thin))]


# ---- Products and layers -------------------------------------------------------------------------


@pytest.mark.parametrize("threads", THREADS)
def test_threads_change_no_bit_of_a_product(isa, dtype, threads):
    for m, n, k in PRODUCTS:
        A, B, start = numbers(dtype, m, k), numbers(dtype, k, n), numbers(dtype, m, n, seed=1)
        for left in (A, np.ascontiguousarray(A.T).T):  # The second one as in X' delta.
            for right in (B, np.ascontiguousarray(B.T).T):
                alone, together = start.copy(), start.copy()
                _core.matmul(left, right, alone)
                _core.matmul(left, right, together, threads)
                assert same_bits(alone, together), (m, n, k)


def layer(dtype, n, inputs, outputs, threads):
    X, W, b = numbers(dtype, n, inputs), numbers(dtype, inputs, outputs), numbers(dtype, outputs)
    delta, Z = numbers(dtype, n, outputs, seed=1), np.empty((n, outputs), dtype)
    results = [Z, *(np.full_like(array, np.nan) for array in (Z, W, b, X))]
    _core.dense_forward("tanh", X, W, b, *results[:2], threads)
    _core.dense_backward(X, W, delta, *results[2:], threads)
    return results


@pytest.mark.parametrize("threads", THREADS)
def test_threads_change_no_bit_of_a_layer(isa, dtype, threads):
    for shape in [(1, 1, 1), (1, 9, 70), (13, 5, 1), (33, 31, 4), (100, 3, 33), (15, 65, 29)]:
        assert_alike(layer(dtype, *shape, 1), layer(dtype, *shape, threads), shape)


# ---- Networks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", THREADS)
def test_threads_and_zeros_change_no_bit_of_a_pass(isa, dtype, threads):
    for net in networks(dtype):
        for rows in (1, 13, 70):
            for X, Y, again in inputs(net, rows):
                how = {"threads": threads, "block_rows": 0 if rows % 2 else 5}
                one, many = net.passes(X, Y), net.passes(again, Y, **how)
                for a, b in zip(one, many, strict=True):  # A zero may have another sign.
                    assert np.array_equal(a, b), (net.sizes, rows)


# ---- The checkers can fail -----------------------------------------------------------------------


def test_another_element_and_another_cut_would_be_seen(dtype):
    net = linear(9, 5, dtype)
    X, Y = net.data(40)
    expected = linear_descent(net, X, Y, 20)
    other = X.copy()
    other[39, 8] += dtype.type(0.001)
    assert same_bits(descend(net, X, Y, 20)[0], expected[0]) or len(ISAS) == 1
    assert not same_bits(linear_descent(net, other, Y, 20)[0], expected[0])
    assert not np.array_equal(linear_descent(net, X, Y, 21)[0], expected[0])
    with pytest.raises(AssertionError):
        assert_alike([X, Y], [other, Y])


# ---- Data ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [2, 3, 7, 64])
def test_rows_that_threads_compress_are_the_elements_that_are_not_zero(dtype, threads):
    for rows, columns in [(1, 1), (2, 300), (61, 70), (300, 3)]:
        X = thinned(numbers(dtype, rows, columns), 0.3)
        row, column = np.nonzero(X)
        for _ in range(5):
            row_offsets = np.full(rows + 1, 99, np.uintp)
            values, indices = np.full(len(row) + 1, np.nan, dtype), np.full(len(row) + 1, 99, "u4")
            _core.count_nonzero(X, row_offsets, threads)
            _core.compress(X, row_offsets, values, indices, threads)
            assert np.array_equal(row_offsets, np.searchsorted(row, np.arange(rows + 1)))
            assert np.array_equal(values[:-1], X[row, column]) and np.isnan(values[-1])
            assert np.array_equal(indices[:-1], column) and indices[-1] == 99


@pytest.mark.parametrize("threads", [2, 3, 64])
@pytest.mark.parametrize("block_rows", [0, 7, 512])
def test_threads_change_no_byte_of_packed_data(dtype, threads, block_rows):
    net = Net([300, 150, 5], HIDDEN[0], *FEW_PAIRS[-1], dtype, seed=1)
    for rows in (1, 511, 1100):
        X = entries_of(thinned(net.data(rows)[0], 0.2))
        alone, together = pack(net, X, block_rows), pack(net, X, block_rows, threads)
        assert np.array_equal(laid_out(alone), laid_out(together))


def laid_out(memory):
    """From where C begins to lay out arrays, at a cache line, to before where others would end."""
    return memory[-memory.ctypes.data % 64 :][: len(memory) - 64]
