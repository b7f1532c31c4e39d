/* gradient_template.h: gradients of a whole batch, of the mean loss or of a loss from outside.
 * Parameter: BITS.
 */
#pragma once

#include "backprop_template.h"
#include "gather_template.h"
#include "loss_template.h"

/* Goes on at row *row of the batch: adds the losses to *loss and, at the end of the batch, leaves
 * the sum of the gradients in the workspace. */
static void NAME(loss_gradient)(NAME(pass) *pass, size_t *row, size_t end, double *loss)
{
    const NAME(workspace) *at = &pass->at;
    while (*row < end) {
        const size_t rows = rows_of_block(at->block_rows, *row, pass->rows);
        const NAME(gradient_sink) sink = NAME(collect)(at, *row);
        NAME(block) block;
        NAME(gather)(pass, *row, rows, FOR_GRADIENT, &block);
        real *Z = NAME(forward_block)(pass, &block, NULL);
        NAME(loss)(pass->context.kernels, pass->net, rows, Z, block.Y, block.weights, at->delta[0],
                   loss, NULL, at->sums);
        NAME(backward_gradient)(pass, &block, Z, &sink);
        *row += rows;
        NAME(end_block)(pass, *row, pass->rows);
    }
}

/* From dA [N, O] = dJ/dA of the last layer: dX [N, I] := dJ/dX, where it is wanted, and, where they
 * are, the sum of the gradients in the workspace. */
static void NAME(external_gradient)(NAME(pass) *pass, const real *dA, int parameters_too, real *dX)
{
    const bp_network *net = pass->net;
    const NAME(workspace) *at = &pass->at;
    const size_t I = net->sizes[0], O = network_outputs(net);
    for (size_t i = 0, n; i < pass->rows; i += n) {
        const NAME(gradient_sink) sink = NAME(collect)(at, i);
        NAME(block) block;
        n = rows_of_block(at->block_rows, i, pass->rows);
        NAME(gather)(pass, i, n, parameters_too ? FOR_GRADIENT : FOR_FORWARD, &block);
        real *Z = NAME(forward_block)(pass, &block, NULL);
        NAME(output_backward)(pass->context.kernels, net->activations[net->layers - 1], n, O, Z,
                              dA + i * O, at->delta[0]);
        const real *delta = parameters_too ? NAME(backward_gradient)(pass, &block, Z, &sink)
                                           : NAME(backward_block)(pass, n, Z, NULL, NULL);
        if (parameters_too) NAME(end_block)(pass, i + n, pass->rows);
        if (dX)
            NAME(dense_backward_input)(&pass->context, n, I, net->sizes[1], pass->parameters, delta,
                                       NAME(layer_row)(net, 0), dX + i * I, I, &NAME(NO_EPILOGUE));
    }
}
