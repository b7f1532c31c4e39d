"""Pictures of training runs. matplotlib is imported when the first one is drawn, and only here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .history import History

__all__ = ["plot_history"]


def __dir__() -> list[str]:
    return __all__


DPI = 200
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#595959"  # Okabe and Ito: colour-blind readers see them
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


def plot_history(history: History, ax: Axes | None = None) -> Axes:
    """Draw the losses of a training, and the accuracy where there is one.

    Parameters
    ----------
    history : History
        What ``fit`` returned.
    ax : matplotlib Axes, optional
        Where to draw. Default: the axes of a new figure, which pyplot does not know: nothing is
        shown, and nothing has to be closed. ``ax.figure`` is that figure; a notebook shows it, and
        ``ax.figure.savefig("loss.png")`` writes it. For pyplot's: ``plot_history(h, plt.gca())``.

    Returns
    -------
    matplotlib Axes
        The axes of the losses. Accuracies have their own on the right side, in
        ``ax.figure.axes``.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    """
    if ax is None:
        ax = new_figure(figsize=(6, 3.6), layout="constrained").add_subplot()
    # A single point has no line.
    point = "o" if len(history.loss) == 1 else None
    epochs = range(len(history.loss))
    ax.plot(epochs, history.loss, color=BLUE, marker=point, label="training loss")
    if history.eval_loss:
        ax.plot(epochs, history.eval_loss, color=ORANGE, marker=point, label="evaluation loss")
    ax.set(xlabel="epoch", ylabel="loss")
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
        ax.figure.axes[-1].legend(handles=lines, loc="center right", frameon=False)
    return ax
