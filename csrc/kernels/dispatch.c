/* dispatch.c: which instruction sets this CPU can run, and which of them is best.
 *
 * Capability alone decides. Some of the first CPUs with AVX-512 lower their clock for it; who
 * measures a loss there has BPCORE_ISA=avx2, and the same bits.
 */
#include "../base/compiler.h"

#include "kernels.h"

#if ARCH_X86_64 && defined(_MSC_VER) && !defined(__clang__)
#include <immintrin.h>
#include <intrin.h>
#endif

extern const bp_kernels_f32 bp_kernels_generic_f32, bp_kernels_generic_fma_f32;
extern const bp_kernels_f64 bp_kernels_generic_f64, bp_kernels_generic_fma_f64;
extern const bp_kernels_f32 bp_kernels_avx2_f32, bp_kernels_avx512_f32, bp_kernels_neon_f32;
extern const bp_kernels_f32 bp_kernels_wasm_f32;
extern const bp_kernels_f64 bp_kernels_avx2_f64, bp_kernels_avx512_f64, bp_kernels_neon_f64;
extern const bp_kernels_f64 bp_kernels_wasm_f64;
int bp_kernels_wasm_fused(void);

static const char *const NAMES[BP_ISA_COUNT] = {
    [BP_ISA_DEFAULT] = "default", [BP_GENERIC] = "generic", [BP_AVX2] = "avx2",
    [BP_AVX512] = "avx512",       [BP_NEON] = "neon",       [BP_WASM] = "wasm",
};

const char *bp_isa_name(bp_isa isa)
{
    return (unsigned)isa < BP_ISA_COUNT ? NAMES[isa] : "unknown";
}

/* ---- What the CPU has ------------------------------------------------------------------------ */

#if ARCH_X86_64 && defined(_MSC_VER) && !defined(__clang__)

/* CPUID leaves 1 and 7, and XCR0: which registers the operating system saves. */
static int cpu_has(int leaf, int reg, int bit)
{
    int registers[4];
    __cpuidex(registers, leaf, 0);
    return registers[reg] >> bit & 1;
}

static int system_saves(unsigned long long state)
{
    return cpu_has(1, 2, 27) && (_xgetbv(0) & state) == state;
}

static int cpu_has_fma(void)
{
    return cpu_has(1, 2, 12) && system_saves(0x6);
}

static int cpu_has_avx2(void)
{
    return cpu_has_fma() && cpu_has(7, 1, 5);
}

static int cpu_has_avx512(void)
{
    return cpu_has_avx2() && system_saves(0xe6) && cpu_has(7, 1, 16) && cpu_has(7, 1, 17) &&
           cpu_has(7, 1, 30) && cpu_has(7, 1, 31);
}

#elif ARCH_X86_64

static int cpu_has_fma(void)
{
    return __builtin_cpu_supports("fma") != 0;
}

static int cpu_has_avx2(void)
{
    return cpu_has_fma() && __builtin_cpu_supports("avx2");
}

static int cpu_has_avx512(void)
{
    return cpu_has_avx2() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq");
}

#endif

int bp_isa_available(bp_isa isa)
{
    switch (isa) {
    case BP_ISA_DEFAULT:
    case BP_GENERIC: return 1;
#if ARCH_X86_64
    case BP_AVX2: return cpu_has_avx2();
    case BP_AVX512: return cpu_has_avx512();
#endif
#if ARCH_AARCH64
    case BP_NEON: return 1;
#endif
#if ARCH_WASM
    case BP_WASM: return bp_kernels_wasm_fused(); /* An engine may round twice. */
#endif
    default: return 0;
    }
}

bp_isa bp_isa_best(void)
{
    static const bp_isa BEST_FIRST[] = {BP_AVX512, BP_AVX2, BP_NEON, BP_WASM};
    for (size_t i = 0; i < sizeof BEST_FIRST / sizeof *BEST_FIRST; i++)
        if (bp_isa_available(BEST_FIRST[i])) return BEST_FIRST[i];
    return BP_GENERIC;
}

/* ---- Tables ---------------------------------------------------------------------------------- */

#define BITS 32
#include "dispatch_template.h"
#undef BITS
#define BITS 64
#include "dispatch_template.h"
#undef BITS
