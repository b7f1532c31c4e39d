"""Laws of addresses: arrays lie anywhere, but C reads elements at multiples of their size alone.

Network packets, record fields and slices of a file give NumPy arrays at odd addresses.
"""

import pickle

import numpy as np
import pytest

import bpcore
from bpcore import _core, classic
from tests.bits import same_bits
from tests.core_network import Net
from tests.layouts import laid


def odd(values):
    """A copy one byte into a buffer, where no element is aligned."""
    copy = laid(values, "odd address")
    assert not copy.size or copy.ctypes.data % 2
    return copy


def trained(X, y, dtype, place, **options):
    net = bpcore.Network([4, 3, 2], hidden="tanh", output="sigmoid", dtype=dtype, seed=1)
    given = {name: place(np.array(value)) for name, value in options.items()}
    net.fit(X, y, epochs=2, learning_rate=0.5, batch_size=3, shuffle=False, **given)
    return net.parameters


def data(dtype):
    rng = np.random.default_rng(0)
    return rng.standard_normal((7, 4)).astype(dtype), rng.random((7, 2)).astype(dtype)


# ---- What users give -----------------------------------------------------------------------------


def test_training_at_odd_addresses_gives_the_bits_of_a_plain_copy(dtype):
    X, y = data(dtype)
    order, weights = np.arange(7, dtype=np.uintp)[::-1].copy(), np.arange(1, 8).astype(dtype)
    for options in (
        {},
        {"order": order},
        {"order": np.tile(order, (2, 1))},
        {"sample_weight": weights},
    ):
        plain = trained(X, y, dtype, np.array, **options)
        assert same_bits(trained(odd(X), odd(y), dtype, odd, **options), plain)


def test_sparse_parts_at_odd_addresses_give_the_bits_of_plain_ones(sparse, dtype):
    X, y = data(dtype)
    plain = sparse.csr_matrix(np.where(X > 0, X, 0))
    moved = plain.copy()
    moved.data, moved.indices, moved.indptr = map(odd, (plain.data, plain.indices, plain.indptr))
    results = [trained(rows, y, dtype, np.array) for rows in (plain, moved)]
    assert same_bits(*results)


def test_predictions_at_odd_addresses_give_the_bits_of_a_plain_copy(dtype):
    net = bpcore.Network([4, 3, 2], dtype=dtype, seed=1)
    X, y = data(dtype)
    for rows in X, X[:1], X[:0]:
        assert same_bits(net.forward(odd(rows)), net.forward(rows))
        assert same_bits(net.predict(odd(rows)), net.predict(rows))
    assert net.loss(odd(X), odd(y)) == net.loss(X, y)


def test_an_out_between_elements_is_refused_and_stays(dtype):
    net, (X, y) = bpcore.Network([4, 2], dtype=dtype, seed=1), data(dtype)
    out = odd(y)
    with pytest.raises(ValueError, match="out must be C-contiguous, aligned and writeable"):
        net.forward(X, out=out)
    assert same_bits(out, y)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_network_whose_pickled_buffers_lie_at_odd_addresses_works(dtype, optimizer):
    net, (X, y) = bpcore.Network([4, 2], dtype=dtype, seed=1), data(dtype)
    net.fit(X, y, epochs=1, learning_rate=0.5, optimizer=optimizer)
    buffers = []
    content = pickle.dumps(net, protocol=5, buffer_callback=buffers.append)
    assert buffers
    moved = [odd(np.frombuffer(buffer.raw(), np.uint8)) for buffer in buffers]
    again = pickle.loads(content, buffers=moved)
    assert same_bits(again.forward(X), net.forward(X))
    for one in net, again:
        one.fit(X, y, epochs=1, learning_rate=0.5, optimizer=optimizer)
    assert same_bits(again.parameters, net.parameters)


def test_estimators_at_odd_addresses_give_the_bits_of_plain_copies(dtype):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from bpcore.sklearn import MLPClassifier, MLPRegressor

    X, y = data(dtype)
    weights, labels = np.arange(1, 8).astype(dtype), np.arange(7) % 3
    for make, target in (MLPRegressor, y), (MLPClassifier, labels):
        results = []
        for place in np.array, odd:
            model = make(hidden_layer_sizes=(3,), batch_size=7, random_state=0, max_iter=3)
            with pytest.warns(match="max_iter"):
                model.fit(place(X), place(target), sample_weight=place(weights))
            results.append(model.coefs_ + [model.predict(place(X)).astype(dtype)])
        for plain, moved in zip(*results, strict=True):
            assert same_bits(plain, moved)


def test_the_tutorials_products_at_odd_addresses_are_those_of_plain_copies():
    W, A, b = (np.arange(n, dtype=float).reshape(-1, 2) for n in (6, 8, 2))
    plain = classic._shared.weighted_input(W, A.T[:2], b.T[:1] * 0)
    assert same_bits(classic._shared.weighted_input(odd(W), odd(A.T[:2]), b.T[:1] * 0), plain)


# ---- The binding ---------------------------------------------------------------------------------


def test_the_binding_refuses_what_is_between_elements(dtype):
    net = Net([3, 2], None, "identity", "mse", dtype)
    X, Y = net.data(5)
    out, work = np.empty((5, 2), dtype), net.memory(_core.forward_size, 5, {})
    steps = net.memory(_core.workspace_size, 5, {})
    order, weights = np.arange(5, dtype=np.uintp), np.ones(5, dtype)
    columns, row_offsets = np.zeros(5, np.uint32), np.arange(6, dtype=np.uintp)

    def train(Y=Y, order=order, weights=weights):
        given = net.core, net.parameters.copy(), X, Y, order, 9, steps
        _core.Training(5, 0.1).run(*given, weights=weights)

    train()
    one_moved = [
        lambda: _core.forward(net.core, odd(net.parameters), X, out, work),
        lambda: _core.forward(net.core, net.parameters, odd(X), out, work),
        lambda: _core.forward(net.core, net.parameters, X, odd(out), work),
        lambda: _core.Forward(net.core, odd(net.parameters)),
        lambda: _core.Forward(net.core, net.parameters)(odd(X), out),
        lambda: _core.Forward(net.core, net.parameters)(X, odd(out)),
        lambda: train(Y=odd(Y)),
        lambda: train(order=odd(order)),
        lambda: train(weights=odd(weights)),
        lambda: _core.Sparse(odd(weights), columns, row_offsets, 3),
        lambda: _core.Sparse(weights, odd(columns), row_offsets, 3),
        lambda: _core.Sparse(weights, columns, odd(row_offsets), 3),
        lambda: _core.matmul(odd(X), Y[:3], out),
        lambda: _core.matmul(X, odd(Y[:3]), out),
        lambda: _core.matmul(X, Y[:3], odd(out)),
    ]
    for call in one_moved:
        with pytest.raises(ValueError, match="an array is not aligned to its elements"):
            call()
