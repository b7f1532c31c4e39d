"""JAX: jit-compiled steps with donated parameters; an epoch of mini-batches is one lax.scan."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from peers import Peer

HIDDEN = {"sigmoid": jax.nn.sigmoid, "relu": jax.nn.relu}
OUTPUT = {"sigmoid": jax.nn.sigmoid, "softmax": jax.nn.softmax}


class Jax(Peer):
    packages = ("jax", "jaxlib")
    note = (
        "jit with donated parameters, compiled before the clock starts; all iterations of a "
        "sample, or an epoch's shuffled batches, are one lax.scan"
    )

    def prepare(self, job, X, Y, labels, weights, biases):
        jax.config.update("jax_enable_x64", job.dtype == "float64")
        self.job, self.X, self.Y = job, jnp.asarray(X), jnp.asarray(Y)
        # XLA's products with few outputs are up to eight times as fast with W (outputs, inputs);
        # a single row is predicted three times as fast with W (inputs, outputs).
        self.start = [
            (np.array(W if job.trains else W.T, order="C"), b.copy())
            for W, b in zip(weights, biases, strict=True)
        ]
        self.iterate = jax.jit(partial(iterate, job), static_argnums=3, donate_argnums=0)
        self.epoch = jax.jit(partial(one_pass, job), donate_argnums=0)
        self.answer = jax.jit(partial(predict, job))
        if job.trains:
            self.reset()
            self.train(job.steps, self.arrange(np.arange(job.rows)))

    def reset(self):
        self.params = [(jnp.array(W), jnp.array(b)) for W, b in self.start]
        jax.block_until_ready(self.params)

    def arrange(self, order):
        return jax.block_until_ready(jnp.asarray(order, dtype=jnp.int32))

    def train(self, steps, order):
        rows = self.job.batch and min(steps * self.job.batch, self.job.rows)
        if rows is None:
            self.params, losses = self.iterate(self.params, self.X, self.Y, steps)
        else:
            order = jnp.arange(rows, dtype=jnp.int32) if order is None else order
            self.params, losses = self.epoch(self.params, self.X, self.Y, order)
        jax.block_until_ready(self.params)
        return losses

    def parameters(self):
        return [np.asarray(W) for W, _ in self.params], [np.asarray(b) for _, b in self.params]

    def predict(self):
        return self.answer(self.params, self.X).block_until_ready()


def logits(job, params, a):
    """Z of the last layer, for weights (outputs, inputs)."""
    for W, b in params[:-1]:
        a = HIDDEN[job.hidden](a @ W.T + b)
    W, b = params[-1]
    return a @ W.T + b


def predict(job, params, X):
    """The outputs, for weights (inputs, outputs)."""
    return OUTPUT[job.output](logits(job, [(W.T, b) for W, b in params], X))


def mean_loss(job, params, X, Y):
    z = logits(job, params, X)
    if job.loss == "bce":
        return jnp.mean(jnp.maximum(z, 0) - z * Y + jnp.log1p(jnp.exp(-jnp.abs(z))))
    if job.loss == "cross_entropy":
        return -jnp.sum(Y * jax.nn.log_softmax(z)) / len(X)
    return 0.5 * jnp.sum((jax.nn.sigmoid(z) - Y) ** 2) / len(X)


def descend(job, params, X, Y):
    """One step of gradient descent, and the loss from before it."""
    loss, gradients = jax.value_and_grad(partial(mean_loss, job))(params, X, Y)
    return jax.tree.map(lambda p, g: p - job.learning_rate * g, params, gradients), loss


def iterate(job, params, X, Y, steps):
    """``steps`` steps with the full batch."""
    return jax.lax.scan(lambda params, _: descend(job, params, X, Y), params, length=steps)


def one_pass(job, params, X, Y, order):
    """One step for each mini-batch of ``order``; its last one may have fewer rows."""
    whole = len(order) // job.batch

    def step(params, rows):
        return descend(job, params, X[rows], Y[rows])

    blocks = order[: whole * job.batch].reshape(whole, job.batch)
    params, losses = jax.lax.scan(step, params, blocks)
    if len(order) % job.batch:
        params, _ = step(params, order[whole * job.batch :])
    return params, losses
