"""How much sooner a fit is done when scikit-learn's perceptron becomes bpcore's.

    pip install ".[sklearn]"
    python benchmarks/sklearn_fit.py [--repeats 3] [--jobs mnist32,mnist64,digits] [--quick]

Both estimators have default parameters and the same random_state, and get the same arrays, so
they do the same updates: the script compares their losses before it prints a ratio. A round times
scikit-learn on one thread and on all, then bpcore, which chooses for itself; medians of the rounds
count, and of scikit-learn's two the smaller. Times are those of ``fit``, all of it.
"""

import argparse
import statistics
import time
import warnings

import numpy as np
from sklearn import neural_network
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

import bpcore
import bpcore.sklearn


def mnist(dtype):
    (X, y), _ = bpcore.datasets.load_mnist(dtype=dtype)
    return X, y


def digits():
    X, y = load_digits(return_X_y=True)
    return X / 16, y


JOBS = {
    "mnist32": ("MNIST, float32, 5 epochs", lambda: mnist("float32"), 5),
    "mnist64": ("MNIST, float64, 5 epochs", lambda: mnist("float64"), 5),
    "digits": ("digits, float64, to the end", digits, 200),
}


def fit(module, X, y, epochs, threads):
    """(seconds, the fitted estimator)."""
    model = module.MLPClassifier(max_iter=epochs, random_state=1)
    with threadpool_limits(threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        started = time.perf_counter()
        model.fit(X, y)
        return time.perf_counter() - started, model


def compare(data, epochs, repeats):
    """Medians of seconds: scikit-learn on one thread, on all, and bpcore."""
    X, y = data
    ways = (neural_network, 1), (neural_network, None), (bpcore.sklearn, None)
    seconds, models = [[] for _ in ways], [None] * len(ways)
    for _ in range(repeats):
        for way, (module, threads) in enumerate(ways):
            taken, models[way] = fit(module, X, y, epochs, threads)
            seconds[way].append(taken)
    losses = [model.loss_ for model in models]
    if X.dtype == np.float64 and epochs < 10:
        assert max(losses) - min(losses) < 1e-6 * max(losses), losses
    counts = {model.n_iter_ for model in models}
    print(f"  losses {', '.join(f'{loss:.6g}' for loss in losses)}; epochs {counts}")
    return [statistics.median(each) for each in seconds]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--jobs", default=",".join(JOBS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--quick", action="store_true", help="3 epochs of digits, to see that it runs"
    )
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.jobs, arguments.repeats = "digits", 1
    for name in arguments.jobs.split(","):
        title, load, epochs = JOBS[name]
        print(title)
        epochs = 3 if arguments.quick else epochs
        one, many, ours = compare(load(), epochs, arguments.repeats)
        print(
            f"  scikit-learn {one:.2f} s on one thread, {many:.2f} s on all; bpcore {ours:.2f} s: "
            f"{min(one, many) / ours:.1f} times as fast"
        )


if __name__ == "__main__":
    main()
