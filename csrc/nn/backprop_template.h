/* backprop_template.h: the forward pass and the backward recursion for a block of rows, and the
 * sums of a batch that gradients end in. Parameter: BITS.
 */
#pragma once

#include "workspace_template.h"

/* Random numbers of dropout, apart from those of the shuffle, whose indices stay below 2^63. */
#define DROPOUT_STREAM (UINT64_C(1) << 63)

/* Columns that are transposed together: a cache line of each of 16 rows stays in the first-level
 * cache. */
#define TRANSPOSED_COLUMNS ((size_t)16)

/* What dropout makes 0 of layer `layer`, in the block that training has come to. */
static NAME(dropout) NAME(dropout_of)(const bp_network *net, size_t layer,
                                      const bp_training *training)
{
    const double rate = net->dropout[layer];
    const NAME(dropout) dropout = {
        .key = random_bits(training->seed, training->first_epoch + training->epoch,
                           DROPOUT_STREAM + layer),
        .row = training->row,
        .columns = net->sizes[layer + 1],
        .threshold = (uint32_t)(rate * 4294967296.0),
        .scale = (real)(1 / (1 - rate)),
    };
    return dropout;
}

/* How layer `layer`, whose activations are `out`, ends on the way forward. `dropout` is filled
 * where it is used. */
static NAME(epilogue) NAME(forward_epilogue)(const NAME(pass) *pass, size_t layer, const real *out,
                                             const bp_training *training, NAME(dropout) *dropout)
{
    const bp_network *net = pass->net;
    const NAME(workspace) *at = &pass->at;
    if (layer + 1 == net->layers) return NAME(NO_EPILOGUE);
    NAME(epilogue) g = {.activation = net->activations[layer]};
    if (!at->derivatives || !NAME(keeps_derivative)(pass->context.kernels, net, layer)) return g;
    g.derivative = at->derivatives + (out - at->activations);
    g.derivative_row = NAME(layer_row)(net, layer);
    if (training && net->dropout && net->dropout[layer] > 0) {
        *dropout = NAME(dropout_of)(net, layer, training);
        g.dropout = dropout;
    }
    return g;
}

/* Activations of a block of rows, layer by layer. Returns Z of the last layer. training: NULL where
 * nothing is dropped. */
static real *NAME(forward_block)(NAME(pass) *pass, const NAME(block) *block,
                                 const bp_training *training)
{
    const bp_network *net = pass->net;
    const size_t rows = block->rows;
    const real *W = pass->parameters, *in = NULL;
    real *out = pass->at.activations;
    for (size_t l = 0;; l++) {
        const size_t I = net->sizes[l], O = net->sizes[l + 1], a_row = NAME(layer_row)(net, l);
        const real *b = W + I * O;
        NAME(dropout) dropout;
        const NAME(epilogue) g = NAME(forward_epilogue)(pass, l, out, training, &dropout);
        if (l == 0)
            NAME(first_forward)(&pass->context, block, I, O, W, pass->at.laid,
                                NAME(laid_row)(I, O), b, out, a_row, &g);
        else
            NAME(dense_forward)(&pass->context, rows, I, O, in, NAME(layer_row)(net, l - 1), W, b,
                                out, a_row, &g);
        if (l + 1 == net->layers) return out;
        W = b + O;
        in = out;
        out += rows * a_row;
    }
}

/* ---- The backward recursion ------------------------------------------------------------------ */

/* Where the recursion is: a layer with its inputs [rows, I] (NULL for the first layer, whose inputs
 * are the data), its delta [rows, O], and the place of its parameters among all. */
typedef struct NAME(layer_delta) {
    size_t layer, I, O, rows, parameters;
    const real *in, *delta;
    size_t in_row, d_row;
} NAME(layer_delta);

/* What is done with the delta of a layer. */
typedef void NAME(delta_visitor)(void *argument, const NAME(layer_delta) *here);

/* One step of the recursion: next [N, I] := delta [N, O] W' g'(Z) of the layer below. */
static void NAME(delta_below)(NAME(pass) *pass, const NAME(layer_delta) *here, real *next)
{
    const bp_network *net = pass->net;
    const NAME(workspace) *at = &pass->at;
    const real *W = pass->parameters + here->parameters;
    NAME(epilogue) g = {.activation = net->activations[here->layer - 1], .backward = 1,
                        .output = here->in, .output_row = here->in_row};
    if (NAME(keeps_derivative)(pass->context.kernels, net, here->layer - 1)) {
        g.derivative = at->derivatives + (here->in - at->activations);
        g.derivative_row = here->in_row;
    }
    NAME(dense_backward_input)(&pass->context, here->rows, here->I, here->O, W, here->delta,
                               here->d_row, next, here->in_row, &g);
}

/* From the delta of the last layer, in delta[0], to that of the first, which is returned: the
 * forward pass upside down. Each layer is visited, where there is a visitor; its weights may change
 * then, since the layer below has its delta. */
static const real *NAME(backward_block)(NAME(pass) *pass, size_t rows, const real *Z_last,
                                        NAME(delta_visitor) *visit, void *argument)
{
    const bp_network *net = pass->net;
    real *const *delta = pass->at.delta;
    NAME(layer_delta) here = {.rows = rows, .parameters = network_parameters(net), .in = Z_last};
    for (size_t l = net->layers, now = 0; l-- > 0; now = !now) {
        here.layer = l;
        here.I = net->sizes[l];
        here.O = net->sizes[l + 1];
        here.parameters -= (here.I + 1) * here.O;
        here.delta = delta[now];
        here.d_row = NAME(layer_row)(net, l);
        here.in_row = l ? NAME(layer_row)(net, l - 1) : here.I;
        here.in = l ? here.in - rows * here.in_row : NULL;
        if (l) NAME(delta_below)(pass, &here, delta[!now]);
        if (visit) visit(argument, &here);
    }
    return here.delta;
}

/* ---- Gradients ------------------------------------------------------------------------------- */

/* Where the sums of a batch are collected, for a block whose first row is its row number `row`. */
static NAME(gradient_sink) NAME(collect)(const NAME(workspace) *at, size_t row)
{
    const NAME(gradient_sink) sink = {.transposed = at->part != NULL, .row = row,
                                      .gradient = at->gradient, .part = at->part};
    return sink;
}

typedef struct NAME(gradient_job) {
    NAME(pass) *pass;
    const NAME(gradient_sink) *sink;
    const NAME(block) *block;
} NAME(gradient_job);

/* A layer's part of the gradient. */
static void NAME(layer_gradient)(void *argument, const NAME(layer_delta) *here)
{
    const NAME(gradient_job) *job = argument;
    const NAME(gradient_sink) *sink = job->sink;
    const NAME(workspace) *at = &job->pass->at;
    NAME(context) *context = &job->pass->context;
    const size_t I = here->I, O = here->O;
    real *dW = sink->gradient + here->parameters, *db = dW + I * O;
    NAME(dense_backward_biases)(context, sink, here->rows, O, here->delta, here->d_row, db,
                                at->sums);
    if (here->in) {
        NAME(dense_backward_weights)(context, sink, here->rows, I, O, here->in, here->in_row,
                                     here->delta, here->d_row, dW);
        return;
    }
    NAME(first_backward_weights)(context, sink, job->block, I, O, here->delta, here->d_row, dW,
                                 at->scattered);
    if (sink->fused_update) NAME(spread_nonfinite)(I, O, at->sums, dW);
}

/* Backward through a block to its gradient, which goes where `sink` says. */
static const real *NAME(backward_gradient)(NAME(pass) *pass, const NAME(block) *block,
                                           const real *Z_last, const NAME(gradient_sink) *sink)
{
    NAME(gradient_job) job = {pass, sink, block};
    return NAME(backward_block)(pass, block->rows, Z_last, NAME(layer_gradient), &job);
}

/* ---- The sums of a batch --------------------------------------------------------------------- */

typedef struct NAME(part_job) {
    const NAME(bp_kernels) *kernels;
    const NAME(workspace) *at;
    size_t row, rows; /* of the batch: where the block that was computed last ends, and how many */
    size_t count;
} NAME(part_job);

/* For a share of the parameters: where a part ends, the total takes it up; where the batch ends,
 * `part` becomes the whole sum. */
static void NAME(part_share)(void *argument, bp_share share)
{
    const NAME(part_job) *job = argument;
    const NAME(bp_kernels) *kernels = job->kernels;
    size_t first, count = share_of(job->count, CACHE_LINE / sizeof(real), share, &first);
    real *part = job->at->part + first;
    const size_t left = job->row % BP_PART_ROWS;
    if (left % BP_RUN_ROWS)
        NAME(add_run)(kernels, left < BP_RUN_ROWS, part, job->at->gradient + first, count);
    if (!job->at->total) return;
    real *total = job->at->total + first, *carry = job->at->carry + first;
    if (job->row <= BP_PART_ROWS) {
        memcpy(total, part, count * sizeof(real));
        memset(carry, 0, count * sizeof(real));
    } else {
        kernels->add_part(total, carry, part, count);
    }
    if (job->row < job->rows) return;
    memcpy(part, total, count * sizeof(real));
    kernels->axpy(part, 1, carry, count);
}

/* gradient [I, O] := sums that are stored as [O, I]. */
static void NAME(transpose_back)(size_t I, size_t O, const real *sums, real *gradient)
{
    for (size_t j = 0; j < O; j += TRANSPOSED_COLUMNS)
        for (size_t i = 0; i < I; i++)
            for (size_t o = j; o < size_min(j + TRANSPOSED_COLUMNS, O); o++)
                gradient[i * O + o] = sums[o * I + i];
}

/* The whole sums, in `part`, get the layout of the parameters, which a sparse first layer has. */
static void NAME(arrange_gradient)(const bp_network *net, const NAME(workspace) *at, int sparse)
{
    real *gradient = at->gradient;
    const real *sums = at->part;
    for (size_t l = 0; l < net->layers; l++) {
        const size_t I = net->sizes[l], O = net->sizes[l + 1];
        if (l == 0 && sparse)
            memcpy(gradient, sums, I * O * sizeof(real));
        else
            NAME(transpose_back)(I, O, sums, gradient);
        memcpy(gradient + I * O, sums + I * O, O * sizeof(real));
        gradient += I * O + O;
        sums += I * O + O;
    }
}

/* Ends a block, the last row of which is number row - 1 of a batch of `rows`; with the batch,
 * gradient is the sum over its rows. */
static void NAME(end_block)(NAME(pass) *pass, size_t row, size_t rows)
{
    const NAME(workspace) *at = &pass->at;
    const size_t I = pass->net->sizes[0], O = pass->net->sizes[1];
    NAME(part_job) job = {pass->context.kernels, at, row, rows, network_parameters(pass->net)};
    const int ends = row == rows;
    if (at->part && (ends || row % BP_PART_ROWS == 0))
        NAME(run_shares)(&pass->context, job.count, NAME(part_share), &job);
    if (ends && at->part) NAME(arrange_gradient)(pass->net, at, !pass->X->dense);
    if (ends) NAME(spread_nonfinite)(I, O, at->gradient + I * O, at->gradient);
}

/* dW and db of one layer, given its inputs X and its delta: the sums of rows that are one run are
 * collected where they are wanted; others in the workspace, part by part. */
static void NAME(dense_backward_parameters)(NAME(context) *context, const NAME(workspace) *at,
                                            size_t rows, size_t I, size_t O, const real *X,
                                            const real *delta, real *dW, real *db)
{
    const NAME(gradient_sink) sink = {.gradient = at->gradient, .part = at->part};
    real *run_W = at->part ? at->gradient : dW, *run_b = at->part ? at->gradient + I * O : db;
    for (size_t i = 0, n; i < rows; i += n) {
        n = size_min(BP_PART_ROWS, rows - i);
        NAME(dense_backward_weights)(context, &sink, n, I, O, X + i * I, I, delta + i * O, O,
                                     run_W);
        NAME(dense_backward_biases)(context, &sink, n, O, delta + i * O, O, run_b, NULL);
        NAME(part_job) job = {context->kernels, at, i + n, rows, (I + 1) * O};
        if (at->part) NAME(part_share)(&job, WHOLE);
    }
    if (!at->part) return;
    memcpy(dW, at->part, I * O * sizeof(real));
    memcpy(db, at->part + I * O, O * sizeof(real));
}
