"""The lines of docs/sklearn.md by which skl2onnx converts the estimators."""

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("skl2onnx", reason="skl2onnx is not installed: pip install skl2onnx")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install onnxruntime")

import onnxruntime
from sklearn import datasets
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bpcore.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

PAGE = Path(__file__).resolve().parents[1] / "docs" / "sklearn.md"
X = np.random.RandomState(0).uniform(-1, 1, (60, 5)).astype(np.float32)
# Sums of at most ten products of size about 1, in float32, in another order, three layers deep.
TOLERANCE = 64 * float(np.finfo(np.float32).eps)


def onnx_outputs(model, **settings):
    names = {}
    (code,) = re.findall(r"```python\n(from skl2onnx.*?)```", PAGE.read_text("utf-8"), re.S)
    exec(code, names)
    content = names["to_onnx"](model, X[:1], **settings).SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {"X": X})


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("classes", [2, 3, "letters"])
def test_a_classifier_in_a_pipeline_is_converted(activation, classes):
    y = np.arange(60) % 3 if classes == "letters" else np.arange(60) % classes
    y = np.array(list("abc"))[y] if classes == "letters" else y
    network = MLPClassifier((10, 8), activation, max_iter=20, random_state=1)
    model = make_pipeline(StandardScaler(), network).fit(X, y)
    labels, probabilities = onnx_outputs(model, options={"zipmap": False})
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=TOLERANCE)
    assert np.array_equal(labels, model.predict(X))


def test_several_labels_are_converted():
    Y = datasets.make_multilabel_classification(60, random_state=0)[1]
    model = MLPClassifier((10,), max_iter=20, random_state=1).fit(X, Y)
    labels, probabilities = onnx_outputs(model, options={"zipmap": False})
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=TOLERANCE)
    assert np.array_equal(labels, model.predict(X))


def test_a_regressor_is_converted():
    model = MLPRegressor(hidden_layer_sizes=(10,), max_iter=20, random_state=1).fit(
        X, X.sum(axis=1)
    )
    (values,) = onnx_outputs(model)
    np.testing.assert_allclose(values[:, 0], model.predict(X), atol=TOLERANCE)
