"""The site of the documentation: what is on it, and where its links lead.

The quick tests need the standard library alone; numpydoc and Sphinx, where they are asked for, come
with ``pip install -e ".[docs]"``.
"""

import html.parser
import importlib
import inspect
import posixpath
import re
import shutil
import subprocess
import sys
import urllib.parse

import pytest

import bpcore
from tests.programs import ROOT, load

site_pages = load(ROOT / "docs" / "site_pages.py")
GALLERY = sorted((ROOT / "docs" / "gallery").glob("*.py"))
NO_SPHINX = 'the site needs pip install -e ".[docs]"'


# ---- Pages ---------------------------------------------------------------------------------------


def trees(pages):
    """The pages that the navigation leads to: those of toctrees, by their paths from docs/."""
    for page, text in pages.items():
        for block in re.findall(r"```\{toctree\}\n:hidden:\n\n(.*?)\n```", text, re.S):
            for below in block.split("\n"):
                yield posixpath.normpath(posixpath.join(posixpath.dirname(page), below))


def test_the_navigation_leads_to_every_page_once():
    docs = ROOT / "docs"
    written = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    pages = site_pages.pages()
    expected = written - {"README.md"} - site_pages.MADE | pages.keys() - {"index.md"}
    assert sorted(trees(pages)) == sorted(expected | {"examples/index.rst"})


@pytest.mark.parametrize(
    ("link", "file", "page", "expected"),
    [
        ("[a](guide/files.md#b)", "docs/sklearn.md", "sklearn.md", "[a](guide/files.md#b)"),
        ("[a](none.md)", "docs/guide/x.md", "guide/x.md", "[a](none.md)"),
        ("[a](../docs/sklearn.md)", "examples/README.md", "project/p.md", "[a](../sklearn.md)"),
        ("![a](docs/images/rooms.svg)", "README.md", "index.md", "![a](images/rooms.svg)"),
        ('<img src="docs/sklearn.md">', "README.md", "index.md", '<img src="sklearn.md">'),
        ("[a](../../README.md#b)", "docs/guide/x.md", "guide/x.md", "[a](../index.md#b)"),
        ("[a](README.md#guide)", "docs/x.md", "x.md", "[a](guide.md)"),
        ("[a](../CHANGELOG.md)", "docs/x.md", "x.md", "[a](project/changelog.md)"),
        ("[a](gallery/pipeline.py)", "docs/x.md", "x.md", "[a](examples/pipeline.rst)"),
        ("[a](#b) [c](https://d/e.md)", "docs/x.md", "x.md", "[a](#b) [c](https://d/e.md)"),
        ("[a](../setup.py)", "docs/x.md", "x.md", "a (`setup.py`)"),
        ("[`setup.py`](../setup.py)", "docs/x.md", "x.md", "`setup.py`"),
        ("```\n[a](../setup.py)\n```", "docs/x.md", "x.md", "```\n[a](../setup.py)\n```"),
    ],
)
def test_a_link_between_files_becomes_one_between_pages(link, file, page, expected, monkeypatch):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    assert site_pages.linked(link, file, page) == expected


def test_the_playground_has_its_place_where_it_exists(monkeypatch):
    monkeypatch.setattr(site_pages, "PLAYGROUND", "web/none.html")
    assert "playground/index.md" not in set(trees(site_pages.pages()))
    monkeypatch.setattr(site_pages, "PLAYGROUND", "web/core.js")
    assert "playground/index.md" in set(trees(site_pages.pages()))
    link = site_pages.linked("[a](../../web/core.js)", "docs/guide/x.md", "guide/x.md")
    assert link == "[a](../playground/index.md)"


def test_a_workflow_links_other_files_to_the_commit_that_it_builds(monkeypatch):
    for name, value in dict(SERVER_URL="https://host", REPOSITORY="a/b", SHA="c0ffee").items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    text = site_pages.linked("[a](../setup.py)", "docs/x.md", "x.md")
    assert text == "[a](https://host/a/b/blob/c0ffee/setup.py)"


# ---- Reference -----------------------------------------------------------------------------------


def listed_modules():
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    return site_pages.modules(index[index.index("## Reference") : index.index("## How it works")])


def public_names(module):
    """{name: value} of what a module offers, other modules apart."""
    names = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (isinstance(value, dict) or getattr(value, "__module__", "") == module.__name__)
    ]
    values = {name: getattr(module, name) for name in names}
    return {name: value for name, value in values.items() if not inspect.ismodule(value)}


def test_the_reference_lists_every_public_module():
    modules = [name for name in bpcore.__all__ if inspect.ismodule(getattr(bpcore, name))]
    expected = ["bpcore", "bpcore.sklearn", *(f"bpcore.{name}" for name in modules)]
    assert sorted(listed_modules()) == sorted(expected)


def described(path, value):
    """(path, object) of a name, and of the functions and properties of a class of bpcore."""
    if not callable(value):
        return
    yield path, value
    for name in dir(value) if inspect.isclass(value) else ():
        member = getattr(value, name)
        function = inspect.unwrap(member.fget if isinstance(member, property) else member)
        is_ours = (getattr(function, "__module__", None) or "").startswith("bpcore")
        if not name.startswith("_") and inspect.isroutine(function) and is_ours and member.__doc__:
            yield f"{path}.{name}", member


# Sections that are unknown or in another order, parameters that do not exist or are in another
# order, a type that is a sentence, no summary: what makes a page of the reference wrong.
WRONG = {"GL06", "GL07", "PR02", "PR03", "PR05", "SS01"}


def complaints(path, value):
    """What numpydoc finds wrong with a docstring, and fields that are paragraphs gone astray."""
    from numpydoc.docscrape import NumpyDocString
    from numpydoc.validate import validate

    for code, text in validate(path)["errors"]:
        if code in WRONG:
            yield f"{path}: {text}"
    parsed = NumpyDocString(inspect.getdoc(value))
    for section in ("Parameters", "Returns", "Raises", "Attributes"):
        for name, kind, _ in parsed[section]:
            if f"{name}{kind}".endswith(".") or ". " in f"{name} {kind}":
                yield f"{path}: {section} has a paragraph, {name or kind!r}: make it Notes"


@pytest.mark.parametrize("name", listed_modules())
def test_every_public_docstring_is_one_of_numpydoc(name):
    pytest.importorskip("numpydoc", reason=NO_SPHINX)
    if name == "bpcore.sklearn":
        pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    offered = public_names(importlib.import_module(name))
    found = [pair for public in offered for pair in described(f"{name}.{public}", offered[public])]
    assert found
    assert [complaint for pair in found for complaint in complaints(*pair)] == []


def misdescribed(x):
    """Do nothing.

    Parameters
    ----------
    y : int
        Not there.

    Raises
    ------
    ValueError
        Never.

    A paragraph gone astray.
    """


def test_a_wrong_docstring_is_noticed():
    pytest.importorskip("numpydoc", reason=NO_SPHINX)
    bpcore.misdescribed = misdescribed
    try:
        found = " ".join(complaints("bpcore.misdescribed", misdescribed))
    finally:
        del bpcore.misdescribed
    assert "Unknown parameters {'y'}" in found
    assert "Raises has a paragraph, 'A paragraph gone astray.'" in found


# ---- Gallery -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_an_example_has_a_title_and_compiles(path):
    text = path.read_text("utf-8")
    compile(text, path, "exec")
    title, line = text.splitlines()[1:3]
    assert line == "=" * len(title)


# ---- The whole site ------------------------------------------------------------------------------


class Page(html.parser.HTMLParser):
    """Targets of links, addresses of what a page loads, and its anchors."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loaded, self.anchors = [], [], {""}
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors |= {given[key] for key in ("id", "name") if given.get(key)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        elif tag in ("img", "script", "link", "source", "iframe"):
            self.loaded += [given[key] for key in ("src", "href") if given.get(key)]


def broken(site):
    """Complaints: links of the pages of a folder to nowhere, and what comes from other hosts."""
    files = [path.resolve() for path in site.rglob("*.html")]
    # The theme leaves a template among its scripts.
    pages = {path: Page(path) for path in files if "_static" not in path.parts}
    for path, page in pages.items():
        for target in page.links + page.loaded:
            url = urllib.parse.urlsplit(target)
            if url.scheme or url.netloc:
                if target in page.loaded and url.scheme != "data":
                    yield f"{path.name} loads {target}"
                continue
            there = (path.parent / urllib.parse.unquote(url.path)).resolve() if url.path else path
            if not there.exists():
                yield f"{path.name} links to {target}"
            elif there in pages and urllib.parse.unquote(url.fragment) not in pages[there].anchors:
                yield f"{path.name} links to {target}, where no such anchor is"


def test_a_link_to_nowhere_is_noticed(tmp_path):
    (tmp_path / "a.html").write_text('<p id="x"><a href="b.html#y">b</a><a href="#x">c</a></p>')
    (tmp_path / "b.html").write_text('<a href="d.html">d</a><script src="https://e/f.js"></script>')
    assert sorted(broken(tmp_path)) == [
        "a.html links to b.html#y, where no such anchor is",
        "b.html links to d.html",
        "b.html loads https://e/f.js",
    ]


def build(copy):
    """The finished process of the command of CONTRIBUTING.md."""
    command = "-m sphinx -W --keep-going -b html docs build/site".split()
    return subprocess.run([sys.executable, *command], cwd=copy, capture_output=True, text=True)


@pytest.mark.long
def test_the_site_builds_without_a_warning_and_its_links_lead_somewhere(tmp_path):
    pytest.importorskip("sphinx_gallery", reason=NO_SPHINX)
    from sphinx.util.inventory import InventoryFile

    copy = tmp_path / "copy"
    others = ".git .venv .*_cache build *.so __pycache__ node_modules target".split()
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*others))
    for folder in {page.partition("/")[0] for page in site_pages.MADE if "/" in page} | {"api"}:
        shutil.rmtree(copy / "docs" / folder, ignore_errors=True)  # What an earlier build has left.
    done = build(copy)
    assert done.returncode == 0, done.stderr
    site = copy / "build" / "site"
    assert list(broken(site)) == []

    objects = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="").data
    there = {name for kind, names in objects.items() if kind.startswith("py:") for name in names}
    for module in listed_modules():
        names = public_names(importlib.import_module(module))
        assert [name for name in names if f"{module}.{name}" not in there] == []

    with (copy / "docs" / "testing.md").open("a") as page:
        page.write("\n[no page](nowhere.md), [no heading](performance.md#nothing), $\\nonsense$\n")
    done = build(copy)
    assert done.returncode != 0
    for fault in ("nowhere.md", "nothing", "nonsense"):
        assert fault in done.stderr
