"""Small changes of Python text, each one node of its syntax tree.

Docstrings, annotations and the text of messages stay: nothing promises them word by word.
"""

import ast
import copy

from mutant import Mutant, named

COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,  # codespell:ignore notin
    ast.NotIn: ast.In,  # codespell:ignore notin
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
BOOLEAN = {ast.And: ast.Or, ast.Or: ast.And}
REMOVED = (ast.Expr, ast.Raise, ast.AugAssign)


def changed(node, **fields):
    """A copy with other fields."""
    new = copy.deepcopy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def comparisons(node):
    if isinstance(node, ast.Compare):
        for index, op in enumerate(node.ops):
            if type(op) in COMPARISONS:
                ops = [*node.ops]
                ops[index] = COMPARISONS[type(op)]()
                yield changed(node, ops=ops)


def arithmetic(node):
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in ARITHMETIC:
        yield changed(node, op=ARITHMETIC[type(node.op)]())


def booleans(node):
    if isinstance(node, ast.BoolOp):
        yield changed(node, op=BOOLEAN[type(node.op)]())
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand


def constants(node):
    if isinstance(node, ast.Constant) and type(node.value) is bool:
        yield changed(node, value=not node.value)
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield changed(node, value=node.value + 1)


def statements(node):
    """Removed; a docstring is none, and without its only binding a name would fail too easily."""
    if isinstance(node, ast.Assign):
        if not any(isinstance(target, ast.Name | ast.Tuple) for target in node.targets):
            yield ast.Pass()
    elif isinstance(node, REMOVED):
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            yield ast.Pass()


def returns(node):
    if isinstance(node, ast.Return) and node.value is not None:
        if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield changed(node, value=ast.Constant(None))


OPERATORS = (comparisons, arithmetic, booleans, constants, statements, returns)


def rebindings(function):
    """Assignments to a name that the function has bound before."""
    bound = {argument.arg for argument in function.args.args}
    for node in sorted(
        (node for node in ast.walk(function) if isinstance(node, ast.Assign)),
        key=lambda node: node.lineno,
    ):
        names = {target.id for target in node.targets if isinstance(target, ast.Name)}
        if names & bound:
            yield node
        bound |= {
            name.id
            for target in node.targets
            for name in ast.walk(target)
            if isinstance(name, ast.Name)
        }


class Finder(ast.NodeVisitor):
    """Collects the mutants of one file, with the function that each is in."""

    def __init__(self, path, text, functions):
        self.path, self.text, self.functions = path, text, functions
        self.inside, self.found = [], []
        lengths = [len(line) for line in text.splitlines(keepends=True)]
        self.starts = [sum(lengths[:n]) for n in range(len(lengths))]

    def generic_visit(self, node):
        if isinstance(node, ast.JoinedStr | ast.Import | ast.ImportFrom):
            return
        is_scope = isinstance(node, ast.FunctionDef | ast.ClassDef)
        if is_scope:
            self.inside.append(node.name)
        if self.functions is None or self.functions & set(self.inside):
            for operator in OPERATORS:
                for new in operator(node):
                    self.add(operator.__name__, node, new)
            if isinstance(node, ast.FunctionDef):
                for assignment in rebindings(node):
                    self.add("statements", assignment, ast.Pass())
        super().generic_visit(node)
        if is_scope:
            self.inside.pop()

    def add(self, operator, node, new):
        start = self.starts[node.lineno - 1] + node.col_offset
        end = self.starts[node.end_lineno - 1] + node.end_col_offset
        after = ast.unparse(new)
        if isinstance(new, ast.Compare | ast.BinOp | ast.BoolOp):
            after = f"({after})"  # Its surroundings bind as they did.
        where = ".".join(self.inside) or "module"
        before = self.text[start:end]
        self.found.append(Mutant(self.path, where, operator, start, end, after, before))


def mutants(path, text, functions=None):
    """All mutants of a file, or those of the functions and classes of these names."""
    if not text.isascii():
        raise ValueError(f"{path} is not ASCII: columns would not be characters")
    finder = Finder(path, text, functions and set(functions))
    finder.visit(ast.parse(text))
    return named(finder.found)
