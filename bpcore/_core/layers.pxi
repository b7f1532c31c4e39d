"""Single layers, products and elementary functions: a part of _core.pyx."""

# ---- Single layers and products ------------------------------------------------------------------

def dense_forward(str activation, const real[:, ::1] X not None, const real[:, ::1] W not None,
                  const real[::1] b not None, real[:, ::1] Z not None, real[:, ::1] A not None,
                  size_t threads=1):
    """Z (n, O) := X (n, I) W (I, O) + b (O); A (n, O) := g(Z). Z and A may be one array."""
    cdef bp_execution how = execution(0, threads)
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
                   real[::1] db not None, real[:, ::1] dX, size_t threads=1):
    """dW (I, O) := X' delta, db (O) := column sums of delta, dX (n, I) := delta W'.

    dX may be None: not wanted.
    """
    cdef bp_execution how = execution(0, threads)
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
    cdef bp_execution how = execution(0, 1)
    cdef int g = lookup(ACTIVATIONS, "activation", activation)
    if real is float:
        raise_if(bp_activate_f32(&how, g, A.shape[0], A.shape[1], &A[0, 0]))
    else:
        raise_if(bp_activate_f64(&how, g, A.shape[0], A.shape[1], &A[0, 0]))


def activate_slope(str activation, real[:, ::1] Z not None, real[:, ::1] slope not None):
    """Z (n, O) := g(Z), slope (n, O) := g'(Z); not for a softmax."""
    cdef bp_execution how = execution(0, 1)
    cdef int g = lookup(ACTIVATIONS, "activation", activation)
    expect(Z.shape[0] == slope.shape[0] and Z.shape[1] == slope.shape[1],
           "Z and slope differ in shape")
    if real is float:
        raise_if(bp_activate_slope_f32(&how, g, Z.shape[0], Z.shape[1], &Z[0, 0], &slope[0, 0]))
    else:
        raise_if(bp_activate_slope_f64(&how, g, Z.shape[0], Z.shape[1], &Z[0, 0], &slope[0, 0]))


def activation_backward(str activation, const real[:, ::1] A not None, real[:, ::1] dA not None):
    """dA (n, O) := dJ/dZ from dJ/dA, in place, given A = g(Z)."""
    cdef bp_execution how = execution(0, 1)
    cdef int g = lookup(ACTIVATIONS, "activation", activation)
    expect(A.shape[0] == dA.shape[0] and A.shape[1] == dA.shape[1], "A and dA differ in shape")
    if real is float:
        raise_if(bp_activation_backward_f32(&how, g, A.shape[0], A.shape[1], &A[0, 0], &dA[0, 0]))
    else:
        raise_if(bp_activation_backward_f64(&how, g, A.shape[0], A.shape[1], &A[0, 0], &dA[0, 0]))


def matmul(const real[:, :] A not None, const real[:, :] B not None, real[:, ::1] C not None,
           size_t threads=1):
    """C (m, n) += A (m, k) B (k, n), terms in ascending k; A and B may have any strides."""
    cdef bp_execution how = execution(0, threads)
    cdef bp_status status
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
    cdef bp_execution how = execution(0, 1)
    if real is float:
        raise_if(bp_exp_f32(&how, &x[0], x.shape[0]))
    else:
        raise_if(bp_exp_f64(&how, &x[0], x.shape[0]))


def log(real[::1] x not None):
    """x := log x, in place; x is positive, normal and finite."""
    cdef bp_execution how = execution(0, 1)
    if real is float:
        raise_if(bp_log_f32(&how, &x[0], x.shape[0]))
    else:
        raise_if(bp_log_f64(&how, &x[0], x.shape[0]))


def log1p_exp(real[::1] x not None):
    """x := log(1 + e^x), in place; x <= 0."""
    cdef bp_execution how = execution(0, 1)
    if real is float:
        raise_if(bp_log1p_exp_f32(&how, &x[0], x.shape[0]))
    else:
        raise_if(bp_log1p_exp_f64(&how, &x[0], x.shape[0]))


def first_nonfinite(const real[::1] x not None):
    """Index of the first NaN or infinity in x, or -1."""
    cdef bp_execution how = execution(0, 1)
    cdef bp_status status
    cdef size_t index = 0
    with nogil:
        if real is float:
            status = bp_first_nonfinite_f32(&how, &x[0], x.shape[0], &index)
        else:
            status = bp_first_nonfinite_f64(&how, &x[0], x.shape[0], &index)
    raise_if(status)
    return index if index < <size_t>x.shape[0] else -1
