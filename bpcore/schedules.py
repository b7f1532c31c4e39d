"""Learning rates that change: what ``fit`` takes as ``learning_rate`` beside a number.

A schedule tells the rate of an epoch from its number, counted over all calls of ``fit``, so that
fit(3) and fit(4) see the rates of fit(7).

>>> schedule = Cosine(0.1, epochs=10)
>>> round(schedule.rate(0), 3), round(schedule.rate(5), 3), round(schedule.rate(10), 3)
(0.1, 0.05, 0.0)
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ._inputs import check, renamed

if TYPE_CHECKING:
    from ._types import LearningRate

__all__ = [
    "Schedule",
    "Constant",
    "Step",
    "Exponential",
    "Cosine",
    "InverseScaling",
    "Adaptive",
    "WarmUp",
]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True)
class Schedule:
    """A learning rate for each epoch; the plain one never changes.

    Subclasses replace ``rate``, and ``observe`` where the rate follows the losses.
    """

    learning_rate: float
    warmup_steps: ClassVar[int] = 0

    def __init_subclass__(cls, **how: Any) -> None:
        super().__init_subclass__(**how)
        renamed.method(cls, "seen", "observe")

    def __post_init__(self) -> None:
        for field in fields(self):
            given = getattr(self, field.name)
            if field.type in (float, "float"):
                object.__setattr__(self, field.name, check.finite_number(field.name, given))
            elif field.type in (int, "int"):
                object.__setattr__(self, field.name, check.whole_number(field.name, given, 1))
        for name in ("learning_rate", "lowest"):
            given = getattr(self, name, 0)
            if not isinstance(given, Schedule) and given < 0:
                raise ValueError(f"{name} is {given:g}, but it must be at least 0")
        for name in ("factor", "divisor"):
            if not getattr(self, name, 1) > 0:
                raise ValueError(f"{name} is {getattr(self, name):g}, but it must be positive")

    def start(self) -> dict[str, Any]:
        """What the schedule remembers before its first epoch: a dict that JSON can hold."""
        return {}

    def rate(self, epoch: int, memory: dict[str, Any] | None = None) -> float:
        """The rate of epoch number ``epoch``, from 0."""
        return self.learning_rate

    def observe(self, loss: float, memory: dict[str, Any]) -> None:
        """Take note of an epoch's loss."""

    def settings(self) -> dict[str, Any]:
        """``{"name": ..., field: value}``, from which ``named`` makes it again."""
        return {"name": type(self).__name__, **asdict(self)}


renamed.method(Schedule, "seen", "observe")


@dataclass(frozen=True)
class Constant(Schedule):
    """One rate for all epochs."""


@dataclass(frozen=True)
class Step(Schedule):
    """The rate times ``factor`` after every ``every`` epochs."""

    every: int = 10
    factor: float = 0.5

    def rate(self, epoch: int, memory: dict[str, Any] | None = None) -> float:
        """The rate of epoch number ``epoch``, from 0."""
        return self.learning_rate * self.factor ** (epoch // self.every)


@dataclass(frozen=True)
class Exponential(Schedule):
    """The rate times ``factor`` after every epoch."""

    factor: float = 0.95

    def rate(self, epoch: int, memory: dict[str, Any] | None = None) -> float:
        """The rate of epoch number ``epoch``, from 0."""
        return self.learning_rate * self.factor**epoch


@dataclass(frozen=True)
class Cosine(Schedule):
    """From the rate to ``lowest`` along half a cosine of ``epochs`` epochs (Loshchilov and Hutter
    2016), and ``lowest`` from then on."""

    epochs: int = 100
    lowest: float = 0.0

    def rate(self, epoch: int, memory: dict[str, Any] | None = None) -> float:
        """The rate of epoch number ``epoch``, from 0."""
        way = min(epoch / self.epochs, 1.0)
        return self.lowest + (self.learning_rate - self.lowest) * (1 + math.cos(math.pi * way)) / 2


@dataclass(frozen=True)
class InverseScaling(Schedule):
    """The rate over (epoch + 1)^power."""

    power: float = 0.5

    def rate(self, epoch: int, memory: dict[str, Any] | None = None) -> float:
        """The rate of epoch number ``epoch``, from 0."""
        return self.learning_rate / (epoch + 1) ** self.power


@dataclass(frozen=True)
class Adaptive(Schedule):
    """The rate over ``divisor`` whenever the training loss has not fallen by more than
    ``tolerance`` for ``patience`` epochs in a row, down to ``lowest``."""

    divisor: float = 5.0
    patience: int = 10
    tolerance: float = 1e-4
    lowest: float = 1e-6

    def start(self) -> dict[str, Any]:
        """What the schedule remembers before its first epoch."""
        return {"rate": self.learning_rate, "best": None, "waited": 0}

    def rate(self, epoch: int, memory: dict[str, Any] | None = None) -> float:
        """The rate as the losses so far have left it."""
        return memory["rate"] if memory else self.learning_rate

    def observe(self, loss: float, memory: dict[str, Any]) -> None:
        """Take note of an epoch's loss."""
        best = memory["best"]
        fell = best is None or loss < best - self.tolerance
        memory["waited"] = 0 if fell else memory["waited"] + 1
        memory["best"] = loss if best is None else min(loss, best)
        if memory["waited"] >= self.patience:
            memory["rate"] = max(memory["rate"] / self.divisor, self.lowest)
            memory["waited"] = 0


@dataclass(frozen=True)
class WarmUp(Schedule):
    """Another schedule, whose rate grows evenly over the first ``steps`` updates.

    The rate of update t, counted from 1 with those of the optimiser, is t / steps of the other
    schedule's, or of a number: an optimiser that goes on from an earlier ``fit`` does not warm up
    again.

    >>> schedule = WarmUp(Step(0.1, every=5), steps=20)
    >>> schedule.rate(0), schedule.rate(5)  # without the warm-up, which counts updates
    (0.1, 0.05)
    """

    learning_rate: Schedule | float
    steps: int = 100

    def __post_init__(self) -> None:
        inner = self.learning_rate
        if isinstance(inner, WarmUp) or (isinstance(inner, dict) and inner.get("name") == "WarmUp"):
            raise ValueError("WarmUp holds a WarmUp, but there is one warm-up in a training")
        object.__setattr__(self, "learning_rate", named(inner))
        super().__post_init__()

    @property
    def warmup_steps(self) -> int:
        """Updates until the rate has grown up."""
        return self.steps

    def start(self) -> dict[str, Any]:
        """What the inner schedule remembers."""
        return self.learning_rate.start()

    def rate(self, epoch: int, memory: dict[str, Any] | None = None) -> float:
        """The rate that the epoch would have without a warm-up: the core scales it step by step."""
        return self.learning_rate.rate(epoch, memory)

    def observe(self, loss: float, memory: dict[str, Any]) -> None:
        """Take note of an epoch's loss."""
        self.learning_rate.observe(loss, memory)

    def settings(self) -> dict[str, Any]:
        """The settings, with those of the inner schedule."""
        inner = self.learning_rate.settings()
        return {"name": "WarmUp", "learning_rate": inner, "steps": self.steps}


_KINDS = {
    kind.__name__: kind
    for kind in (Constant, Step, Exponential, Cosine, InverseScaling, Adaptive, WarmUp)
}


def is_known(schedule: Schedule) -> bool:
    """Is this one of the schedules here, which ``named`` makes again from settings?"""
    return type(schedule) in _KINDS.values() and (
        type(schedule) is not WarmUp or type(schedule.learning_rate) in _KINDS.values()
    )


def named(given: LearningRate | dict[str, Any]) -> Schedule:
    """``given`` if it is a schedule, a Constant for a number, or the one with these settings."""
    if isinstance(given, Schedule) and is_dataclass(given):
        return given
    if isinstance(given, dict):
        settings = dict(given)
        kind = _KINDS[check.choice("schedule", settings.pop("name", None), tuple(_KINDS))]
        return kind(**settings)
    return Constant(check.finite_number("learning_rate", given))
