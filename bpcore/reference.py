"""Backpropagation as bpcore computes it, in NumPy: read this first.

Every function here has a twin in C that computes the same numbers; the tests compare the two.
Nothing is optimised. Notation, as in the tutorials: layer ``l`` has weights ``W[l]`` of shape
(outputs, inputs) and biases ``b[l]`` of shape (outputs,). Samples are rows, so a layer computes

    Z = A_previous W' + b,    A = g(Z)

and backpropagation carries ``delta = dJ/dZ`` from the last layer to the first. ``J`` is the mean,
over the samples, of each sample's cost ``C``.
"""

import numpy as np

# ---- Activations and their derivatives, taken from the output a = g(z) ---------------------------


def sigmoid(z):
    """1 / (1 + exp(-z))."""
    with np.errstate(over="ignore"):  # exp(-z) may be infinite: then 1 / infinity is 0
        return 1 / (1 + np.exp(-z))


def softmax(z):
    """exp(z_j) / sum_k exp(z_k) in each row, without an exp that is infinite."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


ACTIVATIONS = {
    "identity": lambda z: z,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "softmax": softmax,
}

# dJ/dZ from dJ/dA and A. The softmax mixes the outputs of a sample, the others do not.
BACKWARD = {
    "identity": lambda d, a: d,
    "sigmoid": lambda d, a: d * a * (1 - a),
    "tanh": lambda d, a: d * (1 - a**2),
    "relu": lambda d, a: d * (a > 0),
    "softmax": lambda d, a: a * (d - (a * d).sum(axis=1, keepdims=True)),
}

# ---- Costs of each sample, and delta = dC/dz of the last layer -----------------------------------


def bce(z, y):
    """-y log a - (1-y) log(1-a) for a = sigmoid(z), without ever taking log 0."""
    cost = np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))
    return cost.sum(axis=1), sigmoid(z) - y


def cross_entropy(z, y):
    """-sum_j y_j log a_j for a = softmax(z)."""
    shifted = z - z.max(axis=1, keepdims=True)
    log_a = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -(y * log_a).sum(axis=1), softmax(z) * y.sum(axis=1, keepdims=True) - y


def mse(z, y, output):
    """1/2 |a - y|^2 for a = g(z): delta = (a - y) g'(z)."""
    a = ACTIVATIONS[output](z)
    return 0.5 * ((a - y) ** 2).sum(axis=1), BACKWARD[output](a - y, a)


def cost_and_delta(z, y, loss, output):
    """(costs (n,), delta (n, outputs)) of a loss by name; output names the last activation."""
    if loss == "bce":
        return bce(z, y)
    if loss == "cross_entropy":
        return cross_entropy(z, y)
    return mse(z, y, output)


# ---- Forward, backward, descent ------------------------------------------------------------------


def forward(X, weights, biases, activations):
    """Activations of all layers, X first, and Z of the last layer."""
    A = [X]
    for W, b, g in zip(weights, biases, activations, strict=True):
        Z = A[-1] @ W.T + b
        A.append(ACTIVATIONS[g](Z))
    return A, Z


def gradients(X, Y, weights, biases, activations, loss):
    """J and its gradients ([dW_1, ...], [db_1, ...]): the backward recursion."""
    A, Z = forward(X, weights, biases, activations)
    cost, delta = cost_and_delta(Z, Y, loss, activations[-1])
    n = len(X)
    dW, db = [], []
    for layer in reversed(range(len(weights))):
        dW.insert(0, delta.T @ A[layer] / n)
        db.insert(0, delta.sum(axis=0) / n)
        if layer > 0:
            delta = BACKWARD[activations[layer - 1]](delta @ weights[layer], A[layer])
    return cost.mean(), dW, db


def descend(X, Y, weights, biases, activations, loss, learning_rate):
    """One step: W := W - learning_rate dJ/dW, in place. Returns J from before the step."""
    J, dW, db = gradients(X, Y, weights, biases, activations, loss)
    for W, b, gradient_W, gradient_b in zip(weights, biases, dW, db, strict=True):
        W -= learning_rate * gradient_W
        b -= learning_rate * gradient_b
    return J


def numerical_gradient(f, x, epsilon=1e-5):
    """Central differences of f() with respect to the array x, which f reads."""
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        kept = x[i]
        x[i] = kept + epsilon
        above = f()
        x[i] = kept - epsilon
        below = f()
        x[i] = kept
        gradient[i] = (above - below) / (2 * epsilon)
    return gradient
