/* kernels_template.h: every kernel, once, for all instruction sets and precisions.
 *
 * Parameters:
 *   BITS       32 or 64
 *   ISA        avx2, ...: becomes a part of each name
 *   ATTR       the function attribute that allows the instructions, or nothing
 *   MR  rows of C that one tile holds in registers, two vectors each: 4, 6, 12 or 14
 *   SPARSE_VECTORS  vectors of C that a row of a sparse product holds in registers: 8, 13 or 16
 *   and the vector words of simd/. BITS and the words are forgotten at the end.
 */
#if !defined(ISA) || !defined(MR) || !defined(SPARSE_VECTORS) || !defined(LANES)
#error "kernels_template.h needs ISA, ATTR, MR, SPARSE_VECTORS and the vector words"
#endif

/* Two vectors a row: fewer would load more than multiply, more would leave too few rows. */
#define NR_VECTORS 2

/* Vectors of a row whose sums may stay in memory. */
#define SCATTER_VECTORS 4

/* Elements between what is read of an array and what is prefetched: 4 KiB, a page, since hardware
 * prefetchers begin anew with each. */
#define STREAM_AHEAD (4096 / sizeof(real))

#include "elementary_template.h"
#include "activations_template.h"
#include "sparse_tile_template.h"
#include "tile_template.h"
#include "vectors_template.h"
#include "updates_template.h"

/* ---- The table ------------------------------------------------------------------------------ */

/* Entries of an activation, by what tells its derivative, and of an optimiser. */
#define ENTRIES(number, name, told_by) ENTRIES_##told_by(number, name)
#define ENTRIES_OUTPUT(number, name)              \
    .activate[number] = KERNEL_NAME(map_##name), \
    .activate_backward[number] = KERNEL_NAME(map_##name##_backward),
#define ENTRIES_INPUT(number, name)               \
    .activate[number] = KERNEL_NAME(map_##name), \
    .activate_derivative[number] = KERNEL_NAME(map_##name##_derivative),
#define ENTRIES_NOTHING ENTRIES_OUTPUT
#define ENTRIES_ROW(number, name)
#define ENTRY(number, name, moments) .update[number] = KERNEL_NAME(name),

const NAME(bp_kernels) KERNEL_NAME(bp_kernels) = {
    .tile = KERNEL_NAME(tile),
    .pack = KERNEL_NAME(pack),
    .mr = MR,
    .nr = NR_VECTORS * LANES,
    .lanes = LANES,
    .sparse_tile = KERNEL_NAME(sparse_tile),
    .sparse_columns = SPARSE_VECTORS * LANES,
    .scatter = KERNEL_NAME(scatter),
    .scatter_columns = SCATTER_VECTORS * LANES,
    .compress = KERNEL_NAME(compress),
    .count_nonzero = KERNEL_NAME(count_nonzero),
    .finite = KERNEL_NAME(finite),
    BP_ACTIVATIONS(ENTRIES)
    .multiply = KERNEL_NAME(multiply),
    .exp = KERNEL_NAME(map_exp),
    .log = KERNEL_NAME(map_log),
    .log1p_exp = KERNEL_NAME(map_log1p_exp),
    .sigmoid_bce = KERNEL_NAME(sigmoid_bce),
    .add_transposed = KERNEL_NAME(add_transposed),
    .add_part = KERNEL_NAME(add_part),
    .axpy = KERNEL_NAME(axpy),
    .axpy_rows = KERNEL_NAME(axpy_rows),
    .add_rows = KERNEL_NAME(add_rows),
    BP_OPTIMIZERS(ENTRY)
    .penalize = KERNEL_NAME(penalize),
    .sum_squares = KERNEL_NAME(sum_squares),
    .sum_magnitudes = KERNEL_NAME(sum_magnitudes),
    .add_squares = KERNEL_NAME(add_squares),
    .limit_columns = KERNEL_NAME(limit_columns),
};

#undef SIGN_BIT
#undef NR_VECTORS
#undef SCATTER_VECTORS
#undef STREAM_AHEAD
#undef ENTRIES
#undef ENTRIES_OUTPUT
#undef ENTRIES_INPUT
#undef ENTRIES_NOTHING
#undef ENTRIES_ROW
#undef ENTRY
#undef BITS
#include "../simd/vec_undef.h"
