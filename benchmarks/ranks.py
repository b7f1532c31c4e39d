"""What ranks cost where threads would do: bpcore, and PyTorch's DistributedDataParallel.

    pip install mpi4py mpich torch
    BPCORE_DATA=FOLDER python benchmarks/ranks.py [--jobs A,D] [--repeats 7] [--quick]

Law: on N cores of one machine, N ranks of one thread take at most 1.15 times as long as one process
of N threads. Both are timed in one run, beside PyTorch on as many threads and ranks.
"""

import argparse
import importlib.util
import json
import statistics
import sys
from dataclasses import asdict
from pathlib import Path

import jobs
import launch
import machine
import peers
import rounds
from report import text

LIMIT = 1.15
# {what is printed: (system, beside which other)}
RATIOS = {
    "bpcore, ranks / threads": ("bpcore_on_ranks", "bpcore"),
    "PyTorch, ranks / threads": ("torch_on_ranks", "torch"),
    "PyTorch / bpcore, ranks": ("torch_on_ranks", "bpcore_on_ranks"),
    "PyTorch / bpcore, threads": ("torch", "bpcore"),
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", default="A,D", help="comma-separated, of those that train")
    cores = machine.core_count()
    parser.add_argument("--ranks", type=int, default=cores, metavar="N", help="and threads")
    parser.add_argument("--repeats", type=int, default=7, metavar="R")
    parser.add_argument("--quick", action="store_true", help="small and once, to see that it runs")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.quick:
        options.repeats = 1
    if not 1 <= options.ranks <= cores or options.repeats < 1:
        parser.error("--ranks is from 1 to the number of cores, --repeats at least 1")
    return options


def systems():
    """Those that can be timed here; says why others cannot."""
    names = ["bpcore", "bpcore_on_ranks"]
    if importlib.util.find_spec("torch") is None:
        print("skipped: torch is not installed")
    else:
        names += ["torch", "torch_on_ranks"]
    if launch.missing():
        print(f"skipped: {launch.missing()}")
        names = [name for name in names if name not in peers.ON_RANKS]
    return names


def ratios(entries):
    """{what: the median of the rounds' ratios, and their quartiles}."""
    samples = {entry.system: entry.samples for entry in entries if entry.samples}
    found = {}
    for name, (one, other) in RATIOS.items():
        if one in samples and other in samples:
            each = [a / b for a, b in zip(samples[one], samples[other], strict=True)]
            low, _, high = statistics.quantiles(each * 2, n=4, method="inclusive")
            found[name] = statistics.median(each), low, high
    return found


def show(job, entries, found):
    labels = {name: label for name, (_, _, label) in (peers.SYSTEMS | peers.ON_RANKS).items()}
    print(f"\n{job.key}: {job.title}; {job.unit}")
    for entry in entries:
        time = entry.refused or text(entry.median)
        busy = f"  others took {entry.foreign:.2f} cores" if entry.foreign > 0.1 else ""
        print(f"  {labels[entry.system]:34} {time}{busy}")
    for name, (median, low, high) in found.items():
        print(f"  {name:34} {median:.3f}  quartiles {low:.3f} {high:.3f}", flush=True)


def main():
    options = arguments()
    names, staff, done, broken = systems(), rounds.Staff(), {}, []
    try:
        for job in jobs.selected(options.jobs, options.quick):
            entries = rounds.measure(staff, job, names, options.ranks, options.repeats)
            found = ratios(entries)
            show(job, entries, found)
            broken += [f"{job.key}: {entry.system}" for entry in entries if entry.refused]
            if not options.quick and found.get("bpcore, ranks / threads", [0])[0] > LIMIT:
                broken.append(f"{job.key}: ranks take more than {LIMIT} times as long as threads")
            systems_ = {entry.system: entry.summary() for entry in entries}
            done[job.key] = asdict(job) | {"systems": systems_, "ratios": found}
    finally:
        staff.close()
    for name, reason in staff.missing.items():
        print(f"skipped: {name}: {reason}")
    print(f"{len(broken)} broken laws", *broken, sep="\n")
    if options.json:
        result = {"machine": machine.describe(), "ranks": options.ranks, "systems": staff.about}
        options.json.write_text(json.dumps(result | {"jobs": done}, indent=1) + "\n")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
