"""What second-order training minimises: the mean loss of all rows and its penalty."""

import numpy as np

from .. import _core
from .._core.slices import unmeasured_rows
from .._inputs import csr


class Objective:
    """Mean loss of X (n, inputs) and Y (n, outputs), plus l2 / 2 times the sum of squared weights.

    ``objective(x)`` is ``(value, gradient)`` at the flat parameters x, which stay as they are: a
    float, and a new array like x. The network lends its architecture; its own parameters have no
    part in it. X and Y are checked, as ``Network._data`` gives them; dense X of which few elements
    are not zero is compressed, once.

    With ``weights`` (n,) of the rows, in the network's dtype, the mean is a weighted one. Biases
    have no penalty. ``interrupt``, a threading.Event, ends an evaluation like Ctrl-C.
    """

    def __init__(self, net, X, Y, *, weights=None, l2=0.0, threads=1, interrupt=None):
        self.architecture, self.Y, self.threads = net._core, Y, threads
        self.dense, self.sparse = csr.split(csr.to_csr_if_faster(net._core, X, threads=threads))
        self.weights, self.interrupt = weights, interrupt
        self.l2 = penalty_of(net, l2, net.dtype)
        row_nonzeros = 0 if self.sparse is None else self.sparse.row_nonzeros
        self.workspace = net._workspace(len(Y), threads, row_nonzeros)

    def __call__(self, x):
        gradient = np.empty_like(x)
        value = _core.gradient(
            self.architecture,
            x,
            self.dense,
            self.Y,
            gradient,
            self.workspace,
            threads=self.threads,
            sparse=self.sparse,
            weights=self.weights,
            slice_rows=unmeasured_rows(len(x)),
            interrupt=self.interrupt,
        )
        if self.l2 is None:
            return value, gradient
        decay = self.l2 * x
        gradient += decay
        return value + 0.5 * _core.dot(decay, x), gradient


def penalty_of(net, l2, dtype):
    """l2 for each weight and 0 for each bias, (P,) of ``dtype``; None where l2 is 0."""
    if not l2:
        return None
    flat = np.zeros(len(net.parameters), dtype)
    for W in net._views(flat)[0]:
        W[...] = l2
    return flat


def moved(net, x):
    """Where the network is, in x's dtype, if callbacks have moved it away from x; or None."""
    here = net.parameters.astype(x.dtype)
    return None if np.array_equal(here, x) else here
