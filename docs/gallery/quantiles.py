"""
Regression that says how sure it is
===================================

The quantile loss asks for the value that a share of the answers lies below. Three networks, for 10,
50 and 90 %, draw a band that is wide where the data is noisy.
"""

import matplotlib.pyplot as plt
import numpy as np

import bpcore

random = np.random.RandomState(0)
x = np.sort(random.uniform(0, 6, size=600))
y = np.sin(x) + random.normal(scale=0.05 + 0.08 * x)
X = x[:, np.newaxis]

shares = (0.1, 0.5, 0.9)
answers = {}
for share in shares:
    settings = {"hidden": "tanh", "output": "identity", "standardize": True, "seed": 1}
    net = bpcore.Network([1, 20, 1], loss=("quantile", share), **settings)
    net.fit(X, y, epochs=1000, batch_size=50, optimizer="adam", learning_rate=0.005)
    answers[share] = net.predict(X)

inside = np.mean((y > answers[0.1]) & (y < answers[0.9]))
print(f"{inside:.0%} of the rows lie between the 10 % and the 90 % network")

# %%

figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
ax.plot(x, y, ".", markersize=3, color="grey", label="data")
ax.fill_between(x, answers[0.1], answers[0.9], alpha=0.3, label="10 to 90 %")
ax.plot(x, answers[0.5], label="median")
ax.set(xlabel="x", ylabel="y", title="A band that knows where the noise is")
ax.legend()
plt.show()
