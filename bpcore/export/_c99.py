"""A network as one file of C99 and its header, with the bits of ``forward`` and their certificate.

The file needs no library, allocates nothing and keeps no state. Its activations are the text of the
core's kernels, its sums have the core's order, and the certificate counts the words in which a
device differs from the core.
"""

import numpy as np

from .. import _core
from .._inputs import check as inputs
from .._io.fingerprint import of_network
from .._version import __version__
from . import _c_text, _kernel_text
from ._c_text import piece

OPTIONS = {"name", "check", "batch", "placement"}

# Bytes of machine code, GCC 12 with -Os for Cortex-M4 and M0, of all activations, with certificate.
CODE = {4: "250 to 1,600", 8: "1,800 to 3,000"}

SIGNATURES = {
    "forward": (
        "void {name}_forward(const {real} x[{inputs}], {real} y[{outputs}])",
        "y: the activations of the last layer for one row x.",
    ),
    "rows": (
        "void {name}_forward_rows(const {real} *x, size_t rows, {real} *y)",
        "The same for rows that follow each other in x, and in y.",
    ),
    "class": ("int {name}_class(const {real} x[{inputs}])", "The class of one row x: {rule}."),
    "labels": ("extern const char *const {name}_labels[{classes}]", "What the classes are called."),
    "certificate": (
        "int {name}_certificate(void)",
        "How many of {words} words are not those that the library computes: 0 proves this device.",
    ),
}

BODIES = {
    "rows": """\
{{
    for (; rows; rows--, x += {inputs}, y += {outputs}) {name}_forward(x, y);
}}
""",
    "one output": """\
{{
    {real} y[1];
    {name}_forward(x, y);
    return 2 * y[0] > 1;
}}
""",
    "one class": """\
{{
    (void)x;
    return 0;
}}
""",
    "outputs": """\
{{
    {real} y[{outputs}];
    int highest = 0;
    {name}_forward(x, y);
    for (int j = 1; j < {outputs}; j++)
        if (y[j] > y[highest]) highest = j;
    return highest;
}}
""",
    "certificate": """\
{{
    int differing = 0;
    for (int row = 0; row < {checked}; row++) {{
        {real} y[{outputs}];
        {name}_forward({name}_checked_rows[row], y);
        for (int j = 0; j < {outputs}; j++) {{
            const {word} expected = {name}_checked_words[row][j];
            /* The sign of a zero is free: 0 times 2 leaves nothing but that. */
            if ({name}_word(y[j]) != expected && (y[j] != 0 || expected << 1 != 0)) differing++;
        }}
    }}
    return differing;
}}
""",
}


def write(net, path, *, labels=None, name=None, check=None, batch=False, placement=None):
    """Write ``path`` and the header beside it; see ``Network.export``."""
    names = {"name": _c_text.checked_name(name, path), "file": _c_text.file_of(path)}
    batch, placement = inputs.flag("batch", batch), _c_text.checked_placement(placement)
    _c_text.write_pair(
        path,
        *net._training_lock.snapshot(lambda: _texts(net, names, labels, check, batch, placement)),
    )


def _texts(net, names, labels, check, batch, placement):
    """(The source, the header) of a network."""
    labels = None if isinstance(labels, str) else labels  # Several labels a row are no class.
    inputs.numbers("parameters", net.parameters, net.dtype)
    rows = None if check is None else _checked(net, check)
    words = names | _words(net, labels, rows)
    chosen = _chosen(net, labels, rows, batch)
    arrays = _constants(net, words, placement)
    if rows is not None:
        arrays += _certified(net, rows, words, placement)
    body = [*_functions(net, words), *arrays, _forward(net, words), *_others(chosen, labels, words)]
    source = [
        _title(net, words, rows),
        f'#include "{words["file"]}.h"\n\n' + piece("head.c", words),
        piece(f"fma_{words['real']}.c", words),
        *_c_text.chosen_pieces(_c_text.HELPERS, words, body),
        *body,
    ]
    declared = [SIGNATURES[name] for name in chosen]
    return "\n".join(source), _c_text.header(words, declared, ["stddef.h"] if batch else [])


def _checked(net, given):
    """The rows of the certificate, as an array."""
    rows = net._table(given, name="check")
    if isinstance(rows, _core.Sparse):
        raise TypeError("check is sparse, but the file holds dense rows; use check.toarray()")
    return rows


def _words(net, labels, rows):
    """What stands in the braces of the texts above."""
    bits, many = 8 * net.dtype.itemsize, net.sizes[-1] > 1
    rule = "the first of the highest outputs" if many else "1 where y is above 0.5"
    if labels is not None and len(labels) == 1:
        rule = "0, as there is no other"
    return {
        "real": "float" if bits == 32 else "double",
        "word": f"uint{bits}_t",
        "inputs": net.sizes[0],
        "outputs": net.sizes[-1],
        "rule": rule,
        "classes": 0 if labels is None else len(labels),
        "checked": 0 if rows is None else len(rows),
        "words": 0 if rows is None else len(rows) * net.sizes[-1],
    }


def _chosen(net, labels, rows, batch):
    """The names of the functions, and of the labels, that this file has."""
    one_class = net.output == ("softmax" if net.sizes[-1] > 1 else "sigmoid")
    has = {
        "forward": True,
        "rows": batch,
        "class": one_class,
        "labels": one_class and labels is not None,
        "certificate": rows is not None,
    }
    return [name for name, is_there in has.items() if is_there]


# ---- The parts of the source ---------------------------------------------------------------------


def _title(net, words, rows):
    """What the file is, and what it takes."""
    name, item = words["name"], net.dtype.itemsize
    layers = zip(net.sizes[1:], net.activation_names, strict=True)
    units = ", ".join(f"{units} {kind}" for units, kind in layers)
    constants = item * len(net.parameters) + (0 if net.scaling is None else 16 * net.sizes[0])
    held = "" if rows is None else f"; the certificate {rows.nbytes + item * words['words']:,}"
    return (
        f"/* {words['file']}.c: a network of {words['inputs']} inputs, {units}, in "
        f"{words['real']}.\n"
        f" *\n"
        f" * Written by bpcore {__version__} from the network with the fingerprint\n"
        f" * {of_network(net)}.\n"
        f" * {name}_forward computes the words of its Network.forward: the same sums in the same "
        "order, the\n"
        " * same exp. C99, without a library, an allocation or a state.\n"
        f" * Bytes: weights {constants:,}; stack {item * sum(_stack(net)):,} and what calls take; "
        f"code {CODE[item]}{held}. */\n"
    )


def _stack(net):
    """Elements of the arrays in ``forward``: scaled inputs, and hidden layers in turn."""
    hidden = net.sizes[1:-1]
    scaled = net.sizes[0] if net.scaling is not None else 0
    return scaled, max(hidden[0::2], default=0), max(hidden[1::2], default=0)


def _functions(net, words):
    """Activations and one layer."""
    kinds = {"exp" if kind == "softmax" else kind for kind in net.activation_names}
    kinds -= {"identity"}
    if kinds:
        yield _kernel_text.functions_of(kinds, net.dtype.itemsize, words["name"])
    if net.output == "softmax":
        yield piece(f"softmax_{words['real']}.c", words)
    yield piece("layer.c", words)


def _constants(net, words, placement):
    """Weights (inputs, outputs) and biases of each layer, and what standardises."""
    real, name = words["real"], words["name"]

    def array(kind, what, numbers):
        items = [_c_text.number(number, kind) for number in numbers.reshape(-1).tolist()]
        declaration = f"{kind} {name}_{what}[{numbers.size}]{placement}"
        return _c_text.array(declaration, items)

    arrays = []
    if net.scaling is not None:
        arrays += [array("double", what, getattr(net.scaling, what)) for what in ("shift", "scale")]
    for layer, (W, b) in enumerate(zip(net.weights, net.biases, strict=True), start=1):
        arrays += [array(real, f"W{layer}", W.T), array(real, f"b{layer}", b)]
    return arrays


def _certified(net, rows, words, placement):
    """The rows of the certificate, and the words of their outputs."""
    A, bits = np.ascontiguousarray(net.forward(rows)), 8 * net.dtype.itemsize
    x = [_c_text.number(number, words["real"]) for number in rows.reshape(-1).tolist()]
    y = [f"UINT{bits}_C({word:#x})" for word in A.view(f"u{bits // 8}").reshape(-1).tolist()]
    declared = "{real} {name}_checked_rows[{checked}][{inputs}]".format(**words) + placement
    expected = "{word} {name}_checked_words[{checked}][{outputs}]".format(**words) + placement
    return [_c_text.matrix(declared, x, len(rows)), _c_text.matrix(expected, y, len(rows))]


def _forward(net, words):
    """The function of one row, layer by layer."""
    name, real = words["name"], words["real"]
    lines, before = [], "x"
    scaled, odd, even = _stack(net)
    for array, size in (("scaled", scaled), ("odd", odd), ("even", even)):
        if size:
            lines.append(f"{real} {array}[{size}];")
    if scaled:
        lines.append(f"for (int i = 0; i < {scaled}; i++)")
        cast = "" if real == "double" else f"({real})"
        lines.append(
            f"    scaled[i] = {cast}({name}_sum(x[i], -{name}_shift[i]) * {name}_scale[i]);"
        )
        before = "scaled"
    last = len(net.weights)
    for layer, kind in enumerate(net.activation_names, start=1):
        a = "y" if layer == last else ("even", "odd")[layer % 2]
        sizes = net.sizes[layer - 1 : layer + 1]
        W, b = f"{name}_W{layer}", f"{name}_b{layer}"
        lines.append(f"{name}_layer({before}, {sizes[0]}, {W}, {b}, {sizes[1]}, {a});")
        if kind == "softmax":
            lines.append(f"{name}_softmax({a}, {sizes[1]});")
        elif kind != "identity":
            lines.append(f"for (int j = 0; j < {sizes[1]}; j++) {a}[j] = {name}_{kind}({a}[j]);")
        before = a
    body = "".join(f"    {line}\n" for line in lines)
    return f"{SIGNATURES['forward'][0].format(**words)}\n{{\n{body}}}\n"


def _others(chosen, labels, words):
    """The functions around ``forward``, and the labels."""
    for name in chosen:
        head = SIGNATURES[name][0].format(**words)
        if name == "labels":
            items = [_c_text.string(label) for label in labels]
            yield _c_text.array(head.removeprefix("extern const "), items, scope="const ")
        elif name != "forward":
            body = _class_body(words) if name == "class" else name
            yield f"{head}\n" + BODIES[body].format(**words)


def _class_body(words):
    """Which body tells the class."""
    if words["classes"] == 1:  # It is certain, whatever the network says of another one.
        return "one class"
    return "outputs" if words["outputs"] > 1 else "one output"
