"""Fuzz what strangers give: files, sparse matrices, arguments.

Law: an input ends in a result or in a ValueError (for arguments also in a TypeError, and in the
MemoryError and FloatingPointError that the documentation names), with at most twice its size and
64 MB of memory, within 1 s, and never in a crash. Inputs run in a process of their own. They are
changed copies of those in tests/corpora/TARGET, and what reaches new lines is changed further.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORPORA = HERE.parent / "tests" / "corpora"
sys.path.insert(0, str(HERE))

from fuzzing import laws, targets, worker  # noqa: E402

MOST_CRASHES = 10
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # Each input is a file for a moment.


MOST_COMMITTED = 16 << 10  # bytes; larger inputs are made anew each time


def corpus(name):
    """The inputs to begin with: those that are committed, and those that are too large for it."""
    inputs = dict(targets.named(name).seeds())
    inputs |= {path.name: path.read_bytes() for path in sorted((CORPORA / name).glob("*"))}
    return list(inputs.values())


def work(name, folder, settings):
    """What the process of one target does."""
    target = targets.named(name)
    inputs = corpus(name)
    if settings["engine"] == "atheris":
        from fuzzing import atheris_engine

        return atheris_engine.main(target, folder, inputs, settings)
    return worker.main(target, folder, inputs, settings)


def start(name, folder, settings):
    """Run one process to its end; its lines and its exit status."""
    command = [sys.executable, str(HERE / "fuzz.py"), name, "--work", str(folder)]
    command.append(json.dumps(settings))
    with open(folder / "errors", "wb") as errors:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors)
    lines = []
    for line in done.stdout.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:  # A line of someone else, or one that a crash has cut.
            continue
    return [line for line in lines if isinstance(line, dict)], done.returncode


def fuzz(name, settings, findings):
    """Findings and executions of one target; a crash is a finding, and another process goes on."""
    found, executions, lines_reached = [], 0, 0
    end = time.monotonic() + settings["seconds"]
    for crash in range(MOST_CRASHES):
        left = {**settings, "seconds": end - time.monotonic(), "seed": settings["seed"] + crash}
        left["executions"] = settings["executions"] - executions
        left["replay"] = crash == 0
        with tempfile.TemporaryDirectory(dir=MEMORY) as temporary:
            folder = Path(temporary)
            lines, status = start(name, folder, left)
            found += [(line["finding"], bytes.fromhex(line["input"])) for line in lines
                      if "finding" in line]  # fmt: skip
            beats = [line for line in lines if "executions" in line]
            executions += beats[-1]["executions"] if beats else 0
            lines_reached = max(lines_reached, beats[-1]["lines"] if beats else 0)
            if status == 0:
                break
            said = (folder / "errors").read_text("utf-8", "replace")
            data = (folder / "current").read_bytes() if (folder / "current").exists() else b""
            found.append((f"Crash: exit status {status}: {said[-600:]}", data))
        if end <= time.monotonic():
            break
    for law, data in found:
        report(name, law, data, findings)
    print(f"{name}: {executions} executions, {lines_reached} lines, {len(found)} findings")
    return len(found), executions


def report(name, law, data, findings):
    """Keep an input that broke a law, and say where it is."""
    folder = Path(findings) / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"found-{hashlib.sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    print(f"{name}: {law}\n  input: {path} ({data[:60]!r})")


def write_corpora(names):
    """Write the inputs that are made, beside those that were found."""
    for name in names:
        folder = CORPORA / name
        folder.mkdir(parents=True, exist_ok=True)
        for title, data in targets.named(name).seeds().items():
            if len(data) <= MOST_COMMITTED:
                (folder / title).write_bytes(data)
        print(f"{name}: {len(list(folder.glob('*')))} inputs")
    return 0


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", nargs="?", help=f"one of {', '.join(targets.NAMES)}; else all")
    parser.add_argument("--seconds", type=float, default=120, help="for each target")
    parser.add_argument("--executions", type=int, default=1 << 62, help="changed inputs, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most-seconds", type=float, default=laws.SECONDS, help="of an input")
    parser.add_argument("--engine", choices=("lines", "atheris"), default="lines")
    parser.add_argument("--findings", default="fuzz-findings", help="folder for what is found")
    parser.add_argument("--write-corpora", action="store_true", help="write the made inputs anew")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    arguments = parse()
    if arguments.work:
        work(arguments.target, arguments.work[0], json.loads(arguments.work[1]))
        return 0
    names = [arguments.target] if arguments.target else targets.NAMES
    if arguments.write_corpora:
        return write_corpora(names)
    if arguments.engine == "atheris" and not targets.has_atheris():
        print("skipped: atheris is not installed: pip install atheris")
        return 0
    names_of_settings = ("seconds", "executions", "seed", "most_seconds", "engine")
    settings = {name: getattr(arguments, name) for name in names_of_settings}
    sums = [fuzz(name, settings, arguments.findings) for name in names]
    found, executions = map(sum, zip(*sums, strict=True))
    print(f"{executions} executions, {found} findings")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
