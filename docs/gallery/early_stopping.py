"""
Early stopping
==============

A network with more weights than rows learns the noise by heart. Rows that it does not train on say
when that begins, and ``EarlyStopping`` goes back to the weights of that epoch.
"""

import matplotlib.pyplot as plt
import numpy as np

import bpcore

random = np.random.RandomState(3)
X = random.uniform(-1, 1, size=(180, 2))
y = (X**2).sum(axis=1) < 0.6
y ^= random.uniform(size=y.shape) < 0.15  # Labels that are wrong.
train, held_out = slice(0, 60), slice(60, None)

# %%
# Two trainings, alike but for the callback.

settings = dict(epochs=600, optimizer="adam", learning_rate=0.02)
settings |= dict(eval_set=(X[held_out], y[held_out]))
net = bpcore.Network([2, 40, 1], hidden="tanh", seed=1)
all_epochs = net.fit(X[train], y[train], **settings)
net = bpcore.Network([2, 40, 1], hidden="tanh", seed=1)
stop = bpcore.EarlyStopping(patience=60)
stopped = net.fit(X[train], y[train], callbacks=stop, **settings)

figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
ax.plot(all_epochs.loss, label="rows that train")
ax.plot(all_epochs.eval_loss, label="rows held out")
best = stopped.best_epoch, min(stopped.eval_loss)
ax.plot(*best, "o", color="black", label=f"best weights: epoch {best[0]}")
ax.axvline(len(stopped.loss), color="grey", linestyle=":", linewidth=1, label="stopped here")
ax.set(xlabel="epoch", ylabel="cost", title="The noise is learnt by heart")
ax.legend()
plt.show()
