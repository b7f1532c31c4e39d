"""How near the dense core comes to this machine's arithmetic limit, on one thread.

    python benchmarks/limits.py

Compiles limits.c with the core (CC, default cc) and runs it. The columns: operations a second of
a product or of a training step, the rate of a loop of multiply-adds measured in the same run, and
their ratio. Quiet machines give the truest ratios; compare ratios, never rates of two runs.
"""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORE = HERE.parent / "csrc"
FLAGS = ["-O2", "-std=c11", "-ffp-contract=off"]


def main():
    compiler = shlex.split(os.environ.get("CC", "cc"))
    sources = [*sorted(CORE.rglob("*.c")), HERE / "limits.c", HERE / "limits_peak.c"]
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "limits"
        subprocess.run([*compiler, *FLAGS, *sources, "-o", program, "-lm", "-pthread"], check=True)
        return subprocess.run([program], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
