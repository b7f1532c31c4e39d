"""What allocations.py makes fail: every public entry point, on small data.

A Use has the network it works on and a call; what it changes, and may change, are bytes.
"""

import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np

import bpcore
from bpcore import _core

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((40, 5)).astype("f4")
X64 = X.astype("f8")  # To be converted.
SPARSE_X = np.where(RANDOM.random((40, 5)) < 0.2, X, 0).astype("f4")
LABELS = np.arange(40) % 3
VALUES = RANDOM.standard_normal((40, 2)).astype("f4")
ROWS, INDICES = np.nonzero(SPARSE_X)
ENTRIES, INDPTR = SPARSE_X[ROWS, INDICES], np.searchsorted(ROWS, np.arange(41))
DATA = (X, X64, SPARSE_X, LABELS, VALUES, INDICES, ENTRIES, INDPTR)
CSR = SimpleNamespace(shape=(40, 5), indptr=INDPTR, indices=INDICES, data=ENTRIES)
CSR.tocsr = lambda: CSR  # All that is asked of a sparse matrix of SciPy.


def copied(*arguments):
    """The entries that are copied, by their number."""
    return _core.compress(*arguments).nonzeros


def classifier(**how):
    return bpcore.Network([5, 6, 3], hidden="tanh", output="softmax", seed=1, **how)


def regressor():
    return bpcore.Network([5, 4, 2], hidden="tanh", output="identity", loss="mse", seed=1)


def parts(value):
    """A result as bytes: arrays, numbers, networks and histories, however nested."""
    if isinstance(value, bpcore.Network):
        return state(value)
    if isinstance(value, (list, tuple)):
        return [parts(item) for item in value]
    if isinstance(value, dict):
        return {name: parts(item) for name, item in value.items()}
    if isinstance(value, bpcore.History):
        return parts([value.loss, value.eval_loss, value.penalty, value.learning_rate])
    return value.tobytes() if isinstance(value, np.ndarray) else value


def state(net):
    """All that a call may change in a network, with the step that it has come to, or None."""
    step, moments = (getattr(net._state, name, None) for name in ("step", "moments"))
    moments = None if moments is None else moments.tobytes()
    return net.parameters.tobytes(), net.epochs, step, moments


def data():
    """The users' arrays, which no call may change."""
    return [array.tobytes() for array in DATA]


# ---- Calls that change nothing -------------------------------------------------------------------


def network_calls():
    """Functions of the binding for whole networks, with arrays that are there already."""
    net = classifier()
    core, P = net._core, net.parameters
    Y, out, flat = np.eye(3, dtype="f4")[LABELS], np.empty((40, 3), "f4"), np.empty_like(P)
    dX, order = np.empty_like(X), np.empty(40, np.uintp)
    sizes = [size(core, 40, 4) for size in (_core.workspace_size, _core.forward_size)]
    work = np.empty(max(*sizes, _core.mean_loss_size(core, 40, 4)), "u1")
    names, columns, row_offsets = ["tanh", "softmax"], INDICES.astype("u4"), INDPTR.astype(np.uintp)
    values, sparse = ENTRIES.copy(), _core.Sparse(ENTRIES, columns, row_offsets, 5)
    packed = np.empty(max(_core.packed_size(core, 40, 4, len(values)), 1), "u1")
    J, one = np.empty((40 * 3, len(P)), "f4"), np.empty((40, 3), "f4")
    return {
        "Architecture": lambda net: _core.Architecture([5, 6, 3], names, "mse").parameter_count,
        "Forward": lambda net: _core.Forward(core, P)(X, out),
        "Rule": lambda net: _core.Rule("adam", momentum=0.9, decay=0.9, epsilon=1e-8).moments,
        "forward": lambda net: _core.forward(core, P, X, out, work),
        "mean_loss": lambda net: _core.mean_loss(core, P, X, Y, work),
        "gradient": lambda net: _core.gradient(core, P, X, Y, flat, work),
        "backward": lambda net: _core.backward(core, P, X, Y, flat, dX, work),
        "layer_outputs": lambda net: _core.layer_outputs(core, P, X, Y, None, None, work),
        "parameter_jacobian": lambda net: _core.parameter_jacobian(core, P, X, 0, 40, one, J, work),
        "pack": lambda net: _core.pack(core, P, None, packed, sparse=sparse),
        "Sparse": lambda net: _core.Sparse(values, columns, row_offsets, 5).as_double().nonzeros,
        "shuffle": lambda net: _core.shuffle(order, 1, 2),
        "workspace_size": lambda net: _core.workspace_size(core, 40, 4),
        "forward_size": lambda net: _core.forward_size(core, 40, 4),
        "mean_loss_size": lambda net: _core.mean_loss_size(core, 40, 4),
        "packed_size": lambda net: _core.packed_size(core, 40, 4, 9),
        "compiler": lambda net: _core.compiler(),
        "available_isas": lambda net: _core.available_isas(),
        "isa": lambda net: _core.isa(),
    }


def shared_batch_calls(fill):
    """What ranks ask of the binding."""
    core = _core.Architecture([5, 3, 2], ["tanh", "sigmoid"], "bce")
    parameters, Y = np.full(core.parameter_count, 0.1, "f4"), np.ones((40, 2), "f4")
    A, D, losses = np.ones(120, "f4"), np.ones(200, "f4"), np.ones(80)
    work = np.zeros(_core.workspace_size(core, 40, 4), np.uint8)
    adds = np.zeros(_core.add_rows_size(core, 4), np.uint8)
    rows = X[:, :5].copy()
    one = _core.Sparse(np.ones(40, "f4"), np.zeros(40, "u4"), np.arange(41, dtype=np.uintp), 5)
    out = np.zeros(_core.transposed_size(core, 40, 40, 4), np.uint8)
    first = core, _core.Training(40, 0.1), parameters, rows, Y, None, 0, 40, 0

    def add(sums):
        _core.add_rows(core, 1, 0, 4, D[:80], A, None, 0, 40, 0, 40, sums, adds)

    def transpose(out):
        _core.transpose(core, parameters, one, None, 0, 40, 0, 40, out)

    return {
        "part_deltas": fill(lambda *to: _core.part_deltas(*first, *to, work), A, D, losses),
        "add_rows": fill(add, np.ones(8, "f4")),
        "add_rows_size": lambda net: _core.add_rows_size(core, 4),
        "transpose": fill(transpose, out),
        "transposed_size": lambda net: _core.transposed_size(core, 40, 40, 4),
    }


def array_calls():
    """Functions of the binding for arrays. Each fills copies, and returns them."""
    W, b = RANDOM.standard_normal((5, 3)).astype("f4"), np.ones(3, "f4")
    A, D = X[:, :3].copy(), np.ones((40, 3), "f4")
    square, row_offsets = np.eye(30) * 2, INDPTR.astype(np.uintp)
    compressed = [np.zeros(len(ENTRIES), "f4"), np.zeros(len(ENTRIES), "u4")]

    def fill(function, *arrays):
        def call(net):
            copies = [array.copy() for array in arrays]
            return [function(*copies), *copies]

        return call

    return {
        "activate": fill(lambda Z: _core.activate("tanh", Z), A),
        "activate_derivative": fill(lambda Z, S: _core.activate_derivative("gelu", Z, S), A, D),
        "activation_backward": fill(lambda A, dA: _core.activation_backward("tanh", A, dA), A, D),
        "dense_forward": fill(lambda Z, A: _core.dense_forward("tanh", X, W, b, Z, A), A, D),
        "dense_backward": fill(lambda *to: _core.dense_backward(X, W, D, *to), W, b, X),
        "matmul": fill(lambda C: _core.matmul(X, W, C), A),
        "cholesky_solve": fill(
            lambda A, x: _core.cholesky_solve(A, 0.1, None, x), square, square[0]
        ),
        "dot": lambda net: _core.dot(b, b),
        "exp": fill(_core.exp, b),
        "log": fill(_core.log, b),
        "log1p_exp": fill(_core.log1p_exp, b),
        "first_nonfinite": lambda net: _core.first_nonfinite(b),
        "count_nonzero": fill(lambda to: _core.count_nonzero(X, to), row_offsets),
        "compress": fill(lambda *to: copied(SPARSE_X, row_offsets, *to), *compressed),
        **shared_batch_calls(fill),
    }


def pure():
    """{name: (a new network, what it is asked)}."""
    scaled = classifier(standardize=True)
    scaled.fit(X, LABELS, epochs=1, learning_rate=0.1)
    calls = {
        "Network": lambda net: parts(classifier()),
        "repr": repr,
        "forward": lambda net: net.forward(X),
        "forward, converted": lambda net: net.forward(X64),
        "forward, sparse": lambda net: net.forward(CSR),
        "predict": lambda net: net.predict(X64),
        "evaluate": lambda net: net.evaluate(X, LABELS, sample_weight=np.ones(40)),
        "loss": lambda net: net.loss(X, LABELS),
        "gradients": lambda net: net.gradients(X, LABELS),
        "check_gradients": lambda net: net.check_gradients(X[:3], LABELS[:3], entries=2),
        "backward": lambda net: net.backward(X, np.ones((40, 3))),
        "jacobian": lambda net: net.jacobian(X[:4]),
        "activations": lambda net: net.activations(X),
        "deltas": lambda net: net.deltas(X, LABELS),
        "pickle": lambda net: pickle.loads(pickle.dumps(net)),
        "info": lambda net: bpcore.info()["version"],
    }
    made = {name: (classifier, call) for name, call in calls.items()}
    made["forward, scaled"] = lambda: pickle.loads(pickle.dumps(scaled)), calls["forward"]
    calls = {**network_calls(), **array_calls()}
    core = {f"_core.{name}": (classifier, call) for name, call in calls.items()}
    return {**made, **core}


def files(folder):
    """Saving and loading."""
    path, images = Path(folder) / "model", Path(folder) / "images"
    classifier().save(path)
    images.write_bytes(bytes([0, 0, 8, 2, 0, 0, 0, 3, 0, 0, 0, 4, *range(12)]))
    return {
        "save": (classifier, lambda net: net.save(path)),
        "load": (classifier, lambda net: bpcore.Network.load(path)),
        "read_idx": (classifier, lambda net: bpcore.datasets.read_idx(images)),
    }


FILES = ["save", "load", "read_idx"]


# ---- Calls that learn ----------------------------------------------------------------------------


def fits():
    """{name: (a new network, its training, steps of an epoch, how it ends)}."""
    how = dict(epochs=3)

    def fit(inputs, targets, **settings):
        return lambda net: net.fit(inputs, targets, **{**how, **settings})

    def many(net):
        return bpcore.fit_many([net], X, LABELS, epochs=3, learning_rate=0.1, batch_size=8)

    early = dict(eval_set=(X64, LABELS), early_stopping=1, learning_rate=0.1)
    batches = [(X[:20], LABELS[:20]), (X[20:], LABELS[20:])]
    rate = dict(learning_rate=0.1)
    made = {
        "fit": (fit(X, LABELS, **rate), 1),
        "fit, converted": (fit(X64, LABELS, **rate), 1),
        "fit, few entries": (fit(SPARSE_X, LABELS, **rate), 1),
        "fit, sparse": (fit(CSR, LABELS, batch_size=16, **rate), 3),
        "fit, mini-batches": (fit(X, LABELS, batch_size=16, **rate), 3),
        "fit, adam": (fit(X, LABELS, optimizer="adam", dropout=0.1, l2=0.1, batch_size=16), 3),
        "fit, rprop": (fit(X, LABELS, optimizer="rprop"), 1),
        "fit, early stopping": (fit(X, LABELS, **early), 1, "restored"),
        "fit, iterable": (fit(batches, None, optimizer="adam"), 2, "iterated"),
        "partial_fit": (lambda net: net.partial_fit(X, LABELS, optimizer="adam"), 1),
        "fit_many": (many, 5),
    }
    made = {name: (classifier, *rest) for name, rest in made.items()}
    for name in ("lbfgs", "levenberg_marquardt"):
        made[f"fit, {name}"] = regressor, fit(X, VALUES, optimizer=name, l2=0.01), 1
    made["fit, scaled"] = lambda: classifier(standardize=True), fit(X, LABELS, **rate), 1
    return made
