"""What every input has to keep: the laws, and the measurements that judge them."""

import sys
import time
import traceback
import tracemalloc
from dataclasses import dataclass, field

SECONDS = 1.0  # The law's; a slow build is given more.
SPARE_BYTES = 64 << 20
TRIES = 2  # What is slow is slow each time.


@dataclass
class Target:
    """Code that takes what strangers give.

    ``run(data, folder)`` hands the bytes ``data`` to the code under test, and returns how many
    bytes its result has; ``folder`` is for files. ``change(random, data, other)`` makes a new input
    from two old ones, ``seeds()`` gives ``{name: input}`` to begin with. ``allowed`` are the
    exceptions by which the code may refuse an input; ``watched`` are the modules whose lines count
    as reached.
    """

    name: str
    run: callable
    change: callable
    seeds: callable
    allowed: tuple = (ValueError,)
    watched: list = field(default_factory=list)


def broken(target, data, folder, most_seconds=SECONDS):
    """The law that this input breaks, in words, or None."""
    said, seconds = _once(target, data, folder)
    if said is not None or seconds <= most_seconds:
        return said
    tracemalloc.stop()  # What watches an input slows it down: without it, its time is its own.
    trace = sys.gettrace()
    sys.settrace(None)
    seconds = min(_once(target, data, folder)[1] for _ in range(TRIES))
    tracemalloc.start()
    sys.settrace(trace)
    slow = f"TooSlow: {seconds:.1f} s, more than {most_seconds:g} s"
    return slow if seconds > most_seconds else None


def _once(target, data, folder):
    if tracemalloc.is_tracing():
        tracemalloc.reset_peak()
    before, started = tracemalloc.get_traced_memory()[0], _clocks()
    size, said, refused_memory = 0, None, False
    try:
        size = target.run(data, folder)
    except target.allowed as error:
        refused_memory = isinstance(error, MemoryError)  # NumPy counts what it did not get.
        said = None if str(error) else f"{type(error).__name__} without a word"
    except Exception as error:  # Any other one breaks the law that is tested here.
        said = f"{type(error).__name__}: {str(error)[:200]} at {_place(error)}"
    computed, passed = (now - then for now, then in zip(_clocks(), started, strict=True))
    used = tracemalloc.get_traced_memory()[1] - before
    most = 2 * max(len(data), size) + SPARE_BYTES
    if said is None and used > most and not refused_memory:
        said = f"TooLarge: {used >> 20} MB of memory for an input of {len(data)} bytes"
    return said, max(computed, passed)


def _clocks():
    """Seconds of computing, and seconds that passed while no other process had the processor."""
    try:
        with open("/proc/self/schedstat") as file:
            elsewhere = int(file.read().split()[1]) / 1e9
    except OSError:  # Not Linux: the clock alone.
        elsewhere = 0.0
    return time.process_time(), time.perf_counter() - elsewhere


def _place(error):
    """Where the exception was raised: the innermost line of the library, if there is one."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "bpcore" in frame.filename.replace("\\", "/").split("/")]
    frame = (ours or frames)[-1]
    return f"{frame.filename.replace(chr(92), '/').rsplit('/', 1)[-1]}:{frame.lineno}"
