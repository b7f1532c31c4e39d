"""Targets: sparse matrices, and the arguments of Network and of fit, of any kind.

An input is JSON, so that it can be kept, read and changed; what it says is made into objects here.
"""

import json
import math

import numpy as np

import bpcore
from bpcore import optimizers, schedules
from bpcore._inputs import check, sample_weights
from bpcore._inputs import csr as csr_rows
from bpcore._model import architecture
from bpcore._training import fit, hyperparameters

from .laws import Target
from .mutate import change_bytes, change_tree, text

MOST_PARAMETERS = 1 << 18  # A network of an ordinary size is as large as was asked for.
MOST_ENTRIES = 1 << 12
MOST_EPOCHS = 4
DTYPES = ["float32", "float64", "int32", "int64", "uint32", "uint64", "int8", "bool", "complex64"]
DTYPES += ["object", "str", ">i4", ">f8", "float16", "datetime64[s]"]


def changed(words):
    """How to change JSON with these words in it."""

    def change(random, data, other):
        try:
            tree, source = json.loads(data), json.loads(other)
            return text(random, change_tree(random, tree, words, source)).encode()
        except (ValueError, RecursionError):  # Too deep for the changes, or none of JSON.
            return change_bytes(random, data, other)

    return change


def tree_of(data):
    """The tree that an input says, or None."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) else None


def array(given):
    """{"values": ..., "dtype": ..., "step": ...} as an array; what makes none, as it is."""
    if not isinstance(given, dict) or "values" not in given:
        return given
    try:
        with np.errstate(all="ignore"):
            made = np.array(given["values"], given.get("dtype"))
        return made if given.get("step") is None else made[:: given["step"]]
    except (ValueError, TypeError, OverflowError, RecursionError, IndexError, Warning):
        return given


# ---- Sparse matrices -----------------------------------------------------------------------------


class Matrix:
    """What a sparse matrix of SciPy shows of itself."""

    def __init__(self, tree):
        for name in ("shape", "indptr", "indices", "data", "ndim"):
            if name in tree:
                setattr(self, name, array(tree[name]))
        if isinstance(getattr(self, "shape", None), list):
            self.shape = tuple(self.shape)
        if "ndim" not in tree and hasattr(self, "shape"):
            self.ndim = len(self.shape) if isinstance(self.shape, tuple) else 2

    def tocsr(self):
        return self


def dense_of(X, features, dtype):
    """The same matrix as an array, entry by entry: duplicates are added in their own type."""
    dense = np.zeros((len(X.indptr) - 1, features), dtype)
    for row in range(len(dense)):
        sums = {}
        for at in range(int(X.indptr[row]), int(X.indptr[row + 1])):
            column, value = int(X.indices[at]), X.data[at : at + 1]
            sums[column] = np.add(sums[column], value) if column in sums else value
        for column, value in sums.items():
            dense[row, column] = value[0]
    return dense


def run_csr(data, folder):
    tree = tree_of(data)
    if tree is None:
        return 0
    dtype = "float64" if tree.get("double") else "float32"
    net = bpcore.Network([4, 3, 1], dtype=dtype, seed=0)
    X, y = Matrix(tree), array(tree.get("y"))
    if tree.get("call") == "fit":
        net.fit(X, y, epochs=1, learning_rate=0.1, sample_weight=array(tree.get("sample_weight")))
        return 0
    if tree.get("call") == "eval_set":
        net.fit([[0] * 4], [1], epochs=1, learning_rate=0.1, eval_set=(X, y))
        return 0
    A = net.forward(X)
    with np.errstate(all="ignore"):
        expected = net.forward(dense_of(X, 4, dtype))
    if A.tobytes() != expected.tobytes():
        raise AssertionError("sparse rows give other bits than dense ones")
    return 0


def csr(**changes):
    """Three rows of four columns, right where nothing else is said."""
    tree = {"shape": [3, 4], "call": "forward", "y": [0, 1, 0]}
    for name, values in [("indptr", [0, 2, 2, 3]), ("indices", [0, 3, 1]), ("data", [1, -2, 3])]:
        dtype = "float32" if name == "data" else "int32"
        tree[name] = {"values": values, "dtype": dtype}
    return json.dumps({**tree, **changes}).encode()


def csr_seeds():
    def ints(*values, dtype="int32", **how):
        return {"values": values, "dtype": dtype, **how}

    inputs = {
        "plain": csr(),
        "double": csr(double=True),
        "fit": csr(call="fit"),
        "weighted": csr(call="fit", sample_weight=[1, 0, 2]),
        "eval-set": csr(call="eval_set"),
        "unsorted": csr(indices=ints(3, 0, 1)),
        "duplicates": csr(indices=ints(3, 3, 1)),
        "int64": csr(indices=ints(0, 3, 1, dtype="int64"), indptr=ints(0, 2, 2, 3, dtype="int64")),
        "uint64": csr(indices=ints(0, 3, 1, dtype="uint64")),
        "big-endian": csr(indices=ints(0, 3, 1, dtype=">i4")),
        "strided": csr(indices=ints(0, 9, 3, 9, 1, 9, step=2), data=ints(3, 2, 1, step=-1)),
        "no-entries": csr(indptr=ints(0, 0, 0, 0), indices=ints(), data=ints()),
        "no-rows": csr(shape=[0, 4], indptr=ints(0), indices=ints(), data=ints(), y=[]),
        "spare-entries": csr(indices=ints(0, 3, 1, 99), data=ints(1, 2, 3, 4)),
    }
    wrong = {
        "column-beyond": csr(indices=ints(0, 4, 1)),
        "column-below": csr(indices=ints(0, -1, 1)),
        "column-wraps": csr(indices=ints(0, 2**32, 1, dtype="int64")),
        "starts-fall": csr(indptr=ints(0, 3, 2, 3)),
        "starts-beyond": csr(indptr=ints(0, 2, 2, 9)),
        "starts-not-at-zero": csr(indptr=ints(1, 2, 2, 3)),
        "starts-short": csr(indptr=ints(0, 3)),
        "starts-none": csr(shape=[-1, 4], indptr=ints()),
        "starts-wrap": csr(indptr=ints(0, 2**63, 2**63, 2**64 - 1, dtype="uint64")),
        "indices-fractions": csr(indices={"values": [0.5, 1, 2], "dtype": "float64"}),
        "not-finite": csr(data={"values": [1, math.nan, 3], "dtype": "float32"}),
        "overflow": csr(data={"values": [1, 1e300, 3], "dtype": "float64"}),
        "objects": csr(data={"values": ["a", 1, 2], "dtype": "object"}),
        "complex": csr(data={"values": [1, 2, 3], "dtype": "complex64"}),
        "features": csr(shape=[3, 5]),
        "three-dimensions": csr(shape=[3, 4, 1]),
        "two-dimensional": csr(indices={"values": [[0, 3, 1]], "dtype": "int32"}),
        "lists": csr(indptr=[0, 2, 2, 3], indices=[0, 3, 1], data=[1, 2, 3]),
        "nothing": b"{}",
        "rows-beyond": csr(shape=[2**63, 4]),
    }
    return inputs | wrong


WORDS = ["shape", "indptr", "indices", "data", "ndim", "call", "fit", "forward", "eval_set", "y"]
WORDS += ["values", "dtype", "step", "double", "sample_weight", *DTYPES]
CSR = Target("csr", run_csr, changed(WORDS), csr_seeds, (ValueError, TypeError), [csr_rows, check])


# ---- Arguments of any kind -----------------------------------------------------------------------


def argument(given, depth=0):
    """What a tree says: arrays, tuples, or, where it is deeper than arguments are, itself."""
    if isinstance(given, dict) and "values" in given:
        return array(given)
    if isinstance(given, dict) and isinstance(given.get("tuple"), list) and depth < 5:
        return tuple(argument(one, depth + 1) for one in given["tuple"])
    if isinstance(given, list) and depth < 5:
        return [argument(one, depth + 1) for one in given]
    return given


def is_ordinary_but_large(sizes):
    """Would this network be made, and take long? What cannot be made is asked for all the same."""
    if not isinstance(sizes, (list, tuple)) or not all(type(n) is int and n > 0 for n in sizes):
        return False
    count = sum((a + 1) * b for a, b in zip(sizes, sizes[1:], strict=False))
    return MOST_PARAMETERS < count < 1 << 45


def run_network(data, folder):
    tree = tree_of(data)
    if tree is None:
        return 0
    settings, fit = tree.get("network"), tree.get("fit")
    if not isinstance(settings, dict) or not isinstance(fit, dict):
        return 0
    settings = {name: argument(value) for name, value in settings.items()}
    if is_ordinary_but_large(settings.get("sizes")):
        return 0
    net = bpcore.Network(**settings)
    before = net.parameters.tobytes()
    given = {name: argument(value) for name, value in fit.items()}
    if type(given.get("epochs")) is int and given["epochs"] < 1 << 63:
        given["epochs"] = min(given["epochs"], MOST_EPOCHS)
    try:
        net.fit(**given)
    except (ValueError, TypeError):
        kept = net.epochs or net._state or net.scaling
        if net.parameters.tobytes() != before or kept:
            raise AssertionError("a refusal changed the network") from None
        raise
    return 0


def case(network=None, **fit):
    """A network that learns, with some arguments changed."""
    plain = {"sizes": [2, 3, 1], "seed": 1, "output": "sigmoid"}
    X = {"values": [[0, 1], [1, 0], [1, 1]], "dtype": "float32"}
    how = {"X": X, "y": [0, 1, 1], "epochs": 2, "learning_rate": 0.1, **fit}
    return json.dumps({"network": {**plain, **(network or {})}, "fit": how}).encode()


def network_seeds():
    good = {f"optimizer-{name}": case(optimizer=name) for name in OPTIMIZERS}
    good["optimizer-lbfgs"] = case(optimizer="lbfgs", learning_rate=None)
    good["optimizer-levenberg-marquardt"] = case(
        {"loss": "mse"}, optimizer="levenberg_marquardt", learning_rate=None
    )
    good |= {
        "batches": case(batch_size=2, shuffle=True),
        "order": case(batch_size=2, order=[2, 0, 1]),
        "weights": case(sample_weight=[1, 2, 0], class_weight="balanced"),
        "class-weight": case(class_weight={"0": 1}),
        "penalties": case(l2=0.1, l1=0.01, clip_norm=1.0, max_norm=2.0, dropout=0.5),
        "dropout-each": case(dropout=[0.5]),
        "eval-share": case(eval_set=0.4, early_stopping=1),
        "eval-pair": case(eval_set={"tuple": [[[0, 1]], [1]]}),
        "standardize": case({"standardize": True, "dtype": "float64"}),
        "quantile": case({"loss": {"tuple": ["quantile", 0.5]}, "output": "identity"}),
        "init": case({"init": {"tuple": ["normal", 0.1, "biases"]}}),
        "iterable": case(X=[{"tuple": [[[0, 1]], [1]]}], y=None),
        "schedule": case(
            learning_rate={"name": "Exponential", "learning_rate": 1, "factor": 1e300}
        ),
        "warm-up": case(learning_rate={"name": "WarmUp", "learning_rate": 0.5, "steps": 3}),
    }
    wrong = {
        "sizes-overflow": case({"sizes": [2**40, 2**40]}),
        "sizes-beyond": case({"sizes": [2**33, 2**33]}),
        "sizes-64-bits": case({"sizes": [2**63, 2**63]}),
        "sizes-many": case({"sizes": [1] * 300}),
        "epochs-beyond": case(epochs=2**63),
        "batch-beyond": case(batch_size=2**64),
        "threads-beyond": case(n_threads=2**63),
        "rate-infinite": case(learning_rate=math.inf),
        "X-not-finite": case(X=[[0, math.nan]], y=[1]),
        "X-strings": case(X={"values": [["a", "b"]], "dtype": "str"}, y=[1]),
        "y-objects": case(y=[None, {}, 1]),
        "progress": case(progress={"values": [1, 2]}),
        "callbacks": case(callbacks=[3]),
        "unknown": case(unknown=1),
    }
    return good | wrong


OPTIMIZERS = ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "rprop"]
NAMES = ["sizes", "hidden", "output", "loss", "init", "dtype", "seed", "standardize", "X", "y"]
NAMES += ["epochs", "learning_rate", "optimizer", "batch_size", "shuffle", "order", "l2", "l1"]
NAMES += ["sample_weight", "class_weight", "dropout", "clip_norm", "max_norm", "eval_set"]
NAMES += ["early_stopping", "callbacks", "n_threads", "values", "tuple", "name", "softmax", "exp"]
NAMES += ["balanced", "huber", "factor", "Adaptive", "Cosine", "lbfgs", *OPTIMIZERS, *DTYPES]
WATCHED = [check, fit, hyperparameters, architecture, sample_weights, optimizers, schedules]
REFUSALS = (ValueError, TypeError, MemoryError, FloatingPointError)
NETWORK = Target("network", run_network, changed(NAMES), network_seeds, REFUSALS, WATCHED)
TARGETS = [CSR, NETWORK]
