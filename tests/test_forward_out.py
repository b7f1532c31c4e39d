"""Laws of forward(out=) about memory: where out lies, what it shares, who else is computing."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import bpcore
from tests.conftest import same_bits


def network(dtype, sizes=(5, 8, 3)):
    return bpcore.Network(sizes, hidden="tanh", output="softmax", dtype=dtype, seed=2)


def data(rows, features=5, dtype="float64"):
    return np.random.default_rng(rows).standard_normal((rows, features)).astype(dtype)


def test_out_may_begin_at_any_address(dtype):
    net, X = network(dtype), data(70)
    memory = np.zeros(70 * 3 + 5, dtype)
    for shift in range(5):
        out = memory[shift : shift + 210].reshape(70, 3)
        assert same_bits(net.forward(X, out=out), net.forward(X))


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("shift", [0, 1, -1, 50])
def test_out_that_shares_memory_with_X_is_right_or_refused(n_threads, shift):
    """So many rows that they pass in several blocks: a result must not be another row's input."""
    net = bpcore.Network([64, 64], output="tanh", dtype="float32", seed=1)
    memory = data(20_100, 64, "float32")
    X, out = memory[50:20_050], memory[50 + shift : 20_050 + shift]
    expected = net.forward(X.copy())
    try:
        net.forward(X, out=out, n_threads=n_threads)
    except ValueError as refused:
        assert "out" in str(refused)
    else:
        assert same_bits(out, expected)


@pytest.mark.parametrize("rows", [10, 100])
def test_an_error_of_X_is_told_with_out_as_without(dtype, rows):
    net, X = network(dtype), data(rows, dtype=dtype)
    X[7, 2] = np.nan
    with pytest.raises(ValueError, match=rf"X\[7, 2\] is nan as {dtype}"):
        net.forward(X, out=np.empty((rows, 3), dtype))
    with pytest.raises(ValueError, match="X has 4 features"):
        net.forward(data(rows, 4, dtype), out=np.empty((rows, 3), dtype))


# ---- Several threads of the program --------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 5, 200])
def test_sixteen_threads_share_one_network(dtype, rows):
    """Each with an out of its own, again and again; some calls have helpers besides."""
    net = network(dtype, (40, 60, 3))
    batches = [data(rows + i, 40, dtype) for i in range(16)]
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
