/* loss_template.h: losses from the logits Z of the last layer, and their delta = dJ/dZ.
 * Parameter: BITS.
 *
 * N rows, O outputs; Z, Y, delta [N, O]. The losses of the elements are added to *sum in ascending
 * order, in double, or kept for whoever adds them later. Z is used up: those that are computed from
 * the logits take their place. Losses and deltas are those of a sum over rows; who wants a mean
 * divides at the end.
 */
#pragma once

#include <float.h>

#include "layer_template.h"
#include "network.h"

static void NAME(add_ascending)(double *sum, const real *x, size_t count)
{
    double total = *sum;
    for (size_t i = 0; i < count; i++) total += (double)x[i];
    *sum = total;
}

/* C = -sum_j y_j log a_j with a = softmax(z): log a_j = (z_j - max z) - log(sum_k exp(z_k - max
 * z)). delta = a - y for targets that sum to 1, a (sum_j y_j) - y in general. `sums` [N] is
 * scratch. */
static void NAME(cross_entropy)(const NAME(bp_kernels) *kernels, size_t N, size_t O, real *Z,
                                const real *Y, real *delta, real *sums)
{
    NAME(subtract_highest)(N, O, Z);
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
}

/* ---- Losses of the outputs ------------------------------------------------------------------- */

/* dC/da of one output, for losses whose delta is not known in one piece. */
static real NAME(loss_derivative)(const bp_network *net, real a, real y)
{
    const real c = (real)net->loss_parameter, e = a - y;
    switch (net->loss) {
    case BP_MAE: return (real)((e > 0) - (e < 0));
    case BP_HUBER: return e > c ? c : e < -c ? -c : e;
    case BP_QUANTILE: return e > 0 ? 1 - c : e < 0 ? -c : 0;
    default: return e;
    }
}

/* C of one output, in double. */
static double NAME(loss_value)(const bp_network *net, real a, real y)
{
    const double c = net->loss_parameter;
    const real e = a - y;
    const double distance = e < 0 ? -(double)e : (double)e;
    switch (net->loss) {
    case BP_MAE: return distance;
    case BP_HUBER: return distance <= c ? 0.5 * distance * distance : c * (distance - 0.5 * c);
    case BP_QUANTILE: return e < 0 ? c * distance : (1 - c) * distance;
    default: return 0.5 * distance * distance;
    }
}

/* The general rule: delta = dC/da g'(z). Z becomes A. */
static void NAME(output_loss)(const NAME(bp_kernels) *kernels, const bp_network *net, size_t N,
                              size_t O, real *Z, const real *Y, const real *weights, real *delta,
                              double *sum, double *elements)
{
    double total = *sum;
    const int activation = net->activations[net->layers - 1];
    const int has_derivative = kernels->activate_derivative[activation] != NULL;
    if (has_derivative)
        kernels->activate_derivative[activation](Z, delta, N * O);
    else
        NAME(activate)(kernels, activation, N, O, Z);
    for (size_t i = 0; i < N * O; i++) {
        const real derivative = NAME(loss_derivative)(net, Z[i], Y[i]);
        const double value = NAME(loss_value)(net, Z[i], Y[i]);
        delta[i] = has_derivative ? delta[i] * derivative : derivative;
        const double weighted = weights ? value * (double)weights[i / O] : value;
        if (elements)
            elements[i] = weighted;
        else
            total += weighted;
    }
    if (!has_derivative) NAME(activate_backward)(kernels, activation, N, O, Z, delta);
    *sum = total;
}

/* C = a - y + y (log y - z) with a = exp(z), where y log y is 0 for y = 0: delta = a - y. */
static void NAME(poisson)(const NAME(bp_kernels) *kernels, size_t N, size_t O, real *Z,
                          const real *Y, real *delta)
{
    const real least = (real)(BITS == 32 ? FLT_MIN : DBL_MIN); /* log wants a normal number */
    for (size_t i = 0; i < N * O; i++) delta[i] = Y[i] < least ? 1 : Y[i];
    kernels->log(delta, N * O);
    for (size_t i = 0; i < N * O; i++) delta[i] = Y[i] * (delta[i] - Z[i]) - Y[i];
    kernels->exp(Z, N * O);
    for (size_t i = 0; i < N * O; i++) {
        const real rate = Z[i];
        Z[i] = rate + delta[i];
        delta[i] = rate - Y[i];
    }
}

/* Makes the deltas of the rows, and adds their losses to *sum or, where there is room for them,
 * leaves them in elements [N, O]. weights [N] of the rows, or NULL; `sums` [N] is scratch. */
static void NAME(loss)(const NAME(bp_kernels) *kernels, const bp_network *net, size_t N, real *Z,
                       const real *Y, const real *weights, real *delta, double *sum,
                       double *elements, real *sums)
{
    const size_t O = network_outputs(net);
    int from_logits = 1;
    switch (net->loss) {
    case BP_BCE: kernels->sigmoid_bce(Z, delta, Z, Y, N * O); break;
    case BP_CROSS_ENTROPY: NAME(cross_entropy)(kernels, N, O, Z, Y, delta, sums); break;
    case BP_POISSON: NAME(poisson)(kernels, N, O, Z, Y, delta); break;
    default:
        NAME(output_loss)(kernels, net, N, O, Z, Y, weights, delta, sum, elements);
        from_logits = 0;
    }
    for (size_t i = 0; weights && i < N * O; i++) {
        if (from_logits) Z[i] *= weights[i / O];
        delta[i] *= weights[i / O];
    }
    for (size_t i = 0; from_logits && elements && i < N * O; i++) elements[i] = (double)Z[i];
    if (from_logits && !elements) NAME(add_ascending)(sum, Z, N * O);
}

/* What a sum over the rows is divided by to make a mean. */
static double NAME(weight_of)(const NAME(bp_input) *X, size_t rows)
{
    double weight = 0;
    if (!X->weights) return (double)rows;
    NAME(add_ascending)(&weight, X->weights, rows);
    return weight;
}
