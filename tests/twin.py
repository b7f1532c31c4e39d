"""The whole of training in NumPy and float64, written from the papers' formulas.

It calls nothing of the code that it judges. A rule is a dict: the fields of bp_rule by name.
"""

import math
from types import SimpleNamespace

import numpy as np

# ---- Activations, losses -------------------------------------------------------------------------

erfc = np.vectorize(math.erfc, otypes=[float])
S, A = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def normal(z):
    return erfc(-z / math.sqrt(2)) / 2


def density(z):
    return np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


# g(z) and g'(z).
ACTIVATIONS = {
    "identity": (lambda z: z, lambda z: np.ones_like(z)),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "relu": (lambda z: np.where(z > 0, z, 0), lambda z: np.where(z > 0, 1.0, 0)),
    "leaky_relu": (lambda z: np.where(z > 0, z, 0.01 * z), lambda z: np.where(z > 0, 1, 0.01)),
    "elu": (lambda z: np.where(z > 0, z, np.expm1(z)), lambda z: np.where(z > 0, 1, np.exp(z))),
    "selu": (
        lambda z: np.where(z > 0, S * z, S * A * np.expm1(z)),
        lambda z: np.where(z > 0, S, S * A * np.exp(z)),
    ),
    "softplus": (lambda z: np.log1p(np.exp(z)), sigmoid),
    "silu": (lambda z: z * sigmoid(z), lambda z: sigmoid(z) * (1 + z * sigmoid(-z))),
    "gelu": (lambda z: z * normal(z), lambda z: normal(z) + z * density(z)),
    "exp": (np.exp, np.exp),
}


def activation(name, z):
    if name != "softmax":
        return ACTIVATIONS[name][0](z)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def cost(loss, a, y, c=0):
    """C of each output."""
    e, distance = a - y, np.abs(a - y)
    if loss == "poisson":
        return e + np.where(y > 0, y * np.log(np.where(y > 0, y, 1) / a), 0)
    if loss == "bce":
        return -y * np.log(a) - (1 - y) * np.log(1 - a)
    if loss == "cross_entropy":
        return -y * np.log(a)
    if loss == "huber":
        return np.where(distance <= c, 0.5 * e**2, c * distance - 0.5 * c**2)
    if loss == "quantile":
        return np.where(a < y, c * (y - a), (1 - c) * (a - y))
    return distance if loss == "mae" else 0.5 * e**2


def cost_slope(loss, a, y, c=0):
    """dC/da of each output."""
    if loss == "poisson":
        return 1 - y / a
    if loss == "bce":
        return (a - y) / (a * (1 - a))
    if loss == "cross_entropy":
        return -y / a
    if loss == "huber":
        return np.clip(a - y, -c, c)
    if loss == "quantile":
        return np.where(a < y, -c, np.where(a > y, 1 - c, 0))
    return np.sign(a - y) if loss == "mae" else a - y


def back(name, z, d):
    """dC/dz from dC/da."""
    if name != "softmax":
        return d * ACTIVATIONS[name][1](z)
    a = activation(name, z)
    return a * (d - (a * d).sum(axis=1, keepdims=True))


# ---- Random numbers ------------------------------------------------------------------------------

MASK = 2**64 - 1


def philox(seed, stream, index):
    """64 bits of Philox4x32-10 with the key `seed` and the counter (index, stream)."""
    words = [index & 0xFFFFFFFF, index >> 32, stream & 0xFFFFFFFF, stream >> 32]
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        first, second = 0xD2511F53 * words[0], 0xCD9E8D57 * words[2]
        words = [
            (second >> 32) ^ words[1] ^ k0,
            second & 0xFFFFFFFF,
            (first >> 32) ^ words[3] ^ k1,
            first & 0xFFFFFFFF,
        ]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return words[1] << 32 | words[0]


def split_mix(key, index):
    """Output number `index` of the SplitMix64 generator that starts from `key`."""
    x = key + (index + 1) * 0x9E3779B97F4A7C15 & MASK
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def dropout_mask(share, seed, epoch, layer, first_row, rows, columns):
    """What the outputs of a hidden layer are multiplied by."""
    key = philox(seed, epoch, 2**63 + layer)
    numbers = [split_mix(key, first_row * columns + i) >> 32 for i in range(rows * columns)]
    dropped = np.reshape(numbers, (rows, columns)) < int(share * 2**32)
    return np.where(dropped, 0, 1 / (1 - share))


# ---- The gradient of a batch ---------------------------------------------------------------------


def gradient(net, parameters, X, Y, weights=None, masks=None):
    """Sums over the rows, each by its weight: of the gradient's parts and of the losses."""
    weights = np.ones(len(X)) if weights is None else weights
    A, Z = [X], []
    for i, ((W, b), name) in enumerate(zip(net.layers(parameters), net.activations, strict=True)):
        Z.append(A[-1] @ W + b)
        A.append(activation(name, Z[-1]))
        if masks and i + 1 < len(net.activations):
            A[-1] = A[-1] * masks[i]
    cost_of = net.loss, A[-1], Y, net.loss_parameter
    d, parts = cost_slope(*cost_of) * weights[:, None], []
    for i in reversed(range(len(Z))):
        delta = back(net.activations[i], Z[i], d)
        parts = [A[i].T @ delta, delta.sum(axis=0), *parts]
        d = delta @ net.layers(parameters)[i][0].T
        if masks and i:
            d = d * masks[i - 1]
    return np.concatenate([part.ravel() for part in parts]), (cost(*cost_of).T * weights).sum()


def are_weights(net):
    """1 for the weights among the parameters, 0 for the biases."""
    flags = np.zeros(net.core.parameter_count)
    for W, _ in net.layers(flags):
        W[:] = 1
    return flags


# ---- The update ----------------------------------------------------------------------------------


def step(rule, w, g, m, s, rate, t, decays):
    """New parameters, by the optimizer alone; m and s change in place."""
    kind, w = rule["optimizer"], w - rate * rule.get("weight_decay", 0) * decays * w
    mu, rho, epsilon = (rule.get(name, 0) for name in ("momentum", "decay", "epsilon"))
    if kind in ("momentum", "nesterov"):
        m[:] = mu * m - rate * g
        return w + (m if kind == "momentum" else mu * m - rate * g)
    if kind == "rmsprop":
        m[:] = rho * m + (1 - rho) * g**2
        return w - rate * g / (np.sqrt(m) + epsilon)
    if kind == "adam":
        m[:], s[:] = mu * m + (1 - mu) * g, rho * s + (1 - rho) * g**2
        if rule.get("epsilon_inside"):
            return w - rate * math.sqrt(1 - rho**t) / (1 - mu**t) * m / (np.sqrt(s) + epsilon)
        return w - rate * (m / (1 - mu**t)) / (np.sqrt(s / (1 - rho**t)) + epsilon)
    if kind == "rprop":
        agree = np.sign(g) * np.sign(m)
        s *= np.where(agree > 0, rule["grow"], np.where(agree < 0, rule["shrink"], 1))
        np.clip(s, rule["least_step"], rule["most_step"], out=s)
        m[:] = np.where(agree < 0, 0, g)
        return w - np.sign(m) * s
    return w - rate * g


def limit_columns(net, w, most):
    for W, _ in net.layers(w):
        W *= np.minimum(1, most / np.maximum(np.sqrt((W**2).sum(axis=0)), 1e-300))


def penalty_and_slope(net, rule, w):
    decays, l2, l1 = are_weights(net), rule.get("l2", 0), rule.get("l1", 0)
    value = (decays * (l2 / 2 * w**2 + l1 * np.abs(w))).sum()
    return value, decays * (l2 * w + l1 * np.sign(w))


def update(net, rule, w, total, weight, m, s, rate, t):
    """New parameters from a batch's sum of gradients, and the penalty before."""
    share = 1 / weight if rule.get("penalty_of_sum") else 1
    penalty, slope = penalty_and_slope(net, rule, w)
    g = total / weight + share * slope
    if rule.get("clip_norm"):
        g = g * min(1, rule["clip_norm"] / max(np.sqrt((g**2).sum()), 1e-300))
    w = step(rule, w, g, m, s, rate, t, are_weights(net))
    if rule.get("max_norm"):
        limit_columns(net, w, rule["max_norm"])
    return w, share * penalty


def train(net, X, Y, batch_rows, rule, *, rate=0.02, epochs=1, weights=None, order=None, **more):
    """Parameters, moments, and the epochs' losses and penalties."""
    settings = dict(seed=0, first_epoch=0, warmup_steps=0, rows_count=False, first_moments=(0, 0))
    how = SimpleNamespace(**(settings | more))
    w, order = net.parameters.astype(np.float64), range(len(X)) if order is None else order
    moments = np.zeros((2, len(w))) + np.reshape(how.first_moments, (2, 1))
    losses, penalties, t = [], [], 0
    for epoch in range(how.first_epoch, how.first_epoch + epochs):
        counts, epoch_losses, epoch_penalties = [], [], []
        for i in range(0, len(X), batch_rows):
            rows = np.array(order[i : i + batch_rows])
            given = np.ones(len(rows)) if weights is None else weights[rows]
            if given.sum() == 0:
                continue
            masks = net.dropout and [
                dropout_mask(share, how.seed, epoch, layer, i, len(rows), net.sizes[layer + 1])
                for layer, share in enumerate(net.dropout)
            ]
            total, loss = gradient(net, w, X[rows], Y[rows], given, masks)
            t += 1
            now = rate * min(1, t / how.warmup_steps) if how.warmup_steps else rate
            w, penalty = update(net, rule, w, total, given.sum(), *moments, now, t)
            epoch_losses.append(loss / given.sum())
            epoch_penalties.append(penalty)
            counts.append(len(rows) if how.rows_count else 1)
        losses.append(np.average(epoch_losses, weights=counts) if counts else 0)
        penalties.append(np.average(epoch_penalties, weights=counts) if counts else 0)
    return w, moments, losses, penalties
