"""Arguments that ``fit`` does not have: refused with the name of the one that is meant."""

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


def refuse_unknown(function, given, known):
    """Refuse names that are ``given``, none of the ``known`` ones, as Python does, with a hint.

    Names of other libraries come first, since spelling misleads: "lr" is more like "l2" than like
    "learning_rate".
    """
    if not given:
        return
    from difflib import get_close_matches

    name = next(iter(given))
    foreign = [known_as for known_as, names in FOREIGN.items() if name in names]
    meant = foreign or get_close_matches(name, known, 1)
    hint = f". Did you mean {meant[0]!r}?" if meant else ""
    raise TypeError(f"{function}() got an unexpected keyword argument {name!r}{hint}")
