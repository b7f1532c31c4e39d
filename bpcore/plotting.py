"""Pictures of trainings and networks.

Each function draws into the matplotlib axes that it is given, or into those of a new figure, which
pyplot does not know: nothing is shown, and nothing has to be closed. It returns the axes;
``ax.figure`` is their figure, which a notebook shows, and ``ax.figure.savefig("loss.png")`` writes
it. For pyplot's: ``plotting.plot_history(history, plt.gca())``. matplotlib is imported when the
first picture is drawn (``pip install matplotlib``); ImportError says so where it is missing.
"""

from __future__ import annotations

import operator
from itertools import cycle, islice
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

    from ._types import MatrixLike
    from .history import History
    from .network import Network

__all__ = [
    "confusion",
    "decision_boundary",
    "gradient_flow",
    "learning_rates",
    "plot_history",
    "weights",
]


def __dir__() -> list[str]:
    return __all__


DPI = 200
# Okabe and Ito's: readers of every kind of colour vision tell them apart.
BLUE, ORANGE, GREEN, PINK, SKY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9"
GREY = "#595959"
COLOURS, MARKERS = (BLUE, ORANGE, GREEN, PINK, SKY, "#e69f00", GREY, "#000000"), "o^sDvPX"
DIVERGING = "RdBu_r"  # Told apart alike; zero is white.
STYLE: dict[str, Any] = {
    "font.size": 8.5,
    "axes.labelsize": 8.5,
    "axes.titlesize": 8.5,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # Text stays text, so that it can be searched and edited.
    "svg.fonttype": "none",
}


def require_matplotlib() -> ModuleType:
    """Return the module matplotlib; raises ImportError, saying how to install it."""
    try:
        import matplotlib
        import matplotlib.figure
    except ImportError as error:
        raise ImportError(f"pictures need matplotlib: pip install matplotlib ({error})") from None
    return matplotlib


def new_figure(**settings: Any) -> Figure:
    """An empty figure that pyplot does not know: nothing is shown, nothing has to be closed."""
    return require_matplotlib().figure.Figure(**settings)


def _axes(ax, size=(6, 3.6)):
    """``ax``, or the axes of a new figure of this size, in inches."""
    if ax is None:
        ax = new_figure(figsize=size, layout="constrained").add_subplot()
    return ax


# ---- Trainings -----------------------------------------------------------------------------------


def plot_history(history: History, ax: Axes | None = None) -> Axes:
    """Draw the losses of a training, its accuracy and its learning rate.

    Parameters
    ----------
    history : History
        What ``fit`` returned.
    ax : matplotlib Axes, optional
        Where to draw; default: the axes of a new figure.

    Returns
    -------
    matplotlib Axes
        The axes of the losses. Accuracies, where there are some, have their own on the right side;
        the learning rate, where it changes, has its own below, if ``ax`` is a subplot. All are in
        ``ax.figure.axes``.

    Raises
    ------
    ImportError
        If matplotlib is missing.

    Examples
    --------
    >>> import bpcore
    >>> net = bpcore.Network([2, 4, 1], hidden="tanh", seed=1)
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> history = net.fit(X, y, epochs=200, learning_rate=1.0, eval_set=(X, y))
    >>> ax = history.plot()  # The same as plot_history(history).
    >>> [line.get_label() for line in ax.lines]
    ['training loss', 'evaluation loss']
    """
    changes = len(set(history.learning_rate)) > 1
    ax = _axes(ax, (6, 4.5 if changes else 3.6))
    place = ax.get_subplotspec()
    if changes and place is not None:
        _learning_rate_below(ax, place, history)
    # A single point has no line.
    point = "o" if len(history.loss) == 1 else None
    epochs = range(len(history.loss))
    ax.plot(epochs, history.loss, color=BLUE, marker=point, label="training loss")
    if history.eval_loss:
        ax.plot(epochs, history.eval_loss, color=ORANGE, marker=point, label="evaluation loss")
    ax.set(xlabel="" if changes and place else "epoch", ylabel="loss")
    lines = list(ax.lines)
    if history.eval_accuracy:
        right = ax.twinx()
        right.plot(
            epochs,
            history.eval_accuracy,
            color=GREY,
            linestyle="--",
            marker=point,
            label="evaluation accuracy",
        )
        right.set(ylabel="accuracy")
        right.spines["right"].set_visible(True)
        lines += right.lines
    if len(lines) > 1:
        # Of the topmost axes, so that no line crosses it; the middle is free: losses fall from the
        # upper left corner, accuracies end in the upper right one.
        topmost = right if history.eval_accuracy else ax
        topmost.legend(handles=lines, loc="center right", frameon=False)
    return ax


def _learning_rate_below(ax, place, history):
    """Give the lower quarter of the place of ``ax`` to the learning rate of the same epochs."""
    upper, lower = place.subgridspec(2, 1, height_ratios=(3, 1))
    ax.set_subplotspec(upper)
    below = ax.figure.add_subplot(lower, sharex=ax)
    below.step(range(len(history.learning_rate)), history.learning_rate, where="mid", color=BLUE)
    below.set(xlabel="epoch", ylabel="rate", ylim=(0, 1.1 * max(history.learning_rate)))
    ax.tick_params(labelbottom=False)


def learning_rates(histories: Mapping[Any, History], ax: Axes | None = None) -> Axes:
    """Compare trainings that differ in one setting, such as the learning rate.

    Parameters
    ----------
    histories : dict of History
        By label: ``{0.1: history, 1.0: history}``; numbers are taken for learning rates.
    ax : matplotlib Axes, optional
        Where to draw; default: the axes of a new figure.

    Returns
    -------
    matplotlib Axes
        With a curve of training losses for each label. The scale is logarithmic where losses differ
        by a factor of 100 or more.

    Raises
    ------
    ValueError
        Where there is no history.

    Examples
    --------
    >>> from bpcore import Network, plotting
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> histories = {}
    >>> for rate in (0.1, 1.0, 10.0):
    ...     net = Network([2, 4, 1], hidden="tanh", seed=1)
    ...     histories[rate] = net.fit(X, y, epochs=100, learning_rate=rate)
    >>> ax = plotting.learning_rates(histories)
    >>> [line.get_label() for line in ax.lines]
    ['0.1', '1.0', '10.0']
    """
    if not histories:
        raise ValueError("histories is empty, but at least one History is expected")
    ax = _axes(ax)
    for (label, history), (colour, style) in zip(histories.items(), _line_looks(), strict=False):
        point = "o" if len(history.loss) == 1 else None
        ax.plot(history.loss, color=colour, linestyle=style, marker=point, label=str(label))
    losses = np.concatenate([history.loss for history in histories.values()])
    losses = losses[np.isfinite(losses) & (losses > 0)]
    if losses.size and losses.max() > 100 * losses.min():
        ax.set(yscale="log")
    ax.set(xlabel="epoch", ylabel="training loss")
    are_rates = all(isinstance(label, Real) for label in histories)
    ax.legend(title="learning rate" if are_rates else None, frameon=False)
    return ax


def _line_looks():
    """Pairs of a colour and a style, each different from the ones before it as long as can be."""
    for style in cycle(("-", "--", ":")):
        for colour in COLOURS:
            yield colour, style


# ---- Networks ------------------------------------------------------------------------------------


def weights(
    net: Network,
    shape: Sequence[int] | None = None,
    ax: Axes | None = None,
    *,
    units: Sequence[int] | None = None,
) -> Axes:
    """Draw the weights of the first layer as images: what each unit looks for in its inputs.

    Parameters
    ----------
    net : Network
        Of images.
    shape : (height, width) or (height, width, 3), optional
        Of an image, whose pixels are the inputs; default: a square.
    ax : matplotlib Axes, optional
        Where to draw; default: the axes of a new figure.
    units : sequence of int, optional
        Which units to draw; default: all.

    Returns
    -------
    matplotlib Axes
        With one image in which those of the units stand in rows, in their order. Weights above zero
        are red, below zero blue, to the scale at the right; of coloured pixels zero is grey.

    Raises
    ------
    ValueError
        Where the inputs are no image of that shape, or a unit does not exist.

    Examples
    --------
    >>> from bpcore import Network, plotting
    >>> net = Network([64, 10, 3], output="softmax", seed=1)
    >>> ax = plotting.weights(net, shape=(8, 8))
    >>> ax.images[0].get_array().shape  # 3 rows of 4 images, a line between them
    (26, 35)
    """
    W = np.asarray(net.weights[0])
    W = W[_checked_units(units, len(W))].reshape(-1, *_checked_shape(shape, W.shape[1]))
    limit = np.abs(W).max() or 1.0
    columns = int(np.ceil(np.sqrt(len(W))))
    if W.ndim == 4:
        W = 0.5 + W / (2 * limit)
    picture = _mosaic(W, columns)
    ax = _axes(ax, (6, 0.5 + 5.2 * len(picture) / picture.shape[1]))
    image = ax.imshow(picture, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    if picture.ndim == 2:
        ax.figure.colorbar(image, ax=ax, shrink=0.6, label="weight")
    return ax


def _checked_units(units, count):
    """Indices of units of which there are ``count``."""
    chosen = np.arange(count) if units is None else np.atleast_1d(units)
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or not chosen.size:
        raise ValueError(f"units is {units!r}, but a sequence of whole numbers is expected")
    if chosen.min() < 0 or chosen.max() >= count:
        wrong = chosen.min() if chosen.min() < 0 else chosen.max()
        raise ValueError(f"units names unit {wrong}, but units are 0 ... {count - 1}")
    return chosen


def _checked_shape(shape, inputs):
    """The shape of an image that has so many inputs."""
    if shape is None:
        side = round(inputs**0.5)
        if side**2 != inputs:
            raise ValueError(f"{inputs} inputs are no square image: give shape=(height, width)")
        return side, side
    try:
        shape = tuple(map(operator.index, shape))
    except TypeError:
        raise TypeError(f"shape is {shape!r}, but (height, width) is expected") from None
    if (
        len(shape) not in (2, 3)
        or shape[2:] not in ((), (3,))
        or min(shape) < 1
        or np.prod(shape) != inputs
    ):
        raise ValueError(
            f"shape is {shape}, but the network has {inputs} inputs: (height, width) or "
            "(height, width, 3) with as many numbers is expected"
        )
    return shape


def _mosaic(images, columns):
    """Images (n, height, width, ...) in rows of ``columns``, a line of nothing between them."""
    n, height, width, *colours = images.shape
    rows = -(-n // columns)
    picture = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1, *colours), np.nan)
    for i, image in enumerate(images):
        y, x = i // columns * (height + 1), i % columns * (width + 1)
        picture[y : y + height, x : x + width] = image
    return np.nan_to_num(picture, nan=1.0) if colours else picture


def decision_boundary(
    net: Network, X: ArrayLike, y: ArrayLike, ax: Axes | None = None, *, resolution: int = 200
) -> Axes:
    """Draw where a network of two inputs decides for which class.

    Parameters
    ----------
    net : Network
        With two inputs, whose outputs are classes (sigmoid or softmax).
    X : array-like (n, 2)
        Samples, drawn as points.
    y : array-like
        Their classes, as for ``fit``.
    ax : matplotlib Axes, optional
        Where to draw; default: the axes of a new figure.
    resolution : int, default 200
        Points of the grid, along each side, at which the network is asked.

    Returns
    -------
    matplotlib Axes
        With one output the colour tells its activation, blue near 0 and red near 1, and the line is
        where it is 1/2. With more, an area has the colour of the class that is predicted there. A
        class has a marker and a colour of its own.

    Raises
    ------
    ValueError
        Where the network has not two inputs, its outputs are no classes, or X or y do not fit.

    Examples
    --------
    >>> from bpcore import Network, plotting
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> net = Network([2, 4, 1], hidden="tanh", seed=1)
    >>> history = net.fit(X, y, epochs=1000, learning_rate=1.0)
    >>> ax = plotting.decision_boundary(net, X, y)
    >>> [points.get_label() for points in ax.collections if points.get_label() in "01"]
    ['0', '1']
    """
    if net.sizes[0] != 2:
        raise ValueError(f"the network has {net.sizes[0]} inputs, but two can be drawn")
    y = _checked_classes(net, X, y)
    X, ax = np.asarray(X), _axes(ax, (5, 4.2))
    low, high = X.min(axis=0), X.max(axis=0)
    margin = np.where(high > low, 0.08 * (high - low), 1.0)
    low, high = low - margin, high + margin
    if not isinstance(resolution, Integral) or resolution < 2:
        raise ValueError(
            f"resolution is {resolution!r}, but a whole number of at least 2 is expected"
        )
    sides = [np.linspace(*ends, resolution) for ends in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*sides), axis=-1)
    A = net.forward(grid.reshape(-1, 2)).reshape(resolution, resolution, -1)
    classes = max(A.shape[2], 2)
    looks = list(islice(zip(cycle(COLOURS), cycle(MARKERS), strict=True), classes))
    area = {"extent": (low[0], high[0], low[1], high[1]), "origin": "lower", "aspect": "auto"}
    if A.shape[2] == 1:
        image = ax.imshow(A[:, :, 0], cmap=DIVERGING, vmin=0, vmax=1, alpha=0.5, **area)
        ax.contour(*sides, A[:, :, 0], [0.5], colors="0.2", linewidths=1)
        ax.figure.colorbar(image, ax=ax, ticks=[0, 0.5, 1], label="activation of the output")
    else:
        colours = require_matplotlib().colors.to_rgba_array([colour for colour, _ in looks], 0.3)
        ax.imshow(colours[A.argmax(axis=2)], interpolation="nearest", **area)
    for label, (colour, marker) in enumerate(looks):
        style = {"color": colour, "marker": marker, "edgecolor": "white", "linewidth": 0.5}
        ax.scatter(*X[y == label].T, s=24, label=str(label), **style)
    beside = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 2}
    if classes > 2:
        beside = {"loc": "center left", "bbox_to_anchor": (1, 0.5)}
    ax.legend(title="class", frameon=False, **beside)
    ax.set(xlabel="input 0", ylabel="input 1")
    return ax


def _checked_classes(net, X, y):
    """The label of each row, where the outputs of the network are classes and the data fits it."""
    if net.output not in ("sigmoid", "softmax"):
        raise ValueError(f"the outputs are no classes, but {net.output!r}: sigmoid or softmax is")
    net.loss(X, y)  # Refuses what does not fit.
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] > 1:
        return y.argmax(axis=1)
    y = y.ravel()
    return y.astype(int) if net.sizes[-1] > 1 else (y > 0.5).astype(int)


def confusion(
    net: Network,
    X: MatrixLike,
    y: ArrayLike,
    ax: Axes | None = None,
    *,
    labels: Sequence[Any] | None = None,
) -> Axes:
    """Draw how many rows of each class are predicted as which.

    Parameters
    ----------
    net : Network
        Whose outputs are classes (sigmoid or softmax).
    X : array-like or SciPy sparse matrix (n, inputs)
    y : array-like
        The true classes, as for ``fit``.
    ax : matplotlib Axes, optional
        Where to draw; default: the axes of a new figure.
    labels : sequence, optional
        Names of the classes; default: their numbers.

    Returns
    -------
    matplotlib Axes
        A matrix of counts: a row is a true class, a column what is predicted. The darker, the
        larger the share of its row; what is right is on the diagonal.

    Raises
    ------
    ValueError
        Where the outputs are no classes, X or y do not fit, or labels are too few or too many.

    Examples
    --------
    >>> from bpcore import Network, plotting
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1]
    >>> net = Network([2, 1], seed=1)
    >>> history = net.fit(X, y, epochs=500, learning_rate=1.0)
    >>> ax = plotting.confusion(net, X, y, labels=["no", "yes"])
    >>> [text.get_text() for text in ax.texts]
    ['3', '0', '0', '1']
    """
    y = _checked_classes(net, X, y)
    k = max(net.sizes[-1], 2)
    labels = list(map(str, range(k) if labels is None else labels))
    if len(labels) != k:
        raise ValueError(f"labels has {len(labels)} names, but there are {k} classes")
    counts = np.zeros((k, k), int)
    np.add.at(counts, (y, net.predict(X)), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax = _axes(ax, (1.1 + 0.45 * k, 1.0 + 0.45 * k))
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (true, predicted), count in np.ndenumerate(counts):
        colour = "white" if share[true, predicted] > 0.5 else "black" if count else "0.6"
        ax.text(predicted, true, f"{count}", ha="center", va="center", color=colour, size="small")
    ax.set(xticks=range(k), yticks=range(k), xticklabels=labels, yticklabels=labels)
    if max(map(len, labels)) > 3:
        ax.tick_params(axis="x", rotation=90)
    ax.set(xlabel="predicted", ylabel="true")
    return ax


def gradient_flow(net: Network, X: MatrixLike, y: ArrayLike, ax: Axes | None = None) -> Axes:
    """Draw how large the errors and gradients of each layer are: vanishing gradients are seen.

    Parameters
    ----------
    net : Network
    X : array-like or SciPy sparse matrix (n, inputs)
    y : array-like
        Data, as for ``fit``.
    ax : matplotlib Axes, optional
        Where to draw; default: the axes of a new figure.

    Returns
    -------
    matplotlib Axes
        For each layer the root mean squares of delta = dC/dz, over rows and units, and of the
        gradient dW of the mean loss, over all weights, to a logarithmic scale. Layers with
        more units are so compared with smaller ones. A layer whose errors are all zero has no
        point, but a 0 at the bottom.

    Raises
    ------
    ValueError
        Where X or y do not fit.

    Examples
    --------
    >>> from bpcore import Network, plotting
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> ax = plotting.gradient_flow(Network([2, 4, 4, 4, 1], seed=1), X, y)
    >>> [line.get_label() for line in ax.lines]
    ['delta', 'dW']
    """
    deltas, (dW, _) = net.deltas(X, y), net.gradients(X, y)
    ax, layers = _axes(ax), np.arange(1, len(dW) + 1)
    ax.set(yscale="log", xlabel="layer", ylabel="root mean square", xticks=layers)
    ax.set(xlim=(0.5, len(dW) + 0.5))
    looks = (("delta", deltas, BLUE, "o", "right"), ("dW", dW, ORANGE, "^", "left"))
    for name, arrays, colour, marker, side in looks:
        size = np.array([np.sqrt(np.mean(np.square(a, dtype=np.float64))) for a in arrays])
        ax.plot(layers, np.where(size > 0, size, np.nan), color=colour, marker=marker, label=name)
        for layer in layers[size == 0]:
            ax.text(layer, 0.02, "0", transform=ax.get_xaxis_transform(), color=colour, ha=side)
    ax.legend(frameon=False)
    return ax
