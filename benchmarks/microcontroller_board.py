"""C for one network, compiled for this machine and for microcontrollers, and run on both.

Boards are QEMU's: a Cortex-M4F, which also runs all instructions of a Cortex-M0. Its clock tells
instructions, not cycles, and the same number each time.
"""

import ctypes
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bpcore.export import _c_text

HERE = Path(__file__).resolve().parent / "microcontroller"
BOARDS = {
    "Cortex-M4F": "-mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16",
    "Cortex-M0": "-mcpu=cortex-m0",
}
SMALL = "-Os -mthumb -ffunction-sections -fdata-sections -Wl,--gc-sections -nostartfiles -w"
LIBRARY = "--specs=nano.specs --specs=nosys.specs"
EMULATOR = "qemu-system-arm -machine mps2-an386 -icount shift=0 -display none -monitor none"
CONSOLE = "-serial none -semihosting-config enable=on,target=native -kernel"
COMPILER = "arm-none-eabi-gcc"
# Rows that a board predicts.
ROWS = 20


class Program(NamedTuple):
    """What a board needs and does; what only a run tells is None without an emulator."""

    flash: int
    static: int  # bytes of RAM that the linker gives away
    allocates: bool  # malloc is part of it
    stack: int | None = None
    heap: int | None = None
    instructions: int | None = None  # per row
    differing: int | None = None  # words of ROWS rows that are not Python's

    @property
    def ram(self):
        return None if self.stack is None else self.static + self.stack + self.heap


def compiler():
    return shlex.split(os.environ.get("CC") or "cc")


def differing(a, b):
    """Words that are not the same, but for the sign of a zero."""
    return int(((a.view(np.uint32) != b.view(np.uint32)) & ((a != 0) | (b != 0))).sum())


def on_this_machine(system, folder):
    """(n, outputs): what the C makes of all test rows here."""
    _write_rows(system, folder, 1)
    command = [*compiler(), "-O2", "-w", "-shared", "-fPIC", *_includes(system)]
    command += [*system.sources, "-lm", "-o", folder / "here.so"]
    subprocess.run(command, check=True)
    predict = ctypes.CDLL(str(folder / "here.so")).predict
    answers = np.empty_like(system.expected)
    for x, y in zip(system.given, answers, strict=True):
        predict(ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(y.ctypes.data))
    return answers


def on_board(system, folder, board):
    """The Program of a board."""
    smallest = _built(system, folder, board, "program", 1)
    text, data, bss = _sizes(smallest)
    allocates = " malloc\n" in _said("arm-none-eabi-nm", smallest)
    program = Program(text + data, data + bss, allocates)
    if shutil.which(EMULATOR.split()[0]) is None:
        return program
    return _run(system, _built(system, folder, board, "measure", ROWS), program)


def _run(system, path, program):
    """The program with what measure.c says of it."""
    said = _said(*EMULATOR.split(), *CONSOLE.split(), path)
    stack, heap, ticks_of_a_million, *rows = (int(word, 16) for word in said.split())
    table = np.array(rows, np.uint32).reshape(ROWS, -1)
    answers = np.ascontiguousarray(table[:, 1:]).view(system.expected.dtype)
    return program._replace(
        stack=stack,
        heap=heap,
        instructions=round(table[:, 0].sum(dtype=float) / ROWS * 1e6 / ticks_of_a_million),
        differing=differing(answers, system.expected[:ROWS]),
    )


def _built(system, folder, board, main, rows):
    _write_rows(system, folder, rows)
    path = folder / f"{main}-{board}.elf"
    command = [COMPILER, *SMALL.split(), *BOARDS[board].split(), *LIBRARY.split()]
    command += [*_includes(system), "-T", HERE / "board.ld", HERE / "start.c", HERE / f"{main}.c"]
    subprocess.run([*command, *system.sources, "-lm", "-o", path], check=True)
    return path


def _includes(system):
    return [f"-I{folder}" for folder in system.includes]


def _write_rows(system, folder, count):
    """rows.h: the types of predict, and rows that are part of a program."""
    kinds = {"float32": "float", "int8": "int8_t", "int32": "int32_t"}
    given, answer = (kinds[array.dtype.name] for array in (system.given, system.expected))
    inputs, outputs = system.given.shape[1], system.expected.shape[1]
    chosen = system.given[:count].reshape(-1).tolist()
    items = [_c_text.number(x, "float") if given == "float" else str(x) for x in chosen]
    lines = [
        "#include <stdint.h>",
        f"typedef {given} given;",
        f"typedef {answer} answer;",
        f"enum {{ INPUTS = {inputs}, OUTPUTS = {outputs}, ROWS = {count} }};",
        _c_text.matrix(f"given rows[{count}][{inputs}]", items, count),
        "void predict(const given *x, answer *y);",
    ]
    (folder / "rows.h").write_text("\n".join([*lines, ""]))


def _sizes(path):
    """(text, data, bss) of a program."""
    return [int(field) for field in _said("arm-none-eabi-size", path).splitlines()[1].split()[:3]]


def _said(*command):
    """What a program writes; QEMU's semihosting writes to stderr."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    return done.stdout + done.stderr


def tools():
    """{tool: the first line of its version} of those that are there."""
    names = [compiler()[0], COMPILER, EMULATOR.split()[0]]
    there = [name for name in names if shutil.which(name)]
    return {name: _said(name, "--version").splitlines()[0] for name in there}
