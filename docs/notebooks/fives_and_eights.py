# %% [markdown]
# # Fives and eights
#
# The network of the first tutorial, *Understand and Implement the Backpropagation Algorithm From
# Scratch In Python* at [A Developer Diary](https://adeveloperdiary.github.io/posts/machine%20learning/algorithm/understand-and-implement-the-backpropagation-algorithm-from-scratch-in-python/),
# trained by the tutorial's own class as `bpcore.classic` has it. It tells MNIST's 5 from its 8.
# The tutorial builds the class line by line; here is what comes out of it. The mathematics is in
# [the course](../backprop.md).

# %%
import matplotlib.pyplot as plt
import numpy as np

import bpcore

# %% [markdown]
# ## The data
#
# 11,272 images to learn from and 1,866 others to be tested on. A row is an image: 784 pixels from
# 0 to 1. A 5 has the label 0, an 8 the label 1.

# %%
(X, y), (X_test, y_test) = bpcore.datasets.load_mnist58(dtype="float64")
print(X.shape, X_test.shape)


def draw(images, titles, limit=None):
    """A row of images; with a limit, blue is below zero and red above."""
    figure, axes = plt.subplots(1, len(images), figsize=(0.8 * len(images), 1.2))
    colours = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit} if limit else {"cmap": "gray_r"}
    for ax, image, title in zip(axes, images, titles, strict=True):
        ax.imshow(image.reshape(28, 28), **colours)
        ax.set_title(title, fontsize=9)
        ax.axis("off")


draw(X[:10], [f"y = {label:g}" for label in y[:10]])

# %% [markdown]
# ## Training
#
# 196 hidden sigmoids and one output. A thousand steps, each with the gradient of all images. The
# method prints the cost of every hundredth step, and the numbers are the tutorial's.

# %%
ann = bpcore.classic.ANN([196, 1])
ann.fit(X, y, learning_rate=0.1, n_iterations=1000)

# %%
figure, ax = plt.subplots(figsize=(5, 3))
ax.plot(range(0, 1000, 100), ann.costs, marker="o")
ax.set(xlabel="step", ylabel="cost", ylim=0)
ax.grid(True)

# %% [markdown]
# The first cost is near $\log 2 = 0.69$: that of guessing. Most is learned in the first 200 steps.

# %%
ann.predict(X, y)
ann.predict(X_test, y_test)

# %% [markdown]
# ## What the hidden units look for
#
# The weights into a hidden unit are an image: red where ink raises the unit's sum, blue where it
# lowers it. Here are the ten units to which the output listens most, with its weight for them. The
# grain is from the start weights, and stays where there never is any ink: such a weight has an
# input of 0, and so a slope of 0.

# %%
W1, W2 = ann.parameters["W1"], ann.parameters["W2"]
loudest = np.argsort(-np.abs(W2[0]))[:10]
draw(W1[loudest], [f"{weight:+.2f}" for weight in W2[0, loudest]], limit=0.12)

# %% [markdown]
# ## Mistakes
#
# The ten test images of which the network is most sure, and wrong. Above each is the probability
# that it gives to an 8.

# %%
A, _ = ann.forward(X_test)
probability = A[0]
wrong = np.flatnonzero((probability > 0.5) != (y_test == 1))
worst = wrong[np.argsort(-np.abs(probability[wrong] - 0.5))][:10]
print(len(wrong), "of", len(y_test), "are wrong")
draw(X_test[worst], [f"{p:.3f}" for p in probability[worst]])

# %% [markdown]
# ## One image, forward and back
#
# For single values a `Network` says more. It takes the trained weights as they are.

# %%
net = bpcore.Network([784, 196, 1], dtype="float64")
for layer in (1, 2):
    net.weights[layer - 1][:] = ann.parameters[f"W{layer}"]
    net.biases[layer - 1][:] = ann.parameters[f"b{layer}"][:, 0]

x, target = X_test[worst[:1]], y_test[worst[:1]]
_, hidden, output = net.activations(x)
delta_hidden, delta_output = net.deltas(x, target)
print(f"y = {target[0]:g}, a = {output[0, 0]:.4f}, cost = {net.loss(x, target):.4f}")
print(f"delta of the output, a - y = {delta_output[0, 0]:.4f}")
print(f"length of the hidden delta = {np.linalg.norm(delta_hidden):.4f}")

# %% [markdown]
# Delta goes one layer further down if it is asked to: to the pixels. The gradient of the cost along
# the image says where less ink (red) or more ink (blue) would have led to the right answer.

# %%
_, _, slope = net.backward(x, (output - target) / (output * (1 - output)))
limit = np.abs(slope).max()
draw([limit * x, slope], ["image", "dC/dx"], limit)

# %% [markdown]
# The last delta was large, for cross-entropy and sigmoid do not let a sure mistake off: see
# [the natural pairs](../course/equations.md#the-natural-pairs).
