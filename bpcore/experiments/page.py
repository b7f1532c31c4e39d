"""A page of aligned panels: charts, and images in columns.

Lengths are inches from the page's upper left corner, as on paper. All panels share one left and
one right edge. Images are whole multiples of their pixels in size and stand on whole dots, so that
a PNG shows every pixel of an image as a square of the same size.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..plotting import DIVERGING, DPI, GREY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = ["Page"]

WIDTH, LEFT, RIGHT = 8.0, 0.62, 7.86
LEAST_GAP = 0.07  # between images
LINE = 0.15  # from baseline to baseline of small text


class Page:
    """Fills an empty figure from top to bottom; ``top`` is where the next panel begins."""

    def __init__(self, figure: Figure, title: str, subtitle: str) -> None:
        self.figure: Figure = figure
        self.placed: list[tuple[Any, tuple[float, ...]]] = []  # (text or axes, its position)
        self.letters: Iterator[str] = iter("abcdef")
        self.text(LEFT, 0.32, title, size=12, weight="bold")
        self.text(LEFT, 0.56, subtitle, color=GREY)
        self.top: float = 0.96

    def text(self, x: float, y: float, text: str, **style: Any) -> None:
        """Write ``text`` with its baseline at y."""
        artist = self.figure.text(0, 0, text, **style)
        self.placed.append((artist, (x, y)))

    def axes(self, x: float, y: float, width: float, height: float, label: str) -> Axes:
        """Axes whose upper left corner is (x, y)."""
        ax = self.figure.add_axes((0, 0, 1, 1), label=label)
        self.placed.append((ax, (_whole_dots(x), _whole_dots(y), width, height)))
        return ax

    def heading(self, text: str, x: float = LEFT) -> None:
        """A panel's letter and what it shows."""
        self.text(x, self.top, next(self.letters), size=9.5, weight="bold")
        self.text(x + 0.18, self.top, text)

    def charts(
        self,
        headings: Sequence[str],
        rows: Sequence[int],
        height: float = 1.7,
        between: float = 0.78,
    ) -> list[Axes]:
        """Charts beside each other, the i-th below headings[i] and cut into rows[i] equal rows.

        Returns the axes, from left to right and from top to bottom.
        """
        width = (RIGHT - LEFT - between * (len(headings) - 1)) / len(headings)
        axes, space = [], 0.14
        for i, (heading, count) in enumerate(zip(headings, rows, strict=True)):
            x = LEFT + i * (width + between)
            self.heading(heading, x)
            each = (height - space * (count - 1)) / count
            for row in range(count):
                y = self.top + 0.18 + row * (each + space)
                axes.append(self.axes(x, y, width, each, "chart"))
        self.top += 0.18 + height + 0.76
        return axes

    def images(
        self,
        arrays: NDArray[Any] | Sequence[NDArray[Any]],
        columns: int,
        *,
        labels: Sequence[str] | None = None,
        side: str | None = None,
        **style: Any,
    ) -> None:
        """Images in rows of ``columns``, with a label below each and ``side`` left of them."""
        pixel = np.shape(arrays)[2] / DPI
        size = (RIGHT - LEFT - LEAST_GAP * (columns - 1)) / columns
        size = max(1, size // pixel) * pixel
        gap = (RIGHT - LEFT - columns * size) / max(columns - 1, 1)
        labels = labels or [""] * len(arrays)
        space = LINE * max(label.count("\n") + bool(label) for label in labels)
        rows = math.ceil(len(arrays) / columns)
        for i, (array, label) in enumerate(zip(arrays, labels, strict=True)):
            x = LEFT + i % columns * (size + gap)
            y = self.top + i // columns * (size + gap + space)
            ax = _frame(self.axes(x, y, size, size, "image"))
            ax.imshow(array, interpolation="nearest", **style)
            for number, line in enumerate(label.split("\n")):
                self.text(x + size / 2, y + size + LINE * (number + 1), line, ha="center", size=7.5)
        height = rows * (size + gap + space) - gap - space
        if side:
            look = {"rotation": 90, "ha": "right", "va": "center", "color": GREY, "size": 7.5}
            self.text(LEFT - 0.07, self.top + height / 2, side, **look)
        self.top += height + space

    def colour_bar(self, least: str, most: str) -> None:
        """A scale with its two ends in words, at the right end of the heading's line."""
        width, right = 1.1, RIGHT - 0.07 * len(most) - 0.06
        bar = _frame(self.axes(right - width, self.top - 0.09, width, 0.09, "colour bar"))
        bar.imshow(np.linspace(-1, 1, 255)[None], cmap=DIVERGING, aspect="auto")
        self.text(right - width - 0.06, self.top, least, ha="right", size=7.5)
        self.text(RIGHT, self.top, most, ha="right", size=7.5)

    def finish(self) -> None:
        """Cut the page below the last panel and put everything in its place."""
        height = math.ceil((self.top + 0.14) * DPI) / DPI
        self.figure.set_size_inches(WIDTH, height)
        for artist, (x, y, *size) in self.placed:
            if size:
                w, h = size
                artist.set_position((x / WIDTH, 1 - (y + h) / height, w / WIDTH, h / height))
            else:
                artist.set_position((x / WIDTH, 1 - y / height))


def _whole_dots(length):
    return round(length * DPI) / DPI


def _frame(ax):
    """Axes for an image: no ticks, a hairline around it."""
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(visible=True, color="0.7", linewidth=0.5)
    return ax
