"""Recipes: files of JSON that say how a network was trained and what has to come out of it.

``bpcore`` is the version that has written the file. ``network`` and ``training`` hold settings,
``data`` the shape and SHA-256 of each array, ``start`` what the training begins with, ``epochs``
the fingerprints after some epochs, counted from 1, and ``result`` that of the trained network.
``checksums`` has a few digits for each of these entries, which find an entry that was changed by
mistake; who means to change one can write its checksum, too. A file is taken for hostile until
every entry has been checked.
"""

import hashlib
import json
from dataclasses import dataclass

import numpy as np

from .. import _version
from .._inputs import check
from .._inputs.check import shown
from . import safetensors
from .atomic_write import replace
from .fingerprint import canonical
from .safetensors import without_duplicates

FORMAT = 1
LIMIT = 1 << 20  # bytes; a recipe has some thousand, and some hundred for each layer
# Of a network that a stranger may let us make: 1 GB in float32, and some times that to draw it.
MOST_PARAMETERS = 1 << 28
SECTIONS = {
    "network": ("sizes", "hidden", "output", "loss", "init", "seed", "standardize", "dtype"),
    "training": (
        *("epochs", "learning_rate", "optimizer", "batch_size", "shuffle", "order", "class_weight"),
        *("l2", "l1", "dropout", "clip_norm", "max_norm", "eval_set", "early_stopping"),
    ),
    "data": ("dataset", "X", "y", "sample_weight", "X_eval", "y_eval"),
    "start": ("fingerprint", "drawn", "epochs", "state"),
    "epochs": None,
}
NEEDED = {
    "network": SECTIONS["network"],
    "training": ("epochs",),
    "data": ("X", "y"),
    "start": SECTIONS["start"],
    "epochs": (),
}
TOP = ("format", "bpcore", *SECTIONS, "result", "checksums")


@dataclass(frozen=True)
class Recipe:
    """What a recipe says; sections are dicts as in the file."""

    network: dict
    training: dict
    data: dict
    start: dict
    epochs: dict
    result: str
    bpcore: str = _version.__version__

    def fresh_network(self, cls, title):
        """The network of the settings, its parameters zero."""
        dtype = np.dtype(self.network["dtype"])
        return safetensors.settled(cls, {**self.network, "epochs": 0}, dtype, title)


class Changed(ValueError):
    """An entry of a recipe is not the one that was written."""


def write(recipe, path):
    """Write ``recipe`` to ``path``."""
    replace(path, [text_of(recipe).encode()])


def text_of(recipe):
    """``recipe`` as JSON; ValueError where ``read`` would refuse it."""
    content = {"format": FORMAT, "bpcore": recipe.bpcore, **vars(recipe)}
    content["checksums"] = {name: _checksum(name, value) for name, value in _entries(content)}
    text = json.dumps(content, indent=2) + "\n"
    _recipe(text.encode(), "the recipe is not written, because it could not be read")
    return text


def read(path):
    """The recipe in ``path``; Changed where an entry does not fit its checksum."""
    with open(path, "rb") as file:
        return _recipe(file.read(LIMIT + 1), path)


def network_settings(net):
    """The section ``network`` of a recipe."""
    return {**safetensors.network_settings(net), "dtype": net.dtype.name}


def _recipe(text, title):
    """The recipe that a file's bytes hold, every entry checked but those that ``fit`` checks."""
    content = _parsed(text, title)
    try:
        _expect_names("a recipe", content, TOP, TOP)
        if content["format"] != FORMAT:
            raise ValueError(f"format is {shown(content['format'])}, but {FORMAT} is expected")
        for section, known in SECTIONS.items():
            _expect_names(section, content[section], known, NEEDED[section])
        _expect_checksums(content)
        _expect_types(content)
        recipe = Recipe(**{name: content[name] for name in (*SECTIONS, "result", "bpcore")})
        _expect_size(recipe.network["sizes"])
    except Changed:
        raise
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{title}: {error}") from None
    return recipe


def _parsed(text, title):
    if len(text) > LIMIT:
        raise ValueError(f"{title} is no recipe: it has more than {LIMIT} bytes")
    try:
        how = {"object_pairs_hook": without_duplicates, "parse_constant": _refuse_constant}
        return json.loads(text.decode(), **how)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{title} is no recipe: {error}") from None


def _refuse_constant(name):
    raise ValueError(f"{name} is no number of JSON")


def _expect_names(title, section, known, needed):
    """A section is an object that has the names that are needed, and none that is not known."""
    if not isinstance(section, dict):
        raise ValueError(f"{title} is {shown(section)}, but an object of JSON is expected")
    for name in section:
        if not (_is_epoch(name) if known is None else name in known):
            raise ValueError(f"{title} has the entry {shown(name)}, which is not known")
    for name in needed:
        if name not in section:
            raise ValueError(f"{title} has no {name}")


def _is_epoch(name):
    """Is this a number from 1 on, of no more digits than a C integer has?"""
    return name.isascii() and name.isdecimal() and len(name) < 19 and name[0] != "0"


def _entries(content):
    """(name, value) of all that has a checksum."""
    yield from ((name, content[name]) for name in ("bpcore", "result"))
    for section in SECTIONS:
        for name, value in content[section].items():
            yield f"{section}.{name}", value


def _checksum(name, value):
    """Eight digits: one mistake in 4 * 10^9 is not seen."""
    return hashlib.sha256(canonical([name, value])).hexdigest()[:8]


def _expect_checksums(content):
    """Changed where an entry is not the one that was written, is new, or is missing."""
    sums, entries = content["checksums"], dict(_entries(content))
    if not isinstance(sums, dict):
        raise ValueError(f"checksums is {shown(sums)}, but an object of JSON is expected")
    changed = [name for name in entries if sums.get(name) != _checksum(name, entries[name])]
    missing = [name for name in sums if name not in entries]
    if changed:
        what = f"setting {changed[0]} was changed: {shown(entries[changed[0]])} does not fit its"
        raise Changed(f"{what} checksum{_and_more(changed)}")
    if missing:
        raise Changed(f"setting {shown(missing[0])} is missing{_and_more(missing)}")


def _and_more(names):
    return f", and {len(names) - 1} more" if len(names) > 1 else ""


def _expect_types(content):
    """The types of what is not a setting of ``Network`` or ``fit``, which check theirs."""
    start, data = content["start"], content["data"]
    for section, name in [(content, "result"), (start, "fingerprint")]:
        _expect_digits(name, section[name])
    if start["state"] is not None:
        _expect_digits("start's state", start["state"])
    check.choice("dtype", content["network"]["dtype"], check.DTYPES)
    check.flag("start's drawn", start["drawn"])
    check.whole_number("start's epochs", start["epochs"], 0)
    for epoch, digits in content["epochs"].items():
        _expect_digits(f"the fingerprint of epoch {epoch}", digits)
    if not isinstance(content["bpcore"], str):
        raise ValueError(f"bpcore is {shown(content['bpcore'])}, but a version is expected")
    if ("X_eval" in data) != ("y_eval" in data):
        raise ValueError("data has one of X_eval and y_eval, but both or none are expected")
    for name, entry in data.items():
        if name != "dataset":
            _expect_names(name, entry, ("shape", "sha256"), ("shape", "sha256"))
            _expect_whole_numbers(f"{name}'s shape", entry["shape"])
            _expect_digits(f"{name}'s sha256", entry["sha256"])


def _expect_digits(name, given):
    """SHA-256 in hexadecimal digits."""
    if not isinstance(given, str) or len(given) != 64 or set(given) - set("0123456789abcdef"):
        raise ValueError(f"{name} is {shown(given)}, but 64 hexadecimal digits are expected")


def _expect_whole_numbers(name, given):
    if not isinstance(given, list) or not all(type(n) is int and 0 < n < 1 << 40 for n in given):
        raise ValueError(f"{name} is {shown(given)}, but positive whole numbers are expected")


def _expect_size(sizes):
    """A network of ``sizes`` is not too large to be made for a stranger."""
    _expect_whole_numbers("sizes", sizes)
    pairs = zip(sizes[:-1], sizes[1:], strict=True)
    count = sum((inputs + 1) * outputs for inputs, outputs in pairs)
    if count > MOST_PARAMETERS:
        raise ValueError(f"the network has {count} parameters; at most {MOST_PARAMETERS} are taken")
