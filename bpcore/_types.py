"""The types that signatures name. Type checkers alone import this module."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from .history import History
    from .network import Network
    from .optimizers import Optimizer
    from .schedules import Schedule

# ---- Names ---------------------------------------------------------------------------------------

HiddenActivation: TypeAlias = Literal[
    "identity",
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "softplus",
    "silu",
    "gelu",
    "exp",
]
Activation: TypeAlias = HiddenActivation | Literal["softmax"]
LossName: TypeAlias = Literal["mse", "bce", "cross_entropy", "mae", "huber", "quantile", "poisson"]
OptimizerName: TypeAlias = Literal[
    "sgd",
    "momentum",
    "nesterov",
    "rmsprop",
    "adam",
    "adamw",
    "rprop",
    "lbfgs",
    "levenberg_marquardt",
]
DTypeName: TypeAlias = Literal["float32", "float64"]
InitName: TypeAlias = Literal["lecun_normal", "he_normal", "xavier_uniform"]
SklearnActivation: TypeAlias = HiddenActivation | Literal["logistic"]
SklearnSolver: TypeAlias = Literal["lbfgs", "sgd", "adam", "rmsprop", "adamw", "rprop"]
Monitor: TypeAlias = Literal["loss", "eval_loss", "eval_accuracy"]

# ---- Settings ------------------------------------------------------------------------------------

DType: TypeAlias = DTypeName | type[np.float32] | type[np.float64] | np.dtype[np.floating[Any]]
Loss: TypeAlias = LossName | tuple[Literal["huber", "quantile"], float]
Init: TypeAlias = (
    InitName | tuple[Literal["normal"], float] | tuple[Literal["normal"], float, Literal["biases"]]
)
ClassWeight: TypeAlias = dict[Any, float] | Literal["balanced"]
LearningRate: TypeAlias = "float | Schedule"
OptimizerLike: TypeAlias = "OptimizerName | Optimizer"
StrPath: TypeAlias = str | PathLike[str]

# ---- Data ----------------------------------------------------------------------------------------

FloatArray: TypeAlias = NDArray[np.floating[Any]]
IntArray: TypeAlias = NDArray[np.int64]
Layers: TypeAlias = list[FloatArray]  # An array for each layer.


class SparseMatrix(Protocol):
    """A matrix or an array of SciPy's, in any of its formats."""

    def tocsr(self) -> Any: ...


MatrixLike: TypeAlias = ArrayLike | SparseMatrix
Pair: TypeAlias = tuple[MatrixLike, ArrayLike]
Arrays: TypeAlias = Mapping[str, MatrixLike]  # By name.
Batches: TypeAlias = Iterable[Pair | tuple[MatrixLike, ArrayLike, ArrayLike]]
# (X_train, y_train), (X_test, y_test)
Targets = TypeVar("Targets")
Split: TypeAlias = tuple[tuple[FloatArray, Targets], tuple[FloatArray, Targets]]

# ---- What is called back -------------------------------------------------------------------------


class Begins(Protocol):
    """What is told of a training's beginning."""

    def begin(self, net: "Network", history: "History", /) -> object: ...


class Watches(Protocol):
    """What is told of each epoch; True: stop."""

    def epoch(self, net: "Network", history: "History", /) -> object: ...


class Ends(Protocol):
    """What is told of a training's end."""

    def end(self, net: "Network", history: "History", /) -> object: ...


class Communicator(Protocol):
    """What ``Network.fit`` needs of an mpi4py communicator, in short."""

    @property
    def rank(self) -> int: ...
    @property
    def size(self) -> int: ...


class Progress(Protocol):
    """What is given the history after each epoch."""

    def __call__(self, history: "History", /) -> object: ...


Callback: TypeAlias = "Callable[[Network, History], object] | Begins | Watches | Ends"
Callbacks: TypeAlias = "Callback | Sequence[Callback] | None"


# ---- Who does the work ---------------------------------------------------------------------------


class ExecutorLike(Protocol):
    """An executor of ``concurrent.futures``, or what has its ``submit``, such as dask's client."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any: ...


# ---- Models of other libraries -------------------------------------------------------------------


class SklearnPerceptron(Protocol):
    """A fitted MLPClassifier or MLPRegressor, in short."""

    coefs_: list[Any]
    intercepts_: list[Any]
    out_activation_: str


class TorchModule(Protocol):
    """A module of PyTorch, in short."""

    def state_dict(self) -> Any: ...


class KerasModel(Protocol):
    """A model of Keras, in short."""

    @property
    def layers(self) -> Any: ...
