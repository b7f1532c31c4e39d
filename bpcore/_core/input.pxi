"""X dense, sparse or arranged, and the sizes of workspaces: a part of _core.pyx."""

cdef class Sparse:
    """X in compressed sparse rows, as C wants it: values (e,), columns (e,), starts (n + 1,).

    Raises ValueError where columns do not ascend within a row or are not below ``width``.
    """
    cdef bp_input_f32 single
    cdef bp_input_f64 double
    cdef size_t row_count, column_count, itemsize
    cdef object _arrays

    def __cinit__(self, values, const uint32_t[::1] columns not None,
                  const size_t[::1] starts not None, size_t width):
        cdef const float[::1] singles
        cdef const double[::1] doubles
        expect(starts.shape[0] > 0, "starts is empty")
        self.row_count, self.column_count = starts.shape[0] - 1, width
        expect_aligned(&starts[0], 1, sizeof(size_t))
        cdef size_t entries = starts[self.row_count], most = 0
        self.itemsize = memoryview(values).itemsize
        if self.itemsize == sizeof(float):
            singles = values
            expect_aligned(&singles[0], entries, sizeof(float))
            expect(entries <= <size_t>singles.shape[0], "starts names entries without a value")
        else:
            doubles = values
            expect_aligned(&doubles[0], entries, sizeof(double))
            expect(entries <= <size_t>doubles.shape[0], "starts names entries without a value")
        expect(entries <= <size_t>columns.shape[0], "starts names entries without a column")
        expect_aligned(&columns[0], entries, sizeof(uint32_t))
        raise_if(bp_check_csr(self.row_count, width, &starts[0], &columns[0], &most))
        if self.itemsize == sizeof(float):
            self.single = bp_input_f32(NULL, &singles[0], &columns[0], &starts[0], entries, most,
                                       NULL, NULL, 0)
        else:
            self.double = bp_input_f64(NULL, &doubles[0], &columns[0], &starts[0], entries, most,
                                       NULL, NULL, 0)
        self._arrays = values, columns, starts

    def __len__(self):
        return self.row_count

    def as_double(self):
        """The same matrix with values in double; itself where they are."""
        from array import array
        return self if self.itemsize == sizeof(double) else self.holding(array("d", self.values))

    def holding(self, values):
        """The same matrix with other values (e,)."""
        return Sparse(values, *self._arrays[1:], self.column_count)

    @property
    def values(self):
        """The values, as they were given."""
        return self._arrays[0]

    @property
    def entries(self):
        """Number of entries."""
        return max(self.single.entries, self.double.entries)

    @property
    def row_entries(self):
        """The most entries of a row, at least 1."""
        return max(self.single.row_entries, self.double.row_entries)


cdef bp_input_f32 input_f32(const float[:, ::1] X, Sparse sparse, const float[::1] weights,
                            const unsigned char[::1] arrangement):
    cdef bp_input_f32 given = bp_input_f32(NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, 0)
    if sparse is not None:
        given = sparse.single
    else:
        given.dense = &X[0, 0]
    if weights is not None:
        given.weights = &weights[0]
    if arrangement is not None:
        given.arrangement = &arrangement[0]
        given.arrangement_bytes = arrangement.shape[0]
    return given


cdef bp_input_f64 input_f64(const double[:, ::1] X, Sparse sparse, const double[::1] weights,
                            const unsigned char[::1] arrangement):
    cdef bp_input_f64 given = bp_input_f64(NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, 0)
    if sparse is not None:
        given = sparse.double
    else:
        given.dense = &X[0, 0]
    if weights is not None:
        given.weights = &weights[0]
    if arrangement is not None:
        given.arrangement = &arrangement[0]
        given.arrangement_bytes = arrangement.shape[0]
    return given


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
    expect(sparse.itemsize == sizeof(real), "X has the wrong precision")
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


def compress(const real[:, ::1] X not None, real[::1] values not None,
             uint32_t[::1] columns not None, size_t[::1] starts not None):
    """Copy the elements of X (n, I) that are not zero; there is room for I + 16 more than they are.
    """
    cdef bp_execution how = execution(0, 1)
    cdef bp_status status
    cdef size_t room = min(values.shape[0], columns.shape[0])
    expect(starts.shape[0] == X.shape[0] + 1, "starts has the wrong length")
    with nogil:
        if real is float:
            status = bp_compress_f32(&how, &X[0, 0], X.shape[0], X.shape[1], &values[0],
                                     &columns[0], room, &starts[0])
        else:
            status = bp_compress_f64(&how, &X[0, 0], X.shape[0], X.shape[1], &values[0],
                                     &columns[0], room, &starts[0])
    expect(status != BP_BAD_ARGUMENT, "there is no room for the elements of X that are not zero: "
           "it was changed after they were counted")
    raise_if(status)


def count_nonzero(const real[:, ::1] X not None):
    """How many elements of X are not zero."""
    cdef bp_execution how = execution(0, 1)
    cdef size_t nonzero = 0, count = X.shape[0] * X.shape[1]
    with nogil:
        if real is float:
            bp_count_nonzero_f32(&how, &X[0, 0], count, &nonzero)
        else:
            bp_count_nonzero_f64(&how, &X[0, 0], count, &nonzero)
    return nonzero


# ---- Sizes ---------------------------------------------------------------------------------------

def workspace_size(Architecture architecture not None, size_t rows, size_t itemsize,
                   size_t block_rows=0, size_t threads=1, size_t row_entries=0):
    """Bytes of workspace for steps of ``rows`` rows; itemsize is 4 (float32) or 8 (float64)."""
    cdef bp_execution how = execution(block_rows, threads)
    cdef size_t size = 0
    expect(itemsize == 4 or itemsize == 8, "itemsize is neither 4 nor 8")
    if itemsize == 4:
        raise_if(bp_workspace_size_f32(&architecture.net, &how, rows, row_entries, &size))
    else:
        raise_if(bp_workspace_size_f64(&architecture.net, &how, rows, row_entries, &size))
    return size


def forward_size(Architecture architecture not None, size_t rows, size_t itemsize,
                 size_t block_rows=0, size_t threads=1):
    """Bytes of workspace for ``forward``."""
    cdef bp_execution how = execution(block_rows, threads)
    cdef size_t size = 0
    if itemsize == 4:
        raise_if(bp_forward_size_f32(&architecture.net, &how, rows, &size))
    else:
        raise_if(bp_forward_size_f64(&architecture.net, &how, rows, &size))
    return size


def mean_loss_size(Architecture architecture not None, size_t rows, size_t itemsize,
                   size_t block_rows=0, size_t threads=1):
    """Bytes of workspace for ``mean_loss``."""
    cdef bp_execution how = execution(block_rows, threads)
    cdef size_t size = 0
    if itemsize == 4:
        raise_if(bp_mean_loss_size_f32(&architecture.net, &how, rows, &size))
    else:
        raise_if(bp_mean_loss_size_f64(&architecture.net, &how, rows, &size))
    return size


def arrangement_size(Architecture architecture not None, size_t rows, size_t itemsize,
                     size_t entries=0, size_t block_rows=0):
    """Bytes that ``arrange`` needs for so many entries (0: X is dense); 0: nothing to arrange."""
    cdef bp_execution how = execution(block_rows, 1)
    cdef size_t size = 0
    if itemsize == 4:
        raise_if(bp_arrangement_size_f32(&architecture.net, &how, rows, entries, &size))
    else:
        raise_if(bp_arrangement_size_f64(&architecture.net, &how, rows, entries, &size))
    return size
