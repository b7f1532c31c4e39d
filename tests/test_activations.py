"""Laws of the activations and their derivatives: errors in ulp, special values, the same bits.

An error in ulp is |computed - exact| / (distance between floats in the binade of the exact value).
The slopes of silu and gelu are sums that pass through 0: their errors count in ulp of the larger
term. Slopes that are taken from a bounded output, those of elu and selu, are as exact as that
output: their errors count in ulp of the slope's largest value.
"""

import math
from functools import cache
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest

from bpcore import _core
from tests.bits import ISAS, needs_fused, on_every_isa, same_bits
from tests.core_network import HIDDEN
from tests.numpy_oracle import FROM_OUTPUT

SLOPED = [name for name in HIDDEN if name not in FROM_OUTPUT]

# The largest errors in ulp, measured and rounded up to one decimal. float32: over all arguments
# from 2^-40 to 128 (every third one for silu and gelu); float64: over 3e8 random ones (1e8 for
# gelu); both against 64 bits.
LARGEST = {
    ("elu", "float32"): {"value": 0.9, "slope": 0.5},
    ("elu", "float64"): {"value": 1.2, "slope": 0.5},
    ("selu", "float32"): {"value": 2.3, "slope": 1.8},
    ("selu", "float64"): {"value": 2.9, "slope": 2.3},
    ("softplus", "float32"): {"value": 2.8, "slope": 4.1},
    ("softplus", "float64"): {"value": 2.9, "slope": 4.0},
    ("silu", "float32"): {"value": 2.9, "slope": 5.1},
    ("silu", "float64"): {"value": 2.8, "slope": 5.2},
    ("gelu", "float32"): {"value": 7.0, "slope": 7.0},
    ("gelu", "float64"): {"value": 7.4, "slope": 6.8},
}
NEW = list(dict.fromkeys(name for name, _ in LARGEST))
# Where those errors were met.
HARDEST = {
    ("elu", "float32"): ("-0x1.677b76p-2", "-0x1.60d904p-2"),
    ("elu", "float64"): ("-0x1.64b97eba64b8p-2", "-0x1.6136a13ab95dp-2"),
    ("selu", "float32"): ("-0x1.55a572p-2", "-0x1.f94bb2p-1"),
    ("selu", "float64"): ("-0x1.adbbb96a55c2p-1", "-0x1.86422a9b5e49p-2"),
    ("softplus", "float32"): ("-0x1.60e5ap+1", "-0x1.0974c6p+2"),
    ("softplus", "float64"): ("-0x1.5fcb812678f38p+1", "-0x1.b994c7abb43b8p+1"),
    ("silu", "float32"): ("-0x1.0b303p+4", "-0x1.e474d8p+2"),
    ("silu", "float64"): ("-0x1.2718d7305a47dp+5", "-0x1.869dab301eap+3"),
    ("gelu", "float32"): ("0x1.f538bp-7", "-0x1.99fb2ap-10"),
    ("gelu", "float64"): ("0x1.fa8b8ddfa788ep-23", "-0x1.38a0db4422d72p-20"),
}

# Results of e^x below this are returned as 0; silu multiplies them by less than 2^10.
LEAST = {"float32": 2.0**-117, "float64": 2.0**-1009}

with mpmath.workprec(120):  # Scale and alpha (Klambauer et al. 2017).
    SELU = (
        mpmath.mpf("1.0507009873554804934193349852946"),
        mpmath.mpf("1.6732632423543772848170429916717"),
    )
WIDE = SimpleNamespace(  # float32 against double.
    exp=np.exp,
    expm1=np.expm1,
    log1p=np.log1p,
    erfc=np.vectorize(math.erfc, otypes=[float]),
    sqrt=math.sqrt,
    pi=math.pi,
    selu=[float(s) for s in SELU],
)
EXACT = SimpleNamespace(  # float64 against 120 bits, in arrays of objects.
    exp=np.frompyfunc(mpmath.exp, 1, 1),
    expm1=np.frompyfunc(mpmath.expm1, 1, 1),
    log1p=np.frompyfunc(mpmath.log1p, 1, 1),
    erfc=np.frompyfunc(mpmath.erfc, 1, 1),
    sqrt=mpmath.sqrt,
    pi=mpmath.pi,
    selu=SELU,
)


def formula(name, m, z):
    """g(z), g'(z) and the number whose ulp the error of g'(z) counts in."""
    below = np.where(z > 0, 0 * z, z)
    if name in ("elu", "selu"):
        s, a = m.selu if name == "selu" else (1, 1)
        slope = np.where(z > 0, s + 0 * z, s * a * m.exp(below))
        return np.where(z > 0, s * z, s * a * m.expm1(below)), slope, s * a + 0 * z
    if name == "exp":
        return (m.exp(z),) * 3
    if name == "gelu":
        share = m.erfc(-z / m.sqrt(2)) / 2
        rest = z * m.exp(-z * z / 2) / m.sqrt(2 * m.pi)
        return z * share, share + rest, np.maximum(share, np.abs(rest))
    sigmoid = 1 / (1 + m.exp(-z))
    if name == "softplus":
        return np.where(z > 0, z, 0 * z) + m.log1p(m.exp(-np.abs(z))), sigmoid, sigmoid
    rest = z * sigmoid / (1 + m.exp(z))
    return z * sigmoid, sigmoid + rest, np.maximum(sigmoid, np.abs(rest))


def apply(name, z):
    """The functions under test: g(z) and g'(z)."""
    a, slope = z.copy(), np.full_like(z, np.nan)
    _core.activate_slope(name, a.reshape(1, -1), slope.reshape(1, -1))
    return a, slope


@cache
def points(name, dtype):
    """Arguments of both signs from tiny to where an exponential ends, and where errors were met."""
    rng = np.random.default_rng(4)
    count, end = (20_000, 100.0) if dtype == "float32" else (700, 720.0)
    tiny = 2.0 ** rng.uniform(-60, 3, count)
    bell = rng.uniform(-1, 1, count) * (13 if dtype == "float32" else 37)
    z = [tiny, -tiny, bell, rng.uniform(-4, 4, count), rng.uniform(-end, end, count)]
    z += [[0.0], [float.fromhex(z) for z in HARDEST[name, dtype]]]
    z = np.concatenate(z).astype(dtype)
    z.flags.writeable = False
    return z


@cache
def exact(name, dtype):
    """What the points should give: pairs of the high and the low part, and the sizes of slopes."""
    z = points(name, dtype).astype(np.float64)
    if dtype == "float32":
        value, slope, size = formula(name, WIDE, z)
        return (value, 0 * z), (slope, 0 * z), size
    with mpmath.workprec(120):
        wide = np.array([mpmath.mpf(float(t)) for t in z])
        value, slope, size = formula(name, EXACT, wide)
        parts = []
        for x in (value, slope):
            high = x.astype(np.float64)
            parts.append((high, (x - high).astype(np.float64)))
        return *parts, size.astype(np.float64)


def errors_in_ulp(result, parts, size):
    """Where the size is no less than what the exponential keeps."""
    info, (high, low) = np.finfo(result.dtype), parts
    kept = np.maximum(np.abs(size), LEAST[result.dtype.name])
    ulp = np.ldexp(1.0, np.frexp(kept)[1] - 1 - info.nmant)
    error = np.abs((result.astype(np.float64) - high) - low) / ulp
    return np.where(kept == np.abs(size), error, 0)


def errors(name, dtype, shift=0):
    """Of the value and of the slope, at all points; both shifted by so many ulp."""
    a, slope = (x + shift * np.spacing(x) for x in apply(name, points(name, dtype.name)))
    value_parts, slope_parts, size = exact(name, dtype.name)
    return {
        "value": errors_in_ulp(a, value_parts, value_parts[0]),
        "slope": errors_in_ulp(slope, slope_parts, size),
    }


# ---- Errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NEW)
def test_the_errors_stay_below_the_measured_bounds(isa, dtype, name):
    for what, found in errors(name, dtype).items():
        worst = int(found.argmax())
        z = points(name, dtype.name)[worst]
        print(f"{name} {dtype} {isa} {what}: {found[worst]:.3f} ulp at {float(z).hex()}")
        assert found[worst] <= LARGEST[name, dtype.name][what]


@needs_fused
@pytest.mark.parametrize("name", NEW)
def test_a_bound_is_no_larger_than_what_is_met(dtype, name):
    """A tenth of an ulp less is refuted by one of the points."""
    for what, found in errors(name, dtype).items():
        assert found.max() > LARGEST[name, dtype.name][what] - 0.1


@pytest.mark.parametrize("name", NEW)
def test_the_measure_sees_eight_ulp(dtype, name):
    for what, found in errors(name, dtype, shift=8).items():
        assert found.max() > LARGEST[name, dtype.name][what]


def test_the_oracles_agree_where_both_can_be_asked():
    """NumPy in double against 120 bits, on float32 points: within 2^-44, 2^-20 ulp of float."""
    for name in NEW:
        z = points(name, "float32")[::701].astype(np.float64)
        wide = formula(name, WIDE, z)
        with mpmath.workprec(120):
            fine = formula(name, EXACT, np.array([mpmath.mpf(float(t)) for t in z]))
        for a, b, size in zip(wide, fine, (fine[0], fine[2], fine[2]), strict=True):
            error, size = np.abs((a - b).astype(np.float64)), np.abs(size.astype(np.float64))
            kept = size >= LEAST["float32"]
            assert (error[kept] <= 2.0**-44 * size[kept]).all() and kept.mean() > 0.5, name


def test_exp_as_an_activation_is_exp(isa, dtype):
    z = np.linspace(-90, 90, 10_001).astype(dtype)
    expected = z.copy()
    _core.exp(expected)
    a, slope = apply("exp", z)
    assert same_bits(a, expected) and same_bits(slope, expected)


def test_leaky_relu_is_one_product_by_the_rounded_number(isa, dtype):
    z = np.random.default_rng(1).standard_normal(1000).astype(dtype)
    a, slope = apply("leaky_relu", z)
    assert same_bits(a, np.where(z > 0, z, dtype.type(0.01) * z))
    assert same_bits(slope, np.where(z > 0, 1, dtype.type(0.01)).astype(dtype))


# ---- The two ways to a derivative ----------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in HIDDEN if name not in SLOPED])
def test_the_derivative_from_the_output_is_the_slope_times_what_comes_back(isa, dtype, name):
    rng = np.random.default_rng(2)
    z, d = (rng.standard_normal((13, 31)).astype(dtype) * 3 for _ in range(2))
    a, slope = z.copy(), np.full_like(z, np.nan)
    _core.activate_slope(name, a, slope)
    alone, one, back = z.copy(), np.ones_like(z), d.copy()
    _core.activate(name, alone)
    _core.activation_backward(name, a, one)
    _core.activation_backward(name, a, back)
    assert same_bits(alone, a) and same_bits(one, slope)
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
        _core.activate_slope("softmax", z, slope)
    assert (z == 1).all() and (slope == 1).all()


# ---- Special values ----------------------------------------------------------------------------

S, A = (float(s) for s in SELU)
AT_ZERO = {"leaky_relu": (0, 0.01), "elu": (0, 1), "selu": (0, S * A), "silu": (0, 0.5)}
AT_ZERO |= {"softplus": (math.log(2), 0.5), "gelu": (0, 0.5), "exp": (1, 1)}
AT_TOP = {"softplus": (1, 1), "silu": (1, 1), "gelu": (1, 1), "leaky_relu": (1, 1), "elu": (1, 1)}


@pytest.mark.parametrize("name", AT_ZERO)
def test_both_zeros_give_the_same_numbers(isa, dtype, name):
    a, slope = apply(name, np.array([0.0, -0.0], dtype))
    value, derivative = AT_ZERO[name]
    near = 2 * np.finfo(dtype).eps  # Two ulp of numbers from 1 to 2.
    assert a[0] == a[1] and slope[0] == slope[1]
    assert abs(a[0] - value) <= near * value and abs(slope[0] - derivative) <= near * derivative


@pytest.mark.parametrize("name", AT_TOP)
def test_the_largest_numbers_stay_numbers(isa, dtype, name):
    """Above they are kept; below, what tends to 0 is 0, and elu is -1."""
    top = np.finfo(dtype).max
    for z in map(dtype.type, (top, top / 2, 1e30)):
        a, slope = apply(name, np.array([z, -z], dtype))
        assert a[0] == z and slope[0] == 1
        below = {"elu": (-1, 0), "leaky_relu": (dtype.type(0.01) * -z, dtype.type(0.01))}
        assert (a[1], slope[1]) == below.get(name, (0, 0))


def test_selu_ends_where_its_two_numbers_say(isa, dtype):
    a, slope = apply("selu", np.array([-1e4, 1], dtype))
    end = dtype.type(S) * dtype.type(A)
    assert a[0] == -end and slope[0] == 0 and a[1] == slope[1] == dtype.type(S)


def test_tiny_numbers_pass_as_through_a_line(isa, dtype):
    """From the subnormal ones to where z^2 is below half an ulp of z."""
    info = np.finfo(dtype)
    z = 2.0 ** np.arange(info.minexp - info.nmant, -info.nmant - 3).astype(np.longdouble)
    z = np.concatenate([z, -z]).astype(dtype)
    assert same_bits(apply("elu", z)[0], z)
    for name in ("silu", "gelu"):  # Half an ulp of the slope, and of subnormal results.
        error = np.abs(apply(name, z)[0] - z * np.longdouble(0.5))
        assert (error <= info.eps * np.abs(z) * 4 + info.smallest_subnormal).all()
    assert len(set(apply("softplus", z)[0].tolist())) == 1


@pytest.mark.parametrize("name", HIDDEN)
def test_nan_propagates(isa, dtype, name):
    for length in (1, 3, 40):
        z = np.full(length, -1, dtype)
        z[length // 2] = np.nan
        alone = z.copy().reshape(1, -1)
        _core.activate(name, alone)
        for a in (alone.ravel(), apply(name, z)[0]):
            assert np.flatnonzero(np.isnan(a)).tolist() == [length // 2]


def test_infinity_gives_limits_where_they_are_no_product_of_zero_and_infinity(isa, dtype):
    z = np.array([np.inf, -np.inf], dtype)
    limits = {"leaky_relu": (np.inf, -np.inf), "elu": (np.inf, -1), "softplus": (np.inf, 0)}
    for name, expected in (limits | {"exp": (np.inf, 0)}).items():
        assert tuple(apply(name, z)[0]) == expected
    for name in SLOPED:
        assert apply(name, z)[0][0] == np.inf


def test_functions_keep_to_their_ranges(isa, dtype):
    z = np.linspace(-130, 130, 40_001).astype(dtype)
    least = {"elu": -1, "selu": -S * A * (1 + np.finfo(dtype).eps), "softplus": 0}
    least |= {"silu": -0.27847, "gelu": -0.16998, "exp": 0}  # Minima of z s(z) and of z Phi(z).
    for name, bound in least.items():
        a, slope = apply(name, z)
        assert a.min() >= bound and (name in SLOPED or slope.min() >= 0)
    assert apply("silu", z)[0].min() < -0.2784 and apply("gelu", z)[0].min() < -0.1699


# ---- The same bits -------------------------------------------------------------------------------


@needs_fused
@pytest.mark.parametrize("name", HIDDEN)
def test_every_instruction_set_gives_the_same_bits(dtype, name):
    info, rng = np.finfo(dtype), np.random.default_rng(5)
    z = [rng.uniform(-120, 120, 9_001), rng.uniform(-1200, 1200, 9_001), rng.uniform(-4, 4, 9_001)]
    z += [2.0 ** rng.uniform(info.minexp - info.nmant, info.maxexp, 9_001)]
    ends = [0.0, -0.0, info.max, -info.max, info.smallest_subnormal, np.inf]
    z = np.concatenate([*z, -z[-1], ends]).astype(dtype)
    first, *others = on_every_isa(lambda: apply(name, z)).values()
    assert len(others) == len(ISAS) - 1
    for other in others:
        assert same_bits(first[0], other[0]) and same_bits(first[1], other[1])


@pytest.mark.parametrize("name", HIDDEN)
def test_an_element_has_the_same_bits_wherever_it_stands(isa, dtype, name):
    """Counts from 0 to beyond two vectors of any instruction set, and each element alone."""
    z = (np.random.default_rng(6).standard_normal(40) * 4).astype(dtype)
    whole = apply(name, z)
    for count in range(1, 41):
        for alone, part in zip(whole, apply(name, z[:count].copy()), strict=True):
            assert same_bits(alone[:count], part)
        for alone, part in zip(whole, apply(name, z[count - 1 : count].copy()), strict=True):
            assert same_bits(alone[count - 1 : count], part)
    empty = np.empty((0, 3), dtype)
    _core.activate(name, empty)
    _core.activate_slope(name, empty, empty.copy())
