"""A network's parameters: set by copying, one array behind all views, writable where needed."""

import pickle

import numpy as np
import pytest

import bpcore
from tests.bits import same_bits

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 3)), RNG.integers(2, size=20)
HOW = dict(epochs=3, learning_rate=0.1)


def network(sizes=(3, 4, 1), **settings):
    return bpcore.Network(sizes, hidden="tanh", seed=0, **settings)


# ---- Setting -------------------------------------------------------------------------------------


def set_parameters(net, other):
    net.parameters = other.parameters


def set_layers(net, other):
    net.weights, net.biases = other.weights, list(other.biases)


def set_lists(net, other):
    net.weights = [W.tolist() for W in other.weights]
    net.biases = (b.tolist() for b in other.biases)


@pytest.mark.parametrize("give", [set_parameters, set_layers, set_lists])
def test_what_is_set_is_what_predicts_and_trains(dtype, give):
    net, other = network(dtype=dtype), bpcore.Network([3, 4, 1], hidden="tanh", seed=1, dtype=dtype)
    own, views = net.parameters, (*net.weights, *net.biases)
    give(net, other)
    assert net.parameters is own and not np.shares_memory(own, other.parameters)
    assert all(a is b for a, b in zip((*net.weights, *net.biases), views, strict=True))
    assert same_bits(net.parameters, other.parameters)
    assert same_bits(net.forward(X), other.forward(X))
    kept, net.seed = other.parameters.copy(), other.seed
    net.fit(X, Y, **HOW)
    assert same_bits(other.parameters, kept)
    other.fit(X, Y, **HOW)
    assert same_bits(net.parameters, other.parameters)


def test_layers_may_change_places():
    """Copies are made before the first one is filled."""
    net = network([3, 3, 3], output="tanh")
    first, second = (W.copy() for W in net.weights)
    net.weights = net.weights[::-1]
    assert same_bits(net.weights[0], second) and same_bits(net.weights[1], first)
    flat = net.parameters.copy()
    net.parameters = net.parameters[::-1]
    assert same_bits(net.parameters, flat[::-1])


def test_parameters_are_changed_in_place_by_operators():
    net = network()
    expected = net.parameters * 2
    net.parameters *= 2
    assert same_bits(net.parameters, expected) and same_bits(net.weights[0], net.weights[0].copy())
    assert np.shares_memory(net.weights[0], net.parameters)


@pytest.mark.parametrize(
    ("name", "given", "error", "says"),
    [
        ("weights", [np.ones((4, 3))], ValueError, "weights has 1 arrays for 2 layers"),
        ("weights", 3, TypeError, "weights is 3, but a sequence of arrays is expected"),
        ("weights", [np.ones((4, 3)), np.ones((4, 1))], ValueError, r"weights\[1\] has shape"),
        ("weights", [np.ones((4, 3)), [[1, 2, 3, np.nan]]], ValueError, r"weights\[1\]\[0, 3\] is"),
        ("biases", [np.ones(4), ["a"]], TypeError, r"biases\[1\] has dtype"),
        ("biases", [np.ones(4), np.ones(2)], ValueError, r"biases\[1\] has shape \(2,\), but \(1,"),
        ("parameters", np.ones(20), ValueError, r"parameters has shape \(20,\), but \(21,\) is"),
        ("parameters", np.full(21, 1e39), ValueError, r"parameters\[0\] is inf as float32"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(name, given, error, says):
    net = network()
    before = net.parameters.copy()
    with pytest.raises(error, match=says):
        setattr(net, name, given)
    assert same_bits(net.parameters, before)


@pytest.mark.parametrize(
    ("name", "value"),
    [("sizes", (3, 1)), ("hidden", ("relu",)), ("output", "tanh"), ("dtype", np.dtype("f8"))],
)
def test_what_parameters_are_laid_out_for_cannot_be_set(name, value):
    net = network()
    before = net.forward(X)
    with pytest.raises(AttributeError, match=f"{name} cannot be set after a network is made"):
        setattr(net, name, value)
    assert same_bits(net.forward(X), before) and getattr(net, name) == getattr(network(), name)
    assert net.check_gradients(X, Y)[0] < 1e-7  # By a copy of another precision.


# ---- Read-only memory ----------------------------------------------------------------------------


def from_buffers(net, folder):
    """Pickle's fifth protocol, with the arrays in bytes, which nobody can change."""
    buffers = []
    data = pickle.dumps(net, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(data, buffers=[bytes(buffer.raw()) for buffer in buffers])


def mapped(net, folder):
    joblib = pytest.importorskip("joblib")
    joblib.dump(net, folder / "net.joblib")
    return joblib.load(folder / "net.joblib", mmap_mode="r")


READ_ONLY = pytest.mark.parametrize("read_only", [from_buffers, mapped])


@READ_ONLY
@pytest.mark.parametrize(
    ("data", "how"),
    [
        ((X, Y), dict(learning_rate=0.1)),
        ((X, Y), dict(optimizer="adam")),
        ((X, Y), dict(optimizer="rprop", early_stopping=2, eval_set=(X, Y))),
        ((X, Y), dict(optimizer="lbfgs")),
        (([(X, Y)],), dict(learning_rate=0.1)),
        (([(X, Y)],), dict(optimizer="adam")),
    ],
    ids=["sgd", "adam", "rprop", "lbfgs", "batches-sgd", "batches-adam"],
)
def test_a_network_in_read_only_memory_trains_as_the_one_that_it_was(
    tmp_path, dtype, read_only, data, how
):
    net = network(dtype=dtype)
    net.fit(X, Y, epochs=2, **how)
    twin = read_only(net, tmp_path)
    assert not twin.parameters.flags.writeable
    for one in (net, twin):
        one.fit(*data, epochs=5, **how)
    assert same_bits(net.parameters, twin.parameters) and net.epochs == twin.epochs
    assert same_bits(net.forward(X), twin.forward(X))
    assert np.shares_memory(twin.parameters, twin.weights[0])


@READ_ONLY
def test_prediction_leaves_a_mapped_network_where_it_is(tmp_path, read_only):
    net = network()
    twin = read_only(net, tmp_path)
    where = twin.parameters
    assert same_bits(twin.predict(X), net.predict(X))
    assert twin.evaluate(X, Y) == net.evaluate(X, Y)
    assert all(map(same_bits, twin.gradients(X, Y)[0], net.gradients(X, Y)[0]))
    with pytest.raises(ValueError, match="l2 is -1"):
        twin.fit(X, Y, l2=-1, **HOW)
    assert twin.parameters is where and not where.flags.writeable


@READ_ONLY
def test_a_network_in_read_only_memory_can_be_set(tmp_path, read_only):
    other = bpcore.Network([3, 4, 1], hidden="tanh", seed=1)
    for give in (set_parameters, set_layers):
        twin = read_only(network(), tmp_path)
        give(twin, other)
        assert same_bits(twin.parameters, other.parameters)
        assert same_bits(twin.forward(X), other.forward(X))


def test_workers_of_joblib_train_a_network_that_it_maps():
    joblib = pytest.importorskip("joblib")

    def trained(net, *data):  # Inside, so that its code travels, not its module's name.
        was_writable = net.parameters.flags.writeable
        net.fit(*data, epochs=3, learning_rate=0.1)
        return net.parameters, was_writable

    net = network([3, 400, 1])
    workers = joblib.Parallel(2, max_nbytes=1000)
    found = workers(joblib.delayed(trained)(net, X, Y) for _ in range(2))
    net.fit(X, Y, **HOW)
    for parameters, was_writable in found:
        assert same_bits(np.array(parameters), net.parameters) and not was_writable
