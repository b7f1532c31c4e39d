"""The chart of run.py: for each job, every system's time relative to bpcore's.

    python benchmarks/chart.py run.json run.png

Times differ by factors, so the axis is logarithmic. A logarithmic axis has no zero from which a
bar could start: lines start at bpcore's time, and their length is the factor.
"""

import json
import sys
from pathlib import Path

import peers
from report import text

BLUE, ORANGE, GREY, LIGHT, INK = "#0072b2", "#d55e00", "#8a8a8a", "#e6e6e6", "#222222"
# Inches: the margin, and of each of two columns the names, the lines and the figures.
WIDTH, MARGIN, NAMES, LINES, FIGURES, BETWEEN = 9.0, 0.15, 1.2, 2.02, 0.98, 0.3
COLUMN = NAMES + LINES + FIGURES + BETWEEN
TOP, LINE, HEADING, BELOW, BOTTOM = 0.85, 0.18, 0.27, 0.34, 0.45
TIMES = "\N{MULTIPLICATION SIGN}"
STYLE = {
    "font.family": "sans-serif",
    "font.size": 7.8,
    "text.color": INK,
    "axes.edgecolor": LIGHT,
}


def draw(result, path):
    """Draw the chart of a run's result, the dict that run.py writes as JSON, into ``path``."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    panels = [panel(key, job) for key, job in result["jobs"].items()]
    panels = [one for one in panels if one["rows"] and one["rows"][0]["base"]]
    if not panels:
        raise SystemExit("bpcore has no times: there is nothing to draw")
    with plt.rc_context(STYLE):
        pairs = [panels[i : i + 2] for i in range(0, len(panels), 2)]
        heights = [HEADING + LINE * max(len(p["rows"]) for p in pair) + BELOW for pair in pairs]
        height = TOP + sum(heights) + BOTTOM
        figure = plt.figure(figsize=(WIDTH, height), facecolor="white")
        write_heading(figure, result, height)
        limits = axis_range(panels)
        top = TOP
        for pair, space in zip(pairs, heights, strict=True):
            for column, one in enumerate(pair):
                tall = LINE * len(one["rows"])
                x = MARGIN + column * COLUMN
                box = (x, height - top - HEADING - tall, tall)
                draw_panel(figure, box, height, one, limits)
            top += space
        write_legend(figure, height)
        figure.savefig(path, dpi=200)
        plt.close(figure)


def panel(key, job):
    """What one job shows: its systems from fast to slow, and last the dense limit."""
    base = job["systems"].get("bpcore", {}).get("median")
    rows = [
        {
            "label": peers.SYSTEMS[name][2] + ("*" if entry["other_loss"] else ""),
            "color": BLUE if name == "bpcore" else GREY,
            "seconds": entry["median"],
            "base": base,
        }
        for name, entry in job["systems"].items()
        if entry["median"]
    ]
    rows.sort(key=lambda row: row["seconds"])
    if job["dense_limit"]:
        limit = job["dense_limit"]
        rows.append({"label": "dense limit", "color": ORANGE, "seconds": limit, "base": base})
    precision = "" if job["dtype"] == "float32" else f", {job['dtype']}"
    return {"title": f"{key}   {job['title']}{precision}", "unit": job["unit"], "rows": rows}


def axis_range(panels):
    """One range for all panels, so that equal lengths are equal factors."""
    factors = [row["seconds"] / row["base"] for one in panels for row in one["rows"]]
    return min(factors) / 1.25, max(factors) * 1.25


def draw_panel(figure, box, height, one, limits):
    x, y, tall = box
    place = (x + NAMES) / WIDTH, y / height, LINES / WIDTH, tall / height
    ax = figure.add_axes(place, label=one["title"])
    ax.set(xscale="log", xlim=limits, ylim=(len(one["rows"]) - 0.4, -0.6), yticks=[])
    ax.patch.set_alpha(0)
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    draw_scale(ax, limits)
    for i, row in enumerate(one["rows"]):
        draw_row(ax, i, row)
    above = (y + tall + 0.07) / height
    figure.text(x / WIDTH, above, one["title"], size=8.5, weight="bold")
    figure.text((x + COLUMN - BETWEEN) / WIDTH, above, one["unit"], color=GREY, ha="right")


def draw_scale(ax, limits):
    """Factors as faint lines; bpcore's own time is the one from which all others are drawn."""
    factors = [f * 10.0**d for d in range(-4, 5) for f in (1, 3)]
    ticks = [factor for factor in factors if limits[0] < factor < limits[1]]
    ax.set_xticks(ticks, [f"{tick:.3g}{TIMES}" for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.tick_params(axis="x", length=0, labelsize=7, labelcolor=GREY, pad=2)
    for tick in ticks:
        ax.axvline(tick, color=BLUE if tick == 1 else LIGHT, linewidth=0.8, zorder=0)


def draw_row(ax, i, row):
    """A name, the line from bpcore's time to its own, its time and its factor."""
    factor, color = row["seconds"] / row["base"], row["color"]
    ours, limit = color == BLUE, color == ORANGE
    if limit:  # Across all rows: who is left of it does less than the dense work.
        ax.axvline(factor, color=ORANGE, linewidth=1, zorder=1)
    else:
        ax.plot([1, factor], [i, i], color=color, linewidth=2.2, solid_capstyle="butt", zorder=3)
    marker = "D" if limit else "o"
    ax.plot(factor, i, marker, color=color, markersize=4 if limit else 5, zorder=4)
    beside = dict(va="center", xycoords=("axes fraction", "data"), textcoords="offset points")
    beside |= dict(color=INK if color == GREY else color, weight="bold" if ours else "normal")
    ax.annotate(row["label"], (0, i), (-6, 0), ha="right", **beside)
    time = text(row["seconds"]).replace("us", "\N{MICRO SIGN}s")
    ax.annotate(time, (1, i), (40, 0), ha="right", **beside)
    digits = 2 if factor < 9.995 else 1
    beside |= {"color": GREY, "weight": "normal"}
    ax.annotate(f"{factor:.{digits}f}{TIMES}", (1, i), (71, 0), ha="right", **beside)


def write_heading(figure, result, height):
    settings, machine = result["settings"], result["machine"]
    threads = settings["threads"]
    figure.text(
        MARGIN / WIDTH,
        1 - 0.32 / height,
        "Time of each system, and its ratio to bpcore's",
        size=13,
        weight="bold",
    )
    figure.text(
        MARGIN / WIDTH,
        1 - 0.56 / height,
        f"{machine['cpu']}, {threads} core{'s' * (threads > 1)}, {settings['isa']}; float32 unless "
        f"said; medians of {settings['repeats']} interleaved samples, logarithmic scale",
        color=GREY,
    )


def write_legend(figure, height):
    figure.text(
        MARGIN / WIDTH,
        0.16 / height,
        "Dense limit: all multiply-adds of the matrix products, zeros too, at the highest rate "
        "that this machine was seen to reach.   * minimises another loss.",
        color=GREY,
        size=7.5,
    )


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2])
