"""The optimisers against PyTorch's, in float64; PyTorch is in the extra `peers`."""

import numpy as np
import pytest

from tests.core_network import Net
from tests.execution_modes import learn

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

MOMENTS = dict(betas=(0.9, 0.99), eps=1e-4)
ADAM = dict(optimizer="adam", momentum=0.9, decay=0.99, epsilon=1e-4)
RPROP = dict(optimizer="rprop", shrink=0.5, grow=1.2, least_step=1e-6, most_step=0.5)

# Ours, PyTorch's class and its settings, and what it calls decay for weights alone.
CASES = {
    "sgd": (dict(optimizer="sgd"), "SGD", {}),
    "momentum": (dict(optimizer="momentum", momentum=0.9), "SGD", dict(momentum=0.9)),
    "nesterov": (
        dict(optimizer="nesterov", momentum=0.9),
        "SGD",
        dict(momentum=0.9, nesterov=True),
    ),
    "rmsprop": (
        dict(optimizer="rmsprop", decay=0.95, epsilon=1e-4),
        "RMSprop",
        dict(alpha=0.95, eps=1e-4),
    ),
    "adam": (ADAM, "Adam", MOMENTS),
    "rprop": (RPROP, "Rprop", dict(step_sizes=(1e-6, 0.5))),
    "sgd with l2": (dict(optimizer="sgd", l2=0.1), "SGD", dict(weight_decay=0.1)),
    "momentum with l2": (
        dict(optimizer="momentum", momentum=0.9, l2=0.1),
        "SGD",
        dict(momentum=0.9, weight_decay=0.1),
    ),
    "rmsprop with l2": (
        dict(optimizer="rmsprop", decay=0.95, epsilon=1e-4, l2=0.1),
        "RMSprop",
        dict(alpha=0.95, eps=1e-4, weight_decay=0.1),
    ),
    "adam with l2": (ADAM | dict(l2=0.1), "Adam", MOMENTS | dict(weight_decay=0.1)),
    "adam with decay": (ADAM | dict(weight_decay=0.1), "AdamW", MOMENTS | dict(weight_decay=0.1)),
}
RATE, EPOCHS, BATCH = 0.02, 10, 5


def by_torch(net, X, Y, weights, kind, settings):
    """The parameters after the same steps; gradients are PyTorch's own."""
    layers = [tuple(map(torch.tensor, layer)) for layer in net.layers(net.parameters)]
    for layer in layers:
        for tensor in layer:
            tensor.requires_grad_(True)
    settings = dict(settings)
    decay = settings.pop("weight_decay", 0)
    more = {} if kind == "Rprop" else {"weight_decay": 0}
    groups = [{"params": [W for W, _ in layers]} | ({"weight_decay": decay} if more else {})]
    groups.append({"params": [b for _, b in layers]} | more)
    optimizer = getattr(torch.optim, kind)(groups, lr=RATE, **settings)
    X, Y, weights = map(torch.tensor, (X, Y, weights))
    for _ in range(EPOCHS):
        for i in range(0, len(X), BATCH):
            A, rows = X[i : i + BATCH], slice(i, i + BATCH)
            for W, b in layers[:-1]:
                A = torch.tanh(A @ W + b)
            A = A @ layers[-1][0] + layers[-1][1]
            losses = 0.5 * ((A - Y[rows]) ** 2).sum(dim=1) * weights[rows]
            optimizer.zero_grad()
            (losses.sum() / weights[rows].sum()).backward()
            optimizer.step()
    return np.concatenate([x.detach().numpy().ravel() for layer in layers for x in layer])


@pytest.mark.parametrize("name", CASES)
def test_fifty_steps_follow_torch(name):
    """Two computations of the same steps; measured: at most 6e-16 apart."""
    rule, kind, settings = CASES[name]
    net = Net([6, 5, 3], "tanh", "identity", "mse", np.float64)
    X, Y = net.data(23)
    weights = np.random.default_rng(8).uniform(0.2, 3, 23)
    first = (0, RATE) if rule["optimizer"] == "rprop" else (0, 0)
    how = dict(rate=RATE, epochs=EPOCHS, weights=weights, first_moments=first)
    core = learn(net, X, Y, BATCH, rule, **how).parameters
    expected = by_torch(net, X, Y, weights, kind, settings)
    print(f"{name}: {np.abs(core - expected).max():.1e}")
    assert np.abs(core - expected).max() < 1e-14
    assert np.abs(core - net.parameters).max() > 0.05
    other = learn(net, X, Y, BATCH, rule, **how | dict(rate=RATE * 1.001, first_moments=(0, 0.03)))
    assert np.abs(other.parameters - expected).max() > 1e-6
