/* kernels_avx2.c: AVX2 and FMA. 6 rows x 2 vectors: 12 of 16 registers hold sums. */
#include "../base/compiler.h"
#if ARCH_X86_64

#include <math.h>
#include <stdint.h>
#include <immintrin.h>

#include "kernels.h"

#define ISA avx2
#define ATTR TARGET("avx2,fma")
#define MR 6
#define SPARSE_VECTORS 13

#define BITS 32
#include "../base/precision.h"
#include "../simd/vec_avx2.h"
#include "kernels_template.h"

#define BITS 64
#include "../base/precision.h"
#include "../simd/vec_avx2.h"
#include "kernels_template.h"

#endif
