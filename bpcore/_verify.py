"""Does a training give the same bits here? A recipe is followed, and what comes out compared."""

from __future__ import annotations

import os
import time
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import _core, _tutorial_data, _version
from ._inputs import check, thread_count
from ._inputs.check import shown
from ._io import recipe, recording, safetensors
from ._io.fingerprint import canonical
from ._io.recipe import Changed
from .network import Network

if TYPE_CHECKING:
    from ._types import Arrays, StrPath

DIGITS = 16  # Of a SHA-256, where people read it: 64 bits.
# Rows of all epochs that a stranger's recipe may have put in order: 1 GB of indices.
MOST_ORDERED = 1 << 27


@dataclass(frozen=True)
class Verification:
    """What ``verify`` has found.

    Attributes
    ----------
    reproduced : bool
        Whether all that was compared is the same.
    message : str
        One line: what was reproduced, or what differs.
    epochs : int
        Epochs of the training that was reproduced, else 0.
    fingerprint : str or None
        Of the network that came out of it, else None.
    seconds : float
        Wall time of it, else 0.
    """

    reproduced: bool
    message: str
    epochs: int = 0
    fingerprint: str | None = None
    seconds: float = 0.0


class _Differs(Exception):
    """Something is not as the recipe says; the message says what."""


def verify(
    path: StrPath,
    *,
    data: StrPath | Arrays | None = None,
    model: StrPath | None = None,
    start: StrPath | None = None,
    n_threads: int | None = None,
) -> Verification:
    """Repeat the training of a recipe, and tell whether the same network comes out, bit for bit.

    Parameters
    ----------
    path : path
        What ``net.fit(..., record=path)`` or ``bpcore mnist58 --save`` has written.
    data : path or dict, optional
        An ``.npz`` file of the arrays X and y, and sample_weight, X_eval and y_eval where they were
        given, or a dict of them, in which X may be sparse. For a recipe that names its data set, as
        those of the command line do, the folder that holds it; default: where it usually is.
    model : path, optional
        A file of ``net.save`` that is to be the result: the first weight that is not is named.
    start : path, optional
        A file of ``net.save`` with the network that the training began with. Needed where that was
        not a new one, as its seed draws it.
    n_threads : int, optional
        As for ``Network.fit``.

    Returns
    -------
    Verification

    Raises
    ------
    ValueError
        Where a file is none of its kind, or the recipe makes no network or no training.
    OSError
        Where a file cannot be read.

    Notes
    -----
    The training ends at the first epoch that differs. A recipe is data, never code. Network and
    arrays are as large as it says, and its training as long: do not follow a stranger's unseen.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np, bpcore
    >>> X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), [0, 1, 1, 0]
    >>> net = bpcore.Network([2, 4, 1], hidden="tanh", seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     recipe = os.path.join(folder, "xor.json")
    ...     history = net.fit(X, y, epochs=100, learning_rate=1.0, record=recipe)
    ...     found = bpcore.verify(recipe, data={"X": X, "y": y})
    >>> found.reproduced, found.epochs, found.fingerprint == net.fingerprint()
    (True, 100, True)
    """
    path = os.fspath(path)
    try:
        return _verified(recipe.read(path), path, data, model, start, n_threads)
    except (_Differs, Changed) as differs:
        return Verification(False, f"not reproduced: {differs}")


def _verified(wanted, path, data, model, start, n_threads):
    threads = thread_count.count(n_threads)
    settings = _told(wanted, path)
    claimed = None if model is None else Network.load(model)
    net = _start(wanted, path, start)
    X, y, arrays = _data(wanted, data, net, path)
    if "order" in settings:
        settings["order"] = _order(settings["order"], wanted, path)
    watch, started = _Watch(wanted), time.perf_counter()
    try:
        net.fit(X, y, **arrays, **settings, callbacks=watch, n_threads=threads)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: its settings make no training: {error}") from None
    except FloatingPointError as error:
        raise _Differs(f"the training ends with an error: {error}{_why(wanted)}") from None
    seconds = time.perf_counter() - started
    watch.expect_all(net)
    if claimed is not None:
        _expect_model(claimed, net, model)
    message = (
        f"reproduced: {_epochs(watch.done)} on {threads} thread{'s' * (threads > 1)} with "
        f"{_core.isa()}, fingerprint {wanted.result[:DIGITS]}; {seconds:.3g} s"
    )
    if claimed is not None:
        message += f"; {os.fspath(model)} is the result"
    return Verification(True, message, watch.done, wanted.result, seconds)


def _told(wanted, path):
    """What the recipe tells ``fit``, checked as far as it can be without the data."""
    try:
        return recording.told(wanted.training)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: its settings make no training: {error}") from None


def _why(wanted):
    """What may be the reason of a difference, for the end of a sentence."""
    notes = ""
    if _core.available_isas() == ["generic"]:
        notes += "; this CPU has no fused multiply-add that is known here, and may round otherwise"
    if wanted.bpcore != _version.__version__:
        made, here = shown(wanted.bpcore), _version.__version__
        notes += f"; the recipe is of bpcore {made}, and this is {here}: bits may have changed"
    return notes


def _epochs(count):
    return f"{count} epoch{'s' * (count != 1)}"


# ---- What a training begins with -----------------------------------------------------------------


def _start(wanted, path, file):
    """The network that the training begins with: what the seed draws, or what ``file`` holds."""
    expected = wanted.start
    if file is None and not expected["drawn"]:
        raise ValueError(
            f"{path} begins with a network of its own: start, or --start, is needed, the file of "
            f"the one with the fingerprint {expected['fingerprint'][:DIGITS]}"
        )
    if file is None:
        net = wanted.fresh_network(Network, path)
        recording.draw(net)
    else:
        net = Network.load(file)
        _expect_settings(net, wanted.network, file)
    found = recording.start_of(net)
    if found["fingerprint"] != expected["fingerprint"]:
        what = f"those of seed {net.seed}" if file is None else f"those of {os.fspath(file)}"
        raise _Differs(
            f"the start weights differ: {what} have the fingerprint "
            f"{found['fingerprint'][:DIGITS]}, but {expected['fingerprint'][:DIGITS]} is expected"
            + ("" if file else ". The C library's logarithm has a part in them: give start, or "
               "--start, the file of the network that was saved before its training")
        )  # fmt: skip
    for name, what in (("epochs", "its count of epochs"), ("state", "what its optimizer keeps")):
        if found[name] != expected[name]:
            raise _Differs(
                f"the start differs in {what}: {shown(found[name])}, but {shown(expected[name])} "
                "is expected"
            )
    return net


def _expect_settings(net, expected, file, names=recipe.SECTIONS["network"]):
    """The settings of a network that ``file`` holds are those of a recipe."""
    found = recipe.network_settings(net)
    for name in names:
        if canonical(found[name]) != canonical(expected[name]):
            raise _Differs(
                f"{os.fspath(file)} has {name} {shown(found[name])}, but {shown(expected[name])} "
                "is expected"
            )


# ---- Data ----------------------------------------------------------------------------------------


def _data(wanted, given, net, path):
    """X, y, and what else of the data ``fit`` is told, all of it as the recipe expects it."""
    arrays = _arrays(wanted, given, net, path)
    told = {"sample_weight": arrays.get("sample_weight")}
    if "X_eval" in wanted.data:
        told["eval_set"] = arrays["X_eval"], arrays["y_eval"]
    try:
        found = recording.hashes(net, arrays["X"], arrays["y"], **told)
    except (TypeError, ValueError) as error:
        raise _Differs(f"the data is not that of this recipe: {error}") from None
    for name, figures in found.items():
        for figure, value in figures.items():
            expected = wanted.data[name][figure]
            if value != expected:
                what = "shape" if figure == "shape" else "SHA-256"
                raise _Differs(
                    f"{name} is not the data of this recipe: its {what} is {_short(value)}, but "
                    f"{_short(expected)} is expected"
                )
    return arrays["X"], arrays["y"], told


def _short(figure):
    return f"{figure[:DIGITS]}..." if isinstance(figure, str) else str(figure)


def _arrays(wanted, given, net, path):
    """{name: array} of what the recipe knows: loaded by name, from a file, or as given."""
    names = [name for name in wanted.data if name != "dataset"]
    if isinstance(given, (str, bytes, os.PathLike)):
        given = os.fsdecode(given)
    elif given is not None and not isinstance(given, Mapping):
        raise TypeError(
            f"data is {shown(given)}, but a path, or a dict of {', '.join(names)} is expected"
        )
    if given is None or (isinstance(given, str) and os.path.isdir(given)):
        if "dataset" not in wanted.data:
            raise ValueError(
                f"{path} knows its data by SHA-256 alone: data, or --data, is needed, an .npz file "
                f"of {', '.join(names)}"
            )
        loaders = _tutorial_data.LOADERS
        name = check.choice(f"{path}: dataset", wanted.data["dataset"], tuple(loaders))
        X, y = loaders[name](dtype=net.dtype.name, folder=given)[0]
        given = {"X": X, "y": y}
    elif isinstance(given, str):
        given = _npz(given, names)
    missing = [name for name in names if name not in given]
    if missing:
        raise ValueError(f"the data has no {missing[0]}, but {', '.join(names)} are needed")
    return {name: given[name] for name in names}


def _npz(path, names):
    """Those arrays of an .npz file that have such names."""
    wrong = (TypeError, ValueError, EOFError, KeyError, NotImplementedError, RuntimeError)
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names if name in arrays.files}
    except (*wrong, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is no .npz file of arrays of numbers: {error}") from None


def _order(given, wanted, path):
    """The order of a tutorial, by its seed."""
    n, epochs = wanted.data["y"]["shape"][0], wanted.training["epochs"]
    try:
        if not isinstance(given, dict) or given.keys() != {"tutorial"}:
            raise ValueError(f'order is {shown(given)}, but {{"tutorial": seed}} is expected')
        seed = check.whole_number("order's seed", given["tutorial"], 0, 2**32 - 1)
        check.whole_number("epochs", epochs, 0, MOST_ORDERED // n)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: its settings make no training: {error}") from None
    return _tutorial_data.tutorial_order(seed, n, epochs)


# ---- What comes out ------------------------------------------------------------------------------


class _Watch:
    """The callback that compares the network after the epochs that the recipe knows."""

    def __init__(self, wanted):
        self.wanted, self.done, self.same, self.differs = wanted, 0, 0, False
        self.expected = {int(epoch): digits for epoch, digits in wanted.epochs.items()}

    def epoch(self, net, history):
        """Compare; True ends the training at the first difference."""
        self.done = len(history.loss)
        if self.done in self.expected:
            self.differs = net.fingerprint() != self.expected[self.done]
            if not self.differs:
                self.same = self.done
        return self.differs

    def expect_all(self, net):
        """_Differs where the training or its result is another."""
        last = max(self.expected, default=0)
        if self.differs:
            where = f"after {self.same}" if self.same else "at the start"
            what = f"it differs after {self.done} of {_epochs(last)}, and is the same {where}"
        elif self.done != last:
            what = f"the training ended after {_epochs(self.done)}, but {last} are expected"
        elif net.fingerprint() != self.wanted.result:
            what = (
                f"the result has the fingerprint {net.fingerprint()[:DIGITS]}, but "
                f"{self.wanted.result[:DIGITS]} is expected"
            )
        else:
            return
        raise _Differs(what + _why(self.wanted))


def _expect_model(claimed, net, file):
    """_Differs where a network is not the one that the training gives: where, and by what."""
    names = ("sizes", "hidden", "output", "loss", "dtype")
    _expect_settings(claimed, recipe.network_settings(net), file, names)
    found, expected = (safetensors.tensors_of(one, None) for one in (claimed, net))
    if found.keys() != expected.keys():
        has = "standardises" if "input.shift" in found else "does not standardise"
        raise _Differs(f"{os.fspath(file)} {has} its inputs, unlike the result")
    for name, array in expected.items():
        wrong = np.argwhere(found[name] != array)
        if len(wrong):
            place = tuple(wrong[0])
            where = ", ".join(map(str, place))
            raise _Differs(
                f"{os.fspath(file)} is not the result: {name}[{where}] is {found[name][place]}, "
                f"but the training gives {array[place]}"
            )
