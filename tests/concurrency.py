"""Processes, threads and Ctrl-C: nothing hangs, nothing differs, nothing waits for long.

processes  children by fork, forkserver and spawn, and by os.fork while another thread trains: each
           trains and predicts with the parent's bits, and none takes longer than HANG seconds.
threads    16 threads predict with one network, over and over: the bits are those of one.
turns      while one thread trains, another one gets its turn: the longest wait is within the limit.
interrupts SIGINT at random moments of every kind of work: KeyboardInterrupt comes within LATE
           seconds in 99 of 100 cases, and the network is finite and can go on.

Waits depend on what else the machine does: the limits are for one that does nothing else.
"""

import multiprocessing
import os
import random
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

import bpcore

HANG = 60.0  # seconds
TURN = 0.05  # seconds: the longest slice that training takes
LATE = 0.1  # seconds: what feels at once
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((2000, 20)).astype("f4")
Y = np.arange(2000) % 3


def network(inputs=20, units=30, **how):
    how = {"hidden": "tanh", "output": "softmax", "seed": 1, **how}
    return bpcore.Network([inputs, units, 3], **how)


def work():
    """What a child does: the bits of a training and of a prediction, with threads."""
    net = network()
    net.fit(X, Y, epochs=3, optimizer="adam", batch_size=500, n_threads=3)
    return net.parameters.tobytes() + net.forward(X, n_threads=3).tobytes()


# ---- Processes -----------------------------------------------------------------------------------


def _child(pipe):
    pipe.send_bytes(work())


def started(method):
    """The bits of a child that multiprocessing starts so; None where it hangs."""
    context = multiprocessing.get_context(method)
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(there,))
    process.start()
    there.close()
    bits = here.recv_bytes() if here.poll(HANG) else None
    process.join(HANG if bits else 0)
    if process.is_alive():
        process.kill()
        return None
    return bits


def forked(_=None):
    """The same for a child of os.fork."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(int(HANG))
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(work())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        bits = pipe.read()
    return bits if os.waitpid(child, 0)[1] == 0 else None


def while_training(call):
    """call() while another thread trains, in slices and without."""
    begun, ends, training = threading.Event(), threading.Event(), Future()

    def train():
        net = network()
        try:
            while not ends.is_set():
                net.fit(X, Y, epochs=5, optimizer="adam", batch_size=100, n_threads=2)
                begun.set()
            training.set_result(None)
        except Exception as error:
            training.set_exception(error)

    threading.Thread(target=train, daemon=True).start()  # Nobody waits for one that hangs.
    try:
        if not begun.wait(HANG):
            training.result(0)  # What has kept it from training, or TimeoutError.
        return call()
    finally:
        ends.set()
        training.result(HANG)


def processes(count):
    """Complaints, and a figure."""
    expected, wrong, done = work(), [], 0
    ways = dict.fromkeys(multiprocessing.get_all_start_methods(), started)
    for method, way in ways.items():
        found = [way(method) for _ in range(count)]
        done += count
        wrong += [f"{method} {i}: {told(bits)}" for i, bits in enumerate(found) if bits != expected]
    if hasattr(os, "fork"):
        found = while_training(lambda: [forked() for _ in range(count)])
        done += count
        wrong += [f"os.fork in a fit {i}: {told(b)}" for i, b in enumerate(found) if b != expected]
    return wrong, f"{done} processes ended well"


def told(bits):
    return "it hung or failed" if not bits else "other bits"


# ---- Threads -------------------------------------------------------------------------------------


def threads(count, predict=bpcore.Network.forward):
    net = network()
    expected, start = net.forward(X).tobytes(), threading.Barrier(16)

    def often(_):
        start.wait()
        return sum(predict(net, X, n_threads=2).tobytes() != expected for _ in range(count))

    with ThreadPoolExecutor(16) as pool:
        other = sum(pool.map(often, range(16)))
    wrong = [f"{other} predictions have other bits"] if other else []
    return wrong, f"{16 * count} predictions by 16 threads"


def longest_wait(train, seconds=0.001):
    """The longest time that a thread has waited for its turn, beyond its own sleep."""
    ends, waits = threading.Event(), [0.0]

    def look():
        while not ends.is_set():
            before = time.perf_counter()
            time.sleep(seconds)
            waits.append(time.perf_counter() - before - seconds)

    thread = threading.Thread(target=look)
    thread.start()
    train()
    ends.set()
    thread.join()
    return max(waits), len(waits)


def turns(count):
    data = RANDOM.standard_normal((20_000, 50)).astype("f4"), np.arange(20_000) % 3
    wrong, longest, seen = [], 0.0, 0
    for name, how in {
        "full batch": dict(learning_rate=0.1),
        "mini-batches": dict(learning_rate=0.1, batch_size=32),
        "lbfgs": dict(optimizer="lbfgs"),
    }.items():
        net = network(50)
        wait, turned = longest_wait(lambda net=net, how=how: net.fit(*data, epochs=count, **how))
        longest, seen = max(longest, wait), seen + turned
        if wait > TURN:
            wrong.append(f"{name}: a thread waited {1000 * wait:.0f} ms")
    return wrong, f"{seen} turns, the longest wait {1000 * longest:.1f} ms"


# ---- Ctrl-C --------------------------------------------------------------------------------------


def interrupted(call, longest):
    """Seconds from SIGINT, at a random moment, to KeyboardInterrupt; None: the call has ended."""
    sent = []

    def send():
        time.sleep(random.uniform(0.02, longest))
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    thread, ended = threading.Thread(target=send), False
    thread.start()
    try:
        call()
        ended = True
        thread.join()
        time.sleep(0.01)  # The signal that comes now is for nobody.
    except KeyboardInterrupt:
        now = time.perf_counter()
    thread.join()
    return None if ended else now - sent[0]


def jobs(rows=1_000_000):
    """{name: (networks, their work)}: each would take much longer than anyone waits.

    rows: of a prediction.
    """
    from scipy import sparse

    data = RANDOM.standard_normal((100_000, 100)).astype("f4"), np.arange(100_000) % 3
    squares = data[0][:20_000, :20], data[0][:20_000, 20:21]
    many, labels = RANDOM.standard_normal((rows, 100)).astype("f4"), np.arange(rows) % 3
    few = sparse.csr_matrix(np.where(many > 1.28, many, 0))  # A tenth of a normal's values.

    def fit(net, data=data, **how):
        return lambda: net.fit(*data, epochs=10**6, **how)

    big, second = network(100), network(100)
    wide, images = network(4000, units=4000), RANDOM.standard_normal((600, 4000)).astype("f4")
    wide_data = images, np.arange(600) % 3
    small = bpcore.Network([20, 30, 1], hidden="tanh", output="identity", loss="mse", seed=1)
    nets = [network(100, seed=seed) for seed in range(3)]
    how = dict(learning_rate=0.1, epochs=10**6)
    return {
        "full batch": ([big], fit(big, learning_rate=0.1)),
        "mini-batches": ([big], fit(big, learning_rate=0.1, batch_size=32)),
        "adam, one step of 10,000": ([big], fit(big, optimizer="adam", batch_size=10_000)),
        "lbfgs": ([second], fit(second, optimizer="lbfgs")),
        "levenberg_marquardt": ([small], fit(small, data=squares, optimizer="levenberg_marquardt")),
        "full batch, wide": ([wide], fit(wide, wide_data, learning_rate=0.1)),
        "mini-batches, wide": ([wide], fit(wide, wide_data, learning_rate=0.1, batch_size=200)),
        "gradients, wide": ([wide], lambda: [wide.gradients(*wide_data) for _ in range(1000)]),
        "predict, wide": ([wide], lambda: [wide.predict(images) for _ in range(1000)]),
        "evaluate, wide": ([wide], lambda: [wide.evaluate(*wide_data) for _ in range(1000)]),
        "fit_many": (nets, lambda: bpcore.fit_many(nets, *data, **how)),
        "predict": ([big], lambda: [big.predict(many) for _ in range(1000)]),
        "predict, sparse": ([big], lambda: [big.predict(few) for _ in range(1000)]),
        "evaluate": ([big], lambda: [big.evaluate(many, labels) for _ in range(1000)]),
    }


def interrupts(count, names=None):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    wrong, all_of_them = [], []
    for name, (nets, call) in jobs().items():
        if names and name not in names:
            continue
        waits = []
        for _ in range(count):
            wait = interrupted(call, 0.3)
            if wait is not None:
                waits.append(wait)
            if not all(np.isfinite(net.parameters).all() for net in nets):
                wrong.append(f"{name}: a network is not finite")
        if not waits:
            wrong.append(f"{name}: it ended by itself each time")
            continue
        p50, p99, most = 1000 * np.quantile(waits, [0.5, 0.99, 1])
        print(f"{name}: {p50:.1f} ms, p99 {p99:.1f} ms, at most {most:.1f} ms ({len(waits)})")
        if p99 > 1000 * LATE:
            wrong.append(f"{name}: p99 of the wait after Ctrl-C is {p99:.0f} ms")
        all_of_them += waits
    p99 = 1000 * np.quantile(all_of_them, 0.99) if all_of_them else np.nan
    return wrong, f"{len(all_of_them)} interrupts, p99 {p99:.1f} ms"
