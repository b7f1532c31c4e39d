/* own_fma.c: the multiply-add that exported files bring along, beside the C library's.
 *
 * Parameters: SIZE, 32 or 64; own.h, with net_fma. A sixth of the triples each: any bits; exponents
 * far and near; sums that cancel but for some bits; the edges of the range; subnormal addends;
 * factors whose products end in halves. Prints how many differ.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if SIZE == 32
typedef float real;
typedef uint32_t word;
#define INFINITE UINT64_C(0x7f800000)
#define LEAST_NORMAL UINT64_C(0x00800000)
#define SUBNORMAL UINT64_C(0x80ffffff)
#define LAST_BIT 0x1p-23f
#define HALF_RANGE 75
#define library_fma fmaf
#else
typedef double real;
typedef uint64_t word;
#define INFINITE UINT64_C(0x7ff0000000000000)
#define LEAST_NORMAL UINT64_C(0x0010000000000000)
#define SUBNORMAL UINT64_C(0x803fffffffffffff)
#define LAST_BIT 0x1p-52
#define HALF_RANGE 530
#define library_fma fma
#endif

#include "own.h"

static uint64_t state = 88172645463325252u;

/* Marsaglia's xorshift, and a factor that mixes its high bits. */
static uint64_t bits(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * UINT64_C(0x9e3779b97f4a7c15);
}

static real of_bits(uint64_t u)
{
    const word w = (word)u;
    real x;
    memcpy(&x, &w, sizeof x);
    return x;
}

static word bits_of(real x)
{
    word w;
    memcpy(&w, &x, sizeof w);
    return w;
}

/* Any mantissa and sign; the exponent is within `spread` of 1's. */
static real near_one(int spread)
{
    const uint64_t u = bits();
    const int exponent = (int)(bits() % (unsigned)(2 * spread + 1)) - spread;
    const double x = ldexp(1 + (double)(u >> 11) * 0x1p-53, exponent);
    return (real)(u & 1 ? x : -x);
}

/* Small numbers, the least ones, the largest and infinity, and those around the least normal. */
static real near_an_edge(void)
{
    static const real SMALL[] = {0, 1, 2, (real)0.5, (real)1.5, 3};
    real x = SMALL[bits() % 6];
    switch (bits() % 8) {
    case 0: x = of_bits(INFINITE - (bits() & 7)); break;
    case 1: x = of_bits(LEAST_NORMAL + (bits() & 7) - 4); break;
    case 2:
    case 3: x = of_bits(bits() & 7); break;
    default: break;
    }
    return bits() & 1 ? x : -x;
}

static void draw(int kind, real *a, real *b, real *c)
{
    switch (kind) {
    case 0: *a = of_bits(bits()), *b = of_bits(bits()), *c = of_bits(bits()); break;
    case 1: *a = near_one(3), *b = near_one(3), *c = near_one(120); break;
    case 2:
        *a = near_one(9), *b = near_one(9);
        *c = of_bits(bits_of(-*a * *b) + bits() % 5 - 2);
        break;
    case 3: *a = near_an_edge(), *b = near_an_edge(), *c = near_an_edge(); break;
    case 4:
        *a = near_one(HALF_RANGE), *b = near_one(HALF_RANGE), *c = of_bits(bits() & SUBNORMAL);
        break;
    default:
        *a = near_one(1), *b = 1 + (real)(bits() % 64) * LAST_BIT;
        *c = (real)ldexp(bits() & 1 ? 1.0 : -1.0, (int)(bits() % 120) - 60);
    }
}

int main(int count, char **arguments)
{
    const long triples = count > 1 ? atol(arguments[1]) : 600000;
    long wrong = 0;
    for (long i = 0; i < triples; i++) {
        real a, b, c;
        draw((int)(i % 6), &a, &b, &c);
        const real own = net_fma(a, b, c), expected = library_fma(a, b, c);
        const int both_none = own != own && expected != expected;
        if (bits_of(own) == bits_of(expected) || both_none) continue;
        if (wrong++ < 5)
            printf("%a %a %a: %a, not %a\n", (double)a, (double)b, (double)c, (double)own,
                   (double)expected);
    }
    printf("%ld wrong\n", wrong);
    return wrong != 0;
}
