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
import peers
import report
import rounds

import bpcore


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", default="A,A64,B,C,D,E", help="comma-separated, default: all")
    parser.add_argument("--threads", type=int, default=machine.core_count(), metavar="N")
    parser.add_argument("--repeats", type=int, default=7, metavar="R")
    parser.add_argument("--peers", help=f"comma-separated, of {', '.join(others())}; default: all")
    parser.add_argument("--quick", action="store_true", help="small jobs, to see that all runs")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--chart", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.quick:
        options.repeats, rounds.Worker.settle_seconds = 1, 0
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
    limits = machine.Limits(bpcore.info()["isas"], options.threads)
    limits.measure(memory=True)
    for _ in range(1 if options.quick else 5):  # A short run's rounds alone may miss the best.
        limits.measure()
    during = None if options.quick else limits
    staff = rounds.Staff()
    systems = ["bpcore", *filter(None, options.systems)]
    done = {}
    try:
        for job in jobs.selected(options.jobs, options.quick):
            entries = rounds.measure(staff, job, systems, options.threads, options.repeats, during)
            done[job.key] = asdict(job) | {
                "operations": job.operations,
                "systems": {entry.system: entry.summary() for entry in entries},
            }
    finally:
        staff.close()
    for job in done.values():
        peak = limits.rate(job["dtype"])
        job["dense_limit"] = job["operations"] / peak if peak else None
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
