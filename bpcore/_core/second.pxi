"""Gradients from outside, Jacobians, linear systems, scalar products: a part of _core.pyx."""

def backward(Architecture architecture not None, const real[::1] parameters not None,
             const real[:, ::1] X, const real[:, ::1] dA not None, real[::1] gradient,
             real[:, ::1] dX, unsigned char[::1] workspace not None, size_t block_rows=0,
             size_t threads=1, Sparse sparse=None):
    """From dA (n, outputs) = dJ/dA: gradient := dJ/dparameters, dX (n, inputs) := dJ/dX.

    gradient or dX may be None: not wanted.
    """
    cdef bp_execution how = execution(block_rows, threads)
    cdef bp_status status
    cdef real *gradient_pointer = NULL
    cdef real *dX_pointer = NULL
    cdef size_t rows = expect_input[real](architecture, parameters, X, sparse)
    cdef bp_input_f32 single
    cdef bp_input_f64 double_
    expect_targets[real](architecture, dA, rows)
    if gradient is not None:
        expect(<size_t>gradient.shape[0] == architecture.count, "gradient has the wrong length")
        gradient_pointer = &gradient[0]
    if dX is not None:
        expect(<size_t>dX.shape[0] == rows and <size_t>dX.shape[1] == architecture.inputs(),
               "dX has the wrong shape")
        dX_pointer = &dX[0, 0]
    if real is float:
        single = input_f32(X, sparse, None, None)
    else:
        double_ = input_f64(X, sparse, None, None)
    with nogil:
        if real is float:
            status = bp_backward_f32(&architecture.net, &how, &parameters[0], &single, &dA[0, 0],
                                     rows, gradient_pointer, dX_pointer, &workspace[0],
                                     workspace.shape[0])
        else:
            status = bp_backward_f64(&architecture.net, &how, &parameters[0], &double_, &dA[0, 0],
                                     rows, gradient_pointer, dX_pointer, &workspace[0],
                                     workspace.shape[0])
    raise_if(status)


def trace(Architecture architecture not None, const real[::1] parameters not None,
          const real[:, ::1] X, const real[:, ::1] Y, real[::1] A, real[::1] deltas,
          unsigned char[::1] workspace not None, size_t block_rows=0, size_t threads=1,
          Sparse sparse=None):
    """A := A_1 (n, O_1), A_2 (n, O_2), ...; deltas := dC/dZ of each row's own loss alike.

    Either may be None: not wanted. Y (n, outputs) is needed for the deltas.
    """
    cdef bp_execution how = execution(block_rows, threads)
    cdef bp_status status
    cdef const real *Y_pointer = NULL
    cdef real *A_pointer = NULL
    cdef real *delta_pointer = NULL
    cdef size_t width = 0, rows = expect_input[real](architecture, parameters, X, sparse)
    cdef bp_input_f32 single
    cdef bp_input_f64 double_
    for layer in range(architecture.net.layers):
        width += architecture.net.sizes[layer + 1]
    if A is not None:
        expect(<size_t>A.shape[0] == rows * width, "A has the wrong length")
        A_pointer = &A[0]
    if deltas is not None:
        expect(Y is not None, "Y is missing")
        expect_targets[real](architecture, Y, rows)
        expect(<size_t>deltas.shape[0] == rows * width, "deltas have the wrong length")
        Y_pointer, delta_pointer = &Y[0, 0], &deltas[0]
    if real is float:
        single = input_f32(X, sparse, None, None)
    else:
        double_ = input_f64(X, sparse, None, None)
    with nogil:
        if real is float:
            status = bp_trace_f32(&architecture.net, &how, &parameters[0], &single, Y_pointer,
                                  rows, A_pointer, delta_pointer, &workspace[0],
                                  workspace.shape[0])
        else:
            status = bp_trace_f64(&architecture.net, &how, &parameters[0], &double_, Y_pointer,
                                  rows, A_pointer, delta_pointer, &workspace[0],
                                  workspace.shape[0])
    raise_if(status)


def parameter_jacobian(Architecture architecture not None, const real[::1] parameters not None,
                       const real[:, ::1] X, size_t row, size_t rows, real[:, ::1] A not None,
                       real[:, ::1] J not None, unsigned char[::1] workspace not None,
                       size_t block_rows=0, size_t threads=1, Sparse sparse=None):
    """J (rows * outputs, P) := d outputs / d parameters, for rows of X from ``row`` on.

    A (rows, outputs) := the outputs.
    """
    cdef bp_execution how = execution(block_rows, threads)
    cdef bp_status status
    cdef size_t all_rows = expect_input[real](architecture, parameters, X, sparse)
    cdef bp_input_f32 single
    cdef bp_input_f64 double_
    expect(row <= all_rows and rows <= all_rows - row, "X has no such rows")
    expect_targets[real](architecture, A, rows)
    expect(<size_t>J.shape[0] == rows * architecture.outputs()
           and <size_t>J.shape[1] == architecture.count, "J has the wrong shape")
    if real is float:
        single = input_f32(X, sparse, None, None)
    else:
        double_ = input_f64(X, sparse, None, None)
    with nogil:
        if real is float:
            status = bp_parameter_jacobian_f32(&architecture.net, &how, &parameters[0], &single,
                                               row, rows, &A[0, 0], &J[0, 0], &workspace[0],
                                               workspace.shape[0])
        else:
            status = bp_parameter_jacobian_f64(&architecture.net, &how, &parameters[0], &double_,
                                               row, rows, &A[0, 0], &J[0, 0], &workspace[0],
                                               workspace.shape[0])
    raise_if(status)


def cholesky_solve(real[:, ::1] A not None, double damping, const real[::1] diagonal,
                   real[::1] x not None, size_t threads=1):
    """x := solution of (A + damping diagonal) x = b, b in x; A is used up. False: there is none.

    diagonal is (n,), or None: ones. A is symmetric, and no solution is given where the matrix is
    not positive definite.
    """
    cdef bp_execution how = execution(0, threads)
    cdef bp_status status
    cdef const real *diagonal_pointer = NULL
    cdef size_t size = 0, n = A.shape[0]
    expect(n > 0 and A.shape[0] == A.shape[1], "A is not square")
    expect(<size_t>x.shape[0] == n, "x has the wrong length")
    if diagonal is not None:
        expect(<size_t>diagonal.shape[0] == n, "diagonal has the wrong length")
        diagonal_pointer = &diagonal[0]
    if real is float:
        raise_if(bp_cholesky_workspace_size_f32(&how, n, &size))
    else:
        raise_if(bp_cholesky_workspace_size_f64(&how, n, &size))
    cdef unsigned char[::1] work = bytearray(size)
    with nogil:
        if real is float:
            status = bp_cholesky_solve_f32(&how, n, &A[0, 0], damping, diagonal_pointer, &x[0],
                                           &work[0], size)
        else:
            status = bp_cholesky_solve_f64(&how, n, &A[0, 0], damping, diagonal_pointer, &x[0],
                                           &work[0], size)
    if status == BP_NOT_POSITIVE:
        return False
    raise_if(status)
    return True


def dot(const real[::1] x not None, const real[::1] y not None):
    """The sum over x_i y_i, in double, in one order."""
    cdef double total
    expect(x.shape[0] == y.shape[0], "x and y differ in length")
    with nogil:
        if real is float:
            total = bp_dot_f32(&x[0], &y[0], x.shape[0])
        else:
            total = bp_dot_f64(&x[0], &y[0], x.shape[0])
    return total
