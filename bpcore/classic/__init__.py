"""The classes of three backpropagation tutorials, computed by the C core in float64.

Each is a drop-in for its tutorial's own class: the same methods, attributes, shapes and printed
lines, from the same random numbers. A reader changes the import and keeps the rest of the script.

- `ANN`: "Understand and Implement the Backpropagation Algorithm From Scratch In Python", A
  Developer Diary. Rows are samples.
- `NeuralNetwork`: the notebook that derives the backpropagation formulas and recognizes cats.
  Columns are samples.
- `Network`, `sigmoid`, `sigmoid_prime`: the network.py of M. Nielsen, "Neural Networks and Deep
  Learning", in the version of a notebook about it. A sample is a pair of column vectors.

The loops that train (`ANN.fit`, `NeuralNetwork.NN`, `Network.SGD`) run in C. Where a step that they
are made of is not the original one, they call the methods step by step instead, as the tutorials
do: so what a subclass overrides takes effect, and so does a method that is replaced on the class or
on one instance, and `classic.sigmoid = f`. A function of the same name in a script of its own does
not: put it there. Costs are computed from the weighted inputs of the output layer: they stay finite
where the tutorials' log(0) gives nan. Each file below is one tutorial.
"""

import sys
import types
from typing import Any

from . import network
from .ann import ANN
from .network import Network, sigmoid, sigmoid_prime
from .neural_network import NeuralNetwork

__all__ = ["ANN", "Network", "NeuralNetwork", "sigmoid", "sigmoid_prime"]


def __dir__() -> list[str]:
    return __all__


class _Package(types.ModuleType):
    """A module whose functions, when replaced, are replaced where `Network` looks for them."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in ("sigmoid", "sigmoid_prime"):
            setattr(network, name, value)


sys.modules[__name__].__class__ = _Package
