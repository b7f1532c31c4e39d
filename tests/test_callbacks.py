"""Callbacks: when they are called, what they can do, and what early stopping keeps."""

import signal

import numpy as np
import pytest

import bpcore
from bpcore import EarlyStopping
from bpcore.history import History
from tests.bits import same_bits

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 3)), RNG.integers(2, size=60)
EVAL = RNG.normal(size=(20, 3)), RNG.integers(2, size=20)


def network(**settings):
    return bpcore.Network([3, 8, 1], hidden="tanh", seed=0, **settings)


class Recorder:
    """Notes each call, and the parameters after each epoch."""

    def __init__(self, log=None, name="", answer=None):
        self.log, self.name, self.answer = [] if log is None else log, name, answer
        self.parameters = []

    def begin(self, net, history):
        self.log.append((self.name, "begin", len(history.loss)))

    def epoch(self, net, history):
        self.log.append((self.name, "epoch", len(history.loss)))
        self.parameters.append(net.parameters.copy())
        return self.answer

    def end(self, net, history):
        self.log.append((self.name, "end", len(history.loss)))


# ---- The protocol --------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [(X, Y), ([(X, Y)],)], ids=["arrays", "batches"])
def test_callbacks_are_called_in_their_order_between_epochs(data):
    log = []
    a, b = Recorder(log, "a"), Recorder(log, "b")
    net = network()

    def function(net, history):
        log.append(("f", "epoch", len(history.loss)))

    history = net.fit(*data, epochs=2, learning_rate=0.1, callbacks=[a, function, b])
    assert log == [
        ("a", "begin", 0), ("b", "begin", 0),
        ("a", "epoch", 1), ("f", "epoch", 1), ("b", "epoch", 1),
        ("a", "epoch", 2), ("f", "epoch", 2), ("b", "epoch", 2),
        ("a", "end", 2), ("b", "end", 2),
    ]  # fmt: skip
    assert len(history.loss) == 2 and same_bits(a.parameters[-1], net.parameters)


def test_an_epoch_s_figures_are_there_when_callbacks_are_called():
    seen = []

    def look(net, history):
        seen.append((history.loss[-1], history.eval_loss[-1], net.evaluate(*EVAL)["loss"]))

    history = network().fit(X, Y, epochs=3, learning_rate=0.1, eval_set=EVAL, callbacks=look)
    assert seen == list(zip(history.loss, history.eval_loss, history.eval_loss, strict=True))


@pytest.mark.parametrize("only", ["begin", "epoch", "end"])
def test_an_object_with_one_of_the_methods_is_a_callback(only):
    called = []
    callback = type("One", (), {only: lambda self, net, history: called.append(only)})()
    for given in (callback, [callback], (callback,), iter([callback])):
        network().fit(X, Y, epochs=1, learning_rate=0.1, callbacks=given)
    assert called == [only] * 4


@pytest.mark.parametrize("data", [(X, Y), ([(X, Y)],)], ids=["arrays", "batches"])
@pytest.mark.parametrize(
    ("answer", "epochs"),
    [(True, 1), (np.True_, 1), (None, 4), (False, 4), (np.False_, 4), (1, 4), ("stop", 4)],
)
def test_true_alone_stops_and_all_are_asked(data, answer, epochs):
    log = []
    callbacks = [lambda net, history: answer, Recorder(log)]
    history = network().fit(*data, epochs=4, learning_rate=0.1, callbacks=callbacks)
    assert len(history.loss) == epochs
    assert [what for _, what, _ in log] == ["begin", *["epoch"] * epochs, "end"]


def test_what_a_callback_changes_in_the_network_counts():
    def halve(net, history):
        net.parameters *= 0.5

    one, other = network(), network()
    one.fit(X, Y, epochs=3, learning_rate=0.1, batch_size=7, callbacks=halve)
    for _ in range(3):
        other.fit(X, Y, epochs=1, learning_rate=0.1, batch_size=7)
        halve(other, None)
    assert same_bits(one.parameters, other.parameters)


# ---- Ends ----------------------------------------------------------------------------------------


class Failing(Recorder):
    def __init__(self, log, where, error):
        super().__init__(log, "failing")
        self.where, self.error = where, error

    def epoch(self, net, history):
        super().epoch(net, history)
        if self.where == "epoch":
            self.error()

    def end(self, net, history):
        super().end(net, history)
        if self.where == "end":
            self.error()


def fail():
    raise RuntimeError("of its own")


def interrupt():
    """Ctrl-C, also where a shell has started the tests with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("data", [(X, Y), ([(X, Y)],)], ids=["arrays", "batches"])
@pytest.mark.parametrize("where", ["epoch", "end", "loss"])
@pytest.mark.parametrize(("error", "kind"), [(fail, RuntimeError), (interrupt, KeyboardInterrupt)])
def test_all_are_ended_after_an_error_and_after_ctrl_c(data, where, error, kind):
    """Of a callback's own, or of a loss that is not finite."""
    log, net = [], bpcore.Network([3, 1], output="identity", seed=0)
    callbacks = [Recorder(log, "a"), Failing(log, where, error), Recorder(log, "b")]
    with pytest.raises(FloatingPointError if where == "loss" else kind):
        net.fit(*data, epochs=100, learning_rate=1e10, callbacks=callbacks)
    ends = [name for name, what, _ in log if what == "end"]
    assert ends == ["a", "failing", "b"]


@pytest.mark.parametrize(
    ("data", "optimizer"), [((X, Y), "sgd"), (([(X, Y)],), "sgd"), ((X, Y), "lbfgs")]
)
@pytest.mark.parametrize(("error", "kind"), [(fail, RuntimeError), (interrupt, KeyboardInterrupt)])
def test_those_that_have_begun_are_ended_where_another_cannot_begin(data, optimizer, error, kind):
    log, failing = [], Recorder()
    failing.begin = lambda net, history: error()
    callbacks = [Recorder(log, "a"), failing, Recorder(log, "b")]
    rate = None if optimizer == "lbfgs" else 0.1
    with pytest.raises(kind):
        network().fit(*data, epochs=1, optimizer=optimizer, learning_rate=rate, callbacks=callbacks)
    assert log == [("a", "begin", 0), ("a", "end", 0)] and failing.log == []


def test_a_method_that_is_none_is_none():
    class Silent:
        begin = end = epoch = None

    class Function(Silent):
        calls = 0

        def __call__(self, net, history):
            self.calls += 1

    function = Function()
    network().fit(X, Y, epochs=2, learning_rate=0.1, callbacks=[Silent(), function])
    assert function.calls == 2


# ---- Early stopping ------------------------------------------------------------------------------


def expected_stop(figures, patience, tolerance):
    """(the best epoch, how many were done), from the figures of a training that goes on."""
    best, best_epoch, waited = np.inf, None, 0
    for epoch, figure in enumerate(figures):
        if figure < best - tolerance:
            best, best_epoch, waited = figure, epoch, 0
        else:
            waited += 1
            if waited == patience:
                return best_epoch, epoch + 1
    return best_epoch, len(figures)


@pytest.mark.parametrize("data", [(X, Y), ([(X[:30], Y[:30]), (X[30:], Y[30:])],)])
@pytest.mark.parametrize("monitor", [None, "eval_loss", "eval_accuracy", "loss"])
@pytest.mark.parametrize(("patience", "tolerance"), [(1, 0.0), (3, 0.0), (3, 0.02)])
def test_early_stopping_goes_back_to_the_best_epoch(data, monitor, patience, tolerance):
    how = dict(epochs=60, learning_rate=3.0, eval_set=EVAL)
    recorder = Recorder()
    whole = network().fit(*data, callbacks=recorder, **how)
    figures = getattr(whole, monitor or "eval_loss")
    figures = [-figure for figure in figures] if monitor == "eval_accuracy" else figures
    best, done = expected_stop(figures, patience, tolerance)
    net = network()
    stopping = EarlyStopping(patience, tolerance, monitor)
    history = net.fit(*data, early_stopping=stopping, **how)
    assert (history.best_epoch, len(history.loss), net.epochs) == (best, done, done)
    assert same_bits(net.parameters, recorder.parameters[best])
    if monitor != "loss" and tolerance == 0:
        assert done < 60 and best < done - 1  # There was something to stop, and to go back to.


NAN = float("nan")
FIGURES = {
    "at first": [NAN, 3.0, 2.0, 5.0, 6.0],
    "always": [NAN] * 5,
    "in the middle": [3.0, NAN, 2.0, NAN, NAN],
    "ever after": [3.0, NAN, NAN, NAN],
    "with infinities": [NAN, 7.0, float("inf"), 6.0, NAN],
}


def told(stopping, monitor, figures):
    """(the network, the history, how many epochs) of a training with these figures."""
    net, history = network(), History()
    stopping.begin(net, history)
    for epoch, figure in enumerate(figures):
        net.parameters[...] = epoch
        for name in ("loss", "eval_loss"):
            getattr(history, name).append(figure if name == monitor else 1.0)
        if monitor == "eval_accuracy":  # Outputs without numbers: labels, but no loss.
            history.eval_accuracy.append(0.99 if np.isnan(figure) else -figure)
            history.eval_loss[-1] = figure if np.isnan(figure) else 1.0
        if stopping.epoch(net, history):
            break
    stopping.end(net, history)
    return net, history, epoch + 1


@pytest.mark.parametrize("monitor", ["loss", "eval_loss", "eval_accuracy"])
@pytest.mark.parametrize("tolerance", [0.0, 0.5])
@pytest.mark.parametrize("case", FIGURES)
def test_a_figure_that_is_no_number_is_never_the_best(monitor, tolerance, case):
    best, done = expected_stop(FIGURES[case], 2, tolerance)
    stopping = EarlyStopping(2, tolerance, monitor)
    net, history, epochs = told(stopping, monitor, FIGURES[case])
    assert (history.best_epoch, epochs) == (best, done)
    # Without a best epoch the last weights stay.
    assert (net.parameters == (done - 1 if best is None else best)).all()


def test_without_restoring_the_last_weights_stay():
    recorder, net = Recorder(), network()
    stopping = EarlyStopping(2, restore_best=False)
    history = net.fit(
        X, Y, epochs=60, learning_rate=3.0, eval_set=EVAL, callbacks=[stopping, recorder]
    )
    assert history.best_epoch == len(history.loss) - 3 == stopping.best_epoch
    assert same_bits(net.parameters, recorder.parameters[-1])


@pytest.mark.parametrize("same", [2, np.int64(2), EarlyStopping(2)])
def test_a_number_is_an_early_stopping_of_that_patience(same):
    one, other = network(), network()
    how = dict(epochs=60, learning_rate=3.0, eval_set=EVAL)
    histories = [
        one.fit(X, Y, early_stopping=same, **how),
        other.fit(X, Y, callbacks=EarlyStopping(2), **how),
    ]
    assert histories[0].eval_loss == histories[1].eval_loss
    assert same_bits(one.parameters, other.parameters)
    assert len(network().fit(X, Y, early_stopping=False, **how).loss) == 60


def test_an_early_stopping_can_be_used_again():
    """Of a good training nothing is left when a bad one begins."""
    stopping = EarlyStopping(3)
    how = dict(epochs=30, learning_rate=3.0, eval_set=EVAL, early_stopping=stopping)
    good, fresh, again = network(), network(), network()
    good.fit(X, Y, **{**how, "eval_set": (X, Y)})
    one, other = again.fit(X, Y, **how), fresh.fit(X, Y, **{**how, "early_stopping": 3})
    assert one.eval_loss == other.eval_loss and same_bits(again.parameters, fresh.parameters)


def test_ctrl_c_goes_back_to_the_best_epoch_too():
    recorder, net = Recorder(), network()

    def stop_late(net, history):
        if len(history.loss) == 20:
            interrupt()

    callbacks = [recorder, EarlyStopping(50), stop_late]
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, Y, epochs=60, learning_rate=3.0, eval_set=EVAL, callbacks=callbacks)
    losses = network().fit(X, Y, epochs=20, learning_rate=3.0, eval_set=EVAL).eval_loss
    assert np.argmin(losses) < 19
    assert same_bits(net.parameters, recorder.parameters[np.argmin(losses)])


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        (dict(patience=0), ValueError, "patience is 0"),
        (dict(patience=1.5), TypeError, "patience is 1.5"),
        (dict(tolerance=-1e-3), ValueError, "tolerance is -0.001"),
        (dict(tolerance=np.nan), ValueError, "tolerance is nan"),
        (dict(monitor="accuracy"), ValueError, "monitor is 'accuracy'"),
    ],
)
def test_an_early_stopping_refuses_what_makes_none(settings, error, says):
    with pytest.raises(error, match=says):
        EarlyStopping(**settings)
