"""Drives faults.c: builds it, starts Python with it, and tells it which calls shall fail."""

import atexit
import ctypes
import functools
import itertools
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().with_suffix(".c")
TESTS = SOURCE.parents[1] / "tests"
KINDS = {
    "allocation": 1,
    "thread": 2,
    "open": 4,
    "write": 8,
    "short write": 16,
    "fsync": 32,
    "chmod": 64,
    "rename": 128,
    "close": 256,
    "unlink": 512,
}
FOREVER = 1 << 40  # calls: more than any program makes here


def missing():
    """Why calls cannot be made to fail here, or None."""
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return "calls of the C library are replaced on Linux with glibc alone"
    compiler = shlex.split(os.environ.get("CC") or "cc")[0]
    return None if shutil.which(compiler) else f"there is no C compiler {compiler!r}"


@functools.cache
def _library():
    """faults.c, built once a process."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    library = Path(folder.name) / "faults.so"
    compiler = shlex.split(os.environ.get("CC") or "cc")
    flags = ["-shared", "-fPIC", "-O1", "-std=gnu11", "-Wall", "-Wextra"]
    subprocess.run([*compiler, *flags, SOURCE, "-o", library, "-ldl"], check=True)
    return library


def start(*command, trace=False, **options):
    """subprocess.run of this Python with the replaced calls; all memory is malloc's.

    trace: the first failing call writes the C functions that led to it to standard error.
    """
    environment = {
        **os.environ,
        "LD_PRELOAD": str(_library()),
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": os.pathsep.join(map(str, (SOURCE.parent, TESTS))),
        **({"FAULTS_TRACE": "1"} if trace else {}),
    }
    command = [sys.executable, *map(str, command)]
    return subprocess.run(command, env=environment, **options)


def traced(text):
    """The functions that led from Python code to the last failure in such an output."""
    *_, last = re.split(r"^.*faults\.so\(.*\n", text, flags=re.MULTILINE)
    return last.partition("_PyEval_EvalFrame")[0]


class Faults:
    """The replaced calls of this process."""

    def __init__(self):
        library, number = ctypes.PyDLL(None), ctypes.c_long
        self._arm, self.disarm, self.live = (
            library.faults_arm, library.faults_disarm, library.faults_live,
        )  # fmt: skip
        self._file = library.faults_file
        self._arm.argtypes = ctypes.c_uint, number, number, ctypes.c_int, ctypes.c_size_t
        self.disarm.restype = self.live.restype = number
        self._file.restype = ctypes.c_char_p

    def arm(self, kind, n, count=1, error=5, least=0):
        """The n-th call of this kind fails, and the count - 1 after it.

        error: what errno says; least: bytes of the allocations that count.
        """
        self._arm(KINDS[kind], n, count, error, least)

    def files(self):
        """Libraries whose functions led from Python code to the first failure, innermost first."""
        paths = iter(map(self._file, itertools.count()).__next__, None)
        names = [Path(os.fsdecode(path)).name for path in paths]
        return [name for name in names if name != "faults.so"]
