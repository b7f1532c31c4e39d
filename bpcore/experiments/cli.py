"""The ``bpcore`` command: the experiments of the three tutorials, and what a bug report needs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import bpcore

from ..plotting import require_matplotlib
from . import exporting, figures, tuning, tutorials
from .launch import World

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["main"]

LARGEST_SEED = 2**32 - 1
PICTURES = (".png", ".pdf", ".svg")

OVERVIEW = """\
Fully connected networks on CPUs. Each of the first three commands runs the experiment of one
tutorial on backpropagation, with its own data, start weights and settings, prints what the
tutorial prints, and can draw a picture of the result."""

FIRST_STEPS = """\
"bpcore mnist58" is a good first one: it fetches its data and takes some seconds. "bpcore COMMAND
--help" tells more."""

MNIST58 = """\
Run the experiment of the first tutorial, "Understand and Implement the Backpropagation
Algorithm From Scratch In Python": a 784-196-1 network of sigmoids learns to tell MNIST's fives
(target 0) from its eights (target 1) by gradient descent on the full batch of 11,272 images,
with cross-entropy as cost. Prints the cost before iterations 0, 100, 200, ..., as the tutorial
does, and before the last one, then the accuracies on training and test images and the time of the
training alone. --dtype float64 is the tutorial's precision. MNIST is looked for in the folder that
BPCORE_DATA names, then in the cache folder of the user, where it is fetched to once (11 MB)."""

MNIST10 = """\
Run the experiment of the third tutorial, the network of Nielsen's "Neural Networks and Deep
Learning" (http://neuralnetworksanddeeplearning.com): 784-30-10 sigmoids with quadratic cost learn
all ten digits from MNIST's first 50,000 training images by stochastic gradient descent. Start
weights and the order of the images are the tutorial's own after np.random.seed(SEED) and
random.seed(SEED). Prints a line after each epoch, as the tutorial does: the number of test images
of 10,000 that are classified correctly. Rounding grows during the first epoch, so the counts are
near the tutorial's and not the same. --json has them as test_correct."""

CATS = """\
Run the experiment of the second tutorial, the class NeuralNetwork on 209 photographs with a cat
or without: 12288-7-1, ReLU and a sigmoid output, cross-entropy, gradient descent on the full
batch. Prints the cost before iterations 0, 500, 1000, ..., as the tutorial does, and before the
last one, then the distance between the gradient of backpropagation and that of central differences
for the weights and biases of layer 2, and the accuracies (--json: gradient_distances, of all
layers). The data, train_catvnoncat.h5 and test_catvnoncat.h5, is not fetched; reading it needs
h5py (pip install h5py)."""

VERIFY = """\
Repeat the training of RECIPE, a file of "bpcore mnist58 --save" or of net.fit(..., record=RECIPE),
and compare fingerprints, SHA-256 of all weights, bit for bit. Prints one line, which begins with
"reproduced" (exit code 0) or with "not reproduced" (exit code 1) and says what differs: an entry
of the recipe, the data, the start weights, the first epoch, or, with --model, the first weight of
the file. A recipe is data, never code, but it decides how large the network is, and how long it
trains."""

INFO = """\
Print what a bug report needs: version, instruction set in use and those available, threads,
compiler, versions of Python and NumPy, platform. BPCORE_ISA=generic|avx2|avx512|neon selects
another one. --tune also trains a 784-196-1 network on random images for a second, and tells how
many threads it tried and used, beside whatever else runs."""

INFO_SUMMARY = "what a bug report needs"
VERIFY_SUMMARY = "repeat a training and compare every bit"

EXPORT = """\
Write a network that was saved as a program that needs no Python. OUT ends in .onnx, for ONNX
Runtime and others (it needs the package onnx), or in .c, for any compiler of C99: with its header
beside it, and the bits of Network.forward. With --check the file has a function that counts the
words in which a device differs from them, on these rows."""

EXPORT_SUMMARY = "a saved network as ONNX or C"

# name: (function, summary, description, example, defaults of the options)
COMMANDS: dict[str, tuple[Callable[..., tutorials.Result], str, str, str, dict[str, Any]]] = {
    "mnist58": (
        tutorials.mnist58,
        "first tutorial: MNIST's fives and eights",
        MNIST58,
        "--layers 392,196 --plot mnist58.png",
        {"layers": [196], "epochs": 1000, "learning_rate": 0.1, "dtype": "float32", "seed": 1},
    ),
    "mnist10": (
        tutorials.mnist10,
        "third tutorial: all ten digits of MNIST",
        MNIST10,
        "--epochs 5 --plot mnist10.png",
        {
            "layers": [30],
            "epochs": 30,
            "learning_rate": 3.0,
            "batch_size": 10,
            "dtype": "float32",
            "seed": 0,
        },
    ),
    "cats": (
        tutorials.cats,
        "second tutorial: photographs with a cat or without",
        CATS,
        "~/data/catvnoncat --plot cats.png",
        {"layers": [7], "epochs": 2501, "learning_rate": 0.0077, "dtype": "float64", "seed": 0},
    ),
}


class _Parser(argparse.ArgumentParser):
    """Reports a wrong value in one line: the whole usage would bury it."""

    def error(self, message):
        self.exit(2, f"bpcore: error: {message} (see {self.prog} --help)\n")


class _Layers(argparse.Action):
    """Hidden sizes, separated by commas or spaces; "none" for a network without hidden layers."""

    def __call__(self, parser, namespace, values, option_string=None):
        text = values if isinstance(values, str) else " ".join(values)
        words = [] if text == "none" else text.replace(",", " ").split()
        if text != "none" and not words:
            raise argparse.ArgumentError(self, "sizes are expected: 392,196")
        try:
            setattr(namespace, self.dest, [_whole_number(1)(word) for word in words])
        except argparse.ArgumentTypeError as error:
            raise argparse.ArgumentError(self, str(error)) from None


def _whole_number(least, most=None):
    """A converter for argparse: text to an int from ``least`` to ``most``."""
    limits = f"of at least {least}" if most is None else f"from {least} to {most}"

    def convert(text):
        try:
            number = int(text)
        except ValueError:
            number = None
        if number is None or number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {limits}")
        return number

    return convert


def _open_missing_streams():
    """A stream that is closed when Python starts is None there: what goes to it is for no one."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))


def _drop_what_stdout_cannot_take():
    """Python would complain of it once more when it exits."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _positive_number(text):
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return number


def _picture(path):
    if os.path.splitext(path)[1].lower() not in PICTURES:
        raise argparse.ArgumentTypeError(f"{path!r} does not end in {', '.join(PICTURES)}")
    return path


def _parser():
    parser = _Parser(prog="bpcore", description=OVERVIEW, epilog=FIRST_STEPS, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"bpcore {bpcore.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    parser.set_defaults(parser=parser)
    for name, (run, summary, description, example, defaults) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=summary,
            description=description,
            epilog=f"example: bpcore {name} {example}",
            allow_abbrev=False,
        )
        _add_training(command, name, defaults)
        _add_output(command, _unit(name))
        command.set_defaults(parser=command, run=_run, experiment=run, unit=_unit(name), **defaults)
    export = commands.add_parser(
        "export",
        help=EXPORT_SUMMARY,
        description=EXPORT,
        epilog="example: bpcore export digits.safetensors digits.c --check rows.npy",
        allow_abbrev=False,
    )
    _add_export(export)
    export.set_defaults(parser=export, run=exporting.run)
    verify = commands.add_parser(
        "verify",
        help=VERIFY_SUMMARY,
        description=VERIFY,
        epilog="example: bpcore verify m.recipe.json --model m.safetensors",
        allow_abbrev=False,
    )
    _add_verification(verify)
    verify.set_defaults(parser=verify, run=_verify)
    info = commands.add_parser("info", help=INFO_SUMMARY, description=INFO)
    info.add_argument("--json", action="store_true", help="print one JSON object instead")
    info.add_argument("--tune", action="store_true", help="train for a second to see what is fast")
    info.set_defaults(parser=info, run=_info)
    return parser


def _unit(name):
    return "epoch" if name == "mnist10" else "iteration"


def _add_training(parser, name, defaults):
    """The options that change the network and its training."""
    add = parser.add_argument
    if name == "cats":
        text = "folder of the two files (default: the one that BPCORE_DATA names)"
        add("folder", metavar="DIR", nargs="?", help=text)
    # Unquoted spaces would swallow the folder where one follows: there, commas it must be.
    spaces = {} if name == "cats" else {"nargs": "+"}
    sizes = ",".join(map(str, defaults["layers"]))
    text = f"sizes of the hidden layers, as 392,196, or none (default: {sizes})"
    add("--layers", action=_Layers, metavar="SIZES", help=text, **spaces)
    text = f"number of {_unit(name)}s (default: %(default)s); Ctrl-C ends them early, with results"
    add(f"--{_unit(name)}s", dest="epochs", type=_whole_number(1), metavar="N", help=text)
    text = "step of gradient descent (default: %(default)s)"
    add("--learning-rate", type=_positive_number, metavar="X", help=text)
    if name == "mnist10":
        text = "images of a step (default: %(default)s)"
        add("--batch-size", type=_whole_number(1), metavar="N", help=text)
    text = "precision of the arithmetic, float32 or float64 (default: %(default)s)"
    add("--dtype", choices=("float32", "float64"), metavar="TYPE", help=text)
    text = "seed of the random start (default: %(default)s)"
    add("--seed", type=_whole_number(0, LARGEST_SEED), metavar="N", help=text)
    _add_threads(parser)


def _add_threads(parser):
    text = "most threads to use; results do not depend on it (default: all CPUs that it may use)"
    parser.add_argument("--threads", type=_whole_number(1), metavar="N", help=text)


def _add_output(parser, unit):
    """The options that say where results go."""
    add = parser.add_argument
    text = "draw the result, with matplotlib (pip install matplotlib); .pdf and .svg work too"
    add("--plot", type=_picture, metavar="FILE.png", help=text)
    text = (
        "write the trained network, for bpcore.Network.load, and beside it a recipe for bpcore "
        "verify, m.recipe.json for m.safetensors"
    )
    add("--save", metavar="FILE", help=text)
    text = (
        f"print one JSON object as the last line of stdout: costs (a list of pairs [{unit}, "
        "cost]), train_accuracy, test_accuracy, seconds (of the training alone), settings"
    )
    add("--json", action="store_true", help=text)


def _add_export(parser):
    """The options of an export."""
    add = parser.add_argument
    add("model", metavar="MODEL", help="what Network.save or --save has written")
    add("out", metavar="OUT", help="the file to write, .onnx or .c")
    text = "of the graph, or the beginning of all names in C (default: the file's)"
    add("--name", metavar="NAME", help=text)
    text = "rows (n, inputs) as numpy.save writes them, for the certificate in C"
    add("--check", metavar="FILE.npy", help=text)
    text = (
        "typical rows (n, inputs): write C of whole numbers of eight bits, which are scaled by them"
    )
    add("--int8", metavar="FILE.npy", help=text)
    add("--batch", action="store_true", default=None, help="in C a function of many rows, too")
    text = "what follows the names of arrays of numbers in C, such as an attribute of a section"
    add("--placement", metavar="TEXT", help=text)


def _add_verification(parser):
    """The options of a verification."""
    add = parser.add_argument
    add("recipe", metavar="RECIPE", help="the recipe of a training")
    add("--model", metavar="FILE", help="a network that was saved, which is to be the result")
    text = (
        ".npz file of X, y and, where the training had them, sample_weight, X_eval, y_eval; or the "
        "folder of the data set that the recipe names (default: where it usually is)"
    )
    add("--data", metavar="FILE", help=text)
    text = "the network that the training began with, where that was no new one"
    add("--start", metavar="FILE", help=text)
    _add_threads(parser)
    text = "print one JSON object instead: reproduced, message, epochs, fingerprint, seconds"
    add("--json", action="store_true", help=text)


def _verify(args):
    """Print what was found. Returns the exit code."""
    files = {"data": args.data, "model": args.model, "start": args.start}
    found = bpcore.verify(args.recipe, **files, n_threads=args.threads)
    print(json.dumps(vars(found)) if args.json else found.message)
    return 0 if found.reproduced else 1


def _info(args):
    facts = bpcore.info()
    seconds = tuning.tried() if args.tune else {}
    if args.json:
        print(json.dumps(facts | ({"seconds_on_threads": seconds} if args.tune else {})))
        return
    for name, value in facts.items():
        print(f"{name + ':':<10}", ", ".join(value) if isinstance(value, (list, tuple)) else value)
    if args.tune:
        print("tuning:   ", ", ".join(f"{time:.2f} s on {n}" for n, time in seconds.items()))


def _run(args):
    """Train, report, write the files. What can be refused is refused before the training.

    Of several ranks all train, and the first does the rest.
    """
    args.world = World()
    if not args.world.is_first:
        args.experiment(args)
        return
    for path in filter(None, (args.plot, args.save)):
        _check_writable(path)
    if args.plot:
        require_matplotlib()
    result = args.experiment(args)
    result.print_summary()
    try:
        if args.save:
            result.net.save(args.save)
            print(f"network: {args.save}")
            _write_recipe(result)
        if args.plot:
            figures.report(result, args.plot)
            print(f"picture: {args.plot}")
    finally:  # A full disk must not cost the figures as well.
        if args.json:
            print(json.dumps(result.as_dict()))
    if result.interrupted:
        raise KeyboardInterrupt(result.interrupted)


def _write_recipe(result):
    if result.interrupted:
        print("recipe:  none, as the training did not come to its end")
    elif result.recording is None:
        print("recipe:  none, as one process adds the rows of a mini-batch in another order")
    else:
        result.recording.write(result.net, result.history)
        print(f"recipe:  {result.recording.path}")


def _check_writable(path):
    """Raise OSError where ``path`` cannot be written. A file that is there keeps its content."""
    existed = os.path.lexists(path)
    if existed and not os.path.isfile(path):
        raise OSError(f"{path} cannot be written: it is not a file")
    try:
        with open(path, "ab"):
            pass
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error.strerror}") from None
    if not existed:
        os.unlink(path)


def _arguments(argv):
    """Parse; the parser of the command itself says what is wrong."""
    args, unknown = _parser().parse_known_args(argv)
    if unknown:
        args.parser.print_usage(sys.stderr)  # Its options are those that there are.
        args.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if not hasattr(args, "run"):
        args.parser.error(f"a command is expected: {', '.join(COMMANDS)}, export, verify or info")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Returns the exit code: 0, 1 for a failure or a difference, 130 for Ctrl-C.

    For wrong options, --help and --version argparse ends the program, with code 2 or 0.
    """
    _open_missing_streams()
    try:
        try:
            args = _arguments(argv)
            code = args.run(args)
        except SystemExit:
            sys.stdout.flush()  # --help, too, can find no room.
            raise
        sys.stdout.flush()
    except KeyboardInterrupt as interrupt:
        if not hasattr(interrupt, "rank"):
            print(f"bpcore: interrupted {interrupt}".rstrip(), file=sys.stderr)
        return 130
    except BrokenPipeError:  # The reader has left, as `head` does.
        return 1
    except (OSError, ValueError, ImportError, ArithmeticError, MemoryError) as error:
        if not hasattr(error, "rank"):  # The rank whose error it is says it.
            print(f"bpcore: error: {error}", file=sys.stderr)
        return 1
    finally:
        _drop_what_stdout_cannot_take()
    return code or 0
