"""Model files: nothing is lost, nothing is let in."""

import json
import os
import tracemalloc

import numpy as np
import pytest

import bpcore
from tests.bits import same_bits


def trained(dtype="float32", standardize=False, **how):
    random = np.random.default_rng(0)
    X, y = random.normal(size=(40, 5)), random.integers(3, size=40)
    settings = {"hidden": "tanh", "output": "softmax", "seed": 7, "standardize": standardize}
    net = bpcore.Network([5, 4, 3], dtype=dtype, **settings)
    net.fit(X, y, epochs=3, batch_size=8, learning_rate=0.1, **how)
    return net, X, y


def parts(path):
    """Header and tensor bytes, taken apart by hand."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    return json.loads(raw[8 : 8 + length]), raw[8 + length :]


def assemble(path, header, body):
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


def rewrite(path, change):
    """change(settings, header, body) edits the file's parts; what it returns is the new body."""
    header, body = parts(path)
    settings = json.loads(header["__metadata__"]["bpcore"])
    body = change(settings, header, body) or body
    header["__metadata__"]["bpcore"] = json.dumps(settings)
    assemble(path, header, body)


@pytest.fixture
def path(tmp_path):
    """The file of a trained network."""
    trained()[0].save(tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_loaded_network_continues_bit_for_bit(tmp_path, dtype):
    net, X, y = trained(dtype)
    net.save(tmp_path / "m.safetensors")
    twin = bpcore.Network.load(tmp_path / "m.safetensors")
    assert repr(twin) == repr(net)
    for each in (net, twin):
        each.fit(X, y, epochs=4, batch_size=8, learning_rate=0.1)
    np.testing.assert_array_equal(net.parameters, twin.parameters)


def test_the_file_is_safetensors_with_the_tutorials_shapes(tmp_path):
    net, *_ = trained()
    net.save(tmp_path / "m.safetensors")
    header, body = parts(tmp_path / "m.safetensors")
    assert header["layers.0.weight"]["shape"] == [4, 5]
    begin, end = header["layers.1.weight"]["data_offsets"]
    np.testing.assert_array_equal(
        np.frombuffer(body[begin:end], "<f4").reshape(3, 4), net.weights[1]
    )
    assert (tmp_path / "m.safetensors").read_bytes()[8:].index(b'{"') == 0
    assert sum(np.prod(t["shape"]) for n, t in header.items() if n[0] == "l") * 4 == len(body)


def test_every_truncation_is_refused(path):
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="m.safetensors"):
            bpcore.Network.load(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(ValueError, match="bytes of tensors"):
        bpcore.Network.load(path)


def entry(header, name, **changes):
    header[name] = {**header[name], **changes}


HOSTILE = {
    "overlap": lambda h: entry(h, "layers.0.bias", data_offsets=[0, 16]),
    "negative": lambda h: entry(h, "layers.0.bias", data_offsets=[-16, 0]),
    "fraction": lambda h: entry(h, "layers.0.bias", data_offsets=[80.0, 96.0]),
    "true for one": lambda h: entry(h, "layers.0.bias", shape=[True]),
    "other shape": lambda h: entry(h, "layers.0.weight", shape=[5, 4]),
    "other dtype": lambda h: entry(h, "layers.0.weight", dtype="I32"),
    "dtype a list": lambda h: entry(h, "layers.0.weight", dtype=["F32"]),
    "extra tensor": lambda h: h.update(x=h["layers.0.bias"]),
    "missing tensor": lambda h: h.pop("layers.0.bias"),
    "no metadata": lambda h: h.pop("__metadata__"),
    "settings no JSON": lambda h: h["__metadata__"].update(bpcore="{"),
    "settings a list": lambda h: h["__metadata__"].update(bpcore="[]"),
    "settings deep": lambda h: h["__metadata__"].update(bpcore="[" * 100000),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_header_is_refused(path, change):
    header, body = parts(path)
    change(header)
    assemble(path, header, body)
    with pytest.raises(ValueError, match="m.safetensors"):
        bpcore.Network.load(path)


def without(header, body, name):
    """The tensors' bytes without those of one that the header no longer knows either."""
    kept = b""
    del header[name]
    for tensor in (entry for other, entry in header.items() if other != "__metadata__"):
        begin, end = tensor["data_offsets"]
        tensor["data_offsets"] = [len(kept), len(kept) + end - begin]
        kept += body[begin:end]
    return kept


@pytest.mark.parametrize("name", ["layers.0.weight", "layers.0.bias", "layers.1.bias"])
def test_a_tensor_that_is_left_out_with_its_bytes_is_refused(path, name):
    rewrite(path, lambda settings, header, body: without(header, body, name))
    with pytest.raises(ValueError, match="the tensors are not those of a network with sizes"):
        bpcore.Network.load(path)


def test_no_layer_and_no_tensor_is_refused(path):
    header, _ = parts(path)
    settings = json.loads(header["__metadata__"]["bpcore"]) | {"sizes": [5], "training": None}
    assemble(path, {"__metadata__": {"bpcore": json.dumps(settings)}}, b"")
    with pytest.raises(ValueError, match=r"not those of a network with sizes \[5\]"):
        bpcore.Network.load(path)


SETTINGS = {
    "huge sizes": dict(sizes=[2**39, 2**39]),
    "sizes a string": dict(sizes="55"),
    "unknown activation": dict(hidden=["eval"]),
    "hidden a number": dict(hidden=1),
    "output a list": dict(output=[]),
    "loss that does not fit": dict(loss="bce"),
    "later format": dict(format=3),
    "negative epochs": dict(epochs=-1),
    "more epochs than are counted": dict(epochs=2**63),
    "seed a string": dict(seed="7"),
    "no seed": dict(seed=None),
    "init unknown": dict(init={"a": 1}),
}


@pytest.mark.parametrize("change", SETTINGS.values(), ids=SETTINGS)
def test_hostile_settings_are_refused(path, change):
    rewrite(path, lambda settings, *_: settings.update(change))
    with pytest.raises(ValueError, match="m.safetensors"):
        bpcore.Network.load(path)


def test_parameters_that_are_not_finite_are_refused(path):
    header, body = parts(path)
    assemble(path, header, np.float32(np.nan).tobytes() + body[4:])
    with pytest.raises(ValueError, match=r"m.safetensors: layers.0.weight\[0, 0\] is nan"):
        bpcore.Network.load(path)


FULL = OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("name", "error"), [("fsync", FULL), ("replace", FULL), ("fsync", KeyboardInterrupt())]
)
def test_a_save_that_fails_or_is_interrupted_keeps_the_old_file(
    tmp_path, path, monkeypatch, name, error
):
    net, old = bpcore.Network.load(path), path.read_bytes()

    def fail(*arguments):
        raise error

    monkeypatch.setattr(os, name, fail)
    with pytest.raises(type(error), match=error.strerror if error is FULL else None):
        net.save(path)
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == ["m.safetensors"]


def test_paths_that_cannot_be_are_reported(tmp_path):
    net, *_ = trained()
    with pytest.raises(FileNotFoundError):
        net.save(tmp_path / "missing" / "m.safetensors")
    with pytest.raises(FileNotFoundError):
        bpcore.Network.load(tmp_path / "m.safetensors")
    with pytest.raises(OSError):
        bpcore.Network.load(tmp_path)


def test_a_new_file_has_ordinary_permissions(tmp_path, path):
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    assert path.stat().st_mode == ordinary.stat().st_mode


def with_length(header, length=None):
    """A file of a header alone."""
    return (len(header) if length is None else length).to_bytes(8, "little") + header


HEADERS = {
    "longer than is read": (with_length(b"{}" + b" " * (1 << 20)), "at most 1048576 are read"),
    "as long as is read": (with_length(b"{}" + b" " * ((1 << 20) - 2)), "holds no bpcore network"),
    "as long as its file": (with_length(b"{}"), "holds no bpcore network"),
    "longer than its file": (with_length(b"{}", 3), "10 bytes cannot hold its header"),
    "half a length": (bytes(7), "7 bytes cannot hold its header"),
    "no byte": (b"", "0 bytes cannot hold its header"),
    "nothing": (with_length(b""), "Expecting value"),
    "no text": (with_length(b'{"\xff": 1}'), "not a safetensors file"),
    "no JSON": (with_length(b"{"), "not a safetensors file"),
    "too deep": (with_length(b"[" * 100000), "not a safetensors file"),
    "a list": (with_length(b"[]"), "its header is no JSON object"),
    "a name twice": (with_length(b'{"a": 1, "a": 2}'), "a name stands twice"),
    "a name twice, deeper": (with_length(b'{"a": {"b": 1, "b": 1}}'), "a name stands twice"),
}


@pytest.mark.parametrize(("content", "reason"), HEADERS.values(), ids=HEADERS)
def test_a_header_that_is_none_is_refused_with_the_reason(tmp_path, content, reason):
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=reason) as caught:
        bpcore.Network.load(path)
    assert str(path) in str(caught.value)


SIZES = {
    "none": ([0, 4, 3], "positive whole numbers are expected"),
    "one": ([1, 4, 3], "layers.0.weight has shape"),
    "the largest": ([2**40 - 1, 4, 3], "layers.0.weight has shape"),
    "larger": ([2**40, 4, 3], "positive whole numbers are expected"),
    "a flag": ([True, 4, 3], "positive whole numbers are expected"),
    "no layer": ([5], "not those of a network with sizes"),
}


@pytest.mark.parametrize(("sizes", "reason"), SIZES.values(), ids=SIZES)
def test_sizes_are_judged_before_anything_is_made_of_them(path, sizes, reason):
    rewrite(path, lambda settings, *_: settings.update(sizes=sizes))
    with pytest.raises(ValueError, match=reason):
        bpcore.Network.load(path)


@pytest.mark.parametrize("epochs", [0, 2**63 - 1, np.int64(7)])
def test_the_fewest_and_the_most_epochs_are_read_and_a_numpy_count(tmp_path, epochs):
    net, *_ = trained()
    net.epochs = epochs
    net.save(tmp_path / "m.safetensors")
    assert bpcore.Network.load(tmp_path / "m.safetensors").epochs == epochs


def test_tensors_begin_at_a_cache_line(tmp_path):
    """For each length that a header's last word can have."""
    for name in ("relu", "tanh", "sigmoid", "identity", "leaky_relu", "softplus"):
        bpcore.Network([5, 4, 3], hidden=name).save(tmp_path / name)
        length = int.from_bytes((tmp_path / name).read_bytes()[:8], "little")
        assert (8 + length) % 64 == 0


# ---- How a file gets there -----------------------------------------------------------------------


def test_a_file_is_whole_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """The bytes, then the name, then the folder: a crash between two of them loses nothing."""
    net, *_ = trained()
    net.save(tmp_path / "first")
    size, events = (tmp_path / "first").stat().st_size, []
    fsync, replace = os.fsync, os.replace

    def flushed(descriptor):
        is_folder = os.path.isdir(f"/proc/self/fd/{descriptor}")
        events.append("folder" if is_folder else os.fstat(descriptor).st_size)
        fsync(descriptor)

    def renamed(old, new):
        events.append(os.path.basename(new))
        replace(old, new)

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("there is no /proc here")
    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", renamed)
    net.save(tmp_path / "second")
    assert events == [size, "second", "folder"]


def test_saving_and_loading_leave_no_file_open(tmp_path):
    """The next descriptor is the lowest free one."""

    def next_descriptor():
        descriptor = os.open(os.devnull, os.O_RDONLY)
        os.close(descriptor)
        return descriptor

    net, *_ = trained()
    before = next_descriptor()
    net.save(tmp_path / "m.safetensors")
    bpcore.Network.load(tmp_path / "m.safetensors")
    with pytest.raises(FileNotFoundError):
        net.save(tmp_path / "missing" / "m.safetensors")
    assert next_descriptor() == before


def test_a_path_is_text_bytes_or_what_fspath_says(tmp_path):
    class Place:
        def __fspath__(self):
            return os.fspath(tmp_path / "missing" / "m.safetensors")

    net, *_ = trained()
    with pytest.raises(FileNotFoundError) as caught:
        net.save(Place())
    assert caught.value.filename == os.fspath(Place())
    os.mkdir(tmp_path / "missing")
    net.save(Place())
    assert repr(bpcore.Network.load(Place())) == repr(net)
    for path in (os.fspath(Place()), os.fsencode(tmp_path / "bytes")):
        net.save(path)
        assert repr(bpcore.Network.load(path)) == repr(net)
    with open(Place(), "wb"), pytest.raises(ValueError, match="missing.m.safetensors"):
        bpcore.Network.load(Place())


def test_windows_flushes_no_folder(monkeypatch, tmp_path):
    """It has no way to: elsewhere a folder that is not there is an error."""
    from bpcore._io import atomic_write

    missing = os.fspath(tmp_path / "missing")
    with pytest.raises(FileNotFoundError):
        atomic_write._sync_folder(missing, "m.safetensors")
    with monkeypatch.context() as patch:
        patch.setattr(os, "name", "nt")
        atomic_write._sync_folder(missing, "m.safetensors")


def peak(call):
    """The most memory that a call takes at once, and what it returns or raises."""
    tracemalloc.start()
    try:
        result = call()
    except ValueError as error:
        result = error
    finally:
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return used, result


def test_a_network_is_loaded_in_twice_the_memory_of_its_file(tmp_path):
    path = tmp_path / "m.safetensors"
    bpcore.Network([2000, 2000], seed=0).save(path)
    used, net = peak(lambda: bpcore.Network.load(path))
    assert net.sizes == (2000, 2000)
    assert used < 2.1 * path.stat().st_size
    drawn, _ = peak(lambda: bpcore.Network([2000, 2000], seed=0))
    assert drawn > 2.5 * path.stat().st_size  # What drawing start weights would have taken.


def test_layers_that_the_file_has_no_room_for_take_no_memory(tmp_path):
    path = tmp_path / "m.safetensors"
    trained()[0].save(path)
    header, body = parts(path)
    settings = {**json.loads(header["__metadata__"]["bpcore"]), "sizes": [1] * 400_000}
    header["__metadata__"]["bpcore"] = json.dumps(settings, separators=(",", ":"))
    assemble(path, header, body)
    used, error = peak(lambda: bpcore.Network.load(path))
    assert "not those of a network" in str(error) and len(str(error)) < 500
    assert used < 2 * path.stat().st_size + (16 << 20)


# ---- What load would refuse is not saved ---------------------------------------------------------

# What a user does to net, and why its file is not written.
REFUSED = {
    "weights[1][0, 2] = inf": r"layers.1.weight\[0, 2\] is inf as float32, but it must be finite",
    "biases[0][3] = nan": r"layers.0.bias\[3\] is nan as float32, but it must be finite",
    "scaling.scale[1] = nan": r"input.scale\[1\] is nan as float64, but it must be finite",
    "scaling = bpcore.Standardizer([0, 0], [1, 1])": (
        r"input.shift has shape \[2\], but \[5\] is expected"
    ),
    "epochs = 2**63": "epochs is 9223372036854775808, but it must be at most 9223372036854775807",
    "seed = None": "seed is None, but a whole number is expected",
    "epochs = -1": "epochs is -1, but it must be at least 0",
    "_state.moments[1, 20] = -1": r"optimizer.moments\[1\] holds negative numbers",
}


@pytest.mark.parametrize(("change", "reason"), REFUSED.items(), ids=REFUSED)
def test_a_state_that_load_would_refuse_leaves_the_good_file_or_none(tmp_path, change, reason):
    path, (net, *_) = tmp_path / "net", trained(standardize=True, optimizer="adam")
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
