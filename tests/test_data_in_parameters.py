"""Data that lie in the network's own parameters: ``fit`` learns what was given, not what it writes.

The oracle is a twin that is given copies.
"""

import numpy as np
import pytest

import bpcore
from tests.bits import same_bits

INDPTR, INDICES = [0, 3, 6, 9], [0, 1, 2] * 3
HOW = dict(epochs=4, learning_rate=0.5)


def network(dtype):
    net = bpcore.Network([3, 2, 1], output="identity", dtype=dtype, seed=1)
    net.parameters[...] = np.abs(net.parameters) + 0.01  # Sample weights are positive.
    return net


def dense(values):
    return values.reshape(3, 3)


def csr(values, indices=INDICES):
    sparse = pytest.importorskip("scipy.sparse")
    X = sparse.csr_array((values, indices, INDPTR), shape=(3, 3))
    X.data = values  # SciPy copies what is a small part of a larger array.
    return X


def unsorted(values):
    return csr(values, [2, 1, 0] * 3)


@pytest.mark.parametrize("kind", [dense, csr, unsorted])
@pytest.mark.parametrize("batch_size", [1, None])
def test_rows_are_those_of_before(dtype, kind, batch_size):
    net, twin = network(dtype), network(dtype)
    y, how = [0, 1, 1], {"batch_size": batch_size, "shuffle": False, **HOW}
    net.fit(kind(net.parameters[:9]), y, **how)
    twin.fit(kind(twin.parameters[:9].copy()), y, **how)
    assert same_bits(net.parameters, twin.parameters)


@pytest.mark.parametrize("kind", [dense, csr])
def test_batches_are_those_of_before(dtype, kind):
    net, twin = network(dtype), network(dtype)
    y, how = [0, 1, 1], {"batch_size": 1, **HOW, "epochs": 1}
    net.fit([(kind(net.parameters[:9]), y)], **how)
    twin.fit([(kind(twin.parameters[:9].copy()), y)], **how)
    assert same_bits(net.parameters, twin.parameters)


@pytest.mark.parametrize("optimizer", ["sgd", "rprop", "lbfgs"])
@pytest.mark.parametrize("kind", [dense, csr])
def test_targets_weights_and_evaluation_data_are_those_of_before(dtype, kind, optimizer):
    net, twin = network(dtype), network(dtype)
    X = np.arange(9.0).reshape(3, 3) / 9
    how = {"epochs": 4, "optimizer": optimizer}
    if optimizer == "sgd":
        how["learning_rate"] = 0.5
    histories = []
    for one, flat in ((net, net.parameters), (twin, twin.parameters.copy())):
        y, weights, held_out = flat[:3], flat[3:6], (kind(flat[:9]), flat[4:7])
        histories.append(one.fit(X, y, sample_weight=weights, eval_set=held_out, **how))
    assert same_bits(net.parameters, twin.parameters)
    assert histories[0].loss == histories[1].loss
    assert histories[0].eval_loss == histories[1].eval_loss


def test_scaling_is_that_of_before(dtype):
    """Its arrays are the caller's, or lie in the parameters: later changes do not count."""
    net, twin = network("float64"), network("float64")
    X, y = np.arange(9.0).reshape(3, 3) / 9, [0, 1, 1]
    net.scaling = bpcore.Standardizer(net.parameters[:3], net.parameters[3:6])
    twin.scaling = bpcore.Standardizer(twin.parameters[:3].copy(), twin.parameters[3:6].copy())
    for one in (net, twin):
        one.fit(X, y, **HOW)
        one.fit(X, y, **HOW)
    assert same_bits(net.parameters, twin.parameters)
    shift, scale = np.zeros(3), np.ones(3)
    scaling = bpcore.Standardizer(shift, scale)
    shift += 5
    scale *= 0
    assert same_bits(scaling.apply(X.astype(dtype)), X.astype(dtype))
