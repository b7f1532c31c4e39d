"""Write docs/notebooks/*.ipynb from the texts beside them: ``python docs/make_notebooks.py``.

The texts are programs with cells of Markdown, as jupytext's py:percent format has them. A notebook
is its text, run once; a test compares the cells, and at length what they print. It needs
``pip install jupytext nbclient ipykernel matplotlib h5py`` and the data.
"""

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "notebooks"
# What a viewer needs to know, and nothing of the machine on which the notebook was run.
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def texts():
    return sorted(FOLDER.glob("*.py"))


def from_text(path):
    """The notebook that a text describes, without outputs; cells are named by their number."""
    import jupytext

    notebook = jupytext.read(path, fmt="py:percent")
    notebook.metadata = METADATA
    for i, cell in enumerate(notebook.cells):
        tags = cell.metadata.get("tags")
        cell.id, cell.metadata = f"cell-{i}", {"tags": tags} if tags else {}
    return notebook


def without_photographs(notebook):
    """The notebook, less the pictures of cells that show photographs of others."""
    for cell in notebook.cells:
        if "photographs" in cell.metadata.get("tags", []):
            cell.outputs = [output for output in cell.outputs if output.output_type == "stream"]
    return notebook


def main(names):
    """Write and run the notebooks of these names, or all."""
    import nbclient
    import nbformat

    for path in texts():
        if not names or path.stem in names:
            notebook = from_text(path)
            nbclient.NotebookClient(notebook, record_timing=False, coalesce_streams=True).execute()
            notebook.metadata = METADATA
            nbformat.write(without_photographs(notebook), path.with_suffix(".ipynb"))


if __name__ == "__main__":
    main(sys.argv[1:])
