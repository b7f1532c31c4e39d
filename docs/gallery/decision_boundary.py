"""
A first network on two moons
============================

A line cannot separate two moons. A layer of eight hidden units bends it; the picture shows where
the network changes its mind, and how sure it is on each side.
"""

import matplotlib.pyplot as plt
import numpy as np

import bpcore

random = np.random.RandomState(0)
y = np.repeat([0, 1], 200)
angle = random.uniform(0, np.pi, y.size) + np.pi * y
X = np.column_stack([np.cos(angle) + y, np.sin(angle) + y / 2])
X += random.normal(scale=0.15, size=X.shape)

# %%
# The network without hidden units is logistic regression. All else is alike.

networks = {"no hidden units": [2, 1], "8 hidden units": [2, 8, 1]}
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
for ax, (title, sizes) in zip(axes, networks.items(), strict=True):
    net = bpcore.Network(sizes, hidden="tanh", seed=1)
    net.fit(X, y, epochs=300, batch_size=20, learning_rate=0.5)
    bpcore.plotting.decision_boundary(net, X, y, ax)
    accuracy = net.evaluate(X, y)["accuracy"]
    ax.set_title(f"{title}: {accuracy:.1%} right", pad=30)  # Above the legend.
plt.show()
