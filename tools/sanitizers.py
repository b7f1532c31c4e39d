"""Wrong memory, lost memory, undefined arithmetic and races, each watched by who sees it.

    python tools/sanitizers.py address     the test suite under AddressSanitizer, UBSan and
                                           LeakSanitizer
    python tools/sanitizers.py threads     the C driver under ThreadSanitizer
    python tools/sanitizers.py valgrind    the C driver under memcheck

Law: nothing is reported, no test fails and no bit changes. Each command also commits every fault
that it is there for, on purpose, and breaks where one is not seen.
"""

import argparse
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from address import check_address
from driver import Broken, Missing, answer, compile_driver, judged, results, tool


def reports(command, mode, **how):
    """What a driver says that is not a result, and whether it ended well."""
    done = answer(*command, mode, **how)
    return done.returncode, done.stdout


def see(command, fault, words):
    """A fault on purpose is seen, in these words."""
    status, said = reports(command, fault)
    if status == 0 or words not in said:
        raise Broken(f"{command[0]} does not see {fault}: it ended with {status}\n{said[-2000:]}")


def same_as_native(folder, command, mode, seconds=1800):
    """A watched driver's results are those of the same driver alone.

    memcheck shows a program a CPU without AVX-512: the best instruction set is another one then,
    which has the same bits.
    """
    watched, checks = results(command, mode, seconds)
    alone, _ = results([compile_driver(folder / "alone", ["gcc"], "-O2", "-pthread")], mode)
    expected = {name[1:]: bits for name, bits in alone.items()}  # Without the instruction set.
    different = [name for name, bits in watched.items() if expected.get(name[1:]) != bits]
    if different or not watched:
        raise Broken(f"other bits than without the sanitizer: {different}")
    return f"{checks} checks passed, {len(watched)} hashes equal"


def check_threads(folder, quick):
    """Races of the threads of a call."""
    tool("gcc", "gcc")
    flags = ("-O1", "-g1", "-pthread", "-fsanitize=thread")
    program = compile_driver(folder / "driver", ["gcc"], *flags)
    fixed = [shutil.which("setarch"), "-R"]  # ThreadSanitizer wants addresses that are not random.
    if not fixed[0] or answer(*fixed, "true").returncode:
        fixed = []  # A container may forbid it.
    if "FATAL: ThreadSanitizer" in reports([*fixed, program], "overflow")[1]:
        raise Missing("ThreadSanitizer finds no place in this system's address space")
    see([*fixed, program], "race", "data race")
    same = same_as_native(folder, [*fixed, program], "shared")
    return f"0 races, {same}; 1 of 1 fault seen"


def check_valgrind(folder, quick):
    """Memory that no one wrote or that is lost, between guard pages that see the rest."""
    watch = [tool("valgrind", "valgrind"), "-q", "--error-exitcode=9", "--leak-check=full"]
    watch += ["--errors-for-leak-kinds=all"]
    flags = ("-O1", "-g1", "-pthread", "-DDRIVER_UNDER_MEMCHECK")
    program = compile_driver(folder / "driver", ["gcc"], *flags)
    see([*watch, program], "overflow", "Invalid write of size 1")
    see([*watch, program], "unwritten", "uninitialised value")
    see([*watch, program], "leak", "definitely lost")
    see([*watch, program], "over-read", "Bad permissions")  # A guard page stops it.
    same = same_as_native(folder, [*watch, program], "brief" if quick else "all", 7200)
    return f"0 errors, {same}; 4 of 4 faults seen"


COMMANDS = {"address": check_address, "threads": check_threads, "valgrind": check_valgrind}


def checked(arguments, folder):
    if not sys.platform.startswith("linux"):
        raise Missing("the sanitizers are driven on Linux alone")
    return COMMANDS[arguments.command](folder, arguments.quick)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="the tests that touch memory most, or one way of computing",
    )
    arguments = parser.parse_args()
    return judged(arguments.command, lambda folder: checked(arguments, folder))


if __name__ == "__main__":
    sys.exit(main())
