"""How a fit learns: its optimiser, rates, penalties and dropout, checked, without the data."""

from dataclasses import dataclass, field

import numpy as np

from .. import _core, optimizers, schedules
from .._inputs import check, thread_count
from .._model.training_state import TrainingState


@dataclass(frozen=True)
class Hyperparameters:
    """The settings of a training that say how to learn; see ``Network.fit`` for their meaning.

    Attributes
    ----------
    optimizer, schedule, threads, dropout
        The last is a share for each hidden layer, or None.
    rule : _core.Rule, optional
        The optimiser's update with all penalties. None: plain descent, or an optimiser that is
        none of descent.
    dtype : numpy.dtype
        Of the network, in which rates are finite.
    l2 : float
        For an optimiser that has no rule.
    """

    optimizer: optimizers.Optimizer
    schedule: schedules.Schedule
    rule: _core.Rule | None
    threads: int
    dtype: np.dtype
    l2: float = 0.0
    dropout: tuple[float, ...] | None = None
    penalties: dict[str, float] = field(default_factory=dict)

    @classmethod
    def checked(
        cls, net, *, learning_rate, optimizer, l2, l1, dropout, clip_norm, max_norm, n_threads
    ):
        """What ``fit`` was told; ValueError or TypeError where it makes no sense for ``net``."""
        optimizer = optimizers.named(optimizer)
        optimizer.expect(net.dtype)
        rate = optimizer.default_rate if learning_rate is None else learning_rate
        if rate is None:
            raise TypeError(
                f"learning_rate is missing: optimizer {optimizer.name!r} has no default for it"
            )
        schedule = schedules.named(rate)
        amount("learning_rate", schedule.rate(0, schedule.start()), net.dtype)
        penalties = {
            "l2": amount("l2", l2, net.dtype),
            "l1": amount("l1", l1, net.dtype),
            "clip_norm": limit("clip_norm", clip_norm, net.dtype),
            "max_norm": limit("max_norm", max_norm, net.dtype),
        }
        dropout = shares("dropout", dropout, len(net.sizes) - 2)
        threads, rule = thread_count.count(n_threads), None
        if optimizer.full_batch:
            others = {**penalties, "dropout": dropout, "learning_rate": learning_rate}
            _refuse_first_order(optimizer, others)
        else:
            rule = optimizers.rule_of(optimizer, **penalties)
        return cls(
            optimizer, schedule, rule, threads, net.dtype, penalties["l2"], dropout, penalties
        )

    def architecture(self, net):
        """C's view of a network that learns so."""
        return net._architecture(self.dropout) if self.dropout else net._core

    def resume(self, net):
        """The state that an earlier fit of the same kind has left in the network, or a new one."""
        net._make_writable()
        kept = net._state
        if kept is None or kept.optimizer != self.optimizer:
            kept = TrainingState(self.optimizer, None, {}, 0, None)
        numbers = {**self.schedule.start(), **self.optimizer.start()}
        if kept.schedule == self.schedule:
            numbers = dict(kept.schedule_state)
        state = TrainingState(self.optimizer, self.schedule, numbers, kept.step, kept.moments)
        rate = self.rate(net.epochs, state)  # What cannot begin is refused here.
        if state.moments is None:
            state.moments = first_moments(self.rule, net, rate)
        elif not state.moments.flags.writeable:  # As in a network that was unpickled so.
            state.moments = state.moments.copy()
        return state

    def rate(self, epoch, state):
        """The learning rate of epoch number ``epoch``; FloatingPointError where it is none."""
        name = f"learning_rate of epoch {epoch}"
        try:
            rate = self.schedule.rate(epoch, state.schedule_state)
            return _not_negative(name, check.finite_number(name, rate, self.dtype))
        except (ArithmeticError, ValueError) as error:
            raise FloatingPointError(
                f"{self.schedule!r} has no rate for epoch {epoch}: {error}"
            ) from None


def first_moments(rule, net, learning_rate):
    """What an optimiser begins with: zeros, and steps where it keeps some; None for nothing."""
    if rule is None or not rule.moments:
        return None
    moments = np.zeros((rule.moments, len(net.parameters)), net.dtype)
    if rule.keeps_steps:
        moments[-1] = learning_rate
    return moments


def _refuse_first_order(optimizer, settings):
    """What has no meaning for a method that needs the same smooth function at every step."""
    for name, value in settings.items():
        if name != "l2" and value:
            raise ValueError(
                f"{name} is {value!r}, but optimizer {optimizer.name!r} finds its steps by itself, "
                f"from the mean loss and l2 alone: leave {name} out"
            )


def amount(name, value, dtype):
    """``value`` as a number of at least 0."""
    return _not_negative(name, check.normal_number(name, value, dtype))


def _not_negative(name, number):
    if number < 0:
        raise ValueError(f"{name} is {number:g}, but it must be at least 0")
    return number


def limit(name, value, dtype):
    """``value`` as a positive number; 0 for None: no limit."""
    if value is None:
        return 0.0
    number = check.normal_number(name, value, dtype)
    if number <= 0:
        raise ValueError(f"{name} is {number:g}, but it must be positive, or None: no limit")
    return number


def shares(name, value, layers):
    """A share, at least 0 and below 1, for each hidden layer; None where all are 0."""
    if isinstance(value, float) or check.rectangle(name, value).ndim == 0:
        numbers = (check.share(name, value),) * layers
    elif len(value) != layers:
        raise ValueError(f"{name} has {len(value)} shares for {layers} hidden layers")
    else:
        numbers = tuple(check.share(f"{name}[{i}]", x) for i, x in enumerate(value))
    return numbers if any(numbers) else None
