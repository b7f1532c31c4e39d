/* gradients_template.h: gradients and derivatives by the backward recursion. Parameter: BITS. */
#pragma once

#include "../nn/gradient_template.h"
#include "../nn/jacobian_template.h"
#include "../nn/layer_outputs_template.h"
#include "door_template.h"

bp_status NAME(bp_workspace_size)(const bp_network *net, const bp_execution *how, size_t rows,
                                  size_t row_nonzeros, size_t *bytes)
{
    const NAME(bp_kernels) *kernels;
    arena a = arena_in(NULL);
    bp_status status = NAME(enter)(net, how, rows, &kernels);
    if (status) return status;
    NAME(plan)(&a, kernels, net, how, rows, row_nonzeros);
    return NAME(bytes_of)(&a, bytes);
}

bp_status NAME(bp_gradient)(const bp_network *net, const bp_execution *how, const real *parameters,
                            const NAME(bp_input) *X, const real *Y, size_t rows, size_t *row,
                            size_t row_budget, real *gradient, double *loss, void *workspace,
                            size_t workspace_bytes)
{
    NAME(pass) pass = {.net = net, .parameters = parameters, .X = X, .Y = Y, .rows = rows};
    bp_status status = NAME(open_pass)(&pass, how, rows, 0, workspace, workspace_bytes);
    if (status) return status;
    if (!row || !gradient || !loss || (rows && !Y)) return BP_NULL_POINTER;
    if (*row > rows) return BP_BAD_ARGUMENT;
    if (*row == 0) *loss = 0;
    const size_t end = *row + size_slice(rows, *row, row_budget);
    NAME(start_pass)(&pass, how, NAME(work_of)(net, end - *row));
    NAME(loss_gradient)(&pass, row, end, loss);
    NAME(close_context)(&pass.context);
    if (*row < rows) return BP_OK;
    const double weight = NAME(weight_of)(X, rows);
    const size_t parameter_count = network_parameters(net);
    for (size_t i = 0; i < parameter_count; i++)
        gradient[i] = weight > 0 ? pass.at.gradient[i] / (real)weight : 0;
    *loss = weight > 0 ? *loss / weight : 0;
    return BP_OK;
}

bp_status NAME(bp_backward)(const bp_network *net, const bp_execution *how, const real *parameters,
                            const NAME(bp_input) *X, const real *dA, size_t rows, real *gradient,
                            real *dX, void *workspace, size_t workspace_bytes)
{
    NAME(pass) pass = {.net = net, .parameters = parameters, .X = X, .rows = rows};
    bp_status status = NAME(open_pass)(&pass, how, rows, 0, workspace, workspace_bytes);
    if (status) return status;
    if (rows && !dA) return BP_NULL_POINTER;
    const size_t gradient_bytes = network_parameters(net) * sizeof(real);
    NAME(start_pass)(&pass, how, NAME(work_of)(net, rows));
    NAME(external_gradient)(&pass, dA, gradient != NULL, dX);
    NAME(close_context)(&pass.context);
    if (gradient && rows == 0)
        memset(gradient, 0, gradient_bytes);
    else if (gradient)
        memcpy(gradient, pass.at.gradient, gradient_bytes);
    return BP_OK;
}

bp_status NAME(bp_layer_outputs)(const bp_network *net, const bp_execution *how,
                                 const real *parameters, const NAME(bp_input) *X, const real *Y,
                                 size_t rows, real *A, real *deltas, void *workspace,
                                 size_t workspace_bytes)
{
    NAME(pass) pass = {.net = net, .parameters = parameters, .X = X, .Y = Y, .rows = rows};
    bp_status status = NAME(open_pass)(&pass, how, rows, 0, workspace, workspace_bytes);
    if (status) return status;
    if (rows && deltas && !Y) return BP_NULL_POINTER;
    NAME(start_pass)(&pass, how, NAME(work_of)(net, rows));
    NAME(layer_outputs)(&pass, A, deltas);
    NAME(close_context)(&pass.context);
    return BP_OK;
}

bp_status NAME(bp_parameter_jacobian)(const bp_network *net, const bp_execution *how,
                                      const real *parameters, const NAME(bp_input) *X, size_t row,
                                      size_t rows, real *A, real *J, void *workspace,
                                      size_t workspace_bytes)
{
    NAME(pass) pass = {.net = net, .parameters = parameters, .X = X, .rows = size_sum(row, rows)};
    bp_status status = NAME(open_pass)(&pass, how, rows, 0, workspace, workspace_bytes);
    if (status) return status;
    if (rows && (!A || !J)) return BP_NULL_POINTER;
    const size_t outputs = size_product(rows, network_outputs(net));
    if (!NAME(matrix_fits)(outputs, network_parameters(net))) return BP_TOO_LARGE;
    NAME(start_pass)(&pass, how, NAME(work_of)(net, outputs));
    NAME(jacobian)(&pass, row, rows, A, J);
    NAME(close_context)(&pass.context);
    return BP_OK;
}
