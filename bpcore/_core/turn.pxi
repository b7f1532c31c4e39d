"""Whose turn it is to change a network: a part of _core.pyx.

Not in Python, where Ctrl-C may come between any two lines: what is taken here is given back.
"""

cdef class Turn:
    """``with turn:`` is for the one thread that changes a network; every other is refused.

    A process that was forked meanwhile has neither the thread nor its turn, and begins anew.
    """
    cdef object lock, process
    cdef unsigned long trainer  # The thread whose turn it is, or 0; one word, never half of one.

    def __cinit__(self):
        self.begin_anew()

    cdef int begin_anew(self) except -1:
        self.lock, self.process, self.trainer = _thread.RLock(), os.getpid(), 0
        return 0

    cdef int wait(self) except -1:
        """Wait until nobody reads, and keep it so."""
        if os.getpid() != self.process:
            self.begin_anew()
        self.lock.acquire()
        return 0

    def __enter__(self):
        cdef unsigned long me = _thread.get_ident()
        self.wait()
        try:
            if self.trainer != 0:
                raise RuntimeError(
                    "the network is in training already, and two trainings at once would mix its "
                    "weights: wait for the first one, or train a copy made before it began")
            self.trainer = me
        finally:
            self.lock.release()

    def __exit__(self, *exception):
        self.trainer = 0

    def read(self, function):
        """function(), while no thread changes the network, or between steps of this thread.

        Raises RuntimeError where another thread trains it.
        """
        cdef unsigned long me = _thread.get_ident()
        self.wait()
        try:
            if self.trainer != 0 and self.trainer != me:
                raise RuntimeError(
                    "the network is in training in another thread, and a copy made now could mix "
                    "two steps: save or copy it in a callback of that training, or after it")
            return function()
        finally:
            self.lock.release()
