/* cholesky_template.h: linear systems whose matrix is symmetric and positive definite.
 * Parameter: BITS.
 */
#pragma once

#include <math.h>

#include "matmul_template.h"

/* Rows of U that are made together: all terms of the rows above come in one product, which is
 * nearly all of the work, and its bits are those of one row at a time. */
#define FACTOR_ROWS ((size_t)64)

typedef struct NAME(cholesky_workspace) {
    real *negative; /* [n, FACTOR_ROWS]: columns of U above a block of rows, or [n]: -x */
    real *scratch;  /* [threads, scratch_share] */
    size_t scratch_share;
} NAME(cholesky_workspace);

static NAME(cholesky_workspace) NAME(plan_factor)(arena *a, const NAME(bp_kernels) *kernels,
                                                  const bp_execution *how, size_t n)
{
    NAME(cholesky_workspace) to;
    to.scratch_share = NAME(matmul_workspace)(kernels, FACTOR_ROWS, n, n);
    to.negative = arena_take(a, size_product(n, FACTOR_ROWS), sizeof(real));
    to.scratch = NAME(take_scratch)(a, how, to.scratch_share);
    return to;
}

/* Rows first ... end - 1 of U, from which all terms of the rows above are subtracted already. 0
 * where a pivot is not positive. */
static int NAME(factor_rows)(const NAME(bp_kernels) *kernels, size_t n, real *A, size_t first,
                             size_t end)
{
    for (size_t k = first; k < end; k++) {
        real *row = A + k * n;
        const real pivot = row[k], root = (real)sqrt((double)pivot);
        if (!(pivot > 0 && pivot - pivot == 0)) return 0;
        for (size_t j = k; j < n; j++) row[j] /= root;
        for (size_t i = k + 1; i < end; i++) kernels->axpy(A + i * n + i, -row[i], row + i, n - i);
    }
    return 1;
}

/* A's upper triangle := U, with U' U = A: U[i, j] = (A[i, j] - sum over k < i of U[k, i] U[k, j]) /
 * U[i, i], terms in ascending k. */
static int NAME(factorize)(NAME(context) *context, size_t n, real *A, real *negative)
{
    for (size_t first = 0; first < n; first += FACTOR_ROWS) {
        const size_t rows = size_min(FACTOR_ROWS, n - first);
        for (size_t k = 0; k < first; k++)
            for (size_t i = 0; i < rows; i++) negative[k * rows + i] = -A[k * n + first + i];
        real *C = A + first * n + first;
        const NAME(product) p = {.m = rows, .n = n - first, .k = first,
                                 .A = negative, .a_row = 1, .a_column = (ptrdiff_t)rows,
                                 .B = A + first, .b_row = (ptrdiff_t)n, .b_column = 1,
                                 .C = C, .c_row = n, .start = C, .start_row = n};
        if (first) NAME(multiply)(context, &p, &NAME(NO_EPILOGUE));
        if (!NAME(factor_rows)(context->kernels, n, A, first, first + rows)) return 0;
    }
    return 1;
}

/* x := the solution of U' U x = b, b in x: U' y = b from the first row on, then U x = y from the
 * last. */
static void NAME(substitute)(NAME(context) *context, size_t n, const real *U, real *x,
                             real *negative)
{
    for (size_t k = 0; k < n; k++) {
        x[k] /= U[k * n + k];
        context->kernels->axpy(x + k + 1, -x[k], U + k * n + k + 1, n - k - 1);
    }
    for (size_t k = n; k-- > 0;) {
        const NAME(product) p = {.m = 1, .n = 1, .k = n - k - 1,
                                 .A = U + k * n + k + 1, .a_column = 1,
                                 .B = negative + k + 1, .b_row = 1, .b_column = 1,
                                 .C = x + k, .c_row = 1, .start = x + k, .start_row = 1};
        NAME(matmul)(context->kernels, &p, context->scratch);
        x[k] /= U[k * n + k];
        negative[k] = -x[k];
    }
}
