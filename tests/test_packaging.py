"""Laws of the installed package: what it holds, what importing it brings, what its binary shows.

They hold for a wheel and for an editable install alike and need no network.
"""

import ast
import importlib.metadata
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bpcore
from bpcore import _core

PACKAGE = Path(bpcore.__file__).parent
# Cython's two are made by _core; __future__ is a word of the language.
OURS = re.compile(r"bpcore(\..+)?|cython_runtime|_cython_\w+|__future__")
# What exported C is made of.
EXPORTED = re.compile(r"bpcore/export/(c/\w+\.c|kernels/\w+_template\.h)")
SYSTEM_LIBRARIES = re.compile(r"lib(c|m|pthread)\.so\.\d|libc\.musl-\w+\.so\.1|ld-linux\S*\.so\.\d")


def run_python(code, *options):
    command = [sys.executable, *options, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def output_of(tool, *arguments):
    if sys.platform != "linux":
        pytest.skip("binaries are looked at on Linux only")
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    command = [tool, *arguments, _core.binding.__file__]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def new_modules(statement):
    return run_python(
        f"import sys, numpy; before = set(sys.modules); {statement};"
        "print(*sorted(set(sys.modules) - before))"
    )


def test_import_brings_numpy_and_nothing_else():
    assert [name for name in new_modules("import bpcore") if not OURS.fullmatch(name)] == []


def test_the_list_of_new_modules_shows_a_stranger():
    assert "wave" in new_modules("import bpcore, wave")


def test_import_does_not_warn():
    assert run_python("import bpcore", "-W", "error") == []


@pytest.mark.skipif(
    not hasattr(sys, "_is_gil_enabled") or sys._is_gil_enabled(),
    reason="this interpreter has a global lock",
)
def test_import_leaves_the_interpreter_free_threaded():
    assert run_python("import bpcore, sys; print(sys._is_gil_enabled())") == ["False"]


def test_version_is_that_of_the_metadata():
    assert bpcore.__version__ == importlib.metadata.version("bpcore")


def test_numpy_is_the_only_requirement():
    requirements = importlib.metadata.requires("bpcore")
    assert [line for line in requirements if "extra ==" not in line] == ["numpy>=1.25"]


def stub():
    return ast.parse((PACKAGE / "_core/binding.pyi").read_text("utf-8"))


def arguments(node):
    """{name: default, or None} of a function in the stub."""
    names = [arg.arg for arg in (*node.args.args, *node.args.kwonlyargs)]
    defaults = [*node.args.defaults, *node.args.kw_defaults]
    values = [None] * (len(names) - len(defaults)) + [ast.unparse(value) for value in defaults]
    return dict(zip(names, values, strict=True))


def test_package_is_typed_and_its_extension_has_a_stub():
    assert (PACKAGE / "py.typed").is_file()
    kinds = (ast.FunctionDef, ast.ClassDef, ast.AnnAssign)
    declared = {
        getattr(node, "name", None) or node.target.id
        for node in stub().body
        if isinstance(node, kinds)
    }
    public = {
        name
        for name, value in vars(_core).items()
        if not name.startswith("_") and not isinstance(value, type(sys))
    }
    assert {name for name in declared if not name.startswith("_")} == public


def test_the_stub_has_the_arguments_of_the_extension():
    """Those of classes and properties are not known to ``inspect``."""
    trees = [node for node in stub().body if isinstance(node, ast.ClassDef)]
    owners = [(_core, stub()), *((getattr(_core, tree.name), tree) for tree in trees)]
    functions = [(owner, node) for owner, tree in owners for node in tree.body]
    functions = [
        (getattr(owner, node.name), node)
        for owner, node in functions
        if isinstance(node, ast.FunctionDef) and node.name[0] != "_" and not node.decorator_list
    ]
    assert len(functions) > 30
    for function, node in functions:
        found = inspect.signature(function).parameters.values()
        shown = {p.name: None if p.default is p.empty else repr(p.default) for p in found}
        assert shown == arguments(node), node.name


def test_install_holds_no_sources_of_the_extension_and_no_tests():
    files = [str(file) for file in importlib.metadata.files("bpcore")]
    others = [name for name in files if not EXPORTED.fullmatch(name)]
    assert [name for name in others if re.search(r"\.(c|h|pyx|pxd|o)$|test|csrc", name)] == []


def test_extension_exports_its_init_function_and_bp_names_only():
    symbols = [line.split()[-1] for line in output_of("nm", "-D", "--defined-only").splitlines()]
    assert "PyInit_binding" in symbols
    assert [name for name in symbols if not re.fullmatch(r"PyInit_binding|bp_\w+", name)] == []


def test_extension_needs_only_the_system_libraries():
    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", output_of("readelf", "-d"))
    assert needed
    assert [name for name in needed if not SYSTEM_LIBRARIES.fullmatch(name)] == []
