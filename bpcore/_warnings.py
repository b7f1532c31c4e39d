"""Warnings that name a line of the user's, whatever lies between it and the cause."""

import os
import sys
import warnings

PACKAGE = os.path.dirname(__file__) + os.sep


def warn(message, category=UserWarning):
    """Warn as if the line that called the package did."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
