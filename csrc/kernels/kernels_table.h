/* kernels_table.h: the type of a table, for kernels.h alone. Parameter: BITS.
 *
 * Pointers need no alignment; counts may be 0. Elementwise functions give each element the same
 * bits wherever it stands and however many stand beside it.
 */
#include "../base/precision.h"

/* One tile of a matrix product: C[i, j] := S[i, j] + sum over p of A[i, p] B[p, j], terms in
 * ascending p, one fused multiply-add a term. The start S may be C itself. */
typedef struct NAME(bp_tile) {
    size_t rows, columns, k; /* rows <= mr, columns <= nr */
    const real *a;           /* A[i, p] is a[i * a_row + p * a_step] */
    ptrdiff_t a_row, a_step;
    const real *b; /* B[p, j] is b[p * b_step + j]; j may be read up to `columns` rounded */
    size_t b_step; /* up to a multiple of `lanes` */
    real *c;       /* C[i, j] is c[i * c_row + j] */
    size_t c_row;
    const real *start; /* S[i, j] is start[i * start_row + j]; with start_row 0 one row, such */
    size_t start_row;  /* as the biases, serves all. NULL: zeros */
    int fused_update;  /* 1: C[i, j] := C[i, j] + scale * (the sum); S is not C then */
    real scale;
    uintptr_t ahead;   /* address of memory that will be read next: with term p, the line at */
    size_t ahead_step; /* ahead + p * ahead_step is prefetched. It need not exist */
} NAME(bp_tile);

/* Rows of a product with a sparse A: C[i, j] := S[i, j] + sum over e of values[e] * B[indices[e],
 * j], for the nonzeros e = first[i] ... last[i] - 1 of row i, in this order. The sum of a row
 * without nonzeros is its start. */
typedef struct NAME(bp_sparse_tile) {
    size_t rows, columns; /* columns <= sparse_columns */
    const size_t *first, *last;
    const real *values;
    const uint32_t *indices;
    const real *b; /* B[p, j] is b[(p - b_first) * b_row + j]; only `columns` elements of a row */
    size_t b_first, b_row; /* are read */
    real *c;
    size_t c_row;
    const real *start; /* as for a bp_tile */
    size_t start_row;
    int fused_update; /* as for a bp_tile */
    real scale;
} NAME(bp_sparse_tile);

/* What an update computes with, in the symbols of bp_rule. The gradient is scale * gradient + l2 *
 * w. */
typedef struct NAME(bp_update) {
    real rate, scale, l2;
    real keep; /* w := keep * w first: 1 - rate * weight_decay */
    real momentum, decay, epsilon;
    real shrink, grow, least_step, most_step;
} NAME(bp_update);

typedef struct NAME(bp_kernels) {
    void (*tile)(const NAME(bp_tile) *tile);
    size_t mr, nr, lanes;

    void (*sparse_tile)(const NAME(bp_sparse_tile) *tile);
    size_t sparse_columns;

    /* The transpose of a sparse A times B, for narrow rows: C[indices[e], j] := C[indices[e], j] +
     * values[e] * B[i, j] for the nonzeros e of row i, row by row. Of the tile it reads rows,
     * columns <= scatter_columns, first, last, values, indices, b, b_row, c and c_row. Rows of C
     * have room for whole vectors, and their ends become 0 + ... + 0. */
    void (*scatter)(const NAME(bp_sparse_tile) *tile);
    size_t scatter_columns;

    /* Copies those of the elements x[i] ... x[end - 1] that are not zero to `values`, their numbers
     * to `indices`, and returns how many there are. May write up to `lanes` elements behind them. */
    size_t (*compress)(real *values, uint32_t *indices, const real *x, size_t i, size_t end);

    /* How many elements of x [count] are not zero. */
    size_t (*count_nonzero)(const real *x, size_t count);

    /* 1 where x [count] holds neither NaN nor infinity. */
    int (*finite)(const real *x, size_t count);

    /* Row p of `panel` starts at p * width and receives B's row p, `columns` elements of it, and
     * zeros up to a multiple of `lanes`. Rows of B are contiguous and b_row elements apart. */
    void (*pack)(real *panel, size_t width, size_t k, size_t columns, const real *B,
                 ptrdiff_t b_row);

    /* z := g(z), by bp_activation. NULL for BP_SOFTMAX, which is not elementwise. */
    void (*activate[BP_ACTIVATION_COUNT])(real *z, size_t count);

    /* d := d * g'(z), with the derivative taken from the output a = g(z). NULL for BP_SOFTMAX, and
     * where the output does not tell it: BP_SILU and BP_GELU. */
    void (*activate_backward[BP_ACTIVATION_COUNT])(real *d, const real *a, size_t count);

    /* derivative := g'(z), z := g(z), for those two; NULL for the others. */
    void (*activate_derivative[BP_ACTIVATION_COUNT])(real *z, real *derivative, size_t count);

    void (*multiply)(real *x, const real *y, size_t count); /* x := x y */

    void (*exp)(real *x, size_t count);
    void (*log)(real *x, size_t count);       /* positive, normal, finite x */
    void (*log1p_exp)(real *x, size_t count); /* log(1 + e^x), x <= 0 */

    /* Sigmoid and cross-entropy in one, from the logit z: loss := -y log a - (1-y) log(1-a) and
     * delta := a - y with a = sigmoid(z). loss may be z's array. */
    void (*sigmoid_bce)(real *loss, real *delta, const real *z, const real *y, size_t count);

    /* C[i, j] := C[i, j] + scale * T[j, i], C [m, n], T [n, m], rows c_row and t_row apart. */
    void (*add_transposed)(real *c, size_t c_row, const real *t, size_t t_row, size_t m, size_t n,
                           real scale);

    /* total := total + part, and carry takes up what is lost by rounding that sum; so total + carry
     * is the sum of finite parts, as if it were added in twice the precision. */
    void (*add_part)(real *total, real *carry, const real *part, size_t count);

    /* y := y + alpha x. */
    void (*axpy)(real *y, real alpha, const real *x, size_t count);

    /* The same for rows [rows, columns] that lie y_row and x_row apart. */
    void (*axpy_rows)(real *y, size_t y_row, real alpha, const real *x, size_t x_row, size_t rows,
                      size_t columns);

    /* sum[j] := sum[j] + x[0, j] + x[1, j] + ..., x [rows, columns], in this order; x[i, j] is
     * x[i * x_row + j]. */
    void (*add_rows)(real *sum, const real *x, size_t x_row, size_t rows, size_t columns);

    /* One update of w [count] by its gradient and the moments that the optimizer keeps. */
    void (*update[BP_OPTIMIZER_COUNT])(const NAME(bp_update) *how, real *w, const real *gradient,
                                       real *first, real *second, size_t count);

    /* g := scale * g + l2 * w + l1 * sign(w). */
    void (*penalize)(real *g, const real *w, real scale, real l2, real l1, size_t count);

    /* Sums over x [count] of x^2 and |x|. A sum is cut into pieces of 1,024 terms, a piece into 16
     * sums of every 16th term, which are added in ascending order, in double. */
    double (*sum_squares)(const real *x, size_t count);
    double (*sum_magnitudes)(const real *x, size_t count);

    /* sums[j] := sums[j] + x[0, j]^2 + x[1, j]^2 + ..., x [rows, columns] contiguous. */
    void (*add_squares)(real *sums, const real *x, size_t rows, size_t columns);

    /* Columns of x [rows, columns] whose squares sum to more than limit^2 are shortened to `limit`.
     * squares holds the sums; it is used up. */
    void (*limit_columns)(real *x, real *squares, real limit, size_t rows, size_t columns);
} NAME(bp_kernels);
