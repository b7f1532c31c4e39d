"""What ``fit`` is told becomes a recipe, and what a recipe says becomes what ``fit`` is told."""

import os

import numpy as np

from .. import optimizers, schedules
from .._inputs import check
from .._inputs.check import shown
from .._inputs.sample_weights import sample_weights
from .._model import architecture, initializers
from ..callbacks import EarlyStopping
from . import fingerprint, recipe
from .atomic_write import expect_place
from .recipe import Recipe

# Epochs whose fingerprints a recipe holds: a difference is placed within a twentieth.
KEPT = 20
# What ``fit`` takes and no result depends on.
WITHOUT_EFFECT = ("n_threads", "progress", "fingerprints")
# What a recipe cannot hold, and why.
REFUSED = {
    "order": "it is as large as the data",
    "callbacks": "they are code",
    "comm": "a rank knows its own rows alone",
}
STOPPING = ("patience", "tolerance", "monitor", "restore_best")


class Recording:
    """The recipe of a training that is about to begin, which is written when it has ended.

    Parameters
    ----------
    net : Network
    X, y
        All of the data.
    settings : dict
        What else ``Network.fit`` is told, by name; ``{"tutorial": seed}`` is an order, too.
    path : path
        Of the recipe.
    dataset : str, optional
        The name by which ``bpcore.verify`` can load X and y.

    Raises
    ------
    ValueError, TypeError
        Where a recipe cannot hold the training.
    OSError
        Where no file can be written at ``path``.
    """

    def __init__(self, net, X, y, settings, *, path, dataset=None):
        self.path = os.fspath(path)
        expect_place(self.path)
        if y is None:
            raise _cannot_hold("X without y", "it has the SHA-256 of arrays")
        training = recorded(settings)
        data = {} if dataset is None else {"dataset": dataset}
        arrays = {name: settings.get(name) for name in ("sample_weight", "eval_set")}
        if "eval_set" in training or "early_stopping" not in training:
            arrays["eval_set"] = None  # It is a share, or looked at alone.
        data |= hashes(net, X, y, **arrays)
        self.recipe = Recipe(recipe.network_settings(net), training, data, {}, {}, "")
        self.recipe.start.update(start_of(net), drawn=self._is_drawn(net))
        # What could not be written in the end is refused now.
        recipe.text_of(self._ended(self.recipe.start["fingerprint"], []))

    def write(self, net, history):
        """Write the recipe, now that ``net`` is trained; ``history`` has fingerprints."""
        recipe.write(self._ended(net.fingerprint(), history.fingerprints), self.path)

    def _is_drawn(self, net):
        """Is this what the seed draws, with nothing that training leaves?"""
        drawn = self.recipe.fresh_network(type(net), self.path)
        draw(drawn)
        return start_of(drawn) == start_of(net)

    def _ended(self, result, fingerprints):
        kept = {str(epoch): fingerprints[epoch - 1] for epoch in kept_epochs(len(fingerprints))}
        return Recipe(**{**vars(self.recipe), "epochs": kept, "result": result})


def draw(net):
    """Give a fresh network the start weights of its seed."""
    random = np.random.RandomState(net.seed)
    initializers.draw(random, net.init, net.activation_names, net.weights, net.biases)


def start_of(net):
    """What a training that begins with ``net`` depends on, beside its settings."""
    state = net._training_lock.snapshot(lambda: fingerprint.of_state(net._state))
    return {"fingerprint": net.fingerprint(), "epochs": net.epochs, "state": state}


def kept_epochs(count):
    """The epochs, counted from 1, whose fingerprints are kept: all of few, the last of many."""
    kept = min(count, KEPT)
    return [count * (i + 1) // kept for i in range(kept)]


# ---- Data ----------------------------------------------------------------------------------------


def hashes(net, X, y, sample_weight=None, eval_set=None):
    """{name: shape and SHA-256} of the arrays as the core sees them, sparse X as if it were dense.

    ValueError or TypeError where they are not the data of ``net``.
    """
    features, found = net.sizes[0], {}
    X, Y = net._data(X, y, scaled=False)
    found |= {"X": _rows(X, features), "y": _array(Y)}
    if sample_weight is not None:
        found["sample_weight"] = _array(sample_weights(sample_weight, None, Y, net))
    if eval_set is not None:
        names = {"name": "eval_set's X", "y_name": "eval_set's y"}
        X, Y = net._data(*architecture.pair(eval_set), scaled=False, **names)
        found |= {"X_eval": _rows(X, features), "y_eval": _array(Y)}
    return found


def _rows(X, features):
    return {"shape": [len(X), features], "sha256": fingerprint.of_rows(X, features)}


def _array(array):
    return {"shape": list(array.shape), "sha256": fingerprint.of_array(array)}


# ---- Settings, there and back --------------------------------------------------------------------


def recorded(settings):
    """What ``fit`` is told, {name: value}, as JSON; ValueError for what JSON cannot hold.

    Arrays of data, and None, which stands for nothing in every setting, are left out. What JSON can
    hold and ``fit`` refuses is left to that.
    """
    training = {}
    for name, value in settings.items():
        nothing = value is None or (isinstance(value, (tuple, list)) and not value)
        is_array = name == "sample_weight" or (name == "eval_set" and not _is_share(value))
        if nothing or is_array or name in WITHOUT_EFFECT:
            continue
        if name in REFUSED and not isinstance(value, dict):
            raise _cannot_hold(name, REFUSED[name])
        training[name] = _WRITERS.get(name, _plain)(name, value)
    return training


def _is_share(eval_set):
    return isinstance(eval_set, (float, np.floating))


def told(training):
    """What ``fit`` is told, from the section of a recipe; ValueError where that makes no sense."""
    settings = dict(training)
    for name, reader in _READERS.items():
        if name in settings:
            settings[name] = reader(settings[name])
    return settings


def _cannot_hold(what, reason):
    return ValueError(f"a recipe cannot hold {what}, as {reason}: leave record out")


def _plain(name, value):
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, float):
        return check.finite_number(name, value)
    if isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(name, one) for one in value]
    raise _cannot_hold(f"{name}={shown(value)}", "it has numbers, names and lists of them")


def _written_rate(name, value):
    schedule = schedules.named(value)
    if not schedules.is_known(schedule):
        raise _cannot_hold(f"{name}={shown(value)}", "a schedule of your own is code")
    return schedule.settings() if isinstance(value, schedules.Schedule) else schedule.learning_rate


def _written_optimizer(name, value):
    return optimizers.named(value).settings()


def _written_classes(name, value):
    pairs = list(value.items()) if isinstance(value, dict) else value
    return _plain(name, pairs)


def _written_stopping(name, value):
    if type(value) is EarlyStopping:
        return {field: getattr(value, field) for field in STOPPING}
    return _plain(name, value)


def _written_order(name, value):
    return dict(value)


_WRITERS = {
    "order": _written_order,
    "learning_rate": _written_rate,
    "optimizer": _written_optimizer,
    "class_weight": _written_classes,
    "early_stopping": _written_stopping,
}


def _read_rate(value):
    return schedules.named(value) if isinstance(value, dict) else value


def _read_classes(value):
    return dict(value) if isinstance(value, list) else value


def _read_stopping(value):
    return EarlyStopping(**value) if isinstance(value, dict) else value


def _read_share(value):
    if not isinstance(value, float):
        raise ValueError(f"eval_set is {shown(value)}, but a share is expected")
    return value


_READERS = {
    "eval_set": _read_share,
    "learning_rate": _read_rate,
    "optimizer": optimizers.named,
    "class_weight": _read_classes,
    "early_stopping": _read_stopping,
}
