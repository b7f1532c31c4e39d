/* vec_neon.h: the vector words in 128 bits, 4 floats or 2 doubles. See simd/README.md.
 *
 * vminq and vmaxq differ from x86 when an argument is NaN or both are zero, so v_min and v_max are
 * comparisons and selections here. */
#if BITS == 32

#define LANES 4
#define v_real float32x4_t
#define v_load(p) vld1q_f32(p)
#define v_store(p, x) vst1q_f32(p, x)
#define v_load_first(p, n) neon_load_first_f32(p, n)
#define v_store_first(p, n, x) neon_store_first_f32(p, n, x)
#define v_set1(s) vdupq_n_f32(s)
#define s_fma(a, b, c) fmaf(a, b, c)
#define v_add(a, b) vaddq_f32(a, b)
#define v_sub(a, b) vsubq_f32(a, b)
#define v_mul(a, b) vmulq_f32(a, b)
#define v_div(a, b) vdivq_f32(a, b)
#define v_sqrt(a) vsqrtq_f32(a)
#define v_fma(a, b, c) vfmaq_f32(c, a, b)
#define v_select_less(a, b, x, y) vbslq_f32(vcltq_f32(a, b), x, y)
#define v_min(a, b) v_select_less(a, b, a, b)
#define v_max(a, b) v_select_less(b, a, a, b)
#define v_bits(u) vreinterpretq_f32_u32(vdupq_n_u32((uint32_t)(u)))
#define v_as_bits(a) vreinterpretq_u32_f32(a)
#define v_and(a, b) vreinterpretq_f32_u32(vandq_u32(v_as_bits(a), v_as_bits(b)))
#define v_or(a, b) vreinterpretq_f32_u32(vorrq_u32(v_as_bits(a), v_as_bits(b)))
#define v_shift_left(a, n) vreinterpretq_f32_u32(vshlq_n_u32(v_as_bits(a), n))
#define v_shift_right(a, n) vreinterpretq_f32_u32(vshrq_n_u32(v_as_bits(a), n))
#define v_nonzero(a) neon_nonzero_f32(a)

/* A comparison gives -1, all bits; the lane's own bit of it is kept, and the sum has them all. */
static inline unsigned neon_nonzero_f32(float32x4_t a)
{
    const uint32_t bits[4] = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(vmvnq_u32(vceqzq_f32(a)), vld1q_u32(bits)));
}

static inline float32x4_t neon_load_first_f32(const float *p, size_t n)
{
    float lanes[4] = {0};
    memcpy(lanes, p, n * sizeof *lanes);
    return vld1q_f32(lanes);
}

static inline void neon_store_first_f32(float *p, size_t n, float32x4_t x)
{
    float lanes[4];
    vst1q_f32(lanes, x);
    memcpy(p, lanes, n * sizeof *lanes);
}

#else

#define LANES 2
#define v_real float64x2_t
#define v_load(p) vld1q_f64(p)
#define v_store(p, x) vst1q_f64(p, x)
#define v_load_first(p, n) neon_load_first_f64(p, n)
#define v_store_first(p, n, x) neon_store_first_f64(p, n, x)
#define v_set1(s) vdupq_n_f64(s)
#define s_fma(a, b, c) fma(a, b, c)
#define v_add(a, b) vaddq_f64(a, b)
#define v_sub(a, b) vsubq_f64(a, b)
#define v_mul(a, b) vmulq_f64(a, b)
#define v_div(a, b) vdivq_f64(a, b)
#define v_sqrt(a) vsqrtq_f64(a)
#define v_fma(a, b, c) vfmaq_f64(c, a, b)
#define v_select_less(a, b, x, y) vbslq_f64(vcltq_f64(a, b), x, y)
#define v_min(a, b) v_select_less(a, b, a, b)
#define v_max(a, b) v_select_less(b, a, a, b)
#define v_bits(u) vreinterpretq_f64_u64(vdupq_n_u64((uint64_t)(u)))
#define v_as_bits(a) vreinterpretq_u64_f64(a)
#define v_and(a, b) vreinterpretq_f64_u64(vandq_u64(v_as_bits(a), v_as_bits(b)))
#define v_or(a, b) vreinterpretq_f64_u64(vorrq_u64(v_as_bits(a), v_as_bits(b)))
#define v_shift_left(a, n) vreinterpretq_f64_u64(vshlq_n_u64(v_as_bits(a), n))
#define v_shift_right(a, n) vreinterpretq_f64_u64(vshrq_n_u64(v_as_bits(a), n))
#define v_nonzero(a) neon_nonzero_f64(a)

static inline unsigned neon_nonzero_f64(float64x2_t a)
{
    const uint64x2_t zero = vceqzq_f64(a);
    return (vgetq_lane_u64(zero, 0) ? 0u : 1u) | (vgetq_lane_u64(zero, 1) ? 0u : 2u);
}

static inline float64x2_t neon_load_first_f64(const double *p, size_t n)
{
    double lanes[2] = {0};
    memcpy(lanes, p, n * sizeof *lanes);
    return vld1q_f64(lanes);
}

static inline void neon_store_first_f64(double *p, size_t n, float64x2_t x)
{
    double lanes[2];
    vst1q_f64(lanes, x);
    memcpy(p, lanes, n * sizeof *lanes);
}

#endif
