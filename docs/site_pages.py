"""The pages of the site that are made of other files, and links between files as links of pages.

Pages are written for those who read them where the code is: they link to files. In the site a link
to a page leads to the page, and one to another file to the repository, where that is known.
README.md is the index of docs/; each of its sections becomes a page, and a word in the site's
header.
"""

import os
import posixpath
import re
import shutil
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent

# The sections of docs/README.md, and their pages.
SECTIONS = {
    "Learn": "learn.md",
    "In the browser": "playground/index.md",
    "Guide": "guide.md",
    "Gallery": "examples/index.rst",
    "Reference": "reference.md",
    "How it works": "how_it_works.md",
}
# Other files, and the pages that they become.
FILES = {
    "README.md": "index.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "benchmarks/README.md": "project/benchmarks.md",
    "csrc/simd/README.md": "project/vector_words.md",
    "examples/README.md": "project/complete_programs.md",
}
MADE = {*SECTIONS.values(), *FILES.values()}
PLAYGROUND = "web/build/index.html"  # tools/web.py makes it.

FENCE = re.compile(r"(^```.*?^```$)", re.M | re.S)
LINK = re.compile(r"\[((?:[^][]|\[[^][]*\])*)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")
PICTURE = re.compile(r'(?<=\ssrc=")(?![a-z]+:)[^"]+|(?<=\ssrcset=")(?![a-z]+:)[^"]+')
ROW = re.compile(r"^\|[^|[]*\[[^]]*\]\(([^)#]+)\)", re.M)  # A link in the first column of a table.


# ---- Links ---------------------------------------------------------------------------------------


def page_of(file, anchor=""):
    """The page that shows a file of the project, or None; what pages include shows itself."""
    if file == "docs/README.md":
        return {slug(title): page for title, page in sections().items()}.get(anchor, "index.md")
    example = re.fullmatch(r"docs/gallery/(\w+)\.\w+", file)
    if example:
        return f"examples/{example[1].replace('GALLERY_HEADER', 'index')}.rst"
    if file.startswith("docs/") and (ROOT / file).is_file():
        return file.removeprefix("docs/")
    return FILES.get(file) or (sections().get("In the browser") if file == PLAYGROUND else None)


def sections():
    """The sections that there are; the playground may be missing."""
    there = (ROOT / PLAYGROUND).exists()
    return {title: page for title, page in SECTIONS.items() if there or "playground" not in page}


def slug(title):
    """The anchor of a heading."""
    return "#" + title.lower().replace(" ", "-")


def repository():
    """Where the files of the commit are that a workflow builds the site of, or None."""
    names = [f"GITHUB_{name}" for name in ("SERVER_URL", "REPOSITORY", "SHA")]
    known = all(name in os.environ for name in names)
    return "{}/{}/blob/{}".format(*map(os.environ.get, names)) if known else None


def linked(text, file, page):
    """The text of a file as a page: links to files become links to pages."""

    def address(target, anchor=""):
        name = posixpath.normpath(posixpath.join(posixpath.dirname(file), target))
        to = page_of(name, anchor)
        return name, to and posixpath.relpath(to, posixpath.dirname(page) or ".")

    def link(found):
        shown, target, anchor = found.groups(default="")
        name, to = address(target, anchor)
        if name == "docs/README.md":
            anchor = ""
        if not (ROOT / name).exists():
            return found[0]  # Sphinx warns of it.
        if to is None and repository() is None:
            return shown if name in shown else f"{shown} (`{name}`)"
        return f"[{shown}]({to or f'{repository()}/{name}'}{anchor})"

    parts = FENCE.split(text)
    for i in range(0, len(parts), 2):
        parts[i] = LINK.sub(link, parts[i])
        parts[i] = PICTURE.sub(lambda found: address(found[0])[1] or found[0], parts[i])
    return "".join(parts)


# ---- Pages ---------------------------------------------------------------------------------------


def tree(pages):
    """The navigation below a page."""
    return "\n```{toctree}\n:hidden:\n\n" + "\n".join(pages) + "\n```\n"


def section(title, text):
    """The page of a section of docs/README.md; below it are the files that begin its rows."""
    names, page = modules(text), SECTIONS[title]
    text = linked(f"# {title}\n{text}", "docs/README.md", page)
    if title == "Reference":
        return text[: text.index("|")] + summary(names)
    below = [target for target in ROW.findall(text) if target.endswith(".md")]
    return text + tree(below) if below else text


def modules(text):
    """The modules whose files begin the rows of a table."""
    files = [target.removeprefix("../") for target in ROW.findall(text)]
    return [re.sub(r"(/__init__)?\.py$", "", file).replace("/", ".") for file in files]


def summary(names):
    """A table of modules, each with a page of its names, which have pages of their own."""
    lines = [".. autosummary::", "   :toctree: api", "", *(f"   {name}" for name in names)]
    return "```{eval-rst}\n" + "\n".join(lines) + "\n```\n"


def pages():
    """``{page: text}`` of all pages that are made of other files."""
    index = (DOCS / "README.md").read_text("utf-8")
    _, *parts = re.split(r"^## (.*)\n", index, flags=re.M)
    texts = dict(zip(parts[::2], parts[1::2], strict=True))
    there = sections()
    made = {page: section(title, texts[title]) for title, page in there.items()}
    made = {page: text for page, text in made.items() if page.endswith(".md")}
    for file, page in FILES.items():
        made[page] = linked((ROOT / file).read_text("utf-8"), file, page)
    made["index.md"] += tree([*there.values(), FILES["CHANGELOG.md"]])
    return made


def write():
    """Write these pages beside those of docs/, since Sphinx reads nothing above it."""
    shutil.rmtree(DOCS / "api", ignore_errors=True)  # Names that are gone have no page.
    if not (ROOT / PLAYGROUND).exists():
        (DOCS / SECTIONS["In the browser"]).unlink(missing_ok=True)
    for page, text in pages().items():
        path = DOCS / page
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
