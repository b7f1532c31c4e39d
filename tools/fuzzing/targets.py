"""All targets by name."""

import importlib.util

from . import arguments, faulty, model, packed

TARGETS = [model.MODEL, *packed.TARGETS, *arguments.TARGETS]
NAMES = [target.name for target in TARGETS]


def named(name):
    """The target with this name: one of the library's, or one that breaks a law."""
    known = {target.name: target for target in [*TARGETS, *faulty.TARGETS]}
    if name not in known:
        raise SystemExit(f"there is no target {name!r}: {', '.join(known)}")
    return known[name]


def has_atheris():
    """Can the other engine be imported?"""
    return importlib.util.find_spec("atheris") is not None
