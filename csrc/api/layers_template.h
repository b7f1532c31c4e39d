/* layers_template.h: single layers and activations. Parameter: BITS. */
#pragma once

#include "../nn/backprop_template.h"
#include "door_template.h"

/* The workspace of a layer: scratch for its products and, where rows are more than a run or a part,
 * sums [inputs + 1, outputs] of the way back: dW, then db. */
static NAME(workspace) NAME(plan_layer)(arena *a, const NAME(bp_kernels) *kernels,
                                        const bp_execution *how, size_t rows, size_t inputs,
                                        size_t outputs)
{
    NAME(workspace) to = {.scratch_share = NAME(dense_scratch)(kernels, rows, inputs, outputs)};
    const size_t parameters = size_product(size_sum(inputs, 1), outputs);
    to.scratch = NAME(take_scratch)(a, how, to.scratch_share);
    if (rows <= BP_RUN_ROWS) return to;
    to.gradient = arena_take(a, parameters, sizeof(real));
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
    bp_status status = NAME(find_kernels)(how, &kernels);
    if (status) return status;
    arena a = arena_in(NULL);
    NAME(plan_layer)(&a, kernels, how, rows, inputs, outputs);
    return NAME(bytes_of)(&a, bytes);
}

/* The door of the two layer functions: what they ask of a workspace, and where it is. */
static bp_status NAME(enter_layer)(const bp_execution *how, size_t rows, size_t inputs,
                                   size_t outputs, void *workspace, size_t workspace_bytes,
                                   const NAME(bp_kernels) **kernels, NAME(workspace) *at)
{
    size_t needed;
    arena a = arena_in(workspace);
    bp_status status = NAME(bp_dense_workspace_size)(how, rows, inputs, outputs, &needed);
    if (!status) status = NAME(find_kernels)(how, kernels);
    if (status) return status;
    if (inputs == 0 || outputs == 0) return BP_BAD_ARGUMENT;
    if (!NAME(matrix_fits)(rows, inputs) || !NAME(matrix_fits)(rows, outputs) ||
        !NAME(matrix_fits)(inputs, outputs))
        return BP_TOO_LARGE;
    if (!workspace) return BP_NULL_POINTER;
    if (workspace_bytes < needed) return BP_WORKSPACE_TOO_SMALL;
    *at = NAME(plan_layer)(&a, *kernels, how, rows, inputs, outputs);
    return BP_OK;
}

static void NAME(open_layer)(NAME(context) *context, const NAME(bp_kernels) *kernels,
                             const bp_execution *how, size_t rows, size_t inputs, size_t outputs,
                             const NAME(workspace) *at)
{
    const size_t work = size_product(size_product(rows, inputs), outputs);
    NAME(open_context)(context, kernels, how, NAME(threads_for)(how, work), at->scratch,
                       at->scratch_share);
}

bp_status NAME(bp_dense_forward)(const bp_execution *how, int activation, size_t rows,
                                 size_t inputs, size_t outputs, const real *X, const real *W,
                                 const real *b, real *Z, real *A, void *workspace,
                                 size_t workspace_bytes)
{
    const NAME(bp_kernels) *kernels;
    NAME(workspace) at;
    NAME(context) context;
    bp_status status =
        NAME(enter_layer)(how, rows, inputs, outputs, workspace, workspace_bytes, &kernels, &at);
    if (status) return status;
    if (!is_activation(activation)) return BP_BAD_ARGUMENT;
    if (!W || !b || (rows && (!X || !Z || !A))) return BP_NULL_POINTER;
    if (rows == 0) return BP_OK;
    NAME(open_layer)(&context, kernels, how, rows, inputs, outputs, &at);
    NAME(dense_forward)(&context, rows, inputs, outputs, X, inputs, W, b, Z, outputs,
                        &NAME(NO_EPILOGUE));
    NAME(close_context)(&context);
    if (A != Z) memcpy(A, Z, rows * outputs * sizeof(real));
    NAME(activate)(kernels, activation, rows, outputs, A);
    return BP_OK;
}

bp_status NAME(bp_dense_backward)(const bp_execution *how, size_t rows, size_t inputs,
                                  size_t outputs, const real *X, const real *W, const real *delta,
                                  real *dW, real *db, real *dX, void *workspace,
                                  size_t workspace_bytes)
{
    const NAME(bp_kernels) *kernels;
    NAME(workspace) at;
    NAME(context) context;
    bp_status status =
        NAME(enter_layer)(how, rows, inputs, outputs, workspace, workspace_bytes, &kernels, &at);
    if (status) return status;
    if (!dW || !db || !W || (rows && (!X || !delta))) return BP_NULL_POINTER;
    if (rows == 0) {
        memset(dW, 0, inputs * outputs * sizeof(real));
        memset(db, 0, outputs * sizeof(real));
        return BP_OK;
    }
    NAME(open_layer)(&context, kernels, how, rows, inputs, outputs, &at);
    NAME(dense_backward_parameters)(&context, &at, rows, inputs, outputs, X, delta, dW, db);
    if (dX)
        NAME(dense_backward_input)(&context, rows, inputs, outputs, W, delta, outputs, dX, inputs,
                                   &NAME(NO_EPILOGUE));
    NAME(close_context)(&context);
    return BP_OK;
}

/* ---- Activations ----------------------------------------------------------------------------- */

/* Their door. */
static bp_status NAME(enter_activation)(const bp_execution *how, int activation, size_t rows,
                                        size_t columns, const NAME(bp_kernels) **kernels)
{
    bp_status status = NAME(find_kernels)(how, kernels);
    if (status) return status;
    if (!is_activation(activation)) return BP_BAD_ARGUMENT;
    return NAME(matrix_fits)(rows, columns) ? BP_OK : BP_TOO_LARGE;
}

bp_status NAME(bp_activate)(const bp_execution *how, int activation, size_t rows, size_t columns,
                            real *A)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(enter_activation)(how, activation, rows, columns, &kernels);
    if (status || rows == 0 || columns == 0) return status;
    if (!A) return BP_NULL_POINTER;
    NAME(activate)(kernels, activation, rows, columns, A);
    return BP_OK;
}

bp_status NAME(bp_activate_derivative)(const bp_execution *how, int activation, size_t rows,
                                       size_t columns, real *Z, real *derivative)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(enter_activation)(how, activation, rows, columns, &kernels);
    if (!status && activation == BP_SOFTMAX) status = BP_BAD_ARGUMENT;
    if (status || rows == 0 || columns == 0) return status;
    if (!Z || !derivative) return BP_NULL_POINTER;
    NAME(activate_derivative)(kernels, activation, Z, derivative, rows * columns);
    return BP_OK;
}

bp_status NAME(bp_activation_backward)(const bp_execution *how, int activation, size_t rows,
                                       size_t columns, const real *A, real *dA)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(enter_activation)(how, activation, rows, columns, &kernels);
    if (!status && kernels->activate_derivative[activation]) status = BP_BAD_ARGUMENT;
    if (status || rows == 0 || columns == 0) return status;
    if (!A || !dA) return BP_NULL_POINTER;
    NAME(activate_backward)(kernels, activation, rows, columns, A, dA);
    return BP_OK;
}
