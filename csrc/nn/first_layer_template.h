/* first_layer_template.h: the layer that meets the data, in each form that data can have.
 * Parameter: BITS.
 */

/* Rows that pass through the network together, in one of three forms: X, both kinds of panels, or
 * by_rows and, for the backward pass, by_columns. */
typedef struct NAME(block) {
    size_t rows;
    const real *X;             /* [rows, I], dense */
    const real *row_panels;    /* X', panel_rows rows a panel: [panels, I, panel_rows], or NULL */
    const real *column_panels; /* X, tile_columns columns a panel: [panels, rows, tile_columns] */
    NAME(segments) by_rows;    /* sparse */
    NAME(segments) by_columns; /* its transpose, for the backward pass */
    size_t entries;
    const real *Y;       /* [rows, O] */
    const real *weights; /* [rows], or NULL */
} NAME(block);

/* ---- Few outputs ----------------------------------------------------------------------------- */

/* A layer with fewer outputs than a vector has lanes would leave some of them empty. With X stored
 * as panels of X', a lane is a row; for the gradient a lane is a column, and panels of columns let
 * it read X in one stream, whatever the distance of its rows. */
static int NAME(wants_panels)(const NAME(bp_kernels) *kernels, size_t rows, size_t O)
{
    return O < kernels->lanes && rows >= kernels->lanes && rows <= SCALED_TERMS;
}

/* Rows in a panel of X': a cache line of each of its terms, or what a tile can take. */
static size_t NAME(panel_rows)(const NAME(bp_kernels) *kernels)
{
    return size_min(kernels->tile_columns, CACHE_LINE / sizeof(real));
}

static size_t NAME(panel_count)(size_t length, size_t width)
{
    return (length + width - 1) / width;
}

/* Fills the panels of X' ; rows beyond the last one are 0. */
static void NAME(make_row_panels)(real *panels, size_t lanes, const real *X, size_t rows, size_t I)
{
    for (size_t i = 0; i < rows; i += lanes, panels += lanes * I)
        for (size_t j = 0; j < I; j++)
            for (size_t lane = 0; lane < lanes; lane++)
                panels[j * lanes + lane] = i + lane < rows ? X[(i + lane) * I + j] : 0;
}

/* Fills the panels of X; columns beyond the last one are 0. */
static void NAME(make_column_panels)(const NAME(bp_kernels) *kernels, real *panels, const real *X,
                                     size_t rows, size_t I)
{
    const size_t width = kernels->tile_columns;
    for (size_t j = 0; j < I; j += width, panels += rows * width)
        kernels->pack(panels, width, rows, size_min(width, I - j), X + j, (ptrdiff_t)I);
}

typedef struct NAME(panels_job) {
    const NAME(bp_kernels) *kernels;
    const NAME(block) *block;
    size_t I, O;
    const real *W, *b;     /* forward: A = g(X W + b) */
    real *A;
    size_t a_row;
    const NAME(finish) *g;
    const real *delta;     /* backward: dW := X' delta, or W := W + scale * X' delta */
    size_t d_row;
    real *dW;
    const NAME(descent) *descent;
} NAME(panels_job);

/* C [O, columns of the tile] = S + A' times a panel, where A has O columns: more than a tile has
 * rows pass in parts. */
static void NAME(panel_tiles)(const NAME(bp_kernels) *kernels, NAME(bp_tile) *tile, size_t O,
                              const real *A, real *C, const real *start)
{
    const size_t rows = NAME(even_rows)(kernels, O);
    for (size_t o = 0; o < O; o += rows) {
        tile->rows = size_min(rows, O - o);
        tile->a = A + o;
        tile->c = C + o * tile->c_row;
        tile->start = start ? start + o * tile->start_row : NULL;
        kernels->tile(tile);
    }
}

/* Z' = b + W' X' for the panels of a share; each is turned as it is finished. */
static void NAME(panels_forward)(void *context, size_t share, size_t shares)
{
    const NAME(panels_job) *job = context;
    const size_t lanes = NAME(panel_rows)(job->kernels), O = job->O;
    real turned[MOST_LANES * MOST_LANES]; /* Z' [O, lanes] */
    size_t first, count = share_of(NAME(panel_count)(job->block->rows, lanes), 1, share, shares,
                                   &first);
    for (size_t panel = first; panel < first + count; panel++) {
        const size_t row = panel * lanes, rows = size_min(lanes, job->block->rows - row);
        for (size_t o = 0; o < O; o++)
            for (size_t lane = 0; lane < lanes; lane++) turned[o * lanes + lane] = job->b[o];
        NAME(bp_tile) tile = {.columns = lanes, .k = job->I, .a_row = 1, .a_step = (ptrdiff_t)O,
                              .b = job->block->row_panels + panel * lanes * job->I,
                              .b_step = lanes, .c_row = lanes, .start_row = lanes};
        NAME(panel_tiles)(job->kernels, &tile, O, job->W, turned, turned);
        real *A = job->A + row * job->a_row;
        for (size_t lane = 0; lane < rows; lane++)
            for (size_t o = 0; o < O; o++) A[lane * job->a_row + o] = turned[o * lanes + lane];
        NAME(finish_part)(job->kernels, job->g, rows, O, A, job->a_row, row, 0);
    }
}

/* (X' delta)' = delta' X for the panels of a share. */
static void NAME(panels_backward)(void *context, size_t share, size_t shares)
{
    const NAME(panels_job) *job = context;
    const size_t width = job->kernels->tile_columns, O = job->O, rows = job->block->rows;
    real turned[MOST_LANES * 2 * MOST_LANES]; /* [O, width], where a tile is two vectors wide */
    size_t first, count = share_of(NAME(panel_count)(job->I, width), 1, share, shares, &first);
    for (size_t panel = first; panel < first + count; panel++) {
        const size_t column = panel * width, columns = size_min(width, job->I - column);
        NAME(bp_tile) tile = {.columns = width, .k = rows, .a_row = 1,
                              .a_step = (ptrdiff_t)job->d_row,
                              .b = job->block->column_panels + panel * width * rows,
                              .b_step = width, .c_row = width};
        NAME(panel_tiles)(job->kernels, &tile, O, job->delta, turned, NULL);
        real *dW = job->dW + column * O;
        if (job->descent->scaled)
            job->kernels->add_turned(dW, O, turned, width, columns, O, job->descent->scale);
        else
            for (size_t j = 0; j < columns; j++)
                for (size_t o = 0; o < O; o++) dW[j * O + o] = turned[o * width + j];
    }
}

/* ---- Forward and backward -------------------------------------------------------------------- */

/* A = g(X W + b). */
static void NAME(first_forward)(const NAME(engine) *engine, const NAME(block) *block, size_t I,
                                size_t O, const real *W, const real *b, real *A, size_t a_row,
                                const NAME(finish) *g)
{
    if (block->row_panels) {
        NAME(panels_job) job = {.kernels = engine->kernels, .block = block, .I = I, .O = O,
                                .W = W, .b = b, .A = A, .a_row = a_row, .g = g};
        bp_team_run(engine->team, NAME(panels_forward), &job);
    } else if (block->X) {
        NAME(dense_forward)(engine, block->rows, I, O, block->X, I, W, b, A, a_row, g);
    } else {
        const NAME(sparse_product) p = {.A = &block->by_rows, .n = O, .k = I, .B = W, .b_row = O,
                                        .C = A, .c_row = a_row, .start = b, .start_row = 0};
        NAME(sparse_multiply)(engine, &p, g, block->entries);
    }
}

/* Distance of rows of sums that entries are scattered to: whole vectors of any width. */
static size_t NAME(scattered_row)(size_t O)
{
    return size_round_up(O, MOST_LANES);
}

/* W := W + scale * X' delta for a narrow layer; `sums` [I, scattered_row(O)] is scratch. */
static void NAME(scatter_weights)(const NAME(engine) *engine, const NAME(segments) *A, real scale,
                                  size_t I, size_t O, const real *delta, size_t d_row, real *W,
                                  real *sums)
{
    const size_t row = NAME(scattered_row)(O);
    const NAME(bp_sparse_tile) tile = {.rows = A->rows, .columns = O, .first = A->first,
                                       .last = A->last, .values = A->values,
                                       .indices = A->indices, .b = delta, .b_row = d_row,
                                       .c = sums, .c_row = row};
    memset(sums, 0, I * row * sizeof(real));
    engine->kernels->scatter(&tile);
    engine->kernels->axpy_rows(W, O, scale, sums, row, I, O);
}

/* Where a delta is not finite, so is what the biases [O] got of it, and a term of 0 * infinity
 * makes a dense sum NaN that a sparse one leaves out: then all of the unit's weights [I, O] are
 * NaN, whatever X is. */
static void NAME(spread_nonfinite)(size_t I, size_t O, const real *biases, real *weights)
{
    for (size_t o = 0; o < O; o++) {
        const real nothing = biases[o] - biases[o];
        if (nothing == 0) continue;
        for (size_t i = 0; i < I; i++) weights[i * O + o] = nothing;
    }
}

/* dW += X' delta, or W := W + scale * X' delta. `sums` is scratch for entries that are not turned,
 * which are those of narrow layers in batches that are one block. */
static void NAME(first_backward_weights)(const NAME(engine) *engine,
                                         const NAME(descent) *descent, const NAME(block) *block,
                                         size_t I, size_t O, const real *delta, size_t d_row,
                                         real *dW, real *sums)
{
    if (block->column_panels) {
        NAME(panels_job) job = {.kernels = engine->kernels, .block = block, .I = I, .O = O,
                                .delta = delta, .d_row = d_row, .dW = dW, .descent = descent};
        bp_team_run(engine->team, NAME(panels_backward), &job);
    } else if (block->X) {
        NAME(dense_backward_weights)(engine, descent, block->rows, I, O, block->X, I, delta, d_row,
                                     dW);
    } else if (block->by_columns.rows == 0) {
        NAME(scatter_weights)(engine, &block->by_rows, descent->scale, I, O, delta, d_row, dW,
                              sums);
    } else {
        const NAME(sparse_product) p = {.A = &block->by_columns, .n = O, .k = block->rows,
                                        .B = delta, .b_row = d_row, .C = dW, .c_row = O,
                                        .scaled = descent->scaled, .scale = descent->scale,
                                        .sum = NAME(sum_into)(descent, dW)};
        NAME(sparse_multiply)(engine, &p, NULL, block->entries);
    }
}
