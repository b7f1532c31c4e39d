"""Includes and imports point down, rooms stand on few floors, C stays pure, functions short;
the page and the picture of the architecture show the code as it is.

Each law is a function from files, {path: text}, to complaints. It is tried on the project, where it
finds nothing, and on a made-up offence, which it finds.
"""

import ast
import posixpath
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.programs import ROOT, load

FLOORS = ["base", "simd", "kernels", "linalg", "nn", "api"]
PUBLIC = {"csrc/bpcore.h", "csrc/bpcore_functions.h"}
KNOWS_ISAS = ("csrc/base/compiler.h", "csrc/simd/", "csrc/kernels/", "csrc/bpcore.h")

# What each room of the package may import, in functions, too. A room is a folder or a module of
# bpcore/; each stands below those that it is missing from, so that imports point down.
ROOMS = {
    "_core": (),
    "_types": (),
    "_version": (),
    "reference": (),
    "plotting": (),
    "_inputs": ("_core",),
    "history": ("plotting",),
    "callbacks": ("_inputs",),
    "optimizers": ("_core", "_inputs"),
    "schedules": ("_inputs",),
    "datasets": ("_inputs",),
    "_model": ("_core", "_inputs"),
    "_scaling": ("_model",),
    "_explanation": ("_core", "_inputs", "_model"),
    "_solvers": ("_core", "_inputs"),
    "_tutorial_data": ("datasets",),
    "_io": ("_inputs", "_model", "_version", "callbacks", "optimizers", "schedules"),
    "_training": (
        *("_core", "_inputs", "_model", "_solvers"),
        *("callbacks", "history", "optimizers", "schedules"),
    ),
    "_arrivals": ("_inputs", "_model", "reference"),
    "export": ("_core", "_inputs", "_io", "_version"),
    "network": (
        *("_arrivals", "_core", "_explanation", "_inputs", "_model", "_training", "_io"),
        "export",
    ),
    "_verify": ("_core", "_inputs", "_io", "_tutorial_data", "_version", "network"),
    "_executors": ("_inputs",),
    "_fit_many": ("_executors", "_inputs", "_training", "callbacks", "network"),
    "classic": ("_core", "_inputs", "_model", "_training"),
    "sklearn": (
        *("_arrivals", "_core", "_inputs", "_model", "_solvers", "_training"),
        *("export", "network", "optimizers", "schedules"),
    ),
    "bpcore": ("_core", "_inputs", "_version", "history", "network"),
    "experiments": (
        *("_io", "_training", "_tutorial_data"),
        *("bpcore", "history", "network", "plotting"),
    ),
    "__main__": ("experiments",),
}
MAX_FLOORS = 10

LONGEST = 60  # lines of a function, without its docstring.
LISTS = {  # Constructors that name each of scikit-learn's parameters twice.
    "bpcore/sklearn/_classifier.py __init__",
    "bpcore/sklearn/_regressor.py __init__",
}
# What the mathematics may need, and its annotations.
REFERENCE_USES = ("__future__", "collections", "math", "numpy", "typing")

# Which rooms may import what is no dependency; all but scikit-learn's do it in a function.
OPTIONAL = {
    "matplotlib": ("plotting", "classic"),  # classic: the tutorial's own plot.
    "tqdm": ("_training",),
    "h5py": ("datasets",),
    "sklearn": ("sklearn",),
    "joblib": ("sklearn",),  # What scikit-learn shares its work with.
    "mpi4py": ("experiments",),  # The command looks for ranks; elsewhere users bring them.
    "onnx": ("_arrivals", "export", "sklearn"),
    "google": ("_arrivals",),  # protobuf, which the package onnx reads files with.
    "skl2onnx": ("sklearn",),
    "torch": (),
    "keras": (),  # Models of these two are what users bring, too.
    "dask": (),  # Executors are what users bring.
    "distributed": (),
    "scipy": (),
}


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
            skips = here in ("linalg", "nn", "api") and there in ("simd", "kernels")
            if not down or (skips and target != "csrc/kernels/kernels.h"):
                yield f"{path} includes {target}"


def defined_outside_api(files):
    """Public functions that are not in csrc/api, but for what only the kernels know."""
    headers = "".join(text for path, text in files.items() if path in PUBLIC)
    public = set(re.findall(r"\b(bp_\w+)\)?\(", without_comments(headers)))
    for path, text in files.items():
        names = re.findall(r"^\w.*?\b(bp_\w+)\)?\([^;{]*\)\n\{", text, re.MULTILINE)
        for name in public & set(names):
            if not path.startswith("csrc/api/") and not name.startswith("bp_isa_"):
                yield f"{path} defines {name}"


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
    """bp_* functions that bpcore.h, binding.pxd and, of both precisions, bpcore_either.h lack."""
    header = without_comments(files["csrc/bpcore.h"])
    both = re.findall(
        r"\bBP_NAME\((bp_\w+)\)\(", without_comments(files["csrc/bpcore_functions.h"])
    )
    either = files["csrc/bpcore_either.h"].replace("\\\n", "")
    chosen = re.findall(
        r"#define (\w+)\(itemsize, \.\.\.\) +BP_EITHER\(itemsize, \1, __VA_ARGS__\)", either
    )
    helpers = re.findall(r"\binline \w+ (bp_\w+)\(", either)
    declared = {*re.findall(r"\b(bp_\w+)\(", header), *both, *helpers}
    bound = set(re.findall(r"\b(bp_\w+)\(", re.sub(r"#.*", "", files["bpcore/_core/binding.pxd"])))
    yield from sorted((declared ^ bound) | (set(both) ^ set(chosen)))


def module_of(path):
    """The parts of a module's name: bpcore/a/__init__.py is ["bpcore", "a"]."""
    return path.removesuffix(".py").removesuffix("/__init__").split("/")


def imports(path, text):
    """(module or name in one, is it outside of functions) for each import that runs, in full."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
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


def room_of(module):
    """The room of a module's parts; bpcore itself is one, above those that it shows."""
    return module[1] if len(module) > 1 else module[0]


def other_rooms(path, text):
    """The rooms that a file imports beside its own."""
    parts = [name.split(".") for name, _ in imports(path, text)]
    rooms = {room_of(of) for of in parts if of[0] == "bpcore"}
    # A name that is no room is one that bpcore defines.
    return {room if room in ROOMS else "bpcore" for room in rooms} - {room_of(module_of(path))}


def forbidden_imports(files):
    for path, text in files.items():
        here = room_of(module_of(path))
        for there in sorted(other_rooms(path, text) - set(ROOMS.get(here, ()))):
            yield f"{path} imports {there}"
        for name, at_top in imports(path, text):
            outside = name.partition(".")[0]
            wrong = here not in OPTIONAL.get(outside, (here,))
            wrong |= outside in OPTIONAL and at_top and here != "sklearn"
            wrong |= here == "reference" and outside not in (*REFERENCE_USES, "bpcore")
            if wrong:
                yield f"{path} imports {name}" + " at the top level" * at_top


def unused_allowances(files):
    """What the table allows and no file does."""
    used = {}
    for path, text in files.items():
        used.setdefault(room_of(module_of(path)), set()).update(other_rooms(path, text))
    for here, there in used.items():
        for room in sorted({*ROOMS.get(here, ())} - there):
            yield f"{here} never imports {room}"


def circles(files):
    """Modules that import each other in a circle, in functions, too."""
    modules = {".".join(module_of(path)): path for path in files}
    arrows = {}
    for module, path in modules.items():
        names = {name for name, _ in imports(path, files[path])}
        found = {name if name in modules else name.rpartition(".")[0] for name in names}
        arrows[module] = (found & set(modules)) - {module}
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        yield " <- ".join(error.args[1])


def floors(rooms):
    """The floor of each room, one above the highest that it imports, if they can be stacked."""
    heights = {}
    for room in TopologicalSorter(rooms).static_order():
        heights[room] = 1 + max((heights[below] for below in rooms[room]), default=0)
    return heights


def binding_imports(files):
    """Imports of the package in the binding, which is Cython, so that ast cannot read it."""
    for text in files.values():
        yield from re.findall(r"^\s*(?:from\s+(?:\.|bpcore)|import\s+bpcore).*", text, re.MULTILINE)


def c_functions(text):
    """(name, lines) of each function: its braces stand alone at the beginnings of lines."""
    lines = text.split("\n")
    for opening in (i for i, line in enumerate(lines) if line == "{"):
        first = opening
        while first > 0 and re.match(r"[\w ]", lines[first - 1]):
            first -= 1
        head = "".join(lines[first:opening])
        name = re.search(r"(\w+)\)?\(", re.sub(r"\b[A-Z_]+\((?=bp_|[a-z])", "", head))
        yield name[1], lines.index("}", opening) - first + 1


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            doc = node.body[0].end_lineno - node.body[0].lineno + 1
            yield node.name, node.end_lineno - node.lineno + 1 - doc * bool(ast.get_docstring(node))


def cython_functions(text):
    """The same of Cython, which ast cannot read: a head, and all lines that are deeper."""
    for found in re.finditer(r"^( *)(?:c|cp)?def [^\n(]*?(\w+)\(", text, re.MULTILINE):
        deeper = re.compile(rf".*\n(?:{found[1]} +.*\n|\n)*")
        yield found[2], deeper.match(text, found.start())[0].rstrip().count("\n") + 1


def long_functions(files):
    readers = {".py": python_functions, ".pyx": cython_functions}
    for path, text in files.items():
        for name, lines in readers.get(Path(path).suffix, c_functions)(text):
            if lines > LONGEST and f"{path} {name}" not in LISTS:
                yield f"{path} {name} has {lines} lines, more than {LONGEST}"


def tabs(files):
    yield from (path for path, text in files.items() if "\t" in text)


C = ("csrc/**/*.[ch]",)
PYTHON = ("bpcore/**/*.py",)
CODE = (*C, *PYTHON, "bpcore/**/*.pyx", "tests/c/*.[ch]")
TEXT = (*C, *PYTHON, "bpcore/_core/*.p[xy][xdi]", "tests/**/*.py", "tests/**/*.[ch]")
HEADERS = ("csrc/bpcore*.h", "bpcore/_core/binding.pxd")

WORK = "    x = 1;\n" * 60

LAWS = [
    (upward_includes, C, {"csrc/base/threads.c": '#include "../nn/network.h"\n'}),
    (upward_includes, C, {"csrc/linalg/matmul_template.h": '#include "../nn/network.h"\n'}),
    (upward_includes, C, {"csrc/nn/network.h": '#include "../api/door_template.h"\n'}),
    (upward_includes, C, {"csrc/linalg/sparse_template.h": '#include "../simd/vec_avx2.h"\n'}),
    (upward_includes, C, {"csrc/nn/loss_template.h": '#include "../simd/vec_avx2.h"\n'}),
    (upward_includes, C, {"csrc/api/network.c": '#include "../kernels/kernels_template.h"\n'}),
    (
        defined_outside_api,
        C,
        {"csrc/bpcore.h": "int bp_f(int);", "csrc/nn/network.c": "int bp_f(int x)\n{\n}\n"},
    ),
    (
        isa_words,
        C,
        {"csrc/nn/loss_template.h": "sum = _mm256_add_ps(a, b); /* AVX2 */ has_avx2();"},
    ),
    (impure_calls, C, {"csrc/api/network.c": "real *work = malloc(size);"}),
    (impure_calls, C, {"csrc/api/network.c": 'fprintf (stderr, "oops");'}),
    (
        undeclared,
        HEADERS,
        {
            "csrc/bpcore.h": "int bp_old(void); /* bp_not_a_function() */",
            "csrc/bpcore_functions.h": "int BP_NAME(bp_new)(void);",
            "csrc/bpcore_either.h": "",
            "bpcore/_core/binding.pxd": "    int bp_old()  # bp_new()\n",
        },
    ),
    (
        undeclared,
        HEADERS,
        {
            "csrc/bpcore.h": "",
            "csrc/bpcore_functions.h": "int BP_NAME(bp_new)(void);",
            "csrc/bpcore_either.h": "#define bp_new(itemsize, ...) BP_EITHER(itemsize, bp_old)\n",
            "bpcore/_core/binding.pxd": "    int bp_new(size_t itemsize)\n",
        },
    ),
    (forbidden_imports, PYTHON, {"bpcore/reference.py": "from . import _core\n"}),
    (forbidden_imports, PYTHON, {"bpcore/reference.py": "import scipy.special\n"}),
    (forbidden_imports, PYTHON, {"bpcore/network.py": "from . import plotting\n"}),
    (forbidden_imports, PYTHON, {"bpcore/network.py": "from .classic.ann import ANN\n"}),
    (forbidden_imports, PYTHON, {"bpcore/network.py": "def f():\n    from . import sklearn\n"}),
    (forbidden_imports, PYTHON, {"bpcore/_io/a.py": "from ..network import Network\n"}),
    (forbidden_imports, PYTHON, {"bpcore/_training/progress.py": "import tqdm\n"}),
    (forbidden_imports, PYTHON, {"bpcore/network.py": "def f():\n    import matplotlib.pyplot\n"}),
    (forbidden_imports, PYTHON, {"bpcore/datasets/_cats.py": "def f():\n    import scipy.io\n"}),
    (forbidden_imports, PYTHON, {"bpcore/sklearn/_epochs.py": "import scipy.optimize\n"}),
    (forbidden_imports, PYTHON, {"bpcore/new_room.py": "from . import _core\n"}),
    (unused_allowances, PYTHON, {"bpcore/_solvers/a.py": "from .. import _core\n"}),
    (
        circles,
        PYTHON,
        {
            "bpcore/_model/a.py": "from . import b\n",
            "bpcore/_model/b.py": "def f():\n    from .a import g\n",
        },
    ),
    (
        binding_imports,
        ("bpcore/_core/*.pyx",),
        {"bpcore/_core/binding.pyx": "from .network import Network\n"},
    ),
    (long_functions, CODE, {"csrc/api/network.c": f"int f(\n    int x)\n{{\n{WORK}}}\n"}),
    (long_functions, CODE, {"bpcore/network.py": f"def f():\n    x = 0\n{WORK}"}),
    (
        long_functions,
        CODE,
        {"bpcore/_core/binding.pyx": f"cdef f(\n        int x):\n{WORK}x = f(1)\n"},
    ),
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


def test_the_rooms_stand_on_few_floors():
    assert max(floors(ROOMS).values()) <= MAX_FLOORS
    rooms = {"a": (), "b": ("a",), "c": ("a", "b"), "d": ()}
    assert floors(rooms) == {"a": 1, "b": 2, "c": 3, "d": 1}


def test_every_room_is_in_the_table():
    found = {room_of(module_of(path)) for path in read(*PYTHON)}
    assert found == set(ROOMS)


# ---- docs/architecture.md and its picture --------------------------------------------------------

PAGE = ROOT / "docs/architecture.md"


def table_rows(text):
    """The cells of each row of the tables in a page."""
    lines = re.findall(r"^\|(.*)\|$", text, re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def quoted(text):
    return re.findall(r"`([^`]+)`", text)


def place(name):
    """The file or folder that a page calls so, or None."""
    folders = (ROOT, ROOT / "bpcore", ROOT / "csrc")
    return next((folder / name for folder in folders if (folder / name).exists()), None)


def defines(path, name):
    """Does a file define a name: after a word for it, or in a line of its top level?"""
    head = r"^(?:\s*(?:def|class|cdef \w+) |(?!from|import)(?=[a-zA-Z#]).*)"
    return re.search(rf"{head}\b{name}\b", path.read_text("utf-8"), re.MULTILINE)


def untrue(page):
    """Files that a page names and that are not; names that no file of their sentence defines."""
    for sentence in re.split(r"[.;|]\s", page):
        names = [name for name in quoted(sentence) if re.fullmatch(r"[\w./]+", name)]
        files = [name for name in names if re.search(r"/|\.(?:py|pyx|c|h|md)$", name)]
        yield from (name for name in files if not place(name))
        found = [path for path in map(place, files) if path and path.is_file()]
        for name in {name.rpartition(".")[2] for name in names if name not in files}:
            if found and not any(defines(path, name) for path in found):
                yield f"{name} is not in {', '.join(path.name for path in found)}"


needs_docs = pytest.mark.skipif(not PAGE.exists(), reason="the documentation is not here")


@needs_docs
def test_the_page_has_every_room_on_its_floor():
    rows = table_rows(PAGE.read_text("utf-8"))
    shown = {room.rstrip("/"): int(row[0]) for row in rows if row[0].isdecimal()
             for room in quoted(row[1])}  # fmt: skip
    assert shown == {{"bpcore": "__init__"}.get(room, room): n for room, n in floors(ROOMS).items()}
    names = [quoted(row[0])[0] for row in rows if re.fullmatch(r"`\w+/`", row[0])]
    assert names == [f"{room}/" for room in reversed(FLOORS)]


@needs_docs
def test_the_page_names_files_and_functions_that_are_there():
    assert list(untrue(PAGE.read_text("utf-8"))) == []
    assert list(untrue("| what | `nowhere` in `_inputs/check.py`, `_inputs/none.py` |")) == [
        "_inputs/none.py",
        "nowhere is not in check.py",
    ]


@pytest.fixture
def maker():
    path = ROOT / "docs/make_architecture.py"
    if not path.exists():
        pytest.skip("the documentation is not here")
    return load(path)


def test_the_picture_shows_the_way_of_a_row(maker):
    assert maker.complaints() == []
    drawn = maker.drawn(maker.stops())
    assert drawn == maker.PICTURE.read_text("utf-8"), "python docs/make_architecture.py draws it"


@pytest.mark.parametrize("way", ["DOWN", "BACK"])
def test_a_wrong_step_of_the_two_ways_in_c_is_found(maker, way):
    steps = getattr(maker, way)[:: -1 if way == "BACK" else 1]
    for i in range(1, len(steps) - 1):
        elsewhere = [*steps[:i], ("csrc/nn/network.h", *steps[i][1:]), *steps[i + 1 :]]
        assert list(maker.broken(elsewhere)), steps[i]
        swapped = [*steps[:i], steps[i + 1], steps[i], *steps[i + 2 :]]
        assert list(maker.broken(swapped)), steps[i]


def test_a_wrong_step_of_the_way_in_python_is_found(maker):
    seen = [(path, function) for path, function, _ in maker.IN_PYTHON]
    assert list(maker.unseen(maker.IN_PYTHON, seen)) == []
    assert list(maker.unseen(maker.IN_PYTHON, seen[::-1]))
    assert list(maker.unseen(maker.IN_PYTHON, seen[:-1]))
    assert list(maker.unseen(maker.IN_PYTHON, [*seen, ("bpcore/plotting.py", "costs")]))


def absent_tests(files):
    """Tests that programs name, and that are not there."""
    for path, text in files.items():
        text = re.sub(r'"\s*"', "", text)  # Names that are written in two pieces.
        for file, name in re.findall(r"(tests/[\w/]+\.py)(?:::(\w+))?", text):
            there = (ROOT / file).exists() and (ROOT / file).read_text("utf-8")
            if there is False or (name and f"def {name}(" not in there):
                yield f"{path} names {file}{'::' * bool(name)}{name}"


def test_tools_name_tests_that_are_there():
    assert list(absent_tests(read("tools/*.py"))) == []
    planted = {"t.py": '"tests/test_none.py", "tests/test_files.py::" "test_nothing"'}
    assert len(list(absent_tests(planted))) == 2
