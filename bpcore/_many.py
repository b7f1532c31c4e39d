"""Many networks at once: one thread a network, each bit for bit what it is alone."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from . import _fit, _threads


class Each:
    """A value for each network of ``fit_many``; see ``each``."""

    def __init__(self, values):
        self.values = list(values)

    def __repr__(self):
        return f"each({self.values!r})"


def each(values):
    """Give each network of ``fit_many`` a value of its own: ``learning_rate=each([0.1, 0.2])``."""
    return Each(values)


def fit_many(networks, X, y, *, rows=None, n_threads=None, **settings):
    """Train many networks in one call: seeds, folds, grid points or an ensemble.

    Networks are spread over the cores, one thread each, so nothing waits for anything; every one
    ends up with the bits of its own ``fit``.

    Parameters
    ----------
    networks : sequence of Network
        Each a different object.
    X, y : array-like, or each([...])
        Data for all, or a list with data for each network.
    rows : sequence of array-like of int, optional
        For each network the rows of X and y that it learns from: the folds of a cross-validation.
    n_threads : int, optional
        Networks that train at the same time. Default: as for ``Network.fit``.
    **settings
        What ``Network.fit`` takes; ``each([...])`` gives each network its own.

    Returns
    -------
    list of History

    Raises
    ------
    ValueError, TypeError, FloatingPointError
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
    if len({id(net) for net in networks}) < len(networks):
        raise ValueError("networks holds a network twice: two fits would change it at once")
    if rows is not None and len(rows) != len(networks):
        raise ValueError(f"rows has {len(rows)} entries for {len(networks)} networks")
    threads = _threads.count(n_threads)
    jobs = [
        (
            net,
            *_data(X, y, rows, i, len(networks)),
            {name: _one(name, value, i, len(networks)) for name, value in settings.items()},
        )
        for i, net in enumerate(networks)
    ]
    interrupt = threading.Event()
    with ThreadPoolExecutor(max(1, min(threads, len(networks)))) as pool:
        futures = [pool.submit(_fit_one, i, interrupt, *job) for i, job in enumerate(jobs)]
        try:
            return [future.result() for future in futures]
        except KeyboardInterrupt:
            interrupt.set()
            for future in futures:
                future.cancel()
            raise


def _one(name, value, i, count):
    if not isinstance(value, Each):
        return value
    if len(value.values) != count:
        raise ValueError(f"{name} has {len(value.values)} values for {count} networks")
    return value.values[i]


def _data(X, y, rows, i, count):
    X, y = _one("X", X, i, count), _one("y", y, i, count)
    if rows is None:
        return X, y
    X = X.tocsr() if hasattr(X, "tocsr") else np.asarray(X)
    return X[rows[i]], np.asarray(y)[rows[i]]


def _fit_one(i, interrupt, net, X, y, settings):
    try:
        return _fit.fit(
            net, X, y, **{**_fit.DEFAULTS, **settings}, n_threads=1, interrupt=interrupt
        )
    except (ValueError, TypeError, FloatingPointError) as error:
        error.add_note(f"in network {i} of fit_many")
        raise
