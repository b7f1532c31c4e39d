"""What files say of a training is believed only after it has been checked."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

import bpcore
from bpcore import schedules
from tests.bits import same_bits
from tests.test_files import assemble, parts, rewrite, without

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(23, 4)), RNG.integers(3, size=23)
HOW = dict(optimizer="adam", learning_rate=schedules.Adaptive(0.02), batch_size=8)


def saved(path, **how):
    net = bpcore.Network([4, 5, 3], output="softmax", seed=3, standardize=True)
    net.fit(X, Y, epochs=2, **{**HOW, **how})
    net.save(path)
    return net


@pytest.fixture
def path(tmp_path):
    saved(tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


def training(**changes):
    def change(settings, header, body):
        settings["training"].update(changes)

    return change


def nested(depth, kind="WarmUp"):
    inner = {"name": "Constant", "learning_rate": 0.1}
    for _ in range(depth):
        inner = {"name": kind, "learning_rate": inner, "steps": 5}
    return inner


def moments(dtype=None, shape=None, fill=None, extra=0):
    """The file's moments made other ones; they are the last of its tensors."""

    def change(settings, header, body):
        entry = header["optimizer.moments"]
        begin, end = entry["data_offsets"]
        assert end == len(body)
        array = np.frombuffer(body[begin:end], "<f4").reshape(entry["shape"]).copy()
        if fill is not None:
            array[-1, -1] = fill
        array = array.astype(dtype or "<f4")
        if shape is not None:
            array = np.resize(array, shape)
        entry["dtype"] = {"<f4": "F32", "<f8": "F64"}[array.dtype.str]
        entry["shape"] = list(array.shape)
        data = array.tobytes() + bytes(extra)
        entry["data_offsets"] = [begin, begin + len(data)]
        return body[:begin] + data

    return change


ADAPTIVE = {"name": "Adaptive", "learning_rate": 0.02}
MEMORY = {"rate": 0.02, "best": 1.0, "waited": 0}
HOSTILE = {
    "training a list": lambda s, h, b: s.update(training=[]),
    "training a number": lambda s, h, b: s.update(training=5),
    "no optimizer": lambda s, h, b: s["training"].pop("optimizer") and None,
    "no schedule": lambda s, h, b: s["training"].pop("schedule") and None,
    "no memory": lambda s, h, b: s["training"].pop("memory") and None,
    "no step": lambda s, h, b: s["training"].pop("step") and None,
    "unknown optimizer": training(optimizer={"name": "eval"}),
    "optimizer without a name": training(optimizer={"beta1": 0.9}),
    "optimizer a string": training(optimizer="adam"),
    "optimizer's name a list": training(optimizer={"name": ["adam"]}),
    "unknown field": training(optimizer={"name": "adam", "beta3": 0.9}),
    "beta1 of 1": training(optimizer={"name": "adam", "beta1": 1.0}),
    "beta1 no number": training(optimizer={"name": "adam", "beta1": {}}),
    "beta1 beyond all doubles": training(optimizer={"name": "adam", "beta1": 10**400}),
    "epsilon 0 as float32": training(optimizer={"name": "adam", "epsilon": 1e-60}),
    "epsilon_inside no flag": training(optimizer={"name": "adam", "epsilon_inside": "yes"}),
    "another optimizer's moments": training(optimizer={"name": "momentum"}),
    "moments of none": training(optimizer={"name": "sgd"}),
    "moments of no training": lambda s, h, b: s.update(training=None),
    "huge step": training(step=2**64),
    "negative step": training(step=-1),
    "step a fraction": training(step=1.5),
    "step a flag": training(step=True),
    "unknown schedule": training(schedule={"name": "Never", "learning_rate": 0.1}),
    "schedule the base class": training(schedule={"name": "Schedule", "learning_rate": 0.1}),
    "schedule a number": training(schedule=0.1),
    "schedule without a rate": training(schedule={"name": "Adaptive"}),
    "schedule's rate infinite": training(schedule={**ADAPTIVE, "learning_rate": np.inf}),
    "schedule's rate a list": training(schedule={**ADAPTIVE, "learning_rate": []}),
    "schedule's patience 0": training(schedule={**ADAPTIVE, "patience": 0}),
    "schedule's divisor 0": training(schedule={**ADAPTIVE, "divisor": 0}),
    "schedule's unknown field": training(schedule={**ADAPTIVE, "rate": 0.1}),
    "warm-up in a warm-up": training(schedule=nested(2), memory={}),
    "deep warm-ups": training(schedule=nested(200), memory={}),
    "deeper warm-ups": training(schedule=nested(300), memory={}),
    "deep warm-ups of nothing": training(schedule=nested(200, "Constant"), memory={}),
    "another schedule's memory": training(schedule={"name": "Constant", "learning_rate": 0.1}),
    "memory a list": training(memory=[["rate", 0.1], ["best", 1.0], ["waited", 0]]),
    "memory with more": training(memory={**MEMORY, "more": 1}),
    "memory with less": training(memory={"rate": 0.02}),
    "memory's rate nothing": training(memory={**MEMORY, "rate": None}),
    "memory's rate NaN": training(memory={**MEMORY, "rate": np.nan}),
    "memory's rate a string": training(memory={**MEMORY, "rate": "0.02"}),
    "memory's waiting nothing": training(memory={**MEMORY, "waited": None}),
    "memory's best infinite": training(memory={**MEMORY, "best": -np.inf}),
    "memory's best beyond all doubles": training(memory={**MEMORY, "best": 10**400}),
    "memory's best deep": training(memory={**MEMORY, "best": nested(200)}),
    "one array of moments": moments(shape=(1, 43)),
    "three arrays of moments": moments(shape=(3, 43)),
    "moments too short": moments(shape=(2, 42)),
    "moments flat": moments(shape=(86,)),
    "no arrays of moments": moments(shape=(0, 43)),
    "moments' shape nothing": lambda s, h, b: h["optimizer.moments"].update(shape=[]),
    "moments' shape a dict": lambda s, h, b: h["optimizer.moments"].update(shape={"0": 2}),
    "moments' shape flags": lambda s, h, b: h["optimizer.moments"].update(shape=[True, 43]),
    "moments' entry a list": lambda s, h, b: h.update({"optimizer.moments": [2, 43]}),
    "moments in double": moments(dtype="<f8"),
    "moments infinite": moments(fill=np.inf),
    "squares negative": moments(fill=-1e-30),
    "moments NaN": moments(fill=np.nan),
    "moments with a byte more": moments(extra=1),
    "scale NaN": lambda s, h, b: (
        b[: h["input.scale"]["data_offsets"][0]]
        + np.full(4, np.nan).tobytes()
        + b[h["input.scale"]["data_offsets"][1] :]
    ),
    "shift without scale": lambda s, h, b: without(h, b, "input.scale"),
    "scale without shift": lambda s, h, b: without(h, b, "input.shift"),
    "standardize no flag": lambda s, h, b: s.update(standardize="yes"),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_hostile_trainings_are_refused_by_the_path(path, change):
    rewrite(path, change)
    with pytest.raises(ValueError, match="m.safetensors"):
        bpcore.Network.load(path)


def test_no_moments_at_all_are_not_an_array_of_none(path):
    """An optimiser that keeps nothing has no tensor, not one without rows."""
    saved(path, optimizer="sgd")
    assert bpcore.Network.load(path)._state.moments is None
    saved(path)
    rewrite(path, moments(shape=(0, 43)))
    rewrite(path, training(optimizer={"name": "sgd"}))
    with pytest.raises(ValueError, match="optimizer.moments has shape"):
        bpcore.Network.load(path)


def test_squares_may_be_zero(path):
    rewrite(path, moments(fill=0))
    assert bpcore.Network.load(path)._state.moments[1].min() == 0


@pytest.mark.parametrize("name", ["input.shift", "input.scale"])
def test_a_scaling_in_single_is_refused(path, name):
    def change(settings, header, body):
        begin, end = header[name]["data_offsets"]
        single = np.frombuffer(body[begin:end], "<f8").astype("<f4").tobytes()
        header[name]["dtype"] = "F32"
        for entry in (entry for other, entry in header.items() if other != "__metadata__"):
            entry["data_offsets"] = [
                offset - (end - begin) // 2 if offset >= end else offset
                for offset in entry["data_offsets"]
            ]
        return body[:begin] + single + body[end:]

    rewrite(path, change)
    with pytest.raises(ValueError, match=f"{name} is not in double"):
        bpcore.Network.load(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda s, h, b: None,
        moments(),
        training(memory=MEMORY),
        training(memory={**MEMORY, "best": None}),
        training(step=2**63 - 1),
        training(step=0),
    ],
    ids=["nothing", "the same moments", "another memory", "no best", "the largest step", "step 0"],
)
def test_these_changes_alone_are_not_what_is_refused(tmp_path, change):
    path = tmp_path / "m.safetensors"
    net = saved(path)
    rewrite(path, change)
    twin = bpcore.Network.load(path)
    assert same_bits(twin.parameters, net.parameters)
    assert same_bits(twin._state.moments, net._state.moments)
    twin.fit(X, Y, epochs=1, **HOW)


def test_settings_too_deep_for_json_are_refused(path):
    """Depths around Python's limit of recursion, where either reader may meet it first."""
    header, body = parts(path)
    text = header["__metadata__"]["bpcore"]
    for depth in (900, 990, 1100, 15_000):
        bomb = '{"name": "WarmUp", "learning_rate": ' * depth + "0.1" + ', "steps": 5}' * depth
        inner = text.replace('"schedule": {', f'"schedule": {bomb}, "was": {{')
        header["__metadata__"]["bpcore"] = inner
        assemble(path, header, body)
        with pytest.raises(ValueError, match="m.safetensors"):
            bpcore.Network.load(path)


def test_format_1_still_loads_and_its_training_begins(tmp_path):
    """Assembled from its description: no standardize, no training, no tensors but the layers'."""
    W, b = RNG.normal(size=(1, 2)).astype("<f4"), RNG.normal(size=1).astype("<f4")
    settings = {
        "format": 1,
        "sizes": [2, 1],
        "hidden": [],
        "output": "sigmoid",
        "loss": "bce",
        "init": None,
        "seed": 5,
        "epochs": 3,
    }
    header = {
        "__metadata__": {"bpcore": json.dumps(settings)},
        "layers.0.weight": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]},
        "layers.0.bias": {"dtype": "F32", "shape": [1], "data_offsets": [8, 12]},
    }
    assemble(tmp_path / "old.safetensors", header, W.tobytes() + b.tobytes())
    net = bpcore.Network.load(tmp_path / "old.safetensors")
    assert same_bits(np.ascontiguousarray(net.weights[0]), W) and same_bits(net.biases[0], b)
    assert (net.epochs, net.seed, net.scaling, net.standardize, net._state) == (
        3, 5, None, False, None,
    )  # fmt: skip
    net.fit(X[:, :2], Y > 0, epochs=1, optimizer="adam")
    assert net.epochs == 4 and net._state.step == 1


@dataclass(frozen=True)
class Mine(schedules.Schedule):
    """A schedule of the user's own, which files cannot hold."""

    def start(self):
        return {"anything": object()}

    def rate(self, epoch, memory=None):
        return self.learning_rate / (1 + epoch)


@pytest.mark.parametrize("mine", [Mine(0.1), schedules.WarmUp(Mine(0.1), steps=4)])
def test_a_network_with_a_schedule_of_ones_own_can_be_saved_and_goes_on(tmp_path, mine):
    how = dict(optimizer="adam", learning_rate=mine)
    net = saved(tmp_path / "m.safetensors", **how)
    twin = bpcore.Network.load(tmp_path / "m.safetensors")
    for each in (net, twin):
        each.fit(X, Y, epochs=2, **how)
    assert same_bits(net.parameters, twin.parameters)
    assert net._state.step == twin._state.step > 0
