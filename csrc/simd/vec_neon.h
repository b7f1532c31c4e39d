/* vec_neon.h: the vector words in 128 bits, 4 floats or 2 doubles. See simd/README.md.
 *
 * vminq and vmaxq differ from x86 when an argument is NaN or both are zero, so v_min and v_max are
 * comparisons and selections here. */
#include "chosen_lanes.h"

#if BITS == 32
#define LANES 4
#define v_real float32x4_t
#define v_op(name) name##_f32
#define v_bits_op(name) name##_u32
#define v_as_bits(a) vreinterpretq_u32_f32(a)
#define v_of_bits(u) vreinterpretq_f32_u32(u)
#define v_bits(u) v_of_bits(vdupq_n_u32((uint32_t)(u)))
#define s_fma(a, b, c) fmaf(a, b, c)
#else
#define LANES 2
#define v_real float64x2_t
#define v_op(name) name##_f64
#define v_bits_op(name) name##_u64
#define v_as_bits(a) vreinterpretq_u64_f64(a)
#define v_of_bits(u) vreinterpretq_f64_u64(u)
#define v_bits(u) v_of_bits(vdupq_n_u64((uint64_t)(u)))
#define s_fma(a, b, c) fma(a, b, c)
#endif

#define v_load(p) v_op(vld1q)(p)
#define v_store(p, x) v_op(vst1q)(p, x)
#define v_load_first(p, n) KERNEL_NAME(load_first)(p, n)
#define v_store_first(p, n, x) KERNEL_NAME(store_first)(p, n, x)
#define v_set1(s) v_op(vdupq_n)(s)
#define v_add(a, b) v_op(vaddq)(a, b)
#define v_sub(a, b) v_op(vsubq)(a, b)
#define v_mul(a, b) v_op(vmulq)(a, b)
#define v_div(a, b) v_op(vdivq)(a, b)
#define v_sqrt(a) v_op(vsqrtq)(a)
#define v_fma(a, b, c) v_op(vfmaq)(c, a, b)
#define v_select_less(a, b, x, y) v_op(vbslq)(v_op(vcltq)(a, b), x, y)
#define v_min(a, b) v_select_less(a, b, a, b)
#define v_max(a, b) v_select_less(b, a, a, b)
#define v_and(a, b) v_of_bits(v_bits_op(vandq)(v_as_bits(a), v_as_bits(b)))
#define v_or(a, b) v_of_bits(v_bits_op(vorrq)(v_as_bits(a), v_as_bits(b)))
#define v_shift_left(a, n) v_of_bits(v_bits_op(vshlq_n)(v_as_bits(a), n))
#define v_shift_right(a, n) v_of_bits(v_bits_op(vshrq_n)(v_as_bits(a), n))
#define v_nonzero(a) KERNEL_NAME(nonzero)(a)

static inline unsigned KERNEL_NAME(nonzero)(v_real a)
{
#if BITS == 32
    /* A comparison sets all bits; of them the lane's own one is kept, and the sum has them. */
    const uint32_t bits[4] = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(vmvnq_u32(vceqzq_f32(a)), vld1q_u32(bits)));
#else
    const uint64x2_t zero = vceqzq_f64(a);
    return (vgetq_lane_u64(zero, 0) ? 0u : 1u) | (vgetq_lane_u64(zero, 1) ? 0u : 2u);
#endif
}

#if BITS == 32
#define v_compress(values, indices, x, i) KERNEL_NAME(compress_vector)(values, indices, x, i)

/* Bytes are what can be moved: lane l has those of the numbers 4 l ... 4 l + 3. */
static inline size_t KERNEL_NAME(compress_vector)(float *values, uint32_t *indices, float32x4_t x,
                                                  size_t i)
{
    const unsigned chosen = v_nonzero(x);
    const uint32x4_t lanes = vld1q_u32(CHOSEN_LANES[chosen]);
    const uint32x4_t bytes = vmlaq_n_u32(vdupq_n_u32(0x03020100), lanes, 0x04040404);
    const uint8x16_t moved = vqtbl1q_u8(vreinterpretq_u8_f32(x), vreinterpretq_u8_u32(bytes));
    v_store(values, vreinterpretq_f32_u8(moved));
    vst1q_u32(indices, vaddq_u32(lanes, vdupq_n_u32((uint32_t)i)));
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
