"""Laws of the experiments: they start as the tutorials do, and say how far they are."""

import json
import re
import sys
from pathlib import Path

import pytest

import bpcore
from bpcore._training import progress as reports
from bpcore.experiments import cli, tutorials
from tests import real_data
from tests.bits import needs_fused


def run(capsys, *arguments):
    """Lines of stdout, and the JSON object of the last one."""
    assert cli.main([*arguments, "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    return lines, json.loads(lines[-1])


def test_first_cost_of_mnist58_is_the_tutorials(capsys):
    real_data.mnist()
    lines, result = run(capsys, "mnist58", "--dtype", "float64", "--iterations", "1")
    assert lines[1].startswith("cost after iteration 0: 0.70437772941")
    assert result["settings"]["layers"] == [784, 196, 1]


README = (Path(__file__).resolve().parents[1] / "README.md").read_text("utf-8")


def row_of_the_readme(command):
    """The arguments of a command in the table of the tutorials, and the figures beside it."""
    (arguments, figures), *more = re.findall(rf"\| `bpcore ({command}\b.*?)` \| (.*?) \|\n", README)
    assert not more
    return arguments.replace("DIR", "").split(), re.findall(r"\d+(?:\.\d+)?", figures)


@pytest.mark.parametrize(
    ("command", "find", "iterations"),
    [("mnist58", real_data.mnist58, "101"), ("cats", real_data.cats, "501")],
)
def test_the_readmes_costs_are_those_of_the_command_beside_them(capsys, command, find, iterations):
    find()
    arguments, figures = row_of_the_readme(command)
    _, result = run(capsys, *arguments, "--iterations", iterations)
    assert [f"{cost:.10f}" for _, cost in result["costs"]] == figures[:2]


@needs_fused
def test_the_readmes_counts_are_those_of_the_command_beside_them(capsys):
    real_data.mnist()
    arguments, figures = row_of_the_readme("mnist10")
    _, result = run(capsys, *arguments, "--epochs", "2")
    assert [str(count) for count in result["test_correct"]] == figures[-3:-1]


def test_first_cost_and_gradient_of_the_cats_are_the_tutorials(capsys):
    real_data.cats()
    lines, result = run(capsys, "cats", "--iterations", "1")
    assert lines[1].startswith("cost after iteration 0: 0.69194616462")
    distance = next(line for line in lines if line.startswith("Measure of diff."))
    assert distance == (
        f"Measure of diff. between vectors is {result['gradient_distances'][1]} (layer 2)"
    )
    assert result["gradient_distances"][1] < 1e-8


def test_first_epoch_of_mnist10_is_near_the_tutorials(capsys):
    real_data.mnist()
    lines, _ = run(capsys, "mnist10", "--epochs", "1", "--dtype", "float64")
    epoch, right = lines[1].split(" : ")
    assert epoch == "Epoch 0"
    assert abs(int(right.split()[0]) - 9013) < 100  # Rounding decides about the rest.


class Terminal:
    """A stderr that is a terminal, and remembers."""

    def __init__(self):
        self.written = []

    def isatty(self):
        return True

    def write(self, text):
        self.written.append(text)

    def flush(self):
        pass


def watched(monkeypatch, capsys, terminal):
    """Progress over 10 s of 1000 iterations a second, with a cost printed every second."""
    now = [0.0]
    monkeypatch.setattr(reports.time, "monotonic", lambda: now[0])
    monkeypatch.setenv("COLUMNS", "40")
    if terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
    history = bpcore.History()
    progress = tutorials.Progress(10_000, "iteration", tutorials._cost, 1000)
    for _ in range(10_000):
        now[0] += 0.001
        history.loss.append(0.5)
        progress(history)
    progress.finish()
    return capsys.readouterr()


def test_the_live_line_is_brief_and_updated_at_most_ten_times_a_second(monkeypatch, capsys):
    terminal = Terminal()
    printed = watched(monkeypatch, capsys, terminal).out.splitlines()
    assert len(printed) == 11  # The last cost, too.
    shown = [text for text in terminal.written if "%" in text]
    assert 90 <= len(shown) <= 100
    assert all(text.startswith("\r") and len(text) <= 40 for text in shown)
    assert shown[49].startswith("\riteration 50")
    assert terminal.written[-1].strip() == ""


def test_the_live_line_makes_room_for_printed_lines(monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(reports, "SECONDS_BETWEEN_UPDATES", 0)
    monkeypatch.setattr(reports.time, "monotonic", lambda: 0.0)
    progress = tutorials.Progress(3, "epoch", lambda history, epoch: f"Epoch {epoch}", 1)
    history = bpcore.History()
    for cost in (0.5, 0.25):
        history.loss.append(cost)
        progress(history)
    first, clear, second = "".join(terminal.written).partition(
        "\r" + " " * len("epoch 1/3  33 %  cost 0.50000  0 s left") + "\r"
    )
    assert first.startswith("\repoch 1/3  33 %  cost 0.50000  ") and clear
    assert second.startswith("\repoch 2/3  66 %  cost 0.25000  ")
    assert capsys.readouterr().out == "Epoch 0\nEpoch 1\n"


def test_there_is_no_live_line_without_a_terminal(monkeypatch, capsys):
    output = watched(monkeypatch, capsys, None)
    assert output.err == "" and len(output.out.splitlines()) == 11


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.7, "1 min 00 s"), (61, "1 min 01 s"), (7300, "2 h 1 min")],
)
def test_time_left_reads_well(seconds, text):
    assert reports.duration(seconds) == text
