/* tile_template.h: a tile of a matrix product, and the panels that it reads. A part of
 * kernels_template.h, with its parameters.
 *
 * Letters of matrix multiplication: i row of C, j vector of C, p term of the sum.
 */

/* The sums begin with S or with zeros. The last vector has `last` columns. */
static ALWAYS_INLINE ATTR void KERNEL_NAME(tile_start)(const NAME(bp_tile) *tile, const int rows,
                                                       const int vectors, size_t last,
                                                       v_real sum[MR][NR_VECTORS])
{
    const size_t last_vector = (size_t)(vectors - 1) * LANES;
    const real *start = tile->start;
    if (!start) {
        UNROLL for (int i = 0; i < rows; i++) {
            UNROLL for (int j = 0; j < vectors; j++)
                sum[i][j] = v_set1(0);
        }
        return;
    }
    UNROLL for (int i = 0; i < rows; i++, start += tile->start_row) {
        UNROLL for (int j = 0; j < vectors - 1; j++)
            sum[i][j] = v_load(start + j * LANES);
        sum[i][vectors - 1] = v_load_first(start + last_vector, last);
    }
}

/* C becomes the sums, or, fused_update, takes them up. */
static ALWAYS_INLINE ATTR void KERNEL_NAME(tile_end)(const NAME(bp_tile) *tile, const int rows,
                                                     const int vectors, size_t last,
                                                     v_real sum[MR][NR_VECTORS])
{
    const size_t last_vector = (size_t)(vectors - 1) * LANES, c_row = tile->c_row;
    real *c = tile->c;
    if (tile->fused_update) {
        const v_real scale = v_set1(tile->scale);
        UNROLL for (int i = 0; i < rows; i++, c += c_row) {
            UNROLL for (int j = 0; j < vectors - 1; j++)
                sum[i][j] = v_fma(scale, sum[i][j], v_load(c + j * LANES));
            sum[i][vectors - 1] =
                v_fma(scale, sum[i][vectors - 1], v_load_first(c + last_vector, last));
        }
        c = tile->c;
    }
    UNROLL for (int i = 0; i < rows; i++, c += c_row) {
        UNROLL for (int j = 0; j < vectors - 1; j++)
            v_store(c + j * LANES, sum[i][j]);
        v_store_first(c + last_vector, last, sum[i][vectors - 1]);
    }
}

/* One tile of constant size: the sums of rows x vectors.
 *
 * Three rows share a pointer: x86 addresses base, base + step and base + 2 step alike, so that a
 * tile of 14 rows needs 5 pointers and not 14, which would not fit the 16 integer registers. */
static ALWAYS_INLINE ATTR void KERNEL_NAME(tile_body)(const NAME(bp_tile) *tile, const int rows,
                                                      const int vectors, size_t last)
{
    const ptrdiff_t a_row = tile->a_row, a_step = tile->a_step;
    const size_t b_step = tile->b_step, ahead_step = tile->ahead_step;
    uintptr_t ahead = tile->ahead;
    const real *b = tile->b, *row[(MR + 2) / 3];
    v_real sum[MR][NR_VECTORS]; /* in registers while p runs */

    UNROLL for (int i = 0; i < rows; i += 3)
        row[i / 3] = tile->a + i * a_row;
    KERNEL_NAME(tile_start)(tile, rows, vectors, last, sum);
    for (size_t p = tile->k; p-- > 0;) {
        v_real b_vector[NR_VECTORS];
        UNROLL for (int j = 0; j < vectors; j++)
            b_vector[j] = v_load(b + j * LANES);
        UNROLL for (int i = 0; i < rows; i++) {
            v_real a_element = v_set1(row[i / 3][(i % 3) * a_row]);
            UNROLL for (int j = 0; j < vectors; j++)
                sum[i][j] = v_fma(a_element, b_vector[j], sum[i][j]);
        }
        UNROLL for (int i = 0; i < rows; i += 3)
            row[i / 3] += a_step;
        PREFETCH((const void *)ahead);
        ahead += ahead_step;
        b += b_step;
    }
    KERNEL_NAME(tile_end)(tile, rows, vectors, last, sum);
}

/* A tile of `vectors` vectors and up to MR rows: the compiler writes each size out. */
static ALWAYS_INLINE ATTR void KERNEL_NAME(tile_of_width)(const NAME(bp_tile) *tile,
                                                          const int vectors, size_t last)
{
    switch (tile->rows) {
    case 1: KERNEL_NAME(tile_body)(tile, 1, vectors, last); break;
    case 2: KERNEL_NAME(tile_body)(tile, 2, vectors, last); break;
    case 3: KERNEL_NAME(tile_body)(tile, 3, vectors, last); break;
    case 4: KERNEL_NAME(tile_body)(tile, 4, vectors, last); break;
#if MR >= 6
    case 5: KERNEL_NAME(tile_body)(tile, 5, vectors, last); break;
    case 6: KERNEL_NAME(tile_body)(tile, 6, vectors, last); break;
#endif
#if MR >= 12
    case 7: KERNEL_NAME(tile_body)(tile, 7, vectors, last); break;
    case 8: KERNEL_NAME(tile_body)(tile, 8, vectors, last); break;
    case 9: KERNEL_NAME(tile_body)(tile, 9, vectors, last); break;
    case 10: KERNEL_NAME(tile_body)(tile, 10, vectors, last); break;
    case 11: KERNEL_NAME(tile_body)(tile, 11, vectors, last); break;
    case 12: KERNEL_NAME(tile_body)(tile, 12, vectors, last); break;
#endif
#if MR >= 14
    case 13: KERNEL_NAME(tile_body)(tile, 13, vectors, last); break;
    case 14: KERNEL_NAME(tile_body)(tile, 14, vectors, last); break;
#endif
    default: break;
    }
}

static ATTR void KERNEL_NAME(tile)(const NAME(bp_tile) *tile)
{
    if (tile->columns <= LANES)
        KERNEL_NAME(tile_of_width)(tile, 1, tile->columns);
    else
        KERNEL_NAME(tile_of_width)(tile, 2, tile->columns - LANES);
}

static ATTR void KERNEL_NAME(pack)(real *panel, size_t width, size_t k, size_t columns,
                                   const real *B, ptrdiff_t b_row)
{
    if (columns == 2 * LANES) {
        for (size_t p = 0; p < k; p++, panel += width, B += b_row) {
            v_store(panel, v_load(B));
            v_store(panel + LANES, v_load(B + LANES));
        }
        return;
    }
    for (size_t p = 0; p < k; p++, panel += width, B += b_row)
        for (size_t j = 0; j < columns; j += LANES) {
            size_t n = columns - j < LANES ? columns - j : LANES;
            v_store(panel + j, v_load_first(B + j, n));
        }
}
