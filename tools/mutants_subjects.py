"""What is mutated, how a mutant becomes a package, and which tests have to notice."""

import ast
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import mutate_c
import mutate_python
import native

FLAGS = ["-O1"]  # Compiled in a second, and tested in less.
DRIVER = "driver"
# A mutant that swaps what are not alike is no C, though a compiler may only warn.
STRICT = ["-Werror=incompatible-pointer-types", "-Werror=int-conversion", "-Wno-unused"]


class DoesNotCompile(Exception):
    """The mutant is no program."""


@dataclass(frozen=True)
class Subject:
    scope: dict  # {file: names of functions, or None for all}
    tests: list
    mutate: object = field(repr=False)
    make: object = field(repr=False)
    options: object = field(default=list, repr=False)  # of pytest

    def mutants(self):
        return [
            mutant
            for path, functions in self.scope.items()
            for mutant in self.mutate(path, (native.ROOT / path).read_text("utf-8"), functions)
        ]


class Base:
    """The objects of the unchanged core, which every mutant shares."""

    def __init__(self, folder):
        csrc, objects = native.ROOT / "csrc", folder / "objects"
        objects.mkdir()
        core = native.compile_all(native.sources(csrc), csrc, objects, FLAGS)
        self.objects = [native.binding(objects), *core]
        source = native.ROOT / "tests/c/driver.c"
        (self.driver,) = native.compile_all([source], csrc, objects, FLAGS)

    def package(self, site):
        """The unchanged package in a new folder."""
        package = native.package(site)
        native.link(self.objects, package)
        return package


def make_python(mutant, base, folder):
    """The package with a changed Python file."""
    package = base.package(folder / "site")
    text = mutant.applied((native.ROOT / mutant.path).read_text("utf-8"))
    try:
        ast.parse(text)
    except SyntaxError as error:
        raise DoesNotCompile from error
    (package.parent / mutant.path).write_text(text, "utf-8")


def make_c(mutant, base, folder):
    """The package, and the driver with its guarded memory, with a changed header of the templates.

    Two files include it.
    """
    package = native.package(folder / "site")
    csrc = folder / "csrc"
    shutil.copytree(native.ROOT / "csrc", csrc)
    text = mutant.applied((native.ROOT / mutant.path).read_text("utf-8"))
    (folder / mutant.path).write_text(text, "utf-8")
    files = [csrc / "api/api_f32.c", csrc / "api/api_f64.c"]
    try:
        new = native.compile_all(files, csrc, folder, [*FLAGS, *STRICT])
    except native.subprocess.CalledProcessError as error:
        raise DoesNotCompile from error
    names = {Path(made).name for made in new}
    kept = [made for made in base.objects if made.name not in names]
    native.link([*kept, *new], package)
    core = [made for made in (*kept, *new) if made.name != "_core.o"]
    native.run(*native.compiler(), "-pthread", base.driver, *core, "-lm", "-o", folder / DRIVER)


def best_instruction_set():
    """Only the tests of the best one: what is mutated is the same text for all."""
    from bpcore import info

    others = " or ".join(info()["isas"][1:])
    return ["-k", f"not ({others})"] if others else []


# Of _fetch.py what reads and judges; the network's side is a matter of the mirrors.
READING = ["find", "verified", "_get", "_from_mirror", "_from_wheel", "_read_wheel", "_unpacked"]
# What computes; how large blocks and workspaces are only decides how fast and where.
BACKPROP = ["dropout_of", "forward_epilogue", "delta_below", "backward_block", "layer_gradient"]
BACKPROP += ["part_share", "transpose_back", "arrange_gradient", "end_block"]
FIRST = ["make_column_panels", "panel_tiles", "panels_backward", "scatter_weights"]
FIRST += ["first_backward_weights"]
LAYER = ["dense_backward_weights", "dense_backward_biases", "dense_backward_input"]
LAYER += ["softmax_backward", "activate_backward"]
LOSS = ["cross_entropy", "loss_derivative", "output_loss", "poisson", "loss"]

SUBJECTS = {
    "loaders": Subject(
        scope={
            "bpcore/_io/safetensors.py": None,
            "bpcore/datasets/_idx.py": None,
            "bpcore/datasets/_restricted_pickle.py": None,
            "bpcore/datasets/_fetch.py": READING,
        },
        tests=[
            "tests/data/test_idx.py",
            "tests/data/test_pickled.py",
            "tests/test_files.py",
            "tests/test_resume_files.py",
            "tests/data/test_fetch.py",
            "tests/data/test_datasets.py",
            "tests/test_scaling.py",
        ],
        mutate=mutate_python.mutants,
        make=make_python,
    ),
    "backward": Subject(
        scope={
            "csrc/nn/backprop_template.h": BACKPROP,
            "csrc/nn/workspace_template.h": ["keeps_derivative"],
            "csrc/nn/first_layer_template.h": FIRST,
            "csrc/nn/layer_template.h": LAYER,
            "csrc/nn/loss_template.h": LOSS,
        },
        tests=[
            "tests/test_train.py",
            "tests/test_backprop.py",
            "tests/test_losses.py",
            "tests/test_layer.py",
            "tests/test_backward.py",
            "tests/test_panels.py",
            "tests/test_dropout.py",
            "tests/test_sparse_fit.py",
            "tests/test_optimizers_sharing.py",
            "tests/test_gradient_grid.py",
        ],
        mutate=mutate_c.mutants,
        make=make_c,
        options=best_instruction_set,
    ),
}
