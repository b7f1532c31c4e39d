"""The estimators in processes of their own, in searches, at import and in their documentation."""

import doctest
import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install scikit-learn")

import joblib
from sklearn import datasets
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.preprocessing import scale

from bpcore.sklearn import MLPClassifier
from bpcore.sklearn._threads import count

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def flowers():
    X, y = datasets.load_iris(return_X_y=True)
    return scale(X), y


# ---- Processes -----------------------------------------------------------------------------------


def test_workers_share_the_cpus(monkeypatch):
    monkeypatch.delenv("BPCORE_NUM_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    def threads_of_a_fit(_):  # Inside, so that it is sent to the workers, which know no tests.
        return count(None), os.environ.get("OMP_NUM_THREADS")

    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
        found = joblib.Parallel()(joblib.delayed(threads_of_a_fit)(i) for i in range(2))
    assert found == [(1, "1"), (1, "1")]
    with joblib.parallel_config("threading", n_jobs=2):
        found = joblib.Parallel()(joblib.delayed(threads_of_a_fit)(i) for i in range(2))
    assert [threads for threads, _ in found] == [1, 1]


def test_the_number_of_threads_has_an_order(monkeypatch):
    monkeypatch.delenv("BPCORE_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert count(None) == 1
    monkeypatch.setenv("BPCORE_NUM_THREADS", "3")
    assert count(None) == 3
    assert count(2) == 2


@pytest.mark.long
def test_searches_work_in_several_processes(flowers):
    X, y = flowers
    model = MLPClassifier(max_iter=20, random_state=1, learning_rate_init=0.01)
    grid = {"hidden_layer_sizes": [(5,), (10, 5)], "solver": ["adam", "rmsprop"]}
    search = GridSearchCV(model, grid, cv=3, n_jobs=2).fit(X, y)
    assert search.best_score_ > 0.8
    alone = cross_val_score(model, X, y, cv=3)
    assert np.array_equal(cross_val_score(model, X, y, cv=3, n_jobs=2), alone)


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_importing_bpcore_does_not_import_scikit_learn():
    code = "import sys, bpcore; print([m for m in sys.modules if m.split('.')[0] == 'sklearn'])"
    assert run(code).stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["sklearn", "sklearn.utils.validation"])
def test_a_missing_scikit_learn_is_named(module):
    done = run(f"import sys; sys.modules[{module!r}] = None; import bpcore.sklearn")
    assert "pip install -U scikit-learn" in done.stderr


# ---- Documentation -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["_classifier", "_regressor"])
def test_docstring_examples_run(name):
    assert doctest.testmod(importlib.import_module(f"bpcore.sklearn.{name}")).failed == 0


def test_the_examples_of_the_page_run():
    page = Path(__file__).resolve().parents[1] / "docs" / "sklearn.md"
    result = doctest.testfile(str(page), module_relative=False)
    assert result.failed == 0 and result.attempted > 20
