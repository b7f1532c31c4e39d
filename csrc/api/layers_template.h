/* layers_template.h: single layers, products and elementary functions of bpcore_functions.h.
 * Parameter: BITS.
 */

static int NAME(matrix_fits)(size_t rows, size_t columns)
{
    return size_is_addressable(size_product(size_product(rows, columns), sizeof(real)));
}

/* Scratch of so many elements for each thread. */
static real *NAME(take_scratch)(arena *a, const bp_execution *how, size_t share)
{
    return arena_take(a, size_product(share, execution_threads(how)), sizeof(real));
}

bp_status NAME(bp_matmul_workspace_size)(const bp_execution *how, size_t m, size_t n, size_t k,
                                         size_t *bytes)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(find)(how, &kernels);
    if (status) return status;
    if (!bytes) return BP_NULL_POINTER;
    arena a = arena_in(NULL);
    NAME(take_scratch)(&a, how, NAME(matmul_workspace)(kernels, m, n, k));
    return NAME(bytes_of)(&a, bytes);
}

bp_status NAME(bp_matmul)(const bp_execution *how, size_t m, size_t n, size_t k, const real *A,
                          ptrdiff_t a_row, ptrdiff_t a_column, const real *B, ptrdiff_t b_row,
                          ptrdiff_t b_column, real *C, size_t c_row, void *workspace,
                          size_t workspace_bytes)
{
    const NAME(bp_kernels) *kernels;
    size_t needed;
    bp_status status = NAME(find)(how, &kernels);
    if (!status) status = NAME(bp_matmul_workspace_size)(how, m, n, k, &needed);
    if (status) return status;
    if (m == 0 || n == 0 || k == 0) return BP_OK;
    if (!A || !B || !C || !workspace) return BP_NULL_POINTER;
    if (c_row < n) return BP_BAD_ARGUMENT;
    if (!NAME(matrix_fits)(m, k) || !NAME(matrix_fits)(k, n) || !NAME(matrix_fits)(m, c_row))
        return BP_TOO_LARGE;
    if (workspace_bytes < needed) return BP_WORKSPACE_TOO_SMALL;
    /* A step along an axis of one element leads nowhere, so it may be any number: 0 is safe. */
    if (m == 1) a_row = 0;
    if (k == 1) a_column = b_row = 0;
    if (n == 1) b_column = 0;
    const NAME(product) p = {.m = m, .n = n, .k = k, .A = A, .a_row = a_row, .a_column = a_column,
                             .B = B, .b_row = b_row, .b_column = b_column,
                             .C = C, .c_row = c_row, .start = C, .start_row = c_row};
    const size_t share = NAME(matmul_workspace)(kernels, m, n, k);
    arena a = arena_in(workspace);
    bp_team team;
    bp_team_start(&team, NAME(threads_for)(how, size_product(size_product(m, n), k)));
    const NAME(context) context = {kernels, &team, NAME(take_scratch)(&a, how, share), share,
                                   work_limit(how, SHARED_WORK)};
    NAME(multiply)(&context, &p, &NAME(NO_EPILOGUE));
    bp_team_stop(&team);
    return BP_OK;
}

/* The workspace of a layer: scratch for its products and, where rows are more than a run or a part,
 * sums [inputs + 1, outputs] of the way back: dW, then db. */
typedef struct NAME(layer_workspace) {
    real *scratch;
    size_t share;
    real *run, *part, *total, *carry;
} NAME(layer_workspace);

static NAME(layer_workspace)
    NAME(plan_layer)(arena *a, const NAME(bp_kernels) *kernels, const bp_execution *how,
                     size_t rows, size_t inputs, size_t outputs)
{
    NAME(layer_workspace) to = {.share = NAME(dense_scratch)(kernels, rows, inputs, outputs)};
    const size_t parameters = size_product(size_sum(inputs, 1), outputs);
    to.scratch = NAME(take_scratch)(a, how, to.share);
    if (rows <= BP_RUN_ROWS) return to;
    to.run = arena_take(a, parameters, sizeof(real));
    to.part = arena_take(a, parameters, sizeof(real));
    if (rows <= BP_PART_ROWS) return to;
    to.total = arena_take(a, parameters, sizeof(real));
    to.carry = arena_take(a, parameters, sizeof(real));
    return to;
}

bp_status NAME(bp_dense_workspace_size)(const bp_execution *how, size_t rows, size_t inputs,
                                        size_t outputs, size_t *bytes)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(find)(how, &kernels);
    if (status) return status;
    if (!bytes) return BP_NULL_POINTER;
    arena a = arena_in(NULL);
    NAME(plan_layer)(&a, kernels, how, rows, inputs, outputs);
    return NAME(bytes_of)(&a, bytes);
}

/* The door of the two layer functions. */
static bp_status NAME(enter_dense)(const bp_execution *how, size_t rows, size_t inputs,
                                   size_t outputs, const void *workspace, size_t workspace_bytes,
                                   const NAME(bp_kernels) **kernels)
{
    size_t needed;
    bp_status status = NAME(find)(how, kernels);
    if (!status) status = NAME(bp_dense_workspace_size)(how, rows, inputs, outputs, &needed);
    if (status) return status;
    if (inputs == 0 || outputs == 0) return BP_BAD_ARGUMENT;
    if (!NAME(matrix_fits)(rows, inputs) || !NAME(matrix_fits)(rows, outputs) ||
        !NAME(matrix_fits)(inputs, outputs))
        return BP_TOO_LARGE;
    if (!workspace) return BP_NULL_POINTER;
    return workspace_bytes < needed ? BP_WORKSPACE_TOO_SMALL : BP_OK;
}

bp_status NAME(bp_dense_forward)(const bp_execution *how, int activation, size_t rows,
                                 size_t inputs, size_t outputs, const real *X, const real *W,
                                 const real *b, real *Z, real *A, void *workspace,
                                 size_t workspace_bytes)
{
    const NAME(bp_kernels) *kernels;
    bp_status status =
        NAME(enter_dense)(how, rows, inputs, outputs, workspace, workspace_bytes, &kernels);
    if (status) return status;
    if (activation < 0 || activation >= BP_ACTIVATION_COUNT) return BP_BAD_ARGUMENT;
    if (!W || !b || (rows && (!X || !Z || !A))) return BP_NULL_POINTER;
    if (rows == 0) return BP_OK;
    arena a = arena_in(workspace);
    const NAME(layer_workspace) at = NAME(plan_layer)(&a, kernels, how, rows, inputs, outputs);
    bp_team team;
    bp_team_start(&team, NAME(threads_for)(how, size_product(size_product(rows, inputs), outputs)));
    const NAME(context) context = {kernels, &team, at.scratch, at.share,
                                   work_limit(how, SHARED_WORK)};
    NAME(dense_forward)(&context, rows, inputs, outputs, X, inputs, W, b, Z, outputs,
                        &NAME(NO_EPILOGUE));
    bp_team_stop(&team);
    if (A != Z) memcpy(A, Z, rows * outputs * sizeof(real));
    NAME(activate)(kernels, activation, rows, outputs, A);
    return BP_OK;
}

/* dW and db, the sums of rows that are one run, are collected where they are wanted; others in the
 * workspace, part by part. */
static void NAME(dense_backward_parameters)(const NAME(context) *context, size_t rows, size_t I,
                                            size_t O, const real *X, const real *delta, real *dW,
                                            real *db, const NAME(layer_workspace) *at)
{
    const NAME(workspace) sums = {.gradient = at->run, .part = at->part, .total = at->total,
                               .carry = at->carry};
    const NAME(gradient_sink) into = {.gradient = at->run, .part = at->part};
    const size_t count = (I + 1) * O;
    real *run_W = at->part ? at->run : dW, *run_b = at->part ? at->run + I * O : db;
    for (size_t i = 0, n; i < rows; i += n) {
        n = size_min(BP_PART_ROWS, rows - i);
        NAME(dense_backward_weights)(context, &into, n, I, O, X + i * I, I, delta + i * O, O,
                                     run_W);
        NAME(dense_backward_biases)(context, &into, n, O, delta + i * O, O, run_b, NULL);
        NAME(part_job) job = {context->kernels, &sums, i + n, rows, count};
        if (at->part) NAME(part_share)(&job, 0, 1);
    }
    if (!at->part) return;
    memcpy(dW, at->part, I * O * sizeof(real));
    memcpy(db, at->part + I * O, O * sizeof(real));
}

bp_status NAME(bp_dense_backward)(const bp_execution *how, size_t rows, size_t inputs,
                                  size_t outputs, const real *X, const real *W, const real *delta,
                                  real *dW, real *db, real *dX, void *workspace,
                                  size_t workspace_bytes)
{
    const NAME(bp_kernels) *kernels;
    bp_status status =
        NAME(enter_dense)(how, rows, inputs, outputs, workspace, workspace_bytes, &kernels);
    if (status) return status;
    if (!dW || !db || !W || (rows && (!X || !delta))) return BP_NULL_POINTER;
    arena a = arena_in(workspace);
    const NAME(layer_workspace) at = NAME(plan_layer)(&a, kernels, how, rows, inputs, outputs);
    if (rows == 0) {
        memset(dW, 0, inputs * outputs * sizeof(real));
        memset(db, 0, outputs * sizeof(real));
        return BP_OK;
    }
    bp_team team;
    bp_team_start(&team, NAME(threads_for)(how, size_product(size_product(rows, inputs), outputs)));
    const NAME(context) context = {kernels, &team, at.scratch, at.share,
                                   work_limit(how, SHARED_WORK)};
    NAME(dense_backward_parameters)(&context, rows, inputs, outputs, X, delta, dW, db, &at);
    if (dX)
        NAME(dense_backward_input)(&context, rows, inputs, outputs, W, delta, outputs, dX, inputs,
                                   &NAME(NO_EPILOGUE));
    bp_team_stop(&team);
    return BP_OK;
}

bp_status NAME(bp_activate)(const bp_execution *how, int activation, size_t rows, size_t columns,
                            real *A)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(find)(how, &kernels);
    if (status) return status;
    if (activation < 0 || activation >= BP_ACTIVATION_COUNT) return BP_BAD_ARGUMENT;
    if (!NAME(matrix_fits)(rows, columns)) return BP_TOO_LARGE;
    if (rows == 0 || columns == 0) return BP_OK;
    if (!A) return BP_NULL_POINTER;
    NAME(activate)(kernels, activation, rows, columns, A);
    return BP_OK;
}

bp_status NAME(bp_activate_slope)(const bp_execution *how, int activation, size_t rows,
                                  size_t columns, real *Z, real *derivative)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(find)(how, &kernels);
    if (status) return status;
    if (activation < 0 || activation >= BP_ACTIVATION_COUNT || activation == BP_SOFTMAX)
        return BP_BAD_ARGUMENT;
    if (!NAME(matrix_fits)(rows, columns)) return BP_TOO_LARGE;
    if (rows == 0 || columns == 0) return BP_OK;
    if (!Z || !derivative) return BP_NULL_POINTER;
    NAME(activate_derivative)(kernels, activation, Z, derivative, rows * columns);
    return BP_OK;
}

bp_status NAME(bp_activation_backward)(const bp_execution *how, int activation, size_t rows,
                                       size_t columns, const real *A, real *dA)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(find)(how, &kernels);
    if (status) return status;
    if (activation < 0 || activation >= BP_ACTIVATION_COUNT) return BP_BAD_ARGUMENT;
    if (kernels->activate_derivative[activation]) return BP_BAD_ARGUMENT;
    if (!NAME(matrix_fits)(rows, columns)) return BP_TOO_LARGE;
    if (rows == 0 || columns == 0) return BP_OK;
    if (!A || !dA) return BP_NULL_POINTER;
    NAME(activate_backward)(kernels, activation, rows, columns, A, dA);
    return BP_OK;
}

static bp_status NAME(apply)(const bp_execution *how, real *x, size_t count,
                             const NAME(bp_kernels) **kernels)
{
    bp_status status = NAME(find)(how, kernels);
    if (status) return status;
    return !x && count ? BP_NULL_POINTER : BP_OK;
}

bp_status NAME(bp_exp)(const bp_execution *how, real *x, size_t count)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(apply)(how, x, count, &kernels);
    if (!status) kernels->exp(x, count);
    return status;
}

bp_status NAME(bp_log)(const bp_execution *how, real *x, size_t count)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(apply)(how, x, count, &kernels);
    if (!status) kernels->log(x, count);
    return status;
}

bp_status NAME(bp_log1p_exp)(const bp_execution *how, real *x, size_t count)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(apply)(how, x, count, &kernels);
    if (!status) kernels->log1p_exp(x, count);
    return status;
}

bp_status NAME(bp_count_nonzero)(const bp_execution *how, const real *x, size_t count,
                                 size_t *nonzero)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(apply)(how, (real *)(uintptr_t)x, count, &kernels);
    if (status) return status;
    if (!nonzero) return BP_NULL_POINTER;
    *nonzero = kernels->count_nonzero(x, count);
    return BP_OK;
}

bp_status NAME(bp_compress)(const bp_execution *how, const real *X, size_t rows, size_t columns,
                            real *values, uint32_t *indices, size_t room, size_t *starts)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(find)(how, &kernels);
    if (status) return status;
    if (!starts || (rows && columns && (!X || !values || !indices))) return BP_NULL_POINTER;
    if (columns > UINT32_MAX) return BP_BAD_ARGUMENT;
    starts[0] = 0;
    for (size_t i = 0; i < rows; i++) {
        if (columns && room - starts[i] < size_sum(columns, MAX_LANES)) return BP_BAD_ARGUMENT;
        starts[i + 1] = starts[i] + kernels->compress(values + starts[i], indices + starts[i],
                                                      X + i * columns, columns);
    }
    return BP_OK;
}

/* A chunk's elements fill half of a first-level cache of 32 kB, as double: it is read from memory
 * once, also where the position is looked for. */
#define FINITE_CHUNK 2048

bp_status NAME(bp_first_nonfinite)(const bp_execution *how, const real *x, size_t count,
                                   size_t *index)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(apply)(how, (real *)(uintptr_t)x, count, &kernels);
    if (status) return status;
    if (!index) return BP_NULL_POINTER;
    size_t i = 0;
    while (i < count) {
        const size_t n = size_min(count - i, FINITE_CHUNK);
        if (!kernels->finite(x + i, n)) break;
        i += n;
    }
    for (; i < count; i++) {
        const real value = x[i]; /* Read once: another thread may change it. */
        if (!(value - value == 0)) break;
    }
    *index = i;
    return BP_OK;
}
