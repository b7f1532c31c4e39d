"""Memory and threads that are refused: a clean error, or the same bits."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import bpcore
from bpcore import _core
from bpcore._training import hyperparameters, second_order
from tests import allocations_cases
from tests.programs import ROOT

sys.path.append(str(ROOT / "tools"))
import faults

needs_faults = pytest.mark.skipif(faults.missing() is not None, reason=str(faults.missing()))

X = np.random.default_rng(0).standard_normal((40, 5)).astype("f4")
Y = X[:, :1] ** 2


def everything(net):
    return net.parameters.tobytes(), net.epochs, repr(net._state)


@pytest.mark.parametrize("optimizer", ["lbfgs", "levenberg_marquardt"])
@pytest.mark.parametrize("iteration", [1, 2, 3])
def test_an_iteration_is_kept_whole_or_not_at_all(monkeypatch, optimizer, iteration):
    """Memory that ends while the state of an iteration is made takes the iteration back."""

    def network():
        return bpcore.Network([5, 4, 1], hidden="tanh", output="identity", seed=1)

    def refuse(state, **changes):
        if changes["step"] == iteration:
            raise MemoryError
        return replace(state, **changes)

    net, twin = network(), network()
    if iteration > 1:
        twin.fit(X, Y, epochs=iteration - 1, optimizer=optimizer)
    monkeypatch.setattr(second_order, "replace", refuse)
    with pytest.raises(MemoryError):
        net.fit(X, Y, epochs=5, optimizer=optimizer)
    assert everything(net) == everything(twin)
    monkeypatch.undo()
    for each in (net, twin):
        each.fit(X, Y, epochs=1, optimizer=optimizer)
    assert everything(net) == everything(twin)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rprop"])
@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize("data", [(X, Y), ([(X[:20], Y[:20]), (X[20:], Y[20:])],)])
def test_state_that_cannot_be_made_stops_a_descent_before_its_first_step(
    monkeypatch, optimizer, before, data
):
    """Between the weights and their counts nothing is left to fail."""

    def refuse(*arguments):
        raise MemoryError

    net, twin = (
        bpcore.Network([5, 4, 1], hidden="tanh", output="identity", seed=1) for _ in range(2)
    )
    how = {"optimizer": optimizer, "learning_rate": 0.01}
    for each in (net, twin):
        each.fit(X, Y, epochs=before, **how)
    monkeypatch.setattr(hyperparameters, "TrainingState", refuse)
    with pytest.raises(MemoryError):
        net.fit(*data, epochs=5, **how)
    assert everything(net) == everything(twin)


def run(*command):
    done = faults.start(*command, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


QUICK = [
    ("fit, adam", "large", 1),
    ("fit, adam", "each", 23),
    ("fit, lbfgs", "each", 31),
    ("forward", "each", 1),
    ("forward, sparse", "each", 1),
    ("save", "each", 11),
]
CALLS = [*allocations_cases.pure(), *allocations_cases.FILES, *allocations_cases.fits()]
# A worker thread of concurrent.futures dies of a small failure, unheard.
LONG = [
    (call, "each", 1) for call in CALLS if call not in ("fit_many", "forward", "forward, sparse")
]
LONG += [(call, "large", 1) for call in CALLS if (call, "large", 1) not in QUICK]
PATIENCE = 120  # seconds for the attempts of one call


@needs_faults
@pytest.mark.parametrize(
    ("call", "way", "stride"), QUICK + [pytest.param(*one, marks=pytest.mark.long) for one in LONG]
)
def test_memory_that_is_refused_is_an_error_and_nothing_else(call, way, stride, tmp_path):
    """A process that the interpreter or NumPy itself has ended is followed by another."""
    begin, complaints, failed, status = 1, [], 0, None
    while status != 0:
        command = [ROOT / "tests/allocations.py", call, way, begin, stride, tmp_path]
        try:
            output = dict(capture_output=True, text=True, errors="replace")
            done = faults.start(*command, trace=True, timeout=PATIENCE, **output)
            status, said = done.returncode, done.stderr
        except subprocess.TimeoutExpired:
            status, said = 1, f"it did not end in {PATIENCE} s"
        if status == 0:
            *lines, last = done.stdout.splitlines()
            complaints, failed = complaints + lines, failed + int(last.split()[1])
        else:
            n = int((tmp_path / "n").read_text())
            if status > 0 or "binding." in faults.traced(said):
                complaints.append(f"{n}: the process ended with {status}: {said[-1500:]}")
            failed, begin = failed + 1 + (n - begin) // stride, n + stride
    assert complaints == []
    assert failed > 0 or way == "large"


def test_every_call_of_the_binding_is_made_to_fail():
    """Training and TrainingLock are what every fit is made of; the other two only set a number."""
    elsewhere = {"Training", "TrainingLock", "use_isa", "use_thread_work"}
    called = allocations_cases.network_calls() | allocations_cases.array_calls()
    public = {name for name, value in vars(_core).items() if callable(value) and name[0] != "_"}
    assert called.keys() == public - elsewhere


PLANTED = """
import allocations, faults, numpy as np, allocations_cases as cases
failing, kept = faults.Faults(), []

def changes(net):
    net.parameters[0] += 1
    return np.empty(1000)

def hides(net):
    try:
        return np.zeros(1000)
    except MemoryError:
        return np.zeros(10)

def renames(net):
    try:
        return np.zeros(1000)
    except MemoryError:
        raise KeyError from None

def keeps(net):
    try:
        return np.zeros(1000)
    except MemoryError:
        kept.append([object() for _ in range(20)])
        raise

def breaks(net):
    if kept:
        raise KeyError
    try:
        return np.zeros(1000)
    except MemoryError:
        kept.append(0)
        raise

for call in (changes, hides, renames, keeps, breaks):
    kept.clear()
    subject = allocations.Subject(call.__name__, cases.classifier, call)
    allocations.OWN = ""
    found, _ = allocations.attempts(failing, subject, "large", 1, 1, lambda n: None)
    print(call.__name__, found)
steps = allocations.Steps(*cases.fits()["fit, adam"], None)
good = cases.state(steps.net)
for wrong in (("", *good[1:]), (good[0], 9, *good[2:]), (*good[:2], 1, good[3])):
    print(steps.complaint(wrong))
print(steps.complaint(good))
"""


@needs_faults
def test_the_checker_sees_what_breaks_a_law():
    status, output = run("-c", PLANTED)
    for complaint in (
        "changes ['changes, large 1: the network has changed'",
        "hides ['hides, large 1: it ended with another result'",
        "renames ['renames, large 1: it ended with KeyError()'",
        "blocks are lost each time",
        "breaks ['breaks, large 1: the next call ended with KeyError()'",
        "the weights are those of no whole step",
        "epochs is 9 after 9 steps of 3 an epoch",
        "the optimiser is at step 1, the weights are at 9",
    ):
        assert complaint in output
    assert status == 0 and output.endswith("None\n"), output


@needs_faults
def test_a_team_that_gets_fewer_threads_has_the_same_bits():
    status, output = run(ROOT / "tests/fewer_threads.py")
    assert status == 0 and output.endswith(" 0 broken laws\n"), output
    assert int(output.split()[0]) > 100


HELPERS = """
import fewer_threads, numpy as np

def other_each_time(n):
    fewer_threads.network().forward(fewer_threads.X, n_threads=n)
    return np.random.default_rng().random(3)

print(fewer_threads.complaints({"other each time": other_each_time})[0][0])
"""


@needs_faults
def test_the_checker_sees_other_bits():
    status, output = run("-c", HELPERS)
    assert status == 0 and output == "other each time, 2 threads, creation 1: other bits\n"


def test_losses_of_finished_epochs_are_given_as_numbers():
    training = _core.Training(1, 0.1, 3)
    assert training.losses == training.penalties == []
