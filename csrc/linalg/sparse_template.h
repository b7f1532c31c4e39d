/* sparse_template.h: products with a matrix whose zeros are left out. Parameter: BITS.
 *
 * A sum leaves out its terms with a factor of zero and keeps the order of the others: fma(0, w, z)
 * is z, so the bits are those of the dense product (a sum that is zero may have another sign).
 *
 * Nonzeros are values with the number of their column, row by row (CSR). Where B is too large for
 * the nearest cache, they are cut into strips of columns, and all rows meet one strip of B after
 * the other. The transpose has the same form: rows and columns change places.
 */
#pragma once

#include <string.h>

#include "context_template.h"
#include "epilogue_template.h"
#include "sums_template.h"

/* Columns of A, rows of B, in a strip: with 8 vectors of AVX-512 they fill a first-level cache, and
 * a row of A that is a fifth full has about 13 nonzeros in it. Runs of a sum over rows are whole
 * strips. */
#define STRIP ((size_t)64)

/* Rows of A for which a strip of B is copied where its rows lie badly: a strip's row is used by a
 * part of them, the density, and copied once. */
#define ROWS_TO_COPY ((size_t)32)

/* Bytes of B that a pass over the nonzeros meets: a first-level cache. Fewer vectors than the least
 * would spend more on reading nonzeros than on multiplying them. */
#define NEAR_BYTES ((size_t)32 << 10)
#define MIN_VECTORS ((size_t)4)

/* A matrix B of at most this many bytes is not cut into strips for the cache's sake. */
#define ONE_STRIP_BYTES ((size_t)128 << 10)

/* A sparse matrix. Nonzeros first[s * rows + i] ... last[s * rows + i] - 1 are those of row i in
 * strip s, their columns ascending. */
typedef struct NAME(sparse_matrix) {
    size_t rows, strips;
    size_t strip; /* columns of each strip but the last, which may have fewer */
    const size_t *first, *last;
    const real *values;
    const uint32_t *indices;
    const size_t *row_offsets; /* [rows + 1]: nonzeros of the rows before; NULL: rows are alike */
} NAME(sparse_matrix);

/* C [A->rows, n] = S + A B, B [k, n]; the letters are those of a product. */
typedef struct NAME(sparse_product) {
    const NAME(sparse_matrix) *A;
    size_t n, k;
    const real *B;
    size_t b_row;
    real *C;
    size_t c_row;
    const real *start;
    size_t start_row;
    int fused_update; /* 1: C := C + scale * (A B); then A has one strip */
    real scale;
    NAME(sum_over_rows) sum; /* as for a product; strips end where runs do */
} NAME(sparse_product);

/* Rows of B [k, n] in a strip. */
static size_t NAME(column_strip)(size_t k, size_t n)
{
    const int one = size_product(size_product(k, n), sizeof(real)) <= ONE_STRIP_BYTES;
    return one || k <= STRIP ? k : STRIP;
}

/* The same where the k rows are those of a block, whose runs are strips at least. */
static size_t NAME(row_strip)(size_t k, size_t n)
{
    return size_min(NAME(column_strip)(k, n), BP_RUN_ROWS);
}

/* Elements of scratch for one thread. */
static size_t NAME(sparse_scratch)(const NAME(bp_kernels) *kernels)
{
    return STRIP * size_round_up(kernels->sparse_columns, CACHE_LINE / sizeof(real));
}

/* Do rows of B begin within cache lines, so that vectors lie across two of them, or so that they
 * share few lines of a cache? */
static int NAME(lies_badly)(const real *B, size_t b_row)
{
    const size_t step = b_row * sizeof(real);
    return (uintptr_t)B % CACHE_LINE != 0 || step % CACHE_LINE != 0 || step % 1024 == 0;
}

/* Copies rows first ... first + rows - 1 of columns of B to rows of whole cache lines. */
static void NAME(copy_strip)(NAME(bp_sparse_tile) *tile, const NAME(sparse_product) *p,
                             size_t first, size_t rows, size_t column, real *copy)
{
    const size_t length = size_round_up(tile->columns, CACHE_LINE / sizeof(real));
    for (size_t r = 0; r < rows; r++)
        memcpy(copy + r * length, p->B + (first + r) * p->b_row + column,
               tile->columns * sizeof(real));
    tile->b = copy;
    tile->b_first = first;
    tile->b_row = length;
}

/* Columns of a pass over the nonzeros, such that all passes over n of them are alike. A few rows
 * meet each row of B about once, whatever the cache. */
static size_t NAME(pass_width)(const NAME(bp_kernels) *kernels, const NAME(sparse_product) *p,
                               size_t m, size_t n)
{
    const size_t lanes = kernels->lanes, vectors = size_pieces(n, lanes);
    const size_t rows = size_min(p->A->strip, p->k);
    const size_t in_cache = size_max(NEAR_BYTES / (rows * lanes * sizeof(real)), MIN_VECTORS);
    const size_t held = kernels->sparse_columns / lanes;
    const size_t most = m < ROWS_TO_COPY ? held : size_min(in_cache, held);
    const size_t passes = size_pieces(vectors, most);
    return size_pieces(vectors, passes) * lanes;
}

/* Rows i ... i + m - 1 and columns j ... j + n - 1 of C. */
static void NAME(sparse_part)(const NAME(bp_kernels) *kernels, const NAME(sparse_product) *p,
                              size_t i, size_t m, size_t j, size_t n, real *scratch)
{
    const int copies = p->A->strips > 1 && p->A->strip == STRIP && m >= ROWS_TO_COPY &&
                       NAME(lies_badly)(p->B, p->b_row);
    const size_t width = NAME(pass_width)(kernels, p, m, n);
    NAME(bp_sparse_tile) tile = {.rows = m, .values = p->A->values, .indices = p->A->indices,
                                 .b_row = p->b_row, .c_row = p->c_row,
                                 .fused_update = p->fused_update,
                                 .scale = p->sum.is_cut ? 1 : p->scale};
    for (size_t s = 0; s < p->A->strips; s++) {
        const size_t term = s * p->A->strip, terms = size_min(p->A->strip, p->k - term);
        const int ends = NAME(ends_run)(&p->sum, term + terms);
        const real *start = s || p->sum.is_cut ? p->C : p->start;
        if (NAME(begins_run)(&p->sum, term)) start = NULL;
        tile.first = p->A->first + s * p->A->rows + i;
        tile.last = p->A->last + s * p->A->rows + i;
        tile.start_row = start == p->C ? p->c_row : p->start_row;
        if (p->sum.is_cut) tile.fused_update = ends && !NAME(ends_first_run)(&p->sum, term + terms);
        for (size_t column = j; column < j + n; column += width) {
            tile.columns = size_min(width, j + n - column);
            tile.b = p->B + column;
            if (copies)
                NAME(copy_strip)(&tile, p, term, terms, column, scratch);
            tile.c = (ends ? p->sum.part : p->C) + i * p->c_row + column;
            tile.start = start ? start + i * tile.start_row + column : NULL;
            kernels->sparse_tile(&tile);
        }
    }
}

/* The first row of a share such that all have about as many nonzeros. */
static size_t NAME(balanced_row)(const NAME(sparse_matrix) *A, size_t share, size_t shares)
{
    const size_t nonzeros = A->row_offsets[A->rows] - A->row_offsets[0];
    const size_t target = A->row_offsets[0] + nonzeros / shares * share;
    size_t low = 0, high = A->rows;
    if (share == shares) return A->rows;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (A->row_offsets[middle] < target)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

typedef struct NAME(sparse_job) {
    NAME(context) *context;
    const NAME(sparse_product) *product;
    const NAME(epilogue) *epilogue;
    int by_columns;
} NAME(sparse_job);

static void NAME(sparse_share)(void *argument, bp_share share)
{
    const NAME(sparse_job) *job = argument;
    NAME(context) *context = job->context;
    const NAME(sparse_product) *p = job->product;
    size_t row = 0, m = p->A->rows, column = 0, n = p->n;
    if (job->by_columns) {
        n = share_of(n, context->kernels->lanes, share, &column);
    } else if (p->A->row_offsets) {
        row = NAME(balanced_row)(p->A, share.number, share.count);
        m = NAME(balanced_row)(p->A, share.number + 1, share.count) - row;
    } else {
        m = share_of(m, 1, share, &row);
    }
    if (m == 0 || n == 0) return;
    NAME(sparse_part)(context->kernels, p, row, m, column, n,
                      context->scratch + share.thread * context->scratch_share);
    NAME(apply_epilogue)(context->kernels, job->epilogue, m, n, p->C + row * p->c_row + column,
                         p->c_row, row, column);
}

/* A wide C is shared by columns, so that each thread reads a part of B alone and finds it in its
 * cache again with the next batch. */
static void NAME(sparse_multiply)(NAME(context) *context, const NAME(sparse_product) *p,
                                  const NAME(epilogue) *epilogue, size_t nonzeros)
{
    NAME(sparse_job) job = {context, p, epilogue, 0};
    job.by_columns = p->n >= context->team.threads * context->kernels->sparse_columns;
    NAME(run_shares)(context, size_product(nonzeros, p->n), NAME(sparse_share), &job);
}

/* ---- Nonzeros in other orders ---------------------------------------------------------------- */

/* Where nonzeros are copied to. bounds [segments + 1]: segment g is bounds[g] ... bounds[g + 1]. */
typedef struct NAME(nonzeros) {
    real *values;
    uint32_t *indices;
    size_t *bounds;
} NAME(nonzeros);

/* Room for so many nonzeros, and bounds of so many segments. */
static NAME(nonzeros) NAME(take_nonzeros)(arena *a, size_t nonzeros, size_t segments)
{
    NAME(nonzeros) taken;
    taken.values = arena_take(a, nonzeros, sizeof(real));
    taken.indices = arena_take(a, nonzeros, sizeof(uint32_t));
    taken.bounds = arena_take(a, size_sum(segments, 1), sizeof(size_t));
    return taken;
}

/* Some columns of a sparse matrix, j ... end - 1: nonzeros first[i] ... last[i] - 1 of row i. What is
 * made of them goes where it would go with all columns, so that threads share these. */
typedef struct NAME(column_range) {
    size_t j, end;
    const size_t *first, *last;
} NAME(column_range);

static NAME(column_range) NAME(all_columns)(const NAME(sparse_matrix) *A, size_t columns)
{
    const NAME(column_range) all = {0, columns, A->first, A->last};
    return all;
}

/* The first of nonzeros e ... end - 1 of a row that is not before column j. */
static size_t NAME(nonzero_from)(const NAME(sparse_matrix) *A, size_t e, size_t end, size_t j)
{
    while (e < end) {
        const size_t middle = e + (end - e) / 2;
        if (A->indices[middle] < j)
            e = middle + 1;
        else
            end = middle;
    }
    return e;
}

/* Columns j ... end - 1 of all; `places` [2, rows] takes where they are. */
static NAME(column_range) NAME(some_columns)(const NAME(sparse_matrix) *A, size_t j, size_t end,
                                             size_t *places)
{
    size_t *first = places, *last = places + A->rows;
    const NAME(column_range) some = {j, end, first, last};
    for (size_t i = 0; i < A->rows; i++) {
        first[i] = NAME(nonzero_from)(A, A->first[i], A->last[i], j);
        last[i] = NAME(nonzero_from)(A, first[i], A->last[i], end);
    }
    return some;
}

/* Copies rows of nonzeros strip by strip of columns; `cursor` [rows] is scratch. A range is whole
 * strips, or ends with the last column. Bounds begin with `at`, the number of nonzeros before. */
static void NAME(cut_columns)(NAME(nonzeros) to, size_t at, const NAME(sparse_matrix) *A,
                              const NAME(column_range) *range, size_t strip, size_t *cursor)
{
    const size_t strips = size_pieces(range->end, strip);
    size_t s = range->j / strip, *bound = to.bounds + s * A->rows;
    if (s == 0) *bound = at;
    for (size_t i = 0; i < A->rows; i++) {
        cursor[i] = range->first[i];
        at += range->first[i] - A->first[i];
    }
    for (; s < strips; s++) {
        const size_t end = s + 1 == strips ? SIZE_MAX : (s + 1) * strip;
        for (size_t i = 0; i < A->rows; i++, *++bound = at) {
            size_t e = cursor[i];
            for (; e < range->last[i] && A->indices[e] < end; e++, at++) {
                to.values[at] = A->values[e];
                to.indices[at] = A->indices[e];
            }
            cursor[i] = e;
        }
    }
}

/* Columns of rows i0 ... i1 - 1 become rows from number `at` on. `next` [columns], the end of each,
 * counts, and then says where a column's next nonzero goes (a counting sort). */
static void NAME(transpose_strip)(NAME(nonzeros) to, size_t at, const NAME(sparse_matrix) *A,
                                  const NAME(column_range) *range, size_t i0, size_t i1,
                                  size_t *next)
{
    memset(next + range->j, 0, (range->end - range->j) * sizeof *next);
    for (size_t i = i0; i < i1; i++)
        for (size_t e = range->first[i]; e < range->last[i]; e++) next[A->indices[e]]++;
    for (size_t j = range->j; j < range->end; j++) {
        const size_t count = next[j];
        next[j] = at;
        at += count;
    }
    for (size_t i = i0; i < i1; i++)
        for (size_t e = range->first[i]; e < range->last[i]; e++) {
            const size_t place = next[A->indices[e]]++;
            to.values[place] = A->values[e];
            to.indices[place] = (uint32_t)i;
        }
}

/* The transpose of rows of nonzeros [rows, columns], strip by strip of rows: for each column, the
 * rows that it has nonzeros in, ascending. */
static void NAME(transpose_nonzeros)(NAME(nonzeros) to, size_t at, const NAME(sparse_matrix) *A,
                                     const NAME(column_range) *range, size_t columns, size_t strip)
{
    if (range->j == 0) to.bounds[0] = at;
    for (size_t i0 = 0; i0 < A->rows; i0 += strip) {
        const size_t i1 = size_min(i0 + strip, A->rows);
        size_t before = 0, all = 0;
        for (size_t i = i0; i < i1; i++) {
            before += range->first[i] - A->first[i];
            all += A->last[i] - A->first[i];
        }
        NAME(transpose_strip)(to, at + before, A, range, i0, i1,
                              to.bounds + i0 / strip * columns + 1);
        at += all;
    }
}

/* Bounds with which transpose_nonzeros leaves are the ends of the segments: each is the beginning
 * of the next one. So both orders are read alike. */
static NAME(sparse_matrix) NAME(sparse_matrix_of)(NAME(nonzeros) from, size_t rows, size_t columns,
                                                  size_t strip)
{
    const size_t strips = size_pieces(columns, strip);
    NAME(sparse_matrix) A = {rows,        strips,       strip, from.bounds, from.bounds + 1,
                             from.values, from.indices, NULL};
    if (strips == 1) A.row_offsets = from.bounds;
    return A;
}

/* row_offsets [rows + 1] of a matrix in strips. */
static void NAME(count_row_offsets)(size_t *row_offsets, const NAME(sparse_matrix) *A)
{
    size_t total = 0;
    for (size_t i = 0; i < A->rows; i++) {
        row_offsets[i] = total;
        for (size_t s = 0; s < A->strips; s++)
            total += A->last[s * A->rows + i] - A->first[s * A->rows + i];
    }
    row_offsets[A->rows] = total;
}
