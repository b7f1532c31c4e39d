"""Is the working tree slower than another revision?

    BPCORE_DATA=FOLDER python benchmarks/compare.py --against main --jobs A,B,E
    python benchmarks/compare.py --against main --jobs hidden,batch,density    # scaling.py's series
    python benchmarks/compare.py --quick    # small jobs of the installed bpcore and itself

Builds both the same way, each into a temporary folder, and times them in pairs, one after the
other in changing order. Exit status 1: a job is slower by more than the threshold, and at least
three quarters of its pairs are slower at all.
"""

import argparse
import io
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import jobs
import machine
import scaling
from report import text
from rounds import prepare, say
from worker import Worker

ROOT = Path(__file__).resolve().parents[1]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--against", metavar="REV", help="a git revision")
    chosen.add_argument("--quick", action="store_true", help="builds nothing, to see that it runs")
    parser.add_argument("--jobs", default="A,A64,B,C,D,E", help="or a series; default: all jobs")
    parser.add_argument("--threads", type=int, default=machine.core_count(), metavar="N")
    parser.add_argument("--repeats", type=int, default=11, metavar="R", help="pairs of each job")
    parser.add_argument("--threshold", type=float, default=5, metavar="PERCENT")
    options = parser.parse_args()
    if options.quick:
        options.repeats, options.threshold = 2, float("inf")
        Worker.settle_seconds = 0
    if options.repeats < 2:
        parser.error("--repeats is at least 2: quartiles need two pairs")
    return options


def works(options):
    """(label, job) of each job, and of each point of a series of scaling.py."""
    for name in options.jobs.split(","):
        if name in scaling.SERIES:
            for x, job in scaling.SERIES[name][1]():
                yield f"{name} {x}", jobs.quick(job) if options.quick else job
        else:
            yield from ((job.key, job) for job in jobs.selected(name, options.quick))


def git(*words):
    return subprocess.run(["git", "-C", ROOT, *words], check=True, capture_output=True).stdout


def sources_of(revision, folder):
    """The files of a revision, or, for None, of the working tree without what git ignores."""
    folder.mkdir()
    if revision is not None:
        with tarfile.open(fileobj=io.BytesIO(git("archive", revision))) as archive:
            archive.extractall(folder, filter="data")
        return folder
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():  # A file that is deleted but not yet staged is listed, too.
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def build(revision, name, folder):
    """A folder that holds the built package."""
    say(f"building {name}")
    sources = sources_of(revision, folder / f"{name}-sources")
    target = folder / name
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*command, "--target", target, sources], check=True)
    return target


def pairs(job, old, new, repeats):
    """(seconds of old, seconds of new) for each pair; a pair before them is not counted."""
    for worker, name in ((old, "the old revision"), (new, "the working tree")):
        entry = prepare(worker, job)
        if entry.refused:
            raise SystemExit(f"{job.key}: {name} is refused: {entry.refused}")
    units, result = None, []
    if job.units == 1 and not job.batch:  # The points of a series are as short as a millisecond.
        units = max(1, round(scaling.SAMPLE_SECONDS / new.sample(1)))
    for number in range(repeats + 1):
        order = (old, new) if number % 2 else (new, old)
        seconds = {worker: worker.sample(units) for worker in order}
        result.append((seconds[old], seconds[new]))
    return result[1:]


def judge(samples, threshold):
    """Median of the pairs' ratios new / old, their quartiles, and whether that is slower."""
    ratios = [new / old for old, new in samples]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return low, middle, high, middle > 1 + threshold / 100 and low > 1


def compare(options, folder):
    """Print a line for each job; returns the keys of those that are slower."""
    slower = []
    targets = [None, None]  # What is installed.
    if not options.quick:
        targets = [build(options.against, "old", folder), build(None, "new", folder)]
    old, new = (Worker("bpcore", options.threads, target) for target in targets)
    try:
        there = (options.against or "here")[:12]
        print(f"{'job':>12} {there:>12} {'here':>10} {'ratio':>7}  quartiles")
        for label, job in works(options):
            samples = pairs(job, old, new, options.repeats)
            low, middle, high, is_slower = judge(samples, options.threshold)
            times = [text(statistics.median(column)) for column in zip(*samples, strict=True)]
            print(
                f"{label:>12} {times[0]:>12} {times[1]:>10} {middle:7.3f}  {low:.3f} {high:.3f}"
                f"{'  slower' * is_slower}",
                flush=True,
            )
            if is_slower:
                slower.append(label)
    finally:
        old.close()
        new.close()
    return slower


def main():
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        return 1 if compare(options, Path(folder)) else 0


if __name__ == "__main__":
    sys.exit(main())
