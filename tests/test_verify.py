"""Laws of recipes: a training is repeated to the same bits, what was changed is found and named,
and a file of strangers ends in ValueError."""

import copy
import inspect
import json
import re

import numpy as np
import pytest

import bpcore
from bpcore import _tutorial_data, datasets
from bpcore._io import recipe, recording, safetensors
from bpcore.experiments import cli
from tests import real_data
from tests.bits import needs_fused, on_every_isa

random = np.random.RandomState(0)
X, y = random.uniform(-1, 1, (80, 6)), random.randint(0, 3, 80)
DATA = {"X": X, "y": y}
MORE = {"X_eval": X[:20] / 2, "y_eval": y[:20], "sample_weight": random.uniform(1, 2, 80)}
HOW = {"epochs": 4, "learning_rate": 0.5}


def network(**settings):
    return bpcore.Network(
        [6, 5, 3], **{"hidden": "tanh", "output": "softmax", "seed": 2} | settings
    )


def made(folder, net=None, **how):
    """The recipe of a training of X and y, and the trained network."""
    net, path = net or network(), folder / "recipe.json"
    net.fit(X, y, **{**HOW, **how}, record=path)
    return path, net


@pytest.fixture
def path(tmp_path):
    return made(tmp_path)[0]


def content_of(path):
    return json.loads(path.read_text("utf-8"))


def rewritten(path, change):
    """The recipe after change(content), with checksums that fit: what a stranger can write."""
    content = content_of(path)
    change(content)
    sums = {name: recipe._checksum(name, value) for name, value in recipe._entries(content)}
    path.write_text(json.dumps({**content, "checksums": sums}), "utf-8")
    return path


# ---- Reproduced ----------------------------------------------------------------------------------

TRAININGS = {
    "full batch": {},
    "no epoch": {"epochs": 0},
    "many epochs": {"epochs": 50},
    "batches": {"optimizer": "adam", "learning_rate": None, "batch_size": 9, "dropout": [0.3]},
    "an optimiser of its own numbers": {
        "optimizer": bpcore.optimizers.Nesterov(0.8), "batch_size": np.int64(7), "shuffle": False,
    },
    "rprop": {"optimizer": bpcore.optimizers.Rprop(step_max=2.0), "learning_rate": None},
    "penalties": {"l2": np.float32(0.1), "l1": 1e-3, "clip_norm": 0.5, "max_norm": 2.0},
    "a schedule": {"learning_rate": bpcore.schedules.WarmUp(bpcore.schedules.Step(0.5), steps=3)},
    "a schedule that follows the losses": {"learning_rate": bpcore.schedules.Adaptive(9.0)},
    "weights": {"sample_weight": MORE["sample_weight"], "class_weight": {0: 2, np.int64(1): 0.5}},
    "balanced": {"class_weight": "balanced"},
    "a share that stops": {
        "epochs": 60, "learning_rate": 20.0, "eval_set": 0.25, "early_stopping": 2,
    },
    "a pair that stops": {
        "epochs": 60, "eval_set": (MORE["X_eval"], MORE["y_eval"]),
        "early_stopping": bpcore.EarlyStopping(3, monitor="eval_accuracy"),
    },
    "a pair that is looked at": {"eval_set": (X[:9], y[:9]), "progress": lambda history: None},
    "lbfgs": {"optimizer": "lbfgs", "learning_rate": None},
}  # fmt: skip
NETWORKS = {
    "standardised": {"standardize": True, "dtype": "float64"},
    "a loss with a parameter": {"output": "identity", "loss": ("huber", 0.3)},
    "normal biases": {"init": ("normal", 0.5, "biases")},
}


@pytest.mark.parametrize("how", TRAININGS.values(), ids=TRAININGS)
def test_a_training_is_reproduced_by_any_number_of_threads(tmp_path, how):
    path, net = made(tmp_path, **how)
    net.save(tmp_path / "m")
    for threads in (1, 7):
        more = {"n_threads": threads, "model": tmp_path / "m"}
        found = bpcore.verify(path, data={**DATA, **MORE}, **more)
        assert found.reproduced and found.fingerprint == net.fingerprint()
        assert found.epochs == net.epochs == max(map(int, content_of(path)["epochs"]), default=0)
        assert re.fullmatch(
            rf"reproduced: {net.epochs} epochs on {threads} threads? with \w+, fingerprint "
            rf"{net.fingerprint()[:16]}; [\d.e-]+ s; .*m is the result",
            found.message,
        )


@pytest.mark.parametrize("settings", NETWORKS.values(), ids=NETWORKS)
def test_any_network_is_reproduced(tmp_path, settings):
    net = network(**settings)
    target = y if net.output == "softmax" else np.eye(3)[y]
    net.fit(X, target, **HOW, record=tmp_path / "r")
    assert bpcore.verify(tmp_path / "r", data={"X": X, "y": target}).reproduced


@needs_fused
def test_every_instruction_set_reproduces_it(path):
    messages = on_every_isa(lambda: bpcore.verify(path, data=DATA).message)
    for isa, message in messages.items():
        assert message.startswith("reproduced: ") and f"with {isa}," in message


def test_sparse_rows_and_labels_as_vectors_are_the_same_data(path):
    scipy = pytest.importorskip("scipy.sparse", reason="sparse data")
    data = {"X": scipy.csc_matrix(X), "y": np.eye(3)[y]}
    assert bpcore.verify(path, data=data).reproduced


def test_data_comes_from_a_file_of_numpy_too(tmp_path):
    path, _ = made(tmp_path, **TRAININGS["a pair that stops"], sample_weight=MORE["sample_weight"])
    np.savez(tmp_path / "data.npz", **DATA, **MORE, unused=np.zeros(3))
    assert bpcore.verify(path, data=tmp_path / "data.npz").reproduced


def test_a_recipe_holds_all_of_few_epochs_and_a_twentieth_of_many():
    assert recording.kept_epochs(0) == [] and recording.kept_epochs(1) == [1]
    assert recording.kept_epochs(20) == list(range(1, 21))
    assert recording.kept_epochs(1000) == list(range(50, 1001, 50))
    for count in range(21, 100):
        kept = recording.kept_epochs(count)
        assert len(set(kept)) == 20 and kept[-1] == count and kept == sorted(kept)


# ---- What it begins with -------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["trained", "other weights", "counted"])
def test_a_network_that_its_seed_does_not_draw_is_needed_as_a_file(tmp_path, change):
    net = network()
    if change == "trained":
        net.fit(X, y, epochs=2, optimizer="adam")
    elif change == "counted":
        net.epochs = 5
    else:
        net.weights[0][0, 0] = 1
    net.save(tmp_path / "start")
    path, _ = made(tmp_path, net, optimizer="adam", batch_size=30)
    with pytest.raises(ValueError, match="begins with a network of its own: start, or --start, is"):
        bpcore.verify(path, data=DATA)
    assert bpcore.verify(path, data=DATA, start=tmp_path / "start").reproduced


def test_another_start_is_named(tmp_path):
    start, adam = tmp_path / "start", {"optimizer": "adam", "learning_rate": 0.1}
    net = network()
    net.fit(X, y, epochs=1, **adam)
    path, _ = made(tmp_path, copy.deepcopy(net), **adam)

    def message(change):
        other = copy.deepcopy(net)
        change(other)
        other.save(start)
        found = bpcore.verify(path, data=DATA, start=start)
        assert not found.reproduced
        return found.message

    assert "the start weights differ: those of" in message(lambda net: net.weights[0].fill(0))
    later = message(lambda net: setattr(net, "epochs", 7))
    assert "differs in its count of epochs: 7, but 1 is expected" in later
    assert "what its optimizer keeps" in message(lambda net: setattr(net, "_state", None))
    network(seed=3).save(start)
    assert "start has seed 3, but 2 is" in bpcore.verify(path, data=DATA, start=start).message


def test_a_logarithm_of_another_library_is_said_first(path, monkeypatch):
    draw = recording.draw
    monkeypatch.setattr(
        recording, "draw", lambda net: (draw(net), np.nextafter(net.weights[0], 1, net.weights[0]))
    )
    found = bpcore.verify(path, data={"X": X * 2, "y": y})
    assert found.message.startswith("not reproduced: the start weights differ: those of seed 2")
    assert "logarithm" in found.message


# ---- What was changed is named -------------------------------------------------------------------


def section_of(content, name):
    """(the object of JSON that holds an entry, its name there)."""
    first, _, rest = name.partition(".")
    return (content[first], rest) if rest else (content, first)


def changed(value):
    """Another value of the same type, as near as a slip of the hand."""
    if isinstance(value, dict):
        first = next(iter(value))
        return {**value, first: changed(value[first])}
    if isinstance(value, list):
        return [changed(value[0]), *value[1:]]
    if isinstance(value, str):
        return value[:-1] + ("0" if value[-1] != "0" else "1")
    return not value if isinstance(value, bool) else (value or 0) + 1


def test_every_entry_that_was_changed_or_left_out_is_named(tmp_path):
    path, _ = made(tmp_path, class_weight={0: 2}, early_stopping=bpcore.EarlyStopping(3))
    content = content_of(path)
    names = [name for name, _ in recipe._entries(content)]
    assert names == list(content["checksums"]) and len(names) > 25
    for name in names:
        other = copy.deepcopy(content)
        section, key = section_of(other, name)
        section[key] = changed(section[key])
        path.write_text(json.dumps(other), "utf-8")
        found = bpcore.verify(path, data=DATA)
        assert not found.reproduced and found.fingerprint is None
        assert f"not reproduced: setting {name} was changed: " in found.message
        del section[key]
        path.write_text(json.dumps(other), "utf-8")
        try:
            message = bpcore.verify(path, data=DATA).message
        except ValueError as error:  # What every recipe needs.
            message = str(error)
        assert re.search(rf"setting '{name}' is missing|has no {key}$", message)


def test_no_byte_of_a_recipe_can_be_changed_unseen(tmp_path):
    """It is refused, or an entry is named, or it says the same as before."""
    path, _ = made(tmp_path, epochs=1)
    text, expected = path.read_bytes(), recipe.read(path)
    refused = 0
    for i in range(len(text)):
        path.write_bytes(text[:i] + bytes([text[i] ^ 1]) + text[i + 1 :])
        try:
            assert recipe.read(path) == expected
        except ValueError:
            refused += 1
    assert refused > 0.8 * len(text)


def test_a_setting_with_a_new_checksum_is_found_by_the_training(path):
    rewritten(path, lambda content: content["training"].update(learning_rate=0.50001))
    found = bpcore.verify(path, data=DATA)
    expected = "not reproduced: it differs after 1 of 4 epochs, and is the same at the start"
    assert not found.reproduced and found.message == expected


def test_the_first_epoch_that_differs_is_told(path):
    """The rate of the fourth epoch alone is another one."""
    rate = bpcore.schedules.Step(0.5, every=3, factor=0.99).settings()
    rewritten(path, lambda content: content["training"].update(learning_rate=rate))
    expected = "not reproduced: it differs after 4 of 4 epochs, and is the same after 3"
    assert bpcore.verify(path, data=DATA).message == expected


def test_another_end_is_told(tmp_path):
    path, net = made(tmp_path, epochs=60, learning_rate=20.0, eval_set=0.25, early_stopping=2)
    assert 2 < net.epochs < 60
    rewritten(path, lambda content: content["training"].update(early_stopping=1))
    told = f"the training ended after [0-9]+ epochs?, but {net.epochs} are expected"
    assert re.search(told, bpcore.verify(path, data=DATA).message)
    path, _ = made(tmp_path)
    rewritten(path, lambda content: content.update(result=content["start"]["fingerprint"]))
    assert "the result has the fingerprint" in bpcore.verify(path, data=DATA).message


@pytest.mark.parametrize("name", [*DATA, *MORE])
def test_one_changed_number_of_the_data_is_named(tmp_path, name):
    path, _ = made(tmp_path, **TRAININGS["a pair that stops"], sample_weight=MORE["sample_weight"])
    data = copy.deepcopy({**DATA, **MORE})
    flat = data[name].reshape(-1)
    flat[-1] = (flat[-1] + 1) % 3 if name[0] == "y" else np.float32(flat[-1]) * 1.000001
    message = bpcore.verify(path, data=data).message
    assert re.search(
        f"{name} is not the data of this recipe: its SHA-256 is [0-9a-f]+...,", message
    )
    shorter = {one: array[1:] if one[-4:] == name[-4:] else array for one, array in data.items()}
    assert "the data" in bpcore.verify(path, data=shorter).message
    del data[name]
    with pytest.raises(ValueError, match=f"the data has no {name}, but X, y, sample_weight, "):
        bpcore.verify(path, data=data)


def test_one_weight_of_a_model_is_named(tmp_path):
    net = network(standardize=True)
    path, _ = made(tmp_path, net)
    tensors = safetensors.tensors_of(net, None)
    assert len(tensors) == 6
    for name in tensors:
        other = copy.deepcopy(net)
        array = {
            "layers.0.weight": other.weights[0], "layers.0.bias": other.biases[0],
            "layers.1.weight": other.weights[1], "layers.1.bias": other.biases[1],
            "input.shift": other.scaling.shift, "input.scale": other.scaling.scale,
        }[name]  # fmt: skip
        place = tuple(size - 1 for size in array.shape)
        array[place] = np.nextafter(array[place], np.inf, dtype=array.dtype)
        other.save(tmp_path / "m")
        message = bpcore.verify(path, data=DATA, model=tmp_path / "m").message
        expected = f"{name}[{', '.join(map(str, place))}] is {array[place]}, but the training gives"
        assert f"m is not the result: {expected}" in message
    other = network(hidden="relu")
    other.save(tmp_path / "m")
    message = bpcore.verify(path, data=DATA, model=tmp_path / "m").message
    assert "m has hidden ['relu'], but ['tanh'] is expected" in message
    network().save(tmp_path / "m")
    message = bpcore.verify(path, data=DATA, model=tmp_path / "m").message
    assert "m does not standardise its inputs, unlike the result" in message


def test_what_may_be_the_reason_is_said(path, monkeypatch):
    rewritten(path, lambda content: content["training"].update(learning_rate=0.6))
    rewritten(path, lambda content: content.update(bpcore="0.0.9"))
    monkeypatch.setattr(bpcore._core, "available_isas", lambda: ["generic"])
    message = bpcore.verify(path, data=DATA).message
    assert "no fused multiply-add" in message and "of bpcore '0.0.9', and this is" in message


# ---- What a recipe cannot hold -------------------------------------------------------------------


class Own(bpcore.schedules.Constant):
    """A schedule of a user's own."""


class Late(bpcore.EarlyStopping):
    """What a recipe knows nothing of."""


@pytest.mark.parametrize(
    ("how", "name"),
    [
        ({"callbacks": print}, "callbacks"),
        ({"callbacks": [bpcore.EarlyStopping()]}, "callbacks"),
        ({"order": np.arange(80)}, "order"),
        ({"comm": object()}, "comm"),
        ({"learning_rate": Own(0.1)}, "learning_rate=Own"),
        ({"early_stopping": Late()}, "early_stopping="),
    ],
)
def test_what_a_recipe_cannot_hold_is_refused_before_the_training(tmp_path, how, name):
    net = network()
    before = net.fingerprint()
    with pytest.raises(ValueError, match=f"^a recipe cannot hold {name}.* leave record out$"):
        made(tmp_path, net, **how)
    assert net.fingerprint() == before and net.epochs == 0 and not list(tmp_path.iterdir())


def test_batches_have_no_recipe(tmp_path):
    with pytest.raises(ValueError, match="a recipe cannot hold X without y"):
        network().fit([(X, y)], **HOW, record=tmp_path / "r")


def test_fit_many_has_no_recipe(tmp_path):
    with pytest.raises(
        TypeError, match=r"fit_many\(\) got an unexpected keyword argument 'record'"
    ):
        bpcore.fit_many([network()], X, y, **HOW, record=tmp_path / "r")


def test_what_fit_refuses_is_refused_in_its_words(tmp_path):
    for how, words in [
        ({"epochs": "4"}, "epochs is '4', but a whole number"),
        ({"dropout": float("nan")}, "dropout is nan, but"),
        ({"l2": -1}, "l2 is -1, but"),
        ({"optimizer": "adamm"}, "optimizer is 'adamm', but"),
        ({"sample_weight": [1, 2]}, "sample_weight has shape"),
    ]:
        with pytest.raises((TypeError, ValueError), match=re.escape(words)):
            made(tmp_path, **how)
    assert not list(tmp_path.iterdir())


def test_a_place_where_no_file_can_be_is_refused_before_the_training(tmp_path):
    net = network()
    for place in (tmp_path, tmp_path / "none" / "r"):
        with pytest.raises(OSError, match="directory"):
            net.fit(X, y, **HOW, record=place)
    assert net.epochs == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, FloatingPointError])
def test_a_training_that_does_not_end_leaves_the_old_recipe(path, monkeypatch, error):
    def end(*arguments):
        raise error

    text = path.read_text()
    monkeypatch.setattr(bpcore._training.loop.EpochMonitor, "tell", end)
    with pytest.raises(error):
        network().fit(X, y, **HOW, record=path)
    assert path.read_text() == text and len(list(path.parent.iterdir())) == 1


def test_everything_that_fit_takes_is_recorded_hashed_or_without_effect():
    taken = set(inspect.signature(bpcore.Network.fit).parameters) - {"self", "others", "record"}
    known = {*recipe.SECTIONS["training"], *recipe.SECTIONS["data"], *recording.REFUSED}
    assert taken - known == set(recording.WITHOUT_EFFECT)


# ---- Strangers -----------------------------------------------------------------------------------


def deep(content):
    content["training"]["dropout"] = value = []
    for _ in range(500):
        value.append([])
        value = value[0]


STRANGE = {
    "sizes that are none": lambda content: content["network"].update(sizes="x"),
    "a huge network": lambda content: content["network"].update(sizes=[6, 2**39, 3]),
    "many sizes": lambda content: content["network"].update(sizes=[6] * 10**5),
    "no output": lambda content: content["network"].update(output=None),
    "no seed": lambda content: content["network"].update(seed=None),
    "a dtype that is none": lambda content: content["network"].update(dtype=["f4"]),
    "an unknown setting": lambda content: content["training"].update(callbacks=[]),
    "an unknown section": lambda content: content.update(more={}),
    "epochs in words": lambda content: content["training"].update(epochs="4"),
    "epochs below 0": lambda content: content["training"].update(epochs=-4),
    "a rate of an unknown kind": lambda content: content["training"].update(learning_rate={}),
    "rates in rates": lambda content: content["training"].update(
        learning_rate={"name": "Step", "learning_rate": {"name": "Step"}}
    ),
    "an optimiser with more": lambda content: content["training"].update(
        optimizer={"name": "adam", "beta9": 1}
    ),
    "classes that are no pairs": lambda content: content["training"].update(class_weight=[[1]]),
    "classes without a hash": lambda content: content["training"].update(class_weight=[[[], 1]]),
    "a share that is a pair": lambda content: content["training"].update(eval_set=[[1], [1]]),
    "stopping with more": lambda content: content["training"].update(early_stopping={"x": 1}),
    "a deep setting": deep,
    "an order of no tutorial": lambda content: content["training"].update(order={"a": 1}),
    "an order without end": lambda content: content["training"].update(
        order={"tutorial": 1}, epochs=10**12
    ),
    "an unknown data set": lambda content: content["data"].update(dataset="../x"),
    "a data set that is no name": lambda content: content["data"].update(dataset=[1]),
    "a shape below 0": lambda content: content["data"]["X"].update(shape=[-1, 6]),
    "a hash that is none": lambda content: content["data"]["y"].update(sha256="xyz"),
    "an array with more": lambda content: content["data"]["X"].update(more=1),
    "half a pair": lambda content: content["data"].update(X_eval=content["data"]["X"]),
    "a start in words": lambda content: content["start"].update(drawn="yes"),
    "an epoch that is none": lambda content: content["epochs"].update({"x": "0" * 64}),
    "an epoch of other digits": lambda content: content["epochs"].update({"\u0661": "0" * 64}),
    "a version that is none": lambda content: content.update(bpcore=1),
    "another format": lambda content: content.update(format=2),
    "no result": lambda content: content.update(result=None),
}


@pytest.mark.parametrize("change", STRANGE.values(), ids=STRANGE)
def test_what_a_stranger_writes_ends_in_value_error(path, change):
    rewritten(path, change)
    data = None if "dataset" in content_of(path)["data"] else DATA
    with pytest.raises(ValueError, match="recipe.json"):
        bpcore.verify(path, data=data)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 10**5, b'{"format": NaN}', b"1" * 5000,
        b'{"format": 1, "format": 1}', b" " * (recipe.LIMIT + 1), b'{"format": 1}',
        b'{"\\ud800": 1}',
    ],
)  # fmt: skip
def test_what_is_no_recipe_ends_in_value_error(tmp_path, text):
    (tmp_path / "recipe.json").write_bytes(text)
    with pytest.raises(ValueError, match="recipe.json"):
        bpcore.verify(tmp_path / "recipe.json", data=DATA)


def test_a_section_of_another_type_ends_in_value_error(path):
    content = content_of(path)
    for name in content:
        for value in (None, 3, "x", [], {}):
            path.write_text(json.dumps({**content, name: value}), "utf-8")
            with pytest.raises(ValueError, match="recipe.json|setting"):
                recipe.read(path)


@pytest.mark.parametrize("text", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"x" * 100])
def test_what_is_no_file_of_arrays_ends_in_value_error(path, text):
    data = path.with_name("data.npz")
    data.write_bytes(text)
    with pytest.raises(ValueError, match="is no .npz file of arrays of numbers"):
        bpcore.verify(path, data=data)
    np.savez(data, X=np.array([print], object), y=y)
    with pytest.raises(ValueError, match="is no .npz file of arrays of numbers"):
        bpcore.verify(path, data=data)


def test_data_that_a_recipe_does_not_name_has_to_be_given(path):
    with pytest.raises(ValueError, match="data, or --data, is needed, an .npz file of X, y"):
        bpcore.verify(path)


def test_a_training_that_overflows_is_not_reproduced(path):
    line = {"hidden": ["identity"], "output": "identity", "loss": "mae"}
    rewritten(path, lambda content: content["training"].update(learning_rate=1e38))
    rewritten(path, lambda content: content["network"].update(line))
    start = network(**line)
    found = recording.start_of(start)["fingerprint"]
    rewritten(path, lambda content: content["start"].update(fingerprint=found))
    data = {"X": X, "y": np.eye(3)[y]}
    sums = recording.hashes(start, *data.values())
    rewritten(path, lambda content: content.update(epochs={}, data=sums))
    assert "the training ends with an error: " in bpcore.verify(path, data=data).message


# ---- The command ---------------------------------------------------------------------------------


def run(capsys, *words):
    """(exit code, the lines of stdout)."""
    code = cli.main([str(word) for word in words])
    return code, capsys.readouterr().out.splitlines()


def test_the_command_prints_one_line_and_ends_with_0_or_1(tmp_path, capsys):
    path, net = made(tmp_path)
    np.savez(tmp_path / "data.npz", **DATA)
    net.save(tmp_path / "m")
    words = "verify", path, "--data", tmp_path / "data.npz", "--model", tmp_path / "m"
    code, lines = run(capsys, *words, "--threads", 2)
    assert code == 0 and len(lines) == 1 and lines[0].startswith("reproduced: 4 epochs on 2 thr")
    code, lines = run(capsys, *words, "--json")
    found = json.loads(lines[0])
    assert code == 0 and len(lines) == 1 and found.pop("seconds") > 0
    assert found.pop("message").startswith("reproduced: ")
    assert found == {"reproduced": True, "epochs": 4, "fingerprint": net.fingerprint()}
    rewritten(path, lambda content: content["training"].update(epochs=3))
    code, lines = run(capsys, *words)
    assert code == 1 and lines == [
        "not reproduced: the training ended after 3 epochs, but 4 are expected"
    ]
    path.write_text("{}")
    assert cli.main(["verify", str(path)]) == 1
    assert "bpcore: error: " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["mnist58", "mnist10", "cats"])
def test_a_tutorial_writes_a_recipe_that_is_reproduced(tmp_path, capsys, monkeypatch, name):
    """On a few random images in place of the data sets."""
    features, classes = {"mnist58": (784, 2), "mnist10": (784, 10), "cats": (12288, 2)}[name]

    def load(folder=None, *, dtype, scale=255):
        images = np.random.RandomState(0).uniform(size=(40, features)).astype(dtype)
        return ((images, np.arange(40) % classes),) * 2

    for function in ("load_mnist58", "load_mnist", "load_catvnoncat"):
        monkeypatch.setattr(datasets, function, load)
    unit, model = "epochs" if name == "mnist10" else "iterations", tmp_path / "a.b.safetensors"
    code, lines = run(capsys, name, "--layers", 5, f"--{unit}", 3, "--save", model)
    path = tmp_path / "a.b.recipe.json"
    assert code == 0 and lines[-2:] == [f"network: {model}", f"recipe:  {path}"]
    assert content_of(path)["data"]["dataset"] == name
    code, lines = run(capsys, "verify", path, "--model", model, "--data", tmp_path)
    assert code == 0 and lines[0].startswith("reproduced: 3 epochs")


def test_an_interrupted_tutorial_writes_no_recipe(tmp_path, capsys, monkeypatch):
    def load(folder=None, *, dtype):
        return ((X.astype(dtype)[:, :1].repeat(784, 1), y > 1),) * 2

    def interrupt(net, history):
        if len(history.loss) == 2:
            raise KeyboardInterrupt

    fit = bpcore.Network.fit

    def interrupted(net, *data, callbacks, **how):
        return fit(net, *data, callbacks=[callbacks, interrupt], **how)

    monkeypatch.setattr(datasets, "load_mnist58", load)
    monkeypatch.setattr(bpcore.Network, "fit", interrupted)
    code, lines = run(capsys, "mnist58", "--layers", 5, "--save", tmp_path / "m")
    assert code == 130 and lines[-1] == "recipe:  none, as the training did not come to its end"
    assert [file.name for file in tmp_path.iterdir()] == ["m"]


def test_mini_batches_of_several_ranks_have_no_recipe(tmp_path, capsys, monkeypatch):
    """Their rows are added in another order than one process would: nothing could repeat it."""

    class TwoRanks:
        comm, is_first = object(), True

        def load(self, function, **settings):
            return ((X[:, :1].repeat(784, 1), y > 1),) * 2

        def share(self, n):
            return slice(0, n)

    fit = bpcore.Network.fit
    monkeypatch.setattr(cli, "World", TwoRanks)
    monkeypatch.setattr(bpcore.Network, "fit", lambda *data, comm, **how: fit(*data, **how))
    _, lines = run(capsys, "mnist10", "--epochs", 1, "--layers", 3, "--save", tmp_path / "m")
    assert lines[-1].startswith("recipe:  none, as one process adds the rows of a mini-batch")
    _, lines = run(capsys, "mnist58", "--iterations", 1, "--layers", 3, "--save", tmp_path / "m")
    assert lines[-1] == f"recipe:  {tmp_path / 'm.recipe.json'}"


def test_mnist_is_reproduced(tmp_path, capsys):
    """The real images, few iterations; one changed byte of the files is found by their loader."""
    real_data.mnist58()
    code, _ = run(capsys, "mnist58", "--layers", 20, "--iterations", 5, "--save", tmp_path / "m")
    assert code == 0
    for threads in (1, 7):
        words = "--threads", threads, "--model", tmp_path / "m"
        code, lines = run(capsys, "verify", tmp_path / "m.recipe.json", *words)
        assert code == 0 and lines[0].startswith(f"reproduced: 5 epochs on {threads} thread")


def test_the_orders_of_nielsen_are_those_of_his_shuffles():
    import random

    generator, rows, expected = random.Random(5), list(range(9)), []
    for _ in range(3):
        generator.shuffle(rows)
        expected.append(list(rows))
    assert _tutorial_data.tutorial_order(5, 9, 3).tolist() == expected
