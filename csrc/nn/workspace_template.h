/* workspace_template.h: how many rows pass through a network together, and the memory of a pass.
 * Parameter: BITS.
 */
#pragma once

#include "first_layer_template.h"
#include "network.h"

/* Bytes of activations and deltas in a block. They are written once and read twice between
 * passes over X, so they may be larger than a second-level cache, but the more rows, the less
 * often B is packed. */
#define BLOCK_BYTES ((size_t)2 << 20)

/* Room for the rows of X that a block gathers, so that very wide ones stay a matter of megabytes:
 * 64 MiB, which leaves rows of up to 20,000 floats as many as they were. */
#define INPUT_BYTES ((size_t)64 << 20)

/* Tiles have 14, 12, 6 or 4 rows: where rows are predicted, a multiple of 84 leaves none a rest. */
#define BLOCK_STEP ((size_t)84)

/* Multiply-adds of a block's forward pass, in float32; half of them in float64. With the pass back
 * they are some 40 ms on a core with AVX-512: signals are heard between blocks. */
#define BLOCK_WORK ((size_t)1 << 30)

/* Blocks that BLOCK_WORK makes smaller are multiples of so many rows, two tiles of AVX-512. Few
 * rows wait for their weights: of 4000-4000-10, blocks of 56, 42, 28 and 14 rows take 1.04, 1.10,
 * 1.26 and 2.4 times as long as those of 84. */
#define MIN_ROWS ((size_t)28)

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
    const size_t blocks = size_pieces(BP_RUN_ROWS, block_rows);
    return row / BP_RUN_ROWS * blocks + row % BP_RUN_ROWS / block_rows;
}

/* How many of `rows` rows pass through the network together, as far as the cache is concerned. */
static size_t NAME(fitting_rows)(const bp_network *net, const bp_execution *how, size_t rows)
{
    if (how->block_rows) return size_min(how->block_rows, size_max(rows, 1));
    size_t widest = 0, width = 1;
    for (size_t l = 1; l <= net->layers; l++) {
        widest = size_max(widest, net->sizes[l]);
        width = size_sum(width, net->sizes[l]);
    }
    size_t row_bytes = size_product(size_sum(width, size_product(2, widest)), sizeof(real));
    size_t fitting = size_min(BLOCK_BYTES / row_bytes, INPUT_BYTES / sizeof(real) / net->sizes[0]) /
                     BLOCK_STEP * BLOCK_STEP;
    return size_min(size_max(fitting, BLOCK_STEP), size_max(rows, 1));
}

/* The most rows that are learnt at once, so that signals are heard: BLOCK_WORK, or all of less than
 * two blocks. The nonzeros of a sparse first layer do not count: there are few as a rule, and
 * packed data has no most. */
static size_t NAME(interruptible_rows)(const bp_network *net, size_t rows, int sparse)
{
    const size_t first = sparse ? net->sizes[0] * net->sizes[1] : 0;
    const size_t work = (network_parameters(net) - first) * (sizeof(real) / sizeof(float));
    const size_t heard = size_max(BLOCK_WORK / work / MIN_ROWS, 1) * MIN_ROWS;
    return rows < 2 * heard ? size_max(rows, 1) : heard;
}

/* Rows of a block of a batch of `rows` rows that is learnt from: see whole_block. Less than a run
 * is an even share of it: that nearest to what fits the cache, or a smaller one that is heard. */
static size_t NAME(block_rows)(const bp_network *net, const bp_execution *how, size_t rows,
                               int sparse)
{
    const size_t fitting = NAME(fitting_rows)(net, how, rows);
    if (how->block_rows) return whole_block(fitting, size_max(rows, 1));
    const size_t heard = NAME(interruptible_rows)(net, rows, sparse),
                 run = size_min(rows, BP_RUN_ROWS);
    if (size_min(fitting, heard) >= run)
        return whole_block(size_min(fitting, heard), size_max(rows, 1));
    const size_t blocks = size_max((2 * run + fitting) / (2 * fitting), size_pieces(run, heard));
    return size_pieces(run, blocks);
}

/* ---- The workspace --------------------------------------------------------------------------- */

typedef struct NAME(workspace) {
    size_t block_rows;
    real *gradient; /* [P], sums over the rows of the open batch's open run */
    real *part;     /* [P], of its open part's finished runs; NULL where batches are one run. Beside
                       it the gradient of a dense layer is dW' [O, I], and transposed back once, at
                       the end: by then a weight has met enough rows to pay for being moved */
    real *total, *carry; /* [P], of its finished parts; NULL where batches are one part */
    real *X, *Y;         /* [block_rows, inputs] and [block_rows, outputs], gathered rows */
    real *weights;       /* [block_rows], gathered weights of rows */
    real *activations;   /* A_1 [block_rows, row_length(O_1)], A_2, ...; the last holds logits */
    real *derivatives;   /* g'(Z) of hidden layers beside their activations, where one needs it */
    real *delta[2];      /* [block_rows, widest layer]: the recursion's present and next delta */
    real *sums;          /* [the larger of block_rows and the widest layer], scratch */
    real *scratch;       /* [threads, scratch_share] */
    size_t scratch_share;
    size_t *first, *last;          /* [block_rows], where gathered sparse rows lie */
    size_t *places;                /* [threads, 3, block_rows], where columns of them do */
    NAME(nonzeros) cut;            /* a block's nonzeros in strips of columns */
    NAME(nonzeros) by_columns;     /* their transpose */
    real *laid;          /* [I, laid_row(I, O_1)], the first layer's weights; NULL: read in place */
    real *scattered;     /* [I, scattered_row(O_1)], where a batch's nonzeros are scattered to */
    size_t *row_offsets; /* [I + 1], nonzeros of the columns before each one */
} NAME(workspace);

/* Elements from one row of a hidden layer to the next. Rows begin at cache lines where that costs
 * an eighth at most, and not at multiples of 1 KiB, which would share few lines of a cache. */
static size_t NAME(row_length)(size_t width)
{
    const size_t line = CACHE_LINE / sizeof(real);
    size_t length = size_round_up(width, line);
    if (length - width > width / 8) return width;
    return length * sizeof(real) % 1024 == 0 ? length + line : length;
}

/* The same from row to row of a copy of the first layer's weights [I, O], for sparse X; 0 where
 * their rows lie well, or are met in one strip. A product copies strips of them otherwise, and each
 * share of it anew. */
static size_t NAME(laid_row)(size_t I, size_t O)
{
    const size_t length = NAME(row_length)(O);
    return NAME(column_strip)(I, O) < I && length > O ? length : 0;
}

static size_t NAME(layer_row)(const bp_network *net, size_t layer)
{
    const size_t O = net->sizes[layer + 1];
    return layer + 1 == net->layers ? O : NAME(row_length)(O);
}

/* Is g'(Z) of this hidden layer kept on the way forward? Where A does not tell it. */
static int NAME(keeps_derivative)(const NAME(bp_kernels) *kernels, const bp_network *net,
                                  size_t layer)
{
    return kernels->activate_derivative[net->activations[layer]] ||
           (net->dropout && net->dropout[layer] > 0);
}

/* Memory of a sparse first layer for steps of `rows` rows, of at most row_nonzeros nonzeros. */
static void NAME(plan_sparse)(NAME(workspace) *to, arena *a, const NAME(bp_kernels) *kernels,
                              const bp_network *net, const bp_execution *how, size_t rows,
                              size_t row_nonzeros)
{
    const size_t I = net->sizes[0], O = net->sizes[1], block = to->block_rows;
    const size_t nonzeros = size_product(block, row_nonzeros);
    const size_t strips = size_pieces(I, NAME(column_strip)(I, O));
    const size_t row_strips = size_pieces(block, NAME(row_strip)(block, O));
    to->first = arena_take(a, block, sizeof(size_t));
    to->last = arena_take(a, block, sizeof(size_t));
    to->places = arena_take(a, size_product(execution_threads(how), size_product(3, block)),
                            sizeof(size_t));
    to->cut = NAME(take_nonzeros)(a, strips == 1 ? 0 : nonzeros, size_product(block, strips));
    to->by_columns = NAME(take_nonzeros)(a, nonzeros, size_product(I, row_strips));
    to->row_offsets = arena_take(a, size_sum(I, 1), sizeof(size_t));
    const size_t scattered = O <= kernels->scatter_columns ? NAME(scattered_row)(O) : 0;
    const size_t laid = rows > block ? NAME(laid_row)(I, O) : 0;
    if (laid) to->laid = arena_take(a, size_product(I, laid), sizeof(real));
    to->scattered = arena_take(a, size_product(I, scattered), sizeof(real));
}

/* The memory for steps of `rows` rows. row_nonzeros: the most of a row of sparse X, or 0. */
static NAME(workspace) NAME(plan)(arena *a, const NAME(bp_kernels) *kernels, const bp_network *net,
                                  const bp_execution *how, size_t rows, size_t row_nonzeros)
{
    NAME(workspace) to = {0};
    size_t widest = 0, width = 0, scratch = 0, parameters = 0, kept = 0;
    const size_t block = NAME(block_rows)(net, how, rows, row_nonzeros > 0);
    for (size_t l = 0; l < net->layers; l++) {
        const size_t I = net->sizes[l], O = net->sizes[l + 1];
        widest = size_max(widest, NAME(layer_row)(net, l));
        width = size_sum(width, NAME(layer_row)(net, l));
        if (l + 1 < net->layers && NAME(keeps_derivative)(kernels, net, l)) kept = width;
        scratch = size_max(scratch, NAME(dense_scratch)(kernels, block, I, O));
        parameters = size_sum(parameters, size_product(size_sum(I, 1), O));
    }
    to.block_rows = block;
    to.scratch_share = size_max(scratch, row_nonzeros ? NAME(sparse_scratch)(kernels) : 0);
    to.gradient = arena_take(a, parameters, sizeof(real));
    to.part = rows > BP_RUN_ROWS ? arena_take(a, parameters, sizeof(real)) : NULL;
    if (rows > BP_PART_ROWS) {
        to.total = arena_take(a, parameters, sizeof(real));
        to.carry = arena_take(a, parameters, sizeof(real));
    }
    to.X = arena_take(a, row_nonzeros ? 0 : size_product(block, net->sizes[0]), sizeof(real));
    to.Y = arena_take(a, size_product(block, network_outputs(net)), sizeof(real));
    to.weights = arena_take(a, block, sizeof(real));
    to.activations = arena_take(a, size_product(block, width), sizeof(real));
    to.derivatives = arena_take(a, size_product(block, kept), sizeof(real));
    to.delta[0] = arena_take(a, size_product(block, widest), sizeof(real));
    to.delta[1] = arena_take(a, size_product(block, widest), sizeof(real));
    to.sums = arena_take(a, size_max(block, widest), sizeof(real));
    to.scratch = NAME(take_scratch)(a, how, to.scratch_share);
    if (row_nonzeros) NAME(plan_sparse)(&to, a, kernels, net, how, rows, row_nonzeros);
    return to;
}

/* A call that takes rows of data through a network: what all its steps have in common. */
typedef struct NAME(pass) {
    const bp_network *net;
    const real *parameters;
    const NAME(bp_input) *X;
    const real *Y; /* [rows, O], or NULL: not wanted */
    size_t rows;
    const size_t *order; /* [rows], which row comes when; NULL: 0, 1, 2, ... */
    NAME(workspace) at;
    NAME(context) context;
} NAME(pass);

/* Copies the first layer's weights, as they are now, where a copy is wanted. */
static void NAME(lay_weights)(const bp_network *net, const real *parameters, real *laid)
{
    const size_t I = net->sizes[0], O = net->sizes[1], row = NAME(laid_row)(I, O);
    for (size_t i = 0; laid && i < I; i++)
        memcpy(laid + i * row, parameters + i * O, O * sizeof(real));
}
