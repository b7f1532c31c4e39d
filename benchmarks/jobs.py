"""The jobs: networks, data and settings that every system is timed on, and their float64 oracle."""

import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import bpcore

# The oracle is this tree's, whichever revision is timed; it needs NumPy alone.
_REFERENCE = Path(__file__).resolve().parents[1] / "bpcore/reference.py"
_spec = importlib.util.spec_from_file_location("reference", _REFERENCE)
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)


@dataclass(frozen=True)
class Job:
    """One network on one set of rows. Without a learning rate it predicts, else it trains.

    ``units`` is what one timed sample repeats: iterations of a full batch, epochs of mini-batches,
    calls of a prediction. ``small`` marks work so little that a second thread may cost more than it
    brings: there, every peer runs on as many threads as suit it best. ``density`` is the share of
    synthetic inputs that are not zero.
    """

    key: str
    title: str
    unit: str
    data: str
    rows: int
    sizes: tuple
    units: int
    learning_rate: float | None = None
    batch: int | None = None
    hidden: str = "sigmoid"
    output: str = "sigmoid"
    loss: str = "bce"
    init: tuple | None = None
    dtype: str = "float32"
    small: bool = False
    check_steps: int = 5
    density: float = 1.0

    @property
    def trains(self):
        return self.learning_rate is not None

    @property
    def steps(self):
        """Steps of one timed sample."""
        return -(-self.rows // self.batch) * self.units if self.batch else self.units

    @property
    def operations(self):
        """Operations of the dense products in one unit, 2 for each multiply-add.

        Z = A W' and dW = delta' A of every layer, and dA = delta W of all but the first:
        2 rows (2 sum of inputs x outputs + the same sum without the first layer). Predictions: Z.
        """
        products = [a * b for a, b in zip(self.sizes[:-1], self.sizes[1:], strict=True)]
        forward = 2 * self.rows * sum(products)
        return forward + self.trains * 2 * self.rows * (sum(products) + sum(products[1:]))

    def operations_in_fact(self, density):
        """The same without products whose input is zero, those of the first layer."""
        first = 2 * self.rows * self.sizes[0] * self.sizes[1] * (1 + self.trains)
        return self.operations - first * (1 - density)

    def bytes_read(self, density):
        """Of X in one unit, once: dense, or what is not zero and its column numbers, 4 bytes."""
        elements, item = self.rows * self.sizes[0], np.dtype(self.dtype).itemsize
        return min(elements * item, elements * density * (item + 4))

    def network(self):
        """bpcore's network of this job, with the start weights that every system is given."""
        return bpcore.Network(
            self.sizes,
            hidden=self.hidden,
            output=self.output,
            loss=self.loss,
            init=self.init,
            dtype=self.dtype,
            seed=1,
        )

    def load(self):
        """X (rows, inputs), Y (rows, outputs) and the labels (rows,), in the job's dtype."""
        X, labels = DATA[self.data](self)
        X = np.ascontiguousarray(X[: self.rows], dtype=self.dtype)
        labels = np.asarray(labels[: self.rows])
        if X.shape != (self.rows, self.sizes[0]):
            raise SystemExit(f"{self.key}: data of shape {X.shape}, {self.rows} rows are expected")
        if self.sizes[-1] == 1:
            return X, labels[:, None].astype(self.dtype), labels
        return X, np.eye(self.sizes[-1], dtype=self.dtype)[labels], labels


def _mnist58(job):
    return bpcore.datasets.load_mnist58(dtype=job.dtype)[0]


def _mnist(job):
    return bpcore.datasets.load_mnist(dtype=job.dtype)[0]


def _mnist_test(job):
    X, y = bpcore.datasets.load_mnist(dtype=job.dtype)[1]
    return X, y == 5


def _cats(job):
    return bpcore.datasets.load_catvnoncat(dtype=job.dtype)[0]


def _synthetic(job):
    """Values in (0, 1], set to zero at random as the density says, and labels."""
    random = np.random.RandomState(0)
    X = 1 - random.random_sample((job.rows, job.sizes[0]))
    if job.density < 1:
        X *= random.random_sample(X.shape) < job.density
    return X, random.randint(0, max(2, job.sizes[-1]), job.rows)


DATA = {
    "mnist58": _mnist58,
    "mnist": _mnist,
    "mnist_test": _mnist_test,
    "cats": _cats,
    "synthetic": _synthetic,
}

_58 = dict(data="mnist58", rows=11272, sizes=(784, 196, 1), learning_rate=0.1)
_NIELSEN = dict(loss="mse", init=("normal", 1.0, "biases"), learning_rate=3.0, batch=10)
_CATS = dict(hidden="relu", init=("normal", 0.01), learning_rate=0.0077)
_DEEP = dict(hidden="relu", output="softmax", loss="cross_entropy", learning_rate=0.1, batch=128)
_ITERATION, _EPOCH, _CALL = "an iteration", "an epoch", "a call"

JOBS = {
    job.key: job
    for job in (
        Job("A", "MNIST 5 or 8, 784-196-1, full batch", _ITERATION, units=20, **_58),
        Job(
            "A64",
            "MNIST 5 or 8, 784-196-1, full batch",
            _ITERATION,
            units=10,
            dtype="float64",
            **_58,
        ),
        Job(
            "B",
            "Nielsen's digits, 784-30-10, batches of 10",
            _EPOCH,
            "mnist",
            50000,
            (784, 30, 10),
            units=1,
            small=True,
            check_steps=20,
            **_NIELSEN,
        ),
        Job(
            "C",
            "Cats, 12288-7-1, full batch of 209",
            _ITERATION,
            "cats",
            209,
            (12288, 7, 1),
            units=100,
            small=True,
            **_CATS,
        ),
        Job(
            "D",
            "MNIST, 784-512-512-10, batches of 128",
            _EPOCH,
            "mnist",
            60000,
            (784, 512, 512, 10),
            units=1,
            check_steps=20,
            **_DEEP,
        ),
        Job(
            "E1",
            "Predict one MNIST row, 784-196-1",
            _CALL,
            "mnist_test",
            1,
            (784, 196, 1),
            units=5000,
            small=True,
        ),
        Job(
            "E1d",
            "Predict one row without zeros, 784-196-1",
            _CALL,
            "synthetic",
            1,
            (784, 196, 1),
            units=5000,
            small=True,
        ),
        Job(
            "E10k",
            "Predict 10,000 MNIST rows, 784-196-1",
            _CALL,
            "mnist_test",
            10000,
            (784, 196, 1),
            units=10,
        ),
    )
}


def quick(job):
    """A job of the same kind that takes no time: to see that it runs."""
    sizes = tuple(min(size, 20) for size in job.sizes)
    rows = min(job.rows, 3 * job.batch if job.batch else 50)
    return replace(job, data="synthetic", rows=rows, sizes=sizes, units=1, check_steps=2)


def selected(names, small=False):
    """The jobs that a comma-separated list names; E stands for its three."""
    keys = ",".join("E1,E1d,E10k" if name == "E" else name for name in names.split(",")).split(",")
    unknown = [key for key in keys if key not in JOBS]
    if unknown:
        raise SystemExit(f"no job {', '.join(unknown)}; there are {', '.join(JOBS)} and E")
    return [quick(JOBS[key]) if small else JOBS[key] for key in keys]


def mean_loss(job, X, Y, weights, biases):
    """The job's loss on X, in float64."""
    X, Y, weights, biases = _in_float64(X, Y, weights, biases)
    _, Z = reference.forward(X, weights, biases, _activations(job))
    return float(reference.cost_and_delta(Z[-1], Y, job.loss, job.output)[0].mean())


def oracle(job, X, Y, weights, biases):
    """Weights and biases after ``check_steps`` steps of the reference, rows as they lie."""
    X, Y, weights, biases = _in_float64(X, Y, weights, biases)
    batch = job.batch or len(X)
    for step in range(job.check_steps):
        rows = slice(step * batch, (step + 1) * batch) if job.batch else slice(None)
        settings = (_activations(job), job.loss, job.learning_rate)
        reference.descend(X[rows], Y[rows], weights, biases, *settings)
    return weights, biases


def outputs(job, X, weights, biases):
    """What the network answers for X, in float64."""
    X, _, weights, biases = _in_float64(X, X[:0], weights, biases)
    return reference.forward(X, weights, biases, _activations(job))[0][-1]


def _activations(job):
    return [job.hidden] * (len(job.sizes) - 2) + [job.output]


def _in_float64(X, Y, weights, biases):
    wide = [np.array(W, dtype=np.float64) for W in weights]
    return X.astype(np.float64), Y.astype(np.float64), wide, [b.astype(np.float64) for b in biases]
