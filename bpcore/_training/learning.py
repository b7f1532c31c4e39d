"""The part of Network that learns: ``fit`` and ``partial_fit``, and what they promise."""

from .._inputs import check

# What other libraries call the settings of ``fit``.
FOREIGN = {
    "learning_rate": ("lr", "eta", "rate", "step_size", "learning_rate_init"),
    "epochs": ("n_epochs", "num_epochs", "max_iter", "iterations", "n_iterations", "num_iter"),
    "batch_size": ("mini_batch_size", "minibatch_size", "batch", "bs"),
    "optimizer": ("solver", "optim", "opt"),
    "eval_set": ("validation_data", "validation_split", "validation_fraction", "test_data"),
    "early_stopping": ("patience", "n_iter_no_change"),
    "l2": ("weight_decay", "alpha", "lmbda", "lambda_"),
    "progress": ("verbose",),
    "n_threads": ("n_jobs", "num_threads", "threads", "workers"),
}


def refuse_unknown(function, given):
    """Refuse arguments that ``fit`` does not have, as Python does, and name the one that is meant.

    Names of other libraries come first, since spelling misleads: "lr" is more like "l2" than like
    "learning_rate".
    """
    if not given:
        return
    from difflib import get_close_matches

    from .loop import DEFAULTS

    name = next(iter(given))
    foreign = [known for known, names in FOREIGN.items() if name in names]
    meant = foreign or get_close_matches(name, ["epochs", "n_threads", *DEFAULTS], 1)
    hint = f". Did you mean {meant[0]!r}?" if meant else ""
    raise TypeError(f"{function}() got an unexpected keyword argument {name!r}{hint}")


class Learning:
    """Training, for Network."""

    def fit(
        self,
        X,
        y=None,
        *,
        epochs,
        learning_rate=None,
        optimizer="sgd",
        batch_size=None,
        shuffle=True,
        order=None,
        sample_weight=None,
        class_weight=None,
        l2=0.0,
        l1=0.0,
        dropout=0.0,
        clip_norm=None,
        max_norm=None,
        eval_set=None,
        early_stopping=None,
        callbacks=(),
        n_threads=None,
        progress=False,
        **others,
    ):
        """Train; further calls go on where the last one ended.

        Parameters
        ----------
        X : array-like or SciPy sparse matrix (n, inputs), or iterable of batches
            Samples in rows. A C-contiguous array of the network's dtype is not copied, and may be
            mapped from a file that is larger than memory, unless it is standardised or rows of it
            are held out: both copy. Where at most half of the elements are
            not zero, the first layer computes with those alone; sparse X is never made dense. The
            bits are the same. An iterable gives (X, y) or (X, y, sample_weight), each one a step,
            or steps of ``batch_size`` rows; y is None then. Masked elements are refused.
        y : array-like
            (n,) or (n, outputs); integer labels (n,) where several outputs are classes. Numbers
            beyond the range of "sigmoid", "tanh" or "softmax" are warned of, or refused.
        epochs : int
            Passes over the data; iterations for "lbfgs" and "levenberg_marquardt".
        learning_rate : float or Schedule, optional
            A number of at least 0, or one of ``bpcore.schedules``, which tells it for each epoch.
            Default: the optimiser's; "sgd" and its momentum forms have none, and it has to be
            given.
        optimizer : str or Optimizer, default "sgd"
            One of ``bpcore.optimizers``: "sgd" (W := W - learning_rate * mean gradient),
            "momentum", "nesterov", "rmsprop", "adam", "adamw", "rprop", "lbfgs",
            "levenberg_marquardt". Its state is kept: fit(3) and fit(4) do what fit(7) does.
        batch_size : int, optional
            Rows of a step, the last may have fewer; default: all of them, one step an epoch.
        shuffle : bool, default True
            Visit the rows in a new order each epoch, one that follows from seed and epoch alone.
            Without effect on a full batch.
        order : array-like of int, optional
            Row indices (n,) or (epochs, n), in place of shuffling.
        sample_weight : array-like (n,), optional
            How much each row counts, at least 0. A mean is then sum(w * loss) / sum(w), in each
            batch: a weight of 2 is a row that stands there twice. Batches without weight are no
            steps.
        class_weight : dict or "balanced", optional
            {label: weight}, or weights that give all classes the same sum. Multiplies
            ``sample_weight``.
        l2, l1 : float, default 0
            Penalties: l2 / 2 sum W^2 + l1 sum |W| joins the mean loss, without biases.
        dropout : float or sequence of float, default 0
            Share of each hidden layer's outputs that an update ignores; the others grow by
            1 / (1 - share), so that prediction needs no change. The masks follow from seed, epoch
            and place alone.
        clip_norm : float, optional
            A gradient of all parameters together that is longer is shortened to this length,
            penalties included.
        max_norm : float, optional
            Longest vector of weights into one unit, of all layers, after each update.
        eval_set : pair (X, y) or float, optional
            Evaluated after each epoch. A share of the rows, such as 0.1, is drawn by the seed and
            held out.
        early_stopping : int or EarlyStopping, optional
            Epochs to wait for a better figure of ``eval_set``, or of the loss without one; the
            best weights are kept. See ``bpcore.callbacks.EarlyStopping``.
        callbacks : callable, object or sequence of them
            Called between epochs; one that returns True stops. See ``bpcore.callbacks``.
        n_threads : int, optional
            Most threads to use. Results never depend on it; short work stays on one. Default:
            the environment variable BPCORE_NUM_THREADS, or the CPUs that this process may use.
        progress : bool or callable
            True: a tqdm bar, or a plain line where tqdm is missing. A callable is given the history
            after each epoch.

        Returns
        -------
        History

        Raises
        ------
        ValueError, TypeError
            For data or settings that do not fit, or do not exist, before anything changes; for a
            batch of an iterable, before its own step.
        FloatingPointError
            When a batch's loss is not finite, naming epoch and batch: the weights are those from
            before that batch. Or when an update overflowed while the loss was finite.
        RuntimeError
            While another ``fit`` of this network runs: it goes on undisturbed.

        Ctrl-C raises KeyboardInterrupt within a few hundredths of a second, or, where a network has
        tens of millions of weights, after the update at hand or a few dozen rows; the network then
        has the weights of the last whole step. Where memory runs out, MemoryError leaves it alike.

        While a fit runs in one thread, others may use the network: ``predict`` and its like read
        the weights as they stand, during an update perhaps some from before it and some from after
        it. Saving, pickling and copying, which need all weights of one step, raise RuntimeError
        in other threads, and work in callbacks.

        Examples
        --------
        >>> import numpy as np
        >>> from bpcore import Network
        >>> X = np.linspace(-1, 1, 50).reshape(-1, 1)
        >>> net = Network([1, 10, 1], hidden="tanh", output="identity", seed=0)
        >>> history = net.fit(X, X**2, epochs=400, optimizer="adam", learning_rate=0.02)
        >>> history.loss[-1] < 1e-3
        True
        """
        refuse_unknown("Network.fit", others)
        settings = {
            "epochs": epochs,
            "batch_size": batch_size,
            "class_weight": class_weight,
            "eval_set": eval_set,
            "early_stopping": early_stopping,
            "callbacks": callbacks,
            "progress": progress,
            "learning_rate": learning_rate,
            "optimizer": optimizer,
            "l2": l2,
            "l1": l1,
            "dropout": dropout,
            "clip_norm": clip_norm,
            "max_norm": max_norm,
            "n_threads": n_threads,
        }
        from . import batches, loop

        if batches.is_iterable_of_batches(X, y):
            if order is not None or sample_weight is not None:
                raise TypeError("order and sample_weight are of an array's rows, not of batches")
            check.flag("shuffle", shuffle)
            with self._training_lock:
                return batches.fit(self, X, **settings)
        if y is None:
            raise TypeError("y is missing: fit(X, y, ...), or fit(batches, ...) of pairs (X, y)")
        data = {"shuffle": shuffle, "order": order, "sample_weight": sample_weight}
        with self._training_lock:
            return loop.fit(self, X, y, **data, **settings)

    def partial_fit(self, X, y, *, epochs=1, shuffle=False, **settings):
        """``fit`` for data that comes in pieces: by default one step on these rows.

        Settings are those of ``fit``. What the optimiser keeps goes on from call to call.

        Examples
        --------
        >>> from bpcore import Network
        >>> net = Network([2, 1], seed=0)
        >>> for _ in range(3):
        ...     history = net.partial_fit([[0, 1], [1, 0]], [0, 1], learning_rate=0.5)
        >>> net.epochs
        3
        """
        return self.fit(X, y, epochs=epochs, shuffle=shuffle, **settings)
