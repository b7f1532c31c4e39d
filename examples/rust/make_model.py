"""Trains a network on a saddle, and writes it with rows and what it predicts for them."""

from pathlib import Path

import numpy as np

from bpcore import Network

random = np.random.RandomState(0)
X = np.float32(random.uniform(-1, 1, (1000, 2)))
y = X[:, 0] * X[:, 1]

net = Network([2, 32, 16, 1], hidden="relu", output="identity", seed=1)
net.fit(X, y, epochs=100, batch_size=20, optimizer="adam", learning_rate=0.005)
print(f"mean squared error {np.square(net.predict(X) - y).mean():.1e}")

Path("build").mkdir(exist_ok=True)
net.save("build/saddle.safetensors")
# Nine digits are all of a float32.
np.savetxt("build/rows.txt", np.column_stack([X, net.forward(X)]), fmt="%.9g")
