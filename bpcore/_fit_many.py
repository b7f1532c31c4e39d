"""Many networks at once, in threads or the workers of an executor, each as it is alone."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._executors import Calls, Failure
from ._inputs import check, thread_count, user_warnings
from ._inputs.keywords import refuse_unknown
from ._training.fit import fit_rows
from .callbacks import EarlyStopping
from .network import Network

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike

    from ._types import ExecutorLike, MatrixLike
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
    executor: ExecutorLike | None = None,
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
        Networks that train at the same time. Default: as for ``Network.fit``. With an executor the
        threads of each fit, by default 1.
    executor : concurrent.futures.Executor or dask.distributed.Client, optional
        Its workers train copies of the networks, and what they have learnt comes back: processes of
        this machine, loky's, dask's, MPI's. Data for all goes once to a worker. Callbacks have to
        be such as can be pickled, and what they remember stays with the worker.
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
        first. Ctrl-C ends them all, each with the weights of its last whole step. With an executor
        networks that have not begun stay as they are, and after Ctrl-C all whose results are not
        back; TypeError also for what cannot be pickled.

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
    refuse_unknown("fit_many", others, ["epochs", "n_threads", "executor", *defaults])
    threads = thread_count.count(n_threads)
    given = {"X": X, "y": y, **defaults, "epochs": epochs, **settings}
    plan = _Plan(networks, *_sorted(given, len(networks)))
    if rows is not None:
        _cut(plan, rows)
    if executor is None:
        results = _train(plan, max(1, min(threads, len(networks))))
    else:
        results = _train_elsewhere(plan, executor, 1 if n_threads is None else threads)
    for i, result in enumerate(results):
        if isinstance(result, Exception):
            result.add_note(f"in network {i} of fit_many")
            raise result
    return results


# What each network has of its own, or none has; ranks have one network, and a recipe is of one.
NOT_SHARED = ("epochs", "n_threads", "comm", "record")


@functools.cache  # To look takes as long as a small fit.
def _defaults():
    """What ``Network.fit`` takes where nothing is said, but for what networks share."""
    parameters = inspect.signature(Network.fit).parameters.values()
    keywords = [one for one in parameters if one.kind is one.KEYWORD_ONLY]
    return {one.name: one.default for one in keywords if one.name not in NOT_SHARED}


class _Plan(NamedTuple):
    """What is to be done: keywords of ``_fit`` by name, those for all and those of each network."""

    networks: list[Network]
    common: dict[str, Any]
    own: list[dict[str, Any]]


def _sorted(given, count):
    """(what is for all, [what each network has of its own]), both by name."""
    common, own = {}, [{} for _ in range(count)]
    for name, value in given.items():
        if not isinstance(value, PerNetwork):
            common[name] = value
            continue
        if len(value.values) != count:
            raise ValueError(f"{name} has {len(value.values)} values for {count} networks")
        for mine, one in zip(own, value.values, strict=True):
            mine[name] = one
    return common, own


def _cut(plan, rows):
    """Give each network its rows, once it is seen that they are rows of its data."""
    for some in (plan.common, *plan.own):
        for name in {"X", "y", "sample_weight"} & set(some):
            some[name] = _indexable(name, some[name])
    for i, mine in enumerate(plan.own):
        index, data = _index(f"rows[{i}]", rows[i]), {**plan.common, **mine}
        try:
            for name in ("X", "y", "sample_weight"):
                if data[name] is not None:
                    np.broadcast_to(np.int8(0), data[name].shape[:1])[index]
        except IndexError as error:
            raise ValueError(
                f"rows[{i}] names no rows of X, y and sample_weight: {error}"
            ) from None
        mine["rows"] = index


def _indexable(name, value):
    """Data of which rows can be taken."""
    if name == "X" and hasattr(value, "tocsr"):
        return value.tocsr()
    if value is None or (name == "X" and hasattr(value, "iloc")):
        return value  # A frame of pandas keeps its names.
    return check.rectangle(name, value)


def _train(plan, threads):
    """The history of each network, or its error, from so many threads, or as many as may begin."""
    waiting, results = deque(range(len(plan.networks))), [None] * len(plan.networks)
    work, interrupt, line = [], threading.Event(), user_warnings.line()
    given = plan, waiting, results, interrupt, line
    with ThreadPoolExecutor(threads) as pool:
        try:
            with contextlib.suppress(RuntimeError):  # The system, or a limit, grants no more.
                for _ in range(threads):
                    work.append(pool.submit(_work, *given))
            if not work:
                _work(*given)
            wait(work)
        except KeyboardInterrupt:
            interrupt.set()
            waiting.clear()
            raise
    for worker in work:
        worker.result()  # What is no Exception ends all, like SystemExit.
    return results


def _work(plan, waiting, results, interrupt, line):
    """Train networks until none waits; warnings name the line that waits for them."""
    with contextlib.suppress(IndexError), user_warnings.working_for(line):
        while True:
            i = waiting.popleft()
            try:
                how = {**plan.common, **plan.own[i], "n_threads": 1}
                results[i] = _fit(plan.networks[i], interrupt, **how)
            except Exception as error:
                results[i] = error


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


def _fit(net, interrupt, *, X, y, rows=None, **settings):
    """``Network.fit`` of the rows that are a network's."""
    if rows is not None:
        X, y = X.iloc[rows] if hasattr(X, "iloc") else X[rows], y[rows]
        if settings["sample_weight"] is not None:
            settings["sample_weight"] = settings["sample_weight"][rows]
    for name in ("callbacks", "early_stopping"):
        settings[name] = _own(settings[name])
    with net._training_lock:
        return fit_rows(net, X, y, **settings, interrupt=interrupt)


# ---- With an executor ----------------------------------------------------------------------------

# What is sent once to a worker, where it is for all networks; the rest is sent with each.
DATA = ("X", "y", "sample_weight", "eval_set", "order")


def _train_elsewhere(plan, executor, threads):
    """The history of each network, or its error, from the workers of an executor.

    Copies are trained. The networks are locked meanwhile, and become what the copies have become.
    """
    results = [None] * len(plan.networks)
    data = {name: plan.common[name] for name in DATA if name in plan.common}
    rest = {name: value for name, value in plan.common.items() if name not in data}
    with contextlib.ExitStack() as stack:
        calls = stack.enter_context(Calls(executor, _fit_copy, data))
        for i, net in enumerate(plan.networks):
            try:
                stack.enter_context(net._training_lock)
                items = {"network": copy.copy(net), **rest, **plan.own[i], "n_threads": threads}
                calls.submit(i, items)
            except Exception as error:
                results[i] = error
                calls.cancel()
                break
        for i, result in calls.results():
            try:
                results[i] = result if isinstance(result, Exception) else _taken(plan, i, result)
            except Exception as error:  # A warning that is to be one.
                results[i] = error
            if isinstance(results[i], Exception):
                calls.cancel()
    return results


def _fit_copy(data, stop, *, network, **settings):
    """In a worker: (the copy, its history or Failure, warnings), or None where all has ended."""
    with user_warnings.collected() as told:
        try:
            result = _fit(network, stop, **data, **settings)
        except KeyboardInterrupt:
            if not stop.is_set():
                raise
            return None
        except Exception as error:
            result = Failure(error)
    return network, result, told


def _taken(plan, i, result):
    """The history of network i, or its error; the network becomes what the copy has become."""
    trained, history, told = result
    for message, category in told:
        user_warnings.warn(message, category)
    plan.networks[i]._become(trained)
    return history.error if isinstance(history, Failure) else history
