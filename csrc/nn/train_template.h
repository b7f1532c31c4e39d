/* train_template.h: mini-batches, the update, the epoch. Parameter: BITS.
 *
 * An epoch can be left after any block and continued: what it has reached is in bp_training, the open
 * batch's gradient in the workspace.
 */

/* Rows order[row] ... of X and Y, one after another in the workspace; without an order they are one
 * after another already. */
static void NAME(gather)(const bp_network *net, const NAME(layout) *at, real *space,
                         const size_t *order, size_t row, size_t rows, const real **X,
                         const real **Y)
{
    size_t I = net->sizes[0], O = network_outputs(net);
    if (!order) {
        *X += row * I;
        *Y += row * O;
        return;
    }
    for (size_t i = 0; i < rows; i++) {
        memcpy(space + at->X + i * I, *X + order[row + i] * I, I * sizeof(real));
        memcpy(space + at->Y + i * O, *Y + order[row + i] * O, O * sizeof(real));
    }
    *X = space + at->X;
    *Y = space + at->Y;
}

/* One block of the open batch. Returns the number of rows that it had. */
static size_t NAME(train_block)(const NAME(bp_kernels) *kernels, const bp_network *net,
                                const NAME(layout) *at, real *space, const real *parameters,
                                const real *X, const real *Y, size_t rows, const size_t *order,
                                bp_training *training)
{
    size_t into_batch = training->row % training->batch_rows;
    size_t batch_end = training->row - into_batch + size_min(training->batch_rows,
                                                             rows - (training->row - into_batch));
    size_t block = size_min(at->block_rows, batch_end - training->row);
    if (into_batch == 0) {
        memset(space + at->gradient, 0, at->X * sizeof(real));
        training->batch_loss = 0;
    }
    NAME(gather)(net, at, space, order, training->row, block, &X, &Y);
    NAME(gradient_block)(kernels, net, at, space, parameters, X, Y, block, &training->batch_loss);
    return block;
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
        size_t block = NAME(train_block)(kernels, net, at, space, parameters, X, Y, rows, order,
                                         training);
        size_t batch_rows = training->row % training->batch_rows + block;
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
