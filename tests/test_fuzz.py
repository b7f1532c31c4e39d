"""What strangers give ends in a result or in a clear refusal: the quick form of tools/fuzz.py.

Each target tries its whole corpus and some seeded changes of it, in a process of its own.
"""

import inspect
import re
import subprocess
import sys
import tracemalloc
import types
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from bpcore._inputs import csr
from bpcore._io import safetensors
from bpcore.datasets import _fetch, _idx, _restricted_pickle

ROOT = Path(__file__).resolve().parents[1]
CORPORA = ROOT / "tests" / "corpora"
TARGETS = ["model", "idx", "idx_gz", "wheel", "csr", "network"]
LEAST_INPUTS = 20  # of each corpus: each has more branches than that


def fuzz(target, folder, *options):
    """Exit status, output and (executions, findings) of one target."""
    command = [sys.executable, ROOT / "tools/fuzz.py", target, "--seed", "1", "--seconds", "2"]
    command += ["--findings", folder, *options]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, cwd=folder, timeout=300
    )
    figures = re.fullmatch(r"(\d+) executions, (\d+) findings", done.stdout.splitlines()[-1])
    assert figures, done.stdout + done.stderr
    return done.returncode, done.stdout, *map(int, figures.groups())


@pytest.mark.parametrize("target", TARGETS)
def test_every_input_ends_in_a_result_or_a_refusal(target, tmp_path):
    committed = len(list((CORPORA / target).iterdir()))
    assert committed >= LEAST_INPUTS
    status, said, executions, findings = fuzz(target, tmp_path, "--executions", 300)
    assert (status, findings) == (0, 0), said
    assert executions > committed


@pytest.mark.parametrize("target", TARGETS)
def test_the_committed_corpus_is_what_the_code_makes(target, tmp_path):
    """And what was found: found-*. Versions of zlib pack alike, but not to the same bytes."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from fuzzing import targets\n"
        "from pathlib import Path; import fuzz\n"
        "fuzz.CORPORA = Path(sys.argv[3]); fuzz.write_corpora([sys.argv[2]])"
    )
    command = [sys.executable, "-c", script, str(ROOT / "tools"), target, str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    made = {path.name: path.read_bytes() for path in (tmp_path / target).iterdir()}
    kept = {path.name: path.read_bytes() for path in (CORPORA / target).iterdir()}
    kept = {name: data for name, data in kept.items() if not name.startswith("found-")}
    assert kept.keys() == made.keys()
    assert target in ("idx_gz", "wheel") or kept == made


NO_LOADERS = {"dump", "split", "compressed", "to_csr_if_faster", "as_double"}


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


def test_the_corpora_reach_every_line_of_the_readers(tmp_path, monkeypatch):
    """Of model files, IDX, the pickle of the wheel, and sparse matrices."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    monkeypatch.setattr(_fetch, "WHEEL_SHA256", None)  # The target changes both.
    monkeypatch.setattr(_fetch, "MOST_UNPACKED", None)
    fuzz, worker = import_module("fuzz"), import_module("fuzzing.worker")
    expected, reached, said = set(), set(), []
    for module in (safetensors, _idx, _restricted_pickle, csr):
        source = Path(module.__file__).read_text("utf-8")
        begin = safetensors.load.__code__.co_firstlineno if module is safetensors else 0
        lines = lines_of(compile(source, module.__file__, "exec"))
        expected |= {(name, line) for name, line in lines if line > begin}
    tracemalloc.start()
    try:
        for name in TARGETS[:-1]:
            trial = worker.Worker(fuzz.targets.named(name), tmp_path, said.append)
            trial.replay(fuzz.corpus(name), True)
            reached |= {(code.co_filename, line) for code, line in trial.lines.seen}
    finally:
        tracemalloc.stop()
    assert not [line for line in said if "finding" in line]
    assert sorted(expected - reached) == []


FAULTS = {
    "other_exception": r"KeyError: 'this is no ValueError' at faulty.py",
    "silent": "ValueError without a word",
    "memory": "TooLarge: 10[0-9] MB",
    "beyond_memory": "MemoryError",
    "waits": r"TooSlow: 1\.\d s",
    "computes": r"TooSlow: 1\.\d s",
    "crash": "Crash: exit status -?[1-9]",
    "rare": "KeyError: 'found'",
}


@pytest.mark.parametrize(("fault", "says"), FAULTS.items(), ids=FAULTS)
def test_each_broken_law_is_found_and_its_input_kept(fault, says, tmp_path):
    options = ("--executions", 0)
    if fault == "rare":
        options = ("--executions", 6_000, "--seconds", 60)
    status, said, _, findings = fuzz(f"faulty_{fault}", tmp_path, *options)
    assert status == 1 and findings >= 1
    assert re.search(says, said), said
    (kept,) = (tmp_path / f"faulty_{fault}").iterdir()
    assert kept.read_bytes().startswith(b"ab" if fault == "rare" else b"...")


@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed")
def test_the_other_engine_judges_by_the_same_laws(tmp_path):
    options = ("--engine", "atheris", "--executions", 50)
    assert fuzz("idx", tmp_path, *options)[0] == 0
    status, said, *_ = fuzz("faulty_other_exception", tmp_path, *options)
    assert status == 1 and "KeyError: 'this is no ValueError'" in said


def test_what_it_tests_stands_in_its_help():
    command = [sys.executable, str(ROOT / "tools/fuzz.py"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Law: " in done.stdout and all(target in done.stdout for target in TARGETS)
