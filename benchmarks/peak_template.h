/* peak_template.h: the loop of peak.c. Parameters: BITS, ISA, ATTR, the vector
 * words. */
#define CHAINS 12

static ATTR double KERNEL_NAME(peak)(size_t rounds, double *sink)
{
    const v_real factor = v_set1((real)0.999), addend = v_set1((real)0.001);
    v_real chain[CHAINS];
    UNROLL for (int i = 0; i < CHAINS; i++) chain[i] = v_set1((real)i);
    for (size_t r = 0; r < rounds; r++)
        UNROLL for (int i = 0; i < CHAINS; i++) chain[i] = v_fma(chain[i], factor, addend);
    for (int i = 0; i < CHAINS; i++) {
        real lanes[LANES];
        v_store(lanes, chain[i]);
        *sink += (double)lanes[0];
    }
    return 2.0 * LANES * CHAINS * (double)rounds;
}

#undef CHAINS
#undef BITS
#include "../csrc/simd/vec_undef.h"
