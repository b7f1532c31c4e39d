"""What can watch a training, and stop it.

A callback is a function ``(net, history)``, called after each epoch, or an object with any of

- ``begin(net, history)``: before the first epoch;
- ``epoch(net, history)``: after each one; the figures of the epoch are the last ones in
  ``history``;
- ``end(net, history)``: after the last one, also where an error or Ctrl-C ends the training, or
  keeps a later callback from beginning.

A function or an ``epoch`` that returns True stops the training. Callbacks run in the order in which
they are given, between epochs: what they change in the network counts.

>>> import bpcore
>>> def enough(net, history):
...     return history.loss[-1] < 0.001
>>> net = bpcore.Network([1, 1], output="identity", seed=1)
>>> X, y = [[0.0], [1.0]], [1.0, 3.0]
>>> history = net.fit(X, y, epochs=100, learning_rate=0.5, callbacks=enough)
>>> len(history.loss)
8
>>> class Goodbye:
...     def end(self, net, history):
...         print(f"{len(history.loss)} epochs")
>>> history = net.fit(X, y, epochs=2, learning_rate=0.5, callbacks=Goodbye())
2 epochs
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

from ._inputs import check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._types import Callback, FloatArray, Monitor
    from ._types import Callbacks as GivenCallbacks
    from .history import History
    from .network import Network

__all__ = ["EarlyStopping"]


def __dir__() -> list[str]:
    return __all__


class EarlyStopping:
    """Stop when a figure has not improved for some epochs, and go back to the best weights.

    Parameters
    ----------
    patience : int, default 10
        Epochs without an improvement that are waited for.
    tolerance : float, default 0
        A figure that is better by no more than this is no improvement.
    monitor : {"eval_loss", "eval_accuracy", "loss"}, optional
        A list of the history. Default: "eval_loss" where there is an ``eval_set``, else "loss".
    restore_best : bool, default True
        Give the network the parameters of its best epoch in the end.

    Raises
    ------
    ValueError
        For an unknown monitor or a patience below 1; in ``fit``, where the monitor is a figure that
        this training does not have.

    Examples
    --------
    >>> import bpcore
    >>> net = bpcore.Network([1, 1], output="identity", seed=1)
    >>> stop = EarlyStopping(patience=2, tolerance=1e-9)
    >>> X, y = [[0.0], [1.0]], [1.0, 3.0]
    >>> history = net.fit(X, y, epochs=5000, learning_rate=0.5, callbacks=[stop])
    >>> len(history.loss) < 5000
    True

    The figures of an ``eval_set`` are those of the weights after the epoch; "loss" is a mean over
    the epoch, before its updates. Parameters alone go back: what the optimiser keeps and
    ``net.epochs`` are those of the last epoch. ``history.best_epoch`` says which one was the best.
    NaN is never an improvement; where every figure is NaN, the last weights stay, and the best
    epoch is None.
    """

    def __init__(
        self,
        patience: int = 10,
        tolerance: float = 0.0,
        monitor: Monitor | None = None,
        restore_best: bool = True,
    ) -> None:
        self.patience: int = check.whole_number("patience", patience, 1)
        self.tolerance: float = check.finite_number("tolerance", tolerance)
        if self.tolerance < 0:
            raise ValueError(f"tolerance is {self.tolerance:g}, but it must be at least 0")
        if monitor is not None:
            check.choice("monitor", monitor, ("loss", "eval_loss", "eval_accuracy"))
        self.monitor: Monitor | None = monitor
        self.restore_best: bool = check.flag("restore_best", restore_best)

    def expect(self, figures: Sequence[str]) -> None:
        """Refuse to watch what is not among the ``figures`` that a training will have."""
        if self.monitor is not None and self.monitor not in figures:
            raise ValueError(
                f"monitor is {self.monitor!r}, but this fit will have only: {', '.join(figures)}"
            )

    def begin(self, net: Network, history: History) -> None:
        """Forget what another training has seen."""
        self.best: float = math.inf
        self.best_epoch: int | None = None
        self.waited: int = 0
        self.parameters: FloatArray | None = None

    def epoch(self, net: Network, history: History) -> bool:
        """Compare the epoch's figure with the best one; True: enough."""
        name = self.monitor or ("eval_loss" if history.eval_loss else "loss")
        figures = getattr(history, name)
        figure = -figures[-1] if name == "eval_accuracy" else figures[-1]
        if name == "eval_accuracy" and math.isnan(history.eval_loss[-1]):
            figure = math.nan  # The outputs may be no numbers, which are in no class.
        first = self.best_epoch is None and not math.isnan(figure)
        if first or figure < self.best - self.tolerance:
            self.best, self.best_epoch, self.waited = figure, len(figures) - 1, 0
            if self.restore_best:
                self.parameters = net.parameters.copy()
            return False
        self.waited += 1
        return self.waited >= self.patience

    def end(self, net: Network, history: History) -> None:
        """Go back to the best weights."""
        if self.parameters is not None:
            net.parameters[...] = self.parameters
        history.best_epoch = self.best_epoch


class Callbacks:
    """All callbacks of one training. figures: names in the history that it will have."""

    def __init__(
        self,
        given: GivenCallbacks,
        early_stopping: bool | int | EarlyStopping | None,
        figures: Sequence[str] = ("loss",),
    ) -> None:
        given = _listed(given)
        if check.is_flag(early_stopping):
            early_stopping = EarlyStopping() if early_stopping else None
        if isinstance(early_stopping, EarlyStopping):
            given.append(early_stopping)
        elif early_stopping is not None:
            patience = check.whole_number("early_stopping", early_stopping, 1)
            given.append(EarlyStopping(patience))
        for callback in given:
            if not _is_callback(callback):
                raise TypeError(
                    f"callbacks has {check.shown(callback)}, but {EXPECTED} is expected"
                )
            if isinstance(callback, EarlyStopping):
                callback.expect(figures)
        self.given: list[Callback] = given
        self.begun: list[Callback] = []

    def begin(self, net: Network, history: History) -> None:
        """Before the first epoch."""
        for callback in self.given:
            (getattr(callback, "begin", None) or _nothing)(net, history)
            self.begun.append(callback)

    def epoch(self, net: Network, history: History) -> bool:
        """After an epoch; True: a callback wants to stop. All of them are asked."""
        answers = [_each_epoch(callback)(net, history) for callback in self.given]
        return any(check.is_flag(answer) and answer for answer in answers)

    def end(self, net: Network, history: History) -> None:
        """After the last epoch, for those that have begun; an error of one keeps no other."""
        with contextlib.ExitStack() as stack:
            for callback in reversed(self.begun):
                stack.callback(getattr(callback, "end", None) or _nothing, net, history)


def _each_epoch(callback):
    return getattr(callback, "epoch", None) or (callback if callable(callback) else _nothing)


def _nothing(net, history):
    pass


EXPECTED: str = "a function (net, history) or an object with begin, epoch or end"


def _is_callback(given):
    return callable(given) or any(hasattr(given, name) for name in ("begin", "epoch", "end"))


def _listed(given):
    """What ``fit`` was given as callbacks, as a list."""
    if given is None or _is_callback(given):
        return [] if given is None else [given]
    try:
        return list(given)
    except TypeError:
        raise TypeError(f"callbacks is {check.shown(given)}, but {EXPECTED} is expected") from None
