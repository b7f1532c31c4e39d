/* dispatch_template.h: from an instruction set to its table, for dispatch.c. Parameter: BITS. */
#include "../base/precision.h"

const NAME(bp_kernels) *NAME(bp_find_kernels)(bp_isa isa)
{
    if (isa == BP_ISA_DEFAULT) isa = bp_isa_best();
    if (!bp_isa_available(isa)) return NULL;
    switch (isa) {
#if ARCH_X86_64
    case BP_GENERIC:
        return cpu_has_fma() ? &NAME(bp_kernels_generic_fma) : &NAME(bp_kernels_generic);
    case BP_AVX2: return &NAME(bp_kernels_avx2);
    case BP_AVX512: return &NAME(bp_kernels_avx512);
#else
    case BP_GENERIC: return &NAME(bp_kernels_generic);
#endif
#if ARCH_AARCH64
    case BP_NEON: return &NAME(bp_kernels_neon);
#endif
#if ARCH_WASM
    case BP_WASM: return &NAME(bp_kernels_wasm);
#endif
    default: return NULL;
    }
}
