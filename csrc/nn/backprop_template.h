/* backprop_template.h: the forward pass and the backward recursion for a block of rows, and the
 * workspace that they share. Parameter: BITS.
 */

/* Bytes of activations and deltas in a block. They are written once and read twice between
 * passes over X, so they may be larger than a second-level cache, but the more rows, the less
 * often B is packed. */
#define BLOCK_BYTES ((size_t)2 << 20)

/* Tiles have 14, 12, 6 or 4 rows: a multiple of 84 leaves none of them a rest. */
#define BLOCK_STEP ((size_t)84)

/* A batch of at least this many rows collects its gradient as dW' [O, I], which is turned back
 * once, at the end of the batch: by then a weight has met enough rows to pay for being moved. */
#define ROWS_TO_TRANSPOSE ((size_t)512)

/* Columns that are turned together: a cache line of each of 16 rows stays in the first-level
 * cache. */
#define TURNED_COLUMNS ((size_t)16)

/* Where things are in the workspace, in elements from its aligned start. */
typedef struct NAME(layout) {
    size_t block_rows;
    int transposed;     /* the open batch's gradient is dW' [O, I] for every layer */
    size_t gradient;    /* [P], sums over the rows of the open batch */
    size_t X, Y;        /* [block_rows, inputs] and [block_rows, outputs], gathered rows */
    size_t activations; /* A_1 [block_rows, O_1], A_2, ...; the last holds logits */
    size_t delta[2];    /* [block_rows, widest layer]: the recursion's present and next delta */
    size_t row_sums;    /* [block_rows], scratch of the cross-entropy */
    size_t matmul;
    size_t turned; /* [largest I * O], scratch of the turning */
    size_t end;
} NAME(layout);

static size_t NAME(block_rows)(const bp_network *net, const bp_execution *how, size_t rows)
{
    if (how->block_rows) return size_min(how->block_rows, size_max(rows, 1));
    size_t widest = 0, width = 1;
    for (size_t l = 1; l <= net->layers; l++) {
        widest = size_max(widest, net->sizes[l]);
        width = size_sum(width, net->sizes[l]);
    }
    size_t row_bytes = size_product(size_sum(width, size_product(2, widest)), sizeof(real));
    size_t fitting = BLOCK_BYTES / row_bytes / BLOCK_STEP * BLOCK_STEP;
    return size_min(size_max(fitting, BLOCK_STEP), size_max(rows, 1));
}

/* The layout for steps of `rows` rows; end is SIZE_MAX where it does not fit. */
static NAME(layout) NAME(plan)(const NAME(bp_kernels) *kernels, const bp_network *net,
                               const bp_execution *how, size_t rows, size_t parameters)
{
    NAME(layout) at;
    size_t widest = 0, width = 0, matmul = 0, largest = 0;
    size_t block = NAME(block_rows)(net, how, rows);
    for (size_t l = 0; l < net->layers; l++) {
        size_t I = net->sizes[l], O = net->sizes[l + 1];
        widest = size_max(widest, O);
        width = size_sum(width, O);
        matmul = size_max(matmul, NAME(dense_workspace)(kernels, block, I, O));
        largest = size_max(largest, size_product(I, O));
    }
    at.block_rows = block;
    at.transposed = rows >= ROWS_TO_TRANSPOSE;
    at.gradient = 0;
    at.X = parameters;
    at.Y = size_sum(at.X, size_product(block, net->sizes[0]));
    at.activations = size_sum(at.Y, size_product(block, network_outputs(net)));
    at.delta[0] = size_sum(at.activations, size_product(block, width));
    at.delta[1] = size_sum(at.delta[0], size_product(block, widest));
    at.row_sums = size_sum(at.delta[1], size_product(block, widest));
    at.matmul = size_sum(at.row_sums, block);
    at.turned = size_sum(at.matmul, matmul);
    at.end = size_sum(at.turned, at.transposed ? largest : 0);
    return at;
}

/* Activations of a block of rows, layer by layer. Returns Z of the last layer. */
static real *NAME(forward_block)(const NAME(bp_kernels) *kernels, const bp_network *net,
                                 const NAME(layout) *at, real *space, const real *parameters,
                                 const real *X, size_t rows)
{
    const real *in = X;
    real *out = space + at->activations;
    for (size_t l = 0;; l++) {
        size_t I = net->sizes[l], O = net->sizes[l + 1];
        const real *W = parameters, *b = W + I * O;
        NAME(dense_forward)(kernels, rows, I, O, in, W, b, out, space + at->matmul);
        if (l + 1 == net->layers) return out;
        NAME(activate)(kernels, net->activations[l], rows, O, out);
        parameters = b + O;
        in = out;
        out += rows * O;
    }
}

/* The backward recursion: from delta of the last layer (in space + delta[0]) to the gradient, which
 * is added to space + gradient. The forward pass upside down: each pointer walks back. */
static void NAME(backward_block)(const NAME(bp_kernels) *kernels, const bp_network *net,
                                 const NAME(layout) *at, real *space, const real *parameters,
                                 const real *X, const real *Z_last, size_t rows)
{
    real *delta = space + at->delta[0], *next = space + at->delta[1];
    real *matmul = space + at->matmul, *gradient = space + at->X;
    const real *out = Z_last;
    parameters += at->X;
    for (size_t l = net->layers; l-- > 0;) {
        size_t I = net->sizes[l], O = net->sizes[l + 1];
        real *db = gradient - O, *dW = db - I * O;
        const real *W = parameters - O - I * O;
        const real *in = l ? out - rows * I : X;
        if (at->transposed)
            NAME(dense_backward_transposed)(kernels, rows, I, O, in, delta, dW, db, matmul);
        else
            NAME(dense_backward_parameters)(kernels, rows, I, O, in, delta, dW, db, matmul);
        if (l == 0) return;
        NAME(dense_backward_input)(kernels, rows, I, O, W, delta, next, matmul);
        NAME(activate_backward)(kernels, net->activations[l - 1], rows, I, in, next);
        real *used = delta;
        delta = next;
        next = used;
        gradient = dW;
        parameters = W;
        out = in;
    }
}

/* Forward, loss and backward for one block: adds to *loss and to the gradient in the workspace. */
static void NAME(gradient_block)(const NAME(bp_kernels) *kernels, const bp_network *net,
                                 const NAME(layout) *at, real *space, const real *parameters,
                                 const real *X, const real *Y, size_t rows, double *loss)
{
    real *Z = NAME(forward_block)(kernels, net, at, space, parameters, X, rows);
    NAME(loss)(kernels, net, rows, Z, Y, space + at->delta[0], loss, space + at->row_sums);
    NAME(backward_block)(kernels, net, at, space, parameters, X, Z, rows);
}

/* Ends a batch: the gradient takes the layout of the parameters. */
static void NAME(finish_gradient)(const bp_network *net, const NAME(layout) *at, real *space)
{
    real *gradient = space + at->gradient, *turned = space + at->turned;
    for (size_t l = 0; at->transposed && l < net->layers; l++) {
        size_t I = net->sizes[l], O = net->sizes[l + 1];
        for (size_t j = 0; j < O; j += TURNED_COLUMNS)
            for (size_t i = 0; i < I; i++)
                for (size_t o = j; o < size_min(j + TURNED_COLUMNS, O); o++)
                    turned[i * O + o] = gradient[o * I + i];
        memcpy(gradient, turned, I * O * sizeof(real));
        gradient += I * O + O;
    }
}

#undef ROWS_TO_TRANSPOSE
#undef TURNED_COLUMNS
#undef BLOCK_BYTES
#undef BLOCK_STEP
