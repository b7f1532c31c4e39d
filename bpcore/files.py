"""Model files: safetensors, written whole or not at all, read as data and never as code.

The format (github.com/huggingface/safetensors): eight bytes with the header's length,
little-endian; a JSON header ``{name: {"dtype", "shape", "data_offsets"}, "__metadata__": {...}}``;
then the tensors' bytes. A network has ``layers.0.weight`` (outputs, inputs), ``layers.0.bias``
(outputs,), and so on, and its settings as JSON in the metadata under ``bpcore``. A file is taken
for hostile until every number in it has been checked against the file's size.
"""

import contextlib
import json
import os

import numpy as np

from . import _check

FORMAT = 1
HEADER_LIMIT = 1 << 20  # bytes; a header of a network has some hundred bytes a layer
DTYPES = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
ALIGNMENT = (
    64  # of the tensors in the file: a cache line, so that a mapped file can be used in place
)


def save(net, path):
    """Write ``net`` to ``path``; see ``Network.save``."""
    path = os.fspath(path)
    code = "F32" if net.dtype == np.float32 else "F64"
    tensors = {}
    for layer, (W, b) in enumerate(zip(net.weights, net.biases, strict=True)):
        tensors[f"layers.{layer}.weight"] = np.ascontiguousarray(W, DTYPES[code])
        tensors[f"layers.{layer}.bias"] = np.ascontiguousarray(b, DTYPES[code])
    header, end = {"__metadata__": {"bpcore": json.dumps(_settings(net))}}, 0
    for name, tensor in tensors.items():
        header[name] = {
            "dtype": code,
            "shape": list(tensor.shape),
            "data_offsets": [end, end + tensor.nbytes],
        }
        end += tensor.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % ALIGNMENT)
    _replace(
        path, [len(text).to_bytes(8, "little"), text, *map(np.ndarray.tobytes, tensors.values())]
    )


def _settings(net):
    return {
        "format": FORMAT,
        "sizes": list(net.sizes),
        "hidden": list(net.hidden),
        "output": net.output,
        "loss": net.loss_name,
        "init": net.init,
        "seed": net.seed,
        "epochs": net.epochs,
    }


def _replace(path, chunks):
    """Write a temporary file beside ``path``, make sure that it is on the disk, and rename it."""
    folder, name = os.path.split(os.path.abspath(path))
    temporary = os.path.join(folder, f".{name}.{os.urandom(6).hex()}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(temporary, flags, 0o666)
    except OSError as error:  # The user knows the path, not the temporary file.
        raise type(error)(error.errno, error.strerror, path) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):  # Permissions of the file that is replaced.
            os.chmod(temporary, os.stat(path).st_mode & 0o777)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_folder(folder)


def _sync_folder(folder):
    if os.name == "nt":  # Windows has no way to flush a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def load(cls, path):
    """The network in ``path``; see ``Network.load``."""
    path = os.fspath(path)
    with open(path, "rb") as file:
        header, start, size = _header(file, path)
        settings = _metadata(header, path)
        tensors = _layout(header, settings["sizes"], size - start, path)
        dtype = next(iter(tensors.values()))[0]
        try:
            net = cls(
                settings["sizes"],
                hidden=settings["hidden"],
                output=settings["output"],
                loss=settings["loss"],
                init=settings["init"],
                seed=settings["seed"],
                dtype=dtype.newbyteorder("=").name,
            )
            net.epochs = _check.whole_number("epochs", settings["epochs"], 0, 2**63 - 1)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: the settings make no network: {error}") from None
        for layer in range(len(net.weights)):
            for name, view in (("weight", net.weights[layer]), ("bias", net.biases[layer])):
                _, begin, end = tensors[f"layers.{layer}.{name}"]
                file.seek(start + begin)
                view[...] = np.frombuffer(file.read(end - begin), dtype).reshape(view.shape)
    _check.numbers(f"{path}: parameters", net.parameters, net.dtype.name)
    return net


def _header(file, path):
    """The JSON header, where the tensors start, and the file's size."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        raise ValueError(f"{path} is not a safetensors file: {size} bytes cannot hold its header")
    if length > HEADER_LIMIT:
        raise ValueError(f"{path} has a header of {length} bytes; at most {HEADER_LIMIT} are read")
    try:
        header = json.loads(file.read(length).decode(), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from None
    if not isinstance(header, dict):
        raise ValueError(f"{path} is not a safetensors file: its header is no JSON object")
    return header, 8 + length, size


def _without_duplicates(pairs):
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name stands twice in its header")
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
    if settings["format"] != FORMAT:
        raise ValueError(f"{path} has format {settings['format']!r}, but {FORMAT} is expected")
    sizes = settings["sizes"]
    if not isinstance(sizes, list) or not all(type(n) is int and 0 < n < 1 << 40 for n in sizes):
        raise ValueError(f"{path}: sizes is {sizes!r}, but positive whole numbers are expected")
    return settings


def _layout(header, sizes, available, path):
    """``{name: (dtype, begin, end)}``, after checking that the tensors fill the file exactly."""
    expected = {}
    for layer, (inputs, outputs) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        expected[f"layers.{layer}.weight"] = [outputs, inputs]
        expected[f"layers.{layer}.bias"] = [outputs]
    if not expected or set(header) != set(expected):
        raise ValueError(f"{path}: the tensors are not those of a network with sizes {sizes}")
    tensors = {name: _tensor(entry, expected[name], name, path) for name, entry in header.items()}
    if len({dtype for dtype, _, _ in tensors.values()}) > 1:
        raise ValueError(f"{path}: the tensors differ in dtype")
    position = 0
    for _, begin, end in sorted(tensors.values(), key=lambda tensor: tensor[1:]):
        if begin != position:
            raise ValueError(f"{path}: tensors overlap or leave a gap at byte {position}")
        position = end
    if position != available:
        raise ValueError(f"{path} has {available} bytes of tensors, but its header says {position}")
    return tensors


def _tensor(entry, shape, name, path):
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{path}: {name} needs dtype, shape and data_offsets")
    if not isinstance(entry["dtype"], str) or entry["dtype"] not in DTYPES:
        raise ValueError(f"{path}: {name} has dtype {entry['dtype']!r}, but F32 or F64 is expected")
    if entry["shape"] != shape:
        raise ValueError(f"{path}: {name} has shape {entry['shape']!r}, but {shape} is expected")
    dtype, offsets = DTYPES[entry["dtype"]], entry["data_offsets"]
    if not (
        isinstance(offsets, list) and len(offsets) == 2 and all(type(o) is int for o in offsets)
    ):
        raise ValueError(
            f"{path}: {name} has data_offsets {offsets!r}, but two numbers are expected"
        )
    begin, end = offsets
    size = dtype.itemsize
    for n in shape:
        size *= n
    if begin < 0 or end - begin != size:
        raise ValueError(f"{path}: {name} has {end - begin} bytes, but its shape needs {size}")
    return dtype, begin, end
