"""Warnings that name a line of the user's, whatever lies between it and the cause."""

import contextlib
import contextvars
import os
import sys
import warnings

PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep

# The line that a thread of the package's own works for: its frames lead to none of the user's.
_working_for = contextvars.ContextVar("working_for", default=None)

# Takes what is warned of where there is no such line: in a worker of an executor.
_told = contextvars.ContextVar("told", default=None)


def warn(message, category=UserWarning, *, past=PACKAGE, module=None):
    """Warn as if the user's line did: the first one that is not in a file ``past``.

    ``past`` is the beginning of such paths, or a tuple of them. ``module`` is what filters take for
    the module of the line; by default the one that it is in.
    """
    told = _told.get()
    if told is not None:
        told.append((message, category))
        return
    path, number, names = _working_for.get() or line(past)
    warnings.warn_explicit(
        message,
        category,
        path,
        number,
        module=module or names.get("__name__", "<string>"),
        registry=names.setdefault("__warningregistry__", {}),
    )


def line(past=PACKAGE):
    """(path, number, globals) of the line that called into the files ``past``."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(past):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno, frame.f_globals


@contextlib.contextmanager
def collected():
    """A list that takes the arguments of ``warn`` in this thread, for another one to warn."""
    before = _told.set([])
    try:
        yield _told.get()
    finally:
        _told.reset(before)


@contextlib.contextmanager
def working_for(place):
    """Let warnings of this thread name ``place``, which is a ``line`` of another one's."""
    before = _working_for.set(place)
    try:
        yield
    finally:
        _working_for.reset(before)
