/* matrices_template.h: products and linear systems. Parameter: BITS. */
#pragma once

#include "../linalg/cholesky_template.h"
#include "door_template.h"

bp_status NAME(bp_matmul_workspace_size)(const bp_execution *how, size_t m, size_t n, size_t k,
                                         size_t *bytes)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(find_kernels)(how, &kernels);
    if (status) return status;
    arena a = arena_in(NULL);
    NAME(take_scratch)(&a, how, NAME(matmul_workspace)(kernels, m, n, k));
    return NAME(bytes_of)(&a, bytes);
}

bp_status NAME(bp_matmul)(const bp_execution *how, size_t m, size_t n, size_t k, const real *A,
                          ptrdiff_t a_row, ptrdiff_t a_column, const real *B, ptrdiff_t b_row,
                          ptrdiff_t b_column, real *C, size_t c_row, void *workspace,
                          size_t workspace_bytes)
{
    const NAME(bp_kernels) *kernels;
    size_t needed;
    bp_status status = NAME(bp_matmul_workspace_size)(how, m, n, k, &needed);
    if (!status) status = NAME(find_kernels)(how, &kernels);
    if (status) return status;
    if (m == 0 || n == 0 || k == 0) return BP_OK;
    if (!A || !B || !C || !workspace) return BP_NULL_POINTER;
    if (c_row < n) return BP_BAD_ARGUMENT;
    if (!NAME(matrix_fits)(m, k) || !NAME(matrix_fits)(k, n) || !NAME(matrix_fits)(m, c_row))
        return BP_TOO_LARGE;
    if (workspace_bytes < needed) return BP_WORKSPACE_TOO_SMALL;
    /* A step along an axis of one element leads nowhere, so it may be any number: 0 is safe. */
    if (m == 1) a_row = 0;
    if (k == 1) a_column = b_row = 0;
    if (n == 1) b_column = 0;
    const NAME(product) p = {.m = m, .n = n, .k = k, .A = A, .a_row = a_row, .a_column = a_column,
                             .B = B, .b_row = b_row, .b_column = b_column,
                             .C = C, .c_row = c_row, .start = C, .start_row = c_row};
    const size_t share = NAME(matmul_workspace)(kernels, m, n, k);
    const size_t threads = NAME(threads_for)(how, size_product(size_product(m, n), k));
    arena a = arena_in(workspace);
    NAME(context) context;
    NAME(open_context)(&context, kernels, how, threads, NAME(take_scratch)(&a, how, share), share);
    NAME(multiply)(&context, &p, &NAME(NO_EPILOGUE));
    NAME(close_context)(&context);
    return BP_OK;
}

bp_status NAME(bp_cholesky_workspace_size)(const bp_execution *how, size_t n, size_t *bytes)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(find_kernels)(how, &kernels);
    if (status) return status;
    if (!bytes) return BP_NULL_POINTER;
    arena a = arena_in(NULL);
    NAME(plan_factor)(&a, kernels, how, n);
    return NAME(matrix_fits)(n, n) ? NAME(bytes_of)(&a, bytes) : BP_TOO_LARGE;
}

bp_status NAME(bp_cholesky_solve)(const bp_execution *how, size_t n, real *A, double damping,
                                  const real *diagonal, real *x, void *workspace,
                                  size_t workspace_bytes)
{
    const NAME(bp_kernels) *kernels;
    size_t needed;
    bp_status status = NAME(bp_cholesky_workspace_size)(how, n, &needed);
    if (!status) status = NAME(find_kernels)(how, &kernels);
    if (status || n == 0) return status;
    if (!A || !x || !workspace) return BP_NULL_POINTER;
    if (workspace_bytes < needed) return BP_WORKSPACE_TOO_SMALL;
    arena a = arena_in(workspace);
    const NAME(cholesky_workspace) at = NAME(plan_factor)(&a, kernels, how, n);
    const real more = (real)damping;
    const size_t threads = NAME(threads_for)(how, size_product(size_product(n, n), n / 6));
    NAME(context) context;
    NAME(open_context)(&context, kernels, how, threads, at.scratch, at.scratch_share);
    for (size_t i = 0; i < n; i++) A[i * n + i] += diagonal ? more * diagonal[i] : more;
    const int positive = NAME(factorize)(&context, n, A, at.negative);
    if (positive) NAME(substitute)(&context, n, A, x, at.negative);
    NAME(close_context)(&context);
    return positive ? BP_OK : BP_NOT_POSITIVE;
}

/* ---- A scalar product ------------------------------------------------------------------------ */

/* Sums that are kept apart, for any vectors that a compiler has. */
#define DOT_SUMS 16

/* Plain C: a product of doubles and a sum, each rounded, have the same bits everywhere. */
double NAME(bp_dot)(const real *x, const real *y, size_t count)
{
    double sums[DOT_SUMS] = {0}, total = 0;
    size_t i = 0;
    for (; i + DOT_SUMS <= count; i += DOT_SUMS) UNROLL
        for (size_t s = 0; s < DOT_SUMS; s++) sums[s] += (double)x[i + s] * (double)y[i + s];
    for (size_t s = 0; i < count; i++, s++) sums[s] += (double)x[i] * (double)y[i];
    for (size_t s = 0; s < DOT_SUMS; s++) total += sums[s];
    return total;
}
