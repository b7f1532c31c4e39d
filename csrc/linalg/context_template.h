/* context_template.h: what computes, and how work is shared among its threads. Parameter: BITS. */

/* The kernels, the threads and the scratch memory of one call. */
typedef struct NAME(context) {
    const NAME(bp_kernels) *kernels;
    bp_team *team;
    real *scratch;        /* [shares, scratch_share]: each thread has its own */
    size_t scratch_share; /* whole cache lines, so that threads do not write to the same one */
    size_t shared_work;   /* multiply-adds from which a piece of work is shared */
} NAME(context);

/* Multiply-adds below which work is not shared: about a microsecond, a few times what it takes to
 * tell a helper that spins and to hear that it has finished (0.1 microseconds, both ways). */
#define SHARED_WORK ((size_t)50000)

/* The threads that so many multiply-adds are worth. In double each takes twice as long. */
static size_t NAME(threads_for)(const bp_execution *how, size_t work)
{
    return threads_for(how, size_product(work, sizeof(real) / sizeof(float)));
}

/* Which outputs of a layer become 0 while learning: each by a random number that depends on its
 * column and its row's position in the epoch alone. */
typedef struct NAME(dropout) {
    uint64_t key; /* of (seed, epoch, layer) */
    uint64_t row; /* position in the epoch of the block's first row */
    size_t columns;
    uint32_t threshold; /* 2^32 times the share that is dropped */
    real scale;         /* of the others: 1 / (1 - share) */
} NAME(dropout);

/* What is done to a result once it is there, by the thread that has it in its cache: nothing (no
 * pointer), or, on the way forward, A = g(Z), where g'(Z) is kept if there is room for it; on the way
 * back, delta = dA g'(Z), with g' as it was kept, or from the output A of the layer below. */
typedef struct NAME(epilogue) {
    int activation;
    int backward;
    const real *output;
    size_t output_row;
    real *derivative;
    size_t derivative_row;
    const NAME(dropout) *dropout; /* NULL: none */
} NAME(epilogue);

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

/* ---- Dense products ------------------------------------------------------------------------- */

typedef struct NAME(product_job) {
    const NAME(context) *context;
    const NAME(product) *product;
    const NAME(epilogue) *epilogue;
    int by_columns;
} NAME(product_job);

/* A share is a range of rows or of columns of C: whole sums, never parts of one. */
static void NAME(product_share)(void *argument, size_t share, size_t shares)
{
    const NAME(product_job) *job = argument;
    const NAME(bp_kernels) *kernels = job->context->kernels;
    NAME(product) part = *job->product;
    size_t row = 0, column = 0;
    if (job->by_columns) {
        part.n = share_of(part.n, kernels->nr, share, shares, &column);
        part.B += (ptrdiff_t)column * part.b_column;
    } else {
        const int thin = NAME(is_thin)(kernels, &part);
        part.m = share_of(part.m, thin ? kernels->nr : kernels->mr, share, shares,
                          &row);
        part.A += (ptrdiff_t)row * part.a_row;
    }
    if (part.m == 0 || part.n == 0) return;
    part.C += row * part.c_row + column;
    part.sum = NAME(sum_at)(part.sum, row * part.c_row + column);
    if (part.start) part.start += row * part.start_row + column;
    NAME(matmul)(kernels, &part, job->context->scratch + share * job->context->scratch_share);
    NAME(apply_epilogue)(kernels, job->epilogue, part.m, part.n, part.C, part.c_row, row, column);
}

/* C = S + A B, then what `epilogue` says. */
static void NAME(multiply)(const NAME(context) *context, const NAME(product) *p,
                           const NAME(epilogue) *epilogue)
{
    const NAME(bp_kernels) *kernels = context->kernels;
    NAME(product_job) job = {context, p, epilogue, 0};
    job.by_columns = p->n / kernels->nr > p->m / kernels->mr;
    if (size_product(size_product(p->m, p->n), p->k) < context->shared_work)
        NAME(product_share)(&job, 0, 1);
    else
        bp_team_run(context->team, NAME(product_share), &job);
}

/* ---- Vectors -------------------------------------------------------------------------------- */

typedef struct NAME(axpy_job) {
    const NAME(bp_kernels) *kernels;
    real *y;
    real alpha;
    const real *x;
    size_t count;
} NAME(axpy_job);

static void NAME(axpy_share)(void *argument, size_t share, size_t shares)
{
    const NAME(axpy_job) *job = argument;
    size_t first, count = share_of(job->count, CACHE_LINE / sizeof(real), share, shares, &first);
    job->kernels->axpy(job->y + first, job->alpha, job->x + first, count);
}

/* y := y + alpha x. */
static void NAME(axpy)(const NAME(context) *context, real *y, real alpha, const real *x,
                       size_t count)
{
    NAME(axpy_job) job = {context->kernels, y, alpha, x, count};
    if (count < context->shared_work)
        NAME(axpy_share)(&job, 0, 1);
    else
        bp_team_run(context->team, NAME(axpy_share), &job);
}

/* run[j] := run[j] + x[0, j] + x[1, j] + ..., or from 0 where a run begins. */
typedef struct NAME(sum_job) {
    const NAME(bp_kernels) *kernels;
    real *run;
    NAME(sum_over_rows) sum;
    const real *x;
    size_t x_row, rows, columns;
} NAME(sum_job);

static void NAME(sum_share)(void *argument, size_t share, size_t shares)
{
    const NAME(sum_job) *job = argument;
    size_t first, count = share_of(job->columns, CACHE_LINE / sizeof(real), share, shares, &first);
    const NAME(sum_over_rows) sum = NAME(sum_at)(job->sum, first);
    real *run = job->run + first;
    for (size_t i = 0, rows; i < job->rows; i += rows) {
        rows = NAME(terms_of_run)(&sum, i, job->rows - i);
        if (NAME(begins_run)(&sum, i)) memset(run, 0, count * sizeof(real));
        job->kernels->add_rows(run, job->x + i * job->x_row + first, job->x_row, rows, count);
        if (NAME(ends_run)(&sum, i + rows))
            NAME(add_run)(job->kernels, NAME(ends_first_run)(&sum, i + rows), sum.part, run, count);
    }
}

static void NAME(add_all_rows)(const NAME(context) *context, real *run, NAME(sum_over_rows) sum,
                               const real *x, size_t x_row, size_t rows, size_t columns)
{
    NAME(sum_job) job = {context->kernels, run, sum, x, x_row, rows, columns};
    if (size_product(rows, columns) < context->shared_work)
        NAME(sum_share)(&job, 0, 1);
    else
        bp_team_run(context->team, NAME(sum_share), &job);
}
