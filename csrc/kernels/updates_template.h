/* updates_template.h: optimisers, penalties and norms, in one pass over flat arrays. A part of
 * kernels_template.h, with its parameters.
 */

/* ---- Optimisers ------------------------------------------------------------------------------ */

/* What the optimisers share: the gradient with its scale and its penalty. */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(gradient_of)(const NAME(bp_update) *how, v_real w,
                                                          v_real g)
{
    return v_fma(v_set1(how->l2), w, v_mul(v_set1(how->scale), g));
}

static ALWAYS_INLINE ATTR v_real KERNEL_NAME(sgd_step)(const NAME(bp_update) *how, v_real w,
                                                       v_real g, v_real *first, v_real *second)
{
    (void)first;
    (void)second;
    return v_fma(v_set1(-how->rate), g, v_mul(v_set1(how->keep), w));
}

/* What a moment is kept as. One that decays alone would stop among the numbers below the smallest
 * normal one, where rounding keeps it from 0 and CPUs take a hundred cycles for each step: the
 * weights of a feature that is rarely used would make every update three times as long. */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(kept)(v_real moment)
{
    const v_real zero = v_set1(0), least = v_set1(BITS == 32 ? FLT_MIN : (real)DBL_MIN);
    return v_select_less(v_max(moment, v_sub(zero, moment)), least, zero, moment);
}

/* momentum v - rate g. */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(velocity)(const NAME(bp_update) *how, v_real v,
                                                       v_real g)
{
    return v_fma(v_set1(how->momentum), v, v_mul(v_set1(-how->rate), g));
}

static ALWAYS_INLINE ATTR v_real KERNEL_NAME(momentum_step)(const NAME(bp_update) *how, v_real w,
                                                            v_real g, v_real *first, v_real *second)
{
    (void)second;
    *first = KERNEL_NAME(kept)(KERNEL_NAME(velocity)(how, *first, g));
    return v_fma(v_set1(how->keep), w, *first);
}

static ALWAYS_INLINE ATTR v_real KERNEL_NAME(nesterov_step)(const NAME(bp_update) *how, v_real w,
                                                            v_real g, v_real *first, v_real *second)
{
    (void)second;
    *first = KERNEL_NAME(kept)(KERNEL_NAME(velocity)(how, *first, g));
    return v_fma(v_set1(how->keep), w, KERNEL_NAME(velocity)(how, *first, g));
}

/* decay m + (1 - decay) g. */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(average)(real decay, v_real m, v_real g)
{
    return KERNEL_NAME(kept)(v_fma(v_set1(decay), m, v_mul(v_set1(1 - decay), g)));
}

/* keep w - rate m / (sqrt(s) + epsilon). */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(scaled_step)(const NAME(bp_update) *how, v_real w,
                                                          v_real m, v_real s)
{
    v_real step = v_div(m, v_add(v_sqrt(s), v_set1(how->epsilon)));
    return v_fma(v_set1(-how->rate), step, v_mul(v_set1(how->keep), w));
}

static ALWAYS_INLINE ATTR v_real KERNEL_NAME(rmsprop_step)(const NAME(bp_update) *how, v_real w,
                                                           v_real g, v_real *first, v_real *second)
{
    (void)second;
    *first = KERNEL_NAME(average)(how->decay, *first, v_mul(g, g));
    return KERNEL_NAME(scaled_step)(how, w, g, *first);
}

static ALWAYS_INLINE ATTR v_real KERNEL_NAME(adam_step)(const NAME(bp_update) *how, v_real w,
                                                        v_real g, v_real *first, v_real *second)
{
    *first = KERNEL_NAME(average)(how->momentum, *first, g);
    *second = KERNEL_NAME(average)(how->decay, *second, v_mul(g, g));
    return KERNEL_NAME(scaled_step)(how, w, *first, *second);
}

/* -1, 0 or 1. */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(sign)(v_real x)
{
    const v_real zero = v_set1(0);
    return v_select_less(x, zero, v_set1(-1), v_select_less(zero, x, v_set1(1), zero));
}

/* The first moment is the sign of the gradient before, since a product of tiny gradients would be
 * 0; the second one is the step. A gradient whose sign has changed moves nothing, and counts as 0
 * next time. */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(rprop_step)(const NAME(bp_update) *how, v_real w,
                                                         v_real g, v_real *first, v_real *second)
{
    const v_real zero = v_set1(0), one = v_set1(1), sign = KERNEL_NAME(sign)(g);
    const v_real agree = v_mul(sign, *first);
    v_real factor = v_select_less(zero, agree, v_set1(how->grow), one);
    factor = v_select_less(agree, zero, v_set1(how->shrink), factor);
    v_real step = v_mul(*second, factor);
    step = v_min(v_set1(how->most_step), v_max(v_set1(how->least_step), step));
    *second = step;
    *first = v_select_less(agree, zero, zero, sign);
    return v_fma(v_sub(zero, *first), step, v_mul(v_set1(how->keep), w));
}

/* Applies a step to n elements of one vector; `moments` of the two arrays are in use. */
static ALWAYS_INLINE ATTR void KERNEL_NAME(update_vector)(
    const NAME(bp_update) *how, real *w, const real *gradient, real *first, real *second, size_t n,
    const int moments, v_real (*step)(const NAME(bp_update) *, v_real, v_real, v_real *, v_real *))
{
    const v_real before = KERNEL_NAME(load_some)(w, n);
    const v_real given = KERNEL_NAME(load_some)(gradient, n);
    const v_real g = KERNEL_NAME(gradient_of)(how, before, given);
    v_real m = v_set1(0), s = v_set1(0);
    if (moments > 0) m = KERNEL_NAME(load_some)(first, n);
    if (moments > 1) s = KERNEL_NAME(load_some)(second, n);
    KERNEL_NAME(store_some)(w, n, step(how, before, g, &m, &s));
    if (moments > 0) KERNEL_NAME(store_some)(first, n, m);
    if (moments > 1) KERNEL_NAME(store_some)(second, n, s);
}

static ALWAYS_INLINE ATTR void KERNEL_NAME(update)(
    const NAME(bp_update) *how, real *w, const real *gradient, real *first, real *second,
    size_t count, const int moments,
    v_real (*step)(const NAME(bp_update) *, v_real, v_real, v_real *, v_real *))
{
    while (count >= LANES) {
        KERNEL_NAME(update_vector)(how, w, gradient, first, second, LANES, moments, step);
        w += LANES;
        gradient += LANES;
        if (moments > 0) first += LANES;
        if (moments > 1) second += LANES;
        count -= LANES;
    }
    if (count > 0)
        KERNEL_NAME(update_vector)(how, w, gradient, first, second, count, moments, step);
}

/* sgd(how, w, g, first, second, count) and so on; `moments` of the two arrays are in use. */
#define UPDATE(number, name, moments)                                                              \
    static ATTR void KERNEL_NAME(name)(const NAME(bp_update) *how, real *w, const real *g,         \
                                       real *first, real *second, size_t count)                    \
    {                                                                                              \
        KERNEL_NAME(update)(how, w, g, first, second, count, moments, KERNEL_NAME(name##_step));   \
    }
BP_OPTIMIZERS(UPDATE)
#undef UPDATE

/* ---- Penalties and norms --------------------------------------------------------------------- */

static ALWAYS_INLINE ATTR void KERNEL_NAME(penalize_vector)(real *g, const real *w, real scale,
                                                            real l2, real l1, size_t n)
{
    const v_real zero = v_set1(0), x = KERNEL_NAME(load_some)(w, n);
    v_real sign = v_select_less(zero, x, v_set1(l1), zero);
    sign = v_select_less(x, zero, v_set1(-l1), sign);
    const v_real scaled = v_mul(v_set1(scale), KERNEL_NAME(load_some)(g, n));
    KERNEL_NAME(store_some)(g, n, v_add(v_fma(v_set1(l2), x, scaled), sign));
}

static ATTR void KERNEL_NAME(penalize)(real *g, const real *w, real scale, real l2, real l1,
                                       size_t count)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        KERNEL_NAME(penalize_vector)(g + i, w + i, scale, l2, l1, LANES);
    if (i < count) KERNEL_NAME(penalize_vector)(g + i, w + i, scale, l2, l1, count - i);
}

/* Sums that a piece is cut into: whole vectors of every instruction set. */
#define PARTIAL_SUMS 16

/* Terms of a piece: rounding stays below that of 64 additions. */
#define PIECE ((size_t)1024)

static ALWAYS_INLINE ATTR v_real KERNEL_NAME(add_square)(v_real sum, v_real x)
{
    return v_fma(x, x, sum);
}

static ALWAYS_INLINE ATTR v_real KERNEL_NAME(add_magnitude)(v_real sum, v_real x)
{
    return v_add(sum, v_max(x, v_sub(v_set1(0), x)));
}

static ALWAYS_INLINE ATTR double KERNEL_NAME(sum_of)(const real *x, size_t count,
                                                     v_real (*add)(v_real, v_real))
{
    double total = 0;
    while (count > 0) {
        const size_t piece = count < PIECE ? count : PIECE;
        v_real sum[PARTIAL_SUMS / LANES];
        real partial[PARTIAL_SUMS];
        UNROLL for (int v = 0; v < PARTIAL_SUMS / LANES; v++)
            sum[v] = v_set1(0);
        size_t i = 0;
        for (; i + PARTIAL_SUMS <= piece; i += PARTIAL_SUMS)
            UNROLL for (int v = 0; v < PARTIAL_SUMS / LANES; v++)
                sum[v] = add(sum[v], v_load(x + i + (size_t)v * LANES));
        for (int v = 0; i < piece; i += LANES, v++)
            sum[v] = add(sum[v], v_load_first(x + i, piece - i < LANES ? piece - i : LANES));
        UNROLL for (int v = 0; v < PARTIAL_SUMS / LANES; v++)
            v_store(partial + v * LANES, sum[v]);
        for (int p = 0; p < PARTIAL_SUMS; p++) total += (double)partial[p];
        x += piece;
        count -= piece;
    }
    return total;
}

static ATTR double KERNEL_NAME(sum_squares)(const real *x, size_t count)
{
    return KERNEL_NAME(sum_of)(x, count, KERNEL_NAME(add_square));
}

static ATTR double KERNEL_NAME(sum_magnitudes)(const real *x, size_t count)
{
    return KERNEL_NAME(sum_of)(x, count, KERNEL_NAME(add_magnitude));
}

static ATTR void KERNEL_NAME(add_squares)(real *sums, const real *x, size_t rows, size_t columns)
{
    for (size_t j = 0; j < columns; j += LANES) {
        const size_t n = columns - j < LANES ? columns - j : LANES;
        v_real s = v_load_first(sums + j, n);
        for (size_t i = 0; i < rows; i++)
            s = KERNEL_NAME(add_square)(s, v_load_first(x + i * columns + j, n));
        v_store_first(sums + j, n, s);
    }
}

static ATTR void KERNEL_NAME(limit_columns)(real *x, real *squares, real limit, size_t rows,
                                            size_t columns)
{
    const v_real most = v_set1(limit), one = v_set1(1);
    for (size_t j = 0; j < columns; j += LANES) {
        const size_t n = columns - j < LANES ? columns - j : LANES;
        const v_real norm = v_sqrt(v_load_first(squares + j, n));
        v_store_first(squares + j, n, v_select_less(most, norm, v_div(most, norm), one));
    }
    for (size_t i = 0; i < rows; i++, x += columns) KERNEL_NAME(multiply)(x, squares, columns);
}

#undef PARTIAL_SUMS
#undef PIECE
