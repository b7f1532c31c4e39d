/* layer_outputs_template.h: what each layer makes of the data. Parameter: BITS. */
#pragma once

#include "backprop_template.h"
#include "gather_template.h"
#include "loss_template.h"

/* to [rows, columns] := rows that lie from_row apart. */
static void NAME(copy_rows)(real *to, const real *from, size_t from_row, size_t rows,
                            size_t columns)
{
    for (size_t i = 0; i < rows; i++)
        memcpy(to + i * columns, from + i * from_row, columns * sizeof(real));
}

/* Copies the activations of a block's hidden layers, rows `row` and on of N rows, to A: A_1
 * [N, O_1], A_2, ... */
static void NAME(copy_hidden)(const NAME(pass) *pass, size_t N, size_t row, size_t rows, real *A)
{
    const bp_network *net = pass->net;
    const real *activations = pass->at.activations;
    for (size_t l = 0; l + 1 < net->layers; l++) {
        const size_t O = net->sizes[l + 1], a_row = NAME(layer_row)(net, l);
        NAME(copy_rows)(A + row * O, activations, a_row, rows, O);
        activations += rows * a_row;
        A += N * O;
    }
}

/* The same with the last layer, whose Z of the block is given. */
static void NAME(copy_activations)(const NAME(pass) *pass, size_t row, size_t rows, const real *Z,
                                   real *A)
{
    const bp_network *net = pass->net;
    const size_t N = pass->rows, last = net->layers - 1, O = network_outputs(net);
    size_t hidden = 0;
    for (size_t l = 0; l < last; l++) hidden += net->sizes[l + 1];
    real *out = A + N * hidden + row * O;
    NAME(copy_hidden)(pass, N, row, rows, A);
    memcpy(out, Z, rows * O * sizeof(real));
    NAME(activate)(pass->context.kernels, net->activations[last], rows, O, out);
}

/* Where the deltas of a block go, rows `row` and on of the N rows. */
typedef struct NAME(delta_job) {
    size_t N, row;
    real *end; /* of the deltas [N, O] of the layer that comes next */
} NAME(delta_job);

static void NAME(copy_delta)(void *argument, const NAME(layer_delta) *here)
{
    NAME(delta_job) *to = argument;
    to->end -= to->N * here->O;
    NAME(copy_rows)(to->end + to->row * here->O, here->delta, here->d_row, here->rows, here->O);
}

/* A and deltas, one after another: those of layer 1 [N, O_1], of layer 2 [N, O_2], ...; NULL: not
 * wanted. */
static void NAME(layer_outputs)(NAME(pass) *pass, real *A, real *deltas)
{
    const bp_network *net = pass->net;
    const NAME(workspace) *at = &pass->at;
    size_t width = 0;
    double ignored = 0;
    for (size_t l = 0; l < net->layers; l++) width += net->sizes[l + 1];
    for (size_t i = 0, n; i < pass->rows; i += n) {
        NAME(block) block;
        n = size_min(at->block_rows, pass->rows - i);
        NAME(gather)(pass, i, n, FOR_FORWARD, &block);
        real *Z = NAME(forward_block)(pass, &block, NULL);
        if (A) NAME(copy_activations)(pass, i, n, Z, A);
        if (!deltas) continue;
        NAME(delta_job) job = {pass->rows, i, deltas + width * pass->rows};
        NAME(loss)(pass->context.kernels, net, n, Z, block.Y, NULL, at->delta[0], &ignored,
                   NULL, at->sums);
        NAME(backward_block)(pass, n, Z, NAME(copy_delta), &job);
    }
}
