/* refusals_template.h: what every function says to arguments that it cannot use.
 *
 * Parameters: real, F(name). Outputs that must not be touched lie in pages that cannot be written.
 */

static void F(refuse_sizes)(void)
{
    const size_t sizes[] = {3, 2}, huge_sizes[] = {SIZE_MAX / 2, 2};
    const int sigmoid[] = {BP_SIGMOID};
    const bp_network good = {1, sizes, sigmoid, BP_BCE, 0, NULL}, bad = {0, sizes, sigmoid, BP_BCE, 0, NULL};
    const bp_network huge = {1, huge_sizes, sigmoid, BP_BCE, 0, NULL};
    const bp_execution how = {.isa = BP_ISA_DEFAULT}, unknown = {.isa = BP_ISA_COUNT};
    const bp_execution one_block = {.block_rows = SIZE_MAX};
    size_t ignored;
#define SIZE(net, how, N, bytes)                                                                \
    (which == 0   ? F(bp_workspace_size)(net, how, N, 0, bytes)                                 \
     : which == 1 ? F(bp_forward_size)(net, how, N, bytes)                                      \
     : which == 2 ? F(bp_mean_loss_size)(net, how, N, bytes)                                    \
                  : F(bp_packed_size)(net, how, N, which == 3 ? 0 : 1, bytes))
    for (int which = 0; which < 5; which++) {
        EACH_NULL(3)
            EXPECT(BP_NULL_POINTER,
                   SIZE(UNLESS(0, &good), UNLESS(1, &how), 5, UNLESS(2, &ignored)));
        EXPECT(BP_BAD_NETWORK, SIZE(&bad, &how, 5, &ignored));
        EXPECT(BP_TOO_LARGE, SIZE(&huge, &how, 5, &ignored));
        EXPECT(BP_TOO_LARGE, SIZE(&good, &how, SIZE_MAX, &ignored));
        EXPECT(BP_ISA_UNAVAILABLE, SIZE(&good, &unknown, 5, &ignored));
    }
    /* A block is a part at most, whatever is asked for. */
    EXPECT(BP_OK, F(bp_workspace_size)(&good, &one_block, SIZE_MAX / 128, 0, &ignored));
    EXPECT(BP_TOO_LARGE, F(bp_workspace_size)(&good, &how, 5, SIZE_MAX / 16, &ignored));
    EXPECT(BP_TOO_LARGE, F(bp_packed_size)(&good, &how, 5, SIZE_MAX / 8, &ignored));
#undef SIZE
}

/* A small network and all that its calls need; frozen, but for the workspace of training. Every
 * call below is refused before it writes. */
typedef struct F(ground) {
    bp_network net;
    size_t sizes[2];
    int activations[1];
    bp_execution how;
    real *p, *Y, *out;
    F(bp_input) X;
    size_t bytes;
    void *work;
} F(ground);

static void F(prepare)(F(ground) * g)
{
    size_t least, bytes;
    *g = (F(ground)){.sizes = {3, 2}, .activations = {BP_SIGMOID}};
    g->net = (bp_network){1, g->sizes, g->activations, BP_BCE, 0, NULL};
    g->p = F(numbers)(8, 1, 1);
    g->X.dense = F(numbers)(15, 2, 1);
    g->Y = F(numbers)(10, 3, 1);
    g->out = F(numbers)(10, 4, 1);
    EXPECT(BP_OK, F(bp_workspace_size)(&g->net, &g->how, 5, 0, &bytes));
    g->bytes = bytes;
    EXPECT(BP_OK, F(bp_forward_size)(&g->net, &g->how, 5, &least));
    CHECK(least <= bytes + 65536);
    freeze();
    g->work = workspace(bytes);
}

static void F(refuse_forward)(void)
{
    F(ground) g;
    F(prepare)(&g);
    const bp_execution how = g.how, unknown = {.isa = BP_ISA_COUNT};
    const bp_network good = g.net, bad = {0, g.sizes, g.activations, BP_BCE, 0, NULL};
    const F(bp_input) X = g.X, none = {0};
    size_t bytes, row = 0;
    EXPECT(BP_OK, F(bp_forward_size)(&good, &how, 5, &bytes));
    void *work = workspace(bytes);
    freeze();
#define FORWARD(net, how, p, X, N, A, w, b) F(bp_forward)(net, how, p, X, N, &row, 5, A, w, b)
    EACH_NULL(6)
        EXPECT(BP_NULL_POINTER,
               FORWARD(UNLESS(0, &good), UNLESS(1, &how), UNLESS(2, g.p), UNLESS(3, &X), 5,
                       UNLESS(4, g.out), UNLESS(5, work), bytes));
    EXPECT(BP_NULL_POINTER, FORWARD(&good, &how, g.p, &none, 5, g.out, work, bytes));
    EXPECT(BP_BAD_NETWORK, FORWARD(&bad, &how, g.p, &X, 5, g.out, work, bytes));
    EXPECT(BP_ISA_UNAVAILABLE, FORWARD(&good, &unknown, g.p, &X, 5, g.out, work, bytes));
    EXPECT(BP_WORKSPACE_TOO_SMALL, FORWARD(&good, &how, g.p, &X, 5, g.out, work, bytes - 1));
    EXPECT(BP_WORKSPACE_TOO_SMALL, FORWARD(&good, &how, g.p, &X, 5, g.out, work, 0));
    EXPECT(BP_TOO_LARGE, FORWARD(&good, &how, g.p, &X, SIZE_MAX / 2, g.out, work, bytes));
    EXPECT(BP_NULL_POINTER, F(bp_forward)(&good, &how, g.p, &X, 5, NULL, 5, g.out, work, bytes));
    EXPECT(BP_OK, FORWARD(&good, &how, g.p, &none, 0, NULL, work, bytes));
    row = 6;
    EXPECT(BP_BAD_ARGUMENT, FORWARD(&good, &how, g.p, &X, 5, g.out, work, bytes));
#undef FORWARD
    release();
}

static void F(refuse_losses_and_gradients)(void)
{
    F(ground) g;
    F(prepare)(&g);
    const F(bp_input) *X = &g.X, none = {0};
    real *out = g.out, *p = g.p, *Y = g.Y;
    double loss;
    size_t bytes;
    EXPECT(BP_OK, F(bp_mean_loss_size)(&g.net, &g.how, 5, &bytes));
    void *work = workspace(bytes > g.bytes ? bytes : g.bytes);
    freeze();
    size_t row = 0;
#define LOSS(p, X, Y, l, w, b) \
    F(bp_mean_loss)(&g.net, &g.how, p, X, Y, 5, &row, 5, NULL, l, w, b)
    EACH_NULL(5)
        EXPECT(BP_NULL_POINTER, LOSS(UNLESS(0, p), UNLESS(1, X), UNLESS(2, Y), UNLESS(3, &loss),
                                     UNLESS(4, work), bytes));
    EXPECT(BP_NULL_POINTER, LOSS(p, &none, Y, &loss, work, bytes));
    EXPECT(BP_WORKSPACE_TOO_SMALL, LOSS(p, X, Y, &loss, work, bytes - 1));
    EXPECT(BP_NULL_POINTER, F(bp_mean_loss)(&g.net, &g.how, p, X, Y, 5, NULL, 5, NULL, &loss, work,
                                            bytes));
    EXPECT(BP_OK, F(bp_mean_loss)(&g.net, &g.how, p, &none, NULL, 0, &row, 5, NULL, &loss, work,
                                  bytes));
    CHECK(loss == 0);
    row = 6;
    EXPECT(BP_BAD_ARGUMENT, LOSS(p, X, Y, &loss, work, bytes));
    row = 0;
#undef LOSS
#define GRADIENT(p, X, Y, o, l, w, b) \
    F(bp_gradient)(&g.net, &g.how, p, X, Y, 5, &row, 5, o, l, w, b)
    EACH_NULL(6)
        EXPECT(BP_NULL_POINTER, GRADIENT(UNLESS(0, p), UNLESS(1, X), UNLESS(2, Y), UNLESS(3, out),
                                         UNLESS(4, &loss), UNLESS(5, work), g.bytes));
    EXPECT(BP_NULL_POINTER, GRADIENT(p, &none, Y, out, &loss, work, g.bytes));
    EXPECT(BP_WORKSPACE_TOO_SMALL, GRADIENT(p, X, Y, out, &loss, work, g.bytes - 1));
    row = 6;
    EXPECT(BP_BAD_ARGUMENT, GRADIENT(p, X, Y, out, &loss, work, g.bytes));
#undef GRADIENT
    EXPECT(BP_NULL_POINTER, F(bp_gradient)(&g.net, &g.how, p, X, Y, 5, NULL, 5, out, &loss, work,
                                           g.bytes));
    release();
}

static bp_status F(train_on_five)(const F(ground) * g, const F(bp_input) * X, const real *Y,
                                  const size_t *order, bp_training training)
{
    EXPECT(BP_NULL_POINTER, F(bp_train)(&g->net, &g->how, g->p, NULL, X, Y, 5, order, NULL, 9, g->work,
                                        g->bytes));
    return F(bp_train)(&g->net, &g->how, g->p, NULL, X, Y, 5, order, &training, 9, g->work, g->bytes);
}

static void F(refuse_training)(void)
{
    const size_t wrong[] = {0, 1, 2, 3, 5};
    const bp_training ok = {.batch_rows = 5, .learning_rate = 0.1, .epochs = 1};
    const double infinity = 1e308 * 10;
    const real *NaN = memset(guarded(15 * sizeof(real)), 0xff, 15 * sizeof(real));
    const F(bp_input) none = {0}, bad = {.dense = NaN};
    F(ground) g, changed;
    F(prepare)(&g);
    bp_training t;
    t = ok, t.batch_rows = 0;
    EXPECT(BP_BAD_ARGUMENT, F(train_on_five)(&g, &g.X, g.Y, NULL, t));
    t = ok, t.row = 6;
    EXPECT(BP_BAD_ARGUMENT, F(train_on_five)(&g, &g.X, g.Y, NULL, t));
    t = ok, t.epoch = 2;
    EXPECT(BP_BAD_ARGUMENT, F(train_on_five)(&g, &g.X, g.Y, NULL, t));
    t = ok, t.learning_rate = infinity;
    EXPECT(BP_BAD_ARGUMENT, F(train_on_five)(&g, &g.X, g.Y, NULL, t));
    t = ok, t.learning_rate = infinity - infinity;
    EXPECT(BP_BAD_ARGUMENT, F(train_on_five)(&g, &g.X, g.Y, NULL, t));
    EXPECT(BP_BAD_ORDER, F(train_on_five)(&g, &g.X, g.Y, wrong, ok));
    EXPECT(BP_NONFINITE_LOSS, F(train_on_five)(&g, &bad, g.Y, NULL, ok));
    EXPECT(BP_NONFINITE_LOSS, F(train_on_five)(&g, &g.X, NaN, NULL, ok));
    EXPECT(BP_NULL_POINTER, F(train_on_five)(&g, NULL, g.Y, NULL, ok));
    EXPECT(BP_NULL_POINTER, F(train_on_five)(&g, &none, g.Y, NULL, ok));
    EXPECT(BP_NULL_POINTER, F(train_on_five)(&g, &g.X, NULL, NULL, ok));
    changed = g, changed.p = NULL;
    EXPECT(BP_NULL_POINTER, F(train_on_five)(&changed, &g.X, g.Y, NULL, ok));
    changed = g, changed.work = NULL;
    EXPECT(BP_NULL_POINTER, F(train_on_five)(&changed, &g.X, g.Y, NULL, ok));
    changed = g, changed.bytes--;
    EXPECT(BP_WORKSPACE_TOO_SMALL, F(train_on_five)(&changed, &g.X, g.Y, NULL, ok));
    t = ok, t.epoch = 1; /* The end of the last epoch: nothing to do. */
    EXPECT(BP_OK, F(train_on_five)(&g, &g.X, g.Y, NULL, t));
    release();
}

static void F(refuse_dense_forward)(void)
{
    const bp_execution good = {.isa = BP_ISA_DEFAULT}, *how = &good;
    const bp_execution unknown = {.isa = (bp_isa)-1}, generic = {.isa = BP_GENERIC};
    real *x = F(numbers)(64, 1, 1);
    const size_t huge = SIZE_MAX / 16 + 1;
    size_t dense, ignored;
    EXPECT(BP_OK, F(bp_dense_workspace_size)(how, 4, 3, 2, &dense));
    void *w = workspace(dense);
    freeze();
    EXPECT(BP_NULL_POINTER, F(bp_dense_workspace_size)(NULL, 4, 3, 2, &ignored));
    EXPECT(BP_NULL_POINTER, F(bp_dense_workspace_size)(how, 4, 3, 2, NULL));
    EXPECT(BP_ISA_UNAVAILABLE, F(bp_dense_workspace_size)(&unknown, 4, 3, 2, &ignored));
#define DENSE(how, g, N, I, O, X, W, b, Z, A, w, n) \
    F(bp_dense_forward)(how, g, N, I, O, X, W, b, Z, A, w, n)
    EACH_NULL(7)
        EXPECT(BP_NULL_POINTER,
               DENSE(UNLESS(0, how), BP_TANH, 4, 3, 2, UNLESS(1, x), UNLESS(2, x), UNLESS(3, x),
                     UNLESS(4, x), UNLESS(5, x), UNLESS(6, w), dense));
    EXPECT(BP_ISA_UNAVAILABLE, DENSE(&unknown, BP_TANH, 4, 3, 2, x, x, x, x, x, w, dense));
    EXPECT(BP_BAD_ARGUMENT, DENSE(how, -1, 4, 3, 2, x, x, x, x, x, w, dense));
    EXPECT(BP_BAD_ARGUMENT, DENSE(how, BP_ACTIVATION_COUNT, 4, 3, 2, x, x, x, x, x, w, dense));
    EXPECT(BP_BAD_ARGUMENT, DENSE(how, BP_TANH, 4, 0, 2, x, x, x, x, x, w, dense));
    EXPECT(BP_BAD_ARGUMENT, DENSE(how, BP_TANH, 4, 3, 0, x, x, x, x, x, w, dense));
    EXPECT(BP_TOO_LARGE, DENSE(how, BP_TANH, huge, huge, 2, x, x, x, x, x, w, dense));
    EXPECT(BP_TOO_LARGE, DENSE(&generic, BP_TANH, huge, 64, 1, x, x, x, x, x, w, dense));
    EXPECT(BP_WORKSPACE_TOO_SMALL, DENSE(how, BP_TANH, 4, 3, 2, x, x, x, x, x, w, dense - 1));
#undef DENSE
    release();
}

static void F(refuse_dense_backward)(void)
{
    const bp_execution good = {.isa = BP_ISA_DEFAULT}, *how = &good;
    real *x = F(numbers)(64, 1, 1);
    size_t dense;
    EXPECT(BP_OK, F(bp_dense_workspace_size)(how, 4, 3, 2, &dense));
    void *w = workspace(dense);
    freeze();
#define BACK(X, W, d, dW, db, n) F(bp_dense_backward)(how, 4, 3, 2, X, W, d, dW, db, NULL, w, n)
    EACH_NULL(5)
        EXPECT(BP_NULL_POINTER, BACK(UNLESS(0, x), UNLESS(1, x), UNLESS(2, x), UNLESS(3, x),
                                     UNLESS(4, x), dense));
    EXPECT(BP_WORKSPACE_TOO_SMALL, BACK(x, x, x, x, x, dense - 1));
#undef BACK
    release();
}

static void F(refuse_products)(void)
{
    const bp_execution good = {.isa = BP_ISA_DEFAULT}, *how = &good;
    real *x = F(numbers)(64, 1, 1);
    const size_t huge = SIZE_MAX / 16 + 1;
    size_t product, ignored;
    EXPECT(BP_OK, F(bp_matmul_workspace_size)(how, 4, 3, 2, &product));
    void *w = workspace(product);
    freeze();
    EXPECT(BP_NULL_POINTER, F(bp_matmul_workspace_size)(NULL, 4, 3, 2, &ignored));
    EXPECT(BP_NULL_POINTER, F(bp_matmul_workspace_size)(how, 4, 3, 2, NULL));
#define PRODUCT(m, n, k, A, B, C, c, w, b) F(bp_matmul)(how, m, n, k, A, k, 1, B, n, 1, C, c, w, b)
    EACH_NULL(4)
        EXPECT(BP_NULL_POINTER, PRODUCT(4, 3, 2, UNLESS(0, x), UNLESS(1, x), UNLESS(2, x), 3,
                                        UNLESS(3, w), product));
    EXPECT(BP_BAD_ARGUMENT, PRODUCT(4, 3, 2, x, x, x, 2, w, product));
    EXPECT(BP_WORKSPACE_TOO_SMALL, PRODUCT(4, 3, 2, x, x, x, 3, w, product - 1));
    EXPECT(BP_TOO_LARGE, F(bp_matmul)(how, 4, huge, huge, x, 1, 1, x, 1, 1, x, huge, w, product));
    EXPECT(BP_TOO_LARGE, F(bp_matmul)(how, 1, huge, 9, x, 1, 1, x, 1, 1, x, huge, w, product));
    EXPECT(BP_TOO_LARGE, F(bp_matmul)(how, 9, 1, 1, x, 1, 1, x, 1, 1, x, huge, w, product));
    EXPECT(BP_OK, PRODUCT(0, 3, 2, NULL, NULL, NULL, 3, NULL, product));
    EXPECT(BP_OK, PRODUCT(4, 3, 0, NULL, NULL, x, 3, NULL, product));
#undef PRODUCT
    release();
}

static void F(refuse_activations)(void)
{
    const bp_execution good = {.isa = BP_ISA_DEFAULT}, unknown = {.isa = (bp_isa)-1}, *how = &good;
    const size_t huge = SIZE_MAX / 16 + 1;
    real *x = F(numbers)(64, 1, 1);
    freeze();
    EXPECT(BP_NULL_POINTER, F(bp_activate)(NULL, BP_TANH, 4, 3, x));
    EXPECT(BP_ISA_UNAVAILABLE, F(bp_activate)(&unknown, BP_TANH, 4, 3, x));
    EXPECT(BP_BAD_ARGUMENT, F(bp_activate)(how, -1, 4, 3, x));
    EXPECT(BP_BAD_ARGUMENT, F(bp_activate)(how, BP_ACTIVATION_COUNT, 4, 3, x));
    EXPECT(BP_TOO_LARGE, F(bp_activate)(how, BP_TANH, huge, huge, x));
    EXPECT(BP_NULL_POINTER, F(bp_activate)(how, BP_TANH, 4, 3, NULL));
    EXPECT(BP_OK, F(bp_activate)(how, BP_TANH, 0, 3, NULL));
    EXPECT(BP_ISA_UNAVAILABLE, F(bp_activate_derivative)(&unknown, BP_TANH, 4, 3, x, x));
    EXPECT(BP_BAD_ARGUMENT, F(bp_activate_derivative)(how, -1, 4, 3, x, x));
    EXPECT(BP_BAD_ARGUMENT, F(bp_activate_derivative)(how, BP_ACTIVATION_COUNT, 4, 3, x, x));
    EXPECT(BP_BAD_ARGUMENT, F(bp_activate_derivative)(how, BP_SOFTMAX, 4, 3, x, x));
    EXPECT(BP_TOO_LARGE, F(bp_activate_derivative)(how, BP_GELU, huge, huge, x, x));
    EXPECT(BP_NULL_POINTER, F(bp_activate_derivative)(how, BP_GELU, 4, 3, NULL, x));
    EXPECT(BP_NULL_POINTER, F(bp_activate_derivative)(how, BP_GELU, 4, 3, x, NULL));
    EXPECT(BP_OK, F(bp_activate_derivative)(how, BP_GELU, 4, 0, NULL, NULL));
    EXPECT(BP_ISA_UNAVAILABLE, F(bp_activation_backward)(&unknown, BP_TANH, 4, 3, x, x));
    EXPECT(BP_BAD_ARGUMENT, F(bp_activation_backward)(how, -1, 4, 3, x, x));
    EXPECT(BP_BAD_ARGUMENT, F(bp_activation_backward)(how, BP_ACTIVATION_COUNT, 4, 3, x, x));
    EXPECT(BP_BAD_ARGUMENT, F(bp_activation_backward)(how, BP_GELU, 4, 3, x, x));
    EXPECT(BP_TOO_LARGE, F(bp_activation_backward)(how, BP_TANH, huge, huge, x, x));
    EXPECT(BP_NULL_POINTER, F(bp_activation_backward)(how, BP_TANH, 4, 3, NULL, x));
    EXPECT(BP_NULL_POINTER, F(bp_activation_backward)(how, BP_TANH, 4, 3, x, NULL));
    EXPECT(BP_OK, F(bp_activation_backward)(how, BP_TANH, 4, 0, NULL, NULL));
    release();
}

static void F(refuse_functions)(void)
{
    const bp_execution good = {.isa = BP_ISA_DEFAULT}, unknown = {.isa = (bp_isa)-1}, *how = &good;
    real *x = F(numbers)(64, 1, 1);
    freeze();
    EXPECT(BP_NULL_POINTER, F(bp_exp)(how, NULL, 1));
    EXPECT(BP_NULL_POINTER, F(bp_log)(NULL, x, 1));
    EXPECT(BP_ISA_UNAVAILABLE, F(bp_log1p_exp)(&unknown, x, 1));
    EXPECT(BP_OK, F(bp_exp)(how, NULL, 0));
    release();
}

static void F(refuse)(void)
{
    F(refuse_sizes)();
    F(refuse_forward)();
    F(refuse_losses_and_gradients)();
    F(refuse_training)();
    F(refuse_dense_forward)();
    F(refuse_dense_backward)();
    F(refuse_products)();
    F(refuse_activations)();
    F(refuse_functions)();
}
