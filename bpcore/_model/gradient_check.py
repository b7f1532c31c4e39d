"""Network.check_gradients: the backward recursion against central differences."""

import copy

import numpy as np

from .._inputs import check, thread_count


def distances(net, X, y, epsilon, entries):
    """For each layer |g - n| / (|g| + |n|), computed on a float64 copy of the network."""
    if entries is not None:
        entries = check.whole_number("entries", entries, 1)
    if epsilon <= 0:
        raise ValueError(f"epsilon is {epsilon:g}, but it must be positive")
    twin = copy.copy(net)
    vars(twin)["dtype"] = np.dtype("float64")
    twin._connect(net.parameters.astype(np.float64))
    weights, biases = twin.gradients(X, y)
    X, Y = twin._data(X, y)
    analytic = np.concatenate(
        [part.ravel() for W, b in zip(weights, biases, strict=True) for part in (W.T, b)]
    )
    threads = thread_count.count()

    def cost():
        return twin._mean_loss(X, Y, threads, None)

    result, start = [], 0
    for layer, (W, b) in enumerate(zip(twin.weights, twin.biases, strict=True)):
        end = start + W.size + b.size
        count = end - start if entries is None else min(entries, end - start)
        chosen = np.linspace(start, end - 1, count).astype(np.intp)
        numeric = np.array([_difference(cost, twin.parameters, i, epsilon) for i in chosen])
        result.append(_distance(analytic[chosen], numeric, layer))
        start = end
    return result


def _difference(cost, parameters, i, epsilon):
    kept = parameters[i]
    parameters[i] = kept + epsilon
    above = cost()
    parameters[i] = kept - epsilon
    below = cost()
    parameters[i] = kept
    return (above - below) / (2 * epsilon)


def _distance(analytic, numeric, layer):
    size = np.linalg.norm(analytic) + np.linalg.norm(numeric)
    if np.linalg.norm(analytic) == 0 or np.linalg.norm(numeric) == 0:
        raise ValueError(
            f"the gradient of layer {layer + 1} is zero: a comparison would prove nothing. "
            "Use other data or start weights"
        )
    return float(np.linalg.norm(analytic - numeric) / size)
