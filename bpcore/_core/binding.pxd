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

    ctypedef enum bp_activation:
        BP_IDENTITY
        BP_SIGMOID
        BP_TANH
        BP_RELU
        BP_SOFTMAX
        BP_LEAKY_RELU
        BP_ELU
        BP_SELU
        BP_SOFTPLUS
        BP_SILU
        BP_GELU
        BP_EXP

    ctypedef enum bp_loss:
        BP_MSE
        BP_BCE
        BP_CROSS_ENTROPY
        BP_MAE
        BP_HUBER
        BP_QUANTILE
        BP_POISSON

    ctypedef struct bp_network:
        size_t layers
        const size_t *sizes
        const int *activations
        int loss
        double loss_parameter
        const double *dropout

    bp_status bp_parameter_count(const bp_network *net, size_t *count)
    bp_status bp_shuffle(size_t *order, size_t rows, uint64_t seed, uint64_t epoch)

    bp_status bp_check_csr(size_t rows, size_t columns, const size_t *starts,
                           const uint32_t *indices, size_t *row_entries)
    int bp_sparse_pays(const bp_network *net, size_t entries, size_t rows)

    ctypedef enum bp_optimizer:
        BP_SGD
        BP_MOMENTUM
        BP_NESTEROV
        BP_RMSPROP
        BP_ADAM
        BP_RPROP

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

    size_t bp_moment_count(int optimizer)

    ctypedef struct bp_input_f32:
        const float *dense
        const float *values
        const uint32_t *columns
        const size_t *starts
        size_t entries
        size_t row_entries
        const float *weights
        const void *arrangement
        size_t arrangement_bytes

    ctypedef struct bp_input_f64:
        const double *dense
        const double *values
        const uint32_t *columns
        const size_t *starts
        size_t entries
        size_t row_entries
        const double *weights
        const void *arrangement
        size_t arrangement_bytes

    bp_status bp_compress_f32(const bp_execution *how, const float *X, size_t rows, size_t columns,
                              float *values, uint32_t *indices, size_t room, size_t *starts)
    bp_status bp_compress_f64(const bp_execution *how, const double *X, size_t rows, size_t columns,
                              double *values, uint32_t *indices, size_t room, size_t *starts)
    bp_status bp_count_nonzero_f32(const bp_execution *how, const float *x, size_t count,
                                   size_t *nonzero)
    bp_status bp_count_nonzero_f64(const bp_execution *how, const double *x, size_t count,
                                   size_t *nonzero)
    bp_status bp_arrangement_size_f32(const bp_network *net, const bp_execution *how, size_t rows,
                                      size_t entries, size_t *bytes)
    bp_status bp_arrangement_size_f64(const bp_network *net, const bp_execution *how, size_t rows,
                                      size_t entries, size_t *bytes)
    bp_status bp_arrange_f32(const bp_network *net, const bp_execution *how,
                             const bp_input_f32 *X, size_t rows, void *arrangement, size_t bytes)
    bp_status bp_arrange_f64(const bp_network *net, const bp_execution *how,
                             const bp_input_f64 *X, size_t rows, void *arrangement, size_t bytes)
    bp_status bp_workspace_size_f32(const bp_network *net, const bp_execution *how, size_t rows,
                                    size_t row_entries, size_t *bytes)
    bp_status bp_workspace_size_f64(const bp_network *net, const bp_execution *how, size_t rows,
                                    size_t row_entries, size_t *bytes)
    bp_status bp_gradient_f32(const bp_network *net, const bp_execution *how,
                              const float *parameters, const bp_input_f32 *X, const float *Y,
                              size_t rows, size_t *row, size_t row_budget, float *gradient,
                              double *loss, void *workspace, size_t bytes)
    bp_status bp_gradient_f64(const bp_network *net, const bp_execution *how,
                              const double *parameters, const bp_input_f64 *X, const double *Y,
                              size_t rows, size_t *row, size_t row_budget, double *gradient,
                              double *loss, void *workspace, size_t bytes)
    bp_status bp_backward_f32(const bp_network *net, const bp_execution *how,
                              const float *parameters, const bp_input_f32 *X, const float *dA,
                              size_t rows, float *gradient, float *dX, void *workspace,
                              size_t bytes)
    bp_status bp_backward_f64(const bp_network *net, const bp_execution *how,
                              const double *parameters, const bp_input_f64 *X, const double *dA,
                              size_t rows, double *gradient, double *dX, void *workspace,
                              size_t bytes)
    bp_status bp_trace_f32(const bp_network *net, const bp_execution *how,
                           const float *parameters, const bp_input_f32 *X, const float *Y,
                           size_t rows, float *A, float *deltas, void *workspace, size_t bytes)
    bp_status bp_trace_f64(const bp_network *net, const bp_execution *how,
                           const double *parameters, const bp_input_f64 *X, const double *Y,
                           size_t rows, double *A, double *deltas, void *workspace, size_t bytes)
    bp_status bp_parameter_jacobian_f32(const bp_network *net, const bp_execution *how,
                                        const float *parameters, const bp_input_f32 *X,
                                        size_t row, size_t rows, float *A, float *J,
                                        void *workspace, size_t bytes)
    bp_status bp_parameter_jacobian_f64(const bp_network *net, const bp_execution *how,
                                        const double *parameters, const bp_input_f64 *X,
                                        size_t row, size_t rows, double *A, double *J,
                                        void *workspace, size_t bytes)
    bp_status bp_train_f32(const bp_network *net, const bp_execution *how, float *parameters,
                           float *moments, const bp_input_f32 *X, const float *Y, size_t rows,
                           const size_t *order, bp_training *training, size_t row_budget,
                           void *workspace, size_t bytes)
    bp_status bp_train_f64(const bp_network *net, const bp_execution *how, double *parameters,
                           double *moments, const bp_input_f64 *X, const double *Y, size_t rows,
                           const size_t *order, bp_training *training, size_t row_budget,
                           void *workspace, size_t bytes)
    bp_status bp_forward_size_f32(const bp_network *net, const bp_execution *how, size_t rows,
                                  size_t *bytes)
    bp_status bp_forward_size_f64(const bp_network *net, const bp_execution *how, size_t rows,
                                  size_t *bytes)
    bp_status bp_forward_f32(const bp_network *net, const bp_execution *how,
                             const float *parameters, const bp_input_f32 *X, size_t rows,
                             size_t *row, size_t row_budget, float *A, void *workspace,
                             size_t bytes)
    bp_status bp_forward_f64(const bp_network *net, const bp_execution *how,
                             const double *parameters, const bp_input_f64 *X, size_t rows,
                             size_t *row, size_t row_budget, double *A, void *workspace,
                             size_t bytes)
    bp_status bp_mean_loss_size_f32(const bp_network *net, const bp_execution *how, size_t rows,
                                    size_t *bytes)
    bp_status bp_mean_loss_size_f64(const bp_network *net, const bp_execution *how, size_t rows,
                                    size_t *bytes)
    bp_status bp_mean_loss_f32(const bp_network *net, const bp_execution *how,
                               const float *parameters, const bp_input_f32 *X, const float *Y,
                               size_t rows, size_t *row, size_t row_budget, float *A,
                               double *loss, void *workspace, size_t bytes)
    bp_status bp_mean_loss_f64(const bp_network *net, const bp_execution *how,
                               const double *parameters, const bp_input_f64 *X, const double *Y,
                               size_t rows, size_t *row, size_t row_budget, double *A,
                               double *loss, void *workspace, size_t bytes)
    bp_status bp_dense_forward_f32(const bp_execution *how, int activation, size_t rows,
                                   size_t inputs, size_t outputs, const float *X, const float *W,
                                   const float *b, float *Z, float *A, void *workspace, size_t bytes)
    bp_status bp_dense_forward_f64(const bp_execution *how, int activation, size_t rows,
                                   size_t inputs, size_t outputs, const double *X, const double *W,
                                   const double *b, double *Z, double *A, void *workspace,
                                   size_t bytes)
    bp_status bp_dense_backward_f32(const bp_execution *how, size_t rows, size_t inputs,
                                    size_t outputs, const float *X, const float *W,
                                    const float *delta, float *dW, float *db, float *dX,
                                    void *workspace, size_t bytes)
    bp_status bp_dense_backward_f64(const bp_execution *how, size_t rows, size_t inputs,
                                    size_t outputs, const double *X, const double *W,
                                    const double *delta, double *dW, double *db, double *dX,
                                    void *workspace, size_t bytes)
    bp_status bp_dense_workspace_size_f32(const bp_execution *how, size_t rows, size_t inputs,
                                          size_t outputs, size_t *bytes)
    bp_status bp_dense_workspace_size_f64(const bp_execution *how, size_t rows, size_t inputs,
                                          size_t outputs, size_t *bytes)
    bp_status bp_activate_f32(const bp_execution *how, int activation, size_t rows, size_t columns,
                              float *A)
    bp_status bp_activate_f64(const bp_execution *how, int activation, size_t rows, size_t columns,
                              double *A)
    bp_status bp_activate_slope_f32(const bp_execution *how, int activation, size_t rows,
                                    size_t columns, float *Z, float *slope)
    bp_status bp_activate_slope_f64(const bp_execution *how, int activation, size_t rows,
                                    size_t columns, double *Z, double *slope)
    bp_status bp_activation_backward_f32(const bp_execution *how, int activation, size_t rows,
                                         size_t columns, const float *A, float *dA)
    bp_status bp_activation_backward_f64(const bp_execution *how, int activation, size_t rows,
                                         size_t columns, const double *A, double *dA)
    bp_status bp_matmul_f32(const bp_execution *how, size_t m, size_t n, size_t k, const float *A,
                            Py_ssize_t a_row, Py_ssize_t a_column, const float *B, Py_ssize_t b_row,
                            Py_ssize_t b_column, float *C, size_t c_row, void *workspace,
                            size_t bytes)
    bp_status bp_matmul_f64(const bp_execution *how, size_t m, size_t n, size_t k, const double *A,
                            Py_ssize_t a_row, Py_ssize_t a_column, const double *B,
                            Py_ssize_t b_row, Py_ssize_t b_column, double *C, size_t c_row,
                            void *workspace, size_t bytes)
    bp_status bp_matmul_workspace_size_f32(const bp_execution *how, size_t m, size_t n, size_t k,
                                           size_t *bytes)
    bp_status bp_matmul_workspace_size_f64(const bp_execution *how, size_t m, size_t n, size_t k,
                                           size_t *bytes)
    bp_status bp_cholesky_solve_f32(const bp_execution *how, size_t n, float *A, double damping,
                                    const float *diagonal, float *x, void *workspace,
                                    size_t bytes)
    bp_status bp_cholesky_solve_f64(const bp_execution *how, size_t n, double *A, double damping,
                                    const double *diagonal, double *x, void *workspace,
                                    size_t bytes)
    bp_status bp_cholesky_workspace_size_f32(const bp_execution *how, size_t n, size_t *bytes)
    bp_status bp_cholesky_workspace_size_f64(const bp_execution *how, size_t n, size_t *bytes)
    double bp_dot_f32(const float *x, const float *y, size_t count)
    double bp_dot_f64(const double *x, const double *y, size_t count)
    bp_status bp_exp_f32(const bp_execution *how, float *x, size_t count)
    bp_status bp_exp_f64(const bp_execution *how, double *x, size_t count)
    bp_status bp_log_f32(const bp_execution *how, float *x, size_t count)
    bp_status bp_log_f64(const bp_execution *how, double *x, size_t count)
    bp_status bp_log1p_exp_f32(const bp_execution *how, float *x, size_t count)
    bp_status bp_log1p_exp_f64(const bp_execution *how, double *x, size_t count)
    bp_status bp_first_nonfinite_f32(const bp_execution *how, const float *x, size_t count,
                                     size_t *index)
    bp_status bp_first_nonfinite_f64(const bp_execution *how, const double *x, size_t count,
                                     size_t *index)
