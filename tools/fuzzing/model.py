"""Target: Network.load. Its files are made here by hand, from the description of the format."""

import json

import numpy as np

import bpcore
from bpcore import optimizers, schedules
from bpcore._inputs import check
from bpcore._io import safetensors
from bpcore._model import architecture, initializers, scaling

from .laws import Target
from .mutate import change_bytes, change_tree, text

CODES = {"F32": "<f4", "F64": "<f8"}
OPTIMIZERS = {"sgd": 0, "momentum": 1, "nesterov": 1, "rmsprop": 1, "adam": 2, "adamw": 2}
OPTIMIZERS |= {"rprop": 2, "lbfgs": 4, "levenberg_marquardt": 0}
SCHEDULES = [
    None,
    {"name": "Constant", "learning_rate": 0.1},
    {"name": "Step", "learning_rate": 0.1, "every": 3, "factor": 0.5},
    {"name": "Cosine", "learning_rate": 0.1, "epochs": 7, "lowest": 0.0},
    {"name": "WarmUp", "learning_rate": {"name": "Exponential", "learning_rate": 1}, "steps": 9},
    {"name": "Adaptive", "learning_rate": 0.1, "divisor": 5.0, "patience": 2},
]
WORDS = ["format", "sizes", "hidden", "output", "loss", "init", "seed", "epochs", "training"]
WORDS += ["standardize", "optimizer", "schedule", "memory", "step", "name", "learning_rate"]
WORDS += ["dtype", "shape", "data_offsets", "__metadata__", "bpcore", "F32", "F64", "I32", "huber"]
WORDS += ["layers.0.weight", "layers.0.bias", "layers.1.weight", "input.shift", "input.scale"]
WORDS += ["optimizer.moments", "softmax", "relu", "normal", "biases", "he_normal", "quantile"]
WORDS += [*OPTIMIZERS, *(schedule["name"] for schedule in SCHEDULES if schedule)]


ADAPTIVE = SCHEDULES[-1]
SEEN = {"rate": 0.1, "best": 2.5, "waited": 0}


def settings_of(sizes, **changes):
    """The settings of a plain network."""
    settings = {"format": 2, "sizes": sizes, "hidden": ["tanh"] * (len(sizes) - 2)}
    settings |= {"output": "identity", "loss": "mse", "init": None, "seed": 1, "epochs": 0}
    return {**settings, "standardize": False, "training": None, **changes}


def training_of(optimizer, schedule=None, memory=None, **numbers):
    """What an optimiser leaves in the settings."""
    optimizer = {"name": optimizer, **numbers}
    return {"optimizer": optimizer, "schedule": schedule, "memory": memory or {}, "step": 3}


def made(settings, dtype="F32", scaling=False, moments=0, fill=0.25, scaling_code="F64"):
    """The file of a network with these settings."""
    tensors, sizes = {}, settings["sizes"]
    for layer, (inputs, outputs) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        tensors[f"layers.{layer}.weight"] = (dtype, [outputs, inputs])
        tensors[f"layers.{layer}.bias"] = (dtype, [outputs])
    parameters = sum(int(np.prod(shape)) for _, shape in tensors.values())
    if scaling:
        tensors |= {f"input.{name}": (scaling_code, sizes[:1]) for name in ("shift", "scale")}
    if moments:
        tensors["optimizer.moments"] = (dtype, [moments, parameters])
    header, body = {"__metadata__": {"bpcore": settings}}, b""
    for name, (code, shape) in tensors.items():
        raw = np.full(shape, fill, CODES[code]).tobytes()
        offsets = [len(body), len(body) + len(raw)]
        header[name] = {"dtype": code, "shape": shape, "data_offsets": offsets}
        body += raw
    return assembled(header, body, json.dumps)


def assembled(header, body, write):
    """A file from its parts; settings that are no text yet become JSON. ``write`` makes JSON."""
    header = dict(header)
    metadata = header.get("__metadata__")
    if isinstance(metadata, dict) and not isinstance(metadata.get("bpcore", ""), str):
        header["__metadata__"] = {**metadata, "bpcore": write(metadata["bpcore"])}
    head = write(header).encode()
    return len(head).to_bytes(8, "little") + head + body


def parts(data):
    """(header, body) of a file, its settings as a tree, or None."""
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + length])
        header["__metadata__"]["bpcore"] = json.loads(header["__metadata__"]["bpcore"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return header, data[8 + length :]


def change(random, data, other):
    """Change bytes, the tree of the header or that of the settings, or begin with another file."""
    way = random.randrange(8)
    if way == 0:
        return change_bytes(random, data, other)
    if way < 3:
        data = drawn(random)
    split, source = parts(data), parts(other)
    if split is None:
        return change_bytes(random, data, other)
    header, body = split
    try:
        return _changed_parts(random, way, header, body, source)
    except RecursionError:  # Too deep for the changes.
        return change_bytes(random, data, other)


def _changed_parts(random, way, header, body, source):
    if way < 6:
        settings = header["__metadata__"]["bpcore"]
        given = None if source is None else source[0]["__metadata__"]["bpcore"]
        header["__metadata__"]["bpcore"] = change_tree(random, settings, WORDS, given)
    if way > 4:
        header = change_tree(random, header, WORDS, None if source is None else source[0])
    if not isinstance(header, dict):
        header = {"__metadata__": header}
    if random.random() < 0.2:
        body = change_bytes(random, body)
    return assembled(header, body, lambda tree: text(random, tree))


def drawn(random):
    """A file without a fault, of a network of any kind."""
    sizes = [random.choice([1, 2, 3, 5]) for _ in range(random.choice([2, 2, 3, 5]))]
    name = random.choice(list(OPTIMIZERS))
    schedule, memory = random.choice(SCHEDULES), {}
    if schedule is not None and schedule["name"] == "Adaptive":
        memory = {"rate": 0.1, "best": None, "waited": 0}
    if name == "levenberg_marquardt":
        memory["damping"] = 0.5
    changes = {"training": training_of(name, schedule, memory)}
    changes |= {"init": random.choice([None, "he_normal", ["normal", 0.1, "biases"]])}
    changes |= {"loss": random.choice(["mse", "mae", ["huber", 2.0], ["quantile", 0.1]])}
    settings = settings_of(sizes, **changes)
    how = {"scaling": random.random() < 0.3, "moments": OPTIMIZERS[name]}
    return made(settings, random.choice(list(CODES)), **how)


def run(data, folder):
    path = folder / "model.safetensors"
    path.write_bytes(data)
    try:
        net = bpcore.Network.load(path)
    except ValueError as error:
        if str(path) not in str(error):
            raise AssertionError(f"the error does not name the file: {str(error)[:80]}") from None
        raise
    if not np.isfinite(net.parameters).all():
        raise AssertionError("the network has numbers that are not finite")
    net.forward(np.zeros((1, net.sizes[0])))
    return 0


def seeds():
    """A file for each branch of the reader: first those that make a network, then refusals."""
    plain, small = settings_of([3, 2, 1]), settings_of([2, 1])
    good = {f"network-{code}": made(plain, code, scaling=True) for code in CODES}
    good |= {
        f"network-{name}": made({**plain, "training": training_of(name, memory=memory)},
                                moments=arrays)
        for name, arrays in OPTIMIZERS.items()
        for memory in [{"damping": None} if name == "levenberg_marquardt" else {}]
    }  # fmt: skip
    for schedule in SCHEDULES[1:]:
        memory = SEEN if schedule is ADAPTIVE else {}
        training = training_of("sgd", schedule, memory)
        good[f"network-{schedule['name']}"] = made({**plain, "training": training})
    return good | _wrong_files(small) | _wrong_settings(small)


def _wrong_files(settings):
    whole = made(settings)
    header, body = parts(whole)
    tensor = header["layers.0.bias"]

    def bias(**changes):
        return assembled({**header, "layers.0.bias": {**tensor, **changes}}, body, json.dumps)

    return {
        "empty": b"",
        "no-room-for-header": b"\xff" * 16,
        "header-above-limit": (2 << 20).to_bytes(8, "little") + b" " * (2 << 20),
        "header-no-json": (1).to_bytes(8, "little") + b"{",
        "header-a-list": (2).to_bytes(8, "little") + b"[]",
        "header-twice": (13).to_bytes(8, "little") + b'{"a":1,"a":2}',
        "header-deep": (900).to_bytes(8, "little") + b"[" * 450 + b"]" * 450,
        "no-metadata": (2).to_bytes(8, "little") + b"{}",
        "cut-short": whole[:-1],
        "byte-too-many": whole + b"\0",
        "scaling-in-single": made(settings, "F32", scaling=True, scaling_code="F32"),
        "not-finite": made(settings, fill=np.nan),
        "not-finite-scaling": made(settings_of([1, 1]), scaling=True)[:-1] + b"\xff",
        "tensor-missing": assembled({**header, "layers.0.bias": {}}, body, json.dumps),
        "tensor-other-dtype": bias(dtype="F16"),
        "tensor-other-shape": bias(shape=[2]),
        "tensor-offsets-text": bias(data_offsets=["0", "4"]),
        "tensor-overlap": bias(data_offsets=[0, 4]),
        "tensor-size": bias(data_offsets=[8, 16]),
        "tensor-mixed": bias(dtype="F64", data_offsets=[8, 16]),
    }


def _wrong_settings(settings):
    changes = {
        "format": {"format": 9},
        "sizes-text": {"sizes": "21"},
        "sizes-huge": {"sizes": [1 << 39, 1 << 39]},
        "sizes-many": {"sizes": [1] * 200_000},
        "hidden": {"hidden": ["eval"]},
        "loss": {"loss": "bce"},
        "init": {"init": ["normal", "a"]},
        "seed": {"seed": -1},
        "epochs": {"epochs": -1},
        "training-text": {"training": "sgd"},
        "training-schedule": {"training": training_of("sgd", {"name": "Eval"})},
        "training-memory": {"training": training_of("sgd", SCHEDULES[1], {"rate": 1})},
        "training-memory-word": {"training": training_of("sgd", ADAPTIVE, {**SEEN, "rate": "a"})},
        "training-numbers": {"training": training_of("adam", beta1=2)},
        "training-moments": {"training": training_of("adam")},
    }
    plain = parts(made(settings))
    files = {}
    for name, change in changes.items():
        header = {**plain[0], "__metadata__": {"bpcore": {**settings, **change}}}
        files[f"settings-{name}"] = assembled(header, plain[1], json.dumps)
    files["settings-no-json"] = assembled(
        {**plain[0], "__metadata__": {"bpcore": "{"}}, plain[1], json.dumps
    )
    files["settings-a-list"] = assembled(
        {**plain[0], "__metadata__": {"bpcore": []}}, plain[1], json.dumps
    )
    files["moments-without-optimizer"] = made(settings, moments=2)
    squares = {**settings, "training": training_of("rmsprop")}
    files["moments-negative"] = made(squares, moments=1, fill=-0.5)
    return files


WATCHED = [safetensors, check, initializers, scaling, architecture, optimizers, schedules]
MODEL = Target("model", run, change, seeds, watched=WATCHED)
