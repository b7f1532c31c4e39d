"""What a training of a second chooses on this machine, beside whatever else it does."""

import time

import numpy as np

import bpcore

__all__ = ["tried"]

# Features as dense as MNIST's: a fifth of them is not zero. An epoch takes some milliseconds.
ROWS, FEATURES, DENSITY = 2000, 784, 0.2


def tried(seconds: float = 1.0) -> dict[int, float]:
    """{number of threads: seconds that a 784-196-1 network was trained with it}."""
    rng = np.random.RandomState(0)
    X = rng.random_sample((ROWS, FEATURES)).astype("float32")
    X[rng.random_sample(X.shape) > DENSITY] = 0
    y = rng.randint(2, size=ROWS)
    end = time.perf_counter() + seconds
    net = bpcore.Network([FEATURES, 196, 1], seed=0)
    history = net.fit(
        X, y, epochs=10**9, learning_rate=0.1,
        callbacks=lambda net, history: time.perf_counter() > end,
    )  # fmt: skip
    return history.execution["threads"]
