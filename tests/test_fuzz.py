"""What strangers give ends in a result or in a clear refusal.

Each target tries its whole corpus and changes of it; `python tools/fuzz.py` does at length, and
led by the lines that are reached, what is done here in short.
"""

import dataclasses
import functools
import inspect
import os
import re
import subprocess
import sys
import time
import types
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not installed: pip install hypothesis")

from hypothesis import HealthCheck, given, settings

from bpcore._inputs import csr
from bpcore._io import safetensors
from bpcore.datasets import _idx, _restricted_pickle
from tests import hostile
from tests.programs import ROOT

LEAST_INPUTS = 20  # of each corpus: each has more branches than that
QUICK, LONG = 60, 2000  # changed inputs
SLOW = float(os.environ.get("FUZZ_SECONDS", hostile.SECONDS))  # Sanitizers take their time.


@pytest.fixture(params=hostile.TARGETS)
def target(request):
    return hostile.TARGETS[request.param]()


def test_every_input_of_the_corpus_ends_in_a_result_or_a_refusal(target, tmp_path):
    assert len(target.corpus) >= LEAST_INPUTS
    found = {name: hostile.broken(target, data, tmp_path, SLOW)
             for name, data in target.corpus.items()}  # fmt: skip
    assert {name: law for name, law in found.items() if law} == {}


def attempts(target, folder, count):
    """Try so many changed inputs; what breaks a law is the error's example, as small as it gets."""

    @settings(max_examples=count, deadline=None, database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(target.changes(hostile.small(target.corpus)))
    def attempt(data):
        law = hostile.broken(target, data, folder, SLOW)
        assert law is None, law

    attempt()


@pytest.mark.parametrize("count", [QUICK, pytest.param(LONG, marks=pytest.mark.long)])
def test_every_changed_input_ends_in_a_result_or_a_refusal(target, count, tmp_path):
    attempts(target, tmp_path, count)


# ---- What the corpora reach ----------------------------------------------------------------------

NO_LOADERS = {"dump", "split", "counted", "compressed", "to_csr_if_faster", "as_double"}


def lines_of(code):
    """(file, line) of each line in functions that read, without their first."""
    found = set()
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType) and constant.co_name not in NO_LOADERS:
            if constant.co_flags & inspect.CO_OPTIMIZED:  # A function, no class.
                lines = {line for *_, line in constant.co_lines() if line}
                found |= {(code.co_filename, n) for n in lines - {constant.co_firstlineno}}
            found |= lines_of(constant)
    return found


def reached(names, call):
    """(file, line) of the lines of these files that call() runs."""
    found, before = set(), sys.gettrace()

    def see(frame, event, argument):
        if frame.f_code.co_filename not in names:
            return None
        found.add((frame.f_code.co_filename, frame.f_lineno))
        return see

    sys.settrace(see)
    try:
        call()
    finally:
        sys.settrace(before)
    return found


def test_the_corpora_reach_every_line_of_the_readers(tmp_path):
    """Of model files, IDX, the pickle of the wheel, and sparse matrices."""
    expected, modules = set(), [safetensors, _idx, _restricted_pickle, csr]
    for module in modules:
        source = Path(module.__file__).read_text("utf-8")
        begin = (
            safetensors.load.__code__.co_firstlineno if module is safetensors else 0
        )  # save stands above.
        lines = lines_of(compile(source, module.__file__, "exec"))
        expected |= {(name, line) for name, line in lines if line > begin}

    def replay():
        for name in hostile.TARGETS.keys() - {"network"}:
            target = hostile.TARGETS[name]()
            for data in target.corpus.values():
                hostile.broken(target, data, tmp_path, most_seconds=60)

    assert sorted(expected - reached({module.__file__ for module in modules}, replay)) == []


# ---- The checkers fail ---------------------------------------------------------------------------


def other_exception(data, folder):
    raise KeyError("this is no ValueError")


def silent(data, folder):
    raise ValueError


def memory(data, folder):
    return len(bytearray(100 << 20)) * 0


def beyond_memory(data, folder):
    return len(bytearray(1 << 50)) * 0


def waits(data, folder):
    time.sleep(1.1)
    return 0


def computes(data, folder):
    end = time.process_time() + 1.05
    while time.process_time() < end:
        pass
    return 0


def crash(data, folder):
    os.abort()


def rare(data, folder):
    """Chance alone has to find three bytes at once; who sees new lines finds one by one."""
    if len(data) >= 3 and data[0] < 8:
        if data[1] < 8:
            if data[2] < 8:
                raise KeyError("found")
    return 0


def faulty(run):
    changes = functools.partial(hostile.changed_bytes, b"...")
    return hostile.Target(run, {"seed": b"..."}, changes)


FAULTS = {
    other_exception: r"KeyError: 'this is no ValueError' at test_fuzz.py",
    silent: "ValueError without a word",
    memory: "TooLarge: 10[0-9] MB",
    beyond_memory: "MemoryError",
    waits: r"TooSlow: 1\.\d s",
    computes: r"TooSlow: 1\.\d s",
}


@pytest.mark.parametrize(
    ("run", "says"),
    [pytest.param(*f, marks=[pytest.mark.long] * (f[0] is waits)) for f in FAULTS.items()],
)
def test_each_broken_law_is_seen(run, says, tmp_path):
    assert re.search(says, hostile.broken(faulty(run), b"...", tmp_path))


def test_a_changed_input_that_breaks_a_law_is_told(tmp_path):
    def run(data, folder):
        return 0 if data.startswith(b"\0\0") else other_exception(data, folder)

    idx = hostile.TARGETS["idx"]()
    with pytest.raises(AssertionError, match="this is no ValueError"):
        attempts(dataclasses.replace(idx, run=run), tmp_path, QUICK)


LED = """
import sys; sys.path[:0] = [{tools!r}]; sys.path.append({root!r})
import fuzz
from tests import hostile, test_fuzz
hostile.TARGETS = {{"fault": lambda: test_fuzz.faulty(test_fuzz.{fault})}}
sys.exit(fuzz.main())
"""


@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed")
@pytest.mark.parametrize(
    ("fault", "says"), [("crash", "Fatal Python error: Aborted"), ("rare", "KeyError: 'found'")]
)
def test_the_engine_finds_and_keeps_what_chance_does_not(fault, says, tmp_path):
    script = LED.format(tools=str(ROOT / "tools"), root=str(ROOT), fault=fault)
    command = [sys.executable, "-c", script, "fault", "--seconds", "60", "--findings", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    said = done.stdout + done.stderr
    assert done.returncode == 1 and says in said, said
    (kept,) = (tmp_path / "fault").iterdir()
    assert kept.read_bytes().startswith(b"...") == (fault == "crash")
