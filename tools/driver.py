"""The C driver of tests/c: compiled by any compiler with the whole core, and read."""

import os
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FLAGS = ["-std=c11", "-ffp-contract=off", f"-I{ROOT / 'csrc'}"]
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
LAST_LINE = re.compile(r"(\d+) passed, (\d+) failed")


class Broken(Exception):
    """A law does not hold; the message says which and where."""


class Missing(Exception):
    """A tool is not here; the message says which and what brings it."""


def judged(name, figure):
    """Print what figure(folder) found, or why there is nothing; the command's exit status."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            print(f"{name}: {figure(Path(folder))}")
        except Missing as error:
            print(f"skipped: {error}")
        except Broken as error:
            print(f"{name}: BROKEN: {error}")
            return 1
    return 0


def tool(name, package):
    """The path of a program, which a package of Debian's name brings."""
    path = shutil.which(name)
    if path is None:
        raise Missing(f"there is no {name} here (Debian's package {package} has it)")
    return path


def answer(*command, seconds=1800, environment=None):
    """The finished process of a command, output and messages together."""
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    how |= {"errors": "replace", "timeout": seconds, "env": environment}
    try:
        return subprocess.run(list(map(str, command)), **how)
    except OSError as error:
        raise Missing(f"{command[0]} does not run here: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise Broken(f"{command[0]} has not ended after {seconds} seconds") from error


def compile_driver(program, compiler, *flags):
    """Compiles the driver and the whole core, a file on each CPU."""
    sources = [ROOT / "tests/c/driver.c", *sorted((ROOT / "csrc").rglob("*.c"))]
    objects = [program.with_name(f"{program.name}_{source.stem}.o") for source in sources]

    def run(*arguments):
        done = answer(*compiler, *FLAGS, *flags, *arguments)
        if done.returncode:
            name = " ".join(map(str, compiler))
            raise Broken(f"{name} does not compile:\n{done.stdout[-4000:]}")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda source, result: run("-c", source, "-o", result), sources, objects))
    run(*objects, "-o", program, "-lm")
    return program


def results(command, mode, seconds=1800, environment=None):
    """hashes() of a driver, and how many checks passed, from a process for each precision: the
    machines that this runs on have two CPUs, at least."""
    how = {"seconds": seconds, "environment": environment}

    def half(precision):
        return hashes(answer(*command, mode, precision, **how))

    with ThreadPoolExecutor(2) as pool:
        (single, first), (double, second) = pool.map(half, (32, 64))
    return single | double, sum(int(last.split()[0]) for last in (first, second))


def hashes(done):
    """{(isa, precision, subject): hash} of a driver that found nothing wrong; and its last line."""
    lines = done.stdout.split("\n")
    rows = [line.split() for line in lines]
    last = next((line for line in reversed(lines) if LAST_LINE.fullmatch(line)), "")
    said = LAST_LINE.fullmatch(last)
    if done.returncode or not said or said[2] != "0" or int(said[1]) < 10_000:
        raise Broken(f"the driver ended with {done.returncode}:\n{done.stdout[-4000:]}")
    found = [row for row in rows if len(row) == 4 and re.fullmatch("[0-9a-f]{16}", row[3])]
    return {tuple(row[:3]): row[3] for row in found}, last
