"""A system in a process of its own, so that thread pools and settings do not meet.

``Worker`` is the parent's side; run as a program, this file is the child's: it reads orders from
standard input, a JSON line each, and answers on standard output. A system on ranks has one such
process a rank: the first takes the orders for all, and answers.
"""

import gc
import json
import os
import subprocess
import sys
import threading
import time
import traceback
import warnings
from dataclasses import replace
from pathlib import Path

import launch
import peers

# Processor time is counted in ticks of a hundredth of a second: two may be begun by others.
CLOCK_TICKS = 0.02
THREAD_SETTINGS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
# How each library is kept to an instruction set. ONNX Runtime knows no such setting.
ISA_SETTINGS = {
    "avx2": {
        "BPCORE_ISA": "avx2",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
        "OPENBLAS_CORETYPE": "Haswell",
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2 --xla_cpu_experimental_ynn_fusion_type=",
    }
}
# Ranks that do not find one another wait for ever. No order takes longer than 60 s, even where five
# other programs compete for each core.
RANKS_SECONDS = 180


class Worker:
    """A child process that holds one system; its calls raise RuntimeError with the child's words.

    ``path``: a folder with a build of bpcore, to be imported in place of the installed one. A
    system on ranks has as many as another has ``threads``, of one thread each.
    """

    # Threads of an idle pool spin for a while (OpenBLAS: 2**26 cycles): each sample waits that out.
    # Where no time is judged, 0 will do.
    settle_seconds = 0.1
    # What every worker finds in its environment, from ISA_SETTINGS.
    settings = {}

    def __init__(self, system, threads, path=None):
        self.system, self.threads = system, threads
        self.clock = self.foreign = 0.0
        self.on_ranks, command = system in peers.ON_RANKS, []
        if self.on_ranks:
            if launch.missing():
                raise RuntimeError(launch.missing())
            command, threads = [launch.mpiexec(), "-n", str(threads)], 1
        environment = {**os.environ, "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
        environment.update(self.settings)
        environment.update(dict.fromkeys(THREAD_SETTINGS, str(threads)))
        if threads == 1:
            flags = environment.get("XLA_FLAGS", "")
            environment["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
        if path:
            environment["PYTHONPATH"] = os.pathsep.join(
                [str(path), *filter(None, [os.environ.get("PYTHONPATH")])]
            )
        self.process = subprocess.Popen(
            [*command, sys.executable, Path(__file__).resolve(), system, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        try:
            self.about = self.ask("about")
        except RuntimeError:
            self.close()
            raise

    def ask(self, *order):
        alarm = threading.Timer(RANKS_SECONDS, self.process.terminate)
        if self.on_ranks:
            alarm.start()
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except OSError:
            line = ""
        finally:
            alarm.cancel()
        if not line.strip():  # A launcher that is ended prints an empty one.
            raise RuntimeError(f"its process ended with {self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    def sample(self, units=None):
        """Seconds of one unit of the prepared job, by default over as many units as it names.

        ``clock`` and ``foreign`` add up the seconds timed, and what others took meanwhile.
        """
        time.sleep(self.settle_seconds)
        per_unit, clock, foreign = self.ask("sample", units)
        self.clock += clock
        self.foreign += foreign
        return per_unit

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Session:
    """The child's side: each public method is an order."""

    def __init__(self, system, threads):
        import jobs
        import machine

        self.jobs, self.peer, self.samples = jobs, peers.make(system, threads), 0
        self.foreign_seconds = machine.foreign_seconds

    def about(self):
        return {"versions": self.peer.versions(), "note": self.peer.note}

    def prepare(self, settings):
        """Load data, compile, and check. Returns what to report: supported, check or other loss."""
        tuples = {k: tuple(v) for k, v in settings.items() if isinstance(v, list)}
        job = self.jobs.Job(**{**settings, **tuples})
        if not self.peer.supports(job):
            return None
        self.job = job
        X, Y, labels = job.load()
        net = job.network()
        start = [W.copy() for W in net.weights], [b.copy() for b in net.biases]
        self.peer.prepare(job, X, Y, labels, *start)
        self.peer.reset()
        other = self.peer.other_loss(job)
        return {"other_loss": other, "error": None if other else self.check(X, Y, start)}

    def check(self, X, Y, start):
        """The distance from the float64 oracle, in units of what is tolerated: 1 is too far.

        Training: the loss after a few steps may differ by a thousandth (float64: 1e-9) of what
        the steps changed. Rounding stays below that, a wrong rate, mean or gradient does not.
        Outputs between 0 and 1 may differ by 1e-5, a hundred roundings.
        """
        job, jobs = self.job, self.jobs
        if not job.trains:
            distance = abs(self.peer.predict_as_array() - jobs.outputs(job, X, *start)).max()
            return float(distance) / 1e-5
        self.peer.train(job.check_steps, None)
        seen = slice(job.check_steps * job.batch if job.batch else None)
        reached = jobs.mean_loss(job, X[seen], Y[seen], *self.peer.parameters())
        expected = jobs.mean_loss(job, X[seen], Y[seen], *jobs.oracle(job, X, Y, *start))
        before = jobs.mean_loss(job, X[seen], Y[seen], *start)
        tolerated = 1e-9 if job.dtype == "float64" else 1e-3
        return abs(reached - expected) / (tolerated * abs(expected - before))

    def sample(self, units):
        """Time one sample, from the start weights and with the caches warmed by one unit."""
        import numpy as np

        peer, job = self.peer, replace(self.job, units=units or self.peer.units(self.job))
        self.samples += 1
        order = None
        if job.trains and job.batch:
            order = peer.arrange(np.random.RandomState(self.samples).permutation(job.rows))
        elif job.trains:
            peer.reset()
            peer.train(1, None)
        else:
            peer.predict()
        peer.reset()
        gc.collect()
        gc.disable()
        peer.meet()
        foreign, start = self.foreign_seconds(), time.perf_counter()
        if job.trains:
            peer.train(job.steps, order)
        else:
            for _ in range(job.units):
                peer.predict()
        peer.meet()
        seconds = time.perf_counter() - start
        foreign = (self.foreign_seconds() or 0) - (foreign or 0)
        gc.enable()
        return seconds / job.units, seconds, max(0.0, foreign - CLOCK_TICKS)


def serve(system, threads):
    import machine

    comm, lines = None, sys.stdin
    if system in peers.ON_RANKS:
        from mpi4py.MPI import COMM_WORLD as comm

        lines = launch.orders(sys.stdin, comm)
    machine.use_cpus(threads, comm.rank if comm else 0)
    warnings.simplefilter("ignore")
    # Answers have standard output for themselves: the rest goes to standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    session = None
    for line in lines:
        try:
            session = session or Session(system, threads)
            name, *arguments = json.loads(line)
            answer = {"result": getattr(session, name)(*arguments)}
        except ImportError as error:
            answer = {"error": f"not installed ({error})"}
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        answer = launch.first_error(answer, comm) if comm else answer
        if answer:
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
