"""The ways to compute one result: threads, sparse rows, packed data, slices of an epoch, rules."""

import contextlib
from types import SimpleNamespace

import numpy as np

from bpcore import _core
from tests.core_network import Net, given, row_nonzeros, sparse

THREADS = [2, 3, 16]  # Few, an odd number, more than most parts there are to share.


@contextlib.contextmanager
def thread_work(multiply_adds):
    """Within it one more thread is used for each so many multiply-adds; 1: always all of them."""
    before = _core.use_thread_work(multiply_adds)
    try:
        yield
    finally:
        _core.use_thread_work(before)


def linear(inputs, outputs, dtype, seed=0):
    """A network of one layer without a function: all its arithmetic is products and sums."""
    return Net([inputs, outputs], None, "identity", "mse", dtype, seed)


# ---- Sparse data ---------------------------------------------------------------------------------


def thinned(X, density, seed=0):
    """X with about so many elements left, some rows and some columns without any."""
    rng = np.random.default_rng([seed, *X.shape])
    X = np.where(rng.random(X.shape) < density, X, 0).astype(X.dtype)
    if density < 1:
        X[rng.random(len(X)) < 0.1] = 0
        X[:, rng.random(X.shape[1]) < 0.1] = 0
    return X


def entries_of(X):
    """Dense X as a _core.Sparse, by NumPy."""
    row, column = np.nonzero(X)
    row_offsets = np.searchsorted(row, np.arange(len(X) + 1)).astype(np.uintp)
    values = X[row, column] if len(row) else np.zeros(1, X.dtype)
    columns = column if len(row) else np.zeros(1)
    return _core.Sparse(values, columns.astype(np.uint32), row_offsets, X.shape[1])


# ---- Training in one call ------------------------------------------------------------------------


def pack(net, X, block_rows=0, threads=1):
    """X as full batches meet it; None where there is nothing to pack."""
    nonzeros = max(X.nonzeros, 1) if isinstance(X, _core.Sparse) else 0
    size = _core.packed_size(net.core, len(X), net.dtype.itemsize, nonzeros, block_rows)
    if not size:
        return None
    out = np.full(size + 1, 255, np.uint8)[1:]
    _core.pack(net.core, net.parameters, *given(X), out, block_rows, threads, **sparse(X))
    return out


def descend(net, X, Y, batch_rows, **how):
    """As Net.train, but all epochs belong to one Training; how: as in ``learn``."""
    done = learn(net, X, Y, batch_rows, **how)
    return done.parameters, done.losses


def learn(
    net,
    X,
    Y,
    batch_rows,
    rule=None,
    *,
    rate=0.02,
    epochs=1,
    weights=None,
    order=None,
    budget=None,
    packed=0,
    first_moments=(0, 0),
    settings=None,
    **how,
):
    """Training by a rule, a dict of bp_rule's fields: a bundle of all that it leaves.

    settings: of _core.Training; how: block_rows, threads. Moments start at first_moments.
    """
    rule = None if rule is None else _core.Rule(**rule)
    training = _core.Training(batch_rows, rate, epochs, rule, **(settings or {}))
    parameters, kept = net.parameters.copy(), rule.moments if rule else 0
    moments = np.empty((kept, len(parameters)), net.dtype)
    moments[:] = np.reshape(first_moments[:kept], (kept, 1))
    work = net.workspace(min(batch_rows, len(X)), **how, **row_nonzeros(X))
    if packed:
        how["packed"] = pack(net, X, how.get("block_rows", 0))
    how |= dict(weights=weights, moments=moments if kept else None)
    data = *given(X), Y, order, epochs * len(X) if budget is None else budget, work
    while training.epoch < epochs:
        training.run(net.core, parameters, *data, **how, **sparse(X))
    return SimpleNamespace(
        parameters=parameters,
        moments=moments,
        losses=training.losses,
        penalties=training.penalties,
        training=training,
    )
