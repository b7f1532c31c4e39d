"""Training beside busy programs: as it tunes itself, on one thread, and on all of them.

    BPCORE_DATA=FOLDER python benchmarks/neighbours.py [--jobs A,D] [--repeats 5] [--quick]

A busy program computes all the time, on whichever core it gets. With --slow-core two of them have
to share one core with whoever else is there, which leaves a third of it. The columns are medians of
seconds, interleaved; the last one is what matters to whoever has such neighbours.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time

import jobs
import machine
from report import text

SECONDS = 2.0  # Of a fit on one thread alone: time for two or three looks at other ways.
BUSY = """import os, sys
if len(sys.argv) > 1:
    os.sched_setaffinity(0, {int(sys.argv[1])})
while True:
    pass
"""
SYSTEMS = {
    "tuned": {},
    "1 thread": {"n_threads": 1},
    "all threads": {"BPCORE_TUNING": "off"},
}


@contextlib.contextmanager
def neighbours(count, core=None):
    """Within, so many busy programs run, on this core if one is given."""
    command = [sys.executable, "-c", BUSY, *([] if core is None else [str(core)])]
    programs = [subprocess.Popen(command) for _ in range(count)]
    try:
        time.sleep(0.2 * bool(count))
        yield
    finally:
        ended = [program for program in programs if program.poll() is not None]
        for program in programs:
            program.kill()
            program.wait()
        if ended:
            raise SystemExit("a busy program has ended by itself: nothing was measured beside it")


def seconds(job, data, epochs, how):
    """Of one fit."""
    X, Y, _ = data
    settings = {"n_threads": machine.core_count()} | how
    os.environ["BPCORE_TUNING"] = settings.pop("BPCORE_TUNING", "on")
    net = job.network()
    started = time.perf_counter()
    net.fit(X, Y, epochs=epochs, learning_rate=job.learning_rate, batch_size=job.batch, **settings)
    return time.perf_counter() - started


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", default="A,D", help="comma-separated, of those that train")
    parser.add_argument("--repeats", type=int, default=5, metavar="R")
    parser.add_argument("--most", type=int, default=2, metavar="N", help="busy programs, 0 to N")
    parser.add_argument("--slow-core", action="store_true", help="two, which share one core")
    parser.add_argument("--quick", action="store_true", help="small and once, to see that it runs")
    options = parser.parse_args()
    if options.slow_core and machine.cores() is None:
        parser.error("--slow-core needs a system that keeps programs on a core")
    if options.quick:
        options.repeats = options.most = 1
    return options


def main():
    options = arguments()
    header = "".join(f"{name:>13}" for name in SYSTEMS)
    print(f"{'job':>4} {'busy':>5} {header} {'1 thread / tuned':>18}")
    for job in jobs.selected(options.jobs, options.quick):
        data = job.load()
        one = min(seconds(job, data, 1, SYSTEMS["1 thread"]) for _ in range(2))
        epochs = 1 if options.quick else max(1, round(SECONDS / one))
        crowds = (
            [(2, machine.cores()[-1])]
            if options.slow_core
            else [(n, None) for n in range(options.most + 1)]
        )
        for busy, core in crowds:
            samples = {name: [] for name in SYSTEMS}
            with neighbours(busy, core):
                for _ in range(options.repeats):
                    for name, how in SYSTEMS.items():
                        samples[name].append(seconds(job, data, epochs, how) / epochs)
            medians = {name: statistics.median(taken) for name, taken in samples.items()}
            columns = "".join(f"{text(median):>13}" for median in medians.values())
            ratio = medians["1 thread"] / medians["tuned"]
            print(f"{job.key:>4} {busy:>5} {columns} {ratio:18.2f}", flush=True)


if __name__ == "__main__":
    main()
