"""What each rank of a launched job does for tests/test_ranks.py: python tests/ranks.py SUBJECT.

Rank 0 prints ``N cases alike`` or what differs; an exit status of 0 says that all ranks came to
their end.
"""

import functools
import itertools
import os
import signal
import sys
import threading
import time

import numpy as np
import scipy.sparse
from mpi4py import MPI

import bpcore
from bpcore._training import distributed, sums_over_ranks

OPTIMIZERS = {
    "sgd": {"learning_rate": 0.3},
    "momentum": {"learning_rate": 0.1},
    "nesterov": {"learning_rate": 0.1},
    "rmsprop": {},
    "adam": {},
    "adamw": {},
    "rprop": {},
}
# output, loss, hidden: every loss, with the outputs that go with it.
HEADS = (
    ("sigmoid", "bce", "sigmoid"),
    ("softmax", "cross_entropy", "relu"),
    ("identity", "mse", "tanh"),
    ("tanh", "mae", "gelu"),
    ("identity", "huber", "silu"),
    ("identity", ("quantile", 0.3), "softplus"),
    ("exp", "poisson", "tanh"),
)
FORMS = ("full", "shuffled", "ordered", "as they come")
EXTRAS = (
    {},
    {"dropout": 0.3, "weights": True},
    {"l2": 0.01, "l1": 0.001, "clip_norm": 0.5},
    {"max_norm": 0.8, "class_weight": "balanced"},
)
KINDS = ("even", "uneven", "one rank has all")
ROWS, INPUTS, OUTPUTS, EPOCHS, SEED = 1400, 12, 3, 3, 7


def cuts(n, ranks, kind):
    """Where each rank's rows begin, and the last end; of uneven shares one or two are empty."""
    if kind == "even":
        return [n * rank // ranks for rank in range(ranks + 1)]
    if kind == "one rank has all":
        return [0] * (ranks // 2 + 1) + [n] * (ranks - ranks // 2)
    weights = np.random.RandomState(3).random_sample(ranks)
    weights[1::3] = 0
    return [0, *np.round(np.cumsum(weights / weights.sum()) * n).astype(int)]


def sorted_batches(n, batch, epochs):
    """The contract's permutations, the rows of each batch in ascending order."""
    orders = []
    for epoch in range(epochs):
        order = np.empty(n, np.uintp)
        bpcore._core.shuffle(order, SEED, epoch)
        orders.append(np.concatenate([np.sort(order[i : i + batch]) for i in range(0, n, batch)]))
    return np.array(orders)


def data(head, dtype, n=ROWS):
    random = np.random.RandomState(1)
    X = random.random_sample((n, INPUTS)).astype(dtype)
    X *= random.random_sample(X.shape) < 0.4
    output = head[0]
    if output == "softmax":
        return X, random.randint(0, OUTPUTS, n)
    if output == "sigmoid":
        return X, random.randint(0, 2, (n, OUTPUTS)).astype(dtype)
    return X, (0.5 * random.random_sample((n, OUTPUTS))).astype(dtype)


def settings_of(optimizer, form, extra, head, weights):
    given = {"optimizer": optimizer, "epochs": EPOCHS, **OPTIMIZERS[optimizer], **extra}
    given.pop("weights", None)
    if head[0] != "softmax":
        given.pop("class_weight", None)
    if extra.get("weights"):
        given["sample_weight"] = weights
    if form != "full":
        given["batch_size"] = 600 if form == "shuffled" else 150
    if form == "as they come":
        given["shuffle"] = False
    if form == "ordered":
        given["order"] = sorted_batches(ROWS, 150, 1)[0]
    return given


def of_one_process(given):
    """Settings with which plain ``fit`` adds the same rows in the same order."""
    alone = dict(given)
    if "batch_size" in given and "order" not in given and given.get("shuffle", True):
        alone["order"] = sorted_batches(ROWS, given["batch_size"], EPOCHS)
    return alone


def network(head, dtype):
    output, loss, hidden = head
    sizes = (INPUTS, 9, 5, OUTPUTS)
    return bpcore.Network(sizes, hidden=hidden, output=output, loss=loss, dtype=dtype, seed=SEED)


def is_alike(comm, case):
    optimizer, head, form, dtype, sparse, extra, kind = case
    X, y = data(head, dtype)
    weights = np.random.RandomState(2).random_sample(ROWS).astype(dtype)
    given = settings_of(optimizer, form, extra, head, weights)
    here = slice(*cuts(ROWS, comm.size, kind)[comm.rank : comm.rank + 2])
    mine = {
        name: value[here] if name == "sample_weight" else value for name, value in given.items()
    }
    form_of = scipy.sparse.csr_matrix if sparse else np.asarray
    net = network(head, dtype)
    history = net.fit(form_of(X[here]), y[here], comm=comm, fingerprints=True, **mine)
    if comm.rank == 0:
        alone = network(head, dtype)
        expected = alone.fit(form_of(X), y, fingerprints=True, **of_one_process(given))
    else:
        alone, expected = None, None
    alone, expected = comm.bcast((alone, expected))
    alike = np.array_equal(net.parameters, alone.parameters) and history.loss == expected.loss
    alike &= history.fingerprints == expected.fingerprints and len(history.fingerprints) == EPOCHS
    return all(comm.allgather(bool(alike)))


def covering():
    """Cases in which every value of a setting meets most values of the others."""
    for i in range(21):
        yield (
            list(OPTIMIZERS)[i % 7], HEADS[(i + i // 7) % 7], FORMS[i % 4],
            ("float32", "float64")[i % 2], (i // 2) % 2, EXTRAS[(i + i // 4) % 4], KINDS[i % 3],
        )  # fmt: skip


def every():
    yield from itertools.product(
        OPTIMIZERS, HEADS, FORMS, ("float32", "float64"), (False, True), EXTRAS[:3], KINDS[:2]
    )


WAYS = {
    "sums": functools.partial(sums_over_ranks.sums_over_ranks, way=sums_over_ranks.HandedOn),
    "rows": functools.partial(sums_over_ranks.sums_over_ranks, way=sums_over_ranks.Exchanged),
}


def grid(comm, cases):
    """Pairs of a case and the name of a way, whichever would be chosen."""
    count = 0
    for case, way in cases:
        distributed.sums_over_ranks = WAYS[way]
        if not is_alike(comm, case) and comm.rank == 0:
            print("not alike:", way, "travel:", case, flush=True)
        count += 1
    if comm.rank == 0:
        print(f"{count} cases", flush=True)


def alternating(comm):
    """The covering cases, by turns in each way; on another number of ranks it is the other one."""
    for number, case in enumerate(covering(), comm.size):
        yield case, list(WAYS)[number % 2]


def tall(comm):
    """A batch of more than two parts, whose bounds lie within ranks."""
    n = 2 * bpcore._core.PART_ROWS + 700
    ways = list(WAYS.values())
    for sparse, dtype in itertools.product((False, True), ("float32", "float64")):
        distributed.sums_over_ranks = ways[dtype == "float64"]
        X, y = data(HEADS[0], dtype, n)
        here = slice(*cuts(n, comm.size, "even")[comm.rank : comm.rank + 2])
        form_of = scipy.sparse.csr_matrix if sparse else np.asarray
        net = network(HEADS[0], dtype)
        net.fit(form_of(X[here]), y[here], epochs=2, learning_rate=0.3, comm=comm)
        if comm.rank == 0:
            alone = network(HEADS[0], dtype)
            alone.fit(form_of(X), y, epochs=2, learning_rate=0.3)
            if not np.array_equal(net.parameters, alone.parameters):
                print("not alike:", sparse, dtype, flush=True)
    if comm.rank == 0:
        print("4 cases", flush=True)


def mnist(comm):
    """The real images, 20 epochs, with figures of held-out rows."""
    (X, y), _ = bpcore.datasets.load_mnist58()
    here = slice(*cuts(len(X), comm.size, "uneven")[comm.rank : comm.rank + 2])
    given = {"epochs": 20, "learning_rate": 0.5, "eval_set": 0.1}
    net = bpcore.Network([784, 30, 1], seed=SEED)
    history = net.fit(X[here], y[here], comm=comm, **given)
    if comm.rank == 0:
        alone = bpcore.Network([784, 30, 1], seed=SEED)
        expected = alone.fit(X, y, **given)
        alike = np.array_equal(net.parameters, alone.parameters)
        for name in ("loss", "eval_loss", "eval_accuracy"):
            alike &= getattr(history, name) == getattr(expected, name)
        if not alike:
            print("not alike: MNIST", flush=True)
        print("1 cases", flush=True)


# ---- Faults --------------------------------------------------------------------------------------


def _faulty(comm, **changes):
    """A fit in which the last rank gives something else; returns the error, or None."""
    X, y = data(HEADS[0], "float32")
    here = slice(*cuts(ROWS, comm.size, "even")[comm.rank : comm.rank + 2])
    given = {"X": X[here], "y": y[here], "epochs": 4, "learning_rate": 0.3}
    net = network(HEADS[0], "float32")
    if comm.rank == comm.size - 1:
        given |= {name: change(net) for name, change in changes.items()}
    try:
        net.fit(comm=comm, **given)
    except BaseException as error:
        return net, error
    return net, None


def _failing_callback(net):
    def fail(net, history):
        if len(history.loss) == 2:
            raise OSError("the disk is full")

    return fail


def _rescaled(net):
    net.scaling = bpcore.Standardizer(np.zeros(INPUTS), np.ones(INPUTS))
    return data(HEADS[0], "float32")[0][-467:]


def _repeated(net):
    return np.zeros(ROWS, int)


def _with_nan(net):
    X = data(HEADS[0], "float32")[0][:200]
    X[17, 3] = np.nan
    return X


def _interrupting(net):
    def interrupt(net, history):
        if len(history.loss) == 2:
            threading.Timer(0.001, os.kill, (os.getpid(), signal.SIGINT)).start()
            time.sleep(0.01)

    return interrupt


FAULTS = {
    "raises": ({"callbacks": _failing_callback}, OSError, "the disk is full", 2),
    "shape": ({"X": lambda net: np.ones((200, 5), "f4")}, ValueError, "has 5 features", 0),
    "targets": ({"y": lambda net: np.ones(3)}, ValueError, "but y has 3", 0),
    "settings": ({"learning_rate": lambda net: 0.2}, ValueError, "learning_rate is", 0),
    "scaling": ({"X": _rescaled}, ValueError, "its scaling is", 0),
    "class_weight": ({"class_weight": lambda net: _repeated}, TypeError, "class_weight is", 0),
    "order": ({"order": _repeated}, ValueError, "whether there is order is", 0),
    "nan": (
        {"X": _with_nan, "y": lambda net: np.ones((200, OUTPUTS))},
        ValueError, "X[17, 3] is nan", 0,
    ),
    "ctrl_c": ({"callbacks": _interrupting}, KeyboardInterrupt, "", 2),
}  # fmt: skip


def faults(comm, repetitions):
    """Each fault ends the fit with its error on every rank, with whole steps alone."""
    for name, (changes, kind, text, epochs) in FAULTS.items():
        for _ in range(repetitions):
            net, error = _faulty(comm, **changes)
            found = type(error) is kind and text in str(error), net.epochs, net.parameters.tobytes()
            found = comm.allgather(found)
            if found[0][0] is not True or len(set(found)) != 1 or found[0][1] < epochs:
                print(comm.rank, name, repr(error), found[0][:2], flush=True)
    comm.Barrier()
    if comm.rank == 0:
        print(f"{repetitions * len(FAULTS)} cases", flush=True)


def edges(comm):
    """What a reader has found: parts that lie in two batches, and what only some ranks have."""
    random = np.random.RandomState(1)
    X, y = random.random_sample((300, 20)).astype("f4"), random.randint(0, 2, 300)
    here = slice(*cuts(300, comm.size, "even")[comm.rank : comm.rank + 2])
    given = {"epochs": 3, "learning_rate": 0.5, "batch_size": 150, "shuffle": False}
    nets = [bpcore.Network([20, 5, 1], seed=1) for _ in range(2)]
    nets[0].fit(X, y, **given)
    nets[1].fit(X[here], y[here], comm=comm, **given)
    found = [np.array_equal(nets[0].parameters, nets[1].parameters)]
    for changes in ({"order": np.zeros(300, int)}, {"early_stopping": None if comm.rank else 2}):
        try:
            nets[1].fit(X[here], y[here], epochs=9, learning_rate=80.0, comm=comm, **changes)
            found.append("no error")
        except ValueError as error:
            found.append(str(error)[:24])
    weights = np.where(np.arange(300) < 100, 1e-38, 1).astype("f4")
    plain = bpcore.Network([20, 5, 1], seed=1)
    given = {"epochs": 2, "learning_rate": 0.5, "class_weight": "balanced"}
    plain.fit(X, y, sample_weight=weights, **given)
    net = bpcore.Network([20, 5, 1], seed=1)
    net.fit(X[here], y[here], sample_weight=weights[here], comm=comm, **given)
    found.append(np.array_equal(net.parameters, plain.parameters))
    if comm.rank == 0:
        if found != [True, "order leaves row 1 out, ", "the network after callba", True]:
            print(found, flush=True)
        print("1 cases", flush=True)


def _stop_after(epochs, comm):
    return lambda net, history: len(history.loss) == epochs if comm.rank == 0 else None


def callbacks(comm):
    """One rank's callback ends all, weights that it alone changes are refused; one file is written.

    The other ranks have no callbacks.
    """
    X, y = data(HEADS[0], "float32")
    here = slice(*cuts(ROWS, comm.size, "even")[comm.rank : comm.rank + 2])
    given = {"epochs": 9, "learning_rate": 0.3, "comm": comm}
    net = network(HEADS[0], "float32")
    watched = {"callbacks": _stop_after(3, comm)} if comm.rank == 0 else {}
    found = [len(net.fit(X[here], y[here], **given, **watched).loss), net.epochs]

    def spoil(net, history):
        net.weights[0][...] += comm.rank == 0

    try:
        net.fit(X[here], y[here], **given, callbacks=spoil)
    except ValueError as error:
        found.append("the network after callbacks is" in str(error))
    path = os.environ["BPCORE_TEST_FILE"] + str(comm.rank)
    net = network(HEADS[0], "float32")
    net.fit(X[here], y[here], **given, callbacks=lambda net, history: net.save(path))
    everyone = comm.allgather([*found, os.path.exists(path)])
    if comm.rank == 0:
        for rank, each in enumerate(everyone):
            if each != [3, 3, True, rank == 0]:
                print(rank, each, flush=True)
        print("1 cases", flush=True)


def overflow(comm):
    """A loss that is not finite is an error on all ranks, with the weights from before it."""
    net = network(HEADS[2], "float32")
    X, y = data(HEADS[2], "float32")
    here = slice(*cuts(ROWS, comm.size, "even")[comm.rank : comm.rank + 2])
    try:
        net.fit(X[here], y[here], epochs=100, learning_rate=1e6, batch_size=100, comm=comm)
    except FloatingPointError as error:
        message = str(error)
    everyone = comm.allgather((message, net.parameters.tobytes()))
    if comm.rank == 0:
        if len(set(everyone)) != 1:
            print("not alike:", everyone, flush=True)
        print("1 cases", flush=True)


def killed(comm):
    """One rank is killed in the midst of a fit that would take minutes."""

    def kill(net, history):
        if comm.rank == comm.size - 1 and len(history.loss) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    X, y = data(HEADS[0], "float32")
    here = slice(*cuts(ROWS, comm.size, "even")[comm.rank : comm.rank + 2])
    network(HEADS[0], "float32").fit(
        X[here], y[here], epochs=10**6, learning_rate=0.1, callbacks=kill, comm=comm
    )


SUBJECTS = {
    "covering": lambda comm: grid(comm, alternating(comm)),
    "every": lambda comm: grid(comm, itertools.product(every(), WAYS)),
    "tall": tall,
    "mnist": mnist,
    "faults": lambda comm: faults(comm, 2),
    "many_faults": lambda comm: faults(comm, 50),
    "callbacks": callbacks,
    "edges": edges,
    "overflow": overflow,
    "killed": killed,
}

if __name__ == "__main__":
    for subject in sys.argv[1:]:
        SUBJECTS[subject](MPI.COMM_WORLD)
