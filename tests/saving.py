"""Saving a model leaves the old file or the new one, whole, whatever goes wrong.

``kills`` ends processes that save in a loop, by SIGKILL at random moments. Law: the file is one of
those that were saved, byte for byte, it loads, and a kill leaves one temporary file at most.

``faults`` makes each system call of a save fail in turn, and fills a disk. Law: the error names the
path, the file is the old one or the new one, no temporary file is left, and the network and the
next save are as if nothing had been.
"""

import errno
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import faults

import bpcore

KINDS = {
    "open": errno.EMFILE,
    "write": errno.ENOSPC,
    "short write": 0,
    "fsync": errno.EIO,
    "chmod": errno.EPERM,
    "rename": errno.EACCES,
    "close": errno.ENOSPC,
}
SAVES = 4  # that a process has time for, at the longest, before it is killed


def networks():
    """Two of different sizes, so that a mixture of their files is none of them."""
    return [bpcore.Network([40, units, 3], output="softmax", seed=units) for units in (50, 90)]


def contents(nets, folder):
    """The bytes of each one's file."""
    files = []
    for net in nets:
        net.save(folder / "model")
        files.append((folder / "model").read_bytes())
    (folder / "model").unlink()
    return files


def leftovers(folder):
    return sorted(set(os.listdir(folder)) - {"model"})


# ---- Kills ---------------------------------------------------------------------------------------


def endlessly(save, nets, path):
    """A process that saves one after the other; it has saved the first."""
    begun, tell = os.pipe()
    child = os.fork()
    if child:
        os.close(tell)
        os.read(begun, 1)  # A copy of a large process is slow at first.
        os.close(begun)
        return child
    try:
        save(nets[0], path)
        os.write(tell, b".")
        while True:
            for net in nets:
                save(net, path)
    finally:
        os._exit(1)


def kills(count, folder, save=bpcore.Network.save, seed=0):
    """Complaints after so many kills, and what was seen."""
    nets, path, moment = networks(), folder / "model", random.Random(seed)
    whole, complaints, seen = contents(nets, folder), [], [0, 0]
    nets[0].save(path)
    started = time.perf_counter()
    for net in nets * 5:
        save(net, path)
    longest = SAVES * (time.perf_counter() - started) / 10
    for kill in range(count):
        before = len(leftovers(folder))
        turned = nets[::-1] if kill % 2 else nets  # A slow process has time for its first alone.
        child = endlessly(save, turned, path)
        time.sleep(moment.uniform(0, longest))
        os.kill(child, signal.SIGKILL)
        if not os.WIFSIGNALED(os.waitpid(child, 0)[1]):
            complaints.append(f"kill {kill}: a save failed before it")
        found = path.read_bytes()
        if found not in whole:
            complaints.append(f"kill {kill}: {len(found)} bytes that nobody saved")
            nets[0].save(path)
            continue
        seen[whole.index(found)] += 1
        bpcore.Network.load(path)
        if len(leftovers(folder)) > before + 1:
            complaints.append(f"kill {kill}: more than one temporary file was left")
    left = len(leftovers(folder))
    if count >= 20 and 0 in seen:  # By chance once in 2^19, where half of the saves are of each.
        complaints.append("one of the two files was never seen: nothing is saved")
    return (
        complaints,
        f"the one file {seen[0]} times, the other {seen[1]}; {left} temporary ones left",
    )


# ---- Faults --------------------------------------------------------------------------------------


def state(net):
    return net.parameters.tobytes(), net.epochs, sorted(vars(net))


def attempt(failing, kind, n, save, net, path):
    """The error of a save whose n-th call of this kind fails, and whether there was such a call."""
    failing.arm(kind, n, 1, KINDS[kind])
    error = None
    try:
        save(net, path)
    except OSError as given:
        error = given
    return error, failing.disarm() >= n


def judge(kind, error, path, found, old, new):
    """What is wrong with a save whose call of this kind has failed."""
    if kind == "short write":
        if error is not None or found != new:
            yield "a short write was no whole file"
        return
    if error is None:
        yield "no error was told"
        return
    if error.filename != str(path):
        yield f"the error names {error.filename!r}"
    if error.errno != KINDS[kind]:
        yield f"the error is {error.errno}, not {KINDS[kind]}"
    if found != (new if "in place" in str(error) else old):
        yield f"{len(found)} bytes are there, after {error}"


def each_call(folder, save=bpcore.Network.save):
    """Complaints, and the number of calls that have failed."""
    failing, (net, other), path = faults.Faults(), networks(), folder / "model"
    (new, old), complaints, count = contents([net, other], folder), [], 0
    for kind in KINDS:
        for n in range(1, 100):
            other.save(path)
            before = state(net)
            error, failed = attempt(failing, kind, n, save, net, path)
            if not failed:
                complaints += [f"{kind}: a save makes no such call"] if n == 1 else []
                break
            count += 1
            wrong = list(judge(kind, error, path, path.read_bytes(), old, new))
            wrong += [f"{name} is left" for name in leftovers(folder)]
            if state(net) != before:
                wrong.append("the network is another one")
            net.save(path)
            if path.read_bytes() != new:
                wrong.append("the next save is not whole")
            complaints += [f"{kind} {n}: {text}" for text in wrong]
            print(f"{kind} {n}: {error}")
    return complaints, count


def full_disk(folder):
    """A limit on the size of files is a disk that is full in the middle of a file."""
    import resource

    (net, other), path = networks(), folder / "model"
    (new, old), complaints = contents([net, other], folder), []
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    for size in (0, 1, 100, len(new) // 2, len(new) - 1, len(new)):
        other.save(path)
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        error = None
        try:
            net.save(path)
        except OSError as given:
            error = given
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        fits = size == len(new)
        if path.read_bytes() != (new if fits else old) or leftovers(folder):
            complaints.append(f"limit of {size} bytes: the file is wrong")
        if fits == (error is not None) or (error and error.filename != str(path)):
            complaints.append(f"limit of {size} bytes: {error}")
    return complaints, 6


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        complaints, count = each_call(Path(name))
        more, limits = full_disk(Path(name))
    print(*complaints, *more, sep="\n")
    print(f"{count} failing calls, {limits} sizes of disk; {len(complaints + more)} broken laws")
    sys.exit(bool(complaints + more))
