/* layer_template.h: one dense layer, forward and backward side by side. Parameter: BITS.
 *
 * N rows (samples), I inputs, O outputs. X [N, I], W [I, O], b [O]; Z, A, delta [N, O]. Rows of X
 * and Z may lie further apart than they are long: x_row, z_row, d_row.
 */
#pragma once

#include <string.h>

#include "../linalg/matmul_template.h"

/* Elements of scratch of one thread for every product of a layer that sees N rows. */
static size_t NAME(dense_scratch)(const NAME(bp_kernels) *kernels, size_t N, size_t I, size_t O)
{
    size_t Z = NAME(matmul_workspace)(kernels, N, O, I);
    size_t dW = NAME(matmul_workspace)(kernels, I, O, N);
    size_t dW_transposed = NAME(matmul_workspace)(kernels, O, I, N);
    size_t dX = NAME(matmul_workspace)(kernels, N, I, O);
    return size_max(size_max(Z, dX), size_max(dW, dW_transposed));
}

/* A = g(X W + b). A sum begins with the bias and then takes its terms in ascending input. */
static void NAME(dense_forward)(NAME(context) *context, size_t N, size_t I, size_t O, const real *X,
                                size_t x_row, const real *W, const real *b, real *A, size_t a_row,
                                const NAME(epilogue) *g)
{
    const NAME(product) p = {.m = N, .n = O, .k = I,
                             .A = X, .a_row = (ptrdiff_t)x_row, .a_column = 1,
                             .B = W, .b_row = (ptrdiff_t)O, .b_column = 1,
                             .C = A, .c_row = a_row, .start = b, .start_row = 0};
    NAME(multiply)(context, &p, g);
}

/* What becomes of a gradient: it is collected in the sums of a batch, or, in a fused update, added
 * to the weights at once. */
typedef struct NAME(gradient_sink) {
    int transposed;   /* dW is collected as dW' [O, I] */
    int fused_update; /* dW and db are W and b: W := W + scale * X' delta */
    real scale;
    size_t row;     /* number of the first row in its batch */
    real *gradient; /* [P], where dW and db are: the open run's sums, or the parameters */
    real *part;     /* [P], sums of the open part's finished runs; NULL where a batch is one run */
} NAME(gradient_sink);

/* The sums over rows that are collected in `run`, a place in the gradient. */
static NAME(sum_over_rows) NAME(sum_into)(const NAME(gradient_sink) *sink, const real *run)
{
    NAME(sum_over_rows) sum = {.is_cut = !sink->fused_update, .first = sink->row};
    if (sink->part) sum.part = sink->part + (run - sink->gradient);
    return sum;
}

/* dW := X' delta, the open run of sums over samples in ascending row. Transposed, the same sums are
 * stored as [O, I]: then the inputs fill the vectors, and X, by far the larger operand, passes
 * through the cache once. */
static void NAME(dense_backward_weights)(NAME(context) *context, const NAME(gradient_sink) *sink,
                                         size_t N, size_t I, size_t O, const real *X, size_t x_row,
                                         const real *delta, size_t d_row, real *dW)
{
    NAME(product) p = {.m = I, .n = O, .k = N,
                       .A = X, .a_row = 1, .a_column = (ptrdiff_t)x_row,
                       .B = delta, .b_row = (ptrdiff_t)d_row, .b_column = 1,
                       .C = dW, .c_row = O, .start = dW, .start_row = O,
                       .fused_update = sink->fused_update, .scale = sink->scale,
                       .sum = NAME(sum_into)(sink, dW)};
    if (sink->transposed) {
        const NAME(product) transposed = {
            .m = O, .n = I, .k = N,
            .A = delta, .a_row = 1, .a_column = (ptrdiff_t)d_row,
            .B = X, .b_row = (ptrdiff_t)x_row, .b_column = 1,
            .C = dW, .c_row = I, .start = dW, .start_row = I, .sum = p.sum};
        p = transposed;
    }
    if (sink->fused_update) p.start = NULL;
    NAME(multiply)(context, &p, &NAME(NO_EPILOGUE));
}

/* db += column sums of delta; for a fused update, `sums` [O] takes them first. */
static void NAME(dense_backward_biases)(NAME(context) *context, const NAME(gradient_sink) *sink,
                                        size_t N, size_t O, const real *delta, size_t d_row,
                                        real *db, real *sums)
{
    const NAME(sum_over_rows) sum = NAME(sum_into)(sink, db);
    if (!sink->fused_update) {
        NAME(add_all_rows)(context, db, sum, delta, d_row, N, O);
        return;
    }
    memset(sums, 0, O * sizeof(real));
    NAME(add_all_rows)(context, sums, sum, delta, d_row, N, O);
    NAME(axpy)(context, db, sink->scale, sums, O);
}

/* dX = delta W', and what `epilogue` says: the derivative of the layer below. */
static void NAME(dense_backward_input)(NAME(context) *context, size_t N, size_t I, size_t O,
                                       const real *W, const real *delta, size_t d_row, real *dX,
                                       size_t x_row, const NAME(epilogue) *epilogue)
{
    const NAME(product) p = {.m = N, .n = I, .k = O,
                             .A = delta, .a_row = (ptrdiff_t)d_row, .a_column = 1,
                             .B = W, .b_row = 1, .b_column = (ptrdiff_t)O,
                             .C = dX, .c_row = x_row};
    NAME(multiply)(context, &p, epilogue);
}

/* z_j := z_j - max z, row by row: no exponential of them overflows. */
static void NAME(subtract_highest)(size_t N, size_t O, real *Z)
{
    for (size_t i = 0; i < N; i++) {
        real *z = Z + i * O, highest = z[0];
        for (size_t j = 1; j < O; j++) highest = z[j] > highest ? z[j] : highest;
        for (size_t j = 0; j < O; j++) z[j] -= highest;
    }
}

/* a_j = exp(z_j - max z) / sum_k exp(z_k - max z), in place, row by row. */
static void NAME(softmax)(const NAME(bp_kernels) *kernels, size_t N, size_t O, real *Z)
{
    NAME(subtract_highest)(N, O, Z);
    kernels->exp(Z, N * O);
    for (size_t i = 0; i < N; i++) {
        real *z = Z + i * O, sum = 0;
        for (size_t j = 0; j < O; j++) sum += z[j];
        for (size_t j = 0; j < O; j++) z[j] /= sum;
    }
}

/* d_j = a_j (d_j - sum_k a_k d_k), in place: the softmax's Jacobian times d, row by row. */
static void NAME(softmax_backward)(size_t N, size_t O, const real *A, real *D)
{
    for (size_t i = 0; i < N; i++) {
        const real *a = A + i * O;
        real *d = D + i * O, mean = 0;
        for (size_t j = 0; j < O; j++) mean += a[j] * d[j];
        for (size_t j = 0; j < O; j++) d[j] = a[j] * (d[j] - mean);
    }
}

/* A = g(Z), in place. */
static void NAME(activate)(const NAME(bp_kernels) *kernels, int activation, size_t N, size_t O,
                           real *Z)
{
    if (activation == BP_SOFTMAX)
        NAME(softmax)(kernels, N, O, Z);
    else
        kernels->activate[activation](Z, N * O);
}

/* dZ = dA g'(Z), in place, with g' taken from A = g(Z), which has to tell it. */
static void NAME(activate_backward)(const NAME(bp_kernels) *kernels, int activation, size_t N,
                                    size_t O, const real *A, real *dA)
{
    if (activation == BP_SOFTMAX)
        NAME(softmax_backward)(N, O, A, dA);
    else
        kernels->activate_backward[activation](dA, A, N * O);
}

/* delta = dJ/dZ of the last layer from dA = dJ/dA [N, O]. Z becomes A, or keeps no meaning. */
static void NAME(output_backward)(const NAME(bp_kernels) *kernels, int activation, size_t N,
                                  size_t O, real *Z, const real *dA, real *delta)
{
    if (kernels->activate_derivative[activation]) {
        kernels->activate_derivative[activation](Z, delta, N * O);
        kernels->multiply(delta, dA, N * O);
        return;
    }
    memcpy(delta, dA, N * O * sizeof(real));
    NAME(activate)(kernels, activation, N, O, Z);
    NAME(activate_backward)(kernels, activation, N, O, Z, delta);
}
