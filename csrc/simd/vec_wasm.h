/* vec_wasm.h: the vector words of WebAssembly in 128 bits, 4 floats or 2 doubles. See
 * simd/README.md.
 *
 * Relaxed SIMD has a multiply-add that an engine may round once or twice, always alike; dispatch.c
 * asks which. Plain SIMD has none: there it is made of what rounds otherwise, and takes ten times
 * as long.
 */
#include "chosen_lanes.h"
#include "wasm_fma.h"

#define v_real v128_t

#if BITS == 32
#define LANES 4
#define v_op(name) wasm_f32x4_##name
#define v_bits_op(name) wasm_i32x4_##name
#define v_bits(u) wasm_i32x4_splat((int32_t)(u))
#define v_shift_right(a, n) wasm_u32x4_shr(a, n)
#define v_fma(a, b, c) wasm_fma_f32(a, b, c)
#else
#define LANES 2
#define v_op(name) wasm_f64x2_##name
#define v_bits_op(name) wasm_i64x2_##name
#define v_bits(u) wasm_i64x2_splat((int64_t)(u))
#define v_shift_right(a, n) wasm_u64x2_shr(a, n)
#define v_fma(a, b, c) wasm_fma_f64(a, b, c)
#endif

#define v_load(p) wasm_v128_load(p)
#define v_store(p, x) wasm_v128_store(p, x)
#define v_load_first(p, n) KERNEL_NAME(load_first)(p, n)
#define v_store_first(p, n, x) KERNEL_NAME(store_first)(p, n, x)
#define v_set1(s) v_op(splat)(s)
#define v_add(a, b) v_op(add)(a, b)
#define v_sub(a, b) v_op(sub)(a, b)
#define v_mul(a, b) v_op(mul)(a, b)
#define v_div(a, b) v_op(div)(a, b)
#define v_sqrt(a) v_op(sqrt)(a)
#define v_select_less(a, b, x, y) wasm_v128_bitselect(x, y, v_op(lt)(a, b))
#define v_min(a, b) v_op(pmin)(b, a)
#define v_max(a, b) v_op(pmax)(b, a)
#define v_and(a, b) wasm_v128_and(a, b)
#define v_or(a, b) wasm_v128_or(a, b)
#define v_shift_left(a, n) v_bits_op(shl)(a, n)
#define v_nonzero(a) ((unsigned)v_bits_op(bitmask)(v_op(ne)(a, v_set1(0))))
#define s_fma(a, b, c) v_op(extract_lane)(v_fma(v_set1(a), v_set1(b), v_set1(c)), 0)

#if BITS == 32
#define v_compress(values, indices, x, i) KERNEL_NAME(compress_vector)(values, indices, x, i)

/* Bytes are what can be moved: lane l has those of the numbers 4 l ... 4 l + 3. */
static inline size_t KERNEL_NAME(compress_vector)(float *values, uint32_t *indices, v128_t x,
                                                  size_t i)
{
    const unsigned chosen = v_nonzero(x);
    const v128_t lanes = wasm_v128_load(CHOSEN_LANES[chosen]);
    const v128_t bytes = wasm_i32x4_add(wasm_i32x4_mul(lanes, wasm_i32x4_const_splat(0x04040404)),
                                        wasm_i32x4_const_splat(0x03020100));
    wasm_v128_store(values, wasm_i8x16_swizzle(x, bytes));
    wasm_v128_store(indices, wasm_i32x4_add(lanes, wasm_i32x4_splat((int32_t)i)));
    return BIT_COUNT(chosen);
}
#endif

static inline v_real KERNEL_NAME(load_first)(const real *p, size_t n)
{
    real lanes[LANES] = {0};
    memcpy(lanes, p, n * sizeof *lanes);
    return v_load(lanes);
}

static inline void KERNEL_NAME(store_first)(real *p, size_t n, v_real x)
{
    real lanes[LANES];
    v_store(lanes, x);
    memcpy(p, lanes, n * sizeof *lanes);
}
