/* activations_template.h: activations and their derivatives, each element alone. A part of
 * kernels_template.h, with its parameters.
 *
 * Derivatives are taken from the output a = g(z) where it tells them; silu and gelu are not
 * monotone, so theirs are computed beside the output, from z.
 */

/* z > 0 ? z : LEAK z. */
#define LEAK ((real)0.01)

/* Fixed points of mean 0 and variance 1 (Klambauer et al. 2017, appendix). */
#define SELU_SCALE ((real)1.0507009873554805)
#define SELU_ALPHA ((real)1.6732632423543772)

static ALWAYS_INLINE ATTR v_real KERNEL_NAME(relu)(v_real z)
{
    return v_max(v_set1(0), z);
}

static ALWAYS_INLINE ATTR v_real KERNEL_NAME(leaky_relu)(v_real z)
{
    return v_select_less(v_set1(0), z, z, v_mul(v_set1(LEAK), z));
}

static ALWAYS_INLINE ATTR v_real KERNEL_NAME(elu)(v_real z)
{
    return v_select_less(v_set1(0), z, z, KERNEL_NAME(expm1_negative)(v_min(v_set1(0), z)));
}

static ALWAYS_INLINE ATTR v_real KERNEL_NAME(selu)(v_real z)
{
    v_real below = v_mul(v_set1(SELU_ALPHA), KERNEL_NAME(expm1_negative)(v_min(v_set1(0), z)));
    return v_mul(v_set1(SELU_SCALE), v_select_less(v_set1(0), z, z, below));
}

/* log(1 + e^z) = max(z, 0) + log(1 + e^-|z|). */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(softplus)(v_real z)
{
    return v_add(v_max(v_set1(0), z), KERNEL_NAME(log1p_exp)(v_or(z, v_bits(SIGN_BIT))));
}

static ALWAYS_INLINE ATTR v_real KERNEL_NAME(silu)(v_real z)
{
    return v_mul(z, KERNEL_NAME(sigmoid)(z));
}

static ALWAYS_INLINE ATTR v_real KERNEL_NAME(gelu)(v_real z)
{
    return v_mul(z, KERNEL_NAME(normal_distribution)(z));
}

/* ---- Derivatives ----------------------------------------------------------------------------- */

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

static ALWAYS_INLINE ATTR v_real KERNEL_NAME(leaky_relu_backward)(v_real d, v_real a)
{
    return v_select_less(v_set1(0), a, d, v_mul(v_set1(LEAK), d));
}

/* e^z = a + 1 below 0. */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(elu_backward)(v_real d, v_real a)
{
    return v_select_less(v_set1(0), a, d, v_mul(d, v_add(a, v_set1(1))));
}

static ALWAYS_INLINE ATTR v_real KERNEL_NAME(selu_backward)(v_real d, v_real a)
{
    v_real below = v_add(a, v_set1(SELU_SCALE * SELU_ALPHA));
    return v_mul(d, v_select_less(v_set1(0), a, v_set1(SELU_SCALE), below));
}

/* sigmoid(z) = 1 - e^-a. */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(softplus_backward)(v_real d, v_real a)
{
    v_real minus = KERNEL_NAME(expm1_negative)(v_sub(v_set1(0), a));
    return v_mul(d, v_sub(v_set1(0), minus));
}

/* e^z is its own derivative. */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(exp_backward)(v_real d, v_real a)
{
    return v_mul(d, a);
}

/* s + z s (1 - s) with s = sigmoid(z); of s and 1 - s, the smaller one is not a difference, whose
 * rounding error z would enlarge. */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(silu_derivative)(v_real z)
{
    v_real power = KERNEL_NAME(exp)(v_or(z, v_bits(SIGN_BIT)));
    v_real larger = v_div(v_set1(1), v_add(v_set1(1), power)), smaller = v_mul(power, larger);
    v_real s = v_select_less(z, v_set1(0), smaller, larger);
    return v_fma(v_mul(z, larger), smaller, s);
}

/* Phi(z) + z phi(z), phi(z) = e^(-z^2/2) / sqrt(2 pi). */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(gelu_derivative)(v_real z)
{
    v_real bell = KERNEL_NAME(bell)(v_and(z, v_bits(SIGN_BIT - 1)));
    v_real density = v_mul(v_set1((real)0.3989422804014327), bell);
    return v_fma(z, density, KERNEL_NAME(normal_distribution)(z));
}

/* ---- Loops ----------------------------------------------------------------------------------- */

/* The first n elements: a whole vector where n is known to be one, as in the loops' bodies. */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(load_some)(const real *p, size_t n)
{
    return n == LANES ? v_load(p) : v_load_first(p, n);
}

static ALWAYS_INLINE ATTR void KERNEL_NAME(store_some)(real *p, size_t n, v_real x)
{
    if (n == LANES)
        v_store(p, x);
    else
        v_store_first(p, n, x);
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

/* derivative[i] := g'(z[i]); z[i] := g(z[i]), for n elements of one vector. */
static ALWAYS_INLINE ATTR void KERNEL_NAME(derivative_vector)(real *z, real *derivative, size_t n,
                                                              v_real (*g)(v_real),
                                                              v_real (*g_derivative)(v_real))
{
    const v_real x = KERNEL_NAME(load_some)(z, n);
    KERNEL_NAME(store_some)(derivative, n, g_derivative(x));
    KERNEL_NAME(store_some)(z, n, g(x));
}

static ALWAYS_INLINE ATTR void KERNEL_NAME(map_derivative)(real *z, real *derivative, size_t count,
                                                           v_real (*g)(v_real),
                                                           v_real (*g_derivative)(v_real))
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        KERNEL_NAME(derivative_vector)(z + i, derivative + i, LANES, g, g_derivative);
    if (i < count)
        KERNEL_NAME(derivative_vector)(z + i, derivative + i, count - i, g, g_derivative);
}

static ATTR void KERNEL_NAME(map_identity)(real *z, size_t count)
{
    (void)z;
    (void)count;
}

static ATTR void KERNEL_NAME(map_identity_backward)(real *d, const real *a, size_t count)
{
    (void)d;
    (void)a;
    (void)count;
}

/* map_sigmoid(z, count), map_sigmoid_backward(d, a, count) and so on, from the functions of one
 * vector. */
#define MAP(name)                                                                                  \
    static ATTR void KERNEL_NAME(map_##name)(real *z, size_t count)                                \
    {                                                                                              \
        KERNEL_NAME(map)(z, count, KERNEL_NAME(name));                                             \
    }
#define MAP_NOTHING(name)
#define MAP_OUTPUT(name)                                                                           \
    MAP(name)                                                                                      \
    static ATTR void KERNEL_NAME(map_##name##_backward)(real *d, const real *a, size_t count)      \
    {                                                                                              \
        KERNEL_NAME(map_pair)(d, a, count, KERNEL_NAME(name##_backward));                          \
    }
#define MAP_INPUT(name)                                                                            \
    MAP(name)                                                                                      \
    static ATTR void KERNEL_NAME(map_##name##_derivative)(real *z, real *derivative,               \
                                                          size_t count)                            \
    {                                                                                              \
        KERNEL_NAME(map_derivative)(z, derivative, count, KERNEL_NAME(name),                       \
                                    KERNEL_NAME(name##_derivative));                               \
    }
#define MAP_ROW(name)
#define MAPS(number, name, told_by) MAP_##told_by(name)

BP_ACTIVATIONS(MAPS)
MAP(log)
MAP(log1p_exp)

static ALWAYS_INLINE ATTR v_real KERNEL_NAME(product)(v_real x, v_real y)
{
    return v_mul(x, y);
}

static ATTR void KERNEL_NAME(multiply)(real *x, const real *y, size_t count)
{
    KERNEL_NAME(map_pair)(x, y, count, KERNEL_NAME(product));
}

/* -y log a - (1-y) log(1-a) = max(z, 0) - z y + log(1 + e^-|z|), which never meets log 0. */
static ALWAYS_INLINE ATTR v_real KERNEL_NAME(bce_of_logit)(v_real z, v_real y)
{
    v_real minus_magnitude = v_or(z, v_bits(SIGN_BIT));
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
        v_store_first(delta + i, n, v_sub(KERNEL_NAME(sigmoid)(logit), target));
    }
}

#undef MAP
#undef MAP_NOTHING
#undef MAP_OUTPUT
#undef MAP_INPUT
#undef MAP_ROW
#undef MAPS
#undef LEAK
#undef SELU_SCALE
#undef SELU_ALPHA
