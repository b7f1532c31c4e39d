"""How time grows with threads, hidden units, batch and density, beside NumPy written well.

    BPCORE_DATA=FOLDER python benchmarks/scaling.py --json scaling.json --chart-prefix scaling

Threads are measured on the jobs A and D, sizes on random numbers with 784 inputs and one output.
Each point is repeated until its samples add up to half a second, but at least three times.
NumPy runs the small ones on one thread where that is faster.
"""

import argparse
import json
import statistics
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

import jobs
import machine
from rounds import Staff, enter, say
from worker import Worker

SYSTEMS = ("bpcore", "numpy")
LEAST_SAMPLES, ENOUGH_SECONDS, SAMPLE_SECONDS = 3, 0.5, 0.1


def base_job(key, rows, hidden=196, **settings):
    """Gradient descent for 784-hidden-1 on random rows."""
    common = dict(title=key, unit="a pass", data="synthetic", units=1, learning_rate=0.1)
    defaults = common | dict(rows=rows, sizes=(784, hidden, 1), check_steps=2)
    return jobs.Job(key, **defaults | settings)


def hidden_series():
    for power in range(3, 13):
        yield 2**power, base_job("hidden", 1024, hidden=2**power, small=power < 7)


def batch_series():
    """Each point is an epoch of at least 64 batches or 16,384 rows, whichever is less."""
    for power in range(15):
        rows = min(16384, max(1024, 64 * 2**power))
        yield 2**power, base_job("batch", rows, batch=2**power, check_steps=1, small=power < 7)


def density_series():
    for density in (0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0):
        yield density, base_job("density", 4096, density=density)


SERIES = {
    "hidden": ("hidden units, full batch of 1,024 rows, 784-h-1", hidden_series),
    "batch": ("rows of a batch, 784-196-1", batch_series),
    "density": ("share of inputs that are not zero, full batch of 4,096 rows", density_series),
}


def point(staff, job, threads, quick):
    """Samples of every system, in turns: {system: [seconds of one unit]}."""
    job = jobs.quick(job) if quick else job
    least, enough = (1, 0) if quick else (LEAST_SAMPLES, ENOUGH_SECONDS)
    workers = []
    for system in SYSTEMS:
        entry = enter(staff, job, system, threads)
        if entry.refused:
            raise SystemExit(f"{job.key}: {system} is {entry.refused}")
        workers.append(staff.hire(system, entry.threads))
    units = dict.fromkeys(workers, 1)
    for worker in workers:
        seconds = worker.sample(1)
        if job.batch is None and not quick:
            units[worker] = max(1, round(SAMPLE_SECONDS / seconds))
    samples, spent = {system: [] for system in SYSTEMS}, 0.0
    while spent < enough or len(samples[SYSTEMS[0]]) < least:
        for worker in workers:
            start = time.perf_counter()
            samples[worker.system].append(worker.sample(units[worker]))
            spent += time.perf_counter() - start
    return samples


def record(x, job, samples):
    """One point: the medians of a sample and of a multiply-add, in seconds."""
    result = {"x": x, "samples": samples}
    for system, seconds in samples.items():
        median = statistics.median(seconds)
        result[system] = {
            "seconds": median,
            "per_row": median / job.rows,
            "per_multiply_add": 2 * median / job.operations,
        }
    return result


def thread_series(staff, quick):
    """Jobs A and D on 1, 2, 4, ... threads and on all cores."""
    cores = machine.core_count()
    counts = sorted({2**i for i in range(cores.bit_length())} | {cores})
    for key in ("A", "D"):
        job = replace(jobs.JOBS[key], check_steps=2)
        points = []
        for threads in counts:
            say(f"threads: {key} on {threads}")
            points.append(record(threads, job, point(staff, job, threads, quick)))
        yield key, {"title": f"threads, job {key}: {job.title}", "points": points}


def measured(threads, quick):
    staff, result = Staff(), {}
    try:
        for name, (title, series) in SERIES.items():
            points = []
            for x, job in islice(series(), 2 if quick else None):
                say(f"{name}: {x}")
                points.append(record(x, job, point(staff, job, threads, quick)))
            result[name] = {"title": title, "points": points}
        result["threads"] = dict(thread_series(staff, quick))
    finally:
        staff.close()
    return {"machine": machine.describe(), "threads": threads, "series": result}


def show(result):
    series = result["series"]
    for name in SERIES:
        print(f"\n{series[name]['title']}; {result['threads']} threads")
        print(f"{'':>8} {'us a row':>25} {'ps a multiply-add':>21}")
        print(f"{'':>8} {'bpcore':>12} {'NumPy':>12} {'bpcore':>10} {'NumPy':>10} {'ratio':>7}")
        for one in series[name]["points"]:
            ours, theirs = one["bpcore"], one["numpy"]
            print(
                f"{one['x']:>8} {ours['per_row'] * 1e6:12.3f} {theirs['per_row'] * 1e6:12.3f} "
                f"{ours['per_multiply_add'] * 1e12:10.1f} {theirs['per_multiply_add'] * 1e12:10.1f}"
                f" {theirs['seconds'] / ours['seconds']:7.2f}"
            )
    for one in series["threads"].values():
        print(f"\n{one['title']}\n{'':>8} {'bpcore':>12} {'NumPy':>12}   ms")
        for at in one["points"]:
            ours, theirs = (at[system]["seconds"] * 1e3 for system in SYSTEMS)
            print(f"{at['x']:>8} {ours:12.2f} {theirs:12.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=machine.core_count(), metavar="N")
    parser.add_argument("--quick", action="store_true", help="small jobs, to see that all runs")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--chart-prefix", metavar="P", help="writes P_hidden.png, P_batch.png, ...")
    options = parser.parse_args()
    if options.quick:
        Worker.settle_seconds = 0
    result = measured(options.threads, options.quick)
    show(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    if options.chart_prefix:
        import scaling_chart

        scaling_chart.draw(result, options.chart_prefix)


if __name__ == "__main__":
    main()
