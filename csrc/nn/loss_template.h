/* loss_template.h: losses from the logits Z of the last layer, and their delta = dJ/dZ.
 * Parameter: BITS.
 *
 * N rows, O outputs; Z, Y, delta [N, O]. Each function adds the losses of its rows to *sum,
 * element by element in ascending order, in double. Z is used up: it holds no logits afterwards.
 * Losses and deltas are those of a sum over rows; who wants a mean divides at the end.
 */

static void NAME(add_ascending)(double *sum, const real *x, size_t count)
{
    double total = *sum;
    for (size_t i = 0; i < count; i++) total += (double)x[i];
    *sum = total;
}

/* C = -y log a - (1-y) log(1-a) with a = sigmoid(z), delta = a - y. */
static void NAME(bce)(const NAME(bp_kernels) *kernels, size_t N, size_t O, real *Z, const real *Y,
                      real *delta, double *sum)
{
    kernels->sigmoid_bce(Z, delta, Z, Y, N * O);
    NAME(add_ascending)(sum, Z, N * O);
}

/* C = -sum_j y_j log a_j with a = softmax(z): log a_j = (z_j - max z) - log(sum_k exp(z_k - max
 * z)). delta = a - y for targets that sum to 1, a (sum_j y_j) - y in general. `sums` [N] is
 * scratch. */
static void NAME(cross_entropy)(const NAME(bp_kernels) *kernels, size_t N, size_t O, real *Z,
                                const real *Y, real *delta, double *sum, real *sums)
{
    for (size_t i = 0; i < N; i++) {
        real *z = Z + i * O, highest = z[0];
        for (size_t j = 1; j < O; j++) highest = z[j] > highest ? z[j] : highest;
        for (size_t j = 0; j < O; j++) z[j] -= highest;
    }
    memcpy(delta, Z, N * O * sizeof(real));
    kernels->exp(delta, N * O);
    for (size_t i = 0; i < N; i++) {
        const real *y = Y + i * O;
        real *d = delta + i * O, total = 0, target = 0;
        for (size_t j = 0; j < O; j++) total += d[j];
        for (size_t j = 0; j < O; j++) target += y[j];
        for (size_t j = 0; j < O; j++) d[j] = d[j] / total * target - y[j];
        sums[i] = total;
    }
    kernels->log(sums, N);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < O; j++) Z[i * O + j] = Y[i * O + j] * (sums[i] - Z[i * O + j]);
    NAME(add_ascending)(sum, Z, N * O);
}

/* C = 1/2 |a - y|^2 with a = g(z): delta = (a - y) g'(z), the general rule. */
static void NAME(mse)(const NAME(bp_kernels) *kernels, int activation, size_t N, size_t O, real *Z,
                      const real *Y, real *delta, double *sum)
{
    double total = *sum;
    NAME(activate)(kernels, activation, N, O, Z);
    for (size_t i = 0; i < N * O; i++) {
        delta[i] = Z[i] - Y[i];
        total += 0.5 * (double)delta[i] * (double)delta[i];
    }
    *sum = total;
    NAME(activate_backward)(kernels, activation, N, O, Z, delta);
}

static void NAME(loss)(const NAME(bp_kernels) *kernels, const bp_network *net, size_t N, real *Z,
                       const real *Y, real *delta, double *sum, real *sums)
{
    size_t O = network_outputs(net);
    switch (net->loss) {
    case BP_BCE: NAME(bce)(kernels, N, O, Z, Y, delta, sum); break;
    case BP_CROSS_ENTROPY: NAME(cross_entropy)(kernels, N, O, Z, Y, delta, sum, sums); break;
    default: NAME(mse)(kernels, net->activations[net->layers - 1], N, O, Z, Y, delta, sum); break;
    }
}
