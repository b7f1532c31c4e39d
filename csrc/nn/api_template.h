/* api_template.h: the functions of bpcore_functions.h. Each checks at the door; what is inside
 * trusts. Parameter: BITS.
 */

/* A workspace may begin anywhere: the first multiple of this within it is where its content
 * begins. */
#define ALIGNMENT ((size_t)64)

static real *NAME(aligned)(void *workspace)
{
    uintptr_t address = (uintptr_t)workspace;
    return (real *)((address + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

static bp_status NAME(bytes_of)(size_t elements, size_t *bytes)
{
    *bytes = size_sum(size_product(elements, sizeof(real)), ALIGNMENT);
    return size_is_addressable(*bytes) ? BP_OK : BP_TOO_LARGE;
}

/* The door of the functions that take (net, how, rows, workspace). */
static bp_status NAME(enter)(const bp_network *net, const bp_execution *how, size_t rows,
                             size_t step_rows, const void *workspace, size_t workspace_bytes,
                             const NAME(bp_kernels) **kernels, NAME(layout) *at)
{
    size_t parameters, needed;
    bp_status status = bp_parameter_count(net, &parameters);
    if (status) return status;
    if (!how) return BP_NULL_POINTER;
    *kernels = NAME(bp_find_kernels)(how->isa);
    if (!*kernels) return BP_ISA_UNAVAILABLE;
    size_t widest = size_max(net->sizes[0], network_outputs(net));
    if (!size_is_addressable(size_product(size_product(rows, widest), sizeof(real))))
        return BP_TOO_LARGE;
    *at = NAME(plan)(*kernels, net, how, step_rows, parameters);
    status = NAME(bytes_of)(at->end, &needed);
    if (status) return status;
    if (!workspace) return BP_NULL_POINTER;
    return workspace_bytes < needed ? BP_WORKSPACE_TOO_SMALL : BP_OK;
}

bp_status NAME(bp_workspace_size)(const bp_network *net, const bp_execution *how, size_t rows,
                                  size_t *bytes)
{
    const NAME(bp_kernels) *kernels;
    NAME(layout) at;
    if (!bytes) return BP_NULL_POINTER;
    bp_status status = NAME(enter)(net, how, rows, rows, bytes, SIZE_MAX, &kernels, &at);
    return status ? status : NAME(bytes_of)(at.end, bytes);
}

bp_status NAME(bp_forward)(const bp_network *net, const bp_execution *how, const real *parameters,
                           const real *X, size_t rows, real *A, void *workspace,
                           size_t workspace_bytes)
{
    const NAME(bp_kernels) *kernels;
    NAME(layout) at;
    bp_status status = NAME(enter)(net, how, rows, rows, workspace, workspace_bytes, &kernels, &at);
    if (status) return status;
    if (!parameters || (rows && (!X || !A))) return BP_NULL_POINTER;
    real *space = NAME(aligned)(workspace);
    size_t I = net->sizes[0], O = network_outputs(net);
    for (size_t i = 0; i < rows; i += at.block_rows) {
        size_t block = size_min(at.block_rows, rows - i);
        real *Z = NAME(forward_block)(kernels, net, &at, space, parameters, X + i * I, block);
        NAME(activate)(kernels, net->activations[net->layers - 1], block, O, Z);
        memcpy(A + i * O, Z, block * O * sizeof(real));
    }
    return BP_OK;
}

bp_status NAME(bp_mean_loss)(const bp_network *net, const bp_execution *how, const real *parameters,
                             const real *X, const real *Y, size_t rows, double *loss,
                             void *workspace, size_t workspace_bytes)
{
    const NAME(bp_kernels) *kernels;
    NAME(layout) at;
    bp_status status = NAME(enter)(net, how, rows, rows, workspace, workspace_bytes, &kernels, &at);
    if (status) return status;
    if (!parameters || !loss || (rows && (!X || !Y))) return BP_NULL_POINTER;
    real *space = NAME(aligned)(workspace);
    size_t I = net->sizes[0], O = network_outputs(net);
    double sum = 0;
    for (size_t i = 0; i < rows; i += at.block_rows) {
        size_t block = size_min(at.block_rows, rows - i);
        real *Z = NAME(forward_block)(kernels, net, &at, space, parameters, X + i * I, block);
        NAME(loss)(kernels, net, block, Z, Y + i * O, space + at.delta[0], &sum,
                   space + at.row_sums);
    }
    *loss = rows ? sum / (double)rows : 0;
    return BP_OK;
}

bp_status NAME(bp_gradient)(const bp_network *net, const bp_execution *how, const real *parameters,
                            const real *X, const real *Y, size_t rows, real *gradient, double *loss,
                            void *workspace, size_t workspace_bytes)
{
    const NAME(bp_kernels) *kernels;
    NAME(layout) at;
    bp_status status = NAME(enter)(net, how, rows, rows, workspace, workspace_bytes, &kernels, &at);
    if (status) return status;
    if (!parameters || !gradient || !loss || (rows && (!X || !Y))) return BP_NULL_POINTER;
    real *space = NAME(aligned)(workspace), *sums = space + at.gradient;
    size_t I = net->sizes[0], O = network_outputs(net);
    double sum = 0;
    memset(sums, 0, at.X * sizeof(real));
    for (size_t i = 0; i < rows; i += at.block_rows)
        NAME(gradient_block)(kernels, net, &at, space, parameters, X + i * I, Y + i * O,
                             size_min(at.block_rows, rows - i), &sum);
    NAME(finish_gradient)(net, &at, space);
    for (size_t i = 0; i < at.X; i++) gradient[i] = rows ? sums[i] / (real)rows : 0;
    *loss = rows ? sum / (double)rows : 0;
    return BP_OK;
}

bp_status NAME(bp_train)(const bp_network *net, const bp_execution *how, real *parameters,
                         const real *X, const real *Y, size_t rows, const size_t *order,
                         bp_training *training, size_t row_budget, void *workspace,
                         size_t workspace_bytes)
{
    const NAME(bp_kernels) *kernels;
    NAME(layout) at;
    if (!training) return BP_NULL_POINTER;
    const real rate = (real)training->learning_rate;
    if (training->batch_rows == 0 || training->row > rows || !(rate - rate == 0))
        return BP_BAD_ARGUMENT;
    size_t step_rows = size_min(training->batch_rows, rows);
    bp_status status =
        NAME(enter)(net, how, rows, step_rows, workspace, workspace_bytes, &kernels, &at);
    if (status) return status;
    if (!parameters || (rows && (!X || !Y))) return BP_NULL_POINTER;
    if (order && training->row == 0)
        for (size_t i = 0; i < rows; i++)
            if (order[i] >= rows) return BP_BAD_ORDER;
    return NAME(train)(kernels, net, &at, NAME(aligned)(workspace), parameters, X, Y, rows, order,
                       training, row_budget);
}
