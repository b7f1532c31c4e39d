"""Laws of threads: how many a call may use, and that none of them is there before or after it."""

import inspect
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import types

import numpy as np
import pytest

import bpcore
from bpcore import _core
from bpcore._inputs import thread_count
from tests.bits import same_bits
from tests.core_network import Net
from tests.execution_modes import THREADS, descend, entries_of, thinned, thread_work

TASKS = "/proc/self/task"
needs_tasks = pytest.mark.skipif(not os.path.isdir(TASKS), reason="only Linux lists its threads")


def tasks():
    return len(os.listdir(TASKS))


def settles_at(count):
    """Linux lists a thread that was joined for some moments more."""
    ends = time.monotonic() + 5
    while tasks() > count and time.monotonic() < ends:
        time.sleep(0.001)
    return tasks() <= count


# What the programs below share: a call that is short and uses all its threads.
PREAMBLE = """
import os, resource, signal, sys, threading, time
import numpy as np
import bpcore
from bpcore import _core
from bpcore._inputs import thread_count
X = np.random.default_rng(0).standard_normal((600, 50)).astype("f4")
net = bpcore.Network([50, 40, 3], output="softmax", seed=0)
TASKS = "/proc/self/task"
def compute(threads):
    out = np.empty((600, 3), "f4")
    work = np.empty(_core.forward_size(net._core, 600, 4, 0, threads), np.uint8)
    _core.forward(net._core, net.parameters, X, out, work, threads=threads)
    return out.tobytes()
alone, before = compute(1), tasks()  # A BLAS may have threads of its own.
_core.use_thread_work(1)
"""


def start(program, **variables):
    code = inspect.getsource(tasks) + inspect.getsource(settles_at)
    code += PREAMBLE + textwrap.dedent(program)
    environment = {**os.environ, **variables}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def outcome(process):
    """Lines that a process prints, if it ends well; else it is killed with its children."""
    try:
        out, error = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    assert process.returncode == 0, error
    return out.splitlines()


# ---- How many ------------------------------------------------------------------------------------


def test_a_number_of_threads_is_taken_as_it_is(monkeypatch):
    monkeypatch.setenv("BPCORE_NUM_THREADS", "none")  # Not even looked at.
    for n in (1, 2, 1000, np.int64(3)):
        assert thread_count.count(n) == n


@pytest.mark.parametrize("n, error", [(0, ValueError), (-1, ValueError), (1.0, TypeError)])
@pytest.mark.parametrize("rows", [3, 300])
def test_what_is_no_number_of_threads_is_refused_by_every_method(rows, n, error):
    X, y, net = np.ones((rows, 2)), np.ones(rows), bpcore.Network([2, 1], seed=0)
    before = net.parameters.copy()
    for call in [
        lambda: net.forward(X, n_threads=n),
        lambda: net.forward(X.astype("f4"), n_threads=n),
        lambda: net.predict(X, n_threads=n),
        lambda: net.loss(X, y, n_threads=n),
        lambda: net.evaluate(X, y, n_threads=n),
        lambda: net.gradients(X, y, n_threads=n),
        lambda: net.fit(X, y, epochs=1, learning_rate=0.1, n_threads=n),
    ]:
        with pytest.raises(error, match="n_threads is"):
            call()
    assert same_bits(net.parameters, before)


@pytest.mark.parametrize("given, count", [("1", 1), ("3", 3), ("64", 64), ("1000", 1000)])
def test_the_variable_is_the_default(monkeypatch, given, count):
    monkeypatch.setenv("BPCORE_NUM_THREADS", given)
    assert thread_count.count() == thread_count.count(None) == count
    assert thread_count.count(2) == 2


@pytest.mark.parametrize("given", ["0", "-1", "1.5", "two", " 2", "2 ", "+2", "0x2", "²", "1_0"])
def test_a_variable_that_is_no_number_is_refused_by_name(monkeypatch, given):
    monkeypatch.setenv("BPCORE_NUM_THREADS", given)
    with pytest.raises(ValueError, match="BPCORE_NUM_THREADS is .* whole number above 0"):
        thread_count.count()
    net = bpcore.Network([2, 1], seed=0)
    before = net.parameters.copy()
    with pytest.raises(ValueError, match="BPCORE_NUM_THREADS"):
        net.fit(np.ones((300, 2)), np.ones(300), epochs=1, learning_rate=0.1)
    with pytest.raises(ValueError, match="BPCORE_NUM_THREADS"):
        net.forward(np.ones((300, 2), "f4"))
    assert same_bits(net.parameters, before)


def test_more_threads_than_any_machine_has_are_as_good_as_many(monkeypatch):
    X, net = np.ones((300, 2)), bpcore.Network([2, 1], seed=0)
    expected = net.forward(X, n_threads=1)
    assert same_bits(net.forward(X, n_threads=2**63 - 1), expected)
    monkeypatch.setenv("BPCORE_NUM_THREADS", "9" * 30)
    try:
        assert same_bits(net.forward(X), expected)
    except ValueError as refused:
        assert "BPCORE_NUM_THREADS" in str(refused)  # The other answer that says something.


def test_without_a_variable_the_cpus_of_the_process_are_the_default(monkeypatch):
    monkeypatch.delenv("BPCORE_NUM_THREADS", raising=False)
    for affinity, quota, count in [(8, float("inf"), 8), (8, 3, 3), (2, 3, 2), (4, 0, 1)]:
        monkeypatch.setattr(thread_count, "_affinity", lambda affinity=affinity: affinity)
        monkeypatch.setattr(thread_count, "_quota_in", lambda second, quota=quota: quota)
        assert thread_count.count() == count
    monkeypatch.setenv("BPCORE_NUM_THREADS", "")  # Set, and empty: as if it were not there.
    assert thread_count.count() == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity masks here")
def test_an_affinity_mask_limits_the_default_also_after_a_fork():
    """Also in the second in which the parent has read the limits."""
    program = """
        cpus = sorted(os.sched_getaffinity(0))
        assert thread_count._affinity() == len(cpus) >= thread_count.count()
        child = os.fork()
        if child:
            assert os.waitpid(child, 0)[1] == 0
        os.sched_setaffinity(0, cpus[:1])
        print(thread_count.count(), thread_count.count(5), flush=True)
        os._exit(0)
        """
    assert outcome(start(program, BPCORE_NUM_THREADS="")) == ["1 5"] * 2


# ---- Control groups ------------------------------------------------------------------------------


def quota(tmp_path, groups, files):
    """_quota of a machine that has these lines in /proc/self/cgroup and these files."""
    for name, text in files.items():
        path = tmp_path / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "cgroup").write_text(groups)
    return thread_count._quota(tmp_path / "fs", tmp_path / "cgroup")


INFINITE = float("inf")
V1 = "5:memory:/a\n3:cpu,cpuacct:/a/b\n1:name=systemd:/a\n"


def v1(folder, limit, period=100000):
    files = {"cfs_quota_us": limit, "cfs_period_us": period}
    return {f"cpu/{folder}cpu.{name}": f"{value}\n" for name, value in files.items()}


@pytest.mark.parametrize(
    "groups, files, cpus",
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/a/b\n", {"a/b/cpu.max": "250000 100000\n"}, 3),  # Two and a half: three.
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n"}, INFINITE),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "100000 100000\n"}, 1),
        ("0::/a/b\n", {"a/b/cpu.max": "400000 100000\n", "cpu.max": "300000 100000\n"}, 3),
        ("0::/a/b\n", {"a/b/cpu.max": "1000 100000\n"}, 1),
        ("0::/a\n", {"b/cpu.max": "100000 100000\n"}, INFINITE),  # Another group's.
        ("0::/with:colon\n", {"with:colon/cpu.max": "200000 100000\n"}, 2),
        ("0::/a\n", {}, INFINITE),
        ("0::/a\n", {"a/cpu.max": ""}, INFINITE),
        ("0::/a\n", {"a/cpu.max": "many 100000\n"}, INFINITE),
        ("0::/a\n", {"a/cpu.max": "100000 0\n"}, INFINITE),
        ("", {"cpu.max": "100000 100000\n"}, INFINITE),
        (V1, v1("a/b/", 150000), 2),
        (V1, v1("a/b/", -1), INFINITE),
        (V1, v1("", 100000), 1),
        (V1, {**v1("a/b/", -1), **v1("a/", 300000)}, 3),  # The group above.
        (V1, {**v1("a/b/", 400000), **v1("a/", 100000, 50000)}, 2),
        ("2:cpuset:/a\n", v1("a/", 100000), INFINITE),
        (V1 + "0::/\n", {**v1("a/b/", 400000), "cpu.max": "300000 100000\n"}, 3),  # Both.
    ],
)
def test_control_groups_limit_the_default(tmp_path, groups, files, cpus):
    assert quota(tmp_path, groups, files) == cpus


def test_without_control_groups_there_is_no_limit(tmp_path):
    assert thread_count._quota(tmp_path, tmp_path / "missing") == INFINITE


def test_limits_of_control_groups_are_read_once_in_a_second(monkeypatch):
    """And again in the next: a container's limit may change while the process runs."""
    monkeypatch.delenv("BPCORE_NUM_THREADS", raising=False)
    reads, clock = [], types.SimpleNamespace(monotonic=lambda: now)

    def quota():
        reads.append(now)
        return limit

    monkeypatch.setattr(thread_count, "_affinity", lambda: 64)
    monkeypatch.setattr(thread_count, "_quota", quota)
    monkeypatch.setattr(thread_count, "time", clock, raising=False)
    now, limit = 1e9, 5
    assert [thread_count.count() for _ in range(100)] == [5] * 100
    now, limit = 1e9 + 0.9, 7
    assert [thread_count.count() for _ in range(100)] == [5] * 100
    now = 1e9 + 1
    assert [thread_count.count() for _ in range(100)] == [7] * 100
    assert reads == [1e9, 1e9 + 1]


# ---- While a call runs, and after it -------------------------------------------------------------


@needs_tasks
def test_helpers_are_there_while_a_call_runs_and_only_then():
    """A watcher counts them; the call is repeated until it was seen, and would be seen later."""
    net = Net([300, 300, 3], "tanh", "sigmoid", "bce", np.float64)
    X, Y = net.data(2000)
    seen, ends = [], threading.Event()

    def watch():
        while not ends.is_set():
            seen.append(tasks())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        before = tasks()
        with thread_work(1):
            for _ in range(50):
                net.gradient(X, Y, threads=5)
                assert settles_at(before)
                if max(seen, default=0) == before + 4:
                    break
        assert max(seen) == before + 4
        seen.clear()
        while not seen:  # The first count that comes may have begun before.
            time.sleep(0.001)
        seen.clear()
        while not seen:
            net.gradient(X, Y, threads=1)
        assert max(seen) == before
    finally:
        ends.set()
        watcher.join()


@needs_tasks
@pytest.mark.parametrize("threads", THREADS)
def test_no_call_leaves_a_thread(threads):
    net = Net([20, 9, 2], "tanh", "sigmoid", "bce", np.float32)
    X, Y = net.data(30)
    before = tasks()
    with thread_work(1):
        for data in (X, entries_of(thinned(X, 0.3))):
            net.forward(data, threads=threads)
            net.mean_loss(data, Y, threads=threads)
            net.gradient(data, Y, threads=threads)
            descend(net, data, Y, 7, threads=threads, budget=8)
            bad = np.vstack([Y[:20], np.full_like(Y[20:], np.nan)])
            with pytest.raises(FloatingPointError):
                descend(net, data, bad, 7, threads=threads)
            assert settles_at(before)
        X[3, 4] = np.nan
        with pytest.raises(ValueError):
            net.forward(X, threads=threads)
    assert settles_at(before)


def test_short_work_stays_on_the_callers_thread(dtype):
    """Its workspace is that of one thread: no other one could compute in it."""
    net = Net([20, 9, 2], "tanh", "sigmoid", "bce", dtype)
    size = _core.forward_size(net.core, 100, dtype.itemsize, 0, 16)
    assert size == _core.forward_size(net.core, 100, dtype.itemsize, 0, 1)
    with thread_work(1):
        assert size < _core.forward_size(net.core, 100, dtype.itemsize, 0, 16)


@pytest.mark.parametrize("threads", [64, 65, 10**6, 2**64 - 1])
def test_more_threads_than_a_team_has_are_capped(threads):
    net = Net([3, 2], None, "identity", "mse", np.float32)
    X, Y = net.data(200)
    for rows in (X, entries_of(X)):
        with thread_work(1):
            many = [net.forward(rows, threads=threads), *net.gradient(rows, Y, threads=threads)]
        one = [net.forward(rows), *net.gradient(rows, Y)]
        assert all(np.array_equal(a, b) for a, b in zip(one, many, strict=True))
    assert _core.workspace_size(net.core, 9, 4, 0, threads) == _core.workspace_size(
        net.core, 9, 4, 0, 64
    )


# ---- Processes -----------------------------------------------------------------------------------


@needs_tasks
def test_a_process_may_fork_after_and_between_threaded_calls():
    """Another thread is computing, with helpers, while the process forks twenty times."""
    lines = outcome(
        start(
            """
            assert compute(4) == alone
            ends, calls = threading.Event(), []
            def busy():
                while not ends.is_set():
                    calls.append(compute(3) == alone)
            worker = threading.Thread(target=busy)
            worker.start()
            while not calls:
                pass
            for i in range(20):
                child = os.fork()
                if child == 0:
                    signal.alarm(20)
                    os._exit(0 if compute(4) == alone and compute(1) == alone else 1)
                print(os.waitpid(child, 0)[1])
            ends.set()
            worker.join()
            print(all(calls), compute(4) == alone)
            """
        )
    )
    assert lines == ["0"] * 20 + ["True True"]


@needs_tasks
def test_a_process_that_gets_no_threads_computes_alone():
    """The limit of processes counts threads; root has none, so root becomes nobody first."""
    lines = outcome(
        start(
            """
            resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
            try:
                if os.getuid() == 0:
                    os.setresuid(65534, 65534, 65534)
                threading.Thread(target=int).start()
                print("unlimited")
            except PermissionError:
                print("unlimited")
            except RuntimeError:
                print(compute(4) == alone, settles_at(before))
                n, start = _core.Architecture([50, 3], ["identity"], "mse"), np.ones(153, "f4")
                found = []
                for threads in (1, 5):
                    p, work = start.copy(), np.empty(_core.workspace_size(n, 600, 4, 0, 5), "u1")
                    run = _core.Training(600, 0.01).run
                    run(n, p, X, X[:, :3].copy(), None, 600, work, threads=threads)
                    found.append(p.tobytes())
                print(found[0] == found[1] != start.tobytes())
            """
        )
    )
    if lines == ["unlimited"]:
        pytest.skip("the number of this process's threads cannot be limited here")
    assert lines == ["True True", "True"]
