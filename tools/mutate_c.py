"""Small changes of C text, each one token, statement or pair of arguments of a function's body.

The text is taken for what it is here: formatted in one way, so that an operator between two values
has a space on both sides, and the star of a pointer has not. A change that makes no C is refused by
the compiler, and counts for nothing.
"""

import difflib
import re
from collections import Counter
from dataclasses import dataclass

SKIPPED = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"|^[ ]*#(?:\\\n|[^\n])*', re.DOTALL | re.M
)
# A function begins at the margin and ends with a brace there.
FUNCTION = re.compile(
    r"^[a-z][^;{}]*?\b(?:NAME\((\w+)\)|(?!NAME\b)(\w+))\([^;{}]*\)\n\{\n.*?^\}", re.M | re.S
)
BINARY = {
    "+": ["-"],
    "-": ["+"],
    "*": ["+"],
    "/": ["*"],
    "<": ["<="],
    "<=": ["<"],
    ">": [">="],
    ">=": [">"],
    "==": ["!="],
    "!=": ["=="],
    "&&": ["||"],
    "||": ["&&"],
    "+=": ["-="],
    "-=": ["+="],
    "*=": ["/="],
}
OPERATOR = re.compile(r"(?<=[^ ] )(?:[-+*/]=?|[<>]=?|[!=]=|&&|\|\|)(?=\s[^\s=])")
NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")
NEGATION = re.compile(r"(?<=[ (])-(?=[\w(])")
NOT = re.compile(r"!(?=\w)")
# A call or an assignment that is a whole statement: it begins a line, or follows a condition.
STATEMENT = re.compile(
    r"(?<=[;{}):])\s*(?:else\s+)?"
    r"((?:NAME\(\w+\)|\*?[a-z]\w*(?:(?:->|\.)\w+|\[[^;]*?\])*)"
    r"(?:\([^;{}]*\)|\s*[-+*/]?=[^=;{}][^;{}]*);)"
)
FIELDS = re.compile(r"(\.\w+ = )([^,{}]+)(,\s+\.\w+ = )([^,{}]+)(?=[,}])")
CALL = re.compile(r"(?:\bNAME\(\w+\)|\b[a-z]\w*(?:->\w+)*(?:\[\w+\])?)\(")
NO_CALL = ("if", "for", "while", "switch", "sizeof", "return")
COMMUTATIVE = ("size_min", "size_max", "size_sum", "size_product")


@dataclass(frozen=True)
class Mutant:
    path: str
    name: str  # which lines that move do not change
    start: int  # characters of the file that the change takes away: [start, end)
    end: int
    after: str  # what takes their place

    def applied(self, text):
        return text[: self.start] + self.after + text[self.end :]

    def diff(self, text):
        lines = [version.splitlines() for version in (text, self.applied(text))]
        return "\n".join(difflib.unified_diff(*lines, self.path, self.path, lineterm="", n=1))


def blanked(text):
    """The text with spaces for comments, strings and preprocessor lines: the same places."""
    return SKIPPED.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def arguments(code, start):
    """[(start, end), ...] of the arguments of the call whose parenthesis opens before ``start``."""
    depth, at, found = 0, start, []
    for place in range(start, len(code)):
        character = code[place]
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        if depth < 0 or (character == "," and depth == 0):
            found.append((at, place))
            at = place + 1
        if depth < 0:
            return found
    return []


def swaps(code, text):
    """(start, end, new text) for neighbouring arguments that change places."""
    for match in CALL.finditer(code):
        if match[0][:-1] in NO_CALL + COMMUTATIVE:
            continue
        places = arguments(code, match.end())
        for (a, b), (c, d) in zip(places[:-1], places[1:], strict=True):
            first, second = text[a:b].strip(), text[c:d].strip()
            if first != second:
                a += len(text[a:b]) - len(text[a:b].lstrip())
                yield a, d, f"{second}, {first}"


def fields(code, _):
    """Neighbouring values of an initialiser that change places; a value ends at its comma."""
    for start in re.finditer(r"(?<=[{ ])(?=\.\w+ = )", code):
        pair = FIELDS.match(code, start.start())
        if pair and pair[2].strip() != pair[4].strip():
            yield *pair.span(), pair[1] + pair[4] + pair[3] + pair[2]


def tokens(code, _):
    for match in OPERATOR.finditer(code):
        for after in BINARY.get(match[0], ()):
            yield *match.span(), after
    for match in NUMBER.finditer(code):
        yield *match.span(), str(int(match[0]) + 1)
    for pattern in (NEGATION, NOT):
        for match in pattern.finditer(code):
            yield *match.span(), ""


def statements(code, _):
    for match in STATEMENT.finditer(code):
        if match[1][0] == "*" and code[match.start(1) - 2] == ")":
            continue  # The name of a pointer that a declaration begins with.
        yield *match.span(1), ";"


def mutants(path, text, functions=None):
    """All mutants of the functions of a file, or of those with these names (of ``NAME(...)``), in
    their order; equal changes of a function are numbered."""
    found, seen = [], Counter()
    for function in FUNCTION.finditer(blanked(text)):
        name = function[1] or function[2]
        if functions is not None and name not in functions:
            continue
        body = function.start() + function[0].index("\n{\n")
        given = text[body : function.end()]
        made = [change for kind in (tokens, statements, swaps, fields)
                for change in kind(blanked(given), given)]  # fmt: skip
        for start, end, after in sorted(made):
            before, new = (" ".join(part.split()) for part in (given[start:end], after))
            called = f"{path} {name}: {before} -> {new or 'nothing'}"
            number = f" #{seen[called]}" if seen[called] else ""
            seen[called] += 1
            found.append(Mutant(path, called + number, body + start, body + end, after))
    return found
