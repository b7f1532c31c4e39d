"""Fingerprints: SHA-256 of a network and of arrays, the same wherever the numbers are the same.

What is hashed is spelled out in ``Network.fingerprint``, so that any program can do it.
"""

import hashlib
import json
import operator

import numpy as np

from .._inputs import csr
from .safetensors import state_settings

# Numbers that are copied at a time: 2 MB of doubles, however large the array is.
PIECE = 1 << 18


def of_network(net):
    """The fingerprint of ``net`` in hexadecimal digits; see ``Network.fingerprint``."""
    return net._training_lock.snapshot(lambda: _of_network(net))


def _of_network(net):
    settings = {
        "dtype": net.dtype.name,
        "hidden": net.hidden,
        "loss": net.loss_name,
        "output": net.output,
        "scaled": net.scaling is not None,
        "sizes": net.sizes,
    }
    digest = _begun("network", settings)
    _add(digest, net.parameters)
    _add(digest, np.array([net.loss_parameter]))
    if net.scaling is not None:
        _add(digest, net.scaling.shift)
        _add(digest, net.scaling.scale)
    return digest.hexdigest()


def of_state(state):
    """The SHA-256 of what training has left in a network beside its weights, or None."""
    if state is None:
        return None
    digest = _begun("state", state_settings(state))
    if state.moments is not None:
        _add(digest, state.moments)
    return digest.hexdigest()


def of_array(array):
    """The SHA-256 of an array in hexadecimal digits."""
    digest = _begun("array", {"dtype": array.dtype.name, "shape": array.shape})
    _add(digest, array)
    return digest.hexdigest()


def of_rows(X, features):
    """The SHA-256 of X (n, features), of a _core.Sparse as if it were dense."""
    dense, sparse = csr.split(X)
    if sparse is None:
        return of_array(dense)
    values, columns = (np.asarray(part) for part in (sparse.values, sparse.columns))
    offsets = np.asarray(sparse.row_offsets).astype(np.intp)
    digest = _begun("array", {"dtype": values.dtype.name, "shape": (len(sparse), features)})
    count = max(1, PIECE // features)
    for first in range(0, len(sparse), count):
        ends = offsets[first : first + count + 1]
        rows, entries = np.zeros((len(ends) - 1, features), values.dtype), slice(ends[0], ends[-1])
        rows[np.repeat(np.arange(len(rows)), np.diff(ends)), columns[entries]] = values[entries]
        _add(digest, rows)
    return digest.hexdigest()


def canonical(value):
    """``value`` as JSON without spaces, in ASCII, its names in order."""
    how = {"sort_keys": True, "separators": (",", ":"), "allow_nan": False}
    return json.dumps(value, default=operator.index, **how).encode()  # int64's numbers, too.


def _begun(kind, settings):
    return hashlib.sha256(b"bpcore %s 1\n%s\n" % (kind.encode(), canonical(settings)))


def _add(digest, array):
    """Hash the numbers of a C-contiguous array, little-endian; a zero has no sign."""
    flat, little = array.reshape(-1), array.dtype.newbyteorder("<")
    for start in range(0, flat.size, PIECE):
        digest.update((flat[start : start + PIECE] + 0).astype(little))  # -0 + 0 is +0.
