"""The mutants of tools/mutants.py: each kind of change is made, and a planted one is seen."""

import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import pytest

from tests.programs import ROOT

sys.path.append(str(ROOT / "tools"))

import mutants
import mutate_c
import native

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


def test_c_is_changed_in_each_way_and_comments_declarations_and_pointers_are_not():
    found = mutate_c.mutants("f.h", C)
    assert len({mutant.name for mutant in found}) == len(found)
    assert {mutant.name.removeprefix("f.h f: ") for mutant in found} == {
        "0 -> 1",
        "0 -> 1 #1",
        "< -> <=",
        "+= -> -=",
        "* -> +",
        "! -> nothing",
        "- -> nothing",
        "sum += x[i] * scale; -> ;",
        "g(x, n, size_max(n, i)); -> ;",
        'NAME(h)(x, "a + b", scale); -> ;',
        "x, n -> n, x",
        "n, size_max(n, i) -> size_max(n, i), n",
        'x, "a + b" -> "a + b", x',
        '"a + b", scale -> scale, "a + b"',
        ".m = n, .row = scale -> .m = scale, .row = n",
    }


def test_a_mutant_changes_its_line_alone():
    (mutant,) = (m for m in mutate_c.mutants("f.h", C) if m.name == "f.h f: x, n -> n, x")
    before, after = C.splitlines(), mutant.applied(C).splitlines()
    expected = "    if (!n) g(n, x, size_max(n, i));"
    assert [new for old, new in zip(before, after, strict=True) if old != new] == [expected]
    assert f"+{expected}" in mutant.diff(C).splitlines()


def test_every_function_of_the_backward_recursion_has_mutants_and_listed_ones_are_among_them():
    names = [mutant.name for mutant in mutants.mutants()]
    assert len(names) == len(set(names)) > 200
    for path, functions in mutants.SCOPE.items():
        for function in functions:
            assert any(name.startswith(f"{path} {function}: ") for name in names), function
    assert set(mutants.equivalent()) <= set(names)
    assert all(reason.endswith(".") for reason in mutants.equivalent().values())


def test_the_law_is_broken_below_the_limit(capsys):
    assert not mutants.verdict("loaders", 8, 2) and mutants.verdict("loaders", 79, 21)
    assert mutants.verdict("loaders", 0, 0)
    assert "8 of 10 mutants killed = 80.0 % (at least 80 %)" in capsys.readouterr().out


# ---- Planted mutants ----------------------------------------------------------------------------

IDX = "tests/data/test_idx.py::"


@pytest.mark.long
@pytest.mark.skipif(find_spec("mutmut") is None, reason="mutmut is not installed")
def test_mutants_of_a_reader_are_killed_by_tests_that_look_at_them_alone(tmp_path):
    """What is changed is how ``found`` compares with ``expected``, and a function out of reach."""
    readers = {"bpcore/datasets/_idx.py": ["x__check_length__*", "x_dump__*"]}
    fates, _ = mutants.mutmut(tmp_path, readers, [f"{IDX}test_trailing_bytes_are_refused"])
    assert fates["killed"] > 0 and fates["no_tests"] > 0


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    if missing := native.missing("Cython"):
        pytest.skip(f"{', '.join(missing)} is not here")
    return mutants.Base(tmp_path_factory.mktemp("base"), [], seconds=120)


def fates(base, *names):
    found = {mutant.name: mutant for mutant in mutants.mutants()}
    with ThreadPoolExecutor(2) as workers:
        return Counter(workers.map(base.judge, [found[name] for name in names]))


LAYER = "csrc/nn/layer_template.h"


@pytest.mark.long
def test_a_mutant_of_each_kind_is_killed_in_c_and_what_is_no_c_does_not_count(base):
    base.tests = ["tests/test_losses.py::test_deltas_are_those_of_the_formulas"]
    base.tests += ["tests/test_layer.py::test_softmax_passes_a_gradient_through_its_jacobian"]
    names = [
        "softmax_backward: - -> +",
        "softmax_backward: 0 -> 1 #1",
        "activate_backward: NAME(softmax_backward)(N, O, A, dA); -> ;",
        "dense_backward_input: .m = N, .n = I -> .m = I, .n = N",
        "dense_backward_input: context, &p -> &p, context",
    ]
    assert fates(base, *(f"{LAYER} {name}" for name in names)) == {"killed": 4, None: 1}


@pytest.mark.long
def test_a_mutant_that_no_one_looks_at_survives_and_the_clock_kills(base, monkeypatch):
    base.tests = [f"{IDX}test_missing_file_is_the_usual_error"]
    monkeypatch.setattr(mutants, "finish", lambda *how: (0, ""))
    assert fates(base, f"{LAYER} softmax_backward: - -> +") == {"survived": 1}
    monkeypatch.setattr(mutants, "finish", lambda *how: (None, ""))
    assert fates(base, f"{LAYER} softmax_backward: - -> +") == {"killed by the clock": 1}


def test_a_process_that_takes_too_long_is_ended():
    assert mutants.finish([sys.executable, "-c", "import time; time.sleep(9)"], {}, 0.1)[0] is None


@pytest.mark.long
def test_tests_that_are_not_there_are_no_verdict(base):
    base.tests = [f"{IDX}test_nothing"]
    with pytest.raises(RuntimeError, match="pytest ended with status 4"):
        base.judge(None)
