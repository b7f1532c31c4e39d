"""The extension built by hand, where a tool wants its own flags or one changed file.

A package for ``PYTHONPATH``: the Python files of ``bpcore/`` beside an extension made of objects
that stay, so that only what changed is compiled again. The checkout's tests then test that package.
"""

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What reads and replaces files: every line and branch is covered, and it is mutated.
LOADERS = [
    "bpcore/_io/safetensors.py",
    "bpcore/_io/atomic_write.py",
    "bpcore/datasets/_idx.py",
    "bpcore/datasets/_restricted_pickle.py",
    "bpcore/datasets/_fetch.py",
    "bpcore/datasets/_mnist.py",
    "bpcore/datasets/_cats.py",
    "bpcore/datasets/_images.py",
]
FLAGS = [
    "-std=c11",
    "-ffp-contract=off",
    "-fPIC",
    "-fvisibility=hidden",
    "-pthread",
]  # As setup.py.


def compiler():
    return shlex.split(os.environ.get("CC") or "cc")


def missing(*modules, programs=()):
    """Which of these modules, of these programs and of a C compiler are not here."""
    names = [name for name in modules if importlib.util.find_spec(name) is None]
    return names + [name for name in (compiler()[0], *programs) if shutil.which(name) is None]


def run(*command, **options):
    """Run a command that has to succeed, and say what it said where it does not."""
    command = list(map(str, command))
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        failed = subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
        failed.add_note(f"{done.stdout[-4000:]}{done.stderr[-4000:]}")  # Its own text has neither.
        raise failed
    return done.stdout


def sources(csrc):
    return sorted(csrc.rglob("*.c"))


def object_of(source, folder):
    return folder / f"{source.stem}.o"


def compile_all(files, csrc, folder, flags):
    """Compile C files into objects in the folder, as many at a time as there are CPUs."""

    def compile_one(source):
        made = object_of(source, folder)
        run(*compiler(), *FLAGS, *flags, f"-I{csrc}", "-c", source, "-o", made)
        return made

    with ThreadPoolExecutor(os.cpu_count()) as workers:
        return list(workers.map(compile_one, files))


def binding(folder):
    """The object of Cython's generated code, which no tool measures or changes."""
    generated, made = folder / "binding.c", folder / "binding.o"
    run(sys.executable, "-m", "cython", ROOT / "bpcore/_core/binding.pyx", "-o", generated)
    include = sysconfig.get_path("include")
    options = ["-fPIC", "-pthread", "-w", "-O0", f"-I{include}", f"-I{ROOT / 'csrc'}"]
    run(*compiler(), *options, "-c", generated, "-o", made)
    return made


def package(site):
    """Lay the Python files of bpcore under the folder ``site``, which ``PYTHONPATH`` then names."""
    without = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__", "binding.c")
    shutil.copytree(ROOT / "bpcore", site / "bpcore", ignore=without)
    return site / "bpcore"


def link(objects, package, flags=()):
    """Put the extension made of the objects into the package."""
    target = package / f"_core/binding{sysconfig.get_config_var('EXT_SUFFIX')}"
    run(*compiler(), "-shared", "-pthread", *flags, *objects, "-lm", "-o", target)
    return target


def environment(site, **more):
    """What a process needs to import bpcore from ``site`` and from nowhere else."""
    return {
        **os.environ,
        "PYTHONPATH": str(site),
        "PYTHONSAFEPATH": "1",
        "PYTHONDONTWRITEBYTECODE": "1",  # A changed file may have the size and time of the old one.
        **more,
    }
