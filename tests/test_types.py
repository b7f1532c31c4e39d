"""Public names have types that checkers see, name what there is and let documented usage pass."""

import importlib
import importlib.util
import json
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import pytest

import bpcore
from bpcore import _core, _types, optimizers
from bpcore._inputs import check
from bpcore._model import initializers

USAGE = Path(__file__).parent / "typing" / "usage.py"
WRONG = {
    "activation": ('hidden="tanh"', 'hidden="tan"'),
    "late_name": ("bpcore.per_network", "bpcore.per_net"),
    "callback": ("callbacks=enough", "callbacks=len"),
    "figure": ("net.loss(X, y), float", "net.loss(X, y), int"),
}
MODULES = ["bpcore", "bpcore.callbacks", "bpcore.classic", "bpcore.datasets", "bpcore.optimizers"]
MODULES += ["bpcore.export", "bpcore.plotting", "bpcore.schedules", "bpcore.sklearn"]


def run(package, *arguments):
    """The output of a type checker that finds the bpcore under test, however it is installed."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    parent = str(Path(bpcore.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": parent, "MYPYPATH": ""}
    if "site-packages" not in parent:
        environment["MYPYPATH"] = parent
    command = [sys.executable, "-m", package, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


@pytest.fixture(scope="module")
def complaints(tmp_path_factory):
    """mypy's, {file without its ending: lines}, of the usage and of each copy with a mistake."""
    folder, text = tmp_path_factory.mktemp("usage"), USAGE.read_text("utf-8")
    (folder / "usage.py").write_text(text, "utf-8")
    for name, (right, wrong) in WRONG.items():
        assert right in text
        (folder / f"{name}.py").write_text(text.replace(right, wrong, 1), "utf-8")
    files = sorted(folder.glob("*.py"))
    done = run("mypy", "--strict", "--follow-imports=silent", "--cache-dir", folder, *files)
    assert not done.stderr
    lines = [line for line in done.stdout.splitlines() if ": error: " in line]
    return {path.stem: [line for line in lines if path.name in line] for path in files}


def test_every_public_name_has_a_type():
    how = ["--pythonpath", sys.executable, "--ignoreexternal", "--outputjson"]
    done = run("pyright", "--verifytypes", "bpcore", *how)
    found = json.loads(done.stdout)["typeCompleteness"]
    assert len(found["symbols"]) > 400
    unknown = [
        f"{symbol['name']}: {told['message']}"
        for symbol in found["symbols"]
        for told in symbol["diagnostics"]
        if not symbol["isTypeKnown"]
    ]
    assert unknown == [] and found["completenessScore"] == 1


def test_documented_usage_is_well_typed(complaints):
    assert complaints["usage"] == []


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_in_the_usage_is_found(mistake, complaints):
    assert complaints[mistake]


def is_a(value, kind):
    """Is a value of a type: a class, a container of whatever, or one of several?"""
    bare = get_origin(kind)
    union = bare in (Union, types.UnionType)
    return kind is Any or isinstance(value, kind if bare is None or union else bare)


def test_documented_usage_runs_and_gives_the_types_that_it_asserts(monkeypatch):
    asserted = []
    monkeypatch.setattr("typing.assert_type", lambda *pair: asserted.append(pair))
    exec(compile(USAGE.read_text("utf-8"), USAGE, "exec"), {"__name__": "usage"})
    assert len(asserted) >= 10
    assert [(value, kind) for value, kind in asserted if not is_a(value, kind)] == []
    assert not is_a(1.0, int | None) and not is_a((), list[float]) and not is_a("", float)


def names(alias):
    """The strings of a Literal, or of a union of them."""
    return {name for part in get_args(alias) for name in (get_args(part) or [part])}


def test_the_names_in_types_are_those_that_there_are():
    assert names(_types.Activation) == set(_core.ACTIVATIONS)
    assert names(_types.HiddenActivation) == set(_core.ACTIVATIONS) - {"softmax"}
    assert names(_types.LossName) == set(_core.LOSSES)
    assert names(_types.OptimizerName) == set(optimizers._NAMES.values())
    assert names(_types.InitName) == set(initializers.SCHEMES)
    assert names(_types.DTypeName) == set(check.DTYPES)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_shows_its_public_names_and_no_other(module):
    if module == "bpcore.sklearn":
        pytest.importorskip("sklearn")
    module = importlib.import_module(module)
    assert dir(module) == sorted(module.__all__)
    assert [name for name in module.__all__ if name.startswith("_")] == []
    assert all(hasattr(module, name) for name in module.__all__)
