/* gather_template.h: the rows of a step, gathered from the data or from packed data.
 * Parameter: BITS.
 *
 * Data that every epoch meets in the same blocks is packed once. Of sparse data it holds the
 * nonzeros of each block in strips, and their transpose; of dense data whose first layer has few
 * outputs, its panels.
 */
#pragma once

#include "workspace_template.h"

/* Multiply-adds in the time that it takes to pack a nonzero both ways: measured, 3 nanoseconds. */
#define NONZERO_WORK ((size_t)200)

typedef struct NAME(packed_data) {
    size_t block_rows;
    size_t strip, row_strip;   /* columns and rows in a strip */
    size_t bounds, transposed; /* of each block, in `cut` and in `by_columns` */
    NAME(nonzeros) cut;
    NAME(nonzeros) by_columns;
    size_t *row_offsets;              /* I + 1 a block */
    size_t *cursor;                   /* [blocks, block_rows], scratch */
    real *row_panels, *column_panels; /* NULL where the data is sparse */
} NAME(packed_data);

/* What packed data of `rows` rows with so many nonzeros (0: dense) looks like in an arena. It
 * takes nothing from it where there is nothing to pack. */
static NAME(packed_data)
    NAME(plan_packed)(arena *a, const NAME(bp_kernels) *kernels, const bp_network *net,
                      const bp_execution *how, size_t rows, size_t nonzeros)
{
    const size_t I = net->sizes[0], O = net->sizes[1];
    NAME(packed_data) to = {.block_rows = NAME(block_rows)(net, how, rows, nonzeros > 0)};
    const size_t blocks = number_of_block(to.block_rows, size_max(rows, 1) - 1) + 1;
    if (nonzeros) {
        to.strip = NAME(column_strip)(I, O);
        to.row_strip = NAME(row_strip)(to.block_rows, O);
        const size_t strips = size_pieces(I, to.strip);
        const size_t row_strips = size_pieces(to.block_rows, to.row_strip);
        to.bounds = size_sum(size_product(strips, to.block_rows), 1);
        to.transposed = size_sum(size_product(row_strips, I), 1);
        to.cut = NAME(take_nonzeros)(a, nonzeros, size_product(blocks, to.bounds));
        to.by_columns = NAME(take_nonzeros)(a, nonzeros, size_product(blocks, to.transposed));
        to.row_offsets = arena_take(a, size_product(blocks, size_sum(I, 1)), sizeof(size_t));
        to.cursor = arena_take(a, size_product(blocks, to.block_rows), sizeof(size_t));
    } else if (to.block_rows >= rows && NAME(wants_panels)(kernels, rows, O)) {
        const size_t lanes = NAME(panel_rows)(kernels), width = kernels->nr;
        to.row_panels = arena_take(a, size_product(size_round_up(rows, lanes), I), sizeof(real));
        to.column_panels = arena_take(a, size_product(size_round_up(I, width), rows), sizeof(real));
    }
    return to;
}

/* The parts of packed data that belong to block number `number`. */
static NAME(packed_data) NAME(packed_part)(const NAME(packed_data) *whole, size_t number, size_t I)
{
    NAME(packed_data) part = *whole;
    part.cut.bounds += number * whole->bounds;
    part.by_columns.bounds += number * whole->transposed;
    part.row_offsets += number * (I + 1);
    part.cursor += number * whole->block_rows;
    return part;
}

static NAME(sparse_matrix) NAME(csr_rows)(const NAME(bp_input) *X, size_t row, size_t rows)
{
    const NAME(sparse_matrix) A = {
        rows, 1, SIZE_MAX, X->row_offsets + row, X->row_offsets + row + 1,
        X->values, X->columns, NULL};
    return A;
}

typedef struct NAME(packing) {
    const NAME(bp_kernels) *kernels;
    const NAME(bp_input) *X;
    size_t rows, I;
    const NAME(packed_data) *to;
} NAME(packing);

/* Nonzeros of the rows from `row` on, which are block number `number`. */
static void NAME(pack_block)(const NAME(packing) *job, size_t number, size_t row)
{
    const size_t I = job->I, rows = rows_of_block(job->to->block_rows, row, job->rows);
    const NAME(packed_data) part = NAME(packed_part)(job->to, number, I);
    const NAME(sparse_matrix) A = NAME(csr_rows)(job->X, row, rows);
    const size_t at = job->X->row_offsets[row];
    const NAME(column_range) all = NAME(all_columns)(&A, I);
    NAME(cut_columns)(part.cut, at, &A, &all, part.strip, part.cursor);
    NAME(transpose_nonzeros)(part.by_columns, at, &A, &all, I, part.row_strip);
    const NAME(sparse_matrix) transposed =
        NAME(sparse_matrix_of)(part.by_columns, I, rows, part.row_strip);
    NAME(count_row_offsets)(part.row_offsets, &transposed);
}

static void NAME(pack_share)(void *argument, bp_share share)
{
    const NAME(packing) *job = argument;
    const size_t block_rows = job->to->block_rows;
    size_t first, count = share_of(number_of_block(block_rows, job->rows - 1) + 1, 1, share, &first);
    for (size_t row = 0, number = 0; number < first + count; number++) {
        if (number >= first) NAME(pack_block)(job, number, row);
        row += rows_of_block(block_rows, row, job->rows);
    }
}

/* Each thread takes blocks, and so as much memory of its own as it will read again. */
static void NAME(pack_data)(const NAME(bp_kernels) *kernels, const bp_network *net,
                            const bp_execution *how, const NAME(bp_input) *X, size_t rows,
                            const NAME(packed_data) *to)
{
    const size_t I = net->sizes[0];
    NAME(packing) job = {kernels, X, rows, I, to};
    bp_team team;
    if (to->row_panels) {
        NAME(make_row_panels)(to->row_panels, NAME(panel_rows)(kernels), X->dense, rows, I);
        NAME(make_column_panels)(kernels, to->column_panels, X->dense, rows, I);
        return;
    }
    bp_team_start(&team, NAME(threads_for)(how, size_product(X->row_offsets[rows], NONZERO_WORK)));
    bp_team_run(&team, NAME(pack_share), &job, SHARES);
    bp_team_stop(&team);
}

/* Rows row ... row + rows - 1 of packed data. */
static void NAME(packed_block)(const NAME(packed_data) *whole, const bp_network *net, size_t row,
                               NAME(block) *block)
{
    const size_t I = net->sizes[0];
    if (whole->row_panels) {
        block->row_panels = whole->row_panels;
        block->column_panels = whole->column_panels;
        return;
    }
    const NAME(packed_data) part =
        NAME(packed_part)(whole, number_of_block(whole->block_rows, row), I);
    block->by_rows = NAME(sparse_matrix_of)(part.cut, block->rows, I, whole->strip);
    block->by_rows.row_offsets = NULL;
    block->by_columns = NAME(sparse_matrix_of)(part.by_columns, I, block->rows, whole->row_strip);
    block->by_columns.row_offsets = part.row_offsets;
    block->nonzeros = part.row_offsets[I];
}

/* ---- Gathering ------------------------------------------------------------------------------- */

/* What rows are gathered for. Only a gradient needs the transpose of sparse rows; a fused update
 * needs it in one strip, or not at all where by_rows, in one strip then, will be scattered. */
typedef enum gather_purpose { FOR_FORWARD, FOR_GRADIENT, FOR_FUSED_UPDATE } gather_purpose;

static bp_status NAME(gather_dense)(const NAME(pass) *pass, size_t row, NAME(block) *block)
{
    const size_t I = pass->net->sizes[0];
    const real *X = pass->X->dense;
    block->X = pass->order ? pass->at.X : X + row * I;
    for (size_t i = 0; pass->order && i < block->rows; i++) {
        const size_t source = pass->order[row + i];
        if (source >= pass->rows) return BP_BAD_ORDER;
        memcpy(pass->at.X + i * I, X + source * I, I * sizeof(real));
    }
    return BP_OK;
}

typedef struct NAME(gather_job) {
    const bp_network *net;
    const NAME(workspace) *at;
    const NAME(sparse_matrix) *rows;
    size_t strip;     /* columns in a strip; 0: rows stay as they are */
    size_t row_strip; /* rows in a strip of the transpose; 0: not wanted */
} NAME(gather_job);

/* Columns of the rows, as strips and as rows of the transpose. */
static void NAME(gather_share)(void *argument, bp_share share)
{
    const NAME(gather_job) *job = argument;
    const NAME(workspace) *at = job->at;
    const NAME(sparse_matrix) *A = job->rows;
    const size_t I = job->net->sizes[0];
    size_t *places = at->places + share.thread * 3 * at->block_rows;
    size_t j, columns = share_of(I, STRIP, share, &j);
    if (columns == 0) return;
    const NAME(column_range) range = columns == I
                                         ? NAME(all_columns)(A, I)
                                         : NAME(some_columns)(A, j, j + columns, places);
    if (job->strip)
        NAME(cut_columns)(at->cut, 0, A, &range, job->strip, places + 2 * A->rows);
    if (job->row_strip)
        NAME(transpose_nonzeros)(at->by_columns, 0, A, &range, I, job->row_strip);
}

/* Are nonzeros scattered rather than transposed? Threads cannot share that. */
static int NAME(scatters)(NAME(context) *context, size_t nonzeros, size_t O)
{
    return O <= context->kernels->scatter_columns &&
           size_product(nonzeros, O) < 2 * context->shared_work;
}

/* Asks for the nonzeros of the rows that come next: in a new order, each is a wait for memory. */
static void NAME(prefetch_rows)(const NAME(pass) *pass, size_t row, size_t count)
{
    const NAME(bp_input) *X = pass->X;
    const size_t *order = pass->order;
    for (size_t i = row; order && i < size_min(row + count, pass->rows); i++) {
        if (order[i] >= pass->rows) return;
        const size_t first = X->row_offsets[order[i]], last = X->row_offsets[order[i] + 1];
        for (size_t e = first; e < last; e += CACHE_LINE / sizeof(real)) PREFETCH(X->values + e);
        for (size_t e = first; e < last; e += CACHE_LINE / sizeof(uint32_t))
            PREFETCH(X->columns + e);
    }
}

/* A few rows are not worth the cutting: B passes once for each of them either way. */
#define ROWS_TO_CUT ((size_t)32)

/* The rows' places in CSR, as they lie or in their order, which is checked here. */
static bp_status NAME(gather_csr)(const NAME(pass) *pass, size_t row, size_t rows,
                                  NAME(sparse_matrix) *A)
{
    const NAME(bp_input) *X = pass->X;
    const NAME(workspace) *at = &pass->at;
    *A = NAME(csr_rows)(X, pass->order ? 0 : row, rows);
    if (!pass->order) return BP_OK;
    for (size_t i = 0; i < rows; i++) {
        const size_t source = pass->order[row + i];
        if (source >= pass->rows) return BP_BAD_ORDER;
        at->first[i] = X->row_offsets[source];
        at->last[i] = X->row_offsets[source + 1];
    }
    A->first = at->first;
    A->last = at->last;
    return BP_OK;
}

static bp_status NAME(gather_sparse)(NAME(pass) *pass, size_t row, gather_purpose purpose,
                                     NAME(block) *block)
{
    const size_t I = pass->net->sizes[0], O = pass->net->sizes[1], rows = block->rows;
    const NAME(workspace) *at = &pass->at;
    NAME(sparse_matrix) A;
    bp_status status = NAME(gather_csr)(pass, row, rows, &A);
    if (status) return status;
    NAME(prefetch_rows)(pass, row + rows, rows);
    for (size_t i = 0; i < rows; i++) block->nonzeros += A.last[i] - A.first[i];
    const int fused = purpose == FOR_FUSED_UPDATE;
    const int scatters = fused && NAME(scatters)(&pass->context, block->nonzeros, O);
    NAME(gather_job) job = {pass->net, at, &A, 0, 0};
    if (!scatters && rows >= ROWS_TO_CUT && NAME(column_strip)(I, O) < I)
        job.strip = NAME(column_strip)(I, O);
    if (purpose != FOR_FORWARD && !scatters)
        job.row_strip = fused ? rows : NAME(row_strip)(rows, O);
    NAME(run_shares)(&pass->context, size_product(block->nonzeros, 16), NAME(gather_share), &job);
    block->by_rows = A;
    if (job.strip) {
        block->by_rows = NAME(sparse_matrix_of)(at->cut, rows, I, job.strip);
        block->by_rows.row_offsets = NULL;
    }
    if (!job.row_strip) return BP_OK;
    block->by_columns = NAME(sparse_matrix_of)(at->by_columns, I, rows, job.row_strip);
    if (!block->by_columns.row_offsets) {
        NAME(count_row_offsets)(at->row_offsets, &block->by_columns);
        block->by_columns.row_offsets = at->row_offsets;
    }
    return BP_OK;
}

/* The `rows` rows order[row], order[row + 1], ..., or row, row + 1, ... without an order, which is
 * checked here, where it is used: its owner may have changed it since the epoch began. */
static bp_status NAME(gather)(NAME(pass) *pass, size_t row, size_t rows, gather_purpose purpose,
                              NAME(block) *block)
{
    const NAME(workspace) *at = &pass->at;
    const size_t O = network_outputs(pass->net), *order = pass->order;
    const real *Y = pass->Y, *weights = pass->X->weights;
    memset(block, 0, sizeof *block);
    block->rows = rows;
    bp_status status = pass->X->dense ? NAME(gather_dense)(pass, row, block)
                                      : NAME(gather_sparse)(pass, row, purpose, block);
    if (status || !Y) return status;
    block->Y = order ? at->Y : Y + row * O;
    for (size_t i = 0; order && i < rows; i++)
        memcpy(at->Y + i * O, Y + order[row + i] * O, O * sizeof(real));
    if (!weights) return BP_OK;
    block->weights = order ? at->weights : weights + row;
    for (size_t i = 0; order && i < rows; i++) at->weights[i] = weights[order[row + i]];
    return BP_OK;
}

/* The same rows from packed data, where there is some; NULL: there is none. */
static bp_status NAME(take_rows)(NAME(pass) *pass, const NAME(packed_data) *packed, size_t row,
                                 size_t rows, gather_purpose purpose, NAME(block) *block)
{
    if (!packed) return NAME(gather)(pass, row, rows, purpose, block);
    memset(block, 0, sizeof *block);
    block->rows = rows;
    block->Y = pass->Y + row * network_outputs(pass->net);
    if (pass->X->weights) block->weights = pass->X->weights + row;
    NAME(packed_block)(packed, pass->net, row, block);
    return BP_OK;
}
