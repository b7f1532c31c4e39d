"""A batch of ten million rows has the bits of the written sums, and loses nothing.

Laws: the gradient and a step of training have the same bits for dense and sparse rows, any number
of threads, any block and every instruction set; without hidden layers they are the contract's sums,
added by NumPy; and with constant residuals, of ten values, each mean is off by at most 1e-5 in
float32.
"""

import itertools

import numpy as np

import bpcore
from bpcore import _core
from bpcore._inputs.csr import to_csr_if_faster

SIZES = [6, 5, 2]
RUN_ROWS, PART_ROWS = 512, 32768
BOUND = 1e-5  # A part of equal terms loses 8.3e-6 at most: BP_RUN_ROWS in csrc/bpcore.h.


def data(rows, dtype):
    """Rows of which most elements are 0, so that they can be compressed, and targets."""
    random = np.random.RandomState(rows % 2**32)
    X = random.standard_normal((rows, SIZES[0])).astype(dtype)
    X[random.random_sample(X.shape) < 0.6] = 0
    return X, random.standard_normal((rows, SIZES[-1])).astype(dtype)


# ---- The same bits -------------------------------------------------------------------------------


def one_step(X, Y, threads, block_rows):
    """Gradient and loss, and the parameters after one step of descent."""
    net = bpcore.Network(SIZES, hidden="tanh", output="identity", dtype=Y.dtype.name, seed=1)
    sparse = None if isinstance(X, np.ndarray) else X
    dense, row_nonzeros = (X, 0) if sparse is None else (None, sparse.row_nonzeros)
    size = _core.workspace_size(net._core, len(Y), Y.itemsize, block_rows, threads, row_nonzeros)
    work, gradient = np.empty(size, np.uint8), np.empty_like(net.parameters)
    how = {"block_rows": block_rows, "threads": threads, "sparse": sparse}
    loss = _core.gradient(net._core, net.parameters, dense, Y, gradient, work, **how)
    training = _core.Training(len(Y), 0.1, 1)
    training.run(net._core, net.parameters, dense, Y, None, len(Y), work, **how)
    return gradient, np.float64(loss), net.parameters


def ways(X, Y):
    """(name, result) for every way of computing; instruction sets last, each in one way."""
    entries = to_csr_if_faster(bpcore.Network(SIZES, dtype=Y.dtype.name)._core, X)
    kinds = {"dense": X, "sparse": entries}
    for kind, threads, block_rows in itertools.product(kinds, (1, 2), (0, 100, 512, 4096)):
        name = f"{kind}, {threads} threads, blocks of {block_rows or 'its own choice'}"
        yield name, one_step(kinds[kind], Y, threads, block_rows)
    before, fused = _core.isa(), [isa for isa in _core.available_isas() if isa != "generic"]
    try:
        for isa in fused:
            _core.use_isa(isa)
            yield isa, one_step(X, Y, 2, 0)
    finally:
        _core.use_isa(before)


def differing(X, Y):
    """Names of the ways whose bits are others than the first one's, and how many were tried."""
    results = iter(ways(X, Y))
    _, first = next(results)
    wrong, tried = [], 1
    for name, result in results:
        tried += 1
        if not all(map(np.array_equal, first, result)):
            wrong.append(f"{Y.dtype}: {name}: other bits than the first way")
    return wrong, tried


# ---- The written sums ----------------------------------------------------------------------------


def written_sum(terms):
    """Runs, parts, and what is lost by adding these (Knuth's 2Sum), column by column."""
    total = carry = np.zeros(terms.shape[1], terms.dtype)
    for i in range(0, len(terms), PART_ROWS):
        runs = [
            np.add.accumulate(terms[j : min(j + RUN_ROWS, i + PART_ROWS)])[-1]
            for j in range(i, min(i + PART_ROWS, len(terms)), RUN_ROWS)
        ]
        part, before = np.add.accumulate(runs)[-1], total
        total = before + part
        taken = total - before
        carry = carry + ((before - (total - taken)) + (part - taken))
    return total + carry


def wrong_sums(Y):
    """Is db of a network that is 0 the written sum of -Y? Additions alone: NumPy needs no fma."""
    net = bpcore.Network([1, Y.shape[1]], output="identity", dtype=Y.dtype.name, seed=0)
    net.parameters[...] = 0
    _, [db] = net.gradients(np.ones((len(Y), 1), Y.dtype), Y)
    expected = written_sum(-Y) / Y.dtype.type(len(Y))
    return [] if np.array_equal(db, expected) else [f"{Y.dtype}: db {db}, not {expected}"]


def lost(rows):
    """Constants whose mean is off by more than the bound, in float32."""
    wrong = []
    for value in np.random.RandomState(0).uniform(1, 2, 10).astype(np.float32):
        net = bpcore.Network([1, 1], output="identity", seed=0)
        net.parameters[...] = 0
        [dW], [db] = net.gradients(np.ones((rows, 1), np.float32), np.full(rows, -value))
        for mean in (dW[0, 0], db[0]):
            if abs(float(mean) / float(value) - 1) > BOUND:
                wrong.append(f"the mean of {value} is {mean}")
    return wrong


def complaints(rows):
    """What is wrong, and how many ways were tried."""
    wrong, tried = lost(rows), 0
    for dtype in ("float32", "float64"):
        X, Y = data(rows, dtype)
        found, count = differing(X, Y)
        wrong += found + wrong_sums(Y)
        tried += count
    return wrong, tried
