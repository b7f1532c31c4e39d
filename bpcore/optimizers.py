"""How a gradient becomes an update: the optimisers that ``fit`` takes, with their numbers.

``net.fit(..., optimizer="adam")`` takes the defaults, ``optimizer=Adam(beta1=0.8)`` other numbers.
Symbols: w a parameter, g its gradient, r the learning rate, t the number of the update, from 1; v,
m and s start at 0. Numbers out of their range raise ValueError: momentum, decay, beta1, beta2 and
shrink are at least 0 and below 1, epsilon is above 0.

>>> Adam(beta1=0.8)
Adam(beta1=0.8, beta2=0.999, epsilon=1e-08, epsilon_inside=False)
>>> Adam(beta1=1)
Traceback (most recent call last):
ValueError: beta1 is 1, but it must be at least 0 and below 1
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

from . import _core
from ._inputs import check, renamed

if TYPE_CHECKING:
    import numpy as np

    from ._types import OptimizerLike

__all__ = [
    "Optimizer",
    "SGD",
    "Momentum",
    "Nesterov",
    "RMSprop",
    "Adam",
    "AdamW",
    "Rprop",
    "SecondOrder",
    "LBFGS",
    "LevenbergMarquardt",
]

# Fields whose name in files, which older versions read, is their first one.
_FIRST_NAMES = {"least_step": "step_min", "most_step": "step_max"}

# Fields that _core.Rule knows by another name, since optimisers share them there.
_RULE_NAMES = {"beta1": "momentum", "beta2": "decay"}
_RULE_NAMES |= {name: first for first, name in _FIRST_NAMES.items()}

# What fields of these names have to be.
_SHARES = ("momentum", "decay", "beta1", "beta2", "shrink")
_POSITIVE = ("epsilon", "shrink", "step_min")
_NOT_NEGATIVE = ("weight_decay", "gradient_tolerance", "relative_tolerance")


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True)
class Optimizer:
    """What all optimisers share: settings that compare, print and save."""

    @property
    def name(self) -> str:
        """The name that ``fit`` knows it by."""
        return _NAMES[type(self)]

    default_rate: ClassVar[float | None] = None  # learning_rate, where fit is given none
    squares: ClassVar[int | None] = None  # Index of the moments that are never negative
    # Whether each step uses all rows, and takes care of its own rate.
    full_batch: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for field in fields(self):
            given = getattr(self, field.name)
            if field.type in (float, "float"):
                object.__setattr__(self, field.name, check.finite_number(field.name, given))
            elif field.type in (int, "int"):
                object.__setattr__(self, field.name, check.whole_number(field.name, given, 1))
            else:
                object.__setattr__(self, field.name, check.flag(field.name, given))
        for name, number in vars(self).items():
            if name in _SHARES:
                check.share(name, number)
            if name in _POSITIVE and not number > 0:
                raise ValueError(f"{name} is {number:g}, but it must be positive")
            if name in _NOT_NEGATIVE and number < 0:
                raise ValueError(f"{name} is {number:g}, but it must be at least 0")

    def expect(self, dtype: np.dtype[Any]) -> None:
        """Refuse numbers that ``dtype`` cannot hold, or rounds to others that are refused."""
        rounded = {
            name: float(dtype.type(check.normal_number(name, number, dtype)))
            for name, number in vars(self).items()
            if isinstance(number, float)
        }
        try:
            replace(self, **rounded)
        except ValueError as error:
            raise ValueError(f"as {dtype}, {error}: optimizer is {self!r}") from None

    def start(self) -> dict[str, float | None]:
        """What the optimiser remembers beside arrays: a dict that JSON can hold."""
        return {}

    def keeps(self, arrays: int) -> bool:
        """Can it have left so many arrays of moments?"""
        return arrays == _core.Rule(**self.rule()).moments

    def rule(self) -> dict[str, Any]:
        """Fields of _core.Rule."""
        numbers = {_RULE_NAMES.get(name, name): value for name, value in vars(self).items()}
        return {"optimizer": self.name, **numbers}

    def settings(self) -> dict[str, Any]:
        """``{"name": ..., field: value}``, from which ``named`` makes it again."""
        return {"name": self.name, **vars(self)}


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent: w := w - r g. With ``batch_size=None`` it is what the tutorials do."""


@dataclass(frozen=True)
class Momentum(Optimizer):
    """v := momentum v - r g; w := w + v (Polyak 1964)."""

    momentum: float = 0.9


@dataclass(frozen=True)
class Nesterov(Momentum):
    """v := momentum v - r g; w := w + momentum v - r g (Sutskever et al. 2013)."""


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """s := decay s + (1 - decay) g^2; w := w - r g / (sqrt(s) + epsilon) (Hinton 2012)."""

    decay: float = 0.99
    epsilon: float = 1e-8
    default_rate: ClassVar[float | None] = 0.001
    squares: ClassVar[int | None] = 0


@dataclass(frozen=True)
class Adam(Optimizer):
    """Moments of g and g^2, corrected for their start at zero (Kingma and Ba 2014).

    m := beta1 m + (1 - beta1) g, s := beta2 s + (1 - beta2) g^2, and with m' = m / (1 - beta1^t),
    s' = s / (1 - beta2^t): w := w - r m' / (sqrt(s') + epsilon). ``epsilon_inside`` adds epsilon to
    sqrt(s) instead, as scikit-learn and Keras do.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    epsilon_inside: bool = False
    default_rate: ClassVar[float | None] = 0.001
    squares: ClassVar[int | None] = 1


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam after w := w - r weight_decay w for weights, not biases (Loshchilov and Hutter 2017)."""

    weight_decay: float = 0.01

    def rule(self) -> dict[str, Any]:
        """Fields of _core.Rule."""
        return {**super().rule(), "optimizer": "adam"}


@renamed.fields(**_FIRST_NAMES)
@dataclass(frozen=True)
class Rprop(Optimizer):
    """A step for each parameter, by the sign of its gradient alone (Riedmiller and Braun 1993).

    The step begins at the learning rate and grows by ``grow`` while the sign stays, up to
    ``step_max``. Where the sign changes, it shrinks by ``shrink``, down to ``step_min``, and w
    waits for the next update. For full batches: the signs of mini-batches are noise.
    """

    shrink: float = 0.5
    grow: float = 1.2
    step_min: float = 1e-6
    step_max: float = 50.0
    default_rate: ClassVar[float | None] = 0.01
    squares: ClassVar[int | None] = 1  # Steps, here.

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.grow <= 1:
            raise ValueError(f"grow is {self.grow:g}, but it must be above 1")
        if self.step_min > self.step_max:
            raise ValueError(f"step_min is {self.step_min:g}, above step_max, {self.step_max:g}")

    def settings(self) -> dict[str, Any]:
        """``{"name": ..., field: value}``, from which ``named`` makes it again."""
        settings = super().settings()
        for first, name in _FIRST_NAMES.items():
            settings[first] = settings.pop(name)
        return settings


@dataclass(frozen=True)
class SecondOrder(Optimizer):
    """What finds the length of its steps by itself, from all rows at once.

    Iterations end early where no element of the gradient exceeds ``gradient_tolerance``, or one has
    lowered the loss by no more than ``relative_tolerance`` of it; 0 stands for 64 times the
    precision of the dtype, whose end is no convergence: ``fit`` warns. L-BFGS goes on beyond one
    small decrease while it remembers few steps and the next one promises more.
    """

    gradient_tolerance: float = 1e-8
    relative_tolerance: float = 0.0
    full_batch: ClassVar[bool] = True
    default_rate: ClassVar[float | None] = 1.0

    def expect(self, dtype: np.dtype[Any]) -> None:
        """Whatever ``dtype`` is, tolerances are compared in double."""

    def tolerances(self) -> dict[str, float | None]:
        """Settings of the iterations."""
        return {
            "gradient_tolerance": self.gradient_tolerance,
            "relative_tolerance": self.relative_tolerance or None,
        }


@dataclass(frozen=True)
class LBFGS(SecondOrder):
    """Curvature from the last ``memory`` steps, and a line search (Liu and Nocedal 1989)."""

    memory: int = 10

    def keeps(self, arrays: int) -> bool:
        """Can it have left so many arrays? Two for each step that it remembers."""
        return arrays % 2 == 0 and arrays <= 2 * self.memory


@dataclass(frozen=True)
class LevenbergMarquardt(SecondOrder):
    """The curvature of squared errors from first derivatives, with a damping that follows success.

    For loss "mse" and up to 2,000 parameters (Marquardt 1963; Hagan and Menhaj 1994). Computes in
    float64.
    """

    def start(self) -> dict[str, float | None]:
        """The damping, once there is one."""
        return {"damping": None}

    def keeps(self, arrays: int) -> bool:
        """It leaves no arrays."""
        return arrays == 0


_NAMES = {
    SGD: "sgd",
    Momentum: "momentum",
    Nesterov: "nesterov",
    RMSprop: "rmsprop",
    Adam: "adam",
    AdamW: "adamw",
    Rprop: "rprop",
    LBFGS: "lbfgs",
    LevenbergMarquardt: "levenberg_marquardt",
}


def named(given: OptimizerLike | dict[str, Any]) -> Optimizer:
    """``given`` if it is an Optimizer, or the one with this name, or these settings."""
    if type(given) in _NAMES:
        return given
    known = {name: kind for kind, name in _NAMES.items()}
    if isinstance(given, dict):
        settings = dict(given)
        kind = known[check.choice("optimizer", settings.pop("name", None), tuple(known))]
        return kind(**{_FIRST_NAMES.get(name, name): value for name, value in settings.items()})
    return known[check.choice("optimizer", given, tuple(known))]()


def rule_of(optimizer: Optimizer, **penalties: float) -> _core.Rule | None:
    """The _core.Rule of an optimiser and penalties; None where both leave plain descent."""
    given = {name: value for name, value in penalties.items() if value}
    if type(optimizer) is SGD and not given:
        return None
    return _core.Rule(**optimizer.rule(), **given)
