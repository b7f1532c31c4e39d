/* results_template.h: seeded computations of every public function, as hashes of their bits.
 *
 * Parameters: real, F(name) (name_f32 | name_f64). Inputs are read-only and, like outputs and
 * workspaces, between guard pages; workspaces have exactly the size that is asked for.
 */

/* Numbers of [-scale, scale), a function of the seed: exact in the precision, free of libm. */
static real *F(numbers)(size_t count, uint64_t seed, double scale)
{
    real *x = guarded(count * sizeof(real));
    const int bits = sizeof(real) == 4 ? 24 : 53;
    uint64_t state = random_bits(seed, 0, count); /* Goes on as Knuth's MMIX generator. */
    for (size_t i = 0; i < count; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        double unit = (double)(state >> (64 - bits)) / (double)(UINT64_C(1) << bits);
        x[i] = (real)(scale * (2 * unit - 1));
    }
    return x;
}

static uint64_t F(hash)(uint64_t hash, const real *x, size_t count)
{
    return hash_numbers(hash, x, count, sizeof(real));
}

/* ---- Products -------------------------------------------------------------------------------- */

/* C += A B for one shape, with A and B row-major, transposed or upside down, and a margin between
 * the rows of C that must stay as it is. */
static uint64_t F(product)(const bp_execution *how, size_t m, size_t n, size_t k, int layout)
{
    const size_t margin = (size_t)layout % 3, c_row = n + margin;
    const real *A = F(numbers)(m * k, 1, 2), *B = F(numbers)(k * n, 2, 2);
    ptrdiff_t a_row = (ptrdiff_t)k, a_column = 1, b_row = (ptrdiff_t)n, b_column = 1;
    size_t bytes;
    if (layout & 1) a_row = 1, a_column = (ptrdiff_t)m;
    if (layout & 2) b_row = 1, b_column = (ptrdiff_t)k;
    if (layout & 4 && m && k) A += (ptrdiff_t)(m - 1) * a_row, a_row = -a_row;
    if (layout & 4 && n && k) B += (ptrdiff_t)(n - 1) * b_column, b_column = -b_column;
    freeze();
    const size_t elements = m ? (m - 1) * c_row + n : 0;
    real *C = guarded(elements * sizeof(real));
    for (size_t i = 0; i < elements; i++) C[i] = i % c_row < n ? (real)i : (real)-77;
    EXPECT(BP_OK, F(bp_matmul_workspace_size)(how, m, n, k, &bytes));
    EXPECT(BP_OK, F(bp_matmul)(how, m, n, k, A, a_row, a_column, B, b_row, b_column, C, c_row,
                               workspace(bytes), bytes));
    int kept = 1;
    for (size_t i = 0; i < elements; i++) kept &= i % c_row < n || C[i] == (real)-77;
    CHECK(kept);
    uint64_t hash = F(hash)(FNV_START, C, elements);
    release();
    return hash;
}

static uint64_t F(products)(const bp_execution *how)
{
    static const size_t shapes[][3] = {
        {0, 3, 2}, {3, 0, 2},  {3, 2, 0},  {1, 1, 1},    {1, 33, 5},   {33, 1, 5},   {2, 3, 300},
        {3, 2, 9}, {4, 2, 7},  {5, 3, 7},  {6, 8, 11},   {7, 9, 17},   {12, 16, 5},  {13, 17, 40},
        {14, 32, 3}, {15, 31, 65}, {29, 35, 20}, {40, 7, 530}, {7, 65, 260}, {20, 20, 1030},
        {260, 259, 4}, {259, 2, 33}, {3, 300, 12}, {70, 90, 270}, {2000, 3, 2}, {3, 2000, 2},
    };
    uint64_t hash = FNV_START;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int layout = 0; layout < 8; layout++) {
            uint64_t one = F(product)(how, shapes[s][0], shapes[s][1], shapes[s][2], layout);
            hash = hash_numbers(hash, &one, 1, sizeof one);
        }
    return hash;
}

/* ---- Functions ------------------------------------------------------------------------------- */

static uint64_t F(functions)(const bp_execution *how)
{
    const double range = sizeof(real) == 4 ? 100 : 800;
    uint64_t hash = FNV_START;
    for (size_t count = 0; count < 200; count += count < 40 ? 1 : 53)
        for (int function = 0; function < 3; function++) {
            real *x = F(numbers)(count, (uint64_t)function, range);
            for (size_t i = 0; i < count; i++)
                if (function && (x[i] > 0) == (function == 2)) x[i] = -x[i];
            bp_status (*apply[])(const bp_execution *, real *, size_t) = {
                F(bp_exp), F(bp_log), F(bp_log1p_exp)};
            size_t first = 0;
            EXPECT(BP_OK, F(bp_first_nonfinite)(how, x, count, &first));
            CHECK(first == count);
            EXPECT(BP_OK, apply[function](how, x, count));
            hash = F(hash)(hash, x, count);
            release();
        }
    return hash;
}

static uint64_t F(activations)(const bp_execution *how)
{
    uint64_t hash = FNV_START;
    for (int g = 0; g < BP_ACTIVATION_COUNT; g++)
        for (size_t columns = 0; columns < 70; columns += columns < 36 ? 1 : 33)
            for (size_t rows = 0; rows < 4; rows++) {
                const size_t count = rows * columns;
                real *A = F(numbers)(count, 3, 9);
                EXPECT(BP_OK, F(bp_activate)(how, g, rows, columns, A));
                freeze();
                real *dA = F(numbers)(count, 4, 2), *derivative = F(numbers)(count, 4, 2);
                real *Z = F(numbers)(count, 3, 9);
                const int untold = g == BP_SILU || g == BP_GELU;
                EXPECT(untold ? BP_BAD_ARGUMENT : BP_OK,
                       F(bp_activation_backward)(how, g, rows, columns, A, dA));
                hash = F(hash)(F(hash)(hash, A, count), dA, count);
                if (g != BP_SOFTMAX) {
                    EXPECT(BP_OK, F(bp_activate_derivative)(how, g, rows, columns, Z, derivative));
                    CHECK(memcmp(Z, A, count * sizeof *A) == 0);
                    hash = F(hash)(hash, derivative, count);
                }
                release();
            }
    return hash;
}

/* ---- Layers and networks --------------------------------------------------------------------- */

static uint64_t F(layers)(const bp_execution *how)
{
    static const size_t shapes[][3] = {{0, 3, 2},  {1, 1, 1},   {1, 7, 5},   {2, 5, 33}, {13, 4, 1},
                                       {15, 9, 7}, {31, 37, 3}, {40, 17, 20}, {5, 2, 71}};
    uint64_t hash = FNV_START;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const size_t N = shapes[s][0], I = shapes[s][1], O = shapes[s][2];
        const real *X = F(numbers)(N * I, 5, 2), *W = F(numbers)(I * O, 6, 1);
        const real *b = F(numbers)(O, 7, 1), *delta = F(numbers)(N * O, 8, 1);
        size_t bytes;
        freeze();
        real *Z = guarded(N * O * sizeof(real)), *A = guarded(N * O * sizeof(real));
        real *dW = guarded(I * O * sizeof(real)), *db = guarded(O * sizeof(real));
        real *dX = guarded(N * I * sizeof(real));
        EXPECT(BP_OK, F(bp_dense_workspace_size)(how, N, I, O, &bytes));
        void *work = workspace(bytes);
        EXPECT(BP_OK, F(bp_dense_forward)(how, BP_TANH, N, I, O, X, W, b, Z, A, work, bytes));
        EXPECT(BP_OK, F(bp_dense_backward)(how, N, I, O, X, W, delta, dW, db, dX, work, bytes));
        hash = F(hash)(F(hash)(hash, Z, N * O), A, N * O);
        hash = F(hash)(F(hash)(F(hash)(hash, dW, I * O), db, O), dX, N * I);
        release();
    }
    return hash;
}

/* What a subject is given; all of it is frozen. */
typedef struct F(task) {
    const bp_execution *how;
    const bp_network *net;
    size_t P, I, O, N;
    const real *parameters, *X, *Y;
} F(task);

typedef uint64_t F(network_subject)(const F(task) * t);

/* A workspace of just the size that `rows` rows of X need. */
static void *F(workspace_of)(const F(task) * t, const F(bp_input) * X, size_t rows, size_t *bytes)
{
    const size_t row_nonzeros = X->dense ? 0 : X->row_nonzeros;
    EXPECT(BP_OK, F(bp_workspace_size)(t->net, t->how, rows, row_nonzeros, bytes));
    return workspace(*bytes);
}

/* Forward, loss and gradient. */
static uint64_t F(passes_of)(const F(task) * t, const F(bp_input) * X)
{
    real *A[2] = {guarded(t->N * t->O * sizeof(real)), guarded(t->N * t->O * sizeof(real))};
    real *gradient = guarded(t->P * sizeof(real));
    double losses[3];
    size_t b;
    EXPECT(BP_OK, F(bp_forward_size)(t->net, t->how, t->N, &b));
    const size_t budget = row_budget_of(t->how);
    void *work = workspace(b);
    size_t row = 0;
    do {
        EXPECT(BP_OK, F(bp_forward)(t->net, t->how, t->parameters, X, t->N, &row, budget, A[0],
                                    work, b));
    } while (row < t->N);
    EXPECT(BP_OK, F(bp_mean_loss_size)(t->net, t->how, t->N, &b));
    work = workspace(b);
    row = 0;
    EXPECT(BP_OK, F(bp_mean_loss)(t->net, t->how, t->parameters, X, t->Y, t->N, &row, t->N, NULL,
                                  &losses[0], work, b));
    row = 0;
    do {
        EXPECT(BP_OK, F(bp_mean_loss)(t->net, t->how, t->parameters, X, t->Y, t->N, &row, budget,
                                      A[1], &losses[2], work, b));
    } while (row < t->N);
    row = 0;
    work = F(workspace_of)(t, X, t->N, &b);
    do {
        EXPECT(BP_OK, F(bp_gradient)(t->net, t->how, t->parameters, X, t->Y, t->N, &row,
                                     budget, gradient, &losses[1], work, b));
    } while (row < t->N);
    CHECK(row == t->N);
    CHECK(losses[0] == losses[1] && losses[0] == losses[2]);
    CHECK(memcmp(A[0], A[1], t->N * t->O * sizeof(real)) == 0);
    uint64_t hash = F(hash)(F(hash)(FNV_START, A[0], t->N * t->O), gradient, t->P);
    return hash_numbers(hash, losses, 2, sizeof *losses);
}

static uint64_t F(passes)(const F(task) * t)
{
    const F(bp_input) X = {.dense = t->X};
    return F(passes_of)(t, &X);
}

/* The training to its end, in slices of so many rows. */
static void F(finish)(const F(task) * t, const F(bp_input) * X, bp_training *training,
                      real *parameters, real *moments, const size_t *order, size_t row_budget)
{
    size_t bytes;
    void *work = F(workspace_of)(t, X, training->batch_rows, &bytes);
    bp_status status = BP_OK;
    while (!status && training->epoch < training->epochs) {
        status = F(bp_train)(t->net, t->how, parameters, moments, X, t->Y, t->N, order, training,
                             row_budget, work, bytes);
        EXPECT(BP_OK, status);
    }
}

/* Three epochs, the rows shuffled in every second one, each a call of its own with slices. */
static uint64_t F(epochs_of)(const F(task) * t, const F(bp_input) * X, size_t batch_rows)
{
    real *parameters = guarded(t->P * sizeof(real));
    size_t *order = guarded(t->N * sizeof *order);
    uint64_t hash = FNV_START;
    memcpy(parameters, t->parameters, t->P * sizeof(real));
    for (uint64_t epoch = 0; epoch < 3; epoch++) {
        bp_training training = {.batch_rows = batch_rows, .learning_rate = 0.05, .epochs = 1};
        EXPECT(BP_OK, bp_shuffle(order, t->N, 7, epoch));
        F(finish)(t, X, &training, parameters, NULL, epoch % 2 ? order : NULL,
                  row_budget_of(t->how));
        CHECK(training.batches == (t->N + batch_rows - 1) / batch_rows);
        hash = hash_numbers(hash, &training.epoch_loss, 1, sizeof training.epoch_loss);
    }
    return F(hash)(hash, parameters, t->P);
}

static uint64_t F(full_batch)(const F(task) * t)
{
    const F(bp_input) X = {.dense = t->X};
    return F(epochs_of)(t, &X, t->N);
}

static uint64_t F(mini_batches)(const F(task) * t)
{
    const F(bp_input) X = {.dense = t->X};
    return F(epochs_of)(t, &X, mini_batch(t->N));
}

/* ---- Over networks --------------------------------------------------------------------------- */

typedef struct F(network_of_four) {
    size_t layers, sizes[5];
    int activations[4], loss;
} F(network_of_four);

/* One subject on one network with the rows in blocks of `block_rows`. A `density` below 1 leaves
 * zeros in X, and nothing else in every fifth row. */
static uint64_t F(network)(const bp_execution *how, F(network_subject) * subject,
                           const F(network_of_four) * shape, size_t N, size_t block_rows,
                           double density)
{
    bp_network net = {shape->layers, shape->sizes, shape->activations, shape->loss, 0,
                      NULL};
    const size_t I = net.sizes[0], O = net.sizes[net.layers];
    bp_execution cut = *how;
    size_t P;
    cut.block_rows = block_rows;
    EXPECT(BP_OK, bp_parameter_count(&net, &P));
    const real *parameters = F(numbers)(P, 9, 0.5);
    real *X = F(numbers)(N * I, 10, 1), *Y = F(numbers)(N * O, 11, 1);
    for (size_t i = 0; density < 1 && i < N * I; i++)
        if (i / I % 5 == 3 || (double)(random_bits(12, 0, i) >> 11) * 0x1p-53 >= density) X[i] = 0;
    for (size_t i = 0; i < N * O; i++)
        if (net.loss != BP_MSE) Y[i] = Y[i] < 0 ? 0 : 1; /* Need not sum to 1. */
    freeze();
    const F(task) task = {&cut, &net, P, I, O, N, parameters, X, Y};
    uint64_t hash = subject(&task);
    release();
    return hash;
}

static const size_t F(row_counts)[] = {1, 13, 86, 515};

/* A subject over several networks, numbers of rows and block sizes. Blocks leave no trace, so the
 * hash is of one block size and the others are compared with it; with threads there is one, of
 * which the last block is a part. */
static uint64_t F(networks)(const bp_execution *how, F(network_subject) * subject,
                            const F(network_of_four) * nets, size_t count, double density)
{
    static const size_t blocks[] = {0, 3, 100};
    uint64_t hash = FNV_START;
    for (size_t n = 0; n < count; n++)
        for (size_t r = 0; r < sizeof F(row_counts) / sizeof *F(row_counts); r++) {
            const size_t N = F(row_counts)[r];
            uint64_t first = 0;
            for (size_t b = 0; b < (how->threads > 1 ? 1 : 3); b++) {
                const size_t block = how->threads > 1 ? 100 : blocks[b];
                uint64_t one = F(network)(how, subject, &nets[n], N, block, density);
                if (b == 0) first = one;
                CHECK(one == first);
            }
            hash = hash_numbers(hash, &first, 1, sizeof first);
        }
    return hash;
}

static uint64_t F(dense_networks)(const bp_execution *how, F(network_subject) * subject)
{
    static const F(network_of_four) nets[] = {
        {1, {1, 1}, {BP_SIGMOID}, BP_BCE},
        {1, {5, 7}, {BP_IDENTITY}, BP_MSE},
        {2, {9, 5, 1}, {BP_SIGMOID, BP_SIGMOID}, BP_BCE},
        {3, {3, 17, 33, 10}, {BP_RELU, BP_TANH, BP_SOFTMAX}, BP_CROSS_ENTROPY},
        {2, {20, 6, 3}, {BP_TANH, BP_SOFTMAX}, BP_MSE},
    };
    return F(networks)(how, subject, nets, sizeof nets / sizeof *nets, 1);
}
