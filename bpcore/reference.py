"""Backpropagation as bpcore computes it, in NumPy: read this first.

Every activation, loss and optimiser of the C core stands here, forward and backward side by side,
without a thought of speed; the tests compare the two. Notation, as in the tutorials: layer ``l``
has weights ``W[l]`` of shape (outputs, inputs) and biases ``b[l]`` of shape (outputs,). Samples are
rows, so a layer computes::

    Z = A_previous W' + b,    A = g(Z)

and backpropagation carries ``delta = dJ/dZ`` from the last layer to the first. ``J`` is the mean,
over the samples, of each sample's cost ``C``. Unknown names raise ValueError.
``python -m bpcore.reference`` prints an example step by step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = Sequence[Array]  # One for each layer.
State = dict[str, Any]


def _entry(table, name):
    """The entry of a table below."""
    if name not in table:
        raise ValueError(f"{name!r} is none of {', '.join(table)}")
    return table[name]


# ---- Activations: a = g(z), and from d = dC/da back to dC/dz -------------------------------------


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z))."""
    with np.errstate(over="ignore"):  # exp(-z) may be infinite: then 1 / infinity is 0
        return 1 / (1 + np.exp(-z))


def softmax(z: Array) -> Array:
    """exp(z_j) / sum_k exp(z_k) in each row, without an exp that is infinite."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_backward(d: Array, z: Array, a: Array) -> Array:
    """The outputs of a sample depend on all its z: da_j / dz_k = a_j ([j = k] - a_k)."""
    return a * (d - (a * d).sum(axis=1, keepdims=True))


def normal(z: Array) -> Array:
    """Phi(z): how much of the standard normal distribution lies below z."""
    return np.vectorize(math.erfc, otypes=[float])(-z / math.sqrt(2)) / 2


def normal_density(z: Array) -> Array:
    """Phi'(z)."""
    return np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)


def silu_backward(d: Array, z: Array, a: Array) -> Array:
    """z sigmoid(z) takes most of its values twice, so that a does not tell the derivative."""
    return d * sigmoid(z) * (1 + z * (1 - sigmoid(z)))


# Klambauer et al. 2017: with these, mean 0 and variance 1 pass through the layers.
SELU, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772

#: ``name: (g(z), dC/dz from d = dC/da, z and a)``. Where a tells g'(z), it is taken from there.
ACTIVATIONS: dict[str, tuple[Callable[..., Array], Callable[..., Array]]] = {
    "identity": (lambda z: z, lambda d, z, a: d),
    "sigmoid": (sigmoid, lambda d, z, a: d * a * (1 - a)),
    "tanh": (np.tanh, lambda d, z, a: d * (1 - a**2)),
    "relu": (lambda z: np.maximum(z, 0), lambda d, z, a: d * (a > 0)),
    "leaky_relu": (
        lambda z: np.where(z > 0, z, 0.01 * z),
        lambda d, z, a: d * np.where(a > 0, 1, 0.01),
    ),
    "elu": (
        lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
        lambda d, z, a: d * np.where(a > 0, 1, a + 1),
    ),
    "selu": (
        lambda z: SELU * np.where(z > 0, z, SELU_ALPHA * np.expm1(np.minimum(z, 0))),
        lambda d, z, a: d * np.where(a > 0, SELU, a + SELU * SELU_ALPHA),
    ),
    "softplus": (lambda z: np.logaddexp(0, z), lambda d, z, a: d * -np.expm1(-a)),
    "silu": (lambda z: z * sigmoid(z), silu_backward),
    "gelu": (
        lambda z: z * normal(z),
        lambda d, z, a: d * (normal(z) + z * normal_density(z)),
    ),
    "exp": (np.exp, lambda d, z, a: d * a),
    "softmax": (softmax, softmax_backward),
}

# ---- Losses: the cost C of each output, and its derivative ---------------------------------------


def bce(z: Array, y: Array) -> Array:
    """-y log a - (1-y) log(1-a) for a = sigmoid(z), without ever taking log 0."""
    return np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))


def cross_entropy(z: Array, y: Array) -> Array:
    """-y log a for a = softmax(z), likewise."""
    shifted = z - z.max(axis=1, keepdims=True)
    return -y * (shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def poisson(z: Array, y: Array) -> Array:
    """a - y + y log(y / a) for a rate a = exp(z) and a count y, which may be 0."""
    return np.exp(z) - y + y * (np.log(np.where(y > 0, y, 1)) - z)


def huber(a: Array, y: Array, c: float = 1.0) -> Array:
    """1/2 e^2 for an error ``e = |a - y|`` up to c, and from there on its tangent."""
    e = np.abs(a - y)
    return np.where(e <= c, e**2 / 2, c * e - c**2 / 2)


def quantile(a: Array, y: Array, q: float) -> Array:
    """q (y - a) where a is too small, (1 - q) (a - y) where it is too large."""
    return np.where(a < y, q * (y - a), (1 - q) * (a - y))


#: These losses go with one output each; C is taken from z, and delta is short.
OUTPUTS: dict[str, str] = {"bce": "sigmoid", "cross_entropy": "softmax", "poisson": "exp"}

#: ``name: (C, dC/dz)`` of z and y for those three, ``(C, dC/da)`` of a and y for other losses.
LOSSES: dict[str, tuple[Callable[..., Array], Callable[..., Array]]] = {
    "bce": (bce, lambda z, y: sigmoid(z) - y),
    "cross_entropy": (
        cross_entropy,
        lambda z, y: softmax(z) * y.sum(axis=1, keepdims=True) - y,
    ),
    "poisson": (poisson, lambda z, y: np.exp(z) - y),
    "mse": (lambda a, y: 0.5 * (a - y) ** 2, lambda a, y: a - y),
    "mae": (lambda a, y: np.abs(a - y), lambda a, y: np.sign(a - y)),
    "huber": (huber, lambda a, y, c=1.0: np.clip(a - y, -c, c)),
    "quantile": (quantile, lambda a, y, q: np.where(a < y, -q, (1 - q) * (a > y))),
}


def cost_and_delta(
    z: Array, y: Array, loss: str | tuple[str, float], output: str
) -> tuple[Array, Array]:
    """(C (n,), delta = dC/dz (n, outputs)) of a loss, a name or ("huber", c), and its output."""
    name, *parameter = (loss,) if isinstance(loss, str) else loss
    cost, derivative = _entry(LOSSES, name)
    g, backward = _entry(ACTIVATIONS, output)
    if OUTPUTS.get(name, output) != output:
        raise ValueError(f"loss {name!r} needs output {OUTPUTS[name]!r}, not {output!r}")
    if name in OUTPUTS:
        return cost(z, y).sum(axis=1), derivative(z, y)
    a = g(z)
    return cost(a, y, *parameter).sum(axis=1), backward(derivative(a, y, *parameter), z, a)


# ---- Forward and backward ------------------------------------------------------------------------


def dropped(a: Array, layer: int, masks: Arrays | None) -> Array:
    """Outputs of a layer as the next one sees them: 0 or 1 / (1 - share) times as large."""
    return a if masks is None or layer == 0 else a * masks[layer - 1]


def forward(
    X: Array,
    weights: Arrays,
    biases: Arrays,
    activations: Sequence[str],
    masks: Arrays | None = None,
) -> tuple[list[Array], list[Array]]:
    """(A, Z) of all layers, X the first of A. masks (n, outputs) of hidden layers: dropout."""
    A, Z = [X], []
    for layer, (W, b, name) in enumerate(zip(weights, biases, activations, strict=True)):
        g, _ = _entry(ACTIVATIONS, name)
        Z.append(dropped(A[layer], layer, masks) @ W.T + b)
        A.append(g(Z[layer]))
    return A, Z


def gradients(
    X: Array,
    Y: Array,
    weights: Arrays,
    biases: Arrays,
    activations: Sequence[str],
    loss: str | tuple[str, float],
    sample_weight: Array | None = None,
    masks: Arrays | None = None,
) -> tuple[float, list[Array], list[Array]]:
    """J and its gradients ([dW_1, ...], [db_1, ...]): the backward recursion."""
    A, Z = forward(X, weights, biases, activations, masks)
    cost, delta = cost_and_delta(Z[-1], Y, loss, activations[-1])
    n = len(X)
    if sample_weight is not None:  # A sample that weighs 2 stands there twice.
        n = sample_weight.sum()
        cost, delta = cost * sample_weight, delta * sample_weight[:, None]
    dW, db = [], []
    for layer in reversed(range(len(weights))):
        dW.insert(0, delta.T @ dropped(A[layer], layer, masks) / n)
        db.insert(0, delta.sum(axis=0) / n)
        if layer > 0:
            _, backward = ACTIVATIONS[activations[layer - 1]]
            d = dropped(delta @ weights[layer], layer, masks)
            delta = backward(d, Z[layer - 1], A[layer])
    return cost.sum() / n, dW, db


def descend(
    X: Array,
    Y: Array,
    weights: Arrays,
    biases: Arrays,
    activations: Sequence[str],
    loss: str | tuple[str, float],
    learning_rate: float,
) -> float:
    """One step: W := W - learning_rate dJ/dW, in place. Returns J from before the step."""
    J, dW, db = gradients(X, Y, weights, biases, activations, loss)
    for W, b, gradient_W, gradient_b in zip(weights, biases, dW, db, strict=True):
        W -= learning_rate * gradient_W
        b -= learning_rate * gradient_b
    return J


# ---- Optimisers: w changes in place by its gradient g; state, at first {}, is what they remember -


def sgd(w: Array, g: Array, state: State, rate: float) -> None:
    """Gradient descent."""
    w -= rate * g


def momentum(w: Array, g: Array, state: State, rate: float, momentum: float = 0.9) -> None:
    """A velocity v, which forgets slowly (Polyak 1964)."""
    state["v"] = momentum * state.get("v", 0) - rate * g
    w += state["v"]


def nesterov(w: Array, g: Array, state: State, rate: float, momentum: float = 0.9) -> None:
    """Momentum with a look ahead along v (Sutskever et al. 2013)."""
    state["v"] = momentum * state.get("v", 0) - rate * g
    w += momentum * state["v"] - rate * g


def rmsprop(
    w: Array, g: Array, state: State, rate: float, decay: float = 0.99, epsilon: float = 1e-8
) -> None:
    """Each gradient over its usual size (Hinton 2012)."""
    state["s"] = decay * state.get("s", 0) + (1 - decay) * g**2
    w -= rate * g / (np.sqrt(state["s"]) + epsilon)


def adam(
    w: Array,
    g: Array,
    state: State,
    rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    epsilon_inside: bool = False,
) -> None:
    """Means of g and g^2, corrected for their start at 0 (Kingma and Ba 2014).

    epsilon_inside is the paper's second form, which scikit-learn and Keras compute. AdamW is this
    with the weight_decay of ``update``.
    """
    t = state["t"] = state.get("t", 0) + 1
    m = state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
    s = state["s"] = beta2 * state.get("s", 0) + (1 - beta2) * g**2
    if epsilon_inside:
        w -= rate * math.sqrt(1 - beta2**t) / (1 - beta1**t) * m / (np.sqrt(s) + epsilon)
    else:
        w -= rate * (m / (1 - beta1**t)) / (np.sqrt(s / (1 - beta2**t)) + epsilon)


def rprop(
    w: Array,
    g: Array,
    state: State,
    rate: float,
    shrink: float = 0.5,
    grow: float = 1.2,
    step_min: float = 1e-6,
    step_max: float = 50.0,
) -> None:
    """A step for each parameter, by the sign of its gradient (Riedmiller and Braun 1993)."""
    agree = np.sign(g) * state.get("sign", 0)
    step = state.get("step", rate) * np.where(agree > 0, grow, np.where(agree < 0, shrink, 1))
    state["sign"] = np.where(agree < 0, 0, np.sign(g))  # 0: w waits for the next update.
    state["step"] = np.clip(step, step_min, step_max)
    w -= state["sign"] * state["step"]


#: The rule of each optimiser: a step of the weights and of what it remembers, in place.
OPTIMIZERS: dict[str, Callable[..., None]] = {
    "sgd": sgd,
    "momentum": momentum,
    "nesterov": nesterov,
    "rmsprop": rmsprop,
    "adam": adam,
    "rprop": rprop,
}

# ---- A whole update ------------------------------------------------------------------------------


def penalty(weights: Arrays, l2: float = 0.0, l1: float = 0.0) -> tuple[float, list[Array]]:
    """(``l2 / 2 sum W^2 + l1 sum |W|``, its gradients): joins J, without biases."""
    value = sum((l2 / 2 * W**2 + l1 * np.abs(W)).sum() for W in weights)
    return value, [l2 * W + l1 * np.sign(W) for W in weights]


def clip(grads: Arrays, clip_norm: float) -> list[Array]:
    """The gradients, shortened to clip_norm if they, all together, are longer."""
    norm = math.sqrt(sum((g**2).sum() for g in grads))
    return [g * (clip_norm / max(norm, clip_norm)) for g in grads]


def limit_norms(weights: Arrays, max_norm: float) -> None:
    """Shorten, in place, the weights into each unit to max_norm if they are longer."""
    for W in weights:
        W *= max_norm / np.maximum(np.sqrt((W**2).sum(axis=1, keepdims=True)), max_norm)


def update(
    weights: Arrays,
    biases: Arrays,
    dW: Arrays,
    db: Arrays,
    states: Iterable[State],
    rate: float,
    optimizer: str = "sgd",
    *,
    l2: float = 0.0,
    l1: float = 0.0,
    clip_norm: float | None = None,
    weight_decay: float = 0.0,
    max_norm: float | None = None,
    **settings: Any,
) -> float:
    """One step of an optimiser, in place. states: one for each of the weights, then the biases.

    Returns the penalty from before the step. settings are those of the optimiser.
    """
    step = _entry(OPTIMIZERS, optimizer)
    value, slopes = penalty(weights, l2, l1)
    grads = [*(d + slope for d, slope in zip(dW, slopes, strict=True)), *db]
    if clip_norm is not None:
        grads = clip(grads, clip_norm)
    for W in weights:
        W *= 1 - rate * weight_decay
    for w, g, state in zip([*weights, *biases], grads, states, strict=True):
        step(w, g, state, rate, **settings)
    if max_norm is not None:
        limit_norms(weights, max_norm)
    return value


# ---- The check of it all -------------------------------------------------------------------------


def numerical_gradient(f: Callable[[], float], x: Array, epsilon: float = 1e-5) -> Array:
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


# ---- By hand: the network of docs/course/by_hand.md, 2-2-1 ---------------------------------------


def example() -> tuple[Array, Array, list[Array], list[Array], tuple[str, str], str]:
    """(X, Y, weights, biases, activations, loss) of a network that a pocket calculator can train.

    ``python -m bpcore.reference`` takes its one sample forward and back, and does one step.
    """
    weights = [np.array([[3.0, -1.0], [-2.0, 1.0]]), np.array([[2.0, -1.0]])]
    biases = [np.array([1.0, -1.0]), np.array([-1.0])]
    X, Y = np.array([[1.0, 2.0]]), np.array([[1.0]])
    return X, Y, weights, biases, ("sigmoid", "sigmoid"), "bce"


def _show(equation, numbers):
    """Print numbers behind their equation, a matrix row by row."""
    for row in np.atleast_2d(numbers):
        print(f"  {equation:<37}" + "".join(f"{x:9.4f}" for x in row))
        equation = ""


def by_hand(learning_rate: float = 0.5) -> None:
    """Print the example: forward, backward, one step, and the check by differences."""
    X, Y, weights, biases, activations, loss = example()
    A, Z = forward(X, weights, biases, activations)
    (C,), delta2 = cost_and_delta(Z[1], Y, loss, activations[1])
    slope = ACTIVATIONS["sigmoid"][1](np.ones((1, 2)), Z[0], A[1])
    _, dW, db = gradients(X, Y, weights, biases, activations, loss)

    print("A network 2-2-1 of sigmoids with loss bce learns from one sample.\n")
    for name, numbers in (("x", X), ("y", Y)):
        _show(name, numbers)
    for layer in (1, 2):
        _show(f"W{layer}", weights[layer - 1])
        _show(f"b{layer}", biases[layer - 1])

    print("\nForward: each layer takes what the one below it gives")
    _show("z1 = W1 x + b1", Z[0])
    _show("a1 = g(z1) = 1 / (1 + exp(-z1))", A[1])
    _show("z2 = W2 a1 + b2", Z[1])
    _show("a2 = g(z2)", A[2])
    _show("C = -y log a2 - (1 - y) log(1 - a2)", C)

    print("\nBackward: delta is dC/dz, and each layer's follows from the one above it")
    _show("delta2 = dC/da2 g'(z2) = a2 - y", delta2)
    _show("dW2 = delta2 a1^T", dW[1])
    _show("db2 = delta2", db[1])
    _show("W2^T delta2", delta2 @ weights[1])
    _show("g'(z1) = a1 (1 - a1)", slope)
    _show("delta1 = (W2^T delta2) * g'(z1)", delta2 @ weights[1] * slope)
    _show("dW1 = delta1 x^T", dW[0])
    _show("db1 = delta1", db[0])

    def cost():
        return gradients(X, Y, weights, biases, activations, loss)[0]

    print("\nCheck: (C(w + e) - C(w - e)) / 2e, for each w of W1 alone, is dW1")
    _show("by differences", numerical_gradient(cost, weights[0]))

    print(f"\nOne step downhill: W := W - {learning_rate:g} dW, b := b - {learning_rate:g} db")
    descend(X, Y, weights, biases, activations, loss, learning_rate)
    for layer in (1, 2):
        _show(f"W{layer}", weights[layer - 1])
        _show(f"b{layer}", biases[layer - 1])
    _show("C, forward again", cost())


if __name__ == "__main__":
    by_hand()
