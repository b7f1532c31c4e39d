"""How training tells its user how far it is."""

import sys
import time

from .._inputs import check

SECONDS_BETWEEN_UPDATES = 0.1  # of the plain line: faster than that, nobody reads


class Line:
    """A line on stderr that says how far a training is; each state is written over the former."""

    def __init__(self, total, unit, loss):
        self.total, self.unit, self.loss = total, unit, loss
        self.started = self.shown = time.monotonic()
        self.history = None
        self.width = 0

    def update(self, history):
        """Show the state after an epoch, where the last one has been there long enough."""
        self.history, now = history, time.monotonic()
        if now - self.shown >= SECONDS_BETWEEN_UPDATES:
            self.shown = now
            each = (now - self.started) / len(history.loss)
            self._write(f"{duration(each * (self.total - len(history.loss)))} left")

    def clear(self):
        """Wipe the line. Spaces do it on every terminal, escape codes do not."""
        if self.width:
            print("\r" + " " * self.width + "\r", end="", file=sys.stderr, flush=True)
            self.width = 0

    def close(self):
        """Leave the last state, and go to the next line."""
        if self.history is not None:
            self._write(duration(time.monotonic() - self.started))
            print(file=sys.stderr, flush=True)

    def _write(self, remark):
        import shutil

        history, done = self.history, len(self.history.loss)
        text = f"{self.unit} {done}/{self.total}  {100 * done // self.total} %  "
        text += f"{self.loss} {history.loss[-1]:#.5g}  "
        if history.eval_accuracy:
            text += f"accuracy {history.eval_accuracy[-1]:.4f}  "
        # A line that wraps could not be overwritten.
        text = (text + remark)[: shutil.get_terminal_size().columns - 1]
        print("\r" + text.ljust(self.width), end="", file=sys.stderr, flush=True)
        self.width = len(text)


def duration(seconds):
    """A time in words, in two units at most."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    return f"{minutes // 60} h {minutes % 60} min"


class Reporter:
    """Calls back, or moves a tqdm bar or without tqdm a plain line, after each epoch."""

    def __init__(self, progress, epochs):
        is_flag = progress is None or check.is_flag(progress)
        if not callable(progress) and not is_flag:
            raise TypeError(
                f"progress is {check.shown(progress)}, but True, False or a callable is expected"
            )
        self.bar = None
        self.report = progress if callable(progress) else lambda history: None
        if is_flag and progress:
            try:
                from tqdm.auto import tqdm
            except ImportError:
                self.bar = Line(epochs, "epoch", "loss")
                self.report = self.bar.update
            else:
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
