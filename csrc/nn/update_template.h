/* update_template.h: from a batch's gradient to new parameters. Parameter: BITS.
 *
 * The gradient is a sum over the batch's rows, the update wants the mean's: the factor is folded
 * into whatever reads the gradient first. Weights and biases are updated apart, since penalties are
 * for weights alone.
 */

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

/* The learning rate of the next update. */
static double NAME(rate_of)(const bp_training *training)
{
    const double after = (double)training->step + 1, rise = (double)training->warmup_steps;
    return after < rise ? training->learning_rate * (after / rise) : training->learning_rate;
}

/* What the penalties add to the loss of a batch; `share` of them. */
static double NAME(penalty)(const NAME(bp_kernels) *kernels, const bp_network *net,
                            const bp_rule *rule, const real *parameters, double share)
{
    double total = 0;
    if (rule->l2 == 0 && rule->l1 == 0) return 0;
    for (size_t l = 0; l < net->layers; l++) {
        const size_t weights = net->sizes[l] * net->sizes[l + 1];
        if (rule->l2 > 0) total += rule->l2 / 2 * kernels->sum_squares(parameters, weights);
        if (rule->l1 > 0) total += rule->l1 * kernels->sum_magnitudes(parameters, weights);
        parameters += weights + net->sizes[l + 1];
    }
    return total * share;
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

static void NAME(update_share)(void *argument, size_t share, size_t shares)
{
    const NAME(update_job) *job = argument;
    size_t at, count = share_of(job->count, CACHE_LINE / sizeof(real), share, shares, &at);
    job->kernels->update[job->optimizer](job->how, job->w + at, job->g + at,
                                         job->first ? job->first + at : NULL,
                                         job->second ? job->second + at : NULL, count);
}

static void NAME(update_range)(const NAME(context) *context, NAME(update_job) job)
{
    if (job.count < context->shared_work)
        NAME(update_share)(&job, 0, 1);
    else
        bp_team_run(context->team, NAME(update_share), &job);
}

/* Every layer's weights, and its biases, which have neither penalties nor decay. */
static void NAME(update_all)(const NAME(context) *context, const bp_network *net, int optimizer,
                             const NAME(bp_update) *how, real *parameters, const real *gradient,
                             real *moments)
{
    const size_t count = network_parameters(net), kept = bp_moment_count(optimizer);
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
        NAME(update_range)(context, job);
        job.how = &how_biases;
        job.w += weights;
        job.g += weights;
        if (job.first) job.first += weights;
        if (job.second) job.second += weights;
        job.count = O;
        NAME(update_range)(context, job);
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
static NAME(bp_update) NAME(plan_update)(const bp_training *training, double share)
{
    const bp_rule *rule = training->rule;
    const double rate = NAME(rate_of)(training);
    NAME(bp_update) how = {.rate = (real)rate,
                           .scale = (real)(1 / training->batch_weight),
                           .l2 = (real)(rule->l2 * share),
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

/* One update by the sum of gradients in at->gradient, which is used up. Returns the penalty before
 * it. */
static double NAME(update)(const NAME(context) *context, const bp_network *net,
                           const NAME(workspace) *at, const bp_training *training, real *parameters,
                           real *moments)
{
    const NAME(bp_kernels) *kernels = context->kernels;
    const bp_rule *rule = training->rule;
    const double share = rule->penalty_of_sum ? 1 / training->batch_weight : 1;
    const double penalty = NAME(penalty)(kernels, net, rule, parameters, share);
    NAME(bp_update) how = NAME(plan_update)(training, share);
    if (rule->l1 > 0 || rule->clip_norm > 0) {
        NAME(penalize_gradient)(kernels, net, &how, (real)(rule->l1 * share), parameters,
                                at->gradient);
        how.scale = 1;
        how.l2 = 0;
    }
    if (rule->clip_norm > 0)
        how.scale =
            (real)NAME(clip)(kernels, rule->clip_norm, at->gradient, network_parameters(net));
    NAME(update_all)(context, net, rule->optimizer, &how, parameters, at->gradient, moments);
    if (rule->max_norm > 0) NAME(limit_norms)(kernels, net, rule->max_norm, parameters, at);
    return penalty;
}
