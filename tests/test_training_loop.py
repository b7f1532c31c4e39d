"""The one loop over epochs: what it calls, in which order, and what Ctrl-C cannot come between."""

import numpy as np
import pytest

import bpcore
from bpcore._training.loop import Epochs, Hooks, Stepper, train
from tests.bits import same_bits

X = np.linspace(-1, 1, 20).reshape(-1, 1)
Y = np.sin(3 * X[:, 0])


class Tale(Stepper, Hooks):
    """A stepper and hooks that tell what is asked of them; ``fails`` at one of those."""

    def __init__(self, epochs, stop=None, fails=None):
        self.epochs, self.stop, self.fails, self.told = epochs, stop, fails, []

    def tell(self, word):
        self.told.append(word)
        if word == self.fails:
            raise KeyboardInterrupt

    def __iter__(self):
        for epoch in range(self.epochs):
            self.tell(f"epoch {epoch}")
            yield Epochs([float(epoch)], [0.0], None, 0.0)

    def follow(self):
        self.tell("follow")

    def begin(self):
        self.tell("begin")

    def after(self, epochs):
        self.tell(f"after {epochs.losses[0]:.0f}")
        return epochs.losses[0] == self.stop

    def end(self):
        self.tell("end")


def told(tale):
    try:
        train(tale, tale)
    except KeyboardInterrupt:
        pass
    return ", ".join(tale.told)


def test_hooks_surround_the_epochs_and_the_stepper_follows_them():
    epochs = "epoch 0, after 0, follow, epoch 1, after 1, follow"
    assert told(Tale(2)) == f"begin, {epochs}, end"
    assert told(Tale(9, stop=1)) == f"begin, {epochs}, end"
    assert told(Tale(0)) == "begin, end"


@pytest.mark.parametrize("fails", ["begin", "epoch 1", "after 1", "follow"])
def test_the_end_comes_whatever_was_the_end(fails):
    whole = told(Tale(2))
    assert told(Tale(2, fails=fails)) == whole[: whole.index(fails) + len(fails)] + ", end"


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "lbfgs", "levenberg_marquardt"])
def test_no_call_comes_between_weights_and_their_counts(monkeypatch, optimizer):
    """Python hears Ctrl-C at calls: here each one that sets an attribute of a network is refused.

    Whatever a step changes changes without one; what a fit says before its first step may call.
    """
    net, twin = (
        bpcore.Network([1, 4, 1], hidden="tanh", output="identity", dtype="float64", seed=1)
        for _ in range(2)
    )
    how = {"epochs": 5, "optimizer": optimizer}
    how |= {"learning_rate": 0.1} if optimizer == "sgd" else {}
    set_attribute = bpcore.Network.__setattr__

    def interrupted(net, name, value):
        if name in ("epochs", "_state"):
            raise KeyboardInterrupt
        set_attribute(net, name, value)

    twin.fit(X, Y, **how)
    monkeypatch.setattr(bpcore.Network, "__setattr__", interrupted)
    net.fit(X, Y, **how)
    assert net.epochs == twin.epochs == 5 and net._state.step == twin._state.step == 5
    assert same_bits(net.parameters, twin.parameters)
    with pytest.raises(KeyboardInterrupt):
        net.epochs = 0
