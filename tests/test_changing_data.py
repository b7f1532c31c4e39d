"""Laws of data that its owner changes while it is used: the process lives, and so does the network.

What C uses as an address, such as a column or a row number, is copied, and the copy is checked.
"""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

import bpcore
from bpcore import _core
from bpcore._inputs import csr
from tests.bits import same_bits
from tests.execution_modes import thinned

RNG = np.random.default_rng(0)
DENSE = thinned(RNG.standard_normal((200, 12)).astype("f4"), 0.5)
Y = RNG.integers(3, size=200)
HOW = dict(epochs=3, batch_size=32, learning_rate=0.1)


def network():
    return bpcore.Network([12, 5, 3], hidden="tanh", output="softmax", seed=1)


def trained(X, **how):
    net = network()
    net.fit(X, Y, **HOW, **how)
    return net.parameters


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64])
def test_columns_of_a_sparse_matrix_are_those_of_the_call(sparse, dtype):
    X = sparse.csr_matrix(DENSE)
    X.indices, X.indptr = X.indices.astype(dtype), X.indptr.astype(dtype)
    expected = trained(X.copy())
    far = np.iinfo(dtype).max

    def change(net, history):
        X.indices[:], X.indptr[:] = far, far

    assert same_bits(trained(X, callbacks=change), expected)


def test_targets_that_change_the_columns_change_nothing(sparse):
    X, net = sparse.csr_matrix(DENSE), network()
    expected = net.loss(X, Y)

    class Targets:
        def __array__(self, dtype=None, copy=None):
            X.indices[:] = 2**31 - 1
            return np.array(Y)

    assert net.loss(X, Targets()) == expected


@pytest.mark.parametrize("epochs", [1, 3])
def test_an_order_is_that_of_the_call(epochs):
    order = np.stack([RNG.permutation(200) for _ in range(epochs)]).astype(np.uintp)
    order = order[0] if epochs == 1 else order
    expected = trained(DENSE, order=order.copy())
    moved = trained(DENSE, order=order, callbacks=lambda net, history: order.fill(2**40))
    assert same_bits(moved, expected)


def test_an_order_of_one_epoch_serves_any_number():
    net, stop = network(), lambda net, history: len(history.loss) == 3
    order = np.arange(200)
    net.fit(DENSE, Y, **HOW | {"epochs": 2**62}, order=order, callbacks=stop)
    assert same_bits(net.parameters, trained(DENSE, order=order))


def test_elements_that_came_after_the_count_are_refused():
    """As when another thread fills X between the count and the copy."""
    X, full = np.zeros((7, 12), "f4"), csr.counted(np.ones((7, 12), "f4"))
    X[:3] = 1
    counts = csr.counted(X)
    assert csr.compressed(X, counts).nonzeros == 36
    for row, column in np.ndindex(X.shape):
        changed = X.copy()
        changed[row, column] = 1 - changed[row, column]
        with pytest.raises(ValueError, match="changed after they were counted"):
            csr.compressed(changed, counts)
    for wrong in (full, np.zeros_like(full)):
        with pytest.raises(ValueError, match="changed after they were counted"):
            csr.compressed(X, wrong)


def test_a_thread_that_fills_and_empties_x_crashes_nothing():
    """In a process of its own. The fits end well, or say that the data changed."""
    program = """
    import threading, numpy as np, bpcore
    X, y, ends = np.zeros((2000, 50), "f4"), np.arange(2000) % 3, threading.Event()
    X[0] = 1
    def change():
        while not ends.is_set():
            X[:] = 1
            X[:] = 0
    thread = threading.Thread(target=change, daemon=True)
    thread.start()
    for _ in range(100):
        net = bpcore.Network([50, 4, 3], output="softmax", seed=1)
        try:
            net.fit(X, y, epochs=1, learning_rate=0.01)
        except ValueError as error:
            assert "changed after they were counted" in str(error)
    ends.set()
    thread.join()
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


# ---- out -----------------------------------------------------------------------------------------


def test_an_out_in_a_sparse_matrix_is_refused(sparse):
    X, net = sparse.csr_matrix(DENSE), network()
    assert len(X.data) >= 600
    before = X.data.copy()
    with pytest.raises(ValueError, match="out shares memory with X"):
        net.forward(X, out=X.data[:600].reshape(200, 3))
    assert same_bits(X.data, before)


def test_an_out_in_the_columns_of_a_sparse_matrix_gets_the_bits(sparse):
    """Columns are copied, so that they may be written over."""
    X, net = sparse.csr_matrix(DENSE), network()
    expected = net.forward(X)
    out = X.indices[:600].view(np.float32).reshape(200, 3)
    assert same_bits(net.forward(X, out=out), expected)


@pytest.mark.parametrize("kind", [memoryview, np.asarray])
def test_an_out_in_dense_x_is_refused_whatever_shows_it(kind):
    X, net = DENSE.copy(), network()
    with pytest.raises(ValueError, match="out shares memory with X"):
        net.forward(kind(X), out=X.reshape(-1)[:600].reshape(200, 3))
    assert same_bits(X, DENSE)


def test_the_values_of_a_sparse_matrix_are_those_that_were_given():
    values = np.ones(2)
    rows = _core.Sparse(values, np.zeros(2, np.uint32), np.arange(3, dtype=np.uintp), 1)
    assert rows.values is values
