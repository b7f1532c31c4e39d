"""What every timed system offers, and where to find it.

A system is a class in ``peer_NAME.py``. A worker process makes one object of it, hands it one job
after the other, and times ``train`` or ``predict``; all else happens outside of the timed part.
"""

import importlib
import importlib.metadata

import numpy as np

# Module, class and label of each system. The first is the one that the others are compared with.
SYSTEMS = {
    "bpcore": ("peer_bpcore", "Bpcore", "bpcore"),
    "tutorial": ("peer_tutorial", "Tutorial", "tutorial's code"),
    "numpy": ("peer_numpy", "Numpy", "NumPy"),
    "torch": ("peer_torch", "Torch", "PyTorch"),
    "torch_by_hand": ("peer_torch", "TorchByHand", "PyTorch, by hand"),
    "jax": ("peer_jax", "Jax", "JAX"),
    "sklearn": ("peer_sklearn", "Sklearn", "scikit-learn"),
    "onnxruntime": ("peer_onnxruntime", "OnnxRuntime", "ONNX Runtime"),
}
# Those that run on the ranks of a launcher.
ON_RANKS = {
    "bpcore_on_ranks": ("peer_bpcore", "BpcoreOnRanks", "bpcore, ranks"),
    "torch_on_ranks": ("peer_torch_ddp", "TorchOnRanks", "PyTorch, DistributedDataParallel"),
}


class Peer:
    """One system on one job.

    Class attributes: ``packages``, the distributions whose versions are recorded, and ``note``,
    what the system does, for the table's footnotes. A peer has the methods that the jobs it
    supports call; those that it lacks, and that raise NotImplementedError here, are not called.
    """

    packages = ("numpy",)
    note = ""

    def __init__(self, threads):
        self.threads = threads

    @classmethod
    def versions(cls):
        return {name: importlib.metadata.version(name) for name in cls.packages}

    def supports(self, job):
        return True

    def units(self, job):
        """How many iterations, epochs or calls a sample lasts."""
        return job.units

    def other_loss(self, job):
        """The loss that the system minimises instead, where it cannot express the job's."""
        return None

    def prepare(self, job, X, Y, labels, weights, biases):
        """Take data and start weights, in the system's own form; compile what is compiled."""
        raise NotImplementedError

    def reset(self):
        """Go back to the start weights."""
        raise NotImplementedError

    def arrange(self, order):
        """The row order (rows,) in the system's own form."""
        return order

    def train(self, steps, order):
        """Take ``steps`` steps; mini-batches visit the rows in ``order``, None: as they lie.

        Every step computes the mean loss of its rows, as one who trains wants to see it.
        """
        raise NotImplementedError

    def parameters(self):
        """Weights (outputs, inputs) and biases of each layer, as NumPy arrays."""
        raise NotImplementedError

    def meet(self):
        """Wait for the system's other ranks, where it has some."""

    def predict(self):
        """The outputs of all rows, in the system's own form."""
        raise NotImplementedError

    def predict_as_array(self):
        """The same as a NumPy array (rows, outputs), for the check."""
        return np.asarray(self.predict())


def make(name, threads):
    """A new object of the system called ``name``. ImportError where it is not installed."""
    module, class_name, _ = (SYSTEMS | ON_RANKS)[name]
    return getattr(importlib.import_module(module), class_name)(threads)


def batches(steps, batch, rows):
    """The slices of one pass over the rows, its first ``steps`` batches."""
    return [slice(i * batch, min((i + 1) * batch, rows)) for i in range(steps)]
