"""The network behind ``coefs_`` and ``intercepts_``.

The two lists are what a fitted estimator is: users read them, replace them and pickle them. The
network is derived from them, and after a fit their arrays are views of its parameters, so that
training and prediction copy nothing.
"""

import numpy as np

from ..network import Network


class Coupled:
    """A network, and the arrays (inputs, outputs) and (outputs,) that are views of it."""

    def __init__(self, net):
        self.net = net
        self.coefs = [W.T for W in net.weights]
        self.intercepts = list(net.biases)

    def fits(self, settings, dtype):
        """Is this a network with these settings?"""
        net = self.net
        return settings == _settings(net) and net.dtype == dtype

    def adopt(self, coefs, intercepts):
        """Copy arrays that are not views of this network, and put views in their place."""
        for given, own in ((coefs, self.coefs), (intercepts, self.intercepts)):
            for layer, view in enumerate(own):
                if given[layer] is not view:
                    view[...] = given[layer]
                    given[layer] = view


def _settings(net):
    loss = net.loss_name, net.loss_parameter
    return list(net.sizes), list(net.hidden), net.output, loss


def create(settings, dtype, seed=0):
    """A network whose weights are still to be filled in."""
    sizes, hidden, output, (loss, parameter) = settings
    loss = (loss, parameter) if parameter else loss
    init = "normal", 0.0
    return Coupled(
        Network(sizes, hidden=hidden, output=output, loss=loss, init=init, dtype=dtype, seed=seed)
    )


def draw(coupled, names, random):
    """Fill a network as scikit-learn does, draw by draw (Glorot and Bengio 2010).

    ``names`` are the activations that choose the bounds, one for each layer. scikit-learn has a
    single one and lets it choose the last layer's bound, too.
    """
    for coef, intercept, name in zip(coupled.coefs, coupled.intercepts, names, strict=True):
        bound = np.sqrt((2.0 if name == "sigmoid" else 6.0) / sum(coef.shape))
        coef[...] = random.uniform(-bound, bound, coef.shape)
        intercept[...] = random.uniform(-bound, bound, intercept.shape)


def dtype_of(coefs, intercepts):
    """The dtype of a network with these weights: float64, unless all of them are float32."""
    dtype = np.result_type(*coefs, *intercepts)
    return dtype if dtype in (np.float32, np.float64) else np.dtype(np.float64)


def sizes_of(coefs, intercepts):
    """Sizes of the layers that these arrays connect; refuses arrays that do not fit together."""
    sizes = [coefs[0].shape[0], *(len(b) for b in intercepts)]
    for layer, (coef, pair) in enumerate(
        zip(coefs, zip(sizes[:-1], sizes[1:], strict=True), strict=True)
    ):
        if coef.shape != pair:
            raise ValueError(
                f"coefs_[{layer}] has shape {coef.shape}, but {pair} is expected between its "
                "neighbours and intercepts_"
            )
    return sizes
