"""What the core computes, in NumPy: ``bpcore.reference`` on the arrays of a core_network.Net, the
numbers of dropout, and the sums of the numerical contract, bit for bit.

Nothing here calls the code that it judges.
"""

import inspect

import numpy as np

from bpcore import reference

# ---- bpcore.reference on flat parameters ---------------------------------------------------------


def _needs_z(activation):
    """Is the derivative of this activation taken from z, not from the output?"""
    one = np.ones((1, 1))
    return bool(np.isnan(reference.ACTIVATIONS[activation][1](one, np.nan * one, one)).all())


FROM_OUTPUT = [name for name in reference.ACTIVATIONS if not _needs_z(name)]


def takes_parameter(loss):
    return len(inspect.signature(reference.LOSSES[loss][0]).parameters) == 3


def loss_of(net):
    """The loss as ``reference`` takes it."""
    return (net.loss, net.loss_parameter) if takes_parameter(net.loss) else net.loss


def layers_of(net, parameters):
    """Weights (outputs, inputs) and biases: views of the flat parameters."""
    weights, biases = zip(*net.layers(parameters), strict=True)
    return [W.T for W in weights], list(biases)


def flat(weights, biases):
    """One array of them all, as the core lays them."""
    layers = zip(weights, biases, strict=True)
    return np.concatenate([part.ravel() for W, b in layers for part in (W.T, b)])


def gradient(net, X, Y, sample_weight=None):
    """The gradient, flat, and the mean loss, in float64."""
    layers = layers_of(net, net.parameters.astype(float))
    data, how = (X.astype(float), Y.astype(float)), (net.activations, loss_of(net))
    J, dW, db = reference.gradients(*data, *layers, *how, sample_weight)
    return flat(dW, db), J


def penalty(net, rule, parameters=None):
    """The penalty and its gradient, flat."""
    weights, biases = layers_of(net, net.parameters if parameters is None else parameters)
    value, dW = reference.penalty(weights, rule.get("l2", 0), rule.get("l1", 0))
    return value, flat(dW, [0 * b for b in biases])


# ---- Training ------------------------------------------------------------------------------------

RENAMED = {  # Fields of bp_rule, which optimisers share, in the words of ``reference``.
    "adam": dict(momentum="beta1", decay="beta2"),
    "rprop": dict(least_step="step_min", most_step="step_max"),
}


def rule(optimizer, numbers):
    """A rule with those of the numbers that the optimiser takes."""
    takes = inspect.signature(reference.OPTIMIZERS[optimizer]).parameters
    names = RENAMED.get(optimizer, {})
    taken = {name: value for name, value in numbers.items() if names.get(name, name) in takes}
    return {"optimizer": optimizer, **taken}


def settings_of(rule, weight):
    """A rule as settings of ``reference.update``, for a batch of this weight."""
    names, settings = RENAMED.get(rule["optimizer"], {}), dict(rule)
    if settings.pop("penalty_of_sum", False):
        settings |= {name: rule[name] / weight for name in ("l2", "l1") if name in rule}
    return {names.get(name, name): value for name, value in settings.items()}


def train(
    net,
    X,
    Y,
    batch_rows,
    rule,
    *,
    rate=0.02,
    epochs=1,
    weights=None,
    first_moments=(0, 0),
    seed=0,
    first_epoch=0,
    warmup_steps=0,
    rows_count=False,
):
    """Parameters, moments, and the epochs' losses and penalties."""
    parameters = net.parameters.astype(float)
    layers, losses, penalties, t = layers_of(net, parameters), [], [], 0
    first = {"step": first_moments[1]} if rule["optimizer"] == "rprop" else {}
    states = [dict(first) for layer in layers for _ in layer]
    weights = np.ones(len(X)) if weights is None else weights
    for epoch in range(first_epoch, first_epoch + epochs):
        figures, counts = [], []
        for i in range(0, len(X), batch_rows):
            rows = slice(i, min(i + batch_rows, len(X)))
            masks = net.dropout and [
                dropout_mask(share, seed, epoch, layer, i, rows.stop - i, net.sizes[layer + 1])
                for layer, share in enumerate(net.dropout)
            ]
            how = net.activations, loss_of(net), weights[rows], masks
            loss, dW, db = reference.gradients(X[rows], Y[rows], *layers, *how)
            t += 1
            now = rate * min(1, t / warmup_steps) if warmup_steps else rate
            settings = settings_of(rule, weights[rows].sum())
            figures.append((loss, reference.update(*layers, dW, db, states, now, **settings)))
            counts.append(rows.stop - i if rows_count else 1)
        loss, penalty = np.average(figures, axis=0, weights=counts)
        losses.append(loss)
        penalties.append(penalty)
    depth = len(layers[0])
    moments = [[state[name] for state in states] for name in sorted(states[0]) if name != "t"]
    return parameters, [flat(m[:depth], m[depth:]) for m in moments], losses, penalties


# ---- The numbers of dropout ----------------------------------------------------------------------

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


# ---- Exact arithmetic ------------------------------------------------------------------------


def two_sum(a, b):
    """The rounded sum and its rounding error, exactly (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def two_product(a, b):
    """The rounded product and its rounding error, exactly (Dekker), away from the range's ends."""
    product = a * b
    a_high = a * 134217729.0 - (a * 134217729.0 - a)
    b_high = b * 134217729.0 - (b * 134217729.0 - b)
    a_low, b_low = a - a_high, b - b_high
    error = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return product, error


def odd_sum(a, b):
    """a + b rounded to odd: an inexact sum takes the neighbour whose last bit is 1.

    A sum rounded so can be rounded again, to a shorter format, as if it were exact.
    """
    total, error = two_sum(a, b)
    even = total.view(np.int64) & 1 == 0
    neighbour = np.nextafter(total, np.where(error > 0, np.inf, -np.inf))
    return np.where(even & (error != 0), neighbour, total)


def fma(a, b, c):
    """a * b + c rounded once, element by element (Boldo and Melquiond 2008)."""
    a, b, c = np.broadcast_arrays(a, b, c)
    if a.dtype == np.float32:  # The product of two floats is exact in a double.
        wide = a.astype(np.float64) * b.astype(np.float64)
        return odd_sum(wide, c.astype(np.float64)).astype(np.float32)
    product, product_error = two_product(a, b)
    low, low_error = two_sum(c, product_error)
    high, high_error = two_sum(product, low)
    return high + odd_sum(low_error, high_error)


def chain(C, A, B):
    """C + A B as the contract says: one fused multiply-add a term, terms in ascending index."""
    C = np.array(C)
    for p in range(A.shape[1]):
        C = fma(A[:, p, None], B[None, p, :], C)
    return C


def ordered_sum(rows, start):
    """start + rows[0] + rows[1] + ..., in this order."""
    return np.add.accumulate(np.concatenate([[start], rows]))[-1]


# Of the contract: where sums over rows are cut.
RUN_ROWS, PART_ROWS = 512, 32768


def pieces(size, rows, start=0):
    return [slice(i, min(i + size, rows)) for i in range(start, max(rows, 1), size)]


def sum_over_rows(run_sum, rows):
    """The contract's sum over a batch's rows; run_sum(slice) is that of a run, from zeros.

    The runs of a part are added in ascending order; so are the parts, and what is lost by that.
    """
    totals = []
    for part in pieces(PART_ROWS, rows):
        total, *runs = [run_sum(run) for run in pieces(RUN_ROWS, part.stop, part.start)]
        for run in runs:
            total = total + run
        totals.append(total)
    total, carry = totals[0], np.zeros_like(totals[0])
    for part in totals[1:]:
        total, lost = two_sum(total, part)
        carry = carry + lost
    return total + carry


def weight_sums(A, delta):
    """dW = A' delta as the contract says."""
    zeros = np.zeros((A.shape[1], delta.shape[1]), A.dtype)
    return sum_over_rows(lambda run: chain(zeros, A[run].T, delta[run]), len(A))


def bias_sums(delta):
    """db, the column sums of delta, as the contract says."""
    zeros = np.zeros(delta.shape[1], delta.dtype)
    return sum_over_rows(lambda run: ordered_sum(delta[run], zeros), len(delta))


# ---- A linear layer, trained bit for bit ---------------------------------------------------------


def linear_gradient(W, b, X, Y):
    """Sums over the rows, in the written order: dW, db and the loss, of a linear layer with mse."""
    delta = chain(np.broadcast_to(b, Y.shape), X, W) - Y
    wide = delta.astype(np.float64).ravel()
    loss = np.add.accumulate(0.5 * wide * wide)[-1]  # One after the other.
    return weight_sums(X, delta), bias_sums(delta), loss


def linear_descent(net, X, Y, batch_rows, rate=0.02, epochs=1, order=None):
    """Parameters and losses after plain gradient descent, as the contract says, bit for bit."""
    [(W, b)] = [(W.copy(), b.copy()) for W, b in net.layers(net.parameters)]
    order, losses = np.arange(len(X)) if order is None else order, []
    for _ in range(epochs):
        starts = range(0, len(X), batch_rows)
        total = 0.0
        for i in starts:
            rows = order[i : i + batch_rows]
            dW, db, loss = linear_gradient(W, b, X[rows], Y[rows])
            step = np.asarray(-rate / len(rows)).astype(net.dtype)
            W, b = fma(step, dW, W), fma(step, db, b)
            total += loss / len(rows)
        losses.append(float(total / len(starts)))
    return np.concatenate([W.ravel(), b]), losses
