"""C as text: numbers, arrays, names, and the pieces in ``c/`` that every exported file takes."""

import os
import re
from pathlib import Path

from .._inputs import check
from .._io.atomic_write import replace_all

WIDTH = 98  # characters of a line
# Pieces of one small function, which others call.
HELPERS = ("sum", "word", "from_word", "min", "max")
# C99's own, and what the pieces include.
KEYWORDS = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if "
    "inline int long register restrict return short signed sizeof static struct switch typedef "
    "union unsigned void volatile while".split()
)


def piece(file, words):
    """A file of ``c/``, in which names begin as in the whole, and types are the network's."""
    text = (Path(__file__).parent / "c" / file).read_text("utf-8")
    meanings = {"net_": f"{words['name']}_", "real": words["real"], "word": words["word"]}
    return re.sub(r"\b(?:net_|(?:real|word)\b)", lambda found: meanings[found[0]], text)


def file_of(path):
    """The file's name without its suffix, as the header of the same name is included."""
    file = os.path.splitext(os.path.basename(os.fsdecode(path)))[0]
    if not file.isprintable() or set(file) & set('"\\'):
        raise ValueError(
            f"path ends in {check.shown(file)}, but C includes no file whose name has quotes, "
            "backslashes or what cannot be printed"
        )
    return file


def write_pair(path, source, header):
    """The source at ``path`` and its header beside it."""
    stem = os.path.splitext(os.fsdecode(path))[0]
    replace_all([(f"{stem}.h", [header.encode()]), (path, [source.encode()])])


def header(words, declared, includes=()):
    """The header: declarations, pairs of a head and its contract, with words for their braces."""
    file, upper = words["file"], words["name"].upper()
    declarations = [f"/* {contract} */\n{head};\n" for head, contract in declared]
    return "\n".join(
        [
            f"/* {file}.h: what {file}.c computes. */\n#ifndef {upper}_H\n#define {upper}_H\n",
            *(f"#include <{include}>\n" for include in includes),
            '#ifdef __cplusplus\nextern "C" {\n#endif\n',
            f"#define {upper}_INPUTS {words['inputs']}",
            f"#define {upper}_OUTPUTS {words['outputs']}\n",
            *(declaration.format(**words) for declaration in declarations),
            f"#ifdef __cplusplus\n}}\n#endif\n\n#endif /* {upper}_H */\n",
        ]
    )


def checked_name(name, path):
    """The beginning of all names: as given, or the file's name where it can be one."""
    if name is None:
        file = file_of(path)
        name = re.sub(r"\W", "_", file, flags=re.ASCII)
        if not _is_identifier(name):
            raise ValueError(f"{file!r} cannot begin names in C: give name='net', or another one")
    if not isinstance(name, str) or not _is_identifier(name):
        raise ValueError(f"name is {check.shown(name)}, but an identifier of C is expected: 'net'")
    return name


def _is_identifier(name):
    # What begins with an underscore is the compiler's.
    return re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) and name not in KEYWORDS


def number(value, real):
    """A finite number as C's hexadecimal constant: no digit is lost on the way."""
    mantissa, exponent = float(value).hex().split("p")
    head, _, digits = mantissa.partition(".")
    digits = digits.rstrip("0")
    point = f".{digits}" if digits else ""
    return f"{head}{point}p{exponent}{'f' if real == 'float' else ''}"


def string(value):
    """A constant string of C that has these characters in UTF-8."""
    plain = re.compile(rb"[ !#-\[\]-~]")  # printable ASCII without " and \
    letters = (bytes([byte]) for byte in str(value).encode())
    # Three octal digits end where they should, whatever follows; ?? could begin a trigraph.
    text = "".join(
        letter.decode() if plain.fullmatch(letter) and letter != b"?" else f"\\{letter[0]:03o}"
        for letter in letters
    )
    return f'"{text}"'


def array(declaration, items, scope="static const "):
    """A constant array: the declaration, and its items in lines."""
    return f"{scope}{declaration} = {{\n{_lines(items, '   ')}\n}};\n"


def matrix(declaration, items, rows):
    """A constant array of so many rows, at least 1, each in braces."""
    columns = len(items) // rows
    parts = (items[i * columns : (i + 1) * columns] for i in range(rows))
    text = "\n".join(f"    {_braced(part)}," for part in parts)
    return f"static const {declaration} = {{\n{text}\n}};\n"


def _braced(items):
    """The items in braces, in one line where they fit."""
    line = f"{{{', '.join(items)}}}"
    return line if len(line) <= WIDTH - 5 else f"{{\n{_lines(items, '       ')}\n    }}"


def _lines(items, indent):
    lines, line = [], indent
    for item in items:
        if len(line) + len(item) + 2 > WIDTH and line != indent:
            lines.append(line)
            line = indent
        line += f" {item},"
    return "\n".join([*lines, line])


def chosen_pieces(names, words, texts):
    """Those of ``c/`` of which one of the texts calls a function of the same name."""
    for name in names:
        if any(f"{words['name']}_{name}(" in text for text in texts):
            yield piece(f"{name}.c", words)


def checked_placement(placement):
    """What follows the name of each array of the network's numbers."""
    if placement is None:
        return ""
    if not isinstance(placement, str):
        raise TypeError(f"placement is {check.shown(placement)}, but text of C is expected")
    return f" {placement}" if placement else ""
