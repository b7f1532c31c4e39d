/* predict_template.h: rows in, activations out, without anything that learning needs.
 * Parameter: BITS.
 *
 * Rows do not depend on each other: each thread takes a range of them through the whole network, in
 * blocks of its own.
 */
#pragma once

#include "backprop_template.h"
#include "gather_template.h"
#include "loss_template.h"

/* Rows of sparse input in a block: enough to pay for copying strips of weights, few enough for
 * their nonzeros to stay in a second-level cache. */
#define SPARSE_BLOCK ((size_t)256)

/* More rows in a call pay for a copy of the weights: each block copies strips of them otherwise. */
#define LAID_ROWS (2 * SPARSE_BLOCK)

/* Nonzeros that a block has room for, as if no element were zero: a few megabytes. Rows of more
 * than 4,096 inputs come in smaller blocks. */
#define MAX_SPARSE_NONZEROS ((size_t)1 << 20)

/* Fewer rows than this pass as nonzeros however many of them are zero: a tile would use few of its
 * sums, and each weight is read once either way. */
#define FEW_ROWS ((size_t)4)

/* Rows whose zeros are counted to choose between dense and sparse. */
#define PROBED_ROWS ((size_t)16)

typedef struct NAME(share_workspace) {
    real *activations; /* [block_rows, all layers] */
    real *scratch;
    NAME(nonzeros) sparse; /* a block's rows in strips; its bounds, where they begin */
    size_t *last;          /* [strips, block_rows], where they end */
    size_t *cursor;        /* [block_rows] */
} NAME(share_workspace);

typedef struct NAME(predictor) {
    const bp_network *net;
    const bp_execution *how;
    const real *parameters;
    const NAME(bp_input) *X;
    NAME(context) context;
    size_t row, rows, block_rows; /* the rows to do, and how many at once */
    real *out;                    /* [rows, O] */
    int activates;                /* 1: activations, 0: logits */
    real *laid; /* as in a workspace */
    size_t shares;
    NAME(share_workspace) at[MAX_THREADS];
    unsigned char bad[MAX_THREADS]; /* a thread met NaN or infinity */
    size_t chunk_rows; /* that pass before their losses are added; 0: losses are not wanted */
    real *Z, *delta;   /* [chunk_rows, O], scratch of the losses */
    real *sums;        /* [chunk_rows], likewise */
} NAME(predictor);

/* Rows of a sparse block. */
static size_t NAME(sparse_block)(const bp_network *net, size_t block_rows)
{
    const size_t fitting = size_max(1, MAX_SPARSE_NONZEROS / net->sizes[0]);
    return size_min(block_rows, size_min(SPARSE_BLOCK, fitting));
}

/* Elements of a strip of so many rows, as if none were zero, and what compressing writes beyond. */
static size_t NAME(strip_room)(const NAME(bp_kernels) *kernels, size_t rows, size_t strip)
{
    return size_sum(size_product(rows, strip), kernels->lanes);
}

static NAME(share_workspace) NAME(plan_share)(arena *a, const NAME(bp_kernels) *kernels,
                                              const bp_network *net, size_t block_rows)
{
    NAME(share_workspace) to;
    const size_t I = net->sizes[0], O = net->sizes[1];
    const size_t sparse = NAME(sparse_block)(net, block_rows);
    const size_t strips = size_pieces(I, NAME(column_strip)(I, O));
    const size_t room = NAME(strip_room)(kernels, sparse, NAME(column_strip)(I, O));
    size_t width = 0, scratch = block_rows > FEW_ROWS ? NAME(sparse_scratch)(kernels) : 0;
    for (size_t l = 0; l < net->layers; l++) {
        width = size_sum(width, NAME(layer_row)(net, l));
        scratch = size_max(scratch, NAME(matmul_workspace)(kernels, block_rows, net->sizes[l + 1],
                                                           net->sizes[l]));
    }
    to.activations = arena_take(a, size_product(block_rows, width), sizeof(real));
    to.scratch = arena_take(a, scratch, sizeof(real));
    to.sparse = NAME(take_nonzeros)(a, size_product(strips, room), size_product(strips, sparse));
    to.last = arena_take(a, size_product(strips, sparse), sizeof(size_t));
    to.cursor = arena_take(a, sparse, sizeof(size_t));
    return to;
}

/* Lays out the memory of every share (a few rows have one) and that of losses, where wanted. */
static void NAME(plan_predictor)(NAME(predictor) *p, arena *a, const NAME(bp_kernels) *kernels,
                                 const bp_network *net, const bp_execution *how, size_t rows,
                                 int losses)
{
    const size_t O = network_outputs(net);
    p->net = net;
    p->how = how;
    p->shares = NAME(threads_for)(how, size_product(network_parameters(net), rows));
    p->block_rows = size_min(NAME(fitting_rows)(net, how, rows), size_pieces(rows, p->shares));
    p->block_rows = size_max(p->block_rows, 1);
    p->chunk_rows = 0;
    const size_t laid = rows > LAID_ROWS ? NAME(laid_row)(net->sizes[0], net->sizes[1]) : 0;
    p->laid = laid ? arena_take(a, size_product(net->sizes[0], laid), sizeof(real)) : NULL;
    for (size_t s = 0; s < p->shares; s++)
        p->at[s] = NAME(plan_share)(a, kernels, net, p->block_rows);
    if (!losses) return;
    p->chunk_rows = size_min(size_product(p->block_rows, p->shares), size_max(rows, 1));
    p->Z = arena_take(a, size_product(p->chunk_rows, O), sizeof(real));
    p->delta = arena_take(a, size_product(p->chunk_rows, O), sizeof(real));
    p->sums = arena_take(a, p->chunk_rows, sizeof(real));
}

/* Compresses rows row ... row + n - 1 of dense X: each strip of columns has room of its own, so
 * that X is read once, in the order in which it lies. 0 where they are not finite. */
static int NAME(compress_rows)(const NAME(predictor) *p, const NAME(share_workspace) *at,
                               size_t row, size_t n, size_t strip, NAME(block) *block)
{
    const NAME(bp_kernels) *kernels = p->context.kernels;
    const NAME(nonzeros) *to = &at->sparse;
    const size_t I = p->net->sizes[0], strips = size_pieces(I, strip);
    const size_t room = NAME(strip_room)(kernels, n, strip);
    int finite = 1;
    for (size_t i = 0; i < n; i++)
        for (size_t s = 0; s < strips; s++) {
            const size_t segment = s * n + i, begin = i ? at->last[segment - 1] : s * room;
            to->bounds[segment] = begin;
            at->last[segment] =
                begin + kernels->compress(to->values + begin, to->indices + begin,
                                          p->X->dense + (row + i) * I, s * strip,
                                          size_min((s + 1) * strip, I));
        }
    for (size_t s = 0; s < strips; s++) {
        const size_t nonzeros = at->last[s * n + n - 1] - s * room;
        block->nonzeros += nonzeros;
        finite &= kernels->finite(to->values + s * room, nonzeros);
    }
    const NAME(sparse_matrix) A = {n,          strips,      strip, to->bounds, at->last,
                                   to->values, to->indices, NULL};
    block->by_rows = A;
    return finite;
}

/* 1 where the first of the rows [n, I] have so few nonzeros that sparse products pay. */
static int NAME(probe)(const NAME(predictor) *p, size_t row, size_t n)
{
    const size_t I = p->net->sizes[0], probed = size_min(n, PROBED_ROWS);
    if (n < FEW_ROWS) return I <= UINT32_MAX;
    const size_t nonzeros = p->context.kernels->count_nonzero(p->X->dense + row * I, probed * I);
    return network_sparse_pays(p->net, nonzeros, probed);
}

/* Fills `block` with rows row ... row + n - 1; 0 where they are not finite. */
static int NAME(predict_input)(const NAME(predictor) *p, const NAME(share_workspace) *at,
                               int sparse, size_t row, size_t n, NAME(block) *block)
{
    const size_t I = p->net->sizes[0];
    memset(block, 0, sizeof *block);
    block->rows = n;
    if (!sparse) {
        block->X = p->X->dense + row * I;
        return p->context.kernels->finite(block->X, n * I);
    }
    const size_t strip = n > FEW_ROWS ? NAME(column_strip)(I, p->net->sizes[1]) : I;
    if (p->X->dense) return NAME(compress_rows)(p, at, row, n, strip, block);
    const NAME(sparse_matrix) A = NAME(csr_rows)(p->X, row, n);
    const size_t first = A.first[0], end = A.last[n - 1];
    block->nonzeros = end - first;
    block->by_rows = A;
    if (strip < I) {
        const NAME(column_range) all = NAME(all_columns)(&A, I);
        NAME(cut_columns)(at->sparse, 0, &A, &all, strip, at->cursor);
        block->by_rows = NAME(sparse_matrix_of)(at->sparse, n, I, strip);
        block->by_rows.row_offsets = NULL;
    }
    return p->context.kernels->finite(A.values + first, end - first);
}

static void NAME(predict_share)(void *argument, bp_share share)
{
    NAME(predictor) *p = argument;
    const NAME(share_workspace) *at = &p->at[share.thread];
    const size_t O = network_outputs(p->net), l = p->net->layers - 1;
    size_t first, rows = share_of(p->rows, 1, share, &first);
    const NAME(workspace) memory = {.activations = at->activations, .laid = p->laid};
    NAME(pass) pass;
    pass.net = p->net;
    pass.parameters = p->parameters;
    pass.at = memory;
    NAME(open_context)(&pass.context, p->context.kernels, p->how, 1, at->scratch, 0);
    if (rows == 0) return;
    const int sparse = !p->X->dense || NAME(probe)(p, p->row + first, rows);
    const size_t step = sparse ? NAME(sparse_block)(p->net, p->block_rows) : p->block_rows;
    for (size_t i = first; i < first + rows; i += step) {
        const size_t n = size_min(step, first + rows - i);
        NAME(block) block;
        p->bad[share.thread] |= !NAME(predict_input)(p, at, sparse, p->row + i, n, &block);
        real *Z = NAME(forward_block)(&pass, &block, NULL);
        if (p->activates) NAME(activate)(p->context.kernels, p->net->activations[l], n, O, Z);
        memcpy(p->out + i * O, Z, n * O * sizeof(real));
    }
}

/* out [rows, O] := logits or activations of the rows row, row + 1, ... */
static bp_status NAME(predict)(NAME(predictor) *p, size_t row, size_t rows, real *out)
{
    p->row = row;
    p->rows = rows;
    p->out = out;
    memset(p->bad, 0, sizeof p->bad);
    const size_t work = size_product(network_parameters(p->net), rows);
    bp_team_run(&p->context.team, NAME(predict_share), p,
                NAME(shares_of_thread)(&p->context, work));
    for (size_t thread = 0; thread < p->context.team.threads; thread++)
        if (p->bad[thread]) return BP_NONFINITE_INPUT;
    return BP_OK;
}

/* Goes on at row *row: adds the losses of the rows before `end` to *loss, chunk by chunk, and
 * leaves their activations in A, where those are wanted. */
static bp_status NAME(predict_losses)(NAME(predictor) *p, const real *Y, size_t rows, size_t *row,
                                      size_t end, real *A, double *loss)
{
    const bp_network *net = p->net;
    const NAME(bp_kernels) *kernels = p->context.kernels;
    const real *weights = p->X->weights;
    const size_t O = network_outputs(net);
    bp_status status = BP_OK;
    p->activates = 0;
    while (*row < end && !status) {
        const size_t i = *row, n = size_min(p->chunk_rows, rows - i);
        status = NAME(predict)(p, i, n, p->Z);
        if (A) {
            memcpy(A + i * O, p->Z, n * O * sizeof(real));
            NAME(activate)(kernels, net->activations[net->layers - 1], n, O, A + i * O);
        }
        NAME(loss)(kernels, net, n, p->Z, Y + i * O, weights ? weights + i : NULL, p->delta, loss,
                   NULL, p->sums);
        *row += n;
    }
    return status;
}
