"""Write docs/reference/*.md, a page for each public module, from the docstrings.

``python docs/make_reference.py`` writes the pages; a test compares them with what this program
gives. It needs the standard library, bpcore, and scikit-learn for the page of its estimators.
Docstrings are in NumPy's style
(numpydoc.readthedocs.io/en/latest/format.html): prose, then sections of fields or of examples.
"""

import importlib
import inspect
import re
import textwrap
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "reference"
MODULES = [
    "bpcore",
    "bpcore.optimizers",
    "bpcore.schedules",
    "bpcore.callbacks",
    "bpcore.datasets",
    "bpcore.export",
    "bpcore.plotting",
    "bpcore.classic",
    "bpcore.reference",
    "bpcore.sklearn",
]
NEEDS = {"bpcore.sklearn": "sklearn"}  # Where this is missing, the page is left as it is.
# What rooms share among themselves, though its name has no underscore.
INTERNAL = {
    "History.extend",
    "LevenbergMarquardt.start",
    "Optimizer.start",
}
# Methods of optimisers, for fit, the core and files.
INTERNAL_METHODS = {"expect", "keeps", "rule", "settings", "tolerances"}
WIDTH = 100
SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.M)  # A name above dashes.
FIELDS = {"Parameters", "Attributes", "Returns", "Raises"}


# ---- What there is -------------------------------------------------------------------------------


def public_names(module):
    """Names that a module offers: its ``__all__``, or what it defines without an underscore."""
    names = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (callable(value) or isinstance(value, dict))
        and getattr(value, "__module__", module.__name__) == module.__name__
    ]
    return [
        name
        for name in names
        if f"{module.__name__}.{name}" not in INTERNAL
        and not inspect.ismodule(getattr(module, name))
    ]


def members(kind):
    """(name, function or property) of a class: its own, and those of bases in hidden modules.

    A method that only repeats what it replaces is left out: the base describes it.
    """
    for base in kind.__mro__:
        if base is not kind and not re.match(r"bpcore\..*\b_", base.__module__):
            continue
        for name, member in vars(base).items():
            member = inspect.unwrap(getattr(member, "__func__", member))  # Of a class method.
            if name.startswith("_") or name in INTERNAL_METHODS:
                continue
            if f"{kind.__name__}.{name}" in INTERNAL or not member.__doc__:
                continue
            if not isinstance(member, property) and not inspect.isfunction(member):
                continue
            inherited = [getattr(above, name, None) for above in base.__mro__[1:]]
            if all(getattr(above, "__doc__", None) != member.__doc__ for above in inherited):
                yield name, member


def signature(name, function):
    """``name(a, *, b=1)`` without annotations, on more lines where one is too short."""
    parts, before = [], None
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and before not in (
            parameter.KEYWORD_ONLY,
            parameter.VAR_POSITIONAL,
        ):
            parts.append("*")
        before = parameter.kind
        bare = str(parameter.replace(annotation=parameter.empty))
        parts.append(bare.replace("'", '"'))
    line = f"{name}({', '.join(parts)})"
    if len(line) <= WIDTH:
        return line
    return f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + ")"


# ---- From a docstring to Markdown ----------------------------------------------------------------


def prose(text):
    """Double backticks become single ones; a power's asterisks are no emphasis."""
    spans = re.split(r"(``.+?``)", text, flags=re.S)
    return "".join(
        f"`{span[2:-2]}`" if span.startswith("``") else span.replace("**", r"\*\*")
        for span in spans
    )


def paragraphs(text):
    """Paragraphs as they are, examples in fences; examples that follow each other share one."""
    done = []
    for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
        if not paragraph.startswith(">>>"):
            done.append(prose(paragraph))
        elif done and done[-1].startswith("```"):
            done[-1] = done[-1].removesuffix("\n```") + f"\n\n{paragraph}\n```"
        else:
            done.append(f"```pycon\n{paragraph}\n```")
    return "\n\n".join(done)


def field(text):
    """A line ``name : type`` with its meaning below as an item of a list."""
    head, _, meaning = text.partition("\n")
    name, colon, kind = head.partition(" : ")
    code = colon or re.fullmatch(r"[\w.*]+", head)
    line = f"- `{name}`" if code else f"- {prose(head)}"
    line += f": {prose(kind)}" if colon else ""
    meaning = prose(textwrap.dedent(meaning).strip("\n"))
    return line + ("  \n" + textwrap.indent(meaning, "  ") if meaning else "")


def fields(text):
    """A section of fields as a list, and what stands after it as prose."""
    blocks = re.split(r"\n\n+(?=\S)", text.strip("\n"))
    ends = next((i for i, b in enumerate(blocks) if i and "\n " not in b and " : " not in b), None)
    heads = re.split(r"\n(?=\S)", "\n".join(blocks[:ends]))
    after = [] if ends is None else blocks[ends:]
    return "\n\n".join(["\n".join(map(field, heads)), *map(paragraphs, after)])


def markdown(docstring):
    """A docstring in NumPy's style as Markdown."""
    start, *sections = SECTION.split(inspect.cleandoc(docstring))
    parts = [paragraphs(start)]
    for name, body in zip(sections[::2], sections[1::2], strict=True):
        parts.append(f"**{name}**\n\n{fields(body) if name in FIELDS else paragraphs(body)}")
    return "\n\n".join(parts)


# ---- Pages ---------------------------------------------------------------------------------------


def entry(path, value):
    """The text of one public name."""
    name = path.rpartition(".")[2]
    parts = [f"## `{name}`"]
    if isinstance(value, dict):
        return f"{parts[0]}\n\nA dict, by {', '.join(f'`{key!r}`' for key in value)}."
    parts.append(f"```text\n{signature(path, value)}\n```")
    if value.__doc__:
        parts.append(markdown(value.__doc__))
    for method, member in members(value) if inspect.isclass(value) else ():
        if isinstance(member, property):
            parts.append(f"### `{name}.{method}`, an attribute")
        else:
            parts += [f"### `{name}.{method}`", f"```text\n{signature(method, member)}\n```"]
        parts.append(markdown(member.__doc__))
    return "\n\n".join(parts)


def page(name):
    """The text of one module."""
    module = importlib.import_module(name)
    entries = [
        entry(f"{name}.{public}", getattr(module, public)) for public in public_names(module)
    ]
    return "\n\n".join([f"# {name}", markdown(module.__doc__), *entries]) + "\n"


def is_missing(name):
    """Is the package missing, or too old, that this module needs?"""
    try:
        importlib.import_module(name)
    except ImportError:
        if name not in NEEDS:
            raise
        return True
    return False


def index():
    """The list of all names."""
    rows = ["| module | names |", "|---|---|"]
    for name in MODULES:
        if name in NEEDS:  # The same list, with the package and without.
            rows.append(f"| [{name}]({name}.md) | needs {NEEDS[name]} |")
            continue
        names = public_names(importlib.import_module(name))
        links = ", ".join(f"[{public}]({name}.md#{public.lower()})" for public in names)
        rows.append(f"| [{name}]({name}.md) | {links} |")
    says = "Every public name, written from the docstrings by `docs/make_reference.py`."
    return "\n\n".join(["# Reference", says, "\n".join(rows)]) + "\n"


def pages():
    """``{file name: text}`` of the whole reference."""
    there = [name for name in MODULES if not is_missing(name)]
    return {"README.md": index()} | {f"{name}.md": page(name) for name in there}


def main():
    """Write the pages; remove those of modules that are gone."""
    FOLDER.mkdir(exist_ok=True)
    made = pages()
    for path in FOLDER.glob("*.md"):
        if path.stem not in MODULES and path.name not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
