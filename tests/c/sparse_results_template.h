/* sparse_results_template.h: the subjects whose X is mostly zero, or packed.
 *
 * Parameters: real, F(name). Each is compared with the dense subject on the same X, in the plain
 * way, which is enough: zeros change no bit. Entries lie between guard pages, in blocks of exactly
 * their size.
 */

/* X as entries, in places of exactly their number. */
static F(bp_input) F(entries_of)(const F(task) * t)
{
    F(bp_input) X = {0};
    size_t *row_offsets = guarded((t->N + 1) * sizeof *row_offsets), most;
    EXPECT(BP_OK, F(bp_count_nonzero)(t->how, t->X, t->N, t->I, row_offsets));
    X.nonzeros = row_offsets[t->N];
    real *values = guarded(X.nonzeros * sizeof *values);
    uint32_t *columns = guarded(X.nonzeros * sizeof *columns);
    EXPECT(BP_OK, F(bp_compress)(t->how, t->X, t->N, t->I, row_offsets, values, columns, X.nonzeros,
                                 &X.row_nonzeros));
    EXPECT(BP_OK, bp_check_csr(t->N, t->I, row_offsets, columns, &most));
    CHECK(most == X.row_nonzeros);
    X.values = values;
    X.columns = columns;
    X.row_offsets = row_offsets;
    freeze();
    return X;
}

/* The entries are those elements of X that are not zero, and no others. */
static uint64_t F(compressed)(const F(task) * t)
{
    const F(bp_input) X = F(entries_of)(t);
    size_t e = 0, most = 1;
    int right = 1;
    for (size_t i = 0; i < t->N; i++) {
        right &= X.row_offsets[i] == e;
        for (size_t j = 0; j < t->I; j++)
            if (t->X[i * t->I + j] != 0) {
                right &= X.columns[e] == j && X.values[e] == t->X[i * t->I + j];
                e++;
            }
        if (e - X.row_offsets[i] > most) most = e - X.row_offsets[i];
    }
    CHECK(right && X.nonzeros == e && X.row_nonzeros == most);
    const uint64_t columns = hash_numbers(FNV_START, X.columns, e, sizeof *X.columns);
    return F(hash)(columns, X.values, e);
}

static uint64_t F(sparse_passes)(const F(task) * t)
{
    const F(bp_input) X = F(entries_of)(t);
    uint64_t hash = F(passes_of)(t, &X);
    CHECK(!is_plain(t->how) || hash == F(passes)(t));
    return hash;
}

static uint64_t F(sparse_outside)(const F(task) * t)
{
    const F(bp_input) X = F(entries_of)(t);
    uint64_t hash = F(outside_of)(t, &X) ^ F(jacobian_of)(t, &X);
    CHECK(!is_plain(t->how) || hash == F(outside)(t));
    return hash;
}

static uint64_t F(sparse_full_batch)(const F(task) * t)
{
    const F(bp_input) X = F(entries_of)(t);
    uint64_t hash = F(epochs_of)(t, &X, t->N);
    CHECK(!is_plain(t->how) || hash == F(full_batch)(t));
    return hash;
}

static uint64_t F(sparse_mini_batches)(const F(task) * t)
{
    const F(bp_input) X = F(entries_of)(t);
    uint64_t hash = F(epochs_of)(t, &X, mini_batch(t->N));
    CHECK(!is_plain(t->how) || hash == F(mini_batches)(t));
    return hash;
}

/* ---- Several epochs at once, packed and not -------------------------------------------------- */

/* Three epochs, so many of them in each training: one after the other, or all at once in slices. */
static uint64_t F(three_epochs)(const F(task) * t, const F(bp_input) * X, size_t batch_rows,
                                size_t at_once)
{
    real *parameters = guarded(t->P * sizeof(real));
    double *losses = guarded(3 * sizeof *losses);
    memcpy(parameters, t->parameters, t->P * sizeof(real));
    for (size_t done = 0; done < 3; done += at_once) {
        bp_training training = {.batch_rows = batch_rows, .learning_rate = 0.05,
                                .epochs = at_once, .losses = losses + done};
        F(finish)(t, X, &training, parameters, NULL, NULL,
                  at_once == 1 ? SIZE_MAX : 2 * row_budget_of(t->how));
        CHECK(training.row == t->N);
        CHECK(losses[done + at_once - 1] == training.epoch_loss / (double)training.batches);
    }
    return hash_numbers(F(hash)(FNV_START, parameters, t->P), losses, 3, sizeof *losses);
}

/* X with its packed data. Where X is sparse nothing else of it is left. */
static F(bp_input) F(pack)(const F(task) * t, const F(bp_input) * X)
{
    const size_t nonzeros = X->dense ? 0 : X->nonzeros > 0 ? X->nonzeros : 1;
    F(bp_input) packed = *X;
    size_t bytes;
    EXPECT(BP_OK, F(bp_packed_size)(t->net, t->how, t->N, nonzeros, &bytes));
    CHECK(bytes > 0 || X->dense);
    if (bytes == 0) return packed;
    void *memory = workspace(bytes);
    EXPECT(BP_OK, F(bp_pack)(t->net, t->how, X, t->N, memory, bytes));
    freeze();
    packed.packed = memory;
    packed.packed_bytes = bytes;
    packed.values = NULL;
    packed.columns = NULL;
    packed.row_offsets = NULL;
    return packed;
}

/* In the plain way, everything else that gives the same bits, too. */
static uint64_t F(packed_data)(const F(task) * t)
{
    const F(bp_input) dense = {.dense = t->X}, sparse = F(entries_of)(t);
    const F(bp_input) panels = F(pack)(t, &dense), cut = F(pack)(t, &sparse);
    const size_t batch = mini_batch(t->N);
    uint64_t hash = F(three_epochs)(t, &cut, t->N, 3);
    CHECK(F(three_epochs)(t, &panels, t->N, 3) == hash);
    if (!is_plain(t->how)) return hash;
    CHECK(F(three_epochs)(t, &dense, t->N, 3) == hash);
    CHECK(F(three_epochs)(t, &sparse, t->N, 3) == hash);
    CHECK(F(three_epochs)(t, &dense, t->N, 1) == hash);
    CHECK(F(three_epochs)(t, &sparse, batch, 3) == F(three_epochs)(t, &dense, batch, 1));
    return hash;
}

/* Networks whose first layers are narrow, one strip and several strips; those with one strip and
 * many outputs, and with as many rows as panels and scattered sums want, too. */
static uint64_t F(sparse_networks)(const bp_execution *how, F(network_subject) * subject)
{
    static const F(network_of_four) nets[] = {
        {1, {1, 2}, {BP_SIGMOID}, BP_BCE},
        {2, {70, 3, 4}, {BP_TANH, BP_SOFTMAX}, BP_CROSS_ENTROPY},
        {2, {33, 21, 1}, {BP_RELU, BP_IDENTITY}, BP_MSE},
        {2, {190, 180, 2}, {BP_SIGMOID, BP_TANH}, BP_MSE},
    };
    return F(networks)(how, subject, nets, sizeof nets / sizeof *nets, 0.2);
}

/* ---- All of it ------------------------------------------------------------------------------- */

static uint64_t F(result)(const bp_execution *how, int what)
{
    switch (what) {
    case 0: return F(products)(how);
    case 1: return F(functions)(how);
    case 2: return F(activations)(how);
    case 3: return F(layers)(how);
    case 4: return F(dense_networks)(how, F(passes));
    case 5: return F(dense_networks)(how, F(full_batch));
    case 6: return F(dense_networks)(how, F(mini_batches));
    case 7: return F(sparse_networks)(how, F(compressed));
    case 8: return F(sparse_networks)(how, F(sparse_passes));
    case 9: return F(sparse_networks)(how, F(sparse_full_batch));
    case 10: return F(sparse_networks)(how, F(sparse_mini_batches));
    case 11: return F(sparse_networks)(how, F(packed_data));
    case 12: return F(dense_networks)(how, F(outside));
    case 13: return F(sparse_networks)(how, F(sparse_outside));
    default: return F(systems)(how);
    }
}
