"""How long an answer for one row takes, in every form that a row comes in, beside scikit-learn.

    pip install ".[sklearn]"
    python benchmarks/one_row.py [--repeats 200] [--quick]

Law: no estimator is slower than scikit-learn's own, and Network answers a row of other numbers than
its own, or a list, within 10 microseconds.

Both estimators hold the same weights, and must answer alike before they are timed. A round times
each way once, for CALLS calls; of the rounds the least counts, since a neighbour only ever adds.
"""

import argparse
import sys
import time
import warnings

import numpy as np
from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning

import bpcore
import bpcore.sklearn

FEATURES = 20
CALLS = 50
NETWORK_LIMIT = 10e-6  # seconds
# How far answers of float32 may be from scikit-learn's: 120 sums and products, rounded by 2^-24
# each, are off by 7e-6 of terms that may be ten times as large as their sum.
ALIKE = 1e-4


def forms(row):
    """{name: the same row}."""
    return {
        "float32": row.astype(np.float32),
        "float64": row,
        "list": row.tolist(),
        "strided": np.repeat(row, 2, axis=1)[:, ::2],
    }


def estimators(name, y, X):
    """bpcore's and scikit-learn's of this name, fitted, with the same weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        ours, theirs = (
            getattr(module, name)(max_iter=2, random_state=1).fit(X, y)
            for module in (bpcore.sklearn, neural_network)
        )
    theirs.coefs_ = [W.copy() for W in ours.coefs_]
    theirs.intercepts_ = [b.copy() for b in ours.intercepts_]
    return ours, theirs


def ways():
    """{what is asked: (bpcore's answer, scikit-learn's)}, each a function."""
    random = np.random.RandomState(0)
    X = random.standard_normal((200, FEATURES))
    three = (X[:, :2] > 0).sum(axis=1)
    asked = {
        "MLPRegressor": [(X[:, 0], ["predict"])],
        "MLPClassifier": [(y, ["predict", "predict_proba"]) for y in (three > 0, three)],
    }
    found = {}
    for dtype in ("float32", "float64"):
        for name, cases in asked.items():
            for y, methods in cases:
                pair = estimators(name, y, X.astype(dtype))
                for method in methods:
                    ours, theirs = (getattr(model, method) for model in pair)
                    for form, row in forms(X[:1]).items():
                        key = f"{name}.{method}, {len(np.unique(y))} values, {dtype}: {form}"
                        found[key] = (lambda f=ours, x=row: f(x)), (lambda f=theirs, x=row: f(x))
    return found


def networks():
    """{a form of a row: Network's answer}."""
    net = bpcore.Network([FEATURES, 100, 1], hidden="relu", seed=0)
    rows = forms(np.random.RandomState(0).standard_normal((1, FEATURES)))
    return {form: lambda row=row: net.predict(row) for form, row in rows.items()}


def differing(pairs):
    """The names of those who do not answer alike."""
    return [k for k, (a, b) in pairs.items() if not np.allclose(a(), b(), rtol=ALIKE, atol=ALIKE)]


def least_seconds(functions, repeats):
    """The least time of one call of each, interleaved."""
    least = dict.fromkeys(functions, float("inf"))
    for _ in range(repeats):
        for name, function in functions.items():
            started = time.perf_counter()
            for _ in range(CALLS):
                function()
            least[name] = min(least[name], (time.perf_counter() - started) / CALLS)
    return least


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--quick", action="store_true", help="once, to see that it runs; no law")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.repeats = 1
    pairs, broken = ways(), []
    if differing(pairs):
        raise SystemExit(f"other answers: {', '.join(differing(pairs))}")
    for name, pair in pairs.items():
        ours, theirs = least_seconds(dict(enumerate(pair)), arguments.repeats).values()
        print(f"{name}: {1e6 * ours:.1f} us, {theirs / ours:.2f} times as fast as scikit-learn")
        broken += [name] if ours > theirs else []
    for form, seconds in least_seconds(networks(), arguments.repeats).items():
        print(f"Network.predict, {form}: {1e6 * seconds:.1f} us")
        broken += [f"Network.predict, {form}"] if seconds > NETWORK_LIMIT else []
    print(f"{len(broken)} broken laws", *broken, sep="\n")
    return int(bool(broken) and not arguments.quick)


if __name__ == "__main__":
    sys.exit(main())
