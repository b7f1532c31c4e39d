"""Private methods of scikit-learn's that people override, beside its own class so overridden.

Tolerances are those of test_sklearn_parity.py: 1e-9 after few epochs of float64.
"""

import copy

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

from sklearn import neural_network
from sklearn.metrics import f1_score

from bpcore import sklearn as ours
from bpcore.sklearn import MLPClassifier, MLPRegressor
from bpcore.sklearn._overrides import UNHEARD
from tests import estimators

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SETTINGS = {"hidden_layer_sizes": (6, 5), "max_iter": 4, "random_state": 1}


@pytest.fixture(scope="module")
def flowers():
    return estimators.flowers()


def assert_alike(theirs, own, X):
    assert theirs.n_iter_ == own.n_iter_
    pairs = zip(theirs.coefs_ + theirs.intercepts_, own.coefs_ + own.intercepts_, strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(b, a, atol=1e-9, rtol=0)
    np.testing.assert_allclose(own.predict(X), theirs.predict(X), atol=1e-9, rtol=0)
    if hasattr(theirs, "predict_proba"):
        np.testing.assert_allclose(own.predict_proba(X), theirs.predict_proba(X), atol=1e-9)


def overriding(name):
    """Make of a function, whose first argument is the original, a function of the base class."""

    def decorate(function):
        def subclass(base):
            def method(self, *given, **how):
                return function(getattr(base, name), self, *given, **how)

            return type("Mine", (base,), {name: method})

        subclass.__name__ = function.__name__
        return subclass

    return decorate


@overriding("_init_coef")
def smaller_start(original, self, fan_in, fan_out, dtype):
    coef, intercept = original(self, fan_in, fan_out, dtype)
    return coef / 2, intercept * 0


@overriding("_init_coef")
def own_generator(original, self, fan_in, fan_out, dtype):
    coef = self._random_state.standard_normal((fan_in, fan_out)) / np.sqrt(fan_in)
    return coef, np.full(fan_out, 0.01 * len(self.coefs_))


@overriding("_initialize")
def own_start(original, self, y, layer_units, dtype):
    original(self, y, layer_units, dtype)
    self.coefs_[1] = np.linspace(-1, 1, self.coefs_[1].size).reshape(layer_units[1:3])
    self.intercepts_ = [0 * b for b in self.intercepts_]


@overriding("_validate_input")
def smoothed_labels(original, self, *given, **how):
    X, y = original(self, *given, **how)
    return 2 * X, 0.9 * y + 0.1 / 3  # Of three classes still a distribution.


@overriding("_update_no_improvement_count")
def first_epochs(original, self, *given):
    original(self, *given)
    if len(self.loss_curve_) == 2:
        self._no_improvement_count = np.inf


@overriding("_forward_pass_fast")
def own_threshold(original, self, X, check_input=True):
    return original(self, X, check_input=check_input)[:, ::-1] ** 3


@overriding("_predict")
def own_prediction(original, self, X, check_input=True):
    return original(self, X, check_input=check_input)[::-1]


@overriding("_score")
def own_score(original, self, X, y, sample_weight=None):
    return -len(self.loss_curve_) + float(np.sum(X) + np.sum(y))


@overriding("_update_no_improvement_count")
def best_by_another_score(original, self, early_stopping, X, y, *others):
    score = f1_score(y, self._predict(X, check_input=False), average="macro")
    self.validation_scores_.append(score)
    if len(self.loss_curve_) == 2:
        self.best_validation_score_ = score
        self._best_coefs = [coef.copy() for coef in self.coefs_]
        self._best_intercepts = [intercept.copy() for intercept in self.intercepts_]


@overriding("_fit")
def all_of_the_fit(original, self, X, y, sample_weight=None, incremental=False):
    return original(self, X[::2], y[::2], incremental=incremental)


EVERY = [smaller_start, own_generator, own_start, first_epochs, own_threshold, all_of_the_fit]
HELD_OUT = [own_threshold, own_prediction, own_score]


@pytest.mark.parametrize("override", [*EVERY, smoothed_labels])
@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
def test_an_override_counts_as_in_scikit_learn(flowers, kind, override):
    theirs, own = (override(getattr(m, kind))(**SETTINGS) for m in (neural_network, ours))
    assert_alike(theirs.fit(*flowers), own.fit(*flowers), flowers[0])


@pytest.mark.parametrize("override", [*HELD_OUT, best_by_another_score, first_epochs])
def test_an_override_judges_the_rows_that_are_held_out(flowers, override):
    theirs, own = (
        override(m.MLPClassifier)(**SETTINGS, early_stopping=True, learning_rate_init=0.05)
        for m in (neural_network, ours)
    )
    assert_alike(theirs.fit(*flowers), own.fit(*flowers), flowers[0])
    np.testing.assert_allclose(own.validation_scores_, theirs.validation_scores_, atol=1e-9)
    assert own.best_validation_score_ == pytest.approx(theirs.best_validation_score_, abs=1e-9)
    unchanged = MLPClassifier(**SETTINGS, early_stopping=True, learning_rate_init=0.05)
    unchanged.fit(*flowers)
    assert unchanged.validation_scores_ != own.validation_scores_ or override is first_epochs


def test_an_override_may_bring_its_own_validation_rows(flowers):
    X, y = flowers

    @overriding("_update_no_improvement_count")
    def with_rows(original, self, early_stopping, _X, _y, *others):
        original(self, early_stopping, X[::3], y[::3], *[None for _ in others])

    theirs, own = (
        with_rows(m.MLPClassifier)(**SETTINGS, early_stopping=True) for m in (neural_network, ours)
    )
    assert_alike(theirs.fit(X, y), own.fit(X, y), X)
    np.testing.assert_allclose(own.validation_scores_, theirs.validation_scores_, atol=1e-12)


def test_an_override_may_be_put_on_an_instance(flowers):
    def start(fan_in, fan_out, dtype):
        return np.full((fan_in, fan_out), 0.25) * np.arange(fan_out), np.zeros(fan_out)

    theirs, own = (m.MLPClassifier(**SETTINGS) for m in (neural_network, ours))
    theirs._init_coef = own._init_coef = start
    assert_alike(theirs.fit(*flowers), own.fit(*flowers), flowers[0])


def test_an_override_may_be_assigned_to_the_class_later(flowers, monkeypatch):
    def fast(self, X, check_input=True):
        return np.tile([0.2, 0.5, 0.3], (len(X), 1))

    models = [m.MLPClassifier(**SETTINGS, early_stopping=True) for m in (neural_network, ours)]
    for model in models:
        monkeypatch.setattr(type(model), "_forward_pass_fast", fast)
    theirs, own = (model.fit(*flowers) for model in models)
    assert_alike(theirs, own, flowers[0])
    assert own.validation_scores_ == theirs.validation_scores_


def test_start_weights_of_another_precision_take_that_of_the_rows(flowers):
    X, y = flowers
    model = own_generator(MLPClassifier)(**SETTINGS).fit(X.astype(np.float32), y)
    assert {array.dtype.name for array in model.coefs_ + model.intercepts_} == {"float32"}
    wide = own_generator(MLPClassifier)(**SETTINGS).fit(X, y)
    np.testing.assert_allclose(model.coefs_[0], wide.coefs_[0], atol=1e-4)


def test_an_override_that_changes_the_number_of_rows_is_refused(flowers):
    class Mine(MLPClassifier):
        def _validate_input(self, X, y, incremental, reset):
            X, y = super()._validate_input(X, y, incremental, reset)
            return X[:-1], y

    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        Mine().fit(*flowers)


def test_a_fit_leaves_nothing_of_its_course_behind(flowers):
    model = best_by_another_score(MLPClassifier)(**SETTINGS, early_stopping=True).fit(*flowers)
    assert not {"_epochs", "_best_coefs", "_best_intercepts"} & vars(model).keys()


def test_a_copy_can_be_made_while_a_fit_goes_on(flowers):
    copies = []
    model = MLPClassifier(**SETTINGS, callbacks=[lambda m: copies.append(copy.copy(m))])
    model.fit(*flowers)
    assert len(copies) == SETTINGS["max_iter"]
    assert all("_epochs" not in vars(one) for one in copies)


# ---- Methods that would never be called ----------------------------------------------------------


@pytest.mark.parametrize("name", UNHEARD)
def test_a_class_with_a_method_that_is_never_called_is_refused(name):
    assert hasattr(neural_network.MLPClassifier, name)
    with pytest.raises(TypeError, match=f"Mine overrides {name}, .*In its place"):
        type("Mine", (MLPRegressor,), {name: lambda self, *given: None})
    mixin = type("Mixin", (), {name: lambda self, *given: None})
    with pytest.raises(TypeError, match=name):
        type("Mine", (mixin, MLPClassifier), {})


@pytest.mark.parametrize("name", UNHEARD)
def test_a_method_that_is_never_called_is_refused_at_fit(flowers, monkeypatch, name):
    model = MLPClassifier(**SETTINGS)
    setattr(model, name, lambda *given: None)
    with pytest.raises(TypeError, match=f"MLPClassifier overrides {name}"):
        model.fit(*flowers)
    assert not hasattr(model, "coefs_")
    monkeypatch.setattr(MLPRegressor, name, lambda *given: None, raising=False)
    with pytest.raises(TypeError, match=f"MLPRegressor overrides {name}"):
        MLPRegressor(**SETTINGS).fit(*flowers)


def test_a_class_may_be_both_libraries(flowers):
    class Both(MLPClassifier, neural_network.MLPClassifier):
        pass

    model = Both(**SETTINGS).fit(*flowers)
    assert isinstance(model, neural_network.MLPClassifier)
    assert_alike(MLPClassifier(**SETTINGS).fit(*flowers), model, flowers[0])


# What is private to scikit-learn's way of computing, or stands here under the same name.
KNOWN = {"_fit", "_abc_impl", "_parameter_constraints", "_estimator_type"}


@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
def test_each_private_method_of_scikit_learn_counts_or_is_refused(kind):
    own, theirs = getattr(ours, kind), getattr(neural_network, kind)
    base = theirs.__mro__[2]
    assert base.__name__ == "BaseMultilayerPerceptron"
    names = {n for c in (theirs, base) for n in vars(c) if n[0] == "_" and n[1] != "_"}
    assert names - KNOWN - UNHEARD.keys() <= set(dir(own))
