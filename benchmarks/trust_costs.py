"""What trust costs, in per cent of fit: checks that numbers are finite, and looks for Ctrl-C.

    python benchmarks/trust_costs.py [--repeats 7]

Law: the checks cost at most 2 %, the looks at most 0.5 %.

The checks are timed where fit makes them. The looks are timed as two fits, interleaved: in slices
of about 40 ms, as they are, and in one piece an epoch. Both do the same arithmetic. Medians.
"""

import argparse
import statistics
import sys
import time
from unittest import mock

import numpy as np

import bpcore
from bpcore import _core, _pace

# (name, digits, sizes, fit): a full batch, mini-batches, and few epochs, where checks weigh most.
FITS = [
    ("5/8, full batch, 60 epochs", (5, 8), [784, 196, 1], {"epochs": 60}),
    ("digits, batches of 128, 5 epochs", None, [784, 128, 10], {"epochs": 5, "batch_size": 128}),
    ("digits, batches of 10, 1 epoch", None, [784, 30, 10], {"epochs": 1, "batch_size": 10}),
]


def seconds(work):
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def seconds_of_checks(work):
    """(seconds of work, seconds of them that look whether numbers are finite)"""
    spent, look = [], _core.first_nonfinite

    def watched(x):
        started = time.perf_counter()
        position = look(x)
        spent.append(time.perf_counter() - started)
        return position

    with mock.patch.object(_core, "first_nonfinite", watched):
        return seconds(work), sum(spent)


def in_one_piece(pace, rows, elapsed):
    pace.rows = 2**62


def measure(digits, sizes, how, repeats):
    """Medians of the checks, of fit as it is, and of fit without looks for signals."""
    (X, y), _ = bpcore.datasets.load_mnist(digits)
    if sizes[-1] == 1:
        y = (y == digits[-1]).astype("float32")
    output = "sigmoid" if sizes[-1] == 1 else "softmax"

    def fit():
        net = bpcore.Network(sizes, hidden="relu", output=output, seed=1)
        net.fit(X, y, learning_rate=0.1, **how)

    samples = {"check": [], "slices": [], "piece": []}
    for _ in range(repeats):
        whole, checks = seconds_of_checks(fit)
        samples["check"].append(checks)
        samples["slices"].append(whole)
        with mock.patch.object(_pace.Pace, "adapt", in_one_piece):
            samples["piece"].append(seconds(fit))
    return {name: statistics.median(times) for name, times in samples.items()}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    kept = True
    for name, digits, sizes, how in FITS:
        found = measure(digits, sizes, how, arguments.repeats)
        finite = 100 * found["check"] / found["slices"]
        looks = 100 * (found["slices"] / found["piece"] - 1)
        kept = kept and finite <= 2 and looks <= 0.5
        print(f"{name}: fit {found['slices']:.3f} s, finite {finite:.2f} %, signals {looks:+.2f} %")
    print(f"numpy {np.__version__}, {bpcore.info()}")
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
