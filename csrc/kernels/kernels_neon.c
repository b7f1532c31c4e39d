/* kernels_neon.c: AArch64. 12 rows x 2 vectors: 24 of 32 registers hold sums. */
#include "../base/compiler.h"
#if ARCH_AARCH64

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <arm_neon.h>

#include "kernels.h"

#define ISA neon
#define ATTR
#define MR 12
#define SPARSE_VECTORS 16

#define BITS 32
#include "../base/precision.h"
#include "../simd/vec_neon.h"
#include "kernels_template.h"

#define BITS 64
#include "../base/precision.h"
#include "../simd/vec_neon.h"
#include "kernels_template.h"

#endif
