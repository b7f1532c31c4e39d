"""Laws of the binding: what fits is taken, what does not fit is refused, and nothing crashes."""

import os
import subprocess
import sys

import numpy as np
import pytest

from bpcore import _core
from tests.conftest import ISAS, Net

REFUSED = (TypeError, ValueError)


# ---- Instruction sets ----------------------------------------------------------------------------


def test_instruction_sets_are_named_the_best_one_first():
    assert set(ISAS) <= {"avx512", "avx2", "neon", "generic"} and "generic" in ISAS
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


def test_sizes_beyond_memory_are_an_error_and_not_a_crash():
    net = Net([1000, 3], None, "identity", "mse", np.float32)
    with pytest.raises(MemoryError):
        _core.workspace_size(net.core, 2**62, 4)
    with pytest.raises(MemoryError):
        _core.workspace_size(net.core, 2**52, 4, 2**52)
    assert _core.workspace_size(net.core, 2**40, 4) < 2**30  # Blocks pass; rows do not pile up.
    for bad in (-1, 2**64):
        with pytest.raises(OverflowError):
            _core.workspace_size(net.core, bad, 4)
        with pytest.raises(OverflowError):
            _core.Training(bad, 0.1)


# ---- Every argument of every function ------------------------------------------------------------

OUTPUTS = {"out", "parameters of run", "order of shuffle", "Z", "A of dense_forward", "dW", "db"}
OUTPUTS |= {"dX", "A of activate", "dA", "C", "workspace", "x of exp", "x of log", "x of log1p_exp"}


def calls(dtype):
    """{name: (function, {argument: value})}: a call of each function that is right."""
    net = Net([3, 4, 2], "tanh", "sigmoid", "bce", dtype)
    X, Y = net.data(5)
    rng = np.random.default_rng(0)

    def numbers(*shape):
        return rng.random(shape).astype(dtype)

    work = net.workspace(5)
    data = {"parameters": net.parameters, "X": X, "Y": Y}
    return {
        "forward": (
            lambda parameters, X, out, workspace: _core.forward(
                net.core, parameters, X, out, workspace
            ),
            {"parameters": net.parameters, "X": X, "out": numbers(5, 2), "workspace": work},
        ),
        "mean_loss": (
            lambda parameters, X, Y, workspace: _core.mean_loss(
                net.core, parameters, X, Y, workspace
            ),
            {**data, "workspace": work},
        ),
        "gradient": (
            lambda parameters, X, Y, out, workspace: _core.gradient(
                net.core, parameters, X, Y, out, workspace
            ),
            {**data, "out": numbers(26), "workspace": work},
        ),
        "run": (
            lambda parameters, X, Y, order, workspace: _core.Training(2, 0.1).run(
                net.core, parameters, X, Y, order, 9, workspace
            ),
            {**data, "order": np.arange(5, dtype=np.uintp), "workspace": net.workspace(2)},
        ),
        "shuffle": (lambda order: _core.shuffle(order, 1, 2), {"order": np.zeros(9, np.uintp)}),
        "dense_forward": (
            lambda X, W, b, Z, A: _core.dense_forward("tanh", X, W, b, Z, A),
            {"X": X, "W": numbers(3, 4), "b": numbers(4), "Z": numbers(5, 4), "A": numbers(5, 4)},
        ),
        "dense_backward": (
            _core.dense_backward,
            {"X": X, "W": numbers(3, 4), "delta": numbers(5, 4)}
            | {"dW": numbers(3, 4), "db": numbers(4), "dX": numbers(5, 3)},
        ),
        "activate": (lambda A: _core.activate("tanh", A), {"A": numbers(3, 4)}),
        "activation_backward": (
            lambda A, dA: _core.activation_backward("tanh", A, dA),
            {"A": numbers(3, 4), "dA": numbers(3, 4)},
        ),
        "matmul": (_core.matmul, {"A": numbers(3, 4), "B": numbers(4, 5), "C": numbers(3, 5)}),
        "exp": (_core.exp, {"x": numbers(5)}),
        "log": (_core.log, {"x": numbers(5)}),
        "log1p_exp": (_core.log1p_exp, {"x": -numbers(5)}),
        "first_nonfinite": (_core.first_nonfinite, {"x": numbers(5)}),
    }


ARGUMENTS = [(name, argument) for name, (_, values) in calls("f4").items() for argument in values]
FREE_SIZE = {"shuffle", "activate", "exp", "log", "log1p_exp", "first_nonfinite"}


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
    if len(values) > 1:  # Alone, an array of either precision is right.
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
        if argument != "workspace":
            wrong += [np.repeat(value, 2, axis) for axis in range(value.ndim)]
    if name != "matmul" or argument == "C":
        wrong += [np.repeat(value, 2, axis=-1)[..., ::2], value[::-1]]
        wrong += [np.asfortranarray(value)] if value.ndim > 1 else []
    for other in wrong:
        with pytest.raises(REFUSED):
            call_with(name, dtype, **{argument: other})


@pytest.mark.parametrize("name, argument", ARGUMENTS)
def test_none_is_refused_where_an_array_is_needed(dtype, name, argument):
    if (name, argument) in [("run", "order"), ("dense_backward", "dX")]:
        call_with(name, dtype, **{argument: None})
    else:
        with pytest.raises(REFUSED):
            call_with(name, dtype, **{argument: None})


# ---- Memory --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        "_core.workspace_size(None, 3, 4)",
        "_core.forward(None, x, X, X, w)",
        "_core.mean_loss(None, x, X, X, w)",
        "_core.gradient(None, x, X, X, x, w)",
        "_core.Training(1, 0.1).run(None, x, X, X, None, 9, w)",
    ],
)
def test_none_is_no_architecture(call):
    """In a process of its own: what is read instead may be no memory at all."""
    arrays = "import numpy as np; x = np.ones(9); X = x.reshape(3, 3); w = np.ones(9, np.uint8)"
    done = in_another_process(f"{arrays}\n{call}")
    assert done.returncode == 1 and "TypeError" in done.stderr


def test_strides_between_elements_are_refused(dtype):
    """A field of a packed record: the step is no whole number of elements."""
    records = np.zeros((3, 4), np.dtype([("flag", "u1"), ("value", dtype)]))
    A, C = records["value"], np.zeros((3, 3), dtype)
    for left, right in [(A, np.ones((4, 3), dtype)), (np.ones((3, 3), dtype), A[:, :3])]:
        with pytest.raises(ValueError, match="multiple of the element size"):
            _core.matmul(left, right, C)
