"""What ``save`` accepts, ``load`` accepts; what it refuses costs no file.

A network is its user's to change: weights, scaling and counts can be anything when it is saved.
"""

import os
import warnings

import numpy as np
import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not installed: pip install hypothesis")

from hypothesis import given
from hypothesis import strategies as st

import bpcore
from tests.bits import same_bits
from tests.test_properties_files import diverges, networks

# Numbers that are at the edge of what a file may hold, or beyond it.
EDGES = [0, 1, -1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 10**30, True, None, "7", 1.5]
EDGES += [np.inf, -np.inf, np.nan, np.int64(3), np.int64(-3), np.float32(0.5)]
NOT_FINITE = [np.inf, -np.inf, np.nan]


def spoil_element(array, where, value):
    if array.size and array.flags.writeable:
        array.reshape(-1)[where % array.size] = value


@st.composite
def spoils(draw):
    """A function that changes a network, as its user could, or a training that goes wrong."""
    where, value = draw(st.integers(0, 999)), draw(st.sampled_from([*NOT_FINITE, -1.0, 1e30]))
    edge = draw(st.sampled_from(EDGES))

    def moments(net):
        if net._state is not None and net._state.moments is not None:
            spoil_element(net._state.moments, where, value)

    def scaling(net):
        width = net.sizes[0] + where % 2
        net.scaling = bpcore.Standardizer(np.zeros(width), np.ones(width))
        spoil_element(net.scaling.scale, where, value)

    def remembered(net):
        if net._state is not None and net._state.schedule_state:
            name = sorted(net._state.schedule_state)[where % len(net._state.schedule_state)]
            net._state.schedule_state[name] = edge

    def step(net):
        if net._state is not None:
            net._state.step = edge

    changes = [moments, scaling, remembered, step, lambda net: None]
    changes += [lambda net: spoil_element(net.parameters, where, value)]
    for name in ("epochs", "seed", "init"):
        changes.append(lambda net, name=name: setattr(net, name, edge))
    return draw(st.sampled_from(changes))


@given(problem=networks(), spoil=spoils())
def test_what_save_accepts_load_accepts_and_a_refusal_keeps_the_old_file(
    tmp_path_factory, problem, spoil
):
    net, how = problem
    path = tmp_path_factory.mktemp("states") / "net"
    path.write_bytes(b"the good one")
    diverges(net, how)
    spoil(net)
    had = net._state is not None and net._state.moments is not None
    is_lost = had and not np.isfinite(net._state.moments).all()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore" if is_lost else "error", "the optimizer's moments")
            net.save(path)
    except (ValueError, TypeError):
        assert path.read_bytes() == b"the good one" and os.listdir(path.parent) == ["net"]
        return
    twin = bpcore.Network.load(path)
    assert same_bits(twin.parameters, net.parameters) and twin.epochs == net.epochs
    assert repr(twin) == repr(net)
    assert (twin._state is None) == (net._state is None or is_lost)
    if had and not is_lost:
        assert same_bits(twin._state.moments, net._state.moments)


def trained():
    net = bpcore.Network([3, 4, 1], seed=1, standardize=True)
    X = np.random.default_rng(0).normal(size=(8, 3))
    net.fit(X, X[:, 0] > 0, epochs=2, optimizer="adam", learning_rate=0.01)
    return net


# What a user does to net, and why its file is not written.
REFUSED = {
    "weights[1][0, 2] = inf": r"layers.1.weight\[0, 2\] is inf as float32, but it must be finite",
    "biases[0][3] = nan": r"layers.0.bias\[3\] is nan as float32, but it must be finite",
    "scaling.scale[1] = nan": r"input.scale\[1\] is nan as float64, but it must be finite",
    "scaling = bpcore.Standardizer([0, 0], [1, 1])": (
        r"input.shift has shape \[2\], but \[3\] is expected"
    ),
    "epochs = 2**63": "epochs is 9223372036854775808, but it must be at most 9223372036854775807",
    "epochs = -1": "epochs is -1, but it must be at least 0",
    "_state.moments[1, 20] = -1": r"optimizer.moments\[1\] holds negative numbers",
}


@pytest.mark.parametrize(("change", "reason"), REFUSED.items(), ids=REFUSED)
def test_a_state_that_load_would_refuse_leaves_the_good_file_or_none(tmp_path, change, reason):
    path, net = tmp_path / "net", trained()
    net.save(path)
    good = path.read_bytes()
    exec(f"net.{change}", {"net": net, "bpcore": bpcore, "inf": np.inf, "nan": np.nan})
    for place in (path, tmp_path / "new"):
        with pytest.raises(ValueError, match=reason) as refused:
            net.save(place)
        begins = f"{place} is not written, because it could not be loaded: "
        assert str(refused.value).startswith(begins)
    assert path.read_bytes() == good and os.listdir(tmp_path) == ["net"]


@pytest.mark.long
def test_more_layers_than_a_header_describes_leave_the_good_file(tmp_path):
    """The most layers whose header is read can be saved, and one more cannot."""
    path = tmp_path / "net"

    def saved(layers):
        net = bpcore.Network([1] * (layers + 1), seed=0)
        try:
            net.save(path)
        except ValueError as error:
            assert "the header has" in str(error) and "at most 1048576 are read" in str(error)
            return False
        assert same_bits(bpcore.Network.load(path).parameters, net.parameters)
        return True

    fewest, most = 1000, 8000
    assert saved(fewest) and not saved(most)
    while most - fewest > 1:
        middle = (fewest + most) // 2
        fewest, most = (middle, most) if saved(middle) else (fewest, middle)
    assert bpcore.Network.load(path).sizes == (1,) * (fewest + 1)


def test_weights_are_saved_where_the_moments_have_overflowed(tmp_path):
    """Squares of 1e24 are infinite as float32: what stands in the way of steps, not of a file."""
    net, X = bpcore.Network([2, 1], output="identity", seed=0), np.array([[1e12, 1e12], [0, 1]])
    with pytest.raises(FloatingPointError, match="moments are not finite"):
        net.fit(X, [1e12, 0], epochs=3, optimizer="adam", learning_rate=0.1)
    with pytest.warns(UserWarning, match="moments are not finite and are not saved") as told:
        net.save(tmp_path / "net")
    assert told[0].filename == __file__
    twin = bpcore.Network.load(tmp_path / "net")
    assert same_bits(twin.parameters, net.parameters) and twin.epochs == net.epochs
    afresh = bpcore.Network([2, 1], output="identity", seed=0)
    afresh.parameters[...] = net.parameters
    for one in (twin, afresh):
        one.fit([[0, 1]], [0], epochs=2, optimizer="adam", learning_rate=0.1)
    assert same_bits(twin.parameters, afresh.parameters)
