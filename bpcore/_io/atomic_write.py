"""A file is replaced as a whole or not at all, and stays whose it was."""

import contextlib
import errno
import os
import stat

# What is copied from the old file. Others belong to its bytes (signatures) or to the file system.
ACCESS_LIST = "system.posix_acl_access"
ATTRIBUTES = ("user.", "security.selinux", ACCESS_LIST)


def replace(path, chunks):
    """Write a temporary file beside ``path``, make sure that it is on the disk, and rename it.

    Until the rename the old file stays as it is, and afterwards the new one is there as a whole.
    Errors name ``path``, which the user knows; the temporary file is removed.
    """
    replace_all([(path, chunks)])


def replace_all(files):
    """``replace`` each of ``files``, (path, chunks), none before all of them are on the disk."""
    with contextlib.ExitStack() as temporaries:
        renames = [_prepared(os.fsdecode(path), chunks, temporaries) for path, chunks in files]
        for temporary, target, path in renames:
            with _naming(path):
                os.replace(temporary, target)
        temporaries.pop_all()  # They have other names now.
    for _, target, path in renames:
        _sync_folder(os.path.dirname(target), path)


def _prepared(path, chunks, temporaries):
    """(The temporary file, complete, what it will be renamed to, path)."""
    target = os.path.realpath(path)  # A link stays one, and the file that it names is replaced.
    folder, name = os.path.split(target)
    # Names have a limit, often 255 bytes, and one of that length has a temporary file, too.
    temporary = os.path.join(folder, f".{name[:50]}.{os.urandom(6).hex()}.part")
    temporaries.callback(_remove, temporary)
    with _naming(path):
        old = _replaced(path)
        _write(temporary, 0o666 if old is None else 0o600, chunks)
        if old is not None:
            _hand_over(temporary, target, old)
    return temporary, target, path


def _remove(temporary):
    with contextlib.suppress(OSError):  # What has failed is the error to tell.
        os.unlink(temporary)


@contextlib.contextmanager
def _naming(path):
    """Errors of the system name ``path``."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None


def expect_place(path):
    """Raise OSError where ``replace`` could not write: before work that ends with it."""
    path = os.fsdecode(path)
    _replaced(path)
    folder = os.path.dirname(os.path.realpath(path))
    if os.path.isdir(path) or not os.access(folder, os.W_OK):
        code = errno.EISDIR if os.path.isdir(path) else errno.EACCES
        code = code if os.path.exists(folder) else errno.ENOENT
        raise OSError(code, os.strerror(code), path)


def _replaced(path):
    """The status of the file that is replaced, or None. A pipe or a device is not replaced."""
    with contextlib.suppress(FileNotFoundError):
        old = os.stat(path)
        named = os.path.lexists(os.path.realpath(path))  # /dev/stdout may lead to what has no name.
        if not named or not (stat.S_ISREG(old.st_mode) or stat.S_ISDIR(old.st_mode)):
            raise OSError(errno.EINVAL, "Not a regular file", path)
        if stat.S_ISDIR(old.st_mode):  # The rename would say so, when others are done.
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        return old


def _write(temporary, permissions, chunks):
    """The new file, on the disk. One that replaces another is private while it grows."""

    def opener(path, flags):
        return os.open(path, flags, permissions)

    with open(temporary, "xb", opener=opener) as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def _hand_over(temporary, target, old):
    """Give the new file the owner, group, attributes and permissions of the old one.

    No one may read it who could not read that: permissions are those of the old group, and where
    the new file cannot have it, no group gets them.
    """
    permissions = stat.S_IMODE(old.st_mode) & 0o777
    has_group = _give(temporary, old)
    if not has_group:
        permissions &= ~stat.S_IRWXG
    _copy_attributes(temporary, target, with_access_list=has_group)
    os.chmod(temporary, permissions)


# What a system answers that has no such thing, or lets only others have it.
NOT_HERE = (AttributeError, OSError)


def _give(path, old):
    """Let ``path`` have the owner of ``old``, and its group; was it let to have the group?

    Root alone can give a file away; who belongs to a group can give it to the group.
    """
    for owner in (old.st_uid, -1):
        with contextlib.suppress(*NOT_HERE):
            os.chown(path, owner, old.st_gid)
            return True
    return False


def _copy_attributes(new, old, *, with_access_list):
    """Copy what the system lets be copied, and keep no list that ``new`` got from its folder."""
    with contextlib.suppress(*NOT_HERE):
        os.removexattr(new, ACCESS_LIST)
    with contextlib.suppress(*NOT_HERE):
        for name in os.listxattr(old):
            if name.startswith(ATTRIBUTES) and (with_access_list or name != ACCESS_LIST):
                with contextlib.suppress(OSError):
                    os.setxattr(new, name, os.getxattr(old, name))


# What systems answer where a folder cannot be flushed, or not be opened for it: nothing is lost by
# it but what no one could have had there.
NO_FOLDER_SYNC = {errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.EACCES}


def _sync_folder(folder, path):
    """Make sure that the new name, too, is on the disk."""
    if os.name == "nt":  # Windows has no way to flush a folder
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:
            raise OSError(
                error.errno,
                f"{error.strerror} (the new file is in place and whole, but its folder could not "
                "be flushed: if the power fails now, the old file may come back)",
                path,
            ) from None
