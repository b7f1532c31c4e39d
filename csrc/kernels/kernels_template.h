/* kernels_template.h: every kernel, once, for all instruction sets and precisions.
 *
 * Parameters:
 *   BITS       32 or 64
 *   ISA        avx2, ...: becomes a part of each name
 *   ATTR       the function attribute that allows the instructions, or nothing
 *   TILE_ROWS  rows of C that one tile holds in registers, two vectors each: 4, 6, 12 or 14
 *   SPARSE_VECTORS  vectors of C that a row of a sparse product holds in registers: 8, 13 or 16
 *   and the vector words of simd/. BITS and the words are forgotten at the end.
 *
 * Inside, the letters of matrix multiplication: i row of C, j vector of C, p term of the sum.
 */
#if !defined(ISA) || !defined(TILE_ROWS) || !defined(SPARSE_VECTORS) || !defined(LANES)
#error "kernels_template.h needs ISA, ATTR, TILE_ROWS, SPARSE_VECTORS and the vector words"
#endif

/* Two vectors a row: fewer would load more than multiply, more would leave too few rows. */
#define TILE_VECTORS 2

/* Vectors of a row whose sums may stay in memory. */
#define SCATTER_VECTORS 4

#include "elementary_template.h"

/* ---- Matrix product ------------------------------------------------------------------------- */

/* One tile of constant size: the sums of rows x vectors stay in registers while p runs. The last
 * vector has `last` columns.
 *
 * Three rows share a pointer: x86 addresses base, base + step and base + 2 step alike, so that a
 * tile of 14 rows needs 5 pointers and not 14, which would not fit the 16 integer registers. */
static ALWAYS_INLINE ATTR void KERNEL_NAME(tile_body)(const NAME(bp_tile) *tile, const int rows,
                                                      const int vectors, size_t last)
{
    const ptrdiff_t a_row = tile->a_row, a_step = tile->a_step;
    const size_t c_row = tile->c_row, b_step = tile->b_step, ahead_step = tile->ahead_step;
    const size_t start_row = tile->start_row;
    const size_t last_vector = (size_t)(vectors - 1) * LANES;
    uintptr_t ahead = tile->ahead;
    const real *b = tile->b, *start = tile->start, *row[(TILE_ROWS + 2) / 3];
    real *c = tile->c;
    v_real sum[TILE_ROWS][TILE_VECTORS];

    UNROLL for (int i = 0; i < rows; i += 3)
        row[i / 3] = tile->a + i * a_row;
    if (start) {
        UNROLL for (int i = 0; i < rows; i++, start += start_row) {
            UNROLL for (int j = 0; j < vectors - 1; j++)
                sum[i][j] = v_load(start + j * LANES);
            sum[i][vectors - 1] = v_load_first(start + last_vector, last);
        }
    } else {
        UNROLL for (int i = 0; i < rows; i++) {
            UNROLL for (int j = 0; j < vectors; j++)
                sum[i][j] = v_set1(0);
        }
    }
    for (size_t p = tile->k; p-- > 0;) {
        v_real b_vector[TILE_VECTORS];
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
    if (tile->scaled) {
        const v_real scale = v_set1(tile->scale);
        real *old = c;
        UNROLL for (int i = 0; i < rows; i++, old += c_row) {
            UNROLL for (int j = 0; j < vectors - 1; j++)
                sum[i][j] = v_fma(scale, sum[i][j], v_load(old + j * LANES));
            sum[i][vectors - 1] =
                v_fma(scale, sum[i][vectors - 1], v_load_first(old + last_vector, last));
        }
    }
    UNROLL for (int i = 0; i < rows; i++, c += c_row) {
        UNROLL for (int j = 0; j < vectors - 1; j++)
            v_store(c + j * LANES, sum[i][j]);
        v_store_first(c + last_vector, last, sum[i][vectors - 1]);
    }
}

/* A tile of `vectors` vectors and up to TILE_ROWS rows: the compiler writes each size out. */
static ALWAYS_INLINE ATTR void KERNEL_NAME(tile_rows)(const NAME(bp_tile) *tile, const int vectors,
                                                      size_t last)
{
    switch (tile->rows) {
    case 1: KERNEL_NAME(tile_body)(tile, 1, vectors, last); break;
    case 2: KERNEL_NAME(tile_body)(tile, 2, vectors, last); break;
    case 3: KERNEL_NAME(tile_body)(tile, 3, vectors, last); break;
    case 4: KERNEL_NAME(tile_body)(tile, 4, vectors, last); break;
#if TILE_ROWS >= 6
    case 5: KERNEL_NAME(tile_body)(tile, 5, vectors, last); break;
    case 6: KERNEL_NAME(tile_body)(tile, 6, vectors, last); break;
#endif
#if TILE_ROWS >= 12
    case 7: KERNEL_NAME(tile_body)(tile, 7, vectors, last); break;
    case 8: KERNEL_NAME(tile_body)(tile, 8, vectors, last); break;
    case 9: KERNEL_NAME(tile_body)(tile, 9, vectors, last); break;
    case 10: KERNEL_NAME(tile_body)(tile, 10, vectors, last); break;
    case 11: KERNEL_NAME(tile_body)(tile, 11, vectors, last); break;
    case 12: KERNEL_NAME(tile_body)(tile, 12, vectors, last); break;
#endif
#if TILE_ROWS >= 14
    case 13: KERNEL_NAME(tile_body)(tile, 13, vectors, last); break;
    case 14: KERNEL_NAME(tile_body)(tile, 14, vectors, last); break;
#endif
    default: break;
    }
}

static ATTR void KERNEL_NAME(tile)(const NAME(bp_tile) *tile)
{
    if (tile->columns <= LANES)
        KERNEL_NAME(tile_rows)(tile, 1, tile->columns);
    else
        KERNEL_NAME(tile_rows)(tile, 2, tile->columns - LANES);
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

/* ---- Sparse product ------------------------------------------------------------------------- */

/* The sums of one row of C, `vectors` vectors, stay in registers while its entries pass. The last
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
        sum[vectors - 1] =
            v_fma(value, v_load_first(row + last_vector, last), sum[vectors - 1]);
    }
    if (tile->scaled) {
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
    const int stays = tile->scaled || tile->start == tile->c;
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
 * because nothing has to be turned. */
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

static ATTR size_t KERNEL_NAME(compress)(real *values, uint32_t *indices, const real *x,
                                         size_t count)
{
    size_t n = 0, i = 0;
    for (; i + LANES <= count; i += LANES)
        n += v_compress(values + n, indices + n, v_load(x + i), i);
    if (i < count) n += v_compress(values + n, indices + n, v_load_first(x + i, count - i), i);
    return n;
}

static ATTR size_t KERNEL_NAME(count_nonzero)(const real *x, size_t count)
{
    size_t n = 0, i = 0;
    for (; i + LANES <= count; i += LANES) n += BIT_COUNT(v_nonzero(v_load(x + i)));
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

/* ---- Elementwise functions ------------------------------------------------------------------ */

/* The functions of one vector that the loops below apply; derivatives are taken from the output. */

static ALWAYS_INLINE ATTR v_real KERNEL_NAME(rectify)(v_real z)
{
    return v_max(v_set1(0), z);
}

static ALWAYS_INLINE ATTR v_real KERNEL_NAME(sigmoid_backward)(v_real d, v_real a)
{
    return v_mul(d, v_mul(a, v_sub(v_set1(1), a)));
}

static ALWAYS_INLINE ATTR v_real KERNEL_NAME(tanh_backward)(v_real d, v_real a)
{
    return v_mul(d, v_sub(v_set1(1), v_mul(a, a)));
}

static ALWAYS_INLINE ATTR v_real KERNEL_NAME(relu_backward)(v_real d, v_real a)
{
    return v_select_less(v_set1(0), a, d, v_set1(0));
}

/* x[i] := f(x[i]). The last few elements pass through the same instructions as all others. */
static ALWAYS_INLINE ATTR void KERNEL_NAME(map)(real *x, size_t count, v_real (*f)(v_real))
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) v_store(x + i, f(v_load(x + i)));
    if (i < count) v_store_first(x + i, count - i, f(v_load_first(x + i, count - i)));
}

/* d[i] := f(d[i], a[i]). */
static ALWAYS_INLINE ATTR void KERNEL_NAME(map_pair)(real *d, const real *a, size_t count,
                                                     v_real (*f)(v_real, v_real))
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) v_store(d + i, f(v_load(d + i), v_load(a + i)));
    if (i < count) {
        size_t n = count - i;
        v_store_first(d + i, n, f(v_load_first(d + i, n), v_load_first(a + i, n)));
    }
}

static ATTR void KERNEL_NAME(keep)(real *z, size_t count)
{
    (void)z;
    (void)count;
}

static ATTR void KERNEL_NAME(keep_backward)(real *d, const real *a, size_t count)
{
    (void)d;
    (void)a;
    (void)count;
}

static ATTR void KERNEL_NAME(map_exp)(real *x, size_t count)
{
    KERNEL_NAME(map)(x, count, KERNEL_NAME(exponential));
}

static ATTR void KERNEL_NAME(map_log)(real *x, size_t count)
{
    KERNEL_NAME(map)(x, count, KERNEL_NAME(logarithm));
}

static ATTR void KERNEL_NAME(map_log1p_exp)(real *x, size_t count)
{
    KERNEL_NAME(map)(x, count, KERNEL_NAME(log1p_exp));
}

static ATTR void KERNEL_NAME(map_sigmoid)(real *z, size_t count)
{
    KERNEL_NAME(map)(z, count, KERNEL_NAME(logistic));
}

static ATTR void KERNEL_NAME(map_tanh)(real *z, size_t count)
{
    KERNEL_NAME(map)(z, count, KERNEL_NAME(hyperbolic_tangent));
}

static ATTR void KERNEL_NAME(map_relu)(real *z, size_t count)
{
    KERNEL_NAME(map)(z, count, KERNEL_NAME(rectify));
}

static ATTR void KERNEL_NAME(map_sigmoid_backward)(real *d, const real *a, size_t count)
{
    KERNEL_NAME(map_pair)(d, a, count, KERNEL_NAME(sigmoid_backward));
}

static ATTR void KERNEL_NAME(map_tanh_backward)(real *d, const real *a, size_t count)
{
    KERNEL_NAME(map_pair)(d, a, count, KERNEL_NAME(tanh_backward));
}

static ATTR void KERNEL_NAME(map_relu_backward)(real *d, const real *a, size_t count)
{
    KERNEL_NAME(map_pair)(d, a, count, KERNEL_NAME(relu_backward));
}

/* -y log a - (1-y) log(1-a) = max(z, 0) - z y + log(1 + e^-|z|), which never meets log 0. */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(bce_of_logit)(v_real z, v_real y)
{
    v_real minus_magnitude = v_or(z, v_bits((BITS == 32 ? UINT64_C(1) << 31 : UINT64_C(1) << 63)));
    v_real linear = v_sub(v_max(v_set1(0), z), v_mul(z, y));
    return v_add(linear, KERNEL_NAME(log1p_exp)(minus_magnitude));
}

static ATTR void KERNEL_NAME(sigmoid_bce)(real *loss, real *delta, const real *z, const real *y,
                                          size_t count)
{
    for (size_t i = 0; i < count; i += LANES) {
        size_t n = count - i < LANES ? count - i : LANES;
        v_real logit = v_load_first(z + i, n);
        v_real target = v_load_first(y + i, n);
        v_store_first(loss + i, n, KERNEL_NAME(bce_of_logit)(logit, target));
        v_store_first(delta + i, n, v_sub(KERNEL_NAME(logistic)(logit), target));
    }
}

/* ---- Vectors and rows ----------------------------------------------------------------------- */

static ATTR void KERNEL_NAME(axpy)(real *y, real alpha, const real *x, size_t count)
{
    const v_real factor = v_set1(alpha);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        v_store(y + i, v_fma(factor, v_load(x + i), v_load(y + i)));
    if (i < count) {
        size_t n = count - i;
        v_store_first(y + i, n, v_fma(factor, v_load_first(x + i, n), v_load_first(y + i, n)));
    }
}

/* The last vector of a row ends with the row, over elements that the one before has too: a masked
 * store would make the next row's load wait for it. All loads of a row come before its stores. */
static ATTR void KERNEL_NAME(axpy_rows)(real *y, size_t y_row, real alpha, const real *x,
                                        size_t x_row, size_t rows, size_t columns)
{
    const v_real factor = v_set1(alpha);
    if (columns < LANES) {
        for (size_t i = 0; i < rows; i++, y += y_row, x += x_row)
            KERNEL_NAME(axpy)(y, alpha, x, columns);
        return;
    }
    const size_t last = columns - LANES;
    for (size_t i = 0; i < rows; i++, y += y_row, x += x_row) {
        const v_real end = v_fma(factor, v_load(x + last), v_load(y + last));
        for (size_t j = 0; j < last; j += LANES)
            v_store(y + j, v_fma(factor, v_load(x + j), v_load(y + j)));
        v_store(y + last, end);
    }
}

/* Element by element: vectors would be full of holes in one of the two. */
static ATTR void KERNEL_NAME(add_turned)(real *c, size_t c_row, const real *t, size_t t_row,
                                         size_t m, size_t n, real scale)
{
    for (size_t i = 0; i < m; i++, c += c_row)
        for (size_t j = 0; j < n; j++) c[j] = s_fma(scale, t[j * t_row + i], c[j]);
}

/* Four columns of vectors at a time: one sum is a chain, four hide each other's latency. */
static ATTR void KERNEL_NAME(add_rows)(real *sum, const real *x, size_t x_row, size_t rows,
                                       size_t columns)
{
    size_t j = 0;
    for (; j + 4 * LANES <= columns; j += 4 * LANES) {
        v_real s0 = v_load(sum + j), s1 = v_load(sum + j + LANES);
        v_real s2 = v_load(sum + j + 2 * LANES), s3 = v_load(sum + j + 3 * LANES);
        const real *row = x + j;
        for (size_t i = 0; i < rows; i++, row += x_row) {
            s0 = v_add(s0, v_load(row));
            s1 = v_add(s1, v_load(row + LANES));
            s2 = v_add(s2, v_load(row + 2 * LANES));
            s3 = v_add(s3, v_load(row + 3 * LANES));
        }
        v_store(sum + j, s0);
        v_store(sum + j + LANES, s1);
        v_store(sum + j + 2 * LANES, s2);
        v_store(sum + j + 3 * LANES, s3);
    }
    for (; j < columns; j += LANES) {
        size_t n = columns - j < LANES ? columns - j : LANES;
        v_real s = v_load_first(sum + j, n);
        const real *row = x + j;
        for (size_t i = 0; i < rows; i++, row += x_row) s = v_add(s, v_load_first(row, n));
        v_store_first(sum + j, n, s);
    }
}

/* ---- The table ------------------------------------------------------------------------------ */

const NAME(bp_kernels) KERNEL_NAME(bp_kernels) = {
    .tile = KERNEL_NAME(tile),
    .pack = KERNEL_NAME(pack),
    .tile_rows = TILE_ROWS,
    .tile_columns = TILE_VECTORS * LANES,
    .lanes = LANES,
    .sparse_tile = KERNEL_NAME(sparse_tile),
    .sparse_columns = SPARSE_VECTORS * LANES,
    .scatter = KERNEL_NAME(scatter),
    .scatter_columns = SCATTER_VECTORS * LANES,
    .compress = KERNEL_NAME(compress),
    .count_nonzero = KERNEL_NAME(count_nonzero),
    .finite = KERNEL_NAME(finite),
    .activate =
        {
            [BP_IDENTITY] = KERNEL_NAME(keep),
            [BP_SIGMOID] = KERNEL_NAME(map_sigmoid),
            [BP_TANH] = KERNEL_NAME(map_tanh),
            [BP_RELU] = KERNEL_NAME(map_relu),
        },
    .activate_backward =
        {
            [BP_IDENTITY] = KERNEL_NAME(keep_backward),
            [BP_SIGMOID] = KERNEL_NAME(map_sigmoid_backward),
            [BP_TANH] = KERNEL_NAME(map_tanh_backward),
            [BP_RELU] = KERNEL_NAME(map_relu_backward),
        },
    .exp = KERNEL_NAME(map_exp),
    .log = KERNEL_NAME(map_log),
    .log1p_exp = KERNEL_NAME(map_log1p_exp),
    .sigmoid_bce = KERNEL_NAME(sigmoid_bce),
    .add_turned = KERNEL_NAME(add_turned),
    .axpy = KERNEL_NAME(axpy),
    .axpy_rows = KERNEL_NAME(axpy_rows),
    .add_rows = KERNEL_NAME(add_rows),
};

#undef TILE_VECTORS
#undef SCATTER_VECTORS
#undef BITS
#include "../simd/vec_undef.h"
