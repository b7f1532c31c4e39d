"""The three tutorials' classes: what bpcore.classic is compared with.

They are here in our own words, equation by equation, in NumPy alone, with the methods, and the
calls among them, that the tutorials have. Where the tutorials' texts lie in the folder
`shared/seeds` beside the repository, `find` reads the code of two of them instead.
"""

import contextlib
import inspect
import io
import os
import random
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest

# Beside the data that the tests are given, or beside the repository.
DATA = os.environ.get("BPCORE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
SEEDS = Path(DATA).resolve().parent / "seeds"

# Where the code of a class begins and ends in its text.
MARKS = {
    "NeuralNetwork": ("class NeuralNetwork:", "\n&emsp;"),
    "Network": ("class Network(object):", "Now, let's break down"),
}

# Where the class to compare with comes from: our own words, and at length the tutorial's own code.
PLACES = ["own", pytest.param("tutorial", marks=pytest.mark.long)]


def signature(function):
    """The parameters and defaults of a function as text; the tutorials have no annotations."""
    parameters = inspect.signature(function).parameters.values()
    bare = [parameter.replace(annotation=parameter.empty) for parameter in parameters]
    return str(inspect.Signature(bare))


def find(where, name):
    """The module that holds the class: this one ("own"), or the code in the tutorial's text."""
    if where == "own":
        return sys.modules[__name__]
    begin, end = MARKS[name]
    for path in sorted(SEEDS.glob("*.txt")):
        text = path.read_text("utf-8")
        if begin in text:
            module = types.ModuleType(f"tutorial_{name}")
            module.np, module.random = np, random
            # float() of a matrix of one element is refused by recent versions of NumPy.
            module.float = lambda x: np.asarray(x).item()
            exec(text[text.index(begin) :].split(end)[0], vars(module))
            return module
    pytest.skip("the tutorial's text is not in shared/seeds beside the repository")


NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]\d+)?")


def outcome(subject, train):
    """(what train(subject) prints, its numbers as #; these numbers; the arrays that it returns)."""
    np.random.seed(0)
    random.seed(0)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        arrays = train(subject)
    text = out.getvalue()
    return NUMBER.sub("#", text), [float(x) for x in NUMBER.findall(text)], arrays


def assert_same_outcome(ours, theirs, rtol=1e-7, atol=1e-8):
    """Rounding grows in training: 1e-16 to 1e-9 here; arrays are printed with 8 digits.

    The tolerances are those of what is printed; a distance of gradients below 1e-7 is 0.
    """
    (our_text, our_numbers, our_arrays), (text, numbers, arrays) = ours, theirs
    assert our_text == text
    np.testing.assert_allclose(our_numbers, numbers, rtol, atol)
    for a, b in zip(our_arrays, arrays, strict=True):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


class ANN:
    """The first tutorial's equations, columns as samples inside."""

    def __init__(self, layers_size):
        self.layers_size, self.parameters, self.costs = layers_size, {}, []
        self.L, self.n = len(layers_size), 0

    def sigmoid(self, Z):
        return 1 / (1 + np.exp(-Z))

    def sigmoid_derivative(self, Z):
        s = 1 / (1 + np.exp(-Z))  # Not self.sigmoid.
        return s * (1 - s)

    def initialize_parameters(self):
        np.random.seed(1)
        for i in range(1, len(self.layers_size)):
            shape = self.layers_size[i], self.layers_size[i - 1]
            self.parameters[f"W{i}"] = np.random.randn(*shape) / np.sqrt(shape[1])
            self.parameters[f"b{i}"] = np.zeros((shape[0], 1))

    def forward(self, X):
        store, A = {}, X.T
        for i in range(1, self.L + 1):
            W, b = self.parameters[f"W{i}"], self.parameters[f"b{i}"]
            Z = W.dot(A) + b
            A = self.sigmoid(Z)
            store.update({f"A{i}": A, f"W{i}": W, f"Z{i}": Z})
        return A, store

    def backward(self, X, Y, store):
        derivatives, store["A0"] = {}, X.T
        A = store[f"A{self.L}"]
        dA = -np.divide(Y, A) + np.divide(1 - Y, 1 - A)
        for i in range(self.L, 0, -1):
            dZ = dA * self.sigmoid_derivative(store[f"Z{i}"])
            derivatives[f"dW{i}"] = dZ.dot(store[f"A{i - 1}"].T) / self.n
            derivatives[f"db{i}"] = np.sum(dZ, axis=1, keepdims=True) / self.n
            dA = store[f"W{i}"].T.dot(dZ)
        return derivatives

    def fit(self, X, Y, learning_rate=0.01, n_iterations=2500):
        np.random.seed(1)
        self.n = X.shape[0]
        self.layers_size.insert(0, X.shape[1])
        self.initialize_parameters()
        for loop in range(n_iterations):
            A, store = self.forward(X)
            cost = -(Y.dot(np.log(A.T)) + (1 - Y).dot(np.log(1 - A.T))) / self.n
            derivatives = self.backward(X, Y, store)
            for name in self.parameters:
                step = learning_rate * derivatives["d" + name]
                self.parameters[name] = self.parameters[name] - step
            if loop % 100 == 0:
                print(np.squeeze(cost))
                self.costs.append(np.squeeze(cost))

    def predict(self, X, Y):
        p = self.forward(X)[0][:1] > 0.5
        print("Accuracy: " + str(np.sum((p == Y) / X.shape[0])))


class NeuralNetwork:
    """The second tutorial's equations."""

    def __init__(self, X, Y):
        self.X, self.Y, self.m = X, Y, Y.shape[1]
        self.A, self.Z, self.dW, self.db = {0: X}, {}, {}, {}
        self.W, self.b = {}, {}

    def relu(self, Z):
        return np.maximum(Z, 0)

    def derivrelu(self, Z):
        return (Z > 0).astype(int)

    def sigmoid(self, Z):
        return 1 / (1 + np.exp(-Z))

    def derivsigmoid(self, Z):
        return self.sigmoid(Z) * (1 - self.sigmoid(Z))

    def initialize(self):
        for i in range(1, self.L + 1):
            self.W[i] = np.random.randn(self.layers[i], self.layers[i - 1]) * 0.01
            self.b[i] = np.zeros((self.layers[i], 1))

    def forward_prop(self):
        run(self, self.W, self.b, self.A, self.Z, 1)

    def cost(self, A):
        return np.sum(-self.Y * np.log(A) - (1 - self.Y) * np.log(1 - A)) / self.m

    def back_prop(self):
        A = self.A[self.L]
        delta = (-(self.Y / A) + (1 - self.Y) / (1 - A)) * self.derivsigmoid(self.Z[self.L])
        self.Delta = {self.L: delta}
        for i in range(self.L, 0, -1):
            self.db[i] = np.sum(self.Delta[i], axis=1, keepdims=True) / self.m
            self.dW[i] = self.Delta[i] @ self.A[i - 1].T / self.m
            if i > 1:
                self.Delta[i - 1] = self.derivrelu(self.Z[i - 1]) * (self.W[i].T @ self.Delta[i])

    def update_params(self):
        for i in range(1, self.L + 1):
            self.W[i] = self.W[i] - self.alpha * self.dW[i]
            self.b[i] = self.b[i] - self.alpha * self.db[i]
        self.A, self.Z, self.dW, self.db = {0: self.X}, {}, {}, {}

    def num_J(self, eps, l):  # noqa: E741, the tutorial's name
        self.check_W[l] = eps
        run(self, self.check_W, self.check_b, self.check_A, self.check_Z, l)
        return self.cost(self.check_A[self.L])

    def check_grad(self, l):  # noqa: E741, the tutorial's name
        W = self.check_W[l].copy()
        gradient = np.zeros(W.shape)
        for i in range(W.size):
            eps = 1e-7 * np.eye(1, W.size, i).reshape(W.shape)
            gradient.flat[i] = (self.num_J(W + eps, l) - self.num_J(W - eps, l)) / 2e-7
        return gradient

    def NN(self, layers, num_iter, alpha=0.01, check_layer=None):
        self.layers, self.L = [self.X.shape[0], *layers], len(layers)
        self.alpha, self.num_iter = alpha, num_iter
        self.initialize()
        for i in range(num_iter):
            self.forward_prop()
            cost = self.cost(self.A[self.L])
            if i % 500 == 0:
                print(f"cost after iteration {i}: {cost}")
            self.back_prop()
            if i == num_iter - 1 and check_layer:
                for name in "WbAZ":
                    setattr(self, "check_" + name, getattr(self, name).copy())
                a, n = self.dW[check_layer], self.check_grad(check_layer)
                norm = np.linalg.norm
                distance = norm(a - n) / (norm(a) + norm(n))
                print("\n Measure of diff. between vectors is " + str(distance))
            self.update_params()

    def predict(self, X, Y):
        A = {0: X}
        run(self, self.W, self.b, A, {}, 1)
        return float(np.mean((A[self.L] > 0.5) == Y))


def run(network, W, b, A, Z, first):
    """Forward from layer `first` of a NeuralNetwork."""
    for i in range(first, network.L + 1):
        Z[i] = W[i] @ A[i - 1] + b[i]
        A[i] = (network.sigmoid if i == network.L else network.relu)(Z[i])


class Network:
    """The third tutorial's equations, a sample at a time."""

    def __init__(self, sizes):
        self.sizes, self.num_layers = sizes, len(sizes)
        self.biases = [np.random.randn(n, 1) for n in sizes[1:]]
        self.weights = [np.random.randn(n, m) for m, n in zip(sizes[:-1], sizes[1:], strict=True)]

    def feedforward(self, a):
        for w, b in zip(self.weights, self.biases, strict=True):
            a = sigmoid(np.dot(w, a) + b)
        return a

    def cost_derivative(self, output_activations, y):
        return output_activations - y

    def backprop(self, x, y):
        a, z = [x], []
        for w, b in zip(self.weights, self.biases, strict=True):
            z.append(np.dot(w, a[-1]) + b)
            a.append(sigmoid(z[-1]))
        delta = self.cost_derivative(a[-1], y) * sigmoid_prime(z[-1])
        nabla_b, nabla_w = [delta], [np.dot(delta, a[-2].transpose())]
        for i in range(len(z) - 2, -1, -1):
            slope = sigmoid_prime(z[i])
            delta = np.dot(self.weights[i + 1].transpose(), delta) * slope
            nabla_b.insert(0, delta)
            nabla_w.insert(0, np.dot(delta, a[i].transpose()))
        return nabla_b, nabla_w

    def update_mini_batch(self, mini_batch, eta):
        nabla_b = [np.zeros(b.shape) for b in self.biases]
        nabla_w = [np.zeros(w.shape) for w in self.weights]
        for x, y in mini_batch:
            more_b, more_w = self.backprop(x, y)
            nabla_b = [sum(pair) for pair in zip(nabla_b, more_b, strict=True)]
            nabla_w = [sum(pair) for pair in zip(nabla_w, more_w, strict=True)]
        rate = eta / len(mini_batch)
        self.weights = [w - rate * dw for w, dw in zip(self.weights, nabla_w, strict=True)]
        self.biases = [b - rate * db for b, db in zip(self.biases, nabla_b, strict=True)]

    def evaluate(self, test_data):
        return sum(int(np.argmax(self.feedforward(x)) == y) for x, y in test_data)

    def SGD(self, training_data, epochs, mini_batch_size, eta, test_data=None):
        training_data, test_data = list(training_data), test_data and list(test_data)
        for j in range(epochs):
            random.shuffle(training_data)
            for k in range(0, len(training_data), mini_batch_size):
                self.update_mini_batch(training_data[k : k + mini_batch_size], eta)
            if test_data:
                print(f"Epoch {j} : {self.evaluate(test_data)} / {len(test_data)}")
            else:
                print(f"Epoch {j} complete")


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def sigmoid_prime(z):
    return sigmoid(z) * (1 - sigmoid(z))
