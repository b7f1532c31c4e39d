/* epilogue_template.h: what is done to a product where it is made: activations,
 * their derivatives, dropout. Parameter: BITS.
 */
#pragma once

#include "../base/precision.h"
#include "../base/rng.h"
#include "../kernels/kernels.h"

/* Which outputs of a layer become 0 while learning: each by a random number that depends on its
 * column and its row's position in the epoch alone. */
typedef struct NAME(dropout) {
    uint64_t key; /* of (seed, epoch, layer) */
    uint64_t row; /* position in the epoch of the block's first row */
    size_t columns;
    uint32_t threshold; /* 2^32 times the rate, the part that is dropped */
    real scale;         /* of the others: 1 / (1 - rate) */
} NAME(dropout);

/* What is done to a result once it is there, by the thread that has it in its cache: on the way
 * forward A = g(Z), where g'(Z) is kept if there is room for it; on the way back delta = dA g'(Z),
 * with g' as it was kept, or from the output A of the layer below. */
typedef struct NAME(epilogue) {
    int activation;
    int backward;
    const real *output;
    size_t output_row;
    real *derivative;
    size_t derivative_row;
    const NAME(dropout) *dropout; /* NULL: none */
} NAME(epilogue);

static const NAME(epilogue) NAME(NO_EPILOGUE) = {.activation = BP_IDENTITY};

/* a and its derivative [n], columns column, column + 1, ... of a row: some become 0. */
static void NAME(drop)(const NAME(dropout) *dropout, size_t row, size_t column, size_t n, real *a,
                       real *derivative)
{
    const uint64_t first = (dropout->row + row) * dropout->columns + column;
    for (size_t j = 0; j < n; j++) {
        const uint32_t random = (uint32_t)(mixed_bits(dropout->key, first + j) >> 32);
        const real factor = random < dropout->threshold ? 0 : dropout->scale;
        a[j] *= factor;
        derivative[j] *= factor;
    }
}

/* A = g(Z), derivative = g'(Z). */
static void NAME(activate_derivative)(const NAME(bp_kernels) *kernels, int activation, real *Z,
                                      real *derivative, size_t n)
{
    if (kernels->activate_derivative[activation]) {
        kernels->activate_derivative[activation](Z, derivative, n);
        return;
    }
    kernels->activate[activation](Z, n);
    for (size_t j = 0; j < n; j++) derivative[j] = 1;
    kernels->activate_backward[activation](derivative, Z, n);
}

/* Finishes C [m, n], a part whose first row and column are those of the whole. */
static void NAME(apply_epilogue)(const NAME(bp_kernels) *kernels, const NAME(epilogue) *epilogue,
                                 size_t m, size_t n, real *C, size_t c_row, size_t row,
                                 size_t column)
{
    const real *output = epilogue->output;
    real *derivative = epilogue->derivative;
    if (epilogue->activation == BP_IDENTITY && !derivative) return;
    if (output) output += row * epilogue->output_row + column;
    if (derivative) derivative += row * epilogue->derivative_row + column;
    const int together = n == c_row && (!output || epilogue->output_row == c_row) &&
                         (!derivative || epilogue->derivative_row == c_row) && !epilogue->dropout;
    if (together) {
        n *= m;
        m = 1;
    }
    for (size_t i = 0; i < m; i++, C += c_row) {
        if (!epilogue->backward && !derivative) {
            kernels->activate[epilogue->activation](C, n);
        } else if (!epilogue->backward) {
            NAME(activate_derivative)(kernels, epilogue->activation, C, derivative, n);
            if (epilogue->dropout) NAME(drop)(epilogue->dropout, row + i, column, n, C, derivative);
        } else if (derivative) {
            kernels->multiply(C, derivative, n);
        } else {
            kernels->activate_backward[epilogue->activation](C, output, n);
        }
        if (output) output += epilogue->output_row;
        if (derivative) derivative += epilogue->derivative_row;
    }
}
