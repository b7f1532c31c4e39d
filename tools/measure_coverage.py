"""Measure which lines and branches the tests run, in C and in Python.

Law: the tests run at least 95 % of the lines and 90 % of the branches of csrc/, 98 % of the lines
of the Python package, and every line and branch of what reads and replaces files. What this
compiler leaves out (other instruction sets and platforms) is not counted. Cython's generated code
and the binding it comes from are left out as well: they hold no arithmetic, and tests compare
their declarations with the headers.

A header that is included several times is compiled several times: each line of each object is an
*instantiation* of that line of the text. A line is covered where one of them ran. Its branches are
laid over each other in their order where instantiations have equally many; where they differ,
since the compiler saw other constants, each kind counts for itself, which can only make branches
more.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import native

LEAST = {"C lines": 95, "C branches": 90, "Python lines": 98, "loaders": 100}  # percent
# Without optimisation and inlining every branch of the text is one of the object, once in each
# instantiation. Counters are atomic: gcov takes branches for differences of them, and threads that
# lose a count would make one disappear.
FLAGS = ["-O0", "-Dalways_inline=noinline", "-w", "--coverage", "-fprofile-abs-path"]
FLAGS += ["-fprofile-update=atomic"]
LEFT_OUT = [
    "tests/test_c_driver.py",  # They compile the core anew: what the driver runs is run here.
    "tests/test_neon.py",
    "tests/test_mutants.py",
    # A signal comes before such a slow build has done a step, and is answered after the limit.
    "tests/test_interrupts.py",
    "tests/test_concurrency.py::test_ctrl_c_ends_what_other_tests_do_not_interrupt",
    "tests/test_measure_coverage.py",
    # A hundred steps on all of MNIST's fives and eights take such a build many minutes.
    "tests/test_cli.py::test_the_readmes_costs_are_those_of_the_command_beside_them",
    "tests/test_packaging.py::test_extension_exports_its_init_function_and_bp_names_only",  # gcov's
    "tests/data/test_datasets.py::test_import_touches_neither_network_nor_disk",  # coverage.py does
    # coverage.py asks for memory and keeps it, where nobody else does.
    "tests/test_leaks.py",
    "tests/test_faults.py::test_memory_that_is_refused_is_an_error_and_nothing_else",
]
GCOV = shlex.split(os.environ.get("GCOV") or "gcov")


def build(folder):
    """The package and the C driver, from the same counted objects."""
    objects, csrc = folder / "objects", native.ROOT / "csrc"
    objects.mkdir()
    core = native.compile_all(native.sources(csrc), csrc, objects, FLAGS)
    native.link([native.binding(objects), *core], native.package(folder / "site"), ["--coverage"])
    source, made = native.ROOT / "tests/c/driver.c", folder / "driver"
    (driver,) = native.compile_all([source], csrc, folder, ["-O1"])
    native.run(*native.compiler(), "--coverage", "-pthread", driver, *core, "-lm", "-o", made)
    return made


def gcov(notes):
    """The records of one .gcno file and its counters: gcov's ``files``."""
    command = [*GCOV, "--json-format", "--branch-probabilities", "--stdout", notes]
    said = native.run(*command, cwd=notes.parent)
    return json.loads(said)["files"] if said else []


def merged(files, folder):
    """({(file, line): did it run}, {(file, line, how many branches, which): was it taken})."""
    lines, branches = defaultdict(bool), defaultdict(bool)
    for file in files:
        if Path(file["file"]).is_relative_to(folder):
            name = Path(file["file"]).relative_to(folder).as_posix()
            for line in file["lines"]:
                place = name, line["line_number"]
                lines[place] |= line["count"] > 0
                for which, branch in enumerate(line["branches"]):
                    branches[*place, len(line["branches"]), which] |= branch["count"] > 0
    return lines, branches


def judge_c(lines, branches, show):
    """Print the figures, and what is missing where ``show``; are they too low?"""
    broken = False
    for place in sorted(place for place, ran in [*lines.items(), *branches.items()] if not ran):
        if show and (len(place) == 2 or lines[place[:2]]):
            said = "" if len(place) == 2 else f" branch {place[3]} of {place[2]}"
            print(f"{place[0]}:{place[1]}:{said} never ran")
    for name, found in (("C lines", lines), ("C branches", branches)):
        percent = 100 * sum(found.values()) / len(found)
        broken |= percent < LEAST[name]
        print(f"{name}: {sum(found.values())} of {len(found)} = {percent:.2f} %", end=" ")
        print(f"(at least {LEAST[name]} %)")
    return broken


def judge_python(coverage, show):
    """The reports of coverage.py; are its figures too low? coverage(*words): its exit status."""
    coverage("combine", "--quiet")
    detail = ["--show-missing", "--skip-covered"] if show else ["--format=total"]
    broken = 0
    for name, which in (
        ("Python lines", "*/bpcore/*"),
        ("loaders", ",".join(f"*/{path}" for path in native.LOADERS)),
    ):
        print(f"{name}, percent with their branches (at least {LEAST[name]}):", flush=True)
        limit = f"--fail-under={LEAST[name]}"
        broken |= coverage("report", "--precision=2", f"--include={which}", limit, *detail)
    return broken


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gaps", action="store_true", help="print what is not covered, by file")
    parser.add_argument("tests", nargs="*", help="arguments of pytest (default: the whole suite)")
    arguments = parser.parse_args()
    if missing := native.missing("coverage", "Cython", "pytest", programs=GCOV[:1]):
        print(f"skipped: {', '.join(missing)} is not here")
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        native.run(build(folder))
        environment = native.environment(folder / "site", COVERAGE_FILE=str(folder / "python"))

        def coverage(*words):
            command = [sys.executable, "-P", "-m", "coverage", *words]
            return subprocess.run(command, cwd=native.ROOT, env=environment).returncode

        without = [word for path in LEFT_OUT for word in ("--deselect", path)]
        pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *without]
        failed = coverage("run", *pytest, *arguments.tests)
        notes = sorted((folder / "objects").glob("*.gcno"))
        files = [file for one in notes for file in gcov(one)]
        broken = judge_c(*merged(files, native.ROOT), arguments.gaps)
        broken |= judge_python(coverage, arguments.gaps)
    if failed:
        print(f"the tests failed with status {failed}: these figures are not the suite's")
    return int(bool(broken or failed))


if __name__ == "__main__":
    sys.exit(main())
