"""The notebooks of the tutorials are their texts, and print what they show."""

import contextlib
import copy
import io
import json

import pytest

from tests import real_data
from tests.bits import needs_fused
from tests.programs import ROOT, load
from tests.tutorials import NUMBER, assert_same_outcome

FOLDER = ROOT / "docs" / "notebooks"
DATA = {
    "cats": real_data.cats,
    "fives_and_eights": real_data.mnist58,
    "ten_digits": real_data.mnist,
}


def notebook(name):
    return json.loads((FOLDER / f"{name}.ipynb").read_text("utf-8"))


def cells(notebook):
    """(id, kind, text, tags) of each cell; nbformat keeps a text as a list of its lines."""
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        yield cell["id"], cell["cell_type"], text, cell["metadata"].get("tags", [])


def printed(cell):
    streams = (output for output in cell["outputs"] if output["output_type"] == "stream")
    return "".join(line for stream in streams for line in stream["text"])


def figures(text):
    """What assert_same_outcome compares: the text with # for numbers, and the numbers."""
    return NUMBER.sub("#", text), [float(number) for number in NUMBER.findall(text)], []


def test_there_is_a_notebook_for_each_text_and_none_without():
    for suffix in ("py", "ipynb"):
        assert sorted(path.stem for path in FOLDER.glob(f"*.{suffix}")) == sorted(DATA)


@pytest.mark.parametrize("name", DATA)
def test_a_notebook_is_valid_and_has_the_cells_of_its_text(name):
    pytest.importorskip("jupytext", reason="jupytext is not installed: pip install jupytext")
    import nbformat

    kept = notebook(name)
    nbformat.validate(kept)
    maker = load(ROOT / "docs" / "make_notebooks.py")
    made = list(cells(maker.from_text(FOLDER / f"{name}.py")))
    assert list(cells(kept)) == made, "python docs/make_notebooks.py writes it anew"
    changed = copy.deepcopy(kept)
    changed["cells"][-1]["source"][-1] += " "
    assert list(cells(changed)) != made


def test_no_notebook_keeps_a_photograph():
    tagged = [cell for cell in notebook("cats")["cells"] if cell["metadata"].get("tags")]
    assert len(tagged) == 2
    assert "image/png" not in json.dumps(tagged)


@pytest.mark.long
@needs_fused
@pytest.mark.parametrize("name", DATA)
def test_a_notebook_prints_what_it_shows(name, monkeypatch):
    DATA[name]()
    monkeypatch.setenv("MPLBACKEND", "agg")
    plt = pytest.importorskip("matplotlib.pyplot", reason="pip install matplotlib")
    shown, names = 0, {"__name__": "__main__"}
    try:
        for cell in notebook(name)["cells"]:
            if cell["cell_type"] == "code":
                with contextlib.redirect_stdout(io.StringIO()) as out:
                    exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
                assert_same_outcome(figures(out.getvalue()), figures(printed(cell)))
                shown += len(printed(cell))
    finally:
        plt.close("all")
    assert shown > 300
