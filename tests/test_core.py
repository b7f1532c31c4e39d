"""Laws of the binding: what fits is taken, what does not fit is refused, and nothing crashes."""

import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from bpcore import _core
from tests.bits import ISAS
from tests.core_network import Net

REFUSED = (TypeError, ValueError)


# ---- Instruction sets ----------------------------------------------------------------------------


def test_instruction_sets_are_named_the_best_one_first():
    assert set(ISAS) <= {"avx512", "avx2", "neon", "wasm", "generic"} and "generic" in ISAS
    assert len(set(ISAS)) == len(ISAS) and (ISAS[0] != "generic" or ISAS == ["generic"])
    assert _core.isa() in ISAS


def test_use_isa_returns_the_one_before(isa):
    assert _core.use_isa("generic") == isa and _core.isa() == "generic"


@pytest.mark.parametrize("name", ["sse", "", "AVX2", "default", "unknown", None, 3])
def test_an_unknown_instruction_set_is_refused_and_changes_nothing(name):
    before = _core.isa()
    with pytest.raises(REFUSED):
        _core.use_isa(name)
    assert _core.isa() == before


def test_use_thread_work_returns_the_one_before():
    before = _core.use_thread_work(1)
    assert _core.use_thread_work(before) == 1 and _core.use_thread_work(before) == before
    with pytest.raises(OverflowError):
        _core.use_thread_work(-1)


def in_another_process(program, **variables):
    return subprocess.run(
        [sys.executable, "-c", "from bpcore import _core\n" + program],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )


def test_bpcore_isa_chooses_at_import():
    for name in ["", *ISAS]:
        done = in_another_process("print(_core.isa())", BPCORE_ISA=name)
        assert done.stdout.strip() == (name or ISAS[0])
    wrong = in_another_process("", BPCORE_ISA="sse")
    assert wrong.returncode and "ImportError: BPCORE_ISA: instruction set 'sse'" in wrong.stderr


# ---- Networks ------------------------------------------------------------------------------------


def test_parameters_are_weights_and_biases_of_each_layer():
    architecture = _core.Architecture([3, 5, 2], ["relu", "softmax"], "cross_entropy")
    assert architecture.parameter_count == (3 * 5 + 5) + (5 * 2 + 2)
    assert _core.Architecture(np.array([3, 5]), ("tanh",), "mse").parameter_count == 20


@pytest.mark.parametrize(
    "sizes, activations, loss, error",
    [
        ([], [], "mse", REFUSED),
        ([3], [], "mse", REFUSED),
        ([3, 2], [], "mse", REFUSED),
        ([3, 2], ["relu", "relu"], "mse", REFUSED),
        ([3, 0], ["relu"], "mse", REFUSED),
        ([0, 3], ["relu"], "mse", REFUSED),
        ([3, 0, 3], ["relu", "relu"], "mse", REFUSED),
        ([3, -2], ["relu"], "mse", (*REFUSED, OverflowError)),
        ([3, 2.5], ["relu"], "mse", REFUSED),
        ([3, "2"], ["relu"], "mse", REFUSED),
        ([3, None], ["relu"], "mse", REFUSED),
        (None, ["relu"], "mse", REFUSED),
        ([3, 2], None, "mse", REFUSED),
        ([3, 4, 2], ["softmax", "relu"], "mse", REFUSED),
        ([3, 2], ["relu"], "bce", REFUSED),
        ([3, 2], ["softmax"], "bce", REFUSED),
        ([3, 2], ["tanh"], "cross_entropy", REFUSED),
        ([3, 2], ["sigmoid"], "cross_entropy", REFUSED),
        ([2**62, 3], ["relu"], "mse", MemoryError),
        ([2**32, 2**32], ["relu"], "mse", MemoryError),
        ([3, 2**60], ["relu"], "mse", MemoryError),
        ([3, 2**64], ["relu"], "mse", (MemoryError, OverflowError)),
        ([2**64 - 1, 2**64 - 1], ["relu"], "mse", MemoryError),
        ([3, 2], ["step"], "mse", REFUSED),
        ([3, 2], [None], "mse", REFUSED),
        ([3, 2], ["relu"], "hinge", REFUSED),
    ],
)
def test_what_is_no_network_is_refused(sizes, activations, loss, error):
    with pytest.raises(error):
        _core.Architecture(sizes, activations, loss)


@pytest.mark.parametrize("name", ["step", "", "RELU"])
def test_an_unknown_activation_is_refused(name):
    with pytest.raises(ValueError):
        _core.activate(name, np.ones((1, 1)))
    with pytest.raises(ValueError):
        _core.activation_backward(name, np.ones((1, 1)), np.ones((1, 1)))


SIZES = [_core.workspace_size, _core.forward_size, _core.mean_loss_size, _core.packed_size]


def test_sizes_beyond_memory_are_an_error_and_not_a_crash():
    net = Net([1000, 3], None, "identity", "mse", np.float32)
    with pytest.raises(MemoryError):
        _core.workspace_size(net.core, 2**62, 4)
    assert _core.workspace_size(net.core, 2**40, 4, 2**40) < 2**30  # A block is a part at most.
    with pytest.raises(MemoryError):
        _core.workspace_size(net.core, 2**40, 4, 2**40, 1, 2**60)
    with pytest.raises(MemoryError):
        _core.packed_size(net.core, 2**40, 4, 2**62)
    for size in SIZES:
        with pytest.raises(MemoryError):
            size(net.core, 2**62, 4)
        assert size(net.core, 2**40, 4) < 2**30  # Blocks pass; rows do not pile up.
        for bad in (-1, 2**64):
            with pytest.raises(OverflowError):
                size(net.core, bad, 4)
    for bad in (-1, 2**64):
        with pytest.raises(OverflowError):
            _core.Training(bad, 0.1)


# ---- Every argument of every function ------------------------------------------------------------

OUTPUTS = {"out", "parameters of run", "order of shuffle", "Z", "A of dense_forward", "dW", "db"}
OUTPUTS |= {"dX", "A of activate", "dA of activation_backward", "C", "workspace", "x of exp"}
OUTPUTS |= {"x of log", "x of log1p_exp", "values of compress", "columns of compress"}
OUTPUTS |= {"row_offsets of count_nonzero", "gradient", "A of layer_outputs", "J"}
OUTPUTS |= {
    "deltas of layer_outputs",
    "A of part_deltas",
    "deltas of part_deltas",
    "losses",
    "sums",
}
OUTPUTS |= {"parameters of end_batch"}
OUTPUTS |= {"A of parameter_jacobian", "A of cholesky_solve", "x of cholesky_solve", "derivative"}


def sparse_rows(dtype):
    """Five rows of three columns, one row empty, as arrays."""
    return {
        "values": np.array([1, -2, 0, 3, 4, 5], dtype),
        "columns": np.array([0, 2, 1, 0, 1, 2], np.uint32),
        "row_offsets": np.array([0, 2, 3, 3, 5, 6], np.uintp),
    }


def numbers(dtype, *shape):
    return np.random.default_rng(shape).random(shape).astype(dtype)


def calls_of_networks(dtype):
    net = Net([3, 4, 2], "tanh", "sigmoid", "bce", dtype)
    (X, Y), core, parameters, out = net.data(5), net.core, net.parameters, numbers(dtype, 5, 2)
    work, two_rows = net.workspace(5), net.workspace(2)
    forward_work, loss_work = (
        net.memory(size, 5, {}) for size in (_core.forward_size, _core.mean_loss_size)
    )
    rows, data = {"parameters": parameters, "X": X}, {"parameters": parameters, "X": X, "Y": Y}
    run = partial(_core.Training(2, 0.1).run, core, row_budget=9)
    jacobian = partial(_core.parameter_jacobian, core, row=3, rows=2)
    return {
        "forward": (partial(_core.forward, core), {**rows, "out": out, "workspace": forward_work}),
        "Forward": (
            lambda parameters, X, out: _core.Forward(core, parameters)(X, out),
            {**rows, "out": out},
        ),
        "mean_loss": (partial(_core.mean_loss, core), {**data, "workspace": loss_work, "out": out}),
        "gradient": (
            partial(_core.gradient, core),
            {**data, "out": numbers(dtype, 26), "workspace": work},
        ),
        "run": (run, {**data, "order": np.arange(5, dtype=np.uintp), "workspace": two_rows}),
        "backward": (
            partial(_core.backward, core),
            {**rows, "dA": Y, "gradient": numbers(dtype, 26), "dX": numbers(dtype, 5, 3)}
            | {"workspace": work},
        ),
        "layer_outputs": (
            partial(_core.layer_outputs, core),
            {**data, "A": numbers(dtype, 30), "deltas": numbers(dtype, 30), "workspace": work},
        ),
        "parameter_jacobian": (
            jacobian,
            {**rows, "A": numbers(dtype, 2, 2), "J": numbers(dtype, 4, 26), "workspace": two_rows},
        ),
    }


def calls_of_sparse_rows(dtype):
    net = Net([3, 4, 2], "tanh", "sigmoid", "bce", dtype)
    size, entries = _core.packed_size(net.core, 5, dtype.itemsize, 6), sparse_rows(dtype)

    def call(function, values, columns, row_offsets, **arrays):
        sparse = _core.Sparse(values, columns, row_offsets, 3)
        function(net.core, X=None, sparse=sparse, **arrays)

    given = {"parameters": net.parameters, **entries}
    work = net.memory(_core.forward_size, 5, {})
    return {
        "Sparse": (
            partial(call, _core.forward),
            {**given, "out": numbers(dtype, 5, 2), "workspace": work},
        ),
        "pack": (partial(call, _core.pack), {**given, "out": np.zeros(size, np.uint8)}),
        "compress": (
            _core.compress,
            {"X": net.data(5)[0], "row_offsets": np.arange(0, 16, 3, np.uintp)}
            | {"values": numbers(dtype, 15), "columns": np.zeros(15, np.uint32)},
        ),
    }


def calls_of_shared_batches(dtype):
    net = Net([3, 4, 2], "tanh", "sigmoid", "bce", dtype)
    (X, Y), core, parameters = net.data(5), net.core, net.parameters
    training, entries = _core.Training(5, 0.1), sparse_rows(dtype)
    order, work = np.arange(5, dtype=np.uintp), net.workspace(5)
    no_rows = np.empty(_core.workspace_size(core, 0, dtype.itemsize), np.uint8)
    size = _core.transposed_size(core, 5, 6, dtype.itemsize)
    adds = np.empty(_core.add_rows_size(core, dtype.itemsize), np.uint8)
    made = {"A": numbers(dtype, 20), "deltas": numbers(dtype, 30), "losses": numbers(float, 10)}

    def transpose(values, columns, row_offsets, **arrays):
        sparse = _core.Sparse(values, columns, row_offsets, 3)
        _core.transpose(core, sparse=sparse, row=0, count=5, batch_row=0, nonzeros=6, **arrays)

    return {
        "part_deltas": (
            partial(_core.part_deltas, core, training, row=0, count=5, epoch_row=0),
            {"parameters": parameters, "X": X, "Y": Y, "order": order, **made, "workspace": work},
        ),
        "transpose": (
            transpose,
            {"parameters": parameters, **entries, "order": order, "out": np.zeros(size, np.uint8)},
        ),
        "add_rows": (
            partial(
                _core.add_rows, core, 1, 0, 5, transposed=None, nonzeros=0, count=5, batch_row=0,
                batch_rows=5,
            ),
            {"deltas": numbers(dtype, 10), "inputs": numbers(dtype, 20)}
            | {"sums": numbers(dtype, 10), "workspace": adds},
        ),
        "end_batch": (
            partial(_core.Training(5, 0.1).end_batch, core, batch_rows=5, loss=1.0, weight=5.0,
                    rows=5),
            {"parameters": parameters, "gradient": numbers(dtype, 26), "workspace": no_rows},
        ),
    }  # fmt: skip


def calls_of_kernels(dtype):
    def arrays(**shapes):
        return {name: numbers(dtype, *shape) for name, shape in shapes.items()}

    layer, square = arrays(X=(5, 3), W=(3, 4)), arrays(A=(3, 4), dA=(3, 4))
    return {
        "count_nonzero": (
            _core.count_nonzero,
            arrays(X=(5, 3)) | {"row_offsets": np.zeros(6, np.uintp)},
        ),
        "shuffle": (partial(_core.shuffle, seed=1, epoch=2), {"order": np.zeros(9, np.uintp)}),
        "dense_forward": (
            partial(_core.dense_forward, "tanh"),
            layer | arrays(b=(4,), Z=(5, 4), A=(5, 4)),
        ),
        "dense_backward": (
            _core.dense_backward,
            layer | arrays(delta=(5, 4), dW=(3, 4), db=(4,), dX=(5, 3)),
        ),
        "activate": (partial(_core.activate, "tanh"), arrays(A=(3, 4))),
        "activate_derivative": (
            partial(_core.activate_derivative, "tanh"),
            arrays(Z=(3, 4), derivative=(3, 4)),
        ),
        "activation_backward": (partial(_core.activation_backward, "tanh"), square),
        "matmul": (_core.matmul, arrays(A=(3, 4), B=(4, 5), C=(3, 5))),
        "cholesky_solve": (
            partial(_core.cholesky_solve, damping=9.0),
            arrays(A=(3, 3), diagonal=(3,), x=(3,)),
        ),
        "dot": (_core.dot, arrays(x=(5,), y=(5,))),
        "exp": (_core.exp, arrays(x=(5,))),
        "log": (_core.log, arrays(x=(5,))),
        "log1p_exp": (_core.log1p_exp, {"x": -numbers(dtype, 5)}),
        "first_nonfinite": (_core.first_nonfinite, arrays(x=(5,))),
    }


def calls(dtype):
    """{name: (function, {argument: value})}: a call of each function that is right."""
    dtype = np.dtype(dtype)
    networks = calls_of_networks(dtype) | calls_of_shared_batches(dtype)
    return networks | calls_of_sparse_rows(dtype) | calls_of_kernels(dtype)


ARGUMENTS = [(name, argument) for name, (_, values) in calls("f4").items() for argument in values]
FREE_SIZE = {"shuffle", "activate", "exp", "log", "log1p_exp", "first_nonfinite"}
FREE_SIZE |= {"compress", "count_nonzero"}
MAY_BE_LONGER = {"workspace", "values", "columns", "out of pack", "X of parameter_jacobian"}
MAY_BE_LONGER |= {f"{argument} of part_deltas" for argument in ("A", "deltas", "losses")}
MAY_BE_LONGER |= {f"{argument} of add_rows" for argument in ("inputs", "deltas", "sums")}
MAY_BE_LONGER |= {"out of transpose"}
OPTIONAL = [("part_deltas", "order"), ("transpose", "order")]
OPTIONAL += [("run", "order"), ("dense_backward", "dX"), ("mean_loss", "out")]
OPTIONAL += [("backward", "gradient"), ("backward", "dX"), ("cholesky_solve", "diagonal")]
OPTIONAL += [("layer_outputs", "A"), ("layer_outputs", "deltas")]


def is_output(name, argument):
    return argument in OUTPUTS or f"{argument} of {name}" in OUTPUTS


def call_with(name, dtype, **changed):
    function, values = calls(dtype)[name]
    return function(**{**values, **changed})


@pytest.mark.parametrize("name, argument", ARGUMENTS)
def test_read_only_inputs_are_taken_and_read_only_outputs_refused(dtype, name, argument):
    value = calls(dtype)[name][1][argument].copy()
    value.flags.writeable = False
    if is_output(name, argument):
        with pytest.raises(REFUSED):
            call_with(name, dtype, **{argument: value})
    else:
        call_with(name, dtype, **{argument: value})


@pytest.mark.parametrize("name, argument", ARGUMENTS)
def test_another_type_is_refused(dtype, name, argument):
    values = calls(dtype)[name][1]
    others = [np.float16, np.int64, np.complex64, object, values[argument].dtype.newbyteorder()]
    numbers_alone = [name for name, value in values.items() if value.dtype.kind == "f"] == [
        argument
    ]
    if not numbers_alone:  # Then an array of either precision is right.
        others += [np.float32, np.float64]
    for other in others:
        if values[argument].dtype != other:
            with pytest.raises(REFUSED):
                call_with(name, dtype, **{argument: values[argument].astype(other)})
    with pytest.raises(REFUSED):
        call_with(name, dtype, **{argument: values[argument].tolist()})


@pytest.mark.parametrize("name, argument", ARGUMENTS)
def test_another_shape_is_refused(dtype, name, argument):
    value = calls(dtype)[name][1][argument]
    wrong = [
        value[None],
        value.ravel()[:1].reshape(()),
        value.ravel() if value.ndim > 1 else value[:, None],
    ]
    if name not in FREE_SIZE:
        wrong += [np.ascontiguousarray(np.delete(value, 0, axis)) for axis in range(value.ndim)]
        wrong += [value[:0]]
        if not MAY_BE_LONGER & {argument, f"{argument} of {name}"}:
            wrong += [np.repeat(value, 2, axis) for axis in range(value.ndim)]
    if name != "matmul" or argument == "C":
        wrong += [np.repeat(value, 2, axis=-1)[..., ::2], value[::-1]]
        wrong += [np.asfortranarray(value)] if value.ndim > 1 else []
    for other in wrong:
        with pytest.raises(REFUSED):
            call_with(name, dtype, **{argument: other})


@pytest.mark.parametrize("name, argument", ARGUMENTS)
def test_none_is_refused_where_an_array_is_needed(dtype, name, argument):
    if (name, argument) in OPTIONAL:
        call_with(name, dtype, **{argument: None})
    else:
        with pytest.raises(REFUSED):
            call_with(name, dtype, **{argument: None})


@pytest.mark.parametrize("argument", ["values", "columns", "row_offsets"])
def test_compressed_rows_need_room(dtype, argument):
    """One element less than a right call has; of values and columns it is of the slack of 16."""
    value = calls(dtype)["compress"][1][argument]
    with pytest.raises(ValueError):
        call_with("compress", dtype, **{argument: value[1:]})


BAD_ENTRIES = [([0, 1, 2], row_offsets) for row_offsets in ([1, 2, 3], [0, 2, 1, 3], [0, 4, 4], [])]
BAD_ENTRIES += [(columns, [0, 2, 3]) for columns in ([1, 0, 2], [1, 1, 2], [0, 1, 3])]


@pytest.mark.parametrize("columns, row_offsets", BAD_ENTRIES)
def test_entries_out_of_order_or_out_of_range_are_refused(dtype, columns, row_offsets):
    with pytest.raises(ValueError):
        _core.Sparse(np.ones(3, dtype), np.uint32(columns), np.array(row_offsets, np.uintp), 3)


def test_sparse_rows_tell_their_sizes(dtype):
    rows = _core.Sparse(**sparse_rows(dtype), width=3)
    assert (len(rows), rows.nonzeros, rows.row_nonzeros) == (5, 6, 2)


def test_input_is_given_once_in_the_network_s_width_and_precision(dtype):
    net = Net([3, 2], None, "identity", "mse", dtype)
    X, rows = net.data(5)[0], _core.Sparse(**sparse_rows(dtype), width=3)
    wide = _core.Sparse(**sparse_rows(dtype), width=4)
    other = _core.Sparse(**sparse_rows(np.dtype("f8" if dtype == "f4" else "f4")), width=3)
    out, work = np.empty((5, 2), dtype), net.memory(_core.forward_size, 5, {})
    _core.forward(net.core, net.parameters, None, out, work, sparse=rows)
    for dense, sparse in [(X, rows), (None, None), (None, wide), (None, other)]:
        with pytest.raises(ValueError):
            _core.forward(net.core, net.parameters, dense, out, work, sparse=sparse)


# ---- Memory --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        "_core.workspace_size(None, 3, 4)",
        "_core.forward_size(None, 3, 4)",
        "_core.mean_loss_size(None, 3, 4)",
        "_core.packed_size(None, 3, 4)",
        "_core.pack(None, x, X, w)",
        "_core.Forward(None, x)",
        "_core.forward(None, x, X, X, w)",
        "_core.mean_loss(None, x, X, X, w)",
        "_core.gradient(None, x, X, X, x, w)",
        "_core.backward(None, x, X, X, x, X, w)",
        "_core.layer_outputs(None, x, X, X, x, x, w)",
        "_core.parameter_jacobian(None, x, X, 0, 3, X, X, w)",
        "_core.Training(1, 0.1).run(None, x, X, X, None, 9, w)",
    ],
)
def test_none_is_no_architecture(call):
    """In a process of its own: what is read instead may be no memory at all."""
    arrays = "import numpy as np; x = np.ones(9); X = x.reshape(3, 3); w = np.ones(9, np.uint8)"
    done = in_another_process(f"{arrays}\n{call}")
    assert done.returncode == 1 and "TypeError" in done.stderr


@pytest.mark.parametrize("length", [0, 1, -1])
def test_packed_data_that_is_too_short_is_refused(length):
    """In a process of its own, as above."""
    done = in_another_process(f"""
import numpy as np
net = _core.Architecture([3, 2], ["identity"], "mse")
bytes_of = lambda size, **how: np.zeros(size(net, 5, 8, **how), np.uint8)
p, Y, rows = np.ones(8), np.ones((5, 2)), np.arange(6, dtype=np.uintp)
sparse = _core.Sparse(np.ones(5), np.zeros(5, np.uint32), rows, 3)
whole = bytes_of(_core.packed_size, nonzeros=5)
_core.pack(net, p, None, whole, sparse=sparse)
for given in whole, np.zeros(len(whole[:{length}]), np.uint8):
    work = bytes_of(_core.workspace_size, row_nonzeros=1)
    _core.Training(5, 0.1).run(net, p, None, Y, None, 9, work, sparse=sparse, packed=given)
    print("taken", flush=True)
""")
    assert done.stdout == "taken\n" and done.returncode == 1 and "ValueError" in done.stderr


def test_strides_between_elements_are_refused(dtype):
    """A field of a packed record: the step is no whole number of elements."""
    records = np.zeros((3, 4), np.dtype([("flag", "u1"), ("value", dtype)]))
    A, C = records["value"], np.zeros((3, 3), dtype)
    for left, right in [(A, np.ones((4, 3), dtype)), (np.ones((3, 3), dtype), A[:, :3])]:
        with pytest.raises(ValueError, match="multiple of the element size"):
            _core.matmul(left, right, C)
