"""Where a network's numbers lie: one flat array, and views of it for each layer."""

from .._inputs import check


def layer_views(sizes, flat):
    """``flat`` as ((W_1, ...), (b_1, ...)), W_l of shape (outputs, inputs)."""
    weights, biases, start = [], [], 0
    for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True):
        end = start + inputs * outputs
        weights.append(flat[start:end].reshape(inputs, outputs).T)
        biases.append(flat[end : end + outputs])
        start = end + outputs
    return tuple(weights), tuple(biases)


def checked_array(name, given, shape, parameters):
    """``given`` as an array of this shape that does not lie in the parameters."""
    array = check.numbers(name, given, parameters.dtype)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, but {shape} is expected")
    return check.copy_if_aliased(array, parameters)


def checked_layers(name, given, views, parameters):
    """An array for each of the ``views``, which are not changed: all of them, or an error."""
    try:
        given = list(given)
    except TypeError:
        raise TypeError(
            f"{name} is {check.shown(given)}, but a sequence of arrays is expected"
        ) from None
    if len(given) != len(views):
        raise ValueError(f"{name} has {len(given)} arrays for {len(views)} layers")
    return [
        checked_array(f"{name}[{layer}]", array, view.shape, parameters)
        for layer, (array, view) in enumerate(zip(given, views, strict=True))
    ]
