"""Laws of numbers, for arrays of every shape and layout that hypothesis thinks of.

Where numbers are whole and small, every sum is exact, and the oracle is NumPy's int64. Elsewhere it
is long double with the textbook's bound, or the same function of a plain copy, to the bit.
"""

import numpy as np
import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not installed: pip install hypothesis")

from hypothesis import given
from hypothesis import strategies as st

import bpcore
from bpcore import _core
from tests.arrays import DTYPES, LAYOUTS, SIZES, laid, normal, whole
from tests.bits import FUSED, same_bits
from tests.numpy_oracle import chain
from tests.test_matmul import within_bound

SEEDS = st.integers(0, 2**32 - 1)
LAYS = st.sampled_from(LAYOUTS)


# ---- Products ------------------------------------------------------------------------------------


@given(m=SIZES, n=SIZES, k=SIZES, dtype=DTYPES, lays=st.tuples(LAYS, LAYS), seed=SEEDS)
def test_a_product_of_any_arrays_is_within_its_bound(m, n, k, dtype, lays, seed):
    """And is the one chain of fused multiply-adds; A and B stay as they are.

    At odd addresses, where C could not read an element, it is refused.
    """
    A = laid(normal(seed, (m, k), dtype, 20), lays[0])
    B = laid(normal(seed + 1, (k, n), dtype, 20), lays[1])
    C = normal(seed + 2, (m, n), dtype, 20)
    given_A, given_B, result = A.copy(), B.copy(), C.copy()
    if not (A.flags.aligned and B.flags.aligned):
        with pytest.raises(ValueError, match="not aligned to its elements"):
            _core.matmul(A, B, result)
        assert same_bits(result, C)
        return
    _core.matmul(A, B, result)
    assert within_bound(result, A, B, C)
    assert same_bits(A, given_A) and same_bits(B, given_B)
    if FUSED and k <= 20:
        assert same_bits(result, chain(C, given_A, given_B))


@given(m=SIZES, k=SIZES, dtype=DTYPES, lay=LAYS.filter(lambda lay: "odd" not in lay), seed=SEEDS)
def test_a_product_of_an_array_with_itself_is_that_of_two(m, k, dtype, lay, seed):
    """A and B may lie in the same memory, turned or upside down."""
    A = laid(normal(seed, (m, k), dtype, 20), lay)
    for B in (A.T, A.T[:, ::-1]):
        result, expected = np.zeros((2, m, m), dtype)
        _core.matmul(A, B, result)
        _core.matmul(A, B.copy(), expected)
        assert same_bits(result, expected)
        assert within_bound(result, A, B, np.zeros_like(result))


@given(dtype=DTYPES, field=st.sampled_from(["u1", "u2", "u4", "f8"]), packed=st.booleans())
def test_strides_that_are_no_multiple_of_an_element_are_right_or_refused(dtype, field, packed):
    """Columns of a table, whose rows have any number of bytes."""
    kind = np.dtype([("a", field), ("b", dtype)], align=not packed)
    table = np.zeros((5, 3), kind)
    table["b"] = np.arange(15).reshape(5, 3)
    A, B, C = table["b"], np.ones((3, 2), dtype), np.zeros((5, 2), dtype)
    try:
        _core.matmul(A, B, C)
    except ValueError as error:
        assert "multiple of the element size" in str(error)
        assert any(stride % np.dtype(dtype).itemsize for stride in A.strides)
    else:
        np.testing.assert_array_equal(C, A @ B)
    net = bpcore.Network([3, 1], output="identity", dtype=dtype, seed=0)
    assert same_bits(net.forward(A), net.forward(np.array(A)))


# ---- Whole numbers: exact ------------------------------------------------------------------------


@st.composite
def exact_problems(draw):
    """(net, X, Y, W, b): a network without hidden layers whose numbers are whole."""
    rows, seed = 2 ** draw(st.integers(0, 6)), draw(SEEDS)  # A mean over 2^i rows is exact.
    inputs, outputs = draw(SIZES.filter(bool)), draw(SIZES.filter(bool))
    dtype = draw(DTYPES)
    net = bpcore.Network([inputs, outputs], output="identity", dtype=dtype, seed=0)
    net.weights[0][...] = whole(seed, (outputs, inputs), dtype)
    net.biases[0][...] = whole(seed + 1, outputs, dtype)
    X = laid(whole(seed + 2, (rows, inputs), dtype), draw(LAYS))
    Y = laid(whole(seed + 3, (rows, outputs), dtype), draw(LAYS))
    W, b = net.weights[0].astype(np.int64), net.biases[0].astype(np.int64)
    return net, X, Y, W, b


@given(problem=exact_problems(), rate=st.sampled_from([0.5, 1.0, 2.0]), threads=st.integers(1, 3))
def test_whole_numbers_are_computed_exactly(problem, rate, threads):
    """Outputs, loss, gradient and one step: 70 terms of at most 4 x 1,124 fit into 24 bits."""
    net, X, Y, W, b = problem
    x, y, n = X.astype(np.int64), Y.astype(np.int64), len(X)
    delta = x @ W.T + b - y
    np.testing.assert_array_equal(net.forward(X, n_threads=threads), delta + y)
    assert net.loss(X, Y) == (delta**2).sum() / 2 / n
    (dW,), (db,) = net.gradients(X, Y, n_threads=threads)
    np.testing.assert_array_equal(dW, delta.T @ x / n)
    np.testing.assert_array_equal(db, delta.sum(axis=0) / n)
    net.fit(X, Y, epochs=1, learning_rate=rate, n_threads=threads)
    np.testing.assert_array_equal(net.biases[0], b - rate * (delta.sum(axis=0) / n))
    np.testing.assert_array_equal(net.weights[0], W - rate * (delta.T @ x / n))


def test_the_exact_oracle_refuses_a_gradient_that_is_off_by_one_bit():
    net, X, Y, W, b = _plain_problem()
    (dW,), _ = net.gradients(X, Y)
    exact = (X @ W.T + b - Y).T @ X / len(X)
    np.testing.assert_array_equal(dW, exact)
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(np.nextafter(dW, np.float32(np.inf)), exact)


def _plain_problem():
    net = bpcore.Network([3, 2], output="identity", seed=0)
    net.weights[0][...], net.biases[0][...] = whole(1, (2, 3), "f4"), whole(2, 2, "f4")
    W, b = (part[0].astype(np.int64) for part in (net.weights, net.biases))
    return net, whole(3, (4, 3), "f4"), whole(4, (4, 2), "f4"), W, b


# ---- Layouts, dtypes, aliases: the bits of a plain copy ------------------------------------------


def network(dtype, inputs, seed=3):
    return bpcore.Network([inputs, 7, 2], hidden="tanh", output="sigmoid", dtype=dtype, seed=seed)


GIVEN_TYPES = ["float32", "float64", "float16", ">f8", "int8", "uint16", "int64", "bool", "object"]


@given(
    rows=SIZES.filter(bool), inputs=SIZES.filter(bool), dtype=DTYPES, lays=st.tuples(LAYS, LAYS),
    kind=st.sampled_from(GIVEN_TYPES), seed=SEEDS,
)  # fmt: skip
def test_every_function_gives_the_bits_of_a_plain_copy(rows, inputs, dtype, lays, kind, seed):
    """Whatever the layout and the type of X, y and sample_weight; they stay as they are."""
    X = laid(normal(seed, (rows, inputs), "float64").astype(kind), lays[0])
    Y = laid(np.random.default_rng(seed).random((rows, 2)).round(1), lays[1])
    weights = laid(np.arange(1.0, rows + 1)[:, None], lays[1])[:, 0]
    plain = [np.array(part, dtype, order="C") for part in (X, Y, weights)]
    results = []
    for x, y, w in ((X, Y, weights), plain):
        net = network(dtype, inputs)
        before = [np.array(part) for part in (x, y, w)]
        net.fit(x, y, epochs=2, learning_rate=0.1, batch_size=5, sample_weight=w)
        dW, db = net.gradients(x, y, sample_weight=w)
        figures = net.evaluate(x, y, sample_weight=w)
        results.append([net.forward(x), net.parameters, *dW, *db, *figures.values()])
        for part, kept in zip((x, y, w), before, strict=True):
            assert part.tobytes() == kept.tobytes()
    for one, other in zip(*results, strict=True):
        assert same_bits(one, other)


@given(
    rows=st.integers(2, 200), cuts=st.lists(st.integers(0, 200), max_size=4), dtype=DTYPES,
    lay=LAYS, threads=st.integers(1, 3), seed=SEEDS,
)  # fmt: skip
def test_any_split_of_the_rows_gives_the_bits_of_the_whole(rows, cuts, dtype, lay, threads, seed):
    net, X = network(dtype, 9), laid(normal(seed, (rows, 9), dtype), lay)
    parts = np.split(X, sorted(min(cut, rows) for cut in cuts))
    split = np.concatenate([net.forward(part) for part in parts])
    assert same_bits(split, net.forward(X, n_threads=threads))


@given(shift=st.integers(0, 8), bytes_off=st.sampled_from([0, 1, 4]), dtype=DTYPES)
def test_out_may_lie_anywhere_but_on_what_is_read_or_between_elements(shift, bytes_off, dtype):
    net, X = network(dtype, 4), normal(5, (6, 4), dtype)
    expected, size = net.forward(X), np.dtype(dtype).itemsize
    memory = np.full(12 * size + 8 * 9, 0xAB, np.uint8)
    start = shift * 8 + bytes_off
    out = memory[start : start + 12 * size].view(dtype).reshape(6, 2)
    if not out.flags.aligned:
        with pytest.raises(ValueError, match="out must be C-contiguous, aligned and writeable"):
            net.forward(X, out=out)
        assert (memory == 0xAB).all()
        return
    assert net.forward(X, out=out) is out and same_bits(out, expected)
    assert (memory[:start] == 0xAB).all() and (memory[start + 12 * size :] == 0xAB).all()
    for name, taken in (("X", X), ("parameters", net.parameters)):
        before = taken.copy()
        with pytest.raises(ValueError, match=f"out shares memory with .*{name}"):
            net.forward(X, out=taken.reshape(-1)[shift : shift + 12].reshape(6, 2))
        assert same_bits(taken, before)


@given(dtype=DTYPES, name=st.sampled_from(["sgd", "adam", "lbfgs"]))
def test_data_that_lies_in_the_parameters_gives_the_bits_of_a_copy(dtype, name):
    """``fit`` changes the parameters while it reads the data."""
    rate = None if name == "lbfgs" else 0.5
    results = []
    for copy in (np.array, np.asarray):
        net = bpcore.Network([4, 4, 1], output="identity", dtype=dtype, seed=3)
        net.biases[0][...] = [1, 2, 3, 4]
        X, y, weights = map(copy, (net.weights[0].T, net.parameters[-4:], net.biases[0]))
        net.fit(X, y, epochs=3, learning_rate=rate, optimizer=name, sample_weight=weights)
        results.append(net.parameters)
    assert same_bits(*results)
