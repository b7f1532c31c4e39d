# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True, embedsignature=True
"""The binding: memoryviews become pointers, statuses become exceptions. No mathematics here.

Shapes are those of ``bpcore.h``: rows are samples, a layer's weights are (inputs, outputs). The
callers, in ``network.py`` and ``classic/``, have checked and converted what users gave; this
module checks that buffers have the sizes that C will use, so that no call can leave its memory.
"""
import _thread
import os

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc

ctypedef fused real:
    float
    double

ACTIVATIONS = {"identity": BP_IDENTITY, "sigmoid": BP_SIGMOID, "tanh": BP_TANH, "relu": BP_RELU,
               "leaky_relu": BP_LEAKY_RELU, "elu": BP_ELU, "selu": BP_SELU,
               "softplus": BP_SOFTPLUS, "silu": BP_SILU, "gelu": BP_GELU, "exp": BP_EXP,
               "softmax": BP_SOFTMAX}
LOSSES = {"mse": BP_MSE, "mae": BP_MAE, "huber": BP_HUBER, "bce": BP_BCE,
          "cross_entropy": BP_CROSS_ENTROPY, "poisson": BP_POISSON, "quantile": BP_QUANTILE}
OPTIMIZERS = {"sgd": BP_SGD, "momentum": BP_MOMENTUM, "nesterov": BP_NESTEROV,
              "rmsprop": BP_RMSPROP, "adam": BP_ADAM, "rprop": BP_RPROP}


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


cdef inline int expect_aligned(const void *first, size_t rows, size_t itemsize) except -1:
    """C reads elements at multiples of their size alone; NumPy's arrays may lie at any address."""
    return expect(rows == 0 or <size_t>first % itemsize == 0,
                  "an array is not aligned to its elements")


def compiler():
    """Name and version of the compiler that built the core in C."""
    return bp_compiler().decode()


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


cdef size_t current_thread_work = 0


def use_thread_work(size_t multiply_adds):
    """Use one more thread for each so many multiply-adds; 0: as measured. Returns the one before.

    For tests: results do not depend on it. 1 lets every call use all its threads.
    """
    global current_thread_work
    before = current_thread_work
    current_thread_work = multiply_adds
    return before


cdef inline bp_execution execution(size_t block_rows, size_t threads) noexcept:
    cdef bp_execution how
    how.isa = current_isa
    how.block_rows = block_rows
    how.threads = threads
    how.thread_work = current_thread_work
    return how


# ---- Networks ------------------------------------------------------------------------------------

cdef class Architecture:
    """Layer sizes, activations and loss, as C wants them.

    ``sizes`` holds the layers' sizes, the inputs first; ``activations`` a name for each layer after
    the inputs; ``loss`` a name, with a number for those that need one; ``dropout`` a share for each
    hidden layer. Raises ValueError where they make no network.
    """
    cdef bp_network net
    cdef size_t count
    cdef object _sizes, _activations, _dropout

    def __cinit__(self, sizes, activations, loss, double loss_parameter=0, dropout=None):
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
        self.net.loss_parameter = loss_parameter
        cdef const double[::1] dropout_view
        if dropout is not None and len(dropout):
            expect(len(dropout) == self.net.layers - 1, "one dropout for each hidden layer")
            self._dropout = array("d", dropout)
            dropout_view = self._dropout
            self.net.dropout = &dropout_view[0]
        raise_if(bp_parameter_count(&self.net, &self.count))

    @property
    def parameter_count(self):
        """Length of the flat parameter array."""
        return self.count

    cdef size_t inputs(self) noexcept:
        return self.net.sizes[0]

    cdef size_t outputs(self) noexcept:
        return self.net.sizes[self.net.layers]

    def sparse_pays(self, size_t entries, size_t rows):
        """Is the first layer faster with only this many entries of ``rows`` rows?"""
        return bp_sparse_pays(&self.net, entries, rows) != 0


include "input.pxi"


# ---- Using a network -----------------------------------------------------------------------------

cdef int look(interrupt) except -1:
    """For Ctrl-C, in this thread or, by an event, in the one that waits for it."""
    PyErr_CheckSignals()
    if interrupt is not None and interrupt.is_set():
        raise KeyboardInterrupt
    return 0


def forward(Architecture architecture not None, const real[::1] parameters not None,
            const real[:, ::1] X, real[:, ::1] out not None,
            unsigned char[::1] workspace not None, size_t block_rows=0, size_t threads=1,
            Sparse sparse=None, size_t slice_rows=0):
    """out (n, outputs) := activations of the last layer for X (n, inputs), or for sparse rows.

    After each ``slice_rows`` rows, 0: all, Python looks for signals; the bits do not depend on it.
    """
    cdef bp_execution how = execution(block_rows, threads)
    cdef bp_status status
    cdef size_t rows = expect_input[real](architecture, parameters, X, sparse), row = 0
    cdef bp_input_f32 single
    cdef bp_input_f64 double_
    expect_targets[real](architecture, out, rows)
    if real is float:
        single = input_f32(X, sparse, None, None)
    else:
        double_ = input_f64(X, sparse, None, None)
    if slice_rows == 0:
        slice_rows = rows
    while True:
        with nogil:
            if real is float:
                status = bp_forward_f32(&architecture.net, &how, &parameters[0], &single, rows,
                                        &row, slice_rows, &out[0, 0], &workspace[0],
                                        workspace.shape[0])
            else:
                status = bp_forward_f64(&architecture.net, &how, &parameters[0], &double_, rows,
                                        &row, slice_rows, &out[0, 0], &workspace[0],
                                        workspace.shape[0])
        raise_if(status)
        look(None)
        if row == rows:
            return


cdef class Forward:
    """``forward`` of a network whose parameters stay where they are, for many short calls.

    What can be checked once is checked here; calls take any number of dense rows.
    """
    cdef Architecture architecture
    cdef const float[::1] singles
    cdef const double[::1] doubles
    cdef bint is_single

    def __cinit__(self, Architecture architecture not None, parameters):
        self.architecture = architecture
        self.is_single = memoryview(parameters).itemsize == sizeof(float)
        if self.is_single:
            self.singles = parameters
            expect_aligned(&self.singles[0], 1, sizeof(float))
        else:
            self.doubles = parameters
            expect_aligned(&self.doubles[0], 1, sizeof(double))
        expect(<size_t>len(parameters) == architecture.count, "parameters have the wrong length")

    def __call__(self, X, out, size_t threads=1):
        """out (n, outputs) := activations for X (n, inputs), both C-contiguous.

        Raises ValueError, TypeError or BufferError where they are not what C needs.
        """
        if self.is_single:
            self.single_rows(X, out, threads)
        else:
            self.double_rows(X, out, threads)

    cdef int single_rows(self, const float[:, ::1] X, float[:, ::1] out, size_t threads) except -1:
        cdef bp_execution how = execution(0, threads)
        cdef bp_network *net = &self.architecture.net
        cdef bp_status status
        cdef bp_input_f32 given = input_f32(X, None, None, None)
        cdef size_t size = 0, rows = X.shape[0], row = 0
        expect(<size_t>X.shape[1] == self.architecture.inputs(), "X has the wrong number of columns")
        expect_aligned(&X[0, 0], rows, sizeof(float))
        expect_targets[float](self.architecture, out, rows)
        raise_if(bp_forward_size_f32(net, &how, rows, &size))
        cdef void *workspace = malloc(size)
        with nogil:
            status = bp_forward_f32(net, &how, &self.singles[0], &given, rows, &row, rows,
                                    &out[0, 0], workspace, size)
            free(workspace)
        if workspace == NULL:
            raise MemoryError
        return raise_if(status)

    cdef int double_rows(self, const double[:, ::1] X, double[:, ::1] out,
                         size_t threads) except -1:
        cdef bp_execution how = execution(0, threads)
        cdef bp_network *net = &self.architecture.net
        cdef bp_status status
        cdef bp_input_f64 given = input_f64(X, None, None, None)
        cdef size_t size = 0, rows = X.shape[0], row = 0
        expect(<size_t>X.shape[1] == self.architecture.inputs(), "X has the wrong number of columns")
        expect_aligned(&X[0, 0], rows, sizeof(double))
        expect_targets[double](self.architecture, out, rows)
        raise_if(bp_forward_size_f64(net, &how, rows, &size))
        cdef void *workspace = malloc(size)
        with nogil:
            status = bp_forward_f64(net, &how, &self.doubles[0], &given, rows, &row, rows,
                                    &out[0, 0], workspace, size)
            free(workspace)
        if workspace == NULL:
            raise MemoryError
        return raise_if(status)


def mean_loss(Architecture architecture not None, const real[::1] parameters not None,
              const real[:, ::1] X, const real[:, ::1] Y not None,
              unsigned char[::1] workspace not None, size_t block_rows=0, size_t threads=1,
              Sparse sparse=None, const real[::1] weights=None, real[:, ::1] out=None,
              size_t slice_rows=0, interrupt=None):
    """Mean loss of the rows of X (n, inputs) against Y (n, outputs); out := the activations.

    slice_rows as for ``forward``. interrupt, a threading.Event, raises KeyboardInterrupt as well.
    """
    cdef bp_execution how = execution(block_rows, threads)
    cdef bp_status status
    cdef double loss = 0
    cdef real *A = NULL
    cdef size_t rows = expect_input[real](architecture, parameters, X, sparse), row = 0
    cdef bp_input_f32 single
    cdef bp_input_f64 double_
    expect_targets[real](architecture, Y, rows)
    expect_weights[real](weights, rows)
    if out is not None:
        expect_targets[real](architecture, out, rows)
        A = &out[0, 0]
    if real is float:
        single = input_f32(X, sparse, weights, None)
    else:
        double_ = input_f64(X, sparse, weights, None)
    if slice_rows == 0:
        slice_rows = rows
    while True:
        with nogil:
            if real is float:
                status = bp_mean_loss_f32(&architecture.net, &how, &parameters[0], &single,
                                          &Y[0, 0], rows, &row, slice_rows, A, &loss,
                                          &workspace[0], workspace.shape[0])
            else:
                status = bp_mean_loss_f64(&architecture.net, &how, &parameters[0], &double_,
                                          &Y[0, 0], rows, &row, slice_rows, A, &loss,
                                          &workspace[0], workspace.shape[0])
        raise_if(status)
        look(interrupt)
        if row == rows:
            return loss


def gradient(Architecture architecture not None, const real[::1] parameters not None,
             const real[:, ::1] X, const real[:, ::1] Y not None, real[::1] out not None,
             unsigned char[::1] workspace not None, size_t block_rows=0, size_t threads=1,
             Sparse sparse=None, const real[::1] weights=None, size_t slice_rows=0,
             interrupt=None):
    """out := gradient of the mean loss, in the layout of the parameters; returns the loss.

    slice_rows and interrupt as for ``mean_loss``.
    """
    cdef bp_execution how = execution(block_rows, threads)
    cdef bp_status status
    cdef double loss = 0
    cdef size_t rows = expect_input[real](architecture, parameters, X, sparse), row = 0
    cdef bp_input_f32 single
    cdef bp_input_f64 double_
    expect_targets[real](architecture, Y, rows)
    expect_weights[real](weights, rows)
    expect(<size_t>out.shape[0] == architecture.count, "out has the wrong length")
    if real is float:
        single = input_f32(X, sparse, weights, None)
    else:
        double_ = input_f64(X, sparse, weights, None)
    if slice_rows == 0:
        slice_rows = rows
    while True:
        with nogil:
            if real is float:
                status = bp_gradient_f32(&architecture.net, &how, &parameters[0], &single,
                                         &Y[0, 0], rows, &row, slice_rows, &out[0], &loss,
                                         &workspace[0], workspace.shape[0])
            else:
                status = bp_gradient_f64(&architecture.net, &how, &parameters[0], &double_,
                                         &Y[0, 0], rows, &row, slice_rows, &out[0], &loss,
                                         &workspace[0], workspace.shape[0])
        raise_if(status)
        look(interrupt)
        if row == rows:
            return loss


include "training.pxi"
include "layers.pxi"
include "second.pxi"
include "turn.pxi"


if os.environ.get("BPCORE_ISA"):
    try:
        use_isa(os.environ["BPCORE_ISA"])
    except ValueError as error:
        raise ImportError(f"BPCORE_ISA: {error}") from None
