"""Trains a network on an egg seen from above, and writes it as C."""

from pathlib import Path

import numpy as np

from bpcore import Network

random = np.random.RandomState(0)
X = random.uniform(-1, 1, (2000, 2))
square = (X * X).sum(axis=1)
y = np.where(square < 0.2, 2, np.where(square < 0.7, 1, 0))  # yolk, white, plate

net = Network([2, 16, 3], hidden="tanh", output="softmax", seed=1)
net.fit(X, y, epochs=100, batch_size=20, optimizer="adam", learning_rate=0.01)

Path("build").mkdir(exist_ok=True)
net.export("build/egg.c", check=X[:100])
