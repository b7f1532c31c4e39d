/* kernels_generic_fma.c: the generic kernels for x86-64 CPUs that have FMA.
 *
 * Plain x86-64 has no fused multiply-add, and a CPU with AVX2 must give the bits of the other
 * tables when asked for the generic one: this is the same portable C with one more instruction
 * allowed.
 */
#include "../base/compiler.h"
#if ARCH_X86_64

#include <stdint.h>
#include <string.h>
#include <math.h>

#include "kernels.h"

#define ISA generic_fma
#define ATTR TARGET("fma")
#define MR 4
#define SPARSE_VECTORS 8
#define FUSED 1

#define BITS 32
#include "../base/precision.h"
#include "../simd/vec_generic.h"
#include "kernels_template.h"

#define BITS 64
#include "../base/precision.h"
#include "../simd/vec_generic.h"
#include "kernels_template.h"

#endif
