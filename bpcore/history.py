"""What a training run has seen."""


class History:
    """Figures of one call of ``fit``, one entry an epoch.

    Attributes
    ----------
    loss : list of float
        Mean of the epoch's batch losses, each taken before its update. For a full batch it is the
        cost that the tutorials print.
    eval_loss, eval_accuracy : list of float
        On ``eval_set``, after the epoch; empty without one. Accuracies only where outputs are
        classes.
    seconds : float
        Wall time of the training alone, without evaluation.
    """

    def __init__(self):
        self.loss = []
        self.eval_loss = []
        self.eval_accuracy = []
        self.seconds = 0.0

    def __repr__(self):
        if not self.loss:
            return "History(no epochs)"
        return (
            f"History({len(self.loss)} epochs, loss {self.loss[0]:.6g} -> {self.loss[-1]:.6g}, "
            f"{self.seconds:.3g} s)"
        )

    def plot(self, ax=None):
        """Draw the losses, and the accuracy where there is one; returns the matplotlib axes.

        Raises ImportError, naming the extra to install, where matplotlib is missing.
        """
        from .plotting import plot_history

        return plot_history(self, ax)
