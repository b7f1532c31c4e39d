"""Mutation testing: small bugs are planted one at a time, and the tests have to notice them.

Law: of the mutants of what reads files (``loaders``) and of the backward recursion in C
(``backward``) the tests kill at least 80 %. A mutant is killed where a test fails, the process dies
or the time runs out. Loaders are Python, and mutmut's affair: it tries all mutants of functions,
each with the tests that reach it; one that none reaches has survived. The text of messages is not
changed: nothing promises it word by word. Of C a sample is drawn; mutants that do not compile
count for nothing, and those that change no behaviour stand with the reason in
equivalent_mutants.toml.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import mutate_c
import native

LEAST = 80  # percent


# ---- Python --------------------------------------------------------------------------------------

# Of what fetches, what reads and judges; the network's side is a matter of the mirrors.
READERS = {
    "bpcore/_io/safetensors.py": ["*"],
    "bpcore/datasets/_idx.py": ["*"],
    "bpcore/datasets/_restricted_pickle.py": ["*"],
    "bpcore/datasets/_fetch.py": [
        f"x_{name}__*"
        for name in ("find", "verified", "_get", "_from_mirror", "_from_wheel", "_read_wheel")
    ],
}
READERS_TESTS = [
    "tests/data/test_idx.py",
    "tests/data/test_pickled.py",
    "tests/test_files.py",
    "tests/test_resume_files.py",
    "tests/data/test_fetch.py",
    "tests/data/test_datasets.py",
    "tests/test_scaling.py",
    "tests/test_frames.py",
    "tests/test_properties_files.py",
]
# mutmut calls a function through one of its own, which is then the place of a warning, and reads;
# it runs tests in one process again and again, and an iterator ends.
NOT_HERE = [
    "--deselect=tests/data/test_fetch.py::test_cache_that_cannot_be_written_costs_only_the_cache",
    "--deselect=tests/data/test_datasets.py::test_import_touches_neither_network_nor_disk",
    "--deselect=tests/data/test_datasets.py::test_digits_come_in_any_sequence",
    "--deselect=tests/test_files.py::test_weights_are_saved_where_the_moments_have_overflowed",
]
# mutmut changes strings, too; its command line has no option against it.
MUTMUT = """
import libcst
from mutmut.mutation import mutators
changes = mutators.mutation_operators
changes[:] = [change for change in changes if change[1] is not mutators.operator_string]
from mutmut.__main__ import cli
cli()
"""


def mutmut(folder, readers, tests, jobs=2):
    """{what became of them: how many} of the mutants of {file: functions}, and the survivors."""
    import bpcore

    copied = ["tests", "tools", "csrc", "docs", "conftest.py", "pyproject.toml"]
    for name in copied:
        source = native.ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    shutil.copytree(Path(bpcore.__file__).parent, folder / "src/bpcore")
    settings = {"source_paths": ["src"], "only_mutate": [f"src/{name}" for name in readers]}
    settings |= {"also_copy": copied, "pytest_add_cli_args_test_selection": list(tests)}
    settings["pytest_add_cli_args"] = NOT_HERE
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    with (folder / "pyproject.toml").open("a") as file:
        file.write("\n[tool.mutmut]\n" + "\n".join(lines) + "\n")

    def run(*words):
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        return native.run(sys.executable, "-c", MUTMUT, *words, cwd=folder, env=environment)

    names = [
        f"{name[:-3].replace('/', '.')}.{function}"
        for name, functions in readers.items()
        for function in functions
    ]
    said = run("run", "--max-children", jobs, *names)
    run("export-cicd-stats")
    fates = json.loads((folder / "mutants/mutmut-cicd-stats.json").read_text())
    survived = [line.strip() for line in run("results").splitlines() if "survived" in line]
    if not fates["killed"] + fates["survived"] + fates["no_tests"]:
        raise RuntimeError(f"mutmut tried no mutant:\n{said[-4000:]}")
    return fates, survived


def judge_loaders(given):
    with tempfile.TemporaryDirectory() as folder:
        fates, survived = mutmut(Path(folder), READERS, READERS_TESTS, given.jobs)
    print(*survived, sep="\n")
    lived = fates["survived"] + fates["no_tests"] + fates["suspicious"]
    return verdict("loaders", fates["killed"] + fates["timeout"] + fates["segfault"], lived)


# ---- C -------------------------------------------------------------------------------------------

# What computes; how large blocks and workspaces are only decides how fast and where.
BACKPROP = ["dropout_of", "forward_epilogue", "delta_below", "backward_block", "layer_gradient"]
BACKPROP += ["part_share", "transpose_back", "arrange_gradient", "end_block"]
FIRST = ["make_column_panels", "panel_tiles", "panels_backward", "scatter_weights"]
FIRST += ["first_backward_weights"]
LAYER = ["dense_backward_weights", "dense_backward_biases", "dense_backward_input"]
LAYER += ["softmax_backward", "activate_backward"]
LOSS = ["cross_entropy", "loss_derivative", "output_loss", "poisson", "loss"]
SCOPE = {
    "csrc/nn/backprop_template.h": BACKPROP,
    "csrc/nn/first_layer_template.h": FIRST,
    "csrc/nn/layer_template.h": LAYER,
    "csrc/nn/loss_template.h": LOSS,
    "csrc/nn/workspace_template.h": ["keeps_derivative"],
}
INCLUDERS = ["api/api_f32.c", "api/api_f64.c"]
TESTS = [
    "tests/test_train.py",
    "tests/test_backprop.py",
    "tests/test_losses.py",
    "tests/test_layer.py",
    "tests/test_backward.py",
    "tests/test_panels.py",
    "tests/test_dropout.py",
    "tests/test_sparse_input.py",
    "tests/test_optimizers_sharing.py",
    "tests/test_gradient_grid.py",
    "tests/test_row_parts.py",
    "tests/test_shared_batch.py",
]
FLAGS = ["-O1"]  # Compiled in a second, and tested in less.
# A mutant that swaps what are not alike is no C, though a compiler may only warn.
STRICT = ["-Werror=incompatible-pointer-types", "-Werror=int-conversion", "-Wno-unused"]


def mutants():
    found = []
    for path, functions in SCOPE.items():
        text = (native.ROOT / path).read_text("utf-8")
        found += mutate_c.mutants(path, text, functions)
    return found


def equivalent():
    """{name: reason} of the mutants that no test can tell from the original."""
    listed = Path(__file__).with_name("equivalent_mutants.toml").read_text("utf-8")
    return tomllib.loads(listed)["mutants"]


@dataclass
class Base:
    """The objects of the unchanged core, which every mutant shares; the tests and their time."""

    folder: Path
    tests: list
    seconds: float = 600

    def __post_init__(self):
        csrc = native.ROOT / "csrc"
        self.core = native.compile_all(native.sources(csrc), csrc, self.folder, FLAGS)
        self.binding = native.binding(self.folder)
        source = native.ROOT / "tests/c/driver.c"
        (self.driver,) = native.compile_all([source], csrc, self.folder, FLAGS)

    def make(self, mutant, folder):
        """The package and the driver with its guarded memory; False: the mutant is no C."""
        csrc = folder / "csrc"
        shutil.copytree(native.ROOT / "csrc", csrc)
        if mutant:
            path = folder / mutant.path
            path.write_text(mutant.applied(path.read_text("utf-8")), "utf-8")
        files = [csrc / name for name in INCLUDERS]
        try:
            new = native.compile_all(files, csrc, folder, [*FLAGS, *STRICT])
        except subprocess.CalledProcessError:
            return False
        names = {made.name for made in new}
        core = [*new, *(made for made in self.core if made.name not in names)]
        native.link([self.binding, *core], native.package(folder / "site"))
        command = [*native.compiler(), "-pthread", self.driver, *core, "-lm"]
        native.run(*command, "-o", folder / "driver")
        return True

    def judge(self, mutant):
        """What becomes of a mutant: "survived", "killed", "killed by the clock", or None where it
        does not compile."""
        with tempfile.TemporaryDirectory() as name:
            return self.run_tests(Path(name)) if self.make(mutant, Path(name)) else None

    def run_tests(self, folder):
        how = {"TMPDIR": str(folder), "XDG_CACHE_HOME": str(folder)}
        environment = native.environment(folder / "site", **how)
        words = ["-x", "-q", "-p", "no:cacheprovider", f"--basetemp={folder / 'tests'}"]
        command = [sys.executable, "-P", "-m", "pytest", *words, *self.tests]
        status, said = finish(command, environment, self.seconds)
        if status in (3, 4, 5):  # Not of the mutant: pytest itself, or no test at all.
            raise RuntimeError(f"pytest ended with status {status}: {said[-2000:]}")
        if status == 0:
            status, _ = finish([folder / "driver"], environment, self.seconds)
        if status is None:
            return "killed by the clock"
        return "killed" if status else "survived"


def finish(command, environment, seconds):
    """A process's status and what it said; None where the clock ended it."""
    how = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    how |= dict(cwd=native.ROOT, env=environment, start_new_session=True)
    with subprocess.Popen(list(map(str, command)), **how) as process:
        try:
            said, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # With whatever the tests have started.
            return None, ""
    return process.returncode, said


def best_instruction_set():
    """Only the tests of the best one: what is mutated is the same text for all."""
    from bpcore import info

    others = " or ".join(info()["isas"][1:])
    return ["-k", f"not ({others})"] if others else []


def judge_backward(given):
    reasons, found, fates = equivalent(), mutants(), {}
    drawn = [mutant for mutant in found if mutant.name not in reasons]
    drawn = [mutant for mutant in drawn if given.only in mutant.name]
    random.Random(given.seed).shuffle(drawn)
    wanted = given.sample or len(drawn)
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(given.jobs) as workers:
        base = Base(Path(name), [*best_instruction_set(), *TESTS])
        started = time.monotonic()
        if base.judge(None) != "survived":
            raise RuntimeError("the tests fail without a mutant")
        base.seconds = 30 + 4 * (time.monotonic() - started)
        while drawn and (missing := wanted - sum(map(bool, fates.values()))) > 0:
            now, drawn = drawn[:missing], drawn[missing:]
            for mutant, fate in zip(now, workers.map(base.judge, now), strict=True):
                print(f"{fate or 'does not compile'}: {mutant.name}", flush=True)
                fates[mutant] = fate
    survivors = [mutant for mutant, fate in fates.items() if fate == "survived"]
    for mutant in survivors:
        print("", mutant.name, mutant.diff((native.ROOT / mutant.path).read_text()), sep="\n")
    return verdict("backward", sum(map(bool, fates.values())) - len(survivors), len(survivors))


# ---- Both ----------------------------------------------------------------------------------------


def verdict(name, killed, survived):
    """Print the figure; is the law broken?"""
    percent = 100 * killed / max(killed + survived, 1)
    print(f"{name}: {killed} of {killed + survived} mutants killed", end=" ")
    print(f"= {percent:.1f} % (at least {LEAST} %)")
    return percent < LEAST


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    subjects = {"loaders": judge_loaders, "backward": judge_backward}
    parser.add_argument("subject", choices=subjects)
    parser.add_argument("--sample", type=int, default=60, help="of C; 0: all (default 60)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default 0)")
    parser.add_argument("--only", default="", metavar="TEXT", help="of C, with TEXT in their name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="at a time")
    parser.add_argument("--list", action="store_true", help="print the names of C and end")
    given = parser.parse_args()
    if missing := native.missing("Cython", "pytest", "mutmut"):
        print(f"skipped: {', '.join(missing)} is not here")
        return 0
    if given.list:
        print(*(mutant.name for mutant in mutants()), sep="\n")
        return 0
    return int(subjects[given.subject](given))


if __name__ == "__main__":
    sys.exit(main())
