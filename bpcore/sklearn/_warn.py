"""Warnings that name the user's line, and that filters set for scikit-learn's reach."""

import os

import joblib
import sklearn

from .._inputs import user_warnings

# Users silence scikit-learn by module; they mean its perceptrons, which these are in place of.
MODULE = "sklearn.neural_network._multilayer_perceptron"

# Files between the user's line and the warning: ours, and those that fit for others.
_OTHERS = tuple(os.path.join(path, "") for path in (*sklearn.__path__, *joblib.__path__))
_BETWEEN = (user_warnings.PACKAGE, *_OTHERS)


def warn(message, category=UserWarning):
    """Warn of the line that called into these estimators, or into what has called them."""
    user_warnings.warn(message, category, past=_BETWEEN, module=MODULE)
