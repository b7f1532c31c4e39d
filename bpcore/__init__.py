"""bpcore: fully connected networks on CPUs, small, fast and exact.

``Network`` trains and predicts, ``fit_many`` trains many at once, ``verify`` trains from a recipe
once more. ``optimizers``, ``schedules`` and ``callbacks`` hold what ``fit`` takes; ``plotting``
draws what it returns; ``export`` holds what leaves Python; ``reference`` holds the mathematics in
NumPy; ``classic`` holds the classes of three backpropagation tutorials; ``datasets`` fetches their
data. ``import bpcore.sklearn`` for scikit-learn's estimators.
"""

from typing import TYPE_CHECKING, Any

from . import _core
from ._inputs import thread_count
from ._version import __version__ as __version__
from .history import History
from .network import Network

if TYPE_CHECKING:  # What _LATER imports, for type checkers and editors.
    from . import callbacks, classic, datasets, export, optimizers, plotting, reference, schedules
    from ._explanation.sample import ExplainedLayer, Explanation
    from ._fit_many import fit_many, per_network
    from ._model.scaling import Standardizer
    from ._verify import Verification, verify
    from .callbacks import EarlyStopping

__all__ = [
    "EarlyStopping",
    "ExplainedLayer",
    "Explanation",
    "History",
    "Network",
    "Standardizer",
    "Verification",
    "callbacks",
    "classic",
    "datasets",
    "export",
    "fit_many",
    "info",
    "optimizers",
    "per_network",
    "plotting",
    "reference",
    "schedules",
    "verify",
]


def info() -> dict[str, Any]:
    """What a bug report needs: version, instruction sets, threads and build.

    Returns
    -------
    dict
        ``version``, ``isa`` in use, ``isas`` available (the best first), ``threads`` that a
        call uses at most, ``build`` (the compiler of the core), ``python``, ``numpy``,
        ``platform``.

    Examples
    --------
    >>> info()["version"]
    '0.1.0'
    """
    import platform

    import numpy

    return {
        "version": __version__,
        "isa": _core.isa(),
        "isas": _core.available_isas(),
        "threads": thread_count.count(),
        "build": _core.compiler(),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "platform": platform.platform(),
    }


# What a program may never use is imported at its first mention: modules, and names in modules.
_LATER = {
    "callbacks": None,
    "classic": None,
    "datasets": None,
    "export": None,
    "optimizers": None,
    "plotting": None,
    "reference": None,
    "schedules": None,
    "EarlyStopping": "callbacks",
    "ExplainedLayer": "_explanation.sample",
    "Explanation": "_explanation.sample",
    "Standardizer": "_model.scaling",
    "Verification": "_verify",
    "fit_many": "_fit_many",
    "per_network": "_fit_many",
    "verify": "_verify",
}
_OLD_NAMES = {"Scaling": "Standardizer", "each": "per_network"}

if not TYPE_CHECKING:  # A checker would take any name for one of the package's.

    def __getattr__(name):
        import importlib

        from ._inputs import renamed

        name = renamed.name(__name__, name, _OLD_NAMES)
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = importlib.import_module(f"{__name__}.{_LATER[name] or name}")
        return module if _LATER[name] is None else getattr(module, name)


def __dir__() -> list[str]:
    return __all__
