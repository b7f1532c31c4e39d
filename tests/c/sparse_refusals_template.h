/* sparse_refusals_template.h: what functions say to sparse X that they cannot use, and to rows that
 * are not finite. Parameters: real, F(name).
 */

static void F(refuse_counts_and_copies)(void)
{
    const bp_execution how = {.isa = BP_ISA_DEFAULT}, unknown = {.isa = BP_ISA_COUNT};
    real *X = F(numbers)(15, 2, 1), *values = guarded(15 * sizeof *values);
    uint32_t *columns = guarded(15 * sizeof *columns);
    size_t *offsets = guarded(6 * sizeof *offsets), *counts = guarded(6 * sizeof *counts), most;
    EACH_NULL(3)
        EXPECT(BP_NULL_POINTER,
               F(bp_count_nonzero)(UNLESS(0, &how), UNLESS(1, X), 5, 3, UNLESS(2, counts)));
    EXPECT(BP_ISA_UNAVAILABLE, F(bp_count_nonzero)(&unknown, X, 5, 3, counts));
    EXPECT(BP_OK, F(bp_count_nonzero)(&how, NULL, 5, 0, counts));
    CHECK(counts[0] == 0 && counts[5] == 0);
    EXPECT(BP_OK, F(bp_count_nonzero)(&how, X, 5, 3, offsets));
    for (size_t i = 0; i < 6; i++) CHECK(offsets[i] == 3 * i);
    EACH_NULL(6)
        EXPECT(BP_NULL_POINTER,
               F(bp_compress)(UNLESS(0, &how), UNLESS(1, X), 5, 3, UNLESS(2, offsets),
                              UNLESS(3, values), UNLESS(4, columns), 15, UNLESS(5, &most)));
    EXPECT(BP_ISA_UNAVAILABLE,
           F(bp_compress)(&unknown, X, 5, 3, offsets, values, columns, 15, &most));
#if SIZE_MAX > UINT32_MAX /* Elsewhere no size is beyond the numbers of columns. */
    EXPECT(BP_BAD_ARGUMENT,
           F(bp_compress)(&how, X, 5, SIZE_MAX, offsets, values, columns, 15, &most));
#endif
    for (size_t room = 0; room < 15; room++)
        EXPECT(BP_BAD_ARGUMENT,
               F(bp_compress)(&how, X, 5, 3, offsets, values, columns, room, &most));
    for (size_t i = 0; i < 6; i++) { /* A row that has one entry less than X, or one more. */
        memcpy(counts, offsets, 6 * sizeof *counts);
        counts[i] += i < 5 ? 1 : SIZE_MAX;
        EXPECT(BP_BAD_ARGUMENT, F(bp_compress)(&how, X, 5, 3, counts, values, columns, 15, &most));
    }
    EXPECT(BP_OK, F(bp_compress)(&how, X, 5, 3, offsets, values, columns, 15, &most));
    CHECK(most == 3);
    memset(offsets, 0, 6 * sizeof *offsets);
    EXPECT(BP_OK, F(bp_compress)(&how, X, 5, 0, offsets, values, columns, 0, &most));
    CHECK(most == 1);
    release();
}

/* Sparse X without one of its parts, for every function that reads it. */
static void F(refuse_parts)(const F(ground) * g, const F(bp_input) * whole)
{
    const bp_training ok = {.batch_rows = 2, .learning_rate = 0.1, .epochs = 1};
    const size_t order[] = {4, 3, 2, 1, 0};
    for (int part = 0; part < 8; part++) {
        F(bp_input) X = *whole;
        bp_training t = ok;
        size_t row = 0;
        double loss;
        if (part % 4 == 0) X.values = NULL;
        if (part % 4 == 1) X.columns = NULL;
        if (part % 4 == 2) X.row_offsets = NULL;
        if (part % 4 == 3) X.row_nonzeros = 0;
        if (part >= 4) X.packed = g->work; /* It stands for the rest in full batches alone. */
        void *w = g->work;
        EXPECT(BP_NULL_POINTER, F(bp_forward)(&g->net, &g->how, g->p, &X, 5, &row, 5, g->out, w,
                                              SIZE_MAX));
        EXPECT(BP_NULL_POINTER, F(bp_mean_loss)(&g->net, &g->how, g->p, &X, g->Y, 5, &row, 5,
                                                NULL, &loss, w, SIZE_MAX));
        EXPECT(BP_NULL_POINTER, F(bp_gradient)(&g->net, &g->how, g->p, &X, g->Y, 5, &row, 5,
                                               g->out, &loss, w, SIZE_MAX));
        EXPECT(BP_NULL_POINTER, F(bp_pack)(&g->net, &g->how, &X, 5, w, SIZE_MAX));
        EXPECT(BP_NULL_POINTER, F(bp_train)(&g->net, &g->how, g->p, NULL, &X, g->Y, 5, NULL, &t, 9, w,
                                            SIZE_MAX));
        t.batch_rows = 5;
        EXPECT(BP_NULL_POINTER, F(bp_train)(&g->net, &g->how, g->p, NULL, &X, g->Y, 5, order, &t, 9, w,
                                            SIZE_MAX));
    }
}

static void F(refuse_packed)(const F(ground) * g, const F(bp_input) * X)
{
    const bp_execution unknown = {.isa = BP_ISA_COUNT};
    size_t bytes;
    EXPECT(BP_OK, F(bp_packed_size)(&g->net, &g->how, 5, X->nonzeros, &bytes));
#define PACK(net, how, X, N, to, b) F(bp_pack)(net, how, X, N, to, b)
    EACH_NULL(4)
        EXPECT(BP_NULL_POINTER, PACK(UNLESS(0, &g->net), UNLESS(1, &g->how), UNLESS(2, X), 5,
                                     UNLESS(3, g->out), bytes));
    EXPECT(BP_ISA_UNAVAILABLE, PACK(&g->net, &unknown, X, 5, g->out, bytes));
    EXPECT(BP_WORKSPACE_TOO_SMALL, PACK(&g->net, &g->how, X, 5, g->out, bytes - 1));
    EXPECT(BP_TOO_LARGE, PACK(&g->net, &g->how, X, SIZE_MAX / 2, g->out, bytes));
    EXPECT(BP_OK, PACK(&g->net, &g->how, X, 0, NULL, 0));
#undef PACK
}

/* Rows of X that hold NaN or infinity, dense and sparse, among many and alone. */
static void F(refuse_nonfinite)(const F(ground) * g)
{
    static const size_t row_offsets[] = {0, 1, 1, 2, 2, 2};
    static const uint32_t columns[] = {0, 2};
    const double infinity = 1e308 * 10, bad[] = {infinity, -infinity, infinity - infinity};
    for (int i = 0; i < 3; i++) {
        real dense[15] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, values[2] = {1};
        real *A = guarded(10 * sizeof(real));
        double loss;
        size_t bytes;
        dense[8] = values[1] = (real)bad[i];
        const F(bp_input) inputs[] = {{.dense = dense},
                                      {.values = values, .columns = columns,
                                       .row_offsets = row_offsets, .nonzeros = 2,
                                       .row_nonzeros = 1}};
        EXPECT(BP_OK, F(bp_mean_loss_size)(&g->net, &g->how, 5, &bytes));
        void *w = workspace(bytes);
        for (int n = 0; n < 2; n++)
            for (size_t rows = 3; rows <= 5; rows++) {
                size_t row = 0;
                EXPECT(BP_NONFINITE_INPUT, F(bp_forward)(&g->net, &g->how, g->p, &inputs[n], rows,
                                                         &row, rows, A, w, bytes));
                row = 0;
                EXPECT(BP_NONFINITE_INPUT, F(bp_mean_loss)(&g->net, &g->how, g->p, &inputs[n],
                                                           g->Y, rows, &row, rows, A, &loss, w,
                                                           bytes));
            }
        size_t row = 0;
        EXPECT(BP_OK, F(bp_forward)(&g->net, &g->how, g->p, &inputs[1], 2, &row, 2, A, w, bytes));
    }
}

static void F(refuse_sparse)(void)
{
    const size_t row_offsets[] = {0, 1, 1, 2, 2, 3};
    const uint32_t columns[] = {0, 2, 1};
    const real values[] = {1, 2, 3};
    const F(bp_input) X = {.values = values,
                           .columns = columns,
                           .row_offsets = row_offsets,
                           .nonzeros = 3,
                           .row_nonzeros = 1};
    F(ground) g;
    F(refuse_counts_and_copies)();
    F(prepare)(&g);
    freeze();
    F(refuse_parts)(&g, &X);
    F(refuse_packed)(&g, &X);
    F(refuse_nonfinite)(&g);
    release();
}
