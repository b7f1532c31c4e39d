/* elementary_template.h: exp, log and their relatives for one vector, from arithmetic and bits
 * only.
 *
 * Parameters: BITS, ISA, ATTR and the vector words. Every instruction set runs the same
 * operations in the same order, so a function value is the same bits everywhere.
 *
 * Series are Taylor's: their coefficients need no table of magic numbers, and the arguments are
 * reduced so far that the first term left out is below half an ulp.
 */

#if BITS == 32
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define EXP_TERMS 6          /* to r^7/7!: the next, (ln2/2)^8/8!, is 5e-9 < 2^-27 */
#define LOG_TERMS 5          /* to s^9/9 with |s| < 0.172: the next is 2e-9 of the result */
#define LOG1P_TERMS 8        /* to s^15/15 with s <= 1/3: the next is 1.4e-9 of the result */
#define EXP_LOWEST -86.0     /* above -125 ln 2: exp stays a normal number when it is halved */
#define EXP_HIGHEST 89.0     /* exp(89) overflows, as it should */
#define TANH_HIGHEST 10.0    /* tanh(10) rounds to 1 */
#define BELL_HIGHEST 14.0    /* 14^2 / 2 is beyond -EXP_LOWEST */
#define LN2_HIGH 0x1.62e4p-1 /* 15 bits: a multiple by |k| < 2^8 is exact */
#define LN2_LOW 0x1.7f7d1cf79abcap-20 /* ln 2 - LN2_HIGH */
#define SIGN_BIT UINT32_C(0x80000000)
#define MANTISSA_MASK UINT32_C(0x007fffff)
#define ONE_BITS UINT32_C(0x3f800000)
#else
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define EXP_TERMS 12      /* to r^13/13!: the next, (ln2/2)^14/14!, is 4e-18 < 2^-57 */
#define LOG_TERMS 10      /* to s^19/19 with |s| < 0.172: the next is 2.4e-17 of the result */
#define LOG1P_TERMS 16    /* to s^31/31 with s <= 1/3: the next is 1.6e-17 of the result */
#define EXP_LOWEST -707.0 /* above -1021 ln 2 */
#define EXP_HIGHEST 710.0 /* exp(710) overflows */
#define TANH_HIGHEST 20.0
#define BELL_HIGHEST 38.0 /* 38^2 / 2 is beyond -EXP_LOWEST */
#define LN2_HIGH 0x1.62e42fefap-1     /* 33 bits: a multiple by |k| < 2^11 is exact */
#define LN2_LOW 0x1.cf79abc9e3b3ap-40 /* ln 2 - LN2_HIGH */
#define SIGN_BIT UINT64_C(0x8000000000000000)
#define MANTISSA_MASK UINT64_C(0x000fffffffffffff)
#define ONE_BITS UINT64_C(0x3ff0000000000000)
#endif

/* 1/2!, 1/3!, ...: e^r - 1 = r + r^2 (1/2! + r/3! + r^2/4! + ...). */
static const real KERNEL_NAME(EXP_SERIES)[12] = {
    (real)(1.0 / 2),        (real)(1.0 / 6),         (real)(1.0 / 24),
    (real)(1.0 / 120),      (real)(1.0 / 720),       (real)(1.0 / 5040),
    (real)(1.0 / 40320),    (real)(1.0 / 362880),    (real)(1.0 / 3628800),
    (real)(1.0 / 39916800), (real)(1.0 / 479001600), (real)(1.0 / 6227020800.0),
};

/* 2/3, 2/5, 2/7, ...: log((1 + s)/(1 - s)) = 2s + s^3 (2/3 + 2/5 s^2 + ...). */
static const real KERNEL_NAME(ATANH_SERIES)[15] = {
    (real)(2.0 / 3),  (real)(2.0 / 5),  (real)(2.0 / 7),  (real)(2.0 / 9),  (real)(2.0 / 11),
    (real)(2.0 / 13), (real)(2.0 / 15), (real)(2.0 / 17), (real)(2.0 / 19), (real)(2.0 / 21),
    (real)(2.0 / 23), (real)(2.0 / 25), (real)(2.0 / 27), (real)(2.0 / 29), (real)(2.0 / 31),
};

/* x = k ln 2 + r with |r| <= ln2/2. Returns e^r - 1 and sets *half_power to 2^(k-1).
 *
 * Adding a number of the size 2^MANTISSA_BITS rounds to the nearest integer and leaves that integer
 * in the low bits, here with the exponent's bias less one, ready to be shifted into place. */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(reduced_expm1)(v_real x, v_real *half_power)
{
    const v_real magic = v_set1((real)(1.5 * ((uint64_t)1 << MANTISSA_BITS) + (EXPONENT_BIAS - 1)));
    v_real shifted = v_fma(x, v_set1((real)0x1.71547652b82fep+0), magic); /* 1 / ln 2 */
    v_real k = v_sub(shifted, magic);
    v_real r = v_fma(k, v_set1((real)-LN2_HIGH), x);
    r = v_fma(k, v_set1((real)-LN2_LOW), r);
    v_real sum = v_set1(KERNEL_NAME(EXP_SERIES)[EXP_TERMS - 1]);
    UNROLL for (int i = EXP_TERMS - 2; i >= 0; i--)
        sum = v_fma(sum, r, v_set1(KERNEL_NAME(EXP_SERIES)[i]));
    *half_power = v_shift_left(shifted, MANTISSA_BITS);
    return v_fma(v_mul(r, r), sum, r);
}

/* e^x. Results below about 2^-124 (2^-1019 for double) are returned as 0. */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(exp)(v_real x)
{
    v_real half_power;
    v_real clamped = v_max(v_set1((real)EXP_LOWEST), v_min(v_set1((real)EXP_HIGHEST), x));
    v_real m = KERNEL_NAME(reduced_expm1)(clamped, &half_power);
    v_real y = v_mul(v_fma(m, half_power, half_power), v_set1(2));
    return v_select_less(x, v_set1((real)EXP_LOWEST), v_set1(0), y);
}

/* 1 / (1 + e^-x). */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(sigmoid)(v_real x)
{
    const v_real one = v_set1(1);
    return v_div(one, v_add(one, KERNEL_NAME(exp)(v_sub(v_set1(0), x))));
}

/* tanh |x| = m / (m + 2) with m = e^(2|x|) - 1, which keeps its accuracy near 0. */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(tanh)(v_real x)
{
    const v_real sign_bit = v_bits(SIGN_BIT);
    v_real half_power;
    v_real magnitude = v_and(x, v_bits(SIGN_BIT - 1));
    v_real clamped = v_min(v_set1((real)TANH_HIGHEST), magnitude);
    v_real r = KERNEL_NAME(reduced_expm1)(v_add(clamped, clamped), &half_power);
    v_real power = v_add(half_power, half_power);
    v_real m = v_fma(r, power, v_sub(power, v_set1(1)));
    return v_or(v_div(m, v_add(m, v_set1(2))), v_and(x, sign_bit));
}

/* 2 atanh s = 2s + s^3 (2/3 + 2/5 s^2 + ...), `terms` terms with the first. */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(twice_atanh)(v_real s, int terms)
{
    v_real square = v_mul(s, s);
    v_real sum = v_set1(KERNEL_NAME(ATANH_SERIES)[terms - 2]);
    UNROLL for (int i = terms - 3; i >= 0; i--)
        sum = v_fma(sum, square, v_set1(KERNEL_NAME(ATANH_SERIES)[i]));
    return v_fma(v_mul(s, square), sum, v_add(s, s));
}

/* log x for a positive, normal, finite x: x = 2^k m with sqrt(1/2) <= m < sqrt(2). */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(log)(v_real x)
{
    const v_real one = v_set1(1);
    const v_real shift = v_set1((real)((uint64_t)1 << MANTISSA_BITS));
    v_real exponent = v_or(v_shift_right(x, MANTISSA_BITS), shift);
    v_real k = v_sub(exponent, v_add(shift, v_set1(EXPONENT_BIAS)));
    v_real m = v_or(v_and(x, v_bits(MANTISSA_MASK)), v_bits(ONE_BITS));
    const v_real root_two = v_set1((real)0x1.6a09e667f3bcdp+0);
    k = v_select_less(m, root_two, k, v_add(k, one));
    m = v_select_less(m, root_two, m, v_mul(m, v_set1((real)0.5)));
    v_real s = v_div(v_sub(m, one), v_add(m, one));
    v_real log_m = KERNEL_NAME(twice_atanh)(s, LOG_TERMS);
    return v_fma(k, v_set1((real)LN2_HIGH), v_fma(k, v_set1((real)LN2_LOW), log_m));
}

/* log(1 + e^x) for x <= 0: with t = e^x it is 2 atanh(t / (2 + t)), exact to the last bits even
 * where 1 + t rounds to 1. */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(log1p_exp)(v_real x)
{
    v_real t = KERNEL_NAME(exp)(x);
    return KERNEL_NAME(twice_atanh)(v_div(t, v_add(t, v_set1(2))), LOG1P_TERMS);
}

/* e^x - 1 for x <= 0, which keeps its accuracy near 0. */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(expm1_negative)(v_real x)
{
    v_real half_power;
    v_real r = KERNEL_NAME(reduced_expm1)(v_max(v_set1((real)EXP_LOWEST), x), &half_power);
    v_real power = v_add(half_power, half_power);
    return v_fma(r, power, v_sub(power, v_set1(1)));
}

/* (1 + 2x) e^(x^2) erfc(x), x >= 0, is smooth in t = (x - 3.75) / (x + 3.75) (Shepherd and
 * Laframboise 1981): its Chebyshev series in t, summed from 64 nodes in 50 digits, cut where the next term is
 * below half an ulp, as a polynomial. */
#if BITS == 32
#define ERFC_TERMS 12
static const real KERNEL_NAME(ERFC_SERIES)[ERFC_TERMS] = {
    (real)1.23751261926769989, (real)-0.140240658321386411, (real)0.003586270394024618,
    (real)0.0822784199834704663, (real)-0.108814270149050694, (real)0.0922907695913037851,
    (real)-0.0586468587355461466, (real)0.0284092523641272517, (real)-0.00984449485967494601,
    (real)0.00167591221798113887, (real)0.000396307612989360495, (real)-0.000224116746744163467,
};
#else
#define ERFC_TERMS 23
static const real KERNEL_NAME(ERFC_SERIES)[ERFC_TERMS] = {
    (real)1.23751263083782753, (real)-0.140240598585545256, (real)0.00358541548547902529,
    (real)0.0822767384899950633, (real)-0.108803930142444598, (real)0.092304321164281238,
    (real)-0.0586933985766495624, (real)0.0283622773721112242, (real)-0.00974657968326347981,
    (real)0.00175562616519680642, (real)0.000293714378036788496, (real)-0.000290155352460701586,
    (real)0.0000516465297648175121, (real)0.0000223875657165208763, (real)-0.0000114380480745269187,
    (real)-9.79262575300189008e-7, (real)1.74198220521813191e-6, (real)-5.08446480515935885e-8,
    (real)-2.48571294706858381e-7, (real)1.87908196934940268e-8, (real)3.19792790928573254e-8,
    (real)-1.95513502166031096e-9, (real)-2.6231093583730162e-9,
};
#endif

/* e^(-z^2/2) for z >= 0. The rounding error of z^2, which a fused multiply-add tells, would become
 * one of z^2/2 ulp: e^-(s + d) = e^-s (1 - d) for a tiny d. */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(bell)(v_real z)
{
    const v_real minus_half = v_set1((real)-0.5);
    z = v_min(v_set1(BELL_HIGHEST), z);
    v_real square = v_mul(z, z);
    v_real error = v_fma(z, z, v_sub(v_set1(0), square));
    v_real power = KERNEL_NAME(exp)(v_mul(minus_half, square));
    return v_fma(power, v_mul(minus_half, error), power);
}

/* Phi(z) = erfc(-z / sqrt(2)) / 2, the share of a normal distribution below z. */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(normal_distribution)(v_real z)
{
    const v_real one = v_set1(1);
    v_real magnitude = v_min(v_set1(BELL_HIGHEST), v_and(z, v_bits(SIGN_BIT - 1)));
    v_real x = v_mul(magnitude, v_set1((real)0.7071067811865476));
    v_real shift = v_set1((real)3.75);
    v_real t = v_div(v_sub(x, shift), v_add(x, shift));
    v_real sum = v_set1(KERNEL_NAME(ERFC_SERIES)[ERFC_TERMS - 1]);
    UNROLL for (int i = ERFC_TERMS - 2; i >= 0; i--)
        sum = v_fma(sum, t, v_set1(KERNEL_NAME(ERFC_SERIES)[i]));
    v_real half_bell = v_mul(KERNEL_NAME(bell)(magnitude), v_set1((real)0.5));
    v_real tail = v_div(v_mul(half_bell, sum), v_fma(v_set1(2), x, one));
    return v_select_less(z, v_set1(0), tail, v_sub(one, tail));
}

#undef MANTISSA_BITS
#undef ERFC_TERMS
#undef EXPONENT_BIAS
#undef EXP_TERMS
#undef LOG_TERMS
#undef LOG1P_TERMS
#undef EXP_LOWEST
#undef EXP_HIGHEST
#undef TANH_HIGHEST
#undef BELL_HIGHEST
#undef LN2_HIGH
#undef LN2_LOW
#undef MANTISSA_MASK
#undef ONE_BITS
