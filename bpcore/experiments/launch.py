"""The ranks that an MPI launcher, such as mpiexec, has started the command on."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["World"]

# How many processes there are, in the words of MPICH and Intel MPI, Open MPI and Slurm's PMIx.
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")


def _is_launched() -> bool:
    """Has a launcher started several processes?"""
    sizes = [os.environ.get(name, "") for name in SIZES]
    if "PMIX_RANK" in os.environ:
        sizes.append(os.environ.get("SLURM_NTASKS", ""))
    return any(size.isdecimal() and int(size) > 1 for size in sizes)


def _nothing(*arguments: Any, **settings: Any) -> None:
    """What a rank does whose turn it is not."""


class World:
    """All processes of the command: one, or the ranks of a launcher.

    Attributes
    ----------
    comm : mpi4py.MPI.Comm or None
        None: there is one process.
    is_first : bool
        Whether this process prints and writes files.
    """

    def __init__(self) -> None:
        self.comm: Any = None
        if _is_launched():
            try:
                from mpi4py import MPI
            except (ImportError, RuntimeError) as error:  # The latter: there is no library.
                raise ImportError(
                    f"several processes were launched, but MPI is not there ({error}): "
                    "pip install mpi4py mpich"
                ) from None
            if MPI.COMM_WORLD.size > 1:
                self.comm = MPI.COMM_WORLD
        self.is_first: bool = self.comm is None or self.comm.rank == 0
        if not self.is_first:
            sys.stdout = open(os.devnull, "w")

    def load(self, function: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
        """function(...) on every rank, on the first before the others: it may fetch the data."""
        if self.comm is None:
            return function(*arguments, **settings)
        from .._training.ranks import Ranks

        ranks, data = Ranks(self.comm), None
        ranks.join()
        try:
            for mine in (self.is_first, not self.is_first):
                found = ranks.agree(function if mine else _nothing, *arguments, **settings)
                data = found if mine else data
        finally:
            ranks.close()
        return data

    def share(self, n: int) -> slice:
        """This rank's rows of n."""
        if self.comm is None:
            return slice(0, n)
        rank, size = self.comm.rank, self.comm.size
        return slice(n * rank // size, n * (rank + 1) // size)
