"""
Out of Python: C, and eight bits
================================

A trained network becomes a C file, or a network of eight-bit whole numbers for a microcontroller.
How much do eight bits cost?
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import bpcore

random = np.random.RandomState(0)
X = random.uniform(-1, 1, size=(1000, 2)).astype("float32")
y = np.sin(3 * X[:, 0]) * X[:, 1]
net = bpcore.Network([2, 24, 1], hidden="tanh", output="identity", seed=1)
net.fit(X, y, epochs=300, optimizer="lbfgs")
small = net.quantize(X)

figure, ax = plt.subplots(figsize=(4.6, 4.4), layout="constrained")
ax.plot(net.forward(X), small.forward(X), ".", markersize=3)
ax.axline((0, 0), slope=1, color="black", linewidth=0.8)
ax.set(xlabel="float32", ylabel="eight bits", title=f"Answers of {small.nbytes} bytes")
plt.show()

# %%
# Both leave Python as C. The file says what it is, and the fingerprint of the network that it is.

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "surface.c"
    small.export(path)
    print(*path.read_text().splitlines()[:14], sep="\n")
