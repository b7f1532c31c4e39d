"""How training keeps in touch with its user: short slices, and a report after each epoch."""

import numpy as np

from . import _check

# Seconds that training runs without looking for Ctrl-C: two fifths of the 100 ms that feel instant.
# Each slice creates its threads anew, which takes 0.1 ms: 1/400 of it.
SLICE_SECONDS = 0.04

# Multiply-adds of a slice whose speed is not known: a forward pass of it takes 0.1 s on a slow core
# without vectors, and some milliseconds with them.
SLICE_WORK = 300_000_000


def unmeasured_rows(parameters):
    """How many rows to hand to C at once, by the work that they are."""
    return max(1, SLICE_WORK // parameters)


class Pace:
    """How many rows to hand to C at once, so that a call takes about SLICE_SECONDS.

    rows: of the first call, whose speed is not known.
    """

    def __init__(self, rows=1):
        self.rows = rows

    def adapt(self, rows, seconds):
        # At most eightfold at a time: the first, short calls are measured with the least precision.
        fitting = rows * SLICE_SECONDS / max(seconds, 1e-9)
        self.rows = max(1, int(min(fitting, 8 * max(self.rows, rows))))


class Reporter:
    """Calls back, or moves a tqdm bar, after each epoch."""

    def __init__(self, progress, epochs):
        is_flag = progress is None or isinstance(progress, (bool, np.bool_))
        if not callable(progress) and not is_flag:
            raise TypeError(
                f"progress is {_check.shown(progress)}, but True, False or a callable is expected"
            )
        self.bar = None
        self.report = progress if callable(progress) else lambda history: None
        if is_flag and progress:
            try:
                from tqdm.auto import tqdm
            except ImportError:
                raise ImportError(
                    "progress=True needs tqdm: pip install bpcore[progress]"
                ) from None
            self.bar = tqdm(total=epochs, unit="epoch")
            self.report = self._advance

    def _advance(self, history):
        figures = {"loss": f"{history.loss[-1]:.4g}"}
        if history.eval_accuracy:
            figures["accuracy"] = f"{history.eval_accuracy[-1]:.4f}"
        self.bar.set_postfix(figures, refresh=False)
        self.bar.update()

    def __enter__(self):
        return self.report

    def __exit__(self, *exception):
        if self.bar is not None:
            self.bar.close()
