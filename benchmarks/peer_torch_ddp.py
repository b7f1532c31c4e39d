"""PyTorch's DistributedDataParallel over gloo, its ranks launched as those of bpcore are."""

import socket

import launch
import torch
import torch.distributed
from mpi4py.MPI import COMM_WORLD
from peer_torch import Torch
from peers import batches


class Layers(torch.nn.Module):
    def __init__(self, params, logits):
        super().__init__()
        self.params, self.logits = torch.nn.ParameterList(params), logits

    def forward(self, X):
        return self.logits(X)


class TorchOnRanks(Torch):
    packages = ("torch", "mpi4py")
    note = (
        "DistributedDataParallel over gloo, one thread a rank, gradients as views of its buckets, "
        "torch.optim.SGD; each rank gathers an even share of every batch"
    )

    def __init__(self, threads):
        super().__init__(threads)
        self.comm = COMM_WORLD
        port = self.comm.bcast(free_port() if self.comm.rank == 0 else None)
        where = dict(rank=self.comm.rank, world_size=self.comm.size)
        torch.distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", **where)

    def supports(self, job):
        return job.trains

    def prepare(self, job, *data):
        super().prepare(job, *data)
        self.params = [torch.nn.Parameter(p.clone()) for p in self.start]
        layers = Layers(self.params, self.logits)
        options = dict(gradient_as_bucket_view=True)
        self.forward = torch.nn.parallel.DistributedDataParallel(layers, **options)
        self.optimizer = torch.optim.SGD(layers.parameters(), lr=job.learning_rate)

    @torch.no_grad()
    def reset(self):
        for p, start in zip(self.params, self.start, strict=True):
            p.copy_(start)

    def train(self, steps, order):
        job, total = self.job, torch.zeros((), dtype=self.X.dtype)
        if job.batch is None:
            order = [slice(0, job.rows)] * steps
        elif order is None:
            order = batches(steps, job.batch, job.rows)
        for rows in order:
            total += self.step(rows)
        torch.distributed.all_reduce(total)
        return [total.item() / steps / self.comm.size]

    def step(self, rows):
        """One step on a batch; returns this rank's part of its mean loss, times the ranks."""
        rank, ranks = self.comm.rank, self.comm.size
        if isinstance(rows, slice):
            count = rows.stop - rows.start
            here = launch.share(count, rank, ranks)
            mine = slice(rows.start + here.start, rows.start + here.stop)
            X, Y = self.X[mine], self.Y[mine]
        else:
            count, mine = len(rows), rows[launch.share(len(rows), rank, ranks)]
            X, Y = self.X.index_select(0, mine), self.Y.index_select(0, mine)
        loss = self.loss(self.forward(X), Y)
        if len(X) * ranks != count:  # The ranks' gradients are averaged, whatever their rows.
            loss = loss * (len(X) * ranks / count)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def meet(self):
        self.comm.Barrier()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
