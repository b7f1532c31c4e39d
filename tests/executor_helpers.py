"""What tests of executors send to their workers, which import this file by its own name.

Run by ``mpiexec -n 3 python -m mpi4py.futures tests/executor_helpers.py COUNT``, it trains so many
networks on the workers of an ``MPIPoolExecutor`` and says what it found, as JSON.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

import numpy as np

import bpcore

N = 60
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(N, 4)), RNG.integers(3, size=N)
HOW = dict(epochs=5, batch_size=8, optimizer="adam", learning_rate=0.01, dropout=0.2)
SECONDS = 30  # What a test waits for at most; it comes in far less.


def networks(count=5, **settings):
    sizes = dict(hidden="tanh", output="softmax")
    return [bpcore.Network([4, 6, 3], **sizes, seed=i, **settings) for i in range(count)]


def state(net):
    """All that training changes in a network, as bytes and numbers."""
    moments = kept = None
    if net._state is not None:
        moments, kept = repr(net._state.moments), (net._state.step, repr(net._state.schedule_state))
        if net._state.moments is not None:
            moments = net._state.moments.tobytes()
    scaling = None if net.scaling is None else net.scaling.scale.tobytes()
    return net.parameters.tobytes(), net.epochs, moments, kept, scaling, net.feature_names


def figures(history):
    """All of a history but for how long it took, and on how many threads."""
    times = ("seconds", "execution")
    return {name: value for name, value in vars(history).items() if name not in times}


def alike(together, histories, alone, expected):
    same = list(map(state, together)) == list(map(state, alone))
    return same and list(map(figures, histories)) == list(map(figures, expected))


class Counted:
    """An array that counts in this process how often it is pickled."""

    pickled = 0

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.array, dtype)

    def __reduce__(self):
        Counted.pickled += 1
        return Counted, (self.array,)


class Elsewhere(Exception):
    """An error that can be pickled, but not unpickled."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


def boom(net, history):
    raise Elsewhere("one", "another")


def boom_of_seed_1(net, history):
    if net.seed == 1 and net.epochs == 2:
        raise RuntimeError("of its own")


def kill(net, history):
    os._exit(1)


class Locked:
    """A callback that cannot be pickled."""

    def __init__(self):
        self.lock = threading.Lock()

    def __call__(self, net, history):
        pass

    def __repr__(self):
        return "Locked()"


class Held:
    """A callback that says when it begins, waits after an epoch, and says when it ends."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def begin(self, net, history):
        (self.folder / f"begun {net.seed}").touch()

    def epoch(self, net, history):
        seen = Path(self.folder) / "go"
        if len(history.loss) == 1:
            wait_for(seen.exists)

    def end(self, net, history):
        (self.folder / f"ended {net.seed}").touch()


def wait_for(condition):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


def no_file():
    """Let a worker see no file of its parent's, as if it were on another machine."""
    from bpcore import _executors

    _executors.os = Machine()


class Machine:
    """``os`` of a machine that has no files of this one."""

    path = type("Path", (), {"exists": staticmethod(lambda path: False)})


def by_mpi(count):
    """What ``MPIPoolExecutor`` makes of so many networks: each law, and whether it holds."""
    from mpi4py.futures import MPIPoolExecutor

    together, alone = networks(count), networks(count)
    expected = [net.fit(X, Y, **HOW) for net in alone]
    with MPIPoolExecutor() as executor:
        histories = bpcore.fit_many(together, Counted(X), Y, executor=executor, **HOW)
        found = {"workers": executor.num_workers, "pickled": Counted.pickled}
        found["alike"] = alike(together, histories, alone, expected)
        failing, rates = networks(3), bpcore.per_network([0.01, np.nan, 0.01])
        for name, wrong in [
            ("error", {"learning_rate": rates}),
            ("unsent", {"callbacks": Locked()}),
        ]:
            try:
                bpcore.fit_many(failing, X, Y, executor=executor, **{**HOW, **wrong})
            except (TypeError, ValueError) as error:
                found[name] = [type(error).__name__, str(error), *error.__notes__]
    return found


if __name__ == "__main__":
    print(json.dumps(by_mpi(int(sys.argv[1]))))
