"""What is refused, for any place in any data: numbers that are not finite, sizes beyond all memory.

The messages name the argument and the position, and the network stays as it was.
"""

import re
import tracemalloc

import numpy as np
import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not installed: pip install hypothesis")

from hypothesis import assume, given
from hypothesis import strategies as st

import bpcore
from bpcore import _core
from tests.arrays import DTYPES, laid, normal
from tests.bits import same_bits
from tests.compressed import Rows

# ---- Numbers that are not finite -----------------------------------------------------------------

BAD = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}


@st.composite
def data_with_a_fault(draw):
    """(arguments of fit, what the message begins with, inputs, dtype)"""
    rows, inputs = draw(st.integers(2, 40)), draw(st.integers(1, 40))
    dtype, name = draw(DTYPES), draw(st.sampled_from(list(BAD)))
    places = ["X", "CSR", "X of batch 0", "y", "sample_weight", "eval_set's X", "eval_set's y"]
    where = draw(st.sampled_from(places))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.random((rows, inputs)).astype(dtype) + 1
    X *= rng.random(X.shape) < draw(st.sampled_from([0.0, 0.05, 1.0]))  # fit may compress it.
    Y = rng.random((rows, 2)).astype(dtype)
    weights = np.ones(rows, dtype)
    wrong = {"X": X, "CSR": X, "X of batch 0": X, "y": Y, "sample_weight": weights}
    target = wrong.get(where, X if where.endswith("X") else Y).copy()
    place = draw(st.tuples(*(st.integers(0, n - 1) for n in target.shape)))
    target[place] = BAD[name]
    layout = draw(st.sampled_from(["plain", "columns first", "upside down", "every second"]))
    target = Rows(target) if where == "CSR" else laid(target, layout)
    arguments = {"X": X, "y": Y, "sample_weight": weights}
    if where.startswith("eval_set"):
        arguments["eval_set"] = (target, Y) if where.endswith("X") else (X, target)
    elif where == "X of batch 0":
        arguments = {"X": [(target, Y)]}
    else:
        arguments["X" if where == "CSR" else where] = target
    shown = "X" if where == "CSR" else where
    begins = f"{shown}[{', '.join(map(str, place))}] is {name} as {dtype}, but it must be finite"
    return arguments, begins, inputs, dtype


@given(fault=data_with_a_fault())
def test_a_number_that_is_not_finite_is_refused_by_name_and_position(fault):
    arguments, begins, inputs, dtype = fault
    net = bpcore.Network([inputs, 2], output="sigmoid", dtype=dtype, seed=1)
    before = net.parameters.copy()
    with pytest.raises(ValueError, match="^" + re.escape(begins)):
        net.fit(**arguments, epochs=2, learning_rate=0.1, batch_size=3)
    assert same_bits(net.parameters, before) and net.epochs == 0 and net._state is None


@given(
    rows=st.integers(1, 400), columns=st.integers(1, 70), dtype=DTYPES, seed=st.integers(0, 2**32),
    bad=st.sampled_from(list(BAD.values())),
)  # fmt: skip
def test_the_first_number_that_is_not_finite_is_found(rows, columns, dtype, seed, bad):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(rows * columns).astype(dtype)
    x[:: max(1, len(x) // 7)] = np.finfo(dtype).max  # Large ones are finite, and so are their sums.
    assert _core.first_nonfinite(x) == -1
    places = rng.integers(len(x), size=3)
    x[places] = bad
    assert _core.first_nonfinite(x) == places.min() == np.flatnonzero(~np.isfinite(x))[0]


@given(
    seed=st.integers(0, 2**32 - 1), dtype=DTYPES, rate=st.floats(1, 12), rows=st.integers(1, 40),
    batch=st.integers(1, 12), name=st.sampled_from(["sgd", "momentum", "nesterov"]),
)  # fmt: skip
def test_a_loss_that_is_not_finite_leaves_the_network_as_before_its_batch(
    seed, dtype, rate, rows, batch, name
):
    """The twin learns one batch at a time, and stops before the one that is named."""
    X, Y = normal(seed, (rows, 3), dtype, 3), normal(seed + 1, (rows, 2), dtype, 3)
    how = {"learning_rate": 10.0**rate, "optimizer": name, "shuffle": False}
    net, twin = (
        bpcore.Network([3, 4, 2], hidden="relu", output="identity", dtype=dtype, seed=1)
        for _ in range(2)
    )
    try:
        net.fit(X, Y, epochs=50, batch_size=batch, **how)
    except FloatingPointError as error:
        found = re.search(r"the loss is not finite in epoch (\d+), batch (\d+);", str(error))
        assume(found is not None)  # An update that overflows is another law.
        epoch, number = map(int, found.groups())
    else:
        assume(False)
    batches = [slice(at, at + batch) for at in range(0, rows, batch)]
    steps = batches * epoch + batches[:number]
    for step in steps:
        twin.fit(X[step], Y[step], epochs=1, **how)
    assert same_bits(net.parameters, twin.parameters) and net.epochs == epoch
    assert np.isfinite(net.parameters).all()
    broken = batches[number]
    with pytest.raises(FloatingPointError, match="the loss is not finite"):
        twin.fit(X[broken], Y[broken], epochs=1, **how)
    assert same_bits(net.parameters, twin.parameters)


# ---- Sizes ---------------------------------------------------------------------------------------

NEAR = [2**power + off for power in (31, 32, 62, 63, 64) for off in (-1, 0, 1)]
SIZES = st.one_of(st.sampled_from(NEAR), st.integers(1, 4), st.integers(2**40, 2**64))
BEYOND = 1 << 63  # bytes: no array of NumPy has as many
ADDRESSES = 1 << 57  # bytes that a process can address, on every machine that bpcore runs on


def peak_of(call, *errors):
    """The most memory that a refusal takes, and its error."""
    tracemalloc.start()
    try:
        with pytest.raises(errors) as caught:
            call()
        return tracemalloc.get_traced_memory()[1], caught.value
    finally:
        tracemalloc.stop()


@given(sizes=st.lists(SIZES, min_size=2, max_size=4), dtype=DTYPES)
def test_a_network_beyond_all_memory_is_refused_in_words(sizes, dtype):
    count = sum((a + 1) * b for a, b in zip(sizes[:-1], sizes[1:], strict=True))
    size = count * np.dtype(dtype).itemsize
    assume(size >= ADDRESSES)

    def network():
        return bpcore.Network(sizes, dtype=dtype, seed=0)

    if max(sizes) >= 2**63:
        used, error = peak_of(network, ValueError)
        assert re.match(
            r"sizes\[\d\] is \d+, but it must be at most 9223372036854775807", str(error)
        )
    else:
        used, error = peak_of(network, MemoryError)
        assert "more bytes than can be addressed" in str(error) or "Unable to allocate" in str(
            error
        )
    if size >= BEYOND:  # NumPy is not even asked.
        assert used < 1 << 20


SIZE_FUNCTIONS = ["workspace_size", "forward_size", "mean_loss_size", "packed_size"]


@given(
    rows=st.one_of(st.sampled_from(NEAR), st.integers(0, 2**64)), itemsize=st.sampled_from([4, 8]),
    name=st.sampled_from(SIZE_FUNCTIONS), what=st.sampled_from([0, 1, 2]),
)  # fmt: skip
def test_the_core_refuses_sizes_that_do_not_fit(rows, itemsize, name, what):
    """For rows, rows of a block, and threads or entries: a size that fits, or MemoryError."""
    architecture = _core.Architecture([8, 3, 1], ["tanh", "sigmoid"], "mse")
    arguments = [(rows, itemsize), (9, itemsize, rows), (9, itemsize, 0, rows)][what]
    try:
        size = getattr(_core, name)(architecture, *arguments)
    except MemoryError as error:
        assert "more bytes than can be addressed" in str(error) and rows >= 2**31
    except OverflowError:  # Python's own: no size_t holds it.
        assert rows >= 2**64
    else:
        assert 0 <= size < 2**63


@given(n=st.one_of(st.sampled_from(NEAR), st.integers(2**31, 2**70)))
def test_numbers_of_fit_are_taken_up_to_63_bits(n):
    """More is refused in words; a batch is never larger than the data, threads never too many."""
    X, y = np.eye(4, dtype="f4"), [0, 1, 1, 0]
    for name in ("batch_size", "n_threads", "epochs"):
        net, plain = (bpcore.Network([4, 2, 1], seed=0) for _ in range(2))
        how = {"epochs": 1, "learning_rate": 0.1}
        if n < 2**63:
            if name != "epochs":
                net.fit(X, y, **{**how, name: n})
                plain.fit(X, y, **how)
        else:
            with pytest.raises(ValueError, match=f"{name} is {n}, but it must be at most"):
                net.fit(X, y, **{**how, name: n})
        assert same_bits(net.parameters, plain.parameters)


@given(n=st.sampled_from([*NEAR, -1, -(2**31), -(2**63)]), dtype=DTYPES)
def test_indices_and_labels_never_wrap(n, dtype):
    net = bpcore.Network([2, 3], output="softmax", dtype=dtype, seed=0)
    X, before = np.eye(2), net.parameters.copy()
    kind = np.int64 if -(2**63) <= n < 2**63 else (np.uint64 if n < 2**64 else object)
    cases = {
        "label|finite|not numbers|at least": {"y": np.array([0, n], kind)},
        "order": {"y": [0, 1], "order": np.array([0, n], kind)},
    }
    for says, arguments in cases.items():
        with pytest.raises((ValueError, TypeError), match=says):
            net.fit(X, **arguments, epochs=1, learning_rate=0.1)
    assert same_bits(net.parameters, before)
