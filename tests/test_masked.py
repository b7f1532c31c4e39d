"""Masked arrays: a mask is never ignored without a word."""

import numpy as np
import pytest

import bpcore
from tests.bits import same_bits

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 3)), RNG.integers(2, size=20)
MASKED = np.ma.masked_array(X, mask=(X > 1) | (np.arange(20) == 0)[:, None])
MASKED_Y = np.ma.masked_array(Y, mask=np.arange(20) == 7)
WEIGHTS = np.ma.masked_array(np.ones(20), mask=np.arange(20) == 7)
HOW = dict(epochs=1, learning_rate=0.1)


def network(**settings):
    return bpcore.Network([3, 1], seed=0, **settings)


USES = {
    "fit": (lambda net: net.fit(MASKED, Y, **HOW), "X"),
    "fit's y": (lambda net: net.fit(X, MASKED_Y, **HOW), "y"),
    "fit's weights": (lambda net: net.fit(X, Y, sample_weight=WEIGHTS, **HOW), "sample_weight"),
    "order": (lambda net: net.fit(X, Y, order=np.ma.array(range(20), mask=Y), **HOW), "order"),
    "a held-out share": (lambda net: net.fit(MASKED, Y, eval_set=0.2, **HOW), "X"),
    "eval_set": (lambda net: net.fit(X, Y, eval_set=(MASKED, Y), **HOW), "eval_set's X"),
    "batches": (lambda net: net.fit([(X, MASKED_Y), (X, Y)], **HOW), "y of batch 0"),
    "partial_fit": (lambda net: net.partial_fit(MASKED, Y, learning_rate=0.1), "X"),
    "fit_many": (lambda net: bpcore.fit_many([net], MASKED, Y, **HOW), "X"),
    "fit_many's rows": (
        lambda net: bpcore.fit_many([net], MASKED, Y, rows=[range(20)], **HOW),
        "X",
    ),
    "which rows": (
        lambda net: bpcore.fit_many([net], X, Y, rows=[np.ma.array(range(20), mask=Y)], **HOW),
        r"rows\[0\]",
    ),
    "fit_many's weights": (
        lambda net: bpcore.fit_many([net], X, Y, rows=[Y == 0], sample_weight=WEIGHTS, **HOW),
        "sample_weight",
    ),
    "a list": (lambda net: net.fit(list(MASKED), Y, **HOW), "X"),
    "forward": (lambda net: net.forward(MASKED), "X"),
    "forward where it lies": (lambda net: net.forward(MASKED.astype("f4")), "X"),
    "predict": (lambda net: net.predict(MASKED[:1].astype("f4")), "X"),
    "loss": (lambda net: net.loss(MASKED, Y), "X"),
    "gradients": (lambda net: net.gradients(X, MASKED_Y), "y"),
    "jacobian": (lambda net: net.jacobian(MASKED), "X"),
    "backward": (lambda net: net.backward(X, WEIGHTS), "dL_dout"),
    "scaling": (lambda net: bpcore.Standardizer(MASKED[0], X[0]), "shift"),
    "weights": (lambda net: setattr(net, "weights", [MASKED[:1]]), r"weights\[0\]"),
}


@pytest.mark.parametrize(("use", "name"), USES.values(), ids=USES)
def test_masked_elements_are_refused_by_the_arguments_name(use, name):
    net = network()
    before = net.parameters.copy()
    words = f"^{name} has masked elements.* leave their rows out, "
    with pytest.raises(ValueError, match=f"{words}or give them a value with the array's method"):
        use(net)
    assert same_bits(net.parameters, before)


def test_a_masked_array_without_masked_elements_is_an_array():
    net, twin = network(), network()
    for mask in (False, np.zeros(X.shape, bool)):
        given = np.ma.masked_array(X, mask=mask)
        net.fit(given, np.ma.masked_array(Y), sample_weight=np.ma.ones(20), **HOW)
        twin.fit(X, Y, sample_weight=np.ones(20), **HOW)
        assert same_bits(net.parameters, twin.parameters)
        assert same_bits(np.asarray(net.forward(given.astype("f4"))), twin.forward(X))


@pytest.mark.parametrize(
    ("use", "name"),
    [
        (lambda one: one.fit(MASKED, Y), "X"),
        (lambda one: one.fit(X, MASKED_Y), "y"),
        (lambda one: one.fit(X, Y, WEIGHTS), "sample_weight"),
        (lambda one: one.fit(X, Y).partial_fit(MASKED, Y), "X"),
        (lambda one: one.fit(X, Y).predict(MASKED), "X"),
        (lambda one: one.fit(X, Y).score(MASKED, Y), "X"),
        (lambda one: one.fit(X, Y, eval_set=(X, MASKED_Y)), "eval_set's y"),
    ],
)
@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer:UserWarning")
def test_estimators_refuse_masked_elements_the_same(kind, use, name):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    import bpcore.sklearn

    with pytest.raises(ValueError, match=f"^{name} has masked elements"):
        use(getattr(bpcore.sklearn, kind)(max_iter=2))
