"""What ``bpcore export`` does."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from ..network import Network

if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["run"]


def run(args: Namespace) -> None:
    """Read the network and the rows, and write the program."""
    net, is_c = Network.load(args.model), args.out.lower().endswith(".c")
    options = {"name": args.name, "check": _rows(args.check), "placement": args.placement}
    if args.int8 is None:
        net.export(args.out, batch=args.batch, **options)
    elif args.batch:
        raise ValueError("--int8 writes a function of one row at a time: leave --batch out")
    else:
        net.quantize(_rows(args.int8)).export(args.out, **options)
    for path in (args.out, f"{os.path.splitext(args.out)[0]}.h")[: 1 + is_c]:
        print(f"{path}: {os.path.getsize(path):,} bytes")


def _rows(path):
    """The rows in a file, or None where there is no path."""
    if path is None:
        return None
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} holds no array: {error}") from None
    if not isinstance(array, np.ndarray):
        array.close()
        raise ValueError(f"{path} holds several arrays, but an .npy file of one is expected")
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{path} holds {array.dtype}, but numbers are expected")
    return array
