"""Networks as fitted estimators."""

import numpy as np
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.multiclass import unique_labels

from .._inputs import check
from ..network import Network
from . import _network
from ._parameters import ACTIVATIONS

NAMES = {core: name for name, core in ACTIVATIONS.items()}


def expect_network(kind, net, pairs):
    """Refuse what is no network that an estimator of this ``kind`` has.

    ``pairs`` are those of an output and a loss.
    """
    if not isinstance(net, Network):
        raise TypeError(f"net is {check.shown(net)}, but a bpcore.Network is expected")
    if net.standardize or net.scaling is not None:
        raise ValueError(
            f"the network standardises its inputs, which {kind.__name__} does not: put a "
            "StandardScaler before one without, in a Pipeline"
        )
    if (net.output, net.loss_name) not in pairs:
        allowed = " or ".join(f"{loss!r} with {output!r}" for output, loss in pairs)
        raise ValueError(
            f"the network has the loss {net.loss_name!r} with the output {net.output!r}, but "
            f"{kind.__name__} has {allowed}"
        )


def made(kind, net, parameters, **own):
    """An estimator with the architecture of ``net``; ``own`` are parameters that it tells, too."""
    names = [NAMES.get(name, name) for name in net.hidden]
    own["hidden_layer_sizes"] = net.sizes[1:-1]
    if names:
        own["activation"] = names[0] if len({*names}) == 1 else names
    for name in own.keys() & parameters.keys():
        raise ValueError(f"{name} is given, but the network tells it: {check.shown(own[name])}")
    return kind(**own, **parameters)


def take(model, net):
    """Let the weights of ``net`` be what ``model`` has learned."""
    model.n_features_in_, model.n_outputs_ = net.sizes[0], net.sizes[-1]
    if net.feature_names is not None:
        model.feature_names_in_ = np.array(net.feature_names, object)
    model.out_activation_ = NAMES.get(net.output, net.output)
    model.n_layers_, model.n_iter_, model.t_ = len(net.sizes), net.epochs, 0
    coupled = _network.create(model._settings(list(net.sizes)), net.dtype)
    coupled.net.parameters = net._training_lock.snapshot(net.parameters.copy)
    model._couple(coupled)
    return model


def binarizer(net, classes):
    """What makes outputs of labels and labels of outputs."""
    outputs, several = net.sizes[-1], net.output == "sigmoid" and net.sizes[-1] > 1
    if several:
        if classes is not None:
            raise ValueError(
                f"classes is given, but {outputs} sigmoid outputs are {outputs} labels, each 0 or 1"
            )
        return LabelBinarizer().fit(np.array([[0], [1]]).repeat(outputs, axis=1))
    if net.output == "softmax" and outputs == 2:
        raise ValueError(
            "the network has a softmax of 2 outputs, but MLPClassifier has one logistic output for "
            "two classes"
        )
    count = 2 if net.output == "sigmoid" else outputs
    classes = np.arange(count) if classes is None else np.asarray(classes)
    if classes.shape != (count,) or not _ascend(classes):
        raise ValueError(
            f"classes is {check.shown(classes.tolist())}, but {count} different ones are expected, "
            "in ascending order: that of the outputs"
        )
    return LabelBinarizer().fit(classes)


def _ascend(classes):
    """Are these labels of classes, each once, in their order?"""
    try:
        return np.array_equal(unique_labels(classes), classes)
    except (TypeError, ValueError):  # They have no order, or are fractions.
        return False
