"""Words of errors and warnings: names that users know, and what they may have meant."""

import inspect
import pickle
import warnings

import numpy as np
import pytest

import bpcore

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 3)), RNG.integers(2, size=20)


def network(**settings):
    return bpcore.Network([3, 1], seed=0, **settings)


# ---- Arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda net: net.fit(X, Y), r"^Network\.fit\(\) missing 1 required .* 'epochs'"),
        (lambda net: net.fit(), r"^Network\.fit\(\) missing"),
        (lambda net: net.partial_fit(X), r"^Network\.partial_fit\(\) missing .*'y'"),
        (lambda net: net.gradients(X), r"^Network\.gradients\(\) missing .* 'y'"),
        (lambda net: net.backward(X), r"^Network\.backward\(\) missing .* 'dL_dout'"),
        (lambda net: net.jacobian(X, 3), r"^Network\.jacobian\(\) takes"),
        (lambda net: net.predict(), r"^Network\.predict\(\) missing"),
        (lambda net: bpcore.fit_many([net], X, Y), r"^fit_many\(\) missing .* 'epochs'"),
    ],
)
def test_errors_of_arguments_name_what_users_call(call, says):
    with pytest.raises(TypeError, match=says):
        call(network())


def test_every_method_of_a_network_is_one_by_name():
    methods = inspect.getmembers(bpcore.Network, inspect.isfunction)
    assert {"fit", "backward", "predict"} <= {name for name, _ in methods}
    for name, method in methods:
        if not hasattr(object, name):
            assert method.__qualname__ == f"Network.{name}"
            assert pickle.loads(pickle.dumps(method)) is method


MEANT = {
    "lr": "learning_rate",
    "learnin_rate": "learning_rate",
    "eta": "learning_rate",
    "max_iter": "epochs",
    "epoch": "epochs",
    "mini_batch_size": "batch_size",
    "batchsize": "batch_size",
    "optimiser": "optimizer",
    "solver": "optimizer",
    "validation_data": "eval_set",
    "verbose": "progress",
    "n_jobs": "n_threads",
    "weight_decay": "l2",
    "sample_weights": "sample_weight",
    "zzz": None,
}


@pytest.mark.parametrize(("given", "meant"), MEANT.items())
@pytest.mark.parametrize("way", ["fit", "partial_fit", "fit_many"])
def test_an_unknown_argument_is_refused_with_the_one_that_is_meant(way, given, meant):
    net = network()
    before = net.parameters.tobytes()
    settings = {given: 1} if way == "partial_fit" else {"epochs": 1, given: 1}
    with pytest.raises(TypeError) as raised:
        if way == "fit_many":
            bpcore.fit_many([net], X, Y, **settings)
        else:
            getattr(net, way)(X, Y, **settings)
    caller = "fit_many" if way == "fit_many" else "Network.fit"
    hint = f". Did you mean {meant!r}?" if meant else ""
    says = f"{caller}() got an unexpected keyword argument {given!r}{hint}"
    assert str(raised.value) == says and net.parameters.tobytes() == before


def test_every_hint_is_an_argument():
    known = inspect.signature(bpcore.Network.fit).parameters
    assert set(filter(None, MEANT.values())) <= known.keys() and not MEANT.keys() & known.keys()


# ---- Flags ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["no", 0, 1, None, np.array([True])])
def test_what_is_neither_true_nor_false_is_no_flag(given):
    for refused in (
        lambda: network().fit(X, Y, epochs=1, learning_rate=0.1, shuffle=given),
        lambda: network().fit([(X, Y)], epochs=1, learning_rate=0.1, shuffle=given),
        lambda: bpcore.EarlyStopping(restore_best=given),
        lambda: network(standardize=given),
        lambda: bpcore.optimizers.Adam(epsilon_inside=given),
    ):
        with pytest.raises(TypeError, match=r"(shuffle|best|ize|inside) is .*, but True or False"):
            refused()


def test_flags_of_numpy_are_flags():
    yes, no = np.True_, np.False_
    net = network(standardize=no)
    net.fit(X, Y, epochs=1, learning_rate=0.1, batch_size=7, shuffle=no, progress=no)
    twin = network()
    twin.fit(X, Y, epochs=1, learning_rate=0.1, batch_size=7, shuffle=False)
    assert net.parameters.tobytes() == twin.parameters.tobytes()
    history = net.fit(X, Y, epochs=40, learning_rate=0.0, early_stopping=yes)
    assert len(history.loss) == 11  # The first epoch, and ten that are no better.
    assert bpcore.optimizers.Adam(epsilon_inside=yes) == bpcore.optimizers.Adam(epsilon_inside=True)


# ---- Targets that no output reaches --------------------------------------------------------------

OUT_OF_RANGE = [
    ("tanh", "mse", 180.0, "y has the value 180, but outputs of 'tanh' are between -1 and 1"),
    ("tanh", "huber", -1.5, "y has the value -1.5, but outputs of 'tanh'"),
    ("sigmoid", "mse", 2.0, "y has the value 2, but outputs of 'sigmoid' are between 0 and 1"),
    ("sigmoid", "mae", -0.5, "y has the value -0.5"),
]
HOW = dict(epochs=1, learning_rate=0.1)


@pytest.mark.parametrize(("output", "loss", "value", "says"), OUT_OF_RANGE)
@pytest.mark.parametrize("way", ["fit", "partial_fit", "batches"])
def test_targets_beyond_every_output_are_said_at_the_users_line(output, loss, value, says, way):
    net, y = network(output=output, loss=loss), np.where(np.arange(20) == 7, value, 0.5)
    with pytest.warns(UserWarning) as told:
        if way == "batches":
            net.fit([(X, np.full(20, 0.5)), (X, y)], **HOW)
        else:
            getattr(net, way)(X, y, learning_rate=0.1, epochs=1)
    (warning,) = told
    text = says.replace("y has", "y of batch 1 has") if way == "batches" else says
    assert str(warning.message).startswith(text) and 'output="identity"' in str(warning.message)
    assert warning.filename == __file__
    assert net.epochs == 1


@pytest.mark.parametrize(
    ("output", "loss", "values"),
    [
        ("tanh", "mse", [-1, 1]),
        ("sigmoid", "mse", [0, 1]),
        ("identity", "mse", [-1e6, 1e6]),
        ("relu", "mse", [-0.1, 7]),
        ("exp", "mse", [-0.1, 7]),
    ],
)
def test_targets_that_outputs_come_near_are_taken_without_a_word(output, loss, values):
    net = network(output=output, loss=loss)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.fit(X / 10, np.resize(values, 20), epochs=1, learning_rate=1e-9)
        net.loss(X, np.full(20, 180.0)) if output == "tanh" else None
    assert net.epochs == 1
