"""PyTorch, eager: with autograd, and with the gradients written by hand."""

import torch
import torch.nn.functional as F
from peers import Peer, batches

ACTIVATIONS = {
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "softmax": lambda z: torch.softmax(z, 1),
}


class Torch(Peer):
    packages = ("torch",)
    note = (
        "eager: functional layers, torch.autograd.grad, one torch._foreach_add_ as the update, "
        "rows gathered by index_select; predictions under inference_mode"
    )

    def prepare(self, job, X, Y, labels, weights, biases):
        torch.set_num_threads(self.threads)
        self.job, self.X = job, torch.from_numpy(X)
        self.Y = torch.from_numpy(labels.astype("int64") if job.output == "softmax" else Y)
        pairs = zip(weights, biases, strict=True)  # W_1, b_1, W_2, ..., each (outputs, inputs)
        self.start = [torch.tensor(array).contiguous() for pair in pairs for array in pair]

    def reset(self):
        self.params = [p.clone().requires_grad_() for p in self.start]

    def arrange(self, order):
        return torch.from_numpy(order).split(self.job.batch)

    def train(self, steps, order):
        job = self.job
        total = torch.zeros((), dtype=self.X.dtype)
        if job.batch is None:
            for _ in range(steps):
                total += self.step(self.X, self.Y)
        elif order is None:
            for rows in batches(steps, job.batch, job.rows):
                total += self.step(self.X[rows], self.Y[rows])
        else:
            for rows in order:
                total += self.step(self.X.index_select(0, rows), self.Y.index_select(0, rows))
        return [total.item() / steps]

    def step(self, X, Y):
        """One step of gradient descent; returns the loss."""
        loss = self.loss(self.logits(X), Y)
        gradients = torch.autograd.grad(loss, self.params)
        with torch.no_grad():
            torch._foreach_add_(self.params, gradients, alpha=-self.job.learning_rate)
        return loss.detach()

    def logits(self, a):
        """Z of the last layer."""
        hidden = ACTIVATIONS[self.job.hidden]
        for W, b in zip(self.params[:-2:2], self.params[1:-2:2], strict=True):
            a = hidden(F.linear(a, W, b))
        return F.linear(a, *self.params[-2:])

    def loss(self, z, Y):
        if self.job.loss == "bce":
            return F.binary_cross_entropy_with_logits(z, Y)
        if self.job.loss == "cross_entropy":
            return F.cross_entropy(z, Y)
        return F.mse_loss(torch.sigmoid(z), Y, reduction="sum") * (0.5 / len(Y))

    def parameters(self):
        arrays = [p.detach().numpy() for p in self.params]
        return arrays[::2], arrays[1::2]

    def predict(self):
        with torch.inference_mode():
            return ACTIVATIONS[self.job.output](self.logits(self.X))


class TorchByHand(Torch):
    note = (
        "eager, backpropagation written out in no_grad: addmm forward, in-place activations, and "
        "addmm_ from delta straight into the weights"
    )

    def supports(self, job):
        return job.trains

    def reset(self):
        self.params = [p.clone() for p in self.start]

    @torch.no_grad()
    def train(self, steps, order):
        return super().train(steps, order)

    def step(self, X, Y):
        A = self.forward(X)
        loss, delta = self.loss_and_delta(A[-1], Y)
        rate = -self.job.learning_rate / len(X)
        for layer in reversed(range(len(A))):
            W, b = self.params[2 * layer : 2 * layer + 2]
            below = A[layer - 1] if layer else X
            d = torch.mm(delta, W) if layer else None
            W.addmm_(delta.t(), below, alpha=rate)
            b.add_(delta.sum(0), alpha=rate)
            if layer and self.job.hidden == "relu":
                delta = torch.ops.aten.threshold_backward(d, below, 0)
            elif layer:
                delta = torch.ops.aten.sigmoid_backward(d, below)
        return loss

    def forward(self, a):
        """Activations of the hidden layers and Z of the last."""
        A, last = [], len(self.params) // 2 - 1
        for layer in range(last + 1):
            a = torch.addmm(self.params[2 * layer + 1], a, self.params[2 * layer].t())
            if layer < last:
                a = a.relu_() if self.job.hidden == "relu" else a.sigmoid_()
            A.append(a)
        return A

    def loss_and_delta(self, z, Y):
        """The mean loss, and delta = dC/dz of each row's own loss."""
        loss = self.loss(z, Y)
        if self.job.loss == "bce":
            return loss, z.sigmoid_().sub_(Y)
        if self.job.loss == "cross_entropy":
            delta = torch.softmax(z, 1)
            delta.scatter_add_(1, Y[:, None], delta.new_full((len(Y), 1), -1.0))
            return loss, delta
        a = z.sigmoid_()
        return loss, torch.ops.aten.sigmoid_backward(a - Y, a)
