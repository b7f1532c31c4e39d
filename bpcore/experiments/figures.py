"""What the pictures of the three experiments show, panel by panel."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from ..network import Network
from ..plotting import BLUE, DIVERGING, DPI, GREY, ORANGE, STYLE, new_figure, require_matplotlib
from .page import LEFT, Page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .._types import StrPath
    from .tutorials import Result

__all__ = ["draw", "report"]

MINUS = "\N{MINUS SIGN}"
INK: dict[str, Any] = {"cmap": "gray_r", "vmin": 0, "vmax": 1}


def report(result: Result, path: StrPath) -> None:
    """Write the picture of an experiment, as ``bpcore mnist58 --plot`` does.

    Parameters
    ----------
    result : bpcore.experiments.tutorials.Result
        What the experiment left: network, history, data, costs, accuracies.
    path : str or path-like
        The file; its ending, .png, .pdf or .svg, is its format.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    OSError
        If the file cannot be written.
    """
    matplotlib = require_matplotlib()
    # The picture is the same whatever the user's matplotlibrc says, and leaves no trace in it.
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        figure = new_figure()
        draw(result, figure)
        figure.savefig(os.fspath(path), dpi=DPI)


def draw(result: Result, figure: Figure) -> None:
    """Fill an empty figure with the picture of an experiment's result."""
    {"mnist58": _mnist58, "mnist10": _mnist10, "cats": _cats}[result.name](result, figure)


def _mnist58(result, figure):
    page = Page(figure, _title(result, "tell 5 from 8"), _subtitle(result))
    p, y = _two_charts(page, result, ("fives", "eights"), "8")
    _wrong(
        page,
        result.test[0].reshape(-1, 28, 28),
        _most_confident(p, y, 8),
        lambda i: f"true {'58'[int(y[i])]}\nP(8) {_between_0_and_1(p[i])}",
        _how_many_wrong(p > 0.5, y),
        columns=8,
        **INK,
    )
    units = _strongest(result.net, 8)
    page.heading(f"First-layer weights of {_in_words(result.net, units)}")
    W, W0 = _weights(result.net, units, (28, 28))
    style = _scale(page, np.abs(W).max())
    parts = {"after training": W, "change": W - W0, "at the start": W0}
    _trained_weights(page, parts, _outgoing(result.net, units), **style)
    _memories(page, result, W - W0)
    page.finish()


def _mnist10(result, figure):
    page = Page(figure, _title(result, "read ten digits"), _subtitle(result))
    accuracy = [100 * share for share in result.history.eval_accuracy]
    headings = (
        "Mean cost of each epoch" + _from_to(result.history.loss, 4),
        "Test accuracy by epoch" + _from_to(accuracy, 2),
    )
    left, right = page.charts(headings, (1, 1))
    _cost(left, result)
    _accuracy(right, result, accuracy)
    (X, y), A = result.test, result.net.forward(result.test[0])
    read = A.argmax(1)
    _wrong(
        page,
        X.reshape(-1, 28, 28),
        _most_confident_of_each(A, y),
        lambda i: f"{y[i]} read as {read[i]}\na {_between_0_and_1(A[i].max())}",
        _how_many_wrong(read, y, "of each digit, the one with the largest output a"),
        columns=10,
        **INK,
    )
    units = _strongest(result.net, 30)
    page.heading(f"First-layer weights of {_in_words(result.net, units)}")
    W, W0 = _weights(result.net, units, (28, 28))
    # A few weights are far larger than all others: drawn to their scale, the rest would be white.
    style = _scale(page, np.quantile(np.abs(W), 0.995), beyond=True)
    if len(W) > 4:
        page.images(W, min(10, len(W)), **style)
    else:
        parts = {"after training": W, "change": W - W0, "at the start": W0}
        _trained_weights(page, parts, [""] * len(W), **style)
    _memories(page, result, W - W0)
    page.finish()


def _cats(result, figure):
    page = Page(figure, _title(result, "recognise cats"), _subtitle(result))
    p, y = _two_charts(page, result, ("no cat", "cat"), "cat")
    _wrong(
        page,
        result.test[0].reshape(-1, 64, 64, 3),
        _most_confident(p, y, 7),
        lambda i: f"{('no cat', 'cat')[int(y[i])]}\nP(cat) {_between_0_and_1(p[i])}",
        _how_many_wrong(p > 0.5, y),
        columns=7,
    )
    units = _strongest(result.net, 7)
    page.heading(f"First-layer weights of {_in_words(result.net, units)}; grey is zero")
    page.top += 0.12
    W, W0 = _weights(result.net, units, (64, 64, 3))
    limit = np.quantile(np.abs(W), 0.999)
    parts = {
        "after training": _colours(W, limit),
        # Some units change a hundred times less than others: each has its own scale here.
        "change, rescaled": [_colours(image, np.abs(image).max()) for image in W - W0],
        "at the start": _colours(W0, limit),
    }
    _trained_weights(page, parts, _outgoing(result.net, units))
    _memories(page, result, W - W0)
    page.finish()


# ---- Charts --------------------------------------------------------------------------------------


def _title(result, task):
    if result.failure:
        return f"A network fails to learn to {task}: its cost has {result.failure}"
    return f"A network learns to {task}"


def _subtitle(result):
    net, loss = result.net, result.history.loss
    sizes = "\N{EN DASH}".join(map(str, net.sizes))
    return (
        f"{sizes}, {net.dtype.name}  ·  "
        f"{len(loss):,} {result.unit}{'s' * (len(loss) > 1)} in {result.history.seconds:.1f} s  ·  "
        f"train accuracy {100 * result.train_accuracy:.2f} %, "
        f"test {100 * result.test_accuracy:.2f} %"
    )


def _two_charts(page, result, names, positive):
    """Costs, and the test images by their probability. Returns probabilities and true classes."""
    headings = (
        "Cost before each iteration" + _from_to(result.history.loss, 4),
        "Test images by predicted probability",
    )
    left, upper, lower = page.charts(headings, (1, 2))
    _cost(left, result)
    X, y = result.test
    p = result.net.forward(X)[:, 0]
    most = max(
        _distribution(upper, p[y == 1], True, names[1]),
        _distribution(lower, p[y == 0], False, names[0]),
    )
    for ax in (upper, lower):
        if most > 100:
            ax.set(yscale="log", ylim=(0.7, 7 * most), yticks=[1, 10, 100])
            ax.yaxis.set_major_formatter("{x:.0f}")
            ax.minorticks_off()
        else:
            ax.set(ylim=(0, 1.25 * most))
    upper.set(xticklabels=[])
    lower.set(xlabel=f"P({positive})")
    return p, y


def _from_to(figures, decimals):
    """The first and the last one, for a heading: in the chart they would lie on some curve."""
    first, last = _in_digits(figures[0], decimals), _in_digits(figures[-1], decimals)
    return f", from {first} to {last}" if len(figures) > 1 else f": {first}"


def _in_digits(x, digits):
    """``x`` with so many decimals, or so many digits where those would be zeros or a long row."""
    return f"{x:.{digits}{'f' if 10.0**-digits <= abs(x) < 1e4 else 'g'}}"


def _cost(ax, result):
    loss = result.history.loss
    ax.plot(range(len(loss)), loss, color=BLUE, clip_on=False)
    ax.plot(*zip(*result.costs, strict=True), "o", color=BLUE, markersize=3.5, clip_on=False)
    _epochs(ax, result)
    if max(loss) > 100 * loss[0]:  # Beside such costs all others would be zero.
        ax.set(yscale="log")
    else:
        ax.set(ylim=(0, 1.15 * max(loss)))
    ax.set(ylabel="cost")


def _accuracy(ax, result, accuracy):
    ax.plot(accuracy, "o-", color=BLUE, markersize=3.5, clip_on=False)
    _epochs(ax, result)
    ax.set(ylabel="accuracy (%)")


def _epochs(ax, result):
    ax.set(xlabel=f"{result.unit}; dots: as printed", xlim=(0, len(result.history.loss)))
    ax.locator_params(axis="x", nbins=6, integer=True)
    ax.xaxis.set_major_formatter("{x:,.0f}")


def _distribution(ax, p, positive, name):
    """Histogram of the probabilities of one class's images, errors in orange. Returns its peak."""
    edges = np.linspace(0, 1, 21)
    counts, _ = np.histogram(p, edges)
    # The edge 0.5 is the tenth: left of it the prediction is 0, right of it 1.
    for part, predicted in ((slice(0, 10), False), (slice(10, 20), True)):
        colour = BLUE if predicted == positive else ORANGE
        middles = (edges[:-1] + edges[1:])[part] / 2
        ax.bar(middles, counts[part], 0.042, color=colour)
    right = int(((p > 0.5) == positive).sum())
    ax.set(xlim=(0, 1), ylabel="images")
    style = {"transform": ax.transAxes, "ha": "center", "va": "top", "size": 8}
    ax.text(0.5, 1.0, f"{name}: {right:,} right, {len(p) - right:,} wrong", **style)
    return int(counts.max())


# ---- Images --------------------------------------------------------------------------------------


def _wrong(page, images, chosen, label, heading, *, columns, **style):
    """The misclassified images ``chosen``."""
    page.heading(heading)
    page.top += 0.12
    if len(chosen):
        page.images(images[chosen], columns, labels=[label(i) for i in chosen], **style)
    page.top += 0.38


def _how_many_wrong(predicted, y, shown="the most confident errors"):
    wrong = int((predicted != y).sum())
    which = f"; {shown}" if wrong else ""
    return f"{wrong:,} of {len(y):,} test images are misclassified{which}"


def _most_confident(p, y, count):
    """Indices of the wrong predictions, the most confident first."""
    wrong = np.flatnonzero((p > 0.5) != y)
    return wrong[np.argsort(-np.abs(p[wrong] - 0.5), kind="stable")][:count]


def _most_confident_of_each(A, y):
    """For each class that is misread at all, the index of the largest wrong output."""
    wrong = [np.flatnonzero((y == k) & (A.argmax(1) != k)) for k in range(A.shape[1])]
    return np.array([some[A[some].max(1).argmax()] for some in wrong if len(some)], int)


def _between_0_and_1(value):
    """An activation in three digits: one that rounds to 0 or 1 lies between them all the same."""
    if value < 0.0005:
        return "< 0.001"
    return f"= {value:.3f}" if value < 0.9995 else "> 0.999"


def _strongest(net, count):
    """Units of the first layer by their outgoing weights, the strongest first."""
    if len(net.weights) == 1:
        return np.arange(net.sizes[1])[:count]
    return np.argsort(-np.linalg.norm(net.weights[1], axis=0), kind="stable")[:count]


def _in_words(net, units):
    if len(net.weights) == 1:
        return "the output units" if len(units) > 1 else "the output unit"
    if len(units) == net.sizes[1]:
        return f"the {len(units)} hidden units" if len(units) > 1 else "the hidden unit"
    v = "v" if net.sizes[2] == 1 else "|v|"
    return f"the {len(units)} hidden units with the largest outgoing weight {v}"


def _outgoing(net, units):
    """A label for each unit: its outgoing weight, or their norm."""
    if len(net.weights) == 1:
        return [""] * len(units)
    v = net.weights[1][:, units]
    if len(v) > 1:
        return [f"|v| = {norm:.2f}" for norm in np.linalg.norm(v, axis=0)]
    return [f"v = {'+' if x >= 0 else MINUS}{_in_digits(abs(x), 2)}" for x in v[0]]


def _weights(net, units, shape):
    """First-layer weights as images: those after the training, and those at its start."""
    settings = {"hidden": net.hidden, "output": net.output, "loss": net.loss_name}
    settings.update(init=net.init, dtype=net.dtype.name, seed=net.seed)
    start = Network(net.sizes, **settings)  # The seed draws the same start once more.
    W, W0 = net.weights[0][units], start.weights[0][units]
    return W.reshape(-1, *shape), W0.reshape(-1, *shape)


def _trained_weights(page, parts, labels, **style):
    """``parts`` of the weights, {name: an image for each unit}, over the whole width of the page.

    From five units on, the first two parts are a row each. Fewer share one row, where a single unit
    leaves room for the third part.
    """
    units = len(labels)
    shown = list(parts)[: 3 if units == 1 else 2]
    if units > 4:
        page.images(parts[shown[0]], units, side=shown[0], **style)
        page.top += 0.08
        page.images(parts[shown[1]], units, side=shown[1], labels=labels, **style)
    else:
        images = [image for name in shown for image in parts[name]]
        below = [f"{name}\n{label}".strip() for name in shown[:2] for label in labels]
        page.images(images, len(images), labels=below + shown[2:], **style)


def _memories(page, result, changes):
    """Say below the weights which of the units have learned a single training image."""
    units = _memorising(result.train[0], changes.reshape(len(changes), -1))
    if not units:
        return
    if len(units) == 1:
        text = f"Unit {units[0]} has memorised a single training image: its change is that image."
    else:
        named = ", ".join(map(str, units[:-1])) + f" and {units[-1]}"
        which = f"Units {named}" if len(units) < 8 else f"{len(units)} of these units"
        text = f"{which} have memorised single training images: each change is one of them."
    page.text(LEFT, page.top + 0.24, text, color=GREY, size=7.5)
    page.top += 0.24


def _memorising(X, changes):
    """Which of the changes, counted from 1, are one of the images X (n, pixels), but for a scale.

    A correlation of 0.98 leaves 4 % of the change to other images; the mean of all eights, which
    is no memory of one, has 0.93 with that which is most like it.
    """
    pixels, means = X.shape[1], X.mean(axis=1)
    spread = np.sqrt(np.maximum(np.einsum("ij,ij->i", X, X) / pixels - means**2, 1e-12))
    found = []
    for number, change in enumerate(changes, 1):
        change = change - change.mean()
        most = np.abs(X @ change / spread).max()
        if most > 0.98 * np.sqrt(pixels) * np.linalg.norm(change):
            found.append(number)
    return found


def _scale(page, limit, beyond=False):
    """Draw the colour bar of a symmetric scale; returns imshow's arguments for it."""
    less, more = (
        ("\N{LESS-THAN OR EQUAL TO} ", "\N{GREATER-THAN OR EQUAL TO} ") if beyond else ("", "")
    )
    limit_in_words = f"{float(f'{limit:.2g}'):g}"  # 2700, where .2g alone gives 2.7e+03
    page.colour_bar(f"{less}{MINUS}{limit_in_words}", f"{more}+{limit_in_words}")
    page.top += 0.12
    return {"cmap": DIVERGING, "vmin": -limit, "vmax": limit}


def _colours(weights, limit):
    """Weights (..., 3) as red, green and blue: zero is grey, -limit dark and +limit bright."""
    return np.clip(0.5 + weights / (2 * (limit or 1)), 0, 1)  # A dead unit has not changed.
