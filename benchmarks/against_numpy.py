"""The tutorials' three jobs, beside the same arithmetic in NumPy.

    BPCORE_DATA=FOLDER python benchmarks/against_numpy.py

For each job, from the same start weights: rounds of bpcore and of ``bpcore.reference``, in turns,
and the medians of their times. bpcore uses one thread; NumPy's matrix products use the threads of
its BLAS (OPENBLAS_NUM_THREADS=1 limits them). The first round must give both the same losses.
"""

import statistics
import time

import numpy as np

import bpcore
from bpcore import reference

REPEATS = 7


class Job:
    """One network and its data; a round is ``epochs`` passes over them."""

    def __init__(self, name, net, X, Y, *, batch=None, learning_rate, epochs=1):
        self.name, self.net, self.X, self.Y = name, net, X, Y
        self.batch, self.learning_rate, self.epochs = batch or len(X), learning_rate, epochs
        self.weights = [np.array(W) for W in net.weights]
        self.biases = [np.array(b) for b in net.biases]

    def ours(self):
        return self.net.fit(
            self.X,
            self.Y,
            epochs=self.epochs,
            batch_size=self.batch,
            learning_rate=self.learning_rate,
            shuffle=False,
        ).loss

    def theirs(self):
        return [np.mean([self.step(i) for i in self.starts()]) for _ in range(self.epochs)]

    def starts(self):
        return range(0, len(self.X), self.batch)

    def step(self, i):
        return reference.descend(
            self.X[i : i + self.batch],
            self.Y[i : i + self.batch],
            self.weights,
            self.biases,
            self.net.activations,
            self.net.loss_name,
            self.net.dtype.type(self.learning_rate),
        )


def mnist58(dtype):
    (X, y), _ = bpcore.datasets.load_mnist58(dtype=dtype)
    net = bpcore.Network([784, 196, 1], dtype=dtype, seed=1)
    name = f"MNIST 5/8, {dtype}, an iteration"
    return Job(name, net, X, y[:, None], learning_rate=0.1, epochs=10)


def mnist10():
    (X, y), _ = bpcore.datasets.load_mnist()
    net = bpcore.Network([784, 30, 10], loss="mse", init=("normal", 1.0, "biases"), seed=0)
    Y = np.eye(10, dtype=np.float32)[y[:50000]]
    name = "Nielsen, float32, an epoch of 50,000"
    return Job(name, net, X[:50000], Y, batch=10, learning_rate=3.0)


def cats():
    (X, y), _ = bpcore.datasets.load_catvnoncat(dtype="float32")
    net = bpcore.Network([12288, 7, 1], hidden="relu", init=("normal", 0.01), seed=0)
    name = "cats, float32, an iteration"
    return Job(name, net, X, y[:, None], learning_rate=0.0077, epochs=50)


def timed(function):
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def main():
    print(f"bpcore {bpcore.__version__} on {bpcore.info()['isa']}, NumPy {np.__version__}")
    print(f"{'job':38} {'bpcore':>10} {'NumPy':>10} {'ratio':>7}")
    for make in (lambda: mnist58("float32"), lambda: mnist58("float64"), mnist10, cats):
        job = make()
        ours, theirs = [], []
        for round_ in range(REPEATS):
            seconds, losses = timed(job.ours)
            ours.append(seconds / job.epochs)
            seconds, expected = timed(job.theirs)
            theirs.append(seconds / job.epochs)
            # 5,000 steps at Nielsen's rate carry roundings of 1e-7 up to a thousandth of the loss.
            if round_ == 0 and not np.allclose(losses, expected, rtol=1e-2):
                raise SystemExit(f"{job.name}: losses differ, {losses} and {expected}")
        a, b = statistics.median(ours), statistics.median(theirs)
        print(f"{job.name:38} {a * 1e3:7.2f} ms {b * 1e3:7.2f} ms {b / a:7.2f}")


if __name__ == "__main__":
    main()
