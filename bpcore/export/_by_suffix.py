"""The suffix of a path says what is written."""

import os
from importlib import import_module

from .._inputs import check

# The module that writes each suffix: its ``write(net, path, labels, **OPTIONS)``.
FORMATS = {".onnx": "_onnx", ".c": "_c99"}


def export(net, path, *, labels=None, **options):
    """Write ``net`` to ``path`` as its suffix says; see ``Network.export``.

    labels: None, the classes (n,) of an estimator in their order, or "multilabel". Options that are
    None are not given.
    """
    path = os.fspath(path)
    suffix = os.path.splitext(os.fsdecode(path))[1].lower()
    if suffix not in FORMATS:
        raise ValueError(f"path is {check.shown(path)}, but it must end in {' or '.join(FORMATS)}")
    writer = import_module(f".{FORMATS[suffix]}", __package__)
    given = {name: value for name, value in options.items() if value is not None}
    for name in sorted(given.keys() - writer.OPTIONS):
        raise ValueError(f"{name} is no option of a {suffix} file: leave it out")
    writer.write(net, path, labels=labels, **given)
