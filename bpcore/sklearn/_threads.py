"""How many threads an estimator uses where nobody says."""

import os

from joblib.parallel import get_active_backend

from .._inputs import thread_count


def count(n_threads):
    """``n_threads`` if it is a number, else what does not oversubscribe.

    In this order: BPCORE_NUM_THREADS; the CPUs of the process, but no more than OMP_NUM_THREADS,
    which joblib sets to its share in each worker process of ``n_jobs``; one in a worker that has
    no such limit, since joblib's threads do not set it.
    """
    if n_threads is not None or os.environ.get(thread_count.VARIABLE):
        return thread_count.count(n_threads)
    limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if limit.isdecimal() and int(limit) >= 1:
        return min(thread_count.count(), int(limit))
    backend, _ = get_active_backend()
    return 1 if getattr(backend, "nesting_level", 0) else thread_count.count()
