/* training_template.h: gradient descent on mini-batches, and the packing of its data.
 * Parameter: BITS.
 */
#pragma once

#include "../nn/train_template.h"
#include "door_template.h"

bp_status NAME(bp_packed_size)(const bp_network *net, const bp_execution *how, size_t rows,
                               size_t nonzeros, size_t *bytes)
{
    const NAME(bp_kernels) *kernels;
    arena a = arena_in(NULL);
    bp_status status = NAME(enter)(net, how, rows, &kernels);
    if (status) return status;
    if (!bytes) return BP_NULL_POINTER;
    NAME(plan_packed)(&a, kernels, net, how, rows, nonzeros);
    *bytes = 0;
    return a.used ? NAME(bytes_of)(&a, bytes) : BP_OK;
}

bp_status NAME(bp_pack)(const bp_network *net, const bp_execution *how, const NAME(bp_input) *X,
                        size_t rows, void *packed, size_t bytes)
{
    const NAME(bp_kernels) *kernels;
    size_t needed;
    bp_status status = NAME(enter)(net, how, rows, &kernels);
    if (!status) status = NAME(check_input)(X, rows, 0);
    if (status) return status;
    if (rows == 0) return BP_OK;
    const size_t nonzeros = X->dense ? 0 : size_max(X->row_offsets[rows], 1);
    status = NAME(bp_packed_size)(net, how, rows, nonzeros, &needed);
    if (status || needed == 0) return status;
    if (!packed) return BP_NULL_POINTER;
    if (bytes < needed) return BP_WORKSPACE_TOO_SMALL;
    arena a = arena_in(packed);
    const NAME(packed_data) to = NAME(plan_packed)(&a, kernels, net, how, rows, nonzeros);
    NAME(pack_data)(kernels, net, how, X, rows, &to);
    return BP_OK;
}

/* A number between 0 and 1, the latter left out, even when it is rounded to real. */
static int NAME(is_fraction)(double x)
{
    return x >= 0 && (real)x < 1;
}

/* Neither negative nor too large for real. */
static int NAME(is_amount)(double x)
{
    const real rounded = (real)x;
    return rounded >= 0 && rounded - rounded == 0;
}

static int NAME(is_rule)(const bp_rule *rule)
{
    const int kind = rule->optimizer;
    if (kind < 0 || kind >= BP_OPTIMIZER_COUNT) return 0;
    if (!NAME(is_fraction)(rule->momentum) || !NAME(is_fraction)(rule->decay)) return 0;
    const double least = BITS == 32 ? FLT_MIN : DBL_MIN; /* a share of it still is above 0 */
    if ((kind == BP_ADAM || kind == BP_RMSPROP) && !(rule->epsilon >= least)) return 0;
    if (kind == BP_RPROP && !(0 < rule->shrink && rule->shrink < 1 && rule->grow > 1 &&
                              0 < rule->least_step && rule->least_step <= rule->most_step))
        return 0;
    const double amounts[] = {rule->epsilon, rule->weight_decay, rule->l2, rule->l1,
                              rule->clip_norm, rule->max_norm, rule->grow, rule->most_step};
    for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++)
        if (!NAME(is_amount)(amounts[i])) return 0;
    return 1;
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

/* Multiply-adds of what a call of bp_train will do; none where a step is too short to share. */
static size_t NAME(training_work)(const bp_network *net, const bp_execution *how,
                                  const bp_training *training, const NAME(bp_input) *X, size_t rows,
                                  size_t row_budget)
{
    const size_t left = size_product(training->epochs - training->epoch, rows) - training->row;
    const size_t step = size_min(training->batch_rows, rows), count = size_max(row_budget, step);
    const size_t nonzeros = X->dense ? 0 : size_max(X->nonzeros, 1);
    const size_t least = how->step_work ? how->step_work : BP_STEP_WORK;
    if (bp_step_work(net, rows, nonzeros, step) < work_limit(how, least)) return 0;
    return bp_step_work(net, rows, nonzeros, size_min(left, count));
}

/* What was packed of X, where steps can use it. */
static bp_status NAME(open_packed)(const NAME(pass) *pass, const bp_execution *how,
                                   NAME(packed_data) *packed, int *is_packed)
{
    const NAME(bp_input) *X = pass->X;
    arena a = arena_in((void *)(uintptr_t)X->packed);
    if (!*is_packed) return BP_OK;
    *packed = NAME(plan_packed)(&a, pass->context.kernels, pass->net, how, pass->rows,
                                X->dense ? 0 : size_max(X->nonzeros, 1));
    *is_packed = a.used > 0;
    return *is_packed && X->packed_bytes < arena_bytes(&a) ? BP_WORKSPACE_TOO_SMALL : BP_OK;
}

bp_status NAME(bp_train)(const bp_network *net, const bp_execution *how, real *parameters,
                         real *moments, const NAME(bp_input) *X, const real *Y, size_t rows,
                         const size_t *order, bp_training *training, size_t row_budget,
                         void *workspace, size_t workspace_bytes)
{
    NAME(pass) pass = {.net = net, .parameters = parameters, .X = X, .Y = Y, .rows = rows,
                       .order = order};
    NAME(packed_data) packed;
    if (!training) return BP_NULL_POINTER;
    if (training->batch_rows == 0) return BP_BAD_ARGUMENT;
    int is_packed = X && X->packed && !order && training->batch_rows >= rows && rows;
    bp_status status = NAME(open_pass)(&pass, how, size_min(training->batch_rows, rows), is_packed,
                                       workspace, workspace_bytes);
    if (!status && rows && !Y) status = BP_NULL_POINTER;
    if (!status) status = NAME(check_training)(training, rows, order);
    if (!status && training->rule && moment_count(training->rule->optimizer) && !moments)
        status = BP_NULL_POINTER;
    if (!status) status = NAME(open_packed)(&pass, how, &packed, &is_packed);
    if (status) return status;
    NAME(start_pass)(&pass, how, NAME(training_work)(net, how, training, X, rows, row_budget));
    const NAME(trainer) trainer = {&pass, parameters, moments, is_packed ? &packed : NULL};
    status = NAME(train)(&trainer, training, row_budget);
    NAME(close_context)(&pass.context);
    return status;
}
