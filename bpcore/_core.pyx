# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True, embedsignature=True
"""The binding: memoryviews become pointers, statuses become exceptions. No mathematics here.

Shapes are those of ``bpcore.h``: rows are samples, a layer's weights are (inputs, outputs). The
callers, in ``network.py`` and ``classic/``, have checked and converted what users gave; this
module checks that buffers have the sizes that C will use, so that no call can leave its memory.
"""
import os

from libc.stdint cimport uint64_t

ctypedef fused real:
    float
    double

ACTIVATIONS = {"identity": BP_IDENTITY, "sigmoid": BP_SIGMOID, "tanh": BP_TANH, "relu": BP_RELU,
               "softmax": BP_SOFTMAX}
LOSSES = {"mse": BP_MSE, "bce": BP_BCE, "cross_entropy": BP_CROSS_ENTROPY}


# ---- Status and instruction sets -----------------------------------------------------------------

cdef int raise_if(bp_status status) except -1:
    if status == BP_OK:
        return 0
    message = bp_status_message(status).decode()
    if status == BP_TOO_LARGE:
        raise MemoryError(message)
    if status == BP_NONFINITE_LOSS:
        raise FloatingPointError(message)
    raise ValueError(message)


cdef int lookup(dict table, str what, name) except -1:
    if not isinstance(name, str) or name not in table:
        raise ValueError(f"{what} {name!r} is unknown; known: " + ", ".join(table))
    return table[name]


cdef int expect(bint condition, str message) except -1:
    if not condition:
        raise ValueError(message)
    return 0


def available_isas():
    """Names of the instruction sets that this CPU can run, the best one first."""
    best = bp_isa_best()
    names = [bp_isa_name(<bp_isa>i).decode() for i in range(BP_ISA_DEFAULT + 1, BP_ISA_COUNT)
             if bp_isa_available(<bp_isa>i) and i != best]
    return [bp_isa_name(best).decode(), *reversed(names)]


cdef bp_isa isa_by_name(str name) except? BP_ISA_DEFAULT:
    for i in range(BP_ISA_DEFAULT + 1, BP_ISA_COUNT):
        if bp_isa_name(<bp_isa>i).decode() == name and bp_isa_available(<bp_isa>i):
            return <bp_isa>i
    raise ValueError(f"instruction set {name!r} is not available here; available: "
                     + ", ".join(available_isas()))


cdef bp_isa current_isa = bp_isa_best()


def isa():
    """Name of the instruction set in use."""
    return bp_isa_name(current_isa).decode()


def use_isa(str name):
    """Use another instruction set from now on, in the whole process; returns the one before.

    For tests and bug reports: results do not depend on it. ``BPCORE_ISA`` sets it at import.
    """
    global current_isa
    before = isa()
    current_isa = isa_by_name(name)
    return before


cdef inline bp_execution execution(size_t block_rows) noexcept:
    cdef bp_execution how
    how.isa = current_isa
    how.block_rows = block_rows
    return how


# ---- Networks ------------------------------------------------------------------------------------

cdef class Architecture:
    """Layer sizes, activations and loss, as C wants them.

    ``sizes`` holds the layers' sizes, the inputs first; ``activations`` a name for each layer after
    the inputs; ``loss`` a name. Raises ValueError where they make no network.
    """
    cdef bp_network net
    cdef size_t count
    cdef object _sizes, _activations

    def __cinit__(self, sizes, activations, loss):
        from array import array
        expect(len(sizes) == len(activations) + 1, "one activation for each layer after the inputs")
        self._sizes = array("Q" if sizeof(size_t) == 8 else "L", sizes)
        self._activations = array("i", [lookup(ACTIVATIONS, "activation", name)
                                       for name in activations])
        cdef const size_t[::1] size_view = self._sizes
        cdef const int[::1] activation_view = self._activations
        self.net.layers = len(activations)
        self.net.sizes = &size_view[0]
        self.net.activations = &activation_view[0]
        self.net.loss = lookup(LOSSES, "loss", loss)
        raise_if(bp_parameter_count(&self.net, &self.count))

    @property
    def parameter_count(self):
        """Length of the flat parameter array."""
        return self.count

    cdef size_t inputs(self) noexcept:
        return self.net.sizes[0]

    cdef size_t outputs(self) noexcept:
        return self.net.sizes[self.net.layers]


def workspace_size(Architecture architecture not None, size_t rows, size_t itemsize,
                   size_t block_rows=0):
    """Bytes of workspace for steps of ``rows`` rows; itemsize is 4 (float32) or 8 (float64)."""
    cdef bp_execution how = execution(block_rows)
    cdef size_t size = 0
    expect(itemsize == 4 or itemsize == 8, "itemsize is neither 4 nor 8")
    if itemsize == 4:
        raise_if(bp_workspace_size_f32(&architecture.net, &how, rows, &size))
    else:
        raise_if(bp_workspace_size_f64(&architecture.net, &how, rows, &size))
    return size


def forward(Architecture architecture not None, const real[::1] parameters not None,
            const real[:, ::1] X not None, real[:, ::1] out not None,
            unsigned char[::1] workspace not None, size_t block_rows=0):
    """out (n, outputs) := activations of the last layer for X (n, inputs)."""
    cdef bp_execution how = execution(block_rows)
    cdef bp_status status
    expect(<size_t>parameters.shape[0] == architecture.count, "parameters have the wrong length")
    expect(<size_t>X.shape[1] == architecture.inputs(), "X has the wrong number of columns")
    expect(out.shape[0] == X.shape[0] and <size_t>out.shape[1] == architecture.outputs(),
           "out has the wrong shape")
    with nogil:
        if real is float:
            status = bp_forward_f32(&architecture.net, &how, &parameters[0], &X[0, 0], X.shape[0],
                                    &out[0, 0], &workspace[0], workspace.shape[0])
        else:
            status = bp_forward_f64(&architecture.net, &how, &parameters[0], &X[0, 0], X.shape[0],
                                    &out[0, 0], &workspace[0], workspace.shape[0])
    raise_if(status)


cdef int expect_data(Architecture architecture, const real[::1] parameters, const real[:, ::1] X,
                     const real[:, ::1] Y) except -1:
    expect(<size_t>parameters.shape[0] == architecture.count, "parameters have the wrong length")
    expect(<size_t>X.shape[1] == architecture.inputs(), "X has the wrong number of columns")
    expect(Y.shape[0] == X.shape[0] and <size_t>Y.shape[1] == architecture.outputs(),
           "Y has the wrong shape")
    return 0


def mean_loss(Architecture architecture not None, const real[::1] parameters not None,
              const real[:, ::1] X not None, const real[:, ::1] Y not None,
              unsigned char[::1] workspace not None, size_t block_rows=0):
    """Mean loss of the rows of X (n, inputs) against Y (n, outputs)."""
    cdef bp_execution how = execution(block_rows)
    cdef bp_status status
    cdef double loss = 0
    expect_data[real](architecture, parameters, X, Y)
    with nogil:
        if real is float:
            status = bp_mean_loss_f32(&architecture.net, &how, &parameters[0], &X[0, 0], &Y[0, 0],
                                      X.shape[0], &loss, &workspace[0], workspace.shape[0])
        else:
            status = bp_mean_loss_f64(&architecture.net, &how, &parameters[0], &X[0, 0], &Y[0, 0],
                                      X.shape[0], &loss, &workspace[0], workspace.shape[0])
    raise_if(status)
    return loss


def gradient(Architecture architecture not None, const real[::1] parameters not None,
             const real[:, ::1] X not None, const real[:, ::1] Y not None, real[::1] out not None,
             unsigned char[::1] workspace not None, size_t block_rows=0):
    """out := gradient of the mean loss, in the layout of the parameters; returns the loss."""
    cdef bp_execution how = execution(block_rows)
    cdef bp_status status
    cdef double loss = 0
    expect_data[real](architecture, parameters, X, Y)
    expect(<size_t>out.shape[0] == architecture.count, "out has the wrong length")
    with nogil:
        if real is float:
            status = bp_gradient_f32(&architecture.net, &how, &parameters[0], &X[0, 0], &Y[0, 0],
                                     X.shape[0], &out[0], &loss, &workspace[0], workspace.shape[0])
        else:
            status = bp_gradient_f64(&architecture.net, &how, &parameters[0], &X[0, 0], &Y[0, 0],
                                     X.shape[0], &out[0], &loss, &workspace[0], workspace.shape[0])
    raise_if(status)
    return loss


cdef class Training:
    """One epoch of gradient descent, as far as it has come."""
    cdef bp_training state

    def __cinit__(self, size_t batch_rows, double learning_rate):
        self.state.batch_rows = batch_rows
        self.state.learning_rate = learning_rate

    @property
    def row(self):
        """Rows of this epoch that were used so far."""
        return self.state.row

    @property
    def batches(self):
        """Batches of this epoch that are finished."""
        return self.state.batches

    @property
    def loss(self):
        """Mean over the finished batches of their mean losses, each taken before its update."""
        return self.state.epoch_loss / self.state.batches if self.state.batches else 0.0

    def run(self, Architecture architecture not None, real[::1] parameters not None,
            const real[:, ::1] X not None, const real[:, ::1] Y not None, const size_t[::1] order,
            size_t row_budget, unsigned char[::1] workspace not None, size_t block_rows=0):
        """Go on until ``row_budget`` rows are used or the epoch ends. order: row indices, or None.

        Raises FloatingPointError before a batch whose loss is not finite changes anything.
        """
        cdef bp_execution how = execution(block_rows)
        cdef bp_status status
        cdef const size_t *order_pointer = NULL
        expect_data[real](architecture, parameters, X, Y)
        if order is not None:
            expect(order.shape[0] == X.shape[0], "order has the wrong length")
            order_pointer = &order[0]
        with nogil:
            if real is float:
                status = bp_train_f32(&architecture.net, &how, &parameters[0], &X[0, 0], &Y[0, 0],
                                      X.shape[0], order_pointer, &self.state, row_budget,
                                      &workspace[0], workspace.shape[0])
            else:
                status = bp_train_f64(&architecture.net, &how, &parameters[0], &X[0, 0], &Y[0, 0],
                                      X.shape[0], order_pointer, &self.state, row_budget,
                                      &workspace[0], workspace.shape[0])
        raise_if(status)


def shuffle(size_t[::1] order not None, uint64_t seed, uint64_t epoch):
    """order := the permutation of 0 ... n - 1 that belongs to (seed, epoch)."""
    raise_if(bp_shuffle(&order[0], order.shape[0], seed, epoch))


# ---- Single layers and products ------------------------------------------------------------------

def dense_forward(str activation, const real[:, ::1] X not None, const real[:, ::1] W not None,
                  const real[::1] b not None, real[:, ::1] Z not None, real[:, ::1] A not None):
    """Z (n, O) := X (n, I) W (I, O) + b (O); A (n, O) := g(Z). Z and A may be one array."""
    cdef bp_execution how = execution(0)
    cdef bp_status status
    cdef size_t size = 0, rows = X.shape[0], inputs = X.shape[1], outputs = W.shape[1]
    cdef int g = lookup(ACTIVATIONS, "activation", activation)
    expect(W.shape[0] == X.shape[1] and b.shape[0] == W.shape[1], "W or b has the wrong shape")
    expect(Z.shape[0] == X.shape[0] and Z.shape[1] == W.shape[1], "Z has the wrong shape")
    expect(A.shape[0] == X.shape[0] and A.shape[1] == W.shape[1], "A has the wrong shape")
    if real is float:
        raise_if(bp_dense_workspace_size_f32(&how, rows, inputs, outputs, &size))
    else:
        raise_if(bp_dense_workspace_size_f64(&how, rows, inputs, outputs, &size))
    cdef unsigned char[::1] work = bytearray(size)
    with nogil:
        if real is float:
            status = bp_dense_forward_f32(&how, g, rows, inputs, outputs, &X[0, 0], &W[0, 0],
                                          &b[0], &Z[0, 0], &A[0, 0], &work[0], size)
        else:
            status = bp_dense_forward_f64(&how, g, rows, inputs, outputs, &X[0, 0], &W[0, 0],
                                          &b[0], &Z[0, 0], &A[0, 0], &work[0], size)
    raise_if(status)


def dense_backward(const real[:, ::1] X not None, const real[:, ::1] W not None,
                   const real[:, ::1] delta not None, real[:, ::1] dW not None,
                   real[::1] db not None, real[:, ::1] dX):
    """dW (I, O) := X' delta, db (O) := column sums of delta, dX (n, I) := delta W'.

    dX may be None: not wanted.
    """
    cdef bp_execution how = execution(0)
    cdef bp_status status
    cdef size_t size = 0, rows = X.shape[0], inputs = X.shape[1], outputs = W.shape[1]
    cdef real *dX_pointer = NULL
    expect(W.shape[0] == X.shape[1], "W has the wrong shape")
    expect(delta.shape[0] == X.shape[0] and delta.shape[1] == W.shape[1],
           "delta has the wrong shape")
    expect(dW.shape[0] == W.shape[0] and dW.shape[1] == W.shape[1] and db.shape[0] == W.shape[1],
           "dW or db has the wrong shape")
    if dX is not None:
        expect(dX.shape[0] == X.shape[0] and dX.shape[1] == X.shape[1], "dX has the wrong shape")
        dX_pointer = &dX[0, 0]
    if real is float:
        raise_if(bp_dense_workspace_size_f32(&how, rows, inputs, outputs, &size))
    else:
        raise_if(bp_dense_workspace_size_f64(&how, rows, inputs, outputs, &size))
    cdef unsigned char[::1] work = bytearray(size)
    with nogil:
        if real is float:
            status = bp_dense_backward_f32(&how, rows, inputs, outputs, &X[0, 0], &W[0, 0],
                                           &delta[0, 0], &dW[0, 0], &db[0], dX_pointer, &work[0],
                                           size)
        else:
            status = bp_dense_backward_f64(&how, rows, inputs, outputs, &X[0, 0], &W[0, 0],
                                           &delta[0, 0], &dW[0, 0], &db[0], dX_pointer, &work[0],
                                           size)
    raise_if(status)


def activate(str activation, real[:, ::1] A not None):
    """A (n, O) := g(A), in place; a softmax runs along each row."""
    cdef bp_execution how = execution(0)
    cdef int g = lookup(ACTIVATIONS, "activation", activation)
    if real is float:
        raise_if(bp_activate_f32(&how, g, A.shape[0], A.shape[1], &A[0, 0]))
    else:
        raise_if(bp_activate_f64(&how, g, A.shape[0], A.shape[1], &A[0, 0]))


def activation_backward(str activation, const real[:, ::1] A not None, real[:, ::1] dA not None):
    """dA (n, O) := dJ/dZ from dJ/dA, in place, given A = g(Z)."""
    cdef bp_execution how = execution(0)
    cdef int g = lookup(ACTIVATIONS, "activation", activation)
    expect(A.shape[0] == dA.shape[0] and A.shape[1] == dA.shape[1], "A and dA differ in shape")
    if real is float:
        raise_if(bp_activation_backward_f32(&how, g, A.shape[0], A.shape[1], &A[0, 0], &dA[0, 0]))
    else:
        raise_if(bp_activation_backward_f64(&how, g, A.shape[0], A.shape[1], &A[0, 0], &dA[0, 0]))


def matmul(const real[:, :] A not None, const real[:, :] B not None, real[:, ::1] C not None):
    """C (m, n) += A (m, k) B (k, n), terms in ascending k; A and B may have any strides."""
    cdef bp_execution how = execution(0)
    cdef bp_status status
    cdef size_t size = 0, m = A.shape[0], n = B.shape[1], k = A.shape[1]
    expect(B.shape[0] == A.shape[1], "A has another number of columns than B has rows")
    expect(C.shape[0] == A.shape[0] and C.shape[1] == B.shape[1], "C has the wrong shape")
    cdef Py_ssize_t step = sizeof(real)
    expect(A.strides[0] % step == 0 and A.strides[1] % step == 0
           and B.strides[0] % step == 0 and B.strides[1] % step == 0,
           "strides are no multiple of the element size")
    cdef Py_ssize_t a_row = A.strides[0] // step, a_column = A.strides[1] // step
    cdef Py_ssize_t b_row = B.strides[0] // step, b_column = B.strides[1] // step
    if real is float:
        raise_if(bp_matmul_workspace_size_f32(&how, m, n, k, &size))
    else:
        raise_if(bp_matmul_workspace_size_f64(&how, m, n, k, &size))
    cdef unsigned char[::1] work = bytearray(size)
    with nogil:
        if real is float:
            status = bp_matmul_f32(&how, m, n, k, &A[0, 0], a_row, a_column, &B[0, 0], b_row,
                                   b_column, &C[0, 0], n, &work[0], size)
        else:
            status = bp_matmul_f64(&how, m, n, k, &A[0, 0], a_row, a_column, &B[0, 0], b_row,
                                   b_column, &C[0, 0], n, &work[0], size)
    raise_if(status)


# ---- Elementary functions ------------------------------------------------------------------------

def exp(real[::1] x not None):
    """x := e^x, in place."""
    cdef bp_execution how = execution(0)
    if real is float:
        raise_if(bp_exp_f32(&how, &x[0], x.shape[0]))
    else:
        raise_if(bp_exp_f64(&how, &x[0], x.shape[0]))


def log(real[::1] x not None):
    """x := log x, in place; x is positive, normal and finite."""
    cdef bp_execution how = execution(0)
    if real is float:
        raise_if(bp_log_f32(&how, &x[0], x.shape[0]))
    else:
        raise_if(bp_log_f64(&how, &x[0], x.shape[0]))


def log1p_exp(real[::1] x not None):
    """x := log(1 + e^x), in place; x <= 0."""
    cdef bp_execution how = execution(0)
    if real is float:
        raise_if(bp_log1p_exp_f32(&how, &x[0], x.shape[0]))
    else:
        raise_if(bp_log1p_exp_f64(&how, &x[0], x.shape[0]))


def first_nonfinite(const real[::1] x not None):
    """Index of the first NaN or infinity in x, or -1."""
    cdef size_t index
    with nogil:
        if real is float:
            index = bp_first_nonfinite_f32(&x[0], x.shape[0])
        else:
            index = bp_first_nonfinite_f64(&x[0], x.shape[0])
    return index if index < <size_t>x.shape[0] else -1


if os.environ.get("BPCORE_ISA"):
    try:
        use_isa(os.environ["BPCORE_ISA"])
    except ValueError as error:
        raise ImportError(f"BPCORE_ISA: {error}") from None
