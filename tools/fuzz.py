"""Fuzz what strangers give: files, sparse matrices, arguments.

Law: an input ends in a result or in a ValueError (for arguments also in a TypeError, and in the
MemoryError and FloatingPointError that the documentation names), with at most twice its size and
64 MB of memory, within 1 s, and never in a crash. tests/hostile.py changes inputs and judges;
atheris (libFuzzer) keeps what reaches new branches of bpcore. Each target is a process.
"""

import argparse
import faulthandler
import gc
import hashlib
import importlib.util
import random
import re
import subprocess
import sys
import tempfile
import types
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))

from tests import hostile  # noqa: E402

SPARE_ADDRESSES = 3 << 30  # Beyond this there is no memory: it is refused, not taken.


def limit_memory():
    """Let allocations fail that no law allows, before they harm the machine."""
    import resource

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + SPARE_ADDRESSES,) * 2)


def mutator(target):
    """change(data, most, seed): libFuzzer's own changes of an input, or those of the strategy."""
    import atheris
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    seeds = [data for data in target.corpus.values() if len(data) <= hostile.MOST_CHANGED]
    pool, made = [b"", b""], [b""]
    current = st.sampled_from([0, 0, 0, 1]).map(pool.__getitem__)

    @settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(target.changes(current))
    def draw(data):
        made[0] = data

    def change(data, most, seed):
        dice = random.Random(seed)
        if dice.random() < 0.5:
            return atheris.Mutate(data, most)
        pool[:] = bytes(data), dice.choice(seeds)
        draw.hypothesis.fuzz_one_input(dice.randbytes(2048))
        return made[0][:most]

    return change


def explore(name, seconds, seed, folder):
    """Try the corpus and what is made of it, until a law is broken; ends the process."""
    import atheris

    faulthandler.enable()
    target, inputs = hostile.TARGETS[name](), folder / "inputs"
    for function in gc.get_objects():
        if isinstance(function, types.FunctionType) and function.__module__:
            if function.__module__.partition(".")[0] == "bpcore" or function is target.run:
                atheris.instrument_func(function)
    warnings.simplefilter("error")
    limit_memory()

    def attempt(data):
        (folder / "current").write_bytes(data)
        law = hostile.broken(target, data, folder)
        if law:
            print(law, flush=True)  # What libFuzzer says besides is as long as the input.
            raise AssertionError(law)

    inputs.mkdir()
    for name, data in target.corpus.items():
        attempt(data)  # Those that libFuzzer finds too large, too.
        (inputs / name).write_bytes(data)
    options = [f"-max_total_time={seconds}", f"-seed={seed + 1}", "-timeout=120", "-mutate_depth=1"]
    options += [f"-max_len={hostile.MOST_CHANGED}", "-rss_limit_mb=4096"]
    options += [f"-artifact_prefix={folder}/", str(inputs)]
    atheris.Setup([sys.argv[0], *options], attempt, custom_mutator=mutator(target))
    atheris.Fuzz()


def fuzz(name, arguments):
    """Fuzz one target in a process of its own; is a law broken?"""
    with tempfile.TemporaryDirectory() as folder:
        words = [name, "--seconds", arguments.seconds, "--seed", arguments.seed, "--work", folder]
        command = [*sys.orig_argv[: -len(sys.argv) + 1 or None], *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        figure = re.search(r"Done (\d+) runs", done.stderr)
        if done.returncode == 0 and figure:
            print(f"{name}: {figure[1]} executions, 0 findings", flush=True)
            return False
        current = Path(folder) / "current"
        data = current.read_bytes() if current.exists() else b""
    kept = Path(arguments.findings) / name / f"found-{hashlib.sha256(data).hexdigest()[:12]}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(data)
    print(
        f"{done.stderr[-4000:]}\n{done.stdout}\n{name}: a law is broken by {kept} ({data[:60]!r})"
    )
    return True


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ", ".join(hostile.TARGETS)
    parser.add_argument("target", nargs="?", choices=hostile.TARGETS, help=f"{names}; else all")
    parser.add_argument("--seconds", type=int, default=120, help="for each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--findings", default="fuzz-findings", help="folder for what is found")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        explore(arguments.target, arguments.seconds, arguments.seed, arguments.work)
    if importlib.util.find_spec("atheris") is None:
        print("skipped: atheris is not installed: pip install atheris")
        return 0
    chosen = [arguments.target] if arguments.target else hostile.TARGETS
    found = sum([fuzz(name, arguments) for name in chosen])
    print(f"{len(chosen)} targets, {found} findings")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
