/* vec_avx2.h: the vector words in 256 bits, 8 floats or 4 doubles. See simd/README.md. */
#if BITS == 32

#define LANES 8
#define v_real __m256
#define v_load(p) _mm256_loadu_ps(p)
#define v_store(p, x) _mm256_storeu_ps(p, x)
#define v_mask(n)                                                                                  \
    _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
#define v_load_first(p, n) _mm256_maskload_ps(p, v_mask(n))
#define v_store_first(p, n, x) _mm256_maskstore_ps(p, v_mask(n), x)
#define v_set1(s) _mm256_set1_ps(s)
#define s_fma(a, b, c) fmaf(a, b, c)
#define v_add(a, b) _mm256_add_ps(a, b)
#define v_sub(a, b) _mm256_sub_ps(a, b)
#define v_mul(a, b) _mm256_mul_ps(a, b)
#define v_div(a, b) _mm256_div_ps(a, b)
#define v_sqrt(a) _mm256_sqrt_ps(a)
#define v_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define v_min(a, b) _mm256_min_ps(a, b)
#define v_max(a, b) _mm256_max_ps(a, b)
#define v_select_less(a, b, x, y) _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ))
#define v_bits(u) _mm256_castsi256_ps(_mm256_set1_epi32((int)(u)))
#define v_and(a, b) _mm256_and_ps(a, b)
#define v_or(a, b) _mm256_or_ps(a, b)
#define v_shift_left(a, n) _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a), n))
#define v_shift_right(a, n) _mm256_castsi256_ps(_mm256_srli_epi32(_mm256_castps_si256(a), n))
#define v_nonzero(a)                                                                               \
    ((unsigned)_mm256_movemask_ps(_mm256_cmp_ps(a, _mm256_setzero_ps(), _CMP_NEQ_UQ)))

#else

#define LANES 4
#define v_real __m256d
#define v_load(p) _mm256_loadu_pd(p)
#define v_store(p, x) _mm256_storeu_pd(p, x)
#define v_mask(n)                                                                                  \
    _mm256_cmpgt_epi64(_mm256_set1_epi64x((long long)(n)), _mm256_setr_epi64x(0, 1, 2, 3))
#define v_load_first(p, n) _mm256_maskload_pd(p, v_mask(n))
#define v_store_first(p, n, x) _mm256_maskstore_pd(p, v_mask(n), x)
#define v_set1(s) _mm256_set1_pd(s)
#define s_fma(a, b, c) fma(a, b, c)
#define v_add(a, b) _mm256_add_pd(a, b)
#define v_sub(a, b) _mm256_sub_pd(a, b)
#define v_mul(a, b) _mm256_mul_pd(a, b)
#define v_div(a, b) _mm256_div_pd(a, b)
#define v_sqrt(a) _mm256_sqrt_pd(a)
#define v_fma(a, b, c) _mm256_fmadd_pd(a, b, c)
#define v_min(a, b) _mm256_min_pd(a, b)
#define v_max(a, b) _mm256_max_pd(a, b)
#define v_select_less(a, b, x, y) _mm256_blendv_pd(y, x, _mm256_cmp_pd(a, b, _CMP_LT_OQ))
#define v_bits(u) _mm256_castsi256_pd(_mm256_set1_epi64x((long long)(u)))
#define v_and(a, b) _mm256_and_pd(a, b)
#define v_or(a, b) _mm256_or_pd(a, b)
#define v_shift_left(a, n) _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(a), n))
#define v_shift_right(a, n) _mm256_castsi256_pd(_mm256_srli_epi64(_mm256_castpd_si256(a), n))
#define v_nonzero(a)                                                                               \
    ((unsigned)_mm256_movemask_pd(_mm256_cmp_pd(a, _mm256_setzero_pd(), _CMP_NEQ_UQ)))

#endif
