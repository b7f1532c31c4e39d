"""bpcore: fully connected networks on CPUs, small, fast and exact.

``Network`` trains and predicts; ``reference`` holds the same mathematics in NumPy; ``classic``
holds the classes of three backpropagation tutorials; ``datasets`` fetches their data.
"""

from . import _core, _threads
from .history import History
from .network import Network

__version__ = "0.1.0"
__all__ = ["History", "Network", "classic", "datasets", "info", "reference"]


def info():
    """What a bug report needs: version, instruction sets, threads and build.

    Returns
    -------
    dict
        ``version``, ``isa`` in use, ``isas`` available (the best first), ``threads`` that a
        call uses at most, ``build`` (the compiler), ``python``, ``numpy``, ``platform``.

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
        "threads": _threads.count(),
        "build": platform.python_compiler(),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "platform": platform.platform(),
    }


def __getattr__(name):
    # Submodules that a program may never use are imported at their first mention.
    if name in ("classic", "datasets", "reference"):
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), "classic", "datasets", "reference"])
