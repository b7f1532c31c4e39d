"""Draw docs/images/rooms.svg: the way of a row of X to the kernel, and of its delta back.

``python docs/make_architecture.py`` makes the picture from the code; a test compares them. Python's
part of the way is watched: a network trains, and every function that is given the row is noted. C
cannot be watched so; its part is written below, and each function is looked for in its file, and in
the text of the one before it, which calls it.
"""

import re
import sys
from html import escape
from pathlib import Path

import numpy as np

import bpcore

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(bpcore.__file__).resolve().parent
PICTURE = ROOT / "docs/images/rooms.svg"

# What happens to the row in the modules where it is seen.
IN_PYTHON = {
    "bpcore/network.py": "",
    "bpcore/_training/fit.py": "settings and data, checked",
    "bpcore/_training/batches.py": "or is it an iterable of batches?",
    "bpcore/_inputs/frames.py": "names of columns",
    "bpcore/_inputs/check.py": "finite, of one shape and type",
    "bpcore/_inputs/csr.py": "sparse, where that is faster",
    "bpcore/_training/descent.py": "epochs, in slices of 40 ms",
    "bpcore/_training/packed_data.py": "packed once for all epochs",
}
BINDING = [("bpcore/_core/binding.pyx", "run", "pointers, without the GIL")]
# (file, function, what it does), each called by the one before.
DOWN = [
    ("csrc/api/training_template.h", "bp_train", "checks sizes, opens the call"),
    ("csrc/nn/train_template.h", "train", "batch by batch"),
    ("csrc/nn/train_template.h", "train_block", "some rows of a batch"),
    ("csrc/nn/backprop_template.h", "forward_block", "A = g(Z), layer by layer"),
    ("csrc/nn/first_layer_template.h", "first_forward", "dense or sparse"),
    ("csrc/nn/layer_template.h", "dense_forward", "Z = A W + b"),
    ("csrc/linalg/matmul_template.h", "multiply", "a product, cut into shares"),
    ("csrc/linalg/context_template.h", "run_shares", "one thread, or all"),
    ("csrc/base/threads.c", "bp_team_run", "each thread takes its share"),
    ("csrc/kernels/tile_template.h", "tile", "MR x NR sums in registers"),
]
# The same on the way back; each is called by the one after it.
BACK = [
    ("csrc/kernels/tile_template.h", "tile", "the same tile"),
    ("csrc/linalg/matmul_template.h", "multiply", "the same product"),
    ("csrc/nn/layer_template.h", "dense_backward_input", "delta W', times g'(Z)"),
    ("csrc/nn/backprop_template.h", "delta_below", "delta of the layer below"),
    ("csrc/nn/backprop_template.h", "backward_block", "the recursion; dW = A' delta"),
    ("csrc/nn/backprop_template.h", "backward_gradient", "delta = A - Y from nn/loss"),
    ("csrc/nn/train_template.h", "train_block", "W := W - rate dW"),
]
# Calls through a table or a pointer, which no name tells.
THROUGH = {("bp_team_run", "tile"), ("multiply", "tile")}

WIDTH, LINE, PAD = 1000, 19, 12
LEFT, RIGHT, WHAT = 100, 550, 230  # where a column begins, and what a function does in it
COLOURS = ["#eef3fb", "#f8f4ea"]


def watched():
    """(file, function) of each module of the package that a row passes in ``Network.fit``."""
    X = np.random.RandomState(0).uniform(size=(40, 784)).astype("f4")
    net = bpcore.Network([784, 30, 1], seed=1)
    net.fit(X, X[:, 0] > 0.5, epochs=1, learning_rate=0.1)  # Imports what fit imports.
    way = {}

    def has_row(value):
        return isinstance(value, np.ndarray) and np.may_share_memory(value, X)

    def note(frame, event, _):
        path, code = Path(frame.f_code.co_filename), frame.f_code
        if event != "call" or not path.is_relative_to(PACKAGE):
            return
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        given = [frame.f_locals.get(name) for name in names]
        if any(
            has_row(it) or any(map(has_row, getattr(it, "__dict__", {}).values())) for it in given
        ):
            way.setdefault(f"bpcore/{path.relative_to(PACKAGE).as_posix()}", code.co_qualname)

    sys.setprofile(note)
    try:
        net.fit(X, X[:, 0] > 0.5, epochs=1, learning_rate=0.1)
    finally:
        sys.setprofile(None)
    return list(way.items())


def body(path, function):
    """The text of a C function, or None; its braces stand alone at the beginnings of lines."""
    text = (ROOT / path).read_text("utf-8")
    found = re.search(rf"^[^\n;{{}}/]*\b{function}\b\)?\([^;{{}}]*\n{{\n.*?^}}", text, re.M | re.S)
    return found and found[0]


def broken(way):
    """Complaints: functions that are not in their file, or not called by the one before."""
    for (path, function, _), (_, following, _) in zip(way, [*way[1:], way[-1]], strict=True):
        text = body(path, function)
        if text is None:
            yield f"{path} has no function {function}"
        elif (function, following) not in THROUGH and following not in text:
            yield f"{function} in {path} does not call {following}"


def room(path):
    """``bpcore/_inputs`` of a file in it; a file of the public face is a room of its own."""
    parts = path.split("/")
    return "/".join(parts[:2]).removesuffix(".py")


def name_of(path):
    """``backprop`` of csrc/nn/backprop_template.h."""
    return Path(path).stem.removesuffix("_template")


def stops():
    """[room, lines of the way down, lines of the way back] in the order of the way down."""
    rooms = {}
    python = [(path, function.split(".")[-1], IN_PYTHON[path]) for path, function in watched()]
    way = [*python, *BINDING, *DOWN, *BACK[1:]]
    down = len(way) - len(BACK[1:])
    for i, (path, function, what) in enumerate(way):
        lines = rooms.setdefault(room(path), ([], []))[i >= down]
        lines.append((f"{i + 1}  {name_of(path)}: {function}", what))
    return [(name, down, back) for name, (down, back) in rooms.items()]


def text_at(x, y, text, style=""):
    return f'<text x="{x}" y="{y}" {style}>{escape(text)}</text>'


def drawn(rooms):
    """The picture as SVG: a band a room, the way down on the left, the way back on the right."""
    y, parts = 34, []
    for i, (name, down, back) in enumerate(rooms):
        height = max(len(down), len(back)) * LINE + PAD
        parts.append(f'<rect y="{y}" width="{WIDTH}" height="{height}" fill="{COLOURS[i % 2]}"/>')
        parts.append(text_at(10, y + LINE, name.removeprefix("bpcore/"), 'font-weight="bold"'))
        for x, lines in ((LEFT, down), (RIGHT, reversed(back))):
            for j, (line, what) in enumerate(lines):
                parts.append(text_at(x, y + LINE * (j + 1), line))
                grey = 'fill="#595959" font-style="italic"'
                parts.append(text_at(x + WHAT, y + LINE * (j + 1), what, grey) if what else "")
        y += height
    heads = [
        text_at(LEFT, 22, "a row of X, from fit to the kernel", 'font-weight="bold"'),
        text_at(RIGHT, 22, "its delta, back to the weights (read upwards)", 'font-weight="bold"'),
    ]
    style = 'font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#1a1a1a"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" {style}>',
            f'<rect width="{WIDTH}" height="{y}" fill="#ffffff"/>',
            *filter(None, [*heads, *parts]),
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    PICTURE.write_text(drawn(stops()), "utf-8")
