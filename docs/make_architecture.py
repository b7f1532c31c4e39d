"""Draw docs/images/rooms.svg: the way of a row of X to the kernel, and of its delta back.

``python docs/make_architecture.py`` makes the picture from the code; a test compares them. The way
is written below, and proved before it is drawn. Python's part is watched: a network trains, and the
row has to pass these functions in this order, and no module that is not here. C cannot be watched
so: each function is looked for in its file, and the next one's call in its text.
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

# (file, function, what it does), in the order in which they meet the row.
IN_PYTHON = [
    ("bpcore/network.py", "Network.fit", "the list of all settings"),
    ("bpcore/_training/fit.py", "fit", "takes the network's lock"),
    ("bpcore/_training/batches.py", "is_iterable_of_batches", "if so, another stepper"),
    ("bpcore/_training/fit.py", "fit_rows", "checks settings and data"),
    ("bpcore/_inputs/frames.py", "names", "names of columns"),
    ("bpcore/_inputs/check.py", "rows", "finite, of one shape and type"),
    ("bpcore/_training/packed_data.py", "PackedData.__init__", "packed once for all epochs"),
    ("bpcore/_inputs/csr.py", "to_csr_if_faster", "dense or sparse, decided"),
    ("bpcore/_training/loop.py", "train", "the one loop over epochs"),
    ("bpcore/_training/descent.py", "Descent.__iter__", "the stepper: an epoch an item"),
    ("bpcore/_training/descent.py", "Trainer.run", "slice by slice"),
    ("bpcore/_training/packed_data.py", "PackedData.run", "a slice, some 40 ms"),
]
# The same below Python, each called by the one before.
DOWN = [
    ("bpcore/_core/binding.pyx", "run", "pointers, without the GIL"),
    ("csrc/api/training_template.h", "bp_train", "checks sizes, opens the call"),
    ("csrc/nn/train_template.h", "train", "block by block"),
    ("csrc/nn/train_template.h", "train_block", "some rows of a batch"),
    ("csrc/nn/backprop_template.h", "forward_block", "A = g(Z), layer by layer"),
    ("csrc/nn/first_layer_template.h", "first_forward", "packed, dense or sparse"),
    ("csrc/nn/layer_template.h", "dense_forward", "Z = A W + b"),
    ("csrc/linalg/matmul_template.h", "multiply", "a product, cut into shares"),
    ("csrc/linalg/context_template.h", "run_shares", "one thread, or all"),
    ("csrc/base/threads.c", "bp_team_run", "each thread takes its share"),
    ("csrc/kernels/tile_template.h", "tile", "MR x NR sums in registers"),
]
# And on the way back, each called by the one after it.
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

WIDTH, LINE, PAD = 1020, 19, 12
LEFT, RIGHT, WHAT = 110, 560, 240  # where a column begins, and what a function does in it
COLOURS = ["#eef3fb", "#f8f4ea"]


def watched():
    """(file, function) of the package for each function that is given the row in ``Network.fit``.

    In the order of their first calls; an object that holds the row gives it, too.
    """
    X = np.random.RandomState(0).uniform(size=(40, 784)).astype("f4")
    net = bpcore.Network([784, 30, 1], seed=1)
    net.fit(X, X[:, 0] > 0.5, epochs=1, learning_rate=0.1)  # Imports what fit imports.
    seen = {}

    def has_row(given, depth=4):
        if isinstance(given, np.ndarray):
            return np.may_share_memory(given, X)
        parts = getattr(given, "__dict__", {}).values() if depth else ()
        return any(has_row(part, depth - 1) for part in parts)

    def note(frame, event, _):
        path, code = Path(frame.f_code.co_filename), frame.f_code
        if event != "call" or not path.is_relative_to(PACKAGE):
            return
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        if any(has_row(frame.f_locals.get(name)) for name in names):
            seen[f"bpcore/{path.relative_to(PACKAGE).as_posix()}", code.co_qualname] = True

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        net.fit(X, X[:, 0] > 0.5, epochs=1, learning_rate=0.1)
    finally:
        sys.setprofile(before)
    return list(seen)


def unseen(way, seen):
    """Complaints: functions that the row did not pass in this order, modules that are not here."""
    later = iter(seen)
    for path, function, _ in way:
        if (path, function) not in later:
            yield f"the row does not come to {function} in {path}, or not in this order"
    for path in sorted({path for path, _ in seen} - {path for path, *_ in way}):
        yield f"the row passes {path}"


def body(path, function):
    """The text of a function of C or Cython, or None.

    C's braces stand alone at the beginnings of lines; Cython's methods end where others begin.
    """
    text = (ROOT / path).read_text("utf-8")
    pattern = rf"^[^\n;{{}}/]*\b{function}\b\)?\([^;{{}}]*\n{{\n.*?^}}"
    if path.endswith(".pyx"):
        pattern = rf"^    def {function}\(.*?(?=^    def |^\S|\Z)"
    found = re.search(pattern, text, re.M | re.S)
    return found and found[0]


def broken(way):
    """Complaints: functions that are not in their file, or not called by the one before."""
    for (path, function, _), (_, following, _) in zip(way, [*way[1:], (None,) * 3], strict=True):
        text = body(path, function)
        if text is None:
            yield f"{path} has no function {function}"
        elif following and (function, following) not in THROUGH:
            if not re.search(rf"\b{following}\b\)?\(", text):
                yield f"{function} in {path} does not call {following}"


def complaints():
    return [*unseen(IN_PYTHON, watched()), *broken(DOWN), *broken(BACK[::-1])]


def room(path):
    """``bpcore/_inputs`` of a file in it; a file of the public face is a room of its own."""
    parts = path.split("/")
    return "/".join(parts[:2]).removesuffix(".py")


def name_of(path):
    """``backprop`` of csrc/nn/backprop_template.h."""
    return Path(path).stem.removesuffix("_template")


def stops():
    """[room, lines of the way down, lines of the way back] in the order of the way down."""
    rooms, down = {}, len(IN_PYTHON) + len(DOWN)
    for i, (path, function, what) in enumerate([*IN_PYTHON, *DOWN, *BACK[1:]]):
        lines = rooms.setdefault(room(path), ([], []))[i >= down]
        name = function.removesuffix(".__init__")
        lines.append((f"{i + 1}  {name_of(path)}: {name}", what))
    return [(name, down, back) for name, (down, back) in rooms.items()]


def text_at(x, y, text, style=""):
    return f'<text x="{x}" y="{y}"{style and " " + style}>{escape(text)}</text>'


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
                parts.append(text_at(x + WHAT, y + LINE * (j + 1), what, grey))
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
            *heads,
            *parts,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    if found := complaints():
        sys.exit("\n".join(found))
    PICTURE.write_text(drawn(stops()), "utf-8")
