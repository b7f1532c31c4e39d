/* a b + c, rounded once. Compilers say where that is one instruction; elsewhere a C library may be
 * slow or, as newlib's, round twice. There the sum is made in integers of 128 bits, in two halves,
 * whose lowest bit says whether anything is below it. */
#if defined(__FP_FAST_FMA) || defined(__FMA__) || (defined(__ARM_FEATURE_FMA) && __ARM_FP & 8)
static double net_fma(double a, double b, double c)
{
    return __builtin_fma(a, b, c);
}
#else
typedef struct net_wide {
    uint64_t high, low;
    int exponent; /* of the lowest bit */
    int negative;
} net_wide;

static int net_highest_bit(uint64_t x)
{
    int n = 0;
    for (int step = 32; step; step /= 2)
        if (x >> step) {
            x >>= step;
            n += step;
        }
    return n;
}

static net_wide net_shifted_left(net_wide x, int n)
{
    x.exponent -= n;
    if (n >= 64) {
        x.high = x.low << (n - 64);
        x.low = 0;
    } else if (n > 0) {
        x.high = x.high << n | x.low >> (64 - n);
        x.low <<= n;
    }
    return x;
}

static net_wide net_shifted_right(net_wide x, int n)
{
    uint64_t lost = 0;
    x.exponent += n;
    if (n > 127) n = 127; /* The highest bit is not set: all are lost. */
    if (n >= 64) {
        lost = x.low;
        x.low = x.high;
        x.high = 0;
        n -= 64;
    }
    if (n > 0) {
        lost |= x.low << (64 - n);
        x.low = x.low >> n | x.high << (64 - n);
        x.high >>= n;
    }
    x.low |= lost != 0;
    return x;
}

/* The highest bit moved to bit 125, from which a sum cannot flow over. */
static net_wide net_normalised(net_wide x)
{
    int top = x.high ? 64 + net_highest_bit(x.high) : net_highest_bit(x.low);
    return top > 125 ? net_shifted_right(x, top - 125) : net_shifted_left(x, 125 - top);
}

/* A finite number that is not zero, as an integer in the low half. */
static net_wide net_taken_apart(double x)
{
    net_wide wide = {0, 0, 0, 0};
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 52 & 0x7ff);
    wide.negative = (int)(bits >> 63);
    wide.low = bits & 0xfffffffffffff;
    if (exponent) wide.low |= (uint64_t)1 << 52;
    wide.exponent = (exponent ? exponent : 1) - 1075;
    return wide;
}

static net_wide net_wide_product(net_wide a, net_wide b)
{
    net_wide p = {0, 0, a.exponent + b.exponent, a.negative != b.negative};
    uint64_t a_high = a.low >> 32, a_low = a.low & 0xffffffff;
    uint64_t b_high = b.low >> 32, b_low = b.low & 0xffffffff;
    uint64_t low = a_low * b_low;
    uint64_t middle = a_high * b_low + (low >> 32); /* below 2^54 */
    middle += a_low * b_high;                       /* below 2^55 */
    p.low = middle << 32 | (low & 0xffffffff);
    p.high = a_high * b_high + (middle >> 32);
    return p;
}

/* The sum of two that are normalised; zero is positive, as it is where rounding is to nearest. */
static net_wide net_wide_sum(net_wide a, net_wide b)
{
    int a_is_larger = a.exponent != b.exponent ? a.exponent > b.exponent
                      : a.high != b.high       ? a.high > b.high
                                               : a.low >= b.low;
    net_wide sum = a_is_larger ? a : b, other = a_is_larger ? b : a;
    other = net_shifted_right(other, sum.exponent - other.exponent);
    if (sum.negative == other.negative) {
        sum.low += other.low;
        sum.high += other.high + (sum.low < other.low);
    } else {
        sum.high -= other.high + (sum.low < other.low);
        sum.low -= other.low;
    }
    if (!sum.high && !sum.low) sum.negative = 0;
    return sum;
}

/* To nearest, ties to even; what is too large becomes infinite. */
static double net_rounded(net_wide x)
{
    uint64_t bits = 0;
    if (x.high | x.low) {
        x = net_normalised(x);
        int drop = -1074 - x.exponent; /* A subnormal number ends at 2^-1074, */
        if (drop < 73) drop = 73;      /* others have 53 of the 126 bits. */
        int exponent = x.exponent + drop + 1074;
        x = net_shifted_right(x, drop - 2); /* The last bit, half of it, and the rest. */
        const int up = (x.low & 3) == 3 || (x.low & 7) == 6;
        bits = ((uint64_t)exponent << 52) + (x.low >> 2) + (up ? 1 : 0);
        if (exponent > 0x7fd || bits >> 52 >= 0x7ff) bits = (uint64_t)0x7ff << 52;
    }
    bits |= (uint64_t)x.negative << 63;
    double rounded;
    memcpy(&rounded, &bits, sizeof rounded);
    return rounded;
}

static double net_fma(double a, double b, double c)
{
    double product = a * b;
    if (a - a != 0 || b - b != 0 || a == 0 || b == 0) return product + c;
    if (c - c != 0) return c; /* The product may be infinite where it is rounded. */
    if (c == 0) return product;
    net_wide exact = net_wide_product(net_taken_apart(a), net_taken_apart(b));
    return net_rounded(net_wide_sum(net_normalised(exact), net_normalised(net_taken_apart(c))));
}
#endif
