"""bpcore and its peers on the same jobs, in one run.

    BPCORE_DATA=FOLDER python benchmarks/run.py --jobs A,B,E --json run.json --chart run.png

benchmarks/README.md says what the jobs are and how to read the table.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import jobs
import machine
import numpy as np
import peers
import report
import rounds
from worker import ISA_SETTINGS, Worker

import bpcore
from bpcore import _core

# Operations of a step from which bpcore shares it, two for each multiply-add.
SHARED = 2 * _core.STEP_WORK


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", default="A,A64,B,C,D,E", help="comma-separated, default: all")
    parser.add_argument("--threads", type=int, default=machine.core_count(), metavar="N")
    parser.add_argument("--repeats", type=int, default=7, metavar="R")
    parser.add_argument("--peers", help=f"comma-separated, of {', '.join(others())}; default: all")
    parser.add_argument("--isa", choices=ISA_SETTINGS, help="keep every system to it that can be")
    parser.add_argument("--quick", action="store_true", help="small jobs, to see that all runs")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--chart", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.quick:
        options.repeats, Worker.settle_seconds = 1, 0
    if options.isa:
        _core.use_isa(options.isa)
        Worker.settings = ISA_SETTINGS[options.isa]
    options.systems = others() if options.peers is None else options.peers.split(",")
    unknown = set(options.systems) - {*others(), ""}
    if unknown:
        parser.error(f"no peer {', '.join(unknown)}; there are {', '.join(others())}")
    if not 1 <= options.threads <= machine.core_count() or options.repeats < 1:
        parser.error("--threads is from 1 to the number of cores, --repeats at least 1")
    return options


def others():
    return [name for name in peers.SYSTEMS if name != "bpcore"]


def measured(options):
    """Everything that the table, the chart and the JSON are made of."""
    isas = [options.isa] if options.isa else bpcore.info()["isas"]
    limits = machine.Limits(isas, options.threads)
    limits.measure(memory=True)
    for _ in range(1 if options.quick else 5):  # A short run's rounds alone may miss the best.
        limits.measure()
    during = None if options.quick else limits
    chosen = {job.key: job for job in jobs.selected(options.jobs, options.quick)}
    staff = rounds.Staff()
    systems = ["bpcore", *filter(None, options.systems)]
    done = {}
    try:
        for job in chosen.values():
            entries = rounds.measure(staff, job, systems, options.threads, options.repeats, during)
            done[job.key] = asdict(job) | {
                "operations": job.operations,
                "systems": {entry.system: entry.summary() for entry in entries},
            }
    finally:
        staff.close()
    for key, job in done.items():
        peak = limits.rate(job["dtype"])
        job["dense_limit"] = job["operations"] / peak if peak else None
        job["least"] = least(chosen[key], limits)
    return {
        "machine": machine.describe(),
        "settings": {
            "threads": options.threads,
            "repeats": options.repeats,
            "isa": bpcore.info()["isa"],
        },
        "bpcore": bpcore.info(),
        "systems": staff.about,
        "missing": staff.missing,
        "warnings": list(machine.warnings()),
        "limits": limits.rates(),
        "limits_missing": limits.missing,
        "jobs": done,
    }


def least(job, limits):
    """Seconds of one unit in which what is computed could be: at the peaks of this run.

    Products with a factor of zero do not count; X does where no cache of a core holds it. What is
    too short to be shared has one thread.
    """
    passes = -(-job.rows // job.batch) if job.batch else 1
    peak = limits.rate(job.dtype, "all" if job.operations / passes > SHARED else "one")
    if not peak:
        return None
    X = job.load()[0]
    density = np.count_nonzero(X) / X.size
    rate = limits.rate("read" if X.nbytes > machine.SHARED_CACHE else "read_8MiB")
    seconds = job.bytes_read(density) / rate if X.nbytes > machine.CORE_CACHE else 0
    return max(job.operations_in_fact(density) / peak, seconds)


def main():
    options = arguments()
    for warning in machine.warnings():
        rounds.say(f"Warning: {warning}")
    result = measured(options)
    report.show(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    if options.chart:
        import chart

        chart.draw(result, options.chart)


if __name__ == "__main__":
    main()
