"""What a run was measured on: its cores, its arithmetic and memory limits, its settings."""

import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Bytes: more than a second-level cache holds, and more than a share of a last-level one.
CORE_CACHE, SHARED_CACHE = 4 << 20, 32 << 20
# Settings that change how fast a system runs, by the start of their names.
SETTINGS = ("BLIS_", "BPCORE_", "GOMP_", "KMP_", "MKL_", "OMP_", "OPENBLAS_", "VECLIB_", "XLA_")


def cores():
    """One logical CPU of each core that this process may use; None where nothing tells them."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    chosen, seen = [], set()
    for cpu in sorted(os.sched_getaffinity(0)):
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        core = siblings.read_text() if siblings.exists() else str(cpu)
        if core not in seen:
            seen.add(core)
            chosen.append(cpu)
    return chosen


def core_count():
    return len(cores() or range(os.cpu_count() or 1))


def use_cpus(threads, rank=0):
    """Keep this process on ``threads`` cores: the one limit that every library respects.

    Ranks of one job have cores of their own, as far as there are some.
    """
    allowed = cores()
    if allowed and threads < len(allowed) and (rank + 1) * threads <= len(allowed):
        os.sched_setaffinity(0, allowed[rank * threads : (rank + 1) * threads])


def foreign_seconds():
    """Processor time that others have taken so far on the CPUs of this process.

    None where the system does not tell. Only differences mean something: what others take while a
    sample is timed, it lacks.
    """
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    allowed = {f"cpu{cpu}" for cpu in os.sched_getaffinity(0)}
    lines = [line.split() for line in stat.read_text().splitlines()]
    # user, nice, system, -, -, interrupts, soft interrupts, stolen by the hypervisor
    columns = (1, 2, 3, 6, 7, 8)
    ticks = sum(int(line[i]) for line in lines if line[0] in allowed for i in columns)
    return ticks / os.sysconf("SC_CLK_TCK") - time.process_time()


class Limits:
    """The program machine.c. ``measure`` may be called any number of times.

    ``missing`` says why nothing can be measured, where that is so.
    """

    def __init__(self, isas, threads):
        self.missing, self.samples = None, []
        self.folder = tempfile.TemporaryDirectory()
        program = Path(self.folder.name) / "machine"
        compiler = shlex.split(os.environ.get("CC", "cc"))
        sources = [HERE / "machine.c", HERE / "peak.c"]
        flags = ["-O3", "-std=c11", "-ffp-contract=off", "-pthread"]
        try:
            subprocess.run([*compiler, *flags, *sources, "-o", program], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            self.missing = f"machine.c cannot be compiled: {error}"
        self.command = [program, str(threads)]
        self.isas = [isa for isa in isas if isa != "generic"]
        if not self.isas:
            self.missing = "this processor has no fused multiply-add"

    def measure(self, memory=False):
        """One more sample of the multiply-adds, or of the memory."""
        if self.missing is None:
            command = self.command if memory else [*self.command, *self.isas]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            self.samples.append(json.loads(done.stdout))

    def rate(self, name, threads="all"):
        """The best of a limit's samples: what the machine can do; None where it is not known."""
        rates = [sample[name][threads] for sample in self.samples if name in sample]
        return max(rates, default=None)

    def rates(self):
        names = ("float32", "float64", "read", "read_8MiB", "copy")
        return {name: {t: self.rate(name, t) for t in ("one", "all")} for name in names}


def describe():
    """Machine, interpreter and settings, for the JSON."""
    return {
        "cpu": _cpu_name(),
        "cores": core_count(),
        "platform": platform.platform(),
        "python": sys.version.split()[0],
        "numpy": metadata.version("numpy"),
        "environment": {k: v for k, v in sorted(os.environ.items()) if k.startswith(SETTINGS)},
        "blas": _blas(),
    }


def warnings():
    """Settings of this environment that make a comparison unfair."""
    names = ("OPENBLAS_CORETYPE", "MKL_DEBUG_CPU_TYPE", "MKL_ENABLE_INSTRUCTIONS")
    for name in names:
        if name in os.environ:
            yield (
                f"{name}={os.environ[name]} is set: a BLAS is told which processor to expect, "
                f"and peers may run slower than they could; unset it for a fair comparison"
            )


def _cpu_name():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _blas():
    """NumPy's BLAS as threadpoolctl sees it, where that is installed."""
    try:
        import numpy  # noqa: F401  # Loads the library that is looked for.
        from threadpoolctl import threadpool_info
    except ImportError:
        return None
    keys = ("internal_api", "version", "architecture", "num_threads")
    return [{k: found.get(k) for k in keys} for found in threadpool_info()]
