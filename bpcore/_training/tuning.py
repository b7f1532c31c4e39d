"""Which of several ways to compute is the fastest now: tried while a training runs.

No way changes a bit of a result, so a slice may be computed in any. What is the fastest depends on
what else the machine does: beside a busy program two threads can be slower than one, since a step
waits for the slower of them several times.
"""

import os
import time

from .. import _core

VARIABLE = "BPCORE_TUNING"

# Seconds of a trial: a few of the turns, of 3 ms, that Linux gives programs that share a core.
TRIAL_SECONDS = 0.01

# How often a look tries each way. The last time counts: the first meets cold caches, and a thread
# that has lost its helper may still share its core with whoever they had as a neighbour.
TIMES = 2

# When the first look at other ways comes, in seconds of training, and the next one after a change.
FIRST_LOOK = 0.1

# The share of time that looks may lose: one that tries a way half as fast loses 20 ms, and the next
# comes 2 s later; where both are alike, looks cost nothing and come often.
LOSS = 0.01
LONGEST_WAIT = 2.0

# A way that is faster by less is left alone: trials differ by as much. Beside one busy program, job
# A took 1.07, 1.00 and 1.03 of one thread's time with 1.05, 1.1 and 1.2, job D .98, 1.00 and 1.05.
GAIN = 1.1

# Slices that take so many times as long, or as short, as what was measured before call for a look:
# one busy program beside two threads on two cores makes steps 1.5 to 2 times as long.
CHANGE = 1.25

# Multiply-adds of a training step below which one thread is all that is tried: some 10
# microseconds, of which passing 15 times from one thread to all would take a third at best.
LEAST_STEP_WORK = 250_000


def is_on():
    """Whether BPCORE_TUNING leaves the choice to trials; raises ValueError for what is no word."""
    given = os.environ.get(VARIABLE) or "on"
    if given not in ("on", "off"):
        raise ValueError(f'{VARIABLE} is {given!r}, but "on" or "off" is expected')
    return given == "on"


def thread_counts(most):
    """Numbers of threads to choose from, in descending order: most, its half, ..., 1."""
    counts = [most]
    while counts[-1] > 1:
        counts.append((counts[-1] + 1) // 2)
    return counts


def ways_of(threads, step_work):
    """(numbers of threads to choose from, the usual one) for steps of so many multiply-adds."""
    if step_work < LEAST_STEP_WORK:
        return [1], 1
    counts = thread_counts(threads)
    return counts, counts[0] if step_work >= _core.STEP_WORK else 1


class Tuner:
    """Chooses the way of each slice by what slices before took.

    Parameters
    ----------
    ways : sequence
        What there is to choose from, each beside those that are most like it.
    usual
        The way to begin with; None: the first.
    clock : function
        Seconds of a clock.

    Attributes
    ----------
    best
        The way that slices are computed in, but for trials.
    seconds : dict
        How long each way has been used.
    """

    def __init__(self, ways, usual=None, clock=time.perf_counter):
        self.ways, self.clock = list(ways), clock
        self.best, self.seconds = self.ways[0] if usual is None else usual, {}
        self._rate = None  # Rows a second of the best way, as measured last.
        self._trials, self._tried = [], {}  # Ways that this look has still to try; rates of others.
        self._rows = self._elapsed = 0  # Of the measurement that goes on.
        self._lost = 0  # Seconds that trials of this look took longer than the best way would have.
        self._next_look = clock() + FIRST_LOOK

    def way(self):
        """(way, seconds): how to compute the next slice, and how long it should take; the seconds
        are None where it is no trial.
        """
        if len(self.ways) == 1:
            return self.best, None
        looks = self._rate is not None and not self._trials
        if looks and self.clock() >= self._next_look:
            self._trials, self._tried = self._neighbours(), {}
            self._rows = self._elapsed = self._lost = 0
        return (self._trials[0], TRIAL_SECONDS) if self._trials else (self.best, None)

    def took(self, way, rows, seconds):
        """A slice of so many rows, computed in this way, has taken so many seconds."""
        self.seconds[way] = self.seconds.get(way, 0) + seconds
        self._rows += rows
        self._elapsed += seconds
        if self._trials:
            self._lost += seconds - rows / self._rate
        # Short epochs are short slices: some make a measurement. A way that is twice as fast as the
        # best one needs half of a trial's time.
        if self._elapsed < (TRIAL_SECONDS / 2 if self._trials else TRIAL_SECONDS):
            return
        rate, self._rows, self._elapsed = self._rows / self._elapsed, 0, 0
        if self._trials:
            self._tried[self._trials.pop(0)] = rate
            if not self._trials:
                self._decide()
        else:
            self._notice(rate)

    def _notice(self, rate):
        """The best way's rate; where it has changed suddenly, the next look comes soon."""
        before, self._rate = self._rate, rate
        if before is not None and not before / CHANGE < rate < before * CHANGE:
            self._next_look = min(self._next_look, self.clock() + FIRST_LOOK)

    def _neighbours(self):
        """The ways beside the best one, each as often as it is tried."""
        at = self.ways.index(self.best)
        beside = self.ways[max(at - 1, 0) : at] + self.ways[at + 1 : at + 2]
        return [way for way in beside for _ in range(TIMES)]

    def _decide(self):
        """All trials of a look are done: the fastest way is the best one."""
        way = max(self._tried, key=self._tried.get)
        wait = min(max(self._lost / LOSS, FIRST_LOOK), LONGEST_WAIT)
        if self._tried[way] > GAIN * self._rate:
            self.best, self._rate, wait = way, self._tried[way], FIRST_LOOK
        self._next_look = self.clock() + wait
