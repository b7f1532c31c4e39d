"""L-BFGS: gradient descent that learns the loss's curvature from its last steps.

D. Liu and J. Nocedal, *On the limited memory BFGS method for large scale optimization*, 1989. The
algorithms are those of J. Nocedal and S. Wright, *Numerical Optimization*, 2nd edition: 7.4 for
the direction, 3.5 and 3.6 for its length. Scalar products are the core's, so that no bit depends on
the number of threads.
"""

import math
from typing import NamedTuple

import numpy as np

from . import _core

# Sufficient decrease and curvature (N&W, section 3.1, for quasi-Newton directions).
DECREASE, CURVATURE = 1e-4, 0.9

# Evaluations of one search: a bracket that shrinks by a tenth at least each time is narrower than
# a float64 then.
MOST_TRIALS = 40

# A trial stays so far from both ends of its bracket, as a share of it.
MARGIN = 0.1

# What a step grows by where the slope still falls.
LEAST_GROWTH, MOST_GROWTH = 1.5, 10.0

REASONS = {
    "gradient": "every element of the gradient is within gradient_tolerance",
    "decrease": "the last iteration lowered the loss by less than relative_tolerance of it",
    "search": "no lower loss was found in the direction of the gradient",
    "evaluations": "most_evaluations were made",
    "iterations": "all iterations were made",
}


class Step(NamedTuple):
    """An iteration that is finished.

    ``before`` is the value before it, ``value`` that at x after it; ``evaluations`` counts those of
    all iterations so far. ``reason`` is None, or a name of REASONS in the last step. Where x cannot
    be improved, the last step has ``moved`` False and repeats the iteration before. ``state`` is
    what another call needs to go on as this one would: pairs (s, y, s'y), or a damping.
    """

    iteration: int
    x: np.ndarray
    before: float
    value: float
    gradient_norm: float
    evaluations: int
    reason: str | None
    moved: bool = True
    state: object = None


class Point(NamedTuple):
    """A trial of a line search: where, and value and slope along the line there."""

    step: float
    value: float
    slope: float
    x: np.ndarray | None = None
    gradient: np.ndarray | None = None


def fit(net, objective, epochs, **settings):
    """Train ``net``; a generator of a Step after each iteration.

    Parameters
    ----------
    net : Network
        Its parameters are those of the last whole iteration at every yield, and whenever the
        generator is left, as by Ctrl-C.
    objective : callable
        ``_objective.Objective``, or any value_and_gradient for ``iterate``.
    epochs : int
        The most iterations.
    settings
        As for ``iterate``.
    """
    for step in iterate(objective, net.parameters.copy(), epochs, **settings):
        net.parameters[...] = step.x
        yield step


def minimize(value_and_gradient, x, *, iterations, callback=None, **settings):
    """The last Step of ``iterate``; each is given to ``callback``, which may return True to end."""
    step = None
    for step in iterate(value_and_gradient, x, iterations, **settings):
        if callback is not None and callback(step):
            break
    return step


def iterate(
    value_and_gradient,
    x,
    iterations,
    *,
    memory=10,
    gradient_tolerance=1e-5,
    relative_tolerance=None,
    most_evaluations=None,
    state=None,
):
    """Minimise; a generator of Steps, whose values only fall.

    Parameters
    ----------
    value_and_gradient : callable
        x -> (float, ndarray like x). Values that are not finite make a step shorter.
    x : ndarray (P,), float32 or float64
        The start; it stays as it is. The arrays of a Step are never changed later.
    iterations : int
        The most of them.
    memory : int
        Steps that are remembered.
    gradient_tolerance : float
        Ends where no element of the gradient is larger.
    relative_tolerance : float, optional
        Ends after an iteration that gained no more than this share of the value. Default: 64 times
        the precision of x.
    most_evaluations : int, optional
        Ends with the iteration that reaches so many evaluations. Default: no limit.
    state : sequence of (s, y, ...), optional
        Steps that an earlier call remembers, the last one last.

    Raises
    ------
    FloatingPointError
        Where the value or its gradient at the start is not finite.
    """
    if relative_tolerance is None:
        relative_tolerance = 64 * float(np.finfo(x.dtype).eps)
    value, gradient = value_and_gradient(x)
    if not _finite(value, gradient):
        raise FloatingPointError("the loss or its gradient is not finite at the start")
    limit = float("inf") if most_evaluations is None else most_evaluations
    pairs = [(s, y, _core.dot(s, y)) for s, y, *_ in state or ()]
    evaluations, line = 1, _Line(value_and_gradient)
    now = Point(0.0, value, 0.0, x, gradient)
    if _largest(gradient) <= gradient_tolerance:
        yield Step(0, x, value, value, _largest(gradient), 1, "gradient", False)
        return
    for iteration in range(1, iterations + 1):
        found, used = line.search(now, _direction(now.gradient, pairs), first=_first(now, pairs))
        evaluations += used
        if found is None and pairs:  # What is remembered may mislead: the gradient does not.
            pairs.clear()
            found, used = line.search(now, -now.gradient, first=_first(now, pairs))
            evaluations += used
        if found is None:
            norm = _largest(now.gradient)
            last = iteration - 1, now.x, now.value, now.value, norm, evaluations
            yield Step(*last, "search", False)
            return
        _remember(pairs, now, found, memory)
        before, now = now.value, found
        norm = _largest(now.gradient)
        done = iteration == iterations
        reason = why_to_end(before, now.value, norm, gradient_tolerance, relative_tolerance, done)
        if reason in (None, "iterations") and evaluations >= limit:
            reason = "evaluations"
        figures = iteration, now.x, before, now.value, norm, evaluations, reason
        yield Step(*figures, state=tuple(pairs))
        if reason:
            return


def why_to_end(before, value, norm, gradient_tolerance, relative_tolerance, done):
    """The reason to end after an iteration, or None; `done`: it was the last one allowed."""
    if norm <= gradient_tolerance:
        return "gradient"
    if before - value <= relative_tolerance * max(abs(before), abs(value)):
        return "decrease"
    return "iterations" if done else None


# ---- The direction -------------------------------------------------------------------------------


def _direction(gradient, pairs):
    """-H gradient, with H the inverse Hessian that the pairs (s, y, s'y) tell (algorithm 7.4)."""
    q = -gradient
    shares = []
    for s, y, sy in reversed(pairs):
        shares.append(_core.dot(s, q) / sy)
        q -= shares[-1] * y
    if pairs:
        s, y, sy = pairs[-1]
        q *= sy / _core.dot(y, y)
    for (s, y, sy), share in zip(pairs, reversed(shares), strict=True):
        q += (share - _core.dot(y, q) / sy) * s
    return q


def _first(now, pairs):
    """The first length to try: 1, which the pairs aim at; without them, that of a move of 1.

    Where x is so large that its precision would swallow that, the move grows with it.
    """
    if pairs:
        return 1.0
    visible = math.sqrt(float(np.finfo(now.x.dtype).eps) * _core.dot(now.x, now.x))
    return min(1.0, max(1.0, visible) / math.sqrt(_core.dot(now.gradient, now.gradient)))


def _remember(pairs, before, now, memory):
    """Add the step's pair, if its curvature is positive beyond rounding."""
    s, y = now.x - before.x, now.gradient - before.gradient
    sy, yy = _core.dot(s, y), _core.dot(y, y)
    if sy > float(np.finfo(s.dtype).eps) * yy:
        pairs.append((s, y, sy))
        del pairs[:-memory]


# ---- The length ----------------------------------------------------------------------------------


class _Line:
    """Searches along lines for points that fulfil the strong Wolfe conditions."""

    def __init__(self, value_and_gradient):
        self.value_and_gradient = value_and_gradient

    def search(self, start, direction, *, first):
        """(a Point, or None where none is lower than the start; evaluations)."""
        self.start, self.direction, self.trials = start, direction, 0
        self.slope = _core.dot(start.gradient, direction)
        if not (np.isfinite(self.slope) and self.slope < 0):
            return None, 0
        found = self._bracket(first)
        lower = found.x is not None and found.value < start.value
        return (found if lower else None), self.trials

    def _try(self, step):
        self.trials += 1
        with np.errstate(over="ignore", invalid="ignore"):
            x = self.start.x + step * self.direction
        value, gradient = self.value_and_gradient(x)
        if not _finite(value, gradient):
            return Point(step, float("inf"), float("nan"))
        return Point(step, value, _core.dot(gradient, self.direction), x, gradient)

    def _too_high(self, point):
        return not point.value <= self.start.value + DECREASE * point.step * self.slope

    def _bracket(self, step):
        """Algorithm 3.5: lengthens the step until a bracket holds what is looked for."""
        before = Point(0.0, self.start.value, self.slope)
        while self.trials < MOST_TRIALS:
            now = self._try(step)
            if self._too_high(now) or (before.step > 0 and now.value >= before.value):
                return self._zoom(before, now)
            if abs(now.slope) <= -CURVATURE * self.slope:
                return now
            if now.slope >= 0:
                return self._zoom(now, before)
            step = _extrapolated(before, now)
            before = now
        return before

    def _zoom(self, low, high):
        """Algorithm 3.6: `low` is the lowest point that descends enough; its slope points to high.

        Returns it where rounding or the number of trials ends the search.
        """
        while self.trials < MOST_TRIALS:
            step = _interpolated(low, high)
            if step in (low.step, high.step):
                break
            now = self._try(step)
            if self._too_high(now) or now.value >= low.value:
                high = now
                continue
            if abs(now.slope) <= -CURVATURE * self.slope:
                return now
            if now.slope * (high.step - low.step) >= 0:
                high = low
            low = now
        return low


def _cubic(a, b):
    """Where the cubic with the values and slopes of both points is least (N&W, 3.59); or NaN."""
    with np.errstate(all="ignore"):
        width = b.step - a.step
        d = a.slope + b.slope - 3 * (b.value - a.value) / width
        root = np.sqrt(np.float64(d * d - a.slope * b.slope)) * np.sign(width)
        return float(b.step - width * (b.slope + root - d) / (b.slope - a.slope + 2 * root))


def _interpolated(low, high):
    """A step between the two, by the cubic; nearer to `low` where `high` is not finite."""
    width = high.step - low.step
    if not np.isfinite(high.value):
        return low.step + MARGIN * width
    ends = sorted((low.step + MARGIN * width, high.step - MARGIN * width))
    step = _cubic(low, high)
    return min(max(step, ends[0]), ends[1]) if np.isfinite(step) else low.step + width / 2


def _extrapolated(before, now):
    """A longer step, by the cubic where it has a minimum there."""
    step = _cubic(before, now)
    if not np.isfinite(step) or step <= now.step:
        step = 2 * now.step
    return min(max(step, LEAST_GROWTH * now.step), MOST_GROWTH * now.step)


# ---- Numbers -------------------------------------------------------------------------------------


def _finite(value, gradient):
    return bool(np.isfinite(value)) and _core.first_nonfinite(gradient) < 0


def _largest(gradient):
    """The maximum norm."""
    return float(np.abs(gradient).max())
