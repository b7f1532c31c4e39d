"""standardize=True: inputs of mean 0 and variance 1, by figures that belong to the network."""

import copy
import pickle

import numpy as np
import pytest

import bpcore
from tests.bits import same_bits

N = 50
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 4)) * [1, 100, 1e-6, 3] + [0, 5000, 1e-3, -2]
Y = RNG.integers(3, size=N)
HOW = dict(epochs=4, batch_size=9, learning_rate=0.3)


def network(dtype="float32", standardize=True, **settings):
    settings = dict(hidden="tanh", output="softmax", seed=1, dtype=dtype, **settings)
    return bpcore.Network([4, 5, 3], standardize=standardize, **settings)


def by_hand(X, dtype, of=X):
    """What the first layer is to see; figures are those of X as the network takes it."""
    of, X = of.astype(dtype), X.astype(dtype)
    shift, scale = of.mean(axis=0, dtype="f8"), 1 / of.std(axis=0, dtype="f8")
    return ((X - shift) * scale).astype(dtype)


# ---- What it is ----------------------------------------------------------------------------------


def test_features_get_mean_0_and_variance_1(dtype):
    """To the roundings of N values that are at most 5 in size, and of the smallest spread.

    5000 in float32 is known to 2**-12, its deviation is 100: figures are far from this bound,
    as means are taken in double of values as they are.
    """
    net = network(dtype)
    net.fit(X, Y, **HOW)
    Z = net.scaling.apply(X.astype(dtype)).astype(float)
    bound = 5 * np.finfo(dtype).eps + N * 50 * np.finfo(float).eps
    assert np.all(np.abs(Z.mean(axis=0)) <= bound)
    assert np.all(np.abs(Z.var(axis=0) - 1) <= 10 * bound)


def test_training_is_that_on_inputs_standardised_by_hand(dtype):
    net, twin = network(dtype), network(dtype, standardize=False)
    other = RNG.normal(size=(20, 4)) * 10, RNG.integers(3, size=20)
    history = net.fit(X, Y, eval_set=other, **HOW)
    moved = by_hand(other[0], dtype), other[1]
    same = twin.fit(by_hand(X, dtype), Y, eval_set=moved, **HOW)
    assert (history.loss, history.eval_loss) == (same.loss, same.eval_loss)
    assert same_bits(net.parameters, twin.parameters)
    # And it is not the training on X as it is.
    plain = network(dtype, standardize=False)
    plain.fit(X, Y, **HOW)
    assert not same_bits(net.parameters, plain.parameters)


def test_every_method_standardises(dtype):
    net, twin = network(dtype), network(dtype, standardize=False)
    net.fit(X, Y, **HOW)
    twin.parameters[...] = net.parameters
    Z, out = by_hand(X, dtype), np.empty((N, 3), dtype)
    assert same_bits(net.forward(X), twin.forward(Z))
    assert same_bits(net.forward(X, out=out), twin.forward(Z)) and same_bits(out, twin.forward(Z))
    assert same_bits(net.predict(X), twin.predict(Z))
    assert net.loss(X, Y) == twin.loss(Z, Y)
    assert net.evaluate(X, Y) == twin.evaluate(Z, Y)
    for ours, theirs in zip(net.gradients(X, Y), twin.gradients(Z, Y), strict=True):
        assert all(same_bits(a, b) for a, b in zip(ours, theirs, strict=True))
    assert max(net.check_gradients(X, Y)) < 1e-7
    assert net.forward(X[:0]).shape == (0, 3)


def test_a_row_is_standardised_alike_alone_and_among_others(dtype):
    net = network(dtype)
    net.fit(X, Y, **HOW)
    together = net.forward(X)
    for i in range(N):
        assert same_bits(net.forward(X[i : i + 1])[0], together[i])


def test_the_first_fit_tells_the_figures(dtype):
    net = network(dtype)
    assert net.scaling is None
    net.fit(X, Y, **HOW)
    kept = net.scaling
    net.fit(X * 7 + 1, Y, **HOW)
    net.partial_fit(X * 5, Y, learning_rate=0.1)
    assert net.scaling is kept


def test_nothing_that_is_given_changes(dtype):
    given = X.astype(dtype)
    given.setflags(write=False)
    before = given.copy()
    net = network(dtype)
    net.fit(given, Y, eval_set=(given, Y), **HOW)
    net.predict(given)
    assert same_bits(given, before)


# ---- Features that never vary --------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, -1e-30, 1e30, 255])
def test_a_feature_that_never_varies_becomes_0_and_keeps_its_scale(dtype, value):
    """Also where the mean of equal numbers is rounded away from them."""
    constant = X.copy()
    constant[:, 2] = value
    net = network(dtype)
    net.fit(constant, Y, **HOW)
    assert net.scaling.scale[2] == 1
    assert not np.any(net.scaling.apply(constant.astype(dtype))[:, 2])
    moved = constant[:1].astype(dtype)
    moved[0, 2] += 1
    assert net.scaling.apply(moved)[0, 2] == moved[0, 2] - dtype.type(value)


def test_of_one_row_all_features_are_0():
    net = network()
    net.fit(X[:1], Y[:1], epochs=1, learning_rate=0.1)
    assert np.all(net.scaling.scale == 1) and not np.any(net.scaling.apply(X[:1].astype("f4")))


# ---- Where it goes -------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["file", "pickle", "deepcopy"])
def test_figures_go_with_the_network(tmp_path, dtype, way):
    net = network(dtype)
    net.fit(X, Y, **HOW)
    if way == "file":
        net.save(tmp_path / "m.safetensors")
        twin = bpcore.Network.load(tmp_path / "m.safetensors")
    else:
        twin = copy.deepcopy(net) if way == "deepcopy" else pickle.loads(pickle.dumps(net))
    assert repr(twin) == repr(net) and "standardize=True" in repr(twin)
    for name in ("shift", "scale"):
        assert same_bits(getattr(twin.scaling, name), getattr(net.scaling, name))
    assert same_bits(twin.forward(X), net.forward(X))
    for each in (net, twin):
        each.fit(X, Y, **HOW)
    assert same_bits(twin.parameters, net.parameters)


def test_a_network_that_has_not_learnt_yet_is_saved_without_figures(tmp_path):
    network().save(tmp_path / "m.safetensors")
    twin = bpcore.Network.load(tmp_path / "m.safetensors")
    assert twin.standardize and twin.scaling is None


def test_figures_of_one_s_own_are_used_and_saved(tmp_path):
    """Also by a network that would not make them."""
    net, twin = network(standardize=False), network(standardize=False)
    net.scaling = bpcore.Standardizer([1, 2, 3, 4], [1, 0.5, 0.25, 2])
    moved = (X.astype("f4") - np.arange(1.0, 5)) * [1, 0.5, 0.25, 2]
    assert same_bits(net.forward(X), twin.forward(moved))
    net.save(tmp_path / "m.safetensors")
    assert same_bits(bpcore.Network.load(tmp_path / "m.safetensors").forward(X), net.forward(X))


# ---- Refusals ------------------------------------------------------------------------------------


def test_sparse_data_is_refused_with_the_way_out(sparse):
    entries, net = sparse.csr_array(X), network()
    with pytest.raises(TypeError, match=r"standardize=True needs dense X.*X.toarray\(\)"):
        net.fit(entries, Y, **HOW)
    assert net.scaling is None and net.epochs == 0
    net.fit(X, Y, **HOW)
    for call in (
        lambda: net.fit(entries, Y, **HOW),
        lambda: net.fit([(entries, Y)], epochs=1, learning_rate=0.1),
        lambda: net.fit(X, Y, eval_set=(entries, Y), **HOW),
        lambda: net.predict(entries),
        lambda: net.evaluate(entries, Y),
        lambda: net.gradients(entries, Y),
    ):
        with pytest.raises(TypeError, match=r"X is sparse, but the network standardises.*toarray"):
            call()
    assert net.epochs == 4


@pytest.mark.parametrize(
    ("shift", "scale", "error", "says"),
    [
        ([1, 2], [1], ValueError, r"shift has shape \(2,\) and scale \(1,\)"),
        (np.ones((1, 4)), np.ones((1, 4)), ValueError, r"shift has shape \(1, 4\)"),
        ([np.nan] * 4, [1] * 4, ValueError, r"shift\[0\] is nan"),
        ([1] * 4, [1, 1, np.inf, 1], ValueError, r"scale\[2\] is inf"),
        (["a"], [1], TypeError, "shift has dtype"),
    ],
)
def test_figures_that_make_no_scaling_are_refused(shift, scale, error, says):
    with pytest.raises(error, match=says):
        bpcore.Standardizer(shift, scale)


def test_figures_of_other_features_are_refused():
    net = network()
    net.scaling = bpcore.Standardizer([1.0], [2.0])
    with pytest.raises(ValueError, match="X has 4 features, but scaling has 1"):
        net.predict(X)


def test_what_overflows_is_refused():
    """In the figures of X, and in a row that is far from them."""
    net, huge = network("float64"), X.copy()
    huge[:2, 1] = [1e308, -1e308]
    with pytest.raises(ValueError, match=r"standardize=True: deviation of X\[1\] is inf"):
        net.fit(huge, Y, **HOW)
    assert net.scaling is None and net.epochs == 0
    small = network()
    small.fit(X, Y, **HOW)
    with pytest.raises(ValueError, match=r"standardised X\[0, 2\] is inf as float32"):
        small.predict([[0, 0, 3e38, 0]])


@pytest.mark.parametrize("value", [True, False, "no"])
def test_whether_a_network_standardises_is_settled(value):
    net = network()
    with pytest.raises(AttributeError, match="standardize cannot be set after a network is made"):
        net.standardize = value
    assert net.standardize is True


@pytest.mark.parametrize("value", [5, "no", (np.zeros(4), np.ones(4)), True])
def test_scaling_is_a_scaling_or_none(value):
    net, kept = network(), bpcore.Standardizer(np.zeros(4), np.ones(4))
    net.scaling = kept
    with pytest.raises(
        TypeError, match=r"scaling is .*, but a bpcore.Standardizer or None is expected"
    ):
        net.scaling = value
    assert net.scaling is kept
    net.scaling = None
    assert net.scaling is None
