"""Old spellings of public names work for one version; each says once what to write instead."""

import copyreg
import json
import pickle
import warnings
from dataclasses import dataclass

import numpy as np
import pytest

import bpcore
from bpcore import optimizers, schedules

RPROP = optimizers.Rprop(step_min=1e-5, step_max=2.0)
OLD_RPROP = {"shrink": 0.5, "grow": 1.2, "least_step": 1e-5, "most_step": 2.0}
SCHEDULE = schedules.WarmUp(schedules.Adaptive(0.1), steps=3)


def imported():
    from bpcore import each

    return each


def observed(method):
    memory = SCHEDULE.start()
    method(SCHEDULE)(3.0, memory)
    return memory


USES = {
    "attribute": (lambda: bpcore.each, "bpcore.per_network", bpcore.per_network),
    "import": (imported, "bpcore.per_network", bpcore.per_network),
    "class": (lambda: bpcore.Scaling, "bpcore.Standardizer", bpcore.Standardizer),
    "least": (lambda: optimizers.Rprop(step_max=2.0, least_step=1e-5), "step_min", RPROP),
    "most": (lambda: optimizers.Rprop(step_min=1e-5, most_step=2.0), "step_max", RPROP),
    "least field": (lambda: RPROP.least_step, "step_min", 1e-5),
    "most field": (lambda: RPROP.most_step, "step_max", 2.0),
    "method": (lambda: observed(lambda s: s.seen), "observe", observed(lambda s: s.observe)),
}


@pytest.mark.parametrize(("use", "new", "expected"), USES.values(), ids=USES)
def test_an_old_name_is_the_new_one_and_warns_once_on_the_users_line(use, new, expected):
    with pytest.warns(DeprecationWarning, match=f"is now called {new}:") as told:
        assert use() == expected
    assert [one.filename for one in told] == [__file__]


def test_both_names_of_a_field_at_once_are_refused():
    with (
        pytest.warns(DeprecationWarning),
        pytest.raises(TypeError, match="step_min is given twice"),
    ):
        optimizers.Rprop(step_min=1, least_step=1)


def test_a_schedule_of_the_users_own_may_have_the_old_method():
    with pytest.warns(DeprecationWarning, match="seen of Own is now called observe") as told:

        @dataclass(frozen=True)
        class Own(schedules.Schedule):
            def rate(self, epoch, memory=None):
                return self.learning_rate / (1 + len(losses))

            def seen(self, loss, memory):
                losses.append(loss)

    assert [one.filename for one in told] == [__file__]
    losses, net = [], bpcore.Network([2, 1], seed=0)
    history = net.fit([[0, 1], [1, 0]], [0, 1], epochs=3, learning_rate=Own(0.6))
    assert history.loss == losses
    assert history.learning_rate == pytest.approx([0.6, 0.3, 0.2])


def test_the_old_method_reaches_the_one_that_it_replaces():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")

        @dataclass(frozen=True)
        class Doubled(schedules.Adaptive):
            def seen(self, loss, memory):
                super().seen(2 * loss, memory)

        memory = Doubled(0.1).start()
        Doubled(0.1).observe(3.0, memory)
    assert memory["best"] == 6.0


def test_the_new_method_of_a_schedule_answers_to_the_old_name():
    @dataclass(frozen=True)
    class New(schedules.Schedule):
        def observe(self, loss, memory):
            memory["loss"] = loss

    memory = {}
    with pytest.warns(DeprecationWarning, match="seen of New is now called observe"):
        New(0.1).seen(2.0, memory)
    assert memory == {"loss": 2.0}


class Pickled:
    """Pickles as an older version's object: its class and its state."""

    def __init__(self, kind, state):
        self.kind, self.state = kind, state

    def __reduce__(self):
        return copyreg._reconstructor, (self.kind, object, None), self.state


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "lbfgs"])
def test_a_network_of_an_older_pickle_trains_on(optimizer):
    how = {"epochs": 2, "optimizer": optimizer}
    if optimizer != "lbfgs":
        how["learning_rate"] = SCHEDULE
    net = bpcore.Network([2, 1], seed=0)
    net.fit([[0, 1], [1, 0]], [0, 1], **how)
    state = net.__getstate__()
    names = {"optimizer": 0, "schedule": 1, "memory": 2, "step": 3, "moments": 4}
    values = list(vars(state["_state"]).values())
    state["_state"] = {name: values[i] for name, i in names.items()}
    again = pickle.loads(pickle.dumps(Pickled(bpcore.Network, state)))
    for one in (net, again):
        one.fit([[0, 1], [1, 0]], [0, 1], **how)
    assert np.array_equal(net.parameters, again.parameters)


def test_an_estimator_of_an_older_pickle_trains_on():
    pytest.importorskip("sklearn")
    from bpcore.sklearn import MLPClassifier, _epochs

    X, y = [[0, 1], [1, 0]] * 3, [0, 1] * 3
    model = MLPClassifier(2, random_state=0).partial_fit(X, y, classes=[0, 1])
    kept = model._optimizer
    old = {
        "kind": kept.optimizer,
        "schedule": kept.schedule,
        "learning_rate": kept.schedule_state["learning_rate"],
        "step": kept.step,
        "moments": kept.moments,
    }
    again = pickle.loads(pickle.dumps(model))
    again._optimizer = pickle.loads(pickle.dumps(Pickled(_epochs.Optimizer, old)))
    again = pickle.loads(pickle.dumps(again))
    for one in (model, again):
        one.partial_fit(X, y)
    assert all(map(np.array_equal, model.coefs_, again.coefs_))
    assert again._optimizer.step == 2


def test_older_pickles_are_read():
    assert pickle.loads(pickle.dumps(Pickled(optimizers.Rprop, OLD_RPROP))) == RPROP
    assert pickle.loads(b"cbpcore._scaling\nScaling\n.") is bpcore.Standardizer
    assert pickle.loads(pickle.dumps(RPROP)) == RPROP


def test_files_keep_their_names_and_are_read_without_a_warning(tmp_path):
    net = bpcore.Network([2, 1], seed=0)
    net.fit([[0, 1], [1, 0]], [0, 1], epochs=2, optimizer=RPROP)
    net.save(tmp_path / "net")
    content = (tmp_path / "net").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    settings = json.loads(header["__metadata__"]["bpcore"])
    assert settings["training"]["optimizer"] == {"name": "rprop", **OLD_RPROP}
    again = bpcore.Network.load(tmp_path / "net")
    for one in (net, again):
        one.fit([[0, 1], [1, 0]], [0, 1], epochs=2, optimizer=RPROP)
    assert np.array_equal(net.parameters, again.parameters) and again._state.step == 4
