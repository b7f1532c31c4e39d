"""One process that tries inputs; whoever started it sees it crash, and has the input."""

import faulthandler
import json
import os
import random
import re
import signal
import sys
import time
import tracemalloc
import warnings
from pathlib import Path

from .laws import SECONDS, broken

SPARE_ADDRESSES = 3 << 30  # Beyond this there is no memory: it is refused, not taken.
HANG_SECONDS = 120
MOST_BYTES = 1 << 16  # of inputs that are changed further: small ones are quick.
BEATS = 100  # Executions between two lines that say how many there were.


class Lines:
    """Which lines of some modules have been reached."""

    def __init__(self, modules):
        self.files = {module.__file__ for module in modules}
        self.seen, self.fresh = set(), False

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self._enter)
        return self

    def __exit__(self, *exception):
        sys.settrace(self.before)

    def _enter(self, frame, event, argument):
        return self._line if frame.f_code.co_filename in self.files else None

    def _line(self, frame, event, argument):
        if event == "line":
            place = frame.f_code, frame.f_lineno
            if place not in self.seen:
                self.seen.add(place)
                self.fresh = True
        return self._line


class Worker:
    """Tries one input after the other, and keeps those that reach new lines."""

    def __init__(self, target, folder, say, most_seconds=SECONDS):
        self.target, self.folder, self.say = target, Path(folder), say
        self.most_seconds = most_seconds
        self.lines, self.pool = Lines(target.watched), []
        self.executions, self.found = 0, set()

    def attempt(self, data):
        """Try one input; whether it reached new lines."""
        (self.folder / "current").write_bytes(data)
        if hasattr(signal, "alarm"):
            signal.alarm(HANG_SECONDS)
        self.lines.fresh = False
        with self.lines:
            said = broken(self.target, data, self.folder, self.most_seconds)
        if hasattr(signal, "alarm"):
            signal.alarm(0)
        self.executions += 1
        kind = said and re.sub(r"\d+", "", said)[:80]
        if said is not None and kind not in self.found:
            self.found.add(kind)
            self.say({"finding": said, "input": data.hex()})
        if self.executions % BEATS == 0:
            self.beat()
        return self.lines.fresh

    def beat(self):
        self.say({"executions": self.executions, "lines": len(self.lines.seen)})

    def replay(self, inputs, run):
        """Begin with these inputs; run: try each of them."""
        for data in inputs:
            if len(data) <= MOST_BYTES:
                self.pool.append(data)
            if run:
                self.attempt(data)

    def explore(self, seed, seconds, executions):
        """Change inputs until time or the number of executions is over."""
        dice, end = random.Random(seed), time.monotonic() + seconds
        while time.monotonic() < end and executions > 0:
            data = self.target.change(dice, dice.choice(self.pool), dice.choice(self.pool))
            if self.attempt(data) and len(data) <= MOST_BYTES:
                self.pool.append(data)
            executions -= 1


def limit_memory():
    """Let allocations fail that no law allows, before they harm the machine."""
    try:
        import resource
    except ImportError:  # Windows; there tracemalloc alone counts.
        return
    try:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:  # Not Linux: no one tells how many addresses are taken.
        return
    resource.setrlimit(resource.RLIMIT_AS, (used + SPARE_ADDRESSES,) * 2)


def say(line):
    print(json.dumps(line), flush=True)


def main(target, folder, inputs, settings):
    """Try ``inputs`` (where settings["replay"]) and changed ones; tell in lines of JSON."""
    faulthandler.enable()
    warnings.simplefilter("error")
    os.environ["BPCORE_NUM_THREADS"] = "1"
    worker = Worker(target, folder, say, settings["most_seconds"])
    limit_memory()
    tracemalloc.start()
    worker.replay(inputs, settings["replay"])
    worker.beat()
    worker.explore(settings["seed"], settings["seconds"], settings["executions"])
    worker.beat()
