/* prediction_template.h: outputs and losses, without anything that learning needs.
 * Parameter: BITS.
 */
#pragma once

#include "../nn/predict_template.h"
#include "door_template.h"

static bp_status NAME(prediction_size)(const bp_network *net, const bp_execution *how, size_t rows,
                                       int losses, size_t *bytes)
{
    const NAME(bp_kernels) *kernels;
    NAME(predictor) p;
    arena a = arena_in(NULL);
    bp_status status = NAME(enter)(net, how, rows, &kernels);
    if (status) return status;
    NAME(plan_predictor)(&p, &a, kernels, net, how, rows, losses);
    return NAME(bytes_of)(&a, bytes);
}

/* Checks, and lays out the workspace of the predictor, whose parameters and X are there. */
static bp_status NAME(open_prediction)(NAME(predictor) *p, const bp_network *net,
                                       const bp_execution *how, size_t rows, const size_t *row,
                                       int losses, void *workspace, size_t bytes)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(enter)(net, how, rows, &kernels);
    if (!status) status = NAME(check_input)(p->X, rows, 0);
    if (status) return status;
    arena a = arena_in(workspace), needed = arena_in(NULL);
    NAME(plan_predictor)(p, &needed, kernels, net, how, rows, losses);
    status = NAME(check_workspace)(&needed, workspace, bytes);
    if (status) return status;
    NAME(plan_predictor)(p, &a, kernels, net, how, rows, losses);
    p->context.kernels = kernels;
    if (!p->parameters || !row) return BP_NULL_POINTER;
    return *row > rows ? BP_BAD_ARGUMENT : BP_OK;
}

/* Creates the threads for rows row ... row + n - 1, and copies weights where so many of them meet
 * these that it pays. */
static void NAME(start_prediction)(NAME(predictor) *p, size_t row, size_t n)
{
    NAME(open_context)(&p->context, p->context.kernels, p->how, p->shares, NULL, 0);
    if (n <= LAID_ROWS || (p->X->dense && !NAME(probe)(p, row, n))) p->laid = NULL;
    NAME(lay_weights)(p->net, p->parameters, p->laid);
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
    p.parameters = parameters;
    p.X = X;
    bp_status status =
        NAME(open_prediction)(&p, net, how, rows, row, 0, workspace, workspace_bytes);
    if (status) return status;
    if (rows && !A) return BP_NULL_POINTER;
    const size_t n = size_slice(rows, *row, row_budget);
    if (n == 0) return BP_OK;
    NAME(start_prediction)(&p, *row, n);
    p.activates = 1;
    status = NAME(predict)(&p, *row, n, A + *row * network_outputs(net));
    NAME(close_context)(&p.context);
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
    p.parameters = parameters;
    p.X = X;
    bp_status status =
        NAME(open_prediction)(&p, net, how, rows, row, 1, workspace, workspace_bytes);
    if (status) return status;
    if (!loss || (rows && !Y)) return BP_NULL_POINTER;
    if (*row == 0) *loss = 0;
    const size_t end = *row + size_slice(rows, *row, row_budget);
    NAME(start_prediction)(&p, *row, end - *row);
    status = NAME(predict_losses)(&p, Y, rows, row, end, A, loss);
    NAME(close_context)(&p.context);
    if (status || *row < rows) return status;
    const double weight = NAME(weight_of)(X, rows);
    *loss = weight > 0 ? *loss / weight : 0;
    return BP_OK;
}
