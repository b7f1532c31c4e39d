/* train_template.h: mini-batches, the update, the epoch. Parameter: BITS.
 *
 * An epoch can be left after any block and continued: what it has reached is in bp_training, the
 * open batch's gradient in the workspace.
 */

typedef struct NAME(trainer) {
    const NAME(engine) *engine;
    const bp_network *net;
    const NAME(memory) *at;
    real *parameters;
    const NAME(bp_input) *X;
    const NAME(arrangement) *arrangement; /* NULL: rows are gathered */
    const real *Y;
    size_t rows;
    const size_t *order;
} NAME(trainer);

/* Rows of the open batch's next block. */
static size_t NAME(next_block)(const NAME(trainer) *t, const bp_training *training)
{
    size_t into_batch = training->row % training->batch_rows;
    size_t left_in_batch = training->batch_rows - into_batch;
    return size_min(t->at->block_rows, size_min(left_in_batch, t->rows - training->row));
}

static bp_status NAME(train_input)(const NAME(trainer) *t, size_t row, size_t rows, int fused,
                                   NAME(block) *block)
{
    if (!t->arrangement)
        return NAME(gather)(t->engine, t->net, t->at, t->X, t->Y, t->rows, t->order, row, rows,
                            fused ? 2 : 1, block);
    memset(block, 0, sizeof *block);
    block->rows = rows;
    block->Y = t->Y + row * network_outputs(t->net);
    NAME(arranged_block)(t->arrangement, t->net, row, block);
    return BP_OK;
}

/* One block; at the end of its batch, the update W := W - learning_rate / n * (sum of gradients
 * over the batch's n rows). A batch that is one block adds each finished sum to the weights at
 * once, so that its gradient is never stored. */
static bp_status NAME(train_block)(const NAME(trainer) *t, bp_training *training, size_t rows)
{
    const NAME(memory) *at = t->at;
    const size_t into_batch = training->row % training->batch_rows, batch_rows = into_batch + rows;
    const int ends = batch_rows == training->batch_rows || training->row + rows == t->rows;
    const int fused = into_batch == 0 && ends && rows <= SCALED_TERMS &&
                      !(t->arrangement && t->arrangement->row_strips > 1);
    NAME(block) block;
    bp_status status = NAME(train_input)(t, training->row, rows, fused, &block);
    if (status) return status;
    if (into_batch == 0) {
        training->batch_loss = 0;
        if (!fused) memset(at->gradient, 0, network_parameters(t->net) * sizeof(real));
    }
    real *Z = NAME(forward_block)(t->engine, t->net, t->parameters, &block, at->activations);
    NAME(loss)(t->engine->kernels, t->net, rows, Z, block.Y, at->delta[0], &training->batch_loss,
               at->sums);
    const double loss = training->batch_loss / (double)batch_rows;
    if (ends && !(loss - loss == 0)) return BP_NONFINITE_LOSS;

    const real step = (real)(-training->learning_rate / (double)batch_rows);
    const NAME(descent) descent = {!fused && at->transposed, fused, step};
    NAME(backward_block)(t->engine, t->net, at, &descent, t->parameters, &block, Z,
                         fused ? t->parameters : at->gradient);
    if (ends && !fused) {
        NAME(finish_gradient)(t->net, at, !t->X->dense);
        NAME(add_scaled)(t->engine, t->parameters, step, at->gradient, network_parameters(t->net));
    }
    if (ends) {
        training->epoch_loss += loss;
        training->batches++;
    }
    training->row += rows;
    return BP_OK;
}

/* Ends an epoch, and begins the next one where there is another. */
static void NAME(end_epoch)(bp_training *training)
{
    if (training->losses)
        training->losses[training->epoch] =
            training->batches ? training->epoch_loss / (double)training->batches : 0;
    training->epoch++;
    if (training->epoch == training->epochs) return;
    training->row = training->batches = 0;
    training->epoch_loss = 0;
}

static bp_status NAME(train)(const NAME(trainer) *t, bp_training *training, size_t row_budget)
{
    size_t used = 0;
    while (training->epoch < training->epochs && (used == 0 || used < row_budget)) {
        const size_t rows = NAME(next_block)(t, training);
        bp_status status = rows ? NAME(train_block)(t, training, rows) : BP_OK;
        if (status) return status;
        used += size_max(rows, 1);
        if (training->row == t->rows) NAME(end_epoch)(training);
    }
    return BP_OK;
}
