"""How far a network has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .training_state import TrainingState


class Trained:
    """Epochs and state of training, in an object apart, whose attributes are set without a call.

    Python hears Ctrl-C in calls, and setting an attribute of a Network is one: between the weights
    of a step and what belongs to them there must be none.
    """

    __slots__ = ("epochs", "state")

    def __init__(self, epochs: int = 0, state: TrainingState | None = None):
        self.epochs, self.state = epochs, state

    def copy(self) -> Trained:
        """A copy that no training changes."""
        return Trained(self.epochs, None if self.state is None else self.state.copy())
