"""What each rank does for network.py: it trains, and the first one says how long a step took.

    mpiexec -n RANKS python benchmarks/network_rank.py SETTINGS FILE

SETTINGS are a job and its epochs in JSON. The parameters are written to FILE.
"""

import hashlib
import json
import sys
import time
from pathlib import Path

import jobs
import launch
import numpy as np
from mpi4py.MPI import COMM_WORLD

WARMING_EPOCHS = 2  # They open the connections.
PINGS, LONG_MESSAGE = 20, 2**21


def sent_bytes():
    """Bytes that this machine has sent to others: the ninth column of each device but lo."""
    devices = [line.split() for line in Path("/proc/net/dev").read_text().splitlines()[2:]]
    return sum(int(device[9]) for device in devices if device[0] != "lo:")


def one_way(comm, size):
    """The median of the seconds in which a message of ``size`` bytes goes from rank 0 to rank 1."""
    message, word, seconds = np.zeros(size, np.int8), np.zeros(1, np.int8), []
    for _ in range(PINGS):
        started = time.perf_counter()
        if comm.rank == 0:
            comm.Send(message, 1)
            comm.Recv(word, 1)
        elif comm.rank == 1:
            comm.Recv(message, 0)
            comm.Send(word, 0)
        seconds.append(time.perf_counter() - started)
    comm.Barrier()
    return float(np.median(seconds))


def main(settings, path):
    comm = COMM_WORLD
    tuples = {k: tuple(v) for k, v in settings["job"].items() if isinstance(v, list)}
    job = jobs.Job(**settings["job"] | tuples)
    X, Y, _ = job.load()
    mine = launch.share(job.rows, comm.rank, comm.size)
    there_and_back = one_way(comm, 1)
    long = one_way(comm, LONG_MESSAGE) - there_and_back
    net, stamps = job.network(), []

    def note(net, history):
        stamps.append((history.seconds, time.perf_counter(), sent_bytes()))

    net.fit(
        X[mine], Y[mine], epochs=settings["epochs"], learning_rate=job.learning_rate, n_threads=1,
        comm=comm, callbacks=[note],
    )  # fmt: skip
    differences = np.diff(stamps[WARMING_EPOCHS - 1 :], axis=0)
    digests = comm.gather(hashlib.sha256(net.parameters).hexdigest())
    everyone = comm.gather(differences)
    if comm.rank == 0:
        np.save(path, net.parameters)
        steps, epochs, sent = zip(*(each.T for each in everyone), strict=True)
        answer = {
            "alike": len(set(digests)) == 1,
            "latency": there_and_back / 2,
            "bandwidth": LONG_MESSAGE / long,
            "steps": steps[0].tolist(),
            "epochs": epochs[0].tolist(),
            "sent": float(np.median(np.sum(sent, axis=0))),
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2])
