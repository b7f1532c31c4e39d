/* a b + c, rounded once. Compilers say where that is one instruction; elsewhere a C library may be
 * slow or, as newlib's, round twice. */
#if defined(__FP_FAST_FMAF) || defined(__FMA__) || defined(__ARM_FEATURE_FMA)
static float net_fma(float a, float b, float c)
{
    return __builtin_fmaf(a, b, c);
}
#elif (defined(__arm__) && !(defined(__ARM_FP) && __ARM_FP & 8)) ||                                \
    (defined(__riscv) && !(defined(__riscv_flen) && __riscv_flen >= 64))
/* Where double is made of whole numbers, so is the sum: in 64 bits, of which the lowest says whether
 * anything is below it. */
typedef struct net_parts {
    uint64_t bits; /* the highest is bit 61, from which a sum cannot flow over */
    int exponent;  /* of the lowest bit */
} net_parts;

static net_parts net_normalised(uint64_t bits, int exponent)
{
    net_parts x = {bits, exponent};
    for (; !(x.bits >> 61); x.exponent--) x.bits <<= 1;
    return x;
}

static uint64_t net_shifted_right(uint64_t bits, int n)
{
    if (n > 62) return 1;
    return n ? bits >> n | (bits << (64 - n) != 0) : bits;
}

/* 1 for a finite number that is not zero. */
static int net_is_plain(uint32_t packed)
{
    return packed << 1 && (packed & 0x7f800000) != 0x7f800000;
}

/* Such a number as a whole one of 24 bits and its exponent. */
static uint32_t net_whole(uint32_t packed, int *exponent)
{
    const int stored = (int)(packed >> 23 & 0xff);
    uint32_t whole = (packed & 0x7fffff) | (stored ? 0x800000 : 0);
    *exponent = (stored ? stored : 1) - 150;
    for (; !(whole >> 23); --*exponent) whole <<= 1;
    return whole;
}

/* To nearest, ties to even; what is too large becomes infinite. */
static uint32_t net_rounded(net_parts x)
{
    int drop = -149 - x.exponent; /* A subnormal number ends at 2^-149, */
    if (drop < 38) drop = 38;     /* others have 24 of the 62 bits. */
    const int biased = x.exponent + drop + 149;
    /* The last bit, half of it, and the rest. */
    const uint32_t kept = (uint32_t)net_shifted_right(x.bits, drop - 2);
    const int up = (kept & 3) == 3 || (kept & 7) == 6;
    const uint32_t packed = (kept >> 2) + (up ? 1 : 0);
    if (biased > 0xfd || (packed >> 24 && biased == 0xfd)) return 0x7f800000;
    return ((uint32_t)biased << 23) + packed;
}

/* The rounded sum of two that are not opposite, the larger one first. */
static uint32_t net_sum_of_parts(net_parts larger, net_parts other, int same_sign)
{
    const uint64_t moved = net_shifted_right(other.bits, larger.exponent - other.exponent);
    const uint64_t sum = same_sign ? larger.bits + moved : larger.bits - moved;
    net_parts whole = {net_shifted_right(sum, 1), larger.exponent + 1};
    return net_rounded(sum >> 62 ? whole : net_normalised(sum, larger.exponent));
}

static float net_fma(float a, float b, float c)
{
    uint32_t x, y, z;
    int x_exponent, y_exponent, z_exponent;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    memcpy(&z, &c, sizeof z);
    if (!net_is_plain(x) || !net_is_plain(y)) return a * b + c;
    if (!net_is_plain(z)) return z << 1 ? c : a * b; /* A rounded product may be infinite. */
    const uint64_t whole = (uint64_t)net_whole(x, &x_exponent) * net_whole(y, &y_exponent);
    const net_parts product = net_normalised(whole << 14, x_exponent + y_exponent - 14);
    const uint64_t addend = net_whole(z, &z_exponent);
    const net_parts other = {addend << 38, z_exponent - 38};
    const uint32_t sign = (x ^ y) & 0x80000000;
    const int same_sign = sign == (z & 0x80000000);
    if (!same_sign && product.exponent == other.exponent && product.bits == other.bits) return 0;
    const int is_larger = product.exponent != other.exponent ? product.exponent > other.exponent
                                                             : product.bits > other.bits;
    uint32_t packed = is_larger ? sign : z & 0x80000000;
    packed |= is_larger ? net_sum_of_parts(product, other, same_sign)
                        : net_sum_of_parts(other, product, same_sign);
    float sum;
    memcpy(&sum, &packed, sizeof sum);
    return sum;
}
#else
/* The sum of the exact product is rounded to odd in double, which keeps what the last rounding has
 * to know (Boldo and Melquiond 2008). */
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
