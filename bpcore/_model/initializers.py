"""Start weights. Drawn from NumPy's legacy generator, whose streams are frozen for good."""

import numpy as np

from .._inputs.check import normal_number, shown

# Activations that pass about half of their inputs on: He et al. 2015 double the variance for them.
HALF_OPEN = ("relu", "leaky_relu", "elu", "silu", "gelu")

SCHEMES = {
    # name: standard deviation or half-width, from a layer's inputs and outputs
    "lecun_normal": lambda inputs, outputs: 1 / np.sqrt(inputs),
    "he_normal": lambda inputs, outputs: np.sqrt(2 / inputs),
    "xavier_uniform": lambda inputs, outputs: np.sqrt(6 / (inputs + outputs)),
}


def aligned_zeros(count, dtype):
    """Zeros whose first one begins a cache line: vectors that lie across two lines cost twice."""
    line = 64 // dtype.itemsize
    padded = np.zeros(count + line, dtype)
    start = -(padded.ctypes.data // dtype.itemsize) % line
    return padded[start : start + count]


def check(init, dtype):
    """``init`` in a form that compares and saves well: None, a name, or a tuple."""
    if init is None or (isinstance(init, str) and init in SCHEMES):
        return init
    if isinstance(init, (tuple, list)) and len(init) in (2, 3) and init[0] == "normal":
        if len(init) == 2 or init[2] == "biases":
            return ("normal", normal_number("init's scale", init[1], dtype), *init[2:])
    raise ValueError(
        f"init is {shown(init)}, but it can be None, {', '.join(map(repr, SCHEMES))}, "
        '("normal", scale) or ("normal", scale, "biases")'
    )


def draw(random, init, activations, weights, biases):
    """Fill ``weights`` (outputs, inputs) and ``biases`` in place.

    Layers are drawn from the first to the last, each matrix row by row, as in the tutorials:
    LeCun's scheme with seed 1 gives the first tutorial's own start weights. With random biases,
    those of all layers come first, as in Nielsen's network.
    """
    has_biases = isinstance(init, tuple) and len(init) == 3
    for b in biases:
        b[...] = random.standard_normal(b.shape) * init[1] if has_biases else 0
    for W, activation in zip(weights, activations, strict=True):
        outputs, inputs = W.shape
        if isinstance(init, tuple):
            W[...] = random.standard_normal(W.shape) * init[1]
            continue
        scheme = init or ("he_normal" if activation in HALF_OPEN else "lecun_normal")
        if scheme == "lecun_normal":  # divided, not multiplied: the tutorial's own rounding
            W[...] = random.standard_normal(W.shape) / np.sqrt(inputs)
        elif scheme == "xavier_uniform":
            scale = SCHEMES[scheme](inputs, outputs)
            W[...] = random.uniform(-scale, scale, W.shape)
        else:
            W[...] = random.standard_normal(W.shape) * SCHEMES[scheme](inputs, outputs)
