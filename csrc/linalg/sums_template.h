/* sums_template.h: sums over the rows of a batch, and sums of vectors. Parameter: BITS. */
#pragma once

#include <string.h>

#include "context_template.h"

/* A sum over the rows of a batch: the terms of a run are collected in C, across calls, and a run
 * that is finished is added to `part`, which is laid out as C. */
typedef struct NAME(sum_over_rows) {
    int is_cut;   /* 0: the sum is another one, and one piece */
    size_t first; /* number of the first term in the whole sum, a row of the batch */
    real *part;   /* NULL: the whole sum is one run */
} NAME(sum_over_rows);

/* Is this term the first of a run? */
static int NAME(begins_run)(const NAME(sum_over_rows) *sum, size_t term)
{
    return sum->is_cut && (sum->first + term) % BP_RUN_ROWS == 0;
}

/* Does a run that is to be added to its part end before this term? */
static int NAME(ends_run)(const NAME(sum_over_rows) *sum, size_t term)
{
    return sum->part && (sum->first + term) % BP_RUN_ROWS == 0;
}

/* Is that run the first of its part? */
static int NAME(ends_first_run)(const NAME(sum_over_rows) *sum, size_t term)
{
    return (sum->first + term) % BP_PART_ROWS == BP_RUN_ROWS;
}

/* How many of the next `terms` terms belong to the same run as number `term`. */
static size_t NAME(terms_of_run)(const NAME(sum_over_rows) *sum, size_t term, size_t terms)
{
    if (!sum->is_cut) return terms;
    return size_min(terms, BP_RUN_ROWS - (sum->first + term) % BP_RUN_ROWS);
}

/* The sums of outputs that lie so many elements further. */
static NAME(sum_over_rows) NAME(sum_at)(NAME(sum_over_rows) sum, size_t elements)
{
    if (sum.part) sum.part += elements;
    return sum;
}

/* part := part + run, or, where that is its first run, run. */
static void NAME(add_run)(const NAME(bp_kernels) *kernels, int first, real *part, const real *run,
                          size_t count)
{
    if (first)
        memcpy(part, run, count * sizeof(real));
    else
        kernels->axpy(part, 1, run, count);
}

typedef struct NAME(axpy_job) {
    const NAME(bp_kernels) *kernels;
    real *y;
    real alpha;
    const real *x;
    size_t count;
} NAME(axpy_job);

static void NAME(axpy_share)(void *argument, bp_share share)
{
    const NAME(axpy_job) *job = argument;
    size_t first, count = share_of(job->count, CACHE_LINE / sizeof(real), share, &first);
    job->kernels->axpy(job->y + first, job->alpha, job->x + first, count);
}

/* y := y + alpha x. */
static void NAME(axpy)(NAME(context) *context, real *y, real alpha, const real *x, size_t count)
{
    NAME(axpy_job) job = {context->kernels, y, alpha, x, count};
    NAME(run_shares)(context, count, NAME(axpy_share), &job);
}

/* run[j] := run[j] + x[0, j] + x[1, j] + ..., or from 0 where a run begins. */
typedef struct NAME(sum_job) {
    const NAME(bp_kernels) *kernels;
    real *run;
    NAME(sum_over_rows) sum;
    const real *x;
    size_t x_row, rows, columns;
} NAME(sum_job);

static void NAME(sum_share)(void *argument, bp_share share)
{
    const NAME(sum_job) *job = argument;
    size_t first, count = share_of(job->columns, CACHE_LINE / sizeof(real), share, &first);
    const NAME(sum_over_rows) sum = NAME(sum_at)(job->sum, first);
    real *run = job->run + first;
    for (size_t i = 0, rows; i < job->rows; i += rows) {
        rows = NAME(terms_of_run)(&sum, i, job->rows - i);
        if (NAME(begins_run)(&sum, i)) memset(run, 0, count * sizeof(real));
        job->kernels->add_rows(run, job->x + i * job->x_row + first, job->x_row, rows, count);
        if (NAME(ends_run)(&sum, i + rows))
            NAME(add_run)(job->kernels, NAME(ends_first_run)(&sum, i + rows), sum.part, run, count);
    }
}

static void NAME(add_all_rows)(NAME(context) *context, real *run, NAME(sum_over_rows) sum,
                               const real *x, size_t x_row, size_t rows, size_t columns)
{
    NAME(sum_job) job = {context->kernels, run, sum, x, x_row, rows, columns};
    NAME(run_shares)(context, size_product(rows, columns), NAME(sum_share), &job);
}
