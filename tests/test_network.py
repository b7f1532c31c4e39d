"""Network: its laws, with reference.py as the oracle."""

import sys

import numpy as np
import pytest

import bpcore
from bpcore import reference
from bpcore._training import progress
from tests.bits import same_bits
from tests.core_network import FEW_PAIRS, HIDDEN


def data(n=37, features=6, classes=3, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(n, features)), random.integers(classes, size=n)


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize(("output", "loss"), FEW_PAIRS)
def test_training_follows_the_reference(hidden, output, loss):
    X, labels = data()
    Y = np.eye(3)[labels]
    loss = (loss, 0.3) if loss == "quantile" else loss
    how = dict(init=("normal", 0.3), dtype="float64", seed=1)
    net = bpcore.Network([6, 5, 4, 3], hidden=hidden, output=output, loss=loss, **how)
    weights = [W.copy() for W in net.weights]
    biases = [b.copy() for b in net.biases]
    history = net.fit(X, Y, epochs=30, learning_rate=0.1)
    costs = [
        reference.descend(X, Y, weights, biases, net.activation_names, loss, 0.1) for _ in range(30)
    ]
    # 30 steps of well-conditioned arithmetic: a few hundred roundings of 1.1e-16 each.
    np.testing.assert_allclose(history.loss, costs, rtol=1e-12)
    for ours, theirs in zip([*net.weights, *net.biases], [*weights, *biases], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-13)


def test_gradients_equal_the_reference_and_change_nothing():
    X, labels = data()
    net = bpcore.Network([6, 5, 3], output="softmax", dtype="float64", seed=1)
    before = net.parameters.copy()
    dW, db = net.gradients(X, labels)
    J, reference_dW, reference_db = reference.gradients(
        X, np.eye(3)[labels], net.weights, net.biases, net.activation_names, net.loss_name
    )
    for ours, theirs in zip([*dW, *db], [*reference_dW, *reference_db], strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-15)
    assert net.loss(X, labels) == pytest.approx(J, rel=1e-13)
    np.testing.assert_array_equal(net.parameters, before)


def test_check_gradients_agrees_and_can_fail(monkeypatch):
    X, labels = data()
    net = bpcore.Network([6, 5, 3], hidden="tanh", output="softmax", seed=1)
    assert max(net.check_gradients(X, labels)) < 1e-7

    from bpcore._model import derivatives

    core = derivatives._core

    class Wrong:
        def __getattr__(self, name):
            return getattr(core, name)

        def gradient(self, architecture, parameters, X, Y, out, workspace, **how):
            loss = core.gradient(architecture, parameters, X, Y, out, workspace, **how)
            out[:] = np.asarray(out) * np.linspace(1, 1.01, len(out))
            return loss

    monkeypatch.setattr(derivatives, "_core", Wrong())
    assert min(net.check_gradients(X, labels)) > 1e-5


def test_check_gradients_refuses_a_zero_gradient():
    net = bpcore.Network([6, 5, 1], hidden="relu", output="identity", seed=1)
    net.biases[0][...] = -100.0  # no unit is ever active
    X, _ = data()
    with pytest.raises(ValueError, match="gradient of layer 1 is zero"):
        net.check_gradients(X, np.zeros(len(X)))


def test_linear_regression_finds_the_least_squares_solution():
    random = np.random.default_rng(2)
    X = random.normal(size=(200, 4))
    y = X @ [1.0, -2.0, 3.0, 0.5] + 0.25 + 0.1 * random.normal(size=200)
    net = bpcore.Network([4, 1], output="identity", loss="mse", dtype="float64", seed=0)
    net.fit(X, y, epochs=2000, learning_rate=0.3)
    solution, *_ = np.linalg.lstsq(np.column_stack([X, np.ones(200)]), y, rcond=None)
    np.testing.assert_allclose([*net.weights[0][0], net.biases[0][0]], solution, rtol=1e-10)
    assert net.predict(X).shape == (200,)


def test_logistic_regression_ends_where_the_gradient_vanishes():
    X, labels = data(n=200, classes=2, seed=3)
    net = bpcore.Network([6, 1], dtype="float64", seed=0)
    net.fit(X, labels, epochs=5000, learning_rate=1.0)
    dW, db = net.gradients(X, labels)
    assert np.abs(dW[0]).max() < 1e-10
    assert abs(db[0][0]) < 1e-10
    a = 1 / (1 + np.exp(-(X @ net.weights[0].T + net.biases[0])))
    np.testing.assert_array_equal(net.predict(X), (a[:, 0] > 0.5).astype(int))


def test_a_seed_fixes_everything_and_another_seed_changes_it():
    X, labels = data()
    nets = [bpcore.Network([6, 5, 3], output="softmax", seed=seed) for seed in (1, 1, 2)]
    for net in nets:
        net.fit(X, labels, epochs=3, batch_size=8, learning_rate=0.3)
    assert same_bits(nets[0].parameters, nets[1].parameters)
    assert not same_bits(nets[0].parameters, nets[2].parameters)
    drawn = bpcore.Network([6, 5, 3])
    assert same_bits(drawn.parameters, bpcore.Network([6, 5, 3], seed=drawn.seed).parameters)


def test_start_weights_are_the_tutorials():
    net = bpcore.Network([5, 4, 2], dtype="float64", init="lecun_normal", seed=1)
    legacy = np.random.RandomState(1)
    for W in net.weights:
        np.testing.assert_array_equal(W, legacy.randn(*W.shape) / np.sqrt(W.shape[1]))
    nielsen = bpcore.Network([5, 4, 2], dtype="float64", init=("normal", 1.0, "biases"), seed=0)
    legacy = np.random.RandomState(0)
    for b in nielsen.biases:
        np.testing.assert_array_equal(b, legacy.randn(len(b)))
    for W in nielsen.weights:
        np.testing.assert_array_equal(W, legacy.randn(*W.shape))


def test_order_is_followed_and_batches_are_cut_from_it(dtype):
    (X, labels), order = data(n=10), np.random.default_rng(0).permutation(10)
    a, b = (bpcore.Network([6, 4, 3], output="softmax", dtype=dtype, seed=1) for _ in range(2))
    how = dict(epochs=2, batch_size=4, learning_rate=0.5)
    losses = a.fit(X, labels, order=order, **how).loss
    assert losses == b.fit(X[order], labels[order], shuffle=False, **how).loss
    assert same_bits(a.parameters, b.parameters)


def test_labels_and_unit_vectors_are_the_same_targets():
    X, labels = data()
    a, b = (bpcore.Network([6, 5, 3], output="softmax", seed=1) for _ in range(2))
    a.fit(X, labels, epochs=5, learning_rate=0.3)
    b.fit(X, np.eye(3)[labels], epochs=5, learning_rate=0.3)
    assert same_bits(a.parameters, b.parameters)
    assert a.evaluate(X, labels) == a.evaluate(X, np.eye(3)[labels])


def read_only(X):
    X.setflags(write=False)
    return X


@pytest.mark.parametrize(
    "view",
    [
        pytest.param(lambda X: X.tolist(), id="list"),
        pytest.param(np.asfortranarray, id="fortran order"),
        pytest.param(lambda X: np.repeat(X, 2, axis=1)[:, ::2], id="strided"),
        pytest.param(lambda X: X[::-1][::-1], id="reversed twice"),
        pytest.param(lambda X: X.astype(object), id="objects"),
        pytest.param(read_only, id="read-only"),
    ],
)
def test_any_array_like_gives_the_same_bits_and_is_not_changed(view):
    X, labels = data()
    before = X.copy()
    a, b = (bpcore.Network([6, 5, 3], output="softmax", dtype="float64", seed=1) for _ in range(2))
    a.fit(X, labels, epochs=3, learning_rate=0.3)
    b.fit(view(X), labels, epochs=3, learning_rate=0.3)
    assert same_bits(a.parameters, b.parameters)
    np.testing.assert_array_equal(X, before)


def test_views_reach_the_network():
    net = bpcore.Network([2, 1], output="identity", dtype="float64")
    net.weights[0][...] = [[2.0, 3.0]]
    net.biases[0][...] = 1.0
    np.testing.assert_array_equal(net.forward([[10.0, 100.0]]), [[321.0]])


def test_history_holds_an_entry_an_epoch():
    X, labels = data()
    net = bpcore.Network([6, 3], output="softmax", seed=0)
    history = net.fit(X, labels, epochs=4, learning_rate=0.1, eval_set=(X, labels))
    assert len(history.loss) == len(history.eval_loss) == len(history.eval_accuracy) == 4
    assert history.eval_loss[-1] == net.evaluate(X, labels)["loss"]
    assert history.seconds > 0
    regression = bpcore.Network([6, 1], output="identity")
    assert set(regression.evaluate(X, labels)) == {"loss"}


def test_progress_draws_a_bar(capsys):
    X, labels = data()
    bpcore.Network([6, 3], output="softmax").fit(
        X, labels, epochs=3, learning_rate=0.1, progress=True
    )
    assert "3/3" in capsys.readouterr().err


def test_progress_without_tqdm_is_a_plain_line(capsys, monkeypatch):
    X, labels = data()
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_UPDATES", 0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: 0.0)
    monkeypatch.setenv("COLUMNS", "80")
    net = bpcore.Network([6, 3], output="softmax")
    history = net.fit(X, labels, epochs=2, learning_rate=0.1, eval_set=(X, labels), progress=True)
    states = [
        f"epoch {i + 1}/2  {50 * (i + 1)} %  loss {history.loss[i]:#.5g}  "
        f"accuracy {history.eval_accuracy[i]:.4f}  "
        for i in range(2)
    ]
    first, second = (state + "0 s left" for state in states)
    last = (states[1] + "0 s").ljust(len(second))
    output = capsys.readouterr()
    assert output.err == f"\r{first}\r{second}\r{last}\n" and output.out == ""
