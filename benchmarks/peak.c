/* peak.c: twelve chains of multiply-adds: enough to fill two units of four or five
 * cycles, few enough for the sixteen registers of AVX2. */
#include "peak.h"

#include <string.h>

#include "../csrc/base/compiler.h"

#if ARCH_X86_64
#include <immintrin.h>

#define ISA avx2
#define ATTR TARGET("avx2,fma")
#define BITS 32
#include "../csrc/base/precision.h"
#include "../csrc/simd/vec_avx2.h"
#include "peak_template.h"
#define BITS 64
#include "../csrc/base/precision.h"
#include "../csrc/simd/vec_avx2.h"
#include "peak_template.h"
#undef ISA
#undef ATTR

#define ISA avx512
#define ATTR TARGET("avx512f,avx512vl,avx512bw,avx512dq,fma")
#define BITS 32
#include "../csrc/base/precision.h"
#include "../csrc/simd/vec_avx512.h"
#include "peak_template.h"
#define BITS 64
#include "../csrc/base/precision.h"
#include "../csrc/simd/vec_avx512.h"
#include "peak_template.h"

double peak_f32(bp_isa isa, size_t rounds, double *sink)
{
    return isa == BP_AVX512 ? peak_avx512_f32(rounds, sink) : peak_avx2_f32(rounds, sink);
}

double peak_f64(bp_isa isa, size_t rounds, double *sink)
{
    return isa == BP_AVX512 ? peak_avx512_f64(rounds, sink) : peak_avx2_f64(rounds, sink);
}

#elif ARCH_AARCH64
#include <arm_neon.h>

#define ISA neon
#define ATTR
#define BITS 32
#include "../csrc/base/precision.h"
#include "../csrc/simd/vec_neon.h"
#include "peak_template.h"
#define BITS 64
#include "../csrc/base/precision.h"
#include "../csrc/simd/vec_neon.h"
#include "peak_template.h"

double peak_f32(bp_isa isa, size_t rounds, double *sink)
{
    (void)isa;
    return peak_neon_f32(rounds, sink);
}

double peak_f64(bp_isa isa, size_t rounds, double *sink)
{
    (void)isa;
    return peak_neon_f64(rounds, sink);
}
#endif
