"""
What hidden units look for
==========================

A hidden unit of the first layer has a weight for each pixel, so its weights are an image. After
training on MNIST's fives and eights they show strokes: ink on red turns the unit on, ink on blue
turns it off.
"""

import matplotlib.pyplot as plt
import numpy as np

import bpcore

(X, y), (X_test, y_test) = bpcore.datasets.load_mnist58()
net = bpcore.Network([784, 20, 1], seed=1)
net.fit(X, y, epochs=20, batch_size=20, learning_rate=0.5, l2=1e-3)
print(f"{net.evaluate(X_test, y_test)['accuracy']:.2%} of the test digits are right")

# %%
# The nine units that the output listens to most, from the one that says "five" the loudest to the
# one that says "eight" the loudest.

weight = net.weights[1][0]
loudest = np.argsort(-np.abs(weight))[:9]
figure, ax = plt.subplots(figsize=(5.4, 4.8), layout="constrained")
bpcore.plotting.weights(net, ax=ax, units=loudest[np.argsort(weight[loudest])])
plt.show()
