"""Saving: the old file or the new one, whole, whatever goes wrong.

The oracle is the bytes of files that were saved undisturbed.
"""

import errno
import os
import sys
import time

import pytest

import bpcore
from tests.bits import same_bits
from tests.programs import ROOT

sys.path.append(str(ROOT / "tools"))
import faults

sys.path.append(str(ROOT / "tests"))
import saving

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no SIGKILL")
needs_faults = pytest.mark.skipif(faults.missing() is not None, reason=str(faults.missing()))


def in_place(net, path):
    """A save as one should not write it."""
    aside = path.with_name("aside")
    net.save(aside)
    content = aside.read_bytes()
    aside.unlink()
    with open(path, "wb", buffering=0) as file:
        for begin in range(0, len(content), 1000):
            file.write(content[begin : begin + 1000])
            time.sleep(0.001)  # Most of its time is spent with half a file.


@needs_fork
@pytest.mark.parametrize("count", [30, pytest.param(1000, marks=pytest.mark.long)])
def test_a_killed_process_leaves_a_whole_file(tmp_path, count):
    complaints, seen = saving.kills(count, tmp_path, seed=None if count == 1000 else 0)
    print(seen)
    assert complaints == [], seen


@needs_fork
def test_the_checker_sees_half_a_file(tmp_path):
    complaints, _ = saving.kills(20, tmp_path, save=in_place)
    assert any("nobody saved" in complaint for complaint in complaints)


@needs_faults
def test_every_failing_call_leaves_a_whole_file():
    done = faults.start(ROOT / "tests/saving.py", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("14 failing calls, 6 sizes of disk; 0 broken laws\n")


PLANTED = """
import pathlib, sys, tempfile, saving
def in_place(net, path):
    aside = path.with_name("aside")
    net.save(aside)
    path.write_bytes(aside.read_bytes())
    aside.unlink()
def left(net, path):
    aside = path.with_name("aside")
    net.save(aside)
    aside.replace(path)
def silent(net, path):
    try:
        net.save(path)
    except OSError:
        pass
def shifting(net, path):
    net.epochs += 1
    net.save(path)
def nothing(net, path):
    pass
with tempfile.TemporaryDirectory() as folder:
    for save in (in_place, left, silent, shifting, nothing):
        print("\\n".join(saving.each_call(pathlib.Path(folder), save)[0]))
"""


@needs_faults
def test_the_checker_sees_saves_that_break_a_law():
    done = faults.start("-c", PLANTED, capture_output=True, text=True)
    complaints = ["bytes are there", "aside is left", "no error was told", "another one"]
    for complaint in [*complaints, "fsync: a save makes no such call"]:
        assert complaint in done.stdout, done.stdout + done.stderr


def failing_sync(monkeypatch, number):
    """The flush of a folder fails; that of a file does not."""
    sync, count = os.fsync, []

    def fail(descriptor):
        count.append(descriptor)
        if len(count) == 2:
            raise OSError(number, os.strerror(number))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fail)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no way to flush a folder")
@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_cannot_flush_folders_is_no_error(tmp_path, monkeypatch, number):
    failing_sync(monkeypatch, number)
    net = bpcore.Network([2, 1], seed=0)
    net.save(tmp_path / "m")
    assert same_bits(bpcore.Network.load(tmp_path / "m").parameters, net.parameters)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no way to flush a folder")
def test_a_folder_that_was_not_flushed_is_an_error_that_says_what_there_is(tmp_path, monkeypatch):
    failing_sync(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match="in place and whole.*the old file may come back") as caught:
        bpcore.Network([2, 1], seed=0).save(tmp_path / "m")
    assert caught.value.filename == str(tmp_path / "m") and caught.value.errno == errno.EIO
    bpcore.Network.load(tmp_path / "m")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_a_private_file_is_private_while_it_grows(tmp_path, monkeypatch):
    path, seen, sync = tmp_path / "m", [], os.fsync
    net = bpcore.Network([2, 1], seed=0)
    net.save(path)
    path.chmod(0o600)

    def look(descriptor):
        seen.append(os.fstat(descriptor).st_mode & 0o777)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    net.save(path)
    assert seen[0] == 0o600


def test_the_longest_name_can_be_saved(tmp_path):
    path = tmp_path / ("m" * 255 if len(str(tmp_path)) < 200 else "m")
    try:
        path.touch()
    except OSError:
        pytest.skip("names have a shorter limit here")
    bpcore.Network([2, 1], seed=0).save(path)
    assert isinstance(bpcore.Network.load(path), bpcore.Network)


def test_a_path_may_be_text_bytes_or_a_path(tmp_path):
    net = bpcore.Network([2, 1], seed=0)
    for path in (tmp_path / "a", str(tmp_path / "b"), os.fsencode(tmp_path / "c")):
        net.save(path)
        assert os.path.getsize(path) > 0


# ---- Where a file is not a file ------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="links and pipes are POSIX's here")
def test_saving_through_a_link_keeps_the_link(tmp_path):
    net = bpcore.Network([3, 2], seed=1)
    for name in "old", "none":
        link, target = tmp_path / f"link to {name}", tmp_path / name
        link.symlink_to(target)
    (tmp_path / "old").write_bytes(b"old")
    for name in "old", "none":
        net.save(tmp_path / f"link to {name}")
        assert (tmp_path / f"link to {name}").is_symlink()
        assert same_bits(bpcore.Network.load(tmp_path / name).parameters, net.parameters)


@pytest.mark.skipif(os.name != "posix", reason="links and pipes are POSIX's here")
def test_a_pipe_is_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="Not a regular file") as refused:
        bpcore.Network([3, 2], seed=1).save(pipe)
    assert refused.value.filename == str(pipe)
    assert pipe.is_fifo() and [path.name for path in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="only Linux names open files so")
def test_what_has_no_name_is_not_given_one(tmp_path):
    path = tmp_path / "gone"
    with open(path, "wb") as file:
        path.unlink()
        with pytest.raises(OSError, match="Not a regular file"):
            bpcore.Network([3, 2], seed=1).save(f"/proc/self/fd/{file.fileno()}")
    assert list(tmp_path.iterdir()) == []
