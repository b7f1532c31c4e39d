# %% [markdown]
# # Ten digits
#
# The network of the third tutorial, M. Nielsen's *Neural Networks and Deep Learning*,
# [chapter 2](http://neuralnetworksanddeeplearning.com/chap2.html) and
# [`network.py`](https://github.com/mnielsen/neural-networks-and-deep-learning), trained by the
# tutorial's own class as `bpcore.classic` has it. It reads all digits of MNIST, in mini-batches.
# The mathematics is in [the course](../backprop.md).

# %%
import random

import matplotlib.pyplot as plt
import numpy as np

import bpcore
from bpcore import classic

# %% [markdown]
# ## The data
#
# 50,000 images to learn from and 10,000 to be tested on. In this tutorial a sample is a pair of
# column vectors: 784 pixels, and ten outputs of which one is 1.

# %%
(X, y), (X_test, y_test) = bpcore.datasets.load_mnist(dtype="float64", scale=256)
X, y = X[:50000], y[:50000]
training_data = [(x[:, None], target[:, None]) for x, target in zip(X, np.eye(10)[y], strict=True)]
test_data = [(x[:, None], label) for x, label in zip(X_test, y_test, strict=True)]
print(len(training_data), len(test_data))

# %% [markdown]
# ## Training
#
# 30 hidden sigmoids, batches of ten, a rate of 1. Each line says how many test images are right.

# %%
np.random.seed(0)
random.seed(0)
network = classic.Network([784, 30, 10])
network.SGD(training_data, epochs=10, mini_batch_size=10, eta=1.0, test_data=test_data)

# %% [markdown]
# A step for every ten images makes 5,000 steps an epoch: that is why so much is learned in the
# first. (The book's rate of 3 is faster, and so sensitive that the last bit of a sum decides over
# some images.)
#
# ## What the hidden units look for
#
# The weights into ten of the units: red where ink raises the sum, blue where it lowers it.


# %%
def draw(images, titles, limit=None):
    """A row of images; with a limit, blue is below zero and red above."""
    figure, axes = plt.subplots(1, len(images), figsize=(0.8 * len(images), 1.2))
    colours = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit} if limit else {"cmap": "gray_r"}
    for ax, image, title in zip(axes, images, titles, strict=True):
        ax.imshow(image.reshape(28, 28), **colours)
        ax.set_title(title, fontsize=9)
        ax.axis("off")


draw(network.weights[0][:10], [f"unit {j}" for j in range(10)], limit=2)

# %% [markdown]
# The start weights have variance 1, far more than a sum of 784 needs, and most of what is seen is
# their grain.
#
# ## Mistakes
#
# Rows are what an image shows, columns what the network says; the right answers are left out.

# %%
outputs = network.feedforward(X_test.T).T
said = outputs.argmax(axis=1)
confusion = np.zeros((10, 10), int)
np.add.at(confusion, (y_test, said), 1)
np.fill_diagonal(confusion, 0)
print(confusion)
print(confusion.sum(), "of", len(y_test), "are wrong")

# %%
wrong = np.flatnonzero(said != y_test)
worst = wrong[np.argsort(-outputs[wrong, said[wrong]])][:10]
draw(X_test[worst], [f"{y_test[i]}, says {said[i]}" for i in worst])

# %% [markdown]
# ## One image, forward and back
#
# `backprop` returns the slopes of one sample; those of the biases are the deltas.

# %%
i = worst[0]
x, target = test_data[i][0], np.eye(10)[:, [y_test[i]]]
(delta1, delta2), _ = network.backprop(x, target)
a = network.feedforward(x)
print("digit     a - y     delta")
for digit in range(10):
    print(f"{digit:5} {(a - target)[digit, 0]:9.4f} {delta2[digit, 0]:9.4f}")
print(f"length of the hidden delta {np.linalg.norm(delta1):.4f}")

# %% [markdown]
# Two outputs are wrong by nearly 1, and yet their deltas are small: the squared error leaves the
# factor $a (1 - a)$ in delta, and a sure mistake is hardly corrected. Cross-entropy has no such
# factor: see [the natural pairs](../course/equations.md#the-natural-pairs).
