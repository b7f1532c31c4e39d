/* limits_template.h: the measurements of limits.c. Parameters: real, NAME(x). */

/* C [m, n] += A [m, k] B [k, n]; A may be stored as its transpose, as X is in X' delta. */
typedef struct NAME(product) {
    const char *what;
    size_t m, n, k;
    int transposed;
} NAME(product);

static double NAME(peak_rate)(bp_isa isa)
{
    static double sink;
    double start = seconds();
    double operations = NAME(peak)(isa, 1000000, &sink);
    return operations / (seconds() - start);
}

static real *NAME(noise)(size_t count)
{
    real *x = allocate(count * sizeof *x);
    unsigned state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (real)((double)(state >> 8) / (1 << 24) - 0.5);
    }
    return x;
}

static void NAME(measure_product)(bp_isa isa, const NAME(product) * product)
{
    const bp_execution how = {.isa = isa};
    size_t m = product->m, n = product->n, k = product->k, bytes;
    real *A = NAME(noise)(m * k), *B = NAME(noise)(k * n), *C = NAME(noise)(m * n);
    NAME(bp_matmul_workspace_size)(&how, m, n, k, &bytes);
    void *workspace = allocate(bytes);
    ptrdiff_t a_row = product->transposed ? 1 : (ptrdiff_t)k;
    ptrdiff_t a_column = product->transposed ? (ptrdiff_t)m : 1;
    double rates[REPEATS], peaks[REPEATS];
    for (size_t r = 0; r < REPEATS; r++) {
        peaks[r] = NAME(peak_rate)(isa);
        double start = seconds();
        size_t calls = 0;
        do {
            NAME(bp_matmul)(&how, m, n, k, A, a_row, a_column, B, (ptrdiff_t)n, 1, C, n, workspace,
                            bytes);
            calls++;
        } while (seconds() - start < 0.05);
        rates[r] = 2.0 * (double)m * (double)n * (double)k * (double)calls / (seconds() - start);
    }
    double peak = median(peaks, REPEATS), rate = median(rates, REPEATS);
    printf("%-8s %-8s %-34s %9.1f %9.1f %7.1f%%\n", bp_isa_name(isa),
           sizeof(real) == 4 ? "float32" : "float64", product->what, rate * 1e-9, peak * 1e-9,
           100 * rate / peak);
    free(A);
    free(B);
    free(C);
    free(workspace);
}

/* Job A: 784-196-1, sigmoid and binary cross-entropy, one full-batch step on 11,272 rows. The limit
 * counts the three products' operations: Z and dW of both layers, dA of the second. */
static void NAME(measure_job_a)(bp_isa isa)
{
    const bp_execution how = {.isa = isa};
    const size_t rows = 11272, sizes[] = {784, 196, 1};
    const int activations[] = {BP_SIGMOID, BP_SIGMOID};
    const bp_network net = {2, sizes, activations, BP_BCE};
    const double operations =
        2.0 * (double)rows * (2.0 * 784 * 196 + 3.0 * 196);
    size_t parameters, bytes;
    bp_parameter_count(&net, &parameters);
    NAME(bp_workspace_size)(&net, &how, rows, 0, &bytes);
    real *X = NAME(noise)(rows * 784), *Y = NAME(noise)(rows), *P = NAME(noise)(parameters);
    void *workspace = allocate(bytes);
    double times[REPEATS], peaks[REPEATS];
    for (size_t i = 0; i < rows; i++) Y[i] = (real)(Y[i] > 0);
    for (size_t r = 0; r < REPEATS; r++) {
        peaks[r] = NAME(peak_rate)(isa);
        bp_training training = {.batch_rows = rows, .learning_rate = 0.01, .epochs = 1};
        const NAME(bp_input) input = {.dense = X};
        double start = seconds();
        bp_status status = NAME(bp_train)(&net, &how, P, &input, Y, rows, NULL, &training, rows,
                                          workspace, bytes);
        times[r] = seconds() - start;
        if (status) printf("job A: %s\n", bp_status_message(status));
    }
    double peak = median(peaks, REPEATS), time = median(times, REPEATS);
    printf("%-8s %-8s %-34s %9.1f %9.1f %7.1f%%  %.2f ms, %.3f x the limit of %.2f ms\n",
           bp_isa_name(isa), sizeof(real) == 4 ? "float32" : "float64", "job A, one step",
           operations / time * 1e-9, peak * 1e-9, 100 * operations / time / peak, time * 1e3,
           time * peak / operations, operations / peak * 1e3);
    free(X);
    free(Y);
    free(P);
    free(workspace);
}

static void NAME(measure)(bp_isa isa)
{
    static const NAME(product) PRODUCTS[] = {
        {"forward  11272 x 784 x 196", 11272, 196, 784, 0},
        {"gradient 196 x 11272 x 784", 196, 784, 11272, 1},
        {"square   512 x 512 x 512", 512, 512, 512, 0},
    };
    for (size_t i = 0; i < sizeof PRODUCTS / sizeof *PRODUCTS; i++)
        NAME(measure_product)(isa, &PRODUCTS[i]);
    NAME(measure_job_a)(isa);
}
