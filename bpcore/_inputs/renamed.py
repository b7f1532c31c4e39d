"""Old spellings of public names: they work for one more version and say what to write instead."""

from __future__ import annotations

import functools
import operator
import sys
from typing import TYPE_CHECKING, TypeVar

from . import user_warnings

if TYPE_CHECKING:
    from collections.abc import Callable

Class = TypeVar("Class", bound=type)


def warn(old: str, new: str) -> None:
    """Say, on the user's line, that ``old`` is now called ``new``."""
    text = f"{old} is now called {new}: the old name goes with the next version"
    user_warnings.warn(text, DeprecationWarning)


def name(module: str, given: str, names: dict[str, str]) -> str:
    """What a module's ``__getattr__`` has to look for; ``names`` are {old: new}."""
    if given not in names:
        return given
    # ``from module import name`` asks twice, first for importlib, which has no line to warn of.
    if sys._getframe(2).f_code.co_filename != "<frozen importlib._bootstrap>":
        warn(f"{module}.{given}", f"{module}.{names[given]}")
    return names[given]


def fields(**names: str) -> Callable[[Class], Class]:
    """Let a dataclass take and show fields by old names, too: ``fields(old="new")``."""

    def decorate(cls):
        initialise = cls.__init__

        @functools.wraps(initialise)
        def __init__(self, *values, **given):
            for old in [name for name in given if name in names]:
                warn(f"{old} of {cls.__name__}", names[old])
                if names[old] in given:
                    raise TypeError(f"{names[old]} is given twice, once as {old}")
                given[names[old]] = given.pop(old)
            initialise(self, *values, **given)

        def __setstate__(self, state):  # Pickles may have the old names.
            vars(self).update({names.get(name, name): value for name, value in state.items()})

        cls.__init__, cls.__setstate__ = __init__, __setstate__
        for old, new in names.items():
            setattr(cls, old, _alias(old, new, operator.attrgetter(new)))
        return cls

    return decorate


def method(cls: type, old: str, new: str) -> None:
    """Give a class that defines a method by one of two names the other one, too."""
    own = vars(cls)
    if new in own and old not in own:
        setattr(cls, old, _alias(old, new, own[new].__get__))
    elif old in own and new not in own:
        warn(f"{old} of {cls.__name__}", new)
        setattr(cls, new, own[old])


def _alias(old, new, get):
    """An attribute that warns; what ``get`` finds in the instance."""

    def read(self):
        warn(f"{old} of {type(self).__name__}", new)
        return get(self)

    return property(read)
