"""What gcov counted, with the instantiations of a template laid over each other.

A header that is included several times is compiled several times, and so is a function whose name a
macro makes. Each line of each function of each object is an *instantiation* of that line of the
text. A line is covered where one of them ran. Its branches are laid over each other in their order
where instantiations have equally many; where they differ, since the compiler saw other constants,
each kind is counted for itself, which can only make branches more.
"""

import json
import os
import shlex
import subprocess
from collections import defaultdict
from pathlib import Path


def gcov():
    return shlex.split(os.environ.get("GCOV") or "gcov")


def counted(notes):
    """The records of one .gcno file and its counters: gcov's ``files``."""
    command = [*gcov(), "--json-format", "--branch-probabilities", "--stdout", str(notes)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=notes.parent)
    return json.loads(done.stdout)["files"] if done.stdout else []


class Coverage:
    """Lines and branches of the files of one folder."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.lines = defaultdict(list)  # {(file, line): [count of an instantiation, ...]}
        self.branches = defaultdict(list)  # {(file, line, how many): [counts, ...]}

    def add(self, files):
        for file in files:
            path = Path(file["file"])
            if not path.is_relative_to(self.folder):
                continue
            name = path.relative_to(self.folder).as_posix()
            for line in file["lines"]:
                number = line["line_number"]
                self.lines[name, number].append(line["count"])
                branches = [branch["count"] for branch in line["branches"]]
                if branches:
                    self.branches[name, number, len(branches)].append(branches)

    def line_figures(self):
        """Lines that ran, and all; the same for their instantiations."""
        ran = sum(any(counts) for counts in self.lines.values())
        instances = [count > 0 for counts in self.lines.values() for count in counts]
        return ran, len(self.lines), sum(instances), len(instances)

    def taken(self):
        """{(file, line, how many): [was it taken in one instantiation, ...]}."""
        return {
            place: [any(counts) for counts in zip(*kinds, strict=True)]
            for place, kinds in self.branches.items()
        }

    def branch_figures(self):
        merged = [hit for hits in self.taken().values() for hit in hits]
        instances = [
            count > 0 for kinds in self.branches.values() for kind in kinds for count in kind
        ]
        return sum(merged), len(merged), sum(instances), len(instances)

    def gaps(self):
        """(file, line, what) for each line that did not run and each branch not taken."""
        for (name, number), counts in self.lines.items():
            if not any(counts):
                yield name, number, "never ran"
        for (name, number, many), hits in self.taken().items():
            missing = [str(index) for index, hit in enumerate(hits) if not hit]
            if missing and any(self.lines[name, number]):
                yield name, number, f"branch {', '.join(missing)} of {many} never taken"
