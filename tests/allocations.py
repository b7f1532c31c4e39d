"""Memory that runs out is a MemoryError, and nothing else happens.

Every allocation of every public entry point fails, one after the other, on small data. Two ways:
``each`` fails the n-th allocation alone, of whatever size; ``large`` fails the n-th of 512 bytes or
more and all of those after it, as where arrays find no room but Python's own objects do.

Laws, for each n until the call has no n-th allocation:
the call ends with MemoryError, or with the result it has undisturbed;
users' arrays are as before, and so is the network, or, where a call trains it, it is the network
after one of the training's whole steps, with the counts and moments of that step;
the same failure over and over does not use more memory each time;
afterwards the same network can be trained, and another gives the undisturbed bits.

test_faults.py starts this in processes whose calls of the C library can fail.
"""

import gc
import re
import sys
from pathlib import Path

import allocations_cases as cases
import faults

WAYS = {"each": {"count": 1, "least": 0}, "large": {"count": faults.FOREVER, "least": 512}}

# How the interpreter and NumPy answer where an allocation of their own fails and they lose or
# replace the MemoryError: no code of this library was there. The other laws hold all the same.
FOREIGN = {
    "SystemError": "without (setting an )?exception|with an exception set|NULL object passed",
    "RuntimeError": "can't allocate (read )?lock",
    "PicklingError": "import of module .* failed",
    "TypeError": "expected str, bytes or os.PathLike object, not PosixPath",
}
FOREIGN_FILES = ("_multiarray_umath", "python")

# Python code neither loses blocks nor ends a process by a signal: where that happens, it is the
# interpreter's doing or NumPy's, unless the binding was among those who asked for the memory.
OWN = "binding."

# Caches, such as NumPy's of small blocks, fill for some hundred calls. After these, a failure that
# leaves more blocks in use than before is repeated: what is lost is lost each time.
WARM_UP, REPEATS = 300, 30


class Steps:
    """The states of a network after each step of a training that nothing disturbs."""

    def __init__(self, make, train, steps, ends):
        from bpcore._core import slices
        from bpcore._training import packed_data, second_order

        self.net, self.steps, self.ends, self.known = make(), steps, ends, {}
        run, keep = packed_data.PackedData.run, second_order.SecondOrderFit._keep
        adapt = slices.AdaptiveSlice.adapt

        def block(prepared, training, *data):
            run(prepared, training, *data)
            self.see(training.step, data[-1])

        def iteration(second, step):
            keep(second, step)
            self.see(second.state.step, second.state.moments)

        self.see(0, None)
        packed_data.PackedData.run, second_order.SecondOrderFit._keep = block, iteration
        slices.AdaptiveSlice.adapt = lambda *_: None  # One block a call.
        try:
            self.result = train(self.net)
        finally:
            packed_data.PackedData.run, second_order.SecondOrderFit._keep = run, keep
            slices.AdaptiveSlice.adapt = adapt

    def see(self, step, moments):
        moments = None if moments is None else moments.tobytes()
        self.known[self.net.parameters.tobytes()] = step, moments

    def complaint(self, state):
        """What is wrong with a network that is left so, or None."""
        parameters, epochs, step, moments = state
        if parameters not in self.known:
            return "the weights are those of no whole step"
        if self.ends == "restored":  # The weights alone go back to their best step.
            return None
        known, known_moments = self.known[parameters]
        whole = {known // self.steps}
        if self.ends == "iterated":  # An iterable ends when it says so, after its last batch.
            whole.add((known - 1) // self.steps)
        if epochs not in whole:
            return f"epochs is {epochs} after {known} steps of {self.steps} an epoch"
        if step is None:
            return f"the optimiser has no state after {known} steps" if known else None
        if step != known or (known and moments != known_moments):
            return f"the optimiser is at step {step}, the weights are at {known}"
        return None


class Subject:
    """One call, and what has to hold whenever it fails."""

    def __init__(self, name, make, call, steps=None, ends=None):
        self.name, self.make, self.call = name, make, call
        net = make()
        self.before, self.data = cases.state(net), cases.data()
        call(net)  # Modules are imported, caches are filled.
        self.steps = Steps(make, call, steps, ends) if steps else None
        net = make()
        self.result, self.after = cases.parts(call(net)), cases.state(net)

    def complaints(self, net, outcome, asker):
        """What is wrong after an attempt that ended in ``outcome``, an error or a result.

        asker: the library that got no memory.
        """
        state = cases.state(net)
        if isinstance(outcome, MemoryError) or is_foreign(outcome, asker):
            if self.steps is None and state != self.before:
                yield "the network has changed"
            if self.steps is not None and self.steps.complaint(state):
                yield self.steps.complaint(state)
        elif isinstance(outcome, BaseException):
            yield f"it ended with {outcome!r}"
        elif cases.parts(outcome) != self.result or state != self.after:
            yield "it ended with another result"
        if cases.data() != self.data:
            yield "users' arrays have changed"

    def repeat(self, net):
        """What is wrong with the next call."""
        try:
            self.call(net)
            twin = self.make()
            if cases.parts(self.call(twin)) != self.result:
                yield "another network has another result afterwards"
        except Exception as error:
            yield f"the next call ended with {error!r}"


def is_foreign(outcome, asker):
    """Is this another's answer to an allocation of its own that failed?"""
    known = FOREIGN.get(type(outcome).__name__)
    said = known is not None and re.search(known, str(outcome)) is not None
    return said and any(asker.startswith(name) or f"lib{name}" in asker for name in FOREIGN_FILES)


def attempt(failing, subject, n, way):
    """The network, the error or the result, and whether there was an n-th allocation."""
    net, call = subject.make(), subject.call
    failing.arm("allocation", n, **WAYS[way])
    try:
        outcome = call(net)
    except BaseException as error:
        outcome = error.with_traceback(None)
    try:
        count = failing.disarm()
    except MemoryError:  # The n-th allocation was the first one after the call.
        count = failing.disarm() - 1
    return net, outcome, count >= n


def growth(failing, subject, n, way):
    """Blocks that every repetition of the failure leaves in use."""
    least = None
    for _ in range(REPEATS):
        gc.collect()
        before = failing.live()
        attempt(failing, subject, n, way)
        gc.collect()
        more = failing.live() - before
        least = more if least is None else min(least, more)
        if least <= 0:
            return 0
    return least


def attempts(failing, subject, way, begin, stride, reached):
    """Complaints from the ``begin``-th allocation on; ``reached`` is told each one's number."""
    complaints, n, failed = [], begin, 0
    gc.collect()
    gc.freeze()  # Only what an attempt makes is looked through.
    for _ in range(WARM_UP):
        subject.call(subject.make())
        gc.collect()
    while True:
        reached(n)
        before = failing.live()
        net, outcome, there = attempt(failing, subject, n, way)
        if not there:
            return complaints, failed
        failed += 1
        files = failing.files()
        wrong = list(subject.complaints(net, outcome, (files or [""])[0]))
        wrong += subject.repeat(net)
        del net, outcome
        gc.collect()
        own = any(OWN in name for name in files)
        lost = growth(failing, subject, n, way) if own and failing.live() > before else 0
        if lost:
            wrong.append(f"{lost} blocks are lost each time")
        complaints += [f"{subject.name}, {way} {n}: {text}" for text in wrong]
        n += stride


def main(name, way, begin, stride, folder):
    """Prints the complaints about one call; a file says how far it has come."""
    calls = {**cases.pure(), **cases.files(folder), **cases.fits()}
    place = Path(folder) / "n"
    complaints, failed = attempts(
        faults.Faults(), Subject(name, *calls[name]), way, int(begin), int(stride),
        lambda n: place.write_text(str(n)),
    )  # fmt: skip
    print(*complaints, f"failed {failed}", sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
