/* layer_template.h: one dense layer, forward and backward side by side. Parameter: BITS.
 *
 * N rows (samples), I inputs, O outputs. X [N, I], W [I, O], b [O]; Z, A, delta [N, O].
 */

/* Elements of workspace for every product of a layer that sees N rows. */
static size_t NAME(dense_workspace)(const NAME(bp_kernels) *kernels, size_t N, size_t I, size_t O)
{
    size_t Z = NAME(matmul_workspace)(kernels, N, O, I);
    size_t dW = NAME(matmul_workspace)(kernels, I, O, N);
    size_t dW_transposed = NAME(matmul_workspace)(kernels, O, I, N);
    size_t dX = NAME(matmul_workspace)(kernels, N, I, O);
    return size_max(size_max(Z, dX), size_max(dW, dW_transposed));
}

/* Z = X W + b. A sum begins with the bias and then takes its terms in ascending input. */
static void NAME(dense_forward)(const NAME(bp_kernels) *kernels, size_t N, size_t I, size_t O,
                                const real *X, const real *W, const real *b, real *Z,
                                real *workspace)
{
    NAME(matmul)(kernels, N, O, I, X, (ptrdiff_t)I, 1, W, (ptrdiff_t)O, 1, Z, O, b, 0, workspace);
}

/* dW += X' delta, db += column sums of delta: sums over samples, in ascending row. */
static void NAME(dense_backward_parameters)(const NAME(bp_kernels) *kernels, size_t N, size_t I,
                                            size_t O, const real *X, const real *delta, real *dW,
                                            real *db, real *workspace)
{
    NAME(matmul)(kernels, I, O, N, X, 1, (ptrdiff_t)I, delta, (ptrdiff_t)O, 1, dW, O, dW, O,
                 workspace);
    kernels->add_rows(db, delta, N, O);
}

/* dW' += delta' X, the same sums stored as [O, I]: here the inputs fill the vectors, and X, by
 * far the larger operand, passes through the cache once. */
static void NAME(dense_backward_transposed)(const NAME(bp_kernels) *kernels, size_t N, size_t I,
                                            size_t O, const real *X, const real *delta, real *dW,
                                            real *db, real *workspace)
{
    NAME(matmul)(kernels, O, I, N, delta, 1, (ptrdiff_t)O, X, (ptrdiff_t)I, 1, dW, I, dW, I,
                 workspace);
    kernels->add_rows(db, delta, N, O);
}

/* dX = delta W'. */
static void NAME(dense_backward_input)(const NAME(bp_kernels) *kernels, size_t N, size_t I,
                                       size_t O, const real *W, const real *delta, real *dX,
                                       real *workspace)
{
    NAME(matmul)(kernels, N, I, O, delta, (ptrdiff_t)O, 1, W, 1, (ptrdiff_t)O, dX, I, NULL, 0,
                 workspace);
}

/* a_j = exp(z_j - max z) / sum_k exp(z_k - max z), in place, row by row. */
static void NAME(softmax)(const NAME(bp_kernels) *kernels, size_t N, size_t O, real *Z)
{
    for (size_t i = 0; i < N; i++) {
        real *z = Z + i * O, highest = z[0];
        for (size_t j = 1; j < O; j++) highest = z[j] > highest ? z[j] : highest;
        for (size_t j = 0; j < O; j++) z[j] -= highest;
    }
    kernels->exp(Z, N * O);
    for (size_t i = 0; i < N; i++) {
        real *z = Z + i * O, sum = 0;
        for (size_t j = 0; j < O; j++) sum += z[j];
        for (size_t j = 0; j < O; j++) z[j] /= sum;
    }
}

/* d_j = a_j (d_j - sum_k a_k d_k), in place: the softmax's Jacobian times d, row by row. */
static void NAME(softmax_backward)(size_t N, size_t O, const real *A, real *D)
{
    for (size_t i = 0; i < N; i++) {
        const real *a = A + i * O;
        real *d = D + i * O, mean = 0;
        for (size_t j = 0; j < O; j++) mean += a[j] * d[j];
        for (size_t j = 0; j < O; j++) d[j] = a[j] * (d[j] - mean);
    }
}

/* A = g(Z), in place. */
static void NAME(activate)(const NAME(bp_kernels) *kernels, int activation, size_t N, size_t O,
                           real *Z)
{
    if (activation == BP_SOFTMAX)
        NAME(softmax)(kernels, N, O, Z);
    else
        kernels->activate[activation](Z, N * O);
}

/* dZ = dA g'(Z), in place, with g' taken from A = g(Z). */
static void NAME(activate_backward)(const NAME(bp_kernels) *kernels, int activation, size_t N,
                                    size_t O, const real *A, real *dA)
{
    if (activation == BP_SOFTMAX)
        NAME(softmax_backward)(N, O, A, dA);
    else
        kernels->activate_backward[activation](dA, A, N * O);
}
