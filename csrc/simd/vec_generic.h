/* vec_generic.h: the vector words for a "vector" of one element, in plain C. See simd/README.md.
 *
 * Parameter: FUSED, 1 where fma() is one instruction for the including file. Without it a
 * product is rounded before it is added: emulating the fused form costs a hundred times the
 * arithmetic.
 */
#ifndef FUSED
#error "vec_generic.h needs FUSED, 0 or 1"
#endif

#define LANES 1
#define v_real real
#define v_load(p) (*(p))
#define v_store(p, x) ((void)(*(p) = (x)))
#define v_load_first(p, n) ((n) ? *(p) : 0)
#define v_store_first(p, n, x) ((void)((n) ? *(p) = (x) : 0))
#define v_set1(s) ((real)(s))
#define v_add(a, b) ((a) + (b))
#define v_sub(a, b) ((a) - (b))
#define v_mul(a, b) ((a) * (b))
#define v_div(a, b) ((a) / (b))
#define v_select_less(a, b, x, y) ((a) < (b) ? (x) : (y))
#define v_min(a, b) v_select_less(a, b, a, b)
#define v_max(a, b) v_select_less(b, a, a, b)

#if BITS == 32
#define v_fused(a, b, c) fmaf(a, b, c)
#define v_sqrt(a) sqrtf(a)
#define v_integer uint32_t
#else
#define v_fused(a, b, c) fma(a, b, c)
#define v_sqrt(a) sqrt(a)
#define v_integer uint64_t
#endif

#if FUSED
#define v_fma(a, b, c) v_fused(a, b, c)
#else
#define v_fma(a, b, c) ((a) * (b) + (c))
#endif

#define v_nonzero(a) ((unsigned)((a) != 0))

#define s_fma(a, b, c) v_fma(a, b, c)
#define v_bits(u) KERNEL_NAME(from_bits)((v_integer)(u))
#define v_and(a, b) v_bits(KERNEL_NAME(to_bits)(a) & KERNEL_NAME(to_bits)(b))
#define v_or(a, b) v_bits(KERNEL_NAME(to_bits)(a) | KERNEL_NAME(to_bits)(b))
#define v_shift_left(a, n) v_bits(KERNEL_NAME(to_bits)(a) << (n))
#define v_shift_right(a, n) v_bits(KERNEL_NAME(to_bits)(a) >> (n))

static ALWAYS_INLINE ATTR v_integer KERNEL_NAME(to_bits)(real x)
{
    v_integer bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static ALWAYS_INLINE ATTR real KERNEL_NAME(from_bits)(v_integer bits)
{
    real x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
