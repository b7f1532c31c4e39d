/* training_template.h: the functions of bpcore_functions.h that take a network. Each checks at the door;
 * what is inside trusts. Parameter: BITS.
 */

static bp_status NAME(find)(const bp_execution *how, const NAME(bp_kernels) **kernels)
{
    if (!how) return BP_NULL_POINTER;
    *kernels = NAME(bp_find_kernels)(how->isa);
    return *kernels ? BP_OK : BP_ISA_UNAVAILABLE;
}

static bp_status NAME(bytes_of)(const arena *a, size_t *bytes)
{
    *bytes = arena_bytes(a);
    return size_is_addressable(*bytes) ? BP_OK : BP_TOO_LARGE;
}

static bp_status NAME(check_workspace)(const arena *needed, const void *workspace, size_t bytes)
{
    size_t needed_bytes;
    bp_status status = NAME(bytes_of)(needed, &needed_bytes);
    if (status) return status;
    if (!workspace) return BP_NULL_POINTER;
    return bytes < needed_bytes ? BP_WORKSPACE_TOO_SMALL : BP_OK;
}

/* The door of every function that takes (net, how, rows): the network, the instruction set and the
 * sizes of X and of the outputs. */
static bp_status NAME(enter)(const bp_network *net, const bp_execution *how, size_t rows,
                             const NAME(bp_kernels) **kernels)
{
    size_t parameters;
    bp_status status = bp_parameter_count(net, &parameters);
    if (!status) status = NAME(find)(how, kernels);
    if (status) return status;
    size_t widest = size_max(net->sizes[0], network_outputs(net));
    return size_is_addressable(size_product(size_product(rows, widest), sizeof(real)))
               ? BP_OK
               : BP_TOO_LARGE;
}

/* X is dense or sparse; a sparse one that is arranged needs no entries. */
static bp_status NAME(check_input)(const NAME(bp_input) *X, size_t rows, int arranged)
{
    if (!X) return BP_NULL_POINTER;
    if (rows == 0 || X->dense) return BP_OK;
    if (X->row_entries == 0) return BP_NULL_POINTER;
    if (arranged) return BP_OK;
    return X->values && X->columns && X->starts ? BP_OK : BP_NULL_POINTER;
}

/* ---- Gradients ------------------------------------------------------------------------------- */

bp_status NAME(bp_workspace_size)(const bp_network *net, const bp_execution *how, size_t rows,
                                  size_t row_entries, size_t *bytes)
{
    const NAME(bp_kernels) *kernels;
    arena a = arena_in(NULL);
    bp_status status = NAME(enter)(net, how, rows, &kernels);
    if (status) return status;
    if (!bytes) return BP_NULL_POINTER;
    NAME(plan)(&a, kernels, net, how, rows, row_entries);
    return NAME(bytes_of)(&a, bytes);
}

/* Checks and lays out the workspace of steps of `rows` rows. */
static bp_status NAME(open_workspace)(const NAME(bp_kernels) *kernels, const bp_network *net,
                                      const bp_execution *how, size_t rows, size_t row_entries,
                                      void *workspace, size_t bytes, NAME(workspace) *at)
{
    arena needed = arena_in(NULL), a = arena_in(workspace);
    NAME(plan)(&needed, kernels, net, how, rows, row_entries);
    bp_status status = NAME(check_workspace)(&needed, workspace, bytes);
    if (!status) *at = NAME(plan)(&a, kernels, net, how, rows, row_entries);
    return status;
}

/* Multiply-adds of a pass through the network, forward and backward, of so many rows. */
static size_t NAME(work_of)(const bp_network *net, size_t rows)
{
    return size_product(size_product(3, network_parameters(net)), rows);
}

/* What a sum over the rows is divided by to make a mean. */
static double NAME(weight_of)(const NAME(bp_input) *X, size_t rows)
{
    double weight = 0;
    if (!X->weights) return (double)rows;
    NAME(add_ascending)(&weight, X->weights, rows);
    return weight;
}

/* Forward, loss and backward for one block, which begins at row `row` of its batch: adds to *loss
 * and to the open batch's gradient. */
static void NAME(gradient_block)(const NAME(context) *context, const bp_network *net,
                                 const NAME(workspace) *at, const real *parameters,
                                 const NAME(block) *block, size_t row, double *loss)
{
    const NAME(gradient_sink) collect = NAME(collect)(at, row);
    const NAME(forward_cache) forward_cache = {.derivatives = at->derivatives};
    real *Z = NAME(forward_block)(context, net, parameters, block, at->activations, &forward_cache);
    NAME(loss)(context->kernels, net, block->rows, Z, block->Y, block->weights, at->delta[0], loss,
               at->sums);
    NAME(backward_block)(context, net, at, &collect, parameters, block, Z);
}

bp_status NAME(bp_gradient)(const bp_network *net, const bp_execution *how, const real *parameters,
                            const NAME(bp_input) *X, const real *Y, size_t rows, size_t *row,
                            size_t row_budget, real *gradient, double *loss, void *workspace,
                            size_t workspace_bytes)
{
    const NAME(bp_kernels) *kernels;
    NAME(workspace) at;
    bp_status status = NAME(enter)(net, how, rows, &kernels);
    if (!status) status = NAME(check_input)(X, rows, 0);
    if (status) return status;
    const size_t row_entries = X->dense ? 0 : X->row_entries;
    status = NAME(open_workspace)(kernels, net, how, rows, row_entries, workspace, workspace_bytes,
                                  &at);
    if (status) return status;
    if (!parameters || !row || !gradient || !loss || (rows && !Y)) return BP_NULL_POINTER;
    if (*row > rows) return BP_BAD_ARGUMENT;
    if (*row == 0) *loss = 0;
    const size_t end = *row + size_slice(rows, *row, row_budget);
    bp_team team;
    bp_team_start(&team, NAME(threads_for)(how, NAME(work_of)(net, end - *row)));
    const NAME(context) context = {kernels, &team, at.scratch, at.scratch_share,
                                   work_limit(how, SHARED_WORK)};
    while (*row < end) {
        const size_t block_rows = rows_of_block(at.block_rows, *row, rows);
        NAME(block) block;
        NAME(gather)(&context, net, &at, X, Y, rows, NULL, *row, block_rows, 1, &block);
        NAME(gradient_block)(&context, net, &at, parameters, &block, *row, loss);
        *row += block_rows;
        NAME(end_block)(&context, net, &at, *row, rows, !X->dense);
    }
    bp_team_stop(&team);
    if (*row < rows) return BP_OK;
    const double weight = NAME(weight_of)(X, rows);
    const size_t parameter_count = network_parameters(net);
    for (size_t i = 0; i < parameter_count; i++)
        gradient[i] = weight > 0 ? at.gradient[i] / (real)weight : 0;
    *loss = weight > 0 ? *loss / weight : 0;
    return BP_OK;
}

/* ---- Training -------------------------------------------------------------------------------- */

bp_status NAME(bp_arrangement_size)(const bp_network *net, const bp_execution *how, size_t rows,
                                    size_t entries, size_t *bytes)
{
    const NAME(bp_kernels) *kernels;
    arena a = arena_in(NULL);
    bp_status status = NAME(enter)(net, how, rows, &kernels);
    if (status) return status;
    if (!bytes) return BP_NULL_POINTER;
    NAME(plan_arrangement)(&a, kernels, net, how, rows, entries);
    *bytes = 0;
    return a.used ? NAME(bytes_of)(&a, bytes) : BP_OK;
}

bp_status NAME(bp_arrange)(const bp_network *net, const bp_execution *how,
                           const NAME(bp_input) *X, size_t rows, void *arrangement, size_t bytes)
{
    const NAME(bp_kernels) *kernels;
    size_t needed;
    bp_status status = NAME(enter)(net, how, rows, &kernels);
    if (!status) status = NAME(check_input)(X, rows, 0);
    if (status) return status;
    if (rows == 0) return BP_OK;
    const size_t entries = X->dense ? 0 : size_max(X->starts[rows], 1);
    status = NAME(bp_arrangement_size)(net, how, rows, entries, &needed);
    if (status || needed == 0) return status;
    if (!arrangement) return BP_NULL_POINTER;
    if (bytes < needed) return BP_WORKSPACE_TOO_SMALL;
    arena a = arena_in(arrangement);
    const NAME(arrangement) to = NAME(plan_arrangement)(&a, kernels, net, how, rows, entries);
    NAME(arrange)(kernels, net, X, rows, &to);
    return BP_OK;
}

static bp_status NAME(check_training)(const bp_training *training, size_t rows, const size_t *order)
{
    if (!training) return BP_NULL_POINTER;
    const real rate = (real)training->learning_rate;
    if (training->batch_rows == 0 || training->row > rows || !(rate - rate == 0))
        return BP_BAD_ARGUMENT;
    if (training->epoch > training->epochs) return BP_BAD_ARGUMENT;
    if (training->rule && !NAME(is_rule)(training->rule)) return BP_BAD_ARGUMENT;
    for (size_t i = 0; order && training->row == 0 && i < rows; i++)
        if (order[i] >= rows) return BP_BAD_ORDER;
    return BP_OK;
}

/* Multiply-adds of steps over so many of `rows` rows of X: the first layer of sparse X does those
 * of its entries alone. */
static size_t NAME(steps_work)(const bp_network *net, const NAME(bp_input) *X, size_t rows,
                               size_t count)
{
    const size_t all = NAME(work_of)(net, count), O = net->sizes[1];
    if (X->dense || rows == 0 || all == SIZE_MAX) return all;
    const size_t row_entries = size_min(X->entries / rows + 1, net->sizes[0]);
    return all - 3 * (net->sizes[0] - row_entries) * O * count;
}

/* Multiply-adds of what a call of bp_train will do; none where a step is too short to share. */
static size_t NAME(training_work)(const bp_network *net, const bp_execution *how,
                                  const bp_training *training, const NAME(bp_input) *X, size_t rows,
                                  size_t row_budget)
{
    const size_t left = size_product(training->epochs - training->epoch, rows) - training->row;
    const size_t step = size_min(training->batch_rows, rows);
    if (NAME(steps_work)(net, X, rows, step) < work_limit(how, STEP_WORK)) return 0;
    return NAME(steps_work)(net, X, rows, size_min(left, size_max(row_budget, step)));
}

bp_status NAME(bp_train)(const bp_network *net, const bp_execution *how, real *parameters,
                         real *moments, const NAME(bp_input) *X, const real *Y, size_t rows,
                         const size_t *order, bp_training *training, size_t row_budget,
                         void *workspace, size_t workspace_bytes)
{
    const NAME(bp_kernels) *kernels;
    NAME(workspace) at;
    NAME(arrangement) arrangement;
    if (!training) return BP_NULL_POINTER;
    if (training->batch_rows == 0) return BP_BAD_ARGUMENT;
    int arranged = X && X->arrangement && !order && training->batch_rows >= rows && rows;
    bp_status status = NAME(enter)(net, how, rows, &kernels);
    if (!status) status = NAME(check_input)(X, rows, arranged);
    if (status) return status;
    const size_t row_entries = X->dense ? 0 : X->row_entries;
    status = NAME(open_workspace)(kernels, net, how, size_min(training->batch_rows, rows),
                                  row_entries, workspace, workspace_bytes, &at);
    if (!status && (!parameters || (rows && !Y))) status = BP_NULL_POINTER;
    if (!status) status = NAME(check_training)(training, rows, order);
    if (!status && training->rule && bp_moment_count(training->rule->optimizer) && !moments)
        status = BP_NULL_POINTER;
    if (status) return status;
    if (arranged) {
        arena a = arena_in((void *)(uintptr_t)X->arrangement);
        arrangement = NAME(plan_arrangement)(&a, kernels, net, how, rows,
                                             X->dense ? 0 : size_max(X->entries, 1));
        arranged = a.used > 0;
        if (arranged && X->arrangement_bytes < arena_bytes(&a)) return BP_WORKSPACE_TOO_SMALL;
    }
    bp_team team;
    bp_team_start(&team, NAME(threads_for)(how, NAME(training_work)(net, how, training, X, rows,
                                                        row_budget)));
    const NAME(context) context = {kernels, &team, at.scratch, at.scratch_share,
                                   work_limit(how, SHARED_WORK)};
    const NAME(trainer) trainer = {
        &context, net, &at, parameters, moments, X, arranged ? &arrangement : NULL, Y, rows, order};
    status = NAME(train)(&trainer, training, row_budget);
    bp_team_stop(&team);
    return status;
}

/* ---- Prediction ------------------------------------------------------------------------------ */

/* Workspace of bp_mean_loss beside the shares': logits, deltas and sums of a chunk of rows. */
typedef struct NAME(chunk) {
    size_t rows;
    real *Z, *delta, *sums;
} NAME(chunk);

static NAME(chunk) NAME(plan_prediction)(NAME(predictor) *p, arena *a,
                                         const NAME(bp_kernels) *kernels, const bp_network *net,
                                         const bp_execution *how, size_t rows, int losses)
{
    NAME(chunk) chunk = {0};
    const size_t O = network_outputs(net);
    const size_t work = size_product(network_parameters(net), rows);
    NAME(plan_predictor)(p, a, kernels, net, how, rows, NAME(threads_for)(how, work));
    if (!losses) return chunk;
    chunk.rows = size_min(size_product(p->block_rows, p->shares), size_max(rows, 1));
    chunk.Z = arena_take(a, size_product(chunk.rows, O), sizeof(real));
    chunk.delta = arena_take(a, size_product(chunk.rows, O), sizeof(real));
    chunk.sums = arena_take(a, chunk.rows, sizeof(real));
    return chunk;
}

static bp_status NAME(prediction_size)(const bp_network *net, const bp_execution *how, size_t rows,
                                       int losses, size_t *bytes)
{
    const NAME(bp_kernels) *kernels;
    NAME(predictor) p;
    arena a = arena_in(NULL);
    bp_status status = NAME(enter)(net, how, rows, &kernels);
    if (status) return status;
    if (!bytes) return BP_NULL_POINTER;
    NAME(plan_prediction)(&p, &a, kernels, net, how, rows, losses);
    return NAME(bytes_of)(&a, bytes);
}

/* Lays the workspace out and makes the predictor ready. */
static bp_status NAME(open_prediction)(NAME(predictor) *p, const bp_network *net,
                                       const bp_execution *how, const real *parameters,
                                       const NAME(bp_input) *X, size_t rows, int losses,
                                       void *workspace, size_t bytes, NAME(chunk) *chunk)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(enter)(net, how, rows, &kernels);
    if (!status) status = NAME(check_input)(X, rows, 0);
    if (status) return status;
    arena a = arena_in(workspace), needed = arena_in(NULL);
    NAME(plan_prediction)(p, &needed, kernels, net, how, rows, losses);
    status = NAME(check_workspace)(&needed, workspace, bytes);
    if (!status && !parameters) status = BP_NULL_POINTER;
    if (status) return status;
    *chunk = NAME(plan_prediction)(p, &a, kernels, net, how, rows, losses);
    p->parameters = parameters;
    p->X = X;
    return BP_OK;
}

bp_status NAME(bp_forward_size)(const bp_network *net, const bp_execution *how, size_t rows,
                                size_t *bytes)
{
    return NAME(prediction_size)(net, how, rows, 0, bytes);
}

bp_status NAME(bp_forward)(const bp_network *net, const bp_execution *how, const real *parameters,
                           const NAME(bp_input) *X, size_t rows, size_t *row, size_t row_budget,
                           real *A, void *workspace, size_t workspace_bytes)
{
    NAME(predictor) p;
    NAME(chunk) none;
    bp_status status = NAME(open_prediction)(&p, net, how, parameters, X, rows, 0, workspace,
                                             workspace_bytes, &none);
    if (status) return status;
    if (!row || (rows && !A)) return BP_NULL_POINTER;
    if (*row > rows) return BP_BAD_ARGUMENT;
    const size_t n = size_slice(rows, *row, row_budget);
    if (n == 0) return BP_OK;
    bp_team team;
    bp_team_start(&team, p.shares);
    p.activates = 1;
    status = NAME(predict)(&p, &team, *row, n, A + *row * network_outputs(net));
    bp_team_stop(&team);
    *row += n;
    return status;
}

bp_status NAME(bp_mean_loss_size)(const bp_network *net, const bp_execution *how, size_t rows,
                                  size_t *bytes)
{
    return NAME(prediction_size)(net, how, rows, 1, bytes);
}

bp_status NAME(bp_mean_loss)(const bp_network *net, const bp_execution *how, const real *parameters,
                             const NAME(bp_input) *X, const real *Y, size_t rows, size_t *row,
                             size_t row_budget, real *A, double *loss, void *workspace,
                             size_t workspace_bytes)
{
    NAME(predictor) p;
    NAME(chunk) chunk;
    bp_status status = NAME(open_prediction)(&p, net, how, parameters, X, rows, 1, workspace,
                                             workspace_bytes, &chunk);
    if (status) return status;
    if (!row || !loss || (rows && !Y)) return BP_NULL_POINTER;
    if (*row > rows) return BP_BAD_ARGUMENT;
    if (*row == 0) *loss = 0;
    const size_t O = network_outputs(net), end = *row + size_slice(rows, *row, row_budget);
    bp_team team;
    bp_team_start(&team, p.shares);
    p.activates = 0;
    while (*row < end && !status) {
        const size_t i = *row, n = size_min(chunk.rows, rows - i);
        status = NAME(predict)(&p, &team, i, n, chunk.Z);
        if (A) {
            memcpy(A + i * O, chunk.Z, n * O * sizeof(real));
            NAME(activate)(p.kernels, net->activations[net->layers - 1], n, O, A + i * O);
        }
        NAME(loss)(p.kernels, net, n, chunk.Z, Y + i * O, X->weights ? X->weights + i : NULL,
                   chunk.delta, loss, chunk.sums);
        *row += n;
    }
    bp_team_stop(&team);
    if (status || *row < rows) return status;
    const double weight = NAME(weight_of)(X, rows);
    *loss = weight > 0 ? *loss / weight : 0;
    return BP_OK;
}
