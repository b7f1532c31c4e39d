"""Model files: safetensors, written whole or not at all, read as data and never as code.

The format (github.com/huggingface/safetensors): eight bytes with the header's length,
little-endian; a JSON header ``{name: {"dtype", "shape", "data_offsets"}, "__metadata__": {...}}``;
then the tensors' bytes. A network has ``layers.0.weight`` (outputs, inputs), ``layers.0.bias``
(outputs,), and so on, and its settings as JSON in the metadata under ``bpcore``. Where it has them
there are ``input.shift`` and ``input.scale`` (inputs,), in double, and what its optimiser keeps,
``optimizer.moments`` (arrays, parameters). A file is taken for hostile until every number in it has
been checked against the file's size.
"""

import json
import math
import operator
import os

import numpy as np

from .._inputs import check, frames
from .._inputs.check import shown
from .._inputs.user_warnings import warn
from .._model.architecture import loss_as_given
from .._model.scaling import Standardizer
from .._model.training_state import TrainingState
from .atomic_write import replace

FORMAT = 2
READABLE = (1, 2)  # Format 1 knows neither scaling nor optimisers.
HEADER_LIMIT = 1 << 20  # bytes; a header of a network has some hundred bytes a layer
DTYPES = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
CODES = {dtype: code for code, dtype in DTYPES.items()}
NAMES_LIMIT = HEADER_LIMIT // 2  # bytes; features whose names take more are saved without them
ALIGNMENT = 64  # bytes, of the tensors: a cache line, so that a mapped file can be used in place


def save(net, path):
    """Write ``net`` to ``path``; see ``Network.save``."""
    path = os.fspath(path)
    replace(path, net._training_lock.snapshot(lambda: _chunks(net, path)))


def _chunks(net, path):
    """The file in pieces of bytes, all of one moment; ValueError where ``load`` would refuse it."""
    state = _usable(net._state)
    settings = json.dumps(_settings(net, state), default=operator.index)  # int64's numbers, too.
    header, end = {"__metadata__": {"bpcore": settings}}, 0
    tensors = tensors_of(net, state)
    for name, tensor in tensors.items():
        header[name] = {
            "dtype": CODES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [end, end + tensor.nbytes],
        }
        end += tensor.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % ALIGNMENT)
    title = f"{os.fsdecode(path)} is not written, because it could not be loaded"
    _check_length(len(text), title)
    _network(type(net), text, end, lambda name, *_: tensors[name], title)
    return [len(text).to_bytes(8, "little"), text, *map(np.ndarray.tobytes, tensors.values())]


def _usable(state):
    """What the optimiser keeps, or None where its moments have overflowed: no step follows them.

    The weights may be worth keeping all the same.
    """
    if state is None or state.moments is None or np.isfinite(state.moments).all():
        return state
    warn(
        "the optimizer's moments are not finite and are not saved: "
        "a training that goes on from the file begins with new ones"
    )
    return None


def tensors_of(net, state):
    """``{name: array}`` in the bytes of the file."""
    little = net.dtype.newbyteorder("<")
    tensors = {}
    for layer, (W, b) in enumerate(zip(net.weights, net.biases, strict=True)):
        tensors[f"layers.{layer}.weight"] = np.ascontiguousarray(W, little)
        tensors[f"layers.{layer}.bias"] = np.ascontiguousarray(b, little)
    if net.scaling is not None:
        tensors["input.shift"] = np.ascontiguousarray(net.scaling.shift, "<f8")
        tensors["input.scale"] = np.ascontiguousarray(net.scaling.scale, "<f8")
    if state is not None and state.moments is not None:
        tensors["optimizer.moments"] = np.ascontiguousarray(state.moments, little)
    return tensors


def _settings(net, state):
    return {
        "format": FORMAT,
        **network_settings(net),
        "epochs": net.epochs,
        "training": state_settings(state),
        **frames.stored(net.feature_names, NAMES_LIMIT),
    }


def network_settings(net):
    """What a network is told at its making, but for the dtype, which tensors tell."""
    return {
        "sizes": list(net.sizes),
        "hidden": list(net.hidden),
        "output": net.output,
        "loss": loss_as_given(net),
        "init": net.init,
        "seed": net.seed,
        "standardize": net.standardize,
    }


def state_settings(state):
    """What training has left in a network, but for the arrays."""
    if state is None:
        return None
    from .. import schedules

    # A schedule of the user's own is code: the file has none, and a new one begins after it.
    known = schedules.is_known(state.schedule)
    return {
        "optimizer": state.optimizer.settings(),
        "schedule": state.schedule.settings() if known else None,
        "memory": state.schedule_state if known else {},
        "step": state.step,
    }


def load(cls, path):
    """The network in ``path``; see ``Network.load``."""
    path = os.fspath(path)
    with open(path, "rb") as file:
        text, available = _header(file, path)

        def read(name, dtype, begin, end, shape):
            file.seek(8 + len(text) + begin)
            return np.frombuffer(file.read(end - begin), dtype).reshape(shape)

        return _network(cls, text, available, read, path)


def _network(cls, text, available, read, path):
    """The network of a header and ``available`` bytes of arrays, each as ``read`` gives it.

    ``save`` asks here, too: what it writes is what this takes.
    """
    header = _parsed(text, path)
    settings = _metadata(header, path)
    tensors = _layout(header, settings["sizes"], available, path)
    net = settled(cls, settings, tensors["layers.0.weight"][0], path)

    def numbers(name, dtype):
        return check.numbers(f"{path}: {name}", read(name, *tensors[name]), dtype)

    for layer in range(len(net.weights)):
        net.weights[layer][...] = numbers(f"layers.{layer}.weight", net.dtype.name)
        net.biases[layer][...] = numbers(f"layers.{layer}.bias", net.dtype.name)
    if "input.shift" in tensors:
        net.scaling = Standardizer(
            *(numbers(f"input.{name}", "float64") for name in ("shift", "scale"))
        )
    has_moments = "optimizer.moments" in tensors
    moments = numbers("optimizer.moments", net.dtype.name) if has_moments else None
    net._state = _state(settings.get("training"), moments, net, path)
    return net


def settled(cls, settings, dtype, path):
    """A network of such settings, its parameters zero; ValueError where they make none."""
    loss = settings["loss"]
    try:
        net = cls.__new__(cls)  # Start weights would be drawn in vain, and take memory and time.
        net._settle(
            settings["sizes"],
            hidden=settings["hidden"],
            output=settings["output"],
            loss=tuple(loss) if isinstance(loss, list) else loss,
            init=settings["init"],
            seed=check.whole_number("seed", settings["seed"], 0, 2**32 - 1),  # None would draw one.
            standardize=settings.get("standardize", False),
            dtype=dtype.newbyteorder("=").name,
        )
        net.epochs = check.whole_number("epochs", settings["epochs"], 0, 2**63 - 1)
        net._feature_names = frames.restored(settings.get("feature_names"), net.sizes[0])
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: the settings make no network: {error}") from None
    return net


def _state(training, moments, net, path):
    """What the optimiser kept, from its settings and its arrays."""
    if training is None:
        if moments is not None:
            raise ValueError(f"{path}: optimizer.moments belongs to no optimizer")
        return None
    from .. import optimizers, schedules

    try:
        schedule, start = training["schedule"], {}
        if schedule is not None:
            schedule = schedules.named(dict(schedule))
            start = schedule.start()
        optimizer = optimizers.named(dict(training["optimizer"]))
        start |= optimizer.start()
        memory = _memory(training["memory"], start)
        step = check.whole_number("step", training["step"], 0)
        optimizer.expect(net.dtype)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: the settings of its training are wrong: {error}") from None
    if not optimizer.keeps(0 if moments is None else len(moments)):
        raise ValueError(f"{path}: optimizer.moments does not fit {optimizer.name!r}")
    if moments is not None:
        squares = optimizer.squares
        if squares is not None and moments[squares].min() < 0:
            raise ValueError(f"{path}: optimizer.moments[{squares}] holds negative numbers")
        moments = np.array(moments)
    return TrainingState(optimizer, schedule, memory, step, moments)


def _memory(given, start):
    """What a schedule remembers: numbers under the names that it has at its start."""
    if not isinstance(given, dict) or given.keys() != start.keys():
        raise ValueError(
            f"memory is {shown(given)}, but {', '.join(start) or 'nothing'} is expected"
        )
    for name, value in given.items():
        if value is not None or start[name] is not None:
            if type(value) not in (int, float):
                raise ValueError(f"memory's {name} is {shown(value)}, but a number is expected")
            check.finite_number(f"memory's {name}", value)
    return dict(given)


def _header(file, path):
    """The text of the JSON header, and how many bytes follow it."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        raise ValueError(f"{path} is not a safetensors file: {size} bytes cannot hold its header")
    _check_length(length, path)
    return file.read(length), size - 8 - length


def _check_length(length, path):
    if length > HEADER_LIMIT:
        raise ValueError(f"{path}: the header has {length} bytes; at most {HEADER_LIMIT} are read")


def _parsed(text, path):
    try:
        header = json.loads(text.decode(), object_pairs_hook=without_duplicates)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from None
    if not isinstance(header, dict):
        raise ValueError(f"{path} is not a safetensors file: its header is no JSON object")
    return header


def without_duplicates(pairs):
    """An object of JSON as a dict."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name stands twice in it")
    return dict(pairs)


def _metadata(header, path):
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or not isinstance(metadata.get("bpcore"), str):
        raise ValueError(f"{path} holds no bpcore network: its metadata has no entry 'bpcore'")
    try:
        settings = json.loads(metadata["bpcore"])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: the settings are no JSON: {error}") from None
    names = ("format", "sizes", "hidden", "output", "loss", "init", "seed", "epochs")
    if not isinstance(settings, dict) or any(name not in settings for name in names):
        raise ValueError(f"{path}: the settings need {', '.join(names)}")
    if settings["format"] not in READABLE:
        raise ValueError(f"{path} has format {shown(settings['format'])}, but {FORMAT} is expected")
    sizes = settings["sizes"]
    if not isinstance(sizes, list) or not all(type(n) is int and 0 < n < 1 << 40 for n in sizes):
        raise ValueError(
            f"{path}: sizes is {shown(sizes)}, but positive whole numbers are expected"
        )
    return settings


def _layout(header, sizes, available, path):
    """``{name: (dtype, begin, end, shape)}``, after checking that the tensors fill the file."""
    expected, parameters, complete = {}, 0, len(sizes) > 1
    for layer, (inputs, outputs) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        expected[f"layers.{layer}.weight"] = [outputs, inputs]
        expected[f"layers.{layer}.bias"] = [outputs]
        parameters += (inputs + 1) * outputs
        if f"layers.{layer}.weight" not in header or f"layers.{layer}.bias" not in header:
            complete = False
            break  # There may be many more layers than the file has room for.
    expected |= {"input.shift": sizes[:1], "input.scale": sizes[:1]}
    expected["optimizer.moments"] = [_moment_count(header), parameters]
    has_half = ("input.shift" in header) != ("input.scale" in header)
    if not complete or not header.keys() <= expected.keys() or has_half:
        raise ValueError(
            f"{path}: the tensors are not those of a network with sizes {shown(sizes)}"
        )
    tensors = {name: _tensor(entry, expected[name], name, path) for name, entry in header.items()}
    for name in ("input.shift", "input.scale"):
        if name in tensors and tensors[name][0] != DTYPES["F64"]:
            raise ValueError(f"{path}: {name} is not in double")
    if len({tensor[0] for name, tensor in tensors.items() if name[:6] != "input."}) > 1:
        raise ValueError(f"{path}: the tensors differ in dtype")
    position = 0
    for _, begin, end, _ in sorted(tensors.values(), key=lambda tensor: tensor[1:3]):
        if begin != position:
            raise ValueError(f"{path}: tensors overlap or leave a gap at byte {position}")
        position = end
    if position != available:
        raise ValueError(f"{path} has {available} bytes of tensors, but its header says {position}")
    return tensors


def _moment_count(header):
    """The number of arrays that the file says; its optimiser knows which it can be."""
    entry = header.get("optimizer.moments")
    shape = entry.get("shape") if isinstance(entry, dict) else None
    count = shape[0] if isinstance(shape, list) and shape else None
    return count if type(count) is int and count > 0 else 1


def _tensor(entry, shape, name, path):
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{path}: {name} needs dtype, shape and data_offsets")
    if not isinstance(entry["dtype"], str) or entry["dtype"] not in DTYPES:
        raise ValueError(
            f"{path}: {name} has dtype {shown(entry['dtype'])}, but F32 or F64 is expected"
        )
    if entry["shape"] != shape:
        raise ValueError(
            f"{path}: {name} has shape {shown(entry['shape'])}, but {shape} is expected"
        )
    dtype, offsets = DTYPES[entry["dtype"]], entry["data_offsets"]
    is_pair = isinstance(offsets, list) and len(offsets) == 2
    if not is_pair or not all(type(offset) is int for offset in offsets):
        raise ValueError(
            f"{path}: {name} has data_offsets {shown(offsets)}, but two numbers are expected"
        )
    begin, end = offsets
    size = dtype.itemsize * math.prod(shape)
    if begin < 0 or end - begin != size:
        raise ValueError(f"{path}: {name} has {end - begin} bytes, but its shape needs {size}")
    return dtype, begin, end, shape
