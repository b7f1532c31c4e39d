"""A few rows: answered without a look at threads or limits, alike in every form, refused alike."""

import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import bpcore
from bpcore._inputs import thread_count
from tests.bits import same_bits

sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))

FEATURES = 5
ROW = np.array([[0.1, -2.5, 3.0, 0.0, 7.25]])
FORMS = {
    "float32": ROW.astype("f4"),
    "float64": ROW,
    "float16": ROW.astype("f2"),
    "swapped": ROW.astype(">f8"),
    "whole": ROW.astype(int),
    "truth": ROW > 0,
    "list": ROW.tolist(),
    "tuples": [tuple(ROW[0])],
    "list of whole": [[1, -2, 3, 0, 7]],
    "objects": ROW.astype(object),
    "strided": np.repeat(ROW, 2, axis=1)[:, ::2],
    "a column's order": np.asfortranarray(np.repeat(ROW, 3, axis=0))[:1],
    "seven": np.repeat(ROW, 7, axis=0),
}
form_of_row = pytest.mark.parametrize("row", FORMS.values(), ids=FORMS.keys())


def network(dtype, **how):
    return bpcore.Network([FEATURES, 9, 3], output="softmax", dtype=dtype, seed=1, **how)


@pytest.fixture
def uncounted(monkeypatch):
    """Who looks for the number of threads, fails."""

    def refuse(*_):
        raise AssertionError("a call of a few rows has looked at threads")

    for name in ("count", "_affinity", "_quota"):
        monkeypatch.setattr(thread_count, name, refuse)
    monkeypatch.setenv("BPCORE_NUM_THREADS", "none of it is read")


# ---- Network -------------------------------------------------------------------------------------


@form_of_row
def test_a_few_rows_of_any_form_have_the_bits_of_their_own_array(dtype, row, uncounted):
    net = network(dtype)
    expected = net.forward(np.array(np.asarray(row, object), dtype, order="C"))
    assert same_bits(net.forward(row), expected)
    assert same_bits(net.forward(row, out=np.empty_like(expected)), expected)
    assert same_bits(net.predict(row), expected.argmax(axis=1))


def test_sparse_and_standardised_rows_do_not_look_at_threads(dtype, uncounted):
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    net = network(dtype)
    assert same_bits(net.forward(sparse.csr_matrix(ROW)), net.forward(ROW))
    shift, scale = np.arange(FEATURES) / 4, np.full(FEATURES, 0.5)
    expected = net.forward((ROW.astype(dtype) - shift) * scale)
    net.scaling = bpcore.Standardizer(shift, scale)
    assert same_bits(net.forward(ROW), expected)


@pytest.mark.parametrize("sizes, most", [([2, 1], 63), ([784, 196, 1], 63), ([4000, 4000], 1)])
def test_few_rows_are_few_multiply_adds_too(sizes, most):
    """The most rows that are fewer than 64, with fewer than 32 million multiply-adds."""
    net = bpcore.Network(sizes, init=("normal", 0.0))
    assert net._few_rows == most
    assert most * len(net.parameters) < 32e6
    assert most == 63 or (most + 1) * len(net.parameters) >= 32e6


# ---- Estimators ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def one_row():
    """The benchmark whose quick form this is."""
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    import one_row

    return one_row


def calls(function):
    """How many functions are called, of Python and of C."""
    count = 0

    def profile(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    function()  # What is imported or built once is there.
    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count


def test_an_estimator_answers_a_row_with_fewer_calls_than_scikit_learns(one_row):
    """Calls are what a row costs, and do not depend on what else the machine does."""
    pairs = one_row.ways()
    assert not one_row.differing(pairs)
    slower = {name for name, (ours, theirs) in pairs.items() if calls(ours) >= calls(theirs)}
    assert len(pairs) == 40 and not slower


def test_a_network_answers_a_row_of_any_form_with_a_few_calls(one_row):
    counts = {form: calls(answer) for form, answer in one_row.networks().items()}
    assert max(counts.values()) < 40, counts  # NumPy 1.25 takes 31 for a list.


def test_the_benchmark_of_one_row_tells_who_differs(one_row):
    pairs = {"same": (lambda: 1.0, lambda: 1.0), "other": (lambda: 1.0, lambda: 1.001)}
    assert one_row.differing(pairs) == ["other"]
    assert set(one_row.least_seconds({"a": os.getpid, "b": os.getpid}, 2)) == {"a", "b"}


def outcome(function, X):
    """Class and text of what a call raises, or None, and the warnings that it gives."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        try:
            function(X)
            error = None
        except Exception as raised:
            error = type(raised).__name__, str(raised)
    return error, [str(warning.message) for warning in given]


def given_rows():
    """What users hand over, good and bad."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    yield from FORMS.values()
    for bad in (np.nan, -np.inf, 1e300, 1j, "a"):
        yield from ([[bad, 2, 3, 0, 7]], np.array([[bad, 2, 3, 0, 7]]))
    for shaped in ([[1.0, 2.0]], ROW[0].tolist(), [ROW.tolist()], [list("12345")]):
        yield from (shaped, np.array(shaped))
    yield from ([[0.1, 2], [3]], np.array([[0.1, 2], [3]], object))
    yield from (np.float64(3), np.empty((0, FEATURES)), [], [[]], np.empty((3, 0)), None, "row")
    yield from (sparse.csr_matrix(ROW), tuple(ROW.tolist()), memoryview(ROW))
    yield from (np.repeat(ROW, 100, axis=0), ROW.repeat(100, axis=0).tolist())
    yield from (pandas.DataFrame(ROW), pandas.DataFrame(ROW, columns=list("abcde")))
    yield from (pandas.DataFrame(ROW, columns=list("edcba")), [pandas.Series(ROW[0])])


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
@pytest.mark.parametrize("named", [False, True])
def test_few_rows_are_taken_and_refused_as_scikit_learn_does(one_row, name, named):
    """The same class, the same words, the same warnings, also where a fit has seen names."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    X = np.random.default_rng(0).standard_normal((60, FEATURES))
    X = pandas.DataFrame(X, columns=list("abcde")) if named else X
    ours, theirs = one_row.estimators(name, np.arange(60) % 3, X)
    tried = list(given_rows())
    told = [(outcome(ours.predict, given), outcome(theirs.predict, given)) for given in tried]
    assert [mine for mine, _ in told] == [other for _, other in told]
    refused = [given for given, (mine, _) in zip(tried, told, strict=True) if mine[0] is not None]
    assert len(refused) > 15 and len(tried) - len(refused) > 15


def test_estimators_do_not_look_at_threads_for_a_few_rows(one_row, uncounted, monkeypatch):
    from bpcore.sklearn import _threads as of_estimators

    monkeypatch.delenv("BPCORE_NUM_THREADS")
    X = np.random.default_rng(0).standard_normal((60, FEATURES))
    with monkeypatch.context() as fitting:
        fitting.setattr(of_estimators, "count", lambda given: 1)
        pairs = [one_row.estimators(name, np.arange(60) % 3, X)[0] for name in KINDS]
    for model in pairs:
        assert model.predict(ROW).shape == (1,)
        for wrong, error in ((0, ValueError), (1.5, TypeError)):
            monkeypatch.undo()
            with pytest.raises(error, match="n_threads is"):
                model.set_params(n_threads=wrong).predict(ROW)


KINDS = ["MLPClassifier", "MLPRegressor"]
