"""The experiments of the three tutorials, as the ``bpcore`` command runs them."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import bpcore

from .. import _tutorial_data
from .._io.recording import Recording
from .._training.progress import Line
from ..history import History
from ..network import Network

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from .._types import FloatArray

    Rows = tuple[FloatArray, Any]

__all__ = ["Progress", "Result", "cats", "mnist10", "mnist58", "recipe_path"]


@dataclass
class Result:
    """One experiment, trained: what the summary, the JSON line and the picture are made of.

    ``train`` and ``test`` are pairs (X, y); ``costs`` pairs (iteration or epoch, cost), those that
    were printed; ``final_cost`` is that of the trained network; ``interrupted`` says where Ctrl-C
    has ended the training; ``recording`` writes the recipe of one that ``--save`` keeps, if
    one process can repeat it; ``extra`` goes into the JSON object beside the common figures.
    """

    name: str
    unit: str
    net: Network
    history: History
    train: Rows
    test: Rows
    costs: list[tuple[int, float]]
    settings: dict[str, Any]
    final_cost: float
    train_accuracy: float
    test_accuracy: float
    interrupted: str | None = None
    recording: Any = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def failure(self) -> str | None:
        """What the cost has done where the training has failed, else None.

        "risen", by more than rounding or to nan; "swung" above its start until the last step,
        "hardly fallen", by less than 1 %, which a chart does not show.
        """
        loss = self.history.loss
        first, late, last = (float(f"{cost:.5g}") for cost in (loss[0], loss[-1], self.final_cost))
        if not last <= first:
            return "risen"
        if not late <= first:
            return "swung"
        return "hardly fallen" if last > 0.99 * first else None

    def print_summary(self) -> None:
        """Print accuracies and seconds, and what is wrong."""
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
        first, late = self.history.loss[0], self.history.loss[-1]
        if self.failure == "risen":
            print(
                f"The training has made the network worse: its cost was {first:.5g} and is "
                f"{self.final_cost:.5g}. A smaller --learning-rate may help."
            )
        elif self.failure == "swung":
            print(
                f"The cost swings: it was {first:.5g} at first, {late:.5g} in the last {self.unit} "
                f"and is {self.final_cost:.5g}. A smaller --learning-rate may help."
            )

    def as_dict(self) -> dict[str, Any]:
        """The JSON object of ``--json``."""
        return {
            "costs": [list(pair) for pair in self.costs],
            "train_accuracy": self.train_accuracy,
            "test_accuracy": self.test_accuracy,
            "seconds": self.history.seconds,
            **self.extra,
            "settings": self.settings,
        }


def mnist58(args: Namespace) -> Result:
    """First tutorial: 784-196-1, fives and eights. Returns the Result."""
    data = args.world.load(_tutorial_data.mnist58, dtype=args.dtype)
    net = _network(args, 784, 1, hidden="sigmoid", loss="bce", init="lecun_normal")
    return _train(args, "mnist58", net, data, line=_cost, every=100)


def mnist10(args: Namespace) -> Result:
    """Third tutorial: 784-30-10, all digits, mini-batches. Returns the Result."""
    train, test = data = args.world.load(_tutorial_data.mnist10, dtype=args.dtype)
    net = _network(args, 784, 10, hidden="sigmoid", loss="mse", init=("normal", 1.0, "biases"))

    def line(history, epoch):
        right = round(history.eval_accuracy[epoch] * len(test[0]))
        return f"Epoch {epoch} : {right} / {len(test[0])}"

    result = _train(
        args,
        "mnist10",
        net,
        data,
        line=line,
        every=1,
        batch_size=args.batch_size,
        order=_tutorial_data.tutorial_order(args.seed, len(train[0]), args.epochs),
        recorded_order={"tutorial": args.seed},
        eval_set=test,
    )
    counts = [round(share * len(test[0])) for share in result.history.eval_accuracy]
    result.extra["test_correct"] = counts
    return result


def cats(args: Namespace) -> Result:
    """Second tutorial: 12288-7-1, photographs with a cat or without. Returns the Result."""
    data = args.world.load(_tutorial_data.cats, dtype=args.dtype, folder=args.folder)
    net = _network(args, 12288, 1, hidden="relu", loss="bce", init=("normal", 0.01))
    result = _train(args, "cats", net, data, line=_cost, every=500)
    result.extra["gradient_distances"] = None
    if result.interrupted:  # Who wants to stop does not wait for a check.
        return result
    try:
        distances = result.extra["gradient_distances"] = net.check_gradients(*data[0])
        layer = min(2, len(distances))
        print(f"\nMeasure of diff. between vectors is {distances[layer - 1]} (layer {layer})")
    except ValueError as error:  # Dead units have no gradient: that is a finding, not a failure.
        print(f"\nNo gradient check: {error}")
    return result


def _network(args, inputs, outputs, **settings):
    """The tutorial's network with what the command line says of it; its outputs are sigmoids."""
    sizes = [inputs, *args.layers, outputs]
    return Network(sizes, output="sigmoid", dtype=args.dtype, seed=args.seed, **settings)


def _train(
    args, name, net, data, *, line, every, batch_size=None, recorded_order=None, **fit,
):  # fmt: skip
    """Fit ``net`` to data[0]; print line(history, epoch) for each ``every``-th and the last epoch.

    ``recorded_order`` is what a recipe says of the order. Returns the Result, also of a training
    that Ctrl-C has ended after an epoch or more.
    """
    (X, y), test = data
    world, here = args.world, args.world.share(len(X))
    width = "-".join(map(str, net.sizes))
    print(
        f"{name}: {width} {net.dtype.name}, {len(X)} training and {len(test[0])} test images, "
        f"{args.epochs} {args.unit}{'s' * (args.epochs > 1)}, "
        f"learning rate {args.learning_rate:g}",
        flush=True,
    )
    recipe = {"epochs": args.epochs, "learning_rate": args.learning_rate, "batch_size": batch_size}
    fit.update(recipe, n_threads=args.threads, fingerprints=bool(args.save))
    recording = None
    # The rows of a mini-batch are added in ascending order on ranks, which is another training.
    if args.save and world.is_first and (world.comm is None or batch_size is None):
        recipe["order"], path = recorded_order, recipe_path(args.save)
        recording = Recording(net, X, y, recipe, path=path, dataset=name)
    progress, interrupted = Progress(args.epochs, args.unit, line, every, world.is_first), None
    try:
        # A callback, since progress is shown by the first rank alone, and all keep the figures.
        told = {"callbacks": lambda net, history: progress(history)}
        net.fit(X[here], y[here], comm=world.comm, **told, **fit)
    except KeyboardInterrupt:
        interrupted = f"after {progress.done} of {args.epochs} {args.unit}s"
        if not progress.done:
            raise KeyboardInterrupt(interrupted) from None
    finally:
        progress.finish()
    trained = net.evaluate(X, y)
    return Result(
        name=name,
        unit=args.unit,
        net=net,
        history=progress.history,
        train=(X, y),
        test=test,
        costs=progress.costs,
        settings=_settings(args, name, net, batch_size),
        final_cost=trained["loss"],
        train_accuracy=trained["accuracy"],
        test_accuracy=net.evaluate(*test)["accuracy"],
        interrupted=interrupted,
        recording=recording,
    )


def recipe_path(model: str) -> str:
    """Where the recipe of a model file is: m.recipe.json beside m.safetensors."""
    return os.path.splitext(model)[0] + ".recipe.json"


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


def _cost(history, iteration):
    return f"cost after iteration {iteration}: {history.loss[iteration]}"


class Progress:
    """What a training shows while it runs: called with the History after each epoch.

    The tutorial's lines go to stdout. A live line goes to stderr, where that is a terminal, and
    makes room for them.
    """

    def __init__(
        self,
        total: int,
        unit: str,
        line: Callable[[History, int], str],
        every: int,
        shown: bool = True,
    ) -> None:
        self.line: Callable[[History, int], str] = line
        self.every: int = every
        self.done: int = 0
        self.history: History = History()
        self.costs: list[tuple[int, float]] = []
        terminal = sys.stderr is not None and sys.stderr.isatty()
        self._live = Line(total, unit, "cost") if terminal and shown else None

    def __call__(self, history: History) -> None:
        self.done, self.history = len(history.loss), history
        if (self.done - 1) % self.every == 0:
            self._print()
        if self._live:
            self._live.update(history)

    def _print(self):
        if self._live:
            self._live.clear()
        epoch = self.done - 1
        self.costs.append((epoch, self.history.loss[epoch]))
        print(self.line(self.history, epoch), flush=True)

    def finish(self) -> None:
        """Wipe the live line, and print the last cost where that has not been done."""
        if self._live:
            self._live.clear()
        if self.done and self.costs[-1][0] != self.done - 1:
            self._print()
