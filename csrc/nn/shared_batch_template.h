/* shared_batch_template.h: a batch whose rows lie in several processes, each of which has a part
 * that is one piece of the batch's order. Parameter: BITS.
 *
 * All processes make their rows' deltas at once. The sums over the rows then pass through the
 * processes in the order of the batch: whoever has the next rows goes on with the sums of those
 * before, a range of the parameters at a time, so that one range is added to here while another is
 * on its way. The terms, their order and the places where sums are cut are those of one process.
 */
#pragma once

#include "layer_outputs_template.h"

/* Rows that are transposed together, whole runs of a part: in strips of 64 rows their bounds, 8 bytes
 * a strip and column, are a twelfth of the nonzeros of as many images of MNIST. */
#define PIECE_ROWS (4 * BP_RUN_ROWS)

/* ---- Deltas of a part ------------------------------------------------------------------------ */

/* For rows `row` and on of the pass, `count` of them: the activations A_1 [count, O_1], ... of the
 * hidden layers, the deltas of all layers alike and the losses [count, outputs] of the elements.
 * training->row is the place of the first row in the epoch. */
static bp_status NAME(part_deltas)(NAME(pass) *pass, const NAME(packed_data) *packed, size_t row,
                                   size_t count, const bp_training *training, real *A, real *deltas,
                                   double *losses)
{
    const bp_network *net = pass->net;
    const NAME(workspace) *at = &pass->at;
    const size_t O = network_outputs(net);
    bp_training here = *training;
    size_t width = 0;
    double ignored = 0;
    for (size_t l = 0; l < net->layers; l++) width += net->sizes[l + 1];
    for (size_t i = 0, n; i < count; i += n, here.row += n) {
        NAME(block) block;
        n = rows_of_block(at->block_rows, i, count);
        bp_status status = NAME(take_rows)(pass, packed, row + i, n, FOR_FORWARD, &block);
        if (status) return status;
        NAME(delta_job) job = {count, i, deltas + width * count};
        real *Z = NAME(forward_block)(pass, &block, &here);
        NAME(copy_hidden)(pass, count, i, n, A);
        NAME(loss)(pass->context.kernels, net, n, Z, block.Y, block.weights, at->delta[0], &ignored,
                   losses + i * O, at->sums);
        NAME(backward_block)(pass, n, Z, NAME(copy_delta), &job);
    }
    return BP_OK;
}

/* ---- Rows of sparse X, transposed ------------------------------------------------------------ */

/* Rows of the piece that begins at row `row` of a batch and has at most `left` of them: what is
 * left of a run that began before, or whole runs. No piece lies in two parts. */
static size_t piece_rows(size_t row, size_t left)
{
    const size_t whole = row % BP_RUN_ROWS ? BP_RUN_ROWS : PIECE_ROWS;
    return size_min(left, whole - row % whole);
}

/* The nonzeros of a part's rows, transposed piece by piece. */
typedef struct NAME(transposed_part) {
    size_t strip;    /* rows of a strip of a piece */
    size_t segments; /* bounds of a piece */
    size_t room;     /* for nonzeros */
    NAME(nonzeros) nonzeros;
    size_t *first, *last; /* [rows of a piece], scratch */
} NAME(transposed_part);

static NAME(transposed_part) NAME(plan_transposed)(arena *a, const bp_network *net, size_t rows,
                                                   size_t nonzeros)
{
    const size_t I = net->sizes[0], piece = size_max(size_min(rows, PIECE_ROWS), 1);
    /* The first piece and the last one may be short, whatever lies between. */
    const size_t pieces = size_sum(rows / PIECE_ROWS, 3);
    NAME(transposed_part) part = {.strip = NAME(row_strip)(piece, net->sizes[1]),
                                  .room = nonzeros};
    part.segments = size_sum(size_product(size_pieces(piece, part.strip), I), 1);
    part.nonzeros = NAME(take_nonzeros)(a, nonzeros, size_product(pieces, part.segments));
    part.first = arena_take(a, piece, sizeof(size_t));
    part.last = arena_take(a, piece, sizeof(size_t));
    return part;
}

/* Fills the part with rows `row` and on of the pass, `count` of them, which are number `batch_row`
 * and on of their batch. */
static bp_status NAME(transpose_part)(NAME(pass) *pass, size_t row, size_t count, size_t batch_row,
                                      NAME(transposed_part) part)
{
    size_t at = 0;
    pass->at.first = part.first;
    pass->at.last = part.last;
    for (size_t i = 0, n; i < count; i += n, part.nonzeros.bounds += part.segments) {
        NAME(sparse_matrix) A;
        size_t end = at;
        n = piece_rows(batch_row + i, count - i);
        bp_status status = NAME(gather_csr)(pass, row + i, n, &A);
        if (status) return status;
        for (size_t r = 0; r < n; r++) end += A.last[r] - A.first[r];
        if (end > part.room) return BP_WORKSPACE_TOO_SMALL;
        const NAME(column_range) all = NAME(all_columns)(&A, pass->net->sizes[0]);
        NAME(transpose_nonzeros)(part.nonzeros, at, &A, &all, all.end, part.strip);
        at = end;
    }
    return BP_OK;
}

/* ---- Sums over the rows of a part ------------------------------------------------------------ */

/* A range of a layer's parameters, rows `first` ... `end` - 1 of its weights [I, O] and, as row I,
 * its biases, with what the rows of a part have for them. */
typedef struct NAME(parameter_range) {
    size_t I, O, first, end;
    const real *in; /* [count, I], or NULL: sparse X, transposed */
    const NAME(transposed_part) *transposed;
    const real *delta; /* [count, O] */
    size_t batch_row, batch_rows; /* number of the first row in its batch; rows of the batch */
    NAME(workspace) sums; /* gradient (the open run), part, total, carry [end - first, O] */
} NAME(parameter_range);

typedef struct NAME(sparse_range_job) {
    NAME(context) *context;
    const NAME(sparse_product) *product;
    size_t rows;
} NAME(sparse_range_job);

static void NAME(sparse_range_share)(void *argument, bp_share share)
{
    const NAME(sparse_range_job) *job = argument;
    NAME(context) *context = job->context;
    size_t row, rows = share_of(job->rows, 1, share, &row);
    if (rows)
        NAME(sparse_part)(context->kernels, job->product, row, rows, 0, job->product->n,
                          context->scratch + share.thread * context->scratch_share);
}

/* Adds `n` rows of sparse X, the part's piece number `piece`, whose deltas are given. */
static void NAME(add_sparse)(NAME(context) *context, const NAME(parameter_range) *range,
                             const NAME(gradient_sink) *sink, size_t piece, size_t n,
                             const real *delta)
{
    const NAME(transposed_part) *part = range->transposed;
    NAME(nonzeros) nonzeros = part->nonzeros;
    nonzeros.bounds += piece * part->segments;
    NAME(sparse_matrix) A = NAME(sparse_matrix_of)(nonzeros, range->I, n, part->strip);
    A.first += range->first;
    A.last += range->first;
    const NAME(sparse_product) p = {.A = &A, .n = range->O, .k = n, .B = delta, .b_row = range->O,
                                    .C = sink->gradient, .c_row = range->O,
                                    .sum = NAME(sum_into)(sink, sink->gradient)};
    NAME(sparse_range_job) job = {context, &p, size_min(range->end, range->I) - range->first};
    NAME(run_shares)(context, size_product(job.rows, size_product(n, p.n)),
                     NAME(sparse_range_share), &job);
}

/* Adds rows i ... i + n - 1 of the part, its piece number `piece`. */
static void NAME(add_piece)(NAME(context) *context, const NAME(parameter_range) *range, size_t i,
                            size_t n, size_t piece)
{
    const size_t I = range->I, O = range->O, weights = size_min(range->end, I) - range->first;
    const real *delta = range->delta + i * O;
    const NAME(gradient_sink) sink = {.row = range->batch_row + i,
                                      .gradient = range->sums.gradient, .part = range->sums.part};
    if (weights && range->in)
        NAME(dense_backward_weights)(context, &sink, n, weights, O,
                                     range->in + i * I + range->first, I, delta, O, sink.gradient);
    else if (weights)
        NAME(add_sparse)(context, range, &sink, piece, n, delta);
    if (range->end > I)
        NAME(dense_backward_biases)(context, &sink, n, O, delta, O, sink.gradient + weights * O,
                                    NULL);
}

/* Goes on with the sums of a range by `count` rows; those of a batch that ends with them become
 * whole, and are left in sums.gradient. */
static void NAME(add_rows)(NAME(context) *context, const NAME(parameter_range) *range, size_t count)
{
    const NAME(workspace) *sums = &range->sums;
    const size_t parameters = (range->end - range->first) * range->O;
    for (size_t i = 0, n, piece = 0; i < count; i += n, piece++) {
        n = piece_rows(range->batch_row + i, count - i);
        NAME(add_piece)(context, range, i, n, piece);
        const size_t row = range->batch_row + i + n;
        NAME(part_job) job = {context->kernels, sums, row, range->batch_rows, parameters};
        if (sums->part && (row == range->batch_rows || row % BP_PART_ROWS == 0))
            NAME(run_shares)(context, parameters, NAME(part_share), &job);
        if (sums->part && row == range->batch_rows)
            memcpy(sums->gradient, sums->part, parameters * sizeof(real));
    }
}

/* Elements of scratch for one thread of these sums. */
static size_t NAME(range_scratch)(const NAME(bp_kernels) *kernels, const bp_network *net)
{
    size_t scratch = NAME(sparse_scratch)(kernels);
    for (size_t l = 0; l < net->layers; l++)
        scratch = size_max(scratch, NAME(dense_scratch)(kernels, PIECE_ROWS, net->sizes[l],
                                                        net->sizes[l + 1]));
    return scratch;
}
