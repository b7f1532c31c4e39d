"""PyTorch's modules and state dictionaries, by the names of classes and by attributes."""

from collections.abc import Mapping

import numpy as np

from .._inputs import check
from .._model import architecture
from .chain import Chain, expect, kind

# Modules that pass rows through as they are once training is over.
NOTHING = {
    "Identity": {},
    "Dropout": {},
    "AlphaDropout": {},
    "Flatten": {"start_dim": (1,), "end_dim": (-1,)},
}
# bpcore's names of activations, and the settings with which they are the same functions.
ACTIVATIONS = {
    "Sigmoid": ("sigmoid", {}),
    "Tanh": ("tanh", {}),
    "ReLU": ("relu", {}),
    "LeakyReLU": ("leaky_relu", {"negative_slope": (0.01,)}),
    "ELU": ("elu", {"alpha": (1.0,)}),
    "SELU": ("selu", {}),
    # PyTorch's is z above its threshold: from 20 on that is less than 3e-9 away, and float32's
    # rounding there is 2e-6.
    "Softplus": ("softplus", {"beta": (1,), "threshold": (20,)}),
    "SiLU": ("silu", {}),
    "GELU": ("gelu", {"approximate": ("none",)}),
    "Softmax": ("softmax", {"dim": (1, -1, None)}),  # None is 1 for rows.
}
# Hooks are code, and the old forms of weight norm and pruning are hooks.
HOOKS = ("_forward_hooks", "_forward_pre_hooks")
ADVICE = (
    "nn.Sequential of nn.Linear and activations can be read; of another module its state_dict() "
    "can, with hidden= and output="
)


def network(cls, model, hidden, output):
    """The network of a module, or of a state_dict; see ``Network.from_torch``."""
    if isinstance(model, Mapping):
        return _of_state(model, hidden, output).network(cls, output=output)
    if hidden is not None:
        raise TypeError("hidden is for a state_dict alone: a module has its own activations")
    chain = Chain(f"the {type(model).__name__}")
    _add(chain, "", model)
    return chain.network(cls, output=output)


def _add(chain, path, layer):
    """A module, or what is in it, in order."""
    of = kind(layer, "torch.nn")
    name = f"layer {path!r} ({of})" if path else f"the {of}"
    if any(getattr(layer, hooks, None) for hooks in HOOKS):
        raise ValueError(f"{name} has hooks, which are code: remove them, or give its state_dict()")
    if of == "Sequential":
        for key, inner in layer._modules.items():
            _add(chain, f"{path}.{key}" if path else key, inner)
    elif of == "Linear":
        bias = None if layer.bias is None else _array(f"the bias of {name}", layer.bias)
        chain.dense(name, _array(f"the weight of {name}", layer.weight), bias)
    elif of in NOTHING:
        expect(name, layer, NOTHING[of])
    elif of in ACTIVATIONS:
        activation, settings = ACTIVATIONS[of]
        expect(name, layer, settings)
        chain.activate(name, activation)
    elif of == "LogSoftmax":
        raise ValueError(
            f"{name} gives logarithms of probabilities, which no Network does: leave it out, as "
            'by model[:-1], and give output="softmax"'
        )
    else:
        raise ValueError(f"{name} is no part of a fully connected network. {ADVICE}")


def _of_state(state, hidden, output):
    """The chain of a state_dict: pairs of a weight and a bias, in the order of their layers."""
    if hidden is None or output is None:
        raise TypeError(
            "a state_dict has no activations: give hidden= and output=, such as "
            'hidden="relu", output="identity"'
        )
    chain = Chain("the state_dict")
    layers = _pairs(state)
    names = architecture.hidden(hidden, max(len(layers) - 1, 0))
    for (path, (weight, bias)), activation in zip(layers.items(), [*names, None], strict=False):
        name = f"layer {path!r}"
        chain.dense(name, weight, bias)
        if activation is not None:
            chain.activate(name, activation)
    return chain


def _pairs(state):
    """{path of a layer: [weight, bias or None]}."""
    layers = {}
    for key, tensor in state.items():
        path, _, end = str(key).rpartition(".")
        array = _array(f"entry {key!r}", tensor)
        if end == "weight" and array.ndim == 2:
            layers[path] = [array, None]
        elif end == "bias" and path in layers:
            layers[path][1] = array
        else:
            raise ValueError(
                f"entry {check.shown(key)} of shape {array.shape} is no part of a fully connected "
                "network: each layer has a 'NAME.weight' (outputs, inputs) and then perhaps a "
                "'NAME.bias' (outputs,)"
            )
    return layers


def _array(name, tensor):
    """A tensor as an array of its own dtype."""
    dtype = str(getattr(tensor, "dtype", type(tensor).__name__)).removeprefix("torch.")
    if dtype not in check.DTYPES:
        raise ValueError(
            f"{name} has dtype {dtype}, but float32 or float64 is expected: model.float() makes it "
            "float32"
        )
    try:
        if hasattr(tensor, "detach"):
            tensor = tensor.detach().cpu().numpy()
        return np.asarray(tensor)
    except (TypeError, RuntimeError) as error:  # It is sparse, or has no data.
        raise ValueError(f"{name} cannot be read as an array: {error}") from None
