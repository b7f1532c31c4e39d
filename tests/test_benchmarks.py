"""Every script of benchmarks/ has a quick form that runs, and what it writes can be drawn."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bits import needs_fused

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
SCRIPTS = sorted(
    path.name for path in BENCHMARKS.glob("*.py") if '__name__ == "__main__"' in path.read_text()
)
WORKERS = {"worker.py", "network_rank.py"}  # What others start; they have no form of their own.
CHARTS = {"chart.py": "run.py", "scaling_chart.py": "scaling.py"}  # They draw what these write.
QUICK = [script for script in SCRIPTS if script not in {*WORKERS, *CHARTS}]
JOBS = {"run.py": ["--jobs", "A,B,D,E1"]}  # Of each kind one.
PEERS = {
    "microcontroller.py": ["sklearn"],
    "one_row.py": ["sklearn"],
    "sklearn_fit.py": ["sklearn", "threadpoolctl"],
}
COMPILED = {"limits.py", "microcontroller.py"}


def run(folder, *arguments):
    """A script, or ``-c`` and a program, in a folder, as users start it; warnings are errors."""
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONSAFEPATH"}
    command = [sys.executable, "-W", "error", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """quick(script): what its quick form says and the folder it wrote to; each runs once."""
    answers = {}

    def once(script):
        if script not in answers:
            folder = tmp_path_factory.mktemp("quick")
            written = ["--json", "result.json"] if script in CHARTS.values() else []
            arguments = ["--quick", *JOBS.get(script, []), *written]
            answers[script] = run(folder, BENCHMARKS / script, *arguments), folder
        return answers[script]

    return once


@pytest.mark.parametrize("script", QUICK)
def test_the_quick_form_of_a_benchmark_runs(quick, script):
    for peer in PEERS.get(script, []):
        pytest.importorskip(peer, reason=f"{peer} is not installed")
    if script in COMPILED and not shutil.which(os.environ.get("CC", "cc").split()[0]):
        pytest.skip("there is no C compiler here")
    assert quick(script)[0].strip()


def test_every_peer_that_is_installed_computes_what_the_oracle_does(quick):
    result = json.loads((quick("run.py")[1] / "result.json").read_text())
    systems = [(key, *one) for key, job in result["jobs"].items() for one in job["systems"].items()]
    assert [(key, name, e["refused"]) for key, name, e in systems if e["refused"]] == []
    assert {name for _, name, _ in systems} >= {"bpcore", "numpy", "tutorial"}
    reasons = result["missing"].values()
    assert [reason for reason in reasons if not reason.startswith("not installed")] == []


@pytest.mark.parametrize("chart", CHARTS)
def test_a_chart_is_drawn_from_what_a_run_wrote(quick, tmp_path, chart):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    result = quick(CHARTS[chart])[1] / "result.json"
    run(tmp_path, BENCHMARKS / chart, result, tmp_path / "drawn.png")
    assert list(tmp_path.glob("drawn*.png*"))


def test_the_benchmarks_are_found():
    assert {"run.py", "scaling.py", "compare.py", "limits.py"} <= set(QUICK)
    assert {"ranks.py", "network.py", "neighbours.py"} <= set(QUICK)
    assert {*WORKERS, *CHARTS} <= set(SCRIPTS)


ONE_BIT = """
import sys
import microcontroller as script

def planted(task, folder):
    system = script.systems.bpcore_float(task, folder)
    system.expected[-1, 0] = script.np.nextafter(system.expected[-1, 0], 2)
    return system

script.systems.SYSTEMS = {"bpcore": planted}
script.usable_boards = lambda quick: []
sys.argv = ["microcontroller.py", "--quick"]
script.main()
"""


@needs_fused
def test_one_wrong_bit_breaks_the_law_of_exported_programs():
    pytest.importorskip("sklearn", reason="sklearn is not installed")
    if not shutil.which(os.environ.get("CC", "cc").split()[0]):
        pytest.skip("there is no C compiler here")
    said = run(BENCHMARKS, "-c", ONE_BIT).splitlines()
    assert said[-1] == "bpcore: 1 words differ on this machine"


MACHINES_THAT_FAIL = """
import machines
if reason := machines.missing():
    raise SystemExit(print("skipped:", reason))
try:
    with machines.machines(2, 0.001, 1e9) as names:
        listed = machines.run("ip", "netns", "list")
        assert all(name in listed for name in names)
        inside = "ip", "netns", "exec", names[0]
        process = machines.subprocess.Popen([*inside, "sleep", "60"])
        raise KeyError(*names)
except KeyError as error:
    listed = machines.run("ip", "netns", "list")
    assert process.wait(10) == -9
    print(sum(name in listed for name in error.args), "left")
"""


def test_machines_of_the_network_are_gone_after_an_error():
    said = run(BENCHMARKS, "-c", MACHINES_THAT_FAIL)
    if said.startswith("skipped"):
        pytest.skip(said)
    assert said == "0 left\n"
