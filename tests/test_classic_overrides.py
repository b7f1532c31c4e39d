"""Laws of bpcore.classic: what replaces a method or a function takes effect, as in the tutorials.

Each method of each class is replaced in turn: by a subclass, on the class and on an instance; each
function of a module on that module. The tutorial's class gets the same replacement.
"""

import types

import numpy as np
import pytest

from bpcore import classic
from tests import tutorials
from tests.tutorials import assert_same_outcome, outcome


def steeper(original, self, Z):
    return original(self, 2 * Z)


def half(original, *arguments):
    return 0.5 * original(*arguments)


def halves(original, *arguments):
    """Half of each array of a dictionary."""
    return {name: 0.5 * value for name, value in original(*arguments).items()}


def half_lists(original, *arguments):
    return tuple([0.5 * array for array in arrays] for arrays in original(*arguments))


def of_half_the_input(original, self, X, *rest):
    return original(self, 0.5 * X, *rest)


def of_other_labels(original, self, X, Y):
    return original(self, X, 1 - Y)


def with_clipped_outputs(original, self, X, Y, store):
    store["A3"] = np.clip(store["A3"], 0.4, 0.6)
    return original(self, X, Y, store)


def then(change):
    """What changes the network after its method is done."""

    def changed(original, self, *arguments):
        result = original(self, *arguments)
        change(self)
        return result

    return changed


def scale(part, factor):
    def change(network):
        old = getattr(network, part)
        names = old if isinstance(old, dict) else range(len(old))
        for name in names:
            old[name] = factor * old[name]

    return then(change)


@then
def clip_outputs(network):
    network.A[network.L] = np.clip(network.A[network.L], 0.49, 0.51)


def faster(original, self, data, steps, *rest):
    """Three quarters of the steps."""
    return original(self, data, 3 * steps // 4, *rest)


def fit_faster(original, self, X, Y, rate, iterations):
    return original(self, X, Y, 2 * rate, iterations)


# (method, what calls the original one in another way)
ANN = [
    ("sigmoid", steeper),
    ("sigmoid_derivative", half),
    ("initialize_parameters", scale("parameters", 0.5)),
    ("forward", of_half_the_input),
    ("backward", halves),
    ("backward", with_clipped_outputs),
    ("fit", fit_faster),
    ("predict", of_other_labels),
]
NEURAL_NETWORK = [
    ("relu", lambda original, self, Z: np.where(Z > 0, Z, 0.1 * Z)),
    ("derivrelu", half),
    ("sigmoid", steeper),
    ("derivsigmoid", half),
    ("initialize", scale("W", 20)),
    ("forward_prop", clip_outputs),
    ("cost", half),
    ("back_prop", scale("dW", 0.5)),
    ("update_params", scale("W", 0.99)),
    ("num_J", half),
    ("check_grad", half),
    ("NN", faster),
    ("predict", half),
]
NETWORK = [
    ("feedforward", lambda original, self, a: original(self, 1 - a)),
    ("cost_derivative", half),
    ("cost_derivative", lambda original, self, a, y: (a - y) / (a * (1 - a))),
    ("backprop", half_lists),
    ("update_mini_batch", scale("weights", 0.99)),
    ("evaluate", half),
    ("evaluate", scale("weights", 0.5)),  # Between the epochs.
    ("SGD", faster),
]
FUNCTIONS = [
    ("sigmoid", lambda original, z: original(2 * z)),
    ("sigmoid", lambda original, z: np.exp(z) / np.sum(np.exp(z))),  # All units depend on all.
    ("sigmoid_prime", half),
]


def train_ann(network):
    """Trains, prints, and returns all numbers that are left."""
    X, Y = data()
    network.fit(X, Y, 0.5, 101)
    network.predict(X, Y)
    return [network.parameters[name] for name in sorted(network.parameters)]


def train_neural_network(network):
    X, Y = data()
    network.NN([4, 1], 60, 0.05, 2)
    print(network.predict(X.T, Y[None]))
    return [*network.W.values(), *network.b.values(), *network.Delta.values()]


def train_network(network):
    X, Y = data()
    columns, labels = X[:, :, None], Y.astype(int)
    targets = np.eye(2)[labels][:, :, None]
    pairs = list(zip(columns, targets, strict=True))
    network.SGD(pairs, 4, 7, 0.8, list(zip(columns, labels, strict=True)))
    return [*network.weights, *network.biases, network.feedforward(columns[0])]


def data(n=40, features=6):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, features))
    return X, (X[:, 0] + X[:, 1] * X[:, 2] > 0.3).astype(float)


def make_network(base):
    np.random.seed(0)
    return base([6, 5, 2])


KINDS = {
    "ANN": (ANN, lambda base: base([5, 3, 1]), train_ann),
    "NeuralNetwork": (
        NEURAL_NETWORK,
        lambda base: base(data()[0].T, data()[1][None]),
        train_neural_network,
    ),
    "Network": (NETWORK, make_network, train_network),
}


def replacement(base, method, change):
    original = getattr(base, method)

    def replaced(self, *arguments, **options):
        return change(original, self, *arguments, **options)

    return replaced


def in_a_subclass(monkeypatch, base, make, method, change):
    return make(type("Changed", (base,), {method: replacement(base, method, change)}))


def on_the_class(monkeypatch, base, make, method, change):
    monkeypatch.setattr(base, method, replacement(base, method, change))
    return make(base)


def on_an_instance(monkeypatch, base, make, method, change):
    network = make(base)
    method_of_it = types.MethodType(replacement(base, method, change), network)
    monkeypatch.setattr(network, method, method_of_it)
    return network


def assert_same(ours, theirs):
    assert_same_outcome(ours, theirs, rtol=1e-6, atol=1e-7)


def differ(one, other):
    with pytest.raises(AssertionError):
        assert_same(one, other)
    return True


def cases():
    for name, (methods, _, _) in KINDS.items():
        for i, (method, change) in enumerate(methods):
            case = (name, method, change)
            yield pytest.param(*case, "own", id=f"{name}-{i}-{method}-own")
            if name != "ANN":
                marks, label = pytest.mark.long, f"{name}-{i}-{method}-tutorial"
                yield pytest.param(*case, "tutorial", id=label, marks=marks)


@pytest.mark.parametrize("put", [in_a_subclass, on_the_class, on_an_instance])
@pytest.mark.parametrize(("name", "method", "change", "place"), list(cases()))
def test_a_replaced_method_counts(monkeypatch, put, name, method, change, place):
    _, make, train = KINDS[name]
    theirs, ours = getattr(tutorials.find(place, name), name), getattr(classic, name)
    plain = outcome(make(ours), train)
    changed = outcome(put(monkeypatch, ours, make, method, change), train)
    assert_same(changed, outcome(put(monkeypatch, theirs, make, method, change), train))
    assert differ(changed, plain)


@pytest.mark.parametrize("name", KINDS)
def test_every_method_of_the_tutorials_is_among_those_replaced(name):
    mine = getattr(classic, name)
    methods = {method for method in vars(mine) if not method.startswith("__")}
    assert methods - {"plot_cost"} == {method for method, _ in KINDS[name][0]}
    assert methods - {"plot_cost"} == {
        method for method in vars(getattr(tutorials, name)) if not method.startswith("__")
    }


@pytest.mark.parametrize("module", [classic, classic.network])
@pytest.mark.parametrize("place", tutorials.PLACES)
@pytest.mark.parametrize(("function", "change"), FUNCTIONS)
def test_a_replaced_function_counts(monkeypatch, module, place, function, change):
    theirs = tutorials.find(place, "Network")
    plain = outcome(make_network(classic.Network), train_network)
    for owner in (module, theirs):
        original = getattr(owner, function)
        monkeypatch.setattr(owner, function, lambda z, f=original: change(f, z))
    changed = outcome(make_network(classic.Network), train_network)
    assert_same(changed, outcome(make_network(theirs.Network), train_network))
    assert differ(changed, plain)
    monkeypatch.undo()
    assert_same(outcome(make_network(classic.Network), train_network), plain)


NOISY = [("NeuralNetwork", "relu"), ("NeuralNetwork", "sigmoid")]
NOISY += [("Network", "cost_derivative"), ("Network", "sigmoid")]


@pytest.mark.parametrize(
    ("name", "method", "place"),
    [
        ("ANN", "sigmoid", "own"),
        *((*one, "own") for one in NOISY),
        *(pytest.param(*one, "tutorial", marks=pytest.mark.long) for one in NOISY),
    ],
)
def test_a_random_replacement_draws_as_in_the_tutorial(monkeypatch, name, method, place):
    """It is called as often, and in the same order: what it draws each time goes where it goes."""

    def noisy(original, *arguments):
        return original(*arguments) * (1 + 0.01 * np.random.rand())

    _, make, train = KINDS[name]
    outcomes = []
    for module in (classic, tutorials.find(place, name)):
        owner = getattr(module, name) if hasattr(getattr(module, name), method) else module
        original = getattr(owner, method)
        monkeypatch.setattr(owner, method, lambda *given, f=original: noisy(f, *given))
        outcomes.append(outcome(make(getattr(module, name)), train))
        monkeypatch.undo()
    assert_same(*outcomes)


@pytest.mark.parametrize("name", KINDS)
def test_a_subclass_may_use_any_other_name(name):
    """No helper of ours hides behind a method that the tutorial's class does not have."""
    _, make, train = KINDS[name]
    base = getattr(classic, name)
    names = "_activate _checked _descend _descent _last_dZ _last_delta _report _step _trainer"
    crowded = type("Crowded", (base,), dict.fromkeys(names.split(), 0))
    assert_same(outcome(make(crowded), train), outcome(make(base), train))


def test_a_subclass_that_overrides_the_sigmoid_alone_keeps_the_derivative_of_the_original():
    """The tutorial's sigmoid_derivative does not call sigmoid. Worked out by hand in NumPy."""

    class Steeper(classic.ANN):
        def sigmoid(self, Z):
            return 1 / (1 + np.exp(-2 * Z))

    network = Steeper([1])
    network.fit(np.array([[1], [2]]), np.array([0, 1]), 1.0, 1)
    np.testing.assert_allclose(network.parameters["W1"], [[-0.1792887]], atol=5e-8)
    np.testing.assert_allclose(network.parameters["b1"], [[-1.8216498]], atol=5e-8)


def test_a_subclass_may_begin_with_other_weights():
    """No step of the training, which stays in C."""
    outcomes = []
    for base in (classic.Network, tutorials.Network):

        class Smaller(base):
            def __init__(self, sizes):
                super().__init__(sizes)
                self.weights = [w / np.sqrt(w.shape[1]) for w in self.weights]

        outcomes.append(outcome(make_network(Smaller), train_network))
    assert_same(*outcomes)
    assert differ(outcomes[0], outcome(make_network(classic.Network), train_network))


@pytest.mark.parametrize("name", ["ANN", "NeuralNetwork"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, bool])
def test_labels_of_any_type_train_an_override_alike(name, dtype):
    """-Y of unsigned labels would be 255, and of truth values an error."""
    methods = {"sigmoid": lambda self, Z: 1 / (1 + np.exp(-2 * Z))}
    steep = type("Steeper", (getattr(classic, name),), methods)
    X, Y = data()

    def train(labels):
        if name == "ANN":
            network = steep([4, 1])
            network.fit(X, labels, 0.5, 20)
            return network.parameters["W1"]
        network = steep(X.T, labels[None])
        network.NN([4, 1], 20, 0.5)
        return network.W[1]

    one, other = (outcome(labels, train)[-1] for labels in (Y, Y.astype(dtype)))
    np.testing.assert_array_equal(one, other)
