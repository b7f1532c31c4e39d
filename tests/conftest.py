"""What the tests of the core share: fixtures, exact oracles, and a network as a bundle of arrays.

The oracles are NumPy alone: no oracle calls the code that it judges.
"""

import os
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from bpcore import _core

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))
from driver import ROOT as ROOT
from driver import answer, compile_driver, results

ISAS = _core.available_isas()

# Bits are promised where products are fused. A CPU whose only table is the generic one has no such
# instruction; there the tests of bits have nothing to compare.
FUSED = len(ISAS) > 1
needs_fused = pytest.mark.skipif(not FUSED, reason="this CPU has no fused multiply-add")

# Every pair of output activation and loss that the contract allows.
PAIRS = [
    ("identity", "mse"),
    ("sigmoid", "mse"),
    ("tanh", "mse"),
    ("relu", "mse"),
    ("softmax", "mse"),
    ("sigmoid", "bce"),
    ("softmax", "cross_entropy"),
]


@pytest.fixture(params=ISAS)
def isa(request):
    """Each instruction set in turn; the former one comes back afterwards."""
    before = _core.use_isa(request.param)
    yield request.param
    _core.use_isa(before)


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return np.dtype(request.param)


def on_every_isa(compute):
    """compute()'s result on every instruction set, by name."""
    before, results = _core.isa(), {}
    try:
        for name in ISAS:
            _core.use_isa(name)
            results[name] = compute()
    finally:
        _core.use_isa(before)
    return results


def same_bits(a, b):
    """Equality of arrays or numbers as bits: -0 differs from 0, NaN equals the same NaN."""
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


# ---- C without Python ----------------------------------------------------------------------------


def build(program, compiler, *flags):
    """Compiles tests/c/driver.c with the whole core; skips the test where there is no compiler."""
    if os.name != "posix":
        pytest.skip("the driver asks POSIX for its guard pages")
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"there is no C compiler {compiler[0]!r} here")
    return compile_driver(program, compiler, "-pthread", *flags)


def c_compiler():
    return shlex.split(os.environ.get("CC") or "cc")


@pytest.fixture(scope="session")
def driver(tmp_path_factory):
    """The driver as users' compilers build the core."""
    return build(tmp_path_factory.mktemp("driver") / "driver", c_compiler(), "-O2")


QUIET = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}  # The core allocates nothing.


def run_driver(*command):
    """The finished process, output and messages together."""
    return answer(*command, environment=QUIET)


def results_of(*command):
    """{(isa, precision, what): hash} of a driver that found nothing wrong; the mode comes last."""
    return results(command[:-1], command[-1], environment=QUIET)[0]


@pytest.fixture(scope="session")
def native(driver):
    """The driver's results on this machine."""
    return results_of(driver, "all")


# ---- Exact arithmetic ------------------------------------------------------------------------


def two_sum(a, b):
    """The rounded sum and its rounding error, exactly (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def two_product(a, b):
    """The rounded product and its rounding error, exactly (Dekker), away from the range's ends."""
    product = a * b
    a_high = a * 134217729.0 - (a * 134217729.0 - a)
    b_high = b * 134217729.0 - (b * 134217729.0 - b)
    a_low, b_low = a - a_high, b - b_high
    error = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return product, error


def odd_sum(a, b):
    """a + b rounded to odd: an inexact sum takes the neighbour whose last bit is 1.

    A sum rounded so can be rounded again, to a shorter format, as if it were exact.
    """
    total, error = two_sum(a, b)
    even = total.view(np.int64) & 1 == 0
    neighbour = np.nextafter(total, np.where(error > 0, np.inf, -np.inf))
    return np.where(even & (error != 0), neighbour, total)


def fma(a, b, c):
    """a * b + c rounded once, element by element (Boldo and Melquiond 2008)."""
    a, b, c = np.broadcast_arrays(a, b, c)
    if a.dtype == np.float32:  # The product of two floats is exact in a double.
        wide = a.astype(np.float64) * b.astype(np.float64)
        return odd_sum(wide, c.astype(np.float64)).astype(np.float32)
    product, product_error = two_product(a, b)
    low, low_error = two_sum(c, product_error)
    high, high_error = two_sum(product, low)
    return high + odd_sum(low_error, high_error)


def chain(C, A, B):
    """C + A B as the contract says: one fused multiply-add a term, terms in ascending index."""
    C = np.array(C)
    for p in range(A.shape[1]):
        C = fma(A[:, p, None], B[None, p, :], C)
    return C


def ordered_sum(rows, start):
    """start + rows[0] + rows[1] + ..., in this order."""
    total = np.array(start)
    for row in rows:
        total = total + row
    return total


# Of the contract: where sums over rows are cut.
RUN_ROWS, PART_ROWS = 512, 32768


def pieces(size, rows, start=0):
    return [slice(i, min(i + size, rows)) for i in range(start, max(rows, 1), size)]


def sum_over_rows(run_sum, rows):
    """The contract's sum over a batch's rows; run_sum(slice) is that of a run, from zeros.

    The runs of a part are added in ascending order; so are the parts, and what is lost by that.
    """
    totals = []
    for part in pieces(PART_ROWS, rows):
        total, *runs = [run_sum(run) for run in pieces(RUN_ROWS, part.stop, part.start)]
        for run in runs:
            total = total + run
        totals.append(total)
    total, carry = totals[0], np.zeros_like(totals[0])
    for part in totals[1:]:
        total, lost = two_sum(total, part)
        carry = carry + lost
    return total + carry


def weight_sums(A, delta):
    """dW = A' delta as the contract says."""
    zeros = np.zeros((A.shape[1], delta.shape[1]), A.dtype)
    return sum_over_rows(lambda run: chain(zeros, A[run].T, delta[run]), len(A))


def bias_sums(delta):
    """db, the column sums of delta, as the contract says."""
    zeros = np.zeros(delta.shape[1], delta.dtype)
    return sum_over_rows(lambda run: ordered_sum(delta[run], zeros), len(delta))


# ---- The mathematics in float64, from the definitions ------------------------------------------


def activation(name, Z):
    if name == "sigmoid":
        return 1 / (1 + np.exp(-Z))
    if name == "softmax":
        E = np.exp(Z - Z.max(axis=1, keepdims=True))
        return E / E.sum(axis=1, keepdims=True)
    return {"identity": lambda z: z, "tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}[name](Z)


def mean_loss(net, parameters, X, Y):
    """The mean loss in float64, by the textbook's formulas: for logits of moderate size."""
    A = np.asarray(X, np.float64)
    layers = net.layers(np.asarray(parameters, np.float64))
    for (W, b), name in zip(layers, net.activations, strict=True):
        A = activation(name, A @ W + b)
    Y = np.asarray(Y, np.float64)
    if net.loss == "mse":
        losses = 0.5 * (A - Y) ** 2
    elif net.loss == "bce":
        losses = -Y * np.log(A) - (1 - Y) * np.log(1 - A)
    else:
        losses = -Y * np.log(A)
    return losses.sum() / len(X)


# ---- A network as a bundle of arrays -----------------------------------------------------------


class Net:
    """An architecture with seeded parameters; its methods allocate and call, and add no arithmetic.

    Workspaces are as small as allowed, begin at an odd address and are full of NaN: who reads what
    it did not write, or writes beyond the end of an array, is seen.
    """

    def __init__(
        self, sizes, hidden, output, loss, dtype, seed=0, *, loss_parameter=0, dropout=None
    ):
        self.sizes, self.loss, self.dtype = list(sizes), loss, np.dtype(dtype)
        self.loss_parameter, self.dropout = loss_parameter, dropout
        self.activations = [hidden] * (len(sizes) - 2) + [output]
        self.core = _core.Architecture(self.sizes, self.activations, loss, loss_parameter, dropout)
        rng = np.random.default_rng(seed)
        self.parameters = rng.standard_normal(self.core.parameter_count).astype(self.dtype)
        for W, b in self.layers(
            self.parameters
        ):  # Sums of moderate size, so that training settles.
            W /= np.sqrt(len(W))
            b /= 5

    def layers(self, parameters):
        """[(W, b), ...], views of the flat array."""
        views, at = [], 0
        for inputs, outputs in zip(self.sizes[:-1], self.sizes[1:], strict=True):
            W = parameters[at : at + inputs * outputs].reshape(inputs, outputs)
            at += inputs * outputs + outputs
            views.append((W, parameters[at - outputs : at]))
        assert at == len(parameters)
        return views

    def data(self, rows, seed=0):
        """Inputs, and targets that make sense for the loss."""
        rng = np.random.default_rng([seed, rows])
        X = rng.standard_normal((rows, self.sizes[0])).astype(self.dtype)
        Y = rng.random((rows, self.sizes[-1]))
        if self.loss == "bce":
            Y = np.round(Y)
        if self.loss == "cross_entropy":
            Y = np.eye(self.sizes[-1])[rng.integers(self.sizes[-1], size=rows)]
        return X, Y.astype(self.dtype)

    def memory(self, size, rows, how):
        """A workspace whose size `size` tells."""
        how = {name: how[name] for name in ("block_rows", "threads", "row_entries") if name in how}
        return np.full(size(self.core, rows, self.dtype.itemsize, **how) + 1, 255, np.uint8)[1:]

    def workspace(self, rows, **how):
        return self.memory(_core.workspace_size, rows, how)

    def forward(self, X, **how):
        """how: block_rows, threads. X may be a _core.Sparse."""
        out = np.full((len(X), self.sizes[-1]), np.nan, self.dtype)
        work = self.memory(_core.forward_size, len(X), how)
        _core.forward(self.core, self.parameters, *given(X), out, work, **how, **sparse(X))
        return out

    def mean_loss(self, X, Y, parameters=None, **how):
        parameters = self.parameters if parameters is None else parameters
        work = self.memory(_core.mean_loss_size, len(X), how)
        return _core.mean_loss(self.core, parameters, *given(X), Y, work, **how, **sparse(X))

    def gradient(self, X, Y, **how):
        """The gradient and the loss."""
        out = np.full(self.core.parameter_count, np.nan, self.dtype)
        work = self.workspace(len(X), **how, **row_entries(X))
        loss = _core.gradient(
            self.core, self.parameters, *given(X), Y, out, work, **how, **sparse(X)
        )
        return out, loss

    def train(self, X, Y, batch_rows, rate=0.02, epochs=1, order=None, budget=None, **how):
        """New parameters and each epoch's loss; the net's own parameters stay as they are."""
        parameters, losses = self.parameters.copy(), []
        work = self.workspace(min(batch_rows, len(X)), **how, **row_entries(X))
        for _ in range(epochs):
            epoch = _core.Training(batch_rows, rate)
            while epoch.row < len(X):
                rows = len(X) if budget is None else budget
                data = *given(X), Y, order, rows, work
                epoch.run(self.core, parameters, *data, **how, **sparse(X))
            losses.append(epoch.loss)
        return parameters, losses


def given(X):
    """The dense argument of the functions that take X dense or sparse."""
    return (None if isinstance(X, _core.Sparse) else X,)


def sparse(X):
    return {"sparse": X} if isinstance(X, _core.Sparse) else {}


def row_entries(X):
    return {"row_entries": X.row_entries} if isinstance(X, _core.Sparse) else {}
