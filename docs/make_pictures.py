"""Write the pictures of the guide, docs/images/*.png, by the code that its pages show.

``python docs/make_pictures.py`` runs the python blocks of each page that saves a picture, in order
and in an empty folder, and keeps what they have saved. It needs matplotlib and scikit-learn. The
pixels may differ with matplotlib's version and fonts, so that no test compares them.
"""

import contextlib
import re
import sys
import tempfile
from pathlib import Path

import matplotlib
from PIL import Image  # matplotlib needs it, too.

DOCS = Path(__file__).resolve().parent
DPI = 130  # Sharp on screens of twice the usual density, and small as a file.
BLOCK = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
SAVED = re.compile(r"savefig\(\"(.+?\.png)\"\)")


def pages():
    """{page: names of its pictures}, of all pages of the guide that save one."""
    found = {page: SAVED.findall(page.read_text("utf-8")) for page in DOCS.glob("guide/*.md")}
    return {page: names for page, names in sorted(found.items()) if names}


def draw(page, names, folder):
    """Run the blocks of a page; keep its pictures in ``folder``, an absolute path."""
    code = "\n".join(BLOCK.findall(page.read_text("utf-8")))
    with tempfile.TemporaryDirectory() as empty, contextlib.chdir(empty):
        with matplotlib.rc_context({"savefig.dpi": DPI}), contextlib.redirect_stdout(None):
            exec(compile(code, str(page), "exec"), {"__name__": "guide"})
        for name in names:
            # Of 256 colours: no eye sees the rest, and the file is half as large.
            image = Image.open(name).convert("RGB").quantize(256)
            image.save(Path(folder) / name, optimize=True)


def main(folder=DOCS / "images"):
    """Draw all pictures into a folder."""
    for page, names in pages().items():
        draw(page, names, folder)


if __name__ == "__main__":
    main(*(Path(folder).resolve() for folder in sys.argv[1:]))
