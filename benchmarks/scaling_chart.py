"""The charts of scaling.py: one small picture for each series.

python benchmarks/scaling_chart.py scaling.json PREFIX
"""

import json
import sys
from pathlib import Path

from chart import BLUE, GREY, INK, LIGHT, STYLE

LOOKS = {"bpcore": ("bpcore", BLUE), "numpy": ("NumPy", "#6b6b6b")}
# For each series: what its vertical axis tells, from which figure, in which unit.
FIGURES = {
    "hidden": ("picoseconds for a multiply-add", "per_multiply_add", 1e12),
    "batch": ("microseconds for a row", "per_row", 1e6),
    "density": ("microseconds for a row", "per_row", 1e6),
}


def draw(result, prefix):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with plt.rc_context(STYLE):
        for name, (heading, figure_name, scale) in FIGURES.items():
            figure, ax = plt.subplots(figsize=(4.5, 2.8), facecolor="white", layout="constrained")
            draw_series(ax, result["series"][name], heading, figure_name, scale)
            figure.savefig(f"{prefix}_{name}.png", dpi=200)
            plt.close(figure)
        threads = result["series"]["threads"]
        size = (4.5 * len(threads), 2.8)
        figure, axes = plt.subplots(1, len(threads), figsize=size, layout="constrained")
        for ax, one in zip(axes, threads.values(), strict=True):
            draw_threads(ax, one)
        figure.savefig(f"{prefix}_threads.png", dpi=200)
        plt.close(figure)


def draw_series(ax, series, heading, figure_name, scale):
    points = series["points"]
    x = [one["x"] for one in points]
    draw_lines(ax, x, {s: [one[s][figure_name] * scale for one in points] for s in LOOKS})
    values = [one[s][figure_name] for one in points for s in LOOKS]
    # Within a factor of five a scale from zero shows differences truly.
    narrow = max(values) < 5 * min(values)
    ax.set(xscale="log", yscale="linear" if narrow else "log")
    finish(ax, heading, series["title"])


def draw_threads(ax, one):
    """Speed on n threads over speed on one, for each system by itself."""
    points = one["points"]
    x = [point["x"] for point in points]
    ax.plot(x, x, color=LIGHT, linewidth=1, zorder=0)
    speed = {s: [points[0][s]["seconds"] / point[s]["seconds"] for point in points] for s in LOOKS}
    draw_lines(ax, x, speed)
    finish(ax, "times as fast as on one thread", one["title"])
    ax.set_xticks(x)


def draw_lines(ax, x, lines):
    """The systems' lines, named at their ends, the upper one's name above the lower one's."""
    order = sorted(lines, key=lambda system: lines[system][-1])
    for rank, system in enumerate(order):
        label, color = LOOKS[system]
        y = lines[system]
        ax.plot(x, y, "o-", color=color, linewidth=1.6, markersize=3.5)
        aside = dict(textcoords="offset points", color=color, va="center")
        ax.annotate(label, (x[-1], y[-1]), (6, 4 if rank else -4), **aside)


def finish(ax, heading, below):
    """A heading above, what x is below, round ticks, and no frame."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    ax.set_title(heading, loc="left", size=8.5, weight="bold", color=INK)
    ax.set_xlabel(below, color=GREY, size=7.5)
    for axis in (ax.xaxis, ax.yaxis):
        fine = axis is ax.yaxis and axis.get_scale() == "log"
        logarithmic = LogLocator(subs=(1, 2, 5) if fine else (1,))
        axis.set_major_locator(logarithmic if axis.get_scale() == "log" else MaxNLocator(5))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(round_number))
    if ax.get_yscale() == "linear":
        ax.set_ylim(bottom=0)
    ax.tick_params(which="both", length=0, labelsize=7, labelcolor=GREY)
    ax.grid(True, which="major", color=LIGHT, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.margins(x=0.04)
    ax.spines[:].set_visible(False)


def round_number(value, _):
    return f"{value:,.0f}" if value >= 10 else f"{value:g}"


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2])
