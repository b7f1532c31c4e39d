"""Laws of tuning: a training finds the fastest way, loses little by looking, and no bit by it.

The machine of the first laws is simulated: rates of the ways, by the clock that the tuner reads.
"""

import itertools

import numpy as np
import pytest

import bpcore
from bpcore import _core
from bpcore._core.slices import SLICE_SECONDS
from bpcore._training import packed_data, tuning
from bpcore._training.tuning import Tuner, thread_counts

ALONE = {2: 100.0, 1: 60.0}  # Rows a second.
BESIDE_ONE = {2: 45.0, 1: 60.0}


class Machine:
    """A training of slices, as PackedData makes them; ``rates(now)`` gives rows a second."""

    def __init__(self, rates, ways=(2, 1), usual=None):
        self.now, self.rates, self.used = 0.0, rates, []
        self.tuner = Tuner(ways, usual, clock=lambda: self.now)

    def train_until(self, end, slice_seconds=SLICE_SECONDS):
        """Rows that were done."""
        done = 0.0
        while self.now < end:
            way, trial = self.tuner.way()
            rate = self.rates(self.now)
            fastest = rate[self.tuner.best]  # A slice's rows are those of the best way's seconds.
            rows = fastest * (slice_seconds if trial is None else trial)
            self.now += rows / rate[way]
            self.tuner.took(way, rows, rows / rate[way])
            self.used.append(way)
            done += rows
        return done


def test_thread_counts_go_from_all_to_one():
    assert [thread_counts(n) for n in (1, 2, 3, 8, 12)] == [
        [1], [2, 1], [3, 2, 1], [8, 4, 2, 1], [12, 6, 3, 2, 1],
    ]  # fmt: skip


def test_short_steps_begin_on_one_thread_and_the_shortest_stay_there():
    least, usual = tuning.LEAST_STEP_WORK, _core.STEP_WORK
    for work, ways in (
        (0, ([1], 1)), (least - 1, ([1], 1)), (least, ([8, 4, 2, 1], 1)),
        (usual - 1, ([8, 4, 2, 1], 1)), (usual, ([8, 4, 2, 1], 8)),
    ):  # fmt: skip
        assert tuning.ways_of(8, work) == ways


def test_a_step_has_the_multiply_adds_of_its_products():
    core = bpcore.Network([784, 100, 10], seed=0)._core
    dense = 3 * 200 * (784 * 100 + 100 + 100 * 10 + 10)
    assert core.step_work(1000, 0, 200) == dense
    assert core.step_work(1000, 150_000, 200) == dense - 3 * 200 * 100 * (784 - 151)
    assert core.step_work(1000, 1000 * 784, 200) == dense


def test_threads_that_make_short_steps_faster_are_found():
    machine = Machine(lambda now: ALONE, usual=1)
    machine.train_until(1.0)
    assert machine.used[0] == 1 and machine.tuner.best == 2


@pytest.mark.parametrize("slice_seconds", [SLICE_SECONDS, 0.001])
def test_looking_costs_at_most_two_per_cent_of_a_second(slice_seconds):
    machine = Machine(lambda now: ALONE)
    done = machine.train_until(1.0, slice_seconds)
    assert 1 in machine.used and machine.tuner.best == 2
    assert done > 0.98 * ALONE[2] * machine.now


def test_short_fits_try_nothing():
    machine = Machine(lambda now: ALONE)
    machine.train_until(0.09)
    assert set(machine.used) == {2}


def test_a_neighbour_that_comes_is_noticed_and_one_that_goes():
    machine = Machine(lambda now: BESIDE_ONE if 10 < now < 20 else ALONE)
    for end, best in ((10, 2), (11, 1), (20, 1), (25, 2)):
        machine.train_until(end)
        assert machine.tuner.best == best, machine.now


def test_all_of_ten_seconds_beside_a_neighbour_are_near_the_fastest_way():
    machine = Machine(lambda now: BESIDE_ONE)
    assert machine.train_until(10.0) > 0.97 * BESIDE_ONE[1] * machine.now


def test_the_fastest_of_many_ways_is_reached_step_by_step():
    machine = Machine(lambda now: {8: 1.0, 4: 2.0, 2: 3.0, 1: 2.5}, ways=(8, 4, 2, 1))
    machine.train_until(5)
    assert machine.tuner.best == 2
    assert sum(machine.tuner.seconds.values()) == pytest.approx(machine.now)


def test_a_way_that_is_hardly_faster_is_left_alone():
    machine = Machine(lambda now: {2: 100.0, 1: 104.0})
    machine.train_until(10)
    assert machine.tuner.best == 2


# ---- Bits ----------------------------------------------------------------------------------------


def restless(monkeypatch):
    """Ways change with every slice, and slices are of all lengths."""
    lengths, found = itertools.cycle([1, 7, 2, 40, 13]), []

    def way(tuner):
        found.append(tuner.ways[len(found) % len(tuner.ways)])
        return found[-1], next(lengths) / 1000

    monkeypatch.setattr(tuning, "LEAST_STEP_WORK", 0)
    monkeypatch.setattr(Tuner, "way", way)
    monkeypatch.setattr(packed_data.AdaptiveSlice, "rows_in", lambda _, s: round(s * 1000))
    return found


FITS = [
    dict(learning_rate=0.1),
    dict(learning_rate=0.1, batch_size=16),
    dict(optimizer="adam", batch_size=16, dropout=0.2, l2=1e-3, clip_norm=1.0),
    dict(optimizer="rmsprop", max_norm=1.0),
]


@pytest.mark.parametrize("how", FITS, ids=str)
@pytest.mark.parametrize("density", [1.0, 0.2])
def test_jumping_between_ways_at_every_slice_changes_no_bit(
    monkeypatch, calls_are_shared, dtype, density, how
):
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((100, 30)) * (rng.random((100, 30)) < density)).astype(dtype)
    y = np.arange(100) % 3

    def trained():
        net = bpcore.Network([30, 20, 3], hidden="tanh", output="softmax", seed=1, dtype=dtype.name)
        history = net.fit(X, y, epochs=4, n_threads=7, **how)
        return net.parameters, history

    usual, history = trained()
    monkeypatch.setenv(tuning.VARIABLE, "off")
    shared, seven = trained()
    monkeypatch.delenv(tuning.VARIABLE)
    used = restless(monkeypatch)
    other, others = trained()
    assert np.array_equal(usual, shared) and history.loss == seven.loss
    assert np.array_equal(usual, other) and history.loss == others.loss
    assert set(used) == {7, 4, 2, 1}
    assert list(history.execution["threads"]) == [1] and len(others.execution["threads"]) == 4


# ---- Settings ------------------------------------------------------------------------------------


def fitted(**how):
    net = bpcore.Network([2, 1], seed=0)
    return net.fit(np.ones((4, 2)), np.ones(4), epochs=2, learning_rate=0.1, **how)


def test_the_variable_fixes_the_number_of_threads(monkeypatch):
    monkeypatch.setattr(tuning, "FIRST_LOOK", 0.0)
    X, y = np.ones((4000, 50)), np.ones(4000)
    found = {}
    for word in ("on", "off", ""):
        monkeypatch.setenv(tuning.VARIABLE, word)
        net = bpcore.Network([50, 100, 1], seed=0)
        history = net.fit(X, y, epochs=150, learning_rate=0.1, n_threads=2)
        found[word] = set(history.execution["threads"])
    assert found == {"on": {2, 1}, "off": {2}, "": {2, 1}}


def test_another_word_is_refused_before_anything_changes(monkeypatch):
    monkeypatch.setenv(tuning.VARIABLE, "sometimes")
    net = bpcore.Network([2, 1], seed=0)
    before = net.parameters.copy()
    with pytest.raises(ValueError, match='BPCORE_TUNING is \'sometimes\', but "on" or "off"'):
        net.fit(np.ones((4, 2)), np.ones(4), epochs=2, learning_rate=0.1)
    assert np.array_equal(net.parameters, before) and net.epochs == 0


def test_the_history_tells_the_threads_and_nothing_where_there_was_no_choice():
    assert list(fitted(n_threads=1).execution["threads"]) == [1]
    assert fitted(n_threads=2).execution["threads"][1] > 0
    assert bpcore.History().execution == {}
    net = bpcore.Network([2, 1], seed=0)
    how = {"epochs": 2, "optimizer": "lbfgs"}
    assert net.fit(np.ones((4, 2)), np.ones(4), **how).execution == {}
