/* door_template.h: what is checked where a call enters; what is inside trusts. Parameter: BITS. */
#pragma once

#include "../nn/workspace_template.h"

static bp_status NAME(find_kernels)(const bp_execution *how, const NAME(bp_kernels) **kernels)
{
    if (!how) return BP_NULL_POINTER;
    *kernels = NAME(bp_find_kernels)(how->isa);
    return *kernels ? BP_OK : BP_ISA_UNAVAILABLE;
}

static int NAME(matrix_fits)(size_t rows, size_t columns)
{
    return size_is_addressable(size_product(size_product(rows, columns), sizeof(real)));
}

static int is_activation(int activation)
{
    return activation >= 0 && activation < BP_ACTIVATION_COUNT;
}

static bp_status NAME(bytes_of)(const arena *a, size_t *bytes)
{
    if (!bytes) return BP_NULL_POINTER;
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
    if (!status) status = NAME(find_kernels)(how, kernels);
    if (status) return status;
    const size_t widest = size_max(net->sizes[0], network_outputs(net));
    return NAME(matrix_fits)(rows, widest) ? BP_OK : BP_TOO_LARGE;
}

/* X is dense or sparse; a sparse one that is packed needs no nonzeros. */
static bp_status NAME(check_input)(const NAME(bp_input) *X, size_t rows, int is_packed)
{
    if (!X) return BP_NULL_POINTER;
    if (rows == 0 || X->dense) return BP_OK;
    if (X->row_nonzeros == 0) return BP_NULL_POINTER;
    if (is_packed) return BP_OK;
    return X->values && X->columns && X->row_offsets ? BP_OK : BP_NULL_POINTER;
}

/* Checks a pass whose net, X and rows are there, and lays out the workspace of its steps. */
static bp_status NAME(open_pass)(NAME(pass) *pass, const bp_execution *how, size_t step_rows,
                                 int is_packed, void *workspace, size_t bytes)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(enter)(pass->net, how, pass->rows, &kernels);
    if (!status) status = NAME(check_input)(pass->X, pass->rows, is_packed);
    if (status) return status;
    const size_t row_nonzeros = pass->X->dense ? 0 : pass->X->row_nonzeros;
    arena needed = arena_in(NULL), a = arena_in(workspace);
    NAME(plan)(&needed, kernels, pass->net, how, step_rows, row_nonzeros);
    status = NAME(check_workspace)(&needed, workspace, bytes);
    if (status) return status;
    pass->at = NAME(plan)(&a, kernels, pass->net, how, step_rows, row_nonzeros);
    pass->context.kernels = kernels;
    return pass->parameters ? BP_OK : BP_NULL_POINTER;
}

/* Creates the threads of a pass that was opened, for so many multiply-adds. */
static void NAME(start_pass)(NAME(pass) *pass, const bp_execution *how, size_t work)
{
    NAME(open_context)(&pass->context, pass->context.kernels, how, NAME(threads_for)(how, work),
                       pass->at.scratch, pass->at.scratch_share);
    NAME(lay_weights)(pass->net, pass->parameters, pass->at.laid);
}

/* Multiply-adds of a pass through the network, forward and backward, of so many rows. */
static size_t NAME(work_of)(const bp_network *net, size_t rows)
{
    return size_product(size_product(3, network_parameters(net)), rows);
}
