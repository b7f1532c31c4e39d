/* vectors_template.h: sums of vectors and of rows. A part of kernels_template.h, with its
 * parameters.
 */

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

/* The error of a sum of two is exact whichever is larger (Knuth, The Art of Computer Programming 2,
 * section 4.2.2, theorem B). */
static ALWAYS_INLINE ATTR void KERNEL_NAME(add_vector)(real *total, real *carry, const real *part,
                                                       size_t n)
{
    const v_real x = KERNEL_NAME(load_some)(part, n), before = KERNEL_NAME(load_some)(total, n);
    const v_real sum = v_add(before, x), taken = v_sub(sum, before);
    const v_real lost = v_add(v_sub(before, v_sub(sum, taken)), v_sub(x, taken));
    KERNEL_NAME(store_some)(total, n, sum);
    KERNEL_NAME(store_some)(carry, n, v_add(KERNEL_NAME(load_some)(carry, n), lost));
}

static ATTR void KERNEL_NAME(add_part)(real *total, real *carry, const real *part, size_t count)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        KERNEL_NAME(add_vector)(total + i, carry + i, part + i, LANES);
    if (i < count) KERNEL_NAME(add_vector)(total + i, carry + i, part + i, count - i);
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
static ATTR void KERNEL_NAME(add_transposed)(real *c, size_t c_row, const real *t, size_t t_row,
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
