"""What trust costs, in per cent of fit: checks that numbers are finite, and looks for Ctrl-C.

    python benchmarks/trust_costs.py [--repeats 7] [--quick]

Law: the checks cost at most 2 %, the looks at most 0.5 %.

Both are timed where fit makes them: the looks are all that happens between the slices of about 40
ms in which the core computes. That the core is entered so often is told by two fits, interleaved,
in slices and in one piece an epoch, which do the same arithmetic. No law judges it, since two fits
differ by some per cent by themselves. Medians.
"""

import argparse
import statistics
import sys
import time
from unittest import mock

import numpy as np

import bpcore
from bpcore import _core
from bpcore._core.slices import AdaptiveSlice
from bpcore._training import descent, packed_data

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


def watched(function, spent):
    """The function, which adds its seconds to a list."""

    def call(*arguments, **named):
        started = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            spent.append(time.perf_counter() - started)

    return call


def seconds_of_trust(work):
    """Seconds of work, of its checks for finite numbers, and between its slices."""
    checks, slices, epochs = [], [], []
    run, trained = watched(packed_data.PackedData.run, slices), watched(descent.Trainer.run, epochs)
    with (
        mock.patch.object(_core, "first_nonfinite", watched(_core.first_nonfinite, checks)),
        mock.patch.object(packed_data.PackedData, "run", run),
        mock.patch.object(descent.Trainer, "run", trained),
    ):
        whole = seconds(work)
    return whole, sum(checks), sum(epochs) - sum(slices)


def in_one_piece(pace, rows, elapsed):
    pace.rows = 2**62


def noise(digits):
    """As many numbers as --quick wants, in the form that load_mnist has."""
    random = np.random.RandomState(0)
    X = random.random_sample((200, 784)).astype("float32")
    return (X, random.choice(digits or range(10), 200)), None


def measure(load, digits, sizes, how, repeats):
    """Medians of fit, of its checks and looks, and of fit in one piece an epoch."""
    (X, y), _ = load(digits)
    if sizes[-1] == 1:
        y = (y == digits[-1]).astype("float32")
    output = "sigmoid" if sizes[-1] == 1 else "softmax"

    def fit():
        net = bpcore.Network(sizes, hidden="relu", output=output, seed=1)
        net.fit(X, y, learning_rate=0.1, **how)

    samples = {"slices": [], "checks": [], "looks": [], "piece": []}
    for _ in range(repeats):
        spent = dict(zip(("slices", "checks", "looks"), seconds_of_trust(fit), strict=True))
        with mock.patch.object(AdaptiveSlice, "adapt", in_one_piece):
            spent["piece"] = seconds(fit)
        for name, passed in spent.items():
            samples[name].append(passed)
    return {name: statistics.median(times) for name, times in samples.items()}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument(
        "--quick", action="store_true", help="on noise, to see that it runs; no law"
    )
    arguments = parser.parse_args()
    repeats, load = arguments.repeats, bpcore.datasets.load_mnist
    if arguments.quick:
        repeats, load = 1, noise
    kept = True
    for name, digits, sizes, how in FITS:
        found = measure(load, digits, sizes, how, repeats)
        finite, looks = (100 * found[part] / found["slices"] for part in ("checks", "looks"))
        slices = 100 * (found["slices"] / found["piece"] - 1)
        kept = kept and finite <= 2 and looks <= 0.5
        print(
            f"{name}: fit {found['slices']:.3f} s, finite {finite:.2f} %, signals {looks:.3f} %, "
            f"slices {slices:+.1f} %"
        )
    print(f"numpy {np.__version__}, {bpcore.info()}")
    return int(not kept and not arguments.quick)


if __name__ == "__main__":
    sys.exit(main())
