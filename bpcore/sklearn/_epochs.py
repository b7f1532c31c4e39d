"""Epochs of a stochastic solver, with scikit-learn's curves and its reasons to stop."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from . import _network, _overrides, _parameters

# Below this rate the adaptive schedule gives up, as scikit-learn's.
LEAST_RATE = 1e-6

CURVES = ("loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_")


def begin_curves(estimator):
    """Curves without an entry, for weights that were never trained."""
    early = estimator.early_stopping
    estimator.loss_curve_ = []
    estimator.validation_scores_ = [] if early else None
    estimator.best_validation_score_ = -np.inf if early else None
    estimator.best_loss_ = None if early else np.inf
    estimator._no_improvement_count = 0


class Optimizer:
    """What the optimiser keeps from one call of ``partial_fit`` to the next.

    Attributes
    ----------
    learning_rate : float
        The present one.
    moments : ndarray (moments, parameters), optional
    step : int
        Updates that were done.
    """

    def __init__(self, learning_rate):
        self.learning_rate, self.moments, self.step = float(learning_rate), None, 0


class Epochs:
    """Epochs of one call of ``fit`` or ``partial_fit``.

    Parameters
    ----------
    estimator
        Its curves, counts and learning rate go on from where they are.
    trainer : bpcore._trainer.Trainer
    rows : int
        That are trained on.
    loss_scale : float
        Of the core's loss, to make it scikit-learn's.
    held_out : HeldOut, optional
    watch : Watch
    """

    def __init__(self, estimator, trainer, rows, loss_scale, held_out, watch):
        self.estimator, self.trainer, self.rows = estimator, trainer, rows
        self.loss_scale, self.held_out, self.watch = loss_scale, held_out, watch
        self.order = np.arange(rows, dtype=np.uintp) if estimator.shuffle else None
        # Weights that were never trained are the best so far; those of a warm start are not.
        self.best = None if estimator.loss_curve_ else self._parameters.copy()

    @property
    def _parameters(self):
        return self.trainer.net.parameters

    def run(self, random, once):
        """Train until something ends it; ``once`` is for partial_fit.

        Raises ValueError where losses or weights cease to be finite, unless there are best weights
        to go back to.
        """
        estimator = self.estimator
        estimator._epochs = self
        try:
            for _ in range(1 if once else estimator.max_iter):
                if self._epoch(random):
                    break
            else:
                if not once:
                    _warn_not_converged(estimator)
        except KeyboardInterrupt:
            warnings.warn("Training was interrupted; the weights are those so far", stacklevel=4)
        except FloatingPointError as error:
            self._diverged(error)
        finally:
            del estimator._epochs
            # The best weights of an override, which keeps them where scikit-learn does.
            kept = [vars(estimator).pop(f"_best_{name}", None) for name in ("coefs", "intercepts")]
        if estimator.early_stopping and None not in kept:
            _network.Coupled(self.trainer.net).read(*kept)
        elif estimator.early_stopping and self.best is not None:
            self._parameters[...] = self.best

    def _epoch(self, random):
        """One epoch; returns whether it is the last one."""
        estimator = self.estimator
        self.watch.begin()
        if self.order is not None:
            random.shuffle(self.order)
        (loss,), (penalty,) = self.trainer.run(estimator._optimizer.learning_rate, order=self.order)
        estimator.n_iter_ += 1
        estimator.loss_ = loss * self.loss_scale + penalty
        estimator.t_ += self.rows
        estimator.loss_curve_.append(estimator.loss_)
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {estimator.loss_:.8f}")
        self._measure()
        self._judge()
        if estimator.learning_rate == "invscaling" and self._has_schedule():
            base = float(estimator.learning_rate_init)
            estimator._optimizer.learning_rate = base / (estimator.t_ + 1) ** estimator.power_t
        stop = estimator._no_improvement_count > estimator.n_iter_no_change and self._gives_up()
        return self.watch.end() or stop

    def _measure(self):
        """Loss of the rows that are held out."""
        if self.held_out is not None:
            self.held_out.measure(self.loss_scale)

    def _judge(self):
        """Score the rows that are held out and count, as the estimator's methods have it."""
        estimator, held_out = self.estimator, self.held_out
        early = estimator.early_stopping
        if _overrides.are_own(estimator, _overrides.AFTER_EPOCHS):
            self.count(held_out.score() if early else None)
            return
        rows = None, None, None
        if early:
            rows = held_out.X, estimator._decoded(held_out.Y), held_out.weights
        estimator._update_no_improvement_count(early, *rows)

    def count(self, score):
        """Count the epochs without an improvement, and keep what is best."""
        estimator = self.estimator
        if estimator.early_stopping:
            estimator.validation_scores_.append(score)
            if estimator.verbose:
                print(f"Validation score: {score:f}")
            stands_still = score < estimator.best_validation_score_ + estimator.tol
            if score > estimator.best_validation_score_:
                estimator.best_validation_score_ = score
                self.best = self._parameters.copy()
        else:
            loss = estimator.loss_
            stands_still = loss > estimator.best_loss_ - estimator.tol
            estimator.best_loss_ = min(loss, estimator.best_loss_)
        count = estimator._no_improvement_count
        estimator._no_improvement_count = count + 1 if stands_still else 0

    def _gives_up(self):
        """Whether to stop where nothing improves, or to go on with a smaller rate."""
        estimator = self.estimator
        stop = not (estimator.learning_rate == "adaptive" and self._has_schedule())
        stop = stop or estimator._optimizer.learning_rate <= LEAST_RATE
        if not stop:
            estimator._optimizer.learning_rate /= 5.0
            estimator._no_improvement_count = 0
        if estimator.verbose:
            what = "validation score" if estimator.early_stopping else "training loss"
            then = (
                "stopping"
                if stop
                else f"the learning rate becomes {estimator._optimizer.learning_rate:g}"
            )
            print(
                f"The {what} has not improved by tol={estimator.tol:g} for "
                f"{estimator.n_iter_no_change} epochs: {then}."
            )
        return stop

    def _has_schedule(self):
        return self.estimator.solver in _parameters.SCHEDULED

    def _diverged(self, error):
        """Losses are not finite any more: go back to the best weights, or say what to do."""
        estimator = self.estimator
        if not estimator.early_stopping or self.best is None:
            raise ValueError(
                f"Solver produced non-finite parameter weights or losses: {error}. Large values in "
                "the data may be the cause: scale them, for instance with StandardScaler"
            ) from error
        warnings.warn(
            f"Training diverged ({error}); the weights are those of the best epoch",
            ConvergenceWarning,
            stacklevel=5,
        )
        estimator.validation_scores_.append(float("nan"))


def _warn_not_converged(estimator):
    warnings.warn(
        f"Stochastic solver: {estimator.max_iter} iterations (max_iter) are done and the training "
        "has not converged yet; more iterations or a larger tol may help",
        ConvergenceWarning,
        stacklevel=5,
    )
