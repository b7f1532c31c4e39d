"""Mutation testing: small bugs are planted one at a time, and the tests have to notice them.

Law: of the mutants of what reads files (``loaders``) and of the backward recursion in C
(``backward``) the tests kill at least 80 %. A mutant is killed where a test fails, the process dies
or the time runs out. Mutants that do not compile count for nothing; those that change no behaviour
stand with the reason in equivalent_mutants.toml and are not drawn.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import native
from mutants_subjects import DRIVER, SUBJECTS, Base, DoesNotCompile

LEAST = 80  # percent
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")
PYTEST = ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]


def equivalent():
    """{name: reason} of the mutants that no test can tell from the original."""
    return tomllib.loads(EQUIVALENT.read_text("utf-8"))["mutants"]


def run_tests(subject, site, seconds, folder):
    """What became of a package: "survived", "killed" or "killed by the clock"."""
    environment = native.environment(site, TMPDIR=str(folder), XDG_CACHE_HOME=str(folder))
    words = ["--basetemp", str(folder / "tests"), *subject.options(), *subject.tests]
    command = [sys.executable, "-P", *PYTEST, *words]
    status, said = finish(command, environment, seconds)
    if status in (3, 4, 5):  # Not of the mutant: pytest itself, or no test at all.
        raise RuntimeError(f"pytest ended with status {status}: {said[-2000:]}")
    if status == 0 and (folder / DRIVER).exists():
        status, _ = finish([str(folder / DRIVER)], environment, seconds)
    if status is None:
        return "killed by the clock"
    return "killed" if status else "survived"


def finish(command, environment, seconds):
    """A process's status and what it said; None where the clock ended it."""
    quiet = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    how = dict(cwd=native.ROOT, env=environment, start_new_session=True)
    with subprocess.Popen(command, **how, **quiet) as process:
        try:
            said, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # With whatever the tests have started.
            return None, ""
    return process.returncode, said


def judge(subject, mutant, base, seconds):
    """What becomes of a mutant; None: it does not compile."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            subject.make(mutant, base, folder)
        except DoesNotCompile:
            return None
        return run_tests(subject, folder / "site", seconds, folder)


def seconds_of_original(subject, base):
    """How long the tests take where nothing is changed: they have to pass."""
    with tempfile.TemporaryDirectory() as name:
        base.package(Path(name) / "site")
        start = time.monotonic()
        if run_tests(subject, Path(name) / "site", 600, Path(name)) != "survived":
            raise RuntimeError(f"the tests fail without a mutant: {' '.join(subject.tests)}")
        return time.monotonic() - start


def judge_all(subject, mutants, wanted, jobs):
    """[(mutant, fate), ...] of the first ``wanted`` mutants that compile, as they are drawn."""
    fates = []
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(jobs) as workers:
        base = Base(Path(name))
        seconds = 30 + 4 * seconds_of_original(subject, base)
        while mutants and (missing := wanted - sum(fate is not None for _, fate in fates)) > 0:
            drawn, mutants = mutants[:missing], mutants[missing:]
            for mutant, fate in zip(
                drawn,
                workers.map(lambda mutant: judge(subject, mutant, base, seconds), drawn),
                strict=True,
            ):
                print(f"{fate or 'does not compile'}: {mutant.name}", flush=True)
                fates.append((mutant, fate))
    return fates


def report(name, fates, listed):
    """Print the survivors and the figure; is the law broken?"""
    counted = [(mutant, fate) for mutant, fate in fates if fate]
    survivors = [mutant for mutant, fate in counted if fate == "survived"]
    for mutant in survivors:
        text = (native.ROOT / mutant.path).read_text("utf-8")
        print(f"\nsurvived: {mutant.name}\n{mutant.diff(text)}")
    killed = len(counted) - len(survivors)
    percent = 100 * killed / len(counted) if counted else 0
    print(
        f"\n{len(fates) - len(counted)} did not compile, {listed} are listed as equivalent\n"
        f"{name}: {killed} of {len(counted)} mutants killed = {percent:.1f} % (at least {LEAST} %)"
    )
    return percent < LEAST


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("subject", choices=SUBJECTS)
    parser.add_argument("--sample", type=int, default=60, help="how many; 0: all (default 60)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default 0)")
    parser.add_argument("--only", default="", metavar="TEXT", help="those with TEXT in their name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="at a time")
    parser.add_argument("--list", action="store_true", help="print their names and run nothing")
    return parser.parse_args()


def main():
    given = arguments()
    if missing := native.missing("Cython", "pytest"):
        print(f"skipped: {', '.join(missing)} is not here")
        return 0
    subject, reasons = SUBJECTS[given.subject], equivalent()
    mutants = [mutant for mutant in subject.mutants() if given.only in mutant.name]
    drawn = [mutant for mutant in mutants if mutant.name not in reasons]
    random.Random(given.seed).shuffle(drawn)
    if given.list:
        print("\n".join(mutant.name for mutant in mutants))
        print(f"{given.subject}: {len(mutants)} mutants")
        return 0
    fates = judge_all(subject, drawn, given.sample or len(drawn), given.jobs)
    return int(report(given.subject, fates, len(mutants) - len(drawn)))


if __name__ == "__main__":
    sys.exit(main())
