"""Laws of several epochs in one call: they are the epochs that as many calls would have made."""

import copy

import numpy as np
import pytest

import bpcore
from bpcore import _core
from tests.bits import same_bits
from tests.core_network import FEW_PAIRS, Net
from tests.execution_modes import descend, entries_of


def data(rows=37, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((rows, 6)), rng.integers(3, size=rows)


def network(dtype="float32"):
    return bpcore.Network([6, 5, 3], hidden="tanh", output="softmax", dtype=dtype, seed=3)


# ---- In the core ---------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [None, 0, 1, 7, 20, 29, 30, 100])
@pytest.mark.parametrize("batch_rows", [1, 10, 29, 30])
def test_epochs_of_one_training_are_epochs_of_many(dtype, batch_rows, budget):
    """Whatever slices and blocks are cut at: within a batch, an epoch, at its end, behind it."""
    order = np.random.default_rng(0).permutation(29).astype(np.uintp)
    for i, (output, loss) in enumerate(FEW_PAIRS):
        net = Net([4, 3, 2], "tanh", output, loss, dtype, seed=i)
        X, Y = net.data(29)
        how = {"order": order if i % 2 else None}
        expected = net.train(X, Y, batch_rows, epochs=5, **how)
        for rows in (X, entries_of(X)):
            for packed in {0, int(batch_rows >= 29 and i % 2 == 0)}:
                for block_rows in (0, 1, 3, 64):
                    how |= dict(budget=budget, packed=packed, block_rows=block_rows)
                    found = descend(net, rows, Y, batch_rows, epochs=5, **how)
                    assert np.array_equal(found[0], expected[0]) and found[1] == expected[1]


def test_a_training_tells_how_far_it_has_come(dtype):
    net = Net([4, 2], None, "identity", "mse", dtype)
    X, Y = net.data(10)
    training, parameters, work = _core.Training(4, 0.1, 3), net.parameters.copy(), net.workspace(4)
    come, losses = [], []
    while training.epoch < 3:
        training.run(net.core, parameters, X, Y, None, 1, work)
        come.append((training.epoch, training.row, training.batches, len(training.losses)))
        losses = training.losses
    one = [(0, 4, 1, 0), (0, 8, 2, 0)]
    middle = [(1, 0, 0, 1), (1, 4, 1, 1), (1, 8, 2, 1), (2, 0, 0, 2), (2, 4, 1, 2), (2, 8, 2, 2)]
    assert come == [*one, *middle, (3, 10, 3, 3)]
    assert losses == net.train(X, Y, 4, rate=0.1, epochs=3)[1] and training.loss == losses[-1]
    training.run(net.core, parameters, X, Y, None, 99, work)  # All is done: no effect.
    assert training.losses == losses and training.epoch == 3
    assert same_bits(parameters, net.train(X, Y, 4, rate=0.1, epochs=3)[0])


def test_no_epochs_and_no_rows_are_no_work(dtype):
    net = Net([4, 2], None, "identity", "mse", dtype)
    parameters = net.parameters.copy()
    for rows, epochs in [(5, 0), (0, 3), (0, 0)]:
        training, (X, Y) = _core.Training(2, 0.1, epochs), net.data(rows)
        training.run(net.core, parameters, X, Y, None, 99, net.workspace(2))
        assert training.epoch == epochs and training.losses == [0.0] * epochs
    assert same_bits(parameters, net.parameters)


@pytest.mark.parametrize("epoch", [0, 2])
def test_a_bad_loss_ends_the_epoch_that_has_it(dtype, epoch):
    """The targets turn bad between slices; what was finished before stays."""
    net = Net([4, 2], None, "identity", "mse", dtype)
    X, Y = net.data(10)
    training, parameters, work = _core.Training(5, 0.1, 4), net.parameters.copy(), net.workspace(5)
    if epoch:
        training.run(net.core, parameters, X, Y, None, epoch * 10, work)
    bad = Y.copy()
    bad[8] = np.inf
    with pytest.raises(FloatingPointError):
        training.run(net.core, parameters, X, bad, None, 99, work)
    assert (training.epoch, training.row, training.batches) == (epoch, 5, 1)
    assert training.losses == net.train(X, Y, 5, rate=0.1, epochs=epoch)[1]


# ---- In fit --------------------------------------------------------------------------------------


BATCHES = [{}, {"batch_size": 8}, {"batch_size": 8, "shuffle": False}, {"batch_size": 1000}]


@pytest.mark.parametrize("how", BATCHES)
@pytest.mark.parametrize("sparse", [False, True])
def test_epochs_together_are_epochs_one_by_one_watched_or_not(dtype, sparse, how):
    """In one call, in several, with something to do after each epoch and with nothing."""
    X, y = data()
    X *= np.abs(X) > 0.8 if sparse else 1
    seen, how = [], dict(learning_rate=0.5, **how)
    net = network(dtype)
    losses = net.fit(X, y, epochs=6, **how).loss
    for calls, more in (
        ([1] * 6, {}),
        ([2, 0, 4], {}),
        ([6], {"progress": lambda history: seen.append(list(history.loss))}),
        ([6], {"eval_set": (X, y)}),
        ([6], {"n_threads": 3}),
    ):
        other = network(dtype)
        histories = [other.fit(X, y, epochs=epochs, **how, **more) for epochs in calls]
        assert [loss for history in histories for loss in history.loss] == losses
        assert same_bits(other.parameters, net.parameters) and other.epochs == 6
        if "eval_set" in more and how.get("batch_size", 1000) == 1000:
            # The loss after an epoch is the next one's.
            assert histories[0].eval_loss[:-1] == losses[1:]
    assert seen == [losses[: i + 1] for i in range(6)]
    less = network(dtype)
    less.fit(X, y, epochs=5, **how)
    assert not same_bits(less.parameters, net.parameters)


def test_an_error_counts_the_epochs_before_it_watched_or_not():
    """X grows by the rate's mistake: in some epoch, not the first one, the loss overflows."""
    (X, y), ends = data(), []
    for progress in (False, lambda history: None):
        net = bpcore.Network([6, 1], output="identity", dtype="float64", seed=0)
        twin = copy.deepcopy(net)
        with pytest.raises(FloatingPointError, match="not finite in epoch.*100") as told:
            net.fit(X, y, epochs=10_000, learning_rate=100.0, progress=progress)
        assert f"epoch {net.epochs}, batch 0" in str(told.value) and 10 < net.epochs < 10_000
        history = twin.fit(X, y, epochs=net.epochs, learning_rate=100.0)
        assert same_bits(twin.parameters, net.parameters) and len(history.loss) == net.epochs
        assert np.isfinite(history.loss).all() and np.isfinite(net.parameters).all()
        ends.append((str(told.value), net.parameters.tobytes()))
    assert ends[0] == ends[1]


def interrupt_after(monkeypatch, slices):
    """A list of the epochs that were done at the end of each slice; the last one meets Ctrl-C."""
    done = []

    class Interrupted(_core.Training):
        def run(self, *data, **how):
            super().run(*data, **how)
            done.append(self.epoch)
            if len(done) == slices:
                raise KeyboardInterrupt

    monkeypatch.setattr(_core, "Training", Interrupted)
    return done


def test_an_interrupt_between_slices_counts_the_epochs_before_it(monkeypatch):
    """Ctrl-C arrives when a slice has ended, at the first chance that Python has."""
    (X, y), net, twin = data(), network(), network()
    done = interrupt_after(monkeypatch, 4)
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, y, epochs=10**5, learning_rate=0.5)
    monkeypatch.undo()
    twin.fit(X, y, epochs=done[-1], learning_rate=0.5)
    assert same_bits(net.parameters, twin.parameters)
    assert net.epochs == done[-1] == twin.epochs


@pytest.mark.parametrize("how", [{}, {"batch_size": 8}, {"batch_size": 8, "shuffle": False}])
def test_so_many_epochs_that_they_never_end_can_be_begun(monkeypatch, how):
    """Until Ctrl-C: nothing is laid out for epochs that will not come."""
    interrupt_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        network().fit(*data(), epochs=10**15, learning_rate=0.5, **how)
