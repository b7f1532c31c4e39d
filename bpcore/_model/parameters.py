"""Where a network's numbers lie: one flat array, and views of it for each layer."""

from .. import _core
from .._inputs import check
from . import initializers
from .scaling import Standardizer

# What C and the parameters are laid out for, and whether the weights are for standardised X.
SETTLED = ("sizes", "hidden", "output", "loss_name", "loss_parameter", "dtype", "standardize")


class Parameters:
    """``parameters``, ``weights`` and ``biases``, for Network.

    To set one is to copy into it: C and all views go on with the array that they know.
    """

    def __setattr__(self, name, value):
        if name in SETTLED and hasattr(self, name):
            raise AttributeError(f"{name} cannot be set after a network is made: make another one")
        if name == "scaling" and not (value is None or isinstance(value, Standardizer)):
            raise TypeError(
                f"scaling is {check.shown(value)}, but a bpcore.Standardizer or None is expected"
            )
        object.__setattr__(self, name, value)

    @property
    def parameters(self):
        return self._parameters

    @parameters.setter
    def parameters(self, given):
        if given is not self._parameters:  # As it is after ``net.parameters *= 2``.
            array = self._checked("parameters", given, self._parameters.shape)
            self._make_writable()
            self._parameters[...] = array

    @property
    def weights(self):
        return self._weights

    @weights.setter
    def weights(self, given):
        self._fill("weights", given)

    @property
    def biases(self):
        return self._biases

    @biases.setter
    def biases(self, given):
        self._fill("biases", given)

    def _fill(self, name, given):
        """Copy an array into each view of ``weights`` or ``biases``, all of them or none."""
        try:
            given = list(given)
        except TypeError:
            raise TypeError(
                f"{name} is {check.shown(given)}, but a sequence of arrays is expected"
            ) from None
        shapes = [view.shape for view in getattr(self, name)]
        if len(given) != len(shapes):
            raise ValueError(f"{name} has {len(given)} arrays for {len(shapes)} layers")
        arrays = [
            self._checked(f"{name}[{layer}]", array, shape)
            for layer, (array, shape) in enumerate(zip(given, shapes, strict=True))
        ]
        self._make_writable()
        for view, array in zip(getattr(self, name), arrays, strict=True):
            view[...] = array

    def _checked(self, name, given, shape):
        """``given`` as an array of this shape that does not lie in the parameters."""
        array = check.numbers(name, given, self.dtype)
        if array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape}, but {shape} is expected")
        return check.steady(array, self._parameters)

    def _make_writable(self):
        """Move into memory of its own a network that came read-only: mapped, or from a buffer."""
        if not self._parameters.flags.writeable:
            flat = initializers.aligned_zeros(len(self._parameters), self.dtype)
            flat[...] = self._parameters
            self._place(flat)

    def _place(self, flat):
        """Let ``flat`` be the parameters."""
        self._parameters = flat
        self._forward = _core.Forward(self._core, flat)
        self._weights, self._biases = self._views(flat)

    def _views(self, flat):
        """``flat`` as ((W_1, ...), (b_1, ...)), W_l of shape (outputs, inputs)."""
        weights, biases, start = [], [], 0
        for inputs, outputs in zip(self.sizes[:-1], self.sizes[1:], strict=True):
            end = start + inputs * outputs
            weights.append(flat[start:end].reshape(inputs, outputs).T)
            biases.append(flat[end : end + outputs])
            start = end + outputs
        return tuple(weights), tuple(biases)
