"""Weights of rows: a weight of 2 is a row that stands there twice, 0 is one that does not."""

import numpy as np
import pytest

import bpcore
from tests.bits import same_bits

N = 30
RNG = np.random.default_rng(0)
X, LABELS = RNG.normal(size=(N, 4)), RNG.integers(3, size=N)
WEIGHTS = RNG.random(N) * 3
KINDS = {
    "softmax": (3, LABELS),
    "sigmoid": (1, LABELS % 2),
    "several sigmoids": (3, LABELS),
    "identity": (2, RNG.normal(size=(N, 2))),
}


def network(kind, dtype="float64"):
    outputs, y = KINDS[kind]
    output = "sigmoid" if kind == "several sigmoids" else kind
    net = bpcore.Network([4, 6, outputs], hidden="tanh", output=output, dtype=dtype, seed=1)
    return net, y


def flat(gradients):
    dW, db = gradients
    return np.concatenate([part.ravel() for part in [*dW, *db]])


# ---- Weights and rows ----------------------------------------------------------------------------


def most(net, y, counts):
    """How far two orders of summing the rows' gradients can differ.

    Weights of 1, 2 and 4 scale a row's deltas and products exactly, through all layers. What is
    left are two sums of up to N terms, each of which rounds once a term, and a division or two.
    """
    rows = [flat(net.gradients(X[i : i + 1], y[i : i + 1])) for i in range(N)]
    sizes = counts @ np.abs(rows) / counts.sum()
    rounding = np.finfo(net.dtype).eps / 2
    return (2 * counts.sum() + 8) * rounding * sizes


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_weight_is_so_many_rows(dtype, kind):
    net, y = network(kind, dtype)
    counts = RNG.choice([0, 1, 2, 4], size=N)
    weighted = flat(net.gradients(X, y, sample_weight=counts))
    repeated = flat(net.gradients(np.repeat(X, counts, axis=0), np.repeat(y, counts, axis=0)))
    bound = most(net, y, counts)
    assert np.all(np.abs(weighted - repeated) <= bound)
    assert np.any(np.abs(flat(net.gradients(X, y)) - repeated) > bound)  # It can fail.
    # Losses are sums in double of at most 120 terms of one sign.
    for weighted, repeated in zip(
        net.evaluate(X, y, sample_weight=counts).values(),
        net.evaluate(np.repeat(X, counts, axis=0), np.repeat(y, counts, axis=0)).values(),
        strict=True,
    ):
        assert weighted == pytest.approx(repeated, rel=2 * 128 * 1.2e-16)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_of_fit_takes_the_weighted_gradient(dtype, kind):
    net, y = network(kind, dtype)
    before, dW_db = net.parameters.copy(), net.gradients(X, y, sample_weight=WEIGHTS)
    loss = net.loss(X, y, sample_weight=WEIGHTS)
    history = net.fit(X, y, epochs=1, learning_rate=0.5, sample_weight=WEIGHTS)
    assert history.loss == [loss] != [net.loss(X, y, sample_weight=WEIGHTS)]
    step = [
        part for W, b in zip(*dW_db, strict=True) for part in (np.ascontiguousarray(W.T).ravel(), b)
    ]
    # A product by the rate, a division by the weights' sum and the difference: three roundings.
    moved = 0.5 * np.concatenate(step)
    bound = 3 * np.finfo(dtype).eps * (np.abs(before) + np.abs(moved))
    assert np.all(np.abs(before - moved - net.parameters) <= bound)
    assert np.any(np.abs(moved) > 100 * bound)


# ---- Losses --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_figures_are_weighted_means_of_the_rows_figures(dtype, kind):
    net, y = network(kind, dtype)
    weights = WEIGHTS.astype(dtype).astype(float)
    rows = [net.evaluate(X[i : i + 1], y[i : i + 1]) for i in range(N)]
    for name, found in net.evaluate(X, y, sample_weight=WEIGHTS).items():
        expected = np.average([row[name] for row in rows], weights=weights)
        # A row's weighted loss rounds once in the network's type and is summed in double; NumPy
        # sums the weights of accuracies in their own type: 30 terms of one sign, twice.
        roundings = 2 * N + 4 if name == "accuracy" else 4
        assert found == pytest.approx(expected, rel=roundings * float(np.finfo(dtype).eps))
        assert found != pytest.approx(net.evaluate(X, y)[name], rel=1e-6)
    assert (
        net.loss(X, y, sample_weight=WEIGHTS) == (net.evaluate(X, y, sample_weight=WEIGHTS)["loss"])
    )


# ---- Weights of classes --------------------------------------------------------------------------


def alike(kind, dtype, weights, sample_weight=None, y=None, **how):
    """Does fit with these settings have the bits of a fit with these weights of the rows?"""
    (net, given), (twin, _) = network(kind, dtype), network(kind, dtype)
    y = given if y is None else y
    settings = dict(epochs=4, learning_rate=0.5, batch_size=7)
    history = net.fit(X, y, sample_weight=sample_weight, **settings, **how)
    other = twin.fit(X, y, sample_weight=weights, **settings)
    return history.loss == other.loss and same_bits(net.parameters, twin.parameters)


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        ("softmax", {0: 0.3, 1: 2.0, 2: 1.1}),
        ("softmax", {2: 0.0}),
        ("softmax", {np.int64(1): np.float32(0.7)}),
        ("several sigmoids", {0: 5, 1: 0.1}),
        ("sigmoid", {0: 0.3, 1: 2.0}),
        ("sigmoid", {1: 4}),
        ("sigmoid", {}),
    ],
)
def test_weights_of_classes_are_weights_of_their_rows(dtype, kind, table):
    rows = [table.get(label, 1.0) for label in KINDS[kind][1]]
    assert alike(kind, dtype, rows, class_weight=table)
    both = np.asarray(rows, dtype) * WEIGHTS.astype(dtype)
    assert alike(kind, dtype, both, WEIGHTS, class_weight=table)
    assert not alike(kind, dtype, both, WEIGHTS, class_weight={0: 9.0})
    if kind != "sigmoid":
        assert alike(kind, dtype, rows, class_weight=table, y=np.eye(3)[LABELS])


@pytest.mark.parametrize("kind", ["softmax", "sigmoid", "several sigmoids"])
def test_balanced_gives_all_classes_that_there_are_the_same_sum(dtype, kind):
    y = KINDS[kind][1]
    for labels in (y, np.minimum(y, 1)):  # Of three classes one may be missing.
        classes, counts = np.unique(labels, return_counts=True)
        table = dict(zip(classes.tolist(), N / (len(classes) * counts), strict=True))
        rows = [table[label] for label in labels]
        assert alike(kind, dtype, rows, class_weight="balanced", y=labels)
        sums = [sum(w for w, x in zip(rows, labels, strict=True) if x == c) for c in classes]
        assert sums == pytest.approx([N / len(classes)] * len(classes), rel=1e-14)


def test_balanced_counts_the_weights_of_samples():
    """Powers of two: all figures are exact."""
    given = np.where(LABELS == 0, 4.0, np.where(LABELS == 1, 2.0, 0.5))
    sums = np.bincount(LABELS, given)
    rows = (given.sum() / (3 * sums))[LABELS] * given
    assert alike("softmax", "float64", rows, given, class_weight="balanced")


# ---- Refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        (np.ones(N - 1), r"sample_weight has shape \(29,\), but \(30,\)"),
        (-np.ones(N), r"sample_weight\[0\] is -1"),
        (np.zeros(N), "sample_weight is zero for every sample"),
        (np.full(N, np.inf), r"sample_weight\[0\] is inf"),
    ],
)
def test_bad_weights_are_refused_wherever_they_are_taken(weights, says):
    net, y = network("softmax")
    for call in (net.loss, net.evaluate, net.gradients):
        with pytest.raises(ValueError, match=says):
            call(X, y, sample_weight=weights)


@pytest.mark.parametrize(
    ("kind", "y", "says"),
    [
        ("identity", None, "class_weight needs outputs that are classes, not 'identity'"),
        ("softmax", np.full((N, 3), 1 / 3), "class_weight needs one class for each row of y"),
        ("several sigmoids", np.ones((N, 3)), "class_weight needs one class for each row of y"),
        ("several sigmoids", np.zeros((N, 3)), "class_weight needs one class for each row of y"),
    ],
)
def test_weights_of_classes_need_classes(kind, y, says):
    net, given = network(kind)
    with pytest.raises(ValueError, match=says):
        net.fit(X, given if y is None else y, epochs=1, learning_rate=0.1, class_weight="balanced")
