/* matmul_template.h: C = S + A B from tiles. Parameter: BITS.
 *
 * A [m, k], B [k, n], C and the start S [m, n]. The terms, or those of a run where the sum is over
 * the rows of a batch, are cut into blocks; within a block, the operand with fewer rows or columns
 * stays in the cache while the other one passes by, a strip of it at a time:
 *
 *   rows_pass      m >= n: all of B's panels are packed, then tiles of rows pass
 *   columns_pass   m < n: panels of B pass, and each meets all rows
 *
 *   A is read where it lies, since a tile uses each element at once for all its columns; only
 *     where its columns are contiguous and many panels meet them, they are copied, tile by tile.
 *   B is copied into panels as wide as a tile where many tiles of rows meet it, so that the
 *     inner loop reads it in one stream. Where only one does, or in columns_pass, the copy would
 *     cost as much as it saves: B is read in place, but for columns that do not fill a vector.
 *   S is loaded into the tile's sums and C stored from them. After the first block of terms S is
 *     C: a sum goes on where the block before ended, so blocks leave no trace in the bits.
 *   What will pass next is prefetched, a few bytes with each term: the strips are short, and
 *     hardware prefetchers begin anew with each.
 */
#pragma once

#include <string.h>

#include "context_template.h"
#include "epilogue_template.h"
#include "sums_template.h"

typedef struct NAME(product) {
    size_t m, n, k; /* k > 0, unless the start is C */
    const real *A;  /* A[i, p] is A[i * a_row + p * a_column] */
    ptrdiff_t a_row, a_column;
    const real *B; /* B[p, j] is B[p * b_row + j * b_column] */
    ptrdiff_t b_row, b_column;
    real *C; /* C[i, j] is C[i * c_row + j] */
    size_t c_row;
    const real *start; /* S: C itself; one row for all (start_row 0: biases); NULL for zeros */
    size_t start_row;
    int fused_update; /* 1: C := C + scale * (A B), with k <= MAX_FUSED_TERMS; the start is not C */
    real scale;
    NAME(sum_over_rows) sum; /* where it is cut, the start is C, or nothing where a run begins */
} NAME(product);

/* Terms in a block. rows_pass: 4 KiB a column, so that the 784 pixels of a row of float32 stay
 * in one piece; 256 columns of packed B are then 1 MiB at most, and usually less. columns_pass:
 * 2 KiB, since a panel of B is met again by each tile of rows and should not leave the nearer
 * caches meanwhile. */
#define KC_ROWS (4096 / sizeof(real))
#define KC_COLUMNS MAX_FUSED_TERMS
#define NC ((size_t)256)

/* The most terms of a fused update: it is finished in one block in either order. */
#define MAX_FUSED_TERMS (2048 / sizeof(real))

/* Packing writes whole vectors, up to 16 elements past the last one of a tile of A. */
#define SLACK ((size_t)16)

/* Rows of C' that are transposed at once: with 8 columns they are 8 KiB of float32, and stay in the
 * nearest cache. */
#define TRANSPOSED_ROWS ((size_t)256)

static size_t NAME(matmul_workspace)(const NAME(bp_kernels) *kernels, size_t m, size_t n, size_t k)
{
    size_t columns = size_round_up(size_min(size_max(m, n), NC), kernels->nr);
    size_t packed_B = size_product(size_min(k, KC_ROWS), columns);
    size_t rows = size_round_up(size_min(m, n), kernels->mr);
    size_t packed_A = size_sum(size_product(size_min(k, KC_COLUMNS), rows), SLACK);
    size_t transposed = TRANSPOSED_ROWS * size_min(n, kernels->lanes / 2);
    return size_round_up(size_sum(size_sum(packed_A, packed_B), transposed), CACHE_LINE);
}

/* Source columns that are transposed together: a line of each of these panel rows stays in the
 * nearest cache. */
#define TRANSPOSED_TERMS ((size_t)64)

/* panel [k, nr] := B [k, n]; columns beyond n, as far as a vector reaches, are 0. */
static void NAME(pack_panel)(const NAME(bp_kernels) *kernels, real *panel, size_t k, size_t n,
                             const real *B, ptrdiff_t b_row, ptrdiff_t b_column)
{
    const size_t width = kernels->nr;
    if (b_column == 1) {
        kernels->pack(panel, width, k, n, B, b_row);
        return;
    }
    for (size_t start = 0; start < k; start += TRANSPOSED_TERMS) {
        const size_t end = size_min(k, start + TRANSPOSED_TERMS);
        for (size_t j = 0; j < n; j++) {
            const real *column = B + (ptrdiff_t)j * b_column;
            for (size_t p = start; p < end; p++)
                panel[p * width + j] = column[(ptrdiff_t)p * b_row];
        }
        for (size_t p = start; n < width && p < end; p++)
            memset(panel + p * width + n, 0, (width - n) * sizeof(real));
    }
}

/* Can the panel of B with these columns be read in place? Its rows must be contiguous, and whole
 * vectors. */
static int NAME(readable)(const NAME(bp_kernels) *kernels, size_t columns, ptrdiff_t b_row,
                          ptrdiff_t b_column)
{
    return b_column == 1 && b_row >= 0 && columns % kernels->lanes == 0;
}

/* Rows of a tile, such that all tiles of m rows are alike and no small rest remains. */
static size_t NAME(even_rows)(const NAME(bp_kernels) *kernels, size_t m)
{
    size_t tiles = size_pieces(m, kernels->mr);
    return size_pieces(m, tiles);
}

/* Asks for a tile of C, which would otherwise be waited for before its first product. */
static void NAME(prefetch_tile)(const real *C, size_t rows, size_t columns, size_t c_row)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j += CACHE_LINE / sizeof(real)) PREFETCH(C + i * c_row + j);
}

/* What all tiles of a product have in common. */
static NAME(bp_tile) NAME(tile_of)(const NAME(product) *p)
{
    NAME(bp_tile) tile = {.k = p->k, .a_row = p->a_row, .a_step = p->a_column, .c_row = p->c_row,
                          .start_row = p->start_row, .fused_update = p->fused_update,
                          .scale = p->scale};
    return tile;
}

/* A block of terms, n <= NC. The next rows of A are prefetched, a share a panel. */
static void NAME(rows_pass)(const NAME(bp_kernels) *kernels, const NAME(product) *p, real *packed)
{
    const size_t m = p->m, n = p->n, k = p->k;
    const size_t width = kernels->nr, rows = NAME(even_rows)(kernels, m);
    const size_t panels = size_pieces(n, width);
    const size_t strip = p->a_column == 1 ? rows * (size_t)p->a_row * sizeof(real) : 0;
    NAME(bp_tile) tile = NAME(tile_of)(p);

    for (size_t j = 0; j < n; j += width)
        if (rows < m || !NAME(readable)(kernels, size_min(width, n - j), p->b_row, p->b_column))
            NAME(pack_panel)(kernels, packed + j * k, k, size_min(width, n - j),
                             p->B + (ptrdiff_t)j * p->b_column, p->b_row, p->b_column);
    for (size_t i = 0; i < m; i += rows) {
        tile.rows = size_min(rows, m - i);
        tile.a = p->A + (ptrdiff_t)i * p->a_row;
        tile.ahead = (uintptr_t)tile.a + strip;
        tile.ahead_step = size_pieces(strip, panels * k);
        for (size_t j = 0; j < n; j += width) {
            tile.columns = size_min(width, n - j);
            const int packs =
                rows < m || !NAME(readable)(kernels, tile.columns, p->b_row, p->b_column);
            tile.b = packs ? packed + j * k : p->B + j;
            tile.b_step = packs ? width : (size_t)p->b_row;
            tile.c = p->C + i * p->c_row + j;
            tile.start = p->start ? p->start + i * p->start_row + j : NULL;
            if ((p->start == p->C || p->fused_update) && m - i > rows)
                NAME(prefetch_tile)(tile.c + rows * p->c_row, size_min(rows, m - i - rows),
                                    tile.columns, p->c_row);
            kernels->tile(&tile);
            tile.ahead += tile.ahead_step * k;
        }
    }
}

/* A block of terms. The next panels of B are prefetched, a cache line of each row with each
 * tile. */
static void NAME(columns_pass)(const NAME(bp_kernels) *kernels, const NAME(product) *p,
                               real *packed_B)
{
    const size_t m = p->m, n = p->n, k = p->k;
    const size_t width = kernels->nr, rows = NAME(even_rows)(kernels, m);
    const int packs_A = p->a_row == 1;
    real *packed_A = packed_B + width * k;
    NAME(bp_tile) tile = NAME(tile_of)(p);

    if (packs_A) {
        tile.a_step = (ptrdiff_t)rows;
        for (size_t i = 0; i < m; i += rows)
            kernels->pack(packed_A + i * k, rows, k, size_min(rows, m - i), p->A + i, p->a_column);
    }
    for (size_t j = 0; j < n; j += width) {
        const real *panel = p->B + (ptrdiff_t)j * p->b_column;
        tile.columns = size_min(width, n - j);
        const int packs_B = !NAME(readable)(kernels, tile.columns, p->b_row, p->b_column);
        if (packs_B)
            NAME(pack_panel)(kernels, packed_B, k, tile.columns, panel, p->b_row, p->b_column);
        tile.b = packs_B ? packed_B : panel;
        tile.b_step = packs_B ? width : (size_t)p->b_row;
        tile.ahead = (uintptr_t)panel + width * sizeof(real);
        tile.ahead_step = (size_t)p->b_row * sizeof(real);
        for (size_t i = 0; i < m; i += rows, tile.ahead += CACHE_LINE) {
            tile.rows = size_min(rows, m - i);
            tile.a = packs_A ? packed_A + i * k : p->A + (ptrdiff_t)i * p->a_row;
            tile.c = p->C + i * p->c_row + j;
            tile.start = p->start ? p->start + i * p->start_row + j : NULL;
            kernels->tile(&tile);
        }
    }
}

/* All terms, or those of one run. `into` [m, n]: where the sums go in the end, C or the part; adds:
 * what is there takes them up. */
static void NAME(matmul_blocks)(const NAME(bp_kernels) *kernels, const NAME(product) *p, real *into,
                                int adds, real *packed)
{
    const size_t most = p->m < p->n ? KC_COLUMNS : KC_ROWS;
    const size_t blocks = size_pieces(p->k, most), terms = size_pieces(p->k, blocks);
    NAME(product) part = *p;
    for (size_t t = 0; t < p->k; t += terms, part.start = p->C, part.start_row = p->c_row) {
        part.k = size_min(terms, p->k - t);
        part.A = p->A + (ptrdiff_t)t * p->a_column;
        part.B = p->B + (ptrdiff_t)t * p->b_row;
        if (t + part.k == p->k) {
            part.C = into;
            if (adds) part.fused_update = 1;
            if (adds) part.scale = 1;
        }
        if (p->m < p->n) {
            NAME(columns_pass)(kernels, &part, packed);
            continue;
        }
        for (size_t j = 0; j < p->n; j += NC) {
            NAME(product) columns = part;
            columns.n = size_min(NC, p->n - j);
            columns.B += (ptrdiff_t)j * p->b_column;
            columns.C += j;
            if (columns.start) columns.start += j;
            NAME(rows_pass)(kernels, &columns, packed);
        }
    }
}

/* A few columns would leave most lanes of a vector empty. Where the columns of A are contiguous (A
 * is the transpose of a matrix of rows, as in X' delta), C' = S' + B' A' fills them. */
static int NAME(is_thin)(const NAME(bp_kernels) *kernels, const NAME(product) *p)
{
    return p->a_row == 1 && p->n <= kernels->lanes / 2 && p->m > p->n;
}

/* A thin product: C' is made and transposed some rows at a time. */
static void NAME(matmul_thin)(const NAME(bp_kernels) *kernels, const NAME(product) *p,
                              real *workspace)
{
    const size_t n = p->n;
    real *transposed = workspace;
    for (size_t i = 0; i < p->m; i += TRANSPOSED_ROWS) {
        const size_t m = size_min(TRANSPOSED_ROWS, p->m - i);
        real *C = p->C + i * p->c_row;
        const real *start = p->start ? p->start + i * p->start_row : NULL;
        NAME(product) part = {.m = n, .n = m, .k = p->k,
                              .A = p->B, .a_row = p->b_column, .a_column = p->b_row,
                              .B = p->A + i, .b_row = p->a_column, .b_column = 1,
                              .C = transposed, .c_row = m, .start = transposed, .start_row = m};
        for (size_t j = 0; j < n; j++)
            for (size_t r = 0; r < m; r++)
                transposed[j * m + r] = start ? start[r * p->start_row + j] : 0;
        NAME(matmul_blocks)(kernels, &part, transposed, 0, workspace + TRANSPOSED_ROWS * n);
        if (p->fused_update)
            kernels->add_transposed(C, p->c_row, transposed, m, m, n, p->scale);
        else
            for (size_t r = 0; r < m; r++)
                for (size_t j = 0; j < n; j++) C[r * p->c_row + j] = transposed[j * m + r];
    }
}

/* One run of a sum over rows, or a piece of one: up to number `end` of the terms. */
static void NAME(matmul_run)(const NAME(bp_kernels) *kernels, const NAME(product) *p, size_t end,
                             real *workspace)
{
    const int ends = NAME(ends_run)(&p->sum, end), first = NAME(ends_first_run)(&p->sum, end);
    if (!NAME(is_thin)(kernels, p)) {
        NAME(matmul_blocks)(kernels, p, ends ? p->sum.part : p->C, ends && !first, workspace);
        return;
    }
    NAME(matmul_thin)(kernels, p, workspace);
    for (size_t i = 0; ends && i < p->m; i++)
        NAME(add_run)(kernels, first, p->sum.part + i * p->c_row, p->C + i * p->c_row, p->n);
}

static void NAME(matmul)(const NAME(bp_kernels) *kernels, const NAME(product) *p, real *workspace)
{
    NAME(product) run = *p;
    if (p->m == 0 || p->n == 0) return;
    for (size_t t = 0; t < p->k; t += run.k) {
        run.k = NAME(terms_of_run)(&p->sum, t, p->k - t);
        run.A = p->A + (ptrdiff_t)t * p->a_column;
        run.B = p->B + (ptrdiff_t)t * p->b_row;
        if (p->sum.is_cut) run.start = NAME(begins_run)(&p->sum, t) ? NULL : p->C;
        NAME(matmul_run)(kernels, &run, t + run.k, workspace);
    }
}

/* ---- Shared among threads -------------------------------------------------------------------- */

typedef struct NAME(product_job) {
    NAME(context) *context;
    const NAME(product) *product;
    const NAME(epilogue) *epilogue;
    int by_columns;
} NAME(product_job);

/* A share is a range of rows or of columns of C: whole sums, never parts of one. */
static void NAME(product_share)(void *argument, bp_share share)
{
    const NAME(product_job) *job = argument;
    const NAME(bp_kernels) *kernels = job->context->kernels;
    NAME(product) part = *job->product;
    size_t row = 0, column = 0;
    if (job->by_columns) {
        part.n = share_of(part.n, kernels->nr, share, &column);
        part.B += (ptrdiff_t)column * part.b_column;
    } else {
        const int thin = NAME(is_thin)(kernels, &part);
        part.m = share_of(part.m, thin ? kernels->nr : kernels->mr, share, &row);
        part.A += (ptrdiff_t)row * part.a_row;
    }
    if (part.m == 0 || part.n == 0) return;
    part.C += row * part.c_row + column;
    part.sum = NAME(sum_at)(part.sum, row * part.c_row + column);
    if (part.start) part.start += row * part.start_row + column;
    NAME(matmul)(kernels, &part, job->context->scratch + share.thread * job->context->scratch_share);
    NAME(apply_epilogue)(kernels, job->epilogue, part.m, part.n, part.C, part.c_row, row, column);
}

/* C = S + A B, then what `epilogue` says. */
static void NAME(multiply)(NAME(context) *context, const NAME(product) *p,
                           const NAME(epilogue) *epilogue)
{
    const NAME(bp_kernels) *kernels = context->kernels;
    NAME(product_job) job = {context, p, epilogue, 0};
    job.by_columns = p->n / kernels->nr > p->m / kernels->mr;
    NAME(run_shares)(context, size_product(size_product(p->m, p->n), p->k), NAME(product_share),
                     &job);
}
