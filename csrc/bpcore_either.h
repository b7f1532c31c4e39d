/* bpcore_either.h: the functions of bpcore_functions.h under one name each, for callers that learn
 * the precision at run time, as the binding of a language with arrays of both.
 *
 * A call has `itemsize` before its other arguments, sizeof(float) or sizeof(double), and pointers
 * to void where the two functions differ. Where itemsize is a constant, nothing of the choice is
 * left.
 */
#ifndef BPCORE_EITHER_H
#define BPCORE_EITHER_H

#include "bpcore.h"

/* A bp_input of either precision. */
typedef union bp_input {
    bp_input_f32 f32;
    bp_input_f64 f64;
} bp_input;

static inline bp_input bp_input_of(size_t itemsize, const void *dense, const void *values,
                                   const uint32_t *columns, const size_t *row_offsets,
                                   size_t nonzeros, size_t row_nonzeros, const void *weights,
                                   const void *packed, size_t packed_bytes)
{
    bp_input X;
    if (itemsize == sizeof(float))
        X.f32 = (bp_input_f32){dense,        values,  columns, row_offsets, nonzeros,
                               row_nonzeros, weights, packed,  packed_bytes};
    else
        X.f64 = (bp_input_f64){dense,        values,  columns, row_offsets, nonzeros,
                               row_nonzeros, weights, packed,  packed_bytes};
    return X;
}

#define BP_EITHER(itemsize, name, ...) \
    ((itemsize) == sizeof(float) ? name##_f32(__VA_ARGS__) : name##_f64(__VA_ARGS__))

#define bp_compress(itemsize, ...) BP_EITHER(itemsize, bp_compress, __VA_ARGS__)
#define bp_count_nonzero(itemsize, ...) BP_EITHER(itemsize, bp_count_nonzero, __VA_ARGS__)
#define bp_packed_size(itemsize, ...) BP_EITHER(itemsize, bp_packed_size, __VA_ARGS__)
#define bp_pack(itemsize, ...) BP_EITHER(itemsize, bp_pack, __VA_ARGS__)
#define bp_workspace_size(itemsize, ...) BP_EITHER(itemsize, bp_workspace_size, __VA_ARGS__)
#define bp_gradient(itemsize, ...) BP_EITHER(itemsize, bp_gradient, __VA_ARGS__)
#define bp_backward(itemsize, ...) BP_EITHER(itemsize, bp_backward, __VA_ARGS__)
#define bp_layer_outputs(itemsize, ...) BP_EITHER(itemsize, bp_layer_outputs, __VA_ARGS__)
#define bp_parameter_jacobian(itemsize, ...) BP_EITHER(itemsize, bp_parameter_jacobian, __VA_ARGS__)
#define bp_train(itemsize, ...) BP_EITHER(itemsize, bp_train, __VA_ARGS__)
#define bp_part_deltas(itemsize, ...) BP_EITHER(itemsize, bp_part_deltas, __VA_ARGS__)
#define bp_transposed_size(itemsize, ...) BP_EITHER(itemsize, bp_transposed_size, __VA_ARGS__)
#define bp_transpose(itemsize, ...) BP_EITHER(itemsize, bp_transpose, __VA_ARGS__)
#define bp_add_rows_size(itemsize, ...) BP_EITHER(itemsize, bp_add_rows_size, __VA_ARGS__)
#define bp_add_rows(itemsize, ...) BP_EITHER(itemsize, bp_add_rows, __VA_ARGS__)
#define bp_end_batch(itemsize, ...) BP_EITHER(itemsize, bp_end_batch, __VA_ARGS__)
#define bp_forward_size(itemsize, ...) BP_EITHER(itemsize, bp_forward_size, __VA_ARGS__)
#define bp_forward(itemsize, ...) BP_EITHER(itemsize, bp_forward, __VA_ARGS__)
#define bp_mean_loss_size(itemsize, ...) BP_EITHER(itemsize, bp_mean_loss_size, __VA_ARGS__)
#define bp_mean_loss(itemsize, ...) BP_EITHER(itemsize, bp_mean_loss, __VA_ARGS__)
#define bp_dense_forward(itemsize, ...) BP_EITHER(itemsize, bp_dense_forward, __VA_ARGS__)
#define bp_dense_backward(itemsize, ...) BP_EITHER(itemsize, bp_dense_backward, __VA_ARGS__)
#define bp_dense_workspace_size(itemsize, ...) \
    BP_EITHER(itemsize, bp_dense_workspace_size, __VA_ARGS__)
#define bp_activate(itemsize, ...) BP_EITHER(itemsize, bp_activate, __VA_ARGS__)
#define bp_activate_derivative(itemsize, ...)                                                      \
    BP_EITHER(itemsize, bp_activate_derivative, __VA_ARGS__)
#define bp_activation_backward(itemsize, ...) \
    BP_EITHER(itemsize, bp_activation_backward, __VA_ARGS__)
#define bp_matmul(itemsize, ...) BP_EITHER(itemsize, bp_matmul, __VA_ARGS__)
#define bp_matmul_workspace_size(itemsize, ...) \
    BP_EITHER(itemsize, bp_matmul_workspace_size, __VA_ARGS__)
#define bp_cholesky_solve(itemsize, ...) BP_EITHER(itemsize, bp_cholesky_solve, __VA_ARGS__)
#define bp_cholesky_workspace_size(itemsize, ...) \
    BP_EITHER(itemsize, bp_cholesky_workspace_size, __VA_ARGS__)
#define bp_dot(itemsize, ...) BP_EITHER(itemsize, bp_dot, __VA_ARGS__)
#define bp_exp(itemsize, ...) BP_EITHER(itemsize, bp_exp, __VA_ARGS__)
#define bp_log(itemsize, ...) BP_EITHER(itemsize, bp_log, __VA_ARGS__)
#define bp_log1p_exp(itemsize, ...) BP_EITHER(itemsize, bp_log1p_exp, __VA_ARGS__)
#define bp_first_nonfinite(itemsize, ...) BP_EITHER(itemsize, bp_first_nonfinite, __VA_ARGS__)

#endif
