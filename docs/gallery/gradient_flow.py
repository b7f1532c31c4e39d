"""
Why sigmoids vanish
===================

Backpropagation multiplies delta by the derivative of each layer on its way down. A sigmoid's is at
most 1/4: through five of them little is left. A ReLU's is 1 where the unit is on.
"""

import matplotlib.pyplot as plt
import numpy as np

import bpcore

random = np.random.RandomState(0)
X = random.normal(size=(500, 20)).astype("float32")
y = (X[:, :2] ** 2).sum(axis=1) > 2

figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
for ax, hidden in zip(axes, ("sigmoid", "relu"), strict=True):
    net = bpcore.Network([20, 30, 30, 30, 30, 30, 1], hidden=hidden, seed=1)
    bpcore.plotting.gradient_flow(net, X, y, ax)
    ax.set_title(f"{hidden}, before the first step")
plt.show()

# %%
# The first layer of the sigmoids hears of the mistakes a thousand times more softly than the last
# one. The ReLUs start with weights (``he_normal``) that keep the size of delta.
