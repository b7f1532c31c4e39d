"""Many networks at once: one thread a network, each bit for bit what it is alone."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

import numpy as np

from ._inputs import check, thread_count, user_warnings
from ._inputs.keywords import refuse_unknown
from ._training.fit import fit_rows
from .callbacks import EarlyStopping
from .network import Network

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike

    from ._types import MatrixLike
    from .history import History


class PerNetwork:
    """A value for each network of ``fit_many``; see ``per_network``."""

    def __init__(self, values: Iterable[Any]) -> None:
        self.values: list[Any] = list(values)

    def __repr__(self) -> str:
        return f"per_network({self.values!r})"


def per_network(values: Iterable[Any]) -> PerNetwork:
    """Give each network of ``fit_many`` a value of its own.

    >>> import bpcore
    >>> nets = [bpcore.Network([1, 1], seed=0) for _ in range(2)]
    >>> rates = bpcore.per_network([0.1, 0.2])
    >>> histories = bpcore.fit_many(nets, [[0.0]], [1], epochs=1, learning_rate=rates)
    >>> [history.learning_rate for history in histories]
    [[0.1], [0.2]]
    """
    return PerNetwork(values)


def fit_many(
    networks: Iterable[Network],
    X: MatrixLike | PerNetwork,
    y: ArrayLike | PerNetwork,
    *,
    epochs: int | PerNetwork,
    rows: Sequence[ArrayLike | slice] | None = None,
    n_threads: int | None = None,
    **settings: Any,
) -> list[History]:
    """Train many networks in one call: seeds, folds, grid points or an ensemble.

    Networks are spread over the cores, one thread each, so nothing waits for anything; every one
    ends up with the bits of its own ``fit``.

    Parameters
    ----------
    networks : sequence of Network
        Each a different object.
    X, y : array-like, or per_network([...])
        Data for all, or a list with data for each network.
    epochs : int, or per_network([...])
        As for ``Network.fit``.
    rows : sequence of array-like of int, optional
        For each network the rows of X and y that it learns from: the folds of a cross-validation.
    n_threads : int, optional
        Networks that train at the same time. Default: as for ``Network.fit``.
    **settings
        What else ``Network.fit`` takes; ``per_network([...])`` gives each its own. With ``rows``,
        ``sample_weight`` has an entry for each row of X. Callbacks are called from several threads
        at once, except that each network has an ``EarlyStopping`` of its own.

    Returns
    -------
    list of History

    Raises
    ------
    ValueError, TypeError, FloatingPointError, RuntimeError
        Those of ``Network.fit``, with a note that names the network; the other networks finish
        first. Ctrl-C ends them all, each with the weights of its last whole step.

    Examples
    --------
    >>> import numpy as np, bpcore
    >>> X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> nets = [bpcore.Network([2, 4, 1], hidden="tanh", seed=seed) for seed in range(8)]
    >>> histories = bpcore.fit_many(nets, X, [0, 1, 1, 0], epochs=500, learning_rate=1.0)
    >>> len(histories)
    8
    """
    networks = list(networks)
    for net in networks:
        if not isinstance(net, Network):
            raise TypeError(f"networks has {net!r}, but networks are expected")
    if len({id(net) for net in networks}) < len(networks):
        raise ValueError("networks holds a network twice: two fits would change it at once")
    if rows is not None and len(rows) != len(networks):
        raise ValueError(f"rows has {len(rows)} entries for {len(networks)} networks")
    defaults = _defaults()
    others = [name for name in settings if name not in defaults]
    refuse_unknown("fit_many", others, ["epochs", "n_threads", *defaults])
    threads, settings = thread_count.count(n_threads), {**defaults, "epochs": epochs, **settings}
    jobs = [_job(net, i, len(networks), X, y, rows, settings) for i, net in enumerate(networks)]
    results = _train(jobs, max(1, min(threads, len(networks))))
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


# What each network has of its own, or none has; ranks have one network.
NOT_SHARED = ("epochs", "n_threads", "comm")


@functools.cache  # To look takes as long as a small fit.
def _defaults():
    """What ``Network.fit`` takes where nothing is said, but for what networks share."""
    parameters = inspect.signature(Network.fit).parameters.values()
    keywords = [one for one in parameters if one.kind is one.KEYWORD_ONLY]
    return {one.name: one.default for one in keywords if one.name not in NOT_SHARED}


def _train(jobs, threads):
    """The history of each job, or its error, from so many threads, or as many as may begin."""
    waiting, results = deque(enumerate(jobs)), [None] * len(jobs)
    work, interrupt, line = [], threading.Event(), user_warnings.line()
    with ThreadPoolExecutor(threads) as pool:
        try:
            with contextlib.suppress(RuntimeError):  # The system, or a limit, grants no more.
                for _ in range(threads):
                    work.append(pool.submit(_work, waiting, results, interrupt, line))
            if not work:
                _work(waiting, results, interrupt, line)
            wait(work)
        except KeyboardInterrupt:
            interrupt.set()
            waiting.clear()
            raise
    for worker in work:
        worker.result()  # What is no Exception ends all, like SystemExit.
    return results


def _work(waiting, results, interrupt, line):
    """Do jobs until none waits; warnings name the line that waits for them."""
    with contextlib.suppress(IndexError), user_warnings.working_for(line):
        while True:
            i, job = waiting.popleft()
            results[i] = _fit_one(i, interrupt, *job)


def _one(name, value, i, count):
    if not isinstance(value, PerNetwork):
        return value
    if len(value.values) != count:
        raise ValueError(f"{name} has {len(value.values)} values for {count} networks")
    return value.values[i]


def _job(net, i, count, X, y, rows, settings):
    """What network i has to do: (net, X, y, settings)."""
    X, y = _one("X", X, i, count), _one("y", y, i, count)
    settings = {name: _one(name, value, i, count) for name, value in settings.items()}
    if rows is not None:
        if hasattr(X, "tocsr"):
            X = X.tocsr()
        elif hasattr(X, "iloc"):  # A frame of pandas keeps its names.
            X = X.iloc
        else:
            X = check.rectangle("X", X)
        y, index = check.rectangle("y", y), _index(f"rows[{i}]", rows[i])
        weights = settings.get("sample_weight")
        try:
            X, y = X[index], y[index]
            if weights is not None:
                settings["sample_weight"] = check.rectangle("sample_weight", weights)[index]
        except IndexError as error:
            raise ValueError(
                f"rows[{i}] names no rows of X, y and sample_weight: {error}"
            ) from None
    return net, X, y, settings


def _index(name, given):
    """``given`` as the indices of rows, or the mask of them, that NumPy and pandas take."""
    if isinstance(given, slice):
        return given
    index = check.rectangle(name, given)
    if index.shape == (0,):
        return index.astype(np.intp)  # An empty list would be one of floats.
    if index.ndim != 1 or index.dtype.kind not in "iub":
        raise ValueError(
            f"{name} is {check.shown(given)}, but the numbers of rows are expected, such as "
            "[0, 2, 3], or True or False for each"
        )
    return index


def _own(callback):
    """A copy of each EarlyStopping, which remembers what it has seen; the rest as it is."""
    if isinstance(callback, (list, tuple)):
        return [_own(one) for one in callback]
    return copy.copy(callback) if isinstance(callback, EarlyStopping) else callback


def _fit_one(i, interrupt, net, X, y, settings):
    """The history of a fit, or its error."""
    try:
        for name in ("callbacks", "early_stopping"):
            settings[name] = _own(settings[name])
        with net._training_lock:
            return fit_rows(net, X, y, **settings, n_threads=1, interrupt=interrupt)
    except Exception as error:
        error.add_note(f"in network {i} of fit_many")
        return error
