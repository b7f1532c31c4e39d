/* optimizers_template.h: training by every rule, with penalties, norms, dropout, weights of rows
 * and the functions and losses that the other subjects leave out; and what is refused of them.
 *
 * Parameters: real, F(name).
 */

/* A network with its numbers. */
typedef struct F(lesson) {
    size_t layers, sizes[5];
    int activations[4], loss;
    double loss_parameter, dropout[3];
} F(lesson);

/* Everything at once; of an optimizer below 0, nothing but dropout and weights. */
static bp_rule F(rule_of)(int optimizer)
{
    return (bp_rule){.optimizer = optimizer,
                     .momentum = 0.75,
                     .decay = 0.875,
                     .epsilon = 1e-3,
                     .epsilon_inside = optimizer % 2,
                     .weight_decay = 0.25,
                     .shrink = 0.5,
                     .grow = 1.25,
                     .least_step = 1e-4,
                     .most_step = 0.125,
                     .l2 = 0.0625,
                     .l1 = 0.03125,
                     .penalty_of_sum = 1,
                     .clip_norm = 0.5,
                     .max_norm = 1};
}

/* Two epochs in slices; the hash of all that they leave. */
static uint64_t F(two_epochs)(const F(task) * t, const F(bp_input) * X, int optimizer,
                              size_t batch_rows)
{
    const bp_rule rule = F(rule_of)(optimizer);
    const size_t kept = optimizer < 0 ? 0 : bp_moment_count(optimizer), count = kept * t->P;
    real *parameters = guarded(t->P * sizeof(real)), *moments = guarded(count * sizeof(real));
    double *losses = guarded(4 * sizeof *losses);
    bp_training training = {.batch_rows = batch_rows, .learning_rate = 0.05,
                            .rule = optimizer < 0 ? NULL : &rule, .warmup_steps = 3,
                            .rows_count = 1, .seed = 17, .first_epoch = 5, .epochs = 2,
                            .losses = losses, .penalties = losses + 2};
    memcpy(parameters, t->parameters, t->P * sizeof(real));
    for (size_t i = 0; i < count; i++) moments[i] = (real)(i < t->P ? 0 : 0.0078125);
    F(finish)(t, X, &training, parameters, kept ? moments : NULL, NULL, row_budget_of(t->how));
    CHECK(training.step > 0 && (optimizer < 0) == (losses[2] == 0));
    uint64_t hash = F(hash)(F(hash)(FNV_START, parameters, t->P), moments, count);
    return hash_numbers(hash, losses, 4, sizeof *losses);
}

/* One rule, one network: small batches and the full one, dense and sparse, whole and in blocks. */
static uint64_t F(optimized)(const bp_execution *how, const F(lesson) * lesson, int optimizer)
{
    const size_t N = 37, I = lesson->sizes[0], O = lesson->sizes[lesson->layers];
    const bp_network net = {lesson->layers, lesson->sizes,          lesson->activations,
                            lesson->loss,   lesson->loss_parameter, lesson->dropout};
    uint64_t hash = FNV_START;
    for (size_t blocks = 0; blocks < 2; blocks++)
        for (size_t batch = 10; batch <= N; batch += N - 10) {
            bp_execution cut = *how;
            size_t P;
            cut.block_rows = 4 * blocks;
            EXPECT(BP_OK, bp_parameter_count(&net, &P));
            const real *parameters = F(numbers)(P, 21, 0.5);
            real *X = F(numbers)(N * I, 22, 1), *Y = F(numbers)(N * O, 23, 1);
            real *weights = F(numbers)(N, 24, 1);
            for (size_t i = 0; i < N * I; i++) X[i] = X[i] < 0 ? 0 : X[i];
            for (size_t i = 0; i < N * O; i++)
                if (net.loss == BP_POISSON) Y[i] = Y[i] < 0 ? 0 : 1;
            for (size_t i = 0; i < N; i++) weights[i] = weights[i] < 0 ? 0 : weights[i];
            freeze();
            const F(task) task = {&cut, &net, P, I, O, N, parameters, X, Y};
            F(bp_input) entries = F(entries_of)(&task), dense = {.dense = X};
            entries.weights = dense.weights = weights;
            uint64_t one = F(two_epochs)(&task, &dense, optimizer, batch);
            CHECK(F(two_epochs)(&task, &entries, optimizer, batch) == one);
            release();
            hash = hash_numbers(hash, &one, 1, sizeof one);
        }
    return hash;
}

static uint64_t F(optimizers)(const bp_execution *how)
{
    static const F(lesson) lessons[] = {
        {2, {5, 7, 3}, {BP_GELU, BP_IDENTITY}, BP_HUBER, 0.5, {0.25}},
        {3, {40, 17, 9, 4}, {BP_SILU, BP_ELU, BP_SOFTPLUS}, BP_QUANTILE, 0.25, {0.25, 0.5}},
        {2, {9, 33, 2}, {BP_SELU, BP_EXP}, BP_POISSON, 0, {0.375}},
        {1, {21, 3}, {BP_LEAKY_RELU}, BP_MAE, 0, {0}},
    };
    uint64_t hash = FNV_START;
    for (size_t n = 0; n < sizeof lessons / sizeof *lessons; n++)
        for (int optimizer = -1; optimizer < BP_OPTIMIZER_COUNT; optimizer++) {
            uint64_t one = F(optimized)(how, &lessons[n], optimizer);
            hash = hash_numbers(hash, &one, 1, sizeof one);
        }
    return hash;
}

/* ---- Refusals -------------------------------------------------------------------------------- */

static bp_status F(train_by)(const F(ground) * g, bp_rule rule)
{
    const bp_training training = {
        .batch_rows = 5, .learning_rate = 0.1, .epochs = 1, .rule = &rule};
    return F(train_on_five)(g, &g->X, g->Y, NULL, training);
}

/* No number of a rule may be negative, infinite or NaN, whoever uses it. */
static void F(refuse_numbers)(const F(ground) * g, int optimizer)
{
    const double infinity = 1e308 * 10;
    const double bad[] = {-1, infinity, -infinity, infinity - infinity};
    bp_rule rule = F(rule_of)(optimizer);
    double *numbers[] = {&rule.momentum, &rule.decay, &rule.epsilon,   &rule.weight_decay,
                         &rule.l2,       &rule.l1,    &rule.clip_norm, &rule.max_norm};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        for (size_t j = 0; j < sizeof bad / sizeof *bad; j++) {
            const double good = *numbers[i];
            *numbers[i] = bad[j];
            EXPECT(BP_BAD_ARGUMENT, F(train_by)(g, rule));
            *numbers[i] = good;
        }
    if (bp_moment_count(optimizer)) EXPECT(BP_NULL_POINTER, F(train_by)(g, rule));
}

static void F(refuse_rules)(void)
{
    F(ground) g;
    F(prepare)(&g);
    for (int optimizer = 0; optimizer < BP_OPTIMIZER_COUNT; optimizer++)
        F(refuse_numbers)(&g, optimizer);
    bp_rule r;
#define REFUSED(kind, change) \
    r = F(rule_of)(kind), change; \
    EXPECT(BP_BAD_ARGUMENT, F(train_by)(&g, r))
    REFUSED(BP_SGD, r.optimizer = -1);
    REFUSED(BP_SGD, r.optimizer = BP_OPTIMIZER_COUNT);
    REFUSED(BP_MOMENTUM, r.momentum = 1);
    REFUSED(BP_ADAM, r.momentum = 1 - 1e-17);
    REFUSED(BP_RMSPROP, r.decay = 1);
    REFUSED(BP_RMSPROP, r.epsilon = 0);
    REFUSED(BP_ADAM, r.epsilon = 1e-310);
    REFUSED(BP_RPROP, r.shrink = 0);
    REFUSED(BP_RPROP, r.shrink = 1);
    REFUSED(BP_RPROP, r.grow = 1);
    REFUSED(BP_RPROP, r.least_step = 0);
    REFUSED(BP_RPROP, r.least_step = 2 * r.most_step);
#undef REFUSED
    release();
}
