"""Laws of the matrix product: C += A B, one fused multiply-add a term, in ascending index."""

from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from bpcore import _core
from tests.bits import needs_fused, same_bits
from tests.layouts import LAYOUTS, laid
from tests.numpy_oracle import chain, fma

# Tiles have 4, 6, 12 or 14 rows and 2, 4, 8, 16 or 32 columns; these are one less, equal and one
# more, with 0 and the smallest sizes.
ROWS = [0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15, 18, 28, 29, 43]
COLUMNS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 40, 63, 64, 65]
TERMS = [0, 1, 2, 3, 5, 8, 17, 40, 65]

# Terms are cut into blocks of 4096 bytes or less, columns into blocks of 256: below, at and above.
LARGE = [(m, n, k) for k in (127, 129, 255, 256, 257, 511, 512, 513) for m, n in [(3, 5), (5, 3)]]
LARGE += [(m, n, k) for k in (1023, 1024, 1025) for m, n in [(20, 40), (40, 20)]]
LARGE += [(70, 90, 300), (90, 70, 600), (15, 7, 1024), (7, 35, 300), (1, 1, 2100), (29, 2, 600)]
LARGE += [(2, 29, 600), (14, 14, 1023)]
LARGE += [(m, n, 3) for m, n in [(1, 257), (257, 1), (256, 256), (257, 255), (258, 257), (5, 300)]]
LARGE += [(300, 5, 9), (513, 258, 2), (31, 513, 2), (263, 263, 5), (2000, 3, 2), (3, 2000, 2)]


def array(rng, dtype, rows, columns, layout):
    return laid(rng.standard_normal((rows, columns)).astype(dtype), layout)


@cache
def case(dtype, seed):
    """A, B, C of a seeded shape and layout, and the bits that the contract asks for."""
    rng = np.random.default_rng(seed)
    if seed < len(LARGE):
        m, n, k = LARGE[seed]
    else:
        m, n, k = rng.choice(ROWS), rng.choice(COLUMNS), rng.choice(TERMS)
    A = array(rng, dtype, m, k, rng.choice(ALIGNED))
    B = array(rng, dtype, k, n, rng.choice(ALIGNED))
    C = rng.standard_normal((m, n)).astype(dtype)
    return A, B, C, chain(C, A, B)


ALIGNED = ["odd offset" if layout == "odd address" else layout for layout in LAYOUTS]
SEEDS = range(len(LARGE) + 500)


def product(A, B, C):
    """C + A B by the code under test, with guards before and behind C that must not change."""
    margin = 64
    memory = np.full(C.size + 2 * margin, 12345.678, C.dtype)
    inside = memory[margin : margin + C.size].reshape(C.shape)
    inside[...] = C
    _core.matmul(A, B, inside)
    assert (memory[:margin] == C.dtype.type(12345.678)).all()
    assert (memory[margin + C.size :] == C.dtype.type(12345.678)).all()
    return inside


def bound(A, B, C):
    """2 (k + 1) u (|C| + |A| |B|), where a rounding changes a number by a factor within 1 +- u.

    A term passes through at most k roundings of a fused chain, k + 1 where products are rounded,
    too. The other k + 1 are the oracle's: long double is double on some platforms.
    """
    wide = [np.abs(x.astype(np.longdouble)) for x in (A, B, C)]
    return (A.shape[1] + 1) * np.finfo(C.dtype).eps * (wide[2] + wide[0] @ wide[1])


def within_bound(result, A, B, C):
    exact = C.astype(np.longdouble) + A.astype(np.longdouble) @ B.astype(np.longdouble)
    return bool((np.abs(result - exact) <= bound(A, B, C)).all())


# ---- The oracle itself -------------------------------------------------------------------------


def nearest_float32(exact):
    """The float32 nearest to a Fraction, ties to even, by comparing exact distances."""
    guess = np.float32(float(exact))
    around = [np.nextafter(guess, np.float32(side)) for side in (-np.inf, np.inf)] + [guess]
    distance = {x: abs(Fraction(float(x)) - exact) for x in around}
    nearest = [x for x in around if distance[x] == min(distance.values())]
    return min(nearest, key=lambda x: int(x.view(np.uint32)) & 1)


@pytest.mark.parametrize("seed", range(4))
def test_the_oracle_rounds_a_product_and_sum_once(dtype, seed):
    """Judged by rational arithmetic, with addends that cancel and addends that nearly tie."""
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, 500)).astype(dtype)
    c = [rng.standard_normal(500), -a * b, a * b * np.finfo(dtype).eps, -a * b * (1 + 1e-5)][seed]
    c = c.astype(dtype)
    computed = fma(a, b, c)
    for x, y, z, result in zip(a, b, c, computed, strict=True):
        exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
        rounded = nearest_float32(exact) if dtype == np.float32 else np.float64(float(exact))
        assert result == rounded


def test_a_sum_in_double_rounded_twice_is_no_oracle():
    """The square of 1 + 2^-12 lies between two floats; 2^-70 more, lost in a double, decides."""
    a, b = np.float32([1 + 2**-12]), np.float32([1 + 2**-12])
    c = np.float32([2**-70])
    assert (a.astype(np.float64) * b + c).astype(np.float32) == np.float32(1 + 2**-11)
    assert fma(a, b, c) == np.float32(1 + 2**-11 + 2**-23)


def test_the_oracle_tells_orders_and_roundings_apart(dtype):
    rng = np.random.default_rng(5)
    A, B = rng.standard_normal((20, 50)).astype(dtype), rng.standard_normal((50, 20)).astype(dtype)
    C = rng.standard_normal((20, 20)).astype(dtype)
    expected = chain(C, A, B)
    assert not same_bits(expected, chain(C, A[:, ::-1], B[::-1]))
    assert not same_bits(expected, C + chain(np.zeros_like(C), A, B))
    halves = chain(C, A[:, :25], B[:25]) + chain(np.zeros_like(C), A[:, 25:], B[25:])
    assert not same_bits(expected, halves)
    unfused = C.copy()
    for p in range(50):
        unfused = unfused + A[:, p, None] * B[p]
    assert not same_bits(expected, unfused)


def test_the_bound_refuses_a_product_without_its_last_term(dtype):
    A, B, C, expected = case(dtype, len(LARGE) + 3)
    assert A.shape[1] > 1 and C.size
    assert within_bound(expected, A, B, C)
    assert not within_bound(chain(C, A[:, :-1], B[:-1]), A, B, C)


# ---- The laws ----------------------------------------------------------------------------------


@needs_fused
def test_a_product_is_one_ascending_chain_of_fused_multiply_adds(isa, dtype):
    for seed in SEEDS:
        A, B, C, expected = case(dtype, seed)
        assert same_bits(product(A, B, C), expected), (seed, A.shape, B.shape, A.strides, B.strides)


def test_the_error_of_a_product_is_below_its_bound(isa, dtype):
    """Holds where no product is fused, too."""
    for seed in SEEDS:
        A, B, C, _ = case(dtype, seed)
        assert within_bound(product(A, B, C), A, B, C), (seed, A.shape, B.shape)


@needs_fused
@pytest.mark.parametrize("layout_b", ALIGNED)
@pytest.mark.parametrize("layout_a", ALIGNED)
def test_every_pair_of_layouts_gives_the_same_bits(isa, dtype, layout_a, layout_b):
    rng = np.random.default_rng(11)
    for m, n, k in [(13, 35, 9), (35, 3, 70), (4, 66, 5), (1, 9, 40), (29, 1, 33)]:
        A, B = array(rng, dtype, m, k, layout_a), array(rng, dtype, k, n, layout_b)
        C = rng.standard_normal((m, n)).astype(dtype)
        plain = product(np.ascontiguousarray(A), np.ascontiguousarray(B), C)
        assert same_bits(product(A, B, C), plain)


def test_a_nan_stays_in_its_row_or_column(isa, dtype):
    """Padding multiplies zeros with neighbours; none of it may come back."""
    rng = np.random.default_rng(8)
    for m, n, k in [(13, 35, 9), (35, 3, 70), (5, 66, 7), (29, 1, 33), (1, 29, 33)]:
        for bad in (np.nan, np.inf):
            A, B = array(rng, dtype, m, k, "plain"), array(rng, dtype, k, n, "plain")
            A[m // 2, k // 2] = bad
            B[k // 3, n - 1] = bad
            finite = np.isfinite(product(A, B, np.zeros((m, n), dtype)))
            expected = np.ones((m, n), bool)
            expected[m // 2] = expected[:, n - 1] = False
            assert (finite == expected).all()


@needs_fused
def test_extreme_exponents_are_not_flushed(isa, dtype):
    """Subnormal factors and sums are numbers like others: the product is exact here."""
    tiny = np.finfo(dtype).smallest_subnormal
    A, B = np.full((3, 5), tiny, dtype), np.full((5, 20), 3, dtype)
    C = np.full((3, 20), tiny, dtype)
    assert (product(A, B, C) == dtype.type(16) * tiny).all()
    big = np.finfo(dtype).max
    A, B = np.full((3, 1), big, dtype), np.full((1, 20), 2, dtype)
    assert (
        product(A, B, np.full((3, 20), -big, dtype)) == big
    ).all()  # An unfused 2 max is infinite.
