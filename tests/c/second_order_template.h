/* second_order_template.h: gradients from outside, outputs of layers, Jacobians, linear systems and
 * scalar products. Parameters: real, F(name). Comes before sparse_results_template.h, whose list of
 * subjects names those here.
 */

/* -0 becomes 0: terms with a factor of zero may be left out. */
static uint64_t F(hash_values)(uint64_t hash, real *x, size_t count)
{
    for (size_t i = 0; i < count; i++) x[i] += 0;
    return F(hash)(hash, x, count);
}

/* The targets serve as a gradient of outputs. */
static uint64_t F(outside_of)(const F(task) * t, const F(bp_input) * X)
{
    size_t width = 0, b;
    for (size_t l = 0; l < t->net->layers; l++) width += t->net->sizes[l + 1];
    real *gradient = guarded(t->P * sizeof(real)), *alone = guarded(t->P * sizeof(real));
    real *dX = guarded(t->N * t->I * sizeof(real));
    real *A = guarded(t->N * width * sizeof(real)), *deltas = guarded(t->N * width * sizeof(real));
    void *work = F(workspace_of)(t, X, t->N, &b);
    EXPECT(BP_OK, F(bp_backward)(t->net, t->how, t->parameters, X, t->Y, t->N, gradient, dX, work,
                                 b));
    EXPECT(BP_OK, F(bp_backward)(t->net, t->how, t->parameters, X, t->Y, t->N, alone, NULL, work,
                                 b));
    CHECK(memcmp(gradient, alone, t->P * sizeof(real)) == 0);
    EXPECT(BP_OK,
           F(bp_layer_outputs)(t->net, t->how, t->parameters, X, t->Y, t->N, A, deltas, work, b));
    uint64_t hash = F(hash_values)(FNV_START, gradient, t->P);
    hash = F(hash_values)(F(hash_values)(hash, dX, t->N * t->I), A, t->N * width);
    return F(hash_values)(hash, deltas, t->N * width);
}

/* A few rows in the middle: J is large. */
static uint64_t F(jacobian_of)(const F(task) * t, const F(bp_input) * X)
{
    const size_t row = t->N / 2, rows = t->N - row < 7 ? t->N - row : 7, count = rows * t->O;
    real *A = guarded(count * sizeof(real)), *J = guarded(count * t->P * sizeof(real));
    size_t b;
    void *work = F(workspace_of)(t, X, rows, &b);
    EXPECT(BP_OK, F(bp_parameter_jacobian)(t->net, t->how, t->parameters, X, row, rows, A, J, work,
                                           b));
    return F(hash_values)(F(hash_values)(FNV_START, A, count), J, count * t->P);
}

static uint64_t F(outside)(const F(task) * t)
{
    const F(bp_input) X = {.dense = t->X};
    return F(outside_of)(t, &X) ^ F(jacobian_of)(t, &X);
}

/* (A + diagonal) x = b, with A nearly singular without it; and x b. */
static uint64_t F(systems)(const bp_execution *how)
{
    static const size_t orders[] = {1, 2, 17, 63, 64, 65, 200};
    uint64_t hash = FNV_START;
    for (size_t s = 0; s < sizeof orders / sizeof *orders; s++) {
        const size_t n = orders[s];
        const real *u = F(numbers)(n, 1, 1), *diagonal = F(numbers)(n, 2, 0.1);
        real *A = guarded(n * n * sizeof(real)), *x = F(numbers)(n, 3, 1);
        size_t bytes;
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++) A[i * n + j] = u[i] * u[j];
        for (size_t i = 0; i < n; i++) A[i * n + i] += 1;
        EXPECT(BP_OK, F(bp_cholesky_workspace_size)(how, n, &bytes));
        EXPECT(BP_OK, F(bp_cholesky_solve)(how, n, A, 0.5, s % 2 ? NULL : diagonal, x,
                                           workspace(bytes), bytes));
        const double product = F(bp_dot)(x, u, n);
        hash = hash_numbers(F(hash)(hash, x, n), &product, 1, sizeof product);
        release();
    }
    return hash;
}

/* ---- Refusals -------------------------------------------------------------------------------- */

static void F(refuse_passes)(void)
{
    F(ground) g;
    F(prepare)(&g);
    const F(bp_input) *X = &g.X, none = {0};
    real *o = g.out, *p = g.p, *Y = g.Y;
    void *w = g.work;
    const size_t b = g.bytes;
#define BACK(p, X, dA, w, b) F(bp_backward)(&g.net, &g.how, p, X, dA, 5, o, NULL, w, b)
    EACH_NULL(4)
        EXPECT(BP_NULL_POINTER, BACK(UNLESS(0, p), UNLESS(1, X), UNLESS(2, Y), UNLESS(3, w), b));
    EXPECT(BP_NULL_POINTER, BACK(p, &none, Y, w, b));
    EXPECT(BP_WORKSPACE_TOO_SMALL, BACK(p, X, Y, w, b - 1));
#undef BACK
#define LAYERS(p, X, Y, d, w, b) F(bp_layer_outputs)(&g.net, &g.how, p, X, Y, 5, NULL, d, w, b)
    EXPECT(BP_NULL_POINTER, LAYERS(NULL, X, Y, o, w, b));
    EXPECT(BP_NULL_POINTER, LAYERS(p, &none, Y, o, w, b));
    EXPECT(BP_NULL_POINTER, LAYERS(p, X, NULL, o, w, b));
    EXPECT(BP_WORKSPACE_TOO_SMALL, LAYERS(p, X, Y, o, w, b - 1));
    EXPECT(BP_OK, LAYERS(p, X, NULL, NULL, w, b));
#undef LAYERS
#define ROWS(p, X, row, N, A, J, w, b) \
    F(bp_parameter_jacobian)(&g.net, &g.how, p, X, row, N, A, J, w, b)
    EXPECT(BP_NULL_POINTER, ROWS(NULL, X, 0, 5, o, o, w, b));
    EXPECT(BP_NULL_POINTER, ROWS(p, &none, 0, 5, o, o, w, b));
    EXPECT(BP_NULL_POINTER, ROWS(p, X, 0, 5, NULL, o, w, b));
    EXPECT(BP_NULL_POINTER, ROWS(p, X, 0, 5, o, NULL, w, b));
    EXPECT(BP_TOO_LARGE, ROWS(p, X, SIZE_MAX, 5, o, o, w, b));
    EXPECT(BP_WORKSPACE_TOO_SMALL, ROWS(p, X, 0, 5, o, o, w, b - 1));
    EXPECT(BP_OK, ROWS(p, X, 5, 0, NULL, NULL, w, b));
#undef ROWS
    release();
}

static void F(refuse_systems)(void)
{
    const bp_execution good = {.isa = BP_ISA_DEFAULT}, unknown = {.isa = BP_ISA_COUNT};
    const bp_execution *how = &good;
    real *A = guarded(9 * sizeof(real)), *x = F(numbers)(3, 1, 1);
    size_t b, ignored;
    EXPECT(BP_OK, F(bp_cholesky_workspace_size)(how, 3, &b));
    void *w = workspace(b);
    EXPECT(BP_NULL_POINTER, F(bp_cholesky_workspace_size)(NULL, 3, &ignored));
    EXPECT(BP_NULL_POINTER, F(bp_cholesky_workspace_size)(how, 3, NULL));
    EXPECT(BP_ISA_UNAVAILABLE, F(bp_cholesky_workspace_size)(&unknown, 3, &ignored));
    EXPECT(BP_TOO_LARGE, F(bp_cholesky_workspace_size)(how, SIZE_MAX / 16 + 1, &ignored));
#define SOLVE(n, A, x, w, b) F(bp_cholesky_solve)(how, n, A, 0, NULL, x, w, b)
    memset(A, 0xff, 9 * sizeof(real)); /* NaN */
    EXPECT(BP_NOT_POSITIVE, SOLVE(3, A, x, w, b));
    for (size_t i = 0; i < 9; i++) A[i] = 1;
    EXPECT(BP_NOT_POSITIVE, SOLVE(3, A, x, w, b));
    freeze();
    EACH_NULL(3) EXPECT(BP_NULL_POINTER, SOLVE(3, UNLESS(0, A), UNLESS(1, x), UNLESS(2, w), b));
    EXPECT(BP_WORKSPACE_TOO_SMALL, SOLVE(3, A, x, w, b - 1));
    EXPECT(BP_OK, SOLVE(0, NULL, NULL, NULL, 0));
    CHECK(F(bp_dot)(NULL, NULL, 0) == 0);
#undef SOLVE
    release();
}

static void F(refuse_second_order)(void)
{
    F(refuse_passes)();
    F(refuse_systems)();
}
