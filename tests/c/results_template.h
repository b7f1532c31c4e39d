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
    return hash_bytes(hash, x, count * sizeof(real));
}

/* ---- Products -------------------------------------------------------------------------------- */

/* C += A B for one shape, with A and B row-major, transposed or upside down, and a margin between
 * the rows of C that must stay as it is. */
static uint64_t F(product)(const bp_execution *how, size_t m, size_t n, size_t k, int layout)
{
    const size_t margin = layout % 3, c_row = n + margin;
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
            hash = hash_bytes(hash, &one, sizeof one);
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
            real *x = F(numbers)(count, function, range);
            for (size_t i = 0; i < count; i++)
                if (function && (x[i] > 0) == (function == 2)) x[i] = -x[i];
            bp_status (*apply[])(const bp_execution *, real *, size_t) = {
                F(bp_exp), F(bp_log), F(bp_log1p_exp)};
            CHECK(F(bp_first_nonfinite)(x, count) == count);
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
                real *dA = F(numbers)(count, 4, 2);
                EXPECT(BP_OK, F(bp_activation_backward)(how, g, rows, columns, A, dA));
                hash = F(hash)(F(hash)(hash, A, count), dA, count);
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

typedef uint64_t F(network_subject)(const bp_execution *how, const bp_network *net, size_t P,
                                    const real *parameters, const real *X, const real *Y, size_t N);

static uint64_t F(passes)(const bp_execution *how, const bp_network *net, size_t P,
                          const real *parameters, const real *X, const real *Y, size_t N)
{
    const size_t O = net->sizes[net->layers];
    real *A = guarded(N * O * sizeof(real)), *gradient = guarded(P * sizeof(real));
    double losses[2];
    size_t bytes;
    EXPECT(BP_OK, F(bp_workspace_size)(net, how, N, &bytes));
    void *work = workspace(bytes);
    EXPECT(BP_OK, F(bp_forward)(net, how, parameters, X, N, A, work, bytes));
    EXPECT(BP_OK, F(bp_mean_loss)(net, how, parameters, X, Y, N, &losses[0], work, bytes));
    EXPECT(BP_OK, F(bp_gradient)(net, how, parameters, X, Y, N, gradient, &losses[1], work, bytes));
    CHECK(losses[0] == losses[1]);
    return hash_bytes(F(hash)(F(hash)(FNV_START, A, N * O), gradient, P), losses, sizeof losses);
}

/* Three epochs, the rows shuffled in every second one, in slices of 5 rows. */
static uint64_t F(epochs)(const bp_execution *how, const bp_network *net, size_t P,
                          const real *start, const real *X, const real *Y, size_t N,
                          size_t batch_rows)
{
    real *parameters = guarded(P * sizeof(real));
    size_t *order = guarded(N * sizeof *order), bytes;
    uint64_t hash = FNV_START;
    memcpy(parameters, start, P * sizeof(real));
    EXPECT(BP_OK, F(bp_workspace_size)(net, how, batch_rows, &bytes));
    void *work = workspace(bytes);
    for (uint64_t epoch = 0; epoch < 3; epoch++) {
        bp_training training = {.batch_rows = batch_rows, .learning_rate = 0.05};
        EXPECT(BP_OK, bp_shuffle(order, N, 7, epoch));
        while (training.row < N) {
            bp_status status = F(bp_train)(net, how, parameters, X, Y, N, epoch % 2 ? order : NULL,
                                           &training, 5, work, bytes);
            EXPECT(BP_OK, status);
            if (status) break;
        }
        CHECK(training.batches == (N + batch_rows - 1) / batch_rows);
        hash = hash_bytes(hash, &training.epoch_loss, sizeof training.epoch_loss);
    }
    return F(hash)(hash, parameters, P);
}

static uint64_t F(full_batch)(const bp_execution *how, const bp_network *net, size_t P,
                              const real *parameters, const real *X, const real *Y, size_t N)
{
    return F(epochs)(how, net, P, parameters, X, Y, N, N);
}

static uint64_t F(mini_batches)(const bp_execution *how, const bp_network *net, size_t P,
                                const real *parameters, const real *X, const real *Y, size_t N)
{
    return F(epochs)(how, net, P, parameters, X, Y, N, N < 10 ? 1 : 10);
}

/* A subject over several networks, numbers of rows and block sizes. Blocks leave no trace, so the
 * hash is of the default block size and the others are compared with it. */
static uint64_t F(networks)(const bp_execution *how, F(network_subject) * subject)
{
    static const struct {
        size_t layers, sizes[4];
        int activations[3], loss;
    } nets[] = {
        {1, {1, 1}, {BP_SIGMOID}, BP_BCE},
        {1, {5, 7}, {BP_IDENTITY}, BP_MSE},
        {2, {9, 5, 1}, {BP_SIGMOID, BP_SIGMOID}, BP_BCE},
        {3, {3, 17, 33, 10}, {BP_RELU, BP_TANH, BP_SOFTMAX}, BP_CROSS_ENTROPY},
        {2, {20, 6, 3}, {BP_TANH, BP_SOFTMAX}, BP_MSE},
    };
    static const size_t rows[] = {1, 13, 86, 515};
    uint64_t hash = FNV_START;
    for (size_t n = 0; n < sizeof nets / sizeof *nets; n++)
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
            bp_network net = {nets[n].layers, nets[n].sizes, nets[n].activations, nets[n].loss};
            const size_t N = rows[r], I = net.sizes[0], O = net.sizes[net.layers];
            uint64_t results[3];
            size_t P;
            EXPECT(BP_OK, bp_parameter_count(&net, &P));
            for (int b = 0; b < 3; b++) {
                static const size_t blocks[] = {0, 3, 100};
                bp_execution cut = {how->isa, blocks[b]};
                const real *parameters = F(numbers)(P, 9, 0.5), *X = F(numbers)(N * I, 10, 1);
                real *Y = F(numbers)(N * O, 11, 1);
                for (size_t i = 0; i < N * O; i++)
                    if (net.loss != BP_MSE) Y[i] = Y[i] < 0 ? 0 : 1; /* Need not sum to 1. */
                freeze();
                results[b] = subject(&cut, &net, P, parameters, X, Y, N);
                release();
            }
            CHECK(results[1] == results[0]);
            CHECK(results[2] == results[0]);
            hash = hash_bytes(hash, results, sizeof *results);
        }
    return hash;
}

/* ---- All of it ------------------------------------------------------------------------------- */

static uint64_t F(result)(const bp_execution *how, int what)
{
    switch (what) {
    case 0: return F(products)(how);
    case 1: return F(functions)(how);
    case 2: return F(activations)(how);
    case 3: return F(layers)(how);
    case 4: return F(networks)(how, F(passes));
    case 5: return F(networks)(how, F(full_batch));
    default: return F(networks)(how, F(mini_batches));
    }
}
