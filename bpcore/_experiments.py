"""The experiments of the three tutorials, as the ``bpcore`` command runs them."""

import random
import shutil
import sys
import time
from dataclasses import dataclass, field

import numpy as np

import bpcore

from . import datasets
from .network import Network

SECONDS_BETWEEN_UPDATES = 0.1  # of the live line: faster than that, nobody reads


@dataclass
class Result:
    """One experiment, trained: what the summary, the JSON line and the picture are made of.

    ``train`` and ``test`` are pairs (X, y); ``costs`` pairs (iteration or epoch, cost); ``extra``
    goes into the JSON object beside the common figures.
    """

    name: str
    unit: str
    net: Network
    history: bpcore.History
    train: tuple
    test: tuple
    costs: list
    settings: dict
    train_accuracy: float
    test_accuracy: float
    extra: dict = field(default_factory=dict)

    def print_summary(self):
        """Print accuracies and seconds."""
        for name, accuracy, (X, _) in (
            ("train", self.train_accuracy, self.train),
            ("test", self.test_accuracy, self.test),
        ):
            right = round(accuracy * len(X))
            print(f"{name + ' accuracy:':<15} {accuracy:.5f} ({right} of {len(X)})")
        each = self.history.seconds / len(self.history.loss)
        each = f"{1000 * each:.3g} ms" if each < 1 else f"{each:.3g} s"
        print(
            f"training time:  {self.history.seconds:.2f} s, {each} per {self.unit} "
            "(loading and evaluation are not counted)"
        )

    def as_dict(self):
        """The JSON object of ``--json``."""
        return {
            "costs": [list(pair) for pair in self.costs],
            "train_accuracy": self.train_accuracy,
            "test_accuracy": self.test_accuracy,
            "seconds": self.history.seconds,
            **self.extra,
            "settings": self.settings,
        }


def mnist58(args):
    """First tutorial: 784-196-1, fives and eights. Returns the Result."""
    data = datasets.load_mnist58(dtype=args.dtype)
    net = Network(
        [784, *args.layers, 1],
        hidden="sigmoid",
        output="sigmoid",
        loss="bce",
        init="lecun_normal",
        dtype=args.dtype,
        seed=args.seed,
    )
    return _train(args, "mnist58", net, data, line=_cost_every(100), every=100)


def mnist10(args):
    """Third tutorial: 784-30-10, all digits, mini-batches. Returns the Result."""
    (X, y), test = datasets.load_mnist(dtype=args.dtype, scale=256)
    train = X[:50000], y[:50000]  # The tutorial keeps the other 10,000 for validation.
    net = Network(
        [784, *args.layers, 10],
        hidden="sigmoid",
        output="sigmoid",
        loss="mse",
        init=("normal", 1.0, "biases"),
        dtype=args.dtype,
        seed=args.seed,
    )

    def line(history):
        right = round(history.eval_accuracy[-1] * len(test[0]))
        return f"Epoch {len(history.loss) - 1} : {right} / {len(test[0])}"

    result = _train(
        args,
        "mnist10",
        net,
        (train, test),
        line=line,
        every=1,
        batch_size=args.batch_size,
        order=_tutorial_order(args.seed, len(train[0]), args.epochs),
        eval_set=test,
    )
    counts = [round(share * len(test[0])) for share in result.history.eval_accuracy]
    result.extra["test_correct"] = counts
    return result


def cats(args):
    """Second tutorial: 12288-7-1, photographs with a cat or without. Returns the Result."""
    data = datasets.load_catvnoncat(args.folder, dtype=args.dtype)
    net = Network(
        [12288, *args.layers, 1],
        hidden="relu",
        output="sigmoid",
        loss="bce",
        init=("normal", 0.01),
        dtype=args.dtype,
        seed=args.seed,
    )
    result = _train(args, "cats", net, data, line=_cost_every(500), every=500)
    try:
        distances = net.check_gradients(*data[0])
        layer = min(2, len(distances))
        print(f"\nMeasure of diff. between vectors is {distances[layer - 1]} (layer {layer})")
    except ValueError as error:  # Dead units have no gradient: that is a finding, not a failure.
        distances = None
        print(f"\nNo gradient check: {error}")
    result.extra["gradient_distances"] = distances
    return result


def _train(args, name, net, data, *, line, every, batch_size=None, **fit):
    """Fit ``net`` to data[0], printing line(history) where it is not None. Returns the Result."""
    (X, y), test = data
    width = "-".join(map(str, net.sizes))
    print(
        f"{name}: {width} {net.dtype.name}, {len(X)} training and {len(test[0])} test images, "
        f"{args.epochs} {args.unit}s, learning rate {args.learning_rate:g}",
        flush=True,
    )
    fit.update(epochs=args.epochs, learning_rate=args.learning_rate, n_threads=args.threads)
    progress = Progress(args.epochs, args.unit, line)
    try:
        history = net.fit(X, y, batch_size=batch_size, progress=progress, **fit)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"after {progress.done} of {args.epochs} {args.unit}s") from None
    finally:
        progress.clear()
    return Result(
        name=name,
        unit=args.unit,
        net=net,
        history=history,
        train=(X, y),
        test=test,
        costs=list(enumerate(history.loss))[::every],
        settings=_settings(args, name, net, batch_size),
        train_accuracy=net.evaluate(X, y)["accuracy"],
        test_accuracy=net.evaluate(*test)["accuracy"],
    )


def _settings(args, name, net, batch_size):
    return {
        "command": name,
        "layers": list(net.sizes),
        "hidden": list(net.hidden),
        "output": net.output,
        "loss": net.loss_name,
        "init": net.init,
        f"{args.unit}s": args.epochs,
        "batch_size": batch_size,
        "learning_rate": args.learning_rate,
        "dtype": net.dtype.name,
        "seed": net.seed,
        "threads": args.threads,
        "isa": bpcore.info()["isa"],
        "version": bpcore.__version__,
    }


def _cost_every(step):
    def line(history):
        iteration = len(history.loss) - 1
        if iteration % step == 0:
            return f"cost after iteration {iteration}: {history.loss[-1]}"
        return None

    return line


def _tutorial_order(seed, n, epochs):
    """Row indices (epochs, n) as ``random.shuffle`` gives them to the tutorial's SGD."""
    generator, rows = random.Random(seed), list(range(n))
    order = np.empty((epochs, n), np.uintp)
    for epoch in order:
        generator.shuffle(rows)
        epoch[:] = rows
    return order


class Progress:
    """What a training shows while it runs: called with the History after each epoch.

    The tutorial's lines go to stdout. A live line goes to stderr, where that is a terminal, and
    makes room for them.
    """

    def __init__(self, total, unit, line):
        self.total, self.unit, self.line = total, unit, line
        self.done = 0
        self.live = sys.stderr is not None and sys.stderr.isatty()
        self.started = self.shown = time.monotonic()
        self.width = 0

    def __call__(self, history):
        self.done = len(history.loss)
        text = self.line(history)
        if text is not None:
            self.clear()
            print(text, flush=True)
        now = time.monotonic()
        if self.live and now - self.shown >= SECONDS_BETWEEN_UPDATES:
            self.shown = now
            self._show(history.loss[-1], (now - self.started) / self.done)

    def _show(self, cost, seconds_each):
        left = seconds_each * (self.total - self.done)
        text = (
            f"{self.unit} {self.done}/{self.total}  {100 * self.done // self.total} %  "
            f"cost {cost:.5f}  {_duration(left)} left"
        )
        # A line that wraps could not be overwritten.
        text = text[: shutil.get_terminal_size().columns - 1]
        print("\r" + text.ljust(self.width), end="", file=sys.stderr, flush=True)
        self.width = len(text)

    def clear(self):
        """Wipe the live line. Spaces do it on every terminal, escape codes do not."""
        if self.width:
            print("\r" + " " * self.width + "\r", end="", file=sys.stderr, flush=True)
            self.width = 0


def _duration(seconds):
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    return (
        f"{minutes} min {seconds:02d} s"
        if minutes < 60
        else f"{minutes // 60} h {minutes % 60} min"
    )
