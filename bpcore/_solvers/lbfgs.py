"""L-BFGS: gradient descent that learns the loss's curvature from its last steps.

D. Liu and J. Nocedal, *On the limited memory BFGS method for large scale optimization*, 1989. The
algorithms are those of J. Nocedal and S. Wright, *Numerical Optimization*, 2nd edition: 7.4 for
the direction, 3.5 and 3.6 for its length. Scalar products are the core's, so that no bit depends on
the number of threads.
"""

import math
from typing import NamedTuple

import numpy as np

from .. import _core

# Sufficient decrease and curvature (N&W, section 3.1, for quasi-Newton directions).
DECREASE, CURVATURE = 1e-4, 0.9

# Evaluations of one search: a bracket that shrinks by a tenth at least each time is narrower than
# a float64 then.
MAX_TRIALS = 40

# A trial stays so far from both ends of its bracket, as a share of it.
MARGIN = 0.1

# What a step grows by where the slope still falls.
MIN_GROWTH, MAX_GROWTH = 1.5, 10.0

REASONS = {
    "gradient": "every element of the gradient is within gradient_tolerance",
    "decrease": "the last iteration lowered the loss by less than relative_tolerance of it",
    "precision": "the last iteration lowered the loss by less than its precision can tell",
    "search": "no lower loss was found in the direction of the gradient",
    "evaluations": "max_evaluations were made",
    "iterations": "all iterations were made",
}

# Those that a tolerance of the user's asks for; limits, which hold wherever the parameters are; and
# those of a method that can do no more.
CONVERGED = ("gradient", "decrease")
LIMITS = ("evaluations", "iterations")
GIVEN_UP = ("precision", "search")

# Where iterations go on from what is not theirs: errors say so.
MOVED = "where the weights were moved to between iterations"


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


class Tolerances(NamedTuple):
    """When iterations end; ``little`` is the reason to give where one has gained too little."""

    gradient: float
    relative: float
    little: str

    @classmethod
    def of(cls, gradient, relative, dtype):
        """Without a ``relative`` one it is 64 times the precision of ``dtype``."""
        if relative is None:
            return cls(gradient, 64 * float(np.finfo(dtype).eps), "precision")
        return cls(gradient, relative, "decrease")

    def gain(self, before, value):
        """The most that counts as no gain between two values."""
        return self.relative * max(abs(before), abs(value))

    def why_to_end(self, before, value, norm):
        """The reason to end after an iteration, or None."""
        if norm <= self.gradient:
            return "gradient"
        return self.little if before - value <= self.gain(before, value) else None


class Point(NamedTuple):
    """A trial of a line search: where, and value and slope along the line there."""

    step: float
    value: float
    slope: float
    x: np.ndarray | None = None
    gradient: np.ndarray | None = None


def iterate(
    value_and_gradient,
    x,
    iterations,
    *,
    memory=10,
    gradient_tolerance=1e-5,
    relative_tolerance=None,
    max_evaluations=None,
    state=None,
    elsewhere=lambda x: None,
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
        Ends after an iteration that gained no more than this share of the value; while fewer
        steps than ``memory`` are remembered only if the next one promises no more, either.
        Default: 64 times the precision of x.
    max_evaluations : int, optional
        Ends with the iteration that reaches so many evaluations. Default: no limit.
    state : sequence of (s, y, ...), optional
        Steps that an earlier call remembers, the last one last.
    elsewhere : callable, optional
        x -> None, or where to go on in place of x, as from a new start: asked after each Step.

    Raises
    ------
    FloatingPointError
        Where the value or its gradient at a start is not finite.
    """
    ends = Tolerances.of(gradient_tolerance, relative_tolerance, x.dtype)
    limit = float("inf") if max_evaluations is None else max_evaluations
    pairs = [pair for s, y, *_ in state or () if (pair := _pair(s, y))]
    line, now, evaluations = _Line(value_and_gradient, ends), _start(value_and_gradient, x), 1
    for iteration in range(1, iterations + 1):
        norm = largest(now.gradient)
        here = iteration - 1, now.x, now.value, now.value, norm
        if norm <= gradient_tolerance:
            yield Step(*here, evaluations, "gradient", False)
            return
        found, used = line.lower(now, pairs)
        evaluations += used
        if found is None:
            yield Step(*here, evaluations, "search", False)
            return
        _remember(pairs, now, found, memory)
        before, now = now.value, found
        norm = largest(now.gradient)
        reason = _why_to_end(ends, before, now, norm, pairs, memory)
        if reason is None and evaluations >= limit:
            reason = "evaluations"
        elif reason is None and iteration == iterations:
            reason = "iterations"
        figures = iteration, now.x, before, now.value, norm, evaluations, reason
        yield Step(*figures, state=tuple(pairs))
        place = None if reason in LIMITS else elsewhere(now.x)
        if place is not None:
            pairs.clear()
            now, evaluations = _start(value_and_gradient, place, MOVED), evaluations + 1
        elif reason:
            return


def _why_to_end(ends, before, now, norm, pairs, memory):
    """The reason to end after the iteration that led to ``now``, or None."""
    reason = ends.why_to_end(before, now.value, norm)
    if reason == ends.little and len(pairs) < memory:  # Too few to know the curvature.
        promised = -0.5 * _core.dot(now.gradient, _direction(now.gradient, pairs))
        return reason if promised <= ends.gain(before, now.value) else None
    return reason


def _start(value_and_gradient, x, where="at the start"):
    value, gradient = value_and_gradient(x)
    if not _finite(value, gradient):
        raise FloatingPointError(f"the loss or its gradient is not finite {where}")
    return Point(0.0, value, 0.0, x, gradient)


# ---- The direction -------------------------------------------------------------------------------


def _direction(gradient, pairs):
    """-H gradient, with H the inverse Hessian that the pairs (s, y, s'y) tell (algorithm 7.4)."""
    q = -gradient
    shares = []
    with np.errstate(over="ignore", invalid="ignore"):  # The search refuses what is not finite.
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

    Where x or the value is so large that its precision would swallow that, the move grows until
    it changes x, or promises to change the value, by half of the digits.
    """
    squares = _core.dot(now.gradient, now.gradient)
    if pairs or not squares:  # The squares of a small gradient may all be 0.
        return 1.0
    eps = float(np.finfo(now.x.dtype).eps)
    visible = math.sqrt(eps * _core.dot(now.x, now.x))
    promising = math.sqrt(eps) * abs(now.value) / squares
    return min(1.0, max(max(1.0, visible) / math.sqrt(squares), promising))


def _pair(s, y, least=0.0):
    """(s, y, s'y); None where s'y is at most ``least``, or one of s'y and y'y no number to use."""
    sy, yy = _core.dot(s, y), _core.dot(y, y)
    return (s, y, sy) if least < sy < math.inf and 0 < yy < math.inf else None


def _remember(pairs, before, now, memory):
    """Add the step's pair, if its curvature is positive beyond rounding.

    Rounding is measured by the fall that the slope before it promised: like s'y, that is a
    difference of losses, whatever the units of x and of the loss are.
    """
    with np.errstate(over="ignore"):  # A difference may be infinite, and makes no pair.
        s, y = now.x - before.x, now.gradient - before.gradient
    promised = -_core.dot(before.gradient, s)
    pair = _pair(s, y, max(0.0, float(np.finfo(s.dtype).eps) * promised))
    if pair:
        pairs.append(pair)
        del pairs[:-memory]


# ---- The length ----------------------------------------------------------------------------------


class _Line:
    """Searches along lines for points that fulfil the strong Wolfe conditions."""

    def __init__(self, value_and_gradient, ends):
        self.value_and_gradient, self.ends = value_and_gradient, ends

    def lower(self, now, pairs):
        """(a Point that is lower than ``now``, or None; evaluations)."""
        found, used = self.search(now, _direction(now.gradient, pairs), first=_first(now, pairs))
        if found is not None or not pairs:
            return found, used
        pairs.clear()  # What is remembered may mislead: the gradient does not.
        found, more = self.search(now, -now.gradient, first=_first(now, pairs))
        return found, used + more

    def search(self, start, direction, *, first):
        """(a Point, or None; evaluations).

        None where no Point is lower than the start, or the lowest is so by too little to count and
        the slope there has not fallen: the search has shrunk to nothing.
        """
        self.start, self.direction, self.trials = start, direction, 0
        self.slope = _core.dot(start.gradient, direction)
        if not (np.isfinite(self.slope) and self.slope < 0):
            return None, 0
        found = self._bracket(first)
        gain = start.value - found.value
        enough = gain > (0.0 if self._is_flat(found) else self.ends.gain(start.value, found.value))
        return (found if enough else None), self.trials

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

    def _is_flat(self, point):
        return abs(point.slope) <= -CURVATURE * self.slope

    def _bracket(self, step):
        """Algorithm 3.5: lengthens the step until a bracket holds what is looked for."""
        before = Point(0.0, self.start.value, self.slope)
        while self.trials < MAX_TRIALS:
            now = self._try(step)
            if self._too_high(now) or (before.step > 0 and now.value >= before.value):
                return self._zoom(before, now)
            if self._is_flat(now):
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
        while self.trials < MAX_TRIALS:
            step = _interpolated(low, high)
            if step in (low.step, high.step):
                break
            now = self._try(step)
            if self._too_high(now) or now.value >= low.value:
                high = now
                continue
            if self._is_flat(now):
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
    return min(max(step, MIN_GROWTH * now.step), MAX_GROWTH * now.step)


# ---- Numbers -------------------------------------------------------------------------------------


def _finite(value, gradient):
    return bool(np.isfinite(value)) and _core.first_nonfinite(gradient) < 0


def largest(gradient):
    """The maximum norm."""
    return float(np.abs(gradient).max())
