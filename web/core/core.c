/* core.c: what the page asks of bpcore, as functions of WebAssembly.
 *
 * A run is a network in float, its data and its training. The page's memory is this module's: what
 * pointers mean there stands in core.js, which is the only one to call these.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bpcore.h"

#define EXPORT(name) __attribute__((export_name(#name))) name

/* More layers than a screen shows. */
#define MOST_LAYERS 16

typedef struct run {
    bp_network net;
    size_t sizes[MOST_LAYERS + 1];
    int activations[MOST_LAYERS];
    float *parameters, *moments;
    size_t parameter_count;
    bp_rule rule;
    bp_training training;
    double loss; /* mean of the batch losses of the last epoch */
    bp_input_f32 X;
    float *values;
    uint32_t *columns;
    size_t *row_offsets;
    const float *Y;
    size_t rows, batch_rows;
    void *workspace;
    size_t workspace_bytes;
} run;

static const bp_execution HOW = {.isa = BP_WASM, .threads = 1};

/* 1 where this engine gives the bits: where its multiply-add rounds once. */
int EXPORT(core_is_exact)(void)
{
    return bp_isa_available(BP_WASM);
}

void *EXPORT(core_take)(size_t bytes)
{
    return calloc(bytes ? bytes : 1, 1);
}

void EXPORT(core_give_back)(void *memory)
{
    free(memory);
}

/* The natural logarithm, of which start weights are made. */
double EXPORT(core_log)(double x)
{
    return log(x);
}

void EXPORT(core_shuffle)(size_t *order, size_t rows, uint32_t seed, uint32_t epoch)
{
    bp_shuffle(order, rows, seed, epoch);
}

/* A run without data: sizes [layers + 1], activations [layers]. NULL where this is no network, or
 * memory is out. Parameters are zero. */
run *EXPORT(core_open)(size_t layers, const size_t *sizes, const int *activations, int loss)
{
    run *r = layers <= MOST_LAYERS ? calloc(1, sizeof *r) : NULL;
    if (!r) return NULL;
    memcpy(r->sizes, sizes, (layers + 1) * sizeof *sizes);
    memcpy(r->activations, activations, layers * sizeof *activations);
    r->net = (bp_network){.layers = layers, .sizes = r->sizes, .activations = r->activations,
                          .loss = loss};
    if (bp_parameter_count(&r->net, &r->parameter_count) == BP_OK)
        r->parameters = calloc(r->parameter_count, sizeof(float));
    if (r->parameters) return r;
    free(r);
    return NULL;
}

static void forget_data(run *r)
{
    void *owned[] = {r->moments, r->values, r->columns, r->row_offsets, r->workspace};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
    r->moments = NULL;
    r->values = NULL;
    r->columns = NULL;
    r->row_offsets = NULL;
    r->workspace = NULL;
    r->X = (bp_input_f32){0};
}

void EXPORT(core_close)(run *r)
{
    forget_data(r);
    free(r->parameters);
    free(r);
}

float *EXPORT(core_parameters)(run *r)
{
    return r->parameters;
}

size_t EXPORT(core_parameter_count)(const run *r)
{
    return r->parameter_count;
}

/* X without its zeros, where that pays. */
static bp_status compress(run *r, const float *X)
{
    const size_t columns = r->sizes[0];
    r->X.dense = X;
    r->row_offsets = calloc(r->rows + 1, sizeof *r->row_offsets);
    if (!r->row_offsets) return BP_WORKSPACE_TOO_SMALL;
    bp_status status = bp_count_nonzero_f32(&HOW, X, r->rows, columns, r->row_offsets);
    const size_t nonzeros = r->row_offsets[r->rows];
    if (status || !bp_sparse_pays(&r->net, nonzeros, r->rows)) return status;
    r->values = malloc((nonzeros + 1) * sizeof *r->values);
    r->columns = malloc((nonzeros + 1) * sizeof *r->columns);
    if (!r->values || !r->columns) return BP_WORKSPACE_TOO_SMALL;
    r->X = (bp_input_f32){.values = r->values, .columns = r->columns, .nonzeros = nonzeros,
                          .row_offsets = r->row_offsets};
    return bp_compress_f32(&HOW, X, r->rows, columns, r->row_offsets, r->values, r->columns,
                           nonzeros, &r->X.row_nonzeros);
}

/* X [rows, inputs] and Y [rows, outputs], which stay the caller's, and how to learn from them, in
 * batches of so many rows. Returns a bp_status. */
bp_status EXPORT(core_set_data)(run *r, const float *X, const float *Y, size_t rows, size_t batch_rows,
                          int optimizer, double momentum, double decay, double epsilon)
{
    forget_data(r);
    r->Y = Y;
    r->rows = rows;
    r->batch_rows = batch_rows;
    r->rule = (bp_rule){.optimizer = optimizer, .momentum = momentum, .decay = decay,
                        .epsilon = epsilon};
    r->training.step = 0;
    bp_status status = compress(r, X);
    if (!status)
        status = bp_workspace_size_f32(&r->net, &HOW, batch_rows, r->X.dense ? 0 : r->X.row_nonzeros,
                                       &r->workspace_bytes);
    if (status) return status;
    const size_t moments = bp_moment_count(optimizer) * r->parameter_count;
    r->moments = calloc(moments + 1, sizeof(float));
    r->workspace = malloc(r->workspace_bytes);
    return r->moments && r->workspace ? BP_OK : BP_WORKSPACE_TOO_SMALL;
}

/* The next call of core_train begins an epoch, with this rate. Plain descent has no rule, as in
 * Python: its update is a part of the sums. */
void EXPORT(core_begin_epoch)(run *r, double learning_rate)
{
    const uint64_t step = r->training.step;
    const bp_rule *rule = r->rule.optimizer == BP_SGD ? NULL : &r->rule;
    r->training = (bp_training){.batch_rows = r->batch_rows, .learning_rate = learning_rate,
                                .rule = rule, .step = step, .epochs = 1, .losses = &r->loss};
}

/* Goes on for about so many rows; order [rows] or NULL. Returns a bp_status. */
bp_status EXPORT(core_train)(run *r, const size_t *order, size_t row_budget)
{
    const int has_moments = bp_moment_count(r->rule.optimizer) > 0;
    return bp_train_f32(&r->net, &HOW, r->parameters, has_moments ? r->moments : NULL, &r->X, r->Y,
                        r->rows, order, &r->training, row_budget, r->workspace,
                        r->workspace_bytes);
}

int EXPORT(core_epoch_ended)(const run *r)
{
    return r->training.epoch == r->training.epochs;
}

/* The mean loss of the last epoch's batches, each before its update. */
double EXPORT(core_loss)(const run *r)
{
    return r->loss;
}

/* A [rows, outputs] of the last layer. Returns a bp_status. */
bp_status EXPORT(core_forward)(const run *r, const float *X, size_t rows, float *A)
{
    const bp_input_f32 input = {.dense = X};
    size_t bytes = 0, row = 0;
    bp_status status = bp_forward_size_f32(&r->net, &HOW, rows, &bytes);
    void *workspace = status ? NULL : malloc(bytes);
    if (!status && !workspace) status = BP_WORKSPACE_TOO_SMALL;
    while (!status && row < rows)
        status = bp_forward_f32(&r->net, &HOW, r->parameters, &input, rows, &row, rows, A, workspace,
                                bytes);
    free(workspace);
    return status;
}

/* Activations of all layers one after another, [rows, units] each, and their deltas alike; Y and
 * deltas may be NULL. Returns a bp_status. */
bp_status EXPORT(core_layer_outputs)(const run *r, const float *X, const float *Y, size_t rows, float *A,
                               float *deltas)
{
    const bp_input_f32 input = {.dense = X};
    size_t bytes = 0;
    bp_status status = bp_workspace_size_f32(&r->net, &HOW, rows, 0, &bytes);
    void *workspace = status ? NULL : malloc(bytes);
    if (!status && !workspace) status = BP_WORKSPACE_TOO_SMALL;
    if (!status)
        status = bp_layer_outputs_f32(&r->net, &HOW, r->parameters, &input, Y, rows, A, deltas,
                                      workspace, bytes);
    free(workspace);
    return status;
}
