"""Laws of exp, log, log(1 + e^x) and the activations: errors in ulp, special values, the same bits.

An error in ulp is |computed - exact| / (distance between floats in the binade of the exact value).
The slopes of silu and gelu are sums that pass through 0: their errors count in ulp of the larger
term. Slopes that are taken from a bounded output, those of elu and selu, are as exact as that
output: their errors count in ulp of the slope's largest value.
"""

import math
from functools import cache, partial
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest

from bpcore import _core
from tests.bits import FUSED, ISAS, needs_fused, on_every_isa, same_bits
from tests.core_network import HIDDEN
from tests.numpy_oracle import FROM_OUTPUT

SLOPED = [name for name in HIDDEN if name not in FROM_OUTPUT]

# The largest errors in ulp, measured and rounded up to one decimal, and where they were met; of
# values, and of slopes. float32: over all 2^32 arguments; float64: over 1e9 random ones against 64
# bits, the points below against 120.
MET = {
    ("exp", "float32"): [(1.1, "-0x1.78e2fcp+2")],
    ("exp", "float64"): [(1.1, "0x1.e8489c0cf0954p+1")],
    ("log", "float32"): [(2.0, "0x1.00fd16p+0")],
    ("log", "float64"): [(2.0, "0x1.0406d58bdc96fp+0")],
    ("log1p_exp", "float32"): [(2.8, "-0x1.60e5ap+1")],
    ("log1p_exp", "float64"): [(3.0, "-0x1.8f317b6bcb40dp+2")],
    ("sigmoid", "float32"): [(2.5, "-0x1.0a2bd8p+4")],
    ("sigmoid", "float64"): [(2.5, "-0x1.25ea87b33f1fdp+5")],
    ("tanh", "float32"): [(2.5, "0x1.fd0794p-8")],
    ("tanh", "float64"): [(2.7, "0x1.b2c140559ac75p-3")],
}
FUNCTIONS = list(dict.fromkeys(name for name, _ in MET))
# float32: over all arguments from 2^-40 to 128 (every third one for silu and gelu); float64: over
# 3e8 random ones (1e8 for gelu); both against 64 bits.
MET |= {
    ("elu", "float32"): [(0.9, "-0x1.677b76p-2"), (0.5, "-0x1.60d904p-2")],
    ("elu", "float64"): [(1.2, "-0x1.64b97eba64b8p-2"), (0.5, "-0x1.6136a13ab95dp-2")],
    ("selu", "float32"): [(2.3, "-0x1.55a572p-2"), (1.8, "-0x1.f94bb2p-1")],
    ("selu", "float64"): [(2.9, "-0x1.adbbb96a55c2p-1"), (2.3, "-0x1.86422a9b5e49p-2")],
    ("softplus", "float32"): [(2.8, "-0x1.60e5ap+1"), (4.1, "-0x1.0974c6p+2")],
    ("softplus", "float64"): [(2.9, "-0x1.5fcb812678f38p+1"), (4.0, "-0x1.b994c7abb43b8p+1")],
    ("silu", "float32"): [(2.9, "-0x1.0b303p+4"), (5.1, "-0x1.e474d8p+2")],
    ("silu", "float64"): [(2.8, "-0x1.2718d7305a47dp+5"), (5.2, "-0x1.869dab301eap+3")],
    ("gelu", "float32"): [(7.0, "0x1.f538bp-7"), (7.0, "-0x1.99fb2ap-10")],
    ("gelu", "float64"): [(7.4, "0x1.fa8b8ddfa788ep-23"), (6.8, "-0x1.38a0db4422d72p-20")],
}
MEASURED = list(dict.fromkeys(name for name, _ in MET))

# Below this argument e^x is returned as 0: e^-86 is 2^-124.1 and e^-707 is 2^-1019.98.
LOWEST = {"float32": -86.0, "float64": -707.0}
# What the activations make of such results may be 0, too; silu multiplies them by less than 2^10.
LEAST = {"float32": 2.0**-117, "float64": 2.0**-1009}

with mpmath.workprec(120):  # Scale and alpha (Klambauer et al. 2017).
    SELU = (
        mpmath.mpf("1.0507009873554804934193349852946"),
        mpmath.mpf("1.6732632423543772848170429916717"),
    )
NAMES = ["exp", "expm1", "log", "log1p", "tanh"]
WIDE = SimpleNamespace(  # float32 against double.
    **{name: getattr(np, name) for name in NAMES},
    erfc=np.vectorize(math.erfc, otypes=[float]),
    sqrt=math.sqrt,
    pi=math.pi,
    selu=[float(s) for s in SELU],
)
EXACT = SimpleNamespace(  # float64 against 120 bits, in arrays of objects.
    **{name: np.frompyfunc(getattr(mpmath, name), 1, 1) for name in [*NAMES, "erfc"]},
    sqrt=mpmath.sqrt,
    pi=mpmath.pi,
    selu=SELU,
)


def formula(name, m, z):
    """g(z), g'(z) and the number whose ulp the error of g'(z) counts in; or g(z) alone."""
    if name in ("exp", "log", "tanh"):
        return (getattr(m, name)(z),)
    if name == "log1p_exp":
        return (m.log1p(m.exp(z)),)
    below = np.where(z > 0, 0 * z, z)
    if name in ("elu", "selu"):
        s, a = m.selu if name == "selu" else (1, 1)
        slope = np.where(z > 0, s + 0 * z, s * a * m.exp(below))
        return np.where(z > 0, s * z, s * a * m.expm1(below)), slope, s * a + 0 * z
    if name == "gelu":
        share = m.erfc(-z / m.sqrt(2)) / 2
        rest = z * m.exp(-z * z / 2) / m.sqrt(2 * m.pi)
        return z * share, share + rest, np.maximum(share, np.abs(rest))
    sigmoid = 1 / (1 + m.exp(-z))
    if name == "sigmoid":
        return (sigmoid,)
    if name == "softplus":
        return np.where(z > 0, z, 0 * z) + m.log1p(m.exp(-np.abs(z))), sigmoid, sigmoid
    rest = z * sigmoid / (1 + m.exp(z))
    return z * sigmoid, sigmoid + rest, np.maximum(sigmoid, np.abs(rest))


def function(name, x):
    """exp, log or log1p_exp of a copy."""
    y = np.array(x)
    getattr(_core, name)(y)
    return (y,)


def activation(name, z):
    """g(z) and g'(z); alone, g(z) is the same."""
    a, slope, alone = z.copy(), np.full_like(z, np.nan), z.copy()
    _core.activate_derivative(name, a.reshape(1, -1), slope.reshape(1, -1))
    _core.activate(name, alone.reshape(1, -1))
    assert same_bits(alone, a)
    return a, slope


def apply(name, x):
    """What is measured."""
    return (activation if name in HIDDEN and name != "exp" else function)(name, x)


# Everything under test by its name; exp is a function and an activation.
CALLS = {f"{name}()": partial(function, name) for name in ("exp", "log", "log1p_exp")}
CALLS |= {name: partial(activation, name) for name in HIDDEN}


def domain(call, z):
    """z, or what of it a function is defined for."""
    size, info = np.abs(z), np.finfo(z.dtype)
    normal = size[(size >= info.tiny) & (size <= info.max)]
    return {"log()": normal, "log1p_exp()": -size}.get(call, z)


# ---- Errors ------------------------------------------------------------------------------------


@cache
def points(name, dtype):
    """Arguments whose results are numbers, from tiny to the ends, and where errors were met.

    Results of FUNCTIONS are normal numbers.
    """
    info, rng = np.finfo(dtype), np.random.default_rng(3)
    count = 100_000 if dtype == "float32" else 4_000
    top = float(np.log(info.max)) * (1 - info.eps)
    tiny = 2.0 ** rng.uniform(info.minexp - info.nmant, 3, count)  # From subnormal to 8.
    moderate = rng.uniform(-20, 20, 2 * count)
    wide = rng.uniform(LOWEST[dtype], top, count)
    if name == "log":
        normal = 2.0 ** rng.uniform(info.minexp, info.maxexp, count)
        x = [
            normal,
            1 + moderate / 40,
            np.exp(moderate),
            2.0 ** np.arange(info.minexp, info.maxexp),
        ]
        x += [[info.max, np.sqrt(0.5), np.sqrt(2), 1]]
    elif name == "log1p_exp":
        x = [-tiny, -np.abs(moderate), -np.abs(moderate) / 5, wide[wide <= 0], [0.0, -0.0]]
    elif name in FUNCTIONS:
        x = [tiny, -tiny, moderate, moderate / 5, wide, [LOWEST[dtype], 0.0, -0.0]]
        x += [np.arange(-80, 80) * np.log(2) / 2]  # Where the reduction changes its integer.
    else:
        count, end = (20_000, 100.0) if dtype == "float32" else (700, 720.0)
        tiny = 2.0 ** rng.uniform(-60, 3, count)
        bell = rng.uniform(-1, 1, count) * (13 if dtype == "float32" else 37)
        x = [tiny, -tiny, bell, rng.uniform(-4, 4, count), rng.uniform(-end, end, count), [0.0]]
    x = np.concatenate([*x, [float.fromhex(place) for _, place in MET[name, dtype]]]).astype(dtype)
    if name in FUNCTIONS:
        x = x[x >= info.tiny] if name == "log" else x[(x >= LOWEST[dtype]) & (x <= top)]
    x.flags.writeable = False
    return x


@cache
def exact(name, dtype):
    """What the points should give: (high part, low part, size that an ulp is taken of) of each."""
    z = points(name, dtype).astype(np.float64)
    with mpmath.workprec(120):
        wide = dtype == "float32"
        values = (
            formula(name, WIDE, z)
            if wide
            else formula(name, EXACT, np.array([mpmath.mpf(float(t)) for t in z]))
        )
        parts = []
        for x, size in zip(values[:2], (values[0], values[-1]), strict=False):
            high = x.astype(np.float64)
            parts.append((high, (x - high).astype(np.float64), np.abs(size).astype(np.float64)))
        return parts


def errors(name, dtype, shift=0):
    """In ulp, of the value and of the slope, at all points; both shifted by so many ulp.

    Of activations where the size is no less than what the exponential keeps.
    """
    info, found = np.finfo(dtype), []
    least = info.tiny if name in FUNCTIONS else LEAST[dtype.name]
    results = apply(name, points(name, dtype.name))
    for result, (high, low, size) in zip(results, exact(name, dtype.name), strict=False):
        result = result + shift * np.spacing(result)
        ulp = np.ldexp(1.0, np.frexp(np.maximum(size, least))[1] - 1 - info.nmant)
        error = np.abs((result.astype(np.float64) - high) - low) / ulp
        found.append(np.where((size >= least) | (name in FUNCTIONS), error, 0))
    return found


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.parametrize("isa", ISAS[:1] if FUSED else ISAS, indirect=True)  # Others have its bits.
def test_the_errors_stay_below_the_measured_bounds(isa, dtype, name):
    for found, (bound, _) in zip(errors(name, dtype), MET[name, dtype.name], strict=True):
        worst = int(found.argmax())
        z = points(name, dtype.name)[worst]
        print(f"{name} {dtype} {isa}: {found[worst]:.3f} ulp at {float(z).hex()}")
        assert found[worst] <= bound


@needs_fused
@pytest.mark.parametrize("name", MEASURED)
def test_a_bound_is_no_larger_than_what_is_met(dtype, name):
    """A tenth of an ulp less is refuted by one of the points."""
    for found, (bound, _) in zip(errors(name, dtype), MET[name, dtype.name], strict=True):
        assert found.max() > bound - 0.1


@pytest.mark.parametrize("name", MEASURED)
def test_the_measure_sees_eight_ulp(dtype, name):
    for found, (bound, _) in zip(errors(name, dtype, 8), MET[name, dtype.name], strict=True):
        assert found.max() > bound
        # Shifted by eight, whatever the error was before; sums count in other ulp.
        assert 7.5 < np.median(found) < 8.5 or name not in FUNCTIONS


@pytest.mark.parametrize("name", MEASURED)
def test_the_oracles_agree_where_both_can_be_asked(name):
    """NumPy in double against 120 bits, on float32 points: within 2^-44, 2^-20 ulp of float, and
    for single functions within 2^-51."""
    z = points(name, "float32")[::331].astype(np.float64)
    wide = formula(name, WIDE, z)
    with mpmath.workprec(120):
        fine = formula(name, EXACT, np.array([mpmath.mpf(float(t)) for t in z]))
    for a, b, size in zip(wide, fine, (fine[0], fine[-1], fine[-1]), strict=False):
        error, size = np.abs((a - b).astype(np.float64)), np.abs(size.astype(np.float64))
        kept = size >= (np.finfo("f4").tiny if name in FUNCTIONS else LEAST["float32"])
        most = 2.0 ** (-51 if name in FUNCTIONS else -44)
        assert (error[kept] <= most * size[kept]).all() and kept.mean() > 0.5


def test_exp_as_an_activation_is_exp(isa, dtype):
    z = np.linspace(-90, 90, 10_001).astype(dtype)
    (expected,) = function("exp", z)
    a, slope = activation("exp", z)
    assert same_bits(a, expected) and same_bits(slope, expected)


def test_leaky_relu_is_one_product_by_the_rounded_number(isa, dtype):
    z = np.random.default_rng(1).standard_normal(1000).astype(dtype)
    a, slope = activation("leaky_relu", z)
    assert same_bits(a, np.where(z > 0, z, dtype.type(0.01) * z))
    assert same_bits(slope, np.where(z > 0, 1, dtype.type(0.01)).astype(dtype))


# ---- The two ways to a derivative ----------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in HIDDEN if name not in SLOPED])
def test_the_derivative_from_the_output_is_the_slope_times_what_comes_back(isa, dtype, name):
    rng = np.random.default_rng(2)
    z, d = (rng.standard_normal((13, 31)).astype(dtype) * 3 for _ in range(2))
    (a, slope), one, back = activation(name, z), np.ones_like(z), d.copy()
    _core.activation_backward(name, a, one)
    _core.activation_backward(name, a, back)
    assert same_bits(one, slope)
    assert np.array_equal(back, d * slope)  # A zero may have another sign.


@pytest.mark.parametrize("name", SLOPED)
def test_an_output_that_does_not_tell_its_derivative_is_refused(dtype, name):
    a, d = np.ones((2, 3), dtype), np.ones((2, 3), dtype)
    with pytest.raises(ValueError):
        _core.activation_backward(name, a, d)
    assert (d == 1).all()


def test_a_softmax_has_no_slopes(dtype):
    z, slope = np.ones((2, 3), dtype), np.ones((2, 3), dtype)
    with pytest.raises(ValueError):
        _core.activate_derivative("softmax", z, slope)
    assert (z == 1).all() and (slope == 1).all()


# ---- Special values ----------------------------------------------------------------------------


def value(name, dtype, x):
    return apply(name, np.array([x], dtype))[0][0]


@pytest.mark.parametrize("call", [call for call in CALLS if call != "log()"])
def test_nan_propagates(isa, dtype, call):
    for length in (1, 3, 40):
        z = np.full(length, -1, dtype)
        z[length // 2] = np.nan
        found = CALLS[call](z)[0]
        assert np.flatnonzero(np.isnan(found)).tolist() == [length // 2]


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
    lost = x[apply("exp", x)[0] == 0]
    assert (
        lost.size
        and np.exp(lost.astype(np.float64)).max() < {4: 2**-124, 8: 1.02 * 2**-1020}[dtype.itemsize]
    )


def test_log_at_its_ends(isa, dtype):
    info = np.finfo(dtype)
    assert value("log", dtype, 1.0) == 0
    for x in (info.max, info.tiny, 1 + info.eps, 1 - info.eps / 2):
        computed, wide = value("log", dtype, x), np.log(np.longdouble(x))
        assert abs(computed - wide) <= MET["log", dtype.name][0][0] * np.spacing(abs(computed))


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
    result, wide = apply("sigmoid", x)[0], np.exp(x.astype(np.longdouble))
    assert (wide[result == 0] < info.tiny).all() and (result == 0).any()
    kept = result > 0
    steps = np.abs(result[kept] - wide[kept]) / info.smallest_subnormal
    assert (
        steps.size
        and (steps <= MET["sigmoid", dtype.name][0][0] * (1 + wide[kept] / info.tiny)).all()
    )


def test_tanh_is_odd_and_never_beyond_one(isa, dtype):
    x = points("tanh", dtype.name)
    result = apply("tanh", x)[0]
    assert np.array_equal(apply("tanh", -x)[0], -result)
    assert np.array_equal(np.signbit(result), np.signbit(x))
    assert np.abs(result).max() == 1
    for end in (25.0, 1000.0, np.finfo(dtype).max, np.inf):
        assert value("tanh", dtype, end) == 1 and value("tanh", dtype, -end) == -1


def test_tanh_of_a_subnormal_is_the_subnormal(isa, dtype):
    step = np.finfo(dtype).smallest_subnormal
    x = (np.arange(-20, 21) * step).astype(dtype)
    assert np.array_equal(apply("tanh", x)[0], x)


def test_sigmoid_keeps_to_its_range_and_its_order(isa, dtype):
    """Ascending arguments a quarter apart: the steps of the function exceed its error below 15."""
    x = np.arange(-60, 15, 0.25).astype(dtype)
    result = apply("sigmoid", x)[0]
    assert (np.diff(result) > 0).all() and result[0] >= 0 and result[-1] <= 1


def test_relu_and_identity_are_exact(isa, dtype):
    x = np.array([[-np.inf, -1, -0.0, 0, 1e-40, 2, np.inf, np.nan]], dtype)
    for name, expected in (("identity", x), ("relu", np.where(x < 0, 0, x))):
        y = x.copy()
        _core.activate(name, y)
        assert np.array_equal(y, expected, equal_nan=True)


S, A = (float(s) for s in SELU)
AT_ZERO = {"leaky_relu": (0, 0.01), "elu": (0, 1), "selu": (0, S * A), "silu": (0, 0.5)}
AT_ZERO |= {"softplus": (math.log(2), 0.5), "gelu": (0, 0.5), "exp": (1, 1)}
AT_TOP = {"softplus": (1, 1), "silu": (1, 1), "gelu": (1, 1), "leaky_relu": (1, 1), "elu": (1, 1)}


@pytest.mark.parametrize("name", AT_ZERO)
def test_both_zeros_give_the_same_numbers(isa, dtype, name):
    a, slope = activation(name, np.array([0.0, -0.0], dtype))
    value, derivative = AT_ZERO[name]
    near = 2 * np.finfo(dtype).eps  # Two ulp of numbers from 1 to 2.
    assert a[0] == a[1] and slope[0] == slope[1]
    assert abs(a[0] - value) <= near * value and abs(slope[0] - derivative) <= near * derivative


@pytest.mark.parametrize("name", AT_TOP)
def test_the_largest_numbers_stay_numbers(isa, dtype, name):
    """Above they are kept; below, what tends to 0 is 0, and elu is -1."""
    top = np.finfo(dtype).max
    for z in map(dtype.type, (top, top / 2, 1e30)):
        a, slope = activation(name, np.array([z, -z], dtype))
        assert a[0] == z and slope[0] == 1
        below = {"elu": (-1, 0), "leaky_relu": (dtype.type(0.01) * -z, dtype.type(0.01))}
        assert (a[1], slope[1]) == below.get(name, (0, 0))


def test_selu_ends_where_its_two_numbers_say(isa, dtype):
    a, slope = activation("selu", np.array([-1e4, 1], dtype))
    end = dtype.type(S) * dtype.type(A)
    assert a[0] == -end and slope[0] == 0 and a[1] == slope[1] == dtype.type(S)


def test_tiny_numbers_pass_as_through_a_line(isa, dtype):
    """From the subnormal ones to where z^2 is below half an ulp of z."""
    info = np.finfo(dtype)
    z = 2.0 ** np.arange(info.minexp - info.nmant, -info.nmant - 3).astype(np.longdouble)
    z = np.concatenate([z, -z]).astype(dtype)
    assert same_bits(activation("elu", z)[0], z)
    for name in ("silu", "gelu"):  # Half an ulp of the slope, and of subnormal results.
        error = np.abs(activation(name, z)[0] - z * np.longdouble(0.5))
        assert (error <= info.eps * np.abs(z) * 4 + info.smallest_subnormal).all()
    assert len(set(activation("softplus", z)[0].tolist())) == 1


def test_infinity_gives_limits_where_they_are_no_product_of_zero_and_infinity(isa, dtype):
    z = np.array([np.inf, -np.inf], dtype)
    limits = {"leaky_relu": (np.inf, -np.inf), "elu": (np.inf, -1), "softplus": (np.inf, 0)}
    for name, expected in (limits | {"exp": (np.inf, 0)}).items():
        assert tuple(activation(name, z)[0]) == expected
    for name in SLOPED:
        assert activation(name, z)[0][0] == np.inf


def test_functions_keep_to_their_ranges(isa, dtype):
    z = np.linspace(-130, 130, 40_001).astype(dtype)
    least = {"elu": -1, "selu": -S * A * (1 + np.finfo(dtype).eps), "softplus": 0}
    least |= {"silu": -0.27847, "gelu": -0.16998, "exp": 0}  # Minima of z s(z) and of z Phi(z).
    for name, bound in least.items():
        a, slope = activation(name, z)
        assert a.min() >= bound and (name in SLOPED or slope.min() >= 0)
    assert activation("silu", z)[0].min() < -0.2784 and activation("gelu", z)[0].min() < -0.1699


# ---- The same bits -------------------------------------------------------------------------------


@needs_fused
@pytest.mark.parametrize("call", CALLS)
def test_every_instruction_set_gives_the_same_bits(dtype, call):
    """Whatever the argument: the whole range, and the ends of it."""
    info, rng = np.finfo(dtype), np.random.default_rng(5)
    z = [rng.uniform(-120, 120, 20_001), rng.uniform(-1200, 1200, 20_001)]
    z += [
        rng.uniform(-4, 4, 9_001),
        2.0 ** rng.uniform(info.minexp - info.nmant, info.maxexp, 20_001),
    ]
    ends = [0.0, -0.0, info.max, -info.max, info.smallest_subnormal, np.inf, -np.inf]
    z = domain(call, np.concatenate([*z, -z[-1], ends]).astype(dtype))
    first, *others = on_every_isa(lambda: CALLS[call](z)).values()
    assert len(others) == len(ISAS) - 1
    for other in others:
        assert all(map(same_bits, first, other))


@pytest.mark.parametrize("call", CALLS)
def test_an_element_has_the_same_bits_wherever_it_stands(isa, dtype, call):
    """Counts to beyond two vectors of any instruction set, from four places, and elements alone."""
    z = domain(call, (np.random.default_rng(6).standard_normal(60) * 4).astype(dtype))
    whole = CALLS[call](z)
    parts = [slice(start, stop) for start in (0, 1, 3, 9) for stop in range(start + 1, 61)]
    for part in [*parts, *(slice(i, i + 1) for i in range(60)), slice(0, 0)]:
        for all_of_it, alone in zip(whole, CALLS[call](z[part].copy()), strict=True):
            assert same_bits(all_of_it[part], alone)
