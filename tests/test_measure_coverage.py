"""What tools/measure_coverage.py counts, on programs small enough to count by hand."""

import shutil
import subprocess
import sys

import pytest

from tests.programs import ROOT, c_compiler

sys.path.append(str(ROOT / "tools"))

import gcov
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


@pytest.fixture
def counted(tmp_path):
    """count(argument): the coverage of a program whose template is included twice."""
    for name in (c_compiler()[0], gcov.gcov()[0]):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not here")

    def count(argument):
        folder = tmp_path / str(argument)
        folder.mkdir()
        (folder / "template.h").write_text(TEMPLATE)
        (folder / "main.c").write_text(MAIN)
        flags = ["--coverage", "-O0", "-fprofile-abs-path", f"-DARGUMENT={argument}"]
        command = [*c_compiler(), *flags, "-c", "main.c"]
        subprocess.run(command, check=True, cwd=folder)
        subprocess.run([*c_compiler(), "--coverage", "main.o"], check=True, cwd=folder)
        subprocess.run(["./a.out"], check=True, cwd=folder)
        coverage = gcov.Coverage(folder)
        coverage.add(gcov.counted(folder / "main.gcno"))
        return coverage

    return count


def test_a_line_of_a_template_is_covered_where_one_instantiation_ran_it(counted):
    one, both = counted(5), counted(-5)
    for name, line in [("template.h", 1), ("template.h", 3), ("template.h", 4)]:
        assert len(one.lines[name, line]) == 2  # Of two functions.
    assert one.lines["template.h", 4] == [0, 0]
    assert sorted(both.lines["template.h", 4]) == [0, 1]
    ran, count, *instances = one.line_figures()
    assert ran == count - 1 and instances[0] == instances[1] - 2
    ran, count, *instances = both.line_figures()
    assert ran == count and instances[0] == instances[1] - 1


def test_a_branch_of_a_template_is_covered_where_one_instantiation_took_it(counted):
    assert counted(5).branch_figures() == (1, 2, 2, 4)
    assert counted(-5).branch_figures() == (2, 2, 2, 4)


def test_gaps_are_named(counted):
    assert list(counted(5).gaps()) == [
        ("template.h", 4, "never ran"),
        ("template.h", 3, "branch 1 of 2 never taken"),
    ]
    assert list(counted(-5).gaps()) == []


def test_instantiations_with_other_branches_are_counted_for_themselves():
    coverage = gcov.Coverage("/c")

    def file(*counts):
        branches = [{"count": count} for count in counts]
        return {"file": "/c/f.h", "lines": [{"line_number": 7, "count": 1, "branches": branches}]}

    coverage.add([file(1, 0), file(0, 0, 1, 0), {"file": "/usr/include/f.h", "lines": []}])
    assert coverage.branch_figures() == (2, 6, 2, 6)
    coverage.add([file(0, 1)])
    assert coverage.branch_figures() == (3, 6, 3, 8)
    assert set(coverage.lines) == {("f.h", 7)}


GOOD = {
    "C lines": (95, 100, 19, 20),
    "C branches": (90, 100, 9, 10),
    "Python lines": (95, 100),
    "loaders": (70, 70),
}


def test_a_figure_at_its_limit_passes():
    lines, broken = measure_coverage.verdict(GOOD)
    assert not broken and len(lines) == 4
    expected = "C lines: 95 of 100 = 95.00 % (at least 95 %); of all instantiations 95.00 %"
    assert lines[0] == expected


@pytest.mark.parametrize("name", GOOD)
def test_a_figure_below_its_limit_breaks_the_law(name):
    covered, *rest = GOOD[name]
    assert measure_coverage.verdict({**GOOD, name: (covered - 1, *rest)})[1]


def test_every_line_and_branch_of_the_loaders_counts():
    def file(*figures):
        names = ("covered_lines", "num_statements", "covered_branches", "num_branches")
        return {"summary": dict(zip(names, figures, strict=True))}

    files = {path: file(10, 10, 4, 4) for path in measure_coverage.LOADERS}
    files |= {"bpcore/network.py": file(5, 10, 0, 4)}
    assert measure_coverage.python_figures(files) == [(65, 70), (84, 84)]
    files["bpcore/datasets/_idx.py"] = file(10, 10, 3, 4)
    assert measure_coverage.python_figures(files) == [(65, 70), (83, 84)]


def test_gaps_of_python_are_named():
    files = {
        "bpcore/_io/safetensors.py": {"missing_lines": [5], "missing_branches": [[7, 9], [8, -3]]}
    }
    assert list(measure_coverage.python_gaps(files)) == [
        ("bpcore/_io/safetensors.py", 5, "never ran"),
        ("bpcore/_io/safetensors.py", 7, "never went on to line 9"),
        ("bpcore/_io/safetensors.py", 8, "never returned here"),
    ]
