"""Laws of fingerprints: SHA-256 of what a network computes, as its docstring spells it, whatever
computes the weights."""

import hashlib
import json
import struct

import numpy as np
import pytest

import bpcore
from bpcore._inputs import csr
from bpcore._io import fingerprint
from tests.bits import needs_fused, on_every_isa

random = np.random.RandomState(0)
X = random.uniform(-1, 1, (60, 6)) * (random.uniform(size=(60, 6)) < 0.4)
y = random.randint(0, 3, 60)
HOW = {"epochs": 4, "optimizer": "adam", "learning_rate": 0.02, "batch_size": 16, "dropout": 0.2}


def network(**settings):
    return bpcore.Network(
        [6, 5, 3], **{"hidden": "tanh", "output": "softmax", "seed": 2} | settings
    )


def standardised(**settings):
    net = network(standardize=True, **settings)
    net.fit(X, y, epochs=1, learning_rate=0.1)
    return net


def packed(kind, numbers):
    """Little-endian bytes of numbers; -0.0 + 0.0 is 0.0."""
    return struct.pack(f"<{len(numbers)}{kind}", *(number + 0.0 for number in numbers))


def spelled(net):
    """The fingerprint as ``Network.fingerprint`` spells it, number by number."""
    kind, parameters = {"float32": "f", "float64": "d"}[net.dtype.name], []
    for W, b in zip(net.weights, net.biases, strict=True):
        outputs, inputs = W.shape
        parameters += [float(W[o, i]) for i in range(inputs) for o in range(outputs)]
        parameters += b.tolist()
    settings = {
        "dtype": net.dtype.name, "hidden": list(net.hidden), "loss": net.loss_name,
        "output": net.output, "scaled": net.scaling is not None, "sizes": list(net.sizes),
    }  # fmt: skip
    text = f"bpcore network 1\n{json.dumps(settings, separators=(',', ':'))}\n".encode()
    text += packed(kind, parameters) + packed("d", [net.loss_parameter])
    if net.scaling is not None:
        text += packed("d", net.scaling.shift.tolist()) + packed("d", net.scaling.scale.tolist())
    return hashlib.sha256(text).hexdigest()


# ---- Of a network --------------------------------------------------------------------------------

NETWORKS = {
    "float32": network,
    "float64": lambda: network(dtype="float64"),
    "standardised": standardised,
    "a loss with a parameter": lambda: network(output="identity", loss=("huber", 0.3)),
    "no hidden layer": lambda: bpcore.Network([4, 1], seed=0),
    "several activations": lambda: bpcore.Network([3, 4, 5, 1], hidden=["relu", "gelu"], seed=0),
}


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_a_fingerprint_is_the_sha256_that_its_docstring_spells(make, monkeypatch):
    net = make()
    assert net.fingerprint() == spelled(net)
    monkeypatch.setattr(fingerprint, "PIECE", 7)
    assert net.fingerprint() == spelled(net)


def test_it_is_known_for_good():
    """Another program, or another version, has to come to these digits: its format is number 1."""
    net = bpcore.Network([2, 1], seed=0)
    net.parameters = [0.5, -0.25, 0.0]
    expected = "a3673cd0c73ae2d2255c743e8e5533cb4f475ad6fc05de95450074b5b9eeffd2"
    assert net.fingerprint() == spelled(net) == expected


def test_the_sign_of_a_zero_has_no_part_in_it():
    net, other = standardised(), standardised()
    for one, zero in ((net, 0.0), (other, -0.0)):
        one.parameters[3] = zero
        one.scaling = bpcore.Standardizer([zero] * 6, [1.0] * 6)
    assert net.parameters.tobytes() != other.parameters.tobytes()
    assert net.fingerprint() == other.fingerprint()


def test_the_lowest_bit_of_any_number_changes_it():
    net = standardised(dtype="float64")
    seen = {net.fingerprint()}
    arrays = [net.parameters, net.scaling.shift, net.scaling.scale]
    for array in arrays:
        bits = array.view(np.uint64)
        for i in range(len(bits)):
            bits[i] ^= 1
            seen.add(net.fingerprint())
            bits[i] ^= 1
    assert len(seen) == 1 + sum(map(len, arrays))


def test_every_setting_that_decides_an_output_changes_it():
    """All weights are alike: only settings tell these networks apart."""
    ways = [
        {}, {"hidden": "relu"}, {"output": "identity"}, {"output": "sigmoid", "loss": "mse"},
        {"output": "sigmoid"}, {"output": "identity", "loss": "huber"}, {"dtype": "float64"},
        {"output": "identity", "loss": ("huber", 0.5)},
    ]  # fmt: skip
    nets = [network(**way) for way in ways] + [bpcore.Network([6, 5, 3, 2], seed=0), network()]
    nets[-1].scaling = bpcore.Standardizer(np.zeros(6), np.ones(6))
    for net in nets:
        net.parameters = np.zeros(len(net.parameters))
    assert len({net.fingerprint() for net in nets}) == len(nets)


def test_what_decides_no_output_has_no_part_in_it(tmp_path):
    net, other = network(), network(seed=9, init="xavier_uniform")
    other.fit(X, y, **HOW)
    other.parameters = net.parameters
    assert other.epochs > net.epochs and other.fingerprint() == net.fingerprint()
    other.save(tmp_path / "m")
    assert bpcore.Network.load(tmp_path / "m").fingerprint() == net.fingerprint()


def test_it_is_of_one_step_whichever_thread_asks():
    net = network()
    with net._training_lock:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="training"):
            pool.submit(net.fingerprint).result()
        assert net.fingerprint() == spelled(net)


# ---- Of epochs -----------------------------------------------------------------------------------


def trained(X=X, **how):
    net = network()
    history = net.fit(X, y, **HOW, fingerprints=True, **how)
    assert len(set(history.fingerprints)) == 4 and history.fingerprints[-1] == net.fingerprint()
    return history.fingerprints


def test_threads_and_sparse_rows_leave_no_trace():
    scipy = pytest.importorskip("scipy.sparse", reason="sparse data")
    expected = trained(n_threads=1)
    assert trained(n_threads=7) == trained(scipy.csr_matrix(X)) == expected


@needs_fused
def test_every_instruction_set_leaves_the_same_fingerprints():
    results = on_every_isa(trained)
    assert len({tuple(found) for found in results.values()}) == 1, results


def rows(net, **how):
    return net.fit(X, y, **how)


def batches(net, **how):
    return net.fit([(X[:20], y[:20]), (X[20:], y[20:])], **how)


def together(net, **how):
    return bpcore.fit_many([net], X, y, **how)[0]


WAYS = {
    "full batch": (rows, {"learning_rate": 0.5}),
    "shuffled": (rows, {"optimizer": "adam", "batch_size": 7, "dropout": 0.3}),
    "evaluated": (rows, {"learning_rate": 0.5, "eval_set": 0.2}),
    "iterable": (batches, {"learning_rate": 0.5}),
    "lbfgs": (rows, {"optimizer": "lbfgs"}),
    "fit_many": (together, {"learning_rate": 0.5}),
}


@pytest.mark.parametrize(("fit", "how"), WAYS.values(), ids=WAYS)
def test_those_of_epochs_are_those_of_as_many_fits(fit, how):
    net, other = network(), network()
    history, expected = fit(net, epochs=5, fingerprints=True, **how), []
    for _ in range(5):
        assert fit(other, epochs=1, **how).fingerprints == []
        expected.append(spelled(other))
    assert history.fingerprints == expected and len(set(expected)) == 5


def test_they_are_taken_before_callbacks_and_early_stopping_change_the_network():
    def reset(net, history):
        net.parameters[...] = 0

    plain, net = network(), network()
    expected = plain.fit(X, y, epochs=1, learning_rate=0.5, fingerprints=True).fingerprints
    history = net.fit(X, y, epochs=1, learning_rate=0.5, fingerprints=True, callbacks=reset)
    assert history.fingerprints == expected != [net.fingerprint()]


@pytest.mark.parametrize("fit", [rows, batches, together])
def test_whether_they_are_kept_is_yes_or_no(fit):
    with pytest.raises(TypeError, match="fingerprints is 1, but True or False is expected"):
        fit(network(), epochs=1, learning_rate=0.5, fingerprints=1)


# ---- Of arrays -----------------------------------------------------------------------------------


@pytest.mark.parametrize("piece", [1, 7, 25, 1 << 18])
def test_sparse_rows_are_hashed_as_if_they_were_dense(monkeypatch, piece):
    scipy = pytest.importorskip("scipy.sparse", reason="sparse data")
    monkeypatch.setattr(fingerprint, "PIECE", piece)
    head = b'bpcore array 1\n{"dtype":"float64","shape":[60,6]}\n'
    expected = hashlib.sha256(head + packed("d", X.reshape(-1).tolist())).hexdigest()
    assert fingerprint.of_rows(X, 6) == expected
    sparse = scipy.csr_matrix(X)
    assert sparse.nnz < X.size / 2
    assert fingerprint.of_rows(csr.rows("X", sparse, 6, "float64"), 6) == expected
    sparse.data[0] = np.nextafter(sparse.data[0], 1)
    assert fingerprint.of_rows(csr.rows("X", sparse, 6, "float64"), 6) != expected
