"""The mutants of tools/mutants.py: each kind of change is made, and a planted one is seen."""

import os
import shutil
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest

from bpcore import _core
from tests.programs import ROOT

sys.path.append(str(ROOT / "tools"))

import mutants
import mutants_subjects
import mutate_c
import mutate_python
import native

PYTHON = '''def f(a, b=3):
    """What f is for."""
    if not a or b <= 2:
        raise ValueError(f"{a + 1} is wrong")
    a[0] = b
    a = a + b
    only = {True}
    return a
'''
C = """/* a = b + 1; */
#define FIVE 5
static NAME(pair) NAME(f)(const real *x, size_t n, real scale)
{
    const NAME(job) *job = context;
    real sum = 0; /* n + 1 */
    for (size_t i = 0; i < n; i++) sum += x[i] * scale;
    if (!n) g(x, n, size_max(n, i));
    NAME(h)(x, "a + b", scale);
    const NAME(product) p = {.m = n, .row = scale};
    return -sum;
}
"""


def changes(found):
    return {(mutant.operator, mutant.before, mutant.after) for mutant in found}


def test_python_is_changed_in_each_way_and_messages_are_not():
    assert changes(mutate_python.mutants("f.py", PYTHON)) == {
        ("booleans", "not a", "a"),
        ("booleans", "not a or b <= 2", "(not a and b <= 2)"),
        ("comparisons", "b <= 2", "(b < 2)"),
        ("constants", "2", "3"),
        ("constants", "3", "4"),
        ("constants", "0", "1"),
        ("constants", "True", "False"),
        ("arithmetic", "a + b", "(a - b)"),
        ("statements", 'raise ValueError(f"{a + 1} is wrong")', "pass"),
        ("statements", "a[0] = b", "pass"),
        ("statements", "a = a + b", "pass"),
        ("returns", "return a", "return None"),
    }


def test_c_is_changed_in_each_way_and_comments_declarations_and_pointers_are_not():
    found = mutate_c.mutants("f.h", C)
    assert {mutant.function for mutant in found} == {"f"}
    assert changes(found) == {
        ("constants", "0", "1"),
        ("operators", "<", "<="),
        ("operators", "+=", "-="),
        ("operators", "*", "+"),
        ("signs", "!", ""),
        ("signs", "-", ""),
        ("statements", "sum += x[i] * scale;", ";"),
        ("statements", "g(x, n, size_max(n, i));", ";"),
        ("statements", 'NAME(h)(x, "a + b", scale);', ";"),
        ("arguments", "x, n", "n, x"),
        ("arguments", "n, size_max(n, i)", "size_max(n, i), n"),
        ("arguments", 'x, "a + b"', '"a + b", x'),
        ("arguments", '"a + b", scale', 'scale, "a + b"'),
        ("arguments", ".m = n, .row = scale", ".m = scale, .row = n"),
    }


@pytest.mark.parametrize(
    ("mutate", "text", "line", "expected"),
    [
        (mutate_python.mutants, PYTHON, "b <= 2 -> (b < 2)", "    if not a or (b < 2):"),
        (mutate_c.mutants, C, "x, n -> n, x", "    if (!n) g(n, x, size_max(n, i));"),
    ],
)
def test_a_mutant_changes_its_line_alone(mutate, text, line, expected):
    (mutant,) = (m for m in mutate("f", text) if f"{m.before} -> {m.after}" == line)
    before, after = text.splitlines(), mutant.applied(text).splitlines()
    assert [new for old, new in zip(before, after, strict=True) if old != new] == [expected]
    assert f"+{expected}" in mutant.diff(text).splitlines()


def test_the_same_change_twice_has_two_names():
    names = [mutant.name for mutant in mutate_python.mutants("f.py", "x = 1 + 1 + 1\n")]
    assert len(names) == len(set(names)) == 5
    assert "f.py module: 1 -> 2 #2" in names


def test_functions_that_are_not_asked_for_stay():
    assert mutate_python.mutants("f.py", PYTHON, ["g"]) == mutate_c.mutants("f.h", C, ["g"]) == []


@pytest.mark.parametrize("subject", mutants_subjects.SUBJECTS)
def test_every_subject_has_mutants_of_every_function_and_listed_ones_are_among_them(subject):
    subject = mutants_subjects.SUBJECTS[subject]
    found = subject.mutants()
    names = [mutant.name for mutant in found]
    assert len(names) == len(set(names)) > 200
    for path, functions in subject.scope.items():
        inside = {mutant.function.split(".")[-1] for mutant in found if mutant.path == path}
        assert set(functions or []) <= inside


def test_what_is_listed_as_equivalent_is_a_mutant_and_has_a_reason():
    subjects = mutants_subjects.SUBJECTS.values()
    names = {mutant.name for subject in subjects for mutant in subject.mutants()}
    listed = mutants.equivalent()
    assert set(listed) <= names
    assert all(reason.endswith(".") for reason in listed.values())


def test_the_report_breaks_the_law_below_the_limit_and_shows_survivors(capsys):
    text = (ROOT / "bpcore/datasets/_idx.py").read_text()
    some = mutate_python.mutants("bpcore/datasets/_idx.py", text)[:11]
    fates = [*((mutant, "killed") for mutant in some[:8]), (some[8], "survived"), (some[9], None)]
    assert not mutants.report("loaders", fates, 0)
    said = capsys.readouterr().out
    assert said.endswith("loaders: 8 of 9 mutants killed = 88.9 % (at least 80 %)\n")
    assert f"survived: {some[8].name}\n--- bpcore/datasets/_idx.py" in said
    assert mutants.report("loaders", [*fates, (some[10], "survived")] * 2, 0) is False
    assert mutants.report("loaders", [*fates, (some[10], "survived"), (some[9], "survived")], 0)
    assert mutants.report("loaders", [], 0)


# ---- Planted mutants ----------------------------------------------------------------------------


class Installed:
    """The package whose extension is the one that these tests import."""

    def package(self, site):
        package = native.package(site)
        shutil.copy(_core.binding.__file__, package)
        return package


def fates(subject, base, names, *tests, seconds=120):
    """What becomes of the mutants of these names, by these tests, as often as it becomes so."""
    subject = replace(mutants_subjects.SUBJECTS[subject], tests=tests, options=list)
    found = {mutant.name: mutant for mutant in subject.mutants()}
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        judge = partial(mutants.judge, subject, base=base, seconds=seconds)
        return Counter(workers.map(judge, [found[name] for name in names]))


IDX = "tests/data/test_idx.py::"


def test_a_mutant_of_each_kind_is_killed_in_a_reader():
    names = [
        "_check_length: found > expected -> (found >= expected)",
        "_layout: 4 * dimensions -> (4 // dimensions)",
        "gunzip: not is_whole -> is_whole",
        "parse: 4 -> 5",
        "gunzip: _check_length(length, shape, size, source) -> pass",
        'parse: return array.astype(dtype.newbyteorder("=")) -> return None',
    ]
    names = [f"bpcore/datasets/_idx.py {name}" for name in names]
    tests = [f"{IDX}test_every_type_is_read_in_native_byte_order"]
    tests += [f"{IDX}test_trailing_bytes_are_refused"]
    assert fates("loaders", Installed(), names, *tests) == {"killed": 6}


def test_a_mutant_that_the_tests_do_not_look_at_survives():
    name = "bpcore/datasets/_idx.py _check_length: found > expected -> (found >= expected)"
    test = f"{IDX}test_missing_file_is_the_usual_error"
    assert fates("loaders", Installed(), [name], test) == {"survived": 1}


def test_the_clock_kills(tmp_path):
    subject = replace(mutants_subjects.SUBJECTS["loaders"], tests=[f"{IDX}test_dump_writes"])
    Installed().package(tmp_path / "site")
    fate = mutants.run_tests(subject, tmp_path / "site", 0.01, tmp_path)
    assert fate == "killed by the clock"


def test_tests_that_are_not_there_are_no_verdict(tmp_path):
    subject = replace(mutants_subjects.SUBJECTS["loaders"], tests=[f"{IDX}test_nothing"])
    Installed().package(tmp_path / "site")
    with pytest.raises(RuntimeError, match="pytest ended with status 4"):
        mutants.run_tests(subject, tmp_path / "site", 60, tmp_path)


def test_a_mutant_of_each_kind_is_killed_in_c_and_what_is_no_c_does_not_count(tmp_path):
    if missing := native.missing("Cython"):
        pytest.skip(f"{', '.join(missing)} is not here")
    names = [
        "softmax_backward: - -> +",
        "softmax_backward: 0 -> 1 #1",
        "activate_backward: NAME(softmax_backward)(N, O, A, dA); -> ;",
        "dense_backward_input: .m = N, .n = I -> .m = I, .n = N",
        "dense_backward_input: engine, &p -> &p, engine",
    ]
    names = [f"csrc/nn/layer_template.h {name}" for name in names]
    tests = ["tests/test_losses.py::test_deltas_are_central_differences_of_the_values"]
    tests += ["tests/test_layer.py::test_softmax_passes_a_gradient_through_its_jacobian"]
    base = mutants_subjects.Base(tmp_path)
    assert fates("backward", base, names, *tests) == {"killed": 4, None: 1}
