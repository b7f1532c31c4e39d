# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True
"""The binding: memoryviews become pointers, statuses become exceptions. No mathematics here.

Shapes are those of ``bpcore.h``: rows are samples, a layer's weights are (inputs, outputs). The
callers have checked and converted what users gave; this module checks that buffers have the sizes
that C will use, so that no call can leave its memory. Cython makes each function whose arguments
are ``real`` twice, and sizeof(real) tells C which one calls.
"""
import _thread
import os as _os

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc

ctypedef fused real:
    float
    double

ACTIVATIONS = {bp_activation_name(i).decode(): i for i in range(BP_ACTIVATION_COUNT)}
LOSSES = {bp_loss_name(i).decode(): i for i in range(BP_LOSS_COUNT)}
OPTIMIZERS = {bp_optimizer_name(i).decode(): i for i in range(BP_OPTIMIZER_COUNT)}
# Of losses that go with one output activation: its name.
LOSS_OUTPUTS = {loss: bp_activation_name(bp_loss_output(i)).decode() for loss, i in LOSSES.items()
                if bp_loss_output(i) != BP_ANY_OUTPUT}
# Of losses that have a parameter: what it is below, as it is above 0.
LOSS_LIMITS = {loss: bp_loss_limit(i) for loss, i in LOSSES.items() if bp_loss_limit(i)}

RUN_ROWS, PART_ROWS = BP_RUN_ROWS, BP_PART_ROWS  # Where sums over the rows of a batch are cut.
STEP_WORK = BP_STEP_WORK  # Multiply-adds of a step from which threads share it, unless told.


# ---- Status and instruction sets -----------------------------------------------------------------

cdef int raise_if(bp_status status) except -1 nogil:
    if status != BP_OK:
        with gil:
            raise_status(status)
    return 0


cdef int raise_status(bp_status status) except -1:
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


cdef inline void *vector(const real[::1] x) noexcept nogil:
    """Where C finds the elements; NULL for None."""
    return NULL if x is None else <void *>&x[0]


cdef inline void *matrix(const real[:, ::1] X) noexcept nogil:
    """Likewise of rows."""
    return NULL if X is None else <void *>&X[0, 0]


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
    how.step_work = 0
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

    def sparse_pays(self, size_t nonzeros, size_t rows):
        """Is the first layer faster with only this many nonzeros of ``rows`` rows?"""
        return bp_sparse_pays(&self.net, nonzeros, rows) != 0

    def step_work(self, size_t rows, size_t nonzeros, size_t batch_rows):
        """Multiply-adds of a step of ``batch_rows`` of ``rows`` rows; nonzeros: 0 for dense X."""
        return bp_step_work(&self.net, rows, nonzeros, batch_rows)


# ---- X, dense or sparse --------------------------------------------------------------------------

@cython.internal
cdef class Numbers:
    """A flat array of floats or doubles, held as long as this lives."""
    cdef const float[::1] singles
    cdef const double[::1] doubles
    cdef const void *data
    cdef size_t itemsize, count

    def __cinit__(self, array):
        self.itemsize = memoryview(array).itemsize
        if self.itemsize == sizeof(float):
            self.singles = array
            self.data, self.count = vector(self.singles), self.singles.shape[0]
        else:
            self.doubles = array
            self.data, self.count = vector(self.doubles), self.doubles.shape[0]


cdef class Sparse:
    """X in compressed sparse rows, as C wants it: values (e,), columns (e,), row_offsets (n + 1,).

    Raises ValueError where columns do not ascend within a row or are not below ``width``. Who knows
    that they do, gives ``row_nonzeros``, the most entries of a row, at least 1.
    """
    cdef Numbers numbers
    cdef readonly const uint32_t[::1] columns
    cdef readonly const size_t[::1] row_offsets
    cdef size_t row_count, column_count
    cdef readonly size_t nonzeros
    cdef readonly size_t row_nonzeros  # The most of a row, at least 1
    cdef readonly object values  # As they were given

    def __cinit__(self, values, const uint32_t[::1] columns not None,
                  const size_t[::1] row_offsets not None, size_t width, size_t row_nonzeros=0):
        expect(row_offsets.shape[0] > 0, "row_offsets are empty")
        expect_aligned(&row_offsets[0], 1, sizeof(size_t))
        self.row_count, self.column_count = row_offsets.shape[0] - 1, width
        self.nonzeros = row_offsets[self.row_count]
        self.numbers = Numbers(values)
        expect_aligned(self.numbers.data, self.nonzeros, self.numbers.itemsize)
        expect(self.nonzeros <= self.numbers.count, "row_offsets name nonzeros without a value")
        expect(self.nonzeros <= <size_t>columns.shape[0],
               "row_offsets name nonzeros without a column")
        expect_aligned(&columns[0], self.nonzeros, sizeof(uint32_t))
        self.row_nonzeros = row_nonzeros
        if row_nonzeros == 0:
            raise_if(bp_check_csr(self.row_count, width, &row_offsets[0], &columns[0],
                                  &self.row_nonzeros))
        self.values, self.columns, self.row_offsets = values, columns, row_offsets

    def __len__(self):
        return self.row_count

    def as_double(self):
        """The same matrix with values in double; itself where they are."""
        from array import array
        is_double = self.numbers.itemsize == sizeof(double)
        return self if is_double else self.holding(array("d", self.values))

    def holding(self, values):
        """The same matrix with other values (e,)."""
        return Sparse(values, self.columns, self.row_offsets, self.column_count,
                      self.row_nonzeros)


cdef bp_input input_of(const real[:, ::1] X, Sparse sparse, const real[::1] weights,
                       const unsigned char[::1] packed):
    cdef const void *pointer = NULL
    cdef size_t count = 0
    if packed is not None:
        pointer, count = &packed[0], packed.shape[0]
    if sparse is None:
        return bp_input_of(sizeof(real), matrix(X), NULL, NULL, NULL, 0, 0, vector(weights),
                           pointer, count)
    return bp_input_of(sizeof(real), NULL, sparse.numbers.data, &sparse.columns[0],
                       &sparse.row_offsets[0], sparse.nonzeros, sparse.row_nonzeros,
                       vector(weights), pointer, count)


cdef size_t expect_input(Architecture architecture, const real[::1] parameters,
                         const real[:, ::1] X, Sparse sparse) except? 0:
    """Number of rows of X, dense or sparse, that fits the network and the precision."""
    expect(<size_t>parameters.shape[0] == architecture.count, "parameters have the wrong length")
    expect_aligned(&parameters[0], 1, sizeof(real))
    if sparse is None:
        expect(X is not None, "X is missing")
        expect(<size_t>X.shape[1] == architecture.inputs(), "X has the wrong number of columns")
        expect_aligned(&X[0, 0], X.shape[0], sizeof(real))
        return X.shape[0]
    expect(X is None, "X is given twice")
    expect(sparse.column_count == architecture.inputs(), "X has the wrong number of columns")
    expect(sparse.numbers.itemsize == sizeof(real), "X has the wrong precision")
    return sparse.row_count


cdef int expect_weights(const real[::1] weights, size_t rows) except -1:
    if weights is None:
        return 0
    expect(<size_t>weights.shape[0] == rows, "weights have the wrong length")
    return expect_aligned(&weights[0], rows, sizeof(real))


cdef int expect_targets(Architecture architecture, const real[:, ::1] Y, size_t rows) except -1:
    expect(<size_t>Y.shape[0] == rows and <size_t>Y.shape[1] == architecture.outputs(),
           "Y has the wrong shape")
    return expect_aligned(&Y[0, 0], rows, sizeof(real))


def count_nonzero(const real[:, ::1] X not None, size_t[::1] row_offsets not None,
                  size_t threads=1):
    """row_offsets (n + 1,) := the elements of X (n, I) before each row that are not zero."""
    cdef bp_execution how = execution(0, threads)
    expect(row_offsets.shape[0] == X.shape[0] + 1, "row_offsets have the wrong length")
    expect_aligned(&row_offsets[0], 1, sizeof(size_t))
    with nogil:
        raise_if(bp_count_nonzero(sizeof(real), &how, matrix(X), X.shape[0], X.shape[1],
                                  &row_offsets[0]))


def compress(const real[:, ::1] X not None, const size_t[::1] row_offsets not None,
             real[::1] values not None, uint32_t[::1] columns not None, size_t threads=1):
    """A Sparse of the elements of X (n, I) that are not zero, as many as row_offsets say.

    values and columns are filled, and kept.
    """
    cdef bp_execution how = execution(0, threads)
    cdef bp_status status
    cdef size_t room = min(values.shape[0], columns.shape[0]), row_nonzeros = 0
    expect(row_offsets.shape[0] == X.shape[0] + 1, "row_offsets have the wrong length")
    expect_aligned(&row_offsets[0], 1, sizeof(size_t))
    expect_aligned(&columns[0], 1, sizeof(uint32_t))
    expect(row_offsets[X.shape[0]] <= room, "values or columns are shorter than row_offsets say")
    with nogil:
        status = bp_compress(sizeof(real), &how, matrix(X), X.shape[0], X.shape[1],
                             &row_offsets[0], vector(values), &columns[0], room, &row_nonzeros)
    expect(status != BP_BAD_ARGUMENT, "there are not as many elements of X that are not zero as "
           "row_offsets say: it was changed after they were counted")
    raise_if(status)
    return Sparse(values, columns, row_offsets, X.shape[1], row_nonzeros)


# ---- Sizes in bytes; itemsize is 4 (float32) or 8 (float64) --------------------------------------

def workspace_size(Architecture architecture not None, size_t rows, size_t itemsize,
                   size_t block_rows=0, size_t threads=1, size_t row_nonzeros=0):
    """Workspace for steps of ``rows`` rows."""
    cdef bp_execution how = execution(block_rows, threads)
    cdef size_t size = 0
    expect(itemsize == 4 or itemsize == 8, "itemsize is neither 4 nor 8")
    raise_if(bp_workspace_size(itemsize, &architecture.net, &how, rows, row_nonzeros, &size))
    return size


def forward_size(Architecture architecture not None, size_t rows, size_t itemsize,
                 size_t block_rows=0, size_t threads=1):
    """Workspace for ``forward``."""
    cdef bp_execution how = execution(block_rows, threads)
    cdef size_t size = 0
    raise_if(bp_forward_size(itemsize, &architecture.net, &how, rows, &size))
    return size


def mean_loss_size(Architecture architecture not None, size_t rows, size_t itemsize,
                   size_t block_rows=0, size_t threads=1):
    """Workspace for ``mean_loss``."""
    cdef bp_execution how = execution(block_rows, threads)
    cdef size_t size = 0
    raise_if(bp_mean_loss_size(itemsize, &architecture.net, &how, rows, &size))
    return size


def packed_size(Architecture architecture not None, size_t rows, size_t itemsize,
                size_t nonzeros=0, size_t block_rows=0):
    """What ``pack`` needs for so many nonzeros (0: X is dense); 0: nothing to pack."""
    cdef bp_execution how = execution(block_rows, 1)
    cdef size_t size = 0
    raise_if(bp_packed_size(itemsize, &architecture.net, &how, rows, nonzeros, &size))
    return size


# ---- Using a network -----------------------------------------------------------------------------

cdef int raise_if_interrupted(interrupt) except -1:
    """By Ctrl-C in this thread or, by an event, in the one that waits for it."""
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
    cdef size_t rows = expect_input[real](architecture, parameters, X, sparse), row = 0
    cdef bp_input given = input_of[real](X, sparse, None, None)
    expect_targets[real](architecture, out, rows)
    while True:
        with nogil:
            raise_if(bp_forward(sizeof(real), &architecture.net, &how, vector(parameters),
                                <void *>&given, rows, &row, slice_rows or rows, matrix(out),
                                &workspace[0], workspace.shape[0]))
        raise_if_interrupted(None)
        if row == rows:
            return


cdef class Forward:
    """``forward`` of a network whose parameters stay where they are, for many short calls.

    What can be checked once is checked here; calls take any number of dense rows.
    """
    cdef Architecture architecture
    cdef Numbers parameters

    def __cinit__(self, Architecture architecture not None, parameters):
        self.architecture, self.parameters = architecture, Numbers(parameters)
        expect_aligned(self.parameters.data, 1, self.parameters.itemsize)
        expect(self.parameters.count == architecture.count, "parameters have the wrong length")

    def __call__(self, X, out, size_t threads=1):
        """out (n, outputs) := activations for X (n, inputs), both C-contiguous.

        Raises ValueError, TypeError or BufferError where they are not what C needs.
        """
        if self.parameters.itemsize == sizeof(float):
            forward_dense[float](self.architecture, self.parameters.data, X, out, threads)
        else:
            forward_dense[double](self.architecture, self.parameters.data, X, out, threads)


cdef int forward_dense(Architecture architecture, const void *parameters, const real[:, ::1] X,
                       real[:, ::1] out, size_t threads) except -1:
    cdef bp_execution how = execution(0, threads)
    cdef bp_network *net = &architecture.net
    cdef bp_status status
    cdef bp_input given = input_of[real](X, None, None, None)
    cdef size_t size = 0, rows = X.shape[0], row = 0
    expect(<size_t>X.shape[1] == architecture.inputs(), "X has the wrong number of columns")
    expect_aligned(&X[0, 0], rows, sizeof(real))
    expect_targets[real](architecture, out, rows)
    raise_if(bp_forward_size(sizeof(real), net, &how, rows, &size))
    cdef void *workspace = malloc(size)
    with nogil:
        status = bp_forward(sizeof(real), net, &how, parameters, <void *>&given, rows, &row, rows,
                            matrix(out), workspace, size)
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
    cdef double loss = 0
    cdef size_t rows = expect_input[real](architecture, parameters, X, sparse), row = 0
    cdef bp_input given = input_of[real](X, sparse, weights, None)
    expect_targets[real](architecture, Y, rows)
    expect_weights[real](weights, rows)
    if out is not None:
        expect_targets[real](architecture, out, rows)
    while True:
        with nogil:
            raise_if(bp_mean_loss(sizeof(real), &architecture.net, &how, vector(parameters),
                                  <void *>&given, matrix(Y), rows, &row, slice_rows or rows,
                                  matrix(out), &loss, &workspace[0], workspace.shape[0]))
        raise_if_interrupted(interrupt)
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
    cdef double loss = 0
    cdef size_t rows = expect_input[real](architecture, parameters, X, sparse), row = 0
    cdef bp_input given = input_of[real](X, sparse, weights, None)
    expect_targets[real](architecture, Y, rows)
    expect_weights[real](weights, rows)
    expect(<size_t>out.shape[0] == architecture.count, "out has the wrong length")
    while True:
        with nogil:
            raise_if(bp_gradient(sizeof(real), &architecture.net, &how, vector(parameters),
                                 <void *>&given, matrix(Y), rows, &row, slice_rows or rows,
                                 vector(out), &loss, &workspace[0], workspace.shape[0]))
        raise_if_interrupted(interrupt)
        if row == rows:
            return loss


def backward(Architecture architecture not None, const real[::1] parameters not None,
             const real[:, ::1] X, const real[:, ::1] dA not None, real[::1] gradient,
             real[:, ::1] dX, unsigned char[::1] workspace not None, size_t block_rows=0,
             size_t threads=1, Sparse sparse=None):
    """From dA (n, outputs) = dJ/dA: gradient := dJ/dparameters, dX (n, inputs) := dJ/dX.

    gradient or dX may be None: not wanted.
    """
    cdef bp_execution how = execution(block_rows, threads)
    cdef size_t rows = expect_input[real](architecture, parameters, X, sparse)
    cdef bp_input given = input_of[real](X, sparse, None, None)
    expect_targets[real](architecture, dA, rows)
    if gradient is not None:
        expect(<size_t>gradient.shape[0] == architecture.count, "gradient has the wrong length")
    if dX is not None:
        expect(<size_t>dX.shape[0] == rows and <size_t>dX.shape[1] == architecture.inputs(),
               "dX has the wrong shape")
    with nogil:
        raise_if(bp_backward(sizeof(real), &architecture.net, &how, vector(parameters),
                             <void *>&given, matrix(dA), rows, vector(gradient), matrix(dX),
                             &workspace[0], workspace.shape[0]))


def layer_outputs(Architecture architecture not None, const real[::1] parameters not None,
                  const real[:, ::1] X, const real[:, ::1] Y, real[::1] A, real[::1] deltas,
                  unsigned char[::1] workspace not None, size_t block_rows=0, size_t threads=1,
                  Sparse sparse=None):
    """A := A_1 (n, O_1), A_2 (n, O_2), ...; deltas := dC/dZ of each row's own loss alike.

    Either may be None: not wanted. Y (n, outputs) is needed for the deltas.
    """
    cdef bp_execution how = execution(block_rows, threads)
    cdef size_t width = 0, rows = expect_input[real](architecture, parameters, X, sparse)
    cdef bp_input given = input_of[real](X, sparse, None, None)
    for layer in range(architecture.net.layers):
        width += architecture.net.sizes[layer + 1]
    if A is not None:
        expect(<size_t>A.shape[0] == rows * width, "A has the wrong length")
    if deltas is not None:
        expect(Y is not None, "Y is missing")
        expect_targets[real](architecture, Y, rows)
        expect(<size_t>deltas.shape[0] == rows * width, "deltas have the wrong length")
    with nogil:
        raise_if(bp_layer_outputs(sizeof(real), &architecture.net, &how, vector(parameters),
                                  <void *>&given, NULL if deltas is None else matrix(Y), rows,
                                  vector(A), vector(deltas), &workspace[0], workspace.shape[0]))


def parameter_jacobian(Architecture architecture not None, const real[::1] parameters not None,
                       const real[:, ::1] X, size_t row, size_t rows, real[:, ::1] A not None,
                       real[:, ::1] J not None, unsigned char[::1] workspace not None,
                       size_t block_rows=0, size_t threads=1, Sparse sparse=None):
    """J (rows * outputs, P) := d outputs / d parameters, for rows of X from ``row`` on.

    A (rows, outputs) := the outputs.
    """
    cdef bp_execution how = execution(block_rows, threads)
    cdef size_t all_rows = expect_input[real](architecture, parameters, X, sparse)
    cdef bp_input given = input_of[real](X, sparse, None, None)
    expect(row <= all_rows and rows <= all_rows - row, "X has no such rows")
    expect_targets[real](architecture, A, rows)
    expect(<size_t>J.shape[0] == rows * architecture.outputs()
           and <size_t>J.shape[1] == architecture.count, "J has the wrong shape")
    with nogil:
        raise_if(bp_parameter_jacobian(sizeof(real), &architecture.net, &how, vector(parameters),
                                       <void *>&given, row, rows, matrix(A), matrix(J),
                                       &workspace[0], workspace.shape[0]))


# ---- Training ------------------------------------------------------------------------------------

def pack(Architecture architecture not None, const real[::1] parameters not None,
         const real[:, ::1] X, unsigned char[::1] out not None, size_t block_rows=0,
         size_t threads=1, Sparse sparse=None):
    """out := X in the order in which a full batch meets it."""
    cdef bp_execution how = execution(block_rows, threads)
    cdef size_t rows = expect_input[real](architecture, parameters, X, sparse)
    cdef bp_input given = input_of[real](X, sparse, None, None)
    with nogil:
        raise_if(bp_pack(sizeof(real), &architecture.net, &how, <void *>&given, rows, &out[0],
                         out.shape[0]))


cdef class Rule:
    """How gradients become updates: ``optimizer`` is a name, the rest are the fields of bp_rule."""
    cdef bp_rule rule

    def __cinit__(self, optimizer, *, double momentum=0, double decay=0, double epsilon=0,
                  bint epsilon_inside=False, double weight_decay=0, double shrink=0,
                  double grow=0, double least_step=0, double most_step=0, double l2=0,
                  double l1=0, bint penalty_of_sum=False, double clip_norm=0, double max_norm=0):
        self.rule = bp_rule(lookup(OPTIMIZERS, "optimizer", optimizer), momentum, decay, epsilon,
                            epsilon_inside, weight_decay, shrink, grow, least_step, most_step, l2,
                            l1, penalty_of_sum, clip_norm, max_norm)

    @property
    def moments(self):
        """Arrays of moments that the optimizer keeps, each as long as the parameters."""
        return bp_moment_count(self.rule.optimizer)

    @property
    def keeps_steps(self):
        """Whether the last moments are steps, which begin at the learning rate."""
        return self.rule.optimizer == BP_RPROP


cdef class Training:
    """Some epochs of gradient descent, as far as they have come; fields are those of bp_training.

    ``rule`` is a Rule, or None: plain gradient descent.
    """
    cdef bp_training state
    cdef Rule rule
    cdef double[::1] _losses, _penalties

    def __cinit__(self, size_t batch_rows, double learning_rate, size_t epochs=1, Rule rule=None,
                  *, uint64_t step=0, uint64_t warmup_steps=0, bint rows_count=False,
                  uint64_t seed=0, uint64_t first_epoch=0):
        from array import array
        self.state.batch_rows = batch_rows
        self.state.learning_rate = learning_rate
        self.state.epochs = epochs
        self.rule = rule
        if rule is not None:
            self.state.rule = &rule.rule
        self.state.step, self.state.warmup_steps = step, warmup_steps
        self.state.rows_count = rows_count
        self.state.seed, self.state.first_epoch = seed, first_epoch
        self._losses = array("d", [0.0]) * max(epochs, 1)
        self._penalties = array("d", [0.0]) * max(epochs, 1)
        self.state.losses, self.state.penalties = &self._losses[0], &self._penalties[0]

    @property
    def learning_rate(self):
        """The rate, without a warm-up."""
        return self.state.learning_rate

    @property
    def step(self):
        """Updates that were done."""
        return self.state.step

    @property
    def row(self):
        """Rows of the present epoch that were used so far; all of them at the end."""
        return self.state.row

    @property
    def epoch(self):
        """Epochs that are finished."""
        return self.state.epoch

    @property
    def batches(self):
        """Batches of the present epoch that are finished."""
        return self.state.batches

    @property
    def loss(self):
        """Mean over the finished batches of their mean losses, each taken before its update."""
        return self.state.epoch_loss / self.state.counted if self.state.batches else 0.0

    @property
    def losses(self):
        """``loss`` of each finished epoch."""
        return [self._losses[i] for i in range(self.state.epoch)]

    @property
    def penalties(self):
        """Mean penalty of the batches of each finished epoch."""
        return [self._penalties[i] for i in range(self.state.epoch)]

    def run(self, Architecture architecture not None, real[::1] parameters not None,
            const real[:, ::1] X, const real[:, ::1] Y not None, const size_t[::1] order,
            size_t row_budget, unsigned char[::1] workspace not None, size_t block_rows=0,
            size_t threads=1, size_t step_work=0, Sparse sparse=None,
            const unsigned char[::1] packed=None, const real[::1] weights=None,
            real[:, ::1] moments=None):
        """Go on until ``row_budget`` rows are used or the epochs end. order: row indices, or None.

        moments: (rule.moments, P), or None where there are none. step_work: multiply-adds of a step
        from which threads share it, 0: STEP_WORK. Raises FloatingPointError before a batch whose
        loss is not finite changes anything.
        """
        cdef bp_execution how = execution(block_rows, threads)
        how.step_work = step_work
        cdef const size_t *order_pointer = NULL
        cdef size_t rows = expect_input[real](architecture, parameters, X, sparse)
        cdef bp_input given = input_of[real](X, sparse, weights, packed)
        expect_targets[real](architecture, Y, rows)
        expect_weights[real](weights, rows)
        if order is not None:
            expect(<size_t>order.shape[0] == rows, "order has the wrong length")
            expect_aligned(&order[0], rows, sizeof(size_t))
            order_pointer = &order[0]
        moments = expect_moments[real](self, architecture, moments)
        with nogil:
            raise_if(bp_train(sizeof(real), &architecture.net, &how, vector(parameters),
                              matrix(moments), <void *>&given, matrix(Y), rows, order_pointer,
                              &self.state, row_budget, &workspace[0], workspace.shape[0]))


    def end_batch(self, Architecture architecture not None, real[::1] parameters not None,
             real[::1] gradient not None, size_t batch_rows, double loss, double weight,
             size_t rows, unsigned char[::1] workspace not None, size_t threads=1,
             real[:, ::1] moments=None):
        """End a batch of so many of the epoch's ``rows`` by the sums over it, made elsewhere.

        gradient (P,) is used up. Raises FloatingPointError before a batch whose loss is not finite
        changes anything.
        """
        cdef bp_execution how = execution(0, threads)
        expect(<size_t>parameters.shape[0] == architecture.count
               and <size_t>gradient.shape[0] == architecture.count,
               "parameters or gradient have the wrong length")
        expect_aligned(&parameters[0], 1, sizeof(real))
        expect_aligned(&gradient[0], 1, sizeof(real))
        moments = expect_moments[real](self, architecture, moments)
        with nogil:
            raise_if(bp_end_batch(sizeof(real), &architecture.net, &how, vector(parameters),
                             matrix(moments), vector(gradient), batch_rows, loss, weight,
                             &self.state, rows, &workspace[0], workspace.shape[0]))


cdef real[:, ::1] expect_moments(Training training, Architecture architecture,
                                 real[:, ::1] moments):
    """The moments, or None where the optimizer keeps none."""
    if training.rule is None or training.rule.moments == 0:
        return None
    expect(moments is not None and <size_t>moments.shape[0] == training.rule.moments
           and <size_t>moments.shape[1] == architecture.count, "moments have the wrong shape")
    expect_aligned(&moments[0, 0], 1, sizeof(real))
    return moments


def shuffle(size_t[::1] order not None, uint64_t seed, uint64_t epoch):
    """order := the permutation of 0 ... n - 1 that belongs to (seed, epoch)."""
    raise_if(bp_shuffle(&order[0], order.shape[0], seed, epoch))


# ---- Steps whose rows lie in several processes ---------------------------------------------------

cdef int expect_room(const real[::1] x, size_t count, str name) except -1:
    """x, unless it is None, has so many elements or more."""
    if x is None:
        return 0
    expect(<size_t>x.shape[0] >= count, name + " has too few elements")
    return expect_aligned(&x[0], count, sizeof(real))


cdef const size_t *order_of(const size_t[::1] order, size_t rows) except? NULL:
    """Where C finds the order of so many rows; NULL for None."""
    if order is None:
        return NULL
    expect(<size_t>order.shape[0] == rows, "order has the wrong length")
    expect_aligned(&order[0], rows, sizeof(size_t))
    return &order[0]


def part_deltas(Architecture architecture not None, Training training not None,
                const real[::1] parameters not None, const real[:, ::1] X,
                const real[:, ::1] Y not None, const size_t[::1] order, size_t row, size_t count,
                size_t epoch_row, real[::1] A not None, real[::1] deltas not None,
                double[::1] losses not None, unsigned char[::1] workspace not None,
                size_t threads=1, Sparse sparse=None, const unsigned char[::1] packed=None,
                const real[::1] weights=None):
    """A, deltas and losses := what rows row ... row + count - 1 of the order have for a gradient.

    A: A_1 (count, O_1), ... of the hidden layers; deltas of all layers alike; losses (count,
    outputs). The first of the rows is number ``epoch_row`` of the epoch.
    """
    cdef bp_execution how = execution(0, threads)
    cdef size_t width = 0, rows = expect_input[real](architecture, parameters, X, sparse)
    cdef bp_input given = input_of[real](X, sparse, weights, packed)
    cdef const size_t *order_pointer = order_of(order, rows)
    expect_targets[real](architecture, Y, rows)
    expect_weights[real](weights, rows)
    for layer in range(architecture.net.layers):
        width += architecture.net.sizes[layer + 1]
    expect_room[real](A, count * (width - architecture.outputs()), "A")
    expect_room[real](deltas, count * width, "deltas")
    expect_room[double](losses, count * architecture.outputs(), "losses")
    with nogil:
        raise_if(bp_part_deltas(sizeof(real), &architecture.net, &how, vector(parameters),
                                <void *>&given, matrix(Y), rows, order_pointer, row, count,
                                &training.state, epoch_row, vector(A), vector(deltas), &losses[0],
                                &workspace[0], workspace.shape[0]))


def transposed_size(Architecture architecture not None, size_t rows, size_t nonzeros,
                    size_t itemsize):
    """What ``transpose`` needs for so many rows with at most so many nonzeros."""
    cdef bp_execution how = execution(0, 1)
    cdef size_t size = 0
    raise_if(bp_transposed_size(itemsize, &architecture.net, &how, rows, nonzeros, &size))
    return size


def transpose(Architecture architecture not None, const real[::1] parameters not None,
              Sparse sparse not None, const size_t[::1] order, size_t row, size_t count,
              size_t batch_row, size_t nonzeros, unsigned char[::1] out not None):
    """out := the transpose of rows row ... row + count - 1 of the order, for ``add_rows``."""
    cdef bp_execution how = execution(0, 1)
    cdef size_t rows = expect_input[real](architecture, parameters, None, sparse)
    cdef bp_input given = input_of[real](None, sparse, None, None)
    cdef const size_t *order_pointer = order_of(order, rows)
    with nogil:
        raise_if(bp_transpose(sizeof(real), &architecture.net, &how, <void *>&given, rows,
                              order_pointer, row, count, batch_row, nonzeros, &out[0],
                              out.shape[0]))


def add_rows_size(Architecture architecture not None, size_t itemsize, size_t threads=1):
    """Workspace for ``add_rows``."""
    cdef bp_execution how = execution(0, threads)
    cdef size_t size = 0
    raise_if(bp_add_rows_size(itemsize, &architecture.net, &how, &size))
    return size


def add_rows(Architecture architecture not None, size_t layer, size_t first, size_t end,
             const real[::1] deltas not None, const real[::1] inputs,
             const unsigned char[::1] transposed, size_t nonzeros, size_t count, size_t batch_row,
             size_t batch_rows, real[::1] sums not None, unsigned char[::1] workspace not None,
             size_t threads=1):
    """Go on with the sums over a batch for rows ``first`` ... of a layer's parameters.

    ``inputs`` (count, I) of the layer, or None: ``transposed`` holds them; deltas (count, O). sums
    (k, end - first, O) as in ``bpcore_functions.h``.
    """
    cdef bp_execution how = execution(0, threads)
    cdef const void *pointer = NULL
    expect(layer < architecture.net.layers, "there is no such layer")
    cdef size_t I = architecture.net.sizes[layer], O = architecture.net.sizes[layer + 1]
    cdef size_t k = 1 if batch_rows <= BP_RUN_ROWS else 2 if batch_rows <= BP_PART_ROWS else 4
    cdef size_t size = 0
    expect(first < end <= I + 1, "the layer has no such parameters")
    expect_room[real](inputs, count * I, "inputs")
    expect_room[real](deltas, count * O, "deltas")
    expect_room[real](sums, k * (end - first) * O, "sums")
    if transposed is not None:
        raise_if(bp_transposed_size(sizeof(real), &architecture.net, &how, count, nonzeros, &size))
        expect(<size_t>transposed.shape[0] >= size, "transposed has the wrong size")
        pointer = &transposed[0]
    with nogil:
        raise_if(bp_add_rows(sizeof(real), &architecture.net, &how, layer, first, end,
                             vector(inputs), pointer, nonzeros, vector(deltas), count, batch_row,
                             batch_rows, vector(sums), &workspace[0], workspace.shape[0]))


# ---- Single layers -------------------------------------------------------------------------------

def dense_forward(str activation, const real[:, ::1] X not None, const real[:, ::1] W not None,
                  const real[::1] b not None, real[:, ::1] Z not None, real[:, ::1] A not None,
                  size_t threads=1):
    """Z (n, O) := X (n, I) W (I, O) + b (O); A (n, O) := g(Z). Z and A may be one array."""
    cdef bp_execution how = execution(0, threads)
    cdef size_t size = 0, rows = X.shape[0], inputs = X.shape[1], outputs = W.shape[1]
    cdef int g = lookup(ACTIVATIONS, "activation", activation)
    expect(W.shape[0] == X.shape[1] and b.shape[0] == W.shape[1], "W or b has the wrong shape")
    expect(Z.shape[0] == X.shape[0] and Z.shape[1] == W.shape[1], "Z has the wrong shape")
    expect(A.shape[0] == X.shape[0] and A.shape[1] == W.shape[1], "A has the wrong shape")
    raise_if(bp_dense_workspace_size(sizeof(real), &how, rows, inputs, outputs, &size))
    cdef unsigned char[::1] work = bytearray(size)
    with nogil:
        raise_if(bp_dense_forward(sizeof(real), &how, g, rows, inputs, outputs, matrix(X),
                                  matrix(W), vector(b), matrix(Z), matrix(A), &work[0], size))


def dense_backward(const real[:, ::1] X not None, const real[:, ::1] W not None,
                   const real[:, ::1] delta not None, real[:, ::1] dW not None,
                   real[::1] db not None, real[:, ::1] dX, size_t threads=1):
    """dW (I, O) := X' delta, db (O) := column sums of delta, dX (n, I) := delta W'.

    dX may be None: not wanted.
    """
    cdef bp_execution how = execution(0, threads)
    cdef size_t size = 0, rows = X.shape[0], inputs = X.shape[1], outputs = W.shape[1]
    expect(W.shape[0] == X.shape[1], "W has the wrong shape")
    expect(delta.shape[0] == X.shape[0] and delta.shape[1] == W.shape[1],
           "delta has the wrong shape")
    expect(dW.shape[0] == W.shape[0] and dW.shape[1] == W.shape[1] and db.shape[0] == W.shape[1],
           "dW or db has the wrong shape")
    if dX is not None:
        expect(dX.shape[0] == X.shape[0] and dX.shape[1] == X.shape[1], "dX has the wrong shape")
    raise_if(bp_dense_workspace_size(sizeof(real), &how, rows, inputs, outputs, &size))
    cdef unsigned char[::1] work = bytearray(size)
    with nogil:
        raise_if(bp_dense_backward(sizeof(real), &how, rows, inputs, outputs, matrix(X), matrix(W),
                                   matrix(delta), matrix(dW), vector(db), matrix(dX), &work[0],
                                   size))


def activate(str activation, real[:, ::1] A not None):
    """A (n, O) := g(A), in place; a softmax runs along each row."""
    cdef bp_execution how = execution(0, 1)
    cdef int g = lookup(ACTIVATIONS, "activation", activation)
    raise_if(bp_activate(sizeof(real), &how, g, A.shape[0], A.shape[1], matrix(A)))


def activate_derivative(str activation, real[:, ::1] Z not None, real[:, ::1] derivative not None):
    """Z (n, O) := g(Z), derivative (n, O) := g'(Z); not for a softmax."""
    cdef bp_execution how = execution(0, 1)
    cdef int g = lookup(ACTIVATIONS, "activation", activation)
    expect(Z.shape[0] == derivative.shape[0] and Z.shape[1] == derivative.shape[1],
           "Z and derivative differ in shape")
    raise_if(bp_activate_derivative(sizeof(real), &how, g, Z.shape[0], Z.shape[1], matrix(Z),
                                    matrix(derivative)))


def activation_backward(str activation, const real[:, ::1] A not None, real[:, ::1] dA not None):
    """dA (n, O) := dJ/dZ from dJ/dA, in place, given A = g(Z)."""
    cdef bp_execution how = execution(0, 1)
    cdef int g = lookup(ACTIVATIONS, "activation", activation)
    expect(A.shape[0] == dA.shape[0] and A.shape[1] == dA.shape[1], "A and dA differ in shape")
    raise_if(bp_activation_backward(sizeof(real), &how, g, A.shape[0], A.shape[1], matrix(A),
                                    matrix(dA)))


# ---- Linear algebra ------------------------------------------------------------------------------

def matmul(const real[:, :] A not None, const real[:, :] B not None, real[:, ::1] C not None,
           size_t threads=1):
    """C (m, n) += A (m, k) B (k, n), terms in ascending k; A and B may have any strides."""
    cdef bp_execution how = execution(0, threads)
    cdef size_t size = 0, m = A.shape[0], n = B.shape[1], k = A.shape[1]
    expect(B.shape[0] == A.shape[1], "A has another number of columns than B has rows")
    expect(C.shape[0] == A.shape[0] and C.shape[1] == B.shape[1], "C has the wrong shape")
    cdef Py_ssize_t step = sizeof(real)
    expect(A.strides[0] % step == 0 and A.strides[1] % step == 0
           and B.strides[0] % step == 0 and B.strides[1] % step == 0,
           "strides are no multiple of the element size")
    expect_aligned(&A[0, 0], m * k, sizeof(real))
    expect_aligned(&B[0, 0], k * n, sizeof(real))
    expect_aligned(&C[0, 0], m * n, sizeof(real))
    raise_if(bp_matmul_workspace_size(sizeof(real), &how, m, n, k, &size))
    cdef unsigned char[::1] work = bytearray(size)
    with nogil:
        raise_if(bp_matmul(sizeof(real), &how, m, n, k, <void *>&A[0, 0], A.strides[0] // step,
                           A.strides[1] // step, <void *>&B[0, 0], B.strides[0] // step,
                           B.strides[1] // step, matrix(C), n, &work[0], size))


def cholesky_solve(real[:, ::1] A not None, double damping, const real[::1] diagonal,
                   real[::1] x not None, size_t threads=1):
    """x := solution of (A + damping diagonal) x = b, b in x; A is used up. False: there is none.

    diagonal is (n,), or None: ones. A is symmetric, and no solution is given where the matrix is
    not positive definite.
    """
    cdef bp_execution how = execution(0, threads)
    cdef bp_status status
    cdef size_t size = 0, n = A.shape[0]
    expect(n > 0 and A.shape[0] == A.shape[1], "A is not square")
    expect(<size_t>x.shape[0] == n, "x has the wrong length")
    if diagonal is not None:
        expect(<size_t>diagonal.shape[0] == n, "diagonal has the wrong length")
    raise_if(bp_cholesky_workspace_size(sizeof(real), &how, n, &size))
    cdef unsigned char[::1] work = bytearray(size)
    with nogil:
        status = bp_cholesky_solve(sizeof(real), &how, n, matrix(A), damping, vector(diagonal),
                                   vector(x), &work[0], size)
    if status == BP_NOT_POSITIVE:
        return False
    raise_if(status)
    return True


def dot(const real[::1] x not None, const real[::1] y not None):
    """The sum over x_i y_i, in double, in one order."""
    cdef double total
    expect(x.shape[0] == y.shape[0], "x and y differ in length")
    with nogil:
        total = bp_dot(sizeof(real), vector(x), vector(y), x.shape[0])
    return total


# ---- Elementary functions ------------------------------------------------------------------------

def exp(real[::1] x not None):
    """x := e^x, in place."""
    cdef bp_execution how = execution(0, 1)
    raise_if(bp_exp(sizeof(real), &how, vector(x), x.shape[0]))


def log(real[::1] x not None):
    """x := log x, in place; x is positive, normal and finite."""
    cdef bp_execution how = execution(0, 1)
    raise_if(bp_log(sizeof(real), &how, vector(x), x.shape[0]))


def log1p_exp(real[::1] x not None):
    """x := log(1 + e^x), in place; x <= 0."""
    cdef bp_execution how = execution(0, 1)
    raise_if(bp_log1p_exp(sizeof(real), &how, vector(x), x.shape[0]))


def first_nonfinite(const real[::1] x not None):
    """Index of the first NaN or infinity in x, or -1."""
    cdef bp_execution how = execution(0, 1)
    cdef size_t index = 0
    with nogil:
        raise_if(bp_first_nonfinite(sizeof(real), &how, vector(x), x.shape[0], &index))
    return index if index < <size_t>x.shape[0] else -1


# ---- The lock of a network in training -----------------------------------------------------------

cdef class TrainingLock:
    """``with lock:`` is for the one thread that changes a network; every other is refused.

    A process that was forked meanwhile has neither the thread nor its lock, and begins anew. Not
    in Python, where Ctrl-C may come between any two lines: what is taken here is given back.
    """
    cdef object lock, process
    cdef unsigned long trainer  # The thread that changes it, or 0; one word, never half of one.

    def __cinit__(self):
        self.begin_anew()

    cdef int begin_anew(self) except -1:
        self.lock, self.process, self.trainer = _thread.RLock(), _os.getpid(), 0
        return 0

    cdef int wait(self) except -1:
        """Wait until nobody reads, and keep it so."""
        if _os.getpid() != self.process:
            self.begin_anew()
        self.lock.acquire()
        return 0

    def __enter__(self):
        cdef unsigned long me = _thread.get_ident()
        self.wait()
        try:
            if self.trainer != 0:
                raise RuntimeError(
                    "the network is in training already, and two trainings at once would mix its "
                    "weights: wait for the first one, or train a copy made before it began")
            self.trainer = me
        finally:
            self.lock.release()

    def __exit__(self, *exception):
        self.trainer = 0

    def snapshot(self, function):
        """function(), while no thread changes the network, or between steps of this thread.

        Raises RuntimeError where another thread trains it.
        """
        cdef unsigned long me = _thread.get_ident()
        self.wait()
        try:
            if self.trainer != 0 and self.trainer != me:
                raise RuntimeError(
                    "the network is in training in another thread, and a copy made now could mix "
                    "two steps: save or copy it in a callback of that training, or after it")
            return function()
        finally:
            self.lock.release()


if _os.environ.get("BPCORE_ISA"):
    try:
        use_isa(_os.environ["BPCORE_ISA"])
    except ValueError as error:
        raise ImportError(f"BPCORE_ISA: {error}") from None
