/* update_template.h: from a batch's gradient to new parameters. Parameter: BITS.
 *
 * The gradient is a sum over the batch's rows, the update wants the mean's: the factor is folded
 * into whatever reads the gradient first. Weights and biases are updated apart, since penalties are
 * for weights alone.
 */
#pragma once

#include <math.h>

#include "workspace_template.h"

/* The learning rate of the next update. */
static double NAME(rate_of)(const bp_training *training)
{
    const double after = (double)training->step + 1, rise = (double)training->warmup_steps;
    return after < rise ? training->learning_rate * (after / rise) : training->learning_rate;
}

/* What the penalties add to the loss of a batch, times `factor`. */
static double NAME(penalty)(const NAME(bp_kernels) *kernels, const bp_network *net,
                            const bp_rule *rule, const real *parameters, double factor)
{
    double total = 0;
    if (rule->l2 == 0 && rule->l1 == 0) return 0;
    for (size_t l = 0; l < net->layers; l++) {
        const size_t weights = net->sizes[l] * net->sizes[l + 1];
        if (rule->l2 > 0) total += rule->l2 / 2 * kernels->sum_squares(parameters, weights);
        if (rule->l1 > 0) total += rule->l1 * kernels->sum_magnitudes(parameters, weights);
        parameters += weights + net->sizes[l + 1];
    }
    return total * factor;
}

/* g := scale * g, and the derivatives of the penalties. */
static void NAME(penalize_gradient)(const NAME(bp_kernels) *kernels, const bp_network *net,
                                    const NAME(bp_update) *how, real l1, const real *parameters,
                                    real *g)
{
    for (size_t l = 0; l < net->layers; l++) {
        const size_t O = net->sizes[l + 1], weights = net->sizes[l] * O;
        kernels->penalize(g, parameters, how->scale, how->l2, l1, weights);
        kernels->penalize(g + weights, parameters + weights, how->scale, 0, 0, O);
        parameters += weights + O;
        g += weights + O;
    }
}

typedef struct NAME(update_job) {
    const NAME(bp_kernels) *kernels;
    const NAME(bp_update) *how;
    int optimizer;
    real *w, *first, *second;
    const real *g;
    size_t count;
} NAME(update_job);

static void NAME(update_share)(void *argument, bp_share share)
{
    const NAME(update_job) *job = argument;
    size_t at, count = share_of(job->count, CACHE_LINE / sizeof(real), share, &at);
    job->kernels->update[job->optimizer](job->how, job->w + at, job->g + at,
                                         job->first ? job->first + at : NULL,
                                         job->second ? job->second + at : NULL, count);
}

/* Every layer's weights, and its biases, which have neither penalties nor decay. */
static void NAME(update_all)(NAME(context) *context, const bp_network *net, int optimizer,
                             const NAME(bp_update) *how, real *parameters, const real *gradient,
                             real *moments)
{
    const size_t count = network_parameters(net), kept = moment_count(optimizer);
    NAME(bp_update) how_biases = *how;
    how_biases.l2 = 0;
    how_biases.keep = 1;
    size_t at = 0;
    for (size_t l = 0; l < net->layers; l++) {
        const size_t O = net->sizes[l + 1], weights = net->sizes[l] * O;
        NAME(update_job) job = {context->kernels,
                                how,
                                optimizer,
                                parameters + at,
                                kept > 0 ? moments + at : NULL,
                                kept > 1 ? moments + count + at : NULL, gradient + at, weights};
        NAME(run_shares)(context, job.count, NAME(update_share), &job);
        job.how = &how_biases;
        job.w += weights;
        job.g += weights;
        if (job.first) job.first += weights;
        if (job.second) job.second += weights;
        job.count = O;
        NAME(run_shares)(context, job.count, NAME(update_share), &job);
        at += weights + O;
    }
}

/* squares [O] := sums of the squares of the columns of W [I, O], cut into runs as sums over rows
 * are. run [O] is scratch. */
static void NAME(column_squares)(const NAME(bp_kernels) *kernels, size_t I, size_t O, const real *W,
                                 real *squares, real *run)
{
    memset(squares, 0, O * sizeof(real));
    for (size_t i = 0; i < I; i += BP_RUN_ROWS) {
        memset(run, 0, O * sizeof(real));
        kernels->add_squares(run, W + i * O, size_min(BP_RUN_ROWS, I - i), O);
        kernels->axpy(squares, 1, run, O);
    }
}

/* Shortens the weights into each unit to max_norm. No delta is needed any more: it has room for the
 * widest layer. */
static void NAME(limit_norms)(const NAME(bp_kernels) *kernels, const bp_network *net,
                              double max_norm, real *parameters, const NAME(workspace) *at)
{
    for (size_t l = 0; l < net->layers; l++) {
        const size_t I = net->sizes[l], O = net->sizes[l + 1];
        NAME(column_squares)(kernels, I, O, parameters, at->sums, at->delta[0]);
        kernels->limit_columns(parameters, at->sums, (real)max_norm, I, O);
        parameters += (I + 1) * O;
    }
}

/* x^n by squaring: the same bits everywhere, which pow() does not promise. */
static double NAME(power)(double x, uint64_t n)
{
    double result = 1;
    for (; n > 0; n >>= 1, x *= x)
        if (n & 1) result *= x;
    return result;
}

/* The numbers of an update; of Adam's two forms both become rate * m / (sqrt(s) + epsilon). */
static NAME(bp_update) NAME(plan_update)(const bp_training *training, double penalty_factor)
{
    const bp_rule *rule = training->rule;
    const double rate = NAME(rate_of)(training);
    NAME(bp_update) how = {.rate = (real)rate,
                           .scale = (real)(1 / training->batch_weight),
                           .l2 = (real)(rule->l2 * penalty_factor),
                           .keep = (real)(1 - rate * rule->weight_decay),
                           .momentum = (real)rule->momentum,
                           .decay = (real)rule->decay,
                           .epsilon = (real)rule->epsilon,
                           .shrink = (real)rule->shrink,
                           .grow = (real)rule->grow,
                           .least_step = (real)rule->least_step,
                           .most_step = (real)rule->most_step};
    if (rule->optimizer == BP_ADAM) {
        /* Of the rounded numbers: the sums of weights that the moments really have. */
        const double root = sqrt(1 - NAME(power)((double)how.decay, training->step + 1));
        const double weights = 1 - NAME(power)((double)how.momentum, training->step + 1);
        how.rate = (real)(rate * root / weights);
        if (!rule->epsilon_inside) how.epsilon = (real)(rule->epsilon * root);
    }
    return how;
}

/* The factor that makes g no longer than clip_norm. Squares that overflow are those of a g that is
 * made shorter first, by a power of 2. */
static double NAME(clip)(const NAME(bp_kernels) *kernels, double clip_norm, real *g, size_t count)
{
    double factor = 1, length = sqrt(kernels->sum_squares(g, count));
    if (!(length - length == 0)) {
        factor = BITS == 32 ? 0x1p-80 : 0x1p-600;
        kernels->penalize(g, g, (real)factor, 0, 0, count);
        length = sqrt(kernels->sum_squares(g, count));
    }
    return length > clip_norm * factor ? clip_norm / length : 1 / factor;
}

/* The factor of a batch's summed gradient in a step of plain descent. */
static real NAME(descent_step)(const bp_training *training)
{
    return (real)(-NAME(rate_of)(training) / training->batch_weight);
}

/* One update by the rule. Returns the penalty before it. */
static double NAME(update_by_rule)(NAME(pass) *pass, const bp_training *training, real *parameters,
                           real *moments)
{
    NAME(context) *context = &pass->context;
    const bp_network *net = pass->net;
    const bp_rule *rule = training->rule;
    real *gradient = pass->at.gradient;
    const double factor = rule->penalty_of_sum ? 1 / training->batch_weight : 1;
    const double penalty = NAME(penalty)(context->kernels, net, rule, parameters, factor);
    NAME(bp_update) how = NAME(plan_update)(training, factor);
    if (rule->l1 > 0 || rule->clip_norm > 0) {
        NAME(penalize_gradient)(context->kernels, net, &how, (real)(rule->l1 * factor), parameters,
                                gradient);
        how.scale = 1;
        how.l2 = 0;
    }
    if (rule->clip_norm > 0)
        how.scale = (real)NAME(clip)(context->kernels, rule->clip_norm, gradient,
                                     network_parameters(net));
    NAME(update_all)(context, net, rule->optimizer, &how, parameters, gradient, moments);
    if (rule->max_norm > 0)
        NAME(limit_norms)(context->kernels, net, rule->max_norm, parameters, &pass->at);
    return penalty;
}

/* One update by the sum of gradients in the workspace, which is used up. Returns the penalty before
 * it. */
static double NAME(update)(NAME(pass) *pass, const bp_training *training, real *parameters,
                           real *moments)
{
    if (training->rule) return NAME(update_by_rule)(pass, training, parameters, moments);
    NAME(axpy)(&pass->context, parameters, NAME(descent_step)(training), pass->at.gradient,
               network_parameters(pass->net));
    return 0;
}

/* Counts a batch that has ended, and its penalties. */
static void NAME(count_batch)(bp_training *training, double loss, double penalty, size_t rows)
{
    const double count = training->rows_count ? (double)rows : 1;
    training->epoch_loss += loss * count;
    training->epoch_penalty += penalty * count;
    training->counted += count;
    training->batches++;
    training->step++;
}

/* Ends an epoch, and begins the next one where there is another. */
static void NAME(end_epoch)(bp_training *training)
{
    const double counted = training->batches ? training->counted : 1;
    const size_t epoch = training->epoch;
    if (training->losses) training->losses[epoch] = training->epoch_loss / counted;
    if (training->penalties) training->penalties[epoch] = training->epoch_penalty / counted;
    training->epoch++;
    if (training->epoch == training->epochs) return;
    training->row = training->batches = 0;
    training->epoch_loss = training->epoch_penalty = training->counted = 0;
}
