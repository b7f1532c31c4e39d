"""Includes and imports point down, the C core stays pure, files stay short.

Each law is a function from files, {path: text}, to complaints. It is tried on the project, where it
finds nothing, and on a made-up offence, which it finds.
"""

import ast
import posixpath
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ["base", "simd", "kernels", "nn"]
PUBLIC = {"csrc/bpcore.h", "csrc/bpcore_functions.h"}
KNOWS_ISAS = ("csrc/base/compiler.h", "csrc/simd/", "csrc/kernels/", "csrc/bpcore.h")

LONGEST = 400
LONGER = {
    "bpcore/_core.pyx": 450,  # Each function of bpcore.h, with its branch on the type.
    "bpcore/_core.pxd": None,  # bpcore.h said again: as long as that is.
}

SKLEARN = {
    f"bpcore/sklearn/{name}.py"
    for name in (
        "__init__",
        "_base",
        "_callbacks",
        "_class_weight",
        "_classifier",
        "_epochs",
        "_regressor",
        "_second_order",
        "_threads",
        "_validate",
        "_warn",
    )
}

# Which files may import what is no dependency, in a function; where a set is empty, none may.
OPTIONAL = {
    "matplotlib": {"bpcore/plotting.py", "bpcore/classic/ann.py"},  # ann: the tutorial's own plot.
    "tqdm": {"bpcore/_pace.py"},
    "h5py": {"bpcore/datasets.py"},
    "sklearn": SKLEARN,
    "joblib": SKLEARN,  # What scikit-learn shares its work with.
    "torch": set(),
    "scipy": set(),
}
# Modules on top of Network: what lies below imports them in a function or not at all.
TOP = {"bpcore.classic", "bpcore.cli", "bpcore.plotting", "bpcore.sklearn"}
ABOVE_TOP = (
    "bpcore/classic/",
    "bpcore/cli.py",
    "bpcore/__main__.py",
    "bpcore/sklearn/",
)  # The rest of the top itself.


def read(*patterns):
    paths = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    return {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in paths}


def without_comments(c):
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", c, flags=re.DOTALL)


def upward_includes(files):
    for path, text in files.items():
        for name in re.findall(r'^\s*#\s*include\s+"(.+?)"', text, re.MULTILINE):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
            if target in PUBLIC:
                continue
            here, there = path.split("/")[1], target.split("/")[1]
            down = here in FLOORS and there in FLOORS and FLOORS.index(there) <= FLOORS.index(here)
            skips = here == "nn" and there in ("simd", "kernels")
            if not down or (skips and target != "csrc/kernels/kernels.h"):
                yield f"{path} includes {target}"


def isa_words(files):
    for path, text in files.items():
        words = re.findall(r"\w*(?:avx|neon|immintrin|__m\d)\w*", without_comments(text), re.I)
        if words and not path.startswith(KNOWS_ISAS):
            yield f"{path} says {', '.join(words)}"


def impure_calls(files):
    calls = r"\b(malloc|calloc|realloc|free|alloca|v?f?printf|puts|putchar|perror|exit|abort)\s*\("
    for path, text in files.items():
        for name in re.findall(calls, without_comments(text)):
            yield f"{path} calls {name}: the core allocates, prints and ends nothing"


def undeclared(files):
    """bp_* functions that bpcore.h and _core.pxd do not both have."""
    header = without_comments(files["csrc/bpcore.h"])
    both = without_comments(files["csrc/bpcore_functions.h"])
    declared = set(re.findall(r"\b(bp_\w+)\(", header))
    for name in re.findall(r"\bBP_NAME\((bp_\w+)\)\(", both):
        declared |= {f"{name}_f32", f"{name}_f64"}
    bound = set(re.findall(r"\b(bp_\w+)\(", re.sub(r"#.*", "", files["bpcore/_core.pxd"])))
    yield from sorted(declared ^ bound)


def imports(path, text):
    """(module, is it outside of functions) for each import statement, relative ones in full."""
    tree = ast.parse(text)
    package = path.split("/")[:-1]
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    late = {node for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*base, *(node.module or "").split(".")]).rstrip(".")
            names = [f"{base}.{alias.name}" for alias in node.names] if node.level else [base]
        else:
            continue
        yield from ((name, node not in late) for name in names)


def forbidden_imports(files):
    for path, text in files.items():
        for name, at_top in imports(path, text):
            package, module = name.split(".")[0], ".".join(name.split(".")[:2])
            wrong = package in OPTIONAL and path not in OPTIONAL[package]
            wrong |= package in OPTIONAL and at_top and package not in ("sklearn", "joblib")
            wrong |= at_top and module in TOP and not path.startswith(ABOVE_TOP)
            wrong |= path == "bpcore/reference.py" and package not in ("math", "numpy")
            if wrong:
                yield f"{path} imports {name}" + " at the top level" * at_top


def binding_imports(files):
    """Imports of the package in the binding, which is Cython, so that ast cannot read it."""
    for text in files.values():
        yield from re.findall(r"^\s*(?:from\s+(?:\.|bpcore)|import\s+bpcore).*", text, re.MULTILINE)


def long_files(files):
    for path, text in files.items():
        most = LONGER.get(path, LONGEST)
        if most is not None and text.count("\n") > most:
            yield f"{path} has {text.count(chr(10))} lines, more than {most}"


def tabs(files):
    yield from (path for path, text in files.items() if "\t" in text)


C = ("csrc/**/*.[ch]",)
PYTHON = ("bpcore/**/*.py",)
TEXT = (*C, *PYTHON, "bpcore/*.p[xy][xdi]", "tests/**/*.py", "tests/**/*.[ch]")
HEADERS = ("csrc/bpcore*.h", "bpcore/_core.pxd")

LAWS = [
    (upward_includes, C, {"csrc/base/status.c": '#include "../nn/network.h"\n'}),
    (upward_includes, C, {"csrc/nn/loss_template.h": '#include "../simd/vec_avx2.h"\n'}),
    (upward_includes, C, {"csrc/nn/network.c": '#include "../kernels/kernels_template.h"\n'}),
    (
        isa_words,
        C,
        {"csrc/nn/loss_template.h": "sum = _mm256_add_ps(a, b); /* AVX2 */ has_avx2();"},
    ),
    (impure_calls, C, {"csrc/nn/network.c": "real *work = malloc(size);"}),
    (impure_calls, C, {"csrc/nn/network.c": 'fprintf (stderr, "oops");'}),
    (
        undeclared,
        HEADERS,
        {
            "csrc/bpcore.h": "int bp_old(void); /* bp_not_a_function() */",
            "csrc/bpcore_functions.h": "int BP_NAME(bp_new)(void);",
            "bpcore/_core.pxd": "    int bp_old()\n    int bp_new_f32()  # and bp_new_f64()\n",
        },
    ),
    (forbidden_imports, PYTHON, {"bpcore/reference.py": "from . import _core\n"}),
    (forbidden_imports, PYTHON, {"bpcore/network.py": "from . import plotting\n"}),
    (forbidden_imports, PYTHON, {"bpcore/network.py": "from .classic.ann import ANN\n"}),
    (forbidden_imports, PYTHON, {"bpcore/_pace.py": "try:\n    import tqdm\nfinally:\n    0\n"}),
    (forbidden_imports, PYTHON, {"bpcore/cli.py": "def f():\n    import matplotlib.pyplot\n"}),
    (forbidden_imports, PYTHON, {"bpcore/datasets.py": "def f():\n    import scipy.io\n"}),
    (forbidden_imports, PYTHON, {"bpcore/sklearn/_epochs.py": "import scipy.optimize\n"}),
    (forbidden_imports, PYTHON, {"bpcore/network.py": "from .sklearn import MLPClassifier\n"}),
    (
        binding_imports,
        ("bpcore/_core.pyx",),
        {"bpcore/_core.pyx": "from .network import Network\n"},
    ),
    (long_files, TEXT, {"csrc/nn/network.c": "\n" * 401}),
    (tabs, TEXT, {"bpcore/network.py": "if True:\n\tpass\n"}),
]


PLACES = {law.__name__: (law, patterns) for law, patterns, _ in LAWS}


@pytest.mark.parametrize(("law", "patterns"), PLACES.values(), ids=PLACES)
def test_project_keeps(law, patterns):
    files = read(*patterns)
    assert files
    assert list(law(files)) == []


@pytest.mark.parametrize(("law", "offence"), [(law, offence) for law, _, offence in LAWS])
def test_checker_finds_an_offence(law, offence):
    assert list(law(offence))
