/* kernels_avx512.c: AVX-512. 14 rows x 2 vectors: 28 of 32 registers hold sums. */
#include "../base/compiler.h"
#if ARCH_X86_64

#include <math.h>
#include <stdint.h>
#include <immintrin.h>

#include "kernels.h"

#define ISA avx512
#define ATTR TARGET("avx512f,avx512vl,avx512bw,avx512dq,fma")
#define MR 14
#define SPARSE_VECTORS 16

#define BITS 32
#include "../base/precision.h"
#include "../simd/vec_avx512.h"
#include "kernels_template.h"

#define BITS 64
#include "../base/precision.h"
#include "../simd/vec_avx512.h"
#include "kernels_template.h"

#endif
