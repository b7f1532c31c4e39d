/* network.c: is this a network, and how many parameters has it? Is this a sparse matrix, and does
 * it pay? And the order of an epoch. */
#include "../base/rng.h"
#include "../nn/network.h"

/* The numbers of a network: its loss's parameter and its dropout. */
static int numbers_fit(const bp_network *net)
{
    const double limit = bp_loss_limit(net->loss);
    if (limit > 0 && !(net->loss_parameter > 0 && net->loss_parameter < limit)) return 0;
    for (size_t l = 0; net->dropout && l + 1 < net->layers; l++)
        if (!(net->dropout[l] >= 0 && net->dropout[l] < 1)) return 0;
    return 1;
}

static bp_status check_network(const bp_network *net)
{
    if (!net || !net->sizes || !net->activations) return BP_NULL_POINTER;
    if (net->layers == 0 || net->layers == SIZE_MAX) return BP_BAD_NETWORK;
    if (net->loss < 0 || net->loss >= BP_LOSS_COUNT) return BP_BAD_NETWORK;
    for (size_t l = 0; l <= net->layers; l++)
        if (net->sizes[l] == 0) return BP_BAD_NETWORK;
    for (size_t l = 0; l < net->layers; l++) {
        int activation = net->activations[l];
        if (activation < 0 || activation >= BP_ACTIVATION_COUNT) return BP_BAD_NETWORK;
        if (activation == BP_SOFTMAX && l + 1 < net->layers) return BP_BAD_NETWORK;
    }
    if (!numbers_fit(net)) return BP_BAD_ARGUMENT;
    const int needed = bp_loss_output(net->loss), output = net->activations[net->layers - 1];
    return needed == BP_ANY_OUTPUT || needed == output ? BP_OK : BP_BAD_PAIR;
}

bp_status bp_parameter_count(const bp_network *net, size_t *count)
{
    bp_status status = check_network(net);
    if (status) return status;
    if (!count) return BP_NULL_POINTER;
    size_t total = 0;
    for (size_t l = 0; l < net->layers; l++)
        total = size_sum(total, size_product(size_sum(net->sizes[l], 1), net->sizes[l + 1]));
    if (!size_is_addressable(size_product(total, sizeof(double)))) return BP_TOO_LARGE;
    *count = total;
    return BP_OK;
}

bp_status bp_check_csr(size_t rows, size_t columns, const size_t *row_offsets,
                       const uint32_t *indices, size_t *row_nonzeros)
{
    size_t most = 0;
    if (!row_offsets || !row_nonzeros || (rows && row_offsets[rows] && !indices))
        return BP_NULL_POINTER;
    if (row_offsets[0] != 0) return BP_BAD_SPARSE;
    for (size_t i = 0; i < rows; i++)
        if (row_offsets[i + 1] < row_offsets[i]) return BP_BAD_SPARSE;
    for (size_t i = 0; i < rows; i++) {
        size_t next = 0; /* the least column that may come now */
        most = size_max(most, row_offsets[i + 1] - row_offsets[i]);
        for (size_t e = row_offsets[i]; e < row_offsets[i + 1]; e++) {
            if (indices[e] < next || indices[e] >= columns) return BP_BAD_SPARSE;
            next = (size_t)indices[e] + 1;
        }
    }
    *row_nonzeros = size_max(most, 1);
    return BP_OK;
}

int bp_sparse_pays(const bp_network *net, size_t nonzeros, size_t rows)
{
    return network_sparse_pays(net, nonzeros, rows);
}

/* A random number below `bound`, without bias: the few values of 64 bits that would favour small
 * results are refused, and the next attempt has a counter of its own. */
static uint64_t random_below(uint64_t bound, uint64_t seed, uint64_t epoch, uint64_t index)
{
    uint64_t refused = (0 - bound) % bound;
    for (uint64_t attempt = 0;; attempt++) {
        uint64_t bits = random_bits(seed, epoch, index + (attempt << 48));
        if (bits >= refused) return bits % bound;
    }
}

bp_status bp_shuffle(size_t *order, size_t rows, uint64_t seed, uint64_t epoch)
{
    if (!order && rows) return BP_NULL_POINTER;
    for (size_t i = 0; i < rows; i++) {
        size_t j = (size_t)random_below(i + 1, seed, epoch, i);
        /* Inside out: for j == i the first line copies a value that the second replaces. */
        order[i] = order[j];
        order[j] = i;
    }
    return BP_OK;
}

/* The first layer of sparse X does the multiply-adds of its entries alone. */
size_t bp_step_work(const bp_network *net, size_t rows, size_t nonzeros, size_t batch_rows)
{
    const size_t I = net->sizes[0], O = net->sizes[1];
    const size_t all = size_product(size_product(3, network_parameters(net)), batch_rows);
    if (nonzeros == 0 || rows == 0 || all == SIZE_MAX) return all;
    return all - 3 * (I - size_min(nonzeros / rows + 1, I)) * O * batch_rows;
}
