"""A quantised network as one file of C99 and its header, with a certificate.

Between its input and its last z the file has whole numbers alone; see ``_int8`` for the arithmetic.
"""

from .._version import __version__
from . import _c_text, _kernel_text
from ._c_text import piece

# Bytes of machine code, GCC 12 with -Os for Cortex-M4 and M0, of all activations, with certificate.
CODE = "800 to 1,900"

SIGNATURES = {
    "quantize": (
        "void {name}_quantize(const float x[{inputs}], int8_t q[{inputs}])",
        "q: one row x in steps of eight bits.",
    ),
    "logits": (
        "void {name}_logits(const int8_t q[{inputs}], int32_t z[{outputs}])",
        "z: the last layer's sums for one row q, in steps of {last_scale}.",
    ),
    "class": ("int {name}_class(const int8_t q[{inputs}])", "The class of one row q: {rule}."),
    "forward": (
        "void {name}_forward(const float x[{inputs}], float y[{outputs}])",
        "y: the activations of the last layer for one row x, computed from z in float.",
    ),
    "certificate": (
        "int {name}_certificate(void)",
        "How many of {numbers} numbers are not those of bpcore: 0 proves this device.",
    ),
}

BODIES = {
    "quantize": """\
{{
    for (int i = 0; i < {inputs}; i++)
        q[i] = {name}_step(x[i], {shift}, {factor}, {zero_point});
}}
""",
    "one output": """\
{{
    int32_t z[1];
    {name}_logits(q, z);
    return z[0] > 0;
}}
""",
    "outputs": """\
{{
    int32_t z[{outputs}];
    int highest = 0;
    {name}_logits(q, z);
    for (int j = 1; j < {outputs}; j++)
        if (z[j] > z[highest]) highest = j;
    return highest;
}}
""",
    "forward": """\
{{
    int8_t q[{inputs}];
    int32_t z[{outputs}];
    {name}_quantize(x, q);
    {name}_logits(q, z);
    for (int j = 0; j < {outputs}; j++) y[j] = (float)z[j] * {last_scale};
{activation}}}
""",
    "certificate": """\
{{
    int differing = 0;
    for (int row = 0; row < {checked}; row++) {{
        int8_t q[{inputs}];
        int32_t z[{outputs}];
        float y[{outputs}];
        {name}_quantize({name}_checked_rows[row], q);
        {name}_logits(q, z);
        {name}_forward({name}_checked_rows[row], y);
        for (int j = 0; j < {outputs}; j++) {{
            const uint32_t expected = {name}_checked_words[row][j];
            if (z[j] != {name}_checked_sums[row][j]) differing++;
            /* The sign of a zero is free: 0 times 2 leaves nothing but that. */
            if ({name}_word(y[j]) != expected && (y[j] != 0 || expected << 1 != 0)) differing++;
        }}
    }}
    return differing;
}}
""",
}


def write(net, path, *, name=None, rows=None, placement=None):
    """Write ``path`` and the header beside it; see ``QuantizedNetwork.export``.

    rows: those of the certificate, (n, inputs) of float32, or None.
    """
    names = {"name": _c_text.checked_name(name, path), "file": _c_text.file_of(path)}
    _c_text.write_pair(path, *_texts(net, names, rows, _c_text.checked_placement(placement)))


def _texts(net, names, rows, placement):
    """(The source, the header) of a QuantizedNetwork; rows (n, inputs) of the certificate."""
    name = names["name"]
    words = names | _words(net, name, rows)
    names = [*SIGNATURES] if rows is not None else [*SIGNATURES][:-1]
    names = [key for key in names if key != "class" or net.output in ("sigmoid", "softmax")]
    body = [*_activation(net, words), *_constants(net, words, placement)]
    if rows is not None:
        body += _certified(net, rows, words, placement)
    body += [_function(net, key, words) for key in names]
    fma = f"{name}_fma(" in body[0]
    source = [
        _title(net, words, rows),
        f'#include "{words["file"]}.h"\n\n' + piece("head.c", words),
        *([piece("fma_float.c", words)] if fma else []),
        *_c_text.chosen_pieces(_c_text.HELPERS, words, body),
        piece("int8.c", words),
        *([piece("int8_hidden.c", words)] if net.hidden else []),
        piece("int8_last.c", words),
        *body,
    ]
    declared = [SIGNATURES[key] for key in names]
    return "\n".join(source), _c_text.header(words, declared, ["stdint.h"])


def _words(net, name, rows):
    """What stands in the braces of the texts above."""
    outputs, n = net.sizes[-1], 0 if rows is None else len(rows)
    each = net.shift.ndim > 0
    return {
        "real": "float",
        "word": "uint32_t",
        "inputs": net.sizes[0],
        "outputs": outputs,
        "rule": "the first of the highest z" if outputs > 1 else "1 where z is above 0",
        "shift": f"{name}_shift[i]" if each else _c_text.number(net.shift, "float"),
        "factor": f"{name}_factor[i]" if each else _c_text.number(net.factor, "float"),
        "zero_point": net.zero_point,
        "last_scale": _c_text.number(net.last_scale, "float"),
        "activation": _activate(net, name),
        "checked": n,
        "numbers": 2 * n * outputs,
    }


def _activate(net, name):
    """The lines that make activations of y."""
    if net.output == "identity":
        return ""
    if net.output == "softmax":
        return f"    {name}_softmax(y, {net.sizes[-1]});\n"
    loop = f"for (int j = 0; j < {net.sizes[-1]}; j++)"
    return f"    {loop} y[j] = {name}_{net.output}(y[j]);\n"


def _title(net, words, rows):
    """What the file is, and what it takes."""
    name, hidden = words["name"], net.sizes[1:-1]
    stack = net.sizes[0] + max(hidden[0::2], default=0) + max(hidden[1::2], default=0)
    units = ", ".join(
        f"{units} {kind}"
        for units, kind in zip(net.sizes[1:], (*net.hidden, net.output), strict=True)
    )
    held = 4 * (rows.size + words["numbers"]) if rows is not None else 0
    return (
        f"/* {words['file']}.c: a network of {words['inputs']} inputs, {units}, in int8.\n"
        " *\n"
        f" * Written by bpcore {__version__} from the network with the fingerprint\n"
        f" * {net.fingerprint}.\n"
        f" * {name}_logits computes the whole numbers of its QuantizedNetwork.logits, by the same "
        "steps. C99,\n"
        " * without a library, an allocation or a state; floating point only where float is read "
        "or written.\n"
        f" * Bytes: constants {net.nbytes:,}; stack {stack + 4 * net.sizes[-1]:,} and what calls "
        f"take; code {CODE}{f'; the certificate {held:,}' if held else ''}. */\n"
    )


def _activation(net, words):
    """The function of the last layer's activation, or nothing."""
    kind = "exp" if net.output == "softmax" else net.output
    if kind == "identity":
        return [""]
    text = _kernel_text.functions_of([kind], 4, words["name"])
    return [text] + ([piece("softmax_float.c", words)] if net.output == "softmax" else [])


def _constants(net, words, placement):
    """What standardises, and the arrays of each layer."""
    name, arrays = words["name"], []

    def add(kind, what, items):
        arrays.append(
            _c_text.array(f"{kind} {name}_{what}[{len(items)}]{placement}", [*map(str, items)])
        )

    if net.shift.ndim:
        for what in ("shift", "factor"):
            add("float", what, [_c_text.number(x, "float") for x in getattr(net, what).tolist()])
    for number, layer in enumerate(net.layers, start=1):
        add("int8_t", f"W{number}", layer.weights.reshape(-1).tolist())
        add("int32_t", f"b{number}", layer.biases.tolist())
        add("int32_t", f"multipliers{number}", layer.multipliers.tolist())
        add("uint8_t", f"shifts{number}", layer.shifts.tolist())
        if layer.table is not None:
            add("int8_t", f"table{number}", layer.table.tolist())
    return arrays


def _certified(net, rows, words, placement):
    """The rows of the certificate, their z, and the words of their outputs."""
    z, y = net.logits(rows), net.forward(rows)
    name, n, shape = words["name"], len(rows), f"[{len(rows)}][{words['outputs']}]"
    x = [_c_text.number(number, "float") for number in rows.reshape(-1).tolist()]
    sums = [str(number) for number in z.reshape(-1).tolist()]
    outputs = [f"UINT32_C({word:#x})" for word in y.view("u4").reshape(-1).tolist()]
    return [
        _c_text.matrix(f"float {name}_checked_rows[{n}][{words['inputs']}]{placement}", x, n),
        _c_text.matrix(f"int32_t {name}_checked_sums{shape}{placement}", sums, n),
        _c_text.matrix(f"uint32_t {name}_checked_words{shape}{placement}", outputs, n),
    ]


def _function(net, key, words):
    """A function of the file, with its head."""
    if key == "logits":
        body = _layers(net, words["name"])
    elif key == "class":
        body = BODIES["outputs" if words["outputs"] > 1 else "one output"].format(**words)
    else:
        body = BODIES[key].format(**words)
    return f"{SIGNATURES[key][0]}\n".format(**words) + body


def _layers(net, name):
    """The body of ``logits``, layer by layer."""
    hidden, lines, before = net.sizes[1:-1], [], "q"
    for array, units in (("odd", hidden[0::2]), ("even", hidden[1::2])):
        if units:
            lines.append(f"int8_t {array}[{max(units)}];")
    for number, layer in enumerate(net.layers, start=1):
        arrays = ", ".join(f"{name}_{what}{number}" for what in ("W", "b", "multipliers", "shifts"))
        outputs, inputs = layer.weights.shape
        call = f"({before}, {inputs}, {arrays}, {outputs}"
        if number == len(net.layers):
            lines.append(f"{name}_last{call}, z);")
        else:
            before = ("even", "odd")[number % 2]
            table = "NULL" if layer.table is None else f"{name}_table{number}"
            lines.append(f"{name}_hidden{call},")
            lines.append(f"    {layer.offset}, {layer.lowest}, {table}, {before});")
    return "{\n" + "".join(f"    {line}\n" for line in lines) + "}\n"
