"""One network as C, as each library writes it, and what that library computes in Python."""

import contextlib
import io
import os
import re
import sys
import types
import warnings
from importlib import metadata
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

import bpcore


class Task(NamedTuple):
    """A trained network, and rows that it has not seen."""

    title: str
    mlp: MLPClassifier
    typical: np.ndarray  # rows it was trained on
    X: np.ndarray
    y: np.ndarray  # their classes: 0, 1, ...

    @property
    def sizes(self):
        return [len(self.mlp.coefs_[0]), *map(len, self.mlp.intercepts_)]

    @property
    def net(self):
        """The network of bpcore with these weights."""
        output = "sigmoid" if self.sizes[-1] == 1 else "softmax"
        net = bpcore.Network(self.sizes, hidden="relu", output=output)
        for layer, (W, b) in enumerate(zip(self.mlp.coefs_, self.mlp.intercepts_, strict=True)):
            net.weights[layer][...], net.biases[layer][...] = W.T, b
        return net


class System(NamedTuple):
    """A program for one row: ``predict(x, y)`` in C, and what Python says of the test rows."""

    sources: list
    includes: list
    given: np.ndarray  # (n, inputs): the rows as predict takes them
    expected: np.ndarray  # (n, outputs): what the library that wrote it predicts in Python


class Missing(Exception):
    """Why a system cannot take part here."""


def digits(epochs):
    X, y = load_digits(return_X_y=True)
    X, trained = (X / 16).astype(np.float32), 1297
    return _trained("digits, 64-32-10", X[:trained], y[:trained], X[trained:], y[trained:], epochs)


def mnist58(epochs):
    (X, y), (X_test, y_test) = bpcore.datasets.load_mnist58()
    # Half of the epochs: there are nine times as many rows.
    rows = X, y.astype(int), X_test, y_test.astype(int)
    return _trained("MNIST 5/8, 784-196-1", *rows, -(-epochs // 2), hidden=196)


TASKS = {"digits": digits, "mnist58": mnist58}


def _trained(title, X, y, X_test, y_test, epochs, hidden=32):
    mlp = MLPClassifier(hidden, max_iter=epochs, random_state=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mlp.fit(X, y)
    return Task(title, mlp, X, np.ascontiguousarray(X_test), y_test)


def truth(task):
    """(n, outputs): the outputs in float64."""
    A = task.X.astype(np.float64)
    for W, b in zip(task.mlp.coefs_[:-1], task.mlp.intercepts_[:-1], strict=True):
        A = np.maximum(A @ W + b, 0)
    Z = A @ task.mlp.coefs_[-1].astype(np.float64) + task.mlp.intercepts_[-1]
    if Z.shape[1] == 1:
        return 1 / (1 + np.exp(-Z))
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


# ---- bpcore --------------------------------------------------------------------------------------


def _adapter(folder, includes, body):
    """A file that defines predict, on top of what a library has written."""
    path = folder / "predict.c"
    path.write_text(
        f'#include "rows.h"\n{includes}\nvoid predict(const given *x, answer *y)\n{body}'
    )
    return path


def bpcore_float(task, folder):
    task.net.export(folder / "net.c")
    adapter = _adapter(folder, '#include "net.h"', "{\n    net_forward(x, y);\n}\n")
    return System([folder / "net.c", adapter], [folder], task.X, task.net.forward(task.X))


def bpcore_int8(task, folder):
    small = task.net.quantize(task.typical)
    small.export(folder / "net.c")
    adapter = _adapter(folder, '#include "net.h"', "{\n    net_forward(x, y);\n}\n")
    return System([folder / "net.c", adapter], [folder], task.X, small.forward(task.X))


def bpcore_int8_class(task, folder):
    """Rows of int8, as a sensor may give them, to a class: no floating point at all."""
    small = task.net.quantize(task.typical)
    small.export(folder / "net.c")
    adapter = _adapter(folder, '#include "net.h"', "{\n    y[0] = net_class(x);\n}\n")
    classes = small.predict(task.X).astype(np.int32)[:, None]
    return System([folder / "net.c", adapter], [folder], small.quantized(task.X), classes)


# ---- emlearn -------------------------------------------------------------------------------------


def emlearn(task, folder):
    """The method "loadable"; of 0.23.2 neither "inline" nor fixed point makes C that compiles."""
    try:
        import emlearn
    except ImportError as error:
        raise Missing(f"{error}: pip install emlearn") from None
    emlearn.convert(task.mlp, method="loadable").save("net", "net.h")
    call = "{\n    net_regress(x, INPUTS, y, OUTPUTS);\n}\n"
    adapter = _adapter(folder, '#include "net.h"', call)
    expected = task.mlp.predict_proba(task.X)[:, -task.sizes[-1] :]
    return System([adapter], [folder, Path(emlearn.__file__).parent], task.X, expected)


# ---- keras2c -------------------------------------------------------------------------------------

KERAS2C_CALL = """\
{{
{before}    k2c_tensor input = {{(float *)x, 1, INPUTS, {{INPUTS, 1, 1, 1, 1}}}};
    k2c_tensor output = {{y, 1, OUTPUTS, {{OUTPUTS, 1, 1, 1, 1}}}};
    net(&input, &output{arrays});
}}
"""


def keras2c_stack(task, folder):
    """Weights as variables of the function."""
    return _keras2c(task, folder, malloc=False)


def keras2c_malloc(task, folder):
    """Weights copied to memory that is allocated once."""
    return _keras2c(task, folder, malloc=True)


def _keras2c(task, folder, malloc):
    runtime = os.environ.get("KERAS2C")
    if not runtime or not Path(runtime, "include", "k2c_include.h").exists():
        raise Missing("KERAS2C names no checkout of keras2c, whose packages lack its C")
    keras, keras2c = _keras2c_packages()
    kinds = ["relu"] * (len(task.sizes) - 2) + ["sigmoid" if task.sizes[-1] == 1 else "softmax"]
    layers = map(keras.layers.Dense, task.sizes[1:], kinds)
    model = keras.Sequential([keras.Input(task.sizes[:1]), *layers])
    parameters = zip(task.mlp.coefs_, task.mlp.intercepts_, strict=True)
    model.set_weights([array for pair in parameters for array in pair])
    with contextlib.redirect_stdout(io.StringIO()):
        keras2c.k2c(model, "net", malloc=malloc, num_tests=0, verbose=False)
    arrays = re.findall(r"float\*\* (\w+)", (folder / "net.h").read_text())
    declared = f"    static float {', '.join(f'*{name}' for name in arrays)};\n"
    given = ", ".join(f"&{name}" for name in arrays)
    before = f"{declared}    if (!{arrays[0]}) net_initialize({given});\n" if malloc else ""
    after = "".join(f", {name}" for name in arrays)
    adapter = _adapter(folder, '#include "net.h"', KERAS2C_CALL.format(before=before, arrays=after))
    sources = [*sorted(Path(runtime, "include").glob("*.c")), folder / "net.c", adapter]
    return System(sources, [folder, runtime], task.X, np.asarray(model(task.X)))


def _keras2c_packages():
    """(keras, keras2c), which takes Keras from TensorFlow but needs nothing else of it."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    try:
        import keras

        with mock.patch.dict(sys.modules, tensorflow=types.SimpleNamespace(keras=keras)):
            import keras2c
    except (ImportError, TypeError) as error:  # TypeError: pydantic from 2 on.
        raise Missing(f"{error}: see the head of microcontroller.py") from None
    return keras, keras2c


SYSTEMS = {
    "bpcore": bpcore_float,
    "bpcore int8": bpcore_int8,
    "bpcore int8, class": bpcore_int8_class,
    "emlearn": emlearn,
    "keras2c": keras2c_stack,
    "keras2c malloc": keras2c_malloc,
}


def written(name, task, folder):
    """The System of this name, in a folder in which its library may leave more files."""
    # emlearn has NumPy raise errors ever after; old packages warn of new ones.
    with np.errstate(), warnings.catch_warnings(), contextlib.chdir(folder):
        warnings.simplefilter("ignore")
        return SYSTEMS[name](task, folder)


def versions():
    """{package: version} of those that are there."""
    found = {}
    for name in ("bpcore", "emlearn", "keras2c", "keras", "scikit-learn", "numpy"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
