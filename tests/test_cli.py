"""Laws of the ``bpcore`` command: what it prints, what it refuses, and how it ends.

Laws of behaviour train on a few random images in place of the data sets, so they need no data.
"""

import json
import os
import subprocess
import sys

import pytest

import bpcore
from bpcore.experiments import cli, tutorials
from tests.small_data import images, replace_data

EXPERIMENTS = ("mnist58", "mnist10", "cats")
DEFAULTS = {
    "mnist58": ("196", "1000", "0.1", "float32", "1"),
    "mnist10": ("30", "3.0", "10", "float32", "0"),
    "cats": ("7", "2501", "0.0077", "float64", "0"),
}


@pytest.fixture
def small(monkeypatch):
    replace_data(monkeypatch)


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
        order=tutorials._tutorial_order(settings["seed"], 40, settings["epochs"]),
    )
    assert history.loss == [cost for _, cost in first["costs"]]
    assert settings["threads"] == 2


def test_no_result_depends_on_threads(small, capsys):
    runs = [run(capsys, "mnist58", *length("", 30), *more)[1] for more in ([], ["--threads", "2"])]
    assert runs[0]["costs"] == runs[1]["costs"]
    assert runs[0]["test_accuracy"] == runs[1]["test_accuracy"]


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


def test_info_is_bpcore_info(capsys):
    assert cli.main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == bpcore.info()
    assert cli.main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == list(bpcore.info())


def test_version(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"bpcore {bpcore.__version__}\n"


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


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGPIPE to speak of")
def test_a_reader_that_leaves_is_no_traceback():
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "bpcore", "info"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")
