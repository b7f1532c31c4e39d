/* wasm_fma.h: the fused multiply-add of WebAssembly's vectors, one instruction or exact by others.
 */
#pragma once

#include <math.h>

#include <wasm_simd128.h>

#if WASM_RELAXED

static ALWAYS_INLINE v128_t wasm_fma_f32(v128_t a, v128_t b, v128_t c)
{
    return wasm_f32x4_relaxed_madd(a, b, c);
}

static ALWAYS_INLINE v128_t wasm_fma_f64(v128_t a, v128_t b, v128_t c)
{
    return wasm_f64x2_relaxed_madd(a, b, c);
}

#else

/* a b + c of floats as two doubles each: the product is exact, the sum is rounded to odd, which
 * keeps what the rounding to float has to know (Boldo and Melquiond 2008). */
static v128_t wasm_odd_sum(v128_t a, v128_t b, v128_t c)
{
    const v128_t product = wasm_f64x2_mul(a, b), sum = wasm_f64x2_add(product, c);
    const v128_t rest = wasm_f64x2_sub(sum, product);
    const v128_t error = wasm_f64x2_add(wasm_f64x2_sub(product, wasm_f64x2_sub(sum, rest)),
                                        wasm_f64x2_sub(c, rest));
    const v128_t one = wasm_i64x2_const_splat(1);
    const v128_t inexact = wasm_f64x2_gt(wasm_f64x2_abs(error), wasm_f64x2_const_splat(0));
    const v128_t even = wasm_i64x2_eq(wasm_v128_and(sum, one), wasm_i64x2_const_splat(0));
    /* 1 where sum and error have one sign, else -1: away from zero, or towards it. */
    const v128_t step = wasm_v128_or(wasm_i64x2_shr(wasm_v128_xor(sum, error), 63), one);
    return wasm_i64x2_add(sum, wasm_v128_and(step, wasm_v128_and(inexact, even)));
}

static ALWAYS_INLINE v128_t wasm_low_half(v128_t x)
{
    return wasm_f64x2_promote_low_f32x4(x);
}

static ALWAYS_INLINE v128_t wasm_high_half(v128_t x)
{
    return wasm_f64x2_promote_low_f32x4(wasm_i64x2_shuffle(x, x, 1, 1));
}

static ALWAYS_INLINE v128_t wasm_to_floats(v128_t low, v128_t high)
{
    return wasm_i64x2_shuffle(wasm_f32x4_demote_f64x2_zero(low),
                              wasm_f32x4_demote_f64x2_zero(high), 0, 2);
}

static __attribute__((noinline)) v128_t wasm_careful_fma(v128_t a, v128_t b, v128_t c)
{
    return wasm_to_floats(
        wasm_odd_sum(wasm_low_half(a), wasm_low_half(b), wasm_low_half(c)),
        wasm_odd_sum(wasm_high_half(a), wasm_high_half(b), wasm_high_half(c)));
}

/* The sum in double, rounded again to float, is the right one unless the first rounding has made it
 * a midpoint of two floats, or the result is subnormal or, of a sum that is none, zero. */
static inline v128_t wasm_fma_f32(v128_t a, v128_t b, v128_t c)
{
    const v128_t low = wasm_f64x2_add(wasm_f64x2_mul(wasm_low_half(a), wasm_low_half(b)),
                                      wasm_low_half(c));
    const v128_t high = wasm_f64x2_add(wasm_f64x2_mul(wasm_high_half(a), wasm_high_half(b)),
                                       wasm_high_half(c));
    const v128_t result = wasm_to_floats(low, high);
    /* The low words of the four doubles: of a midpoint the 29 bits that a float lacks are 1 0...0. */
    const v128_t ends = wasm_i32x4_shuffle(low, high, 0, 2, 4, 6);
    const v128_t midpoint = wasm_i32x4_eq(wasm_v128_and(ends, wasm_i32x4_const_splat(0x1fffffff)),
                                          wasm_i32x4_const_splat(0x10000000));
    const v128_t tiny =
        wasm_f32x4_le(wasm_f32x4_abs(result), wasm_f32x4_const_splat(0x1p-126f));
    const v128_t zero =
        wasm_v128_and(wasm_f32x4_eq(result, wasm_f32x4_const_splat(0)),
                      wasm_i32x4_eq(ends, wasm_i32x4_const_splat(0)));
    if (wasm_v128_any_true(wasm_v128_or(midpoint, wasm_v128_andnot(tiny, zero))))
        return wasm_careful_fma(a, b, c);
    return result;
}

static inline v128_t wasm_fma_f64(v128_t a, v128_t b, v128_t c)
{
    return wasm_f64x2_make(fma(wasm_f64x2_extract_lane(a, 0), wasm_f64x2_extract_lane(b, 0),
                               wasm_f64x2_extract_lane(c, 0)),
                           fma(wasm_f64x2_extract_lane(a, 1), wasm_f64x2_extract_lane(b, 1),
                               wasm_f64x2_extract_lane(c, 1)));
}

#endif
