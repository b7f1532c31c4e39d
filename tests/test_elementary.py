"""Laws of exp, log, log(1 + e^x), sigmoid and tanh: errors in ulp, and special values.

An error in ulp is |computed - exact| / (distance between floats in the binade of the exact value).
"""

from functools import cache

import mpmath
import numpy as np
import pytest

from bpcore import _core
from tests.bits import needs_fused

# The largest errors in ulp, measured and rounded up to one decimal, and where they were met.
# float32: over all 2^32 arguments; float64: over 1e9 random ones against 64 bits, the points below
# against 120.
MET = {
    ("exp", "float32"): (1.1, "-0x1.78e2fcp+2"),
    ("exp", "float64"): (1.1, "0x1.e8489c0cf0954p+1"),
    ("log", "float32"): (2.0, "0x1.00fd16p+0"),
    ("log", "float64"): (2.0, "0x1.0406d58bdc96fp+0"),
    ("log1p_exp", "float32"): (2.8, "-0x1.60e5ap+1"),
    ("log1p_exp", "float64"): (3.0, "-0x1.8f317b6bcb40dp+2"),
    ("sigmoid", "float32"): (2.5, "-0x1.0a2bd8p+4"),
    ("sigmoid", "float64"): (2.5, "-0x1.25ea87b33f1fdp+5"),
    ("tanh", "float32"): (2.5, "0x1.fd0794p-8"),
    ("tanh", "float64"): (2.7, "0x1.b2c140559ac75p-3"),
}
LARGEST = {of: bound for of, (bound, _) in MET.items()}
HARDEST = {of: place for of, (_, place) in MET.items()}
FUNCTIONS = ["exp", "log", "log1p_exp", "sigmoid", "tanh"]

# Below this argument e^x is returned as 0: e^-86 is 2^-124.1 and e^-707 is 2^-1019.98.
LOWEST = {"float32": -86.0, "float64": -707.0}

WIDE = {  # float32 against double: the oracle's own error is below 2^-27 ulp.
    "exp": np.exp,
    "log": np.log,
    "log1p_exp": lambda x: np.log1p(np.exp(x)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
}
EXACT = {  # float64 against 120 bits.
    "exp": mpmath.exp,
    "log": mpmath.log,
    "log1p_exp": lambda x: mpmath.log1p(mpmath.exp(x)),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "tanh": mpmath.tanh,
}


def apply(function, x):
    """The function under test, of a copy."""
    y = np.array(x)
    if function in ("sigmoid", "tanh"):
        _core.activate(function, y.reshape(1, -1))
    else:
        getattr(_core, function)(y)
    return y


@cache
def points(function, dtype):
    """Arguments whose results are normal numbers: the whole range, dense where errors peak."""
    info, rng = np.finfo(dtype), np.random.default_rng(3)
    count = 100_000 if dtype == "float32" else 4_000
    top = float(np.log(info.max)) * (1 - info.eps)
    tiny = 2.0 ** rng.uniform(info.minexp - info.nmant, 3, count)  # From subnormal to 8.
    moderate = rng.uniform(-20, 20, 2 * count)
    wide = rng.uniform(LOWEST[dtype], top, count)
    if function == "log":
        x = [
            2.0 ** rng.uniform(info.minexp, info.maxexp, count),
            1 + moderate / 40,
            np.exp(moderate),
        ]
        x += [2.0 ** np.arange(info.minexp, info.maxexp), [info.max, np.sqrt(0.5), np.sqrt(2), 1]]
    elif function == "log1p_exp":
        x = [-tiny, -np.abs(moderate), -np.abs(moderate) / 5, wide[wide <= 0], [0.0, -0.0]]
    else:
        x = [tiny, -tiny, moderate, moderate / 5, wide, [LOWEST[dtype], 0.0, -0.0]]
        x += [np.arange(-80, 80) * np.log(2) / 2]  # Where the reduction changes its integer.
    x = np.concatenate([*x, [float.fromhex(HARDEST[function, dtype])]]).astype(dtype)
    x = x[x >= info.tiny] if function == "log" else x[(x >= LOWEST[dtype]) & (x <= top)]
    x.flags.writeable = False
    return x


@cache
def exact(function, dtype):
    """The function of the points as an unevaluated sum of two doubles."""
    x = points(function, dtype).astype(np.float64)
    if dtype == "float32":
        return WIDE[function](x), np.zeros_like(x)
    with mpmath.workprec(120):
        values = [EXACT[function](mpmath.mpf(float(t))) for t in x]
        high = np.array([float(v) for v in values])
        return high, np.array([float(v - h) for v, h in zip(values, high, strict=True)])


def errors_in_ulp(result, exact_high, exact_low):
    info = np.finfo(result.dtype)
    _, exponent = np.frexp(exact_high)
    ulp = np.ldexp(1.0, np.maximum(exponent, info.minexp + 1) - 1 - info.nmant)
    return np.abs((result.astype(np.float64) - exact_high) - exact_low) / ulp


# ---- Errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_error_stays_below_the_measured_bound(isa, dtype, function, record_property):
    x = points(function, dtype.name)
    errors = errors_in_ulp(apply(function, x), *exact(function, dtype.name))
    worst = int(errors.argmax())
    record_property("ulp", float(errors[worst]))
    print(f"{function} {dtype} {isa}: {errors[worst]:.3f} ulp at {x[worst]!r}, {len(x)} points")
    assert errors[worst] <= LARGEST[function, dtype.name]


@needs_fused
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_bound_is_no_larger_than_what_is_met(dtype, function):
    """A tenth of an ulp less is refuted by one of the points."""
    x = points(function, dtype.name)
    errors = errors_in_ulp(apply(function, x), *exact(function, dtype.name))
    assert errors.max() > LARGEST[function, dtype.name] - 0.1


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_measure_sees_three_ulp(dtype, function):
    result = apply(function, points(function, dtype.name))
    high, low = exact(function, dtype.name)
    wrong = result + 3 * np.spacing(result)
    median = float(np.median(errors_in_ulp(wrong, high, low)))
    assert 2.5 < median < 3.5  # Shifted by three, whatever the error was before.


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_oracles_agree_where_both_can_be_asked(function):
    """NumPy in double against 120 bits, on float32 points."""
    x = points(function, "float32")[::331].astype(np.float64)
    with mpmath.workprec(120):
        fine = np.array([float(EXACT[function](mpmath.mpf(float(t)))) for t in x])
    assert errors_in_ulp(WIDE[function](x), fine, 0 * fine).max() < 4


# ---- Special values ----------------------------------------------------------------------------


def value(function, dtype, x):
    return apply(function, np.array([x], dtype))[0]


@pytest.mark.parametrize("function", ["exp", "log1p_exp", "sigmoid", "tanh"])
def test_nan_propagates(isa, dtype, function):
    for length in (1, 3, 40):
        x = np.full(length, -1, dtype)
        x[length // 2] = np.nan
        assert np.flatnonzero(np.isnan(apply(function, x))).tolist() == [length // 2]


def test_exp_at_its_ends(isa, dtype):
    largest = np.nextafter(dtype.type(np.log(np.longdouble(np.finfo(dtype).max))), dtype.type(0))
    assert value("exp", dtype, 0.0) == value("exp", dtype, -0.0) == 1
    assert np.isfinite(value("exp", dtype, largest))
    beyond = dtype.type(np.log(np.finfo(dtype).max) * (1 + 4 * np.finfo(dtype).eps))
    for x in (beyond, 2 * beyond, np.finfo(dtype).max, np.inf):
        assert value("exp", dtype, x) == np.inf
    lowest = dtype.type(LOWEST[dtype.name])
    assert value("exp", dtype, lowest) > 0
    for x in (np.nextafter(lowest, dtype.type(-np.inf)), 2 * lowest, -np.finfo(dtype).max, -np.inf):
        assert value("exp", dtype, x) == 0


def test_exp_loses_only_results_below_the_documented_size(isa, dtype):
    """Where 0 stands for e^x, e^x is below 2^-124 for float32 and about 2^-1020 for float64."""
    x = np.linspace(2 * LOWEST[dtype.name], 0, 100_001).astype(dtype)
    lost = x[apply("exp", x) == 0]
    assert (
        lost.size
        and np.exp(lost.astype(np.float64)).max() < {4: 2**-124, 8: 1.02 * 2**-1020}[dtype.itemsize]
    )


def test_log_at_its_ends(isa, dtype):
    info = np.finfo(dtype)
    assert value("log", dtype, 1.0) == 0
    for x in (info.max, info.tiny, 1 + info.eps, 1 - info.eps / 2):
        computed, wide = value("log", dtype, x), np.log(np.longdouble(x))
        assert abs(computed - wide) <= LARGEST["log", dtype.name] * np.spacing(abs(computed))


def test_log1p_exp_at_its_ends(isa, dtype):
    assert value("log1p_exp", dtype, 0.0) == value("log1p_exp", dtype, -0.0)
    for x in (2 * LOWEST[dtype.name], -np.finfo(dtype).max, -np.inf):
        assert value("log1p_exp", dtype, x) == 0


def test_sigmoid_at_its_ends(isa, dtype):
    top = np.finfo(dtype).max
    assert value("sigmoid", dtype, 0.0) == value("sigmoid", dtype, -0.0) == 0.5
    for x in (100.0, 1000.0, top, np.inf):
        assert value("sigmoid", dtype, x) == 1
        assert value("sigmoid", dtype, -x) <= np.exp(-100.0)
    assert value("sigmoid", dtype, -top) == value("sigmoid", dtype, -np.inf) == 0


def test_sigmoid_loses_only_results_that_are_subnormal(isa, dtype):
    """Between e^x = smallest normal number and 0, an error is a few steps of the subnormal grid."""
    info = np.finfo(dtype)
    end = float(np.log(info.tiny))
    x = np.linspace(1.2 * end, end, 20_001).astype(dtype)
    result, wide = apply("sigmoid", x), np.exp(x.astype(np.longdouble))
    assert (wide[result == 0] < info.tiny).all() and (result == 0).any()
    kept = result > 0
    steps = np.abs(result[kept] - wide[kept]) / info.smallest_subnormal
    assert (
        steps.size
        and (steps <= LARGEST["sigmoid", dtype.name] * (1 + wide[kept] / info.tiny)).all()
    )


def test_tanh_is_odd_and_never_beyond_one(isa, dtype):
    x = points("tanh", dtype.name)
    result = apply("tanh", x)
    assert np.array_equal(apply("tanh", -x), -result)
    assert np.array_equal(np.signbit(result), np.signbit(x))
    assert np.abs(result).max() == 1
    for end in (25.0, 1000.0, np.finfo(dtype).max, np.inf):
        assert value("tanh", dtype, end) == 1 and value("tanh", dtype, -end) == -1


def test_tanh_of_a_subnormal_is_the_subnormal(isa, dtype):
    step = np.finfo(dtype).smallest_subnormal
    x = (np.arange(-20, 21) * step).astype(dtype)
    assert np.array_equal(apply("tanh", x), x)


def test_sigmoid_keeps_to_its_range_and_its_order(isa, dtype):
    """Ascending arguments a quarter apart: the steps of the function exceed its error below 15."""
    x = np.arange(-60, 15, 0.25).astype(dtype)
    result = apply("sigmoid", x)
    assert (np.diff(result) > 0).all() and result[0] >= 0 and result[-1] <= 1


def test_relu_and_identity_are_exact(isa, dtype):
    x = np.array([[-np.inf, -1, -0.0, 0, 1e-40, 2, np.inf, np.nan]], dtype)
    for name, expected in (("identity", x), ("relu", np.where(x < 0, 0, x))):
        y = x.copy()
        _core.activate(name, y)
        assert np.array_equal(y, expected, equal_nan=True)
