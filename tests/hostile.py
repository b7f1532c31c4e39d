"""What strangers give: files, sparse matrices and arguments, and the laws that each input keeps.

An input is bytes. Strategies change those of tests/corpora, which hold what every branch of a
reader has to see and what was found once; what is too large for it is made here.
"""

import contextlib
import functools
import gzip
import hashlib
import io
import itertools
import json
import math
import pickletools
import sys
import tempfile
import time
import traceback
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
from hypothesis import strategies as st

import bpcore
from bpcore._io import recipe, recording
from bpcore.datasets import _fetch, _idx

CORPORA = Path(__file__).resolve().parent / "corpora"
SECONDS = 1.0  # The law's; a slow build is given more.
SPARE_BYTES = 64 << 20
TRIES = 2  # What is slow is slow each time.
MOST_CHANGED = 1 << 16  # bytes of an input that is changed: small ones are quick.


@dataclass(frozen=True)
class Target:
    """Code that takes what strangers give.

    ``run(data, folder)`` hands the bytes ``data`` to the code under test, and returns how many
    bytes its result has; ``folder`` is for files. ``corpus`` is {name: input}; ``changes`` makes a
    strategy of changed inputs of one of inputs. ``allowed`` are the exceptions that refuse.
    """

    run: Callable
    corpus: dict
    changes: Callable
    allowed: tuple = (ValueError,)


# ---- Laws ----------------------------------------------------------------------------------------


def broken(target, data, folder, most_seconds=SECONDS):
    """The law that this input breaks, in words, or None."""
    tracemalloc.start()
    try:
        said, seconds = _once(target, data, folder)
    finally:
        tracemalloc.stop()
    if said is not None or seconds <= most_seconds:
        return said
    trace = sys.gettrace()  # What watches an input slows it down: without it, its time is its own.
    sys.settrace(None)
    seconds = min(_once(target, data, folder)[1] for _ in range(TRIES))
    sys.settrace(trace)
    slow = f"TooSlow: {seconds:.1f} s, more than {most_seconds:g} s"
    return slow if seconds > most_seconds else None


def _once(target, data, folder):
    before, started = tracemalloc.get_traced_memory()[0], _clocks()
    size, said, refused_memory = 0, None, False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # Advice is a result; others are errors.
            warnings.filterwarnings("ignore", ".* has not converged", RuntimeWarning)
            size = target.run(data, folder)
    except target.allowed as error:
        refused_memory = isinstance(error, MemoryError)  # NumPy counts what it did not get.
        said = None if str(error) else f"{type(error).__name__} without a word"
    except Exception as error:  # Any other one breaks the law that is tested here.
        said = f"{type(error).__name__}: {str(error)[:200]} at {_place(error)}"
    computed, passed = (now - then for now, then in zip(_clocks(), started, strict=True))
    used = tracemalloc.get_traced_memory()[1] - before
    most = 2 * max(len(data), size) + SPARE_BYTES
    if said is None and used > most and not refused_memory:
        said = f"TooLarge: {used >> 20} MB of memory for an input of {len(data)} bytes"
    return said, max(computed, passed)


def _clocks():
    """Seconds of computing, and seconds that passed while no other process had the processor."""
    try:
        with open("/proc/self/schedstat") as file:
            elsewhere = int(file.read().split()[1]) / 1e9
    except OSError:  # Not Linux: the clock alone.
        elsewhere = 0.0
    return time.process_time(), time.perf_counter() - elsewhere


def _place(error):
    """Where the exception was raised: the innermost line of the library, if there is one."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "bpcore" in Path(frame.filename).parts]
    frame = (ours or frames)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


# ---- Changes of bytes and of trees as JSON has them ----------------------------------------------

INTEGERS = [0, 1, 2, 3, 4, 7, 8, 16, 127, 255, 256, 1 << 15, 1 << 16, (1 << 31) - 1, 1 << 31]
INTEGERS += [(1 << 32) - 1, 1 << 32, (1 << 53) + 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 64]
NUMBERS = INTEGERS + [-n for n in INTEGERS] + [10**30, 10**400, 0.5, 1.5, -0.0, 1e-320, 1e-50]
NUMBERS += [1e38, 1e39, 1e300, -1e308, math.nan, math.inf, -math.inf]
OTHERS = [None, True, False, "", "a", "1", "\ud800", "nan", [], {}, [[]], [0], ["a", 1], {"a": 1}]
DTYPES = ["float32", "float64", "int32", "int64", "uint32", "uint64", "int8", "bool", "complex64"]
DTYPES += ["object", "str", ">i4", ">f8", "float16", "datetime64[s]"]
DEEP = "a deep list"  # json.dumps could not write one, so a word stands for it.


def corpus(name):
    return {path.name: path.read_bytes() for path in sorted((CORPORA / name).iterdir())}


def small(inputs):
    """A strategy of those that are changed."""
    return st.sampled_from([data for data in inputs.values() if len(data) <= MOST_CHANGED])


@st.composite
def changed_bytes(draw, data, others):
    """``data`` after one to four changes; ``others``, a strategy, gives pieces."""
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 4]))):
        start = draw(st.integers(0, len(data)))
        end = start + draw(st.sampled_from([0, 1, 1, 1, 2, 4, 8, 64]))
        way, old = draw(st.integers(0, 4)), data[start:end]
        if way == 0:
            new = draw(st.binary(max_size=8))
        elif way == 1 and old:
            new = bytes([old[0] ^ 1 << draw(st.integers(0, 7))]) + old[1:]
        elif way == 2:
            new = old * draw(st.sampled_from([2, 3, 50]))
        elif way == 3:
            size = draw(st.sampled_from([1, 2, 4, 8]))
            order = draw(st.sampled_from(["little", "big"]))
            new = (draw(st.sampled_from(INTEGERS)) % (1 << 8 * size)).to_bytes(size, order)
        else:
            other = draw(others)
            begin = draw(st.integers(0, len(other)))
            new = other[begin : begin + draw(st.sampled_from([1, 4, 16, 100]))]
        data = data[:start] + new + data[end:]
    return data


def places(tree):
    """(holder, key) of each branch and leaf."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree if _is_list(tree) else ())
    for key, value in items:
        yield tree, key
        yield from places(value)


def _is_list(value):
    return isinstance(value, list)


def is_shallow(tree, depth=100):
    """Can it be walked through?"""
    branches = tree.values() if isinstance(tree, dict) else tree if _is_list(tree) else ()
    return depth > 0 and all(is_shallow(branch, depth - 1) for branch in branches)


def words_of(trees):
    """Keys and words of some trees."""
    found = [(key, holder[key]) for tree in trees for holder, key in places(tree)]
    return sorted({word for pair in found for word in pair if isinstance(word, str)})


def copied(tree):
    return json.loads(json.dumps(tree))


@st.composite
def changed_tree(draw, tree, words, other=None):
    """A copy of ``tree`` after one to three changes; ``other`` is a tree that gives branches."""
    tree, word = copied(tree), st.sampled_from([*words, "a"])
    leaf = st.sampled_from(NUMBERS) | st.sampled_from(OTHERS) | st.just(DEEP) | word
    value = (leaf | st.lists(st.sampled_from(NUMBERS), max_size=3)).map(copied)
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        here = list(places(tree))
        if not here:
            return draw(value)
        holder, key = draw(st.sampled_from(here))
        way = draw(st.integers(0, 6))
        if way == 0:
            del holder[key]
        elif way == 1:
            source, name = draw(st.sampled_from(list(places(other)) or here))
            holder[key] = copied(source[name])
        elif way == 2 and isinstance(holder, dict):
            holder[draw(word)] = draw(value | st.just(holder.pop(key)))
        elif way == 3 and _is_list(holder):
            many = 3 if isinstance(holder[key], (dict, list)) else 300
            holder[key:key] = [holder[key]] * draw(st.sampled_from([1, 1, 2, many]))
        elif way == 4 and type(holder[key]) is int:
            holder[key] += draw(st.sampled_from([-1, 1, 8, -holder[key] * 2]))
        elif way == 5 and isinstance(holder, dict):
            holder[draw(word)] = draw(value)
        else:
            holder[key] = draw(value)
    return tree


@st.composite
def text(draw, tree):
    """JSON of a tree, where words for deep lists become deep lists."""
    written = json.dumps(tree)
    if DEEP in written:
        depth = draw(st.sampled_from([40, *range(880, 1000, 4), 200_000]))
        written = written.replace(json.dumps(DEEP), "[" * depth + "]" * depth)
    return written


# ---- Model files ---------------------------------------------------------------------------------


def read(path, data, reader):
    """What a reader makes of a file of these bytes."""
    path.write_bytes(data)
    try:
        return reader(path)
    except ValueError as error:
        if str(path) not in str(error):
            raise AssertionError(f"the error does not name the file: {str(error)[:80]}") from None
        raise


def run_model(data, folder):
    net = read(folder / "model.safetensors", data, bpcore.Network.load)
    if not np.isfinite(net.parameters).all():
        raise AssertionError("the network has numbers that are not finite")
    net.forward(np.zeros((1, net.sizes[0])))
    return 0


def model_parts(data):
    """(header, body) of a file, its settings as a tree, or None."""
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + length])
        header["__metadata__"]["bpcore"] = json.loads(header["__metadata__"]["bpcore"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return (header, data[8 + length :]) if is_shallow(header) else None


def assembled(header, body, write=json.dumps):
    """A file from its parts; settings that are a tree become JSON, as ``write`` makes it."""
    metadata = header.get("__metadata__")
    if isinstance(metadata, dict) and not isinstance(metadata.get("bpcore", ""), str):
        header = {**header, "__metadata__": {**metadata, "bpcore": write(metadata["bpcore"])}}
    head = write(header).encode()
    return len(head).to_bytes(8, "little") + head + body


@functools.cache
def saved(sizes, optimizer, **how):
    """The file of a network that has learned."""
    net, rows = bpcore.Network(sizes, output="identity", seed=1, **how), np.eye(4, 5)
    rate = 0.1 if optimizer == "sgd" else None
    net.fit(rows[:, : sizes[0]], rows[:, : sizes[-1]], epochs=1, optimizer=optimizer,
            learning_rate=rate)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        net.save(Path(folder) / "model")
        return (Path(folder) / "model").read_bytes()


SAVED = st.builds(
    saved,
    st.lists(st.sampled_from([1, 2, 3, 5]), min_size=2, max_size=4).map(tuple),
    st.sampled_from(["sgd", "adam", "rprop", "lbfgs", "levenberg_marquardt"]),
    dtype=st.sampled_from(["float32", "float64"]),
    standardize=st.booleans(),
)


@st.composite
def models(draw, inputs, words):
    """Bytes changed, the tree of the header or that of the settings."""
    data, other = draw(SAVED | inputs), draw(inputs)
    split, way = model_parts(data), draw(st.integers(0, 6))
    if split is None or way == 0:
        return draw(changed_bytes(data, inputs))
    header, body = split
    source = (model_parts(other) or split)[0]
    if way < 5:
        settings, theirs = (tree["__metadata__"]["bpcore"] for tree in (header, source))
        header["__metadata__"]["bpcore"] = draw(changed_tree(settings, words, theirs))
    if way > 3:
        header = draw(changed_tree(header, words, source))
    if not isinstance(header, dict):
        header = {"__metadata__": header}
    if draw(st.integers(0, 4)) == 4:
        body = draw(changed_bytes(body, inputs))
    return assembled(header, body, lambda tree: draw(text(tree)))


def model_target():
    inputs = corpus("model")
    words = words_of(split[0] for split in map(model_parts, inputs.values()) if split)
    header, body = model_parts(inputs["network-F32"])
    header["__metadata__"]["bpcore"]["sizes"] = [1] * 200_000
    inputs["header-above-limit"] = (2 << 20).to_bytes(8, "little") + b" " * (2 << 20)
    inputs["sizes-many"] = assembled(header, body)
    return Target(run_model, inputs, functools.partial(models, words=words))


# ---- IDX, plain and gzipped ----------------------------------------------------------------------


def run_idx(data, folder):
    array = read(folder / "idx", data, _idx.read_idx)
    if array.nbytes > 1 << 20:  # A check must not need the memory that it judges.
        return array.nbytes
    content = gzip.decompress(data) if data.startswith(_idx.GZIP_MAGIC) else data
    whole = content[4 + 4 * array.ndim :]
    if array.astype(array.dtype.newbyteorder(">")).tobytes() != whole:
        raise AssertionError("the array is not what the file holds")
    return array.nbytes


@st.composite
def idx_files(draw, inputs):
    """Of any shape, right or changed."""
    code, size = draw(
        st.sampled_from([(8, 1), (9, 1), (11, 2), (12, 4), (13, 4), (14, 8), (10, 1)])
    )
    shape = draw(st.lists(st.integers(0, 3), max_size=4) | st.just([1] * 32) | st.just([1] * 33))
    head = bytes([0, 0, code, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
    made = head + bytes(range(256))[: size * math.prod(shape)]
    return draw(st.just(made) | changed_bytes(made, inputs) | changed_bytes(draw(inputs), inputs))


def idx_target():
    inputs = corpus("idx")
    return Target(run_idx, inputs, idx_files)


PLAIN = small(corpus("idx"))


def gz(content):
    """The same bytes each time: without a date."""
    return gzip.compress(content, 6, mtime=0)


@st.composite
def packed_files(draw, inputs):
    """Contents packed, the bytes changed or not; or a bomb, of which the header tells the truth or
    nothing."""
    if draw(st.integers(0, 7)) == 7:
        head = draw(st.sampled_from([b"\0\0\x08\1\0\0\0\6", b"\0\0\x08\1\0\x10\0\0"]))
        return gz(head + bytes(draw(st.sampled_from([1, 1, 1, 16, 80])) << 20))
    packed = draw(st.builds(gz, idx_files(PLAIN)) | inputs)
    return draw(st.just(packed) | changed_bytes(packed, inputs))


def gz_target():
    inputs = corpus("idx_gz")
    head = b"\0\0\x08\1" + (80 << 20).to_bytes(4, "big")
    inputs["bomb-declared"] = gz(head + bytes(80 << 20))[:-9]
    return Target(run_idx, inputs, packed_files)


# ---- The wheel that holds MNIST ------------------------------------------------------------------


def run_wheel(data, folder):
    digest = hashlib.sha256(data).hexdigest()
    with mock.patch.multiple(_fetch, WHEEL_SHA256=digest, MOST_UNPACKED=1 << 24):
        return sum(array.nbytes for pair in _fetch._read_wheel(data) for array in pair)


def wheel(pickled, method=zipfile.ZIP_DEFLATED):
    """A wheel with this packed pickle in it."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", method) as archive:
        info = zipfile.ZipInfo(_fetch.WHEEL_MEMBER)
        info.compress_type = method
        archive.writestr(info, pickled)
    return memory.getvalue()


def operations(data):
    """The operations of the pickle in a wheel, as pieces of bytes, as far as they can be told
    apart: none where there is no pickle."""
    found = []
    with contextlib.suppress(Exception):  # Whatever is wrong.
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            with archive.open(_fetch.WHEEL_MEMBER) as member:
                pickled = gzip.GzipFile(fileobj=member).read(1 << 16)
        found = [len(pickled)]
        with contextlib.suppress(Exception):
            found = [place for _, _, place in pickletools.genops(pickled)] + found
    return [pickled[a:b] for a, b in itertools.pairwise([0, *found]) if a < b]


@st.composite
def wheels(draw, inputs, pieces):
    """Operations deleted, repeated, moved or put in; or bytes changed."""
    data = draw(inputs)
    parts = operations(data)
    if not parts or draw(st.integers(0, 4)) == 4:
        return draw(changed_bytes(data, inputs))
    for _ in range(draw(st.sampled_from([1, 1, 2, 4]))):
        at = draw(st.integers(0, len(parts) - 1))
        way = draw(st.integers(0, 3))
        new = draw(
            [st.just(b""), pieces, st.sampled_from(parts), changed_bytes(parts[at], pieces)][way]
        )
        parts[at : at + draw(st.integers(0, 1)) * (way != 0) + (way == 0)] = [new]
    packed = gz(b"".join(parts))
    if draw(st.integers(0, 9)) == 9:
        packed = draw(changed_bytes(packed, inputs))
    return wheel(packed, draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])))


def wheel_target():
    inputs = corpus("wheel")
    pieces = sorted({piece for data in inputs.values() for piece in operations(data)})
    return Target(run_wheel, inputs, functools.partial(wheels, pieces=st.sampled_from(pieces)))


# ---- Sparse matrices, and arguments of any kind: JSON, made into objects here --------------------


def tree_of(data):
    """The tree that an input says, or None."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) else None


def array(given):
    """{"values": ..., "dtype": ..., "step": ...} as an array; what makes none, as it is."""
    if not isinstance(given, dict) or "values" not in given:
        return given
    try:
        with np.errstate(all="ignore"):
            made = np.array(given["values"], given.get("dtype"))
        return made if given.get("step") is None else made[:: given["step"]]
    except (ValueError, TypeError, OverflowError, RecursionError, IndexError, Warning):
        return given


@st.composite
def trees(draw, inputs, words):
    data, other = draw(inputs), draw(inputs)
    tree, source = tree_of(data), tree_of(other)
    if tree is None or not is_shallow([tree, source]) or draw(st.integers(0, 19)) == 19:
        return draw(changed_bytes(data, inputs))
    return draw(text(draw(changed_tree(tree, words, source)))).encode()


def tree_target(name, run, allowed):
    inputs = corpus(name)
    words = sorted({*words_of(filter(None, map(tree_of, inputs.values()))), *DTYPES})
    return Target(run, inputs, functools.partial(trees, words=words), allowed)


class Matrix:
    """What a sparse matrix of SciPy shows of itself."""

    def __init__(self, tree):
        for name in ("shape", "indptr", "indices", "data", "ndim"):
            if name in tree:
                setattr(self, name, array(tree[name]))
        if isinstance(getattr(self, "shape", None), list):
            self.shape = tuple(self.shape)
        if "ndim" not in tree and hasattr(self, "shape"):
            self.ndim = len(self.shape) if isinstance(self.shape, tuple) else 2

    def tocsr(self):
        return self


def dense_of(X, features, dtype):
    """The same matrix as an array, entry by entry: duplicates are added in their own type."""
    dense = np.zeros((len(X.indptr) - 1, features), dtype)
    for row in range(len(dense)):
        sums = {}
        for at in range(int(X.indptr[row]), int(X.indptr[row + 1])):
            column, value = int(X.indices[at]), X.data[at : at + 1]
            sums[column] = np.add(sums[column], value) if column in sums else value
        for column, value in sums.items():
            dense[row, column] = value[0]
    return dense


def run_csr(data, folder):
    tree = tree_of(data)
    if tree is None:
        return 0
    dtype = "float64" if tree.get("double") else "float32"
    net = bpcore.Network([4, 3, 1], dtype=dtype, seed=0)
    X, y = Matrix(tree), array(tree.get("y"))
    if tree.get("call") == "fit":
        net.fit(X, y, epochs=1, learning_rate=0.1, sample_weight=array(tree.get("sample_weight")))
    elif tree.get("call") == "eval_set":
        net.fit([[0] * 4], [1], epochs=1, learning_rate=0.1, eval_set=(X, y))
    else:
        A = net.forward(X)
        with np.errstate(all="ignore"):
            expected = net.forward(dense_of(X, 4, dtype))
        if A.tobytes() != expected.tobytes():
            raise AssertionError("sparse rows give other bits than dense ones")
    return 0


def run_recipe(data, folder):
    """What can be said of a recipe without its network and data; its checksums fit, if any can."""
    tree = tree_of(data)
    with contextlib.suppress(Exception):
        entries = recipe._entries(tree)
        tree["checksums"] = {name: recipe._checksum(name, value) for name, value in entries}
        data = json.dumps(tree).encode()
    recording.told(read(folder / "recipe.json", data, recipe.read).training)
    return 0


def argument(given, depth=0):
    """What a tree says: arrays, tuples, or, where it is deeper than arguments are, itself."""
    if isinstance(given, dict) and "values" in given:
        return array(given)
    if isinstance(given, dict) and _is_list(given.get("tuple")) and depth < 5:
        return tuple(argument(one, depth + 1) for one in given["tuple"])
    if _is_list(given) and depth < 5:
        return [argument(one, depth + 1) for one in given]
    return given


def is_ordinary_but_large(sizes):
    """Would this network be made, and take long? What cannot be made is asked for all the same."""
    if not isinstance(sizes, (list, tuple)) or not all(type(n) is int and n > 0 for n in sizes):
        return False
    return 1 << 18 < sum((a + 1) * b for a, b in itertools.pairwise(sizes)) < 1 << 45


def is_batches(X):
    """Are these batches? The network has learned from those before one that is refused."""
    return _is_list(X) and any(isinstance(batch, tuple) for batch in X)


def run_network(data, folder):
    tree = tree_of(data) or {}
    settings, fit = tree.get("network"), tree.get("fit")
    if not isinstance(settings, dict) or not isinstance(fit, dict):
        return 0
    settings = {name: argument(value) for name, value in settings.items()}
    if is_ordinary_but_large(settings.get("sizes")):
        return 0
    net = bpcore.Network(**settings)
    before = net.parameters.tobytes()
    given = {name: argument(value) for name, value in fit.items()}
    if type(given.get("epochs")) is int and given["epochs"] < 1 << 63:
        given["epochs"] = min(given["epochs"], 4)
    try:
        net.fit(**given)
    except (ValueError, TypeError):
        kept = net.parameters.tobytes() != before or net.epochs or net._state or net.scaling
        if kept and not is_batches(given.get("X")):
            raise AssertionError("a refusal changed the network") from None
        raise
    return 0


REFUSALS = (ValueError, TypeError, MemoryError, FloatingPointError)  # As is documented.
TARGETS = {
    "model": model_target,
    "idx": idx_target,
    "idx_gz": gz_target,
    "wheel": wheel_target,
    "csr": lambda: tree_target("csr", run_csr, (ValueError, TypeError)),
    "recipe": lambda: tree_target("recipe", run_recipe, (ValueError, TypeError)),
    "network": lambda: tree_target("network", run_network, REFUSALS),
}
