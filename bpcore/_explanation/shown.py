"""An explanation as text for terminals and as HTML for notebooks."""

import html
import itertools
import re

import numpy as np

from . import steps

MOST, ENDS = 5, 2  # Numbers of a row that are shown: all of five, else two at each end.


def as_text(explanation):
    """Each equation with its numbers, in columns."""
    shown = [
        (title, [(equation, _cells(numbers)) for equation, numbers in rows])
        for title, rows in steps.of_explanation(explanation)
    ]
    blocks = [block for _, rows in shown for block in rows]
    left = max(len(equation) for equation, _ in blocks)
    widths = _widths([row for _, cells in blocks for row in cells])
    lines = [steps.title(explanation)]
    for title, rows in shown:
        lines += ["", title]
        for equation, cells in rows:
            names = itertools.chain([equation], itertools.repeat(""))
            for name, row in zip(names, cells, strict=False):
                numbers = (f"  {cell:>{width}}" for cell, width in zip(row, widths, strict=False))
                lines.append(f"  {name:<{left}}{''.join(numbers)}")
    return "\n".join(lines)


def as_html(explanation):
    """A table for each step; it needs neither a script nor a network."""
    tables = [_table(title, rows) for title, rows in steps.of_explanation(explanation)]
    lines = ['<div class="bpcore-explanation">', STYLE, f"<p>{steps.title(explanation)}</p>"]
    return "\n".join([*lines, *tables, "</div>"])


def _cells(numbers):
    """Rows of cells: all numbers, or the first and the last ones and how many are between them."""
    numbers = np.atleast_2d(numbers)
    number_format = _number_format(numbers)
    rows = [[format(x, number_format) for x in _ends(row)] for row in _ends(numbers)]
    more_columns, more_rows = (n - 2 * ENDS if n > MOST else 0 for n in numbers.shape[::-1])
    if more_columns:
        rows = [[*row[:ENDS], f"... {more_columns} more", *row[ENDS:]] for row in rows]
    if more_rows:
        rows.insert(ENDS, [f"... {more_rows} more rows"])
    return rows


def _ends(array):
    return array if len(array) <= MOST else [*array[:ENDS], *array[-ENDS:]]


def _number_format(numbers):
    """Whole numbers as such, others with four decimals, where these show two digits or more."""
    largest = np.abs(numbers).max()
    if largest < 1e4 and (numbers == np.round(numbers)).all():
        return ".0f"
    return ".4f" if 0.01 <= largest < 1e4 else ".2e"


def _widths(rows):
    """The width of each column; a row of one cell, "... 3 more rows", makes none wider."""
    columns = itertools.zip_longest(*(row for row in rows if not row[0].startswith(".")))
    return [max(len(cell) for cell in column if cell) for column in columns]


# Colours are the page's own, dark or light, and a sign is told by the sign alone.
STYLE = """<style>
.bpcore-explanation { overflow-x: auto; }
.bpcore-explanation table { border-collapse: collapse; margin: 0 0 1em; }
.bpcore-explanation caption { text-align: left; font-weight: bold; white-space: nowrap; }
.bpcore-explanation :is(th, td) { padding: 0.1em 0.5em; white-space: nowrap; text-align: right; }
.bpcore-explanation th { min-width: 14em; text-align: left; font-weight: normal; }
.bpcore-explanation th { vertical-align: top; }
.bpcore-explanation td[colspan] { text-align: left; }
.bpcore-explanation td { min-width: 4em; font-variant-numeric: tabular-nums; }
.bpcore-explanation sup { line-height: 0; }
</style>"""


def _table(title, rows):
    """A step as a table of HTML."""
    lines = [f"<table><caption>{title}</caption>"]
    for equation, numbers in rows:
        cells = _cells(numbers)
        head = f'<th scope="rowgroup" rowspan="{len(cells)}">{_marked_up(equation)}</th>'
        for row in cells:
            wide = f' colspan="{len(cells[0])}"' if len(row) < len(cells[0]) else ""
            data = "".join(f"<td{wide}>{_minus(cell)}</td>" for cell in row)
            lines.append(f"<tr>{head}{data}</tr>")
            head = ""
    return "\n".join([*lines, "</table>"])


def _minus(text):
    return text.replace("-", "\N{MINUS SIGN}")


# A letter of the equations with the number of its layer, perhaps transposed: delta1, W2^T, x.
SYMBOL = re.compile(r"\b(delta|d?[WbaC]|[zxye])(\d*)(?:\^(T))?(?!\w)")


def _marked_up(equation):
    """An equation in HTML: letters in italics, the number of the layer and T above."""
    text = SYMBOL.sub(_letter, html.escape(equation, quote=False))
    text = text.replace("g'", "<i>g</i>\N{PRIME}").replace("^2", "<sup>2</sup>")
    return _minus(text.replace(" * ", " \N{CIRCLED DOT OPERATOR} "))


def _letter(match):
    letter, layer, transposed = match.groups("")
    letter = "\N{GREEK SMALL LETTER DELTA}" if letter == "delta" else letter
    above = f"<sup>{layer}{transposed}</sup>" if layer or transposed else ""
    return f"<i>{letter}</i>{above}"
