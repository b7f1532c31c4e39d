"""README's two commands, in their order, for a newcomer: MNIST is in the cache, and no more."""

import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from bpcore.datasets import _fetch
from tests import real_data

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = re.findall(
    r"^```\n(pip install .*)\n```$", (ROOT / "README.md").read_text("utf-8"), re.M
)
# What the commands ask of pip is the checkout alone, and it is installed beside what is there.
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_IGNORE_INSTALLED": "1"}
OFFLINE |= {"PIP_NO_BUILD_ISOLATION": "0"}  # pip's words for: none.
NOT_COPIED = ".git .venv .*_cache __pycache__ build dist *.so *.egg-info binding.c".split()


def cache_of_mnist(folder):
    """A cache with links to MNIST's files, wherever this user has them."""
    real_data.mnist()
    places = [os.environ.get("BPCORE_DATA"), _fetch.cache_folder()]
    (folder / "bpcore/mnist").mkdir(parents=True)
    for name in _fetch.SHA256:
        found = (path for place in places if place for path in Path(place).rglob(f"{name}*"))
        path = next(found)
        (folder / "bpcore/mnist" / path.name).symlink_to(path.resolve())
    return folder


def files_that_read_data():
    """The files whose tests read data, or look for it."""
    paths = sorted({*(ROOT / "tests").rglob("test_*.py")} - {Path(__file__)})
    return [path for path in paths if "real_data" in path.read_text("utf-8")]


def newcomer(folder):
    """What a user's shell has, with MNIST in the cache; pip installs into the folder."""
    environment = {**os.environ, **OFFLINE, "PIP_PREFIX": str(folder)}
    for name in ("PYTHONSAFEPATH", "BPCORE_DATA"):
        environment.pop(name, None)
    (folder / "bin").mkdir(parents=True)
    for name, words in {"pip": f"{sys.executable} -m pip", "python": sys.executable}.items():
        (folder / "bin" / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        (folder / "bin" / name).chmod(0o755)
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    environment["PYTHONPATH"] = str(folder / "lib" / python / "site-packages")
    environment["PATH"] = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
    environment["XDG_CACHE_HOME"] = str(cache_of_mnist(folder / "cache"))
    return environment


@pytest.mark.long
@pytest.mark.skipif(os.name != "posix", reason="a POSIX shell runs the commands")
def test_the_commands_of_the_readme_succeed_one_after_the_other(tmp_path):
    """The second one, at the files that need data: all others do not look at it."""
    # Asked of what is installed, not imported: setuptools refuses to follow pip into one process.
    for name, least in {"pip": 23, "setuptools": 77, "Cython": 3}.items():
        versions = [found.version for found in metadata.distributions(name=name)]
        if not versions:
            pytest.skip(f"the checkout cannot be installed without {name}")
        if int(versions[0].split(".")[0]) < least:
            pytest.skip(f"the checkout cannot be installed with so old a {name}")
    ignored = shutil.ignore_patterns(*NOT_COPIED)
    checkout = shutil.copytree(ROOT, tmp_path / "checkout", ignore=ignored)
    environment = newcomer(tmp_path / "home")
    names = [str(path.relative_to(ROOT)) for path in files_that_read_data()]
    environment["PYTEST_ADDOPTS"] = " ".join(names)
    first, second = COMMANDS
    assert "bpcore mnist58" in first and "python -m pytest" in second
    for command in (first, second):
        pipes = dict(capture_output=True, text=True)
        done = subprocess.run(command, shell=True, cwd=checkout, env=environment, **pipes)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert " passed" in done.stdout and "MNIST is neither" not in done.stdout
    assert "left out: thorough forms" in done.stdout
