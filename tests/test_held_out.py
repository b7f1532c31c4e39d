"""eval_set as a share: rows that the seed draws, that are evaluated and never learnt."""

import numpy as np
import pytest

import bpcore
from tests.bits import same_bits

N = 40
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(N, 3)), RNG.integers(2, size=N)
WEIGHTS = RNG.random(N) + 0.1


def network(seed=0, **settings):
    return bpcore.Network([3, 4, 1], hidden="tanh", seed=seed, **settings)


def trained(X, Y, share=0.25, seed=0, standardize=False, **how):
    net = network(seed, standardize=standardize)
    settings = dict(epochs=3, batch_size=7, learning_rate=0.5, eval_set=share, **how)
    return net, net.fit(X, Y, **settings)


def held_out(**how):
    """The rows that do not matter for the parameters: found by changing each of them."""
    net, _ = trained(X, Y, **how)
    rows = []
    for row in range(N):
        changed = X.copy()
        changed[row] += 1
        if same_bits(trained(changed, Y, **how)[0].parameters, net.parameters):
            rows.append(row)
    return rows


@pytest.mark.parametrize("share", [0.01, 0.1, 0.25, 0.5, np.float32(0.25), np.float64(0.9)])
def test_a_share_holds_out_so_many_rows_of_all_others_each_counts(share):
    assert len(held_out(share=share)) == max(1, round(float(share) * N))


def test_the_seed_draws_the_rows():
    assert held_out(seed=1) == held_out(seed=1) != held_out(seed=2)


@pytest.mark.parametrize("kind", ["dense", "list", "csr", "weights", "balanced", "standardize"])
def test_a_share_is_a_fit_on_the_others_evaluated_on_the_rest(kind):
    out = np.array(held_out())
    kept = np.setdiff1d(np.arange(N), out)
    how, given, standardize = {}, X, kind == "standardize"
    if kind == "weights":
        how = dict(sample_weight=WEIGHTS)
    elif kind == "balanced":
        how = dict(class_weight="balanced")
    elif kind == "list":
        given = X.tolist()
    elif kind == "csr":
        given = pytest.importorskip("scipy.sparse").csc_array(X)
    net, history = trained(given, Y, standardize=standardize, **how)
    other = network(standardize=standardize)
    if kind == "weights":
        how = dict(sample_weight=WEIGHTS[kept])
    same = other.fit(
        X[kept],
        Y[kept],
        epochs=3,
        batch_size=7,
        learning_rate=0.5,
        eval_set=(X[out], Y[out]),
        **how,
    )
    assert same_bits(net.parameters, other.parameters)
    assert (history.loss, history.eval_loss) == (same.loss, same.eval_loss)
    assert history.eval_accuracy == same.eval_accuracy and len(same.eval_accuracy) == 3


def test_held_out_rows_are_evaluated_alone():
    """Other targets of held-out rows change the evaluation and nothing else, and the other way."""
    out, (net, history) = held_out(), trained(X, Y)
    changed = Y.copy()
    changed[out] = 1 - changed[out]
    twin, other = trained(X, changed)
    assert same_bits(twin.parameters, net.parameters) and other.loss == history.loss
    assert other.eval_loss != history.eval_loss


def test_what_goes_on_holds_out_the_same_rows():
    whole, history = trained(X, Y)
    net = network()
    how = dict(batch_size=7, learning_rate=0.5, eval_set=0.25)
    first, second = net.fit(X, Y, epochs=1, **how), net.fit(X, Y, epochs=2, **how)
    assert same_bits(net.parameters, whole.parameters)
    assert first.eval_loss + second.eval_loss == history.eval_loss


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((X, 1), r"y has shape \(\)"),
        ((3, Y), r"X has shape"),
        ((X, Y[:5]), f"X has {N} rows, but y has 5"),
        ((X[:1], Y[:1]), "of 1 rows leaves none"),
        ((X[0], Y), r"X has shape \(3,\)"),
        ((X[:0], Y[:0]), "of 0 rows leaves none"),
    ],
)
def test_data_that_cannot_be_shared_is_refused_by_name(given, says):
    with pytest.raises(ValueError, match=says):
        network().fit(*given, epochs=1, learning_rate=0.1, eval_set=0.25)
