"""The network behind ``coefs_`` and ``intercepts_``.

The two lists are what a fitted estimator is: users read them, replace them and pickle them. The
network is derived from them, and after a fit their arrays are views of its parameters, so that
training and prediction copy nothing. Arrays that users put there stay theirs: prediction reads
them anew each time, and a fit puts views in their place.
"""

import numpy as np

from .._inputs import csr
from ..network import Network


class Coupled:
    """A network, and the arrays (inputs, outputs) and (outputs,) that are views of it."""

    def __init__(self, net):
        self.net = net
        self.coefs = [W.T for W in net.weights]
        self.intercepts = list(net.biases)

    def fits(self, settings, dtype):
        """Is this a network with these settings?"""
        net, loss = self.net, (self.net.loss_name, self.net.loss_parameter)
        own = list(net.sizes), list(net.hidden), net.output, loss
        return settings == own and net.dtype == dtype

    def _foreign(self, coefs, intercepts):
        """(view, array) for each array that is not the view that belongs in its place."""
        pairs = zip([*self.coefs, *self.intercepts], [*coefs, *intercepts], strict=True)
        return [(view, array) for view, array in pairs if array is not view]

    def overlaps(self, coefs, intercepts):
        """Would reading these arrays change one of them, which lies in this network's memory?"""
        flat = self.net.parameters
        return any(np.may_share_memory(a, flat) for _, a in self._foreign(coefs, intercepts))

    def read(self, coefs, intercepts):
        """Copy the arrays that are not views of this network."""
        for view, array in self._foreign(coefs, intercepts):
            view[...] = array


def create(settings, dtype, seed=0):
    """A network whose weights are still to be filled in."""
    sizes, hidden, output, (loss, parameter) = settings
    loss = (loss, parameter) if parameter else loss
    init = "normal", 0.0
    return Coupled(
        Network(sizes, hidden=hidden, output=output, loss=loss, init=init, dtype=dtype, seed=seed)
    )


def dtype_of(coefs, intercepts):
    """The dtype of a network with these weights: float64, unless all of them are float32."""
    dtype = np.result_type(*coefs, *intercepts)
    return dtype if dtype in (np.float32, np.float64) else np.dtype(np.float64)


def arrays(coefs, intercepts):
    """Both as lists of arrays; refuses such as cannot be those of layers."""
    if len(coefs) == 0 or len(coefs) != len(intercepts):
        raise ValueError(
            f"coefs_ has {len(coefs)} arrays and intercepts_ has {len(intercepts)}, but one for "
            "each layer is expected in both, and one layer at least"
        )
    coefs, intercepts = [*map(np.asarray, coefs)], [*map(np.asarray, intercepts)]
    for array in (*coefs, *intercepts):
        if array.ndim == 0:
            raise ValueError(
                f"coefs_ or intercepts_ holds {array.item()!r}, but an array for each layer is "
                "expected"
            )
    return coefs, intercepts


def sizes_of(coefs, intercepts):
    """Sizes of the layers that these arrays connect; refuses arrays that do not fit together."""
    sizes = [coefs[0].shape[0], *(len(b) for b in intercepts)]
    pairs = zip(sizes[:-1], sizes[1:], strict=True)
    for layer, (coef, pair) in enumerate(zip(coefs, pairs, strict=True)):
        if coef.shape != pair:
            raise ValueError(
                f"coefs_[{layer}] has shape {coef.shape}, but {pair} is expected between its "
                "neighbours and intercepts_"
            )
    return sizes


def rows(X, net):
    """X as the core reads it."""
    if csr.is_sparse(X):
        return csr.rows("X", X, net.sizes[0], net.dtype)
    return np.require(X, net.dtype, "CA")
