"""Laws of how the command's trainings end: the last cost, a worse network, Ctrl-C."""

import json
import signal

import numpy as np
import pytest

import bpcore
from bpcore.experiments import cli, tutorials
from tests.small_data import images, replace_data

EXPERIMENTS = ("mnist58", "mnist10", "cats")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    replace_data(monkeypatch)


def trained(epochs, learning_rate=0.1):
    """A network like that of ``mnist58 --layers 4`` on the random images, and its costs."""
    net = bpcore.Network([784, 4, 1], loss="bce", init="lecun_normal", seed=1)
    X, y = images(40, 784, 2, "float32")
    return net, net.fit(X, y, epochs=epochs, learning_rate=learning_rate).loss


@pytest.mark.parametrize(
    ("count", "at"), [(1, [0]), (2, [0, 1]), (101, [0, 100]), (150, [0, 100, 149])]
)
def test_the_last_cost_is_printed_whatever_the_number_of_iterations(capsys, count, at):
    _, loss = trained(count)
    assert cli.main(["mnist58", "--layers", "4", "--iterations", str(count)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("cost")]
    assert lines == [f"cost after iteration {i}: {loss[i]}" for i in at]


@pytest.mark.parametrize("iterations", [1, 5])
def test_a_training_that_raises_the_cost_says_so(capsys, iterations):
    net, loss = trained(iterations, learning_rate=100)
    cost = net.loss(*images(40, 784, 2, "float32"))
    assert cost > 2 * loss[0]
    arguments = ["mnist58", "--layers", "4", "--iterations", str(iterations)]
    assert cli.main([*arguments, "--learning-rate", "100"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"The training has made the network worse: its cost was {loss[0]:.5g} and is {cost:.5g}. "
        "A smaller --learning-rate may help."
    )
    assert cli.main(arguments) == 0
    assert "worse" not in capsys.readouterr().out


@pytest.fixture
def interrupt_after(monkeypatch):
    """interrupt_after(n): Ctrl-C comes after n epochs."""
    report = tutorials.Progress.__call__

    def interrupt_after(n):
        def call(self, history):
            if n:
                report(self, history)
            if len(history.loss) == max(n, 1):
                signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(tutorials.Progress, "__call__", call)

    # A shell starts background jobs with SIGINT ignored, and a test run may be such a job.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield interrupt_after
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_writes_what_is_asked_for_and_ends_with_code_130(capsys, interrupt_after, tmp_path):
    interrupt_after(3)
    path = tmp_path / "net.safetensors"
    arguments = ["mnist58", "--layers", "4", "--save", str(path), "--json"]
    assert cli.main(arguments) == 130
    output = capsys.readouterr()
    assert output.err == "bpcore: interrupted after 3 of 1000 iterations\n"
    net, loss = trained(3)
    assert np.array_equal(bpcore.Network.load(path).parameters, net.parameters)
    result = json.loads(output.out.splitlines()[-1])
    assert result["costs"] == [[0, loss[0]], [2, loss[2]]]
    assert result["test_accuracy"] == net.evaluate(*images(20, 784, 2, "float32"))["accuracy"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_ctrl_c_draws_the_picture_that_is_asked_for(capsys, interrupt_after, tmp_path, name):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install matplotlib")
    interrupt_after(2)
    assert cli.main([name, "--plot", str(tmp_path / "p.png")]) == 130
    assert (tmp_path / "p.png").read_bytes().endswith(b"IEND\xaeB`\x82")


def test_ctrl_c_before_the_first_epoch_leaves_nothing_to_write(capsys, interrupt_after, tmp_path):
    interrupt_after(0)
    assert cli.main(["mnist58", "--save", str(tmp_path / "net"), "--json"]) == 130
    output = capsys.readouterr()
    assert output.err == "bpcore: interrupted after 0 of 1000 iterations\n"
    assert output.out.count("\n") == 1 and not list(tmp_path.iterdir())
