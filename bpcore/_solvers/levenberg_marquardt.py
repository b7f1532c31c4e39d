"""Levenberg-Marquardt: for squares, the curvature is known from first derivatives alone.

D. Marquardt, *An algorithm for least-squares estimation of nonlinear parameters*, 1963; for
networks: M. Hagan and M. Menhaj, *Training feedforward networks with the Marquardt algorithm*,
1994. The damping follows H. Nielsen, *Damping parameter in Marquardt's method*, 1999, which needs
no constant that depends on the problem.
"""

import numpy as np

from .. import _core
from .._core.slices import unmeasured_rows
from .._inputs import csr
from .lbfgs import LIMITS, MOVED, Step, Tolerances, largest
from .objective import penalty_of

# J'J has P^2 elements and is factorised by P^3 / 3 operations, for every damping that is tried: for
# 2,000 parameters 32 MB (twice, for the factor) and 3 GFLOP. Beyond, L-BFGS is the better method.
MAX_PARAMETERS = 2000

# The first damping, as a share of the largest diagonal element of the Hessian (Nielsen).
FIRST_DAMPING = 1e-3

# Dampings that are tried in an iteration: the product of 2, 4, ..., 2^16 exceeds 1e40.
MAX_TRIALS = 16

# Bytes of the Jacobian of a block of rows: what passes to J'J while a third-level cache holds it.
JACOBIAN_BYTES = 16 << 20

# Multiply-adds of a block's share of J'J: a hundredth of a second, so that Ctrl-C is heard. Results
# do not depend on it, and blocks a twentieth of that size were found to cost 3 %.
BLOCK_WORK = 200_000_000


def check(net):
    """Raise ValueError where Levenberg-Marquardt cannot train ``net``."""
    if net.loss_name != "mse":
        raise ValueError(
            f"Levenberg-Marquardt is for sums of squares, loss 'mse', but the loss is "
            f"{net.loss_name!r}; 'lbfgs' takes any"
        )
    count = len(net.parameters)
    if count > MAX_PARAMETERS:
        raise ValueError(
            f"the network has {count:,} parameters, but Levenberg-Marquardt takes at most "
            f"{MAX_PARAMETERS:,}: it solves a system of as many equations in every iteration; "
            f"'lbfgs' has no such limit"
        )


class LeastSquares:
    """The mean of 1/2 |a - y|^2 over rows, plus l2 / 2 times the sum of squared weights.

    Computed in float64 whatever the network's dtype: the condition of J'J is the square of J's,
    and float32 would leave nothing of it. Arguments are those of ``Objective``.
    """

    def __init__(self, net, X, Y, *, weights=None, l2=0.0, threads=1, interrupt=None):
        self.dtype, self.architecture = net.dtype, net._architecture(None)
        self.dense, self.sparse = csr.split(_double(net, X))
        self.Y = Y.astype(np.float64, copy=False)
        self.weights = None if weights is None else weights.astype(np.float64)
        self.total = float(len(Y)) if weights is None else _core.dot(self.weights, np.ones(len(Y)))
        self.l2 = penalty_of(net, l2, np.float64)
        self.how = {"threads": threads, "sparse": self.sparse}
        self.interrupt = interrupt
        count, n = self.architecture.parameter_count, len(Y)
        row_elements = count * Y.shape[1]
        most = min(JACOBIAN_BYTES // (8 * row_elements), BLOCK_WORK // (count * row_elements))
        self.block = max(1, min(n, most))
        row_nonzeros = 0 if self.sparse is None else self.sparse.row_nonzeros
        size = _core.workspace_size(self.architecture, self.block, 8, 0, threads, row_nonzeros)
        self.workspace = np.empty(size, np.uint8)
        self.loss_workspace = np.empty(
            _core.mean_loss_size(self.architecture, n, 8, 0, threads), np.uint8
        )
        self.J = np.empty((self.block * Y.shape[1], count))
        self.A = np.empty((self.block, Y.shape[1]))

    def rounded(self, x):
        """x (P,) as the network will hold it: a call that goes on from there does the same."""
        return x.astype(self.dtype).astype(np.float64)

    def value(self, x):
        """The objective at x (P,), float64."""
        data = x, self.dense, self.Y, self.loss_workspace
        how = {**self.how, "weights": self.weights, "slice_rows": unmeasured_rows(len(x))}
        loss = _core.mean_loss(self.architecture, *data, **how, interrupt=self.interrupt)
        return loss if self.l2 is None else loss + 0.5 * _core.dot(self.l2 * x, x)

    def system(self, x):
        """Gradient (P,) and Gauss-Newton Hessian (P, P) at x: means of J'(a - y) and of J'J."""
        n, outputs = self.Y.shape
        gradient, hessian = np.zeros((len(x), 1)), np.zeros((len(x), len(x)))
        threads = self.how["threads"]
        for row in range(0, n, self.block):
            if self.interrupt is not None and self.interrupt.is_set():
                raise KeyboardInterrupt
            rows = min(self.block, n - row)
            A, J = self.A[:rows], self.J[: rows * outputs]
            data = x, self.dense, row, rows, A, J, self.workspace
            _core.parameter_jacobian(self.architecture, *data, **self.how)
            residuals = (A - self.Y[row : row + rows]).reshape(-1, 1)
            if self.weights is not None:
                roots = np.repeat(np.sqrt(self.weights[row : row + rows]), outputs)[:, None]
                residuals *= roots
                J *= roots
            _core.matmul(J.T, residuals, gradient, threads)
            _core.matmul(J.T, J, hessian, threads)
        gradient /= self.total
        hessian /= self.total
        if self.l2 is not None:
            gradient[:, 0] += self.l2 * x
            hessian.reshape(-1)[:: len(x) + 1] += self.l2
        return gradient[:, 0].copy(), hessian

    def solve(self, hessian, damping, b):
        """The solution of (hessian + damping) p = b; None where there is none."""
        p = b.copy()
        solved = _core.cholesky_solve(hessian.copy(), damping, None, p, self.how["threads"])
        return p if solved and _core.first_nonfinite(p) < 0 else None


def iterate(
    objective,
    x,
    iterations,
    *,
    gradient_tolerance=1e-8,
    relative_tolerance=None,
    state=None,
    elsewhere=lambda x: None,
):
    """Minimise like ``lbfgs.iterate``, whose arguments these are, but for two.

    ``objective`` is LeastSquares, or what has its four methods; x is float64. ``state`` is the
    damping that an earlier call has reached: it stays where ``elsewhere`` goes on. An iteration
    tries dampings until one lowers the value.
    """
    ends = Tolerances.of(gradient_tolerance, relative_tolerance, x.dtype)
    value, gradient, hessian = _start(objective, x)
    damping = FIRST_DAMPING * float(hessian.diagonal().max()) if state is None else state
    evaluations, norm = 1, largest(gradient)
    for iteration in range(1, iterations + 1):
        here = iteration - 1, x, value, value, norm
        if norm <= gradient_tolerance:
            yield Step(*here, evaluations, "gradient", False)
            return
        system = gradient, hessian
        found, damping, used = _improve(objective, x, value, *system, damping)
        evaluations += used
        if found is None:
            yield Step(*here, evaluations, "search", False)
            return
        before, (x, value) = value, found
        gradient, hessian = objective.system(x)
        norm = largest(gradient)
        reason = ends.why_to_end(before, value, norm)
        if reason is None and iteration == iterations:
            reason = "iterations"
        yield Step(iteration, x, before, value, norm, evaluations, reason, state=damping)
        place = None if reason in LIMITS else elsewhere(x)
        if place is not None:
            x, evaluations = place, evaluations + 1
            value, gradient, hessian = _start(objective, x, MOVED)
            norm = largest(gradient)
        elif reason:
            return


def _start(objective, x, where="at the start"):
    value, (gradient, hessian) = objective.value(x), objective.system(x)
    if not np.isfinite(value) or _core.first_nonfinite(hessian.reshape(-1)) >= 0:
        raise FloatingPointError(f"the loss or its gradient is not finite {where}")
    return value, gradient, hessian


def _improve(objective, x, value, gradient, hessian, damping):
    """((x, value), or None where no damping lowers it; the next damping; evaluations)."""
    factor, evaluations = 2.0, 0
    for _ in range(MAX_TRIALS):
        step = objective.solve(hessian, damping, -gradient)
        if step is not None:
            trial = objective.rounded(x + step)
            lower = objective.value(trial)
            evaluations += 1
            promised = 0.5 * (damping * _core.dot(step, step) - _core.dot(gradient, step))
            if lower < value:  # A value that is not finite is not.
                ratio = (value - lower) / promised if promised > 0 else 1.0
                return (trial, lower), damping * max(1 / 3, 1 - (2 * ratio - 1) ** 3), evaluations
        damping *= factor
        factor *= 2
    return None, damping, evaluations


def _double(net, X):
    """X in float64, dense, or sparse where few elements are not zero."""
    if isinstance(X, _core.Sparse):
        return X.as_double()
    return csr.to_csr_if_faster(net._core, X.astype(np.float64, copy=False))
