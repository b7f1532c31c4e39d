"""What tools/measure_coverage.py counts, on programs small enough to count by hand."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.programs import ROOT, c_compiler

sys.path.append(str(ROOT / "tools"))

import measure_coverage

TEMPLATE = """static int NAME(sign)(int x)
{
    if (x > 0) return 1;
    return -1;
}
"""
MAIN = """#define NAME(x) x##_a
#include "template.h"
#undef NAME
#define NAME(x) x##_b
#include "template.h"
int main(void)
{
    return sign_a(5) + sign_b(ARGUMENT) > 5;
}
"""


NAMES = ("template.h", 1), ("template.h", 3), ("template.h", 4), ("main.c", 6), ("main.c", 8)


@pytest.fixture
def counted(tmp_path):
    """count(argument): lines and branches of a program whose template is included twice."""
    for name in (c_compiler()[0], measure_coverage.GCOV[0]):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not here")

    def count(argument):
        folder = tmp_path / str(argument)
        folder.mkdir()
        (folder / "template.h").write_text(TEMPLATE)
        (folder / "main.c").write_text(MAIN)
        flags = ["--coverage", "-O0", "-fprofile-abs-path", f"-DARGUMENT={argument}"]
        for command in ([*flags, "-c", "main.c"], ["--coverage", "main.o"]):
            subprocess.run([*c_compiler(), *command], check=True, cwd=folder)
        subprocess.run(["./a.out"], check=True, cwd=folder)
        return measure_coverage.merged(measure_coverage.gcov(folder / "main.gcno"), folder)

    return count


def test_a_line_or_branch_is_covered_where_one_instantiation_ran_it(counted, capsys):
    lines, branches = counted(5)
    assert lines == dict.fromkeys(NAMES, True) | {("template.h", 4): False}
    assert sorted(branches.values()) == [False, True]
    assert measure_coverage.judge_c(lines, branches, True)
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["template.h:3: branch 1 of 2 never ran", "template.h:4: never ran"]
    assert said[2:] == [
        "C lines: 4 of 5 = 80.00 % (at least 95 %)",
        "C branches: 1 of 2 = 50.00 % (at least 90 %)",
    ]
    lines, branches = counted(-5)
    assert all([*lines.values(), *branches.values()])
    assert not measure_coverage.judge_c(lines, branches, True)


def test_instantiations_with_other_branches_are_counted_for_themselves():
    def file(*counts):
        branches = [{"count": count} for count in counts]
        return {"file": "/c/f.h", "lines": [{"line_number": 7, "count": 1, "branches": branches}]}

    files = [file(1, 0), file(0, 0, 1, 0), {"file": "/usr/include/f.h", "lines": []}]
    lines, branches = measure_coverage.merged(files, "/c")
    assert lines == {("f.h", 7): True} and sorted(branches.values()) == [False] * 4 + [True] * 2
    _, branches = measure_coverage.merged([*files, file(0, 1)], "/c")
    assert sorted(branches.values()) == [False] * 3 + [True] * 3


@pytest.mark.parametrize(("lines", "branches", "broken"), [(95, 90, 0), (94, 90, 1), (95, 89, 1)])
def test_a_figure_below_its_limit_breaks_the_law(lines, branches, broken):
    found = ({("f", i): i < covered for i in range(100)} for covered in (lines, branches))
    assert measure_coverage.judge_c(*found, False) == broken


@pytest.mark.parametrize(("argument", "broken"), [(1, 0), (0, 1)])
def test_a_branch_of_a_loader_that_was_not_taken_breaks_the_law(tmp_path, argument, broken):
    """By coverage.py's own report."""
    pytest.importorskip("coverage")
    loader = tmp_path / measure_coverage.native.LOADERS[0]
    loader.parent.mkdir(parents=True)
    loader.write_text("import sys\nfor n in (0, int(sys.argv[1])):\n    if n:\n        print(n)\n")

    def coverage(*words):
        command = [sys.executable, "-m", "coverage", *words]
        environment = {**os.environ, "COVERAGE_FILE": str(tmp_path / "data"), "COVERAGE_RCFILE": ""}
        return subprocess.run(command, cwd=tmp_path, env=environment).returncode

    assert coverage("run", "--branch", "-p", str(loader), str(argument)) == 0
    assert bool(measure_coverage.judge_python(coverage, False)) == broken
