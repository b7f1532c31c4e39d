"""Settings of the site, which ``python -m sphinx -W --keep-going -b html docs build/site`` builds.

Sphinx reads the pages of docs/ as they stand, so that they can be read where the code is, too. What
is made from other files stands beside them, and git ignores it: ``index.md``, ``project/`` and
``playground/`` from files above docs/, ``api/`` from the docstrings, and ``examples/`` from the
programs in ``gallery/``.
"""

import inspect
import shutil
import sys
import warnings
from pathlib import Path

import math_core
import ziamath
from docutils import nodes
from fontTools import subset
from sphinx.util import logging

import bpcore

sys.path.insert(0, str(Path(__file__).resolve().parent))
import site_pages

logger = logging.getLogger(__name__)

project = "bpcore"
author = "the authors of bpcore"
copyright = f"{author}. BSD-3-Clause"
version = release = bpcore.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["README.md", "gallery", "_templates"]  # The front page is index.md.
templates_path = ["_templates"]
smartquotes = False  # Quotes stand around names that programs take.
default_role = "py:obj"  # `name` in a docstring is a link where there is such a name, else code.

# ---- Markdown ------------------------------------------------------------------------------------

myst_enable_extensions = ["dollarmath", "amsmath", "html_image"]
myst_fence_as_directive = ["math"]
myst_heading_anchors = 4  # The anchors that code hosts give headings.

# ---- Docstrings ----------------------------------------------------------------------------------

autodoc_typehints = "none"  # The docstrings name the types, in words.
toc_object_entries_show_parents = "hide"
autodoc_inherit_docstrings = False  # A method that repeats what it replaces has no text of its own.
autosummary_ignore_module_all = False
autosummary_imported_members = True  # Of other rooms; skip_internal refuses others' names.
numpydoc_show_class_members = False  # The templates show them.
# What rooms share among themselves, though its name has no underscore: methods for fit, the core
# and files.
INTERNAL_METHODS = {"expect", "keeps", "rule", "settings", "tolerances"}
INTERNAL = {"History.extend", "LevenbergMarquardt.start", "Optimizer.start"}


def skip_internal(app, what, name, member, skip, options):
    """Leave out what is for other rooms, or inherited from other packages."""
    function = inspect.unwrap(getattr(member, "fget", member))
    is_ours = (getattr(function, "__module__", None) or "bpcore").startswith("bpcore")
    full_name = getattr(function, "__qualname__", name)
    skip_it = not is_ours or name in INTERNAL_METHODS or full_name in INTERNAL
    return True if skip_it else None  # None: as autodoc thinks.


# ---- Gallery -------------------------------------------------------------------------------------


def has_mnist():
    """Is MNIST where users keep it? A build of the site fetches nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # A damaged file is one that is not there.
        try:
            bpcore.datasets.load_mnist(download=False)
        except FileNotFoundError:
            return False
    return True


sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "examples",
    "filename_pattern": "" if has_mnist() else "^(?!.*weights_as_images)",  # Those that are run.
    "within_subsection_order": "FileNameSortKey",
    "backreferences_dir": "examples/using",
    "default_thumb_file": str(site_pages.DOCS / "images" / "mnist58.png"),  # Of what was not run.
    "doc_module": ("bpcore",),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 10**6,  # Times of a shared machine say nothing.
    "image_srcset": ["2x"],
    "remove_config_comments": True,
}

# ---- Formulas: MathML, which browsers draw without a script, in a font that comes along ----------

LETTERS = [*range(0x20, 0x180), *range(0x370, 0x400), *range(0x1D400, 0x1D800)]
SIGNS = [*range(0x2000, 0x2070), *range(0x20D0, 0x2400), *range(0x27C0, 0x2B00)]
# Code hosts take one of two backslashes away, so rows of matrices in Markdown end with \cr.
converter = math_core.LatexToMathML(macros={"cr": r"\\"})
html_math_renderer = "mathml"


def formula(self, node):
    """TeX as MathML; a command that is not known is a warning."""
    tex, is_block = node.astext(), isinstance(node, nodes.math_block)
    if r"\tag" in tex:  # Where a number stands beside a formula, that is an equation.
        tex = rf"\begin{{equation*}}{tex}\end{{equation*}}"
    try:
        self.body.append(converter.convert_with_local_state(tex, displaystyle=is_block))
    except math_core.LatexError as error:
        logger.warning("%s", error, location=node)
    raise nodes.SkipNode


def add_font(folder):
    """What formulas need of STIX Two Math, which the package ziamath holds."""
    options = subset.Options(flavor="woff", notdef_outline=True, drop_tables=["DSIG", "GPOS"])
    options.layout_features += ["ssty"]  # Glyphs for exponents, such as the prime's.
    path = Path(ziamath.__file__).parent / "fonts" / "STIXTwoMath-Regular.ttf"
    font, part = subset.load_font(path, options), subset.Subsetter(options)
    part.populate(unicodes=LETTERS + SIGNS)
    part.subset(font)
    subset.save_font(font, folder / "stix_two_math.woff", options)


# ---- The theme -----------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "bpcore"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = html_show_sourcelink = False
html_sidebars = {"index": [], "project/**": []}
html_theme_options = {
    "show_prev_next": True,
    "navbar_align": "left",
    "header_links_before_dropdown": 8,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


def read(app, docname, source):
    """Sphinx reads the pages of docs/ with the links of the site."""
    page = f"{docname}.md"
    if (site_pages.DOCS / page).exists() and page not in site_pages.MADE:
        source[0] = site_pages.linked(source[0], f"docs/{page}", page)


def finish(app, error):
    """Add the font, and the browser's page in the place that the navigation has for it."""
    if error is not None or app.builder.format != "html":
        return
    add_font(Path(app.outdir) / "_static")
    page = site_pages.ROOT / site_pages.PLAYGROUND
    if page.exists():
        shutil.copytree(page.parent, Path(app.outdir) / "playground", dirs_exist_ok=True)


def setup(app):
    site_pages.write()
    app.add_html_math_renderer("mathml", (formula, None), (formula, None))
    app.connect("source-read", read)
    app.connect("autodoc-skip-member", skip_internal)
    app.connect("build-finished", finish)
