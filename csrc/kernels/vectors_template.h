/* vectors_template.h: functions of each element of a vector, and sums of vectors. A part of
 * kernels_template.h, with its parameters.
 */

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
