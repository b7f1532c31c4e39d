"""Training on several machines: the bits of one process, and the time that a model foretells.

    pip install mpi4py mpich
    BPCORE_DATA=FOLDER python benchmarks/network.py [--ranks 2,3,4] [--delay 1] [--gigabits 1]

Each rank is in a network namespace of its own (machines.py), which needs root and Linux. Laws: the
parameters have the bits of plain ``fit``, and where each rank has a core, a step takes as long as
``step_seconds`` says from what one process takes, within 30 %. Then the model's table for many
ranks; it is a model of MPICH with one core a rank.
"""

import argparse
import concurrent.futures
import json
import math
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path

import jobs
import launch
import machine
import machines
import numpy as np
from report import text
from rounds import say

from bpcore import _core
from bpcore._training.distributed import Part, Plan
from bpcore._training.sums_over_ranks import arrays_of_sums, slices_of

LIMIT = 0.3
WARMING_EPOCHS, EPOCHS, REPEATS = 2, 10, 25
LAUNCH_SECONDS = 60  # A launch that fails may hang; one that works takes a few seconds.
# Collective operations between two epochs, by which ranks agree on what hooks have done: three of
# objects, each of which sends its size first.
AGREEMENTS = 6
# MPICH's own limits, in bytes and ranks, between its algorithms of broadcasts.
BCAST_SHORT, BCAST_LONG, BCAST_RANKS = 12_288, 524_288, 8

TABLE_PARAMETERS = [10**4, 10**5, 10**6, 10**7]
TABLE_RANKS = [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
TABLE_ROWS = {"a full batch of 60,000 rows": 60_000, "a batch of 128 rows": 128}


def cases(quick):
    """Full batches: two of many rows, whose sums travel, and one of few, whose rows do."""
    deep = replace(jobs.JOBS["D"], batch=None, unit="a step")
    few = replace(deep, key="D128", rows=128, title="MNIST, 784-512-512-10, full batch of 128")
    many = replace(deep, rows=10_000, title="MNIST, 784-512-512-10, full batch of 10,000")
    chosen = [jobs.JOBS["A"], many, few]
    return [jobs.quick(job) for job in chosen[:1]] if quick else chosen


# ---- The model -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Link:
    """Seconds of the shortest message, and bytes a second."""

    latency: float
    bandwidth: float


@dataclass(frozen=True)
class Compute:
    """Seconds of one rank's share of a step: deltas of its rows, its sums, and the update."""

    deltas: float
    sums: float
    update: float

    def slower(self, factor):
        return Compute(self.deltas * factor, self.sums * factor, self.update * factor)


def rows_travel(sizes, rows):
    """Whether rows, not sums, travel; see ``sums_over_ranks``."""
    return rows * (sum(sizes[1:-1]) + sum(sizes[1:])) < parameters_of(sizes)


def parameters_of(sizes):
    return sum((i + 1) * o for i, o in zip(sizes, sizes[1:], strict=False))


def step_seconds(sizes, rows, ranks, compute, link, itemsize=4):
    """How long a step of a batch of ``rows`` takes on ``ranks`` ranks."""
    if ranks == 1:
        return compute.deltas + compute.sums + compute.update
    way = exchanged_seconds if rows_travel(sizes, rows) else handed_on_seconds
    return way(sizes, rows, ranks, compute, link, itemsize)


def handed_on_seconds(sizes, rows, ranks, compute, link, itemsize):
    """Sums travel: a pipeline of S slices through R ranks, then each slice to all.

    The last rank has the first slice after R - 1 times its sums and its message; the others follow
    by the slowest of: a slice's sums, what enters the link of a rank, what leaves the last one.
    """
    slices = len(slices_of(sizes, ranks))
    result = parameters_of(sizes) * itemsize / slices
    hop = arrays_of_sums(rows) * result / link.bandwidth
    rounds, copies = broadcast(result, ranks)
    whole, sums = result / link.bandwidth, compute.sums / slices
    entering = hop + (whole if ranks > 2 else 0)
    first = (ranks - 1) * (sums + link.latency + hop) + sums
    others = (slices - 1) * max(sums, entering, copies * whole)
    return compute.deltas + first + others + rounds * link.latency + copies * whole + compute.update


def exchanged_seconds(sizes, rows, ranks, compute, link, itemsize):
    """Rows travel: all ranks get the activations, deltas and losses, then the sums, of all."""
    arrays = [rows * units * itemsize for units in sizes[1:-1] + sizes[1:]]
    arrays.append(rows * sizes[-1] * 8)
    layers = [(i + 1) * o * itemsize for i, o in zip(sizes, sizes[1:], strict=False)]
    moved = sum(gather_seconds(each, ranks, link) for each in (arrays, layers))
    return compute.deltas + compute.sums + compute.update + moved


def broadcast(size, ranks):
    """How many messages one after another, and how often ``size`` leaves the first link."""
    doublings = math.ceil(math.log2(ranks))
    if size < BCAST_SHORT or ranks < BCAST_RANKS:  # A binomial tree.
        return doublings, doublings
    if size < BCAST_LONG and ranks & (ranks - 1) == 0:  # Scattered, then gathered by doubling.
        return 2 * doublings, 2
    return doublings + ranks - 1, 2  # Scattered, then gathered round a ring.


def gather_seconds(arrays, ranks, link):
    """Messages from each to each that are under way together; see ``Ranks.gather``."""
    return link.latency + sum(arrays) * (ranks - 1) / ranks / link.bandwidth


def sent_bytes(sizes, rows, ranks, itemsize=4):
    """What all ranks send in a step."""
    parameters = parameters_of(sizes) * itemsize
    if not rows_travel(sizes, rows):
        return (ranks - 1) * (arrays_of_sums(rows) + 1) * parameters
    units = sum(sizes[1:-1]) + sum(sizes[1:])
    return (ranks - 1) * (rows * (units * itemsize + sizes[-1] * 8) + parameters)


def agreement_seconds(ranks, link):
    """Between two epochs."""
    return AGREEMENTS * math.ceil(math.log2(ranks)) * link.latency


# ---- What one process takes ----------------------------------------------------------------------


def compute_of(job, ranks, repeats):
    """Medians of what one of ``ranks`` computes in a step, alone on one thread."""
    X, Y, _ = job.load()
    net = job.network()
    counts = [len(X[launch.share(job.rows, rank, ranks)]) for rank in range(ranks)]
    # Where rows travel, a rank makes its share of the sums over all rows: as many multiply-adds.
    plan = Plan(counts, 0, job.rows)
    batch = next(plan.batches())
    here = slice(batch.count)
    part = Part(
        net._core, net.sizes, net.parameters, X[here], Y[here], None, count=batch.count,
        ordered=False, threads=1, unchecked_name=None,
    )  # fmt: skip
    part.transpose(batch, None)
    arrays = arrays_of_sums(job.rows)
    slices = slices_of(job.sizes, ranks)
    sums = [np.zeros(arrays * (s.place.stop - s.place.start), net.dtype) for s in slices]
    gradient = np.zeros_like(net.parameters)
    size = _core.workspace_size(part.architecture, 0, net.dtype.itemsize, 0, 1, 0)
    workspace, samples = np.empty(size, np.uint8), []
    for _ in range(repeats + 1):
        training = _core.Training(job.rows, job.learning_rate)
        times = [time.perf_counter()]
        part.forward_and_back(training, batch, None)
        part.add_losses(0.0, batch)
        times.append(time.perf_counter())
        for piece, array in zip(slices, sums, strict=True):
            part.add_rows(piece, batch, array)
        times.append(time.perf_counter())
        training.end_batch(
            part.architecture, net.parameters, gradient, job.rows, 0.0, float(job.rows), job.rows,
            workspace,
        )  # fmt: skip
        times.append(time.perf_counter())
        samples.append(np.diff(times))
    return Compute(*np.median(samples[1:], axis=0).tolist())


def compute_beside(job, ranks, repeats):
    """The same while as many ranks compute as there are cores, which may share their units."""
    workers = min(ranks, machine.core_count())
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, context) as pool:
        each = pool.map(compute_of, [job] * workers, [ranks] * workers, [repeats] * workers)
        times = np.mean([astuple(compute) for compute in each], axis=0)
    return Compute(*times.tolist())


# ---- What ranks take -----------------------------------------------------------------------------


LAUNCHER = """#!/bin/sh
# launcher [options] ADDRESS COMMAND: run it where the address is.
while [ "${1#-}" != "$1" ]; do shift; done
machine=$((${1##*.} - 1)); shift
exec ip netns exec "$MACHINES-$machine" sh -c "$*"
"""


def trained(job, names, epochs, folder):
    """What the ranks say who train a job on machines, and their parameters."""
    launcher, said, path = folder / "launcher", folder / "said", folder / "parameters.npy"
    launcher.write_text(LAUNCHER)
    launcher.chmod(0o755)
    program = Path(__file__).with_name("network_rank.py")
    command = [
        "ip", "netns", "exec", names[0], launch.mpiexec(), "-launcher", "ssh", "-launcher-exec",
        launcher, "-hosts", ",".join(map(machines.address, range(len(names)))), "-ppn", "1",
        "-n", str(len(names)), sys.executable, program,
        json.dumps({"job": asdict(job), "epochs": epochs + WARMING_EPOCHS}), path,
    ]  # fmt: skip
    environment = os.environ | {
        "MACHINES": names[0].rpartition("-")[0],
        "FI_PROVIDER": "tcp",
        "MPIR_CVAR_CH4_NETMOD": "ofi",
        "MPIR_CVAR_NOLOCAL": "1",
        "OMP_NUM_THREADS": "1",
    }
    with said.open("w") as out:  # A pipe would have no end where a rank outlives its launcher.
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
        try:
            process.wait(LAUNCH_SECONDS)
        finally:
            process.kill()
            process.wait()
    if process.returncode != 0:
        raise RuntimeError(f"ranks ended with {process.returncode}: {said.read_text()[-2000:]}")
    return json.loads(said.read_text().splitlines()[-1]), np.load(path)


def alone(job, epochs):
    """The parameters of plain ``fit``."""
    X, Y, _ = job.load()
    net = job.network()
    net.fit(X, Y, epochs=epochs + WARMING_EPOCHS, learning_rate=job.learning_rate)
    return net.parameters


def compare(job, ranks, options, folder):
    """Print a line; returns the laws that are broken."""
    say(f"{job.key} on {ranks} ranks")
    with machines.machines(ranks, options.delay / 1e3, options.gigabits * 1e9 / 8) as names:
        answer, parameters = trained(job, names, options.epochs, folder)
    alike = answer["alike"] and np.array_equal(parameters, alone(job, options.epochs))
    # Ranks that wait ask all the time: where there are more than cores, each has its share of them.
    compute = compute_beside(job, ranks, options.repeats)
    compute = compute.slower(max(1.0, ranks / machine.core_count()))
    link = Link(answer["latency"], options.gigabits * 1e9 / 8)
    foretold = step_seconds(job.sizes, job.rows, ranks, compute, link)
    step, epoch = (statistics.median(answer[name]) for name in ("steps", "epochs"))
    between = epoch - step
    bits = "yes" if alike else "NO"
    print(
        f"{job.key:>5} {ranks:>5} {text(step):>9} {text(foretold):>9} {step / foretold:6.2f} "
        f"{text(between):>9} {text(agreement_seconds(ranks, link)):>9} "
        f"{answer['sent'] / sent_bytes(job.sizes, job.rows, ranks):6.3f} "
        f"{text(answer['latency']):>9} {answer['bandwidth'] * 8e-9:8.2f}  {bits}",
        flush=True,
    )
    broken = [] if alike else [f"{job.key} on {ranks} ranks: other bits than plain fit"]
    judged = not options.quick and ranks <= machine.core_count()
    if judged and not abs(step / foretold - 1) <= LIMIT:
        broken.append(f"{job.key} on {ranks} ranks: {step / foretold:.2f} times the model")
    return broken


# ---- The table -----------------------------------------------------------------------------------


def table(rates, rows, link):
    """Seconds of a step of 784-h-1, with * where one process is not slower."""
    print(f"{'':>10} {1:>9}" + "".join(f"{ranks:>10}" for ranks in TABLE_RANKS))
    for parameters in TABLE_PARAMETERS:
        sizes = (784, max(1, round((parameters - 1) / 786)), 1)
        count, line = parameters_of(sizes), []
        for ranks in [1, *TABLE_RANKS]:
            share = -(-rows // ranks)
            compute = Compute(
                rates.deltas * count * share, rates.sums * count * share, rates.update * count
            )
            line.append(step_seconds(sizes, rows, ranks, compute, link))
        marks = [f"{text(s):>9}{'*' if s >= line[0] else ' '}" for s in line[1:]]
        print(f"{count:>10,} {text(line[0]):>9}" + "".join(marks))


def tables(options):
    job = cases(options.quick)[0]
    count, one = parameters_of(job.sizes), compute_of(job, 1, options.repeats)
    rates = Compute(one.deltas / count / job.rows, one.sums / count / job.rows, one.update / count)
    link = Link(options.delay / 1e3, options.gigabits * 1e9 / 8)
    deltas, sums = rates.deltas * 1e12, rates.sums * 1e12
    print(
        f"\nThe model: 784-h-1 on {options.delay} ms and {options.gigabits} Gbit/s. A row and "
        f"parameter take\n{deltas:.1f} ps for deltas and {sums:.1f} ps for sums, as in {job.key}. "
        "*: one process is not slower"
    )
    for name, rows in TABLE_ROWS.items():
        print(f"\n{name}; parameters, and ranks")
        table(rates, rows, link)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ranks", default="2,3,4", help="comma-separated, from 2 on")
    parser.add_argument("--delay", type=float, default=1.0, metavar="MS", help="of a packet")
    parser.add_argument("--gigabits", type=float, default=1.0, metavar="G", help="a second")
    parser.add_argument("--epochs", type=int, default=EPOCHS, metavar="E", help="that are timed")
    parser.add_argument("--quick", action="store_true", help="small and once, to see that it runs")
    options = parser.parse_args()
    options.ranks = [int(count) for count in options.ranks.split(",")]
    options.repeats = 1 if options.quick else REPEATS
    if options.quick:
        options.ranks, options.epochs = [2], 2
    if min(options.ranks) < 2 or max(options.ranks) > 200 or options.epochs < 1:
        parser.error("--ranks is from 2 to 200, --epochs at least 1")
    return options


def main():
    options, broken = arguments(), []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # All is taken down on the way.
    reason = launch.missing() or machines.missing()
    if reason:
        print(f"skipped: {reason}")
    else:
        print(
            f"{'job':>5} {'ranks':>5} {'a step':>9} {'model':>9} {'ratio':>6} {'between':>9} "
            f"{'model':>9} {'bytes':>6} {'latency':>9} {'Gbit/s':>8}  bits"
        )
        with tempfile.TemporaryDirectory() as folder:
            for job in cases(options.quick):
                for ranks in options.ranks:
                    broken += compare(job, ranks, options, Path(folder))
    tables(options)
    print(f"\n{len(broken)} broken laws", *broken, sep="\n")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
