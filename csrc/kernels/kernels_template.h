/* kernels_template.h: every kernel, once, for all instruction sets and precisions.
 *
 * Parameters:
 *   BITS       32 or 64
 *   ISA        avx2, ...: becomes a part of each name
 *   ATTR       the function attribute that allows the instructions, or nothing
 *   TILE_ROWS  rows of C that one tile holds in registers, two vectors each: 4, 6, 12 or 14
 *   and the vector words of simd/. BITS and the words are forgotten at the end.
 *
 * Inside, the letters of matrix multiplication: i row of C, j vector of C, p term of the sum.
 */
#if !defined(ISA) || !defined(TILE_ROWS) || !defined(LANES)
#error "kernels_template.h needs ISA, ATTR, TILE_ROWS and the vector words"
#endif

/* Two vectors a row: fewer would load more than multiply, more would leave too few rows. */
#define TILE_VECTORS 2

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

/* Four columns of vectors at a time: one sum is a chain, four hide each other's latency. */
static ATTR void KERNEL_NAME(add_rows)(real *sum, const real *x, size_t rows, size_t columns)
{
    size_t j = 0;
    for (; j + 4 * LANES <= columns; j += 4 * LANES) {
        v_real s0 = v_load(sum + j), s1 = v_load(sum + j + LANES);
        v_real s2 = v_load(sum + j + 2 * LANES), s3 = v_load(sum + j + 3 * LANES);
        const real *row = x + j;
        for (size_t i = 0; i < rows; i++, row += columns) {
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
        for (size_t i = 0; i < rows; i++, row += columns) s = v_add(s, v_load_first(row, n));
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
    .axpy = KERNEL_NAME(axpy),
    .add_rows = KERNEL_NAME(add_rows),
};

#undef TILE_VECTORS
#undef BITS
#include "../simd/vec_undef.h"
