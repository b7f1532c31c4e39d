"""Laws of classic.NeuralNetwork: it does and prints what the second tutorial's class does."""

import re

import numpy as np
import pytest

from bpcore.classic import NeuralNetwork
from tests import real_data, tutorials

NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]\d+)?")
DISTANCE = "\n Measure of diff. between vectors is "


@pytest.fixture(params=tutorials.PLACES)
def oracle(request):
    """The class to compare with: in our own words, then the tutorial's own code."""
    return tutorials.find(request.param, "NeuralNetwork").NeuralNetwork


def data(m=40, features=12):
    rng = np.random.default_rng(0)
    X = 3 * rng.standard_normal((features, m))
    return X, (X[:1] + X[1:2] * X[2:3] > 0).astype(int)


def trained(capsys, make, *arguments, **options):
    """The trained network, and what it printed; its last line is what predict returns."""
    np.random.seed(0)
    network = make(*data())
    network.NN(*arguments, **options)
    print(network.predict(*data()))
    return network, capsys.readouterr().out


def assert_same_print(ours, theirs):
    """Same text, same numbers to 12 digits; the distance of the gradients is rounding alone."""
    assert NUMBER.sub("#", ours) == NUMBER.sub("#", theirs)
    distances = re.findall(DISTANCE + "(.*)", ours)
    assert all(float(distance) < 1e-6 for distance in distances)
    ours, theirs = (re.sub(DISTANCE + ".*", "", text) for text in (ours, theirs))
    numbers = [[float(x) for x in NUMBER.findall(text)] for text in (ours, theirs)]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-12, abs=0)


def assert_same_attributes(ours, theirs):
    ours, theirs = vars(ours), vars(theirs)
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        if not isinstance(value, dict):
            np.testing.assert_array_equal(ours[name], value)
            continue
        assert ours[name].keys() == value.keys(), name
        for i in value:
            label = f"{name}[{i}]"
            np.testing.assert_allclose(ours[name][i], value[i], 1e-8, 1e-12, err_msg=label)
            assert ours[name][i].shape == value[i].shape, label


@pytest.mark.parametrize(
    "arguments",
    [
        ([5, 1], 1001, 0.05, 2),
        ([5, 1], 501, 0.05, 1),
        ([4, 3, 1], 1001, 0.3, 2),
        ([5, 1], 750),
        ([5, 1], 1, 0.5, 1),
        ([5, 1], 0),
    ],
)
def test_nn_prints_and_leaves_what_the_tutorial_does(capsys, oracle, arguments):
    ours, our_print = trained(capsys, NeuralNetwork, *arguments)
    our_random = np.random.rand()
    theirs, their_print = trained(capsys, oracle, *arguments)
    assert our_random == np.random.rand()
    assert_same_print(our_print, their_print)
    assert_same_attributes(ours, theirs)


def test_steps_by_hand_are_the_oracles_and_agree_with_nn(capsys, oracle):
    ours, theirs, whole = NeuralNetwork(*data()), oracle(*data()), NeuralNetwork(*data())
    for network in (ours, theirs):
        network.layers, network.L, network.alpha, network.num_iter = [12, 5, 1], 2, 0.05, 7
        np.random.seed(0)
        network.initialize()
    for _ in range(7):
        for network in (ours, theirs):
            network.forward_prop()
        assert ours.cost(ours.A[2]) == pytest.approx(theirs.cost(theirs.A[2]), rel=1e-13)
        for network in (ours, theirs):
            network.back_prop()
        assert_same_attributes(ours, theirs)
        for network in (ours, theirs):
            network.update_params()
    np.random.seed(0)
    whole.NN([5, 1], 7, 0.05)
    assert_same_attributes(ours, whole)


def test_cats_give_the_tutorials_costs(capsys):
    (X, y), (X_test, y_test) = real_data.cats(dtype="float64")
    network = NeuralNetwork(X.T, y[None])
    np.random.seed(0)
    network.NN([7, 1], 501, alpha=0.0077, check_layer=2)
    first, second, _, distance = capsys.readouterr().out.splitlines()
    assert first.startswith("cost after iteration 0: 0.69194616462")
    assert second.startswith("cost after iteration 500: 0.49593344652")
    assert float(distance.removeprefix(DISTANCE[1:])) < 1e-8
    assert 0.3 < network.predict(X_test.T, y_test[None]) < 0.9
