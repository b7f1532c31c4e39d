"""One small change of one file, and how it is called."""

import difflib
from collections import Counter
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Mutant:
    path: str
    function: str  # the innermost that holds the change
    operator: str  # the kind of the change
    start: int  # characters of the file that the change takes away: [start, end)
    end: int
    after: str  # what takes their place
    before: str
    number: int = 0  # among the same changes of the same function

    @property
    def name(self):
        """A name that lines which move do not change."""
        words = [" ".join(text.split()) for text in (self.before, self.after)]
        which = f" #{self.number}" if self.number else ""
        return f"{self.path} {self.function}: {words[0]} -> {words[1] or 'nothing'}{which}"

    def applied(self, text):
        return text[: self.start] + self.after + text[self.end :]

    def diff(self, text):
        lines = [version.splitlines() for version in (text, self.applied(text))]
        shown = difflib.unified_diff(*lines, self.path, self.path, lineterm="", n=1)
        return "\n".join(shown)


def named(mutants):
    """The mutants in the order of the file, equal changes of a function numbered from 0."""
    seen, result = Counter(), []
    for mutant in sorted(mutants, key=lambda mutant: (mutant.start, mutant.end, mutant.after)):
        result.append(replace(mutant, number=seen[mutant.name]))
        seen[mutant.name] += 1
    return result
