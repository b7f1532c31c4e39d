"""The core on compilers and machines that it was not written on.

    python tools/portability.py             every machine below, and a table
    python tools/portability.py windows     one of them

Law: the whole core compiles without a warning, the C driver finds nothing wrong, and every result
with fused multiply-add has the bits that it has on this machine.
"""

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import wasm
from driver import ROOT, WARNINGS, Broken, Missing, compile_driver, tool
from driver import results as results_of

WINE = "/usr/lib/wine/wine64"  # Where Debian keeps it, off the path.


@dataclass(frozen=True)
class Machine:
    """How to compile for it, how to run what was compiled, and which package brings each."""

    compiler: tuple
    packages: tuple
    runner: tuple = ()
    flags: tuple = ("-pthread",)
    fused: bool = True  # Has the generic table fused multiply-add?
    isas: frozenset = frozenset()  # Which tables it has to have besides, where that is known.


STATIC = ("-pthread", "-static")
SSE = ("-msse2", "-mfpmath=sse")

MACHINES = {
    "gcc": Machine(("gcc",), ("gcc",)),
    "gcc-O0": Machine(("gcc",), ("gcc",), flags=("-pthread", "-O0")),
    "gcc-O3": Machine(("gcc",), ("gcc",), flags=("-pthread", "-O3")),
    "clang": Machine(("clang",), ("clang",)),
    "clang-O3": Machine(("clang",), ("clang",), flags=("-pthread", "-O3")),
    "musl": Machine(("musl-gcc",), ("musl-tools",), flags=STATIC),
    "32-bit": Machine(
        ("i686-linux-gnu-gcc",),
        ("gcc-i686-linux-gnu",),
        flags=(*STATIC, *SSE),
        fused=False,
    ),
    "32-bit-fma": Machine(
        ("i686-linux-gnu-gcc",), ("gcc-i686-linux-gnu",), flags=(*STATIC, *SSE, "-mfma")
    ),
    "aarch64": Machine(
        ("aarch64-linux-gnu-gcc",),
        ("gcc-aarch64-linux-gnu", "qemu-user-static"),
        ("qemu-aarch64-static",),
        STATIC,
        isas=frozenset({"neon"}),
    ),
    "big-endian": Machine(
        ("s390x-linux-gnu-gcc",),
        ("gcc-s390x-linux-gnu", "qemu-user-static"),
        ("qemu-s390x-static",),
        (*STATIC, "-fexcess-precision=fast"),
    ),
    "windows": Machine(
        ("x86_64-w64-mingw32-gcc-posix",),
        ("gcc-mingw-w64-x86-64-posix", "wine64"),
        ("wine64",),
        ("-static",),
    ),
    **{
        f"wasm-{kind}": Machine(
            ("ziglang",), ("ziglang",), ("node",), flags, fused=False, isas=frozenset({"wasm"})
        )
        for kind, flags in wasm.KINDS.items()
    },
}


def compiler_of(machine):
    """The command that compiles for it."""
    if machine.compiler == ("ziglang",):
        return wasm.compiler()
    return (tool(machine.compiler[0], machine.packages[0]), *machine.compiler[1:])


def runner_of(machine, folder):
    """The command before the program, and the environment that it needs."""
    environment = dict(os.environ)
    if machine.runner == ("node",):
        return (*wasm.node(), ROOT / "tests/c/run_wasi.mjs"), environment
    if machine.runner == ("wine64",):
        environment |= {"WINEPREFIX": str(folder / "wine"), "WINEDEBUG": "-all"}
        if Path(WINE).exists():
            return (WINE,), environment
    return tuple(tool(name, machine.packages[-1]) for name in machine.runner), environment


def results(machine, folder, mode=""):
    """{(isa, precision, subject): hash} on a machine, and how many checks passed. Warnings of its
    compiler are errors."""
    runner, environment = runner_of(machine, folder)
    program = compile_driver(
        folder / "driver.exe", compiler_of(machine), "-O2", *WARNINGS, *machine.flags
    )
    return results_of([*runner, program], mode, environment=environment)


def compare(machine, here, there):
    """How many results are the same bits. Every table that fuses is compared with one of this
    machine's that does, whichever it is: they agree with each other, as the driver has checked."""
    expected = {(precision, subject): bits for (_, precision, subject), bits in here.items()}
    compared = 0
    for (isa, precision, subject), bits in there.items():
        if isa == "generic" and not machine.fused:
            continue
        wanted = expected[precision, subject]
        if bits != wanted:
            raise Broken(f"{isa} {precision} {subject}: {bits} is not {wanted}")
        compared += 1
    if machine.fused and not compared:
        raise Broken("it told no results that could be compared")
    missing = machine.isas - {isa for isa, _, _ in there}
    if missing:
        raise Broken(f"no table of kernels for {', '.join(sorted(missing))}")
    return compared


def native(folder):
    """This machine's results. Only with fused multiply-add are they comparable."""
    here, _ = results(MACHINES["gcc"], folder, "once")
    if {isa for isa, _, _ in here} == {"generic", "any"}:
        raise Missing("this CPU has no fused multiply-add to compare with")
    return here


def examine(name, here, mode):
    """(verdict, broken) of one machine."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            there, checks = results(MACHINES[name], Path(folder), mode)
            compared = compare(MACHINES[name], here, there)
            return f"{checks} checks passed; {compared} hashes equal", False
        except Missing as error:
            return f"skipped: {error}", False
        except Broken as error:
            return f"BROKEN: {error}", True


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("machines", nargs="*", metavar="NAME", help=f"of {', '.join(MACHINES)}")
    parser.add_argument("--quick", action="store_true", help="two ways of sharing work, not three")
    arguments = parser.parse_args()
    unknown = set(arguments.machines) - set(MACHINES)
    if unknown:
        parser.error(f"no machine {', '.join(sorted(unknown))}; there are {', '.join(MACHINES)}")
    with tempfile.TemporaryDirectory() as folder:
        try:
            here = native(Path(folder))
        except Missing as error:
            print(f"skipped: {error}")
            return 0
    broken = 0
    names = arguments.machines or list(MACHINES)
    for name in names:
        verdict, is_broken = examine(name, here, "once" if arguments.quick else "")
        print(f"{name:12} {verdict}", flush=True)
        broken += is_broken
    print(f"portability: {len(names)} machines, {broken} broken")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
