/* sparse_tile_template.h: rows of a product whose A has few elements that are not zero, and how
 * those are found. A part of kernels_template.h, with its parameters.
 *
 * i row of A or B, j vector of C, e entry.
 */

/* The sums of one row of C, `vectors` vectors, stay in registers while its nonzeros pass. The last
 * vector begins at column `last_vector` and has `last` columns; where it is a whole vector, it may
 * begin within the one before, and both compute the same there. */
static ALWAYS_INLINE ATTR void KERNEL_NAME(sparse_row)(const NAME(bp_sparse_tile) *tile, size_t i,
                                                       const int vectors, size_t last_vector,
                                                       size_t last)
{
    const real *b = tile->b, *start = tile->start, *values = tile->values;
    const uint32_t *indices = tile->indices;
    const size_t b_row = tile->b_row, first = tile->b_first, end = tile->last[i];
    real *c = tile->c + i * tile->c_row;
    v_real sum[SPARSE_VECTORS];

    if (start) {
        start += i * tile->start_row;
        UNROLL for (int j = 0; j < vectors - 1; j++)
            sum[j] = v_load(start + j * LANES);
        sum[vectors - 1] = v_load_first(start + last_vector, last);
    } else {
        UNROLL for (int j = 0; j < vectors; j++)
            sum[j] = v_set1(0);
    }
    for (size_t e = tile->first[i]; e < end; e++) {
        const real *row = b + (indices[e] - first) * b_row;
        const v_real value = v_set1(values[e]);
        UNROLL for (int j = 0; j < vectors - 1; j++)
            sum[j] = v_fma(value, v_load(row + j * LANES), sum[j]);
        sum[vectors - 1] = v_fma(value, v_load_first(row + last_vector, last), sum[vectors - 1]);
    }
    if (tile->fused_update) {
        const v_real scale = v_set1(tile->scale);
        UNROLL for (int j = 0; j < vectors - 1; j++)
            sum[j] = v_fma(scale, sum[j], v_load(c + j * LANES));
        sum[vectors - 1] = v_fma(scale, sum[vectors - 1], v_load_first(c + last_vector, last));
    }
    UNROLL for (int j = 0; j < vectors - 1; j++)
        v_store(c + j * LANES, sum[j]);
    v_store_first(c + last_vector, last, sum[vectors - 1]);
}

static ALWAYS_INLINE ATTR void KERNEL_NAME(sparse_rows)(const NAME(bp_sparse_tile) *tile,
                                                        const int vectors)
{
    const size_t last_vector = (size_t)(vectors - 1) * LANES, last = tile->columns - last_vector;
    const int stays = tile->fused_update ? !tile->start : tile->start == tile->c;
    for (size_t i = 0; i < tile->rows; i++) {
        if (stays && tile->first[i] == tile->last[i]) continue;
        /* Whole vectors need no mask. Wide rows lie at cache lines, which a vector that begins
         * elsewhere would leave; narrow ones do not. */
        if (last == LANES || (vectors > 1 && vectors <= SCATTER_VECTORS))
            KERNEL_NAME(sparse_row)(tile, i, vectors, tile->columns - LANES, LANES);
        else
            KERNEL_NAME(sparse_row)(tile, i, vectors, last_vector, last);
    }
}

static ATTR void KERNEL_NAME(sparse_tile)(const NAME(bp_sparse_tile) *tile)
{
    switch ((tile->columns + LANES - 1) / LANES) {
    case 1: KERNEL_NAME(sparse_rows)(tile, 1); break;
    case 2: KERNEL_NAME(sparse_rows)(tile, 2); break;
    case 3: KERNEL_NAME(sparse_rows)(tile, 3); break;
    case 4: KERNEL_NAME(sparse_rows)(tile, 4); break;
    case 5: KERNEL_NAME(sparse_rows)(tile, 5); break;
    case 6: KERNEL_NAME(sparse_rows)(tile, 6); break;
    case 7: KERNEL_NAME(sparse_rows)(tile, 7); break;
    case 8: KERNEL_NAME(sparse_rows)(tile, 8); break;
#if SPARSE_VECTORS >= 13
    case 9: KERNEL_NAME(sparse_rows)(tile, 9); break;
    case 10: KERNEL_NAME(sparse_rows)(tile, 10); break;
    case 11: KERNEL_NAME(sparse_rows)(tile, 11); break;
    case 12: KERNEL_NAME(sparse_rows)(tile, 12); break;
    case 13: KERNEL_NAME(sparse_rows)(tile, 13); break;
#endif
#if SPARSE_VECTORS >= 16
    case 14: KERNEL_NAME(sparse_rows)(tile, 14); break;
    case 15: KERNEL_NAME(sparse_rows)(tile, 15); break;
    case 16: KERNEL_NAME(sparse_rows)(tile, 16); break;
#endif
    default: break;
    }
}

/* Here the sums stay in memory and a row of B in registers: worth it where a row is a few vectors,
 * because nothing has to be transposed. */
static ALWAYS_INLINE ATTR void KERNEL_NAME(scatter_rows)(const NAME(bp_sparse_tile) *tile,
                                                         const int vectors)
{
    const size_t last_vector = (size_t)(vectors - 1) * LANES, c_row = tile->c_row;
    const uint32_t *indices = tile->indices;
    for (size_t i = 0; i < tile->rows; i++) {
        const real *b = tile->b + i * tile->b_row;
        const size_t end = tile->last[i];
        v_real row[SCATTER_VECTORS];
        UNROLL for (int j = 0; j < vectors - 1; j++)
            row[j] = v_load(b + j * LANES);
        row[vectors - 1] = v_load_first(b + last_vector, tile->columns - last_vector);
        for (size_t e = tile->first[i]; e < end; e++) {
            real *c = tile->c + indices[e] * c_row;
            const v_real value = v_set1(tile->values[e]);
            UNROLL for (int j = 0; j < vectors; j++)
                v_store(c + j * LANES, v_fma(value, row[j], v_load(c + j * LANES)));
        }
    }
}

static ATTR void KERNEL_NAME(scatter)(const NAME(bp_sparse_tile) *tile)
{
    switch ((tile->columns + LANES - 1) / LANES) {
    case 1: KERNEL_NAME(scatter_rows)(tile, 1); break;
    case 2: KERNEL_NAME(scatter_rows)(tile, 2); break;
    case 3: KERNEL_NAME(scatter_rows)(tile, 3); break;
    case 4: KERNEL_NAME(scatter_rows)(tile, 4); break;
    default: break;
    }
}

#ifndef v_compress
/* What v_compress does, for instruction sets that have no such instruction. */
static ALWAYS_INLINE ATTR size_t KERNEL_NAME(compress_lanes)(real *values, uint32_t *indices,
                                                             v_real x, size_t i)
{
    real lanes[LANES];
    size_t n = 0;
    v_store(lanes, x);
    for (unsigned bits = v_nonzero(x); bits; bits &= bits - 1, n++) {
        const unsigned lane = (unsigned)LOWEST_BIT(bits);
        values[n] = lanes[lane];
        indices[n] = (uint32_t)i + lane;
    }
    return n;
}
#define v_compress(values, indices, x, i) KERNEL_NAME(compress_lanes)(values, indices, x, i)
#endif

static ATTR size_t KERNEL_NAME(compress)(real *values, uint32_t *indices, const real *x, size_t i,
                                         size_t end)
{
    size_t n = 0;
    for (; i + LANES <= end; i += LANES) {
        PREFETCH(x + i + STREAM_AHEAD);
        n += v_compress(values + n, indices + n, v_load(x + i), i);
    }
    if (i < end) n += v_compress(values + n, indices + n, v_load_first(x + i, end - i), i);
    return n;
}

static ATTR size_t KERNEL_NAME(count_nonzero)(const real *x, size_t count)
{
    size_t n = 0, i = 0;
    for (; i + LANES <= count; i += LANES) {
        PREFETCH(x + i + STREAM_AHEAD);
        n += BIT_COUNT(v_nonzero(v_load(x + i)));
    }
    if (i < count) n += BIT_COUNT(v_nonzero(v_load_first(x + i, count - i)));
    return n;
}

/* x - x is 0 for a number and NaN for the rest, and NaN stays in a sum. */
static ATTR int KERNEL_NAME(finite)(const real *x, size_t count)
{
    v_real sum = v_set1(0);
    real lanes[LANES], total = 0;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        const v_real element = v_load(x + i);
        sum = v_add(sum, v_sub(element, element));
    }
    if (i < count) {
        const v_real element = v_load_first(x + i, count - i);
        sum = v_add(sum, v_sub(element, element));
    }
    v_store(lanes, sum);
    for (size_t j = 0; j < LANES; j++) total += lanes[j];
    return total == 0;
}
