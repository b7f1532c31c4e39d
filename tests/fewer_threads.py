"""A team that gets fewer threads than it asked for gives the same bits.

Every creation of a helper thread fails in turn, alone or with all those after it. Law: each call
ends well, with the bits that one thread gives, and is told of no error.
"""

import os

import faults
import numpy as np

import bpcore
from bpcore import _core

TEAMS = (2, 3, 8)
X = np.random.default_rng(0).standard_normal((300, 20)).astype("f4")
Y = np.arange(300) % 3


def network():
    return bpcore.Network([20, 15, 3], hidden="tanh", output="softmax", seed=1)


def fitted(n_threads, **how):
    net = network()
    net.fit(X, Y, epochs=2, n_threads=n_threads, **how)
    return net.parameters


CALLS = {
    "forward": lambda n: network().forward(X, n_threads=n),
    "gradients": lambda n: network().gradients(X, Y, n_threads=n)[0][0],
    "full batch": lambda n: fitted(n, learning_rate=0.1),
    "mini-batches": lambda n: fitted(n, learning_rate=0.1, batch_size=64),
    "lbfgs": lambda n: fitted(n, optimizer="lbfgs"),
}


def complaints(calls=CALLS):
    """What is wrong, and how many creations have failed."""
    failing, wrong, failed = faults.Faults(), [], 0
    os.environ["BPCORE_TUNING"] = "off"  # A fit uses all threads at once, as short as it is.
    before = _core.use_thread_work(1)
    for name, call in calls.items():
        failed_before = failed
        alone = call(1).tobytes()
        for team in TEAMS:
            for count in (1, faults.FOREVER):
                for n in range(1, 10_000):
                    failing.arm("thread", n, count)
                    found = call(team).tobytes()
                    if failing.disarm() < n:
                        break
                    failed += 1
                    if found != alone:
                        wrong.append(f"{name}, {team} threads, creation {n}: other bits")
        if failed - failed_before < sum(TEAMS) - len(TEAMS):
            wrong.append(f"{name}: only {failed - failed_before} creations of helpers")
    _core.use_thread_work(before)
    return wrong, failed


if __name__ == "__main__":
    wrong, failed = complaints()
    print(*wrong, f"{failed} threads were not created, {len(wrong)} broken laws", sep="\n")
