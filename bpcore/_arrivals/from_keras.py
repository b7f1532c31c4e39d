"""Keras's models, by the names of classes and by attributes."""

import numpy as np

from .._inputs import check
from .chain import Chain, expect, kind

PACKAGES = "keras", "tf_keras"
# Layers that pass rows through as they are once training is over.
NOTHING = (
    *("InputLayer", "Flatten", "ActivityRegularization"),
    *("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise"),
)
# Functions of these names: bpcore's names. Its leaky_relu is not here: Keras's has another slope.
FUNCTIONS = {
    "linear": "identity",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "relu": "relu",
    "elu": "elu",
    "selu": "selu",
    "softplus": "softplus",
    "silu": "silu",
    "swish": "silu",
    "gelu": "gelu",  # Exact, where the name alone is given.
    "exponential": "exp",
    "softmax": "softmax",
}
# Layers, and the settings with which they are the same functions.
RECTIFIED = {"max_value": (None,), "threshold": (0,)}
LAYERS = {
    "ReLU": ("relu", {**RECTIFIED, "negative_slope": (0,)}),
    "ELU": ("elu", {"alpha": (1.0,)}),
    "Softmax": ("softmax", {"axis": (-1, 1)}),
}
# What Keras divides by at least: the default of keras.config.epsilon.
LEAST_DEVIATION = 1e-7


def network(cls, model, output):
    """The network of a model; see ``Network.from_keras``."""
    of = kind(model, *PACKAGES)
    if of not in ("Sequential", "Functional"):
        raise ValueError(
            f"the model is {of}, whose layers another program may join in any way: Sequential and "
            "functional models can be read"
        )
    chain = Chain(f"the model {check.shown(model.name)}")
    for layer in _in_order(model):
        _add(chain, layer)
    shape = getattr(model, "output_shape", None)
    if shape is not None and len(shape) != 2:  # Dense keeps all dimensions but the last one.
        raise ValueError(f"{chain.source} has outputs of shape {shape}, but rows are expected")
    return chain.network(cls, output=output)


def _in_order(model):
    """The layers as rows pass them."""
    if kind(model, *PACKAGES) == "Functional":
        _expect_one_way(model)
    for layer in model.layers:
        if kind(layer, *PACKAGES) == "Sequential":
            yield from _in_order(layer)
        else:
            yield layer


def _expect_one_way(model):
    """Refuse a functional model in which a layer reads another than the one before it."""
    tensor = None
    for layer in model.layers:
        if tensor is not None and getattr(layer, "input", None) is not tensor:
            raise ValueError(
                f"layer {check.shown(layer.name)} does not read the output of the layer before it: "
                "only layers in one row make a fully connected network"
            )
        tensor = getattr(layer, "output", None)
    if len(model.inputs) != 1 or len(model.outputs) != 1 or tensor is not model.outputs[0]:
        raise ValueError(
            f"the model {check.shown(model.name)} has other inputs and outputs than one row of "
            "layers has"
        )


def _add(chain, layer):
    of = kind(layer, *PACKAGES)
    name = f"layer {check.shown(layer.name)} ({of})"
    if of == "Dense":
        chain.dense(name, *_weights(name, layer))
        chain.activate(name, _function(name, layer.activation))
    elif of == "Activation":
        chain.activate(name, _function(name, layer.activation))
    elif of in LAYERS:
        activation, settings = LAYERS[of]
        expect(name, layer, settings)
        chain.activate(name, activation)
    elif of == "LeakyReLU":
        slope = "negative_slope" if hasattr(layer, "negative_slope") else "alpha"  # Of Keras 2.
        expect(name, layer, {slope: (0.01,)})
        chain.activate(name, "leaky_relu")
    elif of in ("Normalization", "Rescaling"):
        _scale(chain, name, layer, of)
    elif of not in NOTHING:
        raise ValueError(f"{name} is no part of a fully connected network")


def _weights(name, layer):
    """The transposed kernel, and the bias if it has one."""
    weights = [np.asarray(array) for array in layer.get_weights()]
    if not weights:
        raise ValueError(f"{name} has no weights yet: call the model on some rows first")
    if len(weights) != 1 + bool(layer.use_bias):
        raise ValueError(f"{name} has {len(weights)} arrays, but a kernel and a bias are expected")
    kernel, *bias = weights
    return kernel.T, *bias


def _function(name, function):
    """bpcore's name of an activation function."""
    called = getattr(function, "__name__", type(function).__name__)
    package = str(getattr(function, "__module__", "")).partition(".")[0]
    if package in PACKAGES and called in FUNCTIONS:
        return FUNCTIONS[called]
    why = ""
    if called == "leaky_relu":
        why = ": Keras's has the slope 0.2, bpcore's 0.01, as LeakyReLU(negative_slope=0.01)"
    raise ValueError(f"{name} has the activation {check.shown(called)}, which no Network has{why}")


def _scale(chain, name, layer, of):
    """Normalization or Rescaling before all dense layers, as what the network does first."""
    if chain.layers or chain.scaling is not None:
        raise ValueError(f"{name} can stand before all other layers alone")
    if of == "Rescaling":
        scale = np.asarray(layer.scale, np.float64)
        shift = -np.asarray(layer.offset, np.float64) / scale
    else:
        if layer.mean is None:
            raise ValueError(f"{name} has no mean yet: call its adapt first")
        expect(name, layer, {"invert": (False,)})
        shift, variance = (_numbers(figure) for figure in (layer.mean, layer.variance))
        scale = 1 / np.maximum(np.sqrt(variance), LEAST_DEVIATION)
    chain.scaling = shift, scale


def _numbers(tensor):
    """A backend's tensor in double."""
    if hasattr(tensor, "detach"):  # PyTorch's, which may be on another device.
        tensor = tensor.detach().cpu()
    return np.asarray(tensor, np.float64)
