"""The core's own activations as plain C for one number, read from the text of its kernels.

The kernels are written once, in words for vectors (csrc/simd/README.md). Here each word becomes the
operator that it is for a vector of one element, so that what is exported is the core's text in its
order, and a new activation needs nothing new.
"""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

# The second file calls functions of the first.
FILES = ("elementary_template.h", "activations_template.h")

# The operator of a word and how tightly it binds, as in C.
OPERATORS = {"v_add": ("+", 4), "v_sub": ("-", 4), "v_mul": ("*", 5), "v_div": ("/", 5)}
CONDITION, ATOM = 1, 9  # The same of a ? b : c, and of what needs no parentheses.

FUNCTION = re.compile(
    r"((?:/\*(?:(?!\*/).)*\*/\n)?)static ALWAYS_INLINE ATTR (v_real KERNEL_NAME\((\w+)\)"
    r"\([^{;]*\))\n\{\n(.*?)\n\}\n",
    re.DOTALL,
)
TABLE = re.compile(
    r"((?:/\*(?:(?!\*/).)*\*/\n)?)(?:#if BITS[^\n]*\n)?(?:#define[^\n]*\n)?"
    r"(static const real KERNEL_NAME\((\w+)\)\[\w+\] = \{.*?\};)\n",
    re.DOTALL,
)
DEFINE = re.compile(r"#define (\w+) ([^\n]*)\n")


def functions_of(names, itemsize, prefix):
    """C that defines static functions ``prefix_name`` of one number, with all that they call.

    ``prefix_fma``, ``prefix_word``, ``prefix_from_word``, ``prefix_min``, ``prefix_max`` and, for
    double, ``prefix_sum`` are for the caller to define. names: functions of the kernels, such as
    "exp" and "tanh".
    """
    items = _items(itemsize)
    chosen = _needed(names, items)
    parts = [_scalar(text, itemsize, prefix) for name, text in items.items() if name in chosen]
    constants = "".join(part for part in parts if part.startswith("#define"))
    others = (part for part in parts if not part.startswith("#define"))
    return "\n".join(part for part in (constants, *others) if part)


@cache
def _items(itemsize):
    """``{name: its text}``: constants, then tables and functions, each after those it needs."""
    constants, others = {}, {}
    for file in FILES:
        text = _of_precision(_read(file), 8 * itemsize)
        constants |= {m[1]: m[0] for m in DEFINE.finditer(text)}
        found = [(m.start(), m[3], f"{m[1]}{m[2]}\n") for m in TABLE.finditer(text)]
        found += [(m.start(), m[3], m[0]) for m in FUNCTION.finditer(text)]
        others |= {name: item for _, name, item in sorted(found)}
    return constants | others


def _read(name):
    """A file of the kernels: beside this one where the package is installed, else a checkout's."""
    here = Path(__file__).resolve().parent
    folders = here / "kernels", here.parents[1] / "csrc" / "kernels"
    path = next(folder / name for folder in folders if (folder / name).exists())
    return path.read_text("utf-8")


def _of_precision(text, bits):
    """The text without the lines of the other precision."""
    pattern = re.compile(r"#if BITS == 32\n(.*?)#else\n(.*?)#endif\n", re.DOTALL)
    return pattern.sub(lambda m: m[1] if bits == 32 else m[2], text)


def _needed(names, items):
    """The names of all items that these need, themselves included."""
    needed, ahead = set(), list(names)
    while ahead:
        name = ahead.pop()
        if name not in needed:
            needed.add(name)
            words = set(re.findall(r"\w+", re.sub(r"/\*.*?\*/", "", items[name], flags=re.DOTALL)))
            ahead += [word for word in words if word in items]
    return needed


def _scalar(text, itemsize, prefix):
    """An item of the kernels in plain C."""
    real, word = ("float", "uint32_t") if itemsize == 4 else ("double", "uint64_t")
    text = re.sub(r"KERNEL_NAME\((\w+)\)", rf"{prefix}_\1", text)
    text = text.replace("ALWAYS_INLINE ATTR ", "").replace("UNROLL ", "")
    text = _without_words(text, _Dialect(prefix, calls_sum=itemsize == 8))
    text = re.sub(r"\bv_real\b", "real", text)
    text = text.replace("v_integer", word)
    return re.sub(r"\breal\b", real, text)


class _Dialect(NamedTuple):
    """How the words are written: names begin with a prefix; a sum of doubles is a call."""

    prefix: str
    calls_sum: bool


def _without_words(text, how):
    """The text with each call of a word replaced; statements and comments stay as they are."""
    out, position = "", 0
    for found in re.finditer(r"\bv_(?!real|integer)\w+\(", text):
        if found.start() < position:  # Inside of a call that is done.
            continue
        end = _closing(text, found.end())
        expression, _ = _expression(text[found.start() : end], how)
        out, position = out + text[position : found.start()] + expression, end
    return out + text[position:]


def _closing(text, start):
    """The end of a call whose arguments start here."""
    depth, position = 1, start
    while depth:
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        position += 1
    return position


def _arguments(text):
    """The arguments of a call, from the text between its parentheses."""
    parts, depth, start = [], 0, 0
    for i, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return [part.strip() for part in (*parts, text[start:])]


def _expression(text, how):
    """(An expression in words, in plain C; how tightly it binds)."""
    text = text.strip()
    call = re.match(r"(\w+)\(", text)
    if not call or _closing(text, call.end()) != len(text):
        return text, ATOM
    name, given = call[1], _arguments(text[call.end() : -1])

    def bound(i, strength):
        expression, own = _expression(given[i], how)
        return expression if own >= strength else f"({expression})"

    if name in ("v_add", "v_sub") and how.calls_sum:
        minus = "-" if name == "v_sub" else ""
        return f"{how.prefix}_sum({bound(0, 0)}, {minus}{bound(1, ATOM if minus else 0)})", ATOM
    if name in OPERATORS:
        operator, strength = OPERATORS[name]
        # Neither sum nor product is regrouped: the right one keeps its parentheses.
        return f"{bound(0, strength)} {operator} {bound(1, strength + 1)}", strength
    if name == "v_set1":
        return given[0], ATOM if re.match(r"[\w.]+$|\(real\)", given[0]) else CONDITION
    if name == "v_select_less":
        a, b, x, y = (bound(i, CONDITION + 1) for i in range(4))
        return f"{a} < {b} ? {x} : {y}", CONDITION
    if name in ("v_bits", "v_and", "v_or", "v_shift_left", "v_shift_right"):
        word = _word(text, how)
        if word.startswith("(") and _closing(word, 1) == len(word):
            word = word[1:-1]
        return f"{how.prefix}_from_word({word})", ATOM
    arguments = ", ".join(bound(i, 0) for i in range(len(given)))
    return f"{name.replace('v_', f'{how.prefix}_', 1)}({arguments})", ATOM


def _word(text, how):
    """The word whose bits an expression of bit operations has, without a way back and forth."""
    name, _, rest = text.partition("(")
    given = _arguments(rest[:-1])
    if name == "v_bits":
        return given[0] if re.fullmatch(r"\w+", given[0]) else f"({given[0]})"
    if name in ("v_and", "v_or"):
        operator = "&" if name == "v_and" else "|"
        return f"({_word(given[0], how)} {operator} {_word(given[1], how)})"
    if name in ("v_shift_left", "v_shift_right"):
        operator = "<<" if name == "v_shift_left" else ">>"
        return f"({_word(given[0], how)} {operator} {given[1]})"
    return f"{how.prefix}_word({_expression(text, how)[0]})"
