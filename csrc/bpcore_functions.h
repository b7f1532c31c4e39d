/* bpcore_functions.h: the part of bpcore.h that exists for both precisions.
 *
 * Parameters: real (float | double), BP_NAME(name) (name_f32 | name_f64). No include guard:
 * bpcore.h includes it twice.
 */
#ifndef BP_NAME
#error "bpcore_functions.h is a part of bpcore.h: include that"
#endif

/* X [N, I]: every element, or those that are not zero. The bits of a result do not depend on
 * which, but for the sign of a sum that is zero. */
typedef struct BP_NAME(bp_input) {
    const real *dense; /* row-major; NULL: sparse */

    /* Compressed sparse rows, as bp_check_csr wants them. An entry may be zero. */
    const real *values;
    const uint32_t *columns;
    const size_t *row_offsets; /* [N + 1] */
    size_t nonzeros;           /* all of them */
    size_t row_nonzeros;       /* the most of a row, at least 1 */

    const real *weights; /* [N], of each row's loss, at least 0; NULL: all 1. Means are weighted:
                            divided by the sum of the weights. bp_forward does without */

    /* What bp_pack made of the same X for the same network, execution and number of rows; or
     * NULL. With it, full batches need no other part of sparse X. */
    const void *packed;
    size_t packed_bytes;
} BP_NAME(bp_input);

/* row_offsets [N + 1] := how many elements of X [N, I] are not zero in its first 0, 1, ... N rows. */
bp_status BP_NAME(bp_count_nonzero)(const bp_execution *how, const real *X, size_t rows,
                                    size_t columns, size_t *row_offsets);

/* Copies the elements of X [N, I] that are not zero to values and columns, those of a row where
 * row_offsets says, as bp_count_nonzero counts them. `I` is below 2^32. `room`: of values and of
 * columns, in entries; row_offsets[N] are enough. *row_nonzeros := the most entries of a row, at
 * least 1. BP_BAD_ARGUMENT: row_offsets do not ascend from 0 to `room` at most, or X has other
 * entries than they say, as when another thread changes it; nothing is written beyond the room. */
bp_status BP_NAME(bp_compress)(const bp_execution *how, const real *X, size_t rows, size_t columns,
                               const size_t *row_offsets, real *values, uint32_t *indices,
                               size_t room, size_t *row_nonzeros);

/* Bytes that bp_pack needs; 0 where there is nothing to pack. nonzeros: of sparse X,
 * or 1 where it has none; 0: X is dense. */
bp_status BP_NAME(bp_packed_size)(const bp_network *net, const bp_execution *how, size_t rows,
                                  size_t nonzeros, size_t *bytes);

/* Puts X in the order in which a full batch meets it, once for all epochs. */
bp_status BP_NAME(bp_pack)(const bp_network *net, const bp_execution *how,
                           const BP_NAME(bp_input) * X, size_t rows, void *packed, size_t bytes);

/* Bytes of workspace for bp_gradient and bp_train: `rows` is the most rows that one step sees
 * (batch_rows for training), row_nonzeros that of X, or 0 where X is dense. Any size works that is
 * at least this; a workspace needs no alignment and no initial value, but training keeps the open
 * batch's gradient in it between calls. That takes P elements, 2 P where `rows` are more than a run,
 * 4 P where they are more than a part. Errors: those of bp_parameter_count, BP_ISA_UNAVAILABLE. */
bp_status BP_NAME(bp_workspace_size)(const bp_network *net, const bp_execution *how, size_t rows,
                                     size_t row_nonzeros, size_t *bytes);

/* gradient [P] := d(mean loss)/d(parameters), in the layout of the parameters; loss := mean loss of
 * the N rows of X against the targets Y [N, O]. 0 rows, or weights that are all 0: 0. The loss's
 * sum over rows and outputs is kept in double, in ascending order; the gradient's sum over rows is
 * cut into runs and parts. Where the gradient of a bias of the first layer is not finite, as where
 * a delta overflows, those of its unit's weights are NaN: a term of 0 * infinity would be so with
 * dense X, and not be there with sparse X. bp_train and bp_backward do likewise.
 *
 * Goes on at row *row, which the caller sets to 0 to begin, handles at least one row block and
 * stops after `row_budget` rows or more, or at the end, where *row is N. Until then gradient is left
 * alone, *loss is the open sum, and the workspace keeps the open gradient: all three, the parameters
 * and the data stay as they are between the calls. The bits do not depend on the budget. Errors:
 * BP_BAD_ARGUMENT where *row > N. */
bp_status BP_NAME(bp_gradient)(const bp_network *net, const bp_execution *how,
                               const real *parameters, const BP_NAME(bp_input) *X, const real *Y,
                               size_t rows, size_t *row, size_t row_budget, real *gradient,
                               double *loss, void *workspace, size_t workspace_bytes);

/* The backward recursion from a gradient that comes from outside: dA [N, O] = dJ/dA of the last
 * layer's activations, for any J. gradient [P] := dJ/d(parameters), sums over the rows that are cut
 * into runs and parts; dX [N, I] := dJ/dX. Either may be NULL: not wanted. X's row weights have no
 * part in it; dropout neither. The workspace is that of bp_workspace_size. */
bp_status BP_NAME(bp_backward)(const bp_network *net, const bp_execution *how,
                               const real *parameters, const BP_NAME(bp_input) *X, const real *dA,
                               size_t rows, real *gradient, real *dX, void *workspace,
                               size_t workspace_bytes);

/* What every layer makes of X. A := A_1 [N, O_1], then A_2 [N, O_2], ...; deltas := dC/dZ alike,
 * each row's of its own loss against its targets in Y [N, O], whatever X's row weights are. Either
 * may be NULL: not wanted; without deltas, Y may be. The workspace is that of bp_workspace_size. */
bp_status BP_NAME(bp_layer_outputs)(const bp_network *net, const bp_execution *how,
                                    const real *parameters, const BP_NAME(bp_input) * X,
                                    const real *Y, size_t rows, real *A, real *deltas,
                                    void *workspace, size_t workspace_bytes);

/* J [N O, P] := derivatives of outputs by parameters, for the N rows of X from `row` on: its row
 * i O + o holds those of output o of row i. A [N, O] := the outputs. The workspace is that of
 * bp_workspace_size for N rows. */
bp_status BP_NAME(bp_parameter_jacobian)(const bp_network *net, const bp_execution *how,
                                         const real *parameters, const BP_NAME(bp_input) *X,
                                         size_t row, size_t rows, real *A, real *J,
                                         void *workspace, size_t workspace_bytes);

/* Continues gradient descent on X [N, I], Y [N, O].
 *
 * moments [bp_moment_count, P] are the optimizer's; NULL where it has none. A batch whose weights
 * are all 0 changes nothing and does not count.
 *
 * Handles at least one row block and stops after it has handled `row_budget` rows or more, or at
 * the end of the last epoch (training->epoch == training->epochs): the caller cuts time, the bits
 * do not notice. Between calls before that, the arguments and the workspace stay as they are.
 * `parameters` change at the end of each batch only, so they are valid whenever the call returns.
 * `order` [N]: which row comes when (a permutation, or any row indices); NULL: 0, 1, 2, ...
 * Errors, after which the epoch cannot be continued: BP_BAD_ORDER, before the epoch changes
 * anything (where the order was changed between calls: before its block is used);
 * BP_BAD_ARGUMENT for batch_rows 0, row > rows, a learning rate that is not finite as real or a
 * number of the rule outside its range;
 * BP_NONFINITE_LOSS, before the batch that has it changes anything. */
bp_status BP_NAME(bp_train)(const bp_network *net, const bp_execution *how, real *parameters,
                            real *moments, const BP_NAME(bp_input) *X, const real *Y, size_t rows,
                            const size_t *order, bp_training *training, size_t row_budget,
                            void *workspace, size_t workspace_bytes);

/* ---- Steps whose rows lie in several processes
 *
 * Each process has `count` rows of a batch, one piece of its order that begins with number
 * batch_row of the batch's batch_rows. It makes their deltas with bp_part_deltas, all processes at
 * once; then, range by range of the parameters, it goes on with the sums of the processes that have
 * the rows before, by bp_add_rows, and hands them on. With the whole sums, which all processes get,
 * each does the same bp_end_batch. The bits are those of bp_train on all rows in one process. */

/* What rows order[row] ... order[row + count - 1] of X [rows, I] (NULL: row, row + 1, ...) have for
 * the gradient: A := A_1 [count, O_1], A_2, ... of the hidden layers; deltas := those of all layers
 * alike, of weighted losses; losses [count, outputs] := those of the elements, weighted. Of training
 * dropout reads its seed and epoch; the first row is number epoch_row of the epoch. Where all rows
 * are meant, in their order, they are read from X's packed data. The workspace is that of
 * bp_workspace_size for `count` rows. Errors: BP_BAD_ORDER. */
bp_status BP_NAME(bp_part_deltas)(const bp_network *net, const bp_execution *how,
                                  const real *parameters, const BP_NAME(bp_input) *X,
                                  const real *Y, size_t rows, const size_t *order, size_t row,
                                  size_t count, const bp_training *training, size_t epoch_row,
                                  real *A, real *deltas, double *losses, void *workspace,
                                  size_t workspace_bytes);

/* Bytes that bp_transpose needs for `rows` rows with at most so many nonzeros. */
bp_status BP_NAME(bp_transposed_size)(const bp_network *net, const bp_execution *how, size_t rows,
                                      size_t nonzeros, size_t *bytes);

/* Transposes rows of sparse X, named as for bp_part_deltas, for bp_add_rows. nonzeros: the most
 * that they have, as bytes were asked for. Errors: BP_BAD_ORDER; BP_WORKSPACE_TOO_SMALL also where
 * they have more. */
bp_status BP_NAME(bp_transpose)(const bp_network *net, const bp_execution *how,
                                const BP_NAME(bp_input) *X, size_t rows, const size_t *order,
                                size_t row, size_t count, size_t batch_row, size_t nonzeros,
                                void *transposed, size_t bytes);

/* Bytes of workspace for bp_add_rows. */
bp_status BP_NAME(bp_add_rows_size)(const bp_network *net, const bp_execution *how, size_t *bytes);

/* Goes on with sums over the rows of a batch for rows first ... end - 1 of a layer's parameters,
 * weights [I, O] and, as row I, biases. in [count, I]: what the rows put into the layer; NULL for
 * the first layer of sparse X: `transposed` has it. delta [count, O].
 *
 * sums [k, end - first, O]: the open run, and, where a batch is more than a run, the open part,
 * and, where it is more than a part, the total of the parts and what its additions lost; k is 1, 2
 * or 4. They need no initial value before row 0 of the batch; after its last row, the first of the
 * k is the sum over the batch. */
bp_status BP_NAME(bp_add_rows)(const bp_network *net, const bp_execution *how, size_t layer,
                               size_t first, size_t end, const real *in, const void *transposed,
                               size_t nonzeros, const real *delta, size_t count, size_t batch_row,
                               size_t batch_rows, real *sums, void *workspace,
                               size_t workspace_bytes);

/* Ends a batch of batch_rows rows by the update, given the sums over its rows: gradient [P], which is
 * used up, of the losses, and of the weights. `rows`: of the epoch, which ends with its last batch.
 * A batch without weight changes nothing and does not count. The workspace is that of
 * bp_workspace_size for 0 rows. Errors: those of bp_train; BP_NONFINITE_LOSS before anything changes. */
bp_status BP_NAME(bp_end_batch)(const bp_network *net, const bp_execution *how, real *parameters,
                           real *moments, real *gradient, size_t batch_rows, double loss,
                           double weight, bp_training *training, size_t rows, void *workspace,
                           size_t workspace_bytes);

/* Bytes of workspace for bp_forward of N rows. */
bp_status BP_NAME(bp_forward_size)(const bp_network *net, const bp_execution *how, size_t rows,
                                   size_t *bytes);

/* A [N, O] := activations of the last layer for X [N, I]. X, parameters and A do not overlap. Dense
 * rows that are mostly zero are treated as sparse. Goes on at row *row and stops as bp_gradient does;
 * the rows before *row have their results. BP_NONFINITE_INPUT: X has NaN or infinity in it, and A has
 * no meaning. */
bp_status BP_NAME(bp_forward)(const bp_network *net, const bp_execution *how,
                              const real *parameters, const BP_NAME(bp_input) *X, size_t rows,
                              size_t *row, size_t row_budget, real *A, void *workspace,
                              size_t workspace_bytes);

/* Bytes of workspace for bp_mean_loss of N rows. */
bp_status BP_NAME(bp_mean_loss_size)(const bp_network *net, const bp_execution *how, size_t rows,
                                     size_t *bytes);

/* loss, row and row_budget as for bp_gradient; A [N, O] := the activations, as for bp_forward, or
 * NULL: not wanted. */
bp_status BP_NAME(bp_mean_loss)(const bp_network *net, const bp_execution *how,
                                const real *parameters, const BP_NAME(bp_input) *X, const real *Y,
                                size_t rows, size_t *row, size_t row_budget, real *A,
                                double *loss, void *workspace, size_t workspace_bytes);

/* One layer, for those who write their own loops. Outputs overlap no input.
 * Z [N, O] := X [N, I] W [I, O] + b [O];  A [N, O] := g(Z).  Z and A may be the same array. */
bp_status BP_NAME(bp_dense_forward)(const bp_execution *how, int activation, size_t rows,
                                    size_t inputs, size_t outputs, const real *X, const real *W,
                                    const real *b, real *Z, real *A, void *workspace,
                                    size_t workspace_bytes);

/* Backward through the same layer, given delta [N, O] = dJ/dZ:
 * dW [I, O] := X' delta;  db [O] := column sums of delta;  dX [N, I] := delta W'. The sums over
 * rows are cut into runs and parts.
 * dX may be NULL: not wanted. */
bp_status BP_NAME(bp_dense_backward)(const bp_execution *how, size_t rows, size_t inputs,
                                     size_t outputs, const real *X, const real *W,
                                     const real *delta, real *dW, real *db, real *dX,
                                     void *workspace, size_t workspace_bytes);

/* Bytes of workspace for bp_dense_forward and bp_dense_backward. */
bp_status BP_NAME(bp_dense_workspace_size)(const bp_execution *how, size_t rows, size_t inputs,
                                           size_t outputs, size_t *bytes);

/* A [rows, columns] := g(A) in place; a softmax runs along each row. */
bp_status BP_NAME(bp_activate)(const bp_execution *how, int activation, size_t rows, size_t columns,
                               real *A);

/* Z [rows, columns] := g(Z), derivative := g'(Z); for every activation but BP_SOFTMAX. */
bp_status BP_NAME(bp_activate_derivative)(const bp_execution *how, int activation, size_t rows,
                                          size_t columns, real *Z, real *derivative);

/* dA [rows, columns] := dJ/dZ from dJ/dA, given A = g(Z): the derivative is taken from the
 * output, which does not tell it for BP_SILU and BP_GELU. */
bp_status BP_NAME(bp_activation_backward)(const bp_execution *how, int activation, size_t rows,
                                          size_t columns, const real *A, real *dA);

/* C [m, n] += A [m, k] B [k, n], one fused multiply-add a term, terms in ascending index.
 * Steps are in elements: A[i, p] is A[i * a_row + p * a_column], likewise B; C[i, j] is
 * C[i * c_row + j]. C overlaps neither A nor B. k == 0 leaves C as it is. */
bp_status BP_NAME(bp_matmul)(const bp_execution *how, size_t m, size_t n, size_t k, const real *A,
                             ptrdiff_t a_row, ptrdiff_t a_column, const real *B, ptrdiff_t b_row,
                             ptrdiff_t b_column, real *C, size_t c_row, void *workspace,
                             size_t workspace_bytes);

/* Bytes of workspace for bp_matmul. */
bp_status BP_NAME(bp_matmul_workspace_size)(const bp_execution *how, size_t m, size_t n, size_t k,
                                            size_t *bytes);

/* x [n] := the solution of (A + damping diagonal) x = b, by Cholesky's factors U' U. A [n, n] is
 * symmetric; its upper triangle is read, and A is used up. diagonal [n]; NULL: ones. b is in x.
 * Terms of a sum are added in ascending index, one fused multiply-add a term. Errors:
 * BP_NOT_POSITIVE, where x has no meaning. */
bp_status BP_NAME(bp_cholesky_solve)(const bp_execution *how, size_t n, real *A, double damping,
                                     const real *diagonal, real *x, void *workspace,
                                     size_t workspace_bytes);

/* Bytes of workspace for bp_cholesky_solve. */
bp_status BP_NAME(bp_cholesky_workspace_size)(const bp_execution *how, size_t n, size_t *bytes);

/* The sum over x[i] y[i] in double. Sixteen sums take every sixteenth term, in ascending index, a
 * product and a sum each rounded; then they are added in ascending order. */
double BP_NAME(bp_dot)(const real *x, const real *y, size_t count);

/* Elementary functions, x [count] in place. The largest errors found, in units in the last place:
 * float over all 2^32 arguments, double over 10^9 random ones and many chosen ones
 * (tests/test_elementary.py holds the worst of them and the bounds).
 *
 *             exp   log   log1p_exp   sigmoid   tanh
 *   float     1.1   2.0   2.8         2.5       2.5
 *   double    1.1   2.0   3.0         2.5       2.7
 *
 * bp_exp is 0 for x < -86 (float) or x < -707 (double), where e^x is below 2^-124 or 2^-1019, and
 * so is bp_log1p_exp. bp_log wants a positive, normal, finite x, bp_log1p_exp, log(1 + e^x), an
 * x <= 0. The sigmoid is 0 where e^-x overflows: its true value is subnormal there.
 *
 * Of other activations and their derivatives, over the float arguments from 2^-40 to 128 in size
 * (every third one for silu and gelu) and 3 10^8 doubles (10^8 for gelu;
 * tests/test_elementary.py):
 *
 *                        elu   selu  softplus  silu  gelu
 *   float   value        0.9   2.3   2.8       2.9   7.0
 *           derivative   0.5   1.8   4.1       5.1   7.0
 *   double  value        1.2   2.9   2.9       2.8   7.4
 *           derivative   0.5   2.3   4.0       5.2   6.8
 *
 * Errors of the derivatives of elu and selu are in units of their largest value, those of silu and
 * gelu, sums that pass through 0, in units of the larger term. Where bp_exp is 0, e^z and
 * e^(-z^2/2) are 0 in these derivatives and in gelu; silu is 0 where the sigmoid is. */
bp_status BP_NAME(bp_exp)(const bp_execution *how, real *x, size_t count);
bp_status BP_NAME(bp_log)(const bp_execution *how, real *x, size_t count);
bp_status BP_NAME(bp_log1p_exp)(const bp_execution *how, real *x, size_t count);

/* index := that of the first NaN or infinity in x [count]; count where there is none. */
bp_status BP_NAME(bp_first_nonfinite)(const bp_execution *how, const real *x, size_t count,
                                      size_t *index);
