"""Estimators as networks and networks as estimators: the same bits on both sides."""

import copy
import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

from sklearn import neural_network
from sklearn.base import clone

import bpcore
from bpcore.sklearn import MLPClassifier, MLPRegressor
from tests.arrivals import agrees, numbers
from tests.bits import same_bits

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = numbers(60, 4, seed=7)
TARGETS = {
    "two classes": np.where(X[:, 0] > 0, "yes", "no"),
    "three classes": np.digitize(X[:, 1], [-0.3, 0.3]) * 10,
    "labels": (X[:, :3] > 0).astype(int),
}
LOSSES = ("squared_error", "poisson", "absolute_error", "huber", "quantile")


def probabilities(model, X):
    """Those that the network has: of two classes, the second one's."""
    P = model.predict_proba(X)
    return P[:, 1:] if P.shape[1] == 2 else P


@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("activation", ["logistic", ["gelu", "sigmoid"]])
def test_a_classifier_there_and_back_keeps_its_bits(y, activation, dtype):
    rows = X.astype(dtype)
    how = {"max_iter": 3, "random_state": 1}
    model = MLPClassifier((6, 5), activation, **how).fit(rows, y)
    net = model.to_network()
    assert net.dtype == dtype
    assert same_bits(net.forward(rows), probabilities(model, rows))
    classes = None if y.ndim == 2 else model.classes_
    back = MLPClassifier.from_network(net, classes=classes, **how)
    assert same_bits(back.predict_proba(rows), model.predict_proba(rows))
    assert np.array_equal(back.predict(rows), model.predict(rows))
    assert back.score(rows, y) == model.score(rows, y)
    again = back.to_network()
    assert same_bits(again.parameters, net.parameters)
    assert again.activation_names == net.activation_names


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("columns", [1, 2])
def test_a_regressor_there_and_back_keeps_its_bits(loss, columns, dtype):
    rows = X.astype(dtype)
    y = np.abs(rows[:, :columns]).squeeze()
    how = {"max_iter": 3, "random_state": 1}
    model = MLPRegressor(loss, (6,), quantile=0.3, huber_delta=0.7, **how).fit(rows, y)
    net = model.to_network()
    parameter = {"huber": 0.7, "quantile": 0.3}.get(loss, 0.0)
    assert net.loss_parameter == parameter
    assert same_bits(net.predict(rows), model.predict(rows))
    back = MLPRegressor.from_network(net, **how)
    assert back.loss == loss
    assert same_bits(back.predict(rows), model.predict(rows))
    assert repr(back.to_network()) == repr(net)


def test_the_network_is_a_copy():
    model = MLPClassifier((5,), max_iter=3, random_state=1).fit(X, TARGETS["two classes"])
    before = model.predict_proba(X)
    net = model.to_network()
    net.parameters *= 2
    assert same_bits(model.predict_proba(X), before)
    model = MLPClassifier.from_network(net, classes=["no", "yes"], random_state=1)
    kept = net.parameters.copy()
    model.partial_fit(X, TARGETS["two classes"])
    assert same_bits(net.parameters, kept)


@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)
def test_an_estimator_from_a_network_does_what_a_fitted_one_does(y):
    """What trains on from equal weights with equal settings, ends with equal weights."""
    how = {"hidden_layer_sizes": (5,), "random_state": 1, "max_iter": 2, "solver": "sgd"}
    model = MLPClassifier(**how, momentum=0.0).fit(X, y)
    del how["hidden_layer_sizes"]
    classes = None if y.ndim == 2 else model.classes_
    made = MLPClassifier.from_network(model.to_network(), classes, **how, momentum=0.0)
    for other in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        assert same_bits(other.predict_proba(X), model.predict_proba(X))
    fresh = clone(made).fit(X, y)
    assert same_bits(fresh.predict_proba(X), clone(model).fit(X, y).predict_proba(X))
    for method, settings in (("partial_fit", {}), ("fit", {"warm_start": True})):
        pair = [copy.deepcopy(each).set_params(**settings) for each in (model, made)]
        trained = [getattr(each, method)(X, y) for each in pair]
        assert same_bits(*(each.predict_proba(X) for each in trained))
        assert not np.array_equal(trained[0].predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("solver", ["lbfgs", "adam", "lm"])
def test_a_regressor_from_a_network_trains_on(solver):
    net = bpcore.Network([4, 5, 1], hidden="tanh", output="identity", seed=1)
    y = X @ [1.0, 2.0, 3.0, 4.0]
    model = MLPRegressor.from_network(net, solver=solver, warm_start=True, max_iter=5)
    before = model.score(X, y)
    assert model.fit(X, y).score(X, y) > before
    assert model.n_iter_ >= 1


def test_perceptrons_of_scikit_learn_compute_the_same(dtype):
    rows, how = X.astype(dtype), {"max_iter": 3, "random_state": 1}
    for activation in ("identity", "logistic", "tanh", "relu"):
        for y in TARGETS.values():
            model = neural_network.MLPClassifier((6, 5), activation, **how).fit(rows, y)
            net = bpcore.Network.from_sklearn(model)
            assert net.dtype == dtype
            assert agrees(net, rows, probabilities(model, rows))
        model = neural_network.MLPRegressor(hidden_layer_sizes=6, activation=activation, **how)
        model.fit(rows, rows[:, 0])
        assert agrees(bpcore.Network.from_sklearn(model), rows, model.predict(rows))


def test_names_of_features_come_along():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed: pip install pandas")
    frame = pandas.DataFrame(X, columns=list("abcd"))
    model = MLPClassifier((5,), max_iter=3).fit(frame, TARGETS["two classes"])
    net = model.to_network()
    assert net.feature_names == ("a", "b", "c", "d")
    assert list(MLPClassifier.from_network(net).feature_names_in_) == list("abcd")


def net_of(outputs=1, **settings):
    return bpcore.Network([4, 5, outputs], seed=1, **settings)


def standardised():
    net = net_of()
    net.scaling = bpcore.Standardizer(np.zeros(4), np.ones(4))
    return net


REFUSALS = {
    "no network": (MLPClassifier, "net", {}, TypeError, "a bpcore.Network is expected"),
    "scaling": (MLPClassifier, standardised(), {}, ValueError, "standardises its inputs"),
    "to be scaled": (MLPClassifier, net_of(standardize=True), {}, ValueError, "StandardScaler"),
    "a loss": (MLPClassifier, net_of(loss="mse"), {}, ValueError, "loss 'mse' with the output 's"),
    "an output": (MLPRegressor, net_of(output="tanh"), {}, ValueError, "output 'tanh'"),
    "two by softmax": (MLPClassifier, net_of(2, output="softmax"), {}, ValueError, "softmax of 2"),
    "classes": (MLPClassifier, net_of(), {"classes": [1, 2, 3]}, ValueError, "2 different ones"),
    "order": (MLPClassifier, net_of(), {"classes": ["b", "a"]}, ValueError, "ascending order"),
    "labels": (MLPClassifier, net_of(3), {"classes": [1, 2, 3]}, ValueError, "3 labels, each"),
    "told": (MLPClassifier, net_of(), {"activation": "relu"}, ValueError, "activation is given"),
}


@pytest.mark.parametrize(
    ("kind", "net", "settings", "error", "words"), REFUSALS.values(), ids=REFUSALS
)
def test_a_network_that_no_estimator_has_is_refused(kind, net, settings, error, words):
    with pytest.raises(error, match=words):
        kind.from_network(net, **settings)


def test_an_estimator_that_is_not_fitted_is_no_network():
    with pytest.raises(ValueError, match="not fitted yet"):
        MLPClassifier().to_network()
    with pytest.raises(ValueError, match="not fitted yet"):
        bpcore.Network.from_sklearn(neural_network.MLPClassifier())
