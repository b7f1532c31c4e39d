"""How many threads a call may use where nobody says."""

import functools
import os
import time

from . import check

VARIABLE = "BPCORE_NUM_THREADS"

# More than C ever uses.
MAX_THREADS = 2**31 - 1

# Fewer rows than this are predicted without a look at how many threads there are, where they are
# fewer multiply-adds, too, than C gives a second thread to (THREAD_WORK in csrc/linalg).
FEW_ROWS, FEW_MULTIPLY_ADDS = 64, 32_000_000


def count(n_threads=None, processes=1):
    """``n_threads`` if it is a number of threads, else the default.

    The default is BPCORE_NUM_THREADS, or the CPUs that this process may use: those of its affinity
    mask, and no more than its control group (a container's limit) pays for. So many processes that
    work together share them.
    """
    if n_threads is not None:
        return check.whole_number("n_threads", n_threads, 1)
    given = os.environ.get(VARIABLE)
    if given:
        if not given.isdecimal() or int(given) < 1:
            raise ValueError(f"{VARIABLE} is {given!r}, but a whole number above 0 is expected")
        return min(int(given), MAX_THREADS)
    return max(1, min(_affinity(), _quota_in(int(time.monotonic()))) // processes)


def few_rows(parameters):
    """The most rows that a network of so many parameters predicts without counting threads."""
    return min(FEW_ROWS, -(-FEW_MULTIPLY_ADDS // parameters)) - 1


def _affinity():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.lru_cache(maxsize=1)
def _quota_in(second):
    """``_quota()``, read once in each second of the clock.

    Its files take longer than a prediction of a row. They are read again because a limit may change
    while the process runs, as a container's does; the affinity, a system call, is always asked for.
    """
    return _quota()


def _quota(root="/sys/fs/cgroup", cgroup="/proc/self/cgroup"):
    """CPUs that the process's control group and those above it grant, rounded up."""
    limits = [float("inf")]
    text = _read(cgroup)
    for line in text.splitlines() if text else ():
        _, controllers, path = line.split(":", 2)
        if controllers == "":  # version 2
            top, files = os.fspath(root), ("cpu.max",)
        elif "cpu" in controllers.split(","):  # version 1
            top, files = os.path.join(root, "cpu"), ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        else:
            continue
        names = [name for name in path.split("/") if name]
        for depth in range(len(names) + 1):
            limits.append(_read_limit(os.path.join(top, *names[:depth]), files))
    return min(limits)


def _read_limit(folder, files):
    """Quota divided by period, rounded up; infinite where there is no limit."""
    texts = [_read(os.path.join(folder, file)) for file in files]
    try:
        quota, period = map(int, " ".join(texts).split())
    except (TypeError, ValueError):  # No such file, or the word "max".
        return float("inf")
    return -(-quota // period) if quota > 0 and period > 0 else float("inf")


def _read(path):
    """The file's text, or None. A group's name may be any bytes."""
    try:
        with open(path, "rb") as file:
            return os.fsdecode(file.read())
    except OSError:
        return None
