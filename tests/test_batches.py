"""Data in pieces: iterables of batches, and partial_fit."""

import numpy as np
import pytest

import bpcore
from bpcore import schedules
from tests.bits import same_bits

N, BATCH = 45, 10
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(N, 4)), RNG.integers(3, size=N)
WEIGHTS = RNG.random(N) + 0.1


def network(dtype="float32", **settings):
    sizes = [4, 6, 3]
    return bpcore.Network(sizes, hidden="tanh", output="softmax", dtype=dtype, seed=1, **settings)


def cut(*arrays, size=BATCH):
    return [tuple(array[i : i + size] for array in arrays) for i in range(0, N, size)]


class Again:
    """An iterable that begins anew, and makes its batches when they are asked for."""

    def __init__(self, batches):
        self.batches, self.begun = batches, 0

    def __iter__(self):
        self.begun += 1
        yield from self.batches


HOW = {
    "sgd": dict(learning_rate=0.3),
    "adam": dict(optimizer="adam", learning_rate=schedules.Cosine(0.01, epochs=3), l2=0.1),
    "rprop": dict(optimizer="rprop", eval_set=(X, Y), max_norm=2.0),
    "adaptive": dict(learning_rate=schedules.Adaptive(0.3, patience=1, tolerance=9.0)),
    "warm-up": dict(optimizer="momentum", learning_rate=schedules.WarmUp(0.1, steps=9)),
}


def figures(history):
    kept = ("loss", "penalty", "learning_rate", "eval_loss", "eval_accuracy")
    return [getattr(history, name) for name in kept]


# ---- Batches are steps ---------------------------------------------------------------------------


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
@pytest.mark.parametrize("kind", [list, Again, tuple])
def test_batches_are_the_steps_of_a_fit_without_shuffling(dtype, kind, how):
    one, other = network(dtype), network(dtype)
    expected = one.fit(X, Y, epochs=3, batch_size=BATCH, shuffle=False, **how)
    assert figures(other.fit(kind(cut(X, Y)), epochs=3, **how)) == figures(expected)
    assert same_bits(one.parameters, other.parameters)
    assert (one.epochs, one._state.step) == (other.epochs, other._state.step) == (3, 15)


def test_batches_may_be_sparse_and_lists(sparse, dtype):
    thin = np.where(RNG.random(X.shape) < 0.4, X, 0)
    one, other = network(dtype), network(dtype)
    expected = one.fit(thin, Y, epochs=2, learning_rate=0.3, batch_size=BATCH, shuffle=False)
    kinds = [sparse.csr_array, sparse.csc_array, np.asarray, np.ndarray.tolist, np.asfortranarray]
    batches = [(kind(X), Y) for kind, (X, Y) in zip(kinds, cut(thin, Y), strict=True)]
    assert other.fit(batches, epochs=2, learning_rate=0.3).loss == expected.loss
    assert same_bits(one.parameters, other.parameters)


def test_a_large_batch_is_cut_into_steps(dtype):
    """Steps of 10 rows, cut from pieces of 20 and 25: 10 10, 10 10 5."""
    one, other = network(dtype), network(dtype)
    pieces = [(X[:20], Y[:20]), (X[20:], Y[20:])]
    expected = one.fit(X, Y, epochs=3, learning_rate=0.3, batch_size=10, shuffle=False)
    found = other.fit(pieces, epochs=3, learning_rate=0.3, batch_size=10)
    assert same_bits(one.parameters, other.parameters)
    # The same five losses, added in another order: below eight roundings of 1.1e-16.
    assert found.loss == pytest.approx(expected.loss, rel=1e-15)


def test_batches_go_on_where_batches_ended(dtype):
    """Dropout's masks, too, follow from the epoch and the batch alone."""
    how = dict(optimizer="adam", learning_rate=schedules.Step(0.01, every=2), dropout=0.4)
    one, other = network(dtype), network(dtype)
    whole = one.fit(cut(X, Y), epochs=5, **how).loss
    parts = other.fit(cut(X, Y), epochs=2, **how).loss + other.fit(cut(X, Y), epochs=3, **how).loss
    assert whole == parts and same_bits(one.parameters, other.parameters)


def test_each_batch_of_an_epoch_and_each_epoch_has_a_mask_of_its_own(dtype):
    """Nothing is learnt here: the losses differ by dropout alone."""
    how = dict(learning_rate=0.0, dropout=0.4)
    net, batch = network(dtype), (X, Y)
    once, twice, thrice = (net.fit([batch] * n, epochs=1, **how).loss[0] for n in (1, 1, 1))
    assert len({once, twice, thrice}) == 3
    net.epochs = 0
    assert net.fit([batch], epochs=1, **how).loss == [once]
    net.epochs = 0
    assert net.fit([batch] * 2, epochs=1, **how).loss != [once]


# ---- Iterables -----------------------------------------------------------------------------------


def generator():
    yield from cut(X, Y)


def test_a_generator_is_one_epoch():
    one, other = network(), network()
    one.fit(generator(), epochs=1, learning_rate=0.3)
    other.fit(cut(X, Y), epochs=1, learning_rate=0.3)
    assert same_bits(one.parameters, other.parameters)
    given, before = generator(), one.parameters.copy()
    with pytest.raises(ValueError, match="epochs is 2, but X is an iterator.*__iter__ begins anew"):
        one.fit(given, epochs=2, learning_rate=0.3)
    assert same_bits(one.parameters, before) and len(list(given)) == 5  # Nothing was taken.


def test_an_iterable_is_begun_once_an_epoch_and_not_read_ahead():
    taken = []

    def batch(i):
        taken.append(i)
        return X, Y

    class Lazy:
        def __iter__(self):
            return map(batch, range(3))

    seen = []
    network().fit(
        Lazy(), epochs=2, learning_rate=0.1, callbacks=lambda net, h: seen.append(list(taken))
    )
    assert seen == [[0, 1, 2], [0, 1, 2] * 2]


@pytest.mark.parametrize(
    ("batches", "error", "says"),
    [
        (iter([]), ValueError, "X is an iterable without batches"),
        (iter([X]), TypeError, r"batch 0 is no pair \(X, y\)"),
        (iter([(X, Y), (X,)]), TypeError, "batch 1 is no pair"),
        ([(X, Y), 3], TypeError, "batch 1 is no pair"),
        ([(X, Y), (X[:, :2], Y)], ValueError, "X of batch 1 has 2 features"),
        ([(X, Y), (X, Y[:3])], ValueError, "X of batch 1 has 45 rows, but y of batch 1 has 3"),
        ([(X, Y), (X, Y + 7)], ValueError, "y of batch 1 has the label"),
        ([(X, Y), (X, Y, WEIGHTS[:3])], ValueError, "sample_weight of batch 1 has shape"),
        ([(X[:0], Y[:0])], ValueError, "X of batch 0 has no rows"),
        ([(X * np.nan, Y)], ValueError, r"X of batch 0\[0, 0\] is nan"),
        ([X, X], TypeError, "y is missing"),
        (X, TypeError, "y is missing"),
        ([], TypeError, "y is missing"),
        (3, TypeError, "y is missing"),
    ],
)
def test_a_bad_batch_is_refused_by_its_number(batches, error, says):
    net = network()
    with pytest.raises(error, match=says):
        net.fit(batches, epochs=1, learning_rate=0.1)
    assert net.epochs == 0


def test_a_network_that_shall_standardize_needs_its_figures_before_batches():
    net = network(standardize=True)
    with pytest.raises(
        ValueError, match=r"standardize=True needs.*net.scaling = bpcore.Standardizer"
    ):
        net.fit(cut(X, Y), epochs=1, learning_rate=0.1)
    net.scaling = bpcore.Standardizer(X.mean(axis=0), 1 / X.std(axis=0))
    other = network(standardize=True)
    net.fit(cut(X, Y), epochs=2, learning_rate=0.1)
    other.fit(X, Y, epochs=2, batch_size=BATCH, shuffle=False, learning_rate=0.1)
    # The network rounds X to float32 before it looks for the mean, so that the last bits differ:
    # figures within 2**-24 of 45 numbers, x' then within some of its last places.
    assert net.scaling.shift == pytest.approx(other.scaling.shift, abs=2.0**-22)
    net.scaling = other.scaling
    net.parameters[...], net.epochs = network().parameters, 0
    net.fit(cut(X, Y), epochs=2, learning_rate=0.1)
    assert same_bits(net.parameters, other.parameters)


# ---- partial_fit ---------------------------------------------------------------------------------


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
def test_partial_fits_are_steps_in_the_order_in_which_they_come(dtype, how):
    how = {name: value for name, value in how.items() if name != "eval_set"}
    how["learning_rate"] = 0.1  # A schedule's epochs are the calls.
    one, other = network(dtype), network(dtype)
    losses = [one.partial_fit(*piece, **how).loss[0] for piece in cut(X, Y)]
    history = other.fit(cut(X, Y), epochs=1, **how)
    assert same_bits(one.parameters, other.parameters)
    assert history.loss[0] == pytest.approx(np.mean(losses), rel=1e-15)
    assert one.epochs == 5 and one._state.step == other._state.step == 5


def test_partial_fit_takes_the_settings_of_fit():
    one, other = network(), network()
    for shuffle, how in ((True, {"shuffle": True}), (False, {})):
        one.partial_fit(X, Y, epochs=3, batch_size=10, learning_rate=0.1, **how)
        other.fit(X, Y, epochs=3, batch_size=10, learning_rate=0.1, shuffle=shuffle)
        assert same_bits(one.parameters, other.parameters)
    with pytest.raises(TypeError, match="rate_of_learning"):
        one.partial_fit(X, Y, rate_of_learning=0.1)


# ---- Weights of batches --------------------------------------------------------------------------

SOME = np.where((np.arange(N) // 10 == 1) | (np.arange(N) >= 40), 0, WEIGHTS)  # Batches 1 and 4: 0.


@pytest.mark.parametrize("weights", [WEIGHTS, SOME], ids=["all", "some"])
@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
def test_weights_of_batches_are_those_of_an_array(dtype, how, weights):
    """Batches without weight are no steps, nor any whose losses an epoch's mean is of."""
    one, other, order = network(dtype), network(dtype), np.argsort(Y, kind="stable")
    x, y, how = X[order], Y[order], how | {"class_weight": {Y[order[0]]: 0.0, 1: 3.0}}
    expected = one.fit(x, y, epochs=3, batch_size=10, shuffle=False, sample_weight=weights, **how)
    assert figures(other.fit(cut(x, y, weights), epochs=3, **how)) == figures(expected)
    assert same_bits(one.parameters, other.parameters)
    heavy = [w[y != Y[order[0]]].any() for y, w in cut(y, weights)]
    assert one._state.step == other._state.step == 3 * sum(heavy) < 15


def test_an_epochs_loss_is_the_mean_of_the_batches_that_have_weight(dtype):
    """Nothing is learnt here: each batch's loss is net.loss, by definition."""
    net = network(dtype)
    weighted = [batch for batch in cut(X, Y, SOME) if batch[2].any()]
    of_batches = [net.loss(x, y, sample_weight=weights) for x, y, weights in weighted]
    pieces = [tuple(a[:20] for a in (X, Y, SOME)), tuple(a[20:] for a in (X, Y, SOME))]
    for batches, size in ((cut(X, Y, SOME), None), (pieces, 10)):
        loss = net.fit(batches, epochs=1, batch_size=size, learning_rate=0.0).loss[0]
        assert loss == pytest.approx(np.mean(of_batches), rel=1e-15)  # Three sums, in any order.


def test_batches_that_all_have_no_weight_change_nothing(dtype):
    net = network(dtype)
    net.fit(X, Y, epochs=2, optimizer="adam")
    before, state = net.parameters.copy(), net._state
    with pytest.raises(ValueError, match="the weights of all batches are zero: nothing would be"):
        net.fit(cut(X, Y, np.zeros(N)), epochs=2, learning_rate=0.3)
    assert same_bits(net.parameters, before) and net.epochs == 2 and net._state is state


@pytest.mark.parametrize("kind", ["array", "batches"])
def test_a_loss_that_is_not_finite_names_its_batch_among_those_without_weight(kind):
    """The weights are those after the batches before it."""
    net, twin = (bpcore.Network([4, 1], output="identity", dtype="float64", seed=0) for _ in "ab")
    y, how = np.where(np.arange(N) // 10 == 3, 1e200, 0.0), dict(epochs=1, learning_rate=0.1)
    with pytest.raises(FloatingPointError, match="not finite in epoch 0, batch 3; the weights"):
        if kind == "batches":
            net.fit(cut(X, y, SOME), **how)
        else:
            net.fit(X, y, batch_size=10, shuffle=False, sample_weight=SOME, **how)
    twin.fit(cut(X, y, SOME)[:3], **how)
    assert same_bits(net.parameters, twin.parameters)


def test_targets_out_of_reach_are_told_once_a_fit():
    net = bpcore.Network([4, 1], output="tanh", loss="mse", seed=1)
    far = [(X[:10], np.full(10, value)) for value in (0.5, 180.0, 170.0)]
    with pytest.warns(UserWarning) as said:
        net.fit(far, epochs=3, learning_rate=1e-6)
    assert [str(one.message)[:32] for one in said] == ["y of batch 1 has the value 180, "]
    with pytest.warns(UserWarning, match="y of batch 1 has the value 180"):  # Each fit has its own.
        net.fit(far, epochs=1, learning_rate=1e-6)
