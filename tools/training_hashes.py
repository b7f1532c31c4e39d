"""Hashes of what training leaves, by public names alone: so it runs on any revision.

    python tools/training_hashes.py [--only PATTERN] [--against FILE]

Every optimiser with every loss, precision, form of data and of batches, what else ``fit`` takes,
the estimators and the classic classes: a line "name hash" each, then that of all lines. Where two
revisions print the same, no result has changed by a bit. ``--against`` compares with a kept output,
names what differs and exits 1. What is refused says so in place of its hash.
"""

import argparse
import contextlib
import copy
import hashlib
import io
import json
import random
import re
import sys
import tempfile
import warnings
from itertools import chain, product
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

import bpcore
from bpcore import callbacks, classic, optimizers, schedules
from bpcore.sklearn import MLPClassifier, MLPRegressor

RATES = dict(sgd=0.1, momentum=0.05, nesterov=0.05)  # The others have one of their own.
SECOND_ORDER = ("lbfgs", "levenberg_marquardt")
OPTIMIZERS = (*RATES, "rmsprop", "adam", "adamw", "rprop", *SECOND_ORDER)
HIDDEN = ("identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu")
HIDDEN += ("softplus", "silu", "gelu", "exp")
FREE = ("mse", "mae", ("huber", 0.2), ("quantile", 0.3))
PAIRS = (("bce", "sigmoid"), ("cross_entropy", "softmax"), ("poisson", "exp"))
PAIRS += tuple((loss, "identity") for loss in FREE)
DTYPES, KINDS = ("float32", "float64"), ("dense", "thin", "csr")  # thin: dense with many zeros
FORMS = ("full", "mini", "order", "batches", "pieces", "many")
ROWS, SIZES = 40, (6, 5, 3)
UNIT = np.random.RandomState(5).uniform(0, 2, ROWS)  # A number for each row.
NUMBERS = {
    "momentum": optimizers.Momentum(0.5),
    "nesterov": optimizers.Nesterov(0.5),
    "rmsprop": optimizers.RMSprop(0.9, 1e-3),
    "adam": optimizers.Adam(0.8, 0.9, 1e-4, True),
    "adamw": optimizers.AdamW(0.8, 0.9, 1e-4, False, 0.1),
    "rprop": optimizers.Rprop(0.4, 1.3),
    "lbfgs": optimizers.LBFGS(1e-3, 1e-2, 3),
    "levenberg_marquardt": optimizers.LevenbergMarquardt(1e-3, 1e-2),
}


def halve(net, history):
    net.parameters *= 0.5


# What else a fit takes, or functions of X and y that tell it.
OPTIONS = {
    "l2": dict(l2=0.01),
    "l1": dict(l1=0.01),
    "dropout": dict(dropout=0.3),
    "clip_norm": dict(clip_norm=0.1),
    "max_norm": dict(max_norm=0.5),
    "everything": dict(l2=0.01, l1=0.02, dropout=0.2, clip_norm=0.3, max_norm=0.7),
    "sample_weight": dict(sample_weight=UNIT),
    "class_weight": dict(class_weight="balanced"),
    "both_weights": dict(sample_weight=UNIT.round(), class_weight={0: 2, 1: 0.5, 2: 1}),
    "held_out": dict(eval_set=0.25, early_stopping=1, epochs=9),
    "eval_set": lambda X, y: dict(eval_set=(X[:9], y[:9]), early_stopping=True, epochs=5),
    "best_loss": lambda X, y: dict(callbacks=callbacks.EarlyStopping(1, 0.1), epochs=9),
    "stopped": dict(callbacks=lambda net, history: len(history.loss) == 2),
    "halved": dict(callbacks=halve),
    "progress": dict(progress=lambda history: history.loss[-1]),
    "numbers": {},
    "step": dict(learning_rate=schedules.Step(0.05, every=2)),
    "exponential": dict(learning_rate=schedules.Exponential(0.05)),
    "cosine": dict(learning_rate=schedules.Cosine(0.05, epochs=3)),
    "inverse": dict(learning_rate=schedules.InverseScaling(0.05)),
    "adaptive": dict(learning_rate=schedules.Adaptive(0.05, patience=1, tolerance=0.05)),
    "warm_up": dict(learning_rate=schedules.WarmUp(schedules.Cosine(0.05, epochs=3), steps=5)),
    "diverges": dict(learning_rate=1e30),
}


def data(rows, inputs, outputs, loss, dtype, kind):
    """X (rows, inputs) and targets that the loss takes."""
    numbers = np.random.RandomState(rows)
    X = numbers.uniform(-1, 1, (rows, inputs)).astype(dtype)
    X[numbers.uniform(size=X.shape) < (0 if kind == "dense" else 0.7)] = 0
    Y = numbers.uniform(0.1, 0.9, (rows, outputs))
    targets = dict(bce=Y.round(), poisson=(4 * Y).round(), cross_entropy=Y.argmax(axis=1))
    return (csr_matrix(X) if kind == "csr" else X), targets.get(loss, Y.astype(dtype))


def digest(*parts):
    """SHA-256 of arrays, numbers and texts."""
    total = hashlib.sha256()
    for part in parts:
        array = np.asarray(part)
        assert array.dtype != object, f"{part!r} has no bytes of its own"
        total.update(part.encode() if isinstance(part, str) else array.tobytes())
    return total.hexdigest()


def tensors(net, path):
    """The arrays of a network's file: parameters, scaling, what its optimiser keeps."""
    if np.isfinite(net.parameters).all():  # What has overflowed is not saved.
        net.save(path)
        content = path.read_bytes()
        start = 8 + int.from_bytes(content[:8], "little")
        for name, entry in sorted(json.loads(content[8:start]).items()):
            if name != "__metadata__":
                begin, end = entry["data_offsets"]
                yield name, np.frombuffer(content[start + begin : start + end], np.uint8)


def outcome(net, history, X, y, path):
    """The hash of a network that was trained, of its history, and of what it then computes."""
    lists = ("loss", "penalty", "learning_rate", "eval_loss", "eval_accuracy")
    found = [np.array(getattr(history, name), float) for name in lists] if history else []
    found += [net.epochs, str(history and history.best_epoch), net.parameters, net.forward(X)]
    found += chain.from_iterable(tensors(net, path))
    with contextlib.suppress(FloatingPointError):
        dW, db = net.gradients(X, y)
        found += [*dW, *db, *net.deltas(X, y), *net.activations(X)[1:], net.predict(X)]
        found += [net.loss(X, y), *net.evaluate(X, y).values()]
        found += [net.jacobian(X)] if X.shape[0] <= ROWS else []
    return digest(*found)


def train(net, X, y, form, batch, settings):
    """The history of a fit in this form of batches; None where it has diverged."""
    pieces = [slice(i, i + batch) for i in range(0, X.shape[0], batch)]
    if form in ("mini", "order", "many") and settings["optimizer"] not in SECOND_ORDER:
        settings["batch_size"] = batch
    with contextlib.suppress(FloatingPointError):
        if form == "order":
            settings["order"] = np.arange(X.shape[0])[::-1]
        if form == "batches":
            weights = settings.pop("sample_weight", None)
            more = [() if weights is None else (weights[piece],) for piece in pieces]
            batches = [(X[i], y[i], *given) for i, given in zip(pieces, more, strict=True)]
            return net.fit(batches, **settings)
        if form == "pieces":
            del settings["epochs"]
            return [net.partial_fit(X[piece], y[piece], **settings) for piece in pieces][-1]
        if form == "many":
            nets, folds = [copy.deepcopy(net), net], [np.arange(9, 40), np.arange(30)]
            return bpcore.fit_many(nets, X, y, rows=folds, **settings)[1]
        return net.fit(X, y, **settings)


def fit(
    path, optimizer, dtype, kind, form, option=None, *, resume=False, rows=ROWS, batch=7, **net
):
    """The hash of a network after some epochs; resume: and as many more, from its file."""
    net = dict(sizes=SIZES, hidden="tanh", output="softmax", loss="cross_entropy", seed=3) | net
    if optimizer == "levenberg_marquardt":  # It takes no other loss.
        net |= dict(output="identity", loss="mse")
    net = bpcore.Network(**net, dtype=dtype)
    X, y = data(rows, net.sizes[0], net.sizes[-1], net.loss_name, dtype, kind)
    settings = dict(epochs=4, optimizer=optimizer, learning_rate=RATES.get(optimizer))
    if option == "numbers":
        settings["optimizer"] = NUMBERS.get(optimizer, optimizer)
    option = OPTIONS.get(option, {})
    settings |= option(X, y) if callable(option) else option
    history = train(net, X, y, form, batch, dict(settings))
    if resume:
        net.save(path)
        net = bpcore.Network.load(path)
        history = train(net, X, y, form, batch, dict(settings))
    return outcome(net, history, X, y, path)


def fits():
    """(name, function of a path, its arguments) of all calls of fit."""
    for way in product(OPTIMIZERS, DTYPES, KINDS, FORMS):
        optimizer, _, kind, form = way
        if optimizer in SECOND_ORDER and form not in ("full", "many"):
            continue
        name = " ".join(way)
        for loss, output in PAIRS:
            if optimizer != "levenberg_marquardt" or loss == "mse":
                yield f"fit {loss} {name}", fit, *way, dict(loss=loss, output=output)
        yield f"resumed {name}", fit, *way, dict(resume=True)
        if kind != "csr" and form not in ("batches", "pieces"):
            yield f"standardize {name}", fit, *way, dict(standardize=True)
        if kind != "thin" and form in ("full", "mini", "batches"):
            for option in OPTIONS:
                yield f"option {option} {name}", fit, *way, option, {}
    for way in product(DTYPES, KINDS, ("full", "mini")):
        for hidden, option in product(HIDDEN, (None, "dropout")):
            yield f"hidden {hidden} {option} {way}", fit, "sgd", *way, option, dict(hidden=hidden)
        for output, loss in product((*HIDDEN, "softmax"), FREE):
            name = f"output {output} {loss} {way}"
            yield name, fit, "adam", *way, dict(output=output, loss=loss)
    # What threads share, what is cut into blocks and parts, a single row, no hidden layer.
    shapes = [((300, 64, 10), 2000, 128), ((6, 5, 2), 40000, 9000), ((3000, 9, 2), 50, 1)]
    shapes += [((20, 3), 700, 64), ((1, 4, 1), 1, 1), ((30, 20, 20, 20, 2), 900, 50)]
    for shape, way in product(shapes, product(OPTIMIZERS, DTYPES, KINDS, ("full", "mini"))):
        if way[0] not in SECOND_ORDER or way[3] == "full":
            sizes, rows, batch = shape
            how = dict(sizes=sizes, rows=rows, batch=batch, output="sigmoid", loss="bce")
            yield f"large {shape} {' '.join(way)}", fit, *way, how


# ---- Estimators and the tutorials' classes -------------------------------------------------------

SOLVERS = ("sgd", "adam", "lbfgs", "adamw", "rmsprop", "rprop", "lm")
REGRESSION = ("squared_error", "poisson", "absolute_error", "huber", "quantile")
ESTIMATOR_OPTIONS = {
    "plain": {},
    "early_stopping": dict(early_stopping=True, max_iter=15, n_iter_no_change=2),
    "warm_start": dict(warm_start=True),
    "adaptive": dict(learning_rate="adaptive", tol=0.1, n_iter_no_change=1, max_iter=9),
    "invscaling": dict(learning_rate="invscaling", batch_size=7),
    "unshuffled": dict(shuffle=False, batch_size=7, nesterovs_momentum=False),
    "no_momentum": dict(momentum=0.0, alpha=0.0),
    "penalties": dict(dropout=0.2, l1=0.01, clip_norm=0.2, max_norm=0.5, activation="tanh"),
    "balanced": dict(class_weight="balanced", hidden_layer_sizes=(5, 4)),
}
FIGURES = ("loss_", "loss_curve_", "validation_scores_", "best_loss_", "n_iter_", "t_")


def estimate(path, kind, dtype, form, call, outputs, settings):
    """The hash of an estimator after fit, twice where it starts warm, or three partial_fit."""
    estimator = kind(hidden_layer_sizes=(5,), max_iter=4, random_state=1).set_params(**settings)
    X, y = data(ROWS, SIZES[0], outputs, "cross_entropy", dtype, form)
    more = dict(sample_weight=UNIT) if call == "weighted" else {}
    if kind is MLPRegressor:
        y = (y + UNIT).astype(dtype)
    elif call == "partial_fit":
        more = dict(classes=range(outputs))
    for _ in range(3 if call == "partial_fit" else 1 + estimator.warm_start):
        (estimator.partial_fit if call == "partial_fit" else estimator.fit)(X, y, **more)
    figures = [getattr(estimator, name, None) for name in FIGURES]
    figures = [np.array(np.nan if figure is None else figure, float) for figure in figures]
    return digest(*estimator.coefs_, *estimator.intercepts_, *figures, estimator.predict(X))


def estimates():
    for way in product(SOLVERS, DTYPES, ("dense", "csr"), ("fit", "partial_fit", "weighted")):
        solver, *how = way
        if solver in ("lbfgs", "lm") and "partial_fit" in way:
            continue
        for option, given in ESTIMATOR_OPTIONS.items():
            name, settings = f"{option} {' '.join(way)}", dict(given, solver=solver)
            yield f"MLPClassifier {name}", estimate, MLPClassifier, *how, 3, settings
            if option != "balanced":
                yield f"MLPRegressor {name}", estimate, MLPRegressor, *how, 3, settings
        yield f"MLPClassifier two {way}", estimate, MLPClassifier, *how, 2, dict(solver=solver)
        for loss in REGRESSION:
            settings = dict(solver=solver, loss=loss)
            yield f"MLPRegressor {loss} {way}", estimate, MLPRegressor, *how, 3, settings


def tutorial(path, name):
    """The hash of what a classic class leaves and prints."""
    np.random.seed(0)
    random.seed(0)
    X, y = data(ROWS, SIZES[0], 1, "bce", "float64", "dense")
    with contextlib.redirect_stdout(io.StringIO()) as out:
        if name == "ANN":
            net = classic.ANN([5, 1])
            net.fit(X, y.ravel(), 0.5, 201)
            left = [*net.parameters.values(), *net.costs]
        elif name == "NeuralNetwork":
            net = classic.NeuralNetwork(X.T, y.T)
            net.NN([5, 4, 1], 502, 0.5, 1)
            left = [*net.W.values(), *net.b.values(), *net.Delta.values()]
        else:
            net = classic.Network([6, 5, 1])
            pairs = [(x[:, None], t[:, None]) for x, t in zip(X, y, strict=True)]
            net.SGD(pairs, 5, 7, 2.0, test_data=[(x, int(t.item())) for x, t in pairs])
            left = [*net.weights, *net.biases, *net.backprop(*pairs[0])[1]]
    return digest(out.getvalue(), *left)


# ---- All together --------------------------------------------------------------------------------


def hashes(pattern):
    """{name: hash} of the cases in whose name the pattern is found."""
    classes = [(f"classic {name}", tutorial, name) for name in ("ANN", "NeuralNetwork", "Network")]
    found = {}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, function, *given in chain(fits(), estimates(), classes):
            if re.search(pattern, name):
                more = given.pop() if function is fit else {}
                try:
                    found[name] = function(Path(folder) / "net", *given, **more)
                except (TypeError, ValueError) as error:
                    found[name] = f"refused:{type(error).__name__}"
    return found


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", metavar="PATTERN", help="a regular expression")
    parser.add_argument("--against", type=Path, metavar="FILE", help="an earlier output")
    given = parser.parse_args(arguments)
    lines = [f"{name} {found}" for name, found in sorted(hashes(given.only).items())]
    print(*lines, f"all {digest(*lines)}", sep="\n")
    if given.against is None:
        return 0
    kept = given.against.read_text().splitlines()[:-1]
    kept = {line for line in kept if re.search(given.only, line.rpartition(" ")[0])}
    changed = sorted({line.rpartition(" ")[0] for line in kept ^ set(lines)})
    print(*(f"differs: {name}" for name in changed), f"{len(changed)} differ", sep="\n")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
