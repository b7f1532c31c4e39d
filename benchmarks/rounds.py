"""Workers for the systems, their checks, and samples in rounds."""

import statistics
import sys
import time
from dataclasses import asdict, dataclass, field

from worker import Worker

# How many trial samples decide between one thread and all of them.
TRIALS = 2


@dataclass
class Entry:
    """What became of one system on one job."""

    system: str
    threads: int
    samples: list = field(default_factory=list)
    refused: str | None = None
    other_loss: str | None = None
    check: float | None = None
    foreign: float = 0.0  # Cores that others took, on average, while this system was timed.

    @property
    def median(self):
        return statistics.median(self.samples) if self.samples else None

    def summary(self):
        result = asdict(self) | {"median": self.median}
        if len(self.samples) > 1:
            result["min"] = min(self.samples)
            result["quartiles"] = statistics.quantiles(self.samples, n=4, method="inclusive")
        return result


class Staff:
    """The workers, started when a job first needs them and kept for the next job."""

    def __init__(self):
        self.workers, self.missing, self.about = {}, {}, {}

    def hire(self, system, threads):
        """The worker of a system; None where it cannot start, with the reason in ``missing``."""
        key = system, threads
        if key not in self.workers and system not in self.missing:
            try:
                self.workers[key] = Worker(system, threads)
                self.about[system] = self.workers[key].about
            except RuntimeError as error:
                self.missing[system] = str(error)
        return self.workers.get(key)

    def close(self):
        for worker in self.workers.values():
            worker.close()


def say(text):
    print(text, file=sys.stderr, flush=True)


def enter(staff, job, system, threads):
    """Prepare and check a system; returns its entry, None where it does not do this job."""
    choices = {threads, 1} if job.small and system != "bpcore" else {threads}
    best, least = None, None
    for count in sorted(choices):
        worker = staff.hire(system, count)
        if worker is None:
            return None
        entry = prepare(worker, job)
        if entry is None or entry.refused or len(choices) == 1:
            return entry
        seconds = min(worker.sample() for _ in range(TRIALS))
        if least is None or seconds < least:
            best, least = entry, seconds
    return best


def prepare(worker, job):
    entry = Entry(worker.system, worker.threads)
    try:
        report = worker.ask("prepare", asdict(job))
    except RuntimeError as error:
        entry.refused = f"failed: {error}"
        return entry
    if report is None:
        return None
    entry.other_loss, entry.check = report["other_loss"], report["error"]
    if entry.check is not None and not entry.check < 1:  # Not a number is wrong, too.
        entry.refused = f"wrong: {entry.check:.3g} times as far from the oracle as is tolerated"
    return entry


def measure(staff, job, systems, threads, repeats, limits=None):
    """The entries of all systems that do the job, each with ``repeats`` samples.

    Each round visits every system once, beginning with another one; the machine's peak is part of
    the round, so that a change of clock meets all of them. A first round is not counted.
    """
    entries = []
    for system in systems:
        say(f"{job.key}: preparing {system}")
        entry = enter(staff, job, system, threads)
        if entry is not None:
            entries.append(entry)
            if entry.refused:
                say(f"{job.key}: {system} is refused: {entry.refused}")
    running = [entry for entry in entries if not entry.refused]
    for number in range(repeats + 1):
        say(f"{job.key}: round {number} of {repeats}")
        time.sleep(Worker.settle_seconds)
        if limits is not None:
            limits.measure()
        first = number % max(len(running), 1)
        for entry in running[first:] + running[:first]:
            worker = staff.hire(entry.system, entry.threads)
            try:
                seconds = worker.sample()
            except RuntimeError as error:
                entry.refused, entry.samples = f"failed: {error}", []
                continue
            if number == 0:
                worker.clock = worker.foreign = 0.0
            else:
                entry.samples.append(seconds)
                entry.foreign = worker.foreign / worker.clock
        running = [entry for entry in running if not entry.refused]
    return entries
