"""Warnings that name the user's line, and that filters set for scikit-learn's reach."""

import os
import sys
import warnings

import joblib
import sklearn

# Users silence scikit-learn by module; they mean its perceptrons, which these are in place of.
MODULE = "sklearn.neural_network._multilayer_perceptron"

# Files between the user's line and the warning: ours, and those that fit for others.
_HERE = os.path.dirname(os.path.dirname(__file__))
_BETWEEN = tuple(os.path.join(path, "") for path in (_HERE, *sklearn.__path__, *joblib.__path__))


def warn(message, category=UserWarning):
    """Warn of the line that called into these estimators, or into what has called them."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_BETWEEN):
        frame = frame.f_back
    seen = frame.f_globals.setdefault("__warningregistry__", {})
    line = frame.f_code.co_filename, frame.f_lineno
    warnings.warn_explicit(message, category, *line, module=MODULE, registry=seen)
