"""Saving: the old file or the new one, whole, whatever goes wrong.

The oracle is the bytes of files that were saved undisturbed.
"""

import errno
import os
import stat
import struct
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
# Libraries that the pages of the guide use leave threads in the process of the tests.
FORKS_BESIDE_THREADS = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
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
@FORKS_BESIDE_THREADS
@pytest.mark.parametrize("count", [30, pytest.param(1000, marks=pytest.mark.long)])
def test_a_killed_process_leaves_a_whole_file(tmp_path, count):
    complaints, seen = saving.kills(count, tmp_path, seed=None if count == 1000 else 0)
    print(seen)
    assert complaints == [], seen


@needs_fork
@FORKS_BESIDE_THREADS
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


def test_the_longest_name_can_be_saved(tmp_path):
    path = tmp_path / ("m" * 255 if len(str(tmp_path)) < 200 else "m")
    try:
        path.touch()
    except OSError:
        pytest.skip("names have a shorter limit here")
    bpcore.Network([2, 1], seed=0).save(path)
    assert isinstance(bpcore.Network.load(path), bpcore.Network)


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


# ---- A file that is replaced stays whose it was, and shows no one what they could not see --------

has_owners = pytest.mark.skipif(
    not hasattr(os, "chown"), reason="this system has no owners of files"
)
needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root alone gives files away"
)
ACCESS_LIST = "system.posix_acl_access"
SOMEONE, SOME_GROUP = 12345, 23456


def access_list(group, someone):
    """Owner 6, a user by name, the group, the mask 6, all others 0: version 2 of Linux's bytes."""
    nobody = 0xFFFFFFFF
    entries = [(1, 6, nobody), (2, someone, SOMEONE), (4, group, nobody)]
    entries += [(16, 6, nobody), (32, 0, nobody)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


@pytest.fixture
def path(tmp_path):
    """A saved network."""
    bpcore.Network([2, 1], seed=0).save(tmp_path / "net")
    return tmp_path / "net"


def attributes(path, *given):
    """Give a file these attributes; the test is skipped where its file system keeps none."""
    try:
        for name, value in given:
            os.setxattr(path, name, value)
    except (AttributeError, OSError):
        pytest.skip("no extended attributes here")


def save(path):
    before = path.read_bytes()
    bpcore.Network([3, 1], seed=1).save(path)
    assert path.read_bytes() != before


@needs_root
def test_a_file_stays_its_owners(path):
    os.chown(path, SOMEONE, SOME_GROUP)
    path.chmod(0o640)
    save(path)
    found = path.stat()
    assert (found.st_uid, found.st_gid) == (SOMEONE, SOME_GROUP)
    assert stat.S_IMODE(found.st_mode) == 0o640


def only_groups(monkeypatch, groups):
    """Let no file be given away, as no one but root can, and to these groups alone."""
    chown, asked = os.chown, []

    def refusing(path, owner, group):
        asked.append((owner, group))
        if owner != -1 or group not in groups:
            raise PermissionError(1, "Operation not permitted")
        chown(path, owner, group)

    monkeypatch.setattr(os, "chown", refusing)
    return asked


@has_owners
def test_a_member_keeps_the_group(path, monkeypatch):
    path.chmod(0o664)
    owner, group = path.stat().st_uid, path.stat().st_gid
    asked = only_groups(monkeypatch, {group})
    save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o664
    assert asked == [(owner, group), (-1, group)] and path.stat().st_gid == group


@has_owners
def test_what_the_old_group_could_do_no_other_group_can(path, monkeypatch):
    path.chmod(0o664)
    only_groups(monkeypatch, set())
    save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


@has_owners
@pytest.mark.parametrize("old", [0o600, 0o640, 0o444, 0o777])
def test_permissions_stay_and_no_one_reads_the_file_while_it_grows(path, monkeypatch, old):
    path.chmod(old)
    seen, sync = [], os.fsync

    def look(descriptor):
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    save(path)
    assert seen[0] == 0o600 and stat.S_IMODE(path.stat().st_mode) == old


def test_attributes_of_the_user_stay(path):
    attributes(path, ("user.comment", b"the good one"), ("user.empty", b""))
    save(path)
    assert os.getxattr(path, "user.comment") == b"the good one"
    assert os.getxattr(path, "user.empty") == b""


def test_an_access_list_stays(path):
    attributes(path, (ACCESS_LIST, access_list(group=4, someone=6)))
    mode = path.stat().st_mode
    save(path)
    assert os.getxattr(path, ACCESS_LIST) == access_list(group=4, someone=6)
    assert path.stat().st_mode == mode


def test_an_access_list_goes_with_its_group(path, monkeypatch):
    attributes(path, (ACCESS_LIST, access_list(group=4, someone=6)), ("user.comment", b"here"))
    only_groups(monkeypatch, set())
    save(path)
    assert os.listxattr(path) == ["user.comment"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_lets_no_one_in_who_could_not_read_the_old_file(path):
    """New files of this folder are someone else's to read; this one is there already."""
    attributes(path.parent, ("system.posix_acl_default", access_list(group=6, someone=6)))
    path.chmod(0o640)
    assert ACCESS_LIST not in os.listxattr(path)
    save(path)
    assert ACCESS_LIST not in os.listxattr(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    bpcore.Network([2, 1], seed=0).save(path.with_name("new"))  # The folder's list is a real one.
    assert ACCESS_LIST in os.listxattr(path.with_name("new"))


def test_attributes_that_the_system_refuses_cost_no_file(path, monkeypatch):
    attributes(path, ("user.comment", b"x"))

    def refuse(*arguments):
        raise PermissionError(1, "Operation not permitted")

    for name in ("listxattr", "getxattr", "setxattr", "removexattr"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, refuse)
            save(path)
            bpcore.Network([2, 1], seed=0).save(path)
        assert bpcore.Network.load(path).sizes == (2, 1)
