"""Frames: names of columns are compared, and errors tell the column that is at fault."""

import copy
import pickle

import numpy as np
import pytest

pytest.importorskip("pandas", reason="pandas is not installed: pip install pandas")

import pandas as pd

from bpcore import Network, fit_many
from bpcore._io import safetensors
from tests.test_files import rewrite

RANDOM = np.random.RandomState(0)
FRAME = pd.DataFrame(RANDOM.uniform(-1, 1, (12, 3)), columns=["age", "height", "weight"])
TURNED = FRAME[["height", "age", "weight"]]
Y = RANDOM.uniform(-1, 1, 12)
STEPS = {"epochs": 2, "learning_rate": 0.1}


@pytest.fixture
def estimators():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")
    from bpcore import sklearn

    return sklearn


def network(**settings):
    return Network([3, 2, 1], output="identity", dtype="float64", seed=1, **settings)


def trained(X=FRAME, **settings):
    net = network()
    net.fit(X, Y, **{**STEPS, **settings})
    return net


USES = {
    "forward": lambda net, X: net.forward(X),
    "predict": lambda net, X: net.predict(X),
    "loss": lambda net, X: net.loss(X, Y),
    "evaluate": lambda net, X: net.evaluate(X, Y),
    "gradients": lambda net, X: net.gradients(X, Y),
    "activations": lambda net, X: net.activations(X),
    "jacobian": lambda net, X: net.jacobian(X),
    "fit": lambda net, X: net.fit(X, Y, **STEPS),
    "partial_fit": lambda net, X: net.partial_fit(X, Y, learning_rate=0.1),
    "held out": lambda net, X: net.fit(X, Y, eval_set=0.25, **STEPS),
    "eval_set": lambda net, X: net.fit(FRAME.to_numpy(), Y, eval_set=(X, Y), **STEPS),
    "batches": lambda net, X: net.fit([(X, Y)], **STEPS),
    "fit_many": lambda net, X: fit_many([net], X, Y, rows=[np.arange(12)], **STEPS),
}


@pytest.mark.parametrize("use", USES)
def test_columns_in_another_order_are_refused(use):
    net = trained()
    before = net.parameters.copy()
    with pytest.raises(ValueError, match="has its columns in another order than the frame"):
        USES[use](net, TURNED)
    assert np.array_equal(net.parameters, before)
    USES[use](net, TURNED[list(net.feature_names)])


def test_a_standardised_network_compares_names():
    net = network(standardize=True)
    net.fit(FRAME, Y, **STEPS)
    with pytest.raises(ValueError, match="another order"):
        net.predict(TURNED)


@pytest.mark.parametrize("X", [FRAME.rename(columns={"age": "years"}), FRAME.assign(years=1.0)])
def test_other_names_are_told(X):
    with pytest.raises(ValueError, match=r"X has other columns .*'years'.*net.feature_names"):
        trained().predict(X)
    with pytest.raises(ValueError, match=r"it lacks \['weight'\]\."):
        trained().predict(FRAME[["age", "height"]])


FIRST_FITS = {
    "fit": lambda net: net.fit(FRAME, Y, **STEPS),
    "lbfgs": lambda net: net.fit(FRAME, Y, optimizer="lbfgs", epochs=2),
    "held out": lambda net: net.fit(FRAME, Y, eval_set=0.25, **STEPS),
    "batches": lambda net: net.fit([(FRAME, Y)], **STEPS),
    "fit_many": lambda net: fit_many([net], FRAME, Y, **STEPS),
    "fit_many's rows": lambda net: fit_many([net], FRAME, Y, rows=[[0, 2, 3]], **STEPS),
}


@pytest.mark.parametrize("fit", FIRST_FITS)
def test_the_first_fit_on_a_frame_tells_the_names(fit):
    net = network()
    assert net.feature_names is None
    FIRST_FITS[fit](net)
    assert net.feature_names == ("age", "height", "weight")


def test_a_frame_is_trained_on_like_its_array():
    array = trained(FRAME.to_numpy())
    assert np.array_equal(trained().parameters, array.parameters)
    assert array.feature_names is None
    many = network(), network()
    rows = [np.arange(4), np.arange(12) > 6]
    fit_many(many[:1], FRAME, Y, rows=rows[1:], **STEPS)
    fit_many(many[1:], FRAME.to_numpy(), Y, rows=rows[1:], **STEPS)
    assert np.array_equal(many[0].parameters, many[1].parameters)


def test_what_has_no_names_is_taken():
    net, right = trained(), trained().predict(FRAME)
    for X in (FRAME.to_numpy(), FRAME.to_numpy().tolist(), FRAME.set_axis(range(3), axis=1)):
        assert np.array_equal(net.predict(X), right)
    unnamed = trained(FRAME.set_axis(range(3), axis=1))
    assert unnamed.feature_names is None
    unnamed.predict(TURNED)


def test_a_refused_fit_remembers_no_names():
    net = network()
    for wrong in ({"batch_size": 0}, {"eval_set": (TURNED, Y)}, {"eval_set": (FRAME, Y[1:])}):
        with pytest.raises(ValueError):
            net.fit(FRAME, Y, **{**STEPS, **wrong})
        assert net.feature_names is None


@pytest.mark.parametrize("batches", [[(FRAME, Y)], [(FRAME.to_numpy(), Y), (FRAME, Y)]])
def test_batches_and_what_is_evaluated_have_the_same_columns(batches):
    net = network()
    with pytest.raises(ValueError, match="eval_set's X has its columns in another order"):
        net.fit(batches, eval_set=(TURNED, Y), **STEPS)
    # Only the batches before the first frame have been learnt from.
    twin = network()
    for X, y in batches[:-1]:
        twin.fit(X, y, epochs=1, learning_rate=0.1)
    assert net.parameters.tobytes() == twin.parameters.tobytes() and net.feature_names is None


def test_advice_about_the_order_can_be_followed():
    index = r"index it with list\(net.feature_names\)$"
    for batches in ([(TURNED, Y)], [(TURNED, Y), (FRAME, Y)]):
        with pytest.raises(ValueError, match="^X of batch 0 has its columns .* " + index):
            trained().fit(batches, **STEPS)
    for X, y in ((FRAME, Y), ([(FRAME, Y)], None)):
        first = r"is to be fitted with: index it with the list of the columns of that frame$"
        with pytest.raises(ValueError, match="^eval_set's X has its columns .*" + first):
            network().fit(X, y, eval_set=(TURNED, Y), **STEPS)
        with pytest.raises(ValueError, match="^eval_set's X has its columns .*" + index):
            trained().fit(X, y, eval_set=(TURNED, Y), **STEPS)


def test_other_names_are_told_before_there_are_any():
    with pytest.raises(ValueError, match=r"has \['years'\]\. An array is taken without any$"):
        network().fit([(FRAME, Y)], eval_set=(FRAME.rename(columns={"age": "years"}), Y), **STEPS)


def test_what_is_evaluated_beside_batches_is_evaluated_in_order():
    net = network()
    history = net.fit([(FRAME, Y)], eval_set=(FRAME, Y), **STEPS)
    assert history.eval_loss[-1] == net.loss(FRAME.to_numpy(), Y)


def test_names_cannot_be_assigned():
    with pytest.raises(AttributeError):
        trained().feature_names = ["a"]


# ---- Files ---------------------------------------------------------------------------------------


def test_names_are_part_of_files_and_copies(tmp_path):
    # Where pyarrow is installed, pandas keeps strings in it, which has no lone surrogates.
    labels = pd.Index(["é", 'a "b"', "\N{PILE OF POO}\ud800"], dtype=object)
    net = trained(FRAME.set_axis(labels, axis=1))
    net.save(tmp_path / "net")
    for other in (Network.load(tmp_path / "net"), pickle.loads(pickle.dumps(net))):
        assert other.feature_names == net.feature_names
    assert copy.deepcopy(net).feature_names == net.feature_names


def test_files_and_pickles_without_names_are_read(tmp_path):
    net = trained(FRAME.to_numpy())
    assert "feature_names" not in safetensors._settings(net, net._state)
    assert "_feature_names" not in {k for k, v in net.__getstate__().items() if v is not None}
    old = network()
    old.__setstate__({k: v for k, v in net.__getstate__().items() if k != "_feature_names"})
    net.save(tmp_path / "net")
    for other in (old, Network.load(tmp_path / "net")):
        assert other.feature_names is None
        assert np.array_equal(other.predict(TURNED), net.predict(TURNED))


@pytest.mark.parametrize("names", [["a", "b"], ["a", "b", 3], "abc", {"a": 1}])
def test_names_that_do_not_fit_are_refused(tmp_path, names):
    trained().save(tmp_path / "net")
    rewrite(tmp_path / "net", lambda settings, *_: settings.update(feature_names=names))
    with pytest.raises(ValueError, match="feature_names"):
        Network.load(tmp_path / "net")


def test_names_that_are_too_long_are_left_out_of_a_file(tmp_path):
    net = trained(FRAME.set_axis(["a", "b", "c" * (1 << 20)], axis=1))
    net.save(tmp_path / "net")
    other = Network.load(tmp_path / "net")
    assert other.feature_names is None
    assert np.array_equal(other.parameters, net.parameters)


# ---- Columns that do not hold numbers ------------------------------------------------------------

MISSING = "missing in row 1: fill it"
FAULTS = {
    "strings": (["1", "Oslo", "Bern"], "'Oslo' in row 1, but numbers are expected: encode it"),
    "categories": (pd.Categorical(list("xyx")), "'x' in row 0, but numbers are expected: encode"),
    "nan": ([1.0, np.nan, 2], MISSING),
    "None": ([1, None, "3"], MISSING),
    "integers": (pd.array([1, None, 3], dtype="Int64"), MISSING),
    "truth": (pd.array([True, None, False], dtype="boolean"), MISSING),
    "infinite": ([1.0, -np.inf, np.nan], "infinite in row 1"),
    "huge": (pd.Series([1, 10**400, 2], dtype=object), "infinite in row 1"),
    "dates": (pd.to_datetime(["2020", "2021", "2022"]), "2020-01-01.* in row 0, but numbers"),
    "times": (pd.to_timedelta([1, 2, 3], "D"), ".* in row 0, but numbers are expected"),
    "lists": ([[1], [2], [3]], r"\[1\] in row 0, but numbers are expected"),
}


def faulty(fault):
    values, message = FAULTS[fault]
    X = pd.DataFrame({"right": [1.0, 2, 3], "wrong": values, "also": [1, 2, 3]})
    return X, f"^X's column 'wrong' is {message}"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_network_names_the_column_that_is_at_fault(fault):
    X, message = faulty(fault)
    net, numbers = network(), [1.0, 2, 3]
    with pytest.raises((TypeError, ValueError), match=message):
        net.fit(X, numbers, **STEPS)
    with pytest.raises((TypeError, ValueError), match=message):
        net.fit(X, numbers, eval_set=0.3, **STEPS)
    with pytest.raises((TypeError, ValueError), match=message):
        net.predict(X)


@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
@pytest.mark.parametrize("fault", FAULTS)
def test_an_estimator_names_the_column_that_is_at_fault(estimators, fault, kind):
    X, message = faulty(fault)
    model = getattr(estimators, kind)(max_iter=1, batch_size=3, solver="sgd")
    with pytest.raises(ValueError, match=message):
        model.fit(X, [0, 1, 0])
    model.partial_fit(
        X.assign(wrong=0.0), [0, 1, 0], **({"classes": [0, 1]} if "Class" in kind else {})
    )
    with pytest.raises(ValueError, match=message):
        model.predict(X)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, [0, 1, 0])


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_categories_that_are_numbers_are_numbers(estimators):
    X = FRAME.assign(age=pd.Categorical(np.arange(12) % 3))
    numbers = X.astype(float)
    net, model = trained(numbers), estimators.MLPRegressor(solver="lbfgs").fit(numbers, Y)
    assert np.array_equal(trained(X).parameters, net.parameters)
    assert np.array_equal(net.predict(X), net.predict(numbers))
    assert np.array_equal(model.predict(X), model.predict(numbers))


def test_a_column_named_twice_is_found():
    X = pd.DataFrame([[1.0, "a"], [2.0, "b"]], columns=["same", "same"])
    with pytest.raises(TypeError, match="X's column 'same' is 'a' in row 0"):
        Network([2, 1]).predict(X)


def test_a_column_alone_names_its_row():
    net = Network([3, 1])
    with pytest.raises(TypeError, match=r"y\[0\] is 'cat', but numbers are .* as 0, 1, \.\.\."):
        net.fit(FRAME[:2], pd.Series(["cat", "dog"], index=[7, 8]), **STEPS)
    with pytest.raises(ValueError, match=r"sample_weight\[1\] is missing"):
        net.fit(FRAME[:2], [0, 1], sample_weight=pd.Series([1.0, np.nan]), **STEPS)


@pytest.mark.parametrize("of", ["network", "estimator"])
def test_targets_in_a_frame_name_their_column(request, of):
    wrong = pd.DataFrame({"first": [1.0, 2.0], "second": [3.0, np.nan]})
    model, how = Network([3, 2], output="identity"), STEPS
    if of == "estimator":
        model, how = request.getfixturevalue("estimators").MLPRegressor(), {}
    with pytest.raises(ValueError, match="y's column 'second' is missing in row 1"):
        model.fit(FRAME[:2], wrong, **how)


# ---- Estimators ----------------------------------------------------------------------------------


def test_estimators_treat_names_as_scikit_learn_does(estimators):
    model = estimators.MLPRegressor(max_iter=2, solver="sgd", warm_start=True, early_stopping=False)
    with pytest.warns(UserWarning, match="converge"):
        model.fit(FRAME, Y)
    assert list(model.feature_names_in_) == ["age", "height", "weight"]
    order = "Feature names must be in the same order as they were in fit"
    for use in (
        lambda: model.predict(TURNED),
        lambda: model.score(TURNED, Y),
        lambda: model.fit(TURNED, Y),
        lambda: model.partial_fit(TURNED, Y),
        lambda: model.fit(FRAME, Y, eval_set=(TURNED, Y)),
    ):
        with pytest.raises(ValueError, match=order):
            use()
    with pytest.raises(ValueError, match="Feature names unseen at fit time"):
        model.predict(FRAME.rename(columns={"age": "years"}))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        right = model.predict(FRAME.to_numpy())
    assert np.array_equal(right, model.predict(FRAME))
