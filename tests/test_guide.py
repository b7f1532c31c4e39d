"""The guide's examples run and print what the pages show.

The convention: the ``python`` blocks of a page run in order, in one namespace and an empty folder.
What a block prints stands in a ``text`` block right after it, where ``...`` stands for anything; a
block without one prints nothing. A block that needs an optional package is only compiled where that
package is missing. Other ``text`` blocks are not looked at.
"""

import contextlib
import doctest
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted((ROOT / "docs" / "guide").glob("*.md")), ROOT / "docs" / "coming_from.md"]
PAGES = [page for page in PAGES if page.exists()]
OPTIONAL = {"h5py", "keras", "matplotlib", "scipy", "sklearn", "torch", "tqdm"}
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n?^```text\n(.*?)^```\n)?", re.M | re.S)


def blocks(text):
    """(line, code, shown) of each python block; shown is None where no text block follows."""
    for found in BLOCK.finditer(text):
        yield text[: found.start()].count("\n") + 2, found[1], found[2]


def needs_what_is_missing(error):
    """Is it an optional package that could not be imported?"""
    package = (error.name or "").split(".")[0]
    return package in OPTIONAL or "pip install" in str(error)


def printed(code, line, names, page):
    """What the block prints, or None where a package that it needs is missing."""
    program = compile("\n" * (line - 1) + code, page, "exec")
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            exec(program, names)
    except ImportError as error:
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
    for page in PAGES
]


@pytest.mark.parametrize("page", OURS_AND_OTHERS, ids=lambda page: page.stem)
def test_the_examples_print_what_the_page_shows(page, empty_folder):
    text = page.read_text("utf-8")
    assert list(blocks(text))
    assert list(complaints(text, page.name)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
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
