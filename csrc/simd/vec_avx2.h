/* vec_avx2.h: the vector words in 256 bits, 8 floats or 4 doubles. See simd/README.md.
 *
 * v_op adds the ending of the precision. v_min and v_max do without: windows.h has macros min and
 * max. */
#include "chosen_lanes.h"

#if BITS == 32
#define LANES 8
#define v_real __m256
#define v_op(name) _mm256_##name##_ps
#define v_mask(n)                                                                                  \
    _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
#define v_bits(u) _mm256_castsi256_ps(_mm256_set1_epi32((int)(u)))
#define v_shift_left(a, n) _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a), n))
#define v_shift_right(a, n) _mm256_castsi256_ps(_mm256_srli_epi32(_mm256_castps_si256(a), n))
#define v_min(a, b) _mm256_min_ps(a, b)
#define v_max(a, b) _mm256_max_ps(a, b)
#define s_fma(a, b, c) fmaf(a, b, c)
#else
#define LANES 4
#define v_real __m256d
#define v_op(name) _mm256_##name##_pd
#define v_mask(n)                                                                                  \
    _mm256_cmpgt_epi64(_mm256_set1_epi64x((long long)(n)), _mm256_setr_epi64x(0, 1, 2, 3))
#define v_bits(u) _mm256_castsi256_pd(_mm256_set1_epi64x((long long)(u)))
#define v_shift_left(a, n) _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(a), n))
#define v_shift_right(a, n) _mm256_castsi256_pd(_mm256_srli_epi64(_mm256_castpd_si256(a), n))
#define v_min(a, b) _mm256_min_pd(a, b)
#define v_max(a, b) _mm256_max_pd(a, b)
#define s_fma(a, b, c) fma(a, b, c)
#endif

#define v_load(p) v_op(loadu)(p)
#define v_store(p, x) v_op(storeu)(p, x)
#define v_load_first(p, n) v_op(maskload)(p, v_mask(n))
#define v_store_first(p, n, x) v_op(maskstore)(p, v_mask(n), x)
#define v_set1(s) v_op(set1)(s)
#define v_add(a, b) v_op(add)(a, b)
#define v_sub(a, b) v_op(sub)(a, b)
#define v_mul(a, b) v_op(mul)(a, b)
#define v_div(a, b) v_op(div)(a, b)
#define v_sqrt(a) v_op(sqrt)(a)
#define v_fma(a, b, c) v_op(fmadd)(a, b, c)
#define v_select_less(a, b, x, y) v_op(blendv)(y, x, v_op(cmp)(a, b, _CMP_LT_OQ))
#define v_and(a, b) v_op(and)(a, b)
#define v_or(a, b) v_op(or)(a, b)
#define v_nonzero(a) ((unsigned)v_op(movemask)(v_op(cmp)(a, v_op(setzero)(), _CMP_NEQ_UQ)))
#define v_compress(values, indices, x, i) KERNEL_NAME(compress_vector)(values, indices, x, i)

/* Stores i plus each number of a chosen lane of four. */
static ALWAYS_INLINE ATTR __m128i KERNEL_NAME(number_chosen)(uint32_t *indices, unsigned chosen,
                                                            size_t i)
{
    const __m128i lanes = _mm_loadu_si128((const void *)CHOSEN_LANES[chosen]);
    _mm_storeu_si128((void *)indices, _mm_add_epi32(lanes, _mm_set1_epi32((int)i)));
    return lanes;
}

#if BITS == 32
static ALWAYS_INLINE ATTR size_t KERNEL_NAME(compress_vector)(float *values, uint32_t *indices,
                                                              __m256 x, size_t i)
{
    const unsigned chosen = v_nonzero(x), low = chosen & 15, high = chosen >> 4;
    const size_t count = BIT_COUNT(low);
    const __m128i low_lanes = KERNEL_NAME(number_chosen)(indices, low, i);
    const __m128i high_lanes = KERNEL_NAME(number_chosen)(indices + count, high, i + 4);
    _mm_storeu_ps(values, _mm_permutevar_ps(_mm256_castps256_ps128(x), low_lanes));
    _mm_storeu_ps(values + count, _mm_permutevar_ps(_mm256_extractf128_ps(x, 1), high_lanes));
    return count + BIT_COUNT(high);
}
#else
/* Lane l of doubles is the pair of floats 2 l, 2 l + 1, and those can be moved. */
static ALWAYS_INLINE ATTR size_t KERNEL_NAME(compress_vector)(double *values, uint32_t *indices,
                                                              __m256d x, size_t i)
{
    const unsigned chosen = v_nonzero(x);
    const __m128i lanes = KERNEL_NAME(number_chosen)(indices, chosen, i);
    const __m256i even = _mm256_slli_epi64(_mm256_cvtepu32_epi64(lanes), 1);
    const __m256i odd = _mm256_add_epi64(even, _mm256_set1_epi64x(1));
    const __m256i pairs = _mm256_or_si256(even, _mm256_slli_epi64(odd, 32));
    const __m256 moved = _mm256_permutevar8x32_ps(_mm256_castpd_ps(x), pairs);
    v_store(values, _mm256_castps_pd(moved));
    return BIT_COUNT(chosen);
}
#endif
