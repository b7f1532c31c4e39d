"""Whatever a network is and has learned, its file gives it back to the bit.

A network is its user's to change: weights, scaling and counts can be anything when it is saved.
"""

import json
import os
import warnings

import numpy as np
import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not installed: pip install hypothesis")

from hypothesis import assume, given
from hypothesis import strategies as st

import bpcore
from bpcore import optimizers, schedules
from tests.arrays import DTYPES, normal
from tests.bits import same_bits

# A training that did not get far is as good as any.
pytestmark = pytest.mark.filterwarnings("ignore:'lbfgs' has not converged:RuntimeWarning")

HIDDEN = ["sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "softplus", "silu", "gelu"]
HIDDEN += ["identity"]
OUTPUTS = [("sigmoid", None), ("sigmoid", "mse"), ("softmax", "cross_entropy"), ("tanh", "mae")]
OUTPUTS += [("identity", ("huber", 0.5)), ("identity", ("quantile", 0.25)), ("exp", "poisson")]
INITS = [None, "lecun_normal", "he_normal", "xavier_uniform", ("normal", 0.1)]
INITS += [("normal", 0.25, "biases")]
RATES = st.floats(1e-6, 1e-2)
SCHEDULES = st.one_of(
    RATES,
    st.builds(schedules.Step, RATES, st.integers(1, 3), st.floats(0.1, 1)),
    st.builds(schedules.Cosine, RATES, st.integers(1, 9)),
    st.builds(schedules.Adaptive, RATES, patience=st.integers(1, 2)),
    st.builds(schedules.WarmUp, RATES, steps=st.integers(1, 50)),
)
SHORT = {"width": 32, "allow_subnormal": False}  # What float32 does not hold in full is refused.
SHARES = st.floats(0, 0.984375, **SHORT)
OPTIMIZERS = st.one_of(
    st.sampled_from(["sgd", "rprop", "lbfgs"]),
    st.builds(optimizers.Momentum, SHARES),
    st.builds(optimizers.Nesterov, SHARES),
    st.builds(optimizers.RMSprop, SHARES, st.floats(1e-8, 1)),
    st.builds(optimizers.Adam, SHARES, SHARES, st.floats(1e-8, 1), st.booleans()),
    st.builds(optimizers.AdamW, weight_decay=st.floats(0, 0.125, **SHORT)),
)


@st.composite
def networks(draw):
    """(network, arguments of fit)"""
    sizes = draw(st.lists(st.integers(1, 9), min_size=2, max_size=5))
    output, loss = draw(st.sampled_from(OUTPUTS))
    sizes[-1] += output == "softmax"
    hidden = draw(st.lists(st.sampled_from(HIDDEN), min_size=len(sizes) - 2,
                           max_size=len(sizes) - 2))  # fmt: skip
    net = bpcore.Network(
        sizes, hidden=hidden, output=output, loss=loss, init=draw(st.sampled_from(INITS)),
        dtype=draw(DTYPES), seed=draw(st.integers(0, 2**32 - 1)), standardize=draw(st.booleans()),
    )  # fmt: skip
    rows, seed = draw(st.integers(2, 12)), draw(st.integers(0, 2**32))
    Y = np.abs(normal(seed, (rows, sizes[-1]), "float64"))
    optimizer = draw(OPTIMIZERS)
    fit = {"X": normal(seed + 1, (rows, sizes[0]), "float64"), "y": Y / Y.sum(axis=1)[:, None]}
    fit |= {"epochs": draw(st.integers(0, 3)), "optimizer": optimizer}
    if optimizer != "lbfgs":
        fit |= {"learning_rate": draw(SCHEDULES), "batch_size": draw(st.integers(1, 12))}
    return net, fit


def diverges(net, how):
    """Train; the words in which a training ends that goes out of bounds, or None."""
    try:
        net.fit(**how)
    except FloatingPointError as error:
        return str(error)


@given(problem=networks(), is_trained=st.booleans())
def test_a_loaded_network_is_the_saved_one(tmp_path_factory, problem, is_trained):
    """It prints, predicts, goes on and is saved alike."""
    net, how = problem
    folder = tmp_path_factory.mktemp("round-trip")
    if is_trained:
        diverges(net, how)
        assume(np.isfinite(net.parameters).all())  # What is not, is not saved.
    net.save(folder / "first")
    twin = bpcore.Network.load(folder / "first")
    twin.save(folder / "second")
    assert (folder / "first").read_bytes() == (folder / "second").read_bytes()
    assert repr(twin) == repr(net) and twin.init == net.init and twin.epochs == net.epochs
    assert same_bits(twin.parameters, net.parameters)
    assert diverges(net, how) == diverges(twin, how)
    assert same_bits(twin.parameters, net.parameters)
    assert same_bits(twin.forward(how["X"]), net.forward(how["X"]))


# ---- What save accepts, load accepts; what it refuses costs no file ------------------------------

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


def test_a_file_without_one_bit_of_a_weight_is_another_network(tmp_path):
    """The comparison of the law above can fail."""
    net = bpcore.Network([3, 2], seed=1)
    net.save(tmp_path / "net")
    raw = bytearray((tmp_path / "net").read_bytes())
    raw[-1] ^= 1
    (tmp_path / "net").write_bytes(raw)
    twin = bpcore.Network.load(tmp_path / "net")
    assert not same_bits(twin.parameters, net.parameters)
    length = int.from_bytes(raw[:8], "little")
    assert json.loads(raw[8 : 8 + length])["layers.0.bias"]["shape"] == [2]
