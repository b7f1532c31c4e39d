/* vec_avx512.h: the vector words in 512 bits, 16 floats or 8 doubles. See simd/README.md.
 *
 * v_op adds the ending of the precision. v_min and v_max do without: windows.h has macros min and
 * max. */
#if BITS == 32
#define LANES 16
#define v_real __m512
#define v_op(name) _mm512_##name##_ps
#define v_compare(a, b, how) _mm512_cmp_ps_mask(a, b, how)
#define v_mask(n) ((__mmask16)((1u << (n)) - 1))
#define v_bits(u) _mm512_castsi512_ps(_mm512_set1_epi32((int)(u)))
#define v_shift_left(a, n) _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a), n))
#define v_shift_right(a, n) _mm512_castsi512_ps(_mm512_srli_epi32(_mm512_castps_si512(a), n))
#define v_min(a, b) _mm512_min_ps(a, b)
#define v_max(a, b) _mm512_max_ps(a, b)
#define s_fma(a, b, c) fmaf(a, b, c)
#else
#define LANES 8
#define v_real __m512d
#define v_op(name) _mm512_##name##_pd
#define v_compare(a, b, how) _mm512_cmp_pd_mask(a, b, how)
#define v_mask(n) ((__mmask8)((1u << (n)) - 1))
#define v_bits(u) _mm512_castsi512_pd(_mm512_set1_epi64((long long)(u)))
#define v_shift_left(a, n) _mm512_castsi512_pd(_mm512_slli_epi64(_mm512_castpd_si512(a), n))
#define v_shift_right(a, n) _mm512_castsi512_pd(_mm512_srli_epi64(_mm512_castpd_si512(a), n))
#define v_min(a, b) _mm512_min_pd(a, b)
#define v_max(a, b) _mm512_max_pd(a, b)
#define s_fma(a, b, c) fma(a, b, c)
#endif

#define v_load(p) v_op(loadu)(p)
#define v_store(p, x) v_op(storeu)(p, x)
#define v_load_first(p, n) v_op(maskz_loadu)(v_mask(n), p)
#define v_store_first(p, n, x) v_op(mask_storeu)(p, v_mask(n), x)
#define v_set1(s) v_op(set1)(s)
#define v_add(a, b) v_op(add)(a, b)
#define v_sub(a, b) v_op(sub)(a, b)
#define v_mul(a, b) v_op(mul)(a, b)
#define v_div(a, b) v_op(div)(a, b)
#define v_sqrt(a) v_op(sqrt)(a)
#define v_fma(a, b, c) v_op(fmadd)(a, b, c)
#define v_select_less(a, b, x, y) v_op(mask_blend)(v_compare(a, b, _CMP_LT_OQ), y, x)
#define v_and(a, b) v_op(and)(a, b)
#define v_or(a, b) v_op(or)(a, b)
#define v_nonzero(a) ((unsigned)v_compare(a, v_op(setzero)(), _CMP_NEQ_UQ))
#define v_compress(values, indices, x, i) KERNEL_NAME(compress_vector)(values, indices, x, i)

#if BITS == 32
static ALWAYS_INLINE ATTR size_t KERNEL_NAME(compress_vector)(float *values, uint32_t *indices,
                                                              __m512 x, size_t i)
{
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __mmask16 chosen = (__mmask16)v_nonzero(x);
    const __m512i numbers = _mm512_add_epi32(lanes, _mm512_set1_epi32((int)i));
    /* Counted before the stores: behind them GCC 12 with -fsanitize=thread reads a wider mask. */
    const size_t count = BIT_COUNT(chosen);
    _mm512_storeu_ps(values, _mm512_maskz_compress_ps(chosen, x));
    _mm512_storeu_si512(indices, _mm512_maskz_compress_epi32(chosen, numbers));
    return count;
}
#else
static ALWAYS_INLINE ATTR size_t KERNEL_NAME(compress_vector)(double *values, uint32_t *indices,
                                                              __m512d x, size_t i)
{
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __mmask8 chosen = (__mmask8)v_nonzero(x);
    const __m256i numbers = _mm256_add_epi32(lanes, _mm256_set1_epi32((int)i));
    /* Counted before the stores: behind them GCC 12 with -fsanitize=thread reads a wider mask. */
    const size_t count = BIT_COUNT(chosen);
    _mm512_storeu_pd(values, _mm512_maskz_compress_pd(chosen, x));
    _mm256_storeu_si256((void *)indices, _mm256_maskz_compress_epi32(chosen, numbers));
    return count;
}
#endif
