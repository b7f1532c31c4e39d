"""Private methods under scikit-learn's names, which subclasses may override."""

import numpy as np

from . import _epochs, _overrides, _parameters


class Hooks:
    """Methods of scikit-learn's that subclasses, instances and classes may have replaced."""

    def __init_subclass__(cls, **how):
        super().__init_subclass__(**how)
        _overrides.refuse_unheard(cls)

    def _initialize(self, y, layer_units, dtype):
        """Draw start weights for layers of these sizes, and begin all curves."""
        self.n_iter_, self.t_, self.n_outputs_ = 0, 0, y.shape[1]
        self.n_layers_, self.out_activation_ = len(layer_units), self._output()
        self.coefs_, self.intercepts_ = [], []
        for sizes in zip(layer_units[:-1], layer_units[1:], strict=True):
            coef, intercept = self._init_coef(*sizes, dtype)
            self.coefs_.append(coef)
            self.intercepts_.append(intercept)
        if self.solver not in _parameters.SECOND_ORDER:
            _epochs.begin_curves(self)

    def _init_coef(self, fan_in, fan_out, dtype):
        """Start weights of one layer, drawn as scikit-learn draws them (Glorot and Bengio 2010).

        scikit-learn has one activation and lets it choose the last layer's bound, too; of a list,
        the last name does.
        """
        given = self.activation
        names = [given] if isinstance(given, str) else [*given] or ["identity"]
        name = names[min(len(getattr(self, "coefs_", ())), len(names) - 1)]
        bound = np.sqrt((2.0 if name in ("logistic", "sigmoid") else 6.0) / (fan_in + fan_out))
        coef = self._random_state.uniform(-bound, bound, (fan_in, fan_out))
        intercept = self._random_state.uniform(-bound, bound, fan_out)
        return coef.astype(dtype, copy=False), intercept.astype(dtype, copy=False)

    @_overrides.own
    def _update_no_improvement_count(self, early_stopping, X, y, sample_weight=None):
        """Count the epochs without an improvement; X and y are the rows that are held out."""
        self._epochs.count(
            self._score(X, y, sample_weight=sample_weight) if early_stopping else None
        )

    def _score_with_function(self, X, y, sample_weight, score_function):
        """The score of predictions of checked X; NaN where one is not finite."""
        predicted = self._predict(X, check_input=False)
        if predicted.dtype.kind == "f" and not np.isfinite(predicted).all():
            return np.nan
        return score_function(y, predicted, sample_weight=sample_weight)
