"""Where pickles of networks look for what standardises, by the name that it had first."""

from ._model.scaling import Standardizer as Scaling

__all__ = ["Scaling"]
