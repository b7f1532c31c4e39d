/* matmul_template.h: C = S + A B from tiles. Parameter: BITS.
 *
 * A [m, k], B [k, n], C and the start S [m, n]. S is C itself, one row for all (start_row 0:
 * biases), or NULL for zeros. The terms are cut into blocks; within a block, the operand with
 * fewer rows or columns stays in the cache while the other one passes by, a strip of it at a
 * time:
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

/* Terms in a block. rows_pass: 4 KiB a column, so that the 784 pixels of a row of float32 stay
 * in one piece; 256 columns of packed B are then 1 MiB at most, and usually less. columns_pass:
 * 2 KiB, since a panel of B is met again by each tile of rows and should not leave the nearer
 * caches meanwhile. */
#define ROWS_PASS_TERMS (4096 / sizeof(real))
#define COLUMNS_PASS_TERMS (2048 / sizeof(real))
#define COLUMNS ((size_t)256)

/* Bytes that a cache fetches together, on every CPU that has a table of its own here. */
#define CACHE_LINE ((size_t)64)

/* Packing writes whole vectors, up to 16 elements past the last one of a tile of A. */
#define SLACK ((size_t)16)

static size_t NAME(matmul_workspace)(const NAME(bp_kernels) *kernels, size_t m, size_t n, size_t k)
{
    size_t columns = size_round_up(size_min(size_max(m, n), COLUMNS), kernels->tile_columns);
    size_t packed_B = size_product(size_min(k, ROWS_PASS_TERMS), columns);
    size_t rows = size_round_up(size_min(m, n), kernels->tile_rows);
    size_t packed_A = size_sum(size_product(size_min(k, COLUMNS_PASS_TERMS), rows), SLACK);
    size_t transposed = size_product(m, size_min(n, kernels->lanes / 2));
    return size_sum(size_sum(packed_A, packed_B), transposed);
}

/* panel [k, tile_columns] := B [k, n]; columns beyond n, as far as a vector reaches, are 0. */
static void NAME(pack_panel)(const NAME(bp_kernels) *kernels, real *panel, size_t k, size_t n,
                             const real *B, ptrdiff_t b_row, ptrdiff_t b_column)
{
    const size_t width = kernels->tile_columns;
    if (b_column == 1) {
        kernels->pack(panel, width, k, n, B, b_row);
        return;
    }
    for (size_t p = 0; p < k; p++, panel += width, B += b_row) {
        for (size_t j = 0; j < n; j++) panel[j] = B[(ptrdiff_t)j * b_column];
        memset(panel + n, 0, (width - n) * sizeof(real));
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
    size_t tiles = (m + kernels->tile_rows - 1) / kernels->tile_rows;
    return (m + tiles - 1) / tiles;
}

/* Asks for a tile of C, which would otherwise be waited for before its first product. */
static void NAME(prefetch_tile)(const real *C, size_t rows, size_t columns, size_t c_row)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j += CACHE_LINE / sizeof(real)) PREFETCH(C + i * c_row + j);
}

/* C [m, n] = S + A [m, k] B [k, n] for a block of terms, n <= COLUMNS. The next rows of A are
 * prefetched, a share a panel. */
static void NAME(rows_pass)(const NAME(bp_kernels) *kernels, size_t m, size_t n, size_t k,
                            const real *A, ptrdiff_t a_row, ptrdiff_t a_column, const real *B,
                            ptrdiff_t b_row, ptrdiff_t b_column, real *C, size_t c_row,
                            const real *start, size_t start_row, real *packed)
{
    const size_t width = kernels->tile_columns, rows = NAME(even_rows)(kernels, m);
    const size_t panels = (n + width - 1) / width;
    const size_t strip = a_column == 1 ? rows * (size_t)a_row * sizeof(real) : 0;
    NAME(bp_tile) tile = {
        .k = k, .a_row = a_row, .a_step = a_column, .c_row = c_row, .start_row = start_row};

    for (size_t j = 0; j < n; j += width)
        if (rows < m || !NAME(readable)(kernels, size_min(width, n - j), b_row, b_column))
            NAME(pack_panel)(kernels, packed + j * k, k, size_min(width, n - j),
                             B + (ptrdiff_t)j * b_column, b_row, b_column);
    for (size_t i = 0; i < m; i += rows) {
        tile.rows = size_min(rows, m - i);
        tile.a = A + (ptrdiff_t)i * a_row;
        tile.ahead = (uintptr_t)tile.a + strip;
        tile.ahead_step = (strip + panels * k - 1) / (panels * k);
        for (size_t j = 0; j < n; j += width) {
            tile.columns = size_min(width, n - j);
            const int packs = rows < m || !NAME(readable)(kernels, tile.columns, b_row, b_column);
            tile.b = packs ? packed + j * k : B + j;
            tile.b_step = packs ? width : (size_t)b_row;
            tile.c = C + i * c_row + j;
            tile.start = start ? start + i * start_row + j : NULL;
            if (start == C && m - i > rows)
                NAME(prefetch_tile)(tile.c + rows * c_row, size_min(rows, m - i - rows),
                                    tile.columns, c_row);
            kernels->tile(&tile);
            tile.ahead += tile.ahead_step * k;
        }
    }
}

/* C [m, n] = S + A [m, k] B [k, n] for a block of terms. The next panels of B are prefetched, a
 * cache line of each row with each tile. */
static void NAME(columns_pass)(const NAME(bp_kernels) *kernels, size_t m, size_t n, size_t k,
                               const real *A, ptrdiff_t a_row, ptrdiff_t a_column, const real *B,
                               ptrdiff_t b_row, ptrdiff_t b_column, real *C, size_t c_row,
                               const real *start, size_t start_row, real *packed_B)
{
    const size_t width = kernels->tile_columns, rows = NAME(even_rows)(kernels, m);
    const int packs_A = a_row == 1;
    real *packed_A = packed_B + width * k;
    NAME(bp_tile) tile = {
        .k = k, .a_row = a_row, .a_step = a_column, .c_row = c_row, .start_row = start_row};

    if (packs_A) {
        tile.a_step = (ptrdiff_t)rows;
        for (size_t i = 0; i < m; i += rows)
            kernels->pack(packed_A + i * k, rows, k, size_min(rows, m - i), A + i, a_column);
    }
    for (size_t j = 0; j < n; j += width) {
        const real *panel = B + (ptrdiff_t)j * b_column;
        tile.columns = size_min(width, n - j);
        const int packs_B = !NAME(readable)(kernels, tile.columns, b_row, b_column);
        if (packs_B) NAME(pack_panel)(kernels, packed_B, k, tile.columns, panel, b_row, b_column);
        tile.b = packs_B ? packed_B : panel;
        tile.b_step = packs_B ? width : (size_t)b_row;
        tile.ahead = (uintptr_t)panel + width * sizeof(real);
        tile.ahead_step = (size_t)b_row * sizeof(real);
        for (size_t i = 0; i < m; i += rows, tile.ahead += CACHE_LINE) {
            tile.rows = size_min(rows, m - i);
            tile.a = packs_A ? packed_A + i * k : A + (ptrdiff_t)i * a_row;
            tile.c = C + i * c_row + j;
            tile.start = start ? start + i * start_row + j : NULL;
            kernels->tile(&tile);
        }
    }
}

static void NAME(matmul_blocks)(const NAME(bp_kernels) *kernels, size_t m, size_t n, size_t k,
                                const real *A, ptrdiff_t a_row, ptrdiff_t a_column, const real *B,
                                ptrdiff_t b_row, ptrdiff_t b_column, real *C, size_t c_row,
                                const real *start, size_t start_row, real *packed)
{
    if (m == 0 || n == 0 || k == 0) return;
    const size_t most = m < n ? COLUMNS_PASS_TERMS : ROWS_PASS_TERMS;
    const size_t blocks = (k + most - 1) / most, terms = (k + blocks - 1) / blocks;
    for (size_t p = 0; p < k; p += terms, start = C, start_row = c_row) {
        const size_t depth = size_min(terms, k - p);
        const real *A_p = A + (ptrdiff_t)p * a_column, *B_p = B + (ptrdiff_t)p * b_row;
        if (m < n)
            NAME(columns_pass)(kernels, m, n, depth, A_p, a_row, a_column, B_p, b_row, b_column, C,
                               c_row, start, start_row, packed);
        else
            for (size_t j = 0; j < n; j += COLUMNS)
                NAME(rows_pass)(kernels, m, size_min(COLUMNS, n - j), depth, A_p, a_row, a_column,
                                B_p + (ptrdiff_t)j * b_column, b_row, b_column, C + j, c_row,
                                start ? start + j : NULL, start_row, packed);
    }
}

/* C = S + A B, k > 0 unless S is C. A few columns would leave most lanes of a vector empty;
 * where the columns of A are contiguous (A is the transpose of a matrix of rows, as in X'
 * delta), C' = S' + B' A' fills them. */
static void NAME(matmul)(const NAME(bp_kernels) *kernels, size_t m, size_t n, size_t k,
                         const real *A, ptrdiff_t a_row, ptrdiff_t a_column, const real *B,
                         ptrdiff_t b_row, ptrdiff_t b_column, real *C, size_t c_row,
                         const real *start, size_t start_row, real *workspace)
{
    if (a_row != 1 || n > kernels->lanes / 2 || m <= n) {
        NAME(matmul_blocks)(kernels, m, n, k, A, a_row, a_column, B, b_row, b_column, C, c_row,
                            start, start_row, workspace);
        return;
    }
    real *transposed = workspace; /* C' [n, m] */
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < m; i++) transposed[j * m + i] = start ? start[i * start_row + j] : 0;
    NAME(matmul_blocks)(kernels, n, m, k, B, b_column, b_row, A, a_column, a_row, transposed, m,
                        transposed, m, workspace + m * n);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) C[i * c_row + j] = transposed[j * m + i];
}

#undef ROWS_PASS_TERMS
#undef COLUMNS_PASS_TERMS
#undef CACHE_LINE
#undef COLUMNS
#undef SLACK
