"""A chain of dense layers and activations, whoever wrote it, and the Network that it makes.

A reader of a source says what rows meet, in their order, and names each as its source does: what is
no fully connected network is refused under that name.
"""

from dataclasses import dataclass

import numpy as np

from .._inputs import check
from .._model.scaling import Standardizer


@dataclass
class Dense:
    """A layer: weight (outputs, inputs), bias (outputs,), and the activation that follows."""

    name: str
    weight: np.ndarray
    bias: np.ndarray
    activation: str | None = None


class Chain:
    """What rows meet, from the inputs on; ``source`` is what errors call the whole.

    ``scaling`` is None, or (shift, scale) of the inputs.
    """

    def __init__(self, source):
        self.source, self.layers, self.scaling = source, [], None

    def dense(self, name, weight, bias=None):
        """A layer; without a bias it has zeros."""
        weight = _floats(f"the weight of {name}", weight, 2)
        outputs, inputs = weight.shape
        if bias is None:
            bias = np.zeros(outputs, weight.dtype)
        bias = _floats(f"the bias of {name}", bias, 1)
        if bias.shape != (outputs,):
            raise ValueError(f"{name} has {outputs} outputs, but {len(bias)} biases")
        if self.layers and (before := self.layers[-1]).weight.shape[0] != inputs:
            raise ValueError(
                f"{name} has {inputs} inputs, but {before.name} before it has "
                f"{before.weight.shape[0]} outputs"
            )
        if self.layers and self.layers[-1].activation == "softmax":
            raise ValueError(
                f"{name} follows a softmax, but a Network has that after its last layer alone"
            )
        self.layers.append(Dense(name, weight, bias))

    def activate(self, name, activation):
        """The activation of the layer before, by bpcore's name."""
        if not self.layers:
            raise ValueError(f"{name} stands before the first dense layer, where nothing can stand")
        if activation == "identity":
            return
        if self.layers[-1].activation is not None:
            raise ValueError(
                f"{name} follows another activation, {self.layers[-1].activation}, without a dense "
                "layer between them"
            )
        self.layers[-1].activation = activation

    def network(self, cls, *, output=None, loss=None):
        """The network; ``output`` is the activation of a source that ends with logits."""
        if not self.layers:
            raise ValueError(f"{self.source} has no dense layer")
        activations = [layer.activation or "identity" for layer in self.layers]
        if output is not None:
            if activations[-1] not in ("identity", output):
                raise ValueError(
                    f"output is {check.shown(output)}, but {self.source} ends with "
                    f"{activations[-1]} already"
                )
            activations[-1] = output
        sizes = [self.layers[0].weight.shape[1], *(len(layer.bias) for layer in self.layers)]
        dtype = np.result_type(*(a for layer in self.layers for a in (layer.weight, layer.bias)))
        net = cls.__new__(cls)  # Start weights would be drawn in vain.
        how = {"hidden": activations[:-1], "output": activations[-1], "loss": loss}
        # The seed is that of mini-batches to come: the same one, so that training is, too.
        net._settle(sizes, **how, init=None, dtype=dtype, seed=0, standardize=False)
        net.weights = [layer.weight for layer in self.layers]
        net.biases = [layer.bias for layer in self.layers]
        if self.scaling is not None:
            shift, scale = (self._figures(figures, sizes[0]) for figures in self.scaling)
            net.scaling = Standardizer(shift, scale)
        return net

    def _figures(self, given, inputs):
        """A number for each input, where one may be for all."""
        if given.size not in (1, inputs):
            raise ValueError(
                f"{self.source} scales {given.size} features, but its first dense layer has "
                f"{inputs} inputs"
            )
        return np.broadcast_to(given.reshape(-1), inputs)


def _floats(name, array, dimensions):
    """``array`` if it has a dtype of networks and so many dimensions."""
    if array.dtype not in (np.float32, np.float64):
        raise ValueError(f"{name} has dtype {array.dtype}, but float32 or float64 is expected")
    if array.ndim != dimensions:
        raise ValueError(
            f"{name} has shape {array.shape}, but {dimensions} dimensions are expected"
        )
    return array


# ---- Layers that are objects ---------------------------------------------------------------------


def kind(thing, *packages):
    """The name of its class, in full where that is of none of these packages: other code."""
    cls = type(thing)
    known = any(f"{cls.__module__}.".startswith(f"{package}.") for package in packages)
    return cls.__name__ if known else f"{cls.__module__}.{cls.__name__}"


def expect(name, layer, settings):
    """Refuse a layer with other ``settings``, {attribute: values}, than a Network has."""
    for attribute, allowed in settings.items():
        given = getattr(layer, attribute, None)
        if not any(_same(given, value) for value in allowed):
            raise ValueError(
                f"{name} has {attribute}={check.shown(given)}, but a Network has "
                f"{allowed[0]!r} alone"
            )


def _same(given, value):
    """Is this the value? Numbers may have been rounded to float32."""
    numbers = all(
        isinstance(number, (int, float, np.floating)) and not isinstance(number, bool)
        for number in (given, value)
    )
    return np.float32(given) == np.float32(value) if numbers else given is value or given == value
