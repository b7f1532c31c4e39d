/* network.h: what is asked of a network and of an optimizer, in either precision. */
#pragma once

#include "../base/sizes.h"
#include "../bpcore.h"

/* The outputs of the last layer. */
static inline size_t network_outputs(const bp_network *net)
{
    return net->sizes[net->layers];
}

/* P, of a network that was checked. */
static inline size_t network_parameters(const bp_network *net)
{
    size_t count = 0;
    for (size_t l = 0; l < net->layers; l++) count += (net->sizes[l] + 1) * net->sizes[l + 1];
    return count;
}

/* Nonzeros of a row that cost as much as all its elements, as a share of them: 1 / SPARSE_GAIN. A
 * dense product uses an element of B for a tile's rows at once, a sparse one loads it for each. */
#define SPARSE_GAIN ((size_t)2)

/* 1 where the first layer is faster with so many nonzeros alone than with all of its rows. */
static inline int network_sparse_pays(const bp_network *net, size_t nonzeros, size_t rows)
{
    const size_t columns = net->sizes[0];
    return columns <= UINT32_MAX && nonzeros <= size_product(rows, columns) / SPARSE_GAIN;
}

#define BP_MOMENTS(number, name, moments) [number] = moments,

/* Arrays of moments [P] that an optimizer keeps. */
static inline size_t moment_count(int optimizer)
{
    static const unsigned char COUNTS[] = {BP_OPTIMIZERS(BP_MOMENTS)};
    return optimizer >= 0 && optimizer < BP_OPTIMIZER_COUNT ? COUNTS[optimizer] : 0;
}
