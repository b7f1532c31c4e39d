"""Two workers beside one: fit_many with dask's LocalCluster and with MPI's pool.

    python benchmarks/executors.py --networks 64

Each round trains all networks on one worker and then on two, and once in this process, which is the
peer; all have to have the same bits. Ratios are medians over the rounds. MPI's pool needs mpiexec.
"""

import argparse
import importlib.util
import json
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np

import bpcore

ROWS, SIZES, BATCH = 2000, [20, 64, 1], 32
LAUNCH_SECONDS = 60  # A start of mpiexec that has failed hangs.
KINDS = ("dask", "MPI")


def data():
    X = np.random.default_rng(0).standard_normal((ROWS, SIZES[0]), "f4")
    return X, (X[:, 0] * X[:, 1] > 0).astype(np.int64)


def timed(executor, options):
    """(seconds, digest of all parameters) of one fit_many."""
    X, y = data()
    networks = [bpcore.Network(SIZES, hidden="tanh", seed=seed) for seed in range(options.networks)]
    how = dict(epochs=options.epochs, batch_size=BATCH, learning_rate=0.1)
    start = time.perf_counter()
    bpcore.fit_many(networks, X, y, executor=executor, **how)
    seconds = time.perf_counter() - start
    return seconds, sha256(b"".join(net.parameters.tobytes() for net in networks)).hexdigest()


def warmed(executor, options):
    """``timed`` once all workers have imported what they need."""
    quick = argparse.Namespace(networks=8, epochs=1)
    timed(executor, quick)
    return timed(executor, options)


def by_dask(options):
    """A round: (one worker, two workers)."""
    from distributed import Client, LocalCluster

    how = dict(threads_per_worker=1, dashboard_address=":0", silence_logs=50)
    for workers in (1, 2):
        with LocalCluster(n_workers=workers, **how) as cluster, Client(cluster) as client:
            yield warmed(client, options)


def mpiexec():
    beside = Path(sys.prefix) / "bin" / "mpiexec"
    return str(beside) if beside.exists() else shutil.which("mpiexec")


def by_mpi(options):
    """A round: (one worker, two workers), each pool with a master of its own."""
    for workers in (1, 2):
        command = [mpiexec(), "-n", str(workers + 1), sys.executable, "-m", "mpi4py.futures"]
        command += [__file__, "--in-pool", f"--networks={options.networks}"]
        command += [f"--epochs={options.epochs}"]
        limit = LAUNCH_SECONDS + options.networks * options.epochs
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
        yield tuple(json.loads(done.stdout))


def in_pool(options):
    from mpi4py.futures import MPIPoolExecutor

    with MPIPoolExecutor() as executor:
        print(json.dumps(warmed(executor, options)))


def missing(kind):
    """Why a kind cannot be measured, or None."""
    package = {"dask": "distributed", "MPI": "mpi4py"}[kind]
    if importlib.util.find_spec(package) is None:
        return f"{package} is not installed"
    return "there is no mpiexec" if kind == "MPI" and mpiexec() is None else None


def measured(kind, options):
    """Seconds of each round: (here, one worker, two workers)."""
    rounds = {"dask": by_dask, "MPI": by_mpi}[kind]
    for _ in range(options.rounds):
        with ThreadPoolExecutor(1) as thread:
            here = timed(thread, options)
        one, two = rounds(options)
        if not here[1] == one[1] == two[1]:
            raise SystemExit(f"{kind}: the bits differ")
        yield here[0], one[0], two[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=64, metavar="N")
    parser.add_argument("--epochs", type=int, default=50, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--quick", action="store_true", help="little work, to see that all runs")
    parser.add_argument("--in-pool", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.in_pool:
        return in_pool(options)
    if options.quick:
        options.networks, options.epochs, options.rounds = 4, 2, 1
    title = (
        f"{options.networks} networks, {options.epochs} epochs of {ROWS} rows, medians in seconds"
    )
    print(f"{title}\n{'':6} {'here':>8} {'one':>8} {'two':>8} {'one / two':>10}")
    for kind in KINDS:
        reason = missing(kind)
        if reason:
            print(f"{kind:6} {reason}")
            continue
        times = list(measured(kind, options))
        medians = " ".join(
            f"{statistics.median(column):8.3f}" for column in zip(*times, strict=True)
        )
        ratio = statistics.median(one / two for _, one, two in times)
        print(f"{kind:6} {medians} {ratio:10.2f}")


if __name__ == "__main__":
    main()
