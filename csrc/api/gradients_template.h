/* gradients_template.h: the backward recursion for those who have a loss of their own, and what each
 * layer makes of the data. Parameter: BITS.
 */

/* The door of functions that take rows through the network and back: checks, and the workspace. */
static bp_status NAME(open_pass)(const bp_network *net, const bp_execution *how,
                                 const NAME(bp_input) *X, size_t rows, size_t step,
                                 void *workspace, size_t bytes, const NAME(bp_kernels) **kernels,
                                 NAME(workspace) *at)
{
    bp_status status = NAME(enter)(net, how, rows, kernels);
    if (!status) status = NAME(check_input)(X, rows, 0);
    if (status) return status;
    return NAME(open_workspace)(*kernels, net, how, step, X->dense ? 0 : X->row_entries, workspace,
                                bytes, at);
}

/* delta = dJ/dZ of the last layer from dA = dJ/dA [N, O]. Z becomes A, or keeps no meaning. */
static void NAME(output_backward)(const NAME(bp_kernels) *kernels, int activation, size_t N,
                                  size_t O, real *Z, const real *dA, real *delta)
{
    if (kernels->activate_derivative[activation]) {
        kernels->activate_derivative[activation](Z, delta, N * O);
        kernels->multiply(delta, dA, N * O);
        return;
    }
    memcpy(delta, dA, N * O * sizeof(real));
    NAME(activate)(kernels, activation, N, O, Z);
    NAME(activate_backward)(kernels, activation, N, O, Z, delta);
}

bp_status NAME(bp_backward)(const bp_network *net, const bp_execution *how, const real *parameters,
                            const NAME(bp_input) *X, const real *dA, size_t rows, real *gradient,
                            real *dX, void *workspace, size_t workspace_bytes)
{
    const NAME(bp_kernels) *kernels;
    NAME(workspace) at;
    bp_status status =
        NAME(open_pass)(net, how, X, rows, rows, workspace, workspace_bytes, &kernels, &at);
    if (status) return status;
    if (!parameters || (rows && !dA)) return BP_NULL_POINTER;
    const size_t I = net->sizes[0], O = network_outputs(net);
    const size_t gradient_bytes = network_parameters(net) * sizeof(real);
    const int g = net->activations[net->layers - 1];
    const NAME(forward_cache) forward_cache = {.derivatives = at.derivatives};
    bp_team team;
    bp_team_start(&team, NAME(threads_for)(how, NAME(work_of)(net, rows)));
    const NAME(context) context = {kernels, &team, at.scratch, at.scratch_share,
                                   work_limit(how, SHARED_WORK)};
    for (size_t i = 0, n; i < rows; i += n) {
        NAME(gradient_sink) sink = NAME(collect)(&at, i);
        NAME(block) block;
        if (!gradient) sink.gradient = NULL;
        n = rows_of_block(at.block_rows, i, rows);
        NAME(gather)(&context, net, &at, X, NULL, rows, NULL, i, n, gradient != NULL, &block);
        real *Z =
            NAME(forward_block)(&context, net, parameters, &block, at.activations, &forward_cache);
        NAME(output_backward)(kernels, g, n, O, Z, dA + i * O, at.delta[0]);
        const real *delta = NAME(backward_block)(&context, net, &at, &sink, parameters, &block, Z);
        if (gradient) NAME(end_block)(&context, net, &at, i + n, rows, !X->dense);
        if (dX)
            NAME(dense_backward_input)(&context, n, I, net->sizes[1], parameters, delta,
                                       NAME(layer_row)(net, 0), dX + i * I, I, &NAME(NO_EPILOGUE));
    }
    bp_team_stop(&team);
    if (gradient && rows == 0) memset(gradient, 0, gradient_bytes);
    else if (gradient) memcpy(gradient, at.gradient, gradient_bytes);
    return BP_OK;
}

/* ---- What each layer makes of the data ------------------------------------------------------- */

/* to [rows, columns] := rows that lie from_row apart. */
static void NAME(copy_rows)(real *to, const real *from, size_t from_row, size_t rows,
                            size_t columns)
{
    for (size_t i = 0; i < rows; i++)
        memcpy(to + i * columns, from + i * from_row, columns * sizeof(real));
}

/* Copies the activations of a block, rows `row` and on of the N rows, to A: A_1 [N, O_1], ... */
static void NAME(copy_layer_outputs)(const NAME(bp_kernels) *kernels, const bp_network *net,
                                     const real *activations, size_t N, size_t row, size_t rows,
                                     real *A)
{
    for (size_t l = 0; l < net->layers; l++) {
        const size_t O = net->sizes[l + 1], a_row = NAME(layer_row)(net, l);
        NAME(copy_rows)(A + row * O, activations, a_row, rows, O);
        if (l + 1 == net->layers)
            NAME(activate)(kernels, net->activations[l], rows, O, A + row * O);
        activations += rows * a_row;
        A += N * O;
    }
}

/* The backward recursion of a block without sums over its rows: deltas alone, from that of the last
 * layer in delta[0]. `ends` is the end of the N rows' deltas. */
static void NAME(copy_layer_deltas)(const NAME(context) *context, const bp_network *net,
                                    const NAME(workspace) *at, const real *parameters,
                                    const real *Z_last, size_t N, size_t row, size_t rows,
                                    real *ends)
{
    real *delta = at->delta[0], *next = at->delta[1];
    const real *out = Z_last, *W = parameters + network_parameters(net);
    for (size_t l = net->layers; l-- > 0;) {
        const size_t I = net->sizes[l], O = net->sizes[l + 1];
        ends -= N * O;
        NAME(copy_rows)(ends + row * O, delta, NAME(layer_row)(net, l), rows, O);
        if (l == 0) return;
        W -= (I + 1) * O;
        out -= rows * NAME(layer_row)(net, l - 1);
        NAME(delta_below)(context, net, at, l, rows, W, out, delta, next);
        real *used = delta;
        delta = next;
        next = used;
    }
}

bp_status NAME(bp_trace)(const bp_network *net, const bp_execution *how, const real *parameters,
                         const NAME(bp_input) *X, const real *Y, size_t rows, real *A,
                         real *deltas, void *workspace, size_t workspace_bytes)
{
    const NAME(bp_kernels) *kernels;
    NAME(workspace) at;
    bp_status status =
        NAME(open_pass)(net, how, X, rows, rows, workspace, workspace_bytes, &kernels, &at);
    if (status) return status;
    if (!parameters || (rows && deltas && !Y)) return BP_NULL_POINTER;
    const size_t O = network_outputs(net);
    const NAME(forward_cache) forward_cache = {.derivatives = at.derivatives};
    size_t width = 0;
    double ignored = 0;
    for (size_t l = 0; l < net->layers; l++) width += net->sizes[l + 1];
    bp_team team;
    bp_team_start(&team, NAME(threads_for)(how, NAME(work_of)(net, rows)));
    const NAME(context) context = {kernels, &team, at.scratch, at.scratch_share,
                                   work_limit(how, SHARED_WORK)};
    for (size_t i = 0; i < rows; i += at.block_rows) {
        const size_t n = size_min(at.block_rows, rows - i);
        NAME(block) block;
        NAME(gather)(&context, net, &at, X, NULL, rows, NULL, i, n, 0, &block);
        real *Z =
            NAME(forward_block)(&context, net, parameters, &block, at.activations, &forward_cache);
        if (A) NAME(copy_layer_outputs)(kernels, net, at.activations, rows, i, n, A);
        if (!deltas) continue;
        NAME(loss)(kernels, net, n, Z, Y + i * O, NULL, at.delta[0], &ignored, at.sums);
        NAME(copy_layer_deltas)(&context, net, &at, parameters, Z, rows, i, n,
                                deltas + width * rows);
    }
    bp_team_stop(&team);
    return BP_OK;
}
