"""What one network takes on a microcontroller, in C by bpcore, emlearn and keras2c.

    pip install ".[sklearn]" emlearn
    pip install --no-deps keras2c keras jax jaxlib opt_einsum h5py optree "pydantic<2"
    KERAS2C=CHECKOUT python benchmarks/microcontroller.py [--tasks digits,mnist58] [--json FILE]

scikit-learn trains; its weights, float32, go to every library. Each program is the smallest that
predicts one row, with the same start-up, by arm-none-eabi-gcc -Os; RAM is data, bss, heap and the
stack below predict; instructions are those of one row. Laws: a program by bpcore computes the words
that its Python does, on this machine and on both boards, and allocates nothing.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

import machine
import microcontroller_board as target
import microcontroller_systems as systems
import numpy as np

EPOCHS = 40
COLUMNS = ["system", "accuracy", "largest error", "words that differ"]
BOARD_COLUMNS = ["flash", "RAM", "instructions"]


def labels(answers):
    """The class of each row of outputs, or of classes."""
    if answers.dtype == np.int32:
        return answers[:, 0]
    return answers[:, 0] > 0.5 if answers.shape[1] == 1 else answers.argmax(axis=1)


def measured(task, name, boards):
    """What a system is and does, as one entry of the JSON."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        folder = Path(folder)
        system = systems.written(name, task, folder)
        answers = target.on_this_machine(system, folder)
        programs = {board: target.on_board(system, folder, board) for board in boards}
    error = None
    if answers.dtype == np.float32:
        error = float(np.abs(answers - systems.truth(task)).max())
    return {
        "accuracy": float((labels(answers) == task.y).mean()),
        "largest_error": error,
        "differing": target.differing(answers, system.expected),
        "boards": {board: {**p._asdict(), "ram": p.ram} for board, p in programs.items()},
    }


def broken(name, entry):
    """The laws that an entry breaks."""
    if not name.startswith("bpcore"):
        return
    if entry["differing"]:
        yield f"{name}: {entry['differing']} words differ on this machine"
    for board, program in entry["boards"].items():
        if program["differing"]:
            yield f"{name}: {program['differing']} words differ on {board}"
        if program["allocates"]:
            yield f"{name}: allocates on {board}"


def number(value):
    return "-" if value is None else f"{value:,}"


def row(name, entry):
    """A line of the table."""
    error, programs = entry["largest_error"], entry["boards"].values()
    differing = [entry["differing"], *(program["differing"] for program in programs)]
    cells = [name, f"{entry['accuracy']:.2%}", "-" if error is None else f"{error:.1e}"]
    cells.append(" / ".join(map(number, differing)))
    for program in programs:
        heap = " (heap)" if program["allocates"] else ""
        cells += [number(program["flash"]), number(program["ram"]) + heap]
        cells += [number(program["instructions"])]
    return cells


def table(entries, boards):
    """The lines of a table in Markdown."""
    header = COLUMNS + [f"{board}: {column}" for board in boards for column in BOARD_COLUMNS]
    rows = [row(name, entry) for name, entry in entries.items()]
    rule = ["---", *["---:"] * (len(header) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)]


def title(task, boards):
    """What the table is of."""
    words, outputs = len(task.y) * task.sizes[-1], task.sizes[-1]
    of = [f"{words:,} here", *(f"{target.ROWS * outputs} on the {board}" for board in boards)]
    return f"\n{task.title}: {len(task.y):,} test rows, words: {', '.join(of)}\n"


def usable_boards(quick):
    """Boards that can be compiled for; says what is missing."""
    if shutil.which(target.COMPILER) is None:
        print(f"skipped: boards, since there is no {target.COMPILER}")
        return []
    emulator = target.EMULATOR.split()[0]
    if shutil.which(emulator) is None:
        print(f"skipped: runs on boards, since there is no {emulator}")
    return [*target.BOARDS][: 1 if quick else None]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", default=",".join(systems.TASKS))
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="digits, 2 epochs, one board; no law")
    return parser.parse_args()


def main():
    options = arguments()
    names, epochs = options.tasks.split(","), EPOCHS
    if options.quick:
        names, epochs = ["digits"], 2
    boards, missing, tasks = usable_boards(options.quick), {}, {}
    for task in (systems.TASKS[name](epochs) for name in names):
        entries = tasks[task.title] = {}
        for name in systems.SYSTEMS:
            try:
                entries[name] = measured(task, name, boards)
            except systems.Missing as reason:
                missing[name] = str(reason)
        print(title(task, boards), *table(entries, boards), sep="\n")
    for name, reason in missing.items():
        print(f"skipped: {name}: {reason}")
    versions = systems.versions() | target.tools()
    print("\n" + ", ".join(f"{name} {version}" for name, version in versions.items()))
    if options.json:
        result = {"machine": machine.describe(), "versions": versions, "missing": missing}
        options.json.write_text(json.dumps({**result, "tasks": tasks}, indent=1))
    laws = [law for entries in tasks.values() for item in entries.items() for law in broken(*item)]
    print(*laws, sep="\n", end="\n" if laws else "")
    return int(bool(laws) and not options.quick)


if __name__ == "__main__":
    sys.exit(main())
