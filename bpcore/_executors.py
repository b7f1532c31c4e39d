"""Calls that share data, in the workers of any executor: threads, processes, other machines.

Of an executor nothing is known but ``submit``, and of what it returns ``result``, ``cancel`` and
``add_done_callback``. What has to travel finds out by itself, when it is pickled.
"""

from __future__ import annotations

import contextlib
import io
import mmap
import os
import pickle
import queue
import tempfile
import threading
import time
import traceback

import numpy as np

from ._inputs import check

SECONDS_BETWEEN_LOOKS = 0.1  # Ctrl-C is heard within a tenth of a second, as it is in ``fit``.
ALIGNMENT = 64  # bytes: a line of the cache, so that arrays are read where they lie.


class Calls:
    """Calls of ``function(data, stop, **items)`` in the workers of an executor, as a context.

    ``data`` is the same for all. It stays where it is for threads of this process; other processes
    map a file, which is written once. A client of dask scatters it to its workers. A worker that
    cannot read the file, as it is on another machine, gets the data with each of its calls.

    ``stop.is_set()`` tells a function that the context has been left, on this machine.

    executor : concurrent.futures.Executor or the like, or a ``dask.distributed.Client``
    """

    def __init__(self, executor, function, data):
        if hasattr(executor, "get_executor") and not isinstance(executor, type):
            executor = executor.get_executor()
        if isinstance(executor, type) or not callable(getattr(executor, "submit", None)):
            raise TypeError(
                f"executor is {check.shown(executor)}, but a concurrent.futures.Executor, or what "
                "has its submit, is expected"
            )
        self.executor, self.function, self.data = executor, function, data
        self.done, self.waiting, self.tasks = queue.SimpleQueue(), {}, {}
        self.ending = False

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            folder = None
            with contextlib.suppress(OSError):  # Without one, data is sent with each call.
                where = tempfile.TemporaryDirectory(prefix="bpcore-", ignore_cleanup_errors=True)
                folder = stack.enter_context(where)
            self.stop = Stop(folder)
            stack.callback(self.stop.set)
            # Dask's executor has no public name for it; without it a file does.
            client, everywhere = getattr(self.executor, "_client", None), Shared(self.data)
            if hasattr(client, "scatter"):
                shared = everywhere = client.scatter(everywhere, broadcast=True, hash=False)
            else:
                shared = Shared(self.data, folder)
            self.here, self.elsewhere = (shared, self.stop), (everywhere, Stop(None))
            stack.callback(self.cancel)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        self.stack.close()
        self.here = self.elsewhere = None  # Dask's workers hold data as long as this does.

    def submit(self, i, items):
        """Begin call ``i``, with keywords that a worker's process can be sent."""
        self._send(i, Task(items), self.here)

    def _send(self, i, task, how):
        try:
            future = self.executor.submit(_call, self.function, *how, task)
        except Exception as error:  # Dask pickles here, others in a thread.
            told = _explained(task, error)
            if told is error:
                raise
            raise told from error
        self.waiting[i], self.tasks[i] = future, task
        future.add_done_callback(lambda future: self.done.put((i, future)))

    def cancel(self):
        """Let no call begin that has not begun."""
        self.ending = True
        for future in list(self.waiting.values()):
            future.cancel()

    def results(self):
        """(i, result, or the Exception of it) of each call when it ends, but for cancelled ones."""
        while self.waiting:
            i, future = self.done.get()
            del self.waiting[i]
            task = self.tasks.pop(i)
            if self.ending and future.cancelled():
                continue
            try:
                begun, result = future.result()
            except Exception as error:
                yield i, _explained(task, error)
                continue
            if begun:
                yield i, result
            elif not self.ending:
                self._send(i, task, self.elsewhere)


def _explained(task, error):
    """The error of a call, or what could not be pickled."""
    if task.sending is None:
        return error
    name, value = task.sending
    told = TypeError(f"{name} is {check.shown(value)}, which cannot be pickled for a worker")
    told.__cause__ = error
    return told


def _call(function, shared, stop, task):
    """In a worker: (whether the function could begin, what it returns)."""
    if stop.is_set():  # All has ended, or the folder of this call is on another machine.
        return False, None
    try:
        data = shared.read()
    except Exception:  # It names what only the executor can send.
        return False, None
    return True, function(data, stop, **task.items)


class Task:
    """Keywords of a call. ``sending``: (name, value) of the one whose pickling has not ended."""

    def __init__(self, items):
        self.items, self.sending = items, None

    def __reduce__(self):
        self.sending = None
        parts = [_Part(self, name, value) for name, value in self.items.items()]
        return _task, (list(self.items), parts, _Part(self, None, None))


class _Part:
    """Pickled as ``value``; tells its task when that begins. Entries of a list do it, too."""

    def __init__(self, task, name, value):
        self.task, self.name, self.value = task, name, value

    def __reduce__(self):
        self.task.sending = None if self.name is None else (self.name, self.value)
        value = self.value
        if type(value) in (list, tuple):
            names = [f"{self.name}[{i}]" for i in range(len(value))]
            value = type(value)(map(_Part, [self.task] * len(value), names, value))
        return _itself, (value,)


def _task(names, values, _):
    return Task(dict(zip(names, values, strict=True)))


def _itself(value):
    return value


# ---- Data of all calls ---------------------------------------------------------------------------


class Shared:
    """Data as it is; pickled, a file in ``folder``, or where there is none all of it."""

    def __init__(self, data, folder=None):
        self.data, self.folder, self.path, self.lock = data, folder, None, threading.Lock()

    def read(self):
        return self.data

    def __reduce__(self):
        # A disk may be full, and data such as only the executor itself can send.
        with self.lock, contextlib.suppress(Exception):
            if self.folder is not None and self.path is None:
                path = os.path.join(self.folder, "data")
                write(path, self.data)
                self.path = path
        if self.folder is None or self.path is None:
            return Shared, (self.data,)
        return File, (self.path,)


class File:
    """Data in a file of ``write``, whose arrays are mapped: nothing is copied."""

    def __init__(self, path):
        self.path = path

    def read(self):
        with open(self.path, "rb") as file:
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        body, places = pickle.loads(mapped[int.from_bytes(mapped[-8:], "little") : -8])
        return pickle.loads(body, buffers=[mapped[start:end] for start, end in places])


def write(path, data):
    """Write ``data`` to a new file: arrays, the rest of its pickle, and where that begins."""
    body, buffers, places = io.BytesIO(), [], []
    _Pickler(body, protocol=5, buffer_callback=lambda one: buffers.append(one.raw())).dump(data)
    with open(path, "xb") as file:
        for buffer in buffers:
            start = -(-file.tell() // ALIGNMENT) * ALIGNMENT
            file.seek(start)
            file.write(buffer)
            places.append((start, start + buffer.nbytes))
        start = file.tell()
        pickle.dump((body.getvalue(), places), file)
        file.write(start.to_bytes(8, "little"))


class _Pickler(pickle.Pickler):
    """Arrays that are mapped already are mapped anew, from their own file."""

    def reducer_override(self, given):
        root = given if isinstance(given, np.ndarray) else None
        while isinstance(root, np.ndarray) and not isinstance(root, np.memmap):
            root = root.base
        while root is not None and isinstance(root.base, np.memmap):
            root = root.base
        if root is None or not isinstance(root, np.memmap):
            return NotImplemented
        private = root.filename is None or root.mode == "c"
        if private or not given.flags.c_contiguous or given.dtype.hasobject or not given.size:
            # A memmap without a file of its own would be pickled as bytes within the body.
            within = isinstance(given, np.memmap)
            return (_itself, (given.view(np.ndarray),)) if within else NotImplemented
        offset = root.offset + given.ctypes.data - root.ctypes.data
        return np.memmap, (root.filename, given.dtype, "r", offset, given.shape)


# ---- The end of it all ---------------------------------------------------------------------------


class Stop:
    """An event; pickled, a file of this machine that is there until the event is set."""

    def __init__(self, folder):
        self.event, self.path = threading.Event(), None
        if folder is not None:
            self.path = os.path.join(folder, "going_on")
            with open(self.path, "xb"):
                pass

    def is_set(self):
        return self.event.is_set()

    def set(self):
        self.event.set()
        if self.path is not None:
            with contextlib.suppress(OSError):
                os.remove(self.path)

    def __reduce__(self):
        return Watch, (self.path,)


class Watch:
    """A ``Stop`` of another process: set where its file is not, never where there is none."""

    def __init__(self, path):
        self.path, self.next_look, self.ended = path, 0.0, False

    def is_set(self):
        now = time.monotonic()
        if self.path is not None and now >= self.next_look and not self.ended:
            self.ended = not os.path.exists(self.path)
            self.next_look = now + SECONDS_BETWEEN_LOOKS
        return self.ended


# ---- Errors --------------------------------------------------------------------------------------


class RemoteTraceback(Exception):
    """Where an error came from in another process; the cause of the error here."""


class Failure:
    """An exception that goes from process to process, with its traceback in words."""

    def __init__(self, error):
        self.error = error

    def __getstate__(self):
        error = self.error
        text = "".join(traceback.format_exception(error))
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            error = RuntimeError("".join(traceback.format_exception_only(error)).strip())
        return {"error": error, "text": text}

    def __setstate__(self, state):
        self.error = state["error"]
        self.error.__cause__ = RemoteTraceback(f"\n{state['text']}")
