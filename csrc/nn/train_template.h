/* train_template.h: mini-batches, the update, the epoch. Parameter: BITS.
 *
 * An epoch can be left after any block and continued: what it has reached is in bp_training, the
 * open batch's gradient in the workspace.
 */
#pragma once

#include "backprop_template.h"
#include "gather_template.h"
#include "loss_template.h"
#include "update_template.h"

typedef struct NAME(trainer) {
    NAME(pass) *pass;
    real *parameters, *moments;           /* those of the pass, to be changed */
    const NAME(packed_data) *packed;      /* NULL: rows are gathered */
} NAME(trainer);

/* Rows of the open batch's next block. */
static size_t NAME(next_block)(const NAME(pass) *pass, const bp_training *training)
{
    const size_t into_batch = training->row % training->batch_rows;
    const size_t left_in_epoch = pass->rows - training->row;
    return rows_of_block(pass->at.block_rows, into_batch,
                         size_min(training->batch_rows, into_batch + left_in_epoch));
}

/* Can finished sums be added to the weights at once, so that no gradient is stored? Where a batch
 * is one block, and nothing comes between a gradient and its step. */
static int NAME(is_fused)(const NAME(trainer) *t, const bp_training *training, size_t into_batch,
                          int ends, size_t rows)
{
    return into_batch == 0 && ends && rows <= MAX_FUSED_TERMS && !training->rule &&
           !(t->packed && !t->packed->row_panels && t->packed->row_strip < rows);
}

static void NAME(add_weights)(bp_training *training, const NAME(block) *block)
{
    if (!block->weights) training->batch_weight += (double)block->rows;
    else NAME(add_ascending)(&training->batch_weight, block->weights, block->rows);
}

/* One block; at the end of its batch, the update by the gradient of the batch's weighted mean. */
static bp_status NAME(train_block)(const NAME(trainer) *t, bp_training *training, size_t rows)
{
    NAME(pass) *pass = t->pass;
    const NAME(workspace) *at = &pass->at;
    const size_t into_batch = training->row % training->batch_rows, batch_rows = into_batch + rows;
    const int ends = batch_rows == training->batch_rows || training->row + rows == pass->rows;
    const int fused = NAME(is_fused)(t, training, into_batch, ends, rows);
    NAME(block) block;
    bp_status status = NAME(take_rows)(pass, t->packed, training->row, rows,
                                        fused ? FOR_FUSED_UPDATE : FOR_GRADIENT, &block);
    if (status) return status;
    if (into_batch == 0) training->batch_loss = training->batch_weight = 0;
    NAME(add_weights)(training, &block);
    real *Z = NAME(forward_block)(pass, &block, training);
    NAME(loss)(pass->context.kernels, pass->net, rows, Z, block.Y, block.weights, at->delta[0],
               &training->batch_loss, NULL, at->sums);
    const double weight = training->batch_weight, loss = training->batch_loss / weight;
    if (ends && weight > 0 && !(loss - loss == 0)) return BP_NONFINITE_LOSS;

    const NAME(gradient_sink) fused_sink = {.fused_update = 1,
                                            .scale = NAME(descent_step)(training),
                                            .gradient = t->parameters};
    const NAME(gradient_sink) sink = fused ? fused_sink : NAME(collect)(at, into_batch);
    if (!fused || weight > 0) NAME(backward_gradient)(pass, &block, Z, &sink);
    training->row += rows;
    if (!fused) NAME(end_block)(pass, batch_rows, ends ? batch_rows : SIZE_MAX);
    if (!ends || !(weight > 0)) return BP_OK;
    const double penalty = fused ? 0 : NAME(update)(pass, training, t->parameters, t->moments);
    NAME(lay_weights)(pass->net, t->parameters, at->laid);
    NAME(count_batch)(training, loss, penalty, batch_rows);
    return BP_OK;
}

static bp_status NAME(train)(const NAME(trainer) *t, bp_training *training, size_t row_budget)
{
    size_t used = 0;
    while (training->epoch < training->epochs && (used == 0 || used < row_budget)) {
        const size_t rows = NAME(next_block)(t->pass, training);
        bp_status status = rows ? NAME(train_block)(t, training, rows) : BP_OK;
        if (status) return status;
        used += size_max(rows, 1);
        if (training->row == t->pass->rows) NAME(end_epoch)(training);
    }
    return BP_OK;
}
