/* kernels_wasm.c: WebAssembly with vectors. 6 rows x 2 vectors: 12 sums and what meets them fit
 * the 16 registers that engines have on x86-64. */
#include "../base/compiler.h"
#if ARCH_WASM

#include <stdint.h>
#include <string.h>
#include <math.h>

#include "kernels.h"

#define ISA wasm
#define ATTR
#define MR 6
#define SPARSE_VECTORS 13

#define BITS 32
#include "../base/precision.h"
#include "../simd/vec_wasm.h"
#include "kernels_template.h"

#define BITS 64
#include "../base/precision.h"
#include "../simd/vec_wasm.h"
#include "kernels_template.h"

/* (1 + 2^-12)^2 - 1 is 2^-11 + 2^-24, whose last bit a product in float has lost; of doubles alike. */
int bp_kernels_wasm_fused(void)
{
    volatile float x = 1 + 0x1p-12f;
    volatile double y = 1 + 0x1p-27;
    const v128_t square = wasm_f32x4_splat(x), wide_square = wasm_f64x2_splat(y);
    const v128_t rest = wasm_fma_f32(square, square, wasm_f32x4_const_splat(-1));
    const v128_t wide_rest = wasm_fma_f64(wide_square, wide_square, wasm_f64x2_const_splat(-1));
    return wasm_f32x4_extract_lane(rest, 0) == 0x1p-11f + 0x1p-24f &&
           wasm_f64x2_extract_lane(wide_rest, 0) == 0x1p-26 + 0x1p-54;
}

#endif
