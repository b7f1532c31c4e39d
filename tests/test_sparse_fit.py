"""Laws of a Network's sparse data beyond its formats: rounding, eval sets, gradient checks."""

import numpy as np
import pytest

import bpcore
from tests.bits import same_bits
from tests.execution_modes import thinned

sparse = pytest.importorskip("scipy.sparse", reason="SciPy makes the matrices of these tests")

ROWS, FEATURES = 90, 40
Y = np.random.default_rng(1).integers(3, size=ROWS)


def network(dtype="float32", features=FEATURES, hidden=30):
    sizes = [features, hidden, 3]
    return bpcore.Network(sizes, hidden="tanh", output="softmax", dtype=dtype, seed=4)


def elements(density=0.2, features=FEATURES):
    return thinned(np.random.default_rng(0).standard_normal((ROWS, features)), density)


def unchecked(X, **arrays):
    """X with other arrays, as only a mistake or malice makes them: SciPy does not look."""
    X = X.copy()
    vars(X).update(arrays)
    return X


def test_a_value_is_rounded_to_the_network_s_precision_once():
    """Also to zero, which is an entry then, and to a subnormal number."""
    X = np.zeros((ROWS, FEATURES))
    X[:, 0], X[::2, 3], X[1::3, 5] = 1 / 3, 1e-300, 1e-42
    entries, rounded = sparse.csr_array(X), X.astype("f4")
    assert entries.nnz > np.count_nonzero(rounded)
    one, other = network(), network()
    assert np.array_equal(one.forward(entries), other.forward(rounded))
    for net, given in [(one, entries), (other, rounded)]:
        net.fit(given, Y, epochs=2, learning_rate=0.1, batch_size=20)
    assert np.array_equal(one.parameters, other.parameters)


def test_activations_of_entries_are_written_to_out(dtype):
    X, out = elements(), np.full((ROWS, 3), np.nan, dtype)
    assert network(dtype).forward(sparse.csr_array(X), out=out) is out
    assert np.array_equal(out, network(dtype).forward(X))


# ---- Gradient checks -----------------------------------------------------------------------------


def test_gradients_of_entries_can_be_checked():
    net, X = network(), elements(0.5)
    distances = net.check_gradients(sparse.csr_array(X), Y)
    assert distances == net.check_gradients(X, Y) and max(distances) < 1e-7
    for kind in (sparse.csc_array, sparse.coo_matrix):
        assert net.check_gradients(kind(X), Y) == distances


def test_a_gradient_check_refuses_what_fit_refuses():
    net, X = network(), sparse.csr_array(elements())
    bad = X.indices.copy()
    bad[3] = FEATURES
    with pytest.raises(ValueError, match=f"X has an entry in column {FEATURES}"):
        net.check_gradients(unchecked(X, indices=bad), Y)
    X.data[0] = np.nan
    with pytest.raises(ValueError, match=r"X\[\d+, \d+\] is nan as float64"):
        net.check_gradients(X, Y)


# ---- Eval sets -----------------------------------------------------------------------------------


def test_eval_set_may_be_sparse_where_X_is_not_and_the_other_way_round():
    X, losses = elements(0.3), []
    for first, second in [(X, sparse.csr_array(X)), (sparse.csc_array(X), X), (X, X)]:
        settings = dict(epochs=3, learning_rate=0.1, batch_size=20)
        history = network().fit(first, Y, eval_set=(second, Y), **settings)
        losses.append((history.loss, history.eval_loss, history.eval_accuracy))
    assert losses[0] == losses[1] == losses[2]


def test_an_eval_set_is_refused_by_its_own_name():
    net, X = network(), sparse.csr_array(elements())
    before, indices, data = net.parameters.copy(), X.indices.copy(), X.data.copy()
    indices[3], data[5] = FEATURES, np.inf
    for bad, says in [
        (unchecked(X, indices=indices), f"an entry in column {FEATURES}"),
        (unchecked(X, data=data), r"\[\d+, \d+\] is inf"),
        (sparse.csr_array((ROWS, 2)), "2 features"),
    ]:
        with pytest.raises(ValueError, match=f"^eval_set's X.*{says}"):
            net.fit(X, Y, epochs=1, learning_rate=0.1, eval_set=(bad, Y))
    assert same_bits(net.parameters, before) and net.epochs == 0


@pytest.mark.parametrize("indptr", [np.zeros(0, np.int32), np.zeros((1, ROWS + 1), np.int32)])
def test_a_matrix_that_scipy_itself_cannot_count_is_refused(indptr):
    """Its nnz raises an error of SciPy's."""
    broken = unchecked(sparse.csr_array(elements()), indptr=indptr)
    with pytest.raises(ValueError, match="X is not a valid CSR matrix"):
        network().forward(broken)
