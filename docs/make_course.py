"""Draw the pictures of docs/course: ``python docs/make_course.py`` writes them, a test compares.

The numbers of the 2-2-1 example come from ``bpcore.reference``. Each picture brings a background of
its own, light or dark as the reader's system is, so that it can be read on a page of either kind.
"""

from html import escape
from pathlib import Path

import numpy as np

from bpcore import reference

IMAGES = Path(__file__).resolve().parent / "images"

X, Y = np.array([[1.0, 2.0]]), np.array([[1.0]])
WEIGHTS = [np.array([[3.0, -1.0], [-2.0, 1.0]]), np.array([[2.0, -1.0]])]
BIASES = [np.array([1.0, -1.0]), np.array([-1.0])]

# Contrast with the background is at least 4.5 for every text, in both schemes.
STYLE = """
text { font: 14px Helvetica, Arial, sans-serif; fill: #1f2328; text-anchor: middle }
.page { fill: #ffffff; stroke: #d1d9e0 }
.unit { fill: #f3f5f8; stroke: #59636e; stroke-width: 1.5 }
.edge { stroke: #8c959f; stroke-width: 1.5; fill: none }
.faint { stroke: #c8d0d8; stroke-width: 1.2; fill: none }
.label { fill: #ffffff }
.forward { fill: #0059a8 } path.forward { stroke: #0059a8; stroke-width: 2.5; fill: none }
.back { fill: #a84300 } path.back { stroke: #a84300; stroke-width: 2.5; fill: none }
.grey { fill: #59636e }
.start { text-anchor: start }
.head { font-weight: bold }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.page { fill: #0d1117; stroke: #3d444d }
.unit { fill: #1c232c; stroke: #9198a1 }
.edge { stroke: #7d8590 }
.faint { stroke: #3d444d }
.label { fill: #0d1117 }
.forward { fill: #6cb6ff } path.forward { stroke: #6cb6ff }
.back { fill: #ffa657 } path.back { stroke: #ffa657 }
.grey { fill: #9198a1 }
}
"""


def signed(number):
    """Four digits and a minus sign as long as a plus; a whole number as it is."""
    text = f"{number:.0f}" if number == round(number) else f"{number:.4f}"
    return text.replace("-", "\N{MINUS SIGN}")


def text_at(x, y, text, kind=""):
    return f'<text x="{x:g}" y="{y:g}" class="{kind}">{escape(text)}</text>'


def line(begin, end, kind):
    (x, y), (to_x, to_y) = begin, end
    return f'<path d="M{x:g} {y:g}L{to_x:g} {to_y:g}" class="{kind}"/>'


def arrow(begin, end, kind):
    """A line with a head, horizontal."""
    (x, y), (to_x, _) = begin, end
    back = 9 if to_x > x else -9
    head = f"M{to_x - back:g} {y - 6:g}L{to_x:g} {y:g}L{to_x - back:g} {y + 6:g}"
    return line(begin, end, kind) + f'<path d="{head}" class="{kind}"/>'


def unit(centre, name, radius=24):
    x, y = centre
    circle = f'<circle cx="{x:g}" cy="{y:g}" r="{radius}" class="unit"/>'
    return circle + text_at(x, y + 5, name)


def weight(begin, end, share, number):
    """The number of an edge, on it, ``share`` of the way from its begin."""
    x, y = (a + share * (b - a) for a, b in zip(begin, end, strict=True))
    box = f'<rect x="{x - 13:g}" y="{y - 10:g}" width="26" height="20" class="label"/>'
    return box + text_at(x, y + 5, signed(number), "grey")


def svg(width, height, title, parts):
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
    page = f'<rect x="1" y="1" width="{width - 2}" height="{height - 2}" rx="8" class="page"/>'
    lines = [head, f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>", page, *parts]
    return "\n".join([*lines, "</svg>\n"])


def example():
    """(Z, A, delta, cost) of the 2-2-1 example, with a row for its one sample; A begins with X."""
    A, Z = reference.forward(X, WEIGHTS, BIASES, ["sigmoid", "sigmoid"])
    cost, last = reference.cost_and_delta(Z[-1], Y, "bce", "sigmoid")
    below = last @ WEIGHTS[1] * A[1] * (1 - A[1])
    return Z, A, [below, last], cost[0]


def backward_pass():
    """The 2-2-1 example with its numbers: forward above each unit, backward below it."""
    Z, A, delta, cost = example()
    columns, middle, gap = [90, 320, 560, 730], 210, 75
    inputs, hidden = ([(x, middle - gap), (x, middle + gap)] for x in columns[:2])
    output, end = (columns[2], middle), (columns[3], middle)
    parts = [
        arrow((60, 34), (760, 34), "forward"),
        text_at(
            410, 24, "forward: z and a of each layer, from the one before; all are kept", "forward"
        ),
        arrow((760, 386), (60, 386), "back"),
        text_at(
            410, 406, "backward: δ of each layer, from the one after; dW = δ · a, db = δ", "back"
        ),
        *(line(a, b, "edge") for a in inputs for b in hidden),
        *(line(a, output, "edge") for a in hidden),
        line(output, end, "edge"),
    ]
    for k, begin in enumerate(inputs):
        parts += [weight(begin, to, 0.3, WEIGHTS[0][j, k]) for j, to in enumerate(hidden)]
        parts.append(unit(begin, f"x{'₁₂'[k]}"))
        parts.append(text_at(begin[0], begin[1] - 32, signed(X[0, k]), "forward"))
    units = [*zip(hidden, Z[0][0], A[1][0], delta[0][0], strict=True)]
    units += [(output, Z[1][0, 0], A[2][0, 0], delta[1][0, 0])]
    for (x, y), b in zip([*hidden, output], np.concatenate(BIASES), strict=True):
        parts.append(text_at(x, y + 62, f"b = {signed(b)}", "grey"))
    for j, begin in enumerate(hidden):
        parts.append(weight(begin, output, 0.4, WEIGHTS[1][0, j]))
    for (x, y), z, a, d in units:
        parts.append(unit((x, y), "σ"))
        parts.append(text_at(x, y - 50, f"z = {signed(z)}", "forward"))
        parts.append(text_at(x, y - 32, f"a = {signed(a)}", "forward"))
        parts.append(text_at(x, y + 44, f"δ = {signed(d)}", "back"))
    parts += [unit(end, "C"), text_at(end[0], end[1] - 32, signed(cost), "forward")]
    parts.append(text_at(end[0], end[1] + 44, f"y = {signed(Y[0, 0])}", "grey"))
    title = "The 2-2-1 example: activations forward, errors backward"
    return svg(820, 420, title, parts)


def layers(left):
    """Centres of the units of three layers of one, three and three units, and of the cost."""
    rows = [90, 160, 230]
    first = [(left, 160)]
    return [first, *([(left + 90 * i, y) for y in rows] for i in (1, 2)), [(left + 270, 160)]]


def edges(columns):
    return [(a, b) for i in range(len(columns) - 1) for a in columns[i] for b in columns[i + 1]]


def paths():
    """Left: each path from one weight to the cost by itself. Right: one delta for each unit."""
    parts = []
    for left, head in (
        (110, "from the weight: path by path"),
        (510, "from the cost: unit by unit"),
    ):
        columns = layers(left)
        parts.append(text_at(left + 110, 34, head, "head"))
        parts += [line(a, b, "faint") for a, b in edges(columns)]
        parts.append(line((left - 70, 160), (left, 160), "edge"))
        parts.append(text_at(left - 46, 150, "w", "grey"))
        if left == 110:
            for j, k in ((0, 0), (1, 0), (2, 1)):
                way = [columns[0][0], columns[1][j], columns[2][k], columns[3][0]]
                parts += [line(a, b, "forward") for a, b in zip(way, way[1:], strict=False)]
            below = ["3 · 3 = 9 paths, three of them drawn;", "with 10 layers of 100 units: 100¹⁰"]
        else:
            parts += [line(b, a, "back") for a, b in edges(columns)]
            below = ["3 + 9 + 3 = 15 edges, each used once;", "with 10 layers of 100 units: 90,200"]
        names = "" if left == 110 else "δ"
        parts += [unit(centre, names, 15) for column in columns[:-1] for centre in column]
        parts.append(unit(columns[3][0], "C", 15))
        parts += [text_at(left + 110, 282 + 20 * i, words, "grey") for i, words in enumerate(below)]
    return svg(820, 320, "Paths from one weight to the cost, and what they share", parts)


PICTURES = {"backward_pass.svg": backward_pass, "paths.svg": paths}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (IMAGES / name).write_text(draw(), "utf-8")
