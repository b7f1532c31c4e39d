"""scikit-learn's multilayer perceptrons, computed by bpcore.

``MLPClassifier`` and ``MLPRegressor`` have the parameters, attributes and behaviour of the
estimators of the same names in ``sklearn.neural_network``; docs/sklearn.md tells what is added
and what differs. No other part of bpcore imports scikit-learn.
"""

try:
    from sklearn.utils.validation import validate_data as _needed  # noqa: F401
except ImportError as _error:
    raise ImportError(
        "bpcore.sklearn needs scikit-learn 1.6 or newer: pip install -U scikit-learn"
    ) from _error

from ._classifier import MLPClassifier
from ._onnx import register_onnx_converters
from ._regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "register_onnx_converters"]


def __dir__() -> list[str]:
    return __all__
