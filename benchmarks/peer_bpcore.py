"""bpcore through its public calls: Network.fit and Network.forward."""

import inspect

import launch
from peers import Peer

from bpcore import Network

# A call of fit arranges its data once. Samples are calls as short as these: the tutorials' own fits
# are 1,000 iterations and 30 epochs long.
UNITS = {"A": 60, "A64": 30, "B": 10, "C": 1000, "D": 5}


class Bpcore(Peer):
    packages = ("bpcore", "numpy")
    note = "Network.fit and Network.forward, with every check of their arguments; its own shuffling"

    def prepare(self, job, X, Y, labels, weights, biases):
        self.job, self.X, self.Y = job, X, Y
        self.net = job.network()
        self.start = self.net.parameters.copy()
        self.fit_options = self.thread_option(Network.fit)
        self.forward_options = self.thread_option(Network.forward)

    def thread_option(self, method):
        """``n_threads`` where the method knows it: compare.py times older revisions, too."""
        named = "n_threads" in inspect.signature(method).parameters
        return {"n_threads": self.threads} if named else {}

    def units(self, job):
        return UNITS.get(job.key, job.units)

    def reset(self):
        self.net.parameters[...] = self.start
        self.net.epochs = 0

    def train(self, steps, order):
        job = self.job
        rows = min(steps * job.batch, job.rows) if job.batch else job.rows
        mine = self.share(rows)
        return self.net.fit(
            self.X[mine],
            self.Y[mine],
            epochs=max(1, steps * job.batch // job.rows) if job.batch else steps,
            batch_size=job.batch,
            learning_rate=job.learning_rate,
            shuffle=order is not None,
            **self.fit_options,
        ).loss

    def share(self, rows):
        """Which of the first rows this process gives to ``fit``."""
        return slice(rows)

    def parameters(self):
        return self.net.weights, self.net.biases

    def predict(self):
        return self.net.forward(self.X, **self.forward_options)


class BpcoreOnRanks(Bpcore):
    packages = (*Bpcore.packages, "mpi4py")
    note = "Network.fit(comm=MPI.COMM_WORLD), one thread a rank, rows shared out evenly"

    def prepare(self, job, *data):
        from mpi4py.MPI import COMM_WORLD

        super().prepare(job, *data)
        self.comm = self.fit_options["comm"] = COMM_WORLD

    def supports(self, job):
        return job.trains

    def share(self, rows):
        return launch.share(rows, self.comm.rank, self.comm.size)

    def meet(self):
        self.comm.Barrier()
