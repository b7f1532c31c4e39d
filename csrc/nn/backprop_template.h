/* backprop_template.h: the forward pass and the backward recursion for a block of rows, and the
 * workspace that they share. Parameter: BITS.
 */

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

/* Columns that are transposed together: a cache line of each of 16 rows stays in the first-level
 * cache. */
#define TRANSPOSED_COLUMNS ((size_t)16)

typedef struct NAME(workspace) {
    size_t block_rows;
    real *gradient; /* [P], sums over the rows of the open batch's open run */
    real *part;     /* [P], of its open part's finished runs; NULL where batches are one run. Beside
                       it the gradient of a dense layer is dW' [O, I], and transposed back once, at the
                       end: by then a weight has met enough rows to pay for being moved */
    real *total, *carry; /* [P], of its finished parts; NULL where batches are one part */
    real *X, *Y;         /* [block_rows, inputs] and [block_rows, outputs], gathered rows */
    real *weights;       /* [block_rows], gathered weights of rows */
    real *activations;   /* A_1 [block_rows, row_length(O_1)], A_2, ...; the last holds logits */
    real *derivatives;   /* g'(Z) of hidden layers beside their activations, where one needs it */
    real *delta[2];      /* [block_rows, widest layer]: the recursion's present and next delta */
    real *sums;          /* [the larger of block_rows and the widest layer], scratch */
    real *scratch;       /* [threads, scratch_share] */
    size_t scratch_share;
    size_t *first, *last, *cursor; /* [block_rows], where gathered sparse rows lie */
    NAME(nonzeros) cut;            /* a block's nonzeros in strips of columns */
    NAME(nonzeros) by_columns;     /* their transpose */
    real *scattered;     /* [I, scattered_row(O_1)], where a batch's nonzeros are scattered to */
    size_t *row_offsets; /* [I + 1], nonzeros of the columns before each one */
} NAME(workspace);

/* Random numbers of dropout, apart from those of the shuffle, whose indices stay below 2^63. */
#define DROPOUT_STREAM (UINT64_C(1) << 63)

/* Elements from one row of a hidden layer to the next. Rows begin at cache lines where that costs
 * an eighth at most, and not at multiples of 1 KiB, which would share few lines of a cache. */
static size_t NAME(row_length)(size_t width)
{
    const size_t line = CACHE_LINE / sizeof(real);
    size_t length = size_round_up(width, line);
    if (length - width > width / 8) return width;
    return length * sizeof(real) % 1024 == 0 ? length + line : length;
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

/* The most rows that are learnt at once: BLOCK_WORK, or all of less than two blocks. The nonzeros of
 * a sparse first layer do not count: there are few as a rule, and arranged data has no most. */
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
    const size_t blocks = size_max((2 * run + fitting) / (2 * fitting), (run + heard - 1) / heard);
    return (run + blocks - 1) / blocks;
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

/* Room for a block's nonzeros, and bounds of so many segments. */
static NAME(nonzeros) NAME(take_nonzeros)(arena *a, size_t nonzeros, size_t segments)
{
    NAME(nonzeros) taken;
    taken.values = arena_take(a, nonzeros, sizeof(real));
    taken.indices = arena_take(a, nonzeros, sizeof(uint32_t));
    taken.bounds = arena_take(a, size_sum(segments, 1), sizeof(size_t));
    return taken;
}

/* Memory of a sparse first layer whose rows have at most row_nonzeros nonzeros. */
static void NAME(plan_sparse)(NAME(workspace) *to, arena *a, const NAME(bp_kernels) *kernels,
                              const bp_network *net, size_t row_nonzeros)
{
    const size_t I = net->sizes[0], O = net->sizes[1], block = to->block_rows;
    const size_t nonzeros = size_product(block, row_nonzeros);
    const size_t strips = NAME(strip_count)(I, NAME(column_strip)(I, O));
    const size_t row_strips = NAME(strip_count)(block, NAME(row_strip)(block, O));
    to->first = arena_take(a, block, sizeof(size_t));
    to->last = arena_take(a, block, sizeof(size_t));
    to->cursor = arena_take(a, block, sizeof(size_t));
    to->cut = NAME(take_nonzeros)(a, strips == 1 ? 0 : nonzeros, size_product(block, strips));
    to->by_columns = NAME(take_nonzeros)(a, nonzeros, size_product(I, row_strips));
    to->row_offsets = arena_take(a, size_sum(I, 1), sizeof(size_t));
    const size_t scattered = O <= kernels->scatter_columns ? NAME(scattered_row)(O) : 0;
    to->scattered = arena_take(a, size_product(I, scattered), sizeof(real));
}

/* The memory for steps of `rows` rows. row_nonzeros: the most nonzeros of a row of sparse X, or 0. */
static NAME(workspace) NAME(plan)(arena *a, const NAME(bp_kernels) *kernels, const bp_network *net,
                                  const bp_execution *how, size_t rows, size_t row_nonzeros)
{
    NAME(workspace) to = {0};
    size_t widest = 0, width = 0, scratch = 0, parameters = 0, sloped = 0;
    const size_t block = NAME(block_rows)(net, how, rows, row_nonzeros > 0);
    for (size_t l = 0; l < net->layers; l++) {
        const size_t I = net->sizes[l], O = net->sizes[l + 1];
        widest = size_max(widest, NAME(layer_row)(net, l));
        width = size_sum(width, NAME(layer_row)(net, l));
        if (l + 1 < net->layers && NAME(keeps_derivative)(kernels, net, l)) sloped = width;
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
    to.derivatives = arena_take(a, size_product(block, sloped), sizeof(real));
    to.delta[0] = arena_take(a, size_product(block, widest), sizeof(real));
    to.delta[1] = arena_take(a, size_product(block, widest), sizeof(real));
    to.sums = arena_take(a, size_max(block, widest), sizeof(real));
    to.scratch =
        arena_take(a, size_product(to.scratch_share, execution_threads(how)), sizeof(real));
    if (row_nonzeros) NAME(plan_sparse)(&to, a, kernels, net, row_nonzeros);
    return to;
}

/* What a forward pass leaves for the backward one, and what it drops. */
typedef struct NAME(forward_cache) {
    real *derivatives;
    int drops;
    uint64_t seed, epoch, row; /* of dropout; row: the epoch's rows before this block */
} NAME(forward_cache);

/* How layer `layer` of the forward pass ends; `dropout` is filled where it is used. */
static NAME(epilogue) NAME(forward_epilogue)(const NAME(bp_kernels) *kernels, const bp_network *net,
                                             size_t layer, const NAME(forward_cache) *forward_cache,
                                             real *derivative, NAME(dropout) *dropout)
{
    NAME(epilogue) g = {.activation = net->activations[layer]};
    if (layer + 1 == net->layers) g.activation = BP_IDENTITY;
    else if (forward_cache && NAME(keeps_derivative)(kernels, net, layer)) {
        g.derivative = derivative;
        g.derivative_row = NAME(layer_row)(net, layer);
        if (forward_cache->drops && net->dropout && net->dropout[layer] > 0) {
            const double share = net->dropout[layer];
            dropout->key =
                random_bits(forward_cache->seed, forward_cache->epoch, DROPOUT_STREAM + layer);
            dropout->row = forward_cache->row;
            dropout->columns = net->sizes[layer + 1];
            dropout->threshold = (uint32_t)(share * 4294967296.0);
            dropout->scale = (real)(1 / (1 - share));
            g.dropout = dropout;
        }
    }
    return g;
}

/* Activations of a block of rows, layer by layer. Returns Z of the last layer. forward_cache: NULL where
 * nothing is learnt. */
static real *NAME(forward_block)(const NAME(context) *context, const bp_network *net,
                                 const real *parameters, const NAME(block) *block,
                                 real *activations, const NAME(forward_cache) *forward_cache)
{
    const size_t rows = block->rows;
    const real *in = NULL;
    real *out = activations;
    for (size_t l = 0;; l++) {
        const size_t I = net->sizes[l], O = net->sizes[l + 1], a_row = NAME(layer_row)(net, l);
        const real *W = parameters, *b = W + I * O;
        NAME(dropout) dropout;
        real *derivative = forward_cache ? forward_cache->derivatives + (out - activations) : NULL;
        const NAME(epilogue) g =
            NAME(forward_epilogue)(context->kernels, net, l, forward_cache, derivative, &dropout);
        if (l == 0)
            NAME(first_forward)(context, block, I, O, W, b, out, a_row, &g);
        else
            NAME(dense_forward)(context, rows, I, O, in, NAME(layer_row)(net, l - 1), W, b, out,
                                a_row, &g);
        if (l + 1 == net->layers) return out;
        parameters = b + O;
        in = out;
        out += rows * a_row;
    }
}

/* One step of the backward recursion: next [N, I] := delta [N, O] W' g'(Z) of the layer below layer
 * l, whose activations, the inputs of l, are `in`. */
static void NAME(delta_below)(const NAME(context) *context, const bp_network *net,
                              const NAME(workspace) *at, size_t l, size_t rows, const real *W,
                              const real *in, const real *delta, real *next)
{
    const size_t I = net->sizes[l], O = net->sizes[l + 1];
    const size_t d_row = NAME(layer_row)(net, l), in_row = NAME(layer_row)(net, l - 1);
    NAME(epilogue) derivative = {.activation = net->activations[l - 1], .backward = 1, .output = in,
                          .output_row = in_row};
    if (NAME(keeps_derivative)(context->kernels, net, l - 1)) {
        derivative.derivative = at->derivatives + (in - at->activations);
        derivative.derivative_row = in_row;
    }
    NAME(dense_backward_input)(context, rows, I, O, W, delta, d_row, next, in_row, &derivative);
}

/* Where the sums of a batch are collected, for a block whose first row is its row number `row`. */
static NAME(gradient_sink) NAME(collect)(const NAME(workspace) *at, size_t row)
{
    const NAME(gradient_sink) sink = {.transposed = at->part != NULL, .row = row,
                                   .gradient = at->gradient, .part = at->part};
    return sink;
}

/* The backward recursion: from delta of the last layer (in delta[0]) to the gradient, which goes
 * where `sink` says; NULL there: it is not wanted. Returns delta of the first layer. The forward
 * pass upside down: each pointer walks back. A layer's weights change after the layer below has its
 * delta. */
static const real *NAME(backward_block)(const NAME(context) *context, const bp_network *net,
                                        const NAME(workspace) *at, const NAME(gradient_sink) *sink,
                                        const real *parameters, const NAME(block) *block,
                                        const real *Z_last)
{
    const size_t rows = block->rows;
    real *gradient = sink->gradient;
    real *delta = at->delta[0], *next = at->delta[1];
    const real *out = Z_last;
    size_t end = network_parameters(net);
    for (size_t l = net->layers; l-- > 0;) {
        const size_t I = net->sizes[l], O = net->sizes[l + 1], d_row = NAME(layer_row)(net, l);
        const size_t b = end - O, W = b - I * O;
        if (gradient)
            NAME(dense_backward_biases)(context, sink, rows, O, delta, d_row, gradient + b,
                                        at->sums);
        if (l == 0) {
            if (gradient)
                NAME(first_backward_weights)(context, sink, block, I, O, delta, d_row, gradient,
                                             at->scattered);
            if (sink->fused_update) NAME(spread_nonfinite)(I, O, at->sums, gradient);
            break;
        }
        const size_t in_row = NAME(layer_row)(net, l - 1);
        const real *in = out - rows * in_row;
        NAME(delta_below)(context, net, at, l, rows, parameters + W, in, delta, next);
        if (gradient)
            NAME(dense_backward_weights)(context, sink, rows, I, O, in, in_row, delta, d_row,
                                         gradient + W);
        real *used = delta;
        delta = next;
        next = used;
        end = W;
        out = in;
    }
    return delta;
}

/* ---- The sums of a batch --------------------------------------------------------------------- */

typedef struct NAME(part_job) {
    const NAME(bp_kernels) *kernels;
    const NAME(workspace) *at;
    size_t row, rows; /* of the batch: where the block that was computed last ends, and how many */
    size_t count;
} NAME(part_job);

/* For a share of the parameters: where a part ends, the total takes it up; where the batch ends,
 * `part` becomes the whole sum. */
static void NAME(part_share)(void *argument, size_t share, size_t shares)
{
    const NAME(part_job) *job = argument;
    const NAME(bp_kernels) *kernels = job->kernels;
    size_t first, count = share_of(job->count, CACHE_LINE / sizeof(real), share, shares, &first);
    real *part = job->at->part + first;
    const size_t left = job->row % BP_PART_ROWS;
    if (left % BP_RUN_ROWS)
        NAME(add_run)(kernels, left < BP_RUN_ROWS, part, job->at->gradient + first, count);
    if (!job->at->total) return;
    real *total = job->at->total + first, *carry = job->at->carry + first;
    if (job->row <= BP_PART_ROWS) {
        memcpy(total, part, count * sizeof(real));
        memset(carry, 0, count * sizeof(real));
    } else {
        kernels->add_part(total, carry, part, count);
    }
    if (job->row < job->rows) return;
    memcpy(part, total, count * sizeof(real));
    kernels->axpy(part, 1, carry, count);
}

/* gradient [I, O] := sums that are stored as [O, I]. */
static void NAME(transpose_back)(size_t I, size_t O, const real *sums, real *gradient)
{
    for (size_t j = 0; j < O; j += TRANSPOSED_COLUMNS)
        for (size_t i = 0; i < I; i++)
            for (size_t o = j; o < size_min(j + TRANSPOSED_COLUMNS, O); o++)
                gradient[i * O + o] = sums[o * I + i];
}

/* The whole sums, in `part`, get the layout of the parameters, which a sparse first layer has. */
static void NAME(arrange_gradient)(const bp_network *net, const NAME(workspace) *at, int sparse)
{
    real *gradient = at->gradient;
    const real *sums = at->part;
    for (size_t l = 0; l < net->layers; l++) {
        const size_t I = net->sizes[l], O = net->sizes[l + 1];
        if (l == 0 && sparse)
            memcpy(gradient, sums, I * O * sizeof(real));
        else
            NAME(transpose_back)(I, O, sums, gradient);
        memcpy(gradient + I * O, sums + I * O, O * sizeof(real));
        gradient += I * O + O;
        sums += I * O + O;
    }
}

/* Ends a block, the last row of which is number row - 1 of a batch of `rows`; with the batch,
 * gradient is the sum over its rows. */
static void NAME(end_block)(const NAME(context) *context, const bp_network *net,
                            const NAME(workspace) *at, size_t row, size_t rows, int sparse)
{
    NAME(part_job) job = {context->kernels, at, row, rows, network_parameters(net)};
    const size_t I = net->sizes[0], O = net->sizes[1];
    const int ends = row == rows;
    if (at->part && (ends || row % BP_PART_ROWS == 0)) {
        if (job.count < context->shared_work)
            NAME(part_share)(&job, 0, 1);
        else
            bp_team_run(context->team, NAME(part_share), &job);
    }
    if (ends && at->part) NAME(arrange_gradient)(net, at, sparse);
    if (ends) NAME(spread_nonfinite)(I, O, at->gradient + I * O, at->gradient);
}

#undef TRANSPOSED_COLUMNS
#undef BLOCK_BYTES
#undef BLOCK_STEP
#undef BLOCK_WORK
#undef MIN_ROWS
#undef INPUT_BYTES
#undef DROPOUT_STREAM
