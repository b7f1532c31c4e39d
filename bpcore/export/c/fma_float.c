/* a b + c, rounded once. Compilers say where that is one instruction; elsewhere a C library may be
 * slow or, as newlib's, round twice. There the sum of the exact product is rounded to odd in
 * double, which keeps what the last rounding has to know (Boldo and Melquiond 2008). */
#if defined(__FP_FAST_FMAF) || defined(__FMA__) || defined(__ARM_FEATURE_FMA)
static float net_fma(float a, float b, float c)
{
    return __builtin_fmaf(a, b, c);
}
#else
static float net_fma(float a, float b, float c)
{
    double product = (double)a * b;
    double sum = product + c, rest = sum - product;
    double error = (product - (sum - rest)) + (c - rest); /* of the sum, exactly (Knuth) */
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    if (sum - sum == 0 && error != 0 && !(bits & 1)) {
        bits += (error > 0) == (sum > 0) ? 1 : (uint64_t)-1;
        memcpy(&sum, &bits, sizeof sum);
    }
    return (float)sum;
}
#endif
