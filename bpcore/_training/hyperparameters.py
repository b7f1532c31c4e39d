"""How a fit learns: its optimiser, rates, penalties and dropout, checked, without the data."""

from .. import optimizers, schedules
from .._inputs import check, thread_count
from .descent import first_moments


class Method:
    """The settings of ``fit`` that say how to learn; see ``Network.fit`` for their meaning.

    Raises ValueError or TypeError where one of them makes no sense for the network.
    """

    def __init__(
        self, net, *, learning_rate, optimizer, l2, l1, dropout, clip_norm, max_norm, n_threads
    ):
        self.optimizer = optimizers.named(optimizer)
        self.optimizer.expect(net.dtype)
        given_rate = learning_rate
        if learning_rate is None:
            learning_rate = self.optimizer.default_rate
        if learning_rate is None:
            raise TypeError(
                f"learning_rate is missing: optimizer {self.optimizer.name!r} has no default for it"
            )
        self.schedule, self.dtype = schedules.named(learning_rate), net.dtype
        rate = self.schedule.rate(0, self.schedule.start())
        amount("learning_rate", rate, net.dtype)
        self.penalties = {
            "l2": amount("l2", l2, net.dtype),
            "l1": amount("l1", l1, net.dtype),
            "clip_norm": limit("clip_norm", clip_norm, net.dtype),
            "max_norm": limit("max_norm", max_norm, net.dtype),
        }
        self.dropout = shares("dropout", dropout, len(net.sizes) - 2)
        self.threads = thread_count.count(n_threads)
        if self.optimizer.full_batch:
            self._refuse_first_order(given_rate)
            self.rule = None
        else:
            self.rule = optimizers.rule_of(self.optimizer, **self.penalties)

    def _refuse_first_order(self, learning_rate):
        """What has no meaning for a method that needs the same smooth function at every step."""
        others = {**self.penalties, "dropout": self.dropout, "learning_rate": learning_rate}
        for name, value in others.items():
            if name != "l2" and value:
                raise ValueError(
                    f"{name} is {value!r}, but optimizer {self.optimizer.name!r} finds its steps "
                    f"by itself, from the mean loss and l2 alone: leave {name} out"
                )

    def resume(self, net):
        """Go on with what an earlier fit of the same kind has left in the network, or begin."""
        net._make_writable()
        state = net._state
        same = state is not None and state["optimizer"] == self.optimizer
        self.step = state["step"] if same else 0
        self.moments = state["moments"] if same else None
        same = same and state["schedule"] == self.schedule
        start = {**self.schedule.start(), **self.optimizer.start()}
        self.memory = dict(state["memory"]) if same else start
        rate = self.rate(net.epochs)  # What cannot begin is refused here.
        if self.moments is None:
            self.moments = first_moments(self.rule, net, rate)
        elif not self.moments.flags.writeable:  # As in a network that was unpickled so.
            self.moments = self.moments.copy()
        self._kept = self.state()

    def rate(self, epoch):
        """The learning rate of epoch number ``epoch``; FloatingPointError where it is none."""
        name = f"learning_rate of epoch {epoch}"
        try:
            rate = self.schedule.rate(epoch, self.memory)
            return _not_negative(name, check.finite_number(name, rate, self.dtype))
        except (ArithmeticError, ValueError) as error:
            raise FloatingPointError(
                f"{self.schedule!r} has no rate for epoch {epoch}: {error}"
            ) from None

    def keep(self, net, step):
        """Leave the optimiser's state in the network, for a fit that goes on and for files.

        Nothing is made here: no failing allocation comes between the weights and their state.
        Before the first update, what an earlier fit has left stays.
        """
        if step != self.step:
            self.step = self._kept["step"] = step
            net._state = self._kept

    def state(self):
        """The optimiser's state."""
        return {
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "memory": self.memory,
            "step": self.step,
            "moments": self.moments,
        }


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
        _share(name, value)  # Where there are no hidden layers, too.
        value = (value,) * layers
    value = tuple(value)
    if len(value) != layers:
        raise ValueError(f"{name} has {len(value)} shares for {layers} hidden layers")
    numbers = tuple(_share(f"{name}[{i}]", x) for i, x in enumerate(value))
    return numbers if any(numbers) else None


def _share(name, value):
    number = check.finite_number(name, value)
    if not 0 <= number < 1:
        raise ValueError(f"{name} is {number:g}, but it must be at least 0 and below 1")
    return number
