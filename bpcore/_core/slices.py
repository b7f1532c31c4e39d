"""How much work C is given at once, so that Ctrl-C is heard."""

# Seconds that training runs without looking for Ctrl-C: two fifths of the 100 ms that feel instant.
# Each slice creates its threads anew, which takes 0.1 ms: 1/400 of it.
SLICE_SECONDS = 0.04

# Multiply-adds of a slice whose speed is not known: a forward pass of it takes 0.1 s on a slow core
# without vectors, and some milliseconds with them.
SLICE_WORK = 300_000_000


def unmeasured_rows(parameters):
    """How many rows to hand to C at once, by the work that they are."""
    return max(1, SLICE_WORK // parameters)


class AdaptiveSlice:
    """How many rows to hand to C at once, so that a call takes about SLICE_SECONDS.

    rows: of the first call, whose speed is not known.
    """

    def __init__(self, rows=1):
        self.rows = rows

    def rows_in(self, seconds):
        """How many rows take about so many seconds, where SLICE_SECONDS are known."""
        return max(1, int(self.rows * seconds / SLICE_SECONDS))

    def adapt(self, rows, seconds):
        # At most eightfold at a time: the first, short calls are measured with the least precision.
        fitting = rows * SLICE_SECONDS / max(seconds, 1e-9)
        self.rows = max(1, int(min(fitting, 8 * max(self.rows, rows))))
