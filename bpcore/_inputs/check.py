"""The door: what users give becomes arrays that C can trust, or an error that says why not."""

import functools
import math
import reprlib

import numpy as np

from .. import _core
from . import csr, frames

DTYPES = ("float32", "float64")


# How errors show what was given: it may be long, deep or hold itself.
class _Short(reprlib.Repr):
    def repr_int(self, number, level):
        """Its digits, unless they are more than Python wants to print."""
        length = number.bit_length()
        return str(number) if length <= 128 else f"a number of {length} bits"


_SHORT = _Short()
_SHORT.maxstring = _SHORT.maxother = 80
shown = _SHORT.repr


def choice(name, value, allowed):
    """``value`` if it is one of the names ``allowed``."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} is {shown(value)}, but it can be one of: {', '.join(allowed)}")
    return value


def whole_number(name, value, least, most=2**63 - 1):
    """``value`` as int, from ``least`` to ``most``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} is {shown(value)}, but a whole number is expected")
    if value < least:
        raise ValueError(f"{name} is {shown(int(value))}, but it must be at least {least}")
    if value > most:
        raise ValueError(f"{name} is {shown(int(value))}, but it must be at most {most}")
    return int(value)


def is_flag(given):
    """Is this True or False?"""
    return isinstance(given, (bool, np.bool_))


def flag(name, given):
    """``given`` if it is True or False."""
    if not is_flag(given):
        raise TypeError(f"{name} is {shown(given)}, but True or False is expected")
    return bool(given)


@functools.cache  # To ask NumPy takes as long as the rest of a check.
def _range(dtype):
    """The smallest normal number of ``dtype``, and the largest."""
    limits = np.finfo(dtype)
    return float(limits.tiny), float(limits.max)


def finite_number(name, value, dtype=np.float64):
    """``value`` as a float that is finite in ``dtype``."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} is {shown(value)}, but a number is expected") from None
    except OverflowError:  # an int beyond all doubles
        number = math.inf
    if not abs(number) <= _range(dtype)[1]:
        raise ValueError(f"{name} is {number}, but it must be finite as {np.dtype(dtype)}")
    return number


def normal_number(name, value, dtype):
    """``value`` as a float that ``dtype`` holds in full precision: 0, or no subnormal number."""
    number = finite_number(name, value, dtype)
    if number and abs(number) < (least := _range(dtype)[0]):
        raise ValueError(
            f"{name} is {number:g}, which {np.dtype(dtype)} cannot hold: 0 or at least {least:.3g} "
            "is expected"
        )
    return number


def is_share(number):
    """Is this at least 0 and below 1?"""
    return 0 <= number < 1


def share(name, value):
    """``value`` as a float of at least 0 and below 1."""
    number = finite_number(name, value)
    if not is_share(number):
        raise ValueError(f"{name} is {number:g}, but it must be at least 0 and below 1")
    return number


def _called(name, method):
    """The call as code where ``name`` is code, unlike "eval_set's X"."""
    return f"{name}.{method}" if name.isidentifier() else f"{method} of it"


def unmasked(name, value):
    """Refuse a masked array, or a list of them, in which something is masked."""
    arrays = value if isinstance(value, (list, tuple)) else [value]
    if not len(arrays) or not isinstance(arrays[0], np.ndarray):
        return  # Most lists are long, and hold numbers or lists.
    for array in arrays:
        mask = getattr(array, "mask", None)
        if mask is not None and np.any(mask):
            raise ValueError(
                f"{name} has masked elements, which would count like the others: leave their rows "
                "out, or give them a value with the array's method filled"
            )


def rectangle(name, value):
    """``value`` as an array of whatever it holds."""
    if csr.is_sparse(value):
        raise TypeError(
            f"{name} is a sparse matrix; dense input is expected: {_called(name, 'toarray()')}"
        )
    unmasked(name, value)
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is not a rectangular array of numbers: {error}") from None
    if frames.has_labels(value):
        frames.check(name, value, array)
    return array


def numbers(name, value, dtype, *, check_finite=True):
    """``value`` as a finite, aligned, C-contiguous array of ``dtype``; no copy where it is one.

    ``check_finite=False`` leaves it to the caller to see that it is finite.
    """
    array = rectangle(name, value)
    if array.dtype.kind == "O":
        try:
            with np.errstate(over="ignore"):
                array = array.astype(dtype)
        except OverflowError:
            raise ValueError(f"{name} holds a number that is too large for {dtype}") from None
        except (TypeError, ValueError):
            raise TypeError(f"{name} holds Python objects that are not numbers") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} has dtype {array.dtype}, but real numbers are expected")
    if array.dtype != dtype:
        with np.errstate(over="ignore"):  # too large for dtype: becomes infinite, refused below
            array = array.astype(dtype, order="C")
    array = np.require(np.atleast_1d(array), None, "CA")
    if check_finite:
        finite(name, array)
    return array


def plain(X, dtype):
    """A list, or an array of numbers, as ``dtype``, without a look at them; None for all else."""
    if type(X) is list:
        try:
            unmasked("X", X)
            X = np.asarray(X)
        except ValueError:
            return None
    if not isinstance(X, np.ndarray) or hasattr(X, "mask") or X.dtype.kind not in "fiub":
        return None
    if X.dtype != dtype:
        with np.errstate(over="ignore"):  # becomes infinite, which the core refuses
            X = X.astype(dtype, order="C")
    return X


def finite(name, array):
    """Refuse an array with a NaN or an infinity, and say where the first one is."""
    flat = array.reshape(-1)
    position = _core.first_nonfinite(flat) if flat.size else -1
    if position >= 0:
        index = ", ".join(map(str, np.unravel_index(position, array.shape)))
        raise ValueError(
            f"{name}[{index}] is {flat[position]} as {array.dtype}, but it must be finite"
        )


def rows(X, features, dtype, *, name="X", allow_empty=False, check_finite=True):
    """X as (n, features), or, where it is sparse, as a _core.Sparse of n rows.

    ``check_finite=False`` leaves it to the caller to see that dense X is finite.
    """
    if csr.is_sparse(X):
        X = csr.rows(name, X, features, dtype)
        if len(X) == 0 and not allow_empty:
            raise ValueError(f"{name} has no rows, but at least one is needed")
        return X
    X = numbers(name, X, dtype, check_finite=check_finite)
    if X.ndim != 2:
        hint = f"; one sample is {_called(name, 'reshape(1, -1)')}" if X.ndim == 1 else ""
        raise ValueError(f"{name} has shape {X.shape}, but (rows, {features}) is expected{hint}")
    if X.shape[1] != features:
        raise ValueError(f"{name} has {X.shape[1]} features, but the network expects {features}")
    if len(X) == 0 and not allow_empty:
        raise ValueError(f"{name} has no rows, but at least one is needed")
    return X


def no_overlap(out, X, parameters):
    """``out``, if it shares no memory with what C still reads while it fills it."""
    read = X.values if isinstance(X, _core.Sparse) else X
    for name, array in (("X", read), ("the network's parameters", parameters)):
        if np.may_share_memory(out, array):
            raise ValueError(f"out shares memory with {name}, but a place of its own is expected")
    return out


def copy_if_aliased(array, parameters):
    """``array``, or a copy of it where it lies in the parameters, which ``fit`` changes.

    Of a _core.Sparse only values can: it has columns and row offsets of its own.
    """
    sparse = isinstance(array, _core.Sparse)
    read = array.values if sparse else array
    if not np.may_share_memory(read, parameters):
        return array
    return array.holding(read.copy()) if sparse else array.copy()


def result(name, array, shape, dtype):
    """Refuse an ``array`` that C could not fill with a result of this shape and dtype."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} is {type(array).__name__}, but an ndarray is expected")
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(
            f"{name} has shape {array.shape} and dtype {array.dtype}, but {shape} and {dtype} are "
            "expected"
        )
    if not array.flags.carray:
        raise ValueError(f"{name} must be C-contiguous, aligned and writeable")


def _one_hot(labels, outputs, dtype, name):
    if labels.dtype.kind not in "iub" and np.any(labels != np.floor(labels)):
        raise ValueError(
            f"{name} holds fractions, but labels 0 ... {outputs - 1} or one column for each of "
            f"the {outputs} outputs are expected"
        )
    if labels.size and (labels.min() < 0 or labels.max() >= outputs):
        wrong = labels[(labels < 0) | (labels >= outputs)][0]
        raise ValueError(f"{name} has the label {wrong:g}, but labels are 0 ... {outputs - 1}")
    Y = np.zeros((len(labels), outputs), dtype)
    Y[np.arange(len(labels)), labels.astype(np.intp)] = 1
    return Y


def targets(y, n, outputs, output, loss, dtype, *, name="y", X_name="X"):
    """y as (n, outputs): integer labels become unit vectors where the outputs are classes."""
    given = rectangle(name, y)
    if given.ndim not in (1, 2):
        raise ValueError(
            f"{name} has shape {given.shape}, but ({n},) or ({n}, {outputs}) is expected"
        )
    if len(given) != n:
        raise ValueError(f"{X_name} has {n} rows, but {name} has {len(given)}")
    checked = numbers(name, given, dtype)
    if given.ndim == 1 and outputs > 1:
        if output not in ("sigmoid", "softmax"):
            raise ValueError(f"{name} has shape ({n},), but ({n}, {outputs}) is expected")
        exact = given if given.dtype.kind in "iub" else checked
        return _one_hot(exact, outputs, dtype, name)
    Y = checked.reshape(n, -1)
    if Y.shape[1] != outputs:
        raise ValueError(f"{name} has {Y.shape[1]} columns, but the network has {outputs} outputs")
    if loss in ("bce", "cross_entropy") and Y.size and (Y.min() < 0 or Y.max() > 1):
        wrong = Y.min() if Y.min() < 0 else Y.max()
        raise ValueError(
            f"{name} has the value {wrong:g}, but loss {loss!r} needs probabilities between 0 and 1"
        )
    if loss == "poisson" and Y.min() < 0:
        raise ValueError(f"{name} has the value {Y.min():g}, but loss 'poisson' needs at least 0")
    return Y


def row_order(order, n, epochs):
    """A copy of ``order`` as row indices, (epochs, n), or (1, n) where a row serves every epoch."""
    order = np.array(rectangle("order", order))  # No owner can change what is checked here.
    if order.dtype.kind not in "iu" or order.shape not in ((n,), (epochs, n)):
        raise ValueError(
            f"order has dtype {order.dtype} and shape {order.shape}, but integers of shape "
            f"({n},) or ({epochs}, {n}) are expected"
        )
    if order.size and (order.min() < 0 or order.max() >= n):
        wrong = order.min() if order.min() < 0 else order.max()
        raise ValueError(f"order names row {wrong}, but rows are 0 ... {n - 1}")
    return np.require(np.atleast_2d(order), np.uintp, "C")
