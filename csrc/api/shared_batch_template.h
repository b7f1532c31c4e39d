/* shared_batch_template.h: steps whose rows lie in several processes. Parameter: BITS. */
#pragma once

#include "../nn/shared_batch_template.h"
#include "../nn/update_template.h"
#include "training_template.h"

bp_status NAME(bp_part_deltas)(const bp_network *net, const bp_execution *how,
                               const real *parameters, const NAME(bp_input) *X, const real *Y,
                               size_t rows, const size_t *order, size_t row, size_t count,
                               const bp_training *training, size_t epoch_row, real *A,
                               real *deltas, double *losses, void *workspace,
                               size_t workspace_bytes)
{
    NAME(pass) pass = {.net = net, .parameters = parameters, .X = X, .Y = Y, .rows = rows,
                       .order = order};
    NAME(packed_data) packed;
    int is_packed = X && X->packed && !order && count == rows && rows;
    bp_status status = NAME(open_pass)(&pass, how, count, is_packed, workspace, workspace_bytes);
    if (!status) status = NAME(open_packed)(&pass, how, &packed, &is_packed);
    if (status) return status;
    if (!training || (count && (!Y || !deltas || !losses || (net->layers > 1 && !A))))
        return BP_NULL_POINTER;
    if (row > rows || count > rows - row) return BP_BAD_ARGUMENT;
    bp_training here = *training;
    here.row = epoch_row;
    NAME(start_pass)(&pass, how, NAME(work_of)(net, count));
    status = NAME(part_deltas)(&pass, is_packed ? &packed : NULL, row, count, &here, A, deltas,
                               losses);
    NAME(close_context)(&pass.context);
    return status;
}

bp_status NAME(bp_transposed_size)(const bp_network *net, const bp_execution *how, size_t rows,
                                   size_t nonzeros, size_t *bytes)
{
    const NAME(bp_kernels) *kernels;
    arena a = arena_in(NULL);
    bp_status status = NAME(enter)(net, how, rows, &kernels);
    if (status) return status;
    if (!bytes) return BP_NULL_POINTER;
    NAME(plan_transposed)(&a, net, rows, nonzeros);
    return NAME(bytes_of)(&a, bytes);
}

bp_status NAME(bp_transpose)(const bp_network *net, const bp_execution *how,
                             const NAME(bp_input) *X, size_t rows, const size_t *order, size_t row,
                             size_t count, size_t batch_row, size_t nonzeros, void *transposed,
                             size_t bytes)
{
    const NAME(bp_kernels) *kernels;
    NAME(pass) pass = {.net = net, .X = X, .rows = rows, .order = order};
    bp_status status = NAME(enter)(net, how, rows, &kernels);
    if (!status) status = NAME(check_input)(X, rows, 0);
    if (status) return status;
    if (X->dense || row > rows || count > rows - row) return BP_BAD_ARGUMENT;
    arena needed = arena_in(NULL), a = arena_in(transposed);
    NAME(plan_transposed)(&needed, net, count, nonzeros);
    status = NAME(check_workspace)(&needed, transposed, bytes);
    if (status) return status;
    return NAME(transpose_part)(&pass, row, count, batch_row,
                                NAME(plan_transposed)(&a, net, count, nonzeros));
}

bp_status NAME(bp_add_rows_size)(const bp_network *net, const bp_execution *how, size_t *bytes)
{
    const NAME(bp_kernels) *kernels;
    arena a = arena_in(NULL);
    bp_status status = NAME(enter)(net, how, 0, &kernels);
    if (status) return status;
    if (!bytes) return BP_NULL_POINTER;
    NAME(take_scratch)(&a, how, NAME(range_scratch)(kernels, net));
    return NAME(bytes_of)(&a, bytes);
}

/* The arrays of the sums of a range, one after another, as many as the batch needs. */
static NAME(workspace) NAME(sums_of)(real *sums, size_t batch_rows, size_t count)
{
    NAME(workspace) at = {.gradient = sums};
    if (batch_rows > BP_RUN_ROWS) at.part = sums + count;
    if (batch_rows > BP_PART_ROWS) {
        at.total = sums + 2 * count;
        at.carry = sums + 3 * count;
    }
    return at;
}

bp_status NAME(bp_add_rows)(const bp_network *net, const bp_execution *how, size_t layer,
                            size_t first, size_t end, const real *in, const void *transposed,
                            size_t nonzeros, const real *delta, size_t count, size_t batch_row,
                            size_t batch_rows, real *sums, void *workspace, size_t workspace_bytes)
{
    const NAME(bp_kernels) *kernels;
    NAME(context) context;
    bp_status status = NAME(enter)(net, how, count, &kernels);
    if (status) return status;
    if (!sums || (count && (!delta || (!in && !transposed)))) return BP_NULL_POINTER;
    if (layer >= net->layers || (!in && layer > 0)) return BP_BAD_ARGUMENT;
    const size_t I = net->sizes[layer], O = net->sizes[layer + 1];
    if (first >= end || end > I + 1 || batch_row > batch_rows || count > batch_rows - batch_row)
        return BP_BAD_ARGUMENT;
    const size_t share = NAME(range_scratch)(kernels, net);
    arena needed = arena_in(NULL), a = arena_in(workspace);
    NAME(take_scratch)(&needed, how, share);
    status = NAME(check_workspace)(&needed, workspace, workspace_bytes);
    if (status) return status;
    arena from = arena_in((void *)(uintptr_t)transposed);
    const NAME(transposed_part) part = NAME(plan_transposed)(&from, net, count, nonzeros);
    const NAME(parameter_range) range = {
        .I = I, .O = O, .first = first, .end = end, .in = in, .transposed = &part, .delta = delta,
        .batch_row = batch_row, .batch_rows = batch_rows,
        .sums = NAME(sums_of)(sums, batch_rows, (end - first) * O)};
    const size_t work = size_product(count, size_product(end - first, O));
    NAME(open_context)(&context, kernels, how, NAME(threads_for)(how, work),
                       NAME(take_scratch)(&a, how, share), share);
    NAME(add_rows)(&context, &range, count);
    NAME(close_context)(&context);
    return BP_OK;
}

bp_status NAME(bp_end_batch)(const bp_network *net, const bp_execution *how, real *parameters,
                        real *moments, real *gradient, size_t batch_rows, double loss,
                        double weight, bp_training *training, size_t rows, void *workspace,
                        size_t workspace_bytes)
{
    const NAME(bp_input) nothing = {0};
    NAME(pass) pass = {.net = net, .parameters = parameters, .X = &nothing};
    bp_status status = NAME(open_pass)(&pass, how, 0, 0, workspace, workspace_bytes);
    if (status) return status;
    if (!training || !gradient) return BP_NULL_POINTER;
    if (training->row > rows || batch_rows > rows - training->row) return BP_BAD_ARGUMENT;
    status = NAME(check_training)(training, rows, NULL);
    if (!status && training->rule && moment_count(training->rule->optimizer) && !moments)
        status = BP_NULL_POINTER;
    if (status) return status;
    if (weight > 0 && !(loss / weight - loss / weight == 0)) return BP_NONFINITE_LOSS;
    training->row += batch_rows;
    training->batch_loss = loss;
    training->batch_weight = weight;
    if (weight > 0) {
        const size_t I = net->sizes[0], O = net->sizes[1];
        pass.at.gradient = gradient;
        NAME(start_pass)(&pass, how, network_parameters(net));
        NAME(spread_nonfinite)(I, O, gradient + I * O, gradient);
        const double penalty = NAME(update)(&pass, training, parameters, moments);
        NAME(count_batch)(training, loss / weight, penalty, batch_rows);
        NAME(close_context)(&pass.context);
    }
    if (training->row == rows) NAME(end_epoch)(training);
    return BP_OK;
}
