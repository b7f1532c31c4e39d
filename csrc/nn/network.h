/* network.h: what the nn floor asks of a network, in either precision. */
#ifndef BP_NN_NETWORK_H
#define BP_NN_NETWORK_H

#include "../bpcore.h"

/* Checks the network and its pair of loss and output activation. */
bp_status bp_check_network(const bp_network *net);

/* The outputs of the last layer. */
static inline size_t network_outputs(const bp_network *net)
{
    return net->sizes[net->layers];
}

#endif
