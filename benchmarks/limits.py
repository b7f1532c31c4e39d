"""How near dense products and training come to this machine's arithmetic limit, on one thread.

    python benchmarks/limits.py [--quick]

The columns: operations a second, those of a loop of multiply-adds in registers (machine.c) that is
measured before each sample, and their ratio, all medians. Compare ratios, never rates of two runs.
"""

import argparse
import statistics
import time
from dataclasses import replace

import jobs
import machine
import numpy as np

import bpcore
from bpcore import _core

REPEATS, SAMPLE_SECONDS, EPOCHS = 11, 0.05, 20

# C (m, n) += A (m, k) B (k, n). In X' delta, A is the transpose of what is stored.
PRODUCTS = {
    "forward  11272 x 784 x 196": (11272, 196, 784, False),
    "gradient 196 x 11272 x 784": (196, 784, 11272, True),
    "square   512 x 512 x 512": (512, 512, 512, False),
}


def works(dtype, quick):
    """(name, function, its operations) of each product, and of a step of job A."""
    noise = np.random.default_rng(1).uniform
    for name, (*shape, transposed) in PRODUCTS.items():
        m, n, k = (min(size, 50) if quick else size for size in shape)
        A, B, C = (noise(-0.5, 0.5, s).astype(dtype) for s in ((m, k), (k, n), (m, n)))
        A = np.asfortranarray(A) if transposed else A
        yield name, lambda A=A, B=B, C=C: _core.matmul(A, B, C), 2 * m * n * k
    job = replace(jobs.JOBS["A" if dtype == "float32" else "A64"], data="synthetic")
    job = jobs.quick(job) if quick else job
    net, (X, Y, _) = job.network(), job.load()
    how = dict(epochs=EPOCHS, learning_rate=job.learning_rate, n_threads=1)
    yield "job A, one step", lambda: net.fit(X, Y, **how), job.operations * EPOCHS


def rate(function, operations):
    """Operations a second."""
    calls, started = 0, time.perf_counter()
    while calls == 0 or time.perf_counter() - started < SAMPLE_SECONDS:
        function()
        calls += 1
    return calls * operations / (time.perf_counter() - started)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small and once, to see that it runs")
    quick = parser.parse_args().quick
    print(f"{'isa':8} {'dtype':8} {'what':28} {'GFLOP/s':>9} {'peak':>9} {'of peak':>8}")
    for isa in filter(lambda name: name != "generic", bpcore.info()["isas"]):
        _core.use_isa(isa)
        limits = machine.Limits([isa], 1)
        if limits.missing:
            raise SystemExit(limits.missing)
        for dtype in ("float32", "float64"):
            for name, function, operations in works(dtype, quick):
                rates, peaks = [], []
                for _ in range(1 if quick else REPEATS):
                    if not (quick and limits.samples):
                        limits.measure()
                    peaks.append(limits.samples[-1][dtype]["one"])
                    rates.append(rate(function, operations))
                reached, peak = statistics.median(rates), statistics.median(peaks)
                figures = f"{reached / 1e9:9.1f} {peak / 1e9:9.1f} {reached / peak:8.1%}"
                print(f"{isa:8} {dtype:8} {name:28} {figures}", flush=True)


if __name__ == "__main__":
    main()
