/* first_layer_template.h: the layer that meets the data, in each form that data can have.
 * Parameter: BITS.
 */
#pragma once

#include "../linalg/sparse_template.h"
#include "layer_template.h"

/* Rows that pass through the network together, in one of three forms: X, both kinds of panels, or
 * by_rows and, for the backward pass, by_columns. */
typedef struct NAME(block) {
    size_t rows;
    const real *X;               /* [rows, I], dense */
    const real *row_panels;      /* X', panel_rows rows a panel: [panels, I, panel_rows], or NULL */
    const real *column_panels;   /* X, nr columns a panel: [panels, rows, nr] */
    NAME(sparse_matrix) by_rows; /* sparse */
    NAME(sparse_matrix) by_columns; /* its transpose, for the backward pass */
    size_t nonzeros;
    const real *Y;       /* [rows, O] */
    const real *weights; /* [rows], or NULL */
} NAME(block);

/* ---- Few outputs ----------------------------------------------------------------------------- */

/* A layer with fewer outputs than a vector has lanes would leave some of them empty. With X stored
 * as panels of X', a lane is a row; for the gradient a lane is a column, and panels of columns let
 * it read X in one stream, whatever the distance of its rows. */
static int NAME(wants_panels)(const NAME(bp_kernels) *kernels, size_t rows, size_t O)
{
    return O < kernels->lanes && rows >= kernels->lanes && rows <= MAX_FUSED_TERMS;
}

/* Rows in a panel of X': a cache line of each of its terms, or what a tile can take. */
static size_t NAME(panel_rows)(const NAME(bp_kernels) *kernels)
{
    return size_min(kernels->nr, CACHE_LINE / sizeof(real));
}

/* Fills the panels of X' ; rows beyond the last one are 0. */
static void NAME(make_row_panels)(real *panels, size_t lanes, const real *X, size_t rows, size_t I)
{
    for (size_t i = 0; i < rows; i += lanes, panels += lanes * I)
        for (size_t j = 0; j < I; j++)
            for (size_t lane = 0; lane < lanes; lane++)
                panels[j * lanes + lane] = i + lane < rows ? X[(i + lane) * I + j] : 0;
}

/* Fills the panels of X; columns beyond the last one are 0. */
static void NAME(make_column_panels)(const NAME(bp_kernels) *kernels, real *panels, const real *X,
                                     size_t rows, size_t I)
{
    const size_t width = kernels->nr;
    for (size_t j = 0; j < I; j += width, panels += rows * width)
        kernels->pack(panels, width, rows, size_min(width, I - j), X + j, (ptrdiff_t)I);
}

typedef struct NAME(panels_job) {
    const NAME(bp_kernels) *kernels;
    const NAME(block) *block;
    size_t I, O;
    const real *W, *b;     /* forward: A = g(X W + b) */
    real *A;
    size_t a_row;
    const NAME(epilogue) *g;
    const real *delta; /* backward: dW := X' delta, or W := W + scale * X' delta */
    size_t d_row;
    real *dW;
    const NAME(gradient_sink) *sink;
} NAME(panels_job);

/* C [O, columns of the tile] = S + A' times a panel, where A has O columns: more than a tile has
 * rows pass in parts. */
static void NAME(panel_tiles)(const NAME(bp_kernels) *kernels, NAME(bp_tile) *tile, size_t O,
                              const real *A, real *C, const real *start)
{
    const size_t rows = NAME(even_rows)(kernels, O);
    for (size_t o = 0; o < O; o += rows) {
        tile->rows = size_min(rows, O - o);
        tile->a = A + o;
        tile->c = C + o * tile->c_row;
        tile->start = start ? start + o * tile->start_row : NULL;
        kernels->tile(tile);
    }
}

/* Z' = b + W' X' for the panels of a share; each is transposed as it is finished. */
static void NAME(panels_forward)(void *argument, bp_share share)
{
    const NAME(panels_job) *job = argument;
    const size_t lanes = NAME(panel_rows)(job->kernels), O = job->O;
    real transposed[MAX_LANES * MAX_LANES]; /* Z' [O, lanes] */
    size_t first, count = share_of(size_pieces(job->block->rows, lanes), 1, share, &first);
    for (size_t panel = first; panel < first + count; panel++) {
        const size_t row = panel * lanes, rows = size_min(lanes, job->block->rows - row);
        for (size_t o = 0; o < O; o++)
            for (size_t lane = 0; lane < lanes; lane++) transposed[o * lanes + lane] = job->b[o];
        NAME(bp_tile) tile = {.columns = lanes, .k = job->I, .a_row = 1, .a_step = (ptrdiff_t)O,
                              .b = job->block->row_panels + panel * lanes * job->I,
                              .b_step = lanes, .c_row = lanes, .start_row = lanes};
        NAME(panel_tiles)(job->kernels, &tile, O, job->W, transposed, transposed);
        real *A = job->A + row * job->a_row;
        for (size_t lane = 0; lane < rows; lane++)
            for (size_t o = 0; o < O; o++) A[lane * job->a_row + o] = transposed[o * lanes + lane];
        NAME(apply_epilogue)(job->kernels, job->g, rows, O, A, job->a_row, row, 0);
    }
}

/* (X' delta)' = delta' X for the panels of a share. */
static void NAME(panels_backward)(void *argument, bp_share share)
{
    const NAME(panels_job) *job = argument;
    const size_t width = job->kernels->nr, O = job->O, rows = job->block->rows;
    real transposed[MAX_LANES * 2 * MAX_LANES]; /* [O, width], where a tile is two vectors wide */
    size_t first, count = share_of(size_pieces(job->I, width), 1, share, &first);
    for (size_t panel = first; panel < first + count; panel++) {
        const size_t column = panel * width, columns = size_min(width, job->I - column);
        NAME(bp_tile) tile = {.columns = width, .k = rows, .a_row = 1,
                              .a_step = (ptrdiff_t)job->d_row,
                              .b = job->block->column_panels + panel * width * rows,
                              .b_step = width, .c_row = width};
        NAME(panel_tiles)(job->kernels, &tile, O, job->delta, transposed, NULL);
        real *dW = job->dW + column * O;
        if (job->sink->fused_update)
            job->kernels->add_transposed(dW, O, transposed, width, columns, O, job->sink->scale);
        else
            for (size_t j = 0; j < columns; j++)
                for (size_t o = 0; o < O; o++) dW[j * O + o] = transposed[o * width + j];
    }
}

/* ---- Forward and backward -------------------------------------------------------------------- */

/* A = g(X W + b). Entries meet `laid`, W with rows laid_row apart, where it is not NULL. */
static void NAME(first_forward)(NAME(context) *context, const NAME(block) *block, size_t I,
                                size_t O, const real *W, const real *laid, size_t laid_row,
                                const real *b, real *A, size_t a_row, const NAME(epilogue) *g)
{
    if (block->row_panels) {
        NAME(panels_job) job = {.kernels = context->kernels, .block = block, .I = I, .O = O,
                                .W = W, .b = b, .A = A, .a_row = a_row, .g = g};
        NAME(run_shares)(context, size_product(block->rows, size_product(I, O)),
                         NAME(panels_forward), &job);
    } else if (block->X) {
        NAME(dense_forward)(context, block->rows, I, O, block->X, I, W, b, A, a_row, g);
    } else {
        const NAME(sparse_product) p = {.A = &block->by_rows, .n = O, .k = I,
                                        .B = laid ? laid : W, .b_row = laid ? laid_row : O,
                                        .C = A, .c_row = a_row, .start = b, .start_row = 0};
        NAME(sparse_multiply)(context, &p, g, block->nonzeros);
    }
}

/* Distance of rows of sums that nonzeros are scattered to: whole vectors of any width. */
static size_t NAME(scattered_row)(size_t O)
{
    return size_round_up(O, MAX_LANES);
}

/* W := W + scale * X' delta for a narrow layer; `sums` [I, scattered_row(O)] is scratch. */
static void NAME(scatter_weights)(NAME(context) *context, const NAME(sparse_matrix) *A, real scale,
                                  size_t I, size_t O, const real *delta, size_t d_row, real *W,
                                  real *sums)
{
    const size_t row = NAME(scattered_row)(O);
    const NAME(bp_sparse_tile) tile = {.rows = A->rows, .columns = O, .first = A->first,
                                       .last = A->last, .values = A->values,
                                       .indices = A->indices, .b = delta, .b_row = d_row,
                                       .c = sums, .c_row = row};
    memset(sums, 0, I * row * sizeof(real));
    context->kernels->scatter(&tile);
    context->kernels->axpy_rows(W, O, scale, sums, row, I, O);
}

/* Where a delta is not finite, so is what the biases [O] got of it, and a term of 0 * infinity
 * makes a dense sum NaN that a sparse one leaves out: then all of the unit's weights [I, O] are
 * NaN, whatever X is. */
static void NAME(spread_nonfinite)(size_t I, size_t O, const real *biases, real *weights)
{
    for (size_t o = 0; o < O; o++) {
        const real nothing = biases[o] - biases[o];
        if (nothing == 0) continue;
        for (size_t i = 0; i < I; i++) weights[i * O + o] = nothing;
    }
}

/* dW += X' delta, or W := W + scale * X' delta. `sums` is scratch for nonzeros that are not
 * transposed, which are those of narrow layers in batches that are one block. */
static void NAME(first_backward_weights)(NAME(context) *context, const NAME(gradient_sink) *sink,
                                         const NAME(block) *block, size_t I, size_t O,
                                         const real *delta, size_t d_row, real *dW, real *sums)
{
    if (block->column_panels) {
        NAME(panels_job) job = {.kernels = context->kernels, .block = block, .I = I, .O = O,
                                .delta = delta, .d_row = d_row, .dW = dW, .sink = sink};
        NAME(run_shares)(context, size_product(block->rows, size_product(I, O)),
                         NAME(panels_backward), &job);
    } else if (block->X) {
        NAME(dense_backward_weights)(context, sink, block->rows, I, O, block->X, I, delta, d_row,
                                     dW);
    } else if (block->by_columns.rows == 0) {
        NAME(scatter_weights)(context, &block->by_rows, sink->scale, I, O, delta, d_row, dW, sums);
    } else {
        const NAME(sparse_product) p = {.A = &block->by_columns, .n = O, .k = block->rows,
                                        .B = delta, .b_row = d_row, .C = dW, .c_row = O,
                                        .fused_update = sink->fused_update, .scale = sink->scale,
                                        .sum = NAME(sum_into)(sink, dW)};
        NAME(sparse_multiply)(context, &p, &NAME(NO_EPILOGUE), block->nonzeros);
    }
}
