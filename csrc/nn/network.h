/* network.h: what the nn floor asks of a network, in either precision. */
#ifndef BP_NN_NETWORK_H
#define BP_NN_NETWORK_H

#include "../base/sizes.h"
#include "../base/threads.h"
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

/* ---- Blocks: the rows that pass through a network together ----------------------------------- */

/* A block is a power of two of runs, the one nearest to what fits, so that parts are whole blocks;
 * or less than a run; or all rows of a batch within a part. So a part ends where a block does. */
static inline size_t whole_block(size_t fitting, size_t rows)
{
    size_t block = BP_RUN_ROWS;
    if (fitting < BP_RUN_ROWS || (fitting >= rows && rows <= BP_PART_ROWS)) return fitting;
    while (block < BP_PART_ROWS && 3 * block <= 2 * fitting) block *= 2;
    return size_min(block, rows);
}

/* Rows of the block that begins at row `row` of a batch of `rows`. */
static inline size_t rows_of_block(size_t block_rows, size_t row, size_t rows)
{
    const size_t left = size_min(block_rows, rows - row);
    return block_rows < BP_RUN_ROWS ? size_min(left, BP_RUN_ROWS - row % BP_RUN_ROWS) : left;
}

/* Number of the block that begins at row `row`. */
static inline size_t number_of_block(size_t block_rows, size_t row)
{
    if (block_rows >= BP_RUN_ROWS) return row / block_rows;
    const size_t blocks = (BP_RUN_ROWS + block_rows - 1) / block_rows;
    return row / BP_RUN_ROWS * blocks + row % BP_RUN_ROWS / block_rows;
}

/* ---- How much work is shared ----------------------------------------------------------------- */

/* Multiply-adds in float for which one more thread is created: about a quarter of a millisecond,
 * twice what creating and joining it costs. */
#define THREAD_WORK ((size_t)16000000)

/* Multiply-adds, in either precision, of a training step below which its products are too short to
 * be shared. A step passes some 15 times from one thread to all and hands on activations, nonzeros
 * and gradients. With two threads, measured on virtual CPUs that exchange a cache line in 64 or in
 * 320 nanoseconds: 4.5 M gain a tenth at best and take twice as long at worst, 11 M a fifth and 1.8
 * times, 65 M two fifths and 1.4 times. */
#define STEP_WORK ((size_t)24000000)

/* The most threads that a call may use. */
static inline size_t execution_threads(const bp_execution *how)
{
    return how->threads == 0 ? 1 : size_min(how->threads, MAX_THREADS);
}

/* The threads that so many multiply-adds are worth. */
static inline size_t threads_for(const bp_execution *how, size_t work)
{
    const size_t each = how->thread_work ? how->thread_work : THREAD_WORK;
    return size_max(1, size_min(execution_threads(how), work / each));
}

/* A threshold of work, or less where the caller asks for threads in shorter work. */
static inline size_t work_limit(const bp_execution *how, size_t limit)
{
    return how->thread_work ? size_min(how->thread_work, limit) : limit;
}

#endif
