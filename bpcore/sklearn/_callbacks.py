"""Who is told of a fit's epochs: the parameter ``callbacks``, and scikit-learn's own protocol.

scikit-learn has callbacks from 1.9 on: ``estimator.set_callbacks(ProgressBar())``. Older ones get
stand-ins that do nothing.
"""

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:
        """In place of scikit-learn's, which is newer than the one installed."""

    def with_callbacks(method):
        """``method`` as it is."""
        return method


__all__ = ["CallbackSupportMixin", "Watch", "with_callbacks"]


class Watch:
    """Tells of the beginning and the end of a fit and of each of its epochs, ``epochs`` at most.

    ``data`` is ``X``, ``y`` and ``metadata``, as users gave them to fit. ``protocol`` says whether
    scikit-learn's own callbacks take part; those of ``partial_fit`` would begin anew at each call.
    """

    def __init__(self, estimator, data, epochs, protocol):
        self.estimator, self.data, self.fit, self.epoch = estimator, data, None, None
        watched = getattr(estimator, "_skl_callbacks", ()) or hasattr(
            estimator, "_parent_callback_ctx"
        )
        if protocol and watched:
            self.fit = estimator._init_callback_context(max_subtasks=epochs)
            self.fit.call_on_fit_task_begin(estimator=estimator, **data)

    def begin(self):
        """An epoch begins."""
        if self.fit is not None:
            self.epoch = self.fit.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def end(self):
        """An epoch has ended; returns whether somebody wants to stop. All are asked."""
        answers = [callback(self.estimator) for callback in self.estimator.callbacks or ()]
        if self.fit is not None:
            answers.append(self._told(self.epoch))
        return any(answer is True for answer in answers)

    def finish(self):
        """The fit has ended."""
        if self.fit is not None:
            self._told(self.fit)

    def _told(self, context):
        return context.call_on_fit_task_end(
            estimator=self.estimator, reconstruction_attributes=self._fitted, **self.data
        )

    def _fitted(self):
        """What makes a copy of the estimator one whose fit has ended here."""
        return {
            name: [array.copy() for array in getattr(self.estimator, name)]
            for name in ("coefs_", "intercepts_")
        }
