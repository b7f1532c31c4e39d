/* refusals_template.h: what every function says to arguments that it cannot use.
 *
 * Parameters: real, F(name). Outputs that must not be touched lie in pages that cannot be written.
 */

static void F(refuse_networks_calls)(void)
{
    const size_t sizes[] = {3, 2}, huge_sizes[] = {SIZE_MAX / 2, 2};
    const int sigmoid[] = {BP_SIGMOID};
    const bp_network good = {1, sizes, sigmoid, BP_BCE}, bad = {0, sizes, sigmoid, BP_BCE};
    const bp_network huge = {1, huge_sizes, sigmoid, BP_BCE};
    const bp_execution how = {BP_ISA_DEFAULT, 0}, unknown = {BP_ISA_COUNT, 0};
    const bp_execution one_block = {BP_ISA_DEFAULT, SIZE_MAX};
    const real *p = F(numbers)(8, 1, 1), *X = F(numbers)(15, 2, 1), *Y = F(numbers)(10, 3, 1);
    real *out = F(numbers)(10, 4, 1); /* Frozen: every call below is refused before it writes. */
    double loss;
    size_t bytes, ignored;
    EXPECT(BP_OK, F(bp_workspace_size)(&good, &how, 5, &bytes));
    void *work = workspace(bytes);
    freeze();

    EXPECT(BP_NULL_POINTER, F(bp_workspace_size)(NULL, &how, 5, &ignored));
    EXPECT(BP_NULL_POINTER, F(bp_workspace_size)(&good, NULL, 5, &ignored));
    EXPECT(BP_NULL_POINTER, F(bp_workspace_size)(&good, &how, 5, NULL));
    EXPECT(BP_BAD_NETWORK, F(bp_workspace_size)(&bad, &how, 5, &ignored));
    EXPECT(BP_TOO_LARGE, F(bp_workspace_size)(&huge, &how, 5, &ignored));
    EXPECT(BP_TOO_LARGE, F(bp_workspace_size)(&good, &how, SIZE_MAX, &ignored));
    EXPECT(BP_TOO_LARGE, F(bp_workspace_size)(&good, &one_block, SIZE_MAX / 32, &ignored));
    EXPECT(BP_ISA_UNAVAILABLE, F(bp_workspace_size)(&good, &unknown, 5, &ignored));

#define FORWARD(net, how, p, X, N, A, w, b) F(bp_forward)(net, how, p, X, N, A, w, b)
    EXPECT(BP_NULL_POINTER, FORWARD(NULL, &how, p, X, 5, out, work, bytes));
    EXPECT(BP_BAD_NETWORK, FORWARD(&bad, &how, p, X, 5, out, work, bytes));
    EXPECT(BP_NULL_POINTER, FORWARD(&good, NULL, p, X, 5, out, work, bytes));
    EXPECT(BP_ISA_UNAVAILABLE, FORWARD(&good, &unknown, p, X, 5, out, work, bytes));
    EXPECT(BP_NULL_POINTER, FORWARD(&good, &how, NULL, X, 5, out, work, bytes));
    EXPECT(BP_NULL_POINTER, FORWARD(&good, &how, p, NULL, 5, out, work, bytes));
    EXPECT(BP_NULL_POINTER, FORWARD(&good, &how, p, X, 5, NULL, work, bytes));
    EXPECT(BP_NULL_POINTER, FORWARD(&good, &how, p, X, 5, out, NULL, bytes));
    EXPECT(BP_WORKSPACE_TOO_SMALL, FORWARD(&good, &how, p, X, 5, out, work, bytes - 1));
    EXPECT(BP_WORKSPACE_TOO_SMALL, FORWARD(&good, &how, p, X, 5, out, work, 0));
    EXPECT(BP_TOO_LARGE, FORWARD(&good, &how, p, X, SIZE_MAX / 2, out, work, bytes));
    EXPECT(BP_OK, FORWARD(&good, &how, p, NULL, 0, NULL, work, bytes));

#define LOSS(p, X, Y, l, w, b) F(bp_mean_loss)(&good, &how, p, X, Y, 5, l, w, b)
    EXPECT(BP_NULL_POINTER, LOSS(NULL, X, Y, &loss, work, bytes));
    EXPECT(BP_NULL_POINTER, LOSS(p, NULL, Y, &loss, work, bytes));
    EXPECT(BP_NULL_POINTER, LOSS(p, X, NULL, &loss, work, bytes));
    EXPECT(BP_NULL_POINTER, LOSS(p, X, Y, NULL, work, bytes));
    EXPECT(BP_NULL_POINTER, LOSS(p, X, Y, &loss, NULL, bytes));
    EXPECT(BP_WORKSPACE_TOO_SMALL, LOSS(p, X, Y, &loss, work, bytes - 1));
    EXPECT(BP_OK, F(bp_mean_loss)(&good, &how, p, NULL, NULL, 0, &loss, work, bytes));
    CHECK(loss == 0);

#define GRADIENT(p, X, Y, g, l, w, b) F(bp_gradient)(&good, &how, p, X, Y, 5, g, l, w, b)
    EXPECT(BP_NULL_POINTER, GRADIENT(NULL, X, Y, out, &loss, work, bytes));
    EXPECT(BP_NULL_POINTER, GRADIENT(p, NULL, Y, out, &loss, work, bytes));
    EXPECT(BP_NULL_POINTER, GRADIENT(p, X, NULL, out, &loss, work, bytes));
    EXPECT(BP_NULL_POINTER, GRADIENT(p, X, Y, NULL, &loss, work, bytes));
    EXPECT(BP_NULL_POINTER, GRADIENT(p, X, Y, out, NULL, work, bytes));
    EXPECT(BP_NULL_POINTER, GRADIENT(p, X, Y, out, &loss, NULL, bytes));
    EXPECT(BP_WORKSPACE_TOO_SMALL, GRADIENT(p, X, Y, out, &loss, work, bytes - 1));
    release();
}

static bp_status F(train_on_five)(real *p, const real *X, const real *Y, const size_t *order,
                                  bp_training training, void *work, size_t bytes)
{
    const size_t sizes[] = {3, 2};
    const int sigmoid[] = {BP_SIGMOID};
    const bp_network net = {1, sizes, sigmoid, BP_BCE};
    const bp_execution how = {BP_ISA_DEFAULT, 0};
    EXPECT(BP_NULL_POINTER, F(bp_train)(&net, &how, p, X, Y, 5, order, NULL, 9, work, bytes));
    return F(bp_train)(&net, &how, p, X, Y, 5, order, &training, 9, work, bytes);
}

static void F(refuse_training)(void)
{
    const size_t sizes[] = {3, 2}, wrong[] = {0, 1, 2, 3, 5};
    const int sigmoid[] = {BP_SIGMOID};
    const bp_network net = {1, sizes, sigmoid, BP_BCE};
    const bp_execution how = {BP_ISA_DEFAULT, 0};
    const bp_training ok = {5, 0.1, 0, 0, 0, 0};
    const double infinity = 1e308 * 10;
    const real *X = F(numbers)(15, 2, 1), *Y = F(numbers)(10, 3, 1);
    real *p = F(numbers)(8, 1, 1), *NaN = guarded(15 * sizeof(real)); /* All bits 1. */
    bp_training t;
    size_t bytes;
    EXPECT(BP_OK, F(bp_workspace_size)(&net, &how, 5, &bytes));
    freeze();
    void *work = workspace(bytes);

    t = ok, t.batch_rows = 0;
    EXPECT(BP_BAD_ARGUMENT, F(train_on_five)(p, X, Y, NULL, t, work, bytes));
    t = ok, t.row = 6;
    EXPECT(BP_BAD_ARGUMENT, F(train_on_five)(p, X, Y, NULL, t, work, bytes));
    t = ok, t.learning_rate = infinity;
    EXPECT(BP_BAD_ARGUMENT, F(train_on_five)(p, X, Y, NULL, t, work, bytes));
    t = ok, t.learning_rate = infinity - infinity;
    EXPECT(BP_BAD_ARGUMENT, F(train_on_five)(p, X, Y, NULL, t, work, bytes));
    EXPECT(BP_BAD_ORDER, F(train_on_five)(p, X, Y, wrong, ok, work, bytes));
    EXPECT(BP_NONFINITE_LOSS, F(train_on_five)(p, NaN, Y, NULL, ok, work, bytes));
    EXPECT(BP_NONFINITE_LOSS, F(train_on_five)(p, X, NaN, NULL, ok, work, bytes));
    EXPECT(BP_NULL_POINTER, F(train_on_five)(NULL, X, Y, NULL, ok, work, bytes));
    EXPECT(BP_NULL_POINTER, F(train_on_five)(p, NULL, Y, NULL, ok, work, bytes));
    EXPECT(BP_NULL_POINTER, F(train_on_five)(p, X, NULL, NULL, ok, work, bytes));
    EXPECT(BP_NULL_POINTER, F(train_on_five)(p, X, Y, NULL, ok, NULL, bytes));
    EXPECT(BP_WORKSPACE_TOO_SMALL, F(train_on_five)(p, X, Y, NULL, ok, work, bytes - 1));
    t = ok, t.row = 5; /* The end of the epoch: nothing to do. */
    EXPECT(BP_OK, F(train_on_five)(p, X, Y, NULL, t, work, bytes));
    release();
}

static void F(refuse_layers_and_products)(void)
{
    const bp_execution good = {BP_ISA_DEFAULT, 0}, unknown = {(bp_isa)-1, 0}, *how = &good;
    const bp_execution generic = {BP_GENERIC, 0};
    real *x = F(numbers)(64, 1, 1);
    const size_t huge = (size_t)1 << 60;
    size_t dense, product, ignored;
    EXPECT(BP_OK, F(bp_dense_workspace_size)(how, 4, 3, 2, &dense));
    EXPECT(BP_OK, F(bp_matmul_workspace_size)(how, 4, 3, 2, &product));
    void *w = workspace(dense > product ? dense : product);
    freeze();

    EXPECT(BP_NULL_POINTER, F(bp_dense_workspace_size)(NULL, 4, 3, 2, &ignored));
    EXPECT(BP_NULL_POINTER, F(bp_dense_workspace_size)(how, 4, 3, 2, NULL));
    EXPECT(BP_ISA_UNAVAILABLE, F(bp_dense_workspace_size)(&unknown, 4, 3, 2, &ignored));
    EXPECT(BP_NULL_POINTER, F(bp_matmul_workspace_size)(NULL, 4, 3, 2, &ignored));
    EXPECT(BP_NULL_POINTER, F(bp_matmul_workspace_size)(how, 4, 3, 2, NULL));

#define DENSE(how, g, N, I, O, X, W, b, Z, A, w, n) \
    F(bp_dense_forward)(how, g, N, I, O, X, W, b, Z, A, w, n)
    EXPECT(BP_NULL_POINTER, DENSE(NULL, BP_TANH, 4, 3, 2, x, x, x, x, x, w, dense));
    EXPECT(BP_ISA_UNAVAILABLE, DENSE(&unknown, BP_TANH, 4, 3, 2, x, x, x, x, x, w, dense));
    EXPECT(BP_BAD_ARGUMENT, DENSE(how, -1, 4, 3, 2, x, x, x, x, x, w, dense));
    EXPECT(BP_BAD_ARGUMENT, DENSE(how, BP_ACTIVATION_COUNT, 4, 3, 2, x, x, x, x, x, w, dense));
    EXPECT(BP_BAD_ARGUMENT, DENSE(how, BP_TANH, 4, 0, 2, x, x, x, x, x, w, dense));
    EXPECT(BP_BAD_ARGUMENT, DENSE(how, BP_TANH, 4, 3, 0, x, x, x, x, x, w, dense));
    EXPECT(BP_TOO_LARGE, DENSE(how, BP_TANH, huge, huge, 2, x, x, x, x, x, w, dense));
    EXPECT(BP_TOO_LARGE, DENSE(&generic, BP_TANH, huge, 64, 1, x, x, x, x, x, w, dense));
    EXPECT(BP_NULL_POINTER, DENSE(how, BP_TANH, 4, 3, 2, NULL, x, x, x, x, w, dense));
    EXPECT(BP_NULL_POINTER, DENSE(how, BP_TANH, 4, 3, 2, x, NULL, x, x, x, w, dense));
    EXPECT(BP_NULL_POINTER, DENSE(how, BP_TANH, 4, 3, 2, x, x, NULL, x, x, w, dense));
    EXPECT(BP_NULL_POINTER, DENSE(how, BP_TANH, 4, 3, 2, x, x, x, NULL, x, w, dense));
    EXPECT(BP_NULL_POINTER, DENSE(how, BP_TANH, 4, 3, 2, x, x, x, x, NULL, w, dense));
    EXPECT(BP_NULL_POINTER, DENSE(how, BP_TANH, 4, 3, 2, x, x, x, x, x, NULL, dense));
    EXPECT(BP_WORKSPACE_TOO_SMALL, DENSE(how, BP_TANH, 4, 3, 2, x, x, x, x, x, w, dense - 1));

#define BACK(X, W, d, dW, db, n) F(bp_dense_backward)(how, 4, 3, 2, X, W, d, dW, db, NULL, w, n)
    EXPECT(BP_NULL_POINTER, BACK(NULL, x, x, x, x, dense));
    EXPECT(BP_NULL_POINTER, BACK(x, NULL, x, x, x, dense));
    EXPECT(BP_NULL_POINTER, BACK(x, x, NULL, x, x, dense));
    EXPECT(BP_NULL_POINTER, BACK(x, x, x, NULL, x, dense));
    EXPECT(BP_NULL_POINTER, BACK(x, x, x, x, NULL, dense));
    EXPECT(BP_WORKSPACE_TOO_SMALL, BACK(x, x, x, x, x, dense - 1));

#define PRODUCT(m, n, k, A, B, C, c, w, b) F(bp_matmul)(how, m, n, k, A, k, 1, B, n, 1, C, c, w, b)
    EXPECT(BP_NULL_POINTER, PRODUCT(4, 3, 2, NULL, x, x, 3, w, product));
    EXPECT(BP_NULL_POINTER, PRODUCT(4, 3, 2, x, NULL, x, 3, w, product));
    EXPECT(BP_NULL_POINTER, PRODUCT(4, 3, 2, x, x, NULL, 3, w, product));
    EXPECT(BP_NULL_POINTER, PRODUCT(4, 3, 2, x, x, x, 3, NULL, product));
    EXPECT(BP_BAD_ARGUMENT, PRODUCT(4, 3, 2, x, x, x, 2, w, product));
    EXPECT(BP_WORKSPACE_TOO_SMALL, PRODUCT(4, 3, 2, x, x, x, 3, w, product - 1));
    EXPECT(BP_TOO_LARGE, F(bp_matmul)(how, 4, huge, huge, x, 1, 1, x, 1, 1, x, huge, w, product));
    EXPECT(BP_OK, PRODUCT(0, 3, 2, NULL, NULL, NULL, 3, NULL, product));
    EXPECT(BP_OK, PRODUCT(4, 3, 0, NULL, NULL, x, 3, NULL, product));

    EXPECT(BP_NULL_POINTER, F(bp_activate)(NULL, BP_TANH, 4, 3, x));
    EXPECT(BP_ISA_UNAVAILABLE, F(bp_activate)(&unknown, BP_TANH, 4, 3, x));
    EXPECT(BP_BAD_ARGUMENT, F(bp_activate)(how, BP_ACTIVATION_COUNT, 4, 3, x));
    EXPECT(BP_BAD_ARGUMENT, F(bp_activation_backward)(how, -1, 4, 3, x, x));
    EXPECT(BP_TOO_LARGE, F(bp_activate)(how, BP_TANH, huge, huge, x));
    EXPECT(BP_NULL_POINTER, F(bp_activate)(how, BP_TANH, 4, 3, NULL));
    EXPECT(BP_NULL_POINTER, F(bp_activation_backward)(how, BP_TANH, 4, 3, NULL, x));
    EXPECT(BP_NULL_POINTER, F(bp_activation_backward)(how, BP_TANH, 4, 3, x, NULL));
    EXPECT(BP_OK, F(bp_activate)(how, BP_TANH, 0, 3, NULL));
    EXPECT(BP_NULL_POINTER, F(bp_exp)(how, NULL, 1));
    EXPECT(BP_NULL_POINTER, F(bp_log)(NULL, x, 1));
    EXPECT(BP_ISA_UNAVAILABLE, F(bp_log1p_exp)(&unknown, x, 1));
    EXPECT(BP_OK, F(bp_exp)(how, NULL, 0));
    release();
}

static void F(refuse)(void)
{
    F(refuse_networks_calls)();
    F(refuse_training)();
    F(refuse_layers_and_products)();
}

#undef FORWARD
#undef LOSS
#undef GRADIENT
#undef DENSE
#undef BACK
#undef PRODUCT
