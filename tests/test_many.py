"""fit_many: each network ends with the bits of its own fit, whatever happens to the others."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import bpcore
from bpcore import EarlyStopping, _fit_many, fit_many, per_network
from bpcore._core import slices
from bpcore._solvers import levenberg_marquardt
from bpcore._training.fit import fit_rows
from tests.bits import same_bits

N = 60
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(N, 4)), RNG.integers(3, size=N)
EVAL = RNG.normal(size=(20, 4)), RNG.integers(3, size=20)
HOW = dict(epochs=5, batch_size=8, learning_rate=0.2)


def networks(count=5, dtype="float32", **settings):
    return [
        bpcore.Network([4, 6, 3], hidden="tanh", output="softmax", seed=i, dtype=dtype, **settings)
        for i in range(count)
    ]


def figures(history):
    kept = ("loss", "penalty", "learning_rate", "eval_loss", "eval_accuracy", "best_epoch")
    return [getattr(history, name) for name in kept]


def assert_alike(together, histories, alone, expected):
    for one, history, other, same in zip(together, histories, alone, expected, strict=True):
        assert same_bits(one.parameters, other.parameters)
        assert figures(history) == figures(same) and one.epochs == other.epochs


# ---- Each is as alone ----------------------------------------------------------------------------


@pytest.mark.parametrize("n_threads", [None, 1, 2, 7])
@pytest.mark.parametrize(
    "how",
    [
        {},
        dict(batch_size=None),
        dict(optimizer="adam", dropout=0.3, l2=0.1, learning_rate=0.01),
        dict(optimizer="rprop", batch_size=None, sample_weight=RNG.random(N)),
        dict(eval_set=EVAL, class_weight="balanced"),
        dict(eval_set=0.2, early_stopping=1, learning_rate=3.0, epochs=30),
        dict(order=RNG.permutation(N)),
        dict(learning_rate=bpcore.schedules.Adaptive(0.2, patience=1, tolerance=9.0)),
    ],
    ids=lambda how: "-".join(how) or "plain",
)
def test_every_network_has_the_bits_of_its_own_fit(dtype, how, n_threads):
    together, alone = networks(dtype=dtype), networks(dtype=dtype)
    histories = fit_many(together, X, Y, n_threads=n_threads, **{**HOW, **how})
    assert_alike(together, histories, alone, [net.fit(X, Y, **{**HOW, **how}) for net in alone])


@pytest.mark.parametrize("kind", ["dense", "list", "csr", "csc"])
def test_rows_are_the_folds(kind):
    folds = [np.flatnonzero(np.arange(N) % 5 != i) for i in range(5)]
    weights = RNG.random(N)
    thin, given = np.where(RNG.random(X.shape) < 0.4, X, 0), None
    if kind in ("csr", "csc"):
        given = getattr(pytest.importorskip("scipy.sparse"), f"{kind}_array")(thin)
    given = {"dense": thin, "list": thin.tolist()}.get(kind, given)
    together, alone = networks(standardize=kind == "dense"), networks(standardize=kind == "dense")
    histories = fit_many(together, given, Y, rows=folds, sample_weight=weights, **HOW)
    expected = [
        net.fit(thin[rows], Y[rows], sample_weight=weights[rows], **HOW)
        for net, rows in zip(alone, folds, strict=True)
    ]
    assert_alike(together, histories, alone, expected)


def test_each_gives_every_network_a_value_of_its_own():
    rates, optimizers = [0.1, 0.2, 0.3, 0.4, 0.5], ["sgd", "momentum", "adam", "rprop", "sgd"]
    data = [X + i for i in range(5)]
    together, alone = networks(), networks()
    how = dict(epochs=3, batch_size=8)
    own = dict(learning_rate=per_network(rates), optimizer=per_network(iter(optimizers)))
    histories = fit_many(together, per_network(data), per_network([Y] * 5), **own, **how)
    expected = [
        net.fit(data[i], Y, learning_rate=rates[i], optimizer=optimizers[i], **how)
        for i, net in enumerate(alone)
    ]
    assert_alike(together, histories, alone, expected)
    assert repr(per_network([0.1])) == "per_network([0.1])"


@pytest.mark.parametrize(
    "given",
    [
        lambda stop, meet: dict(early_stopping=stop, callbacks=meet),
        lambda stop, meet: dict(callbacks=[stop, meet]),
        lambda stop, meet: dict(callbacks=(meet, stop)),
    ],
)
def test_an_early_stopping_for_all_is_one_for_each(given):
    """All networks do their first three epochs side by side; then each stops when it has to."""
    met = threading.Barrier(4, timeout=30)

    def meet(net, history):
        if len(history.loss) <= 3:
            met.wait()

    how = dict(epochs=40, learning_rate=3.0, eval_set=EVAL)
    together, alone = networks(4), networks(4)
    histories = fit_many(together, X, Y, n_threads=4, **given(EarlyStopping(2), meet), **how)
    expected = [net.fit(X, Y, early_stopping=EarlyStopping(2), **how) for net in alone]
    assert_alike(together, histories, alone, expected)
    assert len({len(history.loss) for history in histories}) > 1


def test_ctrl_c_while_networks_are_handed_out_ends_those_that_train(monkeypatch):
    """It comes when the second one is handed out; the first one would train for hours."""
    begun, submit = threading.Event(), ThreadPoolExecutor.submit
    handed_out = []

    def hand_out(pool, *work):
        if handed_out:
            assert begun.wait(30)
            raise KeyboardInterrupt
        handed_out.append(work)
        return submit(pool, *work)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", hand_out)
    how = HOW | {"epochs": 10**9}
    with pytest.raises(KeyboardInterrupt):
        fit_many(networks(2), X, Y, n_threads=2, callbacks=lambda net, history: begun.set(), **how)


@pytest.mark.parametrize("granted", [0, 1, 2])
def test_networks_train_in_as_many_threads_as_the_system_grants(monkeypatch, granted):
    """Without any, in the one that asks; an error there names its network, too."""
    start, begun = threading.Thread.start, []

    def limited(thread):
        if len(begun) == granted:
            raise RuntimeError("can't start new thread")
        begun.append(thread)
        start(thread)

    together, alone, bad = networks(), networks(), networks()
    expected = [net.fit(X, Y, **HOW) for net in alone]
    monkeypatch.setattr(threading.Thread, "start", limited)
    assert_alike(together, fit_many(together, X, Y, n_threads=4, **HOW), alone, expected)
    assert len(begun) == granted
    begun.clear()
    with pytest.raises(ValueError, match="dropout is 2") as raised:
        fit_many(bad, X, Y, n_threads=4, dropout=per_network([0, 2, 0, 0, 0]), **HOW)
    assert raised.value.__notes__ == ["in network 1 of fit_many"]
    assert [net.epochs for net in bad] == [5, 0, 5, 5, 5]


class SetAfter:
    """An event that is set after so many looks at it."""

    def __init__(self, count):
        self.count, self.looks = count, 0

    def is_set(self):
        self.looks += 1
        return self.looks > self.count


@pytest.mark.parametrize("optimizer", ["lbfgs", "levenberg_marquardt"])
def test_ctrl_c_ends_an_evaluation_over_all_rows(monkeypatch, optimizer):
    """The event that tells of it is set in the middle: between two blocks, or slices, of rows."""
    many, targets = np.tile(X, (100, 1)), np.tile(Y[:, None], (100, 1))
    net, event = bpcore.Network([4, 200, 1], output="identity", seed=0), SetAfter(3)
    monkeypatch.setattr(slices, "SLICE_WORK", 1)
    monkeypatch.setattr(levenberg_marquardt, "BLOCK_WORK", 1)
    before = net.parameters.copy()
    settings = {**_fit_many._defaults(), "epochs": 9, "optimizer": optimizer, "n_threads": 1}
    with pytest.raises(KeyboardInterrupt):
        fit_rows(net, many, targets, **settings, interrupt=event)
    assert event.looks == 4 and same_bits(net.parameters, before)


def test_ctrl_c_ends_an_evaluation_of_other_rows(monkeypatch):
    net, event = bpcore.Network([4, 200, 3], output="softmax", seed=0), SetAfter(5)
    monkeypatch.setattr(slices, "SLICE_WORK", 1)
    many = np.tile(EVAL[0], (500, 1)), np.tile(EVAL[1], 500)
    settings = {**_fit_many._defaults(), **HOW, "epochs": 1, "n_threads": 1, "batch_size": N}
    with pytest.raises(KeyboardInterrupt):
        fit_rows(net, X, Y, **settings | {"eval_set": many}, interrupt=event)
    assert event.looks == 6 and net.epochs == 1


def test_no_networks_are_no_work():
    assert fit_many([], X, Y, **HOW) == []


# ---- Errors --------------------------------------------------------------------------------------


def boom(net, history):
    raise RuntimeError("of its own")


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        (
            dict(learning_rate=per_network([0.2, np.nan, 0.2, 0.2])),
            ValueError,
            "learning_rate is nan",
        ),
        (dict(optimizer=per_network(["sgd", 3, "sgd", "sgd"])), ValueError, "optimizer is 3"),
        (dict(dropout=per_network([0, "a", 0, 0])), TypeError, "dropout is 'a'"),
        (dict(callbacks=per_network([(), boom, (), ()])), RuntimeError, "of its own"),
        (dict(learning_rate=per_network([0.2, 1e38, 0.2, 0.2])), FloatingPointError, "not finite"),
    ],
)
def test_an_error_names_its_network_and_the_others_finish(settings, error, says):
    together, alone = networks(4), networks(4)
    with pytest.raises(error, match=says) as raised:
        fit_many(together, X, Y, n_threads=2, **{**HOW, **settings})
    assert raised.value.__notes__ == ["in network 1 of fit_many"]
    for i in (0, 2, 3):
        alone[i].fit(X, Y, **HOW)
        assert same_bits(together[i].parameters, alone[i].parameters)
        assert together[i].epochs == 5


def test_what_cannot_be_begun_is_refused_before_anything_changes():
    nets, folds = networks(3), [np.arange(30)] * 3
    before = [net.parameters.copy() for net in nets]
    for given, settings, error, says in [
        ([nets[0], nets[1], nets[0]], {}, ValueError, "networks holds a network twice"),
        (nets, dict(rows=folds[:2]), ValueError, "rows has 2 entries for 3 networks"),
        (
            nets,
            dict(learning_rate=per_network([1, 2])),
            ValueError,
            "learning_rate has 2 values for 3",
        ),
        (nets, dict(rows=[*folds[:2], [N]]), ValueError, r"rows\[2\] names no rows"),
        (nets, dict(rows=[*folds[:2], [0.5]]), ValueError, r"rows\[2\] is \[0.5\], but the"),
        (nets, dict(rows=[*folds[:2], np.ones(9, bool)]), ValueError, r"rows\[2\] names no rows"),
        (nets, dict(n_threads=0), ValueError, "n_threads is 0"),
        (nets, dict(lr=0.1), TypeError, r"fit_many\(\) got .*'lr'. Did you mean 'learning_rate'"),
        ([*nets, 3], {}, TypeError, "networks has 3"),
    ]:
        with pytest.raises(error, match=says):
            fit_many(given, X, Y, **{**HOW, **settings})
    with pytest.raises(ValueError, match="X has 2 values for 3 networks"):
        fit_many(nets, per_network([X, X]), Y, **HOW)
    with pytest.raises(TypeError, match="epochs"):
        fit_many(nets, X, Y, learning_rate=0.1)
    for net, parameters in zip(nets, before, strict=True):
        assert same_bits(net.parameters, parameters) and net.epochs == 0


@pytest.mark.parametrize("wrong", [3, [[1, 2], [3, 4]], "ab", ["a"], [[1], [2, 3]], [None], None])
@pytest.mark.parametrize("kind", ["array", "frame", "sparse"])
def test_rows_that_are_none_are_refused_by_their_own_name(wrong, kind):
    data, nets = X, networks(2)
    if kind == "frame":
        data = pytest.importorskip("pandas", reason="pandas is not installed").DataFrame(X)
    if kind == "sparse":
        data = pytest.importorskip("scipy.sparse", reason="SciPy is not installed").csr_array(X)
    with pytest.raises((TypeError, ValueError), match=r"^rows\[1\] "):
        fit_many(nets, data, Y, rows=[range(9), wrong], **HOW)
    assert [net.epochs for net in nets] == [0, 0]


@pytest.mark.parametrize(
    "given",
    [
        *([0, 2, 5], (0, 2, 5), range(0, 6, 2), slice(0, 6, 2), [-1, 3]),
        np.isin(np.arange(N), [0, 2, 4]),
        RNG.integers(N, size=N),  # A bootstrap sample.
    ],
)
def test_rows_are_those_that_numpy_takes(given):
    index = given if isinstance(given, slice) else np.array(given)
    weights, together, alone = RNG.random(N), networks(2), networks(2)
    histories = fit_many(together, X, Y, rows=[given, range(N)], sample_weight=weights, **HOW)
    expected = [
        net.fit(X[rows], Y[rows], sample_weight=weights[rows], **HOW)
        for net, rows in zip(alone, (index, slice(None)), strict=True)
    ]
    assert_alike(together, histories, alone, expected)
