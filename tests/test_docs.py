"""What the documentation shows runs, and what it points to exists.

The convention of guide and course: the ``python`` blocks of a page run in order, in one namespace
and an empty folder. What a block prints stands in a ``text`` block right after it, where ``...``
stands for anything; a block without one prints nothing. A block that needs an optional package is
only compiled where that package is missing. Other ``text`` blocks are not looked at.
"""

import contextlib
import doctest
import importlib
import importlib.util
import io
import pkgutil
import re

import numpy as np
import pytest

import bpcore
from bpcore import datasets
from bpcore.datasets import _fetch
from tests import real_data
from tests.programs import ROOT, load

MADE = {ROOT / "docs" / page for page in load(ROOT / "docs" / "site_pages.py").MADE}
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PAGES += sorted({*(ROOT / "docs").rglob("*.md")} - MADE)  # Not what Sphinx makes of others.
PAGES += [ROOT / "examples" / "README.md", *sorted(ROOT.glob("examples/*/README.md"))]
# Those of the estimators are tried where scikit-learn is.
APART = ("bpcore.__main__",)
if importlib.util.find_spec("sklearn") is None:
    APART += ("bpcore.sklearn",)
FOUND = [module.name for module in pkgutil.walk_packages(bpcore.__path__, "bpcore.")]
MODULES = ["bpcore", *(name for name in FOUND if not name.startswith(APART))]


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def links(text):
    """Targets of Markdown links and images, without anchors, that are no web addresses."""
    prose = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.S)
    targets = re.findall(r"\]\(([^)#]*)(?:#[^)]*)?\)", prose)
    targets += re.findall(r'<img src="([^"]*)"', prose)
    return [target for target in targets if target and "://" not in target]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page):
    missing = [target for target in links(page.read_text()) if not (page.parent / target).exists()]
    assert missing == []


def test_the_index_of_the_documentation_leads_to_every_page():
    folder = ROOT / "docs"
    shown = {(folder / target).resolve() for target in links((folder / "README.md").read_text())}
    pages = {*folder.glob("*.md"), *folder.glob("guide/*.md"), *folder.glob("course/*.md")}
    pages = {*pages, folder / "notebooks" / "README.md"} - {folder / "README.md"}
    assert sorted(pages - shown - MADE) == []


def test_links_sees_a_link_to_nowhere():
    text = '[a](b.md#c), ![d](e.png), [f](https://g), [h](#i), `x[0](j)`, <img src="k.png" alt="">'
    assert links(text) == ["b.md", "e.png", "k.png"]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_named_file_of_the_project_exists(page):
    names = re.findall(r"`((?:csrc|bpcore|tests|benchmarks|docs)/[\w/.]+\.\w+)`", page.read_text())
    made_up = "xyz"  # The instruction set that adding_an_isa.md adds.
    assert [n for n in names if made_up not in n and not (ROOT / n).exists()] == []


def test_links_on_the_tutorials_names_lead_to_the_tutorials():
    text = (ROOT / "README.md").read_text("utf-8")
    shown = dict(re.findall(r"\[([^]]*)\]\(([^)]*)\)", text))
    assert shown["A Developer Diary"] == (
        "https://adeveloperdiary.github.io/posts/machine%20learning/algorithm/"
        "understand-and-implement-the-backpropagation-algorithm-from-scratch-in-python/"
    )
    assert shown["chapter 2"] == "http://neuralnetworksanddeeplearning.com/chap2.html"
    assert shown["`network.py`"] == "https://github.com/mnielsen/neural-networks-and-deep-learning"


def asks_for_an_index(text):
    """Commands that install bpcore from a package index, where a checkout or a wheel may be all."""
    return re.findall(r"pip\s+install\s+(?:-\S+\s+)*[\"']?bpcore\S*", text)


def test_what_is_asked_to_be_installed_is_what_is_missing():
    """An optional package by its own name: bpcore[plot] is right only where an index has bpcore."""
    assert len(asks_for_an_index('pip install bpcore[x]; pip\ninstall -U "bpcore"')) == 2
    paths = [*PAGES, ROOT / "CHANGELOG.md", *(ROOT / "bpcore").rglob("*.py")]
    found = {name_of(path): asks_for_an_index(path.read_text("utf-8")) for path in paths}
    assert {name: commands for name, commands in found.items() if commands} == {}


def test_the_lines_of_code_in_backprop_are_those_of_the_sources():
    sources = [ROOT / "bpcore" / "reference.py"]
    sources += sorted(ROOT.glob("csrc/*/*.h"))
    code = "".join(re.sub(r"\s+", "", path.read_text()) for path in sources)
    blocks = re.findall(r"```\w+\n(.*?)```", (ROOT / "docs" / "backprop.md").read_text(), re.S)
    assert len(blocks) > 10
    for block in blocks:
        for statement in re.split(r"\n(?=\S)", block.strip()):
            assert re.sub(r"\s+", "", statement) in code, statement


def anchors(text):
    """The anchors that a page's headings have on the code host."""
    prose = re.sub(r"```.*?```", "", text, flags=re.S)
    headings = re.findall(r"^#+ (.*)$", prose, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_to_a_section_finds_its_heading(page):
    prose = re.sub(r"```.*?```|`[^`]*`", "", page.read_text("utf-8"), flags=re.S)
    missing = []
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]*)\)", prose):
        there = (page.parent / target) if target else page
        if there.suffix == ".md" and anchor not in anchors(there.read_text("utf-8")):
            missing.append(f"{target}#{anchor}")
    assert missing == []


def test_the_pictures_of_the_course_are_what_their_script_draws():
    maker = load(ROOT / "docs" / "make_course.py")
    for name, draw in maker.PICTURES.items():
        kept = (maker.IMAGES / name).read_text("utf-8")
        assert kept == draw(), "python docs/make_course.py draws them anew"
    assert "0.6207" in maker.backward_pass()  # sigmoid(0.4927), by hand


def examples(module):
    """{name: doctest} of the docstrings of a module that have examples."""
    found = doctest.DocTestFinder().find(importlib.import_module(module))
    return {test.name: test for test in found if test.examples}


EXAMPLES = {name: test for module in MODULES for name, test in examples(module).items()}
LOADERS = {"load_mnist": real_data.mnist, "load_catvnoncat": real_data.cats}
ON_DATA = [name for name in EXAMPLES if any(load in EXAMPLES[name].docstring for load in LOADERS)]


def run_examples(name):
    """Run one docstring's examples, or skip the test where the data is missing that they load."""
    test = EXAMPLES[name]
    for name_of_loader, find in LOADERS.items():
        if name_of_loader in test.docstring:
            find()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    return runner.run(test, clear_globs=False)


@pytest.mark.parametrize("name", EXAMPLES)
def test_docstring_examples_run(name):
    result = run_examples(name)
    assert (result.failed, result.attempted) == (0, len(EXAMPLES[name].examples))


@pytest.fixture
def no_data(tmp_path, monkeypatch):
    monkeypatch.setenv("BPCORE_DATA", str(tmp_path))
    monkeypatch.setattr(_fetch, "cache_folder", lambda: str(tmp_path))


@pytest.mark.parametrize("name", ON_DATA)
def test_examples_whose_data_is_missing_are_skipped(name, no_data):
    with pytest.raises(pytest.skip.Exception):
        run_examples(name)


def test_each_data_set_is_missing_by_itself(no_data, monkeypatch):
    """The cache holds MNIST after ``bpcore mnist58``, and never the cats."""
    for name in ("load_mnist", "load_mnist58"):
        monkeypatch.setattr(datasets, name, lambda **settings: "MNIST")
    assert (real_data.mnist(), real_data.mnist58()) == ("MNIST", "MNIST")
    assert len(ON_DATA) >= 3
    (of_cats,) = (name for name in ON_DATA if name.endswith("load_catvnoncat"))
    with pytest.raises(pytest.skip.Exception):
        run_examples(of_cats)


def test_a_damaged_file_in_the_cache_is_missing_data(no_data, tmp_path, monkeypatch):
    monkeypatch.delenv("BPCORE_DATA")
    for name in _fetch.SHA256:
        (tmp_path / name).write_bytes(b"damaged")
    with pytest.raises(pytest.skip.Exception):
        real_data.mnist()


def test_the_readme_snippet_runs(tmp_path, monkeypatch):
    real_data.mnist()
    (snippet,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    monkeypatch.chdir(tmp_path)
    printed, names = io.StringIO(), {}
    with contextlib.redirect_stdout(printed):
        exec(compile(snippet, "README.md", "exec"), names)
    figures = names["net"].evaluate(names["X_test"], names["y_test"])
    assert repr(figures) in printed.getvalue()
    assert figures["accuracy"] > 0.95
    assert max(names["net"].check_gradients(names["X"][:10], names["y"][:10])) < 1e-5
    assert np.shape(names["dW"][0]) == (30, 784)


ROOMS = [ROOT / "docs" / "guide", ROOT / "docs" / "course"]
GUIDE = [page for room in ROOMS for page in sorted(room.glob("*.md"))]
GUIDE += [ROOT / "docs" / "coming_from.md"]
OPTIONAL = {"dask", "distributed", "h5py", "keras", "matplotlib", "mpi4py", "onnx", "pandas"}
OPTIONAL |= {"pyarrow", "scipy", "sklearn", "torch", "tqdm", "zarr"}
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n?^```text\n(.*?)^```\n)?", re.M | re.S)


def blocks(text):
    """(line, code, shown) of each python block; shown is None where no text block follows."""
    for found in BLOCK.finditer(text):
        yield text[: found.start()].count("\n") + 2, found[1], found[2]


def needs_what_is_missing(error):
    """Is it an optional package that could not be imported, or whose library is not here?"""
    package = (getattr(error, "name", None) or "").split(".")[0]
    words = ("pip install", "cannot open shared object file")
    return package in OPTIONAL or any(some in str(error) for some in words)


def printed(code, line, names, page):
    """What the block prints, or None where a package that it needs is missing."""
    program = compile("\n" * (line - 1) + code, page, "exec")
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            exec(program, names)
    except (ImportError, OSError, RuntimeError) as error:  # A library: of MPI, of PyTorch.
        if not needs_what_is_missing(error):
            raise
        return None
    return out.getvalue()


def complaints(text, page):
    """Blocks of a page that print something else than it shows."""
    names = {"__name__": "guide"}
    for line, code, shown in blocks(text):
        got = printed(code, line, names, page)
        same = doctest.OutputChecker().check_output
        if got is not None and not same(shown or "", got, doctest.ELLIPSIS):
            yield f"{page}, line {line} prints\n{got}but the page shows\n{shown}"


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BPCORE_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # PyTorch on a busy machine: 50 times as fast.


# Other libraries warn as they please.
OURS_AND_OTHERS = [
    pytest.param(page, marks=pytest.mark.filterwarnings("default"))
    if page.stem == "coming_from"
    else page
    for page in GUIDE
]


@pytest.mark.parametrize("page", OURS_AND_OTHERS, ids=lambda page: page.stem)
def test_the_examples_print_what_the_page_shows(page, empty_folder):
    text = page.read_text("utf-8")
    assert list(blocks(text))
    assert list(complaints(text, page.name)) == []


@pytest.mark.parametrize("page", GUIDE, ids=lambda page: page.stem)
def test_every_python_fence_is_seen_as_a_block(page):
    text = page.read_text("utf-8")
    assert text.count("```python") == len(list(blocks(text)))


def test_a_wrong_page_is_noticed(empty_folder):
    right = "```python\nx = 2\nprint(x)\n```\n\n```text\n2\n```\n"
    assert list(complaints(right, "page")) == []
    assert len(list(complaints(right.replace("2\n```\n", "3\n```\n"), "page"))) == 1
    silent = "```python\nprint(2)\n```\n\nProse.\n\n```text\n2\n```\n"
    assert len(list(complaints(silent, "page"))) == 1
    quiet = "```python\nx = 2\n```\n```text\n2\n```\n"
    assert len(list(complaints(quiet, "page"))) == 1


def test_a_block_may_need_a_missing_package_but_not_a_missing_name(empty_folder):
    def page(code):
        return f"```python\n{code}\n```\n"

    error = ImportError("No module named 'keras'", name="keras")
    assert needs_what_is_missing(error)
    with pytest.raises(ImportError):
        list(complaints(page("from bpcore import nothing_of_this_name"), "page"))
    with pytest.raises(SyntaxError):
        list(complaints(page("import keras; x ="), "page"))
