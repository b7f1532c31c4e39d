/* vec_avx512.h: the vector words in 512 bits, 16 floats or 8 doubles. See simd/README.md. */
#if BITS == 32

#define LANES 16
#define v_real __m512
#define v_load(p) _mm512_loadu_ps(p)
#define v_store(p, x) _mm512_storeu_ps(p, x)
#define v_mask(n) ((__mmask16)((1u << (n)) - 1))
#define v_load_first(p, n) _mm512_maskz_loadu_ps(v_mask(n), p)
#define v_store_first(p, n, x) _mm512_mask_storeu_ps(p, v_mask(n), x)
#define v_set1(s) _mm512_set1_ps(s)
#define s_fma(a, b, c) fmaf(a, b, c)
#define v_add(a, b) _mm512_add_ps(a, b)
#define v_sub(a, b) _mm512_sub_ps(a, b)
#define v_mul(a, b) _mm512_mul_ps(a, b)
#define v_div(a, b) _mm512_div_ps(a, b)
#define v_sqrt(a) _mm512_sqrt_ps(a)
#define v_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define v_min(a, b) _mm512_min_ps(a, b)
#define v_max(a, b) _mm512_max_ps(a, b)
#define v_select_less(a, b, x, y) _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x)
#define v_bits(u) _mm512_castsi512_ps(_mm512_set1_epi32((int)(u)))
#define v_and(a, b) _mm512_and_ps(a, b)
#define v_or(a, b) _mm512_or_ps(a, b)
#define v_shift_left(a, n) _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a), n))
#define v_shift_right(a, n) _mm512_castsi512_ps(_mm512_srli_epi32(_mm512_castps_si512(a), n))
#define v_nonzero(a) ((unsigned)_mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_NEQ_UQ))
#define v_compress(values, indices, x, i) avx512_compress_f32(values, indices, x, i)

static ALWAYS_INLINE ATTR size_t avx512_compress_f32(float *values, uint32_t *indices, __m512 x,
                                                     size_t i)
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

#define LANES 8
#define v_real __m512d
#define v_load(p) _mm512_loadu_pd(p)
#define v_store(p, x) _mm512_storeu_pd(p, x)
#define v_mask(n) ((__mmask8)((1u << (n)) - 1))
#define v_load_first(p, n) _mm512_maskz_loadu_pd(v_mask(n), p)
#define v_store_first(p, n, x) _mm512_mask_storeu_pd(p, v_mask(n), x)
#define v_set1(s) _mm512_set1_pd(s)
#define s_fma(a, b, c) fma(a, b, c)
#define v_add(a, b) _mm512_add_pd(a, b)
#define v_sub(a, b) _mm512_sub_pd(a, b)
#define v_mul(a, b) _mm512_mul_pd(a, b)
#define v_div(a, b) _mm512_div_pd(a, b)
#define v_sqrt(a) _mm512_sqrt_pd(a)
#define v_fma(a, b, c) _mm512_fmadd_pd(a, b, c)
#define v_min(a, b) _mm512_min_pd(a, b)
#define v_max(a, b) _mm512_max_pd(a, b)
#define v_select_less(a, b, x, y) _mm512_mask_blend_pd(_mm512_cmp_pd_mask(a, b, _CMP_LT_OQ), y, x)
#define v_bits(u) _mm512_castsi512_pd(_mm512_set1_epi64((long long)(u)))
#define v_and(a, b) _mm512_and_pd(a, b)
#define v_or(a, b) _mm512_or_pd(a, b)
#define v_shift_left(a, n) _mm512_castsi512_pd(_mm512_slli_epi64(_mm512_castpd_si512(a), n))
#define v_shift_right(a, n) _mm512_castsi512_pd(_mm512_srli_epi64(_mm512_castpd_si512(a), n))
#define v_nonzero(a) ((unsigned)_mm512_cmp_pd_mask(a, _mm512_setzero_pd(), _CMP_NEQ_UQ))
#define v_compress(values, indices, x, i) avx512_compress_f64(values, indices, x, i)

static ALWAYS_INLINE ATTR size_t avx512_compress_f64(double *values, uint32_t *indices, __m512d x,
                                                     size_t i)
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
