"""The steps of an explanation: titles, and in each equations beside their numbers.

Equations are plain text in the tutorials' notation: ``delta1 = (W2^T delta2) * g'(z1)``.
"""

import numpy as np

# g'(z) of the layers that have it in a few words, as docs/backprop.md derives it.
SLOPES = {
    "identity": "1",
    "sigmoid": "{a} (1 - {a})",
    "tanh": "1 - ({a})^2",
    "relu": "1 where {z} > 0, else 0",
    "leaky_relu": "1 where {z} > 0, else 0.01",
    "elu": "1 where {z} > 0, else {a} + 1",
    "softplus": "1 - exp(-{a})",
    "exp": "{a}",
}
# C of one output, and dC/da where the loss goes with any output. p is the loss's parameter.
COSTS = {
    "bce": "-y log {a} - (1 - y) log(1 - {a})",
    "cross_entropy": "-y log {a}",
    "poisson": "{a} - y + y log(y / {a})",
    "mse": "1/2 ({a} - y)^2",
    "mae": "|{a} - y|",
    "huber": "e^2/2 where e = |{a} - y| < {p:g}, else {p:g} (e - {p:g}/2)",
    "quantile": "{p:g} (y - {a}) where {a} < y, else (1 - {p:g}) ({a} - y)",
}
SLOPES_OF_COSTS = {
    "mse": "{a} - y",
    "mae": "sign({a} - y)",
    "huber": "{a} - y, from -{p:g} to {p:g}",
    "quantile": "-{p:g} where {a} < y, else 1 - {p:g}",
}


def title(explanation):
    """What the steps belong to, in a sentence."""
    sizes = [len(explanation.x), *(len(layer.b) for layer in explanation.layers)]
    return f"One sample through a {'-'.join(map(str, sizes))} network and back"


def of_explanation(explanation):
    """[(title, [(equation, numbers), ...]), ...] in the order of the computation."""
    loss = explanation.loss
    name, p = (loss, None) if isinstance(loss, str) else loss
    layers, last = explanation.layers, len(explanation.layers)
    steps = [("the sample", _sample(explanation))]
    for i, layer in enumerate(layers, 1):
        steps.append((f"forward, layer {i}: {layer.activation}", _forward(layer, i)))
    cost = COSTS.get(name, name).format(a=f"a{last}", p=p)
    cost = f"sum({cost})" if len(explanation.y) > 1 else cost
    steps.append((f"cost: {name}", [(f"C = {cost}", np.array(explanation.cost))]))
    for i in range(last, 0, -1):
        layer = layers[i - 1]
        rows = _hidden(layer, i) if i < last else _output(layer, i, explanation.y, name, p)
        rows.append((f"dW{i} = delta{i} {_below(i)}^T", layer.dW))
        rows.append((f"db{i} = delta{i}", layer.db))
        steps.append((f"backward, layer {i}: {layer.activation}", rows))
    return steps


def _below(i):
    """The name of what layer i is given."""
    return f"a{i - 1}" if i > 1 else "x"


def _sample(explanation):
    rows = [("x", explanation.x), ("y", explanation.y)]
    if explanation.standardized is None:
        return rows
    return [
        ("given", explanation.x),
        ("shift", explanation.shift),
        ("scale", explanation.scale),
        ("x = (given - shift) * scale", explanation.standardized),
        ("y", explanation.y),
    ]


def _forward(layer, i):
    return [
        (f"W{i}", layer.W),
        (f"b{i}", layer.b),
        (f"z{i} = W{i} {_below(i)} + b{i}", layer.z),
        (f"a{i} = {layer.activation}(z{i})", layer.a),
    ]


def _slope(layer, i):
    formula = SLOPES.get(layer.activation)
    equation = f"g'(z{i}) = {formula}" if formula else f"g'(z{i})"
    return equation.format(a=f"a{i}", z=f"z{i}"), layer.slope


def _hidden(layer, i):
    """How the error of a hidden layer follows from that of the next one."""
    back = f"W{i + 1}^T delta{i + 1}"
    error = f"delta{i} = ({back}) * g'(z{i})", layer.delta
    return [(back, layer.dC_da), _slope(layer, i), error]


def _output(layer, i, y, loss, p):
    """How the error of the last layer follows from the cost."""
    a = f"a{i}"
    if layer.dC_da is None:
        # Targets of a softmax need not add up to 1.
        share = " sum(y)" if layer.activation == "softmax" and abs(y.sum() - 1) > 1e-6 else ""
        return [(f"delta{i} = {a}{share} - y", layer.delta)]
    formula = SLOPES_OF_COSTS.get(loss, loss).format(a=a, p=p)
    d, rows = f"dC/d{a}", [(f"dC/d{a} = {formula}", layer.dC_da)]
    if layer.slope is None:
        return [*rows, (f"delta{i} = {a} * ({d} - sum({a} * {d}))", layer.delta)]
    return [*rows, _slope(layer, i), (f"delta{i} = {d} * g'(z{i})", layer.delta)]
