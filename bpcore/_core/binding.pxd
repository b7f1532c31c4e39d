# bpcore.h said again for Cython, in the same order.
from libc.stdint cimport uint32_t, uint64_t


cdef extern from "bpcore.h" nogil:
    ctypedef enum bp_status:
        BP_OK
        BP_TOO_LARGE
        BP_BAD_ARGUMENT
        BP_NONFINITE_INPUT
        BP_NONFINITE_LOSS
        BP_NOT_POSITIVE

    const char *bp_status_message(bp_status status)

    const char *bp_compiler()

    ctypedef enum bp_isa:
        BP_ISA_DEFAULT
        BP_ISA_COUNT

    const char *bp_isa_name(bp_isa isa)
    int bp_isa_available(bp_isa isa)
    bp_isa bp_isa_best()

    ctypedef struct bp_execution:
        bp_isa isa
        size_t block_rows
        size_t threads
        size_t thread_work
        size_t step_work

    int BP_ACTIVATION_COUNT
    int BP_LOSS_COUNT
    int BP_ANY_OUTPUT
    const char *bp_activation_name(int activation)
    const char *bp_loss_name(int loss)
    int bp_loss_output(int loss)
    double bp_loss_limit(int loss)

    ctypedef struct bp_network:
        size_t layers
        const size_t *sizes
        const int *activations
        int loss
        double loss_parameter
        const double *dropout

    size_t BP_RUN_ROWS
    size_t BP_STEP_WORK
    size_t BP_PART_ROWS

    bp_status bp_parameter_count(const bp_network *net, size_t *count)
    bp_status bp_shuffle(size_t *order, size_t rows, uint64_t seed, uint64_t epoch)

    bp_status bp_check_csr(size_t rows, size_t columns, const size_t *row_offsets,
                           const uint32_t *indices, size_t *row_nonzeros)
    int bp_sparse_pays(const bp_network *net, size_t nonzeros, size_t rows)
    size_t bp_step_work(const bp_network *net, size_t rows, size_t nonzeros, size_t batch_rows)

    int BP_RPROP
    int BP_OPTIMIZER_COUNT
    const char *bp_optimizer_name(int optimizer)
    size_t bp_moment_count(int optimizer)

    ctypedef struct bp_rule:
        int optimizer
        double momentum
        double decay
        double epsilon
        int epsilon_inside
        double weight_decay
        double shrink
        double grow
        double least_step
        double most_step
        double l2
        double l1
        int penalty_of_sum
        double clip_norm
        double max_norm

    ctypedef struct bp_training:
        size_t batch_rows
        double learning_rate
        const bp_rule *rule
        uint64_t step
        uint64_t warmup_steps
        int rows_count
        uint64_t seed
        uint64_t first_epoch
        size_t epochs
        double *losses
        double *penalties
        size_t epoch
        size_t row
        double batch_loss
        double batch_weight
        double epoch_loss
        double epoch_penalty
        size_t batches
        double counted


# The functions of both precisions, with pointers to void where these differ.
cdef extern from "bpcore_either.h" nogil:
    ctypedef struct bp_input:
        pass

    bp_input bp_input_of(size_t itemsize, const void *dense, const void *values,
                         const uint32_t *columns, const size_t *row_offsets, size_t nonzeros,
                         size_t row_nonzeros, const void *weights, const void *packed,
                         size_t packed_bytes)

    bp_status bp_count_nonzero(size_t itemsize, const bp_execution *how, const void *X,
                               size_t rows, size_t columns, size_t *row_offsets)
    bp_status bp_compress(size_t itemsize, const bp_execution *how, const void *X, size_t rows,
                          size_t columns, const size_t *row_offsets, void *values,
                          uint32_t *indices, size_t room, size_t *row_nonzeros)
    bp_status bp_packed_size(size_t itemsize, const bp_network *net, const bp_execution *how,
                                  size_t rows, size_t nonzeros, size_t *bytes)
    bp_status bp_pack(size_t itemsize, const bp_network *net, const bp_execution *how,
                         const void *X, size_t rows, void *packed, size_t bytes)
    bp_status bp_workspace_size(size_t itemsize, const bp_network *net, const bp_execution *how,
                                size_t rows, size_t row_nonzeros, size_t *bytes)
    bp_status bp_gradient(size_t itemsize, const bp_network *net, const bp_execution *how,
                          const void *parameters, const void *X, const void *Y, size_t rows,
                          size_t *row, size_t row_budget, void *gradient, double *loss,
                          void *workspace, size_t bytes)
    bp_status bp_backward(size_t itemsize, const bp_network *net, const bp_execution *how,
                          const void *parameters, const void *X, const void *dA, size_t rows,
                          void *gradient, void *dX, void *workspace, size_t bytes)
    bp_status bp_layer_outputs(size_t itemsize, const bp_network *net, const bp_execution *how,
                       const void *parameters, const void *X, const void *Y, size_t rows, void *A,
                       void *deltas, void *workspace, size_t bytes)
    bp_status bp_parameter_jacobian(size_t itemsize, const bp_network *net,
                                    const bp_execution *how, const void *parameters, const void *X,
                                    size_t row, size_t rows, void *A, void *J, void *workspace,
                                    size_t bytes)
    bp_status bp_train(size_t itemsize, const bp_network *net, const bp_execution *how,
                       void *parameters, void *moments, const void *X, const void *Y, size_t rows,
                       const size_t *order, bp_training *training, size_t row_budget,
                       void *workspace, size_t bytes)
    bp_status bp_part_deltas(size_t itemsize, const bp_network *net, const bp_execution *how,
                             const void *parameters, const void *X, const void *Y, size_t rows,
                             const size_t *order, size_t row, size_t count,
                             const bp_training *training, size_t epoch_row, void *A, void *deltas,
                             double *losses, void *workspace, size_t bytes)
    bp_status bp_transposed_size(size_t itemsize, const bp_network *net, const bp_execution *how,
                                 size_t rows, size_t nonzeros, size_t *bytes)
    bp_status bp_transpose(size_t itemsize, const bp_network *net, const bp_execution *how,
                           const void *X, size_t rows, const size_t *order, size_t row,
                           size_t count, size_t batch_row, size_t nonzeros, void *transposed,
                           size_t bytes)
    bp_status bp_add_rows_size(size_t itemsize, const bp_network *net, const bp_execution *how,
                               size_t *bytes)
    bp_status bp_add_rows(size_t itemsize, const bp_network *net, const bp_execution *how,
                          size_t layer, size_t first, size_t end, const void *inputs,
                          const void *transposed, size_t nonzeros, const void *delta,
                          size_t count, size_t batch_row, size_t batch_rows, void *sums,
                          void *workspace, size_t bytes)
    bp_status bp_end_batch(size_t itemsize, const bp_network *net, const bp_execution *how,
                      void *parameters, void *moments, void *gradient, size_t batch_rows,
                      double loss, double weight, bp_training *training, size_t rows,
                      void *workspace, size_t bytes)
    bp_status bp_forward_size(size_t itemsize, const bp_network *net, const bp_execution *how,
                              size_t rows, size_t *bytes)
    bp_status bp_forward(size_t itemsize, const bp_network *net, const bp_execution *how,
                         const void *parameters, const void *X, size_t rows, size_t *row,
                         size_t row_budget, void *A, void *workspace, size_t bytes)
    bp_status bp_mean_loss_size(size_t itemsize, const bp_network *net, const bp_execution *how,
                                size_t rows, size_t *bytes)
    bp_status bp_mean_loss(size_t itemsize, const bp_network *net, const bp_execution *how,
                           const void *parameters, const void *X, const void *Y, size_t rows,
                           size_t *row, size_t row_budget, void *A, double *loss, void *workspace,
                           size_t bytes)
    bp_status bp_dense_forward(size_t itemsize, const bp_execution *how, int activation,
                               size_t rows, size_t inputs, size_t outputs, const void *X,
                               const void *W, const void *b, void *Z, void *A, void *workspace,
                               size_t bytes)
    bp_status bp_dense_backward(size_t itemsize, const bp_execution *how, size_t rows,
                                size_t inputs, size_t outputs, const void *X, const void *W,
                                const void *delta, void *dW, void *db, void *dX, void *workspace,
                                size_t bytes)
    bp_status bp_dense_workspace_size(size_t itemsize, const bp_execution *how, size_t rows,
                                      size_t inputs, size_t outputs, size_t *bytes)
    bp_status bp_activate(size_t itemsize, const bp_execution *how, int activation, size_t rows,
                          size_t columns, void *A)
    bp_status bp_activate_derivative(size_t itemsize, const bp_execution *how, int activation,
                                size_t rows, size_t columns, void *Z, void *slope)
    bp_status bp_activation_backward(size_t itemsize, const bp_execution *how, int activation,
                                     size_t rows, size_t columns, const void *A, void *dA)
    bp_status bp_matmul(size_t itemsize, const bp_execution *how, size_t m, size_t n, size_t k,
                        const void *A, Py_ssize_t a_row, Py_ssize_t a_column, const void *B,
                        Py_ssize_t b_row, Py_ssize_t b_column, void *C, size_t c_row,
                        void *workspace, size_t bytes)
    bp_status bp_matmul_workspace_size(size_t itemsize, const bp_execution *how, size_t m,
                                       size_t n, size_t k, size_t *bytes)
    bp_status bp_cholesky_solve(size_t itemsize, const bp_execution *how, size_t n, void *A,
                                double damping, const void *diagonal, void *x, void *workspace,
                                size_t bytes)
    bp_status bp_cholesky_workspace_size(size_t itemsize, const bp_execution *how, size_t n,
                                         size_t *bytes)
    double bp_dot(size_t itemsize, const void *x, const void *y, size_t count)
    bp_status bp_exp(size_t itemsize, const bp_execution *how, void *x, size_t count)
    bp_status bp_log(size_t itemsize, const bp_execution *how, void *x, size_t count)
    bp_status bp_log1p_exp(size_t itemsize, const bp_execution *how, void *x, size_t count)
    bp_status bp_first_nonfinite(size_t itemsize, const bp_execution *how, const void *x,
                                 size_t count, size_t *index)
