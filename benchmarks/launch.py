"""Ranks of MPI: how they are launched, and how they take orders without using a core."""

import importlib.util
import shutil
import sys
import time
from itertools import chain
from pathlib import Path

POLL_SECONDS = 1e-3  # MPI waits by asking all the time, which would take a core from who is timed.


def mpiexec():
    """The launcher of this environment, or of the system; None where there is none."""
    beside = Path(sys.prefix) / "bin" / "mpiexec"
    return str(beside) if beside.exists() else shutil.which("mpiexec")


def missing():
    """Why no rank can be launched; None where they can."""
    if importlib.util.find_spec("mpi4py") is None:
        return "mpi4py is not installed"
    return "there is no mpiexec" if mpiexec() is None else None


def share(rows, rank, ranks):
    """The rows that are a rank's own."""
    return slice(rows * rank // ranks, rows * (rank + 1) // ranks)


def orders(lines, comm):
    """On every rank, the lines that rank 0 is given, until they end."""
    if comm.rank == 0:
        for line in chain(lines, [None]):
            for other in range(1, comm.size):
                comm.send(line, other)
            if line is not None:
                yield line
        return
    while True:
        while not comm.iprobe(0):
            time.sleep(POLL_SECONDS)
        line = comm.recv(source=0)
        if line is None:
            return
        yield line


def first_error(answer, comm):
    """On rank 0, its answer, or that of a rank with an error; None on the others."""
    answers = comm.gather(answer)
    return answers and next((each for each in answers if "error" in each), answer)
