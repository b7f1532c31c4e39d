"""Threads on one network: one changes it, others use it, and every other wish to change is refused.

Fits that have to overlap are held in a callback until the test lets them go: nothing is timed.
"""

import contextlib
import copy
import ctypes
import os
import pickle
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import bpcore
import bpcore.network
from bpcore._model.training_state import TrainingState
from bpcore._solvers import levenberg_marquardt
from tests.bits import same_bits
from tests.programs import ROOT

sys.path.append(str(ROOT / "tests"))  # Children import it, too.
import concurrency

needs_posix = pytest.mark.skipif(
    os.name != "posix", reason="Windows has no fork and no such SIGINT"
)

X = np.random.default_rng(0).standard_normal((200, 5)).astype("f4")
Y = np.arange(200) % 3
HOW = dict(epochs=3, optimizer="adam", batch_size=16)


def network():
    return bpcore.Network([5, 7, 3], hidden="tanh", output="softmax", seed=1)


def reference(net):
    """The outputs by NumPy, of the weights as they stand."""
    A = np.tanh(X @ net.weights[0].T + net.biases[0])
    E = np.exp(A @ net.weights[1].T + net.biases[1])
    return E / E.sum(axis=1, keepdims=True)


def everything(net):
    """All that a fit may change, as bytes."""
    state = net._state or TrainingState(None, None, None, None, None)
    moments = None if state.moments is None else state.moments.tobytes()
    return net.parameters.tobytes(), net.epochs, state.step, moments, repr(state.schedule_state)


@contextlib.contextmanager
def training(net, **how):
    """A fit that goes on in another thread while the body runs."""
    begun, go_on = threading.Event(), threading.Event()

    def wait(net, history):
        begun.set()
        assert go_on.wait(60)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(net.fit, X, Y, **{**HOW, **how}, callbacks=wait)
        try:
            assert begun.wait(60)
            yield
        finally:
            go_on.set()
        future.result()


def is_refused_and_changes_nothing(call, net):
    before = everything(net)
    try:
        call(net)
    except RuntimeError as error:
        return "in training" in str(error) and everything(net) == before
    return False


TRAININGS = {
    "fit": lambda net: net.fit(X, Y, **HOW),
    "full batch": lambda net: net.fit(X, Y, epochs=1, learning_rate=0.1),
    "lbfgs": lambda net: net.fit(X, Y, epochs=1, optimizer="lbfgs"),
    "batches": lambda net: net.fit([(X, Y)], epochs=1, optimizer="adam"),
    "partial_fit": lambda net: net.partial_fit(X, Y, optimizer="adam"),
    "fit_many": lambda net: bpcore.fit_many([net], X, Y, **HOW),
}
COPIES = {
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


@pytest.mark.parametrize("call", TRAININGS.values(), ids=TRAININGS)
def test_a_second_training_is_refused_and_changes_nothing(call):
    net, alone = network(), network()
    alone.fit(X, Y, **HOW)
    with training(net):
        assert is_refused_and_changes_nothing(call, net)
    assert everything(net) == everything(alone)
    call(net)  # The turn was given back.
    assert everything(net) != everything(alone)


def test_the_checker_sees_a_training_that_is_not_refused():
    """A network without a turn to take is a planted fault."""
    net = network()
    with training(net):
        net._training_lock = bpcore._core.TrainingLock()
        assert not is_refused_and_changes_nothing(TRAININGS["fit"], net)


@pytest.mark.parametrize("call", TRAININGS.values(), ids=TRAININGS)
def test_a_training_within_a_training_is_refused_and_ends_both(call):
    net = network()
    with pytest.raises(RuntimeError, match="in training already"):
        net.fit(X, Y, **HOW, callbacks=lambda net, history: call(net))
    assert net.epochs == 1
    call(net)


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
def test_a_copy_is_of_one_step_or_refused(make):
    """Another thread is refused; the training's own callback is between two steps."""
    net, found = network(), []
    with training(net):
        with pytest.raises(RuntimeError, match="in a callback"):
            make(net)

    def keep(net, history):
        found.append(everything(make(net)) == everything(net))

    net.fit(X, Y, **HOW, callbacks=keep)
    assert found == [True] * 3
    twin = make(net)
    twin.fit(X, Y, **HOW)
    assert everything(twin) != everything(net)  # They share nothing that training changes.
    net.fit(X, Y, **HOW)
    assert everything(twin) == everything(net)


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
def test_a_copy_keeps_the_rate_that_a_schedule_had_reached(make):
    """Its patience ends while the original goes on."""
    copies, net = [], network()
    rate = bpcore.schedules.Adaptive(0.5, patience=1, tolerance=10.0)

    def keep(net, history):
        copies.append((make(net), everything(net)))

    net.fit(X, Y, epochs=6, learning_rate=rate, callbacks=keep)
    assert len({memory for _, (*_, memory) in copies}) > 1
    assert [everything(copy) for copy, _ in copies] == [kept for _, kept in copies]


def test_a_file_is_of_one_step_or_refused(tmp_path):
    net, path = network(), tmp_path / "m.safetensors"
    net.save(path)
    before, found = path.read_bytes(), []
    with training(net):
        with pytest.raises(RuntimeError, match="in a callback"):
            net.save(path)
        assert path.read_bytes() == before

    def keep(net, history):
        net.save(path)
        found.append(everything(bpcore.Network.load(path)) == everything(net))

    net.fit(X, Y, **HOW, callbacks=keep)
    assert found == [True] * 3


def test_a_network_in_training_can_be_used():
    net = network()
    with training(net):
        A = net.forward(X)  # The weights stand still: the fit waits in its callback.
        np.testing.assert_allclose(A, reference(net), rtol=1e-5)
        assert same_bits(net.predict(X), A.argmax(axis=1))
        assert net.evaluate(X, Y)["loss"] == net.loss(X, Y)
        net.gradients(X, Y)


@pytest.mark.parametrize("wrong", ["data", "loss", "callback", "ctrl-c"])
def test_an_error_gives_the_turn_back(wrong):
    net = network()
    error = {"callback": KeyError, "ctrl-c": KeyboardInterrupt}.get(wrong)

    def fail(net, history):
        raise error

    with pytest.raises((ValueError, FloatingPointError, KeyError, KeyboardInterrupt)):
        if wrong == "data":
            net.fit(X, Y[1:], **HOW)
        elif wrong == "loss":
            net.weights[0][...] = np.inf
            net.fit(X, Y, epochs=1, learning_rate=0.1)
        else:
            net.fit(X, Y, **HOW, callbacks=fail)
    net.parameters[...] = network().parameters
    net.epochs, net._state = 0, None
    net.fit(X, Y, **HOW)
    assert net.epochs == 3


def test_networks_train_beside_each_other_with_their_own_bits():
    nets, alone = [network() for _ in range(8)], network()
    alone.fit(X, Y, **HOW)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda net: net.fit(X, Y, **HOW), nets))
    assert {everything(net) for net in nets} == {everything(alone)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_that_was_forked_during_a_fit_has_a_turn_of_its_own():
    """The fit's thread is the parent's alone: nobody would give its turn back in the child."""
    net = network()
    with training(net):
        child = os.fork()
        if child == 0:
            status = 1
            with contextlib.suppress(BaseException):
                net.fit(X, Y, **HOW)
                pickle.dumps(net)
                status = 0
            os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert is_refused_and_changes_nothing(TRAININGS["fit"], net)


# ---- Processes, threads, turns and Ctrl-C --------------------------------------------------------


ONCE_OR_LONG = pytest.mark.parametrize("count", [1, pytest.param(100, marks=pytest.mark.long)])


@needs_posix
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@ONCE_OR_LONG
def test_children_of_every_kind_have_the_parents_bits(count):
    wrong, figure = concurrency.processes(count)
    assert wrong == [], figure


@ONCE_OR_LONG
def test_sixteen_threads_predict_alike(count):
    wrong, figure = concurrency.threads(count)
    assert wrong == [], figure


@pytest.mark.quiet
def test_another_thread_waits_no_longer_than_a_slice():
    wrong, figure = concurrency.turns(100)
    print(figure)
    assert wrong == [], figure


@needs_posix
@pytest.mark.quiet
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore:'lbfgs' has not converged:RuntimeWarning")
def test_ctrl_c_is_answered_at_once_by_every_kind_of_work():
    wrong, figure = concurrency.interrupts(100)
    print(figure)
    assert wrong == [], figure


@needs_posix
def test_the_checker_sees_a_child_with_other_bits(monkeypatch):
    monkeypatch.setattr(concurrency.multiprocessing, "get_all_start_methods", lambda: ["fork"])
    monkeypatch.setattr(concurrency, "started", lambda method: b"other")
    monkeypatch.setattr(concurrency, "forked", lambda: None)
    assert concurrency.processes(1)[0] == [
        "fork 0: other bits",
        "os.fork in a fit 0: it hung or failed",
    ]


def test_the_checker_sees_a_prediction_with_other_bits():
    def predict(net, X, n_threads):
        return net.forward(X) * np.float32(threading.get_ident() % 2 + 2)

    assert concurrency.threads(1, predict)[0] == ["16 predictions have other bits"]


def test_another_thread_gets_its_turns_while_one_trains():
    """How long it waits depends on the machine: here it counts that it never waits for the end."""
    net = network()
    wait, turned = concurrency.longest_wait(lambda: net.fit(X, Y, epochs=20_000, batch_size=16,
                                                            learning_rate=0.01))  # fmt: skip
    assert turned > 10, wait


@needs_posix
def test_the_checker_sees_a_thread_that_never_gets_a_turn():
    wait = concurrency.longest_wait(lambda: ctypes.PyDLL(None).usleep(300_000))[0]
    assert wait > 0.2  # PyDLL keeps the interpreter for itself.


@needs_posix
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # Open when the signal came.
@pytest.mark.parametrize("job", ["levenberg_marquardt", "predict", "predict, sparse", "evaluate"])
def test_ctrl_c_ends_what_other_tests_do_not_interrupt(job):
    """Half a second is five times the promise, for machines that do other things, too."""
    nets, call = concurrency.jobs(rows=100_000)[job]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        waits = [concurrency.interrupted(call, 0.1) for _ in range(3)]
    finally:
        signal.signal(signal.SIGINT, before)
    assert None not in waits and min(waits) < 0.5
    assert all(np.isfinite(net.parameters).all() for net in nets)


@needs_posix
def test_the_checker_sees_work_that_ends_by_itself():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert [concurrency.interrupted(lambda: None, 0.03) for _ in range(3)] == [None] * 3
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_checker_sees_a_training_that_dies(monkeypatch):
    def fit(net, *data, **how):
        raise ZeroDivisionError

    monkeypatch.setattr(concurrency, "HANG", 0.1)
    monkeypatch.setattr(bpcore.Network, "fit", fit)
    with pytest.raises(ZeroDivisionError):
        concurrency.while_training(lambda: None)


@pytest.mark.parametrize("rows", [1, 63, 64, 100, 1000])
def test_slices_of_a_prediction_have_its_bits(monkeypatch, rows):
    net, Z = network(), np.random.default_rng(1).standard_normal((rows, 5)).astype("f4")
    whole = net.forward(Z)
    monkeypatch.setattr(bpcore._core.slices, "SLICE_WORK", 1)
    assert same_bits(net.forward(Z), whole)
    assert same_bits(net.forward(Z.astype("f8")), whole)


def test_blocks_of_a_jacobian_have_its_bits(monkeypatch):
    def trained():
        net = bpcore.Network([5, 4, 1], hidden="tanh", output="identity", seed=1)
        net.fit(X, X[:, 0], epochs=3, optimizer="levenberg_marquardt")
        return everything(net)

    whole = trained()
    monkeypatch.setattr(levenberg_marquardt, "BLOCK_WORK", 30 * 30 * 7)
    assert trained() == whole
