"""The tutorials' own arithmetic: NumPy as it is taught, without a thought of speed."""

import numpy as np
from peers import Peer, batches

from bpcore import reference


class Tutorial(Peer):
    note = (
        "full batches as bpcore.reference writes them, a new array for every operation; "
        "B: one sample at a time in float64, as Nielsen's network.py does, without a loss"
    )

    def supports(self, job):
        return job.key in ("A", "A64", "B", "C")

    def prepare(self, job, X, Y, labels, weights, biases):
        self.job, self.X, self.Y = job, X, Y
        self.activations = [job.hidden] * (len(weights) - 1) + [job.output]
        if job.batch:  # Columns of float64, the form in which that tutorial keeps its samples.
            self.samples = [(x[:, None], y[:, None]) for x, y in zip(X, Y, strict=True)]
            weights = [W.astype(np.float64) for W in weights]
            biases = [b.astype(np.float64)[:, None] for b in biases]
        self.start = weights, biases

    def reset(self):
        self.weights = [W.copy() for W in self.start[0]]
        self.biases = [b.copy() for b in self.start[1]]

    def train(self, steps, order):
        if self.job.batch is None:
            return [self.descend() for _ in range(steps)]
        samples = self.samples if order is None else [self.samples[i] for i in order]
        for rows in batches(steps, self.job.batch, len(samples)):
            self.update(samples[rows])

    def descend(self):
        job = self.job
        settings = self.activations, job.loss, job.learning_rate
        return reference.descend(self.X, self.Y, self.weights, self.biases, *settings)

    def update(self, samples):
        """One step of Nielsen's: the gradients of the samples, one by one, then their sum."""
        sum_W = [np.zeros(W.shape) for W in self.weights]
        sum_b = [np.zeros(b.shape) for b in self.biases]
        for x, y in samples:
            dW, db = self.backward(x, y)
            sum_W = [total + part for total, part in zip(sum_W, dW, strict=True)]
            sum_b = [total + part for total, part in zip(sum_b, db, strict=True)]
        rate = self.job.learning_rate / len(samples)
        self.weights = [W - rate * d for W, d in zip(self.weights, sum_W, strict=True)]
        self.biases = [b - rate * d for b, d in zip(self.biases, sum_b, strict=True)]

    def backward(self, x, y):
        """The gradients of one sample's cost; a layer's activations are a column."""
        columns = [x]
        for W, b in zip(self.weights, self.biases, strict=True):
            columns.append(reference.sigmoid(np.dot(W, columns[-1]) + b))
        delta = (columns[-1] - y) * columns[-1] * (1 - columns[-1])
        dW, db = [], []
        for layer in reversed(range(len(self.weights))):
            dW.insert(0, np.dot(delta, columns[layer].T))
            db.insert(0, delta)
            if layer > 0:
                a = columns[layer]
                delta = np.dot(self.weights[layer].T, delta) * a * (1 - a)
        return dW, db

    def parameters(self):
        return self.weights, [b.ravel() for b in self.biases]
