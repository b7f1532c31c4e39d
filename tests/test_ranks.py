"""Training on many ranks: the bits of one process, and an end on all where one fails.

tests/ranks.py is what the ranks do; here they are launched, more of them than there are cores.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import bpcore
from bpcore._training.distributed import Batch, Plan
from bpcore._training.sums_over_ranks import slices_of
from tests import real_data

PROGRAM = Path(__file__).with_name("ranks.py")
SECONDS = 120  # A launch that takes longer hangs: the longest takes about 10 here.


def launcher():
    """mpiexec of this environment, or of the system."""
    beside = Path(sys.prefix) / "bin" / "mpiexec"
    return str(beside) if beside.exists() else shutil.which("mpiexec")


needs_mpi = pytest.mark.skipif(launcher() is None, reason="no MPI is installed: pip install mpich")


def launch(ranks, *subjects, seconds=SECONDS):
    """What the ranks print; an error says what they said before."""
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    command = [launcher(), "-n", str(ranks), sys.executable, str(PROGRAM), *subjects]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.run(command, env=environment, timeout=seconds, **pipes)


def cases(done):
    """How many cases each subject has found alike; what differs is an error, and is said."""
    assert done.returncode == 0, done.stdout[-3000:]
    lines = [line.split() for line in done.stdout.splitlines()]
    assert all(len(line) == 2 and line[1] == "cases" for line in lines), done.stdout[-3000:]
    return [int(count) for count, _ in lines]


@needs_mpi
@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 5])
def test_any_number_of_ranks_gives_the_bits_of_one_process(ranks):
    """Optimisers, losses, forms of batches, precisions, sparsity, uneven and empty shares; where
    sums travel and where rows do."""
    tall = ["tall"] if ranks in (2, 5) else []
    assert cases(launch(ranks, "covering", *tall)) == [21, *[4 for _ in tall]]


@needs_mpi
@pytest.mark.parametrize("ranks", [3])
def test_the_real_images_are_learnt_alike_on_ranks(ranks):
    real_data.mnist58()
    assert cases(launch(ranks, "mnist")) == [1]


@pytest.mark.long
@needs_mpi
@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 5])
def test_all_settings_together_give_the_bits_of_one_process(ranks):
    assert cases(launch(ranks, "every", seconds=3600)) == [7 * 7 * 4 * 2 * 2 * 3 * 2 * 2]


@needs_mpi
def test_what_fails_on_one_rank_ends_all_with_its_error():
    """An exception, other shapes and settings, a NaN, Ctrl-C, a loss that is not finite."""
    assert cases(launch(3, "faults", "overflow")) == [18, 1]


@needs_mpi
def test_parts_in_two_batches_and_settings_of_one_rank_are_as_in_one_process_or_refused():
    assert cases(launch(3, "edges")) == [1]


@needs_mpi
def test_callbacks_of_any_rank_count_on_all_and_files_are_written_once(tmp_path, monkeypatch):
    monkeypatch.setenv("BPCORE_TEST_FILE", str(tmp_path / "model"))
    assert cases(launch(3, "callbacks")) == [1]


@pytest.mark.long
@needs_mpi
def test_fifty_faults_of_each_kind_end_all_ranks():
    assert cases(launch(3, "many_faults", seconds=600)) == [450]


@needs_mpi
def test_a_rank_that_is_killed_ends_the_job():
    started = time.monotonic()
    done = launch(3, "killed", seconds=30)
    assert done.returncode != 0 and time.monotonic() - started < 15


@needs_mpi
def test_the_command_prints_the_same_costs_on_two_ranks(tmp_path):
    real_data.mnist58()
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    words = [sys.executable, "-m", "bpcore", "mnist58", "--iterations", "5", "--layers", "20"]
    model = tmp_path / "model.safetensors"
    pipes = {"capture_output": True, "text": True, "timeout": SECONDS}
    alone = subprocess.run(words, **pipes).stdout
    ranks = subprocess.run([launcher(), "-n", "2", *words, "--save", str(model)], **pipes).stdout
    shown = [[line for line in text.splitlines() if "time" not in line] for text in (alone, ranks)]
    recipe = model.with_name("model.recipe.json")
    written = [f"network: {model}", f"recipe:  {recipe}"]
    assert len(shown[0]) == 5 and shown[1] == [*shown[0], *written]
    assert bpcore.Network.load(model).epochs == 5
    assert bpcore.verify(recipe, model=model).reproduced


# ---- Without MPI ---------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(784, 196, 1), (3, 1), (784, 512, 512, 10)])
@pytest.mark.parametrize("ranks", [1, 2, 7, 64])
def test_slices_are_all_parameters_once_and_in_order(sizes, ranks):
    at = 0
    for piece in slices_of(sizes, ranks):
        outputs = sizes[piece.layer + 1]
        assert piece.place.start == at and piece.end > piece.first
        assert piece.place.stop - at == (piece.end - piece.first) * outputs
        at = piece.place.stop
    assert at == sum((i + 1) * o for i, o in zip(sizes, sizes[1:], strict=False))


@pytest.mark.parametrize("counts", [[10], [4, 6], [0, 7, 0, 3], [3, 3, 4, 0]])
@pytest.mark.parametrize("batch", [1, 3, 10])
def test_a_plan_shares_each_batch_out_in_ascending_order(counts, batch):
    order = np.random.RandomState(1).permutation(10)
    plans = [Plan(counts, rank, batch) for rank in range(len(counts))]
    for plan in plans:
        plan.reorder(order)
    for number, parts in enumerate(zip(*(plan.batches() for plan in plans), strict=True)):
        expected, found, at = np.sort(order[number * batch : (number + 1) * batch]), [], 0
        for plan, part in zip(plans, parts, strict=True):
            rows = plan.order[part.row : part.row + part.count] + np.uintp(plan.first)
            assert part.at == at and part.epoch_row == number * batch + at
            found.extend(rows)
            at += part.count
        assert found == list(expected) and {part.rows for part in parts} == {len(expected)}
        holders = [rank for rank, part in enumerate(parts) if part.count]
        assert {part.last for part in parts} == {holders[-1]}
        chain = [(parts[rank].before, parts[rank].after) for rank in holders]
        assert chain == list(zip([None, *holders[:-1]], [*holders[1:], None], strict=True))


def test_full_batches_are_one_batch_without_an_order():
    plan = Plan([3, 4], 1, 7)
    assert list(plan.batches()) == [Batch(0, 7, 0, 4, 3, 3, 0, None, 1)] and plan.order is None


def test_a_communicator_is_one_of_mpi4py():
    net = bpcore.Network([2, 1], seed=0)
    with pytest.raises(
        TypeError, match="comm is object without rank, but a communicator of mpi4py"
    ):
        net.fit([[0.0, 1.0]], [1], epochs=1, learning_rate=0.1, comm=object())
