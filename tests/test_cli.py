"""Laws of the ``bpcore`` command: what it prints, what it refuses, and how it begins and ends.

Laws of behaviour train on a few random images in place of the data sets, so they need no data.
Where its output cannot go, the oracles are its own words where nothing is in the way.
"""

import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

import bpcore
from bpcore import _tutorial_data, datasets
from bpcore._training import progress as reports
from bpcore.experiments import cli, tutorials
from tests import real_data
from tests.bits import needs_fused
from tests.programs import ROOT

EXPERIMENTS = ("mnist58", "mnist10", "cats")
DEFAULTS = {
    "mnist58": ("196", "1000", "0.1", "float32", "1"),
    "mnist10": ("30", "3.0", "10", "float32", "0"),
    "cats": ("7", "2501", "0.0077", "float64", "0"),
}


def images(n, features, classes, dtype):
    random = np.random.default_rng(n)
    return random.random((n, features)).astype(dtype), np.arange(n) % classes


@pytest.fixture
def small(monkeypatch):
    """A few random images in place of the three data sets."""

    def loader(features, classes):
        def load(folder=None, *, dtype, scale=255):
            return images(40, features, classes, dtype), images(20, features, classes, dtype)

        return load

    monkeypatch.setattr(datasets, "load_mnist58", loader(784, 2))
    monkeypatch.setattr(datasets, "load_mnist", loader(784, 10))
    monkeypatch.setattr(datasets, "load_catvnoncat", loader(12288, 2))


@pytest.fixture
def never_trains(monkeypatch):
    def fit(*arguments, **options):
        raise AssertionError("the training has started")

    monkeypatch.setattr(bpcore.Network, "fit", fit)


def run(capsys, *arguments):
    """Lines of stdout, and the JSON object of the last one."""
    assert cli.main([*arguments, "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    return lines, json.loads(lines[-1])


def length(name, count):
    return ("--epochs" if name == "mnist10" else "--iterations", str(count))


# ---- What it prints ------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "count", "at"), [("mnist58", 201, 3), ("cats", 502, 3)])
def test_the_json_line_agrees_with_the_printed_costs(small, capsys, name, count, at):
    lines, result = run(capsys, name, "--layers", "4", *length(name, count))
    printed = [line.split()[3:] for line in lines if line.startswith("cost after iteration")]
    assert [[int(at.strip(":")), float(cost)] for at, cost in printed] == result["costs"]
    assert len(printed) == at


def test_the_json_line_agrees_with_the_printed_epochs(small, capsys):
    lines, result = run(capsys, "mnist10", "--epochs", "3")
    printed = [line for line in lines if line.startswith("Epoch")]
    assert printed == [
        f"Epoch {i} : {right} / 20" for i, right in enumerate(result["test_correct"])
    ]
    assert [at for at, _ in result["costs"]] == [0, 1, 2]
    assert result["test_accuracy"] == result["test_correct"][-1] / 20


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_json_line_agrees_with_the_printed_accuracies_and_time(small, capsys, name):
    lines, result = run(capsys, name, "--layers", "3", *length(name, 2))
    train, test, seconds = lines[-4:-1]
    assert train.split()[:3] == ["train", "accuracy:", f"{result['train_accuracy']:.5f}"]
    assert test.split()[:3] == ["test", "accuracy:", f"{result['test_accuracy']:.5f}"]
    assert seconds.startswith(f"training time:  {result['seconds']:.2f} s")


def test_the_settings_are_enough_to_repeat_the_run(small, capsys):
    _, first = run(
        capsys, "mnist10", "--layers", "9,5", "--epochs", "2", "--learning-rate", "0.5",
        "--batch-size", "7", "--dtype", "float64", "--seed", "11", "--threads", "2",
    )  # fmt: skip
    settings = first["settings"]
    net = bpcore.Network(
        settings["layers"],
        hidden=settings["hidden"],
        output=settings["output"],
        loss=settings["loss"],
        init=tuple(settings["init"]),
        dtype=settings["dtype"],
        seed=settings["seed"],
    )
    history = net.fit(
        *images(40, 784, 10, "float64"),
        epochs=settings["epochs"],
        learning_rate=settings["learning_rate"],
        batch_size=settings["batch_size"],
        order=_tutorial_data.tutorial_order(settings["seed"], 40, settings["epochs"]),
    )
    assert history.loss == [cost for _, cost in first["costs"]]
    assert settings["threads"] == 2


def test_a_gradient_that_is_zero_is_reported_and_not_a_failure(small, capsys, monkeypatch):
    def zero(*arguments):
        raise ValueError("the gradient of layer 1 is zero")

    monkeypatch.setattr(bpcore.Network, "check_gradients", zero)
    lines, result = run(capsys, "cats", "--iterations", "1")
    assert "No gradient check: the gradient of layer 1 is zero" in lines
    assert result["gradient_distances"] is None


@pytest.mark.parametrize(
    ("layers", "sizes"),
    [(["5,4"], [5, 4]), (["5, 4"], [5, 4]), (["5", "4"], [5, 4]), (["none"], [])],
)
def test_layers_are_separated_by_commas_or_spaces(small, capsys, layers, sizes):
    _, result = run(capsys, "mnist58", "--iterations", "1", "--layers", *layers)
    assert result["settings"]["layers"] == [784, *sizes, 1]


def test_a_saved_network_predicts_the_same(small, capsys, tmp_path):
    path = tmp_path / "net.safetensors"
    _, result = run(capsys, "mnist58", "--iterations", "20", "--save", str(path))
    net = bpcore.Network.load(path)
    assert net.evaluate(*images(20, 784, 2, "float32"))["accuracy"] == result["test_accuracy"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_help_names_every_default_and_an_example(capsys, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as stop:
        cli.main([name, "--help"])
    text = capsys.readouterr().out
    assert stop.value.code == 0
    assert all(f"(default: {value})" in text for value in DEFAULTS[name])
    assert "tutorial" in text and f"example: bpcore {name}" in text


def test_info_tunes_for_a_second(capsys, monkeypatch):
    monkeypatch.setattr("bpcore.experiments.tuning.ROWS", 100)
    assert cli.main(["info", "--tune", "--json"]) == 0
    seconds = json.loads(capsys.readouterr().out)["seconds_on_threads"]
    assert 0.5 < sum(seconds.values()) < 2 and str(bpcore.info()["threads"]) in seconds
    assert cli.main(["info", "--tune"]) == 0
    assert re.search(r"^tuning: +\d\.\d\d s on \d+", capsys.readouterr().out, re.MULTILINE)


def test_info_is_bpcore_info(capsys):
    assert cli.main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == bpcore.info()
    assert cli.main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == list(bpcore.info())


# ---- What it refuses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["mnist"],
        ["mnist58", "--iterations", "0"],
        ["mnist58", "--iterations", "ten"],
        ["mnist58", "--layers", "0"],
        ["mnist58", "--layers", "5,none"],
        ["mnist58", "--layers", ","],
        ["mnist58", "--learning-rate", "-1"],
        ["mnist58", "--learning-rate", "nan"],
        ["mnist58", "--dtype", "float16"],
        ["mnist58", "--seed", str(2**32)],
        ["mnist58", "--threads", "0"],
        ["mnist58", "--plot", "picture.jpg"],
        ["mnist10", "--batch-size", "0"],
    ],
)
def test_a_wrong_value_is_one_line_and_code_2(capsys, never_trains, arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    output = capsys.readouterr()
    assert stop.value.code == 2
    assert output.out == "" and output.err.startswith("bpcore: error: ")
    assert output.err.count("\n") == 1 and "--help" in output.err


@pytest.mark.parametrize(
    ("command", "arguments", "unknown"),
    [
        ("bpcore", ["--epochs"], "--epochs"),
        ("bpcore mnist58", ["--epochs", "3"], "--epochs 3"),
        ("bpcore mnist58", ["--plo", "picture.png"], "--plo picture.png"),
        ("bpcore cats", ["one", "two"], "two"),
        ("bpcore info", ["--layers", "5"], "--layers 5"),
    ],
)
def test_an_unknown_option_shows_those_of_the_command(
    capsys, never_trains, command, arguments, unknown
):
    with pytest.raises(SystemExit) as stop:
        cli.main([*command.split()[1:], *arguments])
    output = capsys.readouterr()
    *usage, error = output.err.splitlines()
    assert (stop.value.code, output.out) == (2, "")
    assert usage[0].startswith(f"usage: {command} [-h]")
    assert error == f"bpcore: error: unrecognized arguments: {unknown} (see {command} --help)"


def test_without_a_command_the_commands_are_named(capsys):
    with pytest.raises(SystemExit):
        cli.main([])
    error = capsys.readouterr().err
    assert all(name in error for name in (*EXPERIMENTS, "info"))


@pytest.mark.parametrize("option", ["--plot", "--save"])
@pytest.mark.parametrize("path", ["missing/file.png", "folder.png"])
def test_an_unwritable_path_is_refused_before_the_training(
    small, never_trains, capsys, monkeypatch, tmp_path, option, path
):
    monkeypatch.chdir(tmp_path)
    os.mkdir("folder.png")
    assert cli.main(["mnist58", option, path]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"bpcore: error: {path} cannot be written: ")
    assert error.count("\n") == 1


def test_the_look_at_a_path_leaves_nothing_and_takes_nothing(tmp_path):
    kept = tmp_path / "kept.png"
    kept.write_text("kept")
    for path in (kept, tmp_path / "new.png"):
        cli._check_writable(path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.png"]
    assert kept.read_text() == "kept"


def test_missing_matplotlib_is_noticed_before_the_training(
    small, never_trains, capsys, monkeypatch, tmp_path
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert cli.main(["mnist58", "--plot", str(tmp_path / "p.png")]) == 1
    assert "pip install matplotlib" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_missing_data_is_an_error_that_names_it(never_trains, capsys, tmp_path):
    pytest.importorskip("h5py")
    assert cli.main(["cats", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("bpcore: error: train_catvnoncat.h5")
    assert "Traceback" not in error


def test_a_file_that_fails_after_the_training_costs_no_figures(small, capsys, monkeypatch):
    def full(self, path):
        raise OSError("No space left on device")

    monkeypatch.setattr(bpcore.Network, "save", full)
    arguments = ["mnist58", "--iterations", "1", "--save", os.devnull + ".net", "--json"]
    monkeypatch.setattr(cli, "_check_writable", lambda path: None)
    assert cli.main(arguments) == 1
    output = capsys.readouterr()
    assert json.loads(output.out.splitlines()[-1])["costs"]
    assert output.err == "bpcore: error: No space left on device\n"


def test_a_training_that_diverges_is_an_error(small, capsys):
    arguments = ["mnist58", "--iterations", "9", "--learning-rate", "1e38"]
    assert cli.main(arguments) == 1
    assert "the loss is not finite" in capsys.readouterr().err


# ---- How it runs and ends ------------------------------------------------------------------------


def test_the_module_is_the_command_and_loads_no_matplotlib():
    code = "import sys\nimport bpcore.experiments.cli\n"
    code += "assert not {'matplotlib', 'tqdm', 'h5py'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    done = subprocess.run([sys.executable, "-m", "bpcore", "--version"], capture_output=True)
    assert done.stdout.decode().strip() == f"bpcore {bpcore.__version__}"


def trained(epochs, learning_rate=0.1):
    """A network like that of ``mnist58 --layers 4`` on the random images, and its costs."""
    net = bpcore.Network([784, 4, 1], loss="bce", init="lecun_normal", seed=1)
    X, y = images(40, 784, 2, "float32")
    return net, net.fit(X, y, epochs=epochs, learning_rate=learning_rate).loss


@pytest.mark.parametrize(
    ("count", "at"), [(1, [0]), (2, [0, 1]), (101, [0, 100]), (150, [0, 100, 149])]
)
def test_the_last_cost_is_printed_whatever_the_number_of_iterations(small, capsys, count, at):
    _, loss = trained(count)
    assert cli.main(["mnist58", "--layers", "4", "--iterations", str(count)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("cost")]
    assert lines == [f"cost after iteration {i}: {loss[i]}" for i in at]


@pytest.mark.parametrize("iterations", [1, 5])
def test_a_training_that_raises_the_cost_says_so(small, capsys, iterations):
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


def test_a_training_whose_cost_swings_above_its_start_says_so(capsys):
    """The last step went down, from a cost that is higher than the first."""
    data, history = images(40, 784, 2, "float32"), bpcore.History()
    history.loss = [0.6, 1.9, 0.5, 0.9]
    result = tutorials.Result(
        name="mnist58",
        unit="iteration",
        net=bpcore.Network([784, 1], seed=1),
        history=history,
        train=data,
        test=data,
        costs=[(0, 0.6), (3, 0.9)],
        settings={},
        final_cost=0.55,
        train_accuracy=0.5,
        test_accuracy=0.5,
    )
    result.print_summary()
    assert capsys.readouterr().out.splitlines()[-1] == (
        "The cost swings: it was 0.6 at first, 0.9 in the last iteration and is 0.55. "
        "A smaller --learning-rate may help."
    )


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


def test_ctrl_c_writes_what_is_asked_for_and_ends_with_code_130(
    small, capsys, interrupt_after, tmp_path
):
    interrupt_after(3)
    path = tmp_path / "net.safetensors"
    arguments = ["mnist58", "--layers", "4", "--save", str(path), "--json"]
    assert cli.main(arguments) == 130
    output = capsys.readouterr()
    assert output.err == "bpcore: interrupted after 3 of 1000 iterations\n"
    assert "recipe:  none, as the training did not come to its end" in output.out.splitlines()
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    net, loss = trained(3)
    assert np.array_equal(bpcore.Network.load(path).parameters, net.parameters)
    result = json.loads(output.out.splitlines()[-1])
    assert result["costs"] == [[0, loss[0]], [2, loss[2]]]
    assert result["test_accuracy"] == net.evaluate(*images(20, 784, 2, "float32"))["accuracy"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_ctrl_c_draws_the_picture_that_is_asked_for(small, capsys, interrupt_after, tmp_path, name):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install matplotlib")
    interrupt_after(2)
    assert cli.main([name, "--plot", str(tmp_path / "p.png")]) == 130
    assert (tmp_path / "p.png").read_bytes().endswith(b"IEND\xaeB`\x82")


def test_ctrl_c_before_the_first_epoch_leaves_nothing_to_write(
    small, capsys, interrupt_after, tmp_path
):
    interrupt_after(0)
    assert cli.main(["mnist58", "--save", str(tmp_path / "net"), "--json"]) == 130
    output = capsys.readouterr()
    assert output.err == "bpcore: interrupted after 0 of 1000 iterations\n"
    assert output.out.count("\n") == 1 and not list(tmp_path.iterdir())


# ---- Where it begins -----------------------------------------------------------------------------

README = (ROOT / "README.md").read_text("utf-8")


def row_of_the_readme(command):
    """The arguments of a command in the table of the tutorials, and the figures beside it."""
    (arguments, figures), *more = re.findall(rf"\| `bpcore ({command}\b.*?)` \| (.*?) \|\n", README)
    assert not more
    return arguments.replace("DIR", "").split(), re.findall(r"\d+(?:\.\d+)?", figures)


@pytest.mark.long
@pytest.mark.parametrize(
    ("command", "find", "iterations"),
    [("mnist58", real_data.mnist58, "101"), ("cats", real_data.cats, "501")],
)
def test_the_readmes_costs_are_those_of_the_command_beside_them(capsys, command, find, iterations):
    find()
    arguments, figures = row_of_the_readme(command)
    _, result = run(capsys, *arguments, "--iterations", iterations)
    assert [f"{cost:.10f}" for _, cost in result["costs"]] == figures[:2]


@pytest.mark.long
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


# ---- How far it is -------------------------------------------------------------------------------


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


# ---- Where its output cannot go ------------------------------------------------------------------

posix = pytest.mark.skipif(os.name != "posix", reason="a POSIX shell closes the streams")
BUFFERED = {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}
COMMAND = f"'{sys.executable}' -m bpcore"


def shell(line, **more):
    """Run a line in a shell, whose last word is the status of the command."""
    done = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, env={**BUFFERED, **more}, timeout=120
    )
    return done.returncode, done.stdout, done.stderr


@posix
@pytest.mark.parametrize("words", ["info >&-", "info <&- >&- 2>&-", "--help >&-"])
def test_what_is_said_into_a_closed_stream_is_said_nowhere(words):
    assert shell(f"{COMMAND} {words}") == (0, "", "")


@posix
def test_an_error_with_stderr_closed_does_not_go_to_stdout(tmp_path):
    line = f"{COMMAND} cats '{tmp_path}/none'"
    code, out, err = shell(line)
    assert (code, out) == (1, "") and err.startswith("bpcore: error: ")
    assert shell(f"{line} 2>&-") == (1, "", "")


@posix
def test_a_network_is_saved_where_stdout_is_closed(tmp_path):
    if "BPCORE_DATA" not in os.environ:
        pytest.skip("BPCORE_DATA is not set")
    line = f"{COMMAND} mnist58 --layers 2 --iterations 1 --json --save"
    assert shell(f"{line} '{tmp_path}/open'")[0] == 0
    assert shell(f"{line} '{tmp_path}/closed' >&-") == (0, "", "")
    assert (tmp_path / "open").read_bytes() == (tmp_path / "closed").read_bytes()
    assert bpcore.Network.load(tmp_path / "closed").epochs == 1


@posix
@pytest.mark.parametrize("words", ["info", "--help", "--version", "mnist10 --help"])
def test_a_reader_that_leaves_hears_no_complaint(words):
    """It has left before anything is said: a pipe without a reader."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "bpcore", *words.split()]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=BUFFERED)
    os.close(writing)
    assert done.stderr == b"" and done.returncode == 1


@posix
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
@pytest.mark.parametrize("words", ["info", "info --json", "--help", "--version"])
def test_a_full_disk_is_one_error(words):
    code, _, err = shell(f"{COMMAND} {words} >/dev/full")
    assert code == 1
    assert err == "bpcore: error: [Errno 28] No space left on device\n"


# ---- export --------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path):
    net = bpcore.Network([3, 4, 2], output="softmax", seed=1)
    net.save(tmp_path / "net.safetensors")
    np.save(tmp_path / "words.npy", np.array(["three", "words"]))
    np.savez(tmp_path / "two.npz", X=np.eye(3), y=np.eye(3))
    np.save(tmp_path / "rows.npy", np.random.RandomState(0).uniform(-1, 1, (5, 3)))
    return tmp_path, net


def export_in(folder, *words):
    paths = [str(folder / word) if "." in word else word for word in words]
    return cli.main(["export", *paths])


def test_export_writes_what_the_method_writes(saved, capsys):
    folder, net = saved
    assert export_in(folder, "net.safetensors", "net.c", "--check", "rows.npy") == 0
    (folder / "own").mkdir()
    net.export(folder / "own/net.c", check=np.load(folder / "rows.npy"))
    assert (folder / "net.c").read_bytes() == (folder / "own/net.c").read_bytes()
    assert capsys.readouterr().out.splitlines() == [
        f"{folder / name}: {(folder / name).stat().st_size:,} bytes" for name in ("net.c", "net.h")
    ]


def test_export_of_eight_bits_writes_what_the_method_writes(saved):
    folder, net = saved
    assert export_in(folder, "net.safetensors", "net.c", "--int8", "rows.npy") == 0
    (folder / "own").mkdir()
    net.quantize(np.load(folder / "rows.npy")).export(folder / "own/net.c")
    assert (folder / "net.c").read_bytes() == (folder / "own/net.c").read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["net.safetensors", "net.py"], "it must end in .onnx or .c"),
        (["none.safetensors", "net.c"], "No such file"),
        (["net.safetensors", "net.c", "--check", "net.safetensors"], "holds no array"),
        (["net.safetensors", "net.onnx", "--int8", "rows.npy"], "it must end in .c"),
        (["net.safetensors", "net.c", "--int8", "rows.npy", "--batch"], "leave --batch out"),
        (["net.safetensors", "net.onnx", "--batch"], "batch is no option of a .onnx file"),
        (["net.safetensors", "net.c", "--check", "words.npy"], "holds <U5, but numbers"),
        (["net.safetensors", "net.c", "--check", "two.npz"], "holds several arrays"),
    ],
)
def test_export_says_what_it_cannot_do(saved, capsys, words, message):
    folder, _ = saved
    assert export_in(folder, *words) == 1
    assert message in capsys.readouterr().err
    assert not (folder / words[1]).exists()
