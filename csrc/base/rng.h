/* rng.h: Philox4x32-10, a counter-based generator.
 *
 * Random numbers are a function of (key, counter): nothing is carried from one to the next, so
 * no result depends on who drew before. Source: J. Salmon, M. Moraes, R. Dror, D. Shaw,
 * "Parallel random numbers: as easy as 1, 2, 3", SC 2011; the constants are theirs.
 */
#pragma once

#include <stdint.h>

/* Four 32-bit words from a counter of four words and a key of two, in ten rounds. */
static inline void philox4x32(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t product0 = (uint64_t)UINT32_C(0xD2511F53) * c0;
        uint64_t product1 = (uint64_t)UINT32_C(0xCD9E8D57) * c2;
        c0 = (uint32_t)(product1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)product1;
        c2 = (uint32_t)(product0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)product0;
        k0 += UINT32_C(0x9E3779B9);
        k1 += UINT32_C(0xBB67AE85);
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* 64 random bits for (seed, stream, index). */
static inline uint64_t random_bits(uint64_t seed, uint64_t stream, uint64_t index)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)stream,
                                 (uint32_t)(stream >> 32)};
    uint32_t words[4];
    philox4x32(words, counter, key);
    return (uint64_t)words[1] << 32 | words[0];
}

/* 64 random bits for (key, index), at a few cycles: the SplitMix64 generator (Steele, Lea, Flood,
 * "Fast splittable pseudorandom number generators", OOPSLA 2014) at any place of its sequence; the
 * constants are theirs. */
static inline uint64_t mixed_bits(uint64_t key, uint64_t index)
{
    uint64_t x = key + (index + 1) * UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}
