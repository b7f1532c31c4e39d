"""What a training run has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["History"]


class History:
    """Figures of one call of ``fit``, one entry an epoch.

    Attributes
    ----------
    loss : list of float
        Mean of the epoch's batch losses, each taken before its update, with the penalties of that
        moment; batches count alike, whatever their rows. For a full batch without penalties it is
        the cost that the tutorials print.
    penalty : list of float
        The penalties' part of it.
    learning_rate : list of float
        Of the schedule, without a warm-up.
    eval_loss, eval_accuracy : list of float
        On ``eval_set``, after the epoch; empty without one. Accuracies only where outputs are
        classes.
    fingerprints : list of str
        ``net.fingerprint()`` after the epoch, before callbacks; empty unless ``fit`` was told
        ``fingerprints=True``.
    stopped : str or None
        Why "lbfgs" or "levenberg_marquardt" has ended.
    converged : bool or None
        Whether a tolerance of theirs has ended it. Not so where all epochs were done, a callback
        has stopped it, or the method can do no more, of which it warns. None for other optimisers.
    best_epoch : int or None
        Where early stopping saw the best figure, counted from 0.
    seconds : float
        Wall time of the training alone, without evaluation.
    execution : dict
        How a descent on arrays was computed, which changes no figure above: under "threads", the
        seconds that were spent with at most each number of them. Empty for other kinds of training.
    """

    def __init__(self) -> None:
        self.loss: list[float] = []
        self.penalty: list[float] = []
        self.learning_rate: list[float] = []
        self.eval_loss: list[float] = []
        self.eval_accuracy: list[float] = []
        self.fingerprints: list[str] = []
        self.stopped: str | None = None
        self.converged: bool | None = None
        self.best_epoch: int | None = None
        self.seconds: float = 0.0
        self.execution: dict[str, dict[int, float]] = {}

    def extend(
        self, losses: list[float], penalties: list[float], learning_rate: float, seconds: float
    ) -> None:
        """Add epochs that were done together."""
        self.loss += [loss + more for loss, more in zip(losses, penalties, strict=True)]
        self.penalty += penalties
        self.learning_rate += [learning_rate] * len(losses)
        self.seconds += seconds

    def __repr__(self) -> str:
        if not self.loss:
            return "History(no epochs)"
        return (
            f"History({len(self.loss)} epochs, loss {self.loss[0]:.6g} -> {self.loss[-1]:.6g}, "
            f"{self.seconds:.3g} s)"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the losses, and the accuracy where there is one; returns the matplotlib axes.

        Raises ImportError, saying how to install it, where matplotlib is missing.
        """
        from .plotting import plot_history

        return plot_history(self, ax)
