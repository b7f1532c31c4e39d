"""The programs of tools/, and the C driver, as tests start them."""

import importlib.util
import os
import shlex
import shutil
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))
from driver import ROOT as ROOT
from driver import answer, compile_driver, results


def build(program, compiler, *flags):
    """Compiles tests/c/driver.c with the whole core; skips the test where there is no compiler."""
    if os.name != "posix":
        pytest.skip("the driver asks POSIX for its guard pages")
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"there is no C compiler {compiler[0]!r} here")
    return compile_driver(program, compiler, "-pthread", *flags)


def load(path):
    """A module that is in no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def c_compiler():
    return shlex.split(os.environ.get("CC") or "cc")


QUIET = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}  # The core allocates nothing.


def run_driver(*command):
    """The finished process, output and messages together."""
    return answer(*command, environment=QUIET)


def results_of(*command):
    """{(isa, precision, what): hash} of a driver that found nothing wrong; the mode comes last."""
    return results(command[:-1], command[-1], environment=QUIET)[0]
