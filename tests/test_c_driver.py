"""The core without Python: guard pages, exact workspaces, every status, sanitizers."""

import shutil
import subprocess

import pytest
from driver import Broken, hashes

from tests.bits import ISAS, needs_fused
from tests.programs import build, c_compiler, results_of, run_driver

SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DBP_GUARDS"]
WHATS = {"matmul", "functions", "activations", "layers", "networks", "full_batch", "mini_batches"}
WHATS |= {f"sparse_{what}" for what in ("networks", "full_batch", "mini_batches", "outside")}
WHATS |= {"compressed", "packed_data", "outside", "systems", "optimizers"}


def build_with(sanitizers, folder, *launcher):
    """The driver with sanitizers; skipped where their libraries or the kernel say no."""
    compiler, empty = c_compiler(), folder / "empty.c"
    empty.write_text("int main(void) { return 0; }\n")
    try:
        probe = [*compiler, *sanitizers, str(empty), "-o", str(folder / "empty")]
        subprocess.run(probe, check=True, capture_output=True, timeout=60)
        command = [*launcher, folder / "empty"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"no {sanitizers[0]} here: {error}")
    return build(folder / "driver", compiler, "-O1", "-g1", *sanitizers)


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory):
    """The driver with AddressSanitizer and UBSan."""
    return build_with(SANITIZERS, tmp_path_factory.mktemp("sanitized"))


@pytest.fixture(scope="module")
def thread_sanitized(tmp_path_factory):
    """A command: the driver with ThreadSanitizer, which wants addresses that are not random."""
    fixed = ["setarch", "-R"] if shutil.which("setarch") else []
    if fixed and subprocess.run([*fixed, "true"], capture_output=True).returncode:
        fixed = []  # A container may forbid it.
    folder = tmp_path_factory.mktemp("thread_sanitized")
    return [*fixed, build_with(["-fsanitize=thread"], folder, *fixed)]


def test_the_driver_finds_nothing_wrong(native):
    assert {isa for isa, _, _ in native} == {*ISAS, "any"}
    for isa in ISAS:
        assert {what for name, _, what in native if name == isa} == WHATS


@pytest.mark.long
def test_more_ways_find_nothing_wrong_and_change_no_bit(driver, native):
    assert results_of(driver, "all") == native


@pytest.mark.long
def test_the_sanitizers_find_nothing_wrong_and_change_no_bit(native, sanitized):
    assert results_of(sanitized, "once") == native


@pytest.mark.parametrize("program", ["driver", pytest.param("sanitized", marks=pytest.mark.long)])
@pytest.mark.parametrize("law", ["over-read", "under-read", "over-write", "write-input"])
def test_a_broken_law_of_memory_is_seen(request, program, law):
    done = run_driver(request.getfixturevalue(program), law)
    assert done.returncode != 0 and "passed" not in done.stdout


@pytest.mark.long
def test_what_runs_into_the_next_array_of_a_workspace_is_seen(driver, sanitized):
    """Only by the sanitizer, for which the core leaves gaps between arrays."""
    assert run_driver(driver, "next-array").returncode == 0
    done = run_driver(sanitized, "next-array")
    assert done.returncode != 0 and "use-after-poison" in done.stdout


@pytest.mark.long
def test_threads_race_for_nothing_and_change_no_bit(native, thread_sanitized):
    shared = results_of(*thread_sanitized, "shared")
    assert {what for name, _, what in shared if name == ISAS[0]} == WHATS
    assert shared.items() <= native.items()


@pytest.mark.long
def test_a_race_is_seen(thread_sanitized):
    done = run_driver(*thread_sanitized, "race")
    assert done.returncode != 0 and "data race" in done.stdout and "racy_share" in done.stdout


@needs_fused
def test_one_different_bit_is_seen(driver):
    done = run_driver(driver, "mismatch", 32)
    assert done.returncode == 1 and not done.stdout.endswith(" 0 failed\n")
    with pytest.raises(Broken):
        hashes(done)
