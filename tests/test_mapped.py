"""Arrays that lie in files: the bits of arrays in memory, without the memory."""

import subprocess
import sys

import numpy as np
import pytest

import bpcore
from bpcore._inputs import csr

N = 45
RNG = np.random.default_rng(0)
Y = RNG.integers(3, size=N)


@pytest.mark.parametrize("kept", [1.0, 0.2])
@pytest.mark.parametrize("batch_size", [None, 10])
def test_an_array_in_a_file_has_the_bits_of_one_in_memory(
    tmp_path, monkeypatch, dtype, batch_size, kept
):
    """Thin data in memory is compressed; in a file it is not."""
    compressed, compress = [], csr.compressed
    monkeypatch.setattr(csr, "compressed", lambda *data: compressed.append(data) or compress(*data))
    data = np.where(RNG.random((N, 70)) < kept, RNG.normal(size=(N, 70)), 0).astype(dtype)
    np.save(tmp_path / "X.npy", data)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    results = []
    for given in (data, mapped, mapped[:], np.asarray(mapped)):
        net = bpcore.Network([70, 6, 3], output="softmax", dtype=dtype, seed=1)
        how = dict(epochs=3, learning_rate=0.3, batch_size=batch_size, eval_set=(given, Y))
        history = net.fit(given, Y, **how)
        results.append((history.loss, history.eval_loss, net.parameters.tobytes()))
    assert results == results[:1] * 4
    assert len(compressed) == (kept < 0.5)  # The first one alone.


MEASURED = """
import sys, threading, time, numpy as np, bpcore

def own():  # Bytes of memory that are no file's.
    status = open("/proc/self/status").read()
    return 1024 * int(status.split("RssAnon:")[1].split()[0])

def growth(work):
    before = peak = own()
    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        peak = max(peak, own())
        time.sleep(0.001)
    return peak - before

rows, columns = 100_000, 1000
X = np.memmap(sys.argv[1], np.float32, "r", shape=(rows, columns))
y = np.arange(rows) % 2
net = bpcore.Network([columns, 2, 1], seed=0)
batches = [(X[i : i + 500], y[i : i + 500]) for i in range(0, rows, 500)]
how = dict(epochs=1, learning_rate=0.1, n_threads=2)
for work in (
    lambda: net.fit(X, y, eval_set=(X, y), **how),
    lambda: net.fit(X, y, batch_size=100, **how),
    lambda: net.fit(X, y, batch_size=100, shuffle=False, **how),
    lambda: net.fit(batches, **how),
    lambda: net.predict(X),
    lambda: net.gradients(X, y),
    lambda: np.array(X),  # This one, a copy, is seen.
):
    print(growth(work))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells what memory is no file's")
def test_an_array_in_a_file_is_not_copied(tmp_path):
    """Nor compressed, though nearly all of it is zero; the file has holes instead of 400 MB."""
    path = tmp_path / "X"
    with open(path, "wb") as file:
        file.write(np.ones(1000, "f4").tobytes())
        file.truncate(400 * 10**6)
    command = [sys.executable, "-c", MEASURED, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    *growths, copied = map(int, done.stdout.split())
    assert len(growths) == 6 and max(growths) < 100 * 10**6
    assert copied > 300 * 10**6
