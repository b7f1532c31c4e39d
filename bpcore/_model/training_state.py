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


@dataclass(slots=True)
class Trained:
    """How far a network has come, in an object apart, whose attributes are set without a call.

    Python hears Ctrl-C in calls, and setting an attribute of a Network is one: between the weights
    of a step and what belongs to them there must be none.
    """

    epochs: int = 0
    state: TrainingState | None = None

    def copy(self) -> "Trained":
        """A copy that no training changes."""
        return Trained(self.epochs, None if self.state is None else self.state.copy())
