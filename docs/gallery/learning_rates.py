"""
Learning rates compared
=======================

Too small a rate crawls, too large a one jumps over the valley. Same network, same start weights,
same data: the rate alone differs.
"""

import matplotlib.pyplot as plt
import numpy as np

import bpcore

random = np.random.RandomState(1)
X = random.uniform(-1, 1, size=(300, 2))
y = X[:, 0] * X[:, 1] > 0  # Opposite quarters belong together, as in XOR.

histories = {}
for rate in (0.1, 1.0, 8.0, 64.0):
    net = bpcore.Network([2, 8, 1], hidden="tanh", seed=2)
    histories[rate] = net.fit(X, y, epochs=400, learning_rate=rate)

figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
bpcore.plotting.learning_rates(histories, ax)
plt.show()
