"""Laws of forward: how one asks, where the answer goes and who else asks change no answer."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import bpcore
from tests.bits import same_bits

FEATURES, OUTPUTS = 6, 3
ROWS = [1, 2, 3, 4, 5, 63, 64, 65, 300]


def network(dtype="float32", **how):
    settings = {"output": "softmax", "dtype": dtype, "seed": 1, **how}
    return bpcore.Network([FEATURES, 33, OUTPUTS], **settings)


def rows_of(n, dtype="float32", seed=0):
    return np.random.default_rng(seed).standard_normal((n, FEATURES)).astype(dtype)


# ---- out -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", ROWS)
def test_out_takes_the_result_and_is_returned(dtype, n):
    net, X = network(dtype), rows_of(n, dtype)
    expected = net.forward(X)
    for given in (X, X.tolist(), np.asfortranarray(X)):
        for threads in (None, 1, 3):
            out = np.full((n, OUTPUTS), np.nan, dtype)
            assert net.forward(given, out=out, n_threads=threads) is out
            assert same_bits(out, expected)


@pytest.mark.parametrize("shift", range(1, 6))
def test_out_may_begin_at_any_element_of_a_larger_array(dtype, shift):
    """Nothing beside it is written to."""
    net, X = network(dtype), rows_of(70, dtype)
    for n in (1, 5, 70):
        memory, end = np.full(n * OUTPUTS + 6, np.nan, dtype), shift + n * OUTPUTS
        out = memory[shift:end].reshape(n, OUTPUTS)
        assert same_bits(net.forward(X[:n], out=out), net.forward(X[:n]))
        assert np.isnan(memory[:shift]).all() and np.isnan(memory[end:]).all()


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("shift", [0, 1, -1, 50])
def test_out_that_shares_memory_with_X_is_right_or_refused(n_threads, shift):
    """So many rows that they pass in several blocks: a result must not be another row's input."""
    net = bpcore.Network([64, 64], output="tanh", dtype="float32", seed=1)
    memory = np.random.default_rng(0).standard_normal((20_100, 64)).astype("f4")
    X, out = memory[50:20_050], memory[50 + shift : 20_050 + shift]
    expected = net.forward(X.copy())
    try:
        net.forward(X, out=out, n_threads=n_threads)
    except ValueError as refused:
        assert "out" in str(refused)
    else:
        assert same_bits(out, expected)


def test_zero_rows_predict_nothing(dtype):
    net, X, out = network(dtype), np.empty((0, FEATURES), dtype), np.empty((0, OUTPUTS), dtype)
    assert net.forward(X, out=out) is out and net.forward(X).shape == (0, OUTPUTS)
    assert net.predict(X).shape == (0,)


def read_only(n):
    out = np.zeros((n, OUTPUTS), np.float32)
    out.setflags(write=False)
    return out


BAD_OUTPUTS = {
    "a row too few": (lambda n: np.zeros((n - 1, OUTPUTS), np.float32), ValueError, "shape"),
    "a row too many": (lambda n: np.zeros((n + 1, OUTPUTS), np.float32), ValueError, "shape"),
    "a column too many": (lambda n: np.zeros((n, OUTPUTS + 1), np.float32), ValueError, "shape"),
    "turned": (lambda n: np.zeros((OUTPUTS, n), np.float32), ValueError, "shape"),
    "flat": (lambda n: np.zeros(n * OUTPUTS, np.float32), ValueError, "shape"),
    "deep": (lambda n: np.zeros((n, OUTPUTS, 1), np.float32), ValueError, "shape"),
    "another precision": (lambda n: np.zeros((n, OUTPUTS)), ValueError, "dtype float64"),
    "whole numbers": (lambda n: np.zeros((n, OUTPUTS), np.int32), ValueError, "dtype int32"),
    "other bytes": (lambda n: np.zeros((n, OUTPUTS), ">f4"), ValueError, "dtype >f4"),
    "objects": (lambda n: np.zeros((n, OUTPUTS), object), ValueError, "dtype object"),
    "Fortran's order": (
        lambda n: np.zeros((n, OUTPUTS), np.float32, order="F"),
        ValueError,
        "C-contiguous",
    ),
    "every other column": (
        lambda n: np.zeros((n, 2 * OUTPUTS), np.float32)[:, ::2],
        ValueError,
        "C-contiguous",
    ),
    "backwards": (lambda n: np.zeros((n, OUTPUTS), np.float32)[::-1], ValueError, "C-contiguous"),
    "read-only": (read_only, ValueError, "writeable"),
    "a list": (lambda n: [[0.0] * OUTPUTS] * n, TypeError, "list, but an ndarray"),
    "bytes": (lambda n: bytearray(4 * n * OUTPUTS), TypeError, "bytearray, but an ndarray"),
    "a number": (lambda n: 0.0, TypeError, "float, but an ndarray"),
}


@pytest.mark.parametrize("name", BAD_OUTPUTS)
@pytest.mark.parametrize("n", [2, 5, 70])
def test_an_out_that_cannot_take_the_result_is_refused(name, n):
    make, error, says = BAD_OUTPUTS[name]
    for X in (rows_of(n), rows_of(n).tolist(), rows_of(n, "float64")):
        for threads in (None, 3):
            out = make(n)
            with pytest.raises(error, match=f"out .*{says}"):
                network().forward(X, out=out, n_threads=threads)
            assert not np.any(np.asarray(out if name != "bytes" else list(out), float))


# ---- X -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", ROWS)
def test_rows_are_predicted_alike_alone_and_together_and_whatever_holds_them(dtype, n):
    net, X = network(dtype), rows_of(n, dtype)
    together = net.forward(X)
    for i in {0, n // 2, n - 1}:
        assert same_bits(net.forward(X[i : i + 1])[0], together[i])
        assert same_bits(net.forward(X[i : i + 3]), together[i : i + 3])
    repeated = np.repeat(X, 2, axis=1)[:, ::2]
    unaligned = np.frombuffer(b"\0" + X.tobytes(), np.uint8)[1:].view(dtype).reshape(X.shape)
    kinds = [X.tolist(), np.asfortranarray(X), repeated, X.astype(object), X.astype(np.longdouble)]
    for given in [*kinds, X.astype(np.float64), X.astype(X.dtype.newbyteorder()), unaligned]:
        assert same_bits(net.forward(given), together)


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.bool_, np.float16])
def test_whole_numbers_and_short_ones_are_converted(dtype, kind):
    net, X = network(dtype), np.abs(3 * rows_of(70)).astype(kind)
    for n in (1, 70):
        assert same_bits(net.forward(X[:n]), net.forward(X[:n].astype(dtype)))
        assert same_bits(net.forward(X[:n].tolist()), net.forward(X[:n].astype(dtype)))


def test_inputs_are_read_and_not_changed(dtype):
    net = network(dtype)
    for n in (1, 70):
        X = rows_of(n, dtype)
        X.setflags(write=False)
        before = X.copy()
        net.forward(X)
        net.forward(X, n_threads=2)
        assert same_bits(X, before)


@pytest.mark.parametrize("bad, says", [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
@pytest.mark.parametrize("n", [1, 3, 4, 70, 300])
def test_a_number_that_is_not_finite_is_refused_by_its_place(dtype, n, bad, says):
    net, out = network(dtype), np.empty((n, OUTPUTS), dtype)
    for row, column in {(0, 0), (n // 2, 3), (n - 1, FEATURES - 1)}:
        for dense in (True, False):
            X = rows_of(n, dtype) if dense else np.zeros((n, FEATURES), dtype)
            X[row, column] = bad
            for given in (X, X.tolist(), np.asfortranarray(X)):
                for threads in (None, 3):
                    for how in ({}, {"out": out}):
                        with pytest.raises(ValueError, match=rf"X\[{row}, {column}\] is {says} as"):
                            net.forward(given, n_threads=threads, **how)


def test_another_number_of_features_is_refused_with_out_as_without(dtype):
    for how in ({}, {"out": np.empty((70, OUTPUTS), dtype)}):
        with pytest.raises(ValueError, match="X has 4 features"):
            network(dtype).forward(np.ones((70, 4)), **how)


@pytest.mark.parametrize("n", [1, 70])
def test_a_double_too_large_for_a_single_is_refused_by_its_place(n):
    X = rows_of(n, "float64")
    X[-1, 2] = 1e39
    with pytest.raises(ValueError, match=rf"X\[{n - 1}, 2\] is inf as float32"):
        network().forward(X)
    assert np.isfinite(network("float64").forward(X)).all()


@pytest.mark.parametrize("output", ["sigmoid", "softmax", "identity", "tanh", "relu"])
def test_predictions_are_made_of_what_forward_gives(dtype, output):
    for outputs in (1, 3) if output != "softmax" else (3,):
        net = bpcore.Network([FEATURES, 9, outputs], output=output, dtype=dtype, seed=1)
        for n in (1, 70):
            A, labels = net.forward(rows_of(n, dtype)), net.predict(rows_of(n, dtype))
            if output not in ("sigmoid", "softmax"):
                assert same_bits(labels, A[:, 0] if outputs == 1 else A)
            else:
                assert (labels == (A.argmax(axis=1) if outputs > 1 else A[:, 0] > 0.5)).all()


# ---- Several threads of the program --------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 5, 200])
def test_sixteen_threads_share_one_network(dtype, rows):
    """Each with an out of its own, again and again; some calls have helpers besides."""
    net = network(dtype)
    batches = [rows_of(rows + i, dtype, i) for i in range(16)]
    alone = [net.forward(X, n_threads=1) for X in batches]

    def work(i):
        out = np.empty_like(alone[i])
        return [
            same_bits(net.forward(batches[i], out=out, n_threads=1 + i % 3), alone[i])
            and same_bits(net.forward(batches[i]), alone[i])
            for _ in range(30)
        ]

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(work, range(16)))
    assert np.shape(results) == (16, 30) and np.all(results)
    assert not same_bits(net.forward(batches[0], out=np.empty_like(alone[0])) + 1, alone[0])
