"""Ranks of a communicator: what they agree on, and how none waits for one that has failed.

A rank may fail at any time, and the others wait in the next message. So whatever a rank does alone
is followed by a word of each to all, and then all raise, or none. Ctrl-C is kept until then.
"""

import contextlib
import os
import pickle
import platform
import signal
import threading

import numpy as np

# What an mpi4py communicator has, and what is asked of it here.
NEEDED = ("rank", "size", "allgather", "Dup", "Free", "Isend", "Irecv", "Iallgather", "Ibcast")


class Ranks:
    """The processes of a training, in a communicator of their own, so that no message is mixed up.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm
        Or what has its methods.

    Attributes
    ----------
    rank, size : int
        As of the communicator.
    beside : int
        Ranks that share this one's CPUs, itself among them.
    """

    def __init__(self, comm):
        missing = [name for name in NEEDED if not hasattr(comm, name)]
        if missing:
            raise TypeError(
                f"comm is {type(comm).__name__} without {missing[0]}, but a communicator of mpi4py "
                "is expected, such as mpi4py.MPI.COMM_WORLD"
            )
        self.comm, self.rank, self.size = comm, comm.rank, comm.size
        self._vote, self._votes = np.zeros(1, np.int8), np.zeros(self.size, np.int8)
        self._request = self._error = self._interrupt = None

    def join(self):
        """Meet the other ranks, in a communicator of their own."""
        self.comm = self.comm.Dup()
        everyone = self.comm.allgather(_place())
        # Of this rank's CPUs: a launcher may bind each rank to some of its own.
        self.beside = everyone.count(everyone[self.rank])

    def close(self):
        """Give the communicator back."""
        self.comm.Free()

    # ---- Errors ----------------------------------------------------------------------------------

    def agree(self, function, *arguments, **settings):
        """function(...), or on all ranks the error that it is on one of them."""
        result = self._call(function, *arguments, **settings)
        self._raise_together()
        return result

    def attempt(self, function, *arguments, **settings):
        """function(...), whose error is kept until the ranks ``vote``; nothing after an error."""
        return None if self._error else self._call(function, *arguments, **settings)

    def _call(self, function, *arguments, **settings):
        try:
            return function(*arguments, **settings)
        except BaseException as error:
            self._error = self._error or error
            return None

    def start_vote(self):
        """Tell the other ranks whether all is well here, and go on without waiting for them."""
        self._vote[0] = self._error is not None or self._interrupt is not None
        self._request = self.comm.Iallgather(self._vote, self._votes)

    def end_vote(self):
        """Raise on every rank where one has failed."""
        self._request.Wait()
        if self._votes.any():
            self._raise_together()

    def _raise_together(self):
        if self._error is None and self._interrupt is not None:
            self._error, self._interrupt = self._interrupt(), None
        mine, self._error = self._error, None
        errors = self.comm.allgather(None if mine is None else _portable(mine))
        failed = [rank for rank, error in enumerate(errors) if error is not None]
        if mine is not None:
            raise mine
        if failed:
            raise _elsewhere(failed[0], errors[failed[0]])

    # ---- Arrays ----------------------------------------------------------------------------------

    def gather(self, mine, whole, counts):
        """Requests for whole := the arrays of all ranks, with so many elements, one after another.

        Messages from each to each: a few of them, one beside another, take an eighth of the time of
        as many Iallgatherv (MPICH 5, two ranks of a machine).
        """
        comm, ends, requests = self.comm, np.cumsum(counts), []
        for rank, (end, count) in enumerate(zip(ends.tolist(), counts, strict=True)):
            here = whole[end - count : end]
            if rank == self.rank:
                here[...] = mine
            elif count:
                requests.append(comm.Irecv(here, rank))
        if len(mine):
            others = (rank for rank in range(self.size) if rank != self.rank)
            requests += [comm.Isend(mine, rank) for rank in others]
        return requests

    # ---- Agreement -------------------------------------------------------------------------------

    def expect_same(self, settings):
        """ValueError on every rank where ``settings``, a dict, differ between ranks."""
        everyone = self.comm.allgather(settings)
        for name, first in everyone[0].items():
            for rank, others in enumerate(everyone):
                if others[name] != first:
                    raise ValueError(
                        f"{name} is {first} on rank 0, but {others[name]} on rank {rank}: all "
                        "ranks train one network, and give the same"
                    )

    # ---- Ctrl-C ----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def interrupts_kept(self):
        """Within, Ctrl-C waits for the next vote, and then ends the training of all ranks."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):  # Ctrl-C is ignored, or left to the system.
            yield
            return

        def keep(number, frame):
            def interrupt():
                try:
                    handler(number, frame)
                except BaseException as error:
                    return error
                return None

            self._interrupt = interrupt

        signal.signal(signal.SIGINT, keep)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, handler)
        if self._interrupt is not None:  # It came after the last vote, and is this rank's alone.
            error = self._interrupt()
            if error is not None:
                raise error


def _place():
    """The machine and the CPUs of this process."""
    cpus = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    return platform.node(), sorted(cpus)


def _portable(error):
    """An error that other ranks can be told: type and text, if not the object itself."""
    try:
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")


def _elsewhere(rank, error):
    """The error of another rank, as it is raised here, and known by its ``rank``."""
    try:
        raised = (
            error
            if isinstance(error, KeyboardInterrupt)
            else type(error)(f"on rank {rank}: {error}")
        )
    except Exception:
        raised = RuntimeError(f"on rank {rank}: {type(error).__name__}: {error}")
    raised.rank = rank
    return raised
