"""Measure which lines and branches the tests run, in C and in Python.

Law: the tests run at least 95 % of the lines and 90 % of the branches of csrc/, 95 % of the lines
of the Python package, and every line and branch of what reads and replaces files: files.py,
_replace.py, _idx.py, _pickled.py, _fetch.py and datasets.py. A line of a template counts once, as
covered where one of its instantiations ran it; how many of all instantiations ran is said beside
it. What this compiler leaves out (other instruction sets and platforms) is not counted. Cython's
generated code and the binding it comes from are left out as well: they hold no arithmetic, and
tests compare their declarations with the headers.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import gcov
import native

LEAST = {"C lines": 95, "C branches": 90, "Python lines": 95, "loaders": 100}  # percent
READERS = ("files", "_replace", "_idx", "_pickled", "_fetch", "datasets")
LOADERS = [f"bpcore/{name}.py" for name in READERS]
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
    "tests/test_packaging.py::test_extension_exports_its_init_function_and_bp_names_only",  # gcov's
    "tests/data/test_datasets.py::test_import_touches_neither_network_nor_disk",  # coverage.py does
    # coverage.py asks for memory and keeps it, where nobody else does.
    "tests/test_leaks.py::test_two_hundred_cycles_need_no_memory",
    "tests/test_faults.py::test_memory_that_is_refused_is_an_error_and_nothing_else",
]


def build(folder):
    """The package and the C driver, from the same counted objects."""
    objects, csrc = folder / "objects", native.ROOT / "csrc"
    objects.mkdir()
    core = native.compile_all(native.sources(csrc), csrc, objects, FLAGS)
    package = native.package(folder / "site")
    native.link([native.binding(objects), *core], package, ["--coverage"])
    source, made = native.ROOT / "tests/c/driver.c", folder / "driver"
    (driver,) = native.compile_all([source], csrc, folder, ["-O1"])
    native.run(*native.compiler(), "--coverage", "-pthread", driver, *core, "-lm", "-o", made)
    return made


def run_tests(folder, driver, arguments):
    """The driver, then the Python suite and every process that it starts; the suite's status."""
    native.run(driver)
    environment = native.environment(folder / "site", COVERAGE_FILE=str(folder / "python"))
    pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
    pytest += [word for path in LEFT_OUT for word in ("--deselect", path)]
    command = [sys.executable, "-P", "-m", "coverage", "run", *pytest, *arguments]
    return subprocess.run(command, cwd=native.ROOT, env=environment).returncode


def measured_c(folder):
    coverage = gcov.Coverage(native.ROOT)
    for notes in sorted((folder / "objects").glob("*.gcno")):
        coverage.add(gcov.counted(notes))
    return coverage


def measured_python(folder):
    """coverage.py's report, {"bpcore/file.py": figures}."""
    environment = native.environment(folder / "site", COVERAGE_FILE=str(folder / "python"))
    report = folder / "python.json"
    for words in (["combine", "--quiet"], ["json", "--quiet", "-o", str(report)]):
        command = [sys.executable, "-P", "-m", "coverage", *words]
        native.run(*command, cwd=native.ROOT, env=environment)
    files = json.loads(report.read_text())["files"]
    found = {path.rpartition("/site/")[2]: file for path, file in files.items()}
    return {path: file for path, file in found.items() if path.startswith("bpcore/")}


def python_gaps(files):
    for path, file in files.items():
        for line in file["missing_lines"]:
            yield path, line, "never ran"
        for start, end in file["missing_branches"]:
            yield path, start, f"never went on to line {end}" if end > 0 else "never returned here"


def python_figures(files):
    """(lines run, lines) of all, and (lines and branches run, all of them) of the loaders."""
    summaries = {path: file["summary"] for path, file in files.items()}
    lines = [(s["covered_lines"], s["num_statements"]) for s in summaries.values()]
    both = [
        (s["covered_lines"] + s["covered_branches"], s["num_statements"] + s["num_branches"])
        for s in (summaries[path] for path in LOADERS)
    ]
    return [tuple(map(sum, zip(*pairs, strict=True))) for pairs in (lines, both)]


def verdict(figures):
    """Lines of the report, and whether a law is broken. figures: {law: (covered, of all)}."""
    lines, broken = [], False
    for name, (covered, count, *instances) in figures.items():
        percent = 100 * covered / count
        broken |= percent < LEAST[name]
        line = f"{name}: {covered} of {count} = {percent:.2f} % (at least {LEAST[name]} %)"
        if instances:
            line += f"; of all instantiations {100 * instances[0] / instances[1]:.2f} %"
        lines.append(line)
    return lines, broken


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gaps", action="store_true", help="print what is not covered, by file")
    parser.add_argument("tests", nargs="*", help="arguments of pytest (default: the whole suite)")
    arguments = parser.parse_args()
    modules = ("coverage", "Cython", "pytest")
    if missing := native.missing(*modules, programs=gcov.gcov()[:1]):
        print(f"skipped: {', '.join(missing)} is not here")
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        status = run_tests(folder, build(folder), arguments.tests)
        c, python = measured_c(folder), measured_python(folder)
    if arguments.gaps:
        for path, line, what in sorted([*c.gaps(), *python_gaps(python)]):
            print(f"{path}:{line}: {what}")
    lines_of_all, loaders = python_figures(python)
    figures = {"C lines": c.line_figures(), "C branches": c.branch_figures()}
    lines, broken = verdict({**figures, "Python lines": lines_of_all, "loaders": loaders})
    if status:
        lines.append(f"the tests failed with status {status}: these figures are not the suite's")
    print("\n".join(lines))
    return int(broken or status != 0)


if __name__ == "__main__":
    sys.exit(main())
