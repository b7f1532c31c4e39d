"""A file that is replaced stays whose it was, and shows no one what they could not see."""

import os
import stat
import struct

import pytest

import bpcore

POSIX = pytest.mark.skipif(not hasattr(os, "chown"), reason="this system has no owners of files")
ROOT = pytest.mark.skipif(
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


@ROOT
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


@POSIX
def test_a_member_keeps_the_group(path, monkeypatch):
    path.chmod(0o664)
    owner, group = path.stat().st_uid, path.stat().st_gid
    asked = only_groups(monkeypatch, {group})
    save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o664
    assert asked == [(owner, group), (-1, group)] and path.stat().st_gid == group


@POSIX
def test_what_the_old_group_could_do_no_other_group_can(path, monkeypatch):
    path.chmod(0o664)
    only_groups(monkeypatch, set())
    save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


@POSIX
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
