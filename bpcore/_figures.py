"""What the pictures of the three experiments show, panel by panel."""

import numpy as np

from ._page import BLUE, DIVERGING, ORANGE, Page
from .network import Network

MINUS = "\N{MINUS SIGN}"
INK = {"cmap": "gray_r", "vmin": 0, "vmax": 1}


def draw(result, figure):
    """Fill an empty figure with the picture of an experiment's result."""
    {"mnist58": _mnist58, "mnist10": _mnist10, "cats": _cats}[result.name](result, figure)


def _mnist58(result, figure):
    page = Page(figure, "A network learns to tell 5 from 8", _subtitle(result))
    p, y = _two_charts(page, result, ("fives", "eights"), "8")
    _wrong(
        page,
        result.test[0].reshape(-1, 28, 28),
        _most_confident(p, y, 8),
        lambda i: f"true {'58'[int(y[i])]}\nP(8) = {p[i]:.3f}",
        _how_many_wrong(p > 0.5, y),
        columns=8,
        **INK,
    )
    units = _strongest(result.net, 8)
    page.heading(f"First-layer weights of {_in_words(result.net, units)}")
    W, change = _weights(result.net, units, (28, 28))
    style = _scale(page, np.abs(W).max())
    page.images(W, 8, side="after training", **style)
    page.top += 0.08
    page.images(change, 8, side="change", labels=_outgoing(result.net, units), **style)
    page.finish()


def _mnist10(result, figure):
    page = Page(figure, "A network learns to read ten digits", _subtitle(result))
    left, right = page.charts(("Mean cost of each epoch", "Test accuracy after each epoch"), (1, 1))
    _cost(left, result)
    _accuracy(right, result)
    (X, y), A = result.test, result.net.forward(result.test[0])
    read = A.argmax(1)
    _wrong(
        page,
        X.reshape(-1, 28, 28),
        _most_confident_of_each(A, y),
        lambda i: f"{y[i]} read as {read[i]}\na {_almost_one(A[i].max())}",
        _how_many_wrong(read, y, "of each digit, the one with the largest output a"),
        columns=10,
        **INK,
    )
    units = _strongest(result.net, 30)
    page.heading(f"First-layer weights of {_in_words(result.net, units)}")
    W, _ = _weights(result.net, units, (28, 28))
    # A few weights are far larger than all others: drawn to their scale, the rest would be white.
    style = _scale(page, np.quantile(np.abs(W), 0.995), beyond=True)
    page.images(W, 10, **style)
    page.finish()


def _cats(result, figure):
    page = Page(figure, "A network learns to recognise cats", _subtitle(result))
    p, y = _two_charts(page, result, ("no cat", "cat"), "cat")
    _wrong(
        page,
        result.test[0].reshape(-1, 64, 64, 3),
        _most_confident(p, y, 7),
        lambda i: f"{('no cat', 'cat')[int(y[i])]}\nP(cat) = {p[i]:.3f}",
        _how_many_wrong(p > 0.5, y),
        columns=7,
    )
    units = _strongest(result.net, 7)
    page.heading(f"First-layer weights of {_in_words(result.net, units)}; grey is zero")
    page.top += 0.12
    W, change = _weights(result.net, units, (64, 64, 3))
    page.images(_colours(W, np.quantile(np.abs(W), 0.999)), 7, side="after training")
    page.top += 0.08
    # Some units change a hundred times less than others: each has its own scale here.
    change = [_colours(image, np.abs(image).max()) for image in change]
    page.images(change, 7, side="change, rescaled", labels=_outgoing(result.net, units))
    page.finish()


# ---- Charts --------------------------------------------------------------------------------------


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
        "Cost before each iteration; dots: as printed",
        "Test images by predicted probability",
    )
    left, upper, lower = page.charts(headings, (1, 2))
    _cost(left, result)
    X, y = result.test
    p = result.net.forward(X)[:, 0]
    peaks = (
        _distribution(upper, p[y == 1], True, names[1]),
        _distribution(lower, p[y == 0], False, names[0]),
    )
    most = max(peaks)
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


def _cost(ax, result):
    loss = result.history.loss
    ax.plot(range(len(loss)), loss, color=BLUE, clip_on=False)
    at, cost = zip(*result.costs, strict=True)
    ax.plot(at, cost, "o", color=BLUE, markersize=3.5, clip_on=False)
    _epochs(ax, result)
    ax.set(ylabel="cost", ylim=(0, 1.15 * max(loss)))
    _note(ax, at[0], cost[0], f"{cost[0]:.4f}", (6, 3))
    if len(at) > 1:
        _note(ax, at[-1], cost[-1], f"{cost[-1]:.4f}", (0, 7), ha="center")


def _accuracy(ax, result):
    accuracy = 100 * np.array(result.history.eval_accuracy)
    ax.plot(accuracy, "o-", color=BLUE, markersize=3.5, clip_on=False)
    _epochs(ax, result)
    ax.set(ylabel="accuracy (%)")
    _note(ax, 0, accuracy[0], f"{accuracy[0]:.2f}", (8, 0), va="center")
    if len(accuracy) > 1:
        _note(ax, len(accuracy) - 1, accuracy[-1], f"{accuracy[-1]:.2f}", (0, -13), ha="center")


def _epochs(ax, result):
    ax.set(xlabel=result.unit, xlim=(0, len(result.history.loss)))
    ax.locator_params(axis="x", nbins=6, integer=True)
    ax.xaxis.set_major_formatter("{x:,.0f}")


def _note(ax, x, y, text, offset, **style):
    ax.annotate(text, (x, y), offset, textcoords="offset points", size=8, **style)


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
    return f"{wrong:,} of {len(y):,} test images are misclassified" + (
        f"; {shown}" if wrong else ""
    )


def _most_confident(p, y, count):
    """Indices of the wrong predictions, the most confident first."""
    wrong = np.flatnonzero((p > 0.5) != y)
    return wrong[np.argsort(-np.abs(p[wrong] - 0.5), kind="stable")][:count]


def _most_confident_of_each(A, y):
    """For each class that is misread at all, the index of the largest wrong output."""
    wrong = [np.flatnonzero((y == k) & (A.argmax(1) != k)) for k in range(A.shape[1])]
    return np.array([some[A[some].max(1).argmax()] for some in wrong if len(some)], int)


def _almost_one(value):
    """An activation in three digits: one that rounds to 1 is smaller all the same."""
    return f"= {value:.3f}" if value < 0.9995 else "> 0.999"


def _strongest(net, count):
    """Units of the first layer by their outgoing weights, the strongest first."""
    if len(net.weights) == 1:
        return np.arange(net.sizes[1])[:count]
    return np.argsort(-np.linalg.norm(net.weights[1], axis=0), kind="stable")[:count]


def _in_words(net, units):
    if len(net.weights) == 1:
        return f"the output unit{'s' * (len(units) > 1)}"
    if len(units) == net.sizes[1]:
        return f"the {len(units)} hidden unit{'s' * (len(units) > 1)}"
    v = "v" if net.sizes[2] == 1 else "|v|"
    return f"the {len(units)} hidden units with the largest outgoing weight {v}"


def _outgoing(net, units):
    """A label for each unit: its outgoing weight, or their norm."""
    if len(net.weights) == 1:
        return None
    v = net.weights[1][:, units]
    if len(v) > 1:
        return [f"|v| = {norm:.2f}" for norm in np.linalg.norm(v, axis=0)]
    return [f"v = {'+' if value >= 0 else MINUS}{abs(value):.2f}" for value in v[0]]


def _weights(net, units, shape):
    """First-layer weights as images, and what the training added to them."""
    settings = {"hidden": net.hidden, "output": net.output, "loss": net.loss_name}
    settings.update(init=net.init, dtype=net.dtype.name, seed=net.seed)
    start = Network(net.sizes, **settings)  # The seed draws the same start once more.
    W, W0 = net.weights[0][units], start.weights[0][units]
    return W.reshape(-1, *shape), (W - W0).reshape(-1, *shape)


def _scale(page, limit, beyond=False):
    """Draw the colour bar of a symmetric scale; returns imshow's arguments for it."""
    less, more = (
        ("\N{LESS-THAN OR EQUAL TO} ", "\N{GREATER-THAN OR EQUAL TO} ") if beyond else ("", "")
    )
    page.colour_bar(f"{less}{MINUS}{limit:.2g}", f"{more}+{limit:.2g}")
    page.top += 0.12
    return {"cmap": DIVERGING, "vmin": -limit, "vmax": limit}


def _colours(weights, limit):
    """Weights (..., 3) as red, green and blue: zero is grey, -limit dark and +limit bright."""
    return np.clip(0.5 + weights / (2 * limit), 0, 1)
