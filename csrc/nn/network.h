/* network.h: what the nn floor asks of a network, in either precision. */
#ifndef BP_NN_NETWORK_H
#define BP_NN_NETWORK_H

#include "../bpcore.h"

/* The outputs of the last layer. */
static inline size_t network_outputs(const bp_network *net)
{
    return net->sizes[net->layers];
}

#endif
