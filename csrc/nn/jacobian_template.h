/* jacobian_template.h: derivatives of a network's outputs by its parameters. Parameter: BITS. */
#pragma once

#include "backprop_template.h"
#include "gather_template.h"

/* A layer's part of rows of J, which lie j_row apart: da/dW = in' delta, [I, O], then da/db =
 * delta. */
static void NAME(jacobian_dense)(const NAME(layer_delta) *here, const real *in, real *J,
                                 size_t j_row)
{
    const size_t I = here->I, O = here->O;
    const real *delta = here->delta;
    for (size_t i = 0; i < here->rows; i++, in += here->in_row, delta += here->d_row, J += j_row) {
        for (size_t j = 0; j < I; j++)
            for (size_t o = 0; o < O; o++) J[j * O + o] = in[j] * delta[o];
        memcpy(J + I * O, delta, O * sizeof(real));
    }
}

/* The same for the first layer of sparse X, rows `row` and on: what is not stored is 0. */
static void NAME(jacobian_sparse)(const NAME(layer_delta) *here, const NAME(bp_input) *X,
                                  size_t row, real *J, size_t j_row)
{
    const size_t I = here->I, O = here->O;
    const real *delta = here->delta;
    for (size_t i = row; i < row + here->rows; i++, delta += here->d_row, J += j_row) {
        memset(J, 0, I * O * sizeof(real));
        for (size_t e = X->row_offsets[i]; e < X->row_offsets[i + 1]; e++)
            for (size_t o = 0; o < O; o++) J[X->columns[e] * O + o] = X->values[e] * delta[o];
        memcpy(J + I * O, delta, O * sizeof(real));
    }
}

/* The rows of J that belong to one output, for a block of rows of X. */
typedef struct NAME(jacobian_job) {
    const NAME(bp_input) *X;
    size_t row; /* of X, the block's first one */
    real *J;
    size_t j_row; /* from a row of X to the next */
} NAME(jacobian_job);

static void NAME(jacobian_of_layer)(void *argument, const NAME(layer_delta) *here)
{
    const NAME(jacobian_job) *job = argument;
    const NAME(bp_input) *X = job->X;
    const real *in = here->in;
    if (!in && X->dense) in = X->dense + job->row * here->I;
    if (in)
        NAME(jacobian_dense)(here, in, job->J + here->parameters, job->j_row);
    else
        NAME(jacobian_sparse)(here, X, job->row, job->J, job->j_row);
}

/* delta[0] := derivatives of output o by Z of the last layer, where A are the outputs and
 * `derivative` is g'(Z), both [rows, O]. */
static void NAME(output_delta)(const NAME(pass) *pass, size_t rows, size_t o, const real *A,
                               const real *derivative)
{
    const bp_network *net = pass->net;
    const size_t O = network_outputs(net);
    const int softmax = net->activations[net->layers - 1] == BP_SOFTMAX;
    real *delta = pass->at.delta[0];
    memset(delta, 0, rows * O * sizeof(real));
    for (size_t i = o; i < rows * O; i += O) delta[i] = softmax ? 1 : derivative[i];
    if (softmax) NAME(softmax_backward)(rows, O, A, delta);
}

/* J and A of `rows` rows of X from `row` on: a backward recursion for each output. */
static void NAME(jacobian)(NAME(pass) *pass, size_t row, size_t rows, real *A, real *J)
{
    const bp_network *net = pass->net;
    const NAME(bp_kernels) *kernels = pass->context.kernels;
    const size_t O = network_outputs(net), P = network_parameters(net);
    const int g = net->activations[net->layers - 1];
    for (size_t i = 0, n; i < rows; i += n, A += n * O) {
        NAME(block) block;
        n = size_min(pass->at.block_rows, rows - i);
        NAME(gather)(pass, row + i, n, FOR_FORWARD, &block);
        real *Z = NAME(forward_block)(pass, &block, NULL);
        memcpy(A, Z, n * O * sizeof(real));
        if (g == BP_SOFTMAX)
            NAME(softmax)(kernels, n, O, A);
        else
            NAME(activate_derivative)(kernels, g, A, Z, n * O); /* Z becomes g'(Z). */
        for (size_t o = 0; o < O; o++) {
            NAME(jacobian_job) job = {pass->X, row + i, J + (i * O + o) * P, O * P};
            NAME(output_delta)(pass, n, o, A, Z);
            NAME(backward_block)(pass, n, Z, NAME(jacobian_of_layer), &job);
        }
    }
}
