"""What the documentation shows, as a user's program under ``mypy --strict``; it runs, too."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import bpcore
from bpcore import EarlyStopping, History, Network, Standardizer, callbacks, optimizers, schedules

X = np.random.RandomState(0).uniform(-1, 1, (40, 3))
y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)

# ---- Networks ------------------------------------------------------------------------------------

net = Network([3, 8, 1], hidden="tanh", dtype="float64", seed=1)
mixed = Network((3, 5, 4, 2), hidden=["relu", "gelu"], output="softmax", init=("normal", 0.1))
values = Network([3, 1], output="identity", loss=("huber", 0.5), dtype=np.float64)
history = net.fit(X, y, epochs=5, learning_rate=0.5)
assert_type(history, History)
assert_type(history.loss, list[float])
assert_type(history.best_epoch, int | None)
labels: NDArray[Any] = net.predict(X)
A = net.forward(X, n_threads=1)
net.forward(X, out=np.empty_like(A))
assert_type(net.loss(X, y), float)
assert_type(net.evaluate(X, y)["loss"], float)
dW, db = net.gradients(X, y)
assert_type(net.check_gradients(X, y), list[float])
shapes: list[tuple[int, ...]] = [W.shape for W in (*dW, *db, *net.weights, *net.biases)]
net.weights[0][...] = 0.5
net.weights = [np.ones(W.shape) for W in net.weights]
net.parameters *= 0.5
dX: NDArray[np.floating[Any]] = net.backward(X, 2 * A)[2]
J = net.jacobian(X)[0]
layers = [*net.activations(X), *net.deltas(X, y)]
net.scaling = Standardizer(X.mean(axis=0), 1 / X.std(axis=0))
names: tuple[str, ...] | None = net.feature_names

with TemporaryDirectory() as folder:
    net.save(Path(folder) / "net.safetensors")
    assert_type(Network.load(Path(folder) / "net.safetensors"), Network)
    net.fit(X, y, epochs=2, learning_rate=0.5, record=Path(folder) / "net.json")
    found = bpcore.verify(
        f"{folder}/net.json", data={"X": X, "y": y}, start=f"{folder}/net.safetensors"
    )
    assert_type(found, bpcore.Verification)
    assert found.reproduced, found.message
assert_type(net.fingerprint(), str)

# ---- Training ------------------------------------------------------------------------------------


def enough(net: Network, history: History) -> bool:
    return history.loss[-1] < 0.001


class Goodbye:
    def end(self, net: Network, history: History) -> None:
        assert net.epochs >= len(history.loss)


@dataclass(frozen=True)
class Halving(schedules.Schedule):
    def rate(self, epoch: int, memory: dict[str, Any] | None = None) -> float:
        return self.learning_rate * 0.5**epoch

    def observe(self, loss: float, memory: dict[str, Any]) -> None:
        assert loss > 0


told: list[float] = []
stop = EarlyStopping(patience=2, monitor="eval_loss")
net.fit(
    X.tolist(),
    y.tolist(),
    epochs=3,
    learning_rate=schedules.WarmUp(schedules.Cosine(0.1, epochs=10), steps=5),
    optimizer=optimizers.Adam(beta1=0.8),
    batch_size=8,
    sample_weight=np.ones(40),
    class_weight={0: 1.0, 1: 2.0},
    l2=1e-4,
    dropout=[0.1],
    clip_norm=1.0,
    eval_set=(X, y),
    early_stopping=stop,
    callbacks=[enough, Goodbye()],
    progress=lambda history: told.append(history.loss[-1]),
)
net.fit(X, y, epochs=2, optimizer="lbfgs", callbacks=enough, early_stopping=3)
net.fit(X, y, epochs=2, learning_rate=Halving(0.1), eval_set=0.1, class_weight="balanced")
net.fit(((X, y) for _ in range(2)), epochs=1, optimizer="rprop", early_stopping=False)
net.partial_fit(X, y, optimizer=optimizers.Rprop(step_min=1e-5, step_max=1.0))
nets = [Network([3, 1], seed=seed) for seed in range(2)]
rates = bpcore.per_network([0.1, 0.2])
assert_type(bpcore.fit_many(nets, X, y, epochs=1, learning_rate=rates), list[History])
with ThreadPoolExecutor(2) as executor:
    bpcore.fit_many(nets, X, y, epochs=1, learning_rate=rates, executor=executor)
assert_type(stop, callbacks.EarlyStopping)
assert_type(bpcore.info()["version"], Any)

# ---- The rest of the house -----------------------------------------------------------------------

ann = bpcore.classic.ANN([2, 1])
ann.fit(X, y, learning_rate=0.1, n_iterations=1)
probabilities, store = ann.forward(X)
Z: NDArray[Any] = bpcore.reference.sigmoid(np.zeros((2, 2)))


def optional() -> None:
    """What needs data or other packages is checked, not run."""
    from bpcore.sklearn import MLPClassifier, MLPRegressor

    (X_train, y_train), (X_test, y_test) = bpcore.datasets.load_mnist(digits=(5, 8))
    model = MLPClassifier(hidden_layer_sizes=(30,), random_state=1, dropout=0.1)
    assert_type(model.fit(X_train, y_train, eval_set=(X_test, y_test)), MLPClassifier)
    outputs: list[NDArray[Any]] = [model.predict_proba(X_test), *model.coefs_]
    assert_type(model.n_iter_, int)
    score: float = model.score(X_test, y_test)
    MLPRegressor("huber", huber_delta=2.0).fit(X, X[:, 0]).predict(outputs[0])
    axes = bpcore.plotting.plot_history(history)
    axes.set_title(f"{score:.2f}")
    history.plot(axes)
