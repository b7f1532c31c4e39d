"""A fit that is refused changes nothing: what the estimator was before comes back."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ._bases import Method


def changes_nothing(method: Method) -> Method:
    """``method``, undone where an error ends it before ``training_begins``.

    Weights that are there change in training alone; all else that a fit sets is an attribute that
    it replaces. A method within another leaves the undoing to that one.
    """

    @functools.wraps(method)
    def undone(self, *args, **kwargs):
        state = vars(self)
        if "_before" in state:
            return method(self, *args, **kwargs)
        before, random = dict(state), self.random_state
        drawn = random.get_state() if isinstance(random, np.random.RandomState) else None
        self._before = before
        try:
            return method(self, *args, **kwargs)
        except BaseException:
            if "_before" in state:
                state.clear()
                state.update(before)
                if drawn is not None:
                    random.set_state(drawn)
            raise
        finally:
            training_begins(self)

    return undone


def training_begins(estimator):
    """From here on what happens to the estimator stays."""
    vars(estimator).pop("_before", None)
