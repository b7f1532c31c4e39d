"""Types of the binding; see _core.pyx for what each function does."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from typing_extensions import Buffer

Result = TypeVar("Result")

ACTIVATIONS: dict[str, int]
LOSSES: dict[str, int]
OPTIMIZERS: dict[str, int]

def compiler() -> str: ...
def available_isas() -> list[str]: ...
def isa() -> str: ...
def use_isa(name: str) -> str: ...
def use_thread_work(multiply_adds: int) -> int: ...

class Architecture:
    def __init__(
        self,
        sizes: Sequence[int],
        activations: Sequence[str],
        loss: str,
        loss_parameter: float = 0,
        dropout: Sequence[float] | None = None,
    ) -> None: ...
    @property
    def parameter_count(self) -> int: ...
    def sparse_pays(self, entries: int, rows: int) -> bool: ...

class Sparse:
    def __init__(self, values: Buffer, columns: Buffer, starts: Buffer, width: int) -> None: ...
    def __len__(self) -> int: ...
    def as_double(self) -> Sparse: ...
    def holding(self, values: Buffer) -> Sparse: ...
    @property
    def entries(self) -> int: ...
    @property
    def row_entries(self) -> int: ...

class Forward:
    def __init__(self, architecture: Architecture, parameters: Buffer) -> None: ...
    def __call__(self, X: Buffer, out: Buffer, threads: int = 1) -> None: ...

class Turn:
    def __enter__(self) -> None: ...
    def __exit__(self, *exception: object) -> None: ...
    def read(self, function: Callable[[], Result]) -> Result: ...

class Rule:
    def __init__(
        self,
        optimizer: str,
        *,
        momentum: float = 0,
        decay: float = 0,
        epsilon: float = 0,
        epsilon_inside: bool = False,
        weight_decay: float = 0,
        shrink: float = 0,
        grow: float = 0,
        least_step: float = 0,
        most_step: float = 0,
        l2: float = 0,
        l1: float = 0,
        penalty_of_sum: bool = False,
        clip_norm: float = 0,
        max_norm: float = 0,
    ) -> None: ...
    @property
    def moments(self) -> int: ...
    @property
    def keeps_steps(self) -> bool: ...

class Training:
    def __init__(
        self,
        batch_rows: int,
        learning_rate: float,
        epochs: int = 1,
        rule: Rule | None = None,
        *,
        step: int = 0,
        warmup_steps: int = 0,
        rows_count: bool = False,
        seed: int = 0,
        first_epoch: int = 0,
    ) -> None: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def step(self) -> int: ...
    @property
    def row(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    @property
    def batches(self) -> int: ...
    @property
    def loss(self) -> float: ...
    @property
    def losses(self) -> list[float]: ...
    @property
    def penalties(self) -> list[float]: ...
    def run(
        self,
        architecture: Architecture,
        parameters: Buffer,
        X: Buffer | None,
        Y: Buffer,
        order: Buffer | None,
        row_budget: int,
        workspace: Buffer,
        block_rows: int = 0,
        threads: int = 1,
        sparse: Sparse | None = None,
        arrangement: Buffer | None = None,
        weights: Buffer | None = None,
        moments: Buffer | None = None,
    ) -> None: ...

def workspace_size(
    architecture: Architecture,
    rows: int,
    itemsize: int,
    block_rows: int = 0,
    threads: int = 1,
    row_entries: int = 0,
) -> int: ...
def forward_size(
    architecture: Architecture, rows: int, itemsize: int, block_rows: int = 0, threads: int = 1
) -> int: ...
def mean_loss_size(
    architecture: Architecture, rows: int, itemsize: int, block_rows: int = 0, threads: int = 1
) -> int: ...
def arrangement_size(
    architecture: Architecture, rows: int, itemsize: int, entries: int = 0, block_rows: int = 0
) -> int: ...
def forward(
    architecture: Architecture,
    parameters: Buffer,
    X: Buffer | None,
    out: Buffer,
    workspace: Buffer,
    block_rows: int = 0,
    threads: int = 1,
    sparse: Sparse | None = None,
) -> None: ...
def mean_loss(
    architecture: Architecture,
    parameters: Buffer,
    X: Buffer | None,
    Y: Buffer,
    workspace: Buffer,
    block_rows: int = 0,
    threads: int = 1,
    sparse: Sparse | None = None,
    weights: Buffer | None = None,
    out: Buffer | None = None,
) -> float: ...
def gradient(
    architecture: Architecture,
    parameters: Buffer,
    X: Buffer | None,
    Y: Buffer,
    out: Buffer,
    workspace: Buffer,
    block_rows: int = 0,
    threads: int = 1,
    sparse: Sparse | None = None,
    weights: Buffer | None = None,
    slice_rows: int = 0,
) -> float: ...
def backward(
    architecture: Architecture,
    parameters: Buffer,
    X: Buffer | None,
    dA: Buffer,
    gradient: Buffer | None,
    dX: Buffer | None,
    workspace: Buffer,
    block_rows: int = 0,
    threads: int = 1,
    sparse: Sparse | None = None,
) -> None: ...
def trace(
    architecture: Architecture,
    parameters: Buffer,
    X: Buffer | None,
    Y: Buffer | None,
    A: Buffer | None,
    deltas: Buffer | None,
    workspace: Buffer,
    block_rows: int = 0,
    threads: int = 1,
    sparse: Sparse | None = None,
) -> None: ...
def parameter_jacobian(
    architecture: Architecture,
    parameters: Buffer,
    X: Buffer | None,
    row: int,
    rows: int,
    A: Buffer,
    J: Buffer,
    workspace: Buffer,
    block_rows: int = 0,
    threads: int = 1,
    sparse: Sparse | None = None,
) -> None: ...
def arrange(
    architecture: Architecture,
    parameters: Buffer,
    X: Buffer | None,
    out: Buffer,
    block_rows: int = 0,
    sparse: Sparse | None = None,
) -> None: ...
def compress(X: Buffer, values: Buffer, columns: Buffer, starts: Buffer) -> None: ...
def count_nonzero(X: Buffer) -> int: ...
def shuffle(order: Buffer, seed: int, epoch: int) -> None: ...
def dense_forward(
    activation: str, X: Buffer, W: Buffer, b: Buffer, Z: Buffer, A: Buffer, threads: int = 1
) -> None: ...
def dense_backward(
    X: Buffer,
    W: Buffer,
    delta: Buffer,
    dW: Buffer,
    db: Buffer,
    dX: Buffer | None,
    threads: int = 1,
) -> None: ...
def activate(activation: str, A: Buffer) -> None: ...
def activate_slope(activation: str, Z: Buffer, slope: Buffer) -> None: ...
def activation_backward(activation: str, A: Buffer, dA: Buffer) -> None: ...
def matmul(A: Buffer, B: Buffer, C: Buffer, threads: int = 1) -> None: ...
def cholesky_solve(
    A: Buffer, damping: float, diagonal: Buffer | None, x: Buffer, threads: int = 1
) -> bool: ...
def dot(x: Buffer, y: Buffer) -> float: ...
def exp(x: Buffer) -> None: ...
def log(x: Buffer) -> None: ...
def log1p_exp(x: Buffer) -> None: ...
def first_nonfinite(x: Buffer) -> int: ...
