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

#include "elementary_template.h"
#include "activations_template.h"
#include "sparse_tile_template.h"
#include "tile_template.h"
#include "vectors_template.h"
#include "updates_template.h"

/* ---- The table ------------------------------------------------------------------------------ */

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
    .activate =
        {
            [BP_IDENTITY] = KERNEL_NAME(keep),
            [BP_SIGMOID] = KERNEL_NAME(map_sigmoid),
            [BP_TANH] = KERNEL_NAME(map_tanh),
            [BP_RELU] = KERNEL_NAME(map_relu),
            [BP_LEAKY_RELU] = KERNEL_NAME(map_leaky_relu),
            [BP_ELU] = KERNEL_NAME(map_elu),
            [BP_SELU] = KERNEL_NAME(map_selu),
            [BP_SOFTPLUS] = KERNEL_NAME(map_softplus),
            [BP_SILU] = KERNEL_NAME(map_silu),
            [BP_GELU] = KERNEL_NAME(map_gelu),
            [BP_EXP] = KERNEL_NAME(map_exp),
        },
    .activate_backward =
        {
            [BP_IDENTITY] = KERNEL_NAME(keep_backward),
            [BP_SIGMOID] = KERNEL_NAME(map_sigmoid_backward),
            [BP_TANH] = KERNEL_NAME(map_tanh_backward),
            [BP_RELU] = KERNEL_NAME(map_relu_backward),
            [BP_LEAKY_RELU] = KERNEL_NAME(map_leaky_relu_backward),
            [BP_ELU] = KERNEL_NAME(map_elu_backward),
            [BP_SELU] = KERNEL_NAME(map_selu_backward),
            [BP_SOFTPLUS] = KERNEL_NAME(map_softplus_backward),
            [BP_EXP] = KERNEL_NAME(map_product),
        },
    .activate_derivative =
        {
            [BP_SILU] = KERNEL_NAME(map_silu_derivative),
            [BP_GELU] = KERNEL_NAME(map_gelu_derivative),
        },
    .multiply = KERNEL_NAME(map_product),
    .exp = KERNEL_NAME(map_exp),
    .log = KERNEL_NAME(map_log),
    .log1p_exp = KERNEL_NAME(map_log1p_exp),
    .sigmoid_bce = KERNEL_NAME(sigmoid_bce),
    .add_transposed = KERNEL_NAME(add_transposed),
    .add_part = KERNEL_NAME(add_part),
    .axpy = KERNEL_NAME(axpy),
    .axpy_rows = KERNEL_NAME(axpy_rows),
    .add_rows = KERNEL_NAME(add_rows),
    .update =
        {
            [BP_SGD] = KERNEL_NAME(sgd),
            [BP_MOMENTUM] = KERNEL_NAME(momentum),
            [BP_NESTEROV] = KERNEL_NAME(nesterov),
            [BP_RMSPROP] = KERNEL_NAME(rmsprop),
            [BP_ADAM] = KERNEL_NAME(adam),
            [BP_RPROP] = KERNEL_NAME(rprop),
        },
    .penalize = KERNEL_NAME(penalize),
    .sum_squares = KERNEL_NAME(sum_squares),
    .sum_magnitudes = KERNEL_NAME(sum_magnitudes),
    .add_squares = KERNEL_NAME(add_squares),
    .limit_columns = KERNEL_NAME(limit_columns),
};

#undef NR_VECTORS
#undef SCATTER_VECTORS
#undef BITS
#include "../simd/vec_undef.h"
