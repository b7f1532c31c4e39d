"""Code that breaks one law each: what proves that the checks see it."""

import os
import sys
import time

from .laws import Target
from .mutate import change_bytes


def _other_exception(data, folder):
    raise KeyError("this is no ValueError")


def _silent(data, folder):
    raise ValueError


def _memory(data, folder):
    return len(bytearray(100 << 20)) * 0


def _beyond_memory(data, folder):
    return len(bytearray(1 << 50)) * 0


def _waits(data, folder):
    time.sleep(1.1)
    return 0


def _computes(data, folder):
    end = time.process_time() + 1.05
    while time.process_time() < end:
        pass
    return 0


def _crash(data, folder):
    os.abort()


def _rare(data, folder):
    """Chance alone has to find two bytes at once; who sees new lines finds one after the other."""
    if data[:1] == b"a":
        if data[1:2] == b"b":
            raise KeyError("found")
    return 0


HERE = sys.modules[__name__]
TARGETS = [
    Target(f"faulty{run.__name__}", run, change_bytes, lambda: {"seed": b"..."}, watched=[HERE])
    for run in (
        _other_exception,
        _silent,
        _memory,
        _beyond_memory,
        _waits,
        _computes,
        _crash,
        _rare,
    )
]
