/* train_template.h: mini-batches, the update, the epoch. Parameter: BITS.
 *
 * An epoch can be left after any block and continued: what it has reached is in bp_training, the
 * open batch's gradient in the workspace.
 */

/* Sets *X and *Y to the `block` rows order[row] ..., one after another in the workspace; without
 * an order they are one after another already. The order is checked here, where it is used: its
 * owner may have changed it since the epoch began. */
static bp_status NAME(gather)(const bp_network *net, const NAME(layout) *at, real *space,
                              size_t rows, const size_t *order, size_t row, size_t block,
                              const real **X, const real **Y)
{
    size_t I = net->sizes[0], O = network_outputs(net);
    if (!order) {
        *X += row * I;
        *Y += row * O;
        return BP_OK;
    }
    for (size_t i = 0; i < block; i++) {
        size_t source = order[row + i];
        if (source >= rows) return BP_BAD_ORDER;
        memcpy(space + at->X + i * I, *X + source * I, I * sizeof(real));
        memcpy(space + at->Y + i * O, *Y + source * O, O * sizeof(real));
    }
    *X = space + at->X;
    *Y = space + at->Y;
    return BP_OK;
}

/* Rows of the open batch's next block. */
static size_t NAME(next_block)(const NAME(layout) *at, size_t rows, const bp_training *training)
{
    size_t into_batch = training->row % training->batch_rows;
    size_t left_in_batch = training->batch_rows - into_batch;
    return size_min(at->block_rows, size_min(left_in_batch, rows - training->row));
}

/* Adds a block's losses and gradient to those of the open batch. */
static bp_status NAME(train_block)(const NAME(bp_kernels) *kernels, const bp_network *net,
                                   const NAME(layout) *at, real *space, const real *parameters,
                                   const real *X, const real *Y, size_t rows, const size_t *order,
                                   size_t block, bp_training *training)
{
    if (training->row % training->batch_rows == 0) {
        memset(space + at->gradient, 0, at->X * sizeof(real));
        training->batch_loss = 0;
    }
    bp_status status = NAME(gather)(net, at, space, rows, order, training->row, block, &X, &Y);
    if (!status)
        NAME(gradient_block)(kernels, net, at, space, parameters, X, Y, block,
                             &training->batch_loss);
    return status;
}

/* W := W - learning_rate / n * (sum of gradients over the batch's n rows). */
static void NAME(update)(const NAME(bp_kernels) *kernels, const NAME(layout) *at, real *space,
                         real *parameters, size_t batch_rows, double learning_rate)
{
    real step = (real)(-learning_rate / (double)batch_rows);
    kernels->axpy(parameters, step, space + at->gradient, at->X);
}

static bp_status NAME(train)(const NAME(bp_kernels) *kernels, const bp_network *net,
                             const NAME(layout) *at, real *space, real *parameters, const real *X,
                             const real *Y, size_t rows, const size_t *order, bp_training *training,
                             size_t row_budget)
{
    size_t used = 0;
    while (training->row < rows && (used == 0 || used < row_budget)) {
        size_t block = NAME(next_block)(at, rows, training);
        size_t batch_rows = training->row % training->batch_rows + block;
        bp_status status = NAME(train_block)(kernels, net, at, space, parameters, X, Y, rows, order,
                                             block, training);
        if (status) return status;
        used += block;
        if (batch_rows == training->batch_rows || training->row + block == rows) {
            double loss = training->batch_loss / (double)batch_rows;
            if (!(loss - loss == 0)) return BP_NONFINITE_LOSS;
            NAME(finish_gradient)(net, at, space);
            NAME(update)(kernels, at, space, parameters, batch_rows, training->learning_rate);
            training->epoch_loss += loss;
            training->batches++;
        }
        training->row += block;
    }
    return BP_OK;
}
