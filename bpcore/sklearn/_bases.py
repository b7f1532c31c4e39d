"""What the estimators inherit from scikit-learn, and what type checkers see of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self, TypeVar

    from numpy.typing import ArrayLike

    from .._types import MatrixLike

    Method = TypeVar("Method", bound=Callable[..., Any])

    class BaseEstimator:
        def get_params(self, deep: bool = True) -> dict[str, Any]: ...
        def set_params(self, **params: Any) -> Self: ...

    class CallbackSupportMixin:
        def set_callbacks(self, *callbacks: Any) -> Self: ...

    class ClassifierMixin:
        def score(
            self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None
        ) -> float: ...

    class RegressorMixin(ClassifierMixin): ...

    def available_if(check: Callable[[Any], object]) -> Callable[[Method], Method]: ...

else:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils.metaestimators import available_if

    from ._callbacks import CallbackSupportMixin

__all__ = [
    "BaseEstimator",
    "CallbackSupportMixin",
    "ClassifierMixin",
    "RegressorMixin",
    "available_if",
]
