/* elements_template.h: elementary functions, and what the elements of an array are.
 * Parameter: BITS.
 */
#pragma once

#include "../linalg/compress_template.h"
#include "door_template.h"

static bp_status NAME(apply)(const bp_execution *how, real *x, size_t count,
                             const NAME(bp_kernels) **kernels)
{
    bp_status status = NAME(find_kernels)(how, kernels);
    if (status) return status;
    return !x && count ? BP_NULL_POINTER : BP_OK;
}

bp_status NAME(bp_exp)(const bp_execution *how, real *x, size_t count)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(apply)(how, x, count, &kernels);
    if (!status) kernels->exp(x, count);
    return status;
}

bp_status NAME(bp_log)(const bp_execution *how, real *x, size_t count)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(apply)(how, x, count, &kernels);
    if (!status) kernels->log(x, count);
    return status;
}

bp_status NAME(bp_log1p_exp)(const bp_execution *how, real *x, size_t count)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(apply)(how, x, count, &kernels);
    if (!status) kernels->log1p_exp(x, count);
    return status;
}

bp_status NAME(bp_count_nonzero)(const bp_execution *how, const real *X, size_t rows,
                                 size_t columns, size_t *row_offsets)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(find_kernels)(how, &kernels);
    if (status) return status;
    if (!row_offsets || (rows && columns && !X)) return BP_NULL_POINTER;
    NAME(compression) job = {.kernels = kernels, .X = X, .rows = rows, .columns = columns,
                             .counts = row_offsets + 1};
    NAME(share_rows)(&job, how, NAME(count_share));
    row_offsets[0] = 0;
    for (size_t i = 0; i < rows; i++) row_offsets[i + 1] += row_offsets[i];
    return BP_OK;
}

bp_status NAME(bp_compress)(const bp_execution *how, const real *X, size_t rows, size_t columns,
                            const size_t *row_offsets, real *values, uint32_t *indices, size_t room,
                            size_t *row_nonzeros)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(find_kernels)(how, &kernels);
    if (status) return status;
    if (!row_offsets || !row_nonzeros || (rows && columns && (!X || !values || !indices)))
        return BP_NULL_POINTER;
    if (columns > UINT32_MAX) return BP_BAD_ARGUMENT;
    size_t most = 0;
    for (size_t i = 0; i < rows; i++) {
        if (row_offsets[i] > row_offsets[i + 1]) return BP_BAD_ARGUMENT;
        most = size_max(most, row_offsets[i + 1] - row_offsets[i]);
    }
    if (row_offsets[0] != 0 || row_offsets[rows] > room) return BP_BAD_ARGUMENT;
    NAME(compression) job = {.kernels = kernels, .X = X, .rows = rows, .columns = columns,
                             .row_offsets = row_offsets, .values = values, .indices = indices};
    *row_nonzeros = size_max(most, 1);
    return NAME(share_rows)(&job, how, NAME(compress_share)) ? BP_OK : BP_BAD_ARGUMENT;
}

/* A chunk's elements fill half of a first-level cache of 32 kB, as double: it is read from memory
 * once, also where the position is looked for. */
#define FINITE_CHUNK 2048

bp_status NAME(bp_first_nonfinite)(const bp_execution *how, const real *x, size_t count,
                                   size_t *index)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(apply)(how, (real *)(uintptr_t)x, count, &kernels);
    if (status) return status;
    if (!index) return BP_NULL_POINTER;
    size_t i = 0;
    while (i < count) {
        const size_t n = size_min(count - i, FINITE_CHUNK);
        if (!kernels->finite(x + i, n)) break;
        i += n;
    }
    for (; i < count; i++) {
        const real value = x[i]; /* Read once: another thread may change it. */
        if (!(value - value == 0)) break;
    }
    *index = i;
    return BP_OK;
}
