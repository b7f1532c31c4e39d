# %% [markdown]
# # Cats
#
# The network of the second tutorial, the notebook that derives the formulas of backpropagation for
# any number of layers and checks its gradient. It is trained by the tutorial's own class as
# `bpcore.classic` has it, to tell photographs of cats from others. The mathematics is in
# [the course](../backprop.md).
#
# The photographs are not fetched: the environment variable `BPCORE_DATA` names the folder that
# holds `train_catvnoncat.h5` and `test_catvnoncat.h5`; `pip install h5py` reads them. They are not
# ours to publish either: run the notebook to see them.

# %%
import matplotlib.pyplot as plt
import numpy as np

import bpcore

# %% [markdown]
# ## The data
#
# 209 photographs to learn from and 50 to be tested on, 64 x 64 pixels in three colours. In this
# tutorial a photograph is a *column* of 12,288 numbers.

# %% tags=["photographs"]
(X, y), (X_test, y_test) = bpcore.datasets.load_catvnoncat(dtype="float64")
columns, labels = X.T, y.reshape(1, -1)
print(columns.shape, labels.shape)


def draw(images, titles):
    """A row of pictures."""
    figure, axes = plt.subplots(1, len(images), figsize=(8, 1.5))
    for ax, image, title in zip(axes, images, titles, strict=True):
        ax.imshow(image.reshape(64, 64, 3))
        ax.set_title(title, fontsize=9)
        ax.axis("off")


draw(X[:8], ["cat" if label else "no cat" for label in y[:8]])

# %% [markdown]
# ## Training
#
# Seven hidden units with ReLU, one sigmoid. After the last step the class checks the gradient of
# layer 2: the distance between what the backward pass computes and what differences of costs
# measure. [What the gradient check compares](../course/gradient_check.md) says why it is so small.

# %%
np.random.seed(0)
network = bpcore.classic.NeuralNetwork(columns, labels)
network.NN([7, 1], 2501, alpha=0.0077, check_layer=2)

# %%
print("train", network.predict(columns, labels))
print("test", network.predict(X_test.T, y_test.reshape(1, -1)))

# %% [markdown]
# The 209 photographs are known by heart, the others are not: 86,031 weights and biases can hold
# much more than 209 answers. Who always says *cat* is right for this share of the test photographs:

# %%
print(np.mean(y_test))

# %% [markdown]
# ## What the hidden units look for
#
# The weights into a unit are a picture in three colours. Grey is zero; the number above is the
# weight with which the output listens to the unit. Where that has stayed near 0, the unit still is
# the grain that it was drawn as.

# %%
W1, W2 = network.W[1], network.W[2]
pictures = 0.5 + W1 / (8 * W1.std())
draw(np.clip(pictures, 0, 1), [f"{weight:+.2f}" for weight in W2[0]])

# %% [markdown]
# ReLU units can die: one that is off for every photograph has a delta of 0 from all of them, and
# never comes back. Here is for how many of the 209 each unit is on.

# %%
on = np.sum(W1 @ columns + network.b[1] > 0, axis=1)
print(on)

# %% [markdown]
# ## Mistakes
#
# The test photographs of which the network is most sure, and wrong, with its probability of a cat.

# %% tags=["photographs"]
hidden = np.maximum(W1 @ X_test.T + network.b[1], 0)
probability = network.sigmoid(W2 @ hidden + network.b[2])[0]
wrong = np.flatnonzero((probability > 0.5) != (y_test == 1))
worst = wrong[np.argsort(-np.abs(probability[wrong] - 0.5))][:8]
print(len(wrong), "of", len(y_test), "are wrong")
draw(X_test[worst], [f"{p:.3f}" for p in probability[worst]])

# %% [markdown]
# ## One photograph, forward and back

# %%
net = bpcore.Network([12288, 7, 1], hidden="relu", dtype="float64")
for layer in (1, 2):
    net.weights[layer - 1][:] = network.W[layer]
    net.biases[layer - 1][:] = network.b[layer][:, 0]

x, target = X_test[worst[:1]], y_test[worst[:1]]
_, a1, a2 = net.activations(x)
delta1, delta2 = net.deltas(x, target)
print("hidden  a    ", a1[0].round(3))
print("output  a    ", a2[0].round(3), " y", target, f" cost {net.loss(x, target):.3f}")
print("output  delta", delta2[0].round(3))
print("hidden  delta", delta1[0].round(3))

# %% [markdown]
# A hidden delta is the output's, times the weight between the two; it is 0 where the unit is off.
