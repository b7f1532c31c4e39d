"""The classes of three backpropagation tutorials, computed by the C core in float64.

Each is a drop-in for its tutorial's own class: the same methods, attributes, shapes and printed
lines, from the same random numbers. A reader changes the import and keeps the rest of the script.

- `ANN`: "Understand and Implement the Backpropagation Algorithm From Scratch In Python", A
  Developer Diary. Rows are samples.
- `NeuralNetwork`: the notebook that derives the backpropagation formulas and recognizes cats.
  Columns are samples.
- `Network`, `sigmoid`, `sigmoid_prime`: the network.py of M. Nielsen, "Neural Networks and Deep
  Learning", in the version of a notebook about it. A sample is a pair of column vectors.

The loops that train (`ANN.fit`, `NeuralNetwork.NN`, `Network.SGD`) run in C. Where a subclass
overrides one of the steps that they are made of, they call the methods step by step instead, as the
tutorials do, so that the override takes effect. Costs are computed from the weighted inputs of the
output layer: they stay finite where the tutorials' log(0) gives nan. Each file below is one
tutorial.
"""

from .ann import ANN
from .network import Network, sigmoid, sigmoid_prime
from .neural_network import NeuralNetwork

__all__ = ["ANN", "Network", "NeuralNetwork", "sigmoid", "sigmoid_prime"]
