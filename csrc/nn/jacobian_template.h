/* jacobian_template.h: what methods beyond gradient sink compute with: the Jacobian of the
 * outputs, a linear system and a scalar product. Parameter: BITS.
 */

/* ---- The Jacobian of outputs by parameters --------------------------------------------------- */

/* A layer's part of rows of J, which lie j_row apart: da/dW = in' delta, [I, O], then da/db =
 * delta. */
static void NAME(jacobian_layer)(size_t rows, size_t I, size_t O, const real *in, size_t in_row,
                                 const real *delta, size_t d_row, real *J, size_t j_row)
{
    for (size_t i = 0; i < rows; i++, in += in_row, delta += d_row, J += j_row) {
        for (size_t j = 0; j < I; j++)
            for (size_t o = 0; o < O; o++) J[j * O + o] = in[j] * delta[o];
        memcpy(J + I * O, delta, O * sizeof(real));
    }
}

/* The same for the first layer of sparse X, rows `row` and on: what has no entry is 0. */
static void NAME(jacobian_entries)(const NAME(bp_input) *X, size_t row, size_t rows, size_t I,
                                   size_t O, const real *delta, size_t d_row, real *J,
                                   size_t j_row)
{
    for (size_t i = 0; i < rows; i++, delta += d_row, J += j_row) {
        memset(J, 0, I * O * sizeof(real));
        for (size_t e = X->starts[row + i]; e < X->starts[row + i + 1]; e++)
            for (size_t o = 0; o < O; o++) J[X->columns[e] * O + o] = X->values[e] * delta[o];
        memcpy(J + I * O, delta, O * sizeof(real));
    }
}

/* What the rows of J are made of: a block of rows that has passed forward. */
typedef struct NAME(jacobian) {
    const NAME(context) *context;
    const bp_network *net;
    const NAME(workspace) *at;
    const real *parameters;
    const NAME(bp_input) *X;
    size_t row, rows; /* which of X's */
    const real *A;    /* [rows, O], the outputs */
    const real *last; /* [rows, O], g'(Z) of the last layer, after the activations of the others */
} NAME(jacobian);

/* delta[0] := derivatives of output o by Z of the last layer. */
static void NAME(unit_delta)(const NAME(jacobian) *from, size_t o)
{
    const size_t O = network_outputs(from->net), rows = from->rows;
    const int softmax = from->net->activations[from->net->layers - 1] == BP_SOFTMAX;
    real *delta = from->at->delta[0];
    memset(delta, 0, rows * O * sizeof(real));
    for (size_t i = o; i < rows * O; i += O) delta[i] = softmax ? 1 : from->last[i];
    if (softmax) NAME(softmax_backward)(rows, O, from->A, delta);
}

/* The backward recursion for output o, whose rows of J lie O P apart. */
static void NAME(jacobian_output)(const NAME(jacobian) *from, size_t o, real *J)
{
    const bp_network *net = from->net;
    const NAME(workspace) *at = from->at;
    const size_t rows = from->rows, P = network_parameters(net);
    const size_t j_row = P * network_outputs(net);
    real *delta = at->delta[0], *next = at->delta[1];
    const real *out = from->last;
    size_t end = P;
    NAME(unit_delta)(from, o);
    for (size_t l = net->layers; l-- > 0;) {
        const size_t I = net->sizes[l], O = net->sizes[l + 1], d_row = NAME(layer_row)(net, l);
        end -= (I + 1) * O;
        if (l == 0 && !from->X->dense) {
            NAME(jacobian_entries)(from->X, from->row, rows, I, O, delta, d_row, J, j_row);
            return;
        }
        const size_t in_row = l ? NAME(layer_row)(net, l - 1) : I;
        const real *in = l ? out - rows * in_row : from->X->dense + from->row * I;
        NAME(jacobian_layer)(rows, I, O, in, in_row, delta, d_row, J + end, j_row);
        if (l == 0) return;
        NAME(delta_below)(from->context, net, at, l, rows, from->parameters + end, in, delta, next);
        real *used = delta;
        delta = next;
        next = used;
        out = in;
    }
}

bp_status NAME(bp_parameter_jacobian)(const bp_network *net, const bp_execution *how,
                                      const real *parameters, const NAME(bp_input) *X, size_t row,
                                      size_t rows, real *A, real *J, void *workspace,
                                      size_t workspace_bytes)
{
    const NAME(bp_kernels) *kernels;
    NAME(workspace) at;
    bp_status status = NAME(open_pass)(net, how, X, size_sum(row, rows), rows, workspace,
                                       workspace_bytes, &kernels, &at);
    if (status) return status;
    const size_t O = network_outputs(net), P = network_parameters(net), all = row + rows;
    if (!size_is_addressable(size_product(size_product(rows, O), size_product(P, sizeof(real)))))
        return BP_TOO_LARGE;
    if (!parameters || (rows && (!A || !J))) return BP_NULL_POINTER;
    const int g = net->activations[net->layers - 1];
    const NAME(forward_cache) forward_cache = {.derivatives = at.derivatives};
    bp_team team;
    bp_team_start(&team, NAME(threads_for)(how, size_product(NAME(work_of)(net, rows), O)));
    const NAME(context) context = {kernels, &team, at.scratch, at.scratch_share,
                                   work_limit(how, SHARED_WORK)};
    for (size_t i = 0; i < rows; i += at.block_rows) {
        const size_t n = size_min(at.block_rows, rows - i);
        real *outputs = A + i * O;
        NAME(block) block;
        NAME(gather)(&context, net, &at, X, NULL, all, NULL, row + i, n, 0, &block);
        real *Z =
            NAME(forward_block)(&context, net, parameters, &block, at.activations, &forward_cache);
        memcpy(outputs, Z, n * O * sizeof(real));
        if (g == BP_SOFTMAX)
            NAME(softmax)(kernels, n, O, outputs);
        else
            NAME(activate_derivative)(kernels, g, outputs, Z, n * O); /* Z becomes g'(Z). */
        const NAME(jacobian) from = {&context, net, &at, parameters, X, row + i, n, outputs, Z};
        for (size_t o = 0; o < O; o++) NAME(jacobian_output)(&from, o, J + (i * O + o) * P);
    }
    bp_team_stop(&team);
    return BP_OK;
}

/* ---- A linear system ------------------------------------------------------------------------- */

/* Rows of U that are made together: all terms of the rows above come in one product, which is
 * nearly all of the work, and its bits are those of one row at a time. */
#define FACTOR_ROWS ((size_t)64)

typedef struct NAME(cholesky_workspace) {
    real *negative; /* [n, FACTOR_ROWS]: columns of U above a block of rows, or [n]: -x */
    real *scratch;  /* [threads, scratch_share] */
    size_t scratch_share;
} NAME(cholesky_workspace);

static NAME(cholesky_workspace)
    NAME(plan_factor)(arena *a, const NAME(bp_kernels) *kernels, const bp_execution *how, size_t n)
{
    NAME(cholesky_workspace) to;
    to.scratch_share = NAME(matmul_workspace)(kernels, FACTOR_ROWS, n, n);
    to.negative = arena_take(a, size_product(n, FACTOR_ROWS), sizeof(real));
    to.scratch = NAME(take_scratch)(a, how, to.scratch_share);
    return to;
}

/* Rows first ... end - 1 of U, from which all terms of the rows above are subtracted already. 0
 * where a pivot is not positive. */
static int NAME(factor_rows)(const NAME(bp_kernels) *kernels, size_t n, real *A, size_t first,
                             size_t end)
{
    for (size_t k = first; k < end; k++) {
        real *row = A + k * n;
        const real pivot = row[k], root = (real)sqrt((double)pivot);
        if (!(pivot > 0 && pivot - pivot == 0)) return 0;
        for (size_t j = k; j < n; j++) row[j] /= root;
        for (size_t i = k + 1; i < end; i++)
            kernels->axpy(A + i * n + i, -row[i], row + i, n - i);
    }
    return 1;
}

/* A's upper triangle := U, with U' U = A: U[i, j] = (A[i, j] - sum over k < i of U[k, i] U[k, j]) /
 * U[i, i], terms in ascending k. */
static int NAME(factorize)(const NAME(context) *context, size_t n, real *A, real *negative)
{
    for (size_t first = 0; first < n; first += FACTOR_ROWS) {
        const size_t rows = size_min(FACTOR_ROWS, n - first);
        for (size_t k = 0; k < first; k++)
            for (size_t i = 0; i < rows; i++)
                negative[k * rows + i] = -A[k * n + first + i];
        real *C = A + first * n + first;
        const NAME(product) p = {.m = rows, .n = n - first, .k = first,
                                 .A = negative, .a_row = 1, .a_column = (ptrdiff_t)rows,
                                 .B = A + first, .b_row = (ptrdiff_t)n, .b_column = 1,
                                 .C = C, .c_row = n, .start = C, .start_row = n};
        if (first) NAME(multiply)(context, &p, &NAME(NO_EPILOGUE));
        if (!NAME(factor_rows)(context->kernels, n, A, first, first + rows)) return 0;
    }
    return 1;
}

/* x := the solution of U' U x = b, b in x: U' y = b from the first row on, then U x = y from the
 * last. */
static void NAME(substitute)(const NAME(context) *context, size_t n, const real *U, real *x,
                             real *negative)
{
    for (size_t k = 0; k < n; k++) {
        x[k] /= U[k * n + k];
        context->kernels->axpy(x + k + 1, -x[k], U + k * n + k + 1, n - k - 1);
    }
    for (size_t k = n; k-- > 0;) {
        const NAME(product) p = {.m = 1, .n = 1, .k = n - k - 1,
                                 .A = U + k * n + k + 1, .a_column = 1,
                                 .B = negative + k + 1, .b_row = 1, .b_column = 1,
                                 .C = x + k, .c_row = 1, .start = x + k, .start_row = 1};
        NAME(matmul)(context->kernels, &p, context->scratch);
        x[k] /= U[k * n + k];
        negative[k] = -x[k];
    }
}

bp_status NAME(bp_cholesky_workspace_size)(const bp_execution *how, size_t n, size_t *bytes)
{
    const NAME(bp_kernels) *kernels;
    bp_status status = NAME(find)(how, &kernels);
    if (status) return status;
    if (!bytes) return BP_NULL_POINTER;
    arena a = arena_in(NULL);
    NAME(plan_factor)(&a, kernels, how, n);
    return NAME(matrix_fits)(n, n) ? NAME(bytes_of)(&a, bytes) : BP_TOO_LARGE;
}

bp_status NAME(bp_cholesky_solve)(const bp_execution *how, size_t n, real *A, double damping,
                                  const real *diagonal, real *x, void *workspace,
                                  size_t workspace_bytes)
{
    const NAME(bp_kernels) *kernels;
    size_t needed;
    bp_status status = NAME(bp_cholesky_workspace_size)(how, n, &needed);
    if (!status) status = NAME(find)(how, &kernels);
    if (status || n == 0) return status;
    if (!A || !x || !workspace) return BP_NULL_POINTER;
    if (workspace_bytes < needed) return BP_WORKSPACE_TOO_SMALL;
    arena a = arena_in(workspace);
    const NAME(cholesky_workspace) at = NAME(plan_factor)(&a, kernels, how, n);
    const real more = (real)damping;
    bp_team team;
    bp_team_start(&team, NAME(threads_for)(how, size_product(size_product(n, n), n / 6)));
    const NAME(context) context = {kernels, &team, at.scratch, at.scratch_share,
                                   work_limit(how, SHARED_WORK)};
    for (size_t i = 0; i < n; i++) A[i * n + i] += diagonal ? more * diagonal[i] : more;
    const int positive = NAME(factorize)(&context, n, A, at.negative);
    if (positive) NAME(substitute)(&context, n, A, x, at.negative);
    bp_team_stop(&team);
    return positive ? BP_OK : BP_NOT_POSITIVE;
}

/* ---- A scalar product ------------------------------------------------------------------------ */

/* Sums that are kept apart, for any vectors that a compiler has. */
#define DOT_SUMS 16

/* Plain C: a product of doubles and a sum, each rounded, have the same bits everywhere. */
double NAME(bp_dot)(const real *x, const real *y, size_t count)
{
    double sums[DOT_SUMS] = {0}, total = 0;
    size_t i = 0;
    for (; i + DOT_SUMS <= count; i += DOT_SUMS)
        UNROLL for (size_t s = 0; s < DOT_SUMS; s++)
            sums[s] += (double)x[i + s] * (double)y[i + s];
    for (size_t s = 0; i < count; i++, s++) sums[s] += (double)x[i] * (double)y[i];
    for (size_t s = 0; s < DOT_SUMS; s++) total += sums[s];
    return total;
}

#undef DOT_SUMS
#undef FACTOR_ROWS
