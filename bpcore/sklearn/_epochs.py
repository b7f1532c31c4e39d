"""Epochs of a stochastic solver, with scikit-learn's curves and its reasons to stop."""

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._model.training_state import TrainingState
from .._training.descent import Descent
from .._training.hyperparameters import first_moments
from .._training.loop import Hooks, train
from . import _network, _overrides, _parameters, _refused
from ._warn import warn

# Below this rate the adaptive schedule gives up, as scikit-learn's.
MIN_RATE = 1e-6

CURVES = ("loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_")


def begin_curves(estimator):
    """Curves without an entry, for weights that were never trained."""
    estimator.loss_curve_ = []
    _begin_scores(estimator)
    if estimator.early_stopping:
        estimator.best_validation_score_ = -np.inf


def go_on(estimator):
    """Curves to go on with: begun where they are new, for weights that are not.

    What a solver without epochs remembers of its way ends with it.
    """
    vars(estimator).pop("_going_on", None)
    if not hasattr(estimator, "loss_curve_"):  # A warm start after a solver that has no curves.
        estimator.loss_curve_ = []
        _begin_scores(estimator)
    elif estimator.early_stopping != (getattr(estimator, "validation_scores_", None) is not None):
        _begin_scores(estimator)


def leave(estimator):
    """Forget what belongs to the weights as they are, before a solver without epochs moves them."""
    estimator._optimizer = None
    if hasattr(estimator, "best_validation_score_"):
        estimator.best_validation_score_ = None


def _begin_scores(estimator):
    """What tells an improvement; a best score of None is still to be measured."""
    early = estimator.early_stopping
    estimator.validation_scores_ = [] if early else None
    estimator.best_validation_score_ = None
    estimator.best_loss_ = None if early else min(estimator.loss_curve_, default=np.inf)
    estimator._no_improvement_count = 0


def first_state(estimator, rule, net):
    """What an optimiser begins with: a TrainingState, whose schedule is that of the parameters.

    ``schedule_state`` has the present learning rate.
    """
    optimizer, schedule = _parameters.optimizer(estimator), _parameters.schedule(estimator)
    rate = schedule[1]
    moments = first_moments(rule, net, rate)
    return TrainingState(optimizer, schedule, {"learning_rate": rate}, 0, moments)


class Optimizer(TrainingState):
    """A TrainingState by the name and the attributes that it has in older pickles."""

    def __setstate__(self, kept):
        rates = {"learning_rate": kept["learning_rate"]}
        self.__init__(kept["kind"], kept["schedule"], rates, kept["step"], kept["moments"])
        self.__class__ = TrainingState


def resume(state, estimator, kept):
    """Let ``state`` take over what one before has kept, as far as it means the same here."""
    same, rates = state.schedule == kept.schedule, state.schedule_state
    if state.schedule[0] == "invscaling":
        rates["learning_rate"] = inverse_scaling(estimator)
    if state.optimizer != kept.optimizer or np.shape(state.moments) != np.shape(kept.moments):
        return
    if same:
        rates["learning_rate"] = kept.schedule_state["learning_rate"]
    elif state.optimizer.name == "rprop":  # Its moments are rates, and begin anew like them.
        return
    state.step = kept.step
    if state.moments is not None:  # Those of a file may be mapped read-only, or lie askew.
        state.moments = np.require(kept.moments, state.moments.dtype, "AW")


def inverse_scaling(estimator):
    """The rate after ``t_`` samples."""
    return float(estimator.learning_rate_init) / (estimator.t_ + 1) ** estimator.power_t


class EpochHooks(Hooks):
    """The hooks of one call of ``fit`` or ``partial_fit`` with a stochastic solver.

    The estimator's curves, counts and learning rate go on from where they are. So many ``rows`` are
    trained on, which ``random`` shuffles; ``loss_scale`` makes the core's loss scikit-learn's;
    ``held_out`` may be None.
    """

    def __init__(self, estimator, net, state, rows, loss_scale, held_out, watch, random):
        self.estimator, self.net, self.state, self.rows = estimator, net, state, rows
        self.loss_scale, self.held_out, self.watch = loss_scale, held_out, watch
        self.order = np.arange(rows, dtype=np.uintp) if estimator.shuffle else None
        self.random, self.best, self.stopped = random, None, False
        if estimator.early_stopping:
            self._begin_best()

    def _begin_best(self):
        """The weights that are there are the best so far, with their score on users' own rows.

        Without ``eval_set`` a warm start holds other rows out than the fit before. scikit-learn
        then compares with the score of that fit, and has no weights to go back to.
        """
        estimator = self.estimator
        warm, own = bool(estimator.loss_curve_), self.held_out.curve is not None
        unknown = estimator.best_validation_score_ is None
        if own or unknown or not warm:
            self.best = self.net.parameters.copy()
        if unknown or (own and warm):
            self.held_out.evaluate()
            score = self._score()
            estimator.best_validation_score_ = -np.inf if np.isnan(score) else score

    def run(self, trainer, once):
        """Train until something ends it; ``once`` is for partial_fit.

        Raises ValueError where losses or weights cease to be finite, unless there are best weights
        to go back to.
        """
        estimator = self.estimator
        estimator._epochs = self
        try:
            train(Descent(trainer, 1 if once else estimator.max_iter, self.plan), self)
            if not (once or self.stopped):
                _warn_not_converged(estimator)
        except KeyboardInterrupt:
            warn("Training interrupted by user. The weights are those so far")
        except FloatingPointError as error:
            self._diverged(error)
        finally:
            del estimator._epochs
            # The best weights of an override, which keeps them where scikit-learn does.
            kept = [vars(estimator).pop(f"_best_{name}", None) for name in ("coefs", "intercepts")]
        if estimator.early_stopping and None not in kept:
            _network.Coupled(self.net).read(*kept)
        elif self.best is not None:
            self.net.parameters[...] = self.best

    def plan(self, epoch):
        """An epoch begins: its learning rate, and the order of its rows."""
        self.watch.begin()
        if self.order is not None:
            self.random.shuffle(self.order)
        _refused.training_begins(self.estimator)
        return self.state.schedule_state["learning_rate"], self.order

    def after(self, epochs):
        """Note an epoch, and tell whether it is the last one."""
        estimator, state = self.estimator, self.state
        (loss,), (penalty,) = epochs.losses, epochs.penalties
        estimator.n_iter_ += 1
        estimator.loss_ = loss * self.loss_scale + penalty
        estimator.t_ += self.rows
        estimator.loss_curve_.append(estimator.loss_)
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {estimator.loss_:.8f}")
        if self.held_out is not None:
            self.held_out.measure(self.loss_scale)
        self._judge()
        if state.schedule[0] == "invscaling":
            state.schedule_state["learning_rate"] = inverse_scaling(estimator)
        stop = estimator._no_improvement_count > estimator.n_iter_no_change and self._gives_up()
        self.stopped = self.watch.end() or stop
        return self.stopped

    def _score(self):
        """The score of the rows that are held out, as the estimator's methods have it."""
        estimator, held_out = self.estimator, self.held_out
        if _overrides.are_own(estimator, _overrides.SCORES):
            return held_out.score()
        rows = held_out.X, estimator._decoded(held_out.Y)
        return estimator._score(*rows, sample_weight=held_out.weights)

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
            gained = score >= estimator.best_validation_score_ + estimator.tol
            stands_still = not (gained and np.isfinite(score))
            if score > estimator.best_validation_score_:
                estimator.best_validation_score_ = score
                self.best = self.net.parameters.copy()
        else:
            loss = estimator.loss_
            stands_still = loss > estimator.best_loss_ - estimator.tol
            estimator.best_loss_ = min(loss, estimator.best_loss_)
        count = estimator._no_improvement_count
        estimator._no_improvement_count = count + 1 if stands_still else 0

    def _gives_up(self):
        """Whether to stop where nothing improves, or to go on with a smaller rate."""
        estimator, rates = self.estimator, self.state.schedule_state
        stop = self.state.schedule[0] != "adaptive" or rates["learning_rate"] <= MIN_RATE
        if not stop:
            rates["learning_rate"] /= 5.0
            estimator._no_improvement_count = 0
        if estimator.verbose:
            what = "validation score" if estimator.early_stopping else "training loss"
            rate = rates["learning_rate"]
            then = "stopping" if stop else f"the learning rate becomes {rate:g}"
            print(
                f"The {what} has not improved by tol={estimator.tol:g} for "
                f"{estimator.n_iter_no_change} epochs: {then}."
            )
        return stop

    def _diverged(self, error):
        """Losses are not finite any more: go back to the best weights, or say what to do."""
        estimator = self.estimator
        if self.best is None:
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                f"values and need to be preprocessed, for instance by StandardScaler: {error}"
            ) from error
        warn(
            f"Training diverged ({error}); the weights are those of the best epoch",
            ConvergenceWarning,
        )
        estimator.validation_scores_.append(float("nan"))


def _warn_not_converged(estimator):
    warn(
        f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the "
        "optimization hasn't converged yet. A larger max_iter or a larger tol may help",
        ConvergenceWarning,
    )
