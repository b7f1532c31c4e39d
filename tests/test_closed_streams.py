"""The command where its output cannot go: closed streams, full disks, readers that leave.

The oracles are the command's own words where nothing is in the way.
"""

import os
import subprocess
import sys

import pytest

import bpcore

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a POSIX shell closes the streams")
BUFFERED = {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}
COMMAND = f"'{sys.executable}' -m bpcore"


def shell(line, **more):
    """Run a line in a shell, whose last word is the status of the command."""
    done = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, env={**BUFFERED, **more}, timeout=120
    )
    return done.returncode, done.stdout, done.stderr


def test_info_with_stdout_closed_says_nothing():
    assert shell(f"{COMMAND} info >&-") == (0, "", "")


def test_info_with_all_streams_closed_says_nothing():
    assert shell(f"{COMMAND} info <&- >&- 2>&-") == (0, "", "")


def test_help_with_stdout_closed_does_not_go_to_stderr():
    assert shell(f"{COMMAND} --help >&-") == (0, "", "")


def test_an_error_with_stderr_closed_does_not_go_to_stdout(tmp_path):
    line = f"{COMMAND} cats '{tmp_path}/none'"
    code, out, err = shell(line)
    assert (code, out) == (1, "") and err.startswith("bpcore: error: ")
    assert shell(f"{line} 2>&-") == (1, "", "")


def test_a_network_is_saved_where_stdout_is_closed(tmp_path):
    if "BPCORE_DATA" not in os.environ:
        pytest.skip("BPCORE_DATA is not set")
    line = f"{COMMAND} mnist58 --layers 2 --iterations 1 --json --save"
    assert shell(f"{line} '{tmp_path}/open'")[0] == 0
    assert shell(f"{line} '{tmp_path}/closed' >&-") == (0, "", "")
    assert (tmp_path / "open").read_bytes() == (tmp_path / "closed").read_bytes()
    assert bpcore.Network.load(tmp_path / "closed").epochs == 1


@pytest.mark.parametrize("words", ["info", "--help", "--version", "mnist10 --help"])
def test_a_reader_that_leaves_hears_no_complaint(words):
    """It has left before anything is said: a pipe without a reader."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "bpcore", *words.split()]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=BUFFERED)
    os.close(writing)
    assert done.stderr == b"" and done.returncode == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
@pytest.mark.parametrize("words", ["info", "info --json", "--help", "--version"])
def test_a_full_disk_is_one_error(words):
    code, _, err = shell(f"{COMMAND} {words} >/dev/full")
    assert code == 1
    assert err == "bpcore: error: [Errno 28] No space left on device\n"
