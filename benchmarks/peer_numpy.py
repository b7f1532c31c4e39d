"""NumPy written well: the strongest competitor that NumPy alone can be."""

import numpy as np
from peers import Peer, batches

# Rows of a full batch that are taken at once: 1024 x 196 floats, 0.8 MB, stay in a second-level
# cache of 1 MiB from one operation to the next, and a BLAS can still share the products out.
BLOCK = 1024


class Numpy(Peer):
    note = (
        "every operation writes into a buffer made before (out=), the batch's rate is folded into "
        "delta, weights are stored in the order that OpenBLAS likes best, full batches are taken "
        f"{BLOCK} rows at a time"
    )

    def prepare(self, job, X, Y, labels, weights, biases):
        self.job, self.X, self.Y = job, X, Y
        self.start = [in_order(W.T) for W in weights], biases
        rows = min(job.batch or BLOCK, job.rows) if job.trains else job.rows
        self.buffers = {}
        for size in {rows, job.rows % rows or rows}:
            self.buffers[size] = Buffers(size, job.sizes, X.dtype)
        self.dW = [np.zeros_like(W) for W in self.start[0]]
        self.db = [np.zeros_like(b) for b in self.start[1]]
        self.part = [np.empty_like(W) for W in self.start[0]]

    def reset(self):
        self.weights = [W.copy(order="K") for W in self.start[0]]
        self.biases = [b.copy() for b in self.start[1]]

    def parameters(self):
        return [W.T for W in self.weights], self.biases

    # ---- Training --------------------------------------------------------------------------------

    def train(self, steps, order):
        job = self.job
        if job.batch is None:
            return [self.full_step() for _ in range(steps)]
        loss = 0.0
        for rows in batches(steps, job.batch, job.rows):
            buffers = self.buffers[rows.stop - rows.start]
            if order is None:
                X, Y = self.X[rows], self.Y[rows]
            else:  # mode="clip" lets take() write into out= without a buffer of its own.
                X = self.X.take(order[rows], 0, out=buffers.X, mode="clip")
                Y = self.Y.take(order[rows], 0, out=buffers.Y, mode="clip")
            rate = job.learning_rate / len(X)
            loss += self.backpropagate(X, Y, rate, buffers, self.dW) / len(X)
            for W, b, dW, db in zip(self.weights, self.biases, self.dW, self.db, strict=True):
                W -= dW
                b -= db
        return [loss / steps]

    def full_step(self):
        rows, loss = self.job.rows, 0.0
        rate = self.job.learning_rate / rows
        change_b = [np.zeros_like(b) for b in self.biases]
        for i, block in enumerate(batches(-(-rows // BLOCK), BLOCK, rows)):
            buffers = self.buffers[block.stop - block.start]
            dW = self.part if i else self.dW
            loss += self.backpropagate(self.X[block], self.Y[block], rate, buffers, dW)
            for layer, db in enumerate(self.db):
                change_b[layer] += db
                if i:
                    self.dW[layer] += self.part[layer]
        for W, b, dW, db in zip(self.weights, self.biases, self.dW, change_b, strict=True):
            W -= dW
            b -= db
        return loss / rows

    def backpropagate(self, X, Y, rate, buffers, dW):
        """The sum of the rows' losses; ``dW`` and ``self.db`` become rate times their gradients."""
        A = self.forward(X, buffers)
        delta = A[-1]
        loss = self.loss_to_delta(Y, buffers)
        delta *= rate
        for layer in reversed(range(len(A))):
            below = A[layer - 1] if layer else X
            multiply(below.T, delta, dW[layer])
            delta.sum(axis=0, out=self.db[layer])
            if layer > 0:
                d = buffers.d[layer - 1]
                multiply(delta, self.weights[layer].T, d)
                if self.job.hidden == "relu":
                    d *= np.greater(below, 0, out=buffers.mask[layer - 1])
                else:  # a (1 - a), in the place of a, which is not needed any more.
                    np.subtract(below, np.square(below, out=buffers.work[layer - 1]), out=below)
                    d *= below
                delta = d
        return loss

    def loss_to_delta(self, Y, buffers):
        """Turn the outputs into delta = dC/dz, in their place; returns the loss."""
        A, work, kind = buffers.A[-1], buffers.work[-1], self.job.loss
        if kind == "mse":
            slope = np.subtract(A, np.square(A, out=work), out=work)  # a (1 - a)
            A -= Y
            loss = 0.5 * np.vdot(A, A)
            A *= slope
        elif kind == "cross_entropy":
            loss = -np.log(np.multiply(A, Y, out=work).sum(axis=1)).sum()
            A -= Y
        else:  # Of a and 1 - a, the one that belongs to the label: |a - (1 - y)|.
            np.abs(np.subtract(np.add(A, Y, out=work), 1, out=work), out=work)
            loss = -np.log(work, out=work).sum()
            A -= Y
        return float(loss)

    # ---- Forward ---------------------------------------------------------------------------------

    def predict(self):
        return self.forward(self.X, self.buffers[self.job.rows])[-1]

    def forward(self, X, buffers):
        """The activations of all layers."""
        last = len(self.weights) - 1
        for layer, (W, b, Z) in enumerate(zip(self.weights, self.biases, buffers.A, strict=True)):
            np.matmul(X, W, out=Z)
            Z += b
            kind = self.job.output if layer == last else self.job.hidden
            if kind == "relu":
                np.maximum(Z, 0, out=Z)
            elif kind == "softmax":
                Z -= Z.max(axis=1, keepdims=True)
                np.exp(Z, out=Z)
                Z /= Z.sum(axis=1, keepdims=True)
            else:  # 1/2 + 1/2 tanh(z/2): NumPy's tanh takes less time than 1 / (1 + exp(-z)).
                Z *= 0.5
                np.tanh(Z, out=Z)
                Z *= 0.5
                Z += 0.5
            X = Z
        return buffers.A


class Buffers:
    """Arrays for ``rows`` rows of each layer."""

    def __init__(self, rows, sizes, dtype):
        self.X = np.empty((rows, sizes[0]), dtype)
        self.Y = np.empty((rows, sizes[-1]), dtype)
        self.A, self.d, self.work = (
            [np.empty((rows, size), dtype) for size in sizes[1:]] for _ in range(3)
        )
        self.mask = [np.empty((rows, size), bool) for size in sizes[1:]]


def in_order(W):
    """W (inputs, outputs) in the memory order in which OpenBLAS multiplies fastest.

    With few outputs a third faster by columns, with hundreds a little faster by rows.
    """
    return np.array(W, order="F" if W.shape[1] < 256 else "C")


def multiply(A, B, out):
    """A B. Where every sum has one term, a broadcast product beats the BLAS."""
    if A.shape[1] == 1:
        np.multiply(A, B, out=out)
    else:
        np.matmul(A, B, out=out)
