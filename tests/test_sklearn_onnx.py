"""skl2onnx converts the estimators, alone and in pipelines."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("skl2onnx", reason="skl2onnx is not installed: pip install skl2onnx")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install onnxruntime")

import onnx
import onnxruntime
import skl2onnx
from sklearn import datasets
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bpcore import _core
from bpcore.sklearn import MLPClassifier, MLPRegressor, register_onnx_converters

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

PAGE = Path(__file__).resolve().parents[1] / "docs" / "sklearn.md"
X = np.random.RandomState(0).uniform(-1, 1, (60, 5))
HIDDEN = [name for name in _core.ACTIVATIONS if name != "softmax"]


def tolerance(dtype):
    """Sums of at most ten products of size about 1, in another order, three layers deep."""
    return 64 * float(np.finfo(dtype).eps)


def converted(model, rows, **settings):
    register_onnx_converters()
    return skl2onnx.to_onnx(model, rows[:1], **settings)


def outputs_of(content, rows):
    """The outputs by name."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": rows}), strict=True))


def outputs(model, rows, **settings):
    found = converted(model, rows, **settings)
    onnx.checker.check_model(found, full_check=True)
    return outputs_of(found.SerializeToString(), rows)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize("classes", [2, 3, "letters"])
def test_a_classifier_in_a_pipeline_is_converted(activation, classes, dtype):
    y = np.arange(60) % 3 if classes == "letters" else np.arange(60) % classes
    y = np.array(list("abc"))[y] if classes == "letters" else y
    rows = X.astype(dtype)
    network = MLPClassifier((10, 8), [activation, "tanh"], max_iter=20, random_state=1)
    model = make_pipeline(StandardScaler(), network).fit(rows, y)
    found = outputs(model, rows, options={"zipmap": False})
    expected = model.predict_proba(rows)
    assert found["probabilities"].dtype == dtype
    np.testing.assert_allclose(found["probabilities"], expected, atol=tolerance(dtype))
    assert np.array_equal(found["label"], model.predict(rows))


def test_a_changed_weight_is_found():
    rows = X.astype(np.float32)
    model = MLPClassifier((10, 8), max_iter=20, random_state=1).fit(rows, np.arange(60) % 3)
    expected = model.predict_proba(rows)
    model.coefs_[0][0, 0] += 1e-3
    found = outputs(model, rows, options={"zipmap": False})["probabilities"]
    assert np.abs(found - expected).max() > tolerance("float32")


def test_input_of_another_precision_decides():
    model = MLPClassifier((10,), max_iter=20, random_state=1).fit(X, np.arange(60) % 3)
    for dtype in ("float32", "int64"):
        rows = np.round(3 * X).astype(dtype)
        found = outputs(model, rows, options={"zipmap": False})["probabilities"]
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, model.predict_proba(rows), atol=tolerance("float32"))


def test_the_options_of_classifiers_are_heard():
    rows = X.astype(np.float32)
    words = np.array(["no", "yes"])[np.arange(60) % 2]
    model = MLPClassifier((10,), max_iter=20, random_state=1).fit(rows, words)
    P, predicted = model.predict_proba(rows), model.predict(rows)
    mapped = outputs(model, rows)["output_probability"]
    assert [max(row, key=row.get) for row in mapped] == list(predicted)
    columns = outputs(model, rows, options={"zipmap": "columns"})
    np.testing.assert_allclose(columns["syes"], P[:, 1], atol=tolerance("float32"))
    positions = outputs(model, rows, options={"zipmap": False, "nocl": True})["label"]
    assert np.array_equal(positions, P.argmax(axis=1))
    named = outputs(model, rows, options={"zipmap": False, "output_class_labels": True})
    assert list(named["class_labels"]) == ["no", "yes"]


def test_several_labels_are_converted():
    rows = X.astype(np.float32)
    Y = datasets.make_multilabel_classification(60, random_state=0)[1]
    model = MLPClassifier((10,), max_iter=20, random_state=1).fit(rows, Y)
    found = outputs(model, rows, options={"zipmap": False})
    expected = model.predict_proba(rows)
    np.testing.assert_allclose(found["probabilities"], expected, atol=tolerance("float32"))
    assert np.array_equal(found["label"], model.predict(rows))


@pytest.mark.parametrize("outputs_count", [1, 3])
def test_a_regressor_is_converted(outputs_count):
    y = X.sum(axis=1) if outputs_count == 1 else X[:, :3] ** 2
    model = MLPRegressor(hidden_layer_sizes=(10,), max_iter=20, random_state=1)
    model = make_pipeline(StandardScaler(), model).fit(X, y)
    values = outputs(model, X)["variable"]
    expected = model.predict(X).reshape(60, -1)
    np.testing.assert_allclose(values, expected, atol=tolerance("float64"), strict=True)


def test_the_lines_of_the_page_convert_a_pipeline():
    (code,) = re.findall(r"```python\n(from skl2onnx.*?)```", PAGE.read_text("utf-8"), re.S)
    model = make_pipeline(StandardScaler(), MLPClassifier((10,), max_iter=2)).fit(
        X, np.arange(60) % 2
    )
    names = {"pipeline": model, "X": X}
    exec(code, names)
    found = outputs_of(names["converted"].SerializeToString(), X)
    assert np.array_equal(found["label"], model.predict(X))


def test_without_skl2onnx_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match="pip install skl2onnx"):
        register_onnx_converters()
