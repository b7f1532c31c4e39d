"""What training leaves in a network beside its weights."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass
class TrainingState:
    """What an optimiser and a schedule remember, so that the next fit goes on bit for bit.

    It is the one setting of training that is not frozen: moments are updated in place, and so is
    ``step``, since nothing may be allocated between the weights and the count of their updates.

    Attributes
    ----------
    optimizer : Optimizer
        With its numbers: another one cannot read these moments.
    schedule : Schedule or None
        None: one that a file could not hold.
    schedule_state : dict
        What the schedule has made of the losses so far, and numbers of the optimiser's own.
    step : int
        Updates that were done.
    moments : ndarray (arrays, parameters), optional
        Arrays of the optimiser's.
    """

    optimizer: Any
    schedule: Any
    schedule_state: dict[str, Any]
    step: int
    moments: np.ndarray | None

    def copy(self) -> "TrainingState":
        """A copy that no training changes."""
        moments = None if self.moments is None else self.moments.copy()
        return replace(self, schedule_state=dict(self.schedule_state), moments=moments)


def unpickled(state: TrainingState | dict[str, Any]) -> TrainingState:
    """The state of a network's pickle, its moments where C can read them; older ones are dicts."""
    if isinstance(state, dict):
        state = TrainingState(*state.values())
    moments = state.moments
    return replace(state, moments=None if moments is None else np.require(moments, None, "A"))
