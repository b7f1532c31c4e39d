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
    net = Network.load(args.model)
    options = {"name": args.name, "check": _rows(args.check), "placement": args.placement}
    if args.int8 is None:
        net.export(args.out, batch=args.batch, **options)
    else:
        if not args.out.lower().endswith(".c") or args.batch:
            raise ValueError("--int8 writes a .c file of one row at a time: leave --batch out")
        given = {name: value for name, value in options.items() if value is not None}
        net.quantize(_rows(args.int8)).export(args.out, **given)
    for path in [args.out] + [os.path.splitext(args.out)[0] + ".h"] * args.out.lower().endswith(
        ".c"
    ):
        print(f"{path}: {os.path.getsize(path):,} bytes")


def _rows(path):
    """The rows in a file, or None where there is no path."""
    if path is None:
        return None
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} holds no array: {error}") from None
