"""fit_many with executors, scikit-learn's tools with joblib's: the bits of one process."""

import json
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import bpcore
from bpcore import EarlyStopping, _executors, fit_many, per_network

HERE = Path(__file__).parent
sys.path.append(str(HERE))  # Workers have the path of this process, and import this by its name.
import executor_helpers as helpers  # noqa: E402

sys.path.remove(str(HERE))

from executor_helpers import HOW, N, X, Y, alike, networks, state  # noqa: E402

# Other libraries warn as they please.
pytestmark = pytest.mark.filterwarnings("default")
SPAWN = multiprocessing.get_context("spawn")
MPIEXEC_SECONDS = 60


@pytest.fixture(scope="module")
def importable():
    """Processes that are started find what tests send them."""
    sys.path.append(str(HERE))
    yield
    sys.path.remove(str(HERE))


@pytest.fixture(scope="module")
def threads():
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture(scope="module")
def processes(importable):
    with ProcessPoolExecutor(2, SPAWN) as executor:
        yield executor


@pytest.fixture(scope="module")
def elsewhere(importable):
    """Processes that see no file of this one, like those of another machine."""
    with ProcessPoolExecutor(1, SPAWN, helpers.no_file) as executor:
        yield executor


@pytest.fixture(scope="module")
def loky(importable):
    loky = pytest.importorskip("joblib.externals.loky", reason="joblib is not installed")
    executor = loky.ProcessPoolExecutor(2)
    yield executor
    executor.shutdown()


@pytest.fixture(scope="module")
def client(importable):
    distributed = pytest.importorskip(
        "distributed", reason="dask is not installed: pip install distributed"
    )
    how = dict(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50)
    with distributed.LocalCluster(**how) as cluster, distributed.Client(cluster) as client:
        yield client


@pytest.fixture(scope="module")
def dask(client):
    return client.get_executor()


# Each kind of executor, and how often data for all is pickled for its workers.
PICKLED = {"threads": 0, "processes": 1, "loky": 1, "client": 1, "dask": 1}


@pytest.fixture(params=PICKLED)
def executor(request):
    return request.getfixturevalue(request.param)


# ---- Each is as alone ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*PICKLED, "elsewhere"])
def test_networks_of_workers_are_those_of_solo_fits_and_data_is_sent_once(kind, request):
    """To a worker of another machine it goes with each network, which it may."""
    executor = request.getfixturevalue(kind)
    together, alone, helpers.Counted.pickled = networks(), networks(), 0
    histories = fit_many(together, helpers.Counted(X), Y, executor=executor, **HOW)
    assert helpers.Counted.pickled == PICKLED.get(kind, 1 + len(together))
    assert alike(together, histories, alone, [net.fit(X, Y, **HOW) for net in alone])


def cases():
    """Name, data, settings and kind of network, all of which need another way to a worker."""
    thin = np.where(np.random.default_rng(1).random(X.shape) < 0.4, X, 0)
    evaluated = dict(eval_set=(X[:9], Y[:9]), early_stopping=EarlyStopping(2), epochs=9)
    yield "evaluated", X, evaluated, {}
    yield (
        "standardised",
        X.astype("f4"),
        dict(optimizer="rprop", dropout=0, batch_size=None),
        {"standardize": True},
    )
    yield "scheduled", X.tolist(), dict(learning_rate=bpcore.schedules.Adaptive(0.01)), {}
    yield "ordered", X, dict(order=np.random.default_rng(2).permutation(N)), {}
    full = dict(optimizer="lbfgs", batch_size=None, dropout=0, learning_rate=None)
    yield "second order", X, full, {}
    try:
        from scipy import sparse
    except ImportError:
        pass
    else:
        yield "sparse", sparse.csr_array(thin), {}, {}
    try:
        import pandas
    except ImportError:
        pass
    else:
        yield "frame", pandas.DataFrame(X, columns=list("abcd")), {}, {}


@pytest.mark.parametrize(
    ("data", "how", "made"), [one[1:] for one in cases()], ids=[one[0] for one in cases()]
)
def test_all_kinds_of_data_and_settings_reach_a_worker(executor, data, how, made):
    together, alone = networks(2, **made), networks(2, **made)
    how = {**HOW, **how}
    histories = fit_many(together, data, Y, executor=executor, **how)
    assert alike(together, histories, alone, [net.fit(data, Y, **how) for net in alone])


def test_rows_and_values_of_its_own_reach_each_network(executor):
    weights, rates = np.random.default_rng(3).random(N), [0.01, 0.02, 0.03]
    rows = [np.flatnonzero(np.arange(N) % 3 != i) for i in range(3)]
    together, alone = networks(3), networks(3)
    own = dict(learning_rate=per_network(rates), sample_weight=weights)
    histories = fit_many(together, X, Y, rows=rows, executor=executor, **{**HOW, **own})
    expected = []
    for net, index, rate in zip(alone, rows, rates, strict=True):
        own = dict(learning_rate=rate, sample_weight=weights[index])
        expected.append(net.fit(X[index], Y[index], **{**HOW, **own}))
    assert alike(together, histories, alone, expected)


def test_training_goes_on_where_a_worker_has_ended(executor):
    together, alone = networks(2), networks(2)
    for _ in range(2):
        fit_many(together, X, Y, executor=executor, n_threads=2, **HOW)
        for net in alone:
            net.fit(X, Y, **HOW)
    assert list(map(state, together)) == list(map(state, alone))
    together[0].fit(X, Y, **HOW)
    alone[0].fit(X, Y, **HOW)
    assert state(together[0]) == state(alone[0])


def test_views_of_the_parameters_show_what_a_worker_has_learnt(processes):
    (net,), (twin,) = networks(1), networks(1)
    weights, read_only = net.weights, pickle.loads(pickle.dumps(net))
    fit_many([net], X, Y, executor=processes, **HOW)
    twin.fit(X, Y, **HOW)
    assert np.array_equal(weights[0], twin.weights[0])
    read_only._parameters.flags.writeable = False
    fit_many([read_only], X, Y, executor=processes, **HOW)
    assert state(read_only) == state(twin)


def test_a_client_in_this_process_sends_nothing(importable):
    distributed = pytest.importorskip(
        "distributed", reason="dask is not installed: pip install distributed"
    )
    together, alone, helpers.Counted.pickled = networks(2), networks(2), 0
    how = dict(processes=False, dashboard_address=":0", n_workers=1, silence_logs=50)
    with distributed.Client(**how) as client:
        histories = fit_many(together, helpers.Counted(X), Y, executor=client, **HOW)
    assert helpers.Counted.pickled == 0
    assert alike(together, histories, alone, [net.fit(X, Y, **HOW) for net in alone])


def test_what_a_worker_warns_of_names_the_line_that_waits(processes, threads):
    far = np.full(N, 180.0)
    for executor in (processes, threads):
        nets = [bpcore.Network([4, 1], output="tanh", loss="mse", seed=i) for i in range(2)]
        with pytest.warns(UserWarning, match="y has the value 180") as told:
            fit_many(nets, X, far, executor=executor, epochs=1, learning_rate=1e-6)
        assert len(told) == 2 and {one.filename for one in told} == {__file__}
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(UserWarning, match="y has the value 180") as raised:
                fit_many(nets[:1], X, far, executor=executor, epochs=1, learning_rate=1e-6)
        assert raised.value.__notes__ == ["in network 0 of fit_many"] and nets[0].epochs == 1


# ---- The file of the data ------------------------------------------------------------------------


def test_arrays_are_mapped_where_they_lie_in_the_file(tmp_path):
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    data = {
        "a": X,
        "b": Y[:7],
        "c": sparse.csr_array(X),
        "d": np.asfortranarray(X),
        "e": np.empty(0),
    }
    _executors.write(tmp_path / "data", data)
    read = _executors.File(tmp_path / "data").read()
    assert all(np.array_equal(read[name], data[name]) for name in "abde")
    assert (read["c"] != data["c"]).nnz == 0
    for array in (read["a"], read["b"], read["c"].data, read["d"]):
        assert not array.flags.writeable and array.ctypes.data % _executors.ALIGNMENT == 0
    assert read["a"].flags.c_contiguous and read["d"].flags.f_contiguous


@pytest.mark.parametrize("cut", [slice(None), slice(3, 20)])
@pytest.mark.parametrize("kind", ["memmap", "array"])
def test_a_mapped_file_is_mapped_by_workers_too(tmp_path, cut, kind):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")[cut]
    _executors.write(tmp_path / "data", mapped if kind == "memmap" else np.asarray(mapped))
    read = _executors.File(tmp_path / "data").read()
    assert isinstance(read, np.memmap) and Path(read.filename) == tmp_path / "X.npy"
    assert np.array_equal(read, X[cut])
    assert (tmp_path / "data").stat().st_size < X[cut].nbytes


def test_what_a_mapped_file_does_not_hold_is_written(tmp_path):
    np.save(tmp_path / "X.npy", X)
    private = np.load(tmp_path / "X.npy", mmap_mode="c")
    private[0] = 7
    turned = np.load(tmp_path / "X.npy", mmap_mode="r")[:, ::-1]
    for i, array in enumerate([private, turned]):
        _executors.write(tmp_path / f"data {i}", array)
        assert np.array_equal(_executors.File(tmp_path / f"data {i}").read(), array)


def test_the_folder_is_removed_whatever_happens(processes, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    fit_many(networks(2), X, Y, executor=processes, **HOW)
    with pytest.raises(RuntimeError, match="of its own"):
        fit_many(networks(2), X, Y, executor=processes, callbacks=helpers.boom_of_seed_1, **HOW)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failing", ["folder", "disk"])
def test_without_room_for_a_file_data_is_sent_with_each_network(processes, monkeypatch, failing):
    def refused(*arguments, **settings):
        raise OSError("no space left")

    place = (tempfile, "TemporaryDirectory") if failing == "folder" else (_executors, "write")
    monkeypatch.setattr(*place, refused)
    together, alone, helpers.Counted.pickled = networks(2), networks(2), 0
    histories = fit_many(together, helpers.Counted(X), Y, executor=processes, **HOW)
    assert helpers.Counted.pickled == 2
    assert alike(together, histories, alone, [net.fit(X, Y, **HOW) for net in alone])


# ---- Errors and cancellation ---------------------------------------------------------------------


def test_an_error_names_its_network_which_is_as_after_its_own_fit(executor):
    """Others are as after theirs, or have not begun."""
    how = {**HOW, "callbacks": helpers.boom_of_seed_1}
    before, together, alone = networks(), networks(), networks()
    with pytest.raises(RuntimeError, match="of its own") as raised:
        fit_many(together, X, Y, executor=executor, **how)
    assert raised.value.__notes__ == ["in network 1 of fit_many"]
    with pytest.raises(RuntimeError, match="of its own"):
        alone[1].fit(X, Y, **how)
    for i in (0, 2, 3, 4):
        alone[i].fit(X, Y, **how)
    for i, net in enumerate(together):
        assert state(net) in ([state(alone[1])] if i == 1 else [state(alone[i]), state(before[i])])
        net.fit(X, Y, **HOW)  # It is not locked any more.


@pytest.mark.parametrize("kind", ["processes", "loky", "client"])
def test_an_error_of_a_process_says_where_it_was_raised(kind, request):
    """Also where its class cannot be made there anew."""
    executor = request.getfixturevalue(kind)
    with pytest.raises(Exception, match="one and another") as raised:
        fit_many(networks(1), X, Y, executor=executor, callbacks=helpers.boom, **HOW)
    assert "executor_helpers.py" in str(raised.value.__cause__)


@pytest.mark.parametrize("kind", ["processes", "loky", "client", "dask"])
@pytest.mark.parametrize("given", ["alone", "listed"])
def test_a_callback_that_cannot_be_pickled_is_named(kind, given, request):
    executor, nets, locked = request.getfixturevalue(kind), networks(2), helpers.Locked()
    name = "callbacks" if given == "alone" else r"callbacks\[1\]"
    callbacks = locked if given == "alone" else [EarlyStopping(), locked]
    with pytest.raises(
        TypeError, match=rf"^{name} is Locked\(\), which cannot be pickled"
    ) as raised:
        fit_many(nets, X, Y, executor=executor, callbacks=callbacks, **HOW)
    assert raised.value.__notes__ == ["in network 0 of fit_many"]
    assert [net.epochs for net in nets] == [0, 0]


def test_threads_need_not_pickle(threads):
    nets = networks(2)
    fit_many(nets, X, Y, executor=threads, callbacks=helpers.Locked(), **HOW)
    assert [net.epochs for net in nets] == [5, 5]


def test_a_worker_that_dies_is_an_error_of_its_network(importable):
    with ProcessPoolExecutor(1, SPAWN) as executor, pytest.raises(RuntimeError) as raised:
        fit_many(networks(2), X, Y, executor=executor, callbacks=helpers.kill, **HOW)
    assert raised.value.__notes__ == ["in network 0 of fit_many"]


def test_a_network_in_training_is_refused_and_stays_locked_meanwhile(threads, tmp_path):
    """By the lock of the caller's network, although a copy is trained."""
    refused, (net,) = [], networks(1)

    def train(copy, history):
        for work in (net.fit, lambda *data, **how: fit_many([net], *data, executor=threads, **how)):
            with pytest.raises(RuntimeError, match="in training already") as raised:
                work(X, Y, **HOW)
            refused.append(raised.value)

    fit_many([net], X, Y, executor=threads, callbacks=train, **{**HOW, "epochs": 1})
    assert len(refused) == 2 and refused[1].__notes__ == ["in network 0 of fit_many"]
    assert net.epochs == 1


class OneThread(ThreadPoolExecutor):
    """One worker; ``go`` is touched once the last of so many calls is cancelled."""

    def __init__(self, count, go):
        super().__init__(1)
        self.count, self.go, self.futures = count, go, []

    def submit(self, *work):
        future = super().submit(*work)
        self.futures.append(future)
        if len(self.futures) == self.count:
            future.add_done_callback(lambda future: future.cancelled() and self.go.touch())
        return future


def test_after_an_error_no_network_begins(tmp_path):
    """When network 1 fails, network 2 has begun; it ends once the last one is cancelled."""
    held = helpers.Held(tmp_path)

    def hold(net, history):
        helpers.boom_of_seed_1(net, history)
        if net.seed == 2:
            held.epoch(net, history)

    together, alone = networks(6), networks(6)
    with OneThread(6, tmp_path / "go") as executor:
        with pytest.raises(RuntimeError, match="of its own"):
            fit_many(together, X, Y, executor=executor, callbacks=hold, **HOW)
        assert [future.cancelled() for future in executor.futures[3:]] == [True] * 3
    assert [net.epochs for net in together] == [5, 2, 5, 0, 0, 0]
    for i in (0, 2):
        alone[i].fit(X, Y, **HOW)
        assert state(together[i]) == state(alone[i])


@pytest.mark.skipif(sys.platform == "win32", reason="there a lock is waited for without an ear")
@pytest.mark.parametrize("kind", ["threads", "processes", "loky", "client"])
def test_ctrl_c_ends_what_workers_do_for_hours(kind, request, tmp_path):
    executor, nets = request.getfixturevalue(kind), networks(5)
    before = list(map(state, nets))
    (tmp_path / "go").touch()
    # Who runs tests in processes of their own has Ctrl-C ignored there.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, handler))

    def press():
        helpers.wait_for((tmp_path / "begun 0").exists)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    how = {**HOW, "epochs": 10**9, "callbacks": helpers.Held(tmp_path)}
    with pytest.raises(KeyboardInterrupt):
        fit_many(nets, X, Y, executor=executor, **how)
    presser.join()

    def names(word):
        return {path.name.removeprefix(word) for path in tmp_path.glob(f"{word}*")}

    helpers.wait_for(lambda: names("ended") == names("begun"))
    assert list(map(state, nets)) == before
    nets[0].fit(X, Y, **HOW)


def test_calls_that_others_cancel_are_errors():
    class Cancelled:
        def submit(self, *work):
            future = Future()
            future.cancel()
            return future

    with pytest.raises(Exception) as raised:
        fit_many(networks(2), X, Y, executor=Cancelled(), **HOW)
    assert type(raised.value).__name__ == "CancelledError"
    assert raised.value.__notes__ == ["in network 0 of fit_many"]


def test_what_is_no_executor_is_refused():
    for wrong in (3, "processes", ThreadPoolExecutor):
        with pytest.raises(TypeError, match="^executor is .*, but a concurrent.futures.Executor"):
            fit_many(networks(1), X, Y, executor=wrong, **HOW)
    closed = ThreadPoolExecutor(1)
    closed.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        fit_many(networks(1), X, Y, executor=closed, **HOW)


# ---- MPI -----------------------------------------------------------------------------------------


def by_mpi(count):
    pytest.importorskip("mpi4py", reason="mpi4py is not installed: pip install mpi4py mpich")
    beside = Path(sys.prefix) / "bin" / "mpiexec"
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    if mpiexec is None:
        pytest.skip("there is no mpiexec here: pip install mpich")
    command = [mpiexec, "-n", "3", sys.executable, "-m", "mpi4py.futures"]
    command += [str(HERE / "executor_helpers.py"), str(count)]
    how = dict(capture_output=True, text=True, timeout=MPIEXEC_SECONDS, stdin=subprocess.DEVNULL)
    done = subprocess.run(command, **how)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_networks_of_an_mpi_pool_are_those_of_solo_fits():
    found = by_mpi(6)
    assert (found["workers"], found["pickled"], found["alike"]) == (2, 1, True)
    assert found["error"][0] == "ValueError" and found["error"][1].startswith(
        "learning_rate is nan"
    )
    assert found["error"][2] == "in network 1 of fit_many"
    assert found["unsent"][1].startswith("callbacks is Locked(), which cannot be pickled")


@pytest.mark.long
def test_many_networks_of_an_mpi_pool_are_those_of_solo_fits():
    assert by_mpi(64)["alike"]


@pytest.mark.long
def test_many_networks_of_a_cluster_are_those_of_solo_fits(client):
    together, alone = networks(64), networks(64)
    histories = fit_many(together, X, Y, executor=client, **{**HOW, "epochs": 100})
    expected = [net.fit(X, Y, **{**HOW, "epochs": 100}) for net in alone]
    assert alike(together, histories, alone, expected)


# ---- scikit-learn's tools ------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_searches_and_scores_are_those_of_one_process(backend, request):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from joblib import parallel_config
    from sklearn.model_selection import GridSearchCV, cross_val_score

    from bpcore.sklearn import MLPClassifier

    if backend == "dask":
        request.getfixturevalue("client")
    model = MLPClassifier((5,), max_iter=20, tol=0, n_iter_no_change=30, random_state=1)
    grid = {"alpha": [0.0, 0.1]}

    def found(n_jobs):
        search = GridSearchCV(model, grid, cv=2, n_jobs=n_jobs).fit(X, Y)
        scores = [search.cv_results_[f"split{i}_test_score"] for i in range(2)]
        scores.append(cross_val_score(model, X, Y, cv=2, n_jobs=n_jobs, scoring="neg_log_loss"))
        best = [
            one.tobytes()
            for one in (*search.best_estimator_.coefs_, *search.best_estimator_.intercepts_)
        ]
        return [one.tobytes() for one in scores], best

    serial = found(1)
    with parallel_config(backend, n_jobs=2):
        assert found(2) == serial
    assert len({*serial[0]}) > 1
