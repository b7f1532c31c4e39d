/* compress_template.h: the elements of a matrix that are not zero, counted and copied row by row.
 * Parameter: BITS.
 *
 * Both wait for memory, which two threads read faster than one.
 */
#pragma once

#include <string.h>

#include "context_template.h"

/* Multiply-adds in the time that a thread needs to read an element from memory: half a nanosecond
 * where that is read at 8 GB/s. */
#define ELEMENT_WORK ((size_t)32)

/* Elements that are compressed at a time where others own what lies behind. */
#define CHUNK ((size_t)64)

typedef struct NAME(compression) {
    const NAME(bp_kernels) *kernels;
    const real *X; /* [rows, columns] */
    size_t rows, columns;
    size_t *counts;            /* [rows], where they are counted */
    const size_t *row_offsets; /* [rows + 1], where they are copied: nonzeros of the rows before */
    real *values;
    uint32_t *indices;
    unsigned char changed[MAX_THREADS]; /* a thread met a row with other nonzeros than were counted */
} NAME(compression);

/* Runs shares of the rows on as many threads as reading X is worth; 0 where X has changed. */
static int NAME(share_rows)(NAME(compression) *job, const bp_execution *how, bp_team_work *work)
{
    const size_t elements = size_product(job->rows, job->columns);
    bp_team team;
    bp_team_start(&team, NAME(threads_for)(how, size_product(elements, ELEMENT_WORK)));
    bp_team_run(&team, work, job, SHARES);
    bp_team_stop(&team);
    for (size_t thread = 0; thread < MAX_THREADS; thread++)
        if (job->changed[thread]) return 0;
    return 1;
}

static void NAME(count_share)(void *argument, bp_share share)
{
    const NAME(compression) *job = argument;
    size_t first, rows = share_of(job->rows, CACHE_LINE / sizeof(size_t), share, &first);
    for (size_t i = first; i < first + rows; i++)
        job->counts[i] = job->kernels->count_nonzero(job->X + i * job->columns, job->columns);
}

/* Compresses the row at x to `room` places, and touches no others; returns its nonzeros, more than
 * `room` where it has more. */
static size_t NAME(compress_within)(const NAME(compression) *job, const real *x, real *values,
                                    uint32_t *indices, size_t room)
{
    real found[CHUNK + MAX_LANES];
    uint32_t at[CHUNK + MAX_LANES];
    size_t nonzeros = 0;
    for (size_t j = 0; j < job->columns; j += CHUNK) {
        const size_t count = job->kernels->compress(found, at, x, j,
                                                    size_min(j + CHUNK, job->columns));
        const size_t fits = size_min(count, room - nonzeros);
        memcpy(values + nonzeros, found, fits * sizeof *found);
        memcpy(indices + nonzeros, at, fits * sizeof *at);
        nonzeros += fits;
        if (fits < count) return room + 1;
    }
    return nonzeros;
}

/* What a row writes behind its nonzeros, the next rows of the share write again. */
static void NAME(compress_share)(void *argument, bp_share share)
{
    NAME(compression) *job = argument;
    size_t first, rows = share_of(job->rows, 1, share, &first);
    const size_t *offsets = job->row_offsets, end = offsets[first + rows];
    for (size_t i = first; i < first + rows; i++) {
        const real *x = job->X + i * job->columns;
        real *values = job->values + offsets[i];
        uint32_t *indices = job->indices + offsets[i];
        const size_t room = end - offsets[i];
        const size_t nonzeros =
            room >= size_sum(job->columns, MAX_LANES)
                ? job->kernels->compress(values, indices, x, 0, job->columns)
                : NAME(compress_within)(job, x, values, indices, room);
        if (nonzeros != offsets[i + 1] - offsets[i]) job->changed[share.thread] = 1;
    }
}
